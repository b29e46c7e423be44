/*
 * plan_budget.h - how far back threads have to be cut so that they, and all together, fit into
 * limits of size. Pure, as plan.h is: it goes by sums of what may be dropped, and says for each
 * thread from which time on everything stays. What then has to stay as well is plan.h's; the
 * difference comes back as `extra`, for another turn on the same numbers. Internal.
 */
#ifndef PLAN_BUDGET_H
#define PLAN_BUDGET_H

#include "base.h"
#include "ckpt_size.h"

struct budget_item { /* a checkpoint that rules and guards let go */
	size_t thread;
	int64_t time; /* CKPT_UNKNOWN counts as the oldest */
	int64_t bytes;
};
struct budget_thread {
	int64_t bytes;       /* of all its checkpoints */
	int64_t newest;      /* time, or CKPT_UNKNOWN */
	int64_t extra;       /* it has to lose so much more than it seems */
	int64_t cut;         /* out: older items go; CKPT_UNKNOWN: none, INT64_MAX: all */
	int64_t goes;        /* out: bytes of them */
	bool alone;          /* out: its own limit was reason enough for that cut */
	size_t first, count; /* its items, once they are sorted */
};
struct budget {
	struct budget_thread *threads;
	struct budget_item *items; /* in any order; they are sorted */
	size_t nthreads, nitems;
	int64_t max_thread, max_size; /* CKPT_UNKNOWN: no limit */
	int64_t low_water;            /* percent of a limit at which to stop */
	int64_t live;                 /* bytes of all threads */
	int64_t extra;                /* of the store, as in a thread */
	enum ckpt_size_order order;
};

int budget_cut(struct budget *, struct ckpt_error *);
/* What a limit leaves once it was exceeded. */
int64_t budget_mark(int64_t limit, int64_t low_water);

#endif
