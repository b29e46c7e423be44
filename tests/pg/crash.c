/*
 * crash.c - put before the C library (LD_PRELOAD): counts what changes files, and at one such call
 * ends the process, or lets the call fail for want of room. CRASH_AT=N says at which, CRASH_HOW=kill
 * or full how; CRASH_LOG=FILE is told how many there were.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int calls;

/* Shall this call fail? */
static int due(void)
{
	const char *at = getenv("CRASH_AT"), *how = getenv("CRASH_HOW");

	if (++calls != (at ? strtol(at, NULL, 10) : 0))
		return how && strcmp(how, "full") == 0 && at &&
		       calls > strtol(at, NULL, 10);
	if (!how || strcmp(how, "full") != 0)
		kill(getpid(), SIGKILL);
	return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	if (due()) {
		errno = ENOSPC;
		return -1;
	}
	return REAL(pwrite64)(fd, p, n, at);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	return pwrite64(fd, p, n, at);
}

ssize_t write(int fd, const void *p, size_t n)
{
	if (fd > 2 && due()) {
		errno = ENOSPC;
		return -1;
	}
	return REAL(write)(fd, p, n);
}

int rename(const char *from, const char *to)
{
	due(); /* this needs no room */
	return REAL(rename)(from, to);
}

int unlink(const char *name)
{
	due();
	return REAL(unlink)(name);
}

int fsync(int fd)
{
	due();
	return REAL(fsync)(fd);
}

int ftruncate64(int fd, off64_t n)
{
	due();
	return REAL(ftruncate64)(fd, n);
}

__attribute__((destructor)) static void tell(void)
{
	const char *name = getenv("CRASH_LOG");
	FILE *f = name ? fopen(name, "w") : NULL;

	if (f) {
		fprintf(f, "%d\n", calls);
		fclose(f);
	}
}
