/*
 * dump.h - the dump backend: a store as an archive in JSON Lines (`ckpt help dump`), read only.
 *
 * dump.c opens, describes and spools; dump_line.c tells what one line holds; dump_index.c passes
 * over the file once and remembers where each row lies (names: dump_names.c); dump_rows.c reads a
 * row again and gives it its values; dump_scan.c is the scan; split.c cuts it in ranges. Writing an archive is not done here.
 */
#ifndef DUMP_H
#define DUMP_H

#include "backend.h"
#include "row.h"
#include "token.h"

/* ---- one line (dump_line.c) ----------------------------------------------------------------- */

enum dump_kind {
	DUMP_CHECKPOINT,
	DUMP_WRITE,
	DUMP_BLOB,
	DUMP_ROWS, /* kinds of rows */
	DUMP_HEADER = DUMP_ROWS,
	DUMP_END,
	DUMP_ITEM, /* of long-term memory, in a quarantine file: no row of this store */
	DUMP_BLANK,
	DUMP_OTHER, /* an object of no kind that is known */
	DUMP_BAD
};

/* clang-format off */
enum dump_slot {
	DUMP_THREAD, DUMP_NS, DUMP_ID, DUMP_PARENT, DUMP_TYPE, DUMP_META, DUMP_BODY,
	DUMP_TASK, DUMP_PATH, DUMP_IDX, DUMP_CHANNEL, DUMP_VERSION,
	DUMP_WHAT, DUMP_FORMAT, DUMP_ENGINE, DUMP_LAYOUT,     /* of a header */
	DUMP_CHECKPOINTS, DUMP_WRITES, DUMP_BLOBS,            /* counts of an end */
	DUMP_SLOTS
};
/* clang-format on */

enum dump_form {
	DUMP_ABSENT,
	DUMP_NULL,
	DUMP_PLAIN,   /* the bytes as they stand */
	DUMP_ESCAPED, /* a JSON string with escapes, quotes left out */
	DUMP_BASE64,
	DUMP_NUMBER
};

struct dump_field {
	uint8_t *p;
	size_t n;
	int64_t i; /* NUMBER */
	enum dump_form form;
	bool blob; /* {"$bytes":…}: a name that SQLite holds as BLOB */
	bool text; /* {"$text":…}: a payload that it holds as TEXT */
};

struct dump_line {
	enum dump_kind kind;
	const char *why, *member; /* BAD: what is wrong, and with which member, or NULL */
	struct ckpt_view extra;   /* a member that is not known, or NULL */
	struct dump_field f[DUMP_SLOTS];
};

/* What the line at p holds; its fields point into it. `json` is only lent. All texts and base64
 * have been looked at: decoding them later cannot fail but for memory. */
enum dump_kind dump_line_read(
		struct dump_line *out, uint8_t *p, size_t n, struct reader *json);
/* The bytes of a text or body, decoded where they stand in the line; NULL if there is none. */
struct ckpt_view dump_bytes(struct dump_field *, struct reader *json);
/* How many bytes a body has, undecoded; 0 if there is none. */
int64_t dump_size(const struct dump_field *);

/* ---- lines to be (dump_write.c) ----------------------------------------------------------------- */

struct ckpt_care;
void dump_checkpoint(struct ckpt_buf *, const struct ckpt_checkpoint *,
		const struct ckpt_care *why);
/* A member; bytes in base64 where they are not UTF-8, or are kept as BLOB. */
void dump_text(struct ckpt_buf *, const char *name, struct ckpt_view, bool blob);
void dump_write(struct ckpt_buf *, const struct ckpt_key *, const struct ckpt_write *,
		const struct ckpt_care *why);
/* Its version as the row's text. */
void dump_blob(struct ckpt_buf *, const struct ckpt_key *, const struct ckpt_value *,
		const struct ckpt_care *why);

/* ---- where rows lie (dump_index.c) ------------------------------------------------------------ */

#define DUMP_NONE UINT32_MAX

struct dump_name { /* key parts and names, each once; TEXT before BLOB, then by bytes */
	const char *p;
	uint32_t n;
	uint32_t at; /* while reading: its place in the order of appearance */
	bool blob;
};

