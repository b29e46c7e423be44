/*
 * ckpt_prune.h - the part of ckpt.h, which includes it, that deletes: what a policy keeps, and the
 * run that drops the rest.
 */
#ifndef CKPT_PRUNE_H
#define CKPT_PRUNE_H

#include "ckpt.h"

enum ckpt_why { /* reasons to keep, bit numbers */
	CKPT_WHY_LAST,
	CKPT_WHY_WITHIN,
	CKPT_WHY_HOURLY,
	CKPT_WHY_DAILY,
	CKPT_WHY_WEEKLY,
	CKPT_WHY_MONTHLY,
	CKPT_WHY_WHERE,
	CKPT_WHY_THREAD,
	CKPT_WHY_HEAD,
	CKPT_WHY_INTERRUPT,
	CKPT_WHY_ANSWER,
	CKPT_WHY_DELTA,
	CKPT_WHY_SENDS,
	CKPT_WHY_SUBGRAPH,
	CKPT_WHY_STATEFUL,
	CKPT_WHY_MIN_AGE,
	CKPT_WHY_ACTIVE,
	CKPT_WHY_FUTURE,
	CKPT_WHY_UNDECODABLE,
	CKPT_WHY_NEWER,
	CKPT_WHYS,
	CKPT_WHY_OTHER = CKPT_WHYS /* not selected: stays, and is not counted */
};
extern const char *const ckpt_why_names[CKPT_WHYS]; /* as documents spell them */

/* Times and ages in ns; rules 0 are not given. They rank, each namespace for itself, the root's
 * checkpoints, those of stateful subgraphs (no ':'), and of calls whose caller is not known.
 * Of a policy in which none of thin, whole, orphans is set everything stays. */
struct ckpt_policy {
	bool thin; /* what no rule keeps is dropped; needed also where --keep-where is the only one */
	int64_t last, within, hourly, daily, weekly, monthly;
	bool whole; /* threads go whole, or stay whole */
	int64_t idle; /* … those whose newest checkpoint is older than this; 0: all selected */
	bool orphans; /* namespaces, writes and blobs that nothing leads to any more, too */
	/* guards */
	int64_t min_age, active_within; /* 0: off */
	bool lose_interrupted, lose_heads;
	bool lose_newest; /* also what the saver would load: not a policy, but a deletion */
	int64_t now;
	/* checkpoints newer than this stay, and do not count: CKPT_UNKNOWN: all count */
	int64_t upto;
};

#endif
