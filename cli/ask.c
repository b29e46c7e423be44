/*
 * ask.c - the question before something is deleted or altered, on the terminal and nowhere else:
 * stdin that is a pipe or a file never answers it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "frame.h"

#define ANSWER_MAX 4096

/* `…/name?options` → name */
static struct ckpt_view last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return ckpt_view_of(slash && slash[1] ? slash + 1 : path);
}

void ask_name(struct ckpt_buf *to, const struct cli *cli)
{
	const char *name = cli->g.store ? cli->g.store : getenv("CKPT_STORE");
	struct ckpt_buf shown = { 0 };
	char *cut, *base;

	ckpt_store_shown(&shown, name ? name : "");
	to->failed |= shown.failed;
	if (shown.failed)
		return;
	cut = strstr(shown.p, "://") || strncmp(shown.p, "file:", 5) == 0
	                      ? strchr(shown.p, '?')
	                      : NULL;
	if (cut)
		*cut = '\0';
	base = strstr(shown.p, "dbname=");
	if (base && (base == shown.p || base[-1] == ' '))
		ckpt_buf_add(to, base + 7, strcspn(base + 7, " '"));
	else
		ckpt_buf_puts(to, last_part(shown.p).p);
	ckpt_buf_free(&shown);
}

/* A descriptor to read the answer from, or -1: nobody is there. */
static int terminal(const struct ask *a)
{
	if (!a->stdin_taken)
		return isatty(STDIN_FILENO) ? STDIN_FILENO : -1;
	return open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
}

/* Where the question is seen though stdout and stderr are files. */
static void show(int fd, const struct ckpt_buf *text)
{
	int tty = isatty(STDERR_FILENO)
	                          ? STDERR_FILENO
	                          : open("/dev/tty", O_WRONLY | O_CLOEXEC | O_NOCTTY);

	if (tty < 0)
		tty = fd;
	out_write_all(tty, text->p, text->n); /* who cannot be asked cannot say yes */
	if (tty != STDERR_FILENO && tty != fd)
		close(tty);
}

/* One line, without its end; false at the end of input or on a signal. */
static bool read_line(int fd, char line[static ANSWER_MAX])
{
	size_t n = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		char c;

		/* poll is what a signal ends; read would go on */
		if (sink_signal() || (poll(&p, 1, -1) < 0 && errno != EINTR))
			return false;
		if (!p.revents)
			continue;
		if (read(fd, &c, 1) != 1)
			return false;
		if (c == '\n')
			break;
		if (n < ANSWER_MAX - 1)
			line[n++] = c;
	}
	line[n] = '\0';
	return true;
}

static int no_terminal(struct cli *cli, const struct ask *a)
{
	ckpt_fail(&cli->err, CKPT_EREFUSED,
			"refused: %s needs confirmation, and there is no terminal",
			a->doing);
	ckpt_hint(&cli->err, "%s", a->hint ? a->hint : "add --yes");
	return cli->err.code;
}

static bool is_yes(const char *answer)
{
	return strcmp(answer, "y") == 0 || strcmp(answer, "Y") == 0 ||
	       strcmp(answer, "yes") == 0 || strcmp(answer, "Yes") == 0;
}

static int put_question(int fd, const struct ask *a, const struct ckpt_buf *name)
{
	struct ckpt_buf text = { 0 };
	int rc = 0;

	text_safe(&text, ckpt_view_of(a->question), 0);
	if (a->most) {
		ckpt_buf_puts(&text, " This is more than half. Type the store name to "
				     "go on (");
		text_safe(&text, ckpt_buf_view(name), 0);
		ckpt_buf_puts(&text, "): ");
	} else {
		ckpt_buf_puts(&text, " [y/N] ");
	}
	if (text.failed)
		rc = CKPT_ENOMEM;
	else
		show(fd, &text);
	ckpt_buf_free(&text);
	return rc;
}

int ask(struct cli *cli, const struct ask *a)
{
	struct ckpt_buf name = { 0 }, end = { .p = "\n", .n = 1 };
	char line[ANSWER_MAX];
	int fd;
	bool agreed;

	if (a->yes)
		return 0;
	fd = terminal(a);
	if (fd < 0)
		return no_terminal(cli, a);
	/* what the question is about stands above it */
	if (out_form_of(cli) == FORM_TEXT) {
		table_flush(cli);
		sink_flush(cli, true);
	}
	ask_name(&name, cli);
	if (name.failed || put_question(fd, a, &name) < 0)
		ckpt_fail(&cli->err, CKPT_ENOMEM, "out of memory");
	else if (!read_line(fd, line)) {
		show(fd, &end);
		ckpt_fail(&cli->err, sink_signal() ? CKPT_EINTERRUPTED : CKPT_EREFUSED,
				"no answer: nothing was changed");
	}
	agreed = !cli->err.code && (a->most ? strcmp(line, name.p) == 0 : is_yes(line));
	if (!cli->err.code && !agreed)
		ckpt_fail(&cli->err, CKPT_EREFUSED, "not confirmed: nothing was changed");
	if (fd != STDIN_FILENO)
		close(fd);
	ckpt_buf_free(&name);
	return cli->err.code;
}
