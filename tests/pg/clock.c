/*
 * clock.c - put before the C library (LD_PRELOAD): each look at the clock that only goes on finds it
 * CLOCK_STEP microseconds further. So a run that paces itself by it makes many short steps, the
 * same each time, however fast the machine is.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t id, struct timespec *t)
{
	static int (*real)(clockid_t, struct timespec *);
	static long long ns, step = -1;

	if (id != CLOCK_MONOTONIC) {
		if (!real)
			real = (__typeof__(real))dlsym(RTLD_NEXT, "clock_gettime");
		return real(id, t);
	}
	if (step < 0)
		step = strtoll(getenv("CLOCK_STEP"), NULL, 10) * 1000;
	ns += step;
	t->tv_sec = 1000 + ns / 1000000000;
	t->tv_nsec = ns % 1000000000;
	return 0;
}
