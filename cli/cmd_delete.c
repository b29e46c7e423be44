/*
 * cmd_delete.c - `ckpt delete`: threads or runs go, after a question. No guards: whoever names
 * them means them. What belongs to them is the library's to know.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "ask.h"
#include "progress.h"
#include "receipt.h"

struct delete_opts {
	struct opt_list threads, runs;
	bool dry_run, yes, secure;
	int progress;
};

struct delete_run {
	struct cli *cli;
	const struct delete_opts *o;
	struct ckpt_delete *plan;
	struct ckpt_delete_sum sum;
	struct progress progress;
};

/* clang-format off */
static const struct opt opts[] = {
	{ 0, "", OPT_GROUP, 0, NULL, "What", NULL, 0, false },
	{ 0, "thread", OPT_LIST, AT(struct delete_opts, threads), "ID",
		"this thread, with all it has; repeatable", NULL, COMPLETE_THREAD, false },
	{ 0, "run-id", OPT_LIST, AT(struct delete_opts, runs), "ID",
		"the checkpoints of this run, but what others need to load; repeatable",
		NULL, 0, false },
	{ 0, "", OPT_GROUP, 0, NULL, "How", NULL, 0, false },
	{ 'n', "dry-run", OPT_FLAG, AT(struct delete_opts, dry_run), NULL,
		"only tell what would go", NULL, 0, false },
	{ 'y', "yes", OPT_FLAG, AT(struct delete_opts, yes), NULL,
		"do not ask", NULL, 0, false },
	{ 0, "secure", OPT_FLAG, AT(struct delete_opts, secure), NULL,
		"overwrite what was freed, too: the whole file is written anew", NULL, 0, false },
	{ 0, "progress", OPT_ENUM, AT(struct delete_opts, progress), "HOW",
		"how progress is shown on stderr", "none|plain", COMPLETE_CHOICES, true },
	{ 0, NULL, OPT_END_KIND, 0, NULL, NULL, NULL, 0, false }
};
/* clang-format on */

static void on_progress(void *arg, int64_t done, int64_t all)
{
	struct delete_run *d = arg;

	progress_show(&d->progress, "delete", done, all);
}

/* The names as views, in memory that the caller frees; NULL: no memory. */
static struct ckpt_view *views(const struct opt_list *list)
{
	struct ckpt_view *v = calloc(list->n + 1, sizeof(*v));

	for (size_t i = 0; v && i < list->n; i++)
		v[i] = ckpt_view_of(list->v[i]);
	return v;
}

static int put_answer(struct delete_run *d, const struct ckpt_deleted *gone)
{
	struct ckpt_buf members = { 0 }, line = { 0 };
	bool whole = d->o->threads.n > 0;
	int rc;

	ckpt_buf_addf(&members,
			",\"threads\":%" PRId64 ",\"kept\":%" PRId64 ",\"dry_run\":%s",
			gone->threads, d->sum.kept, d->o->dry_run ? "true" : "false");
	ckpt_buf_puts(&line, d->o->dry_run ? "would delete " : "deleted ");
	receipt_text(&line, &gone->rows);
	if (whole && gone->threads == d->sum.threads) {
		ckpt_buf_puts(&line, " of ");
		receipt_count(&line, gone->threads, "thread");
	} else if (whole) { /* it ended early */
		ckpt_buf_addf(&line, "; %" PRId64 " of ", gone->threads);
		receipt_count(&line, d->sum.threads, "thread");
		ckpt_buf_puts(&line, gone->threads == 1 ? " is gone" : " are gone");
	}
	if (d->sum.kept) {
		ckpt_buf_puts(&line, "; kept ");
		receipt_count(&line, d->sum.kept, "checkpoint");
		ckpt_buf_puts(&line, " that others need to load");
	}
	rc = members.failed || line.failed
	                     ? ckpt_fail(&d->cli->err, CKPT_ENOMEM, "out of memory")
	                     : receipt_put(d->cli, &gone->rows, members.p, line.p);
	ckpt_buf_free(&members);
	ckpt_buf_free(&line);
	return rc;
}

