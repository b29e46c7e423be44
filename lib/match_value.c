/*
 * match_value.c - values of any encoding made comparable: a digest of what they mean.
 *
 * One pass over the tokens, no tree: the digests of the open containers' items lie on a stack.
 * Maps and sets are sorted by digest, so that order does not count; lists are folded as they
 * grow. Widths, and msgpack or JSON, leave no trace; int and float, str and bytes, list and set,
 * 0.0 and -0.0 stay apart. NaN is NaN. That two unequal values meet in 128 bits is not expected.
 */
#include <math.h>
#include <xxhash.h>

#include "jsonb.h"
#include "match.h"

#define FOLD 256 /* items of a list that become one digest */

enum seed { /* what a digest is of */
	SEED_NIL,
	SEED_BOOL,
	SEED_INT,
	SEED_UINT, /* above INT64_MAX only */
	SEED_FLOAT,
	SEED_BIG, /* an integer of more than 64 bits: its digits */
	SEED_STR,
	SEED_BIN,
	SEED_RAW, /* bytes nobody can look into */
	SEED_ARRAY,
	SEED_FOLD,
	SEED_MAP,
	SEED_TRAILING,
	SEED_EXT /* + code, which may be negative */
};

struct level {
	size_t at;    /* its first item on the stack */
	size_t start; /* offset of its first byte */
	uint8_t kind; /* TOKEN_ARRAY, TOKEN_MAP or TOKEN_EXT */
	bool set;
	int code;
};

struct canon {
	struct reader rd, peek;
	struct digest *stack;
	size_t n, cap;
	struct level levels[READER_DEPTH + 1];
	size_t depth;
	struct ckpt_buf text; /* of a number; of rendered values */
	bool versions;
	bool jsonb;   /* numbers by their text there: 0.1 and 0.10 are two */
	bool records; /* the text is rendered with types: sets are known by them */
};

struct canon *canon_new(void)
{
	return calloc(1, sizeof(struct canon));
}

void canon_free(struct canon *c)
{
	if (!c)
		return;
	free(c->stack);
	ckpt_buf_free(&c->text);
	free(c);
}

static struct digest hash(int64_t seed, const void *p, size_t n)
{
	XXH128_hash_t h = XXH3_128bits_withSeed(n ? p : "", n, (XXH64_hash_t)seed);

	return (struct digest){ h.low64, h.high64 };
}

static struct digest hash_text(enum seed seed, struct ckpt_view v)
{
	return hash(seed, v.p, v.n);
}

/* ---- scalars --------------------------------------------------------------------------------- */

static struct digest of_float(double f)
{
	if (isnan(f))
		f = NAN; /* whatever its sign and payload */
	return hash(SEED_FLOAT, &f, sizeof(f));
}

static struct digest of_uint(uint64_t u)
{
	return hash(u > INT64_MAX ? SEED_UINT : SEED_INT, &u, sizeof(u));
}

static struct digest of_int(int64_t i)
{
	return hash(SEED_INT, &i, sizeof(i));
}

/* Digits as an integer of 64 bits; false if they do not fit. */
static bool small_int(const char *p, size_t n, struct digest *out)
{
	bool minus = *p == '-';
	uint64_t u = 0;

	for (size_t i = minus; i < n; i++) {
		unsigned digit = (unsigned)(p[i] - '0');

		if (u > (UINT64_MAX - digit) / 10)
			return false;
		u = u * 10 + digit;
	}
	if (minus && u > (uint64_t)INT64_MAX + 1)
		return false;
	*out = minus ? of_int((int64_t)(0 - u)) : of_uint(u);
	return true;
}

/* A JSON number, NaN or Infinity: with a point or an exponent it is a float, as in Python. */
static struct digest of_number(struct canon *c, struct ckpt_view num)
{
	const char *p = num.p, *dot = memchr(p, '.', num.n);
	struct digest out;
	size_t digits = 0;

	if (c->jsonb) {
		c->text.n = 0;
		jsonb_number(&c->text, num);
		return hash_text(SEED_BIG, ckpt_buf_view(&c->text));
	}
	if (c->versions && dot)
		num.n = (size_t)(dot - p);
	while (digits < num.n &&
			(p[digits] == '-' || (p[digits] >= '0' && p[digits] <= '9')))
		digits++;
	if (digits == num.n)
		return small_int(p, num.n, &out) ? out : hash_text(SEED_BIG, num);
	c->text.n = 0;
	ckpt_buf_add(&c->text, p, num.n);
	return of_float(c->text.failed ? 0 : strtod(c->text.p, NULL));
}

