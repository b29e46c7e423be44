/*
 * out.h - rows and documents → text, TSV (porcelain v1), JSON or NDJSON from one column table,
 * so that the forms cannot differ. Everything a store holds is made harmless on its way out.
 *
 * A command calls out_begin once, then out_row (or the out_json_* calls for documents that are
 * not rows), then out_summary, then out_end. Output is spooled while the store is tentative or a
 * pager may be needed, else written as it comes.
 */
#ifndef OUT_H
#define OUT_H

#include "../lib/ckpt.h"

struct cli;
struct out;

enum col_kind {
	COL_TEXT, /* view; NULL → null / empty */
	COL_INT,  /* i; CKPT_UNKNOWN → null / empty */
	COL_SIZE, /* i in bytes; a person reads "2.1 MB" */
	COL_TIME, /* i in ns; a person reads "2 min ago" */
	COL_BOOL,
	COL_JSON /* view of JSON text, put as it is; NULL → null */
};

enum {
	COL_LONG = 1, /* only with -l */
	COL_NO_PORCELAIN =
			2, /* not in the porcelain columns (JSON key only) unless -l adds it */
	COL_NO_TEXT = 4,  /* not in the table a person reads */
	COL_RIGHT = 8,    /* right-aligned */
	COL_NO_JSON = 16, /* only for people */
	COL_TAIL = 32,    /* where it does not fit its end is shown: ids */
	COL_WRAP = 64     /* the last column: never cut, goes on in lines of its own */
};

struct col {
	const char *key;  /* JSON key; also in -l's porcelain order */
	const char *head; /* heading for people, upper case */
	enum col_kind kind;
	unsigned flags;
};

struct field { /* one cell; which member counts is the column's kind */
	struct ckpt_view v;
	int64_t i;
	bool b;
};

/* Start the answer: `format` is "list" for "ckpt.list/1"; cols may be NULL for a document that is
 * not rows (then `data` is written with out_data); `type` is the NDJSON "type" of a row. */
int out_begin(struct cli *, const char *format, const char *type, const struct col *cols,
		bool with_long);
int out_row(struct cli *, const struct field *fields);
/* A document's whole `data` as JSON text (JSON, NDJSON); `type` as above. */
int out_data(struct cli *, const char *type, struct ckpt_view json);
/* Free text or porcelain written by the command itself (already harmless). */
void out_text(struct cli *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void out_put(struct cli *, struct ckpt_view bytes);
/* Cells of porcelain: escaped, tab between, newline after the last. */
void out_porcelain(struct cli *, const struct ckpt_view *cells, size_t n);
/* `summary` object: JSON text of its members without braces, e.g. "\"threads\":3". `text` is the
 * line a person reads (NULL: none). */
int out_summary(struct cli *, const char *members, const char *text);
/* Close the document (also after a failure: "complete":false) and flush. */
int out_end(struct cli *, int failed);
/* Forget everything spooled: the command is run again. */
void out_discard(struct cli *);

/* All of it to a descriptor; 0, or the errno of the write that failed. */
int out_write_all(int fd, const char *p, size_t n);

enum out_form { FORM_TEXT, FORM_PORCELAIN, FORM_JSON, FORM_NDJSON };
enum out_form out_form_of(const struct cli *);
bool out_is_terminal(const struct cli *); /* a person reads stdout (or CKPT_FORCE_TTY) */
int out_width(const struct cli *);        /* columns of the terminal, 80 if unknown */
const char *out_style(const struct cli *, const char *sgr); /* "\033[1m" or "" */

/* Text made harmless for a person (\u{1b}, \xHH), at most `width` columns (0: all) ending in …. */
void text_safe(struct ckpt_buf *to, struct ckpt_view v, size_t width);
size_t text_width(struct ckpt_view v);              /* columns it takes */
void text_size(struct ckpt_buf *to, int64_t bytes); /* 2.1 MB */
void text_time(struct ckpt_buf *to, int64_t t, int64_t now, bool iso); /* 2 min ago */
bool text_starts(struct ckpt_view, char);
size_t text_items(struct ckpt_view json); /* of an array or object; 0: it is neither */
/* The class of a message's JSON, {"type":"ai","content":…}, and its content; NULL: it is none. */
const char *text_message_class(struct ckpt_view json, struct ckpt_view *content);
/* Porcelain cell: \t \n \\ \xHH. */
void text_porcelain(struct ckpt_buf *to, struct ckpt_view v);
/* "key":n, or null for CKPT_UNKNOWN, with a comma before it unless it is the first member. */
void text_int_member(struct ckpt_buf *to, const char *key, int64_t n);
/* A JSON string plus, if its bytes are not UTF-8, the twin member ,"KEY_b64":"…". */
void text_json_member(struct ckpt_buf *to, const char *key, struct ckpt_view v);

#endif
