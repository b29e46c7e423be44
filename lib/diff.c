/*
 * diff.c - what has to change in one JSON text to get another, as few changes as possible.
 *
 * Two trees are walked together; what is still to do waits on a stack, so that changes come one
 * at a time and nothing recurses. Maps go by key, lists by the alignment of their items (messages
 * by id, others by content), sets by membership. Texts decide what is equal, hashes only align.
 * Knows no store.
 */
#include <string.h>

#include "diff.h"
#include "token.h"

static bool same_text(const struct ckpt_diff *d, uint32_t a, uint32_t b)
{
	return ckpt_view_eq(tree_text(&d->a, a), tree_text(&d->b, b));
}

static bool hidden(const struct ckpt_diff *d, uint32_t a, uint32_t b)
{
	return (a != NONE && d->a.nodes[a].masked) || (b != NONE && d->b.nodes[b].masked);
}

/* ---- what is to do --------------------------------------------------------------------------- */

static void *grown(void *p, size_t *cap, size_t size, bool *nomem)
{
	size_t more = *cap ? 2 * *cap : 64;
	void *q = realloc(p, more * size);

	if (!q) {
		*nomem = true;
		return p;
	}
	*cap = more;
	return q;
}

void diff_push(struct ckpt_diff *d, uint32_t a, uint32_t b, struct step step)
{
	if (hidden(d, a, b) || (a != NONE && b != NONE && same_text(d, a, b)))
		return;
	if (d->ntasks == d->captasks)
		d->tasks = grown(d->tasks, &d->captasks, sizeof(*d->tasks), &d->nomem);
	if (!d->nomem)
		d->tasks[d->ntasks++] = (struct task){ a, b, step };
}

/* Tasks from `at` on were pushed first to last: the first has to be on top. */
static void turn(struct ckpt_diff *d, size_t at)
{
	for (size_t i = at, k = d->ntasks; i + 1 < k; i++) {
		struct task t = d->tasks[i];

		d->tasks[i] = d->tasks[--k];
		d->tasks[k] = t;
	}
}

static uint32_t keep_step(struct ckpt_diff *d, struct step step)
{
	if (step.kind == BY_NOTHING)
		return NONE;
	if (d->nsteps == d->capsteps)
		d->steps = grown(d->steps, &d->capsteps, sizeof(*d->steps), &d->nomem);
	if (d->nomem || d->nsteps >= NONE)
		return NONE;
	d->steps[d->nsteps] = step;
	return (uint32_t)d->nsteps++;
}

/* ---- maps ------------------------------------------------------------------------------------ */

struct item *diff_children(struct ckpt_diff *d, const struct tree *t, uint32_t at)
{
	struct item *items = malloc((t->nodes[at].count + 1u) * sizeof(*items));
	uint32_t child = at + 1;

	d->nomem |= !items;
	for (uint32_t i = 0; items && i < t->nodes[at].count; i++) {
		items[i] = (struct item){ t->nodes[child].hash, child, NONE };
		child = t->nodes[child].next;
	}
	return items;
}

int diff_by_key(const void *x, const void *y)
{
	const struct item *a = x, *b = y;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return (a->node > b->node) - (a->node < b->node);
}

static int by_node(const void *x, const void *y)
{
	const struct item *a = x, *b = y;

	return (a->node > b->node) - (a->node < b->node);
}

static void hash_keys(const struct tree *t, struct item *items, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct ckpt_view key = tree_key(t, items[i].node);

		items[i].key = ckpt_hash(key);
	}
	qsort(items, n, sizeof(*items), diff_by_key);
}

/* Of equal hashes the keys themselves decide; there is hardly ever more than one. */
static void marry(struct ckpt_diff *d, struct item *a, uint32_t na, struct item *b,
		uint32_t nb)
{
	for (uint32_t i = 0, k = 0; i < na; i++) {
		while (k < nb && b[k].key < a[i].key)
			k++;
		for (uint32_t m = k; m < nb && b[m].key == a[i].key; m++) {
			if (b[m].other != NONE ||
					!ckpt_view_eq(tree_key(&d->a, a[i].node),
							tree_key(&d->b, b[m].node)))
				continue;
			a[i].other = b[m].node;
			b[m].other = a[i].node;
			break;
		}
	}
}

