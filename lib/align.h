/*
 * align.h - which items of two lists belong together. Internal to the differences.
 */
#ifndef ALIGN_H
#define ALIGN_H

#include <stdint.h>

#define ALIGN_NONE UINT32_MAX

/* match[i] becomes the place in b of the item a[i], or ALIGN_NONE; pairs never cross. They are a
 * longest common subsequence unless more than some thousand items differ; then they are the
 * longest one of the items that occur once. 0 or CKPT_ENOMEM. */
int align_lists(uint32_t *match, const uint64_t *a, uint32_t na, const uint64_t *b,
		uint32_t nb);

#endif
