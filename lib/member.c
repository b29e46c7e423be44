/*
 * member.c - single members of stored maps, and conditions on metadata.
 *
 * Reads over a map once and keeps views. Of equal keys the last counts; a map that cannot be
 * read to its end has no members.
 */
#include <stdlib.h>
#include <string.h>

#include "codec.h"

static bool member_find(struct reader *rd, const struct reader_ops *ops,
		struct ckpt_view map, struct ckpt_view name, struct ckpt_view *out)
{
	struct ckpt_view value, last = { NULL, 0 };
	struct token t;

	reader_init(rd, ops, map);
	if (reader_next(rd, &t) == 1 && t.kind == TOKEN_MAP) {
		while (!rd->why) {
			bool hit;

			/* A msgpack key may be a container: then it is no name. */
			if (reader_next(rd, &t) != 1 || t.kind == TOKEN_END)
				break;
			hit = t.kind == TOKEN_STR && ckpt_view_eq(t.s, name);
			if (t.kind == TOKEN_ARRAY || t.kind == TOKEN_MAP) {
				uint64_t n = t.kind == TOKEN_MAP ? 2 * t.n : t.n;

				while (n-- && reader_skip(rd, NULL) == 0)
					continue;
				reader_next(rd, &t);
			}
			if (reader_skip(rd, &value) == 0 && hit)
				last = value;
		}
	}
	if (rd->why)
		last = (struct ckpt_view){ NULL, 0 };
	reader_done(rd);
	*out = last;
	return last.p;
}

bool ckpt_value_member(struct ckpt_view *out, struct ckpt_view type,
		struct ckpt_view body, const char *name)
{
	const struct reader_ops *ops = codec_reader(type);
	struct reader *rd;
	bool found;

	*out = (struct ckpt_view){ NULL, 0 };
	if (!ops || !body.p)
		return false;
	rd = malloc(sizeof(*rd));
	if (!rd)
		return false;
	found = member_find(rd, ops, body, ckpt_view_of(name), out);
	free(rd);
	return found;
}

bool ckpt_meta_text(struct ckpt_buf *to, struct ckpt_view meta, const char *name)
{
	struct ckpt_view value;
	struct reader *rd;
	struct token t;

	if (!ckpt_value_member(&value, CKPT_LIT("json"), meta, name))
		return false;
	if (*(const char *)value.p != '"') {
		ckpt_buf_add(to, value.p, value.n);
		return !to->failed;
	}
	rd = malloc(sizeof(*rd));
	if (!rd)
		return false;
	reader_init(rd, &json_reader, value);
	if (reader_next(rd, &t) == 1)
		ckpt_buf_add(to, t.s.p, t.s.n);
	reader_done(rd);
	free(rd);
	return !to->failed;
}

bool ckpt_meta_int(int64_t *out, struct ckpt_view meta, const char *name)
{
	struct ckpt_view value;
	const char *p;
	uint64_t v = 0, limit = INT64_MAX;
	size_t i = 0;

	if (!ckpt_value_member(&value, CKPT_LIT("json"), meta, name))
		return false;
	p = value.p;
	if (p[0] == '-') {
		limit++;
		i++;
	}
	if (i == value.n)
		return false;
	for (; i < value.n; i++) {
		unsigned digit = (unsigned)(p[i] - '0');

		if (digit > 9 || v > (limit - digit) / 10)
			return false;
		v = 10 * v + digit;
	}
	*out = p[0] == '-' ? -(int64_t)(v ? v - 1 : 0) - (v ? 1 : 0) : (int64_t)v;
	return true;
}

/* ---- conditions ------------------------------------------------------------------------------ */

struct decimal { /* ± 0.DIGITS × 10^exponent; no digits: zero */
	bool minus;
	const char *p, *end; /* from the first to behind the last digit that is not zero */
	int64_t exponent;
};

/* No double in between: 9007199254740993 is not 9007199254740992. */
static struct decimal decimal_of(struct ckpt_view text)
{
	struct decimal d = { false, NULL, NULL, 0 };
	const char *p = text.p, *end = p + text.n;
	int64_t power = 0;
	bool point = false, minus = false;

