/*
 * list_sizes.h - sizes and branch heads of many threads at once.
 */
#ifndef LIST_SIZES_H
#define LIST_SIZES_H

#include "cmd.h"

struct list_size {
	struct ckpt_view thread;
	bool blob;     /* kept as BLOB */
	int64_t size;  /* out: of its checkpoints, their writes and blobs */
	int64_t heads; /* out: of the root namespace */
};
/* `rows` in the order of a scan: TEXT before BLOB, then bytes. Each table is read once as it
 * lies, where a scan for each thread would visit the same pages again and again. */
int list_sizes(struct cli *, struct list_size *rows, size_t n);

#endif
