/*
 * dump_index.h - between the pass over a dump (dump_index.c) and its names (dump_names.c).
 */
#ifndef DUMP_INDEX_H
#define DUMP_INDEX_H

#include "dump.h"

/* The place of a name in the order of appearance, or DUMP_NONE and an error. */
uint32_t dump_name_add(
		struct dump_names *, struct ckpt_view, bool blob, struct ckpt_error *);
/* Sort; (*rank)[place] is the number from now on. The caller frees it. */
int dump_names_sort(struct dump_names *, uint32_t **rank, struct ckpt_error *);

#endif
