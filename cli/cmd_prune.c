/*
 * cmd_prune.c - `ckpt prune`: which policies are refused, the order of things from plan to receipt.
 * What is kept is the library's to say, what is told prune_report.c's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "prune.h"

#define HEADS_NOTED 10

enum { STRATEGY_KEEP_LATEST, STRATEGY_DELETE };

/* clang-format off */
static const struct opt opts[] = {
	{ 0, "", OPT_GROUP, 0, NULL, "Policy (what any rule keeps, stays)", NULL, 0, false },
	POLICY_RULES(struct prune_opts, rules),
	{ 0, "delete-threads", OPT_FLAG, AT(struct prune_opts, delete_threads), NULL,
		"drop whole threads: of those selected, or idle", NULL, 0, false },
	{ 0, "idle", OPT_DURATION, AT(struct prune_opts, idle), "DURATION",
		"with --delete-threads: only those without a checkpoint for that long",
		NULL, 0, false },
	{ 0, "orphans", OPT_FLAG, AT(struct prune_opts, orphans), NULL,
		"drop what belongs to nothing: namespaces, writes and blobs", NULL, 0, false },
	{ 0, "strategy", OPT_ENUM, AT(struct prune_opts, strategy), "NAME",
		"as LangGraph calls it: --keep-last 1, or --delete-threads",
		"keep_latest|delete", COMPLETE_CHOICES, true },
	{ 0, "", OPT_GROUP, 0, NULL, "Safety", NULL, 0, false },
	{ 'n', "dry-run", OPT_FLAG, AT(struct prune_opts, dry_run), NULL,
		"only say what would go, and why the rest stays", NULL, 0, false },
	{ 'y', "yes", OPT_FLAG, AT(struct prune_opts, yes), NULL,
		"do not ask", NULL, 0, false },
	DEED_OPTS(struct prune_opts, deed),
	{ 0, "max-delete", OPT_TEXT, AT(struct prune_opts, max_delete), "N|P%",
		"refuse to drop more checkpoints, or threads (default: 50% of threads)",
		NULL, 0, false },
	{ 0, "expect-plan", OPT_TEXT, AT(struct prune_opts, expect), "PLAN",
		"do what that dry run said, or nothing", NULL, 0, false },
	{ 0, "as-of", OPT_TIME, AT(struct prune_opts, as_of), "TIME",
		"take that for the present; the future only with --dry-run", NULL, 0, true },
	POLICY_GUARDS(struct prune_opts, guards),
	{ 0, "", OPT_GROUP, 0, NULL, "Select", NULL, 0, false },
	POLICY_SELECT(struct prune_opts, select),
	{ 0, "", OPT_GROUP, 0, NULL, "How", NULL, 0, false },
	{ 0, "list", OPT_FLAG, AT(struct prune_opts, list), NULL,
		"a row for each checkpoint", NULL, 0, false },
	{ 0, "progress", OPT_ENUM, AT(struct prune_opts, progress), "HOW",
		"no bar, or lines instead of it", "none|plain", COMPLETE_CHOICES, false },
	{ 0, NULL, OPT_END_KIND, 0, NULL, NULL, NULL, 0, false }
};
/* clang-format on */

struct prune {
	struct cli *cli;
	struct prune_opts *o;
	struct ckpt_policy policy;
	struct selection select;
	struct ckpt_prune_scope scope;
	struct report report;
	struct progress progress;
	struct ckpt_prune *plan;
	struct outcome out;
};

/* ---- what is refused ------------------------------------------------------------------------------ */

static int refuse(struct cli *cli, const char *why, const char *hint)
{
	ckpt_fail(&cli->err, CKPT_EREFUSED, "refused: %s", why);
	ckpt_hint(&cli->err, "%s", hint);
	return cli->err.code;
}

#define WHOLE_HINT \
	"to delete whole threads say so:  ckpt prune --delete-threads --idle 30d"

static int check_policy(struct cli *cli, const struct prune_opts *o)
{
	const struct select_opts *s = &o->select;

	if (o->delete_threads && policy_rules(&o->rules))
		return cli_usage(cli,
				"--delete-threads takes threads whole: it goes with "
				"no rule that keeps checkpoints");
	if (o->delete_threads && s->ns)
		return cli_usage(cli, "--delete-threads takes threads with all their "
				      "namespaces: it does not go with --ns");
	if (o->idle != CKPT_UNKNOWN && !o->delete_threads)
		return cli_usage(cli,
				"--idle is about whole threads: add --delete-threads");
	if (o->delete_threads && (o->idle == CKPT_UNKNOWN || o->idle <= 0) &&
			!s->threads.n && !s->from && !s->glob && !s->where.n)
		return refuse(cli,
				"--delete-threads without a selection would delete all",
				"say which: --idle, --thread, --threads-from, "
				"--thread-glob "
				"or --where");
	if (!o->delete_threads && !o->orphans && !policy_rules(&o->rules) &&
			!o->deed.vacuum)
		return refuse(cli, "no rule says what to keep",
				"see which there are: ckpt help policies");
	if (!o->delete_threads && policy_rules(&o->rules) && !policy_keeps(&o->rules))
		return refuse(cli, "this policy keeps nothing", WHOLE_HINT);
	/* a year that was mistyped would make all of it old, and in use none */
	if (o->as_of != CKPT_UNKNOWN && o->as_of > cli->now && !o->dry_run)
		return refuse(cli,
				"--as-of lies in the future: no guard of age would hold",
				"look with --dry-run, and delete when it is time");
	return 0;
}

