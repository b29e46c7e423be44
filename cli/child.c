/*
 * child.c - becoming another program, which knows from its arguments and its environment which
 * thread to go on with. No shell is asked: what a store holds is an argument, never a command.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "child.h"

#define FD_MAX 65536 /* descriptors that are looked for where they cannot be listed */

/* One argument with its placeholders filled in; what is filled in is not looked into again. */
static void fill(struct ckpt_buf *to, const char *arg, const struct ckpt_key *key)
{
	const struct {
		const char *name;
		struct ckpt_view v;
	} holes[] = { { "{thread}", key->thread }, { "{checkpoint}", key->id },
		{ "{ns}", key->ns } };

	while (*arg) {
		size_t i = 0;

		while (i < 3 && strncmp(arg, holes[i].name, strlen(holes[i].name)) != 0)
			i++;
		if (i < 3) {
			ckpt_buf_add(to, holes[i].v.p, holes[i].v.n);
			arg += strlen(holes[i].name);
		} else {
			ckpt_buf_add(to, arg++, 1);
		}
	}
}

static bool has_nul(struct ckpt_view v)
{
	return v.n && memchr(v.p, '\0', v.n);
}

static int refuse(struct cli *cli, const char *what)
{
	ckpt_fail(&cli->err, CKPT_EREFUSED, "%s", what);
	return 125;
}

static bool set(const char *name, struct ckpt_view v)
{
	struct ckpt_buf b = { 0 };
	bool done;

	ckpt_buf_add(&b, v.p, v.n);
	done = !b.failed && setenv(name, v.n ? b.p : "", 1) == 0;
	ckpt_buf_free(&b);
	return done;
}

/* The store's name may hold a password, and names what the application has a name of its own for. */
static bool set_environment(const struct child *c)
{
	unsetenv("CKPT_STORE");
	return set("CKPT_THREAD_ID", c->key.thread) &&
	       set("CKPT_CHECKPOINT_ID", c->key.id) &&
	       set("CKPT_CHECKPOINT_NS", c->key.ns) && set("CKPT_CONFIG_JSON", c->config);
}

/* As it was when we were started: limits, signals; and no descriptor but the first three. */
static void leave(const struct cli *cli)
{
	struct rlimit core;

	if (getrlimit(RLIMIT_CORE, &core) == 0) {
		core.rlim_cur = cli->core_limit;
		setrlimit(RLIMIT_CORE, &core);
	}
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	/* an old kernel */
	for (int fd = STDERR_FILENO + 1; fd < FD_MAX; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int child_exec(struct cli *cli, const struct child *c)
{
	struct ckpt_buf *args;
	size_t n = 0;
	char **argv;
	int why;

	while (c->argv[n])
		n++;
	if (has_nul(c->key.thread) || has_nul(c->key.ns) || has_nul(c->key.id))
		return refuse(cli, "an id with a NUL in it cannot be an argument");
	args = calloc(n, sizeof(*args));
	argv = calloc(n + 1, sizeof(*argv));
	for (size_t i = 0; args && argv && i < n; i++) {
		ckpt_buf_puts(&args[i], "");
		fill(&args[i], c->argv[i], &c->key);
		argv[i] = args[i].n ? args[i].p : "";
		if (args[i].failed)
			argv[0] = NULL;
	}
	if (!argv || !argv[0] || !set_environment(c)) {
		ckpt_fail(&cli->err, CKPT_ENOMEM, "out of memory");
		return 125;
	}
	leave(cli);
	execvp(argv[0], argv);
	why = errno;
	signal(SIGPIPE, SIG_IGN);
	ckpt_fail(&cli->err, why == ENOENT ? CKPT_ENOTFOUND : CKPT_EIO,
			"cannot run '%s': %s", argv[0], strerror(why));
	for (size_t i = 0; i < n; i++)
		ckpt_buf_free(&args[i]);
	free(args);
	free(argv);
	return why == ENOENT ? 127 : 126;
}
