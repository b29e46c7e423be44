/*
 * drop_left.h - writes of checkpoints that never came, of threads that go whole from a SQLite file.
 * Internal.
 */
#ifndef DROP_LEFT_H
#define DROP_LEFT_H

#include "drop_order.h"
#include "drop_pace.h"

struct drop_left { /* the caller fills the first five */
	struct edit *e;
	struct doomed *list;
	const struct drop_how *how;
	struct drop_sum *sum;
	struct drop_pace *pace;
	struct ckpt_buf count, take;
	struct left *v; /* threads that had more than go with them in one transaction */
	size_t n, cap;
};

int left_start(struct drop_left *);
/* In the transaction in which the last checkpoint of its thread went. 1: there are more than were
 * planned, and none went. */
int left_go(struct drop_left *, const struct drop_space *, int64_t *gone);
/* Those which that transaction had no time for. */
int left_rest(struct drop_left *);
void left_free(struct drop_left *);

#endif
