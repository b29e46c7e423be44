/*
 * failpoint.h - named places in which a test makes a run end. Only builds with -DCKPT_FAILPOINTS
 * have them (`make failpoints`); in all others FAILPOINT() is nothing.
 *
 *   FAILPOINT("migrate.commit.after");            in the code; a name stands in one place only
 *   CKPT_FAILPOINT=migrate.commit.after:3:kill    the third time this place is reached: SIGKILL
 *   CKPT_FAILPOINT=migrate.commit.after           the same as :1:kill
 *
 * After the second colon: kill, term, int or stop, the signal that is sent. A name is
 * COMMAND.WHAT.before or .after and is written as one plain string, because tests find all of
 * them by reading the sources: tests/failpoints.sh lists them.
 */
#ifndef FAILPOINT_H
#define FAILPOINT_H

#ifdef CKPT_FAILPOINTS
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static inline int failpoint_signal(const char *name)
{
	return strcmp(name, "term") == 0   ? SIGTERM
	       : strcmp(name, "int") == 0  ? SIGINT
	       : strcmp(name, "stop") == 0 ? SIGSTOP
	                                   : SIGKILL;
}

static inline void failpoint(const char *name, long hit)
{
	const char *spec = getenv("CKPT_FAILPOINT");
	size_t n = strlen(name);
	const char *how = "kill";
	long at = 1;

	if (!spec || strncmp(spec, name, n) != 0 || (spec[n] && spec[n] != ':'))
		return;
	if (spec[n]) {
		char *end;

		at = strtol(spec + n + 1, &end, 10);
		how = *end ? end + 1 : how;
	}
	if (hit == at)
		raise(failpoint_signal(how));
}

#define FAILPOINT(name) \
	do { \
		static atomic_long failpoint_hits; \
		failpoint(name, atomic_fetch_add(&failpoint_hits, 1) + 1); \
	} while (0)
#else
#define FAILPOINT(name) ((void)0)
#endif

#endif
