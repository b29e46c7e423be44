/*
 * drop_order.h - in which order the rows of a piece of a plan go from a SQLite file. Internal.
 */
#ifndef DROP_ORDER_H
#define DROP_ORDER_H

#include "doomed.h"

struct drop_victim {
	struct ckpt_view id;
	int64_t row;   /* where it lies, or -1 */
	int64_t order; /* its row, or that of another which must not come after it */
	uint32_t space, at, block;
	bool blob;
	int64_t writes; /* it had when it was planned */
};

struct drop_space { /* a namespace of the piece */
	struct doomed_space s;
	int64_t mark;    /* where it stands in the list */
	int64_t version; /* of the file when it was seen to be as planned */
	bool seen, moved;
	size_t first, n; /* its victims as they were added */
	uint32_t thread; /* the first namespace of its thread in this piece */
	uint32_t unit;   /* those of one number go in one transaction; or DROP_ALONE */
};
#define DROP_ALONE UINT32_MAX

struct drop_piece { /* added in the order of the list: by thread, namespace, id */
	struct drop_victim *victims;
	struct drop_space *spaces;
	size_t n, nspaces;
};

/* `unit` and `thread` of each namespace, and `victims` as they are to go. */
void drop_order(struct drop_piece *);

#endif