/* Versions of Python: 32 digits, a point, a suffix that migration may have to change. */
static struct digest of_str(const struct canon *c, struct ckpt_view s)
{
	const char *p = s.p;
	size_t i = 0;

	if (!c->versions || s.n < 33 || p[32] != '.')
		return hash_text(SEED_STR, s);
	while (i < 32 && p[i] >= '0' && p[i] <= '9')
		i++;
	return hash(SEED_STR, p, i == 32 ? 32 : s.n);
}

/* ---- the stack ------------------------------------------------------------------------------- */

static struct level *top(struct canon *c)
{
	return c->depth ? &c->levels[c->depth - 1] : NULL;
}

static bool push(struct canon *c, struct digest d)
{
	struct level *l = top(c);

	if (c->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 1024;
		struct digest *more = realloc(c->stack, cap * sizeof(*more));

		if (!more)
			return false;
		c->stack = more;
		c->cap = cap;
	}
	c->stack[c->n++] = d;
	if (l && l->kind == TOKEN_ARRAY && !l->set && c->n - l->at == FOLD) {
		c->stack[l->at] = hash(SEED_FOLD, c->stack + l->at, FOLD * sizeof(d));
		c->n = l->at + 1;
	}
	return true;
}

static int by_digest(const void *a, const void *b)
{
	const struct digest *x = a, *y = b;

	if (x->hi != y->hi)
		return x->hi < y->hi ? -1 : 1;
	return (x->lo > y->lo) - (x->lo < y->lo);
}

static bool twins(const struct digest *pairs, size_t n)
{
	for (size_t i = 2; i < n; i += 2)
		if (digest_eq(pairs[i], pairs[i - 2]))
			return true;
	return false;
}

/* Of equal keys the last wins, but which one that was is lost: then the bytes are compared. */
static struct digest of_map(struct canon *c, const struct level *l)
{
	struct digest *pairs = c->stack + l->at;
	size_t n = c->n - l->at;

	qsort(pairs, n / 2, 2 * sizeof(*pairs), by_digest);
	if (twins(pairs, n))
		return hash(SEED_RAW, c->rd.base + l->start,
				(size_t)(c->rd.at - c->rd.base) - l->start);
	return hash(SEED_MAP, pairs, n * sizeof(*pairs));
}

static bool close_level(struct canon *c)
{
	struct level *l = top(c);
	struct digest *items = c->n ? c->stack + l->at : c->stack, d;
	size_t n = c->n - l->at;

	if (l->kind == TOKEN_MAP) {
		d = of_map(c, l);
	} else if (l->kind == TOKEN_EXT) {
		d = hash((int64_t)SEED_EXT + 256 + l->code, items, sizeof(*items));
	} else {
		if (l->set)
			qsort(items, n, sizeof(*items), by_digest);
		d = hash(SEED_ARRAY, items, n * sizeof(*items));
	}
	c->n = l->at;
	c->depth--;
	return push(c, d);
}

static bool is_text(struct digest d, const char *text)
{
	return digest_eq(d, hash_text(SEED_STR, ckpt_view_of(text)));
}

/* {"$type":"builtins.set","value":[…]}, where a record has its arguments: [[…]] */
static bool is_record_set(const struct canon *c, const struct level *l)
{
	const struct digest *items = c->stack + l->at;

	if (l->kind == TOKEN_ARRAY)
		return l->set && l[-1].kind == TOKEN_MAP && c->n == l->at;
	return l->kind == TOKEN_MAP && c->n - l->at == 3 && is_text(items[0], "$type") &&
	       is_text(items[2], "value") &&
	       (is_text(items[1], "builtins.set") || is_text(items[1], "Set") ||
			       is_text(items[1], "builtins.frozenset"));
}

/* Are these the members of ext 0 ["builtins", "set" or "frozenset", members]? */
static bool is_set(const struct canon *c)
{
	const struct level *l = c->depth ? &c->levels[c->depth - 1] : NULL;
	const struct digest *items;

	if (l && c->records)
		return is_record_set(c, l);
	if (c->depth < 2 || l->kind != TOKEN_ARRAY || l[-1].kind != TOKEN_EXT ||
			l[-1].code != 0 || c->n - l->at != 2)
		return false;
	items = c->stack + l->at;
	return is_text(items[0], "builtins") &&
	       (is_text(items[1], "set") || is_text(items[1], "frozenset"));
}

