/*
 * render.c - one stored value as compact JSON: the walk over its tokens.
 *
 * One loop, an explicit stack of frames on the heap, no recursion. What a class looks like is
 * in ext.c and form.c, how a finished container is rewritten in rewrite.c. Text that was
 * appended for a value that turns out to be undecodable is taken back.
 */
#include <math.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "render.h"

/* ---- pieces ---------------------------------------------------------------------------------- */

static void put(struct ckpt_buf *buf, char c)
{
	ckpt_buf_add(buf, &c, 1);
}

/* Take back what was appended from `at` on. */
static void undo(struct ckpt_buf *buf, size_t at)
{
	buf->n = at;
	ckpt_buf_add(buf, "", 0);
}

void render_bytes(struct ckpt_buf *buf, struct ckpt_view bytes)
{
	ckpt_buf_puts(buf, "{\"$bytes\":\"");
	ckpt_base64(buf, bytes);
	ckpt_buf_puts(buf, "\"}");
}

void render_opaque(struct ckpt_buf *buf, struct ckpt_view label, struct ckpt_view bytes)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx sha;
	size_t i;

	sha256_init(&sha);
	if (bytes.n)
		sha256_update(&sha, bytes.n, bytes.p);
	sha256_digest(&sha, sizeof(digest), digest);
	ckpt_buf_puts(buf, "{\"$opaque\":");
	ckpt_json_string(buf, label);
	ckpt_buf_addf(buf, ",\"size\":%zu,\"sha256\":\"", bytes.n);
	for (i = 0; i < sizeof(digest); i++)
		ckpt_buf_addf(buf, "%02x", digest[i]);
	ckpt_buf_puts(buf, "\"}");
}

void render_float(struct ckpt_buf *buf, double f)
{
	if (isnan(f))
		ckpt_buf_puts(buf, "{\"$float\":\"NaN\"}");
	else if (isinf(f))
		ckpt_buf_addf(buf, "{\"$float\":\"%sInfinity\"}", f < 0 ? "-" : "");
	else
		json_float(buf, f);
}

static void write_number(struct ckpt_buf *buf, struct ckpt_view digits)
{
	const char *p = digits.p;
	bool word = memchr(p, 'N', digits.n) || memchr(p, 'I', digits.n);

	if (word)
		ckpt_buf_puts(buf, "{\"$float\":\"");
	ckpt_buf_add(buf, p, digits.n);
	if (word)
		ckpt_buf_puts(buf, "\"}");
}

/* False if the bytes are not UTF-8, so that this is not a JSON string. */
static bool write_string(struct ckpt_buf *buf, const struct token *t)
{
	size_t at = buf->n;

	if (json_string(buf, t->s, t->b))
		return true;
	undo(buf, at);
	ckpt_buf_puts(buf, "{\"$str\":\"");
	ckpt_base64(buf, t->s);
	ckpt_buf_puts(buf, "\"}");
	return false;
}

/* ---- frames ---------------------------------------------------------------------------------- */

static struct frame *top(struct render *r)
{
	return r->nframes ? &r->frames[r->nframes - 1] : NULL;
}

static bool at_key(const struct frame *f)
{
	return f && f->kind == TOKEN_MAP && f->n % 2 == 0;
}

struct frame *frame_push(struct render *r, enum token_kind kind)
{
	if (r->nframes == r->capframes) {
		size_t cap = r->capframes ? 2 * r->capframes : 32;
		struct frame *p = realloc(r->frames, cap * sizeof(*p));

		if (!p) {
			r->nomem = true;
			return NULL;
		}
		r->frames = p;
		r->capframes = cap;
	}
	r->frames[r->nframes] = (struct frame){ .at = r->out->n,
		.seg = r->nsegs,
		.kind = (uint8_t)kind,
		.in_key = r->nframes &&
		          (r->frames[r->nframes - 1].in_key ||
					  at_key(&r->frames[r->nframes - 1])) };
	return &r->frames[r->nframes++];
}

bool seg_push(struct render *r, size_t at, size_t to)
{
	if (r->nsegs == r->capsegs) {
		size_t cap = r->capsegs ? 2 * r->capsegs : 64;
		struct seg *p = realloc(r->segs, cap * sizeof(*p));

		if (!p) {
			r->nomem = true;
			return false;
		}
		r->segs = p;
		r->capsegs = cap;
	}
	r->segs[r->nsegs++] = (struct seg){ at, to };
	return true;
}

