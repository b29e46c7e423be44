/*
 * delete.h - the border between the files of deleting: delete.c threads, delete_runs.c runs,
 * delete_secure.c what is left of them in the file. Internal.
 */
#ifndef DELETE_H
#define DELETE_H

#include "drop_pace.h"

struct victim {
	struct ckpt_view thread;
	bool blob; /* kept as BLOB */
};

struct ckpt_delete {
	struct ckpt_store *store; /* while planning */
	struct ckpt_error *err;
	struct ckpt_delete_sum sum;
	struct victim *victims; /* threads */
	size_t n;
	struct ckpt_prune *runs; /* what goes of runs; or NULL */
	/* while running */
	struct edit *edit;
	struct drop_pace pace;
	const struct ckpt_config *config;
	const struct ckpt_delete_how *how;
	struct ckpt_deleted *gone;
};

/* delete_runs.c */
int delete_plan_runs(struct ckpt_delete *, const struct ckpt_delete_want *);
int delete_runs(struct ckpt_delete *);

/* delete_secure.c: before the first row goes, and after the last. */
int delete_secure_start(struct ckpt_delete *);
int delete_secure_end(struct ckpt_delete *);
/* Ended too early: how the rest of it is done, if anything is gone. */
void delete_secure_hint(const struct ckpt_delete *);

#endif
