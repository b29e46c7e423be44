/*
 * pack.h - JSON as msgpack, the way Python would read the one and pack the other. Internal.
 */
#ifndef PACK_H
#define PACK_H

#include "base.h"
#include "token.h"

struct pack {
	struct reader *reader; /* the caller's, because it is large; it need not be set up */
	struct ckpt_buf *counts; /* scratch */
	const char *why; /* false was returned: "corrupt" "record" "nan" "bad-number" "surrogate"
	                    "utf8", or NULL if there was no memory */
};
/* Add one JSON text as msgpack. `value`: objects that JavaScript revives as records are refused. */
bool pack_json(struct pack *, struct ckpt_buf *to, struct ckpt_view text, bool value);

#endif
