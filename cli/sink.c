/*
 * sink.c - the last step of every byte: buffer, spool while the answer may still be void, pager,
 * stdout. Every write is checked; the first that fails ends all output.
 *
 * Also the signals: INT and TERM ask a command to end so that its document can be closed.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frame.h"

#define BUFFER_BYTES (64 * 1024)
#define SPOOL_MEMORY (8 * 1024 * 1024)
#define GRACE_SECONDS 1

/* ---- signals ----------------------------------------------------------------------------- */

static volatile sig_atomic_t asked; /* the signal that asked us to stop */
static volatile sig_atomic_t pager_fd = -1;

/* The command did not get to it in time: die of the signal, but not before the pager. */
static void too_late(int sig)
{
	(void)sig;
	pager_wait(pager_fd);
	signal(asked, SIG_DFL);
	raise(asked);
}

static void on_signal(int sig)
{
	if (asked) {
		asked = sig;
		too_late(sig);
		return;
	}
	asked = sig;
	alarm(GRACE_SECONDS);
}

void sink_catch(void)
{
	struct sigaction act = { .sa_flags = SA_RESTART };

	/* both handlers must be able to deliver the signal that they end the process with */
	sigemptyset(&act.sa_mask);
	act.sa_flags |= SA_NODEFER;
	act.sa_handler = on_signal;
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	sigaction(SIGQUIT, &act, NULL);
	act.sa_handler = too_late;
	sigaction(SIGALRM, &act, NULL);
}

int sink_signal(void)
{
	return asked;
}

/* ---- bytes ------------------------------------------------------------------------------- */

int sink_start(struct cli *cli)
{
	cli->out = calloc(1, sizeof(*cli->out));
	if (!cli->out)
		return ckpt_fail(&cli->err, CKPT_ENOMEM, "out of memory");
	cli->out->fd = STDOUT_FILENO;
	cli->out->spool = -1;
	term_look(cli->out, &cli->g);
	return 0;
}

static bool held_back(const struct cli *cli)
{
	return !cli->out->released &&
	       ((cli->store && ckpt_store_tentative(cli->store)) ||
			       (cli->other && ckpt_store_tentative(cli->other)));
}

static int lose(struct cli *cli, int why)
{
	struct out *out = cli->out;

	out->lost = why;
	out->pending.n = 0;
	/* whoever leaves a pager has seen enough; that is no failure */
	out->quit = out->paged && why == EPIPE;
	return ckpt_fail(&cli->err, CKPT_EIO, "cannot write to standard output: %s",
			strerror(why));
}

int out_write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return errno;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

static int write_out(struct cli *cli, const char *p, size_t n)
{
	struct out *out = cli->out;
	int why;

	if (n && !out->paged && out->terminal && cli->cmd && cli->cmd->pages &&
			out->form == FORM_TEXT) {
		int fd = pager_open(out, &cli->g);

		if (fd >= 0)
			pager_fd = out->fd = fd;
	}
	why = out_write_all(out->fd, p, n);
	return why ? lose(cli, why) : 0;
}

/* The file has no name from its first moment: nothing is left behind however we end. */
static int spool_open(struct cli *cli)
{
	const char *dir = getenv("TMPDIR");
	struct ckpt_buf name = { 0 };
	int fd = -1;

	ckpt_buf_addf(&name, "%s/ckpt-XXXXXX", dir && *dir ? dir : "/tmp");
	ckpt_buf_add(&name, "", 1);
	if (!name.failed)
		fd = mkostemp(name.p, 02000000 /* O_CLOEXEC */);
	if (fd >= 0)
		unlink(name.p);
	ckpt_buf_free(&name);
	if (fd < 0)
		return ckpt_fail(&cli->err, CKPT_EIO,
				"cannot create a temporary file: %s", strerror(errno));
	cli->out->spool = fd;
	return 0;
}

static int spool_flush(struct cli *cli)
{
	struct out *out = cli->out;
	int why;

	if (out->pending.n < SPOOL_MEMORY)
		return 0;
	if (out->spool < 0 && spool_open(cli) < 0)
		return cli->err.code;
	why = out_write_all(out->spool, out->pending.p, out->pending.n);
	out->pending.n = 0;
	if (!why)
		return 0;
	out->lost = why;
	return ckpt_fail(&cli->err, CKPT_EIO, "cannot write a temporary file: %s",
			strerror(why));
}

int sink_flush(struct cli *cli, bool all)
{
	struct out *out = cli->out;
	int rc = 0;

	if (out->pending.failed)
		return ckpt_fail(&cli->err, CKPT_ENOMEM, "out of memory");
	if (out->lost) {
		out->pending.n = 0;
		return CKPT_EIO;
	}
	if (held_back(cli))
		return spool_flush(cli);
	if (out->pending.n >= BUFFER_BYTES || (all && out->pending.n)) {
		rc = write_out(cli, out->pending.p, out->pending.n);
		out->pending.n = 0;
	}
	return rc;
}

static int unspool(struct cli *cli)
{
	struct out *out = cli->out;
	char *block = malloc(BUFFER_BYTES);
	ssize_t n = 0;
	int rc = 0;

	if (!block)
		return ckpt_fail(&cli->err, CKPT_ENOMEM, "out of memory");
	lseek(out->spool, 0, SEEK_SET);
	while (!rc && (n = read(out->spool, block, BUFFER_BYTES)) > 0)
		rc = write_out(cli, block, (size_t)n);
	if (n < 0)
		rc = ckpt_fail(&cli->err, CKPT_EIO, "cannot read a temporary file: %s",
				strerror(errno));
	free(block);
	close(out->spool);
	out->spool = -1;
	return rc;
}

int sink_release(struct cli *cli)
{
	int rc = 0;

	cli->out->released = true;
	if (cli->out->spool >= 0)
		rc = unspool(cli);
	return rc < 0 ? rc : sink_flush(cli, true);
}

void sink_forget(struct cli *cli)
{
	struct out *out = cli->out;

	ckpt_buf_free(&out->pending);
	memset(&out->pending, 0, sizeof(out->pending));
	if (out->spool >= 0)
		close(out->spool);
	out->spool = -1;
	out->lost = 0;
}

int sink_close(struct cli *cli)
{
	struct out *out = cli->out;
	int rc = sink_flush(cli, true);

	if (out->paged) {
		pager_wait(out->fd);
		out->fd = pager_fd = -1;
		return rc;
	}
	/* NFS and quotas report a full disk only here */
	if (!out->lost && close(out->fd) < 0 && errno != EINTR)
		rc = lose(cli, errno);
	return rc;
}

void sink_free(struct cli *cli)
{
	if (!cli->out)
		return;
	sink_forget(cli);
	table_free(&cli->out->table);
	ckpt_buf_free(&cli->out->members);
	ckpt_buf_free(&cli->out->line);
	free(cli->out);
	cli->out = NULL;
}
