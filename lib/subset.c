/*
 * subset.c - a scan of keys, and for each run of neighbours that are wanted a scan of rows.
 *
 * A store that is mostly dead is read as far as it lives: rows come by bounds of their ids, so
 * neither engine touches payloads in between. A run ends with its namespace, or when it is long
 * enough that one more question does not matter.
 */
#include <stdlib.h>

#include "subset.h"

#define RUN_MOST 512

struct subset {
	struct ckpt_store *store;
	struct ckpt_pick pick;
	bool (*wanted)(void *arg, const struct ckpt_checkpoint *);
	void *arg;
	struct ckpt_scan *keys, *rows;
	struct ckpt_checkpoint next; /* of `keys`: wanted, and in no run yet */
	bool ahead;                  /* `next` holds one */
	struct arena arena;          /* the bounds of the run at hand */
	struct ckpt_buf last;        /* the id it ends with */
	int64_t left;                /* rows of it that are still to come */
};

int subset_open(struct subset **out, struct ckpt_store *store,
		const struct ckpt_pick *pick,
		bool (*wanted)(void *arg, const struct ckpt_checkpoint *), void *arg)
{
	struct subset *s = calloc(1, sizeof(*s));
	struct ckpt_pick keys = *pick;
	int rc;

	*out = s;
	if (!s)
		return ckpt_fail(store->err, CKPT_ENOMEM, "out of memory");
	s->store = store;
	s->pick = *pick;
	s->wanted = wanted;
	s->arg = arg;
	keys.depth = CKPT_KEYS;
	keys.writes = false;
	rc = ckpt_scan_open(&s->keys, store, &keys);
	if (rc < 0) {
		subset_close(s);
		*out = NULL;
	}
	return rc;
}

void subset_close(struct subset *s)
{
	if (!s)
		return;
	ckpt_scan_close(s->rows);
	ckpt_scan_close(s->keys);
	arena_free(&s->arena);
	ckpt_buf_free(&s->last);
	free(s);
}

static bool is_near(const struct ckpt_key *a, const struct ckpt_key *b)
{
	return a->blob == b->blob && ckpt_view_eq(a->thread, b->thread) &&
	       ckpt_view_eq(a->ns, b->ns);
}

/* The next key: 1, and whether it is wanted. */
static int next_key(struct subset *s)
{
	int rc = ckpt_scan_next(s->keys, &s->next);

	s->ahead = rc > 0 && s->wanted(s->arg, &s->next);
	return rc;
}

/* As many wanted keys as stand together. */
static int take_run(struct subset *s, struct ckpt_key *key)
{
	struct ckpt_error *err = s->store->err;
	int rc = 1;

	arena_reset(&s->arena);
	*key = s->next.key;
	key->thread = arena_copy(&s->arena, key->thread, err);
	key->ns = arena_copy(&s->arena, key->ns, err);
	key->id = arena_copy(&s->arena, key->id, err);
	s->left = 0;
	do {
		s->last.n = 0;
		ckpt_buf_add(&s->last, s->next.key.id.p, s->next.key.id.n);
		s->left++;
		rc = next_key(s);
	} while (rc > 0 && s->ahead && s->left < RUN_MOST && is_near(key, &s->next.key));
	if (s->last.failed)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	return rc < 0 ? rc : err->code;
}

static int open_run(struct subset *s)
{
	struct ckpt_pick pick = s->pick;
	int rc = 1;

	while (rc > 0 && !s->ahead)
		rc = next_key(s);
	if (rc <= 0)
		return rc;
	rc = take_run(s, &pick.key);
	if (s->left > 1) {
		pick.from = pick.key.id;
		pick.upto = ckpt_buf_view(&s->last);
		pick.key.id = (struct ckpt_view){ 0 };
	}
	rc = rc < 0 ? rc : ckpt_scan_open(&s->rows, s->store, &pick);
	return rc < 0 ? rc : 1;
}

int subset_next(struct subset *s, struct ckpt_checkpoint *out)
{
	int rc = s->rows ? ckpt_scan_next(s->rows, out) : 0;

	while (rc == 0) {
		ckpt_scan_close(s->rows);
		s->rows = NULL;
		/* one without a key, say: it cannot be asked for */
		if (s->left)
			return ckpt_fail(s->store->err, CKPT_ECORRUPT,
					"%lld checkpoints are not found by their keys; "
					"ckpt check says more",
					(long long)s->left);
		rc = open_run(s);
		if (rc <= 0)
			return rc;
		rc = ckpt_scan_next(s->rows, out);
	}
	s->left -= rc > 0;
	return rc;
}
