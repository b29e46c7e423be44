/*
 * cmd_resume.c - `ckpt resume ADDRESS`: where a thread stands and how to go on, and going on by
 * becoming the application.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "child.h"
#include "resume.h"

/* clang-format off */
static const struct opt opts[] = {
	{ 0, "", OPT_GROUP, 0, NULL, "Select", NULL, 0, false },
	{ 0, "thread", OPT_TEXT, AT(struct resume_opts, thread), "ID",
		"the thread, literally; never parsed as an address", NULL, COMPLETE_THREAD, false },
	{ 0, "checkpoint", OPT_TEXT, AT(struct resume_opts, checkpoint), "ID",
		"with --thread: this checkpoint; '' is the newest", NULL, COMPLETE_CHECKPOINT, false },
	{ 0, "ns", OPT_TEXT, AT(struct resume_opts, ns), "NS",
		"in this namespace (default: the root)", NULL, COMPLETE_NS, false },
	{ 0, "", OPT_GROUP, 0, NULL, "Change course", NULL, 0, false },
	{ 0, "fork", OPT_FLAG, AT(struct resume_opts, fork), NULL,
		"make this checkpoint the head of a new branch", NULL, 0, false },
	{ 0, "thread-id", OPT_TEXT, AT(struct resume_opts, new_thread), "NEW",
		"with --fork: in a new thread of this id", NULL, 0, false },
	{ 0, "answer", OPT_LIST, AT(struct resume_opts, answers), "[ID=]JSON",
		"answer the question that waits; repeatable", NULL, 0, false },
	{ 0, "rollback", OPT_FLAG, AT(struct resume_opts, rollback), NULL,
		"fork from the newest good checkpoint", NULL, 0, false },
	{ 'n', "dry-run", OPT_FLAG, AT(struct resume_opts, dry_run), NULL,
		"only tell what would be done", NULL, 0, false },
	{ 'y', "yes", OPT_FLAG, AT(struct resume_opts, yes), NULL,
		"do not ask", NULL, 0, false },
	{ 0, NULL, OPT_END_KIND, 0, NULL, NULL, NULL, 0, false }
};
/* clang-format on */

/* ---- reading --------------------------------------------------------------------------------- */

/* What an application gives to invoke(). The head's own id is left out: with it LangGraph would
 * go back in time, run finished tasks again and ignore staged answers. */
static void make_config(struct resume *r)
{
	ckpt_buf_puts(&r->config, "{\"configurable\":{");
	text_json_member(&r->config, "thread_id", r->key.thread);
	ckpt_buf_puts(&r->config, ",");
	text_json_member(&r->config, "checkpoint_ns", r->key.ns);
	if (!r->tasks->head || r->stateful) {
		ckpt_buf_puts(&r->config, ",");
		text_json_member(&r->config, "checkpoint_id", r->key.id);
	}
	ckpt_buf_puts(&r->config, "}}");
}

static int find(struct resume *r)
{
	struct cli *cli = r->cli;
	struct ckpt_address a = {
		.text = cli->nargs ? cli->args[0] : NULL,
		.thread = ckpt_view_of(r->o->thread),
		.ns = ckpt_view_of(r->o->ns),
		.id = ckpt_view_of(r->o->checkpoint),
	};

	return ckpt_address_find(&r->key, cli->store, &a, &r->key_bytes);
}

/* Where branches end. */
static int count_heads(struct resume *r)
{
	struct ckpt_lineage *l = NULL;
	int rc = ckpt_lineage_load(&l, r->cli->store, &r->key);

	r->heads = 0;
	for (size_t i = 0; rc >= 0 && i < l->count; i++)
		r->heads += !l->links[i].children;
	ckpt_lineage_free(l);
	return rc;
}

/* A branch that has not gone on yet: by what else than its id could it run subgraphs that keep a
 * state of their own? */
static int look_for_stateful(struct resume *r)
{
	struct ckpt_pick pick = { .key.thread = r->key.thread, .depth = CKPT_HEADS };
	struct ckpt_buf source = { 0 };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc;

	if (!r->tasks->head || r->key.ns.n || r->c.nwrites ||
			!ckpt_meta_text(&source, r->c.meta, "source") ||
			!ckpt_view_eq(ckpt_buf_view(&source), CKPT_LIT("fork"))) {
		ckpt_buf_free(&source);
		return 0;
	}
	ckpt_buf_free(&source);
	pick.key.blob = r->key.blob & CKPT_BLOB_THREAD;
	rc = ckpt_scan_open(&scan, r->cli->store, &pick);
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0)
		r->stateful |= c.key.ns.n && !memchr(c.key.ns.p, ':', c.key.ns.n);
	ckpt_scan_close(scan);
	return rc;
}

