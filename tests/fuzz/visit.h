/*
 * visit.h - goes through all that a store gives, as every command together would, and says what
 * the library must never do with any bytes. For the fuzz targets and the hostile stores; how the
 * bytes came to be is theirs.
 */
#ifndef VISIT_H
#define VISIT_H

#include "base.h"

struct visit {
	void (*row)(void *arg, const struct ckpt_key *); /* before each row, or NULL */
	void *arg;
	size_t checkpoints, values,
			corrupt; /* seen; of the values those that are broken */
	size_t largest;          /* bytes of the largest checkpoint row */
	int code;                /* of the first failure, or 0 */
	char fault[300];         /* what went wrong, or "" */
};

/* False: something that must hold does not; it stands in `fault`. */
bool visit_store(struct visit *, const char *name);

#endif
