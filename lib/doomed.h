/*
 * doomed.h - the keys that a plan drops, in the order in which they were added; a few MiB of them
 * in memory, beyond that in a file that nobody sees. Internal.
 */
#ifndef DOOMED_H
#define DOOMED_H

#include "base.h"

struct doomed;
struct doomed_space {            /* a namespace, told once before its ids */
	struct ckpt_key key;     /* thread and ns; blob says how they are kept */
	struct ckpt_view newest; /* id of the newest checkpoint when it was planned */
	bool newest_blob;        /* … which is kept as BLOB */
	bool whole;              /* all of its checkpoints are dropped */
	bool ends_thread;        /* of the thread no checkpoint stays … */
	bool whole_thread;       /* … and it goes with all it has */
	int64_t count;           /* of checkpoints it had when it was planned */
	int64_t strays; /* of a whole one: writes it had of checkpoints that are not there */
	bool chains;    /* a checkpoint may need its parents: children must go first */
	struct ckpt_view
			caller; /* of a subgraph call: the root checkpoint that it follows */
	bool caller_blob;
	/* of one that follows a caller, or goes with a whole thread, and is not the root: the
	   newest root checkpoint when it was planned; or NULL */
	struct ckpt_view root_newest;
	bool root_newest_blob;
};
struct doomed_item {
	const struct doomed_space *space; /* lives until the next one comes */
	struct ckpt_key key;              /* lives until the next call */
	int64_t row;                      /* where the engine finds it (rowid), or -1 */
	int64_t writes;                   /* it had when it was planned */
};

int doomed_new(struct doomed **out, struct ckpt_error *);
int doomed_space(struct doomed *, const struct doomed_space *);
int doomed_add(struct doomed *, struct ckpt_view id, bool blob, int64_t row,
		int64_t writes);
size_t doomed_count(const struct doomed *);
/* From the first one again. Reading may be done many times, adding only before. */
int doomed_rewind(struct doomed *);
int doomed_next(struct doomed *, struct doomed_item *out); /* 1, 0 at the end, < 0 */
struct doomed_mark {                                       /* a place between two items */
	int64_t at, space;
};
struct doomed_mark doomed_here(const struct doomed *); /* before what comes next */
int doomed_seek(struct doomed *, struct doomed_mark);
void doomed_free(struct doomed *);

#endif