	if (p < end && *p == '-') {
		d.minus = true;
		p++;
	}
	for (; p < end && *p != 'e' && *p != 'E'; p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		if (*p != '0') {
			d.p = d.p ? d.p : p;
			d.end = p + 1;
		}
		/* Digits before the point count up, zeros right behind it down. */
		if (!point && d.p)
			d.exponent++;
		else if (point && !d.p)
			d.exponent--;
	}
	if (p < end)
		p++;
	for (; p < end; p++) {
		if (*p == '-')
			minus = true;
		else if (*p != '+' && power < INT64_MAX / 100)
			power = 10 * power + (*p - '0');
	}
	d.exponent += minus ? -power : power;
	return d;
}

static const char *next_digit(const char *p, const char *end)
{
	return p < end && *p == '.' ? p + 1 : p;
}

static bool numbers_equal(struct ckpt_view a, struct ckpt_view b)
{
	struct decimal x, y;

	if (ckpt_view_eq(a, b))
		return true;
	if (memchr(a.p, 'N', a.n) || memchr(a.p, 'I', a.n) || memchr(b.p, 'N', b.n) ||
			memchr(b.p, 'I', b.n))
		return false;
	x = decimal_of(a);
	y = decimal_of(b);
	if (!x.p || !y.p)
		return !x.p && !y.p;
	if (x.minus != y.minus || x.exponent != y.exponent)
		return false;
	while (x.p < x.end && y.p < y.end) {
		x.p = next_digit(x.p, x.end);
		y.p = next_digit(y.p, y.end);
		if (*x.p++ != *y.p++)
			return false;
	}
	return x.p == x.end && y.p == y.end;
}

/* One scalar and nothing else; its string, if it is one, is copied to `text`. */
static bool read_scalar(struct reader *rd, struct ckpt_view json, struct token *out,
		struct ckpt_buf *text)
{
	struct token none;
	bool good;

	reader_init(rd, &json_reader, json);
	good = reader_next(rd, out) == 1 && out->kind != TOKEN_ARRAY &&
	       out->kind != TOKEN_MAP;
	if (good && out->kind == TOKEN_STR) {
		ckpt_buf_add(text, out->s.p, out->s.n);
		out->s = ckpt_buf_view(text);
	}
	good = good && reader_next(rd, &none) == 0 && rd->at == rd->end && !text->failed;
	reader_done(rd);
	return good;
}

static bool scalars_equal(
		struct reader *rd, struct ckpt_view stored, struct ckpt_view value)
{
	struct ckpt_buf left = { 0 }, right = { 0 };
	struct token a, b;
	bool equal = read_scalar(rd, stored, &a, &left);

	if (equal && a.kind == TOKEN_STR && ckpt_view_eq(a.s, value)) {
		ckpt_buf_free(&left);
		return true;
	}
	equal = equal && read_scalar(rd, value, &b, &right) && a.kind == b.kind;
	if (equal && a.kind == TOKEN_STR)
		equal = ckpt_view_eq(a.s, b.s);
	else if (equal && a.kind == TOKEN_NUM)
		equal = numbers_equal(a.s, b.s);
	else if (equal && a.kind == TOKEN_BOOL)
		equal = a.b == b.b;
	ckpt_buf_free(&left);
	ckpt_buf_free(&right);
	return equal;
}

/* The member with this very name, or the way down through the part before each dot. */
static bool find_dotted(struct reader *rd, struct ckpt_view meta, struct ckpt_view key,
		struct ckpt_view *out)
{
	struct ckpt_view map = meta;

	for (;;) {
		const char *p = key.p, *dot;
		struct ckpt_view part;

		if (member_find(rd, &json_reader, map, key, out))
			return true;
		dot = key.n ? memchr(p, '.', key.n) : NULL;
		if (!dot)
			return false;
		part = (struct ckpt_view){ p, (size_t)(dot - p) };
		key = (struct ckpt_view){ dot + 1, key.n - part.n - 1 };
		if (!member_find(rd, &json_reader, map, part, &map))
			return false;
	}
}

bool ckpt_meta_where(struct ckpt_view meta, struct ckpt_view key, struct ckpt_view value)
{
	struct ckpt_view stored;
	struct reader *rd;
	bool holds;

	if (!meta.p || !key.p || !value.p)
		return false;
	rd = malloc(sizeof(*rd));
	if (!rd)
		return false;
	holds = find_dotted(rd, meta, key, &stored) && scalars_equal(rd, stored, value);
	free(rd);
	return holds;
}
