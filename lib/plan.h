/*
 * plan.h - which checkpoints of one thread stay, and why. Pure: no store, no clock, no I/O.
 *
 * What a kept checkpoint needs stands in its payload, and payloads are read only of what is kept.
 * So it goes in turns: plan_rank applies rules and guards to the links; then, as long as
 * plan_open gives a kept checkpoint nobody has looked into, the caller looks and tells with
 * plan_keep what that one needs. Then the plan is closed: everything that stays can be loaded.
 * What it says does not depend on the order of turns; a further keep rule never drops more; and
 * planning again what stayed drops nothing more. Internal.
 */
#ifndef PLAN_H
#define PLAN_H

#include "base.h"
#include "ckpt_prune.h"

enum {                     /* what is known of a checkpoint */
	PLAN_SELECTED = 1, /* the selection covers it: others stay, and do not count */
	PLAN_WHERE = 2,    /* --keep-where holds of it */
	PLAN_ASKS = 4,     /* an interrupt waits there for its answer */
	PLAN_ANSWERED = 8, /* an answer is staged there */
	PLAN_BLIND = 16    /* a rule asks for what cannot be decoded: it stays */
};

struct plan_fact {      /* a checkpoint; of a namespace by id, ascending as bytes */
	size_t parent;  /* index of its parent, or SIZE_MAX: none, or not there */
	int64_t time;   /* ns since 1970 UTC, or CKPT_UNKNOWN */
	int64_t bytes;  /* what goes when it goes, or CKPT_UNKNOWN */
	unsigned flags; /* PLAN_… */
	uint32_t why;   /* out: CKPT_WHY_… as bits; 0: it is dropped */
	bool seen;      /* out: plan_open gave it */
};

struct plan_space { /* a namespace; by name, the root first */
	struct ckpt_view ns;
	size_t first, count; /* its facts; count > 0 */
	size_t newest;       /* the fact that the saver would load */
	/* of a subgraph call (ns with a ':'): the root checkpoint that the newest one names as its
	   caller; SIZE_MAX: it names none, or that one is not there */
	size_t caller;
	bool orphan; /* it names one that is not there */
	bool gone;   /* out: it is one that goes, as a whole */
};

struct plan { /* the caller fills facts, spaces, rules */
	struct plan_fact *facts;
	size_t nfacts;
	struct plan_space *spaces;
	size_t nspaces;
	const struct ckpt_policy *policy;
	bool keep_thread; /* named by --keep-thread */
	/* filled by plan_rank */
	bool active;  /* nothing of it is touched: it was written to a moment ago */
	bool emptied; /* all of it goes */
	size_t *open; /* work that plan_open gives out */
	size_t nopen;
	size_t *calls; /* spaces with a caller, by caller */
	size_t ncalls;
	struct ckpt_error *err;
};

/* Rules and guards. The caller has set facts (without `why`, `seen`), spaces, policy, err. */
int plan_rank(struct plan *);
void plan_settle(struct plan *); /* its second half: what follows from rules and guards */
/* The next kept checkpoint that was not given yet, of a namespace that loses some: what one
 * needs lies in its own namespace. False: the plan is closed. */
bool plan_open(struct plan *, size_t *out);
/* This one stays, too: a kept one needs it. What follows a caller follows. */
void plan_keep(struct plan *, size_t fact, enum ckpt_why);
/* Nothing of the thread is dropped, for this reason. */
void plan_keep_all(struct plan *, enum ckpt_why);
void plan_free(struct plan *); /* what plan_rank took; what the caller filled stays his */

#endif
