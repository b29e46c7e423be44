/*
 * list_filter.c - which threads, namespaces and checkpoints the options of `ckpt list` let through.
 */
#include <string.h>

#include "list.h"

bool list_filters(const struct list *o)
{
	return o->since != CKPT_UNKNOWN || o->until != CKPT_UNKNOWN || o->where.n ||
	       o->run_id || o->source || o->step != CKPT_UNKNOWN || o->head || o->changed;
}

enum ckpt_depth list_filter_depth(const struct list *o)
{
	if (o->changed || o->status >= 0)
		return CKPT_VALUES;
	if (o->where.n || o->run_id || o->source || o->step != CKPT_UNKNOWN)
		return CKPT_META;
	return CKPT_LINKS;
}

static bool meta_is(struct ckpt_view meta, const char *name, const char *want)
{
	struct ckpt_buf text = { 0 };
	bool same = ckpt_meta_text(&text, meta, name) &&
	            ckpt_view_eq(ckpt_buf_view(&text), ckpt_view_of(want));

	ckpt_buf_free(&text);
	return same;
}

bool list_passes(const struct list *o, const struct ckpt_checkpoint *c)
{
	int64_t step;

	if (o->since != CKPT_UNKNOWN && (c->time == CKPT_UNKNOWN || c->time < o->since))
		return false;
	if (o->until != CKPT_UNKNOWN && (c->time == CKPT_UNKNOWN || c->time > o->until))
		return false;

	if (o->step != CKPT_UNKNOWN &&
			!(ckpt_meta_int(&step, c->meta, "step") && step == o->step))
		return false;
	if (o->run_id && !meta_is(c->meta, "run_id", o->run_id))
		return false;
	if (o->source && !meta_is(c->meta, "source", o->source))
		return false;
	for (size_t i = 0; i < o->where.n; i++) {
		const char *eq = strchr(o->where.v[i], '=');
		struct ckpt_view key = { o->where.v[i], (size_t)(eq - o->where.v[i]) };

		if (!ckpt_meta_where(c->meta, key, ckpt_view_of(eq + 1)))
			return false;
	}
	return true;
}

bool list_ns(const struct list *o, struct ckpt_view ns, bool any)
{
	if (!o->ns)
		return any || ns.n == 0;
	return strcmp(o->ns, "*") == 0 || ckpt_view_eq(ns, ckpt_view_of(o->ns));
}

/* One [class]; `*p` stands behind '['. An unclosed one is an ordinary bracket. */
static bool in_class(const char **p, unsigned char c, bool *closed)
{
	const char *s = *p;
	bool not = *s == '!' || *s == '^', hit = false;

	s += not ;
	for (const char *first = s; *s && (*s != ']' || s == first); s++) {
		unsigned char from = (unsigned char)*s, to = from;

		if (s[1] == '-' && s[2] && s[2] != ']') {
			to = (unsigned char)s[2];
			s += 2;
		}
		hit = hit || (c >= from && c <= to);
	}
	*closed = *s == ']';
	*p = *closed ? s + 1 : *p;
	return hit != not ;
}

static bool one_matches(const char **p, unsigned char c)
{
	const char *s = *p;
	bool closed, hit;

	*p = s + 1;
	if (*s == '?')
		return true;
	if (*s == '[') {
		hit = in_class(p, c, &closed);
		if (closed)
			return hit;
	}
	if (*s == '\\' && s[1]) {
		*p = s + 2;
		return (unsigned char)s[1] == c;
	}
	return (unsigned char)*s == c;
}

bool list_glob(struct ckpt_view text, const char *pattern)
{
	const unsigned char *t = text.p;
	const char *p = pattern, *star = NULL;
	size_t i = 0, star_at = 0;

	while (i < text.n) {
		const char *before = p;

		if (*p == '*') {
			star = ++p;
			star_at = i;
		} else if (*p && one_matches(&p, t[i])) {
			i++;
		} else if (star) { /* let the last star take one byte more */
			p = star;
			i = ++star_at;
		} else {
			p = before;
			return false;
		}
	}
	while (*p == '*')
		p++;
	return *p == '\0';
}
