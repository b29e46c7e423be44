/*
 * ckpt_check.h - the part of ckpt.h, which includes it, that looks for what is wrong with a store.
 */
#ifndef CKPT_CHECK_H
#define CKPT_CHECK_H

#include "ckpt.h"

enum ckpt_severity {
	CKPT_ERROR,   /* something does not load, or not as it was saved */
	CKPT_WARNING, /* it loads, and yet a person should look at it */
	CKPT_INFO
};

struct ckpt_finding_code {
	const char *name;
	enum ckpt_severity severity;
	const char *means;
};
/* Every code there is, errors first; a NULL name ends it. */
extern const struct ckpt_finding_code ckpt_finding_codes[];

struct ckpt_finding {
	const char *code;
	enum ckpt_severity severity;
	struct ckpt_key key;              /* parts that do not apply are NULL */
	struct ckpt_view channel, detail; /* channel: NULL if it is none of one */
};

struct ckpt_check {
	const struct ckpt_view *threads; /* these only; none: all */
	size_t nthreads;
	/* How many threads may read; 0: as many as are worth it. `found`, and the store's `stop`,
	   are only called by the caller's, and in an order that does not depend on it. */
	unsigned jobs;
	/* Called as things are found; anything but 0 ends the check with that code. */
	int (*found)(void *arg, const struct ckpt_finding *);
	void *arg;
	int64_t count[3]; /* out: findings by severity */
	int64_t checked;  /* out: checkpoints */
};
/* Read the whole store, or those threads, and tell what is wrong. Memory: the largest checkpoint
 * and some dozen bytes for each checkpoint and version of the largest namespace. */
int ckpt_check(struct ckpt_store *, struct ckpt_check *);

#endif
