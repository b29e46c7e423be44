/*
 * splice.h - members of a stored map replaced; every other byte stays. Internal.
 */
#ifndef SPLICE_H
#define SPLICE_H

#include "token.h"
#include "base.h"

struct splice {
	const char *name;
	struct ckpt_view value; /* raw bytes of the map's own language */
};
/* `body` with the values of these top-level members replaced, added to `to`. A member that is not
 * there is not added. CKPT_ECORRUPT: it is no map that can be read. */
int splice_map(struct ckpt_buf *to, const struct reader_ops *, struct ckpt_view body,
		const struct splice *, size_t n);

#endif
