/*
 * msgpack.c - msgpack as tokens, and its minimal-length writers.
 *
 * No count is believed before it is checked against the bytes that are left, so the work
 * is linear in the input whatever the lengths say. What an ext code means is in ext.c.
 */
#include <string.h>

#include "base.h"
#include "token.h"

/* ---- reading ----------------------------------------------------------------------- */

struct head {
	uint8_t kind;  /* enum token_kind */
	uint8_t width; /* bytes of the big-endian number that follows */
	uint8_t size;  /* payload of a fixext, which has no such number */
};

static const uint8_t bad_head = 0xc1; /* never used, says the specification */

static const struct head heads[32] = {
	/* 0xc0 to 0xdf */
	{ TOKEN_NIL, 0, 0 },
	{ TOKEN_NIL, 0, 0 },
	{ TOKEN_BOOL, 0, 0 },
	{ TOKEN_BOOL, 0, 0 },
	{ TOKEN_BIN, 1, 0 },
	{ TOKEN_BIN, 2, 0 },
	{ TOKEN_BIN, 4, 0 },
	{ TOKEN_EXT, 1, 0 },
	{ TOKEN_EXT, 2, 0 },
	{ TOKEN_EXT, 4, 0 },
	{ TOKEN_FLOAT, 4, 0 },
	{ TOKEN_FLOAT, 8, 0 },
	{ TOKEN_UINT, 1, 0 },
	{ TOKEN_UINT, 2, 0 },
	{ TOKEN_UINT, 4, 0 },
	{ TOKEN_UINT, 8, 0 },
	{ TOKEN_INT, 1, 0 },
	{ TOKEN_INT, 2, 0 },
	{ TOKEN_INT, 4, 0 },
	{ TOKEN_INT, 8, 0 },
	{ TOKEN_EXT, 0, 1 },
	{ TOKEN_EXT, 0, 2 },
	{ TOKEN_EXT, 0, 4 },
	{ TOKEN_EXT, 0, 8 },
	{ TOKEN_EXT, 0, 16 },
	{ TOKEN_STR, 1, 0 },
	{ TOKEN_STR, 2, 0 },
	{ TOKEN_STR, 4, 0 },
	{ TOKEN_ARRAY, 2, 0 },
	{ TOKEN_ARRAY, 4, 0 },
	{ TOKEN_MAP, 2, 0 },
	{ TOKEN_MAP, 4, 0 },
};

static void set_float(struct token *out, uint64_t bits, unsigned width)
{
	uint32_t half = (uint32_t)bits;
	float f;

	if (width == 8) {
		memcpy(&out->f, &bits, sizeof(out->f));
		return;
	}
	memcpy(&f, &half, sizeof(f));
	out->f = (double)f;
}

static void set_uint(struct token *out, uint64_t u)
{
	if (u <= INT64_MAX) {
		out->kind = TOKEN_INT;
		out->i = (int64_t)u;
	} else {
		out->kind = TOKEN_UINT;
		out->u = u;
	}
}

/* Two's complement of `width` bytes. */
static int64_t sign_extend(uint64_t u, unsigned width)
{
	uint64_t sign = (uint64_t)1 << (8 * width - 1);

	u = (u ^ sign) - sign;
	return u <= INT64_MAX ? (int64_t)u : -(int64_t)~u - 1;
}

static int take_payload(struct reader *r, struct token *out, uint64_t n)
{
	size_t left = (size_t)(r->end - r->at), code = out->kind == TOKEN_EXT;

	if (left < code)
		return reader_fail(r, "ends early", out->at);
	if (n > left - code)
		return reader_fail(r, "length beyond the end", out->at);
	if (code)
		out->ext = (int)sign_extend(*r->at++, 1);
	out->s = (struct ckpt_view){ r->at, (size_t)n };
	r->at += n;
	return 1;
}

static int take_count(struct reader *r, struct token *out, uint64_t n)
{
	uint64_t left = (uint64_t)(r->end - r->at);

	/* Every value takes at least one byte. */
	if ((out->kind == TOKEN_MAP ? 2 * n : n) > left)
		return reader_fail(r, "length beyond the end", out->at);
	out->n = n;
	return 1;
}

/* Heads that hold their number themselves. */
static int read_short(struct reader *r, struct token *out, uint8_t c)
{
	if (c < 0x80 || c >= 0xe0) {
		out->kind = TOKEN_INT;
		out->i = c < 0x80 ? c : c - 0x100;
		return 1;
	}
	if (c >= 0xa0) {
		out->kind = TOKEN_STR;
		return take_payload(r, out, c & 0x1f);
	}
	out->kind = c < 0x90 ? TOKEN_MAP : TOKEN_ARRAY;
	return take_count(r, out, c & 0x0f);
}

