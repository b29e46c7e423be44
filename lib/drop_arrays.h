/*
 * drop_arrays.h - what goes next, as arrays that one statement of PostgreSQL takes. Internal.
 *
 * A batch is some threads whole, or a part of one. A thread that does not fit is taken from its
 * end: namespaces of subgraphs go before their callers, without whom a new plan would leave them.
 * Of a namespace that does not fit the least ids go first: what is left of it then lies between
 * what is gone and a newer one, where no checkpoint looks like the head of a branch, which a new
 * plan would keep. But where one may load from its parents the greatest go first, for nothing may
 * be left that cannot be loaded.
 */
#ifndef DROP_ARRAYS_H
#define DROP_ARRAYS_H

#include "doomed.h"

/* A row is a namespace: thread, ns, newest id as planned; how many checkpoints it has if all of
 * them go, else 0; whether its newest one went in an earlier batch; ids of those that go now; the
 * newest id of the root as planned, if what becomes of this namespace hangs on that; how many writes
 * go, as planned: of a whole thread, in one of its rows, also those of no checkpoint. */
enum drop_column {
	DROP_THREAD,
	DROP_NS,
	DROP_NEWEST,
	DROP_WHOLE,
	DROP_HEADLESS,
	DROP_IDS,
	DROP_ROOT,
	DROP_WRITES,
	DROP_COLUMNS
};

struct drop_space {        /* a namespace of `thread` */
	size_t ns, newest; /* where they begin in `names` */
	size_t root;       /* likewise; or 0, there is none */
	size_t ids, least; /* where they begin in `ids`, and those that are not taken yet */
	int64_t left;   /* … how many: of the last namespace they are the last ones */
	int64_t count;  /* checkpoints it has */
	int64_t writes; /* of a whole thread: that go */
	bool whole;     /* all of its checkpoints go */
	bool chains;    /* the greatest go first */
	bool headless;  /* its newest one is taken */
};
struct drop_thread {
	struct ckpt_buf names; /* each ends in a NUL, which none can hold; first the thread's */
	/* likewise, what is not taken yet: how many writes, a blank, the id */
	struct ckpt_buf ids;
	struct drop_space *spaces;
	size_t nspaces, cap; /* of those of which something is left */
	int64_t left;
	int64_t strays; /* its writes of no checkpoint */
	bool whole;     /* it goes with all it has */
};
struct drop_arrays {
	struct doomed *list;
	struct ckpt_error *err;
	struct doomed_item item;
	bool has_item;             /* `item` comes next */
	struct drop_thread thread; /* the one that is being taken */
	struct ckpt_buf ids;
	/* the batch */
	struct ckpt_buf columns[DROP_COLUMNS];
	int64_t items, threads;
	int64_t rows;    /* checkpoints that its namespaces have, with those that stay */
	bool by_threads; /* whole threads; ids are not told */
};

/* The next batch, of about `limit` items: 1, 0 at the end, < 0. */
int drop_arrays_fill(struct drop_arrays *, int64_t limit);
/* Of this namespace nothing more goes. How many items that are. */
int64_t drop_arrays_skip(struct drop_arrays *, const struct ckpt_key *);
void drop_arrays_free(struct drop_arrays *); /* what it holds; not the list */

#endif
