/*
 * payload.c - changes to stored values: bits, lengths, counts, types, nesting, splices, text. They
 * aim at msgpack and JSON alike; most leave enough of the value whole to get deep into it.
 */
#include "hostile.h"

#define LARGEST ((size_t)256 << 10) /* changes stop growing a payload here */

static void insert(struct ckpt_buf *b, size_t at, const void *p, size_t n)
{
	struct ckpt_buf out = { 0 };

	ckpt_buf_add(&out, b->p, at);
	ckpt_buf_add(&out, p, n);
	ckpt_buf_add(&out, b->n ? b->p + at : "", b->n - at);
	ckpt_buf_free(b);
	*b = out;
}

static void replace(struct ckpt_buf *b, size_t at, const void *p, size_t n)
{
	if (at + n <= b->n)
		memcpy(b->p + at, p, n);
}

static bool is_json(const struct ckpt_buf *b)
{
	return b->n && (b->p[0] == '{' || b->p[0] == '[');
}

/* The place of a msgpack head with a length or a class behind it, from a random place on. */
static size_t find_head(const struct ckpt_buf *b, uint64_t *seed)
{
	size_t at = below(seed, b->n);

	for (size_t i = at; i < b->n && i < at + 256; i++) {
		unsigned char c = (unsigned char)b->p[i];

		if ((c >= 0xc4 && c <= 0xc9) || c >= 0xd4)
			return i;
	}
	return at;
}

/* ---- the changes --------------------------------------------------------------------------------- */

static void flip(struct ckpt_buf *b, struct ckpt_view other, uint64_t *seed)
{
	(void)other;
	if (b->n)
		b->p[below(seed, b->n)] ^= (char)(1 << below(seed, 8));
}

static void set_byte(struct ckpt_buf *b, struct ckpt_view other, uint64_t *seed)
{
	static const unsigned char odd[] = { 0, 1, 0x7f, 0x80, 0xc0, 0xc1, 0xfe, 0xff,
		'"', '\\', '{', ']', '$', 0x1b };

	(void)other;
	if (b->n)
		b->p[below(seed, b->n)] = (char)odd[below(seed, LEN(odd))];
}

static void lengthen(struct ckpt_buf *b, struct ckpt_view other, uint64_t *seed)
{
	static const char *const lengths[] = { "\xff", "\x7f", "\xff\xff", "\x7f\xff",
		"\xff\xff\xff\xff", "\x7f\xff\xff\xff", "\x01\x01\x01\x01" };
	const char *one = lengths[below(seed, LEN(lengths))];

	(void)other;
	if (b->n)
		replace(b, find_head(b, seed) + 1, one, strlen(one));
}

static void cut(struct ckpt_buf *b, struct ckpt_view other, uint64_t *seed)
{
	(void)other;
	b->n = below(seed, b->n + 1);
}

static void twice(struct ckpt_buf *b, struct ckpt_view other, uint64_t *seed)
{
	size_t at = below(seed, b->n), n = below(seed, b->n - at);
	char *copy = malloc(n + 1);

	(void)other;
	if (copy && n) {
		memcpy(copy, b->p + at, n);
		insert(b, below(seed, b->n), copy, n);
	}
	free(copy);
}

static void splice(struct ckpt_buf *b, struct ckpt_view other, uint64_t *seed)
{
	size_t at = below(seed, other.n), n = below(seed, other.n - at);

	if (n)
		insert(b, below(seed, b->n + 1), (const char *)other.p + at, n);
}

static void retype(struct ckpt_buf *b, struct ckpt_view other, uint64_t *seed)
{
	char tag = (char)(0x80 + below(seed, 0x80));

	(void)other;
	if (b->n)
		replace(b, find_head(b, seed), &tag, 1);
}

