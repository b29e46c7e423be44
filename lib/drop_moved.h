/*
 * drop_moved.h - whether a namespace of a plan was written to since, on SQLite. Internal.
 */
#ifndef DROP_MOVED_H
#define DROP_MOVED_H

#include "doomed.h"
#include "driver.h"

/* `newest` gives the newest checkpoint's id of thread $1, namespace $2. 1: it is left alone; 0; < 0. */
int drop_moved(struct conn *, const char *newest, const struct doomed_space *);

#endif