static void compare_maps(struct ckpt_diff *d, uint32_t a, uint32_t b, uint32_t up)
{
	struct item *x = diff_children(d, &d->a, a), *y = diff_children(d, &d->b, b);
	uint32_t nx = d->a.nodes[a].count, ny = d->b.nodes[b].count, same = 0;

	/* as a rule both have the same keys in the same order */
	while (x && y && same < nx && same < ny &&
			ckpt_view_eq(tree_key(&d->a, x[same].node),
					tree_key(&d->b, y[same].node))) {
		x[same].other = y[same].node;
		y[same].other = x[same].node;
		same++;
	}
	if (x && y && (same < nx || same < ny)) {
		hash_keys(&d->a, x + same, nx - same);
		hash_keys(&d->b, y + same, ny - same);
		marry(d, x + same, nx - same, y + same, ny - same);
		qsort(x + same, nx - same, sizeof(*x), by_node);
		qsort(y + same, ny - same, sizeof(*y), by_node);
	}
	for (uint32_t i = 0; x && y && i < nx; i++)
		diff_push(d, x[i].node, x[i].other,
				(struct step){ up, x[i].node, x[i].other, BY_KEY });
	for (uint32_t i = 0; x && y && i < ny; i++) {
		if (y[i].other == NONE)
			diff_push(d, NONE, y[i].node,
					(struct step){ up, NONE, y[i].node, BY_KEY });
	}
	free(x);
	free(y);
}

/* ---- changes --------------------------------------------------------------------------------- */

/* A key as a token of a pointer; what JSON escapes stays escaped. */
static void put_token(struct ckpt_buf *to, struct ckpt_view key)
{
	const char *p = (const char *)key.p + 1, *end = p + key.n - 2, *run = p;

	for (; p < end; p++) {
		if (*p != '~' && *p != '/')
			continue;
		ckpt_buf_add(to, run, (size_t)(p - run));
		ckpt_buf_puts(to, *p == '~' ? "~0" : "~1");
		run = p + 1;
	}
	ckpt_buf_add(to, run, (size_t)(end - run));
}

static void put_step(struct ckpt_diff *d, const struct step *s, bool of_b)
{
	uint32_t at = (of_b && s->b != NONE) || s->a == NONE ? s->b : s->a;

	ckpt_buf_puts(&d->path, "/");
	if (s->kind == BY_MEMBER)
		ckpt_buf_puts(&d->path, "-");
	else if (s->kind == BY_INDEX)
		ckpt_buf_addf(&d->path, "%u", at);
	else if (s->a != NONE)
		put_token(&d->path, tree_key(&d->a, s->a));
	else
		put_token(&d->path, tree_key(&d->b, s->b));
}

static void put_path(struct ckpt_diff *d, const struct step *last, bool of_b)
{
	size_t n = 0;

	d->path.n = 0;
	ckpt_buf_puts(&d->path, "\"");
	ckpt_buf_add(&d->path, d->prefix.p, d->prefix.n);
	for (uint32_t i = last->kind == BY_NOTHING ? NONE : last->up; i != NONE;
			i = d->steps[i].up) {
		if (n == d->capchain)
			d->chain = grown(d->chain, &d->capchain, sizeof(*d->chain),
					&d->nomem);
		if (d->nomem)
			return;
		d->chain[n++] = i;
	}
	while (n)
		put_step(d, &d->steps[d->chain[--n]], of_b);
	if (last->kind != BY_NOTHING)
		put_step(d, last, of_b);
	ckpt_buf_puts(&d->path, "\"");
}

