/*
 * numpy.c - arrays of msgpack ext 6: nested JSON arrays, or their bytes.
 *
 * Small arrays of plain numbers, booleans and strings are written element by element; the rest
 * (large, dates, complex, records) as {"$numpy":…} with the bytes in C order.
 */
#include <string.h>

#include "render.h"

enum { MAX_DIMS = 64, MAX_SHOWN = 1000 };

struct array {
	struct ckpt_view dtype, order, data;
	uint64_t shape[MAX_DIMS];
	uint64_t stride[MAX_DIMS]; /* elements below one step of a dimension, in C order */
	unsigned dims;
	uint64_t count;
	size_t item; /* bytes of one element; 0 if there are none */
	char kind;   /* of the element: b i u f U S, or 0 for what is not shown */
	bool swap, fortran;
};

static bool next_is(struct reader *rd, struct token *t, enum token_kind kind)
{
	return reader_next(rd, t) == 1 && t->kind == kind;
}

static bool read_payload(struct reader *rd, struct ckpt_view payload, struct array *a)
{
	struct token t;

	reader_init(rd, &msgpack_reader, payload);
	if (!next_is(rd, &t, TOKEN_ARRAY) || t.n != 4 || !next_is(rd, &t, TOKEN_STR))
		return false;
	a->dtype = t.s;
	if (!next_is(rd, &t, TOKEN_ARRAY) || t.n > MAX_DIMS)
		return false;
	for (a->dims = 0; reader_next(rd, &t) == 1 && t.kind == TOKEN_INT && t.i >= 0;)
		a->shape[a->dims++] = (uint64_t)t.i;
	if (t.kind != TOKEN_END || !next_is(rd, &t, TOKEN_STR))
		return false;
	a->order = t.s;
	a->fortran = text_is(t.s, "F");
	if (!a->fortran && !text_is(t.s, "C"))
		return false;
	if (!next_is(rd, &t, TOKEN_BIN))
		return false;
	a->data = t.s;
	return rd->at == rd->end;
}

/* How many elements, and whether the bytes are as many as that takes. */
static bool measure(struct array *a)
{
	unsigned d = a->dims;

	a->count = 1;
	while (d--) {
		a->stride[d] = a->count;
		if (a->shape[d] && a->count > UINT64_MAX / a->shape[d])
			return false;
		a->count *= a->shape[d];
	}
	if (a->count == 0) {
		a->item = 0;
		return a->data.n == 0;
	}
	a->item = (size_t)(a->data.n / a->count);
	return a->data.n % a->count == 0;
}

/* dtype texts are byte order, kind and bytes (for U: characters), as in "<f8". */
static void read_dtype(struct array *a)
{
	const char *p = a->dtype.p;
	int64_t size;

	a->kind = 0;
	if (a->dtype.n < 3 || !memchr("<>|=", p[0], 4) || !memchr("biufUS", p[1], 6))
		return;
	if (!text_int((struct ckpt_view){ p + 2, a->dtype.n - 2 }, &size) || size < 0)
		return;
	if (a->count && (uint64_t)size * (p[1] == 'U' ? 4 : 1) != a->item)
		return;
	if (p[1] == 'f' ? size != 2 && size != 4 && size != 8
			: memchr("iu", p[1], 2) && size != 1 && size != 2 && size != 4 &&
							size != 8)
		return;
	if (p[1] == 'b' && size != 1)
		return;
	a->kind = p[1];
	a->swap = p[0] == '>';
}

/* Where the i-th element in C order is stored. */
static const uint8_t *element(const struct array *a, uint64_t i)
{
	uint64_t at = i, step = 1;
	unsigned d;

	if (a->fortran) {
		at = 0;
		for (d = 0; d < a->dims; d++) {
			at += i / a->stride[d] % a->shape[d] * step;
			step *= a->shape[d];
		}
	}
	return (const uint8_t *)a->data.p + at * a->item;
}

static uint64_t load(const uint8_t *p, size_t n, bool big)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < n; i++)
		v = v << 8 | p[big ? i : n - 1 - i];
	return v;
}

static double half_float(uint64_t bits)
{
	uint64_t exponent = bits >> 10 & 31, fraction = bits & 1023, wide;
	double f;

	if (exponent == 0) {
		f = (double)fraction / 16777216.0;
		return bits >> 15 ? -f : f;
	}
	wide = (exponent == 31 ? 2047 : exponent - 15 + 1023) << 52 | fraction << 42;
	wide |= bits >> 15 << 63;
	memcpy(&f, &wide, sizeof(f));
	return f;
}

static double wide_float(uint64_t bits, size_t size)
{
	uint32_t narrow = (uint32_t)bits;
	double f;
	float g;

	if (size == 2)
		return half_float(bits);
	if (size == 8) {
		memcpy(&f, &bits, sizeof(f));
		return f;
	}
	memcpy(&g, &narrow, sizeof(g));
	return (double)g;
}