static void open_level(struct canon *c, const struct token *t)
{
	bool set = t->kind == TOKEN_ARRAY && is_set(c);

	c->levels[c->depth++] = (struct level){ .at = c->n,
		.start = t->at,
		.kind = (uint8_t)t->kind,
		.set = set,
		.code = t->ext };
}

/* A payload that is one msgpack value is looked into, as LangGraph's are; else bytes. */
static int open_ext(struct canon *c, const struct token *t)
{
	reader_init(&c->peek, &msgpack_reader, t->s);
	if (t->ext < 0 || t->ext == 6 || reader_skip(&c->peek, NULL) < 0 ||
			c->peek.at != c->peek.end)
		return push(c, hash((int64_t)SEED_EXT + 512 + t->ext, t->s.p, t->s.n))
		                       ? 0
		                       : CKPT_ENOMEM;
	open_level(c, t);
	return reader_push(&c->rd, t->s);
}

/* ---- the walk -------------------------------------------------------------------------------- */

static bool push_scalar(struct canon *c, const struct token *t)
{
	switch (t->kind) {
	case TOKEN_NIL:
		return push(c, hash(SEED_NIL, NULL, 0));
	case TOKEN_BOOL:
		return push(c, hash(SEED_BOOL, &t->b, 1));
	case TOKEN_INT:
		return push(c, of_int(t->i));
	case TOKEN_UINT:
		return push(c, of_uint(t->u));
	case TOKEN_FLOAT:
		return push(c, of_float(t->f));
	case TOKEN_NUM:
		return push(c, of_number(c, t->s));
	case TOKEN_STR:
		return push(c, of_str(c, t->s));
	default:
		return push(c, hash_text(SEED_BIN, t->s));
	}
}

static int take(struct canon *c, const struct token *t)
{
	bool ok = true;
	int rc = 0;

	if (t->kind == TOKEN_EXT)
		rc = open_ext(c, t);
	else if (t->kind == TOKEN_ARRAY || t->kind == TOKEN_MAP)
		open_level(c, t);
	else
		ok = t->kind == TOKEN_END ? close_level(c) : push_scalar(c, t);
	/* an ext ends with its payload, without a token */
	while (ok && rc >= 0 && c->depth && top(c)->kind == TOKEN_EXT &&
			c->n > top(c)->at)
		ok = close_level(c);
	return ok ? rc : CKPT_ENOMEM;
}

/* What follows the value, JSON's white space aside, is part of what is stored. */
static struct digest with_trailing(struct canon *c, struct digest d)
{
	const uint8_t *p = c->rd.at, *end = c->rd.end;
	struct digest both[2] = { d };

	while (c->rd.ops == &json_reader && p < end && memchr(" \t\r\n", *p, 4))
		p++;
	if (p == end)
		return d;
	both[1] = hash(SEED_TRAILING, p, (size_t)(end - p));
	return hash(SEED_TRAILING, both, sizeof(both));
}

static int walk(struct canon *c, const struct reader_ops *ops, struct ckpt_view body)
{
	struct token t;
	int rc;

	c->n = c->depth = 0;
	c->text.n = 0;
	reader_init(&c->rd, ops, body);
	while ((rc = reader_next(&c->rd, &t)) > 0) {
		rc = take(c, &t);
		if (rc < 0)
			break;
	}
	reader_done(&c->rd);
	return rc < 0 ? rc : c->text.failed ? CKPT_ENOMEM : c->n == 1 ? 1 : CKPT_ECORRUPT;
}

int canon_digest(struct canon *c, const struct stored *s, bool versions,
		struct digest *out)
{
	const struct reader_ops *ops = codec_reader(s->type);
	int rc;

	c->versions = versions;
	if (ckpt_view_eq(s->type, CKPT_META_TYPE))
		ops = &json_reader;
	if (ckpt_view_eq(s->type, CKPT_LIT("null")) && !s->body.n) {
		*out = hash(SEED_NIL, NULL, 0);
		return 1;
	}
	if (ckpt_view_eq(s->type, CKPT_LIT("bytes")) ||
			ckpt_view_eq(s->type, CKPT_LIT("bytearray"))) {
		*out = hash_text(SEED_BIN, s->body);
		return 1;
	}
	if (!ops)
		return 0;
	rc = walk(c, ops, s->body);
	if (rc > 0)
		*out = with_trailing(c, c->stack[0]);
	return rc;
}

