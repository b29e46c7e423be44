/*
 * cmd_check.c - `ckpt check`: what is wrong with a store, a finding a row, as they are found.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "cmd.h"

struct check {
	struct opt_list threads;
};

/* clang-format off */
static const struct opt opts[] = {
	{ 0, "thread", OPT_LIST, AT(struct check, threads), "ID",
		"only this thread; repeatable; never parsed", NULL, COMPLETE_THREAD, false },
	{ 0, NULL, OPT_END_KIND, 0, NULL, NULL, NULL, 0, false }
};
static const struct col cols[] = {
	{ "severity", "SEVERITY", COL_TEXT, 0 },
	{ "code", "CODE", COL_TEXT, 0 },
	{ "thread", "THREAD", COL_TEXT, 0 },
	{ "ns", "NS", COL_TEXT, 0 },
	{ "id", "ID", COL_TEXT, COL_TAIL },
	{ "channel", "CHANNEL", COL_TEXT, 0 },
	{ "detail", "DETAIL", COL_TEXT, COL_WRAP },
	{ NULL, NULL, 0, 0 }
};
/* clang-format on */

static int found(void *arg, const struct ckpt_finding *f)
{
	static const char *const severities[] = { "error", "warning", "info" };
	struct cli *cli = arg;
	struct field row[] = { { .v = ckpt_view_of(severities[f->severity]) },
		{ .v = ckpt_view_of(f->code) }, { .v = f->key.thread },
		{ .v = f->key.ns }, { .v = f->key.id }, { .v = f->channel },
		{ .v = f->detail } };

	return out_row(cli, row);
}

static const char *plural(int64_t n)
{
	return n == 1 ? "" : "s";
}

static int sum_up(struct cli *cli, const struct ckpt_check *c)
{
	struct ckpt_buf members = { 0 }, text = { 0 };
	const int64_t *n = c->count;
	int rc;

	ckpt_buf_addf(&members,
			"\"errors\":%" PRId64 ",\"warnings\":%" PRId64
			",\"infos\":%" PRId64 ",\"checked\":%" PRId64,
			n[CKPT_ERROR], n[CKPT_WARNING], n[CKPT_INFO], c->checked);
	ckpt_buf_addf(&text,
			"%" PRId64 " error%s, %" PRId64 " warning%s, %" PRId64
			" note%s; %" PRId64 " checkpoint%s checked",
			n[CKPT_ERROR], plural(n[CKPT_ERROR]), n[CKPT_WARNING],
			plural(n[CKPT_WARNING]), n[CKPT_INFO], plural(n[CKPT_INFO]),
			c->checked, plural(c->checked));
	if (members.failed || text.failed)
		rc = ckpt_fail(&cli->err, CKPT_ENOMEM, "out of memory");
	else
		rc = out_summary(cli, members.p, text.p);
	ckpt_buf_free(&members);
	ckpt_buf_free(&text);
	return rc;
}

/* Literal names: one that is not there is told before anything is read. */
static int find_threads(struct cli *cli, struct ckpt_check *c, struct ckpt_view *threads)
{
	const struct check *o = cli->opts;
	struct ckpt_key key;
	int rc = 0;

	for (size_t i = 0; i < o->threads.n && rc >= 0; i++) {
		threads[i] = ckpt_view_of(o->threads.v[i]);
		rc = ckpt_thread_find(&key, cli->store, threads[i]);
	}
	c->threads = threads;
	c->nthreads = o->threads.n;
	return rc;
}

static int run(struct cli *cli)
{
	const struct check *o = cli->opts;
	struct ckpt_check c = { .found = found, .arg = cli };
	struct ckpt_view *threads = calloc(o->threads.n + 1, sizeof(*threads));
	int rc, summed;

	rc = threads ? find_threads(cli, &c, threads)
	             : ckpt_fail(&cli->err, CKPT_ENOMEM, "out of memory");

	rc = rc < 0 ? rc : out_begin(cli, "check", "finding", cols, false);
	rc = rc < 0 ? rc : ckpt_check(cli->store, &c);
	free(threads);
	/* also where it ended early: how far it came */
	summed = sum_up(cli, &c);
	rc = rc < 0 ? rc : summed;
	if (rc < 0)
		return rc;
	return c.count[CKPT_ERROR] ? cli_exit_code(CKPT_ECORRUPT) : 0;
}

const struct cmd cmd_check = {
	.name = "check",
	.args = "",
	.summary = "look for what is wrong: checkpoints that do not load, lost "
		   "references",
	.opts = opts,
	.size = sizeof(struct check),
	.needs_store = true,
	.examples = "  ckpt check                              everything; exit 8 if "
		    "there is "
		    "an error\n"
		    "  ckpt check --thread chat-1              one thread\n"
		    "  ckpt check --ndjson                     findings as they are "
		    "found\n",
	.run = run,
};