/* Fixed-width text: four bytes a character, NULs behind it are not part of it. */
static bool write_text(struct render *r, const struct array *a, const uint8_t *p)
{
	size_t n = a->item;
	char text[4];
	size_t i;

	while (n && load(p + n - 4, 4, a->swap) == 0)
		n -= 4;
	r->names.n = 0;
	for (i = 0; i < n; i += 4) {
		uint64_t cp = load(p + i, 4, a->swap);

		if (cp > 0x10ffff)
			return false;
		ckpt_buf_add(&r->names, text, utf8_put(text, (uint32_t)cp));
	}
	json_string(r->out, ckpt_buf_view(&r->names), true);
	return true;
}

static bool write_element(struct render *r, const struct array *a, const uint8_t *p)
{
	uint64_t bits = a->kind == 'U' || a->kind == 'S' ? 0 : load(p, a->item, a->swap);
	size_t n = a->item;

	switch (a->kind) {
	case 'b':
		ckpt_buf_puts(r->out, bits ? "true" : "false");
		return true;
	case 'u':
		json_uint(r->out, bits);
		return true;
	case 'i':
		if (bits >> (8 * n - 1))
			json_int(r->out, -(int64_t)((~bits) << (64 - 8 * n) >>
							 (64 - 8 * n)) -
							 1);
		else
			json_int(r->out, (int64_t)bits);
		return true;
	case 'f':
		render_float(r->out, wide_float(bits, n));
		return true;
	case 'U':
		return write_text(r, a, p);
	default:
		while (n && p[n - 1] == 0)
			n--;
		render_bytes(r->out, (struct ckpt_view){ p, n });
		return true;
	}
}

/* Nested arrays; where a dimension is 0, empty arrays stand for what is below it. */
static bool write_nested(struct render *r, const struct array *a)
{
	uint64_t span[MAX_DIMS], i, count = 1;
	unsigned d, dims = 0;

	while (dims < a->dims && a->shape[dims])
		count *= a->shape[dims++];
	for (d = dims, i = 1; d--;)
		span[d] = i *= a->shape[d];
	for (i = 0; i < count; i++) {
		if (i)
			ckpt_buf_puts(r->out, ",");
		for (d = 0; d < dims; d++) {
			if (i % span[d] == 0)
				ckpt_buf_puts(r->out, "[");
		}
		if (dims < a->dims)
			ckpt_buf_puts(r->out, "[]");
		else if (!write_element(r, a, element(a, i)))
			return false;
		for (d = 0; d < dims; d++) {
			if ((i + 1) % span[d] == 0)
				ckpt_buf_puts(r->out, "]");
		}
	}
	return true;
}

/* At most MAX_SHOWN elements, or empty arrays that stand for none. */
static bool is_small(const struct array *a)
{
	uint64_t count = 1;
	unsigned d;

	for (d = 0; d < a->dims && a->shape[d]; d++) {
		if (a->shape[d] > MAX_SHOWN / count)
			return false;
		count *= a->shape[d];
	}
	return true;
}

static void write_members(struct render *r, const struct array *a, bool order)
{
	unsigned d;
	uint64_t i;

	ckpt_buf_puts(r->out, "{\"dtype\":");
	ckpt_json_string(r->out, a->dtype);
	ckpt_buf_puts(r->out, ",\"shape\":[");
	for (d = 0; d < a->dims; d++) {
		ckpt_buf_puts(r->out, d ? "," : "");
		json_uint(r->out, a->shape[d]);
	}
	ckpt_buf_puts(r->out, "],");
	if (order) {
		ckpt_buf_puts(r->out, "\"order\":");
		ckpt_json_string(r->out, a->order);
		ckpt_buf_puts(r->out, ",");
	}
	ckpt_buf_puts(r->out, "\"data\":\"");
	if (order || !a->fortran || !a->item) {
		ckpt_base64(r->out, a->data);
	} else {
		/* Without the order in the text, the bytes are put in the usual one. */
		r->tmp.n = 0;
		for (i = 0; i < a->count; i++)
			ckpt_buf_add(&r->tmp, element(a, i), a->item);
		ckpt_base64(r->out, ckpt_buf_view(&r->tmp));
	}
	ckpt_buf_puts(r->out, "\"}");
}

bool numpy_write(struct render *r, struct ckpt_view payload)
{
	size_t start = r->out->n;
	struct array a;

	if (!read_payload(&r->peek, payload, &a) || !measure(&a))
		return false;
	if (r->opt->typed) {
		ckpt_buf_puts(r->out, "{\"$type\":\"numpy.ndarray\",\"value\":");
		write_members(r, &a, true);
		ckpt_buf_puts(r->out, "}");
		return true;
	}
	read_dtype(&a);
	if (a.kind && is_small(&a) && write_nested(r, &a))
		return true;
	if (r->out->failed)
		return true;
	r->out->n = start;
	ckpt_buf_puts(r->out, "{\"$numpy\":");
	write_members(r, &a, false);
	ckpt_buf_puts(r->out, "}");
	return true;
}