int resume_look(struct resume *r)
{
	struct ckpt_pick pick = { .key = r->key, .depth = CKPT_VALUES, .writes = true };
	struct cli *cli = r->cli;
	int rc = ckpt_scan_one(&r->scan, cli->store, &pick, &r->c);

	if (rc == 0)
		rc = ckpt_fail(&cli->err, CKPT_ENOTFOUND, "the checkpoint is gone");
	if (rc >= 0)
		rc = ckpt_tasks_load(&r->tasks, cli->store, &r->c, 0);
	r->safe.n = r->safe_why.n = r->config.n = 0;
	if (rc >= 0)
		rc = ckpt_safe_find(&r->safe, &r->safe_why, cli->store, &r->key);
	r->has_safe = rc > 0;
	rc = rc < 0 ? rc : count_heads(r);
	rc = rc < 0 ? rc : look_for_stateful(r);
	if (rc < 0)
		return rc;
	make_config(r);
	return 0;
}

void resume_forget(struct resume *r)
{
	ckpt_tasks_free(r->tasks);
	ckpt_scan_close(r->scan);
	r->tasks = NULL;
	r->scan = NULL;
}

/* ---- going on -------------------------------------------------------------------------------- */

static int go_on(struct resume *r)
{
	const struct child child = { r->cli->command, r->key, ckpt_buf_view(&r->config) };
	struct ckpt_buf words = { 0 };
	int rc;

	stand_words(&words, r->tasks);
	if (r->tasks->status == CKPT_FINISHED)
		cli_note(r->cli, "the thread is finished: nothing is left to go on with");
	else if (words.n && !words.failed)
		cli_note(r->cli, "the thread is %s: %s",
				ckpt_status_name(r->tasks->status), words.p);
	ckpt_buf_free(&words);
	if (r->safe_why.n)
		cli_note(r->cli, "the thread is wedged: %s", r->safe_why.p);
	resume_forget(r);
	rc = cli_store_close(r->cli);
	return rc < 0 ? rc : child_exec(r->cli, &child);
}

static int check(struct cli *cli)
{
	const struct resume_opts *o = cli->opts;

	if (!cli->nargs == !o->thread)
		return cli_usage(cli, "one address, or --thread ID, is wanted");
	if (o->checkpoint && !o->thread)
		return cli_usage(cli, "--checkpoint goes with --thread");
	if (o->fork + o->rollback + (o->answers.n > 0) > 1)
		return cli_usage(cli, "--fork, --answer and --rollback exclude each "
				      "other");
	if (o->new_thread && !o->fork)
		return cli_usage(cli, "--thread-id goes with --fork");
	if (cli->command && !cli->command[0])
		return cli_usage(cli, "-- is followed by the command to run");
	if (cli->command && o->dry_run)
		return cli_usage(cli, "--dry-run runs no command");
	return 0;
}

static int run(struct cli *cli)
{
	struct resume r = { .cli = cli, .o = cli->opts };
	bool change = r.o->fork || r.o->rollback || r.o->answers.n;
	int rc = find(&r);

	rc = rc < 0 ? rc : resume_look(&r);
	if (rc >= 0 && change)
		rc = resume_change(&r);
	if (rc >= 0)
		rc = cli->command ? go_on(&r) : resume_answer(&r);
	resume_forget(&r);
	ckpt_buf_free(&r.key_bytes);
	ckpt_buf_free(&r.config);
	ckpt_buf_free(&r.safe);
	ckpt_buf_free(&r.safe_why);
	return rc;
}

const struct cmd cmd_resume = {
	.name = "resume",
	.args = "[ADDRESS] [-- CMD ARG…]",
	.max_args = 1,
	.summary = "where a thread stands, what happens next, and going on with it",
	.opts = opts,
	.size = sizeof(struct resume_opts),
	.complete = COMPLETE_CHECKPOINT,
	.needs_store = true,
	.runs = true,
	.examples = "  ckpt resume chat-1                      status, what waits, the "
		    "config\n"
		    "  ckpt resume chat-1 --json               the same, for jq\n"
		    "  ckpt resume chat-1 -- env               run a command that goes "
		    "on "
		    "with it\n"
		    "  ckpt resume chat-1~1 --fork --dry-run   could a branch begin "
		    "there?\n",
	.check = check,
	.run = run,
};
