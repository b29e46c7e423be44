/*
 * plan_close.c - what stays because of what stays: the namespaces of subgraph calls follow their
 * caller, both ways, and what payloads ask for is taken in turn by turn.
 *
 * Everything here only adds, and adds the same in whatever order it is told.
 */
#include "plan.h"

#define BIT(why) (UINT32_C(1) << (why))

static struct plan_space *space_of(const struct plan *p, size_t fact)
{
	size_t lo = 0, hi = p->nspaces;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (p->spaces[mid].first <= fact)
			lo = mid;
		else
			hi = mid;
	}
	return &p->spaces[lo];
}

static int by_caller(const void *a, const void *b, void *arg)
{
	const struct plan_space *spaces = arg;
	const size_t x = *(const size_t *)a, y = *(const size_t *)b;

	if (spaces[x].caller != spaces[y].caller)
		return spaces[x].caller < spaces[y].caller ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* True if it was not kept before. */
static bool mark(struct plan *p, size_t fact, enum ckpt_why why)
{
	struct plan_fact *f = &p->facts[fact];
	bool fresh = !f->why;

	f->why |= BIT(why);
	p->emptied = false;
	return fresh;
}

/* The first of the calls whose caller is not below this one. */
static size_t first_call(const struct plan *p, size_t caller)
{
	size_t lo = 0, hi = p->ncalls;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (p->spaces[p->calls[mid]].caller < caller)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void keep_calls(struct plan *p, size_t caller)
{
	for (size_t at = first_call(p, caller); at < p->ncalls; at++) {
		const struct plan_space *s = &p->spaces[p->calls[at]];

		if (s->caller != caller)
			return;
		for (size_t i = s->first; i < s->first + s->count; i++)
			mark(p, i, CKPT_WHY_SUBGRAPH);
	}
}

/* Of a namespace that follows no caller. */
static void keep_free(struct plan *p, size_t fact, enum ckpt_why why)
{
	if (!mark(p, fact, why))
		return;
	p->open[p->nopen++] = fact;
	keep_calls(p, fact);
}

void plan_keep(struct plan *p, size_t fact, enum ckpt_why why)
{
	size_t caller = space_of(p, fact)->caller;

	if (caller == SIZE_MAX) {
		keep_free(p, fact, why);
		return;
	}
	/* what a neighbour in the same call needs stays with it already: no news for the caller */
	if (p->facts[caller].why && (why == CKPT_WHY_DELTA || why == CKPT_WHY_SENDS)) {
		mark(p, fact, why);
		return;
	}
	mark(p, fact, why);
	keep_free(p, caller, CKPT_WHY_SUBGRAPH);
}

void plan_keep_all(struct plan *p, enum ckpt_why why)
{
	for (size_t i = 0; i < p->nfacts; i++)
		mark(p, i, why);
	p->nopen = 0;
}

/* ---- after the rules ---------------------------------------------------------------------- */

static size_t kept_in(const struct plan *p, const struct plan_space *s)
{
	size_t n = 0;

	for (size_t i = s->first; i < s->first + s->count; i++)
		n += p->facts[i].why != 0;
	return n;
}

/* A call of which something stays for its own sake holds its caller; then callers their calls. */
static void follow(struct plan *p)
{
	for (size_t at = 0; at < p->ncalls; at++) {
		const struct plan_space *s = &p->spaces[p->calls[at]];

		if (kept_in(p, s))
			p->facts[s->caller].why |= BIT(CKPT_WHY_SUBGRAPH);
	}
	for (size_t at = 0; at < p->ncalls; at++) {
		const struct plan_space *s = &p->spaces[p->calls[at]];

		for (size_t i = s->first;
				p->facts[s->caller].why && i < s->first + s->count; i++)
			p->facts[i].why |= BIT(CKPT_WHY_SUBGRAPH);
	}
}

void plan_settle(struct plan *p)
{
	p->emptied = p->nfacts > 0;
	p->nopen = p->ncalls = 0;
	for (size_t s = 0; s < p->nspaces; s++)
		if (p->spaces[s].caller != SIZE_MAX)
			p->calls[p->ncalls++] = s;
	qsort_r(p->calls, p->ncalls, sizeof(*p->calls), by_caller, p->spaces);
	if (p->policy->thin && !p->policy->whole)
		follow(p);
	for (size_t s = p->nspaces; s--;) {
		const struct plan_space *space = &p->spaces[s];
		size_t kept = kept_in(p, space);

		if (kept)
			p->emptied = false;
		if (kept == space->count)
			continue;
		/* given from the end: the oldest of the first namespace first */
		for (size_t i = space->first + space->count; i-- > space->first;)
			if (p->facts[i].why)
				p->open[p->nopen++] = i;
	}
}

bool plan_open(struct plan *p, size_t *out)
{
	if (!p->nopen)
		return false;
	*out = p->open[--p->nopen];
	p->facts[*out].seen = true;
	return true;
}

void plan_free(struct plan *p)
{
	free(p->open);
	free(p->calls);
	p->open = p->calls = NULL;
	p->nopen = p->ncalls = 0;
}
