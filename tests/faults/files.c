/*
 * files.c - put before the C library (LD_PRELOAD): sees every call that changes a file. At one of
 * them it ends the process, or lets calls fail; or it keeps a record of all, from which power.py
 * makes what a disk may hold after the power failed.
 *
 *   CRASH_AT=N       the N-th call, counted from 1
 *   CRASH_HOW=kill   … is where the process ends; full: from there on there is no room; io: from
 *                    there on the disk fails; once: that one call fails
 *   CRASH_LOG=FILE   is told how many calls there were
 *   CRASH_RECORD=FILE  each call that is made is added to it: a struct record, then the name
 *                    and the bytes, or the other name
 *
 * What is written through a mapping is not seen: SQLite's -shm alone, which no recovery reads.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct record {
	uint32_t what;       /* a letter: w t s r l u */
	uint32_t name, more; /* bytes that follow */
	uint32_t zero;
	int64_t at; /* offset, or length for t */
};

static pthread_mutex_t one_by_one = PTHREAD_MUTEX_INITIALIZER;
static long calls;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* ---- failing --------------------------------------------------------------------------------- */

/* Why this call shall fail, or 0. */
static int due(void)
{
	const char *text = getenv("CRASH_AT"), *how = getenv("CRASH_HOW");
	long at = text ? strtol(text, NULL, 10) : 0;
	long call = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);

	if (!at || call < at)
		return 0;
	if (call == at && (!how || strcmp(how, "kill") == 0))
		kill(getpid(), SIGKILL);
	if (how && strcmp(how, "full") == 0)
		return ENOSPC;
	if (how && (strcmp(how, "io") == 0 || (call == at && strcmp(how, "once") == 0)))
		return EIO;
	return 0;
}

/* ---- recording ------------------------------------------------------------------------------- */

static int record_file(void)
{
	static int fd = -1;
	const char *name = getenv("CRASH_RECORD");

	if (fd < 0 && name)
		fd = (int)syscall(SYS_openat, AT_FDCWD, name,
				O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return fd;
}

static void record(char what, const char *name, int64_t at, const void *more, size_t n)
{
	int fd = record_file();
	struct record r = { .what = (uint32_t)what,
		.name = (uint32_t)strlen(name),
		.more = (uint32_t)n,
		.at = at };
	struct iovec parts[3] = { { &r, sizeof(r) }, { (void *)(uintptr_t)name, r.name },
		{ (void *)(uintptr_t)more, n } };

	if (fd >= 0 && syscall(SYS_writev, fd, parts, 3) < 0)
		kill(getpid(), SIGABRT); /* a record with a gap proves nothing */
}

/* The name that the file has now; what has none any more is nobody's loss. */
static void record_fd(char what, int fd, int64_t at, const void *more, size_t n)
{
	char link[40], name[4096];
	ssize_t len;

	if (record_file() < 0)
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, name, sizeof(name) - 1);
	if (len <= 0 || name[0] != '/')
		return;
	name[len] = '\0';
	if (!strstr(name, " (deleted)"))
		record(what, name, at, more, n);
}

/* A call and its record are one, so that the record has the order of the calls. */
static int begin(void)
{
	int why = due();

	pthread_mutex_lock(&one_by_one);
	return why;
}

static int64_t end(int64_t rc, int why)
{
	int was = rc < 0 && !why ? errno : why;

	pthread_mutex_unlock(&one_by_one);
	if (rc < 0)
		errno = was;
	return rc;
}

/* ---- calls ----------------------------------------------------------------------------------- */

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	int why = begin();

	if (why)
		return end(-1, why);
	record_fd('w', fd, at, p, n);
	return end(REAL(pwrite64)(fd, p, n, at), 0);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	return pwrite64(fd, p, n, at);
}

ssize_t write(int fd, const void *p, size_t n)
{
	int why;

	if (fd <= 2)
		return REAL(write)(fd, p, n);
	why = begin();
	if (why)
		return end(-1, why);
	record_fd('w', fd, lseek(fd, 0, SEEK_CUR), p, n);
	return end(REAL(write)(fd, p, n), 0);
}

/* What needs no room goes on where there is none. */
static int spared(int why)
{
	return why == ENOSPC ? 0 : why;
}

int ftruncate64(int fd, off64_t n)
{
	int why = spared(begin());

	if (why)
		return (int)end(-1, why);
	record_fd('t', fd, n, NULL, 0);
	return (int)end(REAL(ftruncate64)(fd, n), 0);
}

int ftruncate(int fd, off_t n)
{
	return ftruncate64(fd, n);
}

int fsync(int fd)
{
	int why = spared(begin()), rc = why ? -1 : REAL(fsync)(fd);

	if (rc == 0)
		record_fd('s', fd, 0, NULL, 0);
	return (int)end(rc, why);
}

int fdatasync(int fd)
{
	int why = spared(begin()), rc = why ? -1 : REAL(fdatasync)(fd);

	if (rc == 0)
		record_fd('s', fd, 0, NULL, 0);
	return (int)end(rc, why);
}

int rename(const char *from, const char *to)
{
	int why = spared(begin()), rc = why ? -1 : REAL(rename)(from, to);

	if (rc == 0)
		record('r', from, 0, to, strlen(to));
	return (int)end(rc, why);
}

int renameat2(int old, const char *from, int new, const char *to, unsigned flags)
{
	int why = spared(begin()),
	    rc = why ? -1 : REAL(renameat2)(old, from, new, to, flags);

	if (rc == 0)
		record('r', from, 0, to, strlen(to));
	return (int)end(rc, why);
}

int link(const char *from, const char *to)
{
	int why = begin(), rc = why ? -1 : REAL(link)(from, to);

	if (rc == 0)
		record('l', from, 0, to, strlen(to));
	return (int)end(rc, why);
}

int unlink(const char *name)
{
	int why = spared(begin()), rc = why ? -1 : REAL(unlink)(name);

	if (rc == 0)
		record('u', name, 0, NULL, 0);
	return (int)end(rc, why);
}

__attribute__((destructor)) static void tell(void)
{
	const char *name = getenv("CRASH_LOG");
	FILE *f = name ? fopen(name, "w") : NULL;

	if (f) {
		fprintf(f, "%ld\n", calls);
		fclose(f);
	}
}
