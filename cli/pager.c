/*
 * pager.c - a pager between us and the terminal.
 *
 * Started at the first byte, so that an error is not shown in a pager. While it runs it must not
 * outlive us unattended: whoever ends this process waits for it first (pager_wait).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frame.h"

#define DEFAULT_PAGER "less -FRX"

static volatile pid_t running; /* read by the signal handler that waits for it */

/* Is the first word of a command in $PATH? Words with shell syntax are left to the shell. */
static bool installed(const char *command)
{
	size_t n = strspn(command, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789_./+-");
	const char *path = getenv("PATH");
	char file[4096];

	if (n == 0 || (command[n] && command[n] != ' '))
		return true;
	if (memchr(command, '/', n)) {
		snprintf(file, sizeof(file), "%.*s", (int)n, command);
		return access(file, X_OK) == 0;
	}
	for (path = path ? path : "/usr/bin:/bin"; *path;) {
		size_t dir = strcspn(path, ":");

		snprintf(file, sizeof(file), "%.*s/%.*s", (int)dir, path, (int)n,
				command);
		if (access(file, X_OK) == 0)
			return true;
		path += dir + (path[dir] == ':');
	}
	return false;
}

static const char *chosen(const struct globals *g)
{
	const char *command = getenv("CKPT_PAGER");

	if (g->no_pager)
		return NULL;
	if (!command)
		command = getenv("PAGER");
	if (!command)
		command = DEFAULT_PAGER;
	if (!*command || strcmp(command, "cat") == 0 || !installed(command))
		return NULL;
	return command;
}

int pager_open(struct out *out, const struct globals *g)
{
	const char *command = chosen(g);
	int ends[2];
	pid_t pid;

	if (!command || pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid < 0) {
		close(ends[0]);
		close(ends[1]);
		return -1;
	}
	if (pid == 0) {
		signal(SIGPIPE, SIG_DFL);
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		dup2(ends[0], STDIN_FILENO);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	close(ends[0]);
	running = pid;
	out->paged = true;
	return ends[1];
}

/* Only async-signal-safe calls: a signal handler uses this too. */
void pager_wait(int fd)
{
	if (running <= 0)
		return;
	if (fd >= 0)
		close(fd);
	while (waitpid(running, NULL, 0) < 0)
		if (kill(running, 0) < 0)
			break;
	running = 0;
}