static bool out_of_memory(const struct render *r)
{
	return r->nomem || r->out->failed || r->tmp.failed || r->names.failed;
}

/* What stands before a value: its comma, and a segment where the container is rewritten. */
static void value_begin(struct render *r)
{
	const struct frame *f = top(r);

	if (!f || f->kind == TOKEN_EXT)
		return;
	if (f->n && (f->kind == TOKEN_ARRAY || at_key(f)))
		put(r->out, ',');
	if (f->sort || at_key(f))
		seg_push(r, r->out->n, r->out->n);
}

/* A value is complete, and with it perhaps the class around it. True: the outermost one is. */
static bool value_done(struct render *r)
{
	struct frame *f;

	while ((f = top(r)) && f->kind == TOKEN_EXT) {
		ext_close(r, f);
		r->nframes--;
		if (out_of_memory(r))
			return true;
	}
	if (!f)
		return true;
	if (at_key(f)) {
		struct seg *seg = &r->segs[r->nsegs - 1];
		struct ckpt_view key = { r->out->p + seg->at, r->out->n - seg->at };

		if (r->records && text_is(key, "\"lc\""))
			f->lc = true;
		put(r->out, ':');
		seg->to = r->out->n;
	} else if (f->sort) {
		r->segs[r->nsegs - 1].to = r->out->n;
	}
	f->n++;
	return false;
}

static void write_key(struct render *r, struct frame *f, const struct token *t)
{
	size_t at = r->out->n;
	char *p;

	if (!write_string(r->out, t)) {
		f->odd = true;
		return;
	}
	if (!r->opt->typed || !t->s.n || *(const char *)t->s.p != '$')
		return;
	put(r->out, '"');
	if (r->out->failed)
		return;
	p = r->out->p + at;
	memmove(p + 2, p + 1, r->out->n - at - 2);
	p[1] = '$';
}

static void container_open(struct render *r, enum token_kind kind)
{
	const struct frame *outer = top(r);
	bool set = kind == TOKEN_ARRAY && outer && outer->kind == TOKEN_EXT &&
	           outer->form == FORM_SET && !r->opt->typed;
	struct frame *f = frame_push(r, kind);

	if (!f)
		return;
	f->sort = set;
	put(r->out, kind == TOKEN_MAP ? '{' : '[');
}

static void container_close(struct render *r)
{
	struct frame f = *top(r);

	if (f.kind == TOKEN_MAP) {
		put(r->out, '}');
		if (!out_of_memory(r) && !map_rewrite(r, &f) && f.lc)
			lc_close(r, &f);
	} else if (f.sort) {
		render_sorted(r, f.seg);
		render_replace(r, f.at);
	} else {
		put(r->out, ']');
	}
	r->nframes--;
	r->nsegs = f.seg;
}

/* 0: the text of the token is complete; 1: it opened something; < 0: an error. */
static int write_token(struct render *r, const struct token *t)
{
	struct frame *f = top(r);

	if (at_key(f) && t->kind == TOKEN_STR) {
		write_key(r, f, t);
		return 0;
	}
	if (at_key(f))
		f->odd = true;
	switch (t->kind) {
	case TOKEN_NIL:
		ckpt_buf_puts(r->out, "null");
		return 0;
	case TOKEN_BOOL:
		ckpt_buf_puts(r->out, t->b ? "true" : "false");
		return 0;
	case TOKEN_INT:
		json_int(r->out, t->i);
		return 0;
	case TOKEN_UINT:
		json_uint(r->out, t->u);
		return 0;
	case TOKEN_FLOAT:
		render_float(r->out, t->f);
		return 0;
	case TOKEN_NUM:
		write_number(r->out, t->s);
		return 0;
	case TOKEN_STR:
		write_string(r->out, t);
		return 0;
	case TOKEN_BIN:
		render_bytes(r->out, t->s);
		return 0;
	case TOKEN_EXT:
		return ext_open(r, t);
	case TOKEN_ARRAY:
	case TOKEN_MAP:
		container_open(r, t->kind);
		return 1;
	case TOKEN_END:
		break;
	}
	return CKPT_EINTERNAL;
}

