/*
 * token.h - the payload language: a pull reader that gives tokens, for msgpack and JSON alike.
 *
 * One pass, no recursion, no allocation but JSON's string scratch. Depth is counted once across
 * containers and ext payloads. An error is sticky: every later call fails with the same reason.
 */
#ifndef TOKEN_H
#define TOKEN_H

#include "ckpt.h"

#define READER_DEPTH 1024

enum token_kind {
	TOKEN_NIL,
	TOKEN_BOOL,
	TOKEN_INT,
	TOKEN_UINT,
	TOKEN_FLOAT,
	TOKEN_NUM, /* JSON number: its text is in `s`, digits untouched (also NaN, Infinity) */
	TOKEN_STR, /* `s`; msgpack: as stored, maybe not UTF-8; JSON: decoded, see below */
	TOKEN_BIN,
	TOKEN_EXT, /* `s` is the payload, `ext` its code; the payload has been passed over */
	TOKEN_ARRAY,
	TOKEN_MAP, /* opened; `n` items or pairs follow (TOKEN_OPEN for JSON), then END */
	TOKEN_END
};
#define TOKEN_OPEN UINT64_MAX

struct token {
	enum token_kind kind;
	bool b; /* BOOL; STR of JSON: a lone surrogate was stored (WTF-8 in `s`) */
	int ext;
	int64_t i;
	uint64_t u, n;
	double f;
	struct ckpt_view s; /* borrowed; JSON strings with escapes: until the next call */
	size_t at;          /* offset of the token's first byte from `base` */
};

struct reader_level {
	uint64_t left;         /* values to come at this level; JSON: unused */
	const uint8_t *resume; /* where to go on after this level, or NULL: right here */
	const uint8_t *end;    /* the end that was in force outside this level */
	uint8_t kind;  /* TOKEN_ARRAY, TOKEN_MAP, or TOKEN_EXT for one pushed value */
	uint8_t state; /* JSON: what may come next */
};

struct reader {
	const struct reader_ops *ops;
	const uint8_t *base, *at, *end;
	unsigned depth;
	const char *why;         /* NULL, or the reason of the first failure */
	size_t why_at;           /* its offset from `base` */
	struct ckpt_buf scratch; /* JSON: the current decoded string */
	struct reader_level levels[READER_DEPTH + 1]; /* not initialised beyond depth */
};

struct reader_ops {
	const char *name;
	int (*next)(struct reader *, struct token *out);
	int (*skip)(struct reader *, struct ckpt_view *out);
};
extern const struct reader_ops msgpack_reader, json_reader;

/* Start at the first byte of one value. Nothing is allocated until a JSON escape is met. */
void reader_init(struct reader *, const struct reader_ops *, struct ckpt_view body);
/* 1 and a token; 0 when the value (or pushed value's outermost level) is complete; < 0 error. */
int reader_next(struct reader *, struct token *out);
/* Pass over one whole value at any depth of nesting; `out` (or NULL) is its raw bytes. Map keys
 * count as values. 0, or < 0. Not subject to READER_DEPTH. */
int reader_skip(struct reader *, struct ckpt_view *out);
/* Read one more value at `span` (inside the same base) next; when it is complete, go on where
 * the reader stands now. Costs one level of depth. No END token is given for the push itself. */
int reader_push(struct reader *, struct ckpt_view span);
/* Record a failure at offset `at`; returns CKPT_ECORRUPT. The first one stays. */
int reader_fail(struct reader *, const char *why, size_t at);
void reader_done(struct reader *);
/* For the readers of a format: go one level down. CKPT_ECORRUPT at READER_DEPTH. */
int reader_enter(struct reader *, enum token_kind kind, uint64_t left);

/* Writers: append to a buffer, minimal-length encodings, as LangGraph's own encoders do. */
void msgpack_nil(struct ckpt_buf *);
void msgpack_bool(struct ckpt_buf *, bool);
void msgpack_int(struct ckpt_buf *, int64_t);
void msgpack_uint(struct ckpt_buf *, uint64_t);
void msgpack_float(struct ckpt_buf *, double);
void msgpack_str(struct ckpt_buf *, struct ckpt_view);
void msgpack_bin(struct ckpt_buf *, struct ckpt_view);
void msgpack_ext(struct ckpt_buf *, int code, struct ckpt_view payload);
void msgpack_array(struct ckpt_buf *, uint64_t n);
void msgpack_map(struct ckpt_buf *, uint64_t n);

/* JSON text. Strings: see ckpt_json_string; `wtf8` also takes surrogates (from a JSON reader). */
bool json_string(struct ckpt_buf *, struct ckpt_view, bool wtf8);
void json_float(struct ckpt_buf *,
		double); /* shortest that reads back equal, with . or e */
void json_int(struct ckpt_buf *, int64_t);
void json_uint(struct ckpt_buf *, uint64_t);

#endif