/* Another ext code: of those that mean something, or any. */
static void recode(struct ckpt_buf *b, struct ckpt_view other, uint64_t *seed)
{
	static const unsigned behind[] = { 2, 3, 5, 1, 1, 1, 1, 1 };
	char code = (char)(below(seed, 4) ? below(seed, 10) : below(seed, 256));

	(void)other;
	for (int tries = 0; b->n && tries < 16; tries++) {
		size_t at = find_head(b, seed);
		unsigned c = (unsigned char)b->p[at];

		if (c >= 0xc7 && c <= 0xc9)
			replace(b, at + behind[c - 0xc7], &code, 1);
		else if (c >= 0xd4 && c <= 0xd8)
			replace(b, at + 1, &code, 1);
		else
			continue;
		return;
	}
}

/* A slice as the payload of an ext, with its right length. */
static void wrap(struct ckpt_buf *b, struct ckpt_view other, uint64_t *seed)
{
	size_t at = below(seed, b->n), n = below(seed, b->n - at) & 0xffff;
	const char head[] = { (char)0xc8, (char)(n >> 8), (char)n, (char)below(seed, 9) };

	(void)other;
	insert(b, at, head, sizeof(head));
}

static void nest(struct ckpt_buf *b, struct ckpt_view other, uint64_t *seed)
{
	static const char *const openings[] = { "\x91", "\x81\xa1k", "\x92\xc0", "[",
		"{\"k\":", "\xc7\x03\x02\x93\xa0\xa0" };
	const char *one = openings[is_json(b) ? 3 + below(seed, 2) : below(seed, 6)];
	size_t levels = below(seed, 3) ? below(seed, 40) : below(seed, 20000);
	struct ckpt_buf all = { 0 };

	(void)other;
	for (size_t i = 0; i < levels; i++)
		ckpt_buf_puts(&all, one);
	if (all.n)
		insert(b, below(seed, b->n + 1), all.p, all.n);
	ckpt_buf_free(&all);
}

static void bad_text(struct ckpt_buf *b, struct ckpt_view other, uint64_t *seed)
{
	static const char *const texts[] = { "\xc3(", "\xed\xa0\x80", "\xf5\x80\x80\x80",
		"\xc0\xaf", "\xe2\x80\xae", "\x1b]0;x\a", "\\ud800", "\\u0000", "\xff",
		"\xef\xbf\xbe", "\\\\\\" };
	const char *one = texts[below(seed, LEN(texts))];

	(void)other;
	if (below(seed, 2))
		insert(b, below(seed, b->n + 1), one, strlen(one));
	else
		replace(b, below(seed, b->n), one, strlen(one));
}

static void huge_count(struct ckpt_buf *b, struct ckpt_view other, uint64_t *seed)
{
	static const char heads[] = "\xdd\xdf\xc6\xdb\xc9";
	char head[5] = { heads[below(seed, 5)], (char)(below(seed, 2) ? 0xff : 0x7f),
		(char)0xff, (char)0xff, (char)0xff };

	(void)other;
	insert(b, below(seed, b->n + 1), head, sizeof(head));
}

static void number(struct ckpt_buf *b, struct ckpt_view other, uint64_t *seed)
{
	static const char *const json[] = { "1e999999999", "-0.0e-99999", "NaN",
		"123456789012345678901234567890", "-", "0x", "1.", "Infinity" };
	static const char *const packed[] = { "\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
		"\xcb\x7f\xf8\x01\x02\x03\x04\x05\x06",
		"\xd3\x80\x01\x01\x01\x01\x01\x01", "\xca\x7f\x80\x01\x01" };
	const char *one = is_json(b) ? json[below(seed, LEN(json))]
	                             : packed[below(seed, LEN(packed))];

	(void)other;
	insert(b, below(seed, b->n + 1), one, strlen(one));
}

void mutate_payload(struct ckpt_buf *b, struct ckpt_view other, uint64_t *seed)
{
	static void (*const changes[])(
			struct ckpt_buf *, struct ckpt_view, uint64_t *) = { flip, flip,
		set_byte, set_byte, lengthen, lengthen, cut, twice, splice, retype,
		retype, recode, recode, wrap, nest, bad_text, huge_count, number };

	for (size_t n = 1 + below(seed, 8); n; n--) {
		if (b->n < LARGEST)
			changes[below(seed, LEN(changes))](b, other, seed);
	}
}
