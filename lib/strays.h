/*
 * strays.h - writes whose checkpoint is not there, gathered by the key they are for. Internal.
 */
#ifndef STRAYS_H
#define STRAYS_H

#include "backend.h"

struct strays { /* at a key, if `has` */
	struct ckpt_key key;
	struct ckpt_write *writes; /* in any order */
	size_t n;
	bool has;
	bool (*wanted)(void *arg, const struct ckpt_checkpoint *); /* or NULL: all */
	void *arg;
	struct ckpt_store *store;
	struct ckpt_scan *scan;
	struct ckpt_checkpoint row; /* the first of the next key, if `ahead` */
	bool ahead;
	struct arena arena;
	size_t cap;
};
/* Of these bounds; `wanted` is set before. Then one key after the other. */
int strays_open(struct strays *, struct ckpt_store *, const struct ckpt_key *);
int strays_next(struct strays *);
void strays_close(struct strays *);

#endif
