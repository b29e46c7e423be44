/*
 * ckpt_base.h - the ground of ckpt.h, which includes it: bytes, errors, times. No stores.
 */
#ifndef CKPT_BASE_H
#define CKPT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- bytes -------------------------------------------------------------------------------- */

struct ckpt_view {
	const void *p; /* NULL means SQL NULL or "not there"; "" with n == 0 is empty */
	size_t n;      /* bytes; they may hold NUL */
};

#define CKPT_LIT(s) ((struct ckpt_view){ "" s, sizeof(s) - 1 })
struct ckpt_view ckpt_view_of(const char *s); /* of a C string; NULL gives a NULL view */
int ckpt_view_cmp(struct ckpt_view a,
		struct ckpt_view b); /* byte order; NULL sorts first */
bool ckpt_view_eq(struct ckpt_view a, struct ckpt_view b);

/* A growing byte string the caller owns. Zero-initialise; ckpt_buf_free at the end. A failed
 * allocation sets `failed`, after which every addition is ignored: check once, at the end. */
struct ckpt_buf {
	char *p;
	size_t n, cap;
	bool failed;
};
void ckpt_buf_add(struct ckpt_buf *, const void *p, size_t n);
void ckpt_buf_puts(struct ckpt_buf *, const char *s);
void ckpt_buf_addf(struct ckpt_buf *, const char *fmt, ...)
		__attribute__((format(printf, 2, 3)));
void ckpt_buf_free(struct ckpt_buf *);
struct ckpt_view ckpt_buf_view(const struct ckpt_buf *);

/* ---- errors ------------------------------------------------------------------------------- */

enum ckpt_code {
	CKPT_OK = 0,
	CKPT_EUSAGE = -1,       /* wrong words; nothing was opened */
	CKPT_EMISSING = -2,     /* no such store */
	CKPT_EUNSUPPORTED = -3, /* a store, but of no layout that is known */
	CKPT_EBUSY = -4,        /* locked, timed out, changed under a reader: try again */
	CKPT_ECONNECT = -5,     /* refused or unauthenticated */
	CKPT_ENOTFOUND = -6,    /* a literal name is not there */
	CKPT_EAMBIGUOUS = -7,   /* a name that fits more than one thing */
	CKPT_EREFUSED = -8,     /* a safety rule says no */
	CKPT_ECORRUPT = -9,     /* undecodable or damaged */
	CKPT_EINCOMPLETE = -10, /* finished, but something was left out */
	CKPT_EIO = -11,         /* reading or writing failed, disk full, output lost */
	CKPT_ENOMEM = -12,
	CKPT_EINTERRUPTED = -13, /* stopped by a signal */
	CKPT_EINTERNAL = -14     /* a bug in this library */
};

struct ckpt_error {
	int code;       /* CKPT_OK or the first failure */
	char text[500]; /* one line, lower case, no full stop; store text is escaped */
	char hint[400]; /* what to do about it, lines separated by \n; may be empty */
};

/* Record a failure unless one is already there; returns `code`. The text is made harmless:
 * control and bidi characters are escaped. */
int ckpt_fail(struct ckpt_error *, int code, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));
/* Add a hint line to a failure just recorded. */
void ckpt_hint(struct ckpt_error *, const char *fmt, ...)
		__attribute__((format(printf, 2, 3)));
/* A view as printable text for messages, cut after `max` bytes; lives in `to`. */
const char *ckpt_show_name(char to[static 200], struct ckpt_view name);

/* ---- times, durations, sizes ----------------------------------------------------------------- */

int64_t ckpt_now(void);       /* ns since 1970 UTC */
int64_t ckpt_monotonic(void); /* ns that only go forward: for how long something takes */
int64_t ckpt_time_of_id(struct ckpt_view id); /* UUIDv6, or CKPT_UNKNOWN */
bool ckpt_time_parse(int64_t *out, struct ckpt_view text,
		int64_t now);                         /* RFC 3339, date, now-7d */
void ckpt_time_print(char out[static 40], int64_t t); /* RFC 3339 UTC, zeros cut, Z */
bool ckpt_duration_parse(
		int64_t *out, const char *text); /* 0 90s 15min 36h 7d 2w; `m` refused */
bool ckpt_size_parse(
		int64_t *out, const char *text); /* 10MB, 10MiB; a unit is required */

#endif
