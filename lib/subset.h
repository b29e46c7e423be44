/*
 * subset.h - the checkpoints of a store that somebody wants, who tells by their keys: the others
 * are passed over in the index and never read. Internal.
 */
#ifndef SUBSET_H
#define SUBSET_H

#include "backend.h"

struct subset;
/* As ckpt_scan_open with `pick`, which names whole threads at most; `wanted` is asked of each key
 * once, in their order. What lies beyond the one that is given may have been asked already. */
int subset_open(struct subset **out, struct ckpt_store *, const struct ckpt_pick *pick,
		bool (*wanted)(void *arg, const struct ckpt_checkpoint *), void *arg);
int subset_next(struct subset *, struct ckpt_checkpoint *out); /* 1, 0 at the end, < 0 */
void subset_close(struct subset *);

#endif
