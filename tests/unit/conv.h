/*
 * conv.h - checkpoints made by hand for the tests of convert.h, and what became of them as one
 * line of text. What is expected is the tests' business.
 */
#ifndef CONV_H
#define CONV_H

#include "convert_impl.h"

struct conv_value {
	const char *channel, *version; /* version: JSON text, or NULL for none */
	struct ckpt_view body;         /* as it is stored; NULL: no value */
	const char *type;              /* of a blob; NULL: it stands in the container */
};

extern struct arena conv_arena;
extern struct ckpt_error conv_err;

/* A checkpoint of Python's SQLite: msgpack, v 4, id and key `id`. */
struct ckpt_checkpoint conv_msgpack(
		const char *id, const struct conv_value *values, size_t n);
/* One as PostgreSQL keeps it, or of JSON in SQLite: the text of the container, and blobs. */
struct ckpt_checkpoint conv_json(const char *type, const char *text,
		const struct conv_value *blobs, size_t n);

/* Convert, and tell: "channel_values | channel@version type=body … | code:action:channel …".
 * Bodies that are no printable ASCII stand as x and hex. */
const char *conv_tell(struct convert *, const struct ckpt_checkpoint *);
/* The same for one checkpoint alone, with a new state. */
const char *conv_once(const struct convert_config *, const struct ckpt_checkpoint *);
/* What conv_tell saw last. */
extern struct convert_out conv_out;

#define CONV_APART ((struct convert_config){ .to_apart = true })
#define CONV_INLINE ((struct convert_config){ .from_apart = true })

#endif
