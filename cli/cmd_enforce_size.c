/*
 * cmd_enforce_size.c - `ckpt enforce-size`: limits of size, what is told of them, and the order of
 * things when something has to go. What goes is the library's to say.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"
#include "size.h"

enum { MEASURE_LIVE, MEASURE_FILE };

struct options {
	int64_t max_checkpoint, max_thread, max_size;
	struct guard_opts guards;
	struct deed_opts deed;
	const char *floor, *low_water;
	int measure, order, progress;
	bool check, dry_run, yes;
};

/* clang-format off */
static const struct opt opts[] = {
	{ 0, "", OPT_GROUP, 0, NULL, "Limits (sizes have units: 250MB, 1GiB)", NULL, 0, false },
	{ 0, "max-size", OPT_SIZE, AT(struct options, max_size), "SIZE",
		"of the store: checkpoints go until the rest fits", NULL, 0, false },
	{ 0, "max-thread", OPT_SIZE, AT(struct options, max_thread), "SIZE",
		"of each thread", NULL, 0, false },
	{ 0, "max-checkpoint", OPT_SIZE, AT(struct options, max_checkpoint), "SIZE",
		"list checkpoints that need more to be loaded, with their channels",
		NULL, 0, false },
	{ 0, "check", OPT_FLAG, AT(struct options, check), NULL,
		"only say what is too large; exit code 1 if anything is", NULL, 0, false },
	{ 0, "measure", OPT_ENUM, AT(struct options, measure), "WHAT",
		"what --max-size is of: live bytes (default), or the file", "live|file",
		COMPLETE_CHOICES, false },
	{ 0, "", OPT_GROUP, 0, NULL, "What goes", NULL, 0, false },
	{ 0, "order", OPT_ENUM, AT(struct options, order), "ORDER",
		"first of idle threads (default), the oldest of all, or of the largest thread",
		"idle|oldest|largest", COMPLETE_CHOICES, false },
	{ 0, "floor", OPT_TEXT, AT(struct options, floor), "keep-last=N",
		"never below that in a thread and namespace (default: keep-last=1)",
		NULL, 0, false },
	{ 0, "low-water", OPT_TEXT, AT(struct options, low_water), "P%",
		"once over a limit, come down to P% of it (default: 100%)", NULL, 0, false },
	POLICY_GUARDS(struct options, guards),
	{ 0, "", OPT_GROUP, 0, NULL, "Safety", NULL, 0, false },
	{ 'n', "dry-run", OPT_FLAG, AT(struct options, dry_run), NULL,
		"only say what would go", NULL, 0, false },
	{ 'y', "yes", OPT_FLAG, AT(struct options, yes), NULL,
		"do not ask", NULL, 0, false },
	DEED_OPTS(struct options, deed),
	{ 0, "progress", OPT_ENUM, AT(struct options, progress), "HOW",
		"no bar, or lines instead of it", "none|plain", COMPLETE_CHOICES, false },
	{ 0, NULL, OPT_END_KIND, 0, NULL, NULL, NULL, 0, false }
};
/* clang-format on */

struct enforce {
	struct cli *cli;
	const struct options *o;
	struct ckpt_policy policy;
	struct ckpt_size_limits limits;
	struct ckpt_size *size;
	struct ckpt_size_sum sum;
	struct ckpt_prune *plan;
	struct size_report report;
	struct progress progress;
	struct outcome out;
};

/* ---- words -------------------------------------------------------------------------------- */

/* Digits and then exactly that. */
static bool parse_number(int64_t *out, const char *text, const char *then)
{
	char *end;

	errno = 0;
	*out = strtoll(text, &end, 10);
	return !errno && *text >= '0' && *text <= '9' && strcmp(end, then) == 0;
}

static int parse_floor(struct enforce *e)
{
	static const char rule[] = "keep-last=";
	const char *text = e->o->floor;

	e->policy.last = 1;
	if (!text)
		return 0;
	if (strncmp(text, rule, sizeof(rule) - 1) == 0 &&
			parse_number(&e->policy.last, text + sizeof(rule) - 1, "") &&
			e->policy.last > 0)
		return 0;
	return cli_usage(e->cli, "--floor '%s': keep-last=N is wanted, with N from 1 on",
			text);
}

