/*
 * migrate_keep.h - which checkpoints `ckpt migrate` takes along: its options about that, and the
 * question the library asks of each key. Copying is the library's, telling is cmd_migrate.c's.
 */
#ifndef MIGRATE_KEEP_H
#define MIGRATE_KEEP_H

#include "policy.h"

struct keep_opts {
	struct rule_opts rules;
	struct select_opts select; /* threads and where */
	struct guard_opts guards;  /* ages */
};

struct keeping {
	struct cli *cli;
	struct keep_opts *o;
	struct selection select;
	struct ckpt_prune *plan; /* NULL: threads alone, or everything */
	bool by_meta;            /* a source without a history to plan over */
};

int keeping_check(struct cli *, const struct keep_opts *);
/* Finds out what is kept; `k` is zeroes but for cli and o. */
int keeping_open(struct keeping *);
bool keeping_all(const struct keeping *); /* nothing is left behind */
bool keeping_wants(struct keeping *, const struct ckpt_checkpoint *);
void keeping_close(struct keeping *);

#endif
