/*
 * tree.h - JSON text as a tree that two of can be compared. Internal to the differences.
 */
#ifndef TREE_H
#define TREE_H

#include "base.h"

enum tree_kind {
	TREE_NULL,
	TREE_BOOL,
	TREE_NUMBER,
	TREE_STRING,
	TREE_WHOLE, /* {"$bytes":…} and its like: one value, though it has members */
	TREE_LIST,
	TREE_SET,
	TREE_MAP
};

struct tree_node {
	uint64_t hash; /* equal for equal values, whatever the order of keys */
	size_t at, n;  /* its text */
	uint32_t key_n; /* in a map: its quoted key of so many bytes ends before the colon */
	uint32_t next;  /* the next child of the same parent; 0: none */
	uint32_t count; /* children; the first one follows its parent */
	uint32_t id;    /* of a message: the node of its id; 0: not a message */
	uint8_t kind;
	bool masked;
};

struct tree {
	struct ckpt_view text;
	struct tree_node *nodes; /* parents before children; the root is nodes[0] */
	uint32_t n, cap;
	bool marks; /* there are marked sets in it */
};

/* Which nodes do not count: called with the pointer of each, as C text. */
struct tree_mask {
	bool (*hides)(void *arg, const char *pointer);
	void *arg;
};

/* Read compact JSON. `mask` may be NULL. CKPT_ECORRUPT: it is not that; CKPT_ENOMEM. */
int tree_read(struct tree *out, struct ckpt_view text, const struct tree_mask *mask);
void tree_free(struct tree *);
#define TREE_NONE UINT32_MAX
/* The node a JSON Pointer leads to, or TREE_NONE. */
uint32_t tree_find(const struct tree *, struct ckpt_view pointer);
struct ckpt_view tree_text(const struct tree *, uint32_t node);
struct ckpt_view tree_key(const struct tree *, uint32_t node); /* in quotes */
/* The text without the marks of sets. */
void tree_copy(struct ckpt_buf *to, const struct tree *, uint32_t node);

#endif
