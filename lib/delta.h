/*
 * delta.h - how PostgreSQL marks a snapshot, for the files about delta channels. Internal.
 */
#ifndef DELTA_H
#define DELTA_H

#include "base.h"

/* Channels the engine makes for itself are never delta channels. */
bool delta_is_internal(struct ckpt_view channel);
/* Does the store keep plain values in the checkpoint and others in blobs, with `true` in the
 * checkpoint for a snapshot, and null for nothing? */
bool delta_inlines(const struct ckpt_store *);
/* Is this, of a delta channel, only the mark of a snapshot whose blob is not there? */
bool delta_mark(const struct ckpt_store *, const struct ckpt_value *);
/* The channels that metadata counts as delta channels. False: it cannot be read to its end. */
bool delta_counters(struct ckpt_view meta, void (*name)(void *arg, struct ckpt_view),
		void *arg);
/* Could the blob be there? A store without its table was told so when it was opened. */
bool delta_has_blobs(struct ckpt_store *);

#endif
