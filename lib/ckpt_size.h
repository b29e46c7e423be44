/*
 * ckpt_size.h - the part of ckpt.h, which includes it, that holds checkpoints, threads and stores
 * against limits of size, and plans what has to go so that they fit.
 *
 * What counts is live bytes: the sum of what goes when a checkpoint goes. Files do not shrink by
 * deleting; that is why nothing here ever measures again what it has planned.
 */
#ifndef CKPT_SIZE_H
#define CKPT_SIZE_H

#include "ckpt_prune.h"

enum ckpt_size_order {    /* whose checkpoints go first, where the store is too large */
	CKPT_SIZE_IDLE,   /* of the thread that was not written to for longest */
	CKPT_SIZE_OLDEST, /* the oldest, of whatever thread */
	CKPT_SIZE_LARGEST /* of the largest thread */
};

struct ckpt_size_limits { /* CKPT_UNKNOWN: none */
	int64_t max_checkpoint, max_thread, max_size;
	int64_t low_water; /* percent of a limit that a plan comes down to; 100: to the limit */
	bool file;         /* max_size is of the file, once free pages are given back */
	enum ckpt_size_order order;
	/* Told while measuring: a checkpoint (LINKS) that needs more than max_checkpoint to be
	 * loaded, in the order of keys; and a thread above max_thread. < 0 ends it. Or NULL. */
	int (*checkpoint)(void *to, const struct ckpt_checkpoint *, int64_t state_bytes);
	int (*thread)(void *to, const struct ckpt_key *, int64_t bytes);
	void *to;
};

struct ckpt_size_sum {
	int64_t live;     /* bytes of all checkpoints */
	int64_t measured; /* … or of the file, if that was asked for */
	int64_t allowed;  /* live bytes that max_size leaves; CKPT_UNKNOWN: no limit */
	int64_t largest_checkpoint, largest_thread; /* 0: there is none */
	int64_t large_checkpoints, large_threads;   /* how many are above their limit */
	bool over;       /* live bytes are more than is allowed */
	bool reached;    /* of a plan: what stays fits, threads and store */
	int64_t left;    /* of a plan: live bytes that stay */
	int64_t skipped; /* of a plan: threads that are in use, and were left alone for it */
};

struct ckpt_size;
/* One pass over keys, links and sizes. `limits` must outlive it. */
int ckpt_size_measure(struct ckpt_size **out, struct ckpt_store *,
		const struct ckpt_size_limits *);
/* What has to go. The rule of the policy is the floor: what `last` keeps, and what guards keep,
 * stays. Of the scope only space, item, progress and `to` count. */
int ckpt_size_plan(struct ckpt_prune **out, struct ckpt_size *,
		const struct ckpt_policy *, const struct ckpt_prune_scope *);
void ckpt_size_about(const struct ckpt_size *, struct ckpt_size_sum *out);
/* Why the thread loses something: true for its own limit, false for the store's. */
bool ckpt_size_own_limit(const struct ckpt_size *, const struct ckpt_key *);
void ckpt_size_free(struct ckpt_size *);

#endif
