/*
 * strays.c - writes whose checkpoint is not there, all of a key at a time: a scan gives them one by
 * one. In memory are those of one key. Nothing is decided about them here.
 */
#include "strays.h"

static int keep(struct strays *s)
{
	const struct ckpt_write *from = &s->row.writes[0];
	struct ckpt_error *err = s->store->err;
	struct ckpt_write *w;

	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 8;

		w = arena_take(&s->arena, cap * sizeof(*w), err);
		if (!w)
			return err->code;
		if (s->n)
			memcpy(w, s->writes, s->n * sizeof(*w));
		s->writes = w;
		s->cap = cap;
	}
	w = &s->writes[s->n++];
	*w = *from;
	w->task = arena_copy(&s->arena, from->task, err);
	w->path = arena_copy(&s->arena, from->path, err);
	w->channel = arena_copy(&s->arena, from->channel, err);
	if (from->type.p)
		w->type = arena_copy(&s->arena, from->type, err);
	if (from->body.p)
		w->body = arena_copy(&s->arena, from->body, err);
	return err->code;
}

/* The first write of a key that is wanted. */
static int find(struct strays *s)
{
	int rc;

	do
		rc = ckpt_scan_next(s->scan, &s->row);
	while (rc > 0 && s->wanted && !s->wanted(s->arg, &s->row));
	s->ahead = rc > 0;
	return rc;
}

int strays_open(struct strays *s, struct ckpt_store *store, const struct ckpt_key *bounds)
{
	const struct ckpt_pick pick = {
		.key = *bounds, .depth = CKPT_VALUES, .rows = CKPT_STRAY_WRITES
	};
	int rc;

	s->store = store;
	rc = ckpt_scan_open(&s->scan, store, &pick);
	rc = rc < 0 ? rc : find(s);
	return rc < 0 ? rc : 0;
}

static bool is_same(const struct ckpt_key *a, const struct ckpt_key *b)
{
	return a->blob == b->blob && ckpt_view_eq(a->thread, b->thread) &&
	       ckpt_view_eq(a->ns, b->ns) && ckpt_view_eq(a->id, b->id);
}

int strays_next(struct strays *s)
{
	struct ckpt_error *err = s->store->err;
	int rc = 1;

	s->has = s->ahead;
	if (!s->ahead)
		return 0;
	arena_reset(&s->arena);
	s->writes = NULL;
	s->n = s->cap = 0;
	s->key = s->row.key;
	s->key.thread = arena_copy(&s->arena, s->key.thread, err);
	s->key.ns = arena_copy(&s->arena, s->key.ns, err);
	s->key.id = arena_copy(&s->arena, s->key.id, err);
	while (rc > 0 && !err->code && is_same(&s->key, &s->row.key)) {
		if (keep(s) < 0)
			return err->code;
		rc = find(s);
	}
	return rc < 0 ? rc : err->code;
}

void strays_close(struct strays *s)
{
	ckpt_scan_close(s->scan);
	arena_free(&s->arena);
	s->scan = NULL;
}
