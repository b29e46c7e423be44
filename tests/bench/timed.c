/*
 * timed.c - run one command and say what it cost; without a command, do nothing.
 *
 * The measuring parent is this small so that the child's peak memory is its own: a child starts
 * with the peak of the process it was forked from. Prints one line to the file of the first
 * argument: wall, user and system microseconds, peak KiB, bytes read, exit status.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t micros(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t micros_of(struct timeval t)
{
	return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

/* Bytes that a finished, not yet reaped process took through read(2) and its like; -1 unknown. */
static int64_t bytes_read(pid_t pid)
{
	char path[64];
	int64_t n = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/io", (long)pid);
	f = fopen(path, "r");
	if (!f)
		return -1;
	if (fscanf(f, "rchar: %" SCNd64, &n) != 1)
		n = -1;
	fclose(f);
	return n;
}

static void become(char **command)
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execvp(command[0], command);
	_exit(127);
}

int main(int argc, char **argv)
{
	struct rusage used;
	siginfo_t info;
	int64_t started, wall, in;
	int status;
	pid_t pid;
	FILE *f;

	if (argc < 3)
		return 0;
	started = micros();
	pid = fork();
	if (pid < 0)
		return 1;
	if (pid == 0)
		become(argv + 2);
	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	wall = micros() - started;
	in = bytes_read(pid);
	if (wait4(pid, &status, 0, &used) != pid)
		return 1;
	f = fopen(argv[1], "w");
	if (!f)
		return 1;
	fprintf(f, "%" PRId64 " %" PRId64 " %" PRId64 " %ld %" PRId64 " %d\n", wall,
			micros_of(used.ru_utime), micros_of(used.ru_stime),
			used.ru_maxrss, in,
			WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return fclose(f) != 0;
}
