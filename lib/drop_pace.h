/*
 * drop_pace.h - how long a deleting transaction on SQLite lasts, and what lies between two.
 * Internal.
 */
#ifndef DROP_PACE_H
#define DROP_PACE_H

#include "drop.h"

struct drop_pace {
	int64_t version; /* of the file, in this transaction: another's commit changes it */
	/* the rest is the pace's own; times are ns of a clock that only goes on */
	int64_t hold, budget;    /* for a transaction; for its work without the commit */
	int64_t began, until;    /* this one; when it was last asked whether to go on */
	int64_t others, several; /* when others wrote; when more than one did */
	int64_t wide;            /* when others were last given time */
	int64_t log, log_pages;  /* frames in the log; how many it may have */
	int64_t batches, every;  /* since the log was moved; how many there may be */
	int64_t wait;            /* ms for a lock */
	bool wal;
};

int pace_start(struct drop_pace *, struct edit *, const struct drop_how *);
int pace_begin(struct drop_pace *, struct edit *);
bool pace_goes_on(struct drop_pace *); /* in a transaction: there is time for more */
/* … or, asked after that, for what should not be left for the next one. */
bool pace_may_stretch(const struct drop_pace *);
/* After the commit: the log is moved into the file, and others get their turn. */
int pace_between(struct drop_pace *, struct edit *);
int pace_end(struct drop_pace *, struct edit *);

#endif