static int apply_strategy(struct cli *cli, struct prune_opts *o)
{
	if (o->strategy == STRATEGY_DELETE)
		o->delete_threads = true;
	if (o->strategy != STRATEGY_KEEP_LATEST)
		return 0;
	if (o->rules.last != CKPT_UNKNOWN && o->rules.last != 1)
		return cli_usage(cli, "--strategy keep_latest is --keep-last 1");
	o->rules.last = 1;
	return 0;
}

/* N or P%, of what there is in all. */
static int parse_limit(struct cli *cli, int64_t *out, const char *text, int64_t all)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno || n < 0 || end == text || text[0] < '0' || text[0] > '9' ||
			(*end && strcmp(end, "%") != 0) || (*end && n > 100))
		return cli_usage(cli,
				"--max-delete '%s': a number or a percentage is "
				"wanted",
				text);
	*out = *end ? (int64_t)((__int128)all * n / 100) : n;
	return 0;
}

static int check(struct cli *cli)
{
	struct prune_opts *o = cli->opts;
	int64_t time, limit;
	int rc = apply_strategy(cli, o);

	if (rc >= 0)
		rc = policy_check(cli, &o->rules, &o->select, &o->guards);
	if (rc >= 0)
		rc = deed_check(cli, &o->deed);
	if (rc >= 0 && o->max_delete)
		rc = parse_limit(cli, &limit, o->max_delete, 0);
	if (rc >= 0 && o->expect && !ckpt_prune_time(&time, o->expect))
		rc = cli_usage(cli, "--expect-plan '%s': no id of a plan", o->expect);
	if (rc >= 0 && o->expect && o->as_of != CKPT_UNKNOWN)
		rc = cli_usage(cli, "--expect-plan brings its own --as-of");
	return rc < 0 ? rc : check_policy(cli, o);
}

static int check_limit(struct prune *p)
{
	const struct ckpt_prune_sum *sum = &p->out.plan;
	bool threads = p->o->delete_threads;
	int64_t n = threads ? sum->threads_emptied : sum->checkpoints;
	int64_t all = threads ? sum->all_threads : sum->all_checkpoints;
	int64_t limit = INT64_MAX;

	/* who names threads means them */
	if (threads && !p->select.literal)
		limit = all / 2;
	if (p->o->max_delete && parse_limit(p->cli, &limit, p->o->max_delete, all) < 0)
		return p->cli->err.code;
	if (n <= limit)
		return 0;
	ckpt_fail(&p->cli->err, CKPT_EREFUSED,
			"refused: %lld of %lld %s would go, %s allows %lld", (long long)n,
			(long long)all, threads ? "threads" : "checkpoints",
			p->o->max_delete ? "--max-delete" : "the default limit of 50%",
			(long long)limit);
	ckpt_hint(&p->cli->err,
			"look at what goes; if it is meant, raise it: --max-delete %lld",
			(long long)n);
	return p->cli->err.code;
}

static int check_plan(struct prune *p)
{
	if (!p->o->expect || strcmp(p->o->expect, p->out.plan.id) == 0)
		return 0;
	ckpt_fail(&p->cli->err, CKPT_EREFUSED, "refused: the plan is another one now: %s",
			p->out.plan.id);
	ckpt_hint(&p->cli->err,
			"the store changed, or the options are not those of then; "
			"look again: --dry-run");
	return p->cli->err.code;
}

/* ---- the plan --------------------------------------------------------------------------------------- */

static void on_read(void *to, int64_t done)
{
	struct report *r = to;
	struct prune *p = (struct prune *)(void *)((char *)r - AT(struct prune, report));

	progress_show(&p->progress, "reading", done, 0);
}

