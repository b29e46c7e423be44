/*
 * edit_lock.h - one ckpt at a time alters a store, or one a shard: edit_file.c for files,
 * edit_advisory.c for servers. A lock ends with its process. Internal.
 */
#ifndef EDIT_LOCK_H
#define EDIT_LOCK_H

#include "edit.h"

#define EDIT_SHARDS_MAX 4096

struct edit_lock {
	void (*free)(struct edit_lock *);
	int (*check)(struct edit_lock *); /* CKPT_EBUSY: it was lost; or NULL */
};

/* CKPT_EBUSY: another one has it; the text says who. `want` lives as long as the lock. */
int edit_lock_file(struct edit_lock **out, const struct store_name *,
		const struct edit_want *, struct ckpt_error *);
int edit_lock_advisory(struct edit_lock **out, struct sql_store *,
		const struct store_name *, const struct ckpt_config *,
		const struct edit_want *);

/* "…/agent.db is being altered by another ckpt: <who>", with what to do. */
int edit_lock_taken(struct ckpt_error *, const char *store, struct ckpt_view who);

#endif
