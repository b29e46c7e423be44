/*
 * split.h - where to cut a list of weighted threads into ranges of about the same weight. Who
 * weighs them is a backend's business.
 */
#ifndef SPLIT_H
#define SPLIT_H

#include "base.h"

struct split_thread { /* threads in order, each once */
	struct ckpt_bound at;
	double weight;
};
/* At most n - 1 of them, ascending: each the first of a range. Returns how many. */
int split_choose(struct ckpt_bound *out, size_t n, const struct split_thread *,
		size_t count);

#endif