struct dump_names {
	struct dump_name *v;
	size_t n, cap;
	uint32_t *slots; /* while reading: hash → place + 1 */
	size_t nslots;
	struct arena arena;
};

struct dump_row {
	int64_t at; /* the line */
	size_t n;
	int64_t size; /* bytes of its body */
	int64_t idx;
	uint32_t thread, ns, id; /* names; order of names is order of these numbers */
	uint32_t major, minor;   /* writes: path, task; blobs: channel, version or NONE */
	uint32_t line; /* its number, cut to 32 bits: what was written next lies next */
	bool apart;    /* of PostgreSQL: values lie in blobs */
	bool shallow;
	bool send; /* a write to __pregel_tasks */
};

struct dump_rows {
	struct dump_row *v; /* by key; of twins only the last line */
	size_t n, cap;
};

struct dump_fault {
	int64_t line; /* 0: the archive as a whole */
	const char *why, *member;
};

struct dump_store {
	struct ckpt_store base;
	int fd;
	int64_t size; /* bytes when it was opened: what comes later is not seen */
	int64_t changed;
	struct dump_names names;
	struct dump_rows rows[DUMP_ROWS];
	struct dump_fault *faults;
	size_t nfaults, capfaults;
};

static inline struct dump_store *dump_of(struct ckpt_store *s)
{
	return (struct dump_store *)(void *)s;
}

/* Pass over the file and fill names, rows and faults; notes go to the caller. */
int dump_index(struct dump_store *, const struct ckpt_config *);
void dump_names_free(struct dump_names *);
/* The number of a name, or DUMP_NONE; the first name not before it. */
uint32_t dump_name_find(const struct dump_names *, struct ckpt_view, bool blob);
uint32_t dump_name_bound(const struct dump_names *, struct ckpt_view, bool blob);
static inline struct ckpt_view dump_name(const struct dump_names *names, uint32_t at)
{
	return (struct ckpt_view){ names->v[at].p, names->v[at].n };
}
int dump_row_cmp(const struct dump_row *, const struct dump_row *);

/* ---- rows again (dump_rows.c) -------------------------------------------------------------------- */

struct dump_step { /* what one step of a scan reads with */
	struct dump_store *store;
	struct arena arena;
	struct reader *json;
	bool raw;      /* the pick's */
	uint8_t *line; /* the checkpoint's own */
	size_t cap;
};

/* Read a row's line: into the step's own memory, or into its arena. */
int dump_row_read(struct dump_step *, const struct dump_row *, bool arena,
		struct dump_line *out);
int dump_fill_links(struct dump_step *, struct dump_line *, struct ckpt_checkpoint *out);
/* Container and values; blobs unless `apart`. */
int dump_fill_values(struct dump_step *, struct dump_line *, const struct dump_row *,
		bool apart, struct ckpt_checkpoint *out);
int dump_fill_writes(struct dump_step *, const struct dump_row *, bool bodies,
		struct ckpt_checkpoint *out);
int dump_fill_write(struct dump_step *, const struct dump_row *, bool bodies,
		struct ckpt_write *out);
int dump_fill_blob(struct dump_step *, const struct dump_row *, bool body,
		struct ckpt_value *out);
/* Call `named` for each blob that a checkpoint of PostgreSQL names. */
int dump_each_blob(struct dump_step *, const struct dump_row *,
		void (*named)(void *arg, size_t blob), void *arg);
/* Rows of one kind from the first not before `key` in its leading `parts` (thread, ns, id). */
size_t dump_first(const struct dump_rows *, const struct dump_row *key, int parts);
/* … to the first behind them. */
size_t dump_last(const struct dump_rows *, const struct dump_row *key, int parts);

/* ---- the scan (dump_scan.c) -------------------------------------------------------------------------- */

int dump_scan(struct ckpt_scan **out, struct ckpt_store *, const struct ckpt_pick *);
int dump_scan_next(struct ckpt_scan *, struct ckpt_checkpoint *out);
void dump_scan_done(struct ckpt_scan *);
int dump_split(struct ckpt_bound *out, struct ckpt_store *, size_t n);

#endif
