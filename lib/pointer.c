/*
 * pointer.c - JSON Pointers (RFC 6901) into JSON text, followed by the reader without a tree.
 *
 * The answer is a view into the text. Of equal keys the last counts, as everywhere.
 */
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "token.h"

/* The reference token up to the next slash is cut off `rest`; still escaped. */
static struct ckpt_view cut_token(struct ckpt_view *rest)
{
	const char *p = (const char *)rest->p + 1;
	size_t left = rest->n - 1;
	const char *slash = left ? memchr(p, '/', left) : NULL;
	struct ckpt_view token = { p, slash ? (size_t)(slash - p) : left };

	*rest = (struct ckpt_view){ p + token.n, left - token.n };
	return token;
}

/* ~0 is ~ and ~1 is /; no other escape exists. */
static bool well_formed(struct ckpt_view token)
{
	const char *p = token.p;
	size_t i;

	for (i = 0; i < token.n; i++) {
		if (p[i] == '~' && (i + 1 == token.n ||
						   (p[i + 1] != '0' && p[i + 1] != '1')))
			return false;
	}
	return true;
}

static bool names_key(struct ckpt_view token, struct ckpt_view key)
{
	const char *p = token.p, *k = key.p;
	size_t i, n = 0;

	for (i = 0; i < token.n; i++, n++) {
		char c = p[i];

		if (c == '~')
			c = p[++i] == '0' ? '~' : '/';
		if (n == key.n || k[n] != c)
			return false;
	}
	return n == key.n;
}

static bool read_index(struct ckpt_view token, uint64_t *out)
{
	const char *p = token.p;
	uint64_t v = 0;
	size_t i;

	if (token.n == 0 || token.n > 18 || (p[0] == '0' && token.n > 1))
		return false;
	for (i = 0; i < token.n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		v = 10 * v + (uint64_t)(p[i] - '0');
	}
	*out = v;
	return true;
}

static bool find_member(struct reader *rd, struct ckpt_view token, struct ckpt_view *out)
{
	bool found = false;
	struct token key;

	while (reader_next(rd, &key) == 1 && key.kind == TOKEN_STR) {
		bool hit = names_key(token, key.s);
		struct ckpt_view value;

		if (reader_skip(rd, &value) < 0)
			return false;
		if (hit)
			*out = value;
		found = found || hit;
	}
	return found && !rd->why;
}

static bool step(struct reader *rd, struct ckpt_view token, struct ckpt_view *out)
{
	struct token t;
	uint64_t index;

	if (reader_next(rd, &t) != 1)
		return false;
	if (t.kind == TOKEN_MAP)
		return find_member(rd, token, out);
	if (t.kind != TOKEN_ARRAY || !read_index(token, &index))
		return false;
	/* Past the last item there is nothing to pass over, which is a failure. */
	do {
		if (reader_skip(rd, out) < 0)
			return false;
	} while (index--);
	return true;
}

bool ckpt_pointer_find(
		struct ckpt_view *out, struct ckpt_view json, struct ckpt_view pointer)
{
	struct ckpt_view at = json, rest = pointer;
	struct reader *rd;
	bool found = true;

	*out = (struct ckpt_view){ NULL, 0 };
	if (!json.p || (rest.n && *(const char *)rest.p != '/'))
		return false;
	rd = malloc(sizeof(*rd));
	if (!rd)
		return false;
	while (found && rest.n) {
		struct ckpt_view token = cut_token(&rest);

		reader_init(rd, &json_reader, at);
		found = well_formed(token) && step(rd, token, &at);
		reader_done(rd);
	}
	free(rd);
	if (found)
		*out = at;
	return found;
}
