/*
 * drop_order.c - the order in which doomed checkpoints go from a SQLite file: nearly that in which
 * rows lie, so that neighbours are gone together, and pages become free whole and are never
 * written. Transactions, and what was written since the plan, are drop_sqlite.c's.
 *
 * A run may be killed after any transaction, and what is left is planned once more. The new plan
 * must come to the same end, so what is left must look to it as before:
 * - A checkpoint whose children are gone is the head of a branch, and stays; its question was never
 *   gone on from, and stays. So the least id of a namespace goes first.
 * - But values may have to be put together from those at the parents. Where that may be so, what is
 *   left would load with less in it if its parents went first, and look like a head if its children
 *   did. So such a namespace is a unit, which goes in one transaction; one that takes too long is
 *   cut nevertheless, and then its greater ids have gone.
 * - Whether a whole thread goes, any of its checkpoints may have told: it is a unit, too.
 * - A call stays where its caller does not, and goes where that one does: it goes first.
 */
#include <stdlib.h>

#include "drop_order.h"

#define BLOCK 8192 /* checkpoints */

static int id_cmp(const struct drop_victim *v, struct ckpt_view id, bool blob)
{
	return v->blob != blob ? (v->blob ? 1 : -1) : ckpt_view_cmp(v->id, id);
}

/* The doomed caller of a call, among what goes of the root; or NULL. */
static struct drop_victim *find_caller(struct drop_piece *p, const struct drop_space *s)
{
	const struct drop_space *root = &p->spaces[s->thread];
	struct drop_victim *v = p->victims + root->first;
	size_t n = root->s.key.ns.n || !s->s.caller.p ? 0 : root->n;

	while (n) {
		int d = id_cmp(v + n / 2, s->s.caller, s->s.caller_blob);

		if (d == 0)
			return v + n / 2;
		v += d < 0 ? n / 2 + 1 : 0;
		n = d < 0 ? n - n / 2 - 1 : n / 2;
	}
	return NULL;
}

static bool same_thread(const struct drop_space *a, const struct drop_space *b)
{
	return ckpt_view_eq(a->s.key.thread, b->s.key.thread) &&
	       !((a->s.key.blob ^ b->s.key.blob) & CKPT_BLOB_THREAD);
}

static void find_units(struct drop_piece *p)
{
	for (size_t i = 0; i < p->nspaces; i++) {
		struct drop_space *s = &p->spaces[i];

		s->thread = i && same_thread(s - 1, s) ? s[-1].thread : (uint32_t)i;
		s->unit = s->s.whole_thread ? s->thread
		          : s->s.chains     ? (uint32_t)i
		                            : DROP_ALONE;
	}
}

/* None before a lesser id of its namespace, a caller not before its call. */
static void order_space(struct drop_piece *p, const struct drop_space *s)
{
	struct drop_victim *v = p->victims + s->first, *caller = find_caller(p, s);
	int64_t last = INT64_MIN;

	for (size_t i = 0; i < s->n; i++) {
		if (v[i].order < last)
			v[i].order = last;
		last = v[i].order;
	}
	if (caller && caller->order < last)
		caller->order = last;
}

/* All of a unit, from the first to the last of its namespaces, after the last of its rows. */
static void order_unit(struct drop_piece *p, const struct drop_space *s, size_t n)
{
	const struct drop_space *end = s + n - 1;
	struct drop_victim *v = p->victims + s->first,
			   *stop = p->victims + end->first + end->n;
	int64_t last = INT64_MIN;

	for (struct drop_victim *at = v; at < stop; at++)
		last = at->order > last ? at->order : last;
	for (; v < stop; v++)
		v->order = last;
}

/* A caller may have the place of its call: then the call is before it. */
static int by_order(const void *pa, const void *pb)
{
	const struct drop_victim *a = pa, *b = pb;

	if (a->order != b->order)
		return a->order < b->order ? -1 : 1;
	if (a->space != b->space)
		return a->space > b->space ? -1 : 1;
	return a->at < b->at ? -1 : 1;
}

/* Threads from the last to the first; of a thread the root is the first, and goes last. */
static int by_key(const void *pa, const void *pb)
{
	const struct drop_victim *a = pa, *b = pb;

	if (a->space != b->space)
		return a->space > b->space ? -1 : 1;
	return a->at < b->at ? -1 : 1;
}

static int by_block(const void *pa, const void *pb)
{
	const struct drop_victim *a = pa, *b = pb;

	return a->block != b->block ? (a->block < b->block ? -1 : 1) : by_order(pa, pb);
}

/* The greatest id first. */
static void turn_round(struct drop_piece *p, const struct drop_space *s)
{
	for (size_t i = 0; i < s->n; i++)
		p->victims[s->first + i].at = (uint32_t)(s->first + s->n - 1 - i);
}

static void order_all(struct drop_piece *p)
{
	/* from the end: calls before the root, whose order they may change */
	for (size_t i = p->nspaces, n = 1; i--; n++) {
		const struct drop_space *s = &p->spaces[i];

		if (s->s.chains)
			turn_round(p, s);
		order_space(p, s);
		if (i && s->unit != DROP_ALONE && s[-1].unit == s->unit)
			continue;
		if (s->unit != DROP_ALONE)
			order_unit(p, s, n);
		n = 0;
	}
}

/* By key, for the sake of the indexes, in blocks; in a block as the rows lie, for the tables'. Where
 * threads take turns in writing, rows alone would write each page of an index many times, and keys
 * alone each page of a table: one that loses its rows at once, after the page before it, becomes
 * free without having been written. A unit is in one block. */
void drop_order(struct drop_piece *p)
{
	struct drop_victim *v = p->victims;

	for (size_t i = 0; i < p->n; i++)
		v[i].order = v[i].row;
	find_units(p);
	order_all(p);
	if (!p->n)
		return;
	qsort(v, p->n, sizeof(*v), by_key);
	for (size_t i = 0; i < p->n; i++) {
		uint32_t unit = p->spaces[v[i].space].unit;

		v[i].block = i && unit != DROP_ALONE && p->spaces[v[i - 1].space].unit == unit
		                             ? v[i - 1].block
		                             : (uint32_t)(i / BLOCK);
	}
	qsort(v, p->n, sizeof(*v), by_block);
}