/* One head with its payload; the items of a container are still to come. */
static int read_head(struct reader *r, struct token *out)
{
	const struct head *head;
	uint64_t number = 0;
	unsigned i;
	uint8_t c;

	out->at = (size_t)(r->at - r->base);
	if (r->at == r->end)
		return reader_fail(r, "ends early", out->at);
	c = *r->at++;
	if (c < 0xc0 || c >= 0xe0)
		return read_short(r, out, c);
	if (c == bad_head)
		return reader_fail(r, "bad byte", out->at);
	head = &heads[c - 0xc0];
	out->kind = head->kind;
	if ((size_t)(r->end - r->at) < head->width)
		return reader_fail(r, "ends early", out->at);
	for (i = 0; i < head->width; i++)
		number = number << 8 | *r->at++;

	switch (out->kind) {
	case TOKEN_BOOL:
		out->b = c & 1;
		break;
	case TOKEN_INT:
		out->i = sign_extend(number, head->width);
		break;
	case TOKEN_UINT:
		set_uint(out, number);
		break;
	case TOKEN_FLOAT:
		set_float(out, number, head->width);
		break;
	case TOKEN_STR:
	case TOKEN_BIN:
	case TOKEN_EXT:
		return take_payload(r, out, head->width ? number : head->size);
	case TOKEN_ARRAY:
	case TOKEN_MAP:
		return take_count(r, out, number);
	default:
		break;
	}
	return 1;
}

/* What nearly all names are. */
static inline bool short_text(struct reader *r, struct token *out)
{
	size_t n;

	if (r->at == r->end || *r->at < 0xa0 || *r->at >= 0xc0)
		return false;
	n = *r->at & 0x1fu;
	if (n >= (size_t)(r->end - r->at))
		return false; /* the long way says why */
	out->kind = TOKEN_STR;
	out->at = (size_t)(r->at - r->base);
	out->s = (struct ckpt_view){ r->at + 1, n };
	r->at += 1 + n;
	return true;
}

static int next_token(struct reader *r, struct token *out)
{
	struct reader_level *level = &r->levels[r->depth];
	int rc;

	if (level->left == 0) {
		out->kind = TOKEN_END;
		out->at = (size_t)(r->at - r->base);
		r->depth--;
		return 1;
	}
	level->left--;
	rc = short_text(r, out) ? 1 : read_head(r, out);
	if (rc < 0 || (out->kind != TOKEN_ARRAY && out->kind != TOKEN_MAP))
		return rc;
	if (reader_enter(r, out->kind, out->kind == TOKEN_MAP ? 2 * out->n : out->n))
		return reader_fail(r, "nested too deep", out->at);
	return 1;
}

/* Small numbers, short texts and heads of small containers, which most values are; true: one was
 * passed over, and `todo` has what it holds. */
static inline bool skip_short(struct reader *r, uint64_t *todo)
{
	uint8_t c = *r->at;
	size_t n;

	if (c >= 0x80 && c < 0xa0) {
		n = c < 0x90 ? 2 * (c & 0x0fu) : c & 0x0fu;
		if (n >= (size_t)(r->end - r->at))
			return false; /* the long way says why */
		r->at++;
		*todo += n;
		return true;
	}
	if (c < 0x80 || c >= 0xe0 || c == 0xc0) {
		r->at++;
		return true;
	}
	if (c >= 0xa0 && c < 0xc0)
		n = 1 + (c & 0x1fu);
	else if (c == 0xd9 && r->end - r->at > 1)
		n = 2 + (size_t)r->at[1];
	else
		return false;
	if (n > (size_t)(r->end - r->at))
		return false;
	r->at += n;
	return true;
}

/* Counts the values that are still to come, so that depth costs nothing. */
static int skip_value(struct reader *r, struct ckpt_view *out)
{
	struct reader_level *level = &r->levels[r->depth];
	const uint8_t *start = r->at;
	uint64_t todo;

	if (level->left == 0)
		return reader_fail(r, "ends early", (size_t)(r->at - r->base));
	level->left--;
	for (todo = 1; todo; todo--) {
		struct token token;

		if (todo > (uint64_t)(r->end - r->at))
			return reader_fail(r, "ends early", (size_t)(r->at - r->base));
		if (skip_short(r, &todo))
			continue;
		token = (struct token){ 0 };
		if (read_head(r, &token) < 0)
			return CKPT_ECORRUPT;
		/* No overflow: each count is at most the bytes left, and so is todo. */
		todo += token.kind == TOKEN_MAP ? 2 * token.n : token.n;
	}
	*out = (struct ckpt_view){ start, (size_t)(r->at - start) };
	return 0;
}

