/*
 * render.h - the border between the files that show stored values as JSON. Internal.
 *
 * render.c walks the tokens of one value and appends text; containers that need it (duplicate
 * or odd keys, sets, known classes, `lc` records) are rewritten at their end, in place, from
 * the text of their parts (rewrite.c). ext.c, lc.c, form.c and numpy.c say what it becomes.
 * Nothing here recurses over data and nothing is ever constructed from a class name.
 */
#ifndef RENDER_H
#define RENDER_H

#include "base.h"
#include "token.h"

enum form {        /* how a known class is shown */
	FORM_NONE, /* its payload as it is stored */
	FORM_ARG,
	FORM_SET,
	FORM_UUID,
	FORM_PATH,
	FORM_WINPATH,
	FORM_PATTERN,
	FORM_DATE,
	FORM_TIME,
	FORM_TIMEDELTA,
	FORM_TIMEZONE,
	FORM_SECRET,
	FORM_SEND,
	FORM_INTERRUPT,
	FORM_HEX,    /* bytes written as hex digits */
	FORM_OCTETS, /* bytes written as an array of numbers */
	FORM_PAIRS,
	FORM_ERROR
};

/* A piece of the output: a map key and where its value begins, or a set member and its end. */
struct seg {
	size_t at, to;
};

struct frame {
	size_t at;    /* where its text begins in the output */
	size_t seg;   /* the first of its segments */
	uint64_t n;   /* values (map: keys and values) complete */
	uint8_t kind; /* TOKEN_ARRAY, TOKEN_MAP, or TOKEN_EXT for the payload of one */
	uint8_t form; /* EXT: enum form */
	int code;     /* EXT */
	bool odd;     /* MAP: a key is not a string */
	bool sort;    /* ARRAY: the members of a set */
	bool in_key;  /* part of the key of a map */
	bool lc;      /* MAP: may be an envelope */
};

struct render {
	struct ckpt_buf *out;
	struct ckpt_render *opt;
	struct frame *frames;
	size_t nframes, capframes;
	struct seg *segs;
	size_t nsegs, capsegs;
	struct ckpt_buf tmp;   /* new text of the piece that is being rewritten */
	struct ckpt_buf names; /* module and class of an envelope */
	bool nomem;
	bool records;       /* `lc` objects are rewritten: values, not metadata */
	struct reader rd;   /* of the value */
	struct reader peek; /* of ext heads, and of strings already written */
};

/* What a constructor was called with, as text already written; a NULL view means not given. */
struct parts {
	struct ckpt_view arg, args, kwargs;
};

/* ---- rewrite.c: finished text, which is valid and compact ------------------------------------ */
/* Replace the text from `at` on by what is in `tmp`. */
void render_replace(struct render *, size_t at);
/* Duplicate keys, and keys that are not strings; false: the map may stay as it is. */
bool map_rewrite(struct render *, const struct frame *);
/* Write the segments from `seg` on to `tmp` as an array sorted by their bytes. */
void render_sorted(struct render *, size_t seg);

bool text_is(struct ckpt_view text, const char *literal);
bool text_string(struct ckpt_view text,
		struct ckpt_view *inner); /* what is in the quotes */
bool text_int(struct ckpt_view text, int64_t *out);

/* ---- render.c -------------------------------------------------------------------------------- */
struct frame *frame_push(struct render *, enum token_kind kind);
bool seg_push(struct render *, size_t at, size_t to);
void render_float(struct ckpt_buf *, double);
void render_opaque(struct ckpt_buf *, struct ckpt_view label, struct ckpt_view bytes);
void render_bytes(struct ckpt_buf *, struct ckpt_view);

/* ---- ext.c, lc.c, form.c, numpy.c ------------------------------------------------------------ */
enum form form_of_class(struct ckpt_view module, struct ckpt_view name);
/* 1: a payload was pushed and follows as one value; 0: the whole text was written; < 0 error. */
int ext_open(struct render *, const struct token *);
void ext_close(struct render *, const struct frame *);
/* Rewrite a finished object of a `json` value if it is an `lc` envelope. */
void lc_close(struct render *, const struct frame *);
/* Write the form to `tmp`; false: the parts do not fit it. */
bool form_write(struct render *, enum form, const struct parts *);
/* Append an array; false, and nothing is written: the payload is not of the known shape. */
bool numpy_write(struct render *, struct ckpt_view payload);

#endif