static int emit(struct ckpt_diff *d, const struct task *t, struct ckpt_change *out)
{
	*out = (struct ckpt_change){ .op = CKPT_REPLACE };
	d->old.n = d->now.n = 0;
	if (t->a == NONE)
		out->op = CKPT_ADD;
	else if (t->b == NONE)
		out->op = CKPT_REMOVE;
	put_path(d, &t->step, out->op == CKPT_ADD && !d->patch);
	if (t->a != NONE)
		tree_copy(&d->old, &d->a, t->a);
	if (t->b != NONE)
		tree_copy(&d->now, &d->b, t->b);
	if (d->nomem || d->path.failed || d->old.failed || d->now.failed)
		return CKPT_ENOMEM;
	out->path = ckpt_buf_view(&d->path);
	if (t->a != NONE)
		out->old = ckpt_buf_view(&d->old);
	if (t->b != NONE)
		out->now = ckpt_buf_view(&d->now);
	return 1;
}

/* 1 if the pair differs as a whole, else what differs inside is on the stack. */
static int open_pair(struct ckpt_diff *d, const struct task *t)
{
	uint8_t kind = d->a.nodes[t->a].kind;
	size_t at = d->ntasks;
	uint32_t up;

	if (kind != d->b.nodes[t->b].kind || kind < TREE_LIST)
		return 1;
	up = keep_step(d, t->step);
	if (d->nomem)
		return CKPT_ENOMEM;
	if (kind == TREE_MAP)
		compare_maps(d, t->a, t->b, up);
	else
		diff_lists(d, t->a, t->b, up, kind == TREE_SET);
	turn(d, at);
	return d->nomem ? CKPT_ENOMEM : 0;
}

int ckpt_diff_next(struct ckpt_diff *d, struct ckpt_change *out)
{
	if (d->nomem)
		return CKPT_ENOMEM;
	while (d->ntasks) {
		struct task t = d->tasks[--d->ntasks];
		int rc = t.a == NONE || t.b == NONE ? 1 : open_pair(d, &t);

		if (rc < 0)
			return rc;
		if (rc > 0)
			return emit(d, &t, out);
	}
	return 0;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int start(struct ckpt_diff *d, struct ckpt_view pointer)
{
	uint32_t a = tree_find(&d->a, pointer), b = tree_find(&d->b, pointer);
	struct ckpt_buf quoted = { 0 };

	if (a == NONE && b == NONE)
		return CKPT_ENOTFOUND;
	json_string(&quoted, pointer, true);
	if (!quoted.failed)
		ckpt_buf_add(&d->prefix, quoted.p + 1, quoted.n - 2);
	diff_push(d, a, b, (struct step){ NONE, NONE, NONE, BY_NOTHING });
	if (quoted.failed || d->prefix.failed || d->nomem)
		d->nomem = true;
	ckpt_buf_free(&quoted);
	return d->nomem ? CKPT_ENOMEM : 0;
}

int ckpt_diff_open(struct ckpt_diff **out, struct ckpt_view a, struct ckpt_view b,
		const struct ckpt_compare *how)
{
	struct tree_mask mask = { how->mask, how->arg };
	struct ckpt_diff *d = calloc(1, sizeof(*d));
	int rc = d ? 0 : CKPT_ENOMEM;

	*out = d;
	if (!d)
		return rc;
	d->patch = how->patch;
	rc = tree_read(&d->a, a, how->mask ? &mask : NULL);
	rc = rc < 0 ? rc : tree_read(&d->b, b, how->mask ? &mask : NULL);
	rc = rc < 0 ? rc : start(d, how->path.p ? how->path : CKPT_LIT(""));
	if (rc < 0) {
		ckpt_diff_close(d);
		*out = NULL;
	}
	return rc;
}

void ckpt_diff_close(struct ckpt_diff *d)
{
	if (!d)
		return;
	tree_free(&d->a);
	tree_free(&d->b);
	ckpt_buf_free(&d->prefix);
	ckpt_buf_free(&d->path);
	ckpt_buf_free(&d->old);
	ckpt_buf_free(&d->now);
	free(d->steps);
	free(d->tasks);
	free(d->chain);
	free(d);
}