const struct reader_ops msgpack_reader = { "msgpack", next_token, skip_value };

/* ---- writing ----------------------------------------------------------------------- */

static void put_head(struct ckpt_buf *buf, uint8_t head, uint64_t number, unsigned width)
{
	uint8_t bytes[9];
	unsigned i;

	bytes[0] = head;
	for (i = 0; i < width; i++)
		bytes[1 + i] = (uint8_t)(number >> (8 * (width - 1 - i)));
	ckpt_buf_add(buf, bytes, 1 + width);
}

/* Heads with 1, 2 and 4 byte lengths; `head8` is 0 where there is none. */
static void put_length(struct ckpt_buf *buf, uint8_t head8, uint8_t head16, uint64_t n)
{
	if (head8 && n <= UINT8_MAX)
		put_head(buf, head8, n, 1);
	else if (n <= UINT16_MAX)
		put_head(buf, head16, n, 2);
	else if (n <= UINT32_MAX)
		put_head(buf, (uint8_t)(head16 + 1), n, 4);
	else
		buf->failed = true;
}

void msgpack_nil(struct ckpt_buf *buf)
{
	put_head(buf, 0xc0, 0, 0);
}

void msgpack_bool(struct ckpt_buf *buf, bool b)
{
	put_head(buf, b ? 0xc3 : 0xc2, 0, 0);
}

void msgpack_int(struct ckpt_buf *buf, int64_t i)
{
	if (i >= 0)
		msgpack_uint(buf, (uint64_t)i);
	else if (i >= -32)
		put_head(buf, (uint8_t)i, 0, 0);
	else if (i >= INT8_MIN)
		put_head(buf, 0xd0, (uint64_t)i, 1);
	else if (i >= INT16_MIN)
		put_head(buf, 0xd1, (uint64_t)i, 2);
	else if (i >= INT32_MIN)
		put_head(buf, 0xd2, (uint64_t)i, 4);
	else
		put_head(buf, 0xd3, (uint64_t)i, 8);
}

void msgpack_uint(struct ckpt_buf *buf, uint64_t u)
{
	if (u < 0x80)
		put_head(buf, (uint8_t)u, 0, 0);
	else if (u <= UINT8_MAX)
		put_head(buf, 0xcc, u, 1);
	else if (u <= UINT16_MAX)
		put_head(buf, 0xcd, u, 2);
	else if (u <= UINT32_MAX)
		put_head(buf, 0xce, u, 4);
	else
		put_head(buf, 0xcf, u, 8);
}

void msgpack_float(struct ckpt_buf *buf, double f)
{
	uint64_t bits;

	memcpy(&bits, &f, sizeof(bits));
	put_head(buf, 0xcb, bits, 8);
}

void msgpack_str(struct ckpt_buf *buf, struct ckpt_view s)
{
	if (s.n < 32)
		put_head(buf, (uint8_t)(0xa0 | s.n), 0, 0);
	else
		put_length(buf, 0xd9, 0xda, s.n);
	ckpt_buf_add(buf, s.p, s.n);
}

void msgpack_bin(struct ckpt_buf *buf, struct ckpt_view s)
{
	put_length(buf, 0xc4, 0xc5, s.n);
	ckpt_buf_add(buf, s.p, s.n);
}

void msgpack_ext(struct ckpt_buf *buf, int code, struct ckpt_view payload)
{
	uint8_t byte = (uint8_t)code, fix;

	for (fix = 0; fix < 5 && payload.n != (size_t)1 << fix;)
		fix++;
	if (fix < 5)
		put_head(buf, (uint8_t)(0xd4 + fix), 0, 0);
	else
		put_length(buf, 0xc7, 0xc8, payload.n);
	ckpt_buf_add(buf, &byte, 1);
	ckpt_buf_add(buf, payload.p, payload.n);
}

void msgpack_array(struct ckpt_buf *buf, uint64_t n)
{
	if (n < 16)
		put_head(buf, (uint8_t)(0x90 | n), 0, 0);
	else
		put_length(buf, 0, 0xdc, n);
}

void msgpack_map(struct ckpt_buf *buf, uint64_t n)
{
	if (n < 16)
		put_head(buf, (uint8_t)(0x80 | n), 0, 0);
	else
		put_length(buf, 0, 0xde, n);
}
