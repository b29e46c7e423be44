/*
 * fold.h - what writes make of a value when the reducer that would know is not at hand. Internal.
 *
 * Works on JSON text that this library has rendered, each piece in both forms: the plain text is
 * what the result is made of, the typed text tells lists from sets and messages from dicts.
 */
#ifndef FOLD_H
#define FOLD_H

#include "base.h"

struct fold_piece {
	struct ckpt_view text, typed;
};

/* What is inside an Overwrite, in any of its three spellings; false: it is none. */
bool fold_overwrite(struct fold_piece *inner, const struct fold_piece *piece);

/* Append what `writes`, oldest first, make of `seed` (NULL: nothing was stored). 1: made, `*rule`
 * says how; 0: nothing was appended, `*rule` says why; < 0: no memory. */
int fold_pieces(struct ckpt_buf *to, const struct fold_piece *seed,
		const struct fold_piece *writes, size_t n, const char **rule);

#endif
