/*
 * progress.h - how far a long run is, on stderr: a bar with rate and time left on a terminal, else
 * a line each 30 s.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include "cmd.h"

struct progress {
	struct cli *cli;
	int64_t started, shown; /* ns, monotonic */
	const char *phase;
	bool bar, silent, drawn;
};

enum { PROGRESS_AUTO = -1, PROGRESS_NONE, PROGRESS_PLAIN };
void progress_start(struct progress *, struct cli *, int how);
void progress_show(struct progress *, const char *phase, int64_t done, int64_t all);
void progress_end(struct progress *);

#endif
