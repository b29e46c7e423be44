/*
 * vacuum_rewrite.h - what the files of a rewrite share: vacuum_rewrite.c locks and swaps,
 * vacuum_keep.c finds which rows stay, vacuum_copy.c makes the copy. Internal.
 */
#ifndef VACUUM_REWRITE_H
#define VACUUM_REWRITE_H

#include "prune.h"
#include "sqlite_open.h"
#include "vacuum.h"

enum { REWRITE_CHECKPOINTS, REWRITE_WRITES, REWRITE_TABLES };

struct rewrite {
	struct edit *e;
	struct doomed *list;
	const struct drop_how *how;
	struct drop_sum *sum;
	struct vacuum_sum *vac;
	struct sqlite_conn *store; /* holds the write lock, and nothing else meanwhile */
	struct sqlite_conn *copy;  /* `main` is the copy, `old` the store */
	sqlite3_backup *swap;
	int64_t deadline; /* of a clock that only goes on: by then the copy is there */
	struct rewrite_rows { /* that stay, ascending */
		int64_t *v;
		size_t n, cap;
		int64_t all;
	} rows[REWRITE_TABLES];
	uint8_t *goes;  /* a bit for each of the list */
	int64_t *moved; /* namespaces that were left alone, by their place in the list */
	size_t nmoved, moved_cap;
	struct hashes alive; /* threads that were to go whole, and of which something stays */
};

/* Each: 1, or 0 with vac->why, or an error. */
int rewrite_keep(struct rewrite *);
int rewrite_schema(struct rewrite *); /* tables, empty */
int rewrite_fill(struct rewrite *);   /* rows, then indexes */

int rewrite_not(struct rewrite *, const char *fmt, ...)
		__attribute__((format(printf, 2, 3))); /* 0, with the reason */
bool rewrite_late(const struct rewrite *);

#endif
