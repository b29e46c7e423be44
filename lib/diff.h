/*
 * diff.h - what the two files of the differences share: the walk (diff.c), its lists (diff_list.c).
 */
#ifndef DIFF_H
#define DIFF_H

#include "tree.h"

#define NONE TREE_NONE

enum kind { BY_NOTHING, BY_KEY, BY_INDEX, BY_MEMBER };

struct step {          /* from a container to one of its children */
	uint32_t up;   /* steps[up] leads to the container; NONE: where it all began */
	uint32_t a, b; /* index in a list, or the node of a key; NONE: not on that side */
	uint8_t kind;
};

struct task {
	uint32_t a, b; /* nodes, or NONE: to be added, to be removed */
	struct step step;
};

struct item { /* a child with what it is found by */
	uint64_t key;
	uint32_t node, other;
};

struct ckpt_diff {
	struct tree a, b;
	bool patch;
	struct ckpt_buf prefix; /* the pointer it all began at, escaped as in JSON */
	struct step *steps;
	size_t nsteps, capsteps;
	struct task *tasks;
	size_t ntasks, captasks;
	uint32_t *chain; /* steps of one path, innermost first */
	size_t capchain;
	struct ckpt_buf path, old, now;
	bool nomem;
};

/* Something to do, unless there is nothing: equal texts, or masked. */
void diff_push(struct ckpt_diff *, uint32_t a, uint32_t b, struct step);
/* The children of a node with their hashes; the caller frees them. */
struct item *diff_children(struct ckpt_diff *, const struct tree *, uint32_t at);
int diff_by_key(const void *, const void *);
/* Push what differs in two lists, or in two sets. */
void diff_lists(struct ckpt_diff *, uint32_t a, uint32_t b, uint32_t up, bool sets);

#endif
