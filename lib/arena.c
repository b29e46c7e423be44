/*
 * arena.c - memory that is given out in pieces and freed or reset as a whole.
 *
 * A scan takes everything it returns from one arena and resets it at each step. Built
 * with CKPT_ASAN_ARENA every piece is an allocation of its own and a reset frees them
 * all, so that the use of a stale view, or one byte too many, is caught by the address
 * sanitizer.
 */
#include <stdlib.h>
#include <string.h>

#include "base.h"

#define ARENA_FIRST ((size_t)4096)
#define ARENA_MOST ((size_t)1 << 20) /* doubling stops; larger pieces have their own */

struct arena_block {
	struct arena_block *next;
	size_t size, used;
	_Alignas(16) unsigned char data[];
};

static struct arena_block *add_block(struct arena *a, size_t size)
{
	struct arena_block *block;

	if (size > SIZE_MAX / 2)
		return NULL;
	block = malloc(sizeof(*block) + size);
	if (!block)
		return NULL;
	block->next = a->head;
	block->size = size;
	block->used = 0;
	a->head = block;
	return block;
}

#ifdef CKPT_ASAN_ARENA
static struct arena_block *block_for(struct arena *a, size_t n)
{
	return add_block(a, n);
}
#else
static struct arena_block *block_for(struct arena *a, size_t n)
{
	struct arena_block *block = a->head;
	size_t size = a->next_size ? a->next_size : ARENA_FIRST;

	if (block && n <= block->size - block->used)
		return block;
	block = add_block(a, n > size ? n : size);
	if (block)
		a->next_size = size < ARENA_MOST ? size * 2 : size;
	return block;
}
#endif

void *arena_take(struct arena *a, size_t n, struct ckpt_error *err)
{
	struct arena_block *block;
	size_t rounded = (n + 15) & ~(size_t)15;
	void *p;

	block = rounded < n ? NULL : block_for(a, n);
	if (!block) {
		ckpt_fail(err, CKPT_ENOMEM, "out of memory (%zu bytes wanted)", n);
		return NULL;
	}
	p = block->data + block->used;
	/* The last piece of a block may end short of the alignment. */
	if (rounded < block->size - block->used)
		block->used += rounded;
	else
		block->used = block->size;
	return p;
}

struct ckpt_view arena_copy(
		struct arena *a, struct ckpt_view from, struct ckpt_error *err)
{
	char *p;

	if (!from.p)
		return from;
	p = from.n < SIZE_MAX ? arena_take(a, from.n + 1, err) : NULL;
	if (!p)
		return (struct ckpt_view){ NULL, 0 };
	if (from.n)
		memcpy(p, from.p, from.n);
	p[from.n] = '\0';
	return (struct ckpt_view){ p, from.n };
}

static void free_blocks(struct arena_block *block)
{
	while (block) {
		struct arena_block *next = block->next;

		free(block);
		block = next;
	}
}

#ifdef CKPT_ASAN_ARENA
void arena_reset(struct arena *a)
{
	free_blocks(a->head);
	a->head = NULL;
}
#else
void arena_reset(struct arena *a)
{
	struct arena_block *keep = a->head, *block;
	struct arena_block **link;

	/* The largest is kept: the next step most likely wants as much as this one. */
	for (block = a->head; block; block = block->next)
		if (block->size > keep->size)
			keep = block;
	if (!keep)
		return;
	for (link = &a->head; *link != keep;)
		link = &(*link)->next;
	*link = keep->next;
	free_blocks(a->head);
	keep->next = NULL;
	keep->used = 0;
	a->head = keep;
}
#endif

void arena_free(struct arena *a)
{
	free_blocks(a->head);
	*a = (struct arena){ 0 };
}
