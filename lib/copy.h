/*
 * copy.h - rows of a thread under another thread's id, in the engine, all else unchanged: ids, and
 * with them tasks, interrupts and namespaces of subgraphs, stay valid. Internal.
 */
#ifndef COPY_H
#define COPY_H

#include "edit.h"

struct copy_item { /* a checkpoint, by namespace and id */
	struct ckpt_view ns, id;
	unsigned blob; /* CKPT_BLOB_NS, CKPT_BLOB_ID */
	bool writes;   /* its writes, too */
};
struct copy_set {
	struct arena arena; /* what the items borrow */
	struct copy_item *v;
	size_t n;
};
/* What a new thread needs to stand where this checkpoint of the root namespace stands: it, its
 * ancestors and their writes, and what subgraphs wrote for them. `step`: also what its own tasks
 * have done so far, writes and subgraphs; else they run again. */
int copy_set_at(struct copy_set *out, struct ckpt_store *, const struct ckpt_key *at,
		bool step);
void copy_set_free(struct copy_set *);

struct copy_want {
	struct ckpt_view thread, to; /* `to` is kept as TEXT */
	bool blob;                   /* `thread` is kept as BLOB */
	const struct copy_set *set;  /* NULL: every row of the thread */
};
/* 1 if any table has a row of this thread, 0 if none. */
int copy_exists(struct sql_store *, struct ckpt_view thread, bool blob);
/* CKPT_EREFUSED: any table has a row of it. */
int copy_refuse(struct sql_store *, struct ckpt_view to);
int copy_count(struct sql_store *, const struct copy_want *, struct ckpt_receipt *out);
/* In the transaction of the caller. CKPT_EREFUSED: `to` is there; CKPT_EBUSY: a checkpoint of the
 * set is not there any more. */
int copy_rows(struct edit *, const struct copy_want *, struct ckpt_receipt *out);

#endif
