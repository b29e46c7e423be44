/*
 * judge.h - can a stored value be decoded? The answer alone, at the speed of a walk over its
 * bytes; what the value would look like is render.h's business. Internal.
 *
 * Two voices. `why` is what ckpt_render_value calls corrupt. `strict` is what only LangGraph's
 * own readers refuse: text that is not UTF-8, maps as keys of maps, bytes behind JSON.
 */
#ifndef JUDGE_H
#define JUDGE_H

#include "base.h"
#include "token.h"

struct judge_level {
	uint64_t left;
	const uint8_t *end; /* of what is around */
	unsigned flags;
	const uint8_t *resume; /* of an ext: its first byte behind */
};

struct judge {
	/* what was found */
	const char *why;    /* NULL: it can be rendered */
	const char *strict; /* NULL: LangGraph reads it too */
	size_t at, strict_at;
	bool opaque; /* of a type that is not looked into */
	int ext;     /* the first ext code that nobody writes, or 0 */

	/* for the walk */
	const uint8_t *base;
	bool deep;
	struct judge_level levels[READER_DEPTH + 1];
	struct reader reader;
};

/* Fill in what was found. CKPT_ENOMEM, or 0. */
int judge_value(struct judge *, struct ckpt_view type, struct ckpt_view body);
/* Is it the value of a delta channel, stored whole? */
bool judge_is_snapshot(struct ckpt_view type, struct ckpt_view body);

#endif
