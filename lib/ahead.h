/*
 * ahead.h - a cursor whose rows a second thread reads before they are asked for. Internal.
 */
#ifndef AHEAD_H
#define AHEAD_H

#include <pthread.h>

#include "driver.h"

/* How many threads may work on the store at once: 1 where it is too small to be worth one. */
size_t ahead_threads(struct ckpt_store *, size_t most);
/* Start a thread that gets no signals: they are for the one that can be told to stop. */
bool ahead_start(pthread_t *out, void *(*run)(void *), void *arg);

#define AHEAD_CELLS 16
struct ahead_want {
	const char *sql;
	const struct cell *args;
	size_t nargs;
	size_t ncells; /* of a row; AHEAD_CELLS at most */
};

/* A query on a second connection in the same snapshot. 0 and NULL where there can be none, for
 * whatever reason. Its rows may be read beside the connection's other cursors. */
int ahead_query(struct cursor **out, struct conn *, const struct ahead_want *);

#endif
