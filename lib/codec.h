/*
 * codec.h - type tag → reader, and the split of a checkpoint container into channel values.
 *
 * Splitting moves bytes: each value is the raw span it occupies, nobody looks inside.
 */
#ifndef CODEC_H
#define CODEC_H

#include "token.h"
#include "base.h"

/* The reader of a type tag; NULL for what is not a token language (bytes, pickle, +aes, …). */
const struct reader_ops *codec_reader(struct ckpt_view type);

/* Fill skeleton, values, opaque, broken_* of `out` from its container, and `time` from `ts` if
 * the id gave none. Everything new lies in the arena or in `body`. < 0 only without memory. */
int codec_split(struct ckpt_checkpoint *out, struct ckpt_view body, struct arena *,
		struct ckpt_error *);
/* The same without skeleton, versions and time: what each channel holds, where nothing else is
 * wanted of many. Channels that have a version alone are in the list all the same. */
int codec_values(struct ckpt_checkpoint *out, struct ckpt_view body, struct arena *,
		struct ckpt_error *);
/* The writing language of a container: CKPT_PYTHON, CKPT_JS, or 0 if it cannot be told. */
unsigned codec_writer(struct ckpt_view type, struct ckpt_view body);

#endif