/* ---- two values ------------------------------------------------------------------------------ */

/* JSON that may hold records of classes, whose sets have no order either. */
static bool has_records(const struct stored *s)
{
	return codec_reader(s->type) == &json_reader && s->body.n &&
	       memmem(s->body.p, s->body.n, "\"lc\"", 4);
}

static int digest_rendered(
		struct canon *c, const struct stored *s, bool typed, struct digest *out)
{
	struct ckpt_render how = { .typed = typed, .reveal_secrets = true };
	struct ckpt_buf text = { 0 };
	int rc = ckpt_render_value(&text, s->type, s->body, &how);

	if (rc >= 0 && text.failed)
		rc = CKPT_ENOMEM;
	c->records = typed;
	if (rc >= 0)
		rc = canon_digest(c,
				&(struct stored){ CKPT_META_TYPE, ckpt_buf_view(&text),
						CKPT_OPEN },
				false, out);
	c->records = false;
	ckpt_buf_free(&text);
	return rc;
}

/* Records of JSON by what they are; against ext types of msgpack by how both are shown. */
static int same_rendered(struct canon *c, const struct stored *a, const struct stored *b)
{
	bool typed = codec_reader(a->type) == codec_reader(b->type);
	struct digest x = { 0 }, y = { 0 };
	int rc = digest_rendered(c, a, typed, &x);

	rc = rc < 0 ? rc : digest_rendered(c, b, typed, &y);
	return rc < 0 ? rc : digest_eq(x, y);
}

/* A bytearray in a container of msgpack: as an object, see convert_join.c. */
static struct digest of_bytearray(struct ckpt_view body)
{
	const struct digest items[3] = { hash_text(SEED_STR, CKPT_LIT("builtins")),
		hash_text(SEED_STR, CKPT_LIT("bytearray")), hash_text(SEED_BIN, body) };
	const struct digest array = hash(SEED_ARRAY, items, sizeof(items));

	return hash((int64_t)SEED_EXT + 256, &array, sizeof(array));
}

bool canon_encrypted(const struct stored *s)
{
	return s->type.p && memchr(s->type.p, '+', s->type.n);
}

int canon_same(struct canon *c, const struct stored *a, const struct stored *b,
		const char **why)
{
	struct digest x = { 0 }, y = { 0 };
	int rc, other;

	*why = NULL;
	if (ckpt_view_eq(a->type, b->type) && ckpt_view_eq(a->body, b->body))
		return 1;
	if (a->lock == CKPT_SHUT || b->lock == CKPT_SHUT) {
		*why = "cannot be decrypted";
		return CKPT_ECORRUPT;
	}
	if (canon_encrypted(a) || canon_encrypted(b)) {
		*why = "encrypted";
		return 0;
	}
	rc = canon_digest(c, a, false, &x);
	other = rc == CKPT_ENOMEM ? rc : canon_digest(c, b, false, &y);
	if (rc == CKPT_ENOMEM || other == CKPT_ENOMEM)
		return CKPT_ENOMEM;
	if (rc < 0 || other < 0) {
		*why = "undecodable";
		return CKPT_ECORRUPT;
	}
	if (rc == 0 || other == 0) {
		*why = "cannot be looked into";
		return 0;
	}
	if (!digest_eq(x, y) && (has_records(a) || has_records(b)))
		return same_rendered(c, a, b);
	if (ckpt_view_eq(a->type, CKPT_LIT("bytearray")) && !digest_eq(x, y))
		x = of_bytearray(a->body);
	if (ckpt_view_eq(b->type, CKPT_LIT("bytearray")) && !digest_eq(x, y))
		y = of_bytearray(b->body);
	return digest_eq(x, y);
}

int canon_same_jsonb(struct canon *c, struct ckpt_view a, struct ckpt_view b)
{
	const struct stored x = { CKPT_META_TYPE, a, CKPT_OPEN };
	const struct stored y = { CKPT_META_TYPE, b, CKPT_OPEN };
	struct digest of_a, of_b;
	int rc;

	if (ckpt_view_eq(a, b))
		return 1;
	c->jsonb = true;
	rc = canon_digest(c, &x, false, &of_a);
	if (rc > 0)
		rc = canon_digest(c, &y, false, &of_b);
	c->jsonb = false;
	if (rc == CKPT_ENOMEM || c->text.failed)
		return CKPT_ENOMEM;
	return rc > 0 && digest_eq(of_a, of_b);
}