static int parse_low_water(struct enforce *e)
{
	const char *text = e->o->low_water;

	e->limits.low_water = 100;
	if (!text)
		return 0;
	if (parse_number(&e->limits.low_water, text, "%") && e->limits.low_water > 0 &&
			e->limits.low_water <= 100)
		return 0;
	return cli_usage(e->cli,
			"--low-water '%s': a percentage from 1%% to 100%% is wanted",
			text);
}

static int read_words(struct enforce *e)
{
	const struct options *o = e->o;
	const struct rule_opts rules = { CKPT_UNKNOWN, CKPT_UNKNOWN, CKPT_UNKNOWN,
		CKPT_UNKNOWN, CKPT_UNKNOWN, CKPT_UNKNOWN, CKPT_UNKNOWN, { 0 }, { 0 } };
	const struct select_opts all = { 0 };
	int rc = policy_check(e->cli, &rules, &all, &o->guards);

	if (rc < 0)
		return rc;
	if (o->max_size == CKPT_UNKNOWN && o->max_thread == CKPT_UNKNOWN &&
			o->max_checkpoint == CKPT_UNKNOWN)
		return cli_usage(e->cli, "no limit: --max-size, --max-thread or "
					 "--max-checkpoint");
	if (o->check && (o->deed.archive || o->deed.vacuum))
		return cli_usage(e->cli, "--check only looks: no --archive, no --vacuum");
	if (o->measure == MEASURE_FILE && o->max_size == CKPT_UNKNOWN)
		return cli_usage(e->cli, "--measure says what --max-size is of");
	policy_fill(&e->policy, &rules, &o->guards);
	e->policy.now = CKPT_UNKNOWN;
	rc = deed_check(e->cli, &o->deed);
	rc = rc < 0 ? rc : parse_floor(e);
	return rc < 0 ? rc : parse_low_water(e);
}

static int check(struct cli *cli)
{
	struct enforce e = { .cli = cli, .o = cli->opts };

	return read_words(&e);
}

static void fill_limits(struct enforce *e)
{
	const struct options *o = e->o;

	e->limits.max_checkpoint = o->max_checkpoint;
	e->limits.max_thread = o->max_thread;
	e->limits.max_size = o->max_size;
	e->limits.file = o->measure == MEASURE_FILE;
	e->limits.order = o->order < 0 ? CKPT_SIZE_IDLE : (enum ckpt_size_order)o->order;
	e->limits.checkpoint = size_report_checkpoint;
	e->limits.thread = size_report_thread;
	e->limits.to = &e->report;
}

/* ---- plan and deed ------------------------------------------------------------------------ */

static void on_read(void *to, int64_t done)
{
	struct size_report *r = to;
	struct enforce *e = (struct enforce *)(void *)((char *)r -
						       AT(struct enforce, report));

	progress_show(&e->progress, "planning", done, 0);
}

static bool is_over(const struct enforce *e)
{
	return e->sum.over || e->sum.large_threads;
}

static bool is_too_large(const struct enforce *e)
{
	return e->o->max_size != CKPT_UNKNOWN && e->sum.measured > e->o->max_size;
}

static int make_plan(struct enforce *e)
{
	const struct ckpt_prune_scope told = {
		.space = size_report_space, .progress = on_read, .to = &e->report
	};
	int rc = size_report_start(&e->report);

	rc = rc < 0 ? rc : ckpt_size_measure(&e->size, e->cli->store, &e->limits);
	if (rc < 0)
		return rc;
	ckpt_size_about(e->size, &e->sum);
	if (!e->o->check && (is_over(e) || e->o->deed.vacuum)) {
		e->report.size = e->size;
		rc = ckpt_size_plan(&e->plan, e->size, &e->policy, &told);
		progress_end(&e->progress);
		ckpt_size_about(e->size, &e->sum);
	}
	if (rc >= 0 && e->plan) {
		ckpt_prune_about(e->plan, &e->out.plan);
		e->out.plan.threads_skipped = e->sum.skipped;
	}
	return size_report_sum(&e->report, &e->sum) < 0 ? e->cli->err.code : rc;
}

