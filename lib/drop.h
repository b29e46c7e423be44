/*
 * drop.h - what a plan dooms goes: in short transactions beside live writers, each of which looks
 * again whether its plan still holds. Internal.
 *
 * A batch takes its checkpoints, their writes and (PostgreSQL) the blobs that only they named. A
 * namespace whose newest checkpoint is not the planned one any more, or where a checkpoint that goes
 * has more writes than planned, is left out of it and counted as moved; with a root that stays so do
 * the calls that hang on it. What goes was there when it was planned, then, and is in an archive made
 * since; but for a write that was put again by its own key, or after another one was taken out:
 * numbers do not tell.
 *
 * Killed at any moment, the store is whole; running the same again finishes it, and ends where one
 * run would have, but for what is too much to go together: there a head more may stay.
 */
#ifndef DROP_H
#define DROP_H

#include "doomed.h"
#include "edit.h"

struct drop_how {
	int64_t hold; /* ns that a transaction may hold locks; 0: 50 ms on SQLite, 1 s elsewhere */
	int64_t patience; /* ns that a batch comes again while others hold what it needs; 0: 10 s */
	bool secure; /* overwrite what is freed (SQLite) */
	/* called after each batch, outside a transaction; < 0 ends the run and is its result, which
	   is not an error of the store; or NULL */
	int (*progress)(void *arg, int64_t done, int64_t all);
	/* a namespace that was left out; or NULL */
	void (*moved)(void *arg, const struct ckpt_key *);
	void *arg;
};
struct drop_sum { /* rows that are gone, also after a failure */
	int64_t checkpoints, writes, blobs;
	int64_t threads; /* of which nothing is left */
	int64_t moved;   /* namespaces left out */
};

int drop_run(struct edit *, struct doomed *, const struct drop_how *,
		struct drop_sum *out);
int drop_run_sqlite(struct edit *, struct doomed *, const struct drop_how *,
		struct drop_sum *out);
int drop_run_postgres(struct edit *, struct doomed *, const struct drop_how *,
		struct drop_sum *out);

#endif