static int render_loop(struct render *r)
{
	for (;;) {
		struct token t;
		int rc = reader_next(&r->rd, &t);

		if (rc <= 0)
			return rc ? rc : CKPT_EINTERNAL;
		if (t.kind == TOKEN_END) {
			container_close(r);
			rc = 0;
		} else {
			value_begin(r);
			rc = r->nomem ? CKPT_ENOMEM : write_token(r, &t);
		}
		if (out_of_memory(r))
			return CKPT_ENOMEM;
		if (rc < 0)
			return rc;
		if (rc == 0 && value_done(r))
			return out_of_memory(r) ? CKPT_ENOMEM : 0;
	}
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool bytes_follow(struct reader *rd)
{
	struct token none;
	const uint8_t *p, *end = rd->levels[0].end;

	/* Leaves the payloads that ended with the value. */
	if (reader_next(rd, &none) != 0)
		return false;
	p = rd->at;
	while (rd->ops == &json_reader && p < end && memchr(" \t\r\n", *p, 4))
		p++;
	return p < end;
}

static void write_corrupt(struct ckpt_buf *buf, const struct reader *rd, size_t size)
{
	ckpt_buf_puts(buf, "{\"$corrupt\":");
	ckpt_json_string(buf, ckpt_view_of(rd->why ? rd->why : "internal error"));
	ckpt_buf_addf(buf, ",\"offset\":%zu,\"size\":%zu}", rd->why_at, size);
}

static int render_tokens(struct ckpt_buf *buf, const struct reader_ops *ops,
		struct ckpt_view body, struct ckpt_render *opt, bool records)
{
	struct render *r = malloc(sizeof(*r));
	size_t start = buf->n;
	int rc;

	if (!r)
		return CKPT_ENOMEM;
	/* The readers hold large arrays that need no clearing. */
	r->out = buf;
	r->opt = opt;
	r->frames = NULL;
	r->segs = NULL;
	r->nframes = r->capframes = r->nsegs = r->capsegs = 0;
	r->tmp = r->names = (struct ckpt_buf){ 0 };
	r->nomem = false;
	r->records = records;
	reader_init(&r->rd, ops, body);
	rc = render_loop(r);
	if (rc == 0)
		opt->trailing = bytes_follow(&r->rd);
	else
		undo(buf, start);
	if (rc < 0 && rc != CKPT_ENOMEM) {
		write_corrupt(buf, &r->rd, body.n);
		rc = CKPT_ECORRUPT;
	}
	reader_done(&r->rd);
	free(r->frames);
	free(r->segs);
	ckpt_buf_free(&r->tmp);
	ckpt_buf_free(&r->names);
	free(r);
	return rc;
}

/* A value without a type, as LangGraph for JavaScript reads it: JSON, or nothing known. */
static int render_untyped(
		struct ckpt_buf *buf, struct ckpt_view body, struct ckpt_render *opt)
{
	size_t start = buf->n;
	int rc = render_tokens(buf, &json_reader, body, opt, true);

	if (rc == CKPT_ENOMEM || (rc == 0 && !opt->trailing))
		return rc;
	undo(buf, start);
	opt->trailing = false;
	render_opaque(buf, CKPT_LIT("unknown"), body);
	return 0;
}

int ckpt_render_value(struct ckpt_buf *buf, struct ckpt_view type, struct ckpt_view body,
		struct ckpt_render *opt)
{
	const struct reader_ops *ops;
	int rc = 0;

	opt->trailing = false;
	if (buf->failed)
		return CKPT_ENOMEM;
	if (!body.p || (type.p && ckpt_view_eq(type, CKPT_LIT("empty")))) {
		ckpt_buf_puts(buf, "null");
	} else if (opt->max_value && body.n > opt->max_value) {
		render_opaque(buf, type.p ? type : CKPT_LIT("unknown"), body);
	} else if (!type.p) {
		rc = render_untyped(buf, body, opt);
	} else if (ckpt_view_eq(type, CKPT_LIT("null"))) {
		ckpt_buf_puts(buf, "null");
		opt->trailing = body.n > 0;
	} else if (ckpt_view_eq(type, CKPT_LIT("bytes")) ||
			ckpt_view_eq(type, CKPT_LIT("bytearray"))) {
		render_bytes(buf, body);
	} else if (ckpt_view_eq(type, CKPT_META_TYPE)) {
		rc = render_tokens(buf, &json_reader, body, opt, false);
	} else {
		ops = codec_reader(type);
		if (ops)
			rc = render_tokens(buf, ops, body, opt, ops == &json_reader);
		else
			render_opaque(buf, type, body);
	}
	return buf->failed ? CKPT_ENOMEM : rc;
}
