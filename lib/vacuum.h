/*
 * vacuum.h - room that deleted rows left goes back to the file system; and the way that leaves no
 * such room: the rows that stay are written anew, and put back at once. Internal.
 */
#ifndef VACUUM_H
#define VACUUM_H

#include "drop.h"

enum vacuum_way {
	VACUUM_NONE, /* nothing was to be done, or it could not: `why` */
	VACUUM_STEPS,
	VACUUM_WHOLE,
	VACUUM_REWRITE
};
struct vacuum_how {
	bool full; /* all of it, which keeps others out meanwhile; else in small steps */
	/* as in struct drop_how */
	int (*progress)(void *arg, int64_t done, int64_t all);
	void *arg;
};
struct vacuum_sum {
	int64_t before, after; /* bytes of the file; PostgreSQL: of the tables */
	enum vacuum_way way;
	char why[200]; /* why not, or why not faster; or empty */
};

/* CKPT_EIO and the bytes needed, before anything is done, where a copy would not fit; CKPT_EBUSY
 * where others keep the store in use. A file that cannot be made smaller in steps is left as it
 * is: `why` says what would do it. */
int vacuum_run(struct edit *, const struct vacuum_how *, struct vacuum_sum *out);
int vacuum_run_sqlite(struct edit *, const struct vacuum_how *, struct vacuum_sum *out);
/* SQLite: what is in the log goes into the file, which then ends where its last page does. */
int vacuum_shorten(struct edit *, struct vacuum_sum *out);
int vacuum_run_postgres(struct edit *, const struct vacuum_how *, struct vacuum_sum *out);

/*
 * Drop what is on the list and give the room back, at the cost of what stays: its rows are copied
 * beside, from a snapshot, while nobody else can write; one transaction then makes that copy the
 * store. A namespace that moved since the plan stays whole, and is counted as by drop_run; writes
 * that came to what goes are left to it, too.
 * 1: done. 0: this is not the way for this store, nothing was changed: sum->why says why; then
 * drop_run and vacuum_run do it. < 0: failed, nothing was changed.
 */
int rewrite_run_sqlite(struct edit *, struct doomed *, const struct drop_how *,
		struct drop_sum *out, struct vacuum_sum *sum);

#endif
