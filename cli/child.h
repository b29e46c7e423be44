/*
 * child.h - the application that goes on with a thread: `ckpt resume … -- CMD` becomes it.
 */
#ifndef CHILD_H
#define CHILD_H

#include "cmd.h"

struct child {
	const char *const *argv; /* ends with NULL */
	struct ckpt_key key;
	struct ckpt_view config; /* JSON text */
};
/* Become it: placeholders filled in, the environment set, nothing of ours left open. Comes back
 * only if that failed, with the exit code that env(1) has for it: 125, 126 or 127. */
int child_exec(struct cli *, const struct child *);

#endif
