/*
 * cmd_list.c - `ckpt list`: its options. What they let through is list_filter.c; the folds are
 * list_threads.c and list_checkpoints.c.
 */
#include <string.h>

#include "list.h"

/* clang-format off */
static const struct opt opts[] = {
	{ 0, "", OPT_GROUP, 0, NULL, "Select", NULL, 0, false },
	{ 0, "all", OPT_FLAG, AT(struct list, all), NULL,
		"list the checkpoints of all threads", NULL, 0, false },
	{ 0, "thread", OPT_TEXT, AT(struct list, thread), "ID",
		"list the checkpoints of this thread; never parsed", NULL, COMPLETE_THREAD, false },
	{ 0, "thread-glob", OPT_TEXT, AT(struct list, thread_glob), "GLOB",
		"only threads whose id matches", NULL, 0, false },
	{ 0, "ns", OPT_TEXT, AT(struct list, ns), "NS",
		"only this namespace; '*' for all (default: the root)", NULL, COMPLETE_NS, false },
	{ 0, "", OPT_GROUP, 0, NULL, "Filters (all must hold)", NULL, 0, false },
	{ 0, "since", OPT_TIME, AT(struct list, since), "TIME",
		"only checkpoints of TIME or later", NULL, 0, false },
	{ 0, "until", OPT_TIME, AT(struct list, until), "TIME",
		"only checkpoints of TIME or earlier", NULL, 0, false },
	{ 0, "idle", OPT_DURATION, AT(struct list, idle), "DURATION",
		"only threads without a checkpoint for that long", NULL, 0, false },
	{ 0, "where", OPT_LIST, AT(struct list, where), "KEY=VALUE",
		"only checkpoints whose metadata has it; repeatable", NULL, 0, false },
	{ 0, "run-id", OPT_TEXT, AT(struct list, run_id), "ID",
		"only checkpoints of this run", NULL, 0, false },
	{ 0, "source", OPT_TEXT, AT(struct list, source), "SOURCE",
		"only checkpoints from input, loop, update or fork", NULL, 0, false },
	{ 0, "step", OPT_INT, AT(struct list, step), "N",
		"only checkpoints of this step", NULL, 0, false },
	{ 0, "status", OPT_ENUM, AT(struct list, status), "STATUS",
		"only threads that stand so now, or checkpoints that stand so",
		"finished|interrupted|answered|failed|runnable|unknown", COMPLETE_CHOICES, false },
	{ 0, "head", OPT_FLAG, AT(struct list, head), NULL,
		"only branch heads", NULL, 0, false },
	{ 0, "changed", OPT_TEXT, AT(struct list, changed), "POINTER",
		"only where that value differs from the parent's", NULL, 0, false },
	{ 0, "", OPT_GROUP, 0, NULL, "Form", NULL, 0, false },
	{ 'l', "long", OPT_FLAG, AT(struct list, detail), NULL,
		"more columns; reads the rows, not only the index", NULL, 0, false },
	{ 0, "graph", OPT_FLAG, AT(struct list, graph), NULL,
		"draw the branches of the thread", NULL, 0, false },
	{ 0, "ids", OPT_FLAG, AT(struct list, ids), NULL,
		"print ids only", NULL, 0, false },
	{ 0, "limit", OPT_INT, AT(struct list, limit), "N",
		"at most N rows", NULL, 0, false },
	{ 0, "sort", OPT_ENUM, AT(struct list, sort), "KEY",
		"order of threads (default: last)", "last|first|checkpoints|bytes|thread",
		COMPLETE_CHOICES, false },
	{ 0, "reverse", OPT_FLAG, AT(struct list, reverse), NULL,
		"the other way round", NULL, 0, false },
	{ 0, NULL, OPT_END_KIND, 0, NULL, NULL, NULL, 0, false }
};
/* clang-format on */

/* ---- run ---------------------------------------------------------------------------------------- */

static int check(struct cli *cli)
{
	const struct list *o = cli->opts;
	bool one_thread = cli->nargs || o->thread;
	bool checkpoints = one_thread || o->all;

	if (one_thread && (o->all || o->thread_glob))
		return cli_usage(cli, "--%s lists many threads, but one was named",
				o->all ? "all" : "thread-glob");
	if (o->thread && cli->nargs)
		return cli_usage(cli,
				"name the thread once: as an argument or with --thread");
	if (o->graph && !one_thread)
		return cli_usage(cli, "--graph draws one thread: name it");
	if (o->graph && (o->ids || o->reverse || cli->g.json || cli->g.ndjson ||
					cli->g.porcelain))
		return cli_usage(cli, "--graph is a drawing: it goes with no other form "
				      "or order");
	if (o->sort >= 0 && checkpoints)
		return cli_usage(cli, "--sort is for the list of threads; checkpoints "
				      "come by id");
	if (o->limit != CKPT_UNKNOWN && o->limit < 1)
		return cli_usage(cli, "--limit: at least 1 is wanted");
	if (o->changed && strncmp(o->changed, "/values", 7) != 0 &&
			strncmp(o->changed, "/metadata", 9) != 0)
		return cli_usage(cli,
				"--changed '%s': a pointer begins /values/ or /metadata/",
				o->changed);
	return cli_check_where(cli, "--where", &o->where);
}

static int run(struct cli *cli)
{
	const struct list *o = cli->opts;
	const char *name = cli->nargs ? cli->args[0] : o->thread;
	struct ckpt_view thread = ckpt_view_of(name);

	if (name || o->all)
		return list_checkpoints(cli, o, name ? &thread : NULL);
	return list_threads(cli, o);
}

const struct cmd cmd_list = {
	.name = "list",
	.args = "[THREAD]",
	.max_args = 1,
	.summary = "list threads, or the checkpoints of a thread",
	.opts = opts,
	.size = sizeof(struct list),
	.complete = COMPLETE_THREAD,
	.needs_store = true,
	.pages = true,
	.examples = "  ckpt list                                threads, last active "
		    "first\n"
		    "  ckpt list -l --limit 20                  with sizes, branches and "
		    "steps\n"
		    "  ckpt list -l --status interrupted        who waits for a person, "
		    "and "
		    "for what\n"
		    "  ckpt list chat-1 --graph                 the branches of one "
		    "thread\n"
		    "  ckpt list --all --since now-7d --ids     ids of the last week\n"
		    "  ckpt list chat-1 --changed /values/messages\n",
	.check = check,
	.run = run,
};
