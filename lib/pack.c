/*
 * pack.c - JSON as msgpack, the way Python would read the one and pack the other.
 *
 * The head of a msgpack container holds its count, which JSON tells only at the end: the text is
 * read twice, first for the counts. Numbers with a point or an exponent are doubles, others must
 * fit 64 bits.
 */
#include <errno.h>
#include <math.h>

#include "pack.h"

static bool fail(struct pack *k, const char *code)
{
	k->why = code;
	return false;
}

static uint64_t *counts(struct pack *k)
{
	return (uint64_t *)(void *)k->counts->p;
}

/* The number of items of every container, in the order in which they open. */
static bool count(struct pack *k, struct ckpt_view text, bool value)
{
	static const uint64_t zero;
	struct reader *r = k->reader;
	size_t open[READER_DEPTH + 1], depth = 0, n = 0;
	struct token t;
	bool key[READER_DEPTH + 1], map[READER_DEPTH + 1], record = false;
	int rc = 0;

	map[0] = key[0] = false;
	k->counts->n = 0;
	reader_init(r, &json_reader, text);
	while (!k->counts->failed && (rc = reader_next(r, &t)) > 0) {
		if (t.kind == TOKEN_END) {
			depth--;
			continue;
		}
		if (depth && map[depth]) {
			key[depth] = !key[depth];
			record |= value && key[depth] &&
			          ckpt_view_eq(t.s, CKPT_LIT("lc"));
		}
		if (depth)
			counts(k)[open[depth]]++;
		if (t.kind != TOKEN_ARRAY && t.kind != TOKEN_MAP)
			continue;
		map[++depth] = t.kind == TOKEN_MAP;
		key[depth] = false;
		open[depth] = n++;
		ckpt_buf_add(k->counts, &zero, sizeof(zero));
	}
	while (rc == 0 && r->at < r->end && memchr(" \t\r\n", *r->at, 4))
		r->at++;
	if (rc == CKPT_ENOMEM || k->counts->failed)
		return fail(k, NULL);
	if (rc < 0 || r->at < r->end)
		return fail(k, "corrupt");
	return !record || fail(k, "record");
}

static bool pack_number(struct pack *k, struct ckpt_buf *to, struct ckpt_view s)
{
	const char *p = s.p;
	char text[40], *end;
	struct ckpt_buf whole = { 0 };
	uint64_t u;
	double f;

	if (memchr(p, 'N', s.n) || memchr(p, 'I', s.n))
		return fail(k, "nan");
	if (memchr(p, '.', s.n) || memchr(p, 'e', s.n) || memchr(p, 'E', s.n)) {
		ckpt_buf_add(&whole, p, s.n);
		f = whole.failed ? 0 : strtod(whole.p, NULL);
		to->failed |= whole.failed;
		ckpt_buf_free(&whole);
		msgpack_float(to, f);
		return isfinite(f) || fail(k, "bad-number");
	}
	if (s.n >= sizeof(text))
		return fail(k, "bad-number");
	memcpy(text, p, s.n);
	text[s.n] = '\0';
	errno = 0;
	u = strtoull(text + (*text == '-'), &end, 10);
	if (errno || *end || (*text == '-' && u > (uint64_t)INT64_MAX + 1))
		return fail(k, "bad-number");
	if (*text != '-' || u == 0)
		msgpack_uint(to, u);
	else
		msgpack_int(to, -(int64_t)(u - 1) - 1);
	return true;
}

static bool pack_token(struct pack *k, struct ckpt_buf *to, const struct token *t,
		size_t *containers)
{
	switch (t->kind) {
	case TOKEN_NIL:
		msgpack_nil(to);
		return true;
	case TOKEN_BOOL:
		msgpack_bool(to, t->b);
		return true;
	case TOKEN_NUM:
		return pack_number(k, to, t->s);
	case TOKEN_STR:
		/* packing puts a question mark in its place */
		if (t->b)
			return fail(k, "surrogate");
		if (!utf8_valid(t->s))
			return fail(k, "utf8");
		msgpack_str(to, t->s);
		return true;
	case TOKEN_ARRAY:
		msgpack_array(to, counts(k)[(*containers)++]);
		return true;
	case TOKEN_MAP:
		msgpack_map(to, counts(k)[(*containers)++] / 2);
		return true;
	default:
		return true;
	}
}

bool pack_json(struct pack *k, struct ckpt_buf *to, struct ckpt_view text, bool value)
{
	struct reader *r = k->reader;
	size_t containers = 0;
	bool good = count(k, text, value);
	struct token t;
	int rc = 0;

	reader_done(r);
	if (!good)
		return false;
	reader_init(r, &json_reader, text);
	while (good && (rc = reader_next(r, &t)) > 0)
		good = pack_token(k, to, &t, &containers);
	reader_done(r);
	/* it has been read before: only memory can fail */
	return good && (rc >= 0 || fail(k, NULL));
}
