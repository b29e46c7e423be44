/*
 * drop_strays.c - rows that belonged to no checkpoint when they were planned, and that belong to
 * none in the transaction that deletes them.
 */
#include "edit.h"
#include "prune.h"

#define BATCH 200 /* keys in a transaction */

static const char drop_writes[] =
		"DELETE FROM {writes} WHERE thread_id = $1 AND checkpoint_ns = $2 "
		"AND checkpoint_id = $3 AND NOT EXISTS (SELECT 1 FROM {checkpoints} c "
		"WHERE c.thread_id = $1 AND c.checkpoint_ns = $2 AND c.checkpoint_id = "
		"$3)";
static const char drop_blob[] =
		"DELETE FROM {blobs} WHERE thread_id = $1 AND checkpoint_ns = $2 "
		"AND channel = $3 AND version = $4 AND NOT EXISTS (SELECT 1 FROM "
		"{checkpoints} c WHERE c.thread_id = $1 AND c.checkpoint_ns = $2 "
		"AND c.checkpoint -> 'channel_versions' ->> $3 = $4)";
/* A saver skips the insert of a version that is there; blobs first, as savers lock them. */
static const char lock_both[] =
		"LOCK TABLE {blobs}, {checkpoints} IN SHARE ROW EXCLUSIVE MODE";

static int drop_one(struct edit *e, const struct doomed_item *item, bool blobs)
{
	struct cell args[4];
	uint32_t n;

	sql_key_cells(args, &item->key);
	if (!blobs)
		return edit_exec(e, drop_writes, args, 3);
	memcpy(&n, item->key.id.p, sizeof(n));
	args[2] = (struct cell){ .kind = CELL_TEXT,
		.v = { (const char *)item->key.id.p + sizeof(n), n } };
	args[3] = (struct cell){ .kind = CELL_TEXT,
		.v = { (const char *)item->key.id.p + sizeof(n) + n,
				item->key.id.n - sizeof(n) - n } };
	return edit_exec(e, drop_blob, args, 4);
}

/* 1: there may be more. */
static int drop_batch(struct edit *e, struct doomed *from, bool blobs, int64_t *rows)
{
	struct doomed_item item;
	int64_t gone = 0;
	int n, rc = edit_begin(e), left = 1;

	if (rc >= 0 && blobs)
		rc = edit_exec(e, lock_both, NULL, 0);
	for (int i = 0; i < BATCH && rc >= 0 && (left = doomed_next(from, &item)) > 0;
			i++) {
		n = drop_one(e, &item, blobs);
		gone += n > 0 ? n : 0;
		rc = n < 0 ? n : 0;
	}
	rc = rc < 0 || left < 0 ? (rc < 0 ? rc : left) : edit_commit(e);
	if (rc < 0) {
		edit_rollback(e);
		return rc;
	}
	*rows += gone;
	return left;
}

static int drop_list(struct edit *e, struct doomed *from, bool blobs, int64_t *rows)
{
	const struct ckpt_store *s = &e->sql->base;
	int rc = doomed_count(from) ? doomed_rewind(from) : 0;

	if (rc < 0 || !doomed_count(from))
		return rc;
	while ((rc = drop_batch(e, from, blobs, rows)) > 0) {
		if (s->stop && s->stop(s->stop_arg))
			return ckpt_fail(
					e->err, CKPT_EINTERRUPTED, "stopped by a signal");
	}
	return rc;
}

int prune_drop_strays(struct ckpt_prune *p, struct edit *e, bool archived,
		struct ckpt_prune_done *out)
{
	int rc = drop_list(e, p->stray_writes, false, &out->writes);

	return rc < 0 || archived ? rc : drop_list(e, p->stray_blobs, true, &out->blobs);
}