static int confirm(struct delete_run *d)
{
	const struct ckpt_delete_sum *s = &d->sum;
	struct ckpt_buf doing = { 0 }, question = { 0 };
	struct ask a = { .yes = d->o->yes,
		.most = s->rows.checkpoints > s->all - s->rows.checkpoints };
	int rc;

	ckpt_buf_puts(&doing, "deleting ");
	receipt_count(&doing, s->rows.checkpoints, "checkpoint");
	ckpt_buf_puts(&question, "Delete ");
	if (s->threads && d->o->threads.n) {
		receipt_count(&question, s->threads, "thread");
		ckpt_buf_puts(&question, " with ");
	}
	receipt_count(&question, s->rows.checkpoints, "checkpoint");
	if (s->all)
		ckpt_buf_addf(&question, " (%" PRId64 " %%)",
				s->rows.checkpoints * 100 / s->all);
	ckpt_buf_puts(&question, " from ");
	ask_name(&question, d->cli);
	ckpt_buf_puts(&question, "?");
	a.doing = doing.p;
	a.question = question.p;
	rc = doing.failed || question.failed
	                     ? ckpt_fail(&d->cli->err, CKPT_ENOMEM, "out of memory")
	                     : ask(d->cli, &a);
	ckpt_buf_free(&doing);
	ckpt_buf_free(&question);
	return rc;
}

static int delete_now(struct delete_run *d)
{
	struct cli *cli = d->cli;
	const struct ckpt_delete_how how = {
		.secure = d->o->secure,
		.progress = on_progress,
		.arg = d,
	};
	struct ckpt_deleted gone;
	struct ckpt_config config;
	int rc = cli_store_close(cli);

	if (rc >= 0 && (d->sum.rows.checkpoints || d->sum.threads))
		rc = confirm(d);
	if (rc < 0) { /* nothing has happened, nothing is answered */
		out_discard(cli);
		return rc;
	}
	cli_config(cli, &config);
	progress_start(&d->progress, cli, d->o->progress);
	rc = ckpt_delete_run(d->plan, receipt_store(cli), &config, &how, &gone);
	progress_end(&d->progress);
	if (rc < 0 && !gone.rows.checkpoints && !gone.rows.writes && !gone.rows.blobs)
		out_discard(cli);
	else /* what is gone is told, also where not all of it went well */
		put_answer(d, &gone);
	return rc;
}

static int check(struct cli *cli)
{
	const struct delete_opts *o = cli->opts;

	if (!o->threads.n == !o->runs.n)
		return cli_usage(cli, "delete takes --thread ID or --run-id ID, one of "
				      "both");
	return 0;
}

static int run(struct cli *cli)
{
	struct delete_run d = { .cli = cli, .o = cli->opts };
	struct ckpt_delete_want want = { .nthreads = d.o->threads.n,
		.nruns = d.o->runs.n };
	struct ckpt_view *threads, *runs;
	int rc = 0;

	want.threads = threads = views(&d.o->threads);
	want.runs = runs = views(&d.o->runs);
	if (!threads || !runs)
		rc = ckpt_fail(&cli->err, CKPT_ENOMEM, "out of memory");
	if (rc == 0)
		rc = ckpt_delete_plan(&d.plan, cli->store, &want);
	if (rc == 0) {
		ckpt_delete_about(d.plan, &d.sum);
		rc = receipt_begin(cli, "delete");
	}
	if (rc >= 0)
		rc = d.o->dry_run ? put_answer(&d, &(struct ckpt_deleted){ d.sum.rows,
								   d.sum.threads })
		                  : delete_now(&d);
	ckpt_delete_free(d.plan);
	free(threads);
	free(runs);
	return rc;
}

static bool alters(const void *given)
{
	const struct delete_opts *o = given;

	return !o->dry_run;
}

const struct cmd cmd_delete = {
	.name = "delete",
	.args = "",
	.summary = "delete threads, or the checkpoints of runs",
	.opts = opts,
	.size = sizeof(struct delete_opts),
	.needs_store = true,
	.alters = alters,
	.examples = "  ckpt delete --thread chat-1 --dry-run   what would go?\n",
	.check = check,
	.run = run,
};