/* A file has more in it than live bytes: that it fits was a guess, until it was vacuumed. */
static bool stays_too_large(const struct enforce *e)
{
	const struct ckpt_space *s = &e->out.after;

	return e->limits.file && e->o->deed.vacuum && e->out.ran &&
	       s->file != CKPT_UNKNOWN && s->reclaimable != CKPT_UNKNOWN &&
	       s->file - s->reclaimable > e->o->max_size;
}

static void give_advice(struct enforce *e)
{
	if (e->sum.large_checkpoints)
		cli_note(e->cli, "keep large values out of the state: store them "
				 "elsewhere "
				 "and keep their names");
	if (is_too_large(e) && e->limits.file && !e->o->deed.vacuum)
		cli_note(e->cli, "a file does not shrink by deleting: its free pages "
				 "have to "
				 "be given back");
	if (e->plan && !e->sum.reached)
		cli_note(e->cli, "the limit cannot be reached: guards and the floor keep "
				 "the "
				 "rest");
	else if (e->out.done.moved && is_over(e))
		cli_note(e->cli, "the limit may not be reached: what was written to in "
				 "the "
				 "meantime was left alone; run the same again");
	else if (stays_too_large(e))
		cli_note(e->cli, "the file is above the limit still, as live bytes are "
				 "not all it has: the same again deletes more");
}

static int carry_out(struct enforce *e)
{
	struct deed d = { .cli = e->cli,
		.plan = e->plan,
		.out = &e->out,
		.progress = &e->progress,
		.doing = "deleting",
		.hint = "add --yes",
		.o = &e->o->deed,
		.yes = e->o->yes };
	int rc = deed_do(&d);

	if (e->out.ran)
		size_report_summary(&e->report, &e->sum, &e->out);
	return rc;
}

/* What is still too large once all is done: 3, if it should have gone; 1, if only told. */
static int verdict(const struct enforce *e)
{
	if (e->plan && (!e->sum.reached || e->out.done.moved || stays_too_large(e)))
		return 3;
	return e->sum.large_checkpoints || (e->o->check && is_over(e)) ? 1 : 0;
}

static int run(struct cli *cli)
{
	struct enforce e = { .cli = cli, .o = cli->opts };
	int rc;

	e.report = (struct size_report){ .cli = cli, .limits = &e.limits };
	rc = read_words(&e);
	fill_limits(&e);
	progress_start(&e.progress, cli, e.o->progress);
	rc = rc < 0 ? rc : make_plan(&e);
	rc = rc < 0 || !e.plan ? rc : ckpt_store_space(cli->store, &e.out.before);
	e.out.after = e.out.before;
	if (rc >= 0 && e.plan && !e.o->dry_run &&
			(e.out.plan.checkpoints || e.o->deed.vacuum))
		rc = carry_out(&e);
	else if (rc >= 0)
		rc = size_report_summary(&e.report, &e.sum, e.plan ? &e.out : NULL);
	if (rc >= 0) {
		give_advice(&e);
		rc = e.o->check && is_too_large(&e) ? 1 : verdict(&e);
	}
	ckpt_prune_free(e.plan);
	ckpt_size_free(e.size);
	size_report_free(&e.report);
	return rc;
}

static bool alters(const void *given)
{
	const struct options *o = given;

	return !o->dry_run && !o->check;
}

const struct cmd cmd_enforce_size = {
	.name = "enforce-size",
	.args = "",
	.summary = "keep checkpoints, threads and the store below limits of size",
	.opts = opts,
	.size = sizeof(struct options),
	.needs_store = true,
	.alters = alters,
	.examples = "  ckpt enforce-size --max-size 1GB --dry-run         what would "
		    "have to go\n"
		    "  ckpt enforce-size --max-thread 20MB --yes          unattended\n"
		    "  ckpt enforce-size --max-checkpoint 1MB --check     who stores too "
		    "much\n",
	.check = check,
	.run = run,
};