static int make_plan(struct prune *p)
{
	const struct prune_opts *o = p->o;
	int rc;

	p->policy = (struct ckpt_policy){ .whole = o->delete_threads,
		.idle = o->idle == CKPT_UNKNOWN ? 0 : o->idle,
		.orphans = o->orphans,
		.now = o->as_of,
		.upto = CKPT_UNKNOWN };
	policy_fill(&p->policy, &o->rules, &o->guards);
	if (o->expect && ckpt_prune_time(&p->policy.now, o->expect))
		p->policy.upto = p->policy.now;
	rc = selection_open(&p->select, &p->scope);
	p->scope.totals = true;
	p->scope.space = report_space;
	p->scope.item = o->list ? report_item : NULL;
	p->scope.progress = on_read;
	p->scope.to = &p->report;
	rc = rc < 0 ? rc : report_start(&p->report);
	if (rc < 0)
		return rc;
	rc = ckpt_prune_plan(&p->plan, p->cli->store, &p->policy, &p->scope);
	progress_end(&p->progress);
	if (rc >= 0) {
		ckpt_prune_about(p->plan, &p->out.plan);
		rc = selection_check(&p->select);
	}
	return report_plan(&p->report, &p->out.plan) < 0 ? p->cli->err.code : rc;
}

/* ---- the deed ---------------------------------------------------------------------------------------- */

static bool is_nothing(const struct ckpt_prune_sum *s)
{
	return !s->checkpoints && !s->stray_writes && !s->stray_blobs;
}

static int carry_out(struct prune *p)
{
	struct deed d = { .cli = p->cli,
		.plan = p->plan,
		.out = &p->out,
		.progress = &p->progress,
		.doing = "pruning",
		.hint = "add --yes (and, for unattended runs, --max-delete 20%)",
		.o = &p->o->deed,
		.yes = p->o->yes,
		.expected = p->o->expect,
		.named = p->select.literal,
		.stdin_taken = p->o->select.taken,
		.shard = p->scope.shard,
		.shards = p->scope.shards };
	int rc = deed_do(&d);

	if (p->out.ran)
		report_summary(&p->report, &p->out);
	if (rc >= 0 && p->o->expect && p->out.done.moved)
		rc = ckpt_fail(&p->cli->err, CKPT_EINCOMPLETE,
				"not all of the plan was done: the store was written to");
	return rc;
}

/* What stays while its children go is the head of a branch from then on: a policy that thins out
 * by the calendar gathers them for ever. */
static void note_heads(struct prune *p)
{
	const struct ckpt_prune_sum *s = &p->out.plan;

	if (s->only_heads >= HEADS_NOTED && s->only_heads > s->kept / 2)
		cli_note(p->cli,
				"%lld of %lld checkpoints stay only because they are "
				"heads "
				"of branches, as is what lost its children to a policy; "
				"--no-keep-heads lets them go",
				(long long)s->only_heads, (long long)s->kept);
}

static int go_on(struct prune *p)
{
	int rc = check_plan(p);

	rc = rc < 0 ? rc : check_limit(p);
	rc = rc < 0 ? rc : ckpt_store_space(p->cli->store, &p->out.before);
	p->out.after = p->out.before;
	if (rc < 0)
		return rc;
	note_heads(p);
	if (!p->o->dry_run && (!is_nothing(&p->out.plan) || p->o->deed.vacuum))
		return carry_out(p);
	p->out.ran = !p->o->dry_run; /* there was nothing to do */
	rc = report_summary(&p->report, &p->out);
	if (rc >= 0 && p->o->dry_run)
		report_hint(&p->report, &p->out.plan);
	return rc;
}

static int run(struct cli *cli)
{
	struct prune p = { .cli = cli, .o = cli->opts };
	int rc;

	p.select = (struct selection){
		.cli = cli, .o = &p.o->select, .rules = &p.o->rules
	};
	p.report = (struct report){ .cli = cli, .o = p.o, .policy = &p.policy };
	progress_start(&p.progress, cli, p.o->progress);
	rc = make_plan(&p);
	rc = rc < 0 ? rc : go_on(&p);
	ckpt_prune_free(p.plan);
	selection_close(&p.select);
	report_free(&p.report);
	return rc;
}

static bool alters(const void *given)
{
	const struct prune_opts *o = given;

	return !o->dry_run;
}

const struct cmd cmd_prune = {
	.name = "prune",
	.args = "",
	.summary = "delete old checkpoints by policy; keep what a kept one needs to load",
	.opts = opts,
	.size = sizeof(struct prune_opts),
	.needs_store = true,
	.alters = alters,
	.examples = "  ckpt prune --keep-last 20 --dry-run             see what would "
		    "go, "
		    "and why\n"
		    "  ckpt prune --older-than 30d --archive a.db -y   keep a restorable "
		    "copy\n"
		    "  ckpt prune --delete-threads --idle 90d --yes    unattended, whole "
		    "threads\n",
	.check = check,
	.run = run,
};
