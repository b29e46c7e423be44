/*
 * cmd_migrate.c - `ckpt migrate SRC DST`: its options, what it tells, its exit code. How a store
 * is copied is the library's.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diff.h"
#include "migrate_keep.h"
#include "progress.h"

struct migrate_opts {
	struct keep_opts keep;
	const char *quarantine;
	int verify, on_conflict, progress;
	int64_t jobs;
	bool dry_run, encrypt_all, verify_only, with_store;
};

struct migrate {
	struct cli *cli;
	struct migrate_opts *o;
	struct keeping keeping;
	struct progress progress;
	int quarantine; /* the file, or -1 */
	struct ckpt_buf line;
	struct ckpt_migrate_sum sum;
	int64_t cares;
};

/* clang-format off */
static const struct opt opts[] = {
	{ 0, "", OPT_GROUP, 0, NULL, "Select", NULL, 0, false },
	{ 0, "thread", OPT_LIST, AT(struct migrate_opts, keep.select.threads), "ID",
		"only this thread; repeatable", NULL, COMPLETE_THREAD, false },
	{ 0, "where", OPT_LIST, AT(struct migrate_opts, keep.select.where),
		"KEY=VALUE", "only checkpoints whose metadata has it; repeatable", NULL, 0,
		false },
	{ 0, "", OPT_GROUP, 0, NULL, "Keep (any of them keeps)", NULL, 0, false },
	POLICY_RULES(struct migrate_opts, keep.rules),
	{ 0, "", OPT_GROUP, 0, NULL, "Guards", NULL, 0, false },
	POLICY_AGES(struct migrate_opts, keep.guards),
	{ 0, "", OPT_GROUP, 0, NULL, "How", NULL, 0, false },
	{ 'n', "dry-run", OPT_FLAG, AT(struct migrate_opts, dry_run), NULL,
		"only look whether everything can be carried", NULL, 0, false },
	{ 0, "verify", OPT_ENUM, AT(struct migrate_opts, verify), "HOW",
		"compare both stores in the end (default: full)", "full|count|none",
		COMPLETE_CHOICES, false },
	{ 0, "verify-only", OPT_FLAG, AT(struct migrate_opts, verify_only), NULL,
		"copy nothing, compare both stores", NULL, 0, false },
	{ 0, "on-conflict", OPT_ENUM, AT(struct migrate_opts, on_conflict), "WHAT",
		"where the target has other contents (default: error)",
		"error|skip|overwrite", COMPLETE_CHOICES, false },
	{ 0, "quarantine", OPT_TEXT, AT(struct migrate_opts, quarantine), "FILE",
		"put there what cannot be carried, and copy the rest", NULL, COMPLETE_FILE, false },
	{ 0, "with-store", OPT_FLAG, AT(struct migrate_opts, with_store), NULL,
		"long-term memory too: the store tables", NULL, 0, false },
	{ 0, "encrypt-all", OPT_FLAG, AT(struct migrate_opts, encrypt_all), NULL,
		"encrypt plain values of encrypted rows too", NULL, 0, false },
	{ 0, "jobs", OPT_INT, AT(struct migrate_opts, jobs), "N",
		"connections that write to a PostgreSQL target (default: 2)", NULL, 0, false },
	{ 0, "progress", OPT_ENUM, AT(struct migrate_opts, progress), "HOW",
		"no bar, or lines instead of it", "none|plain", COMPLETE_CHOICES, false },
	{ 0, NULL, OPT_END_KIND, 0, NULL, NULL, NULL, 0, false }
};

static const struct col cols[] = {
	{ "action", "ACTION", COL_TEXT, 0 },
	{ "code", "CODE", COL_TEXT, 0 },
	{ "thread", "THREAD", COL_TEXT, 0 },
	{ "ns", "NS", COL_TEXT, 0 },
	{ "id", "ID", COL_TEXT, 0 },
	{ "channel", "CHANNEL", COL_TEXT, 0 },
	{ "detail", "DETAIL", COL_TEXT, 0 },
	{ NULL, NULL, COL_TEXT, 0 }
};
/* clang-format on */

static const char *const actions[] = {
	[CKPT_CARE_BLOB] = "blob",
	[CKPT_CARE_RENUMBER] = "renumber",
	[CKPT_CARE_QUARANTINE] = "quarantine",
	[CKPT_CARE_REFUSE] = "refuse",
};

/* ---- what the library asks and tells ---------------------------------------------------------- */

static void on_care(void *arg, const struct ckpt_care *c)
{
	struct migrate *m = arg;
	const struct field row[] = {
		{ .v = ckpt_view_of(actions[c->action]) },
		{ .v = ckpt_view_of(c->code) },
		{ .v = c->key.thread },
		{ .v = c->key.ns },
		{ .v = c->key.id },
		{ .v = c->channel },
		{ .v = c->detail },
	};

	m->cares++;
	out_row(m->cli, row);
}

static bool on_wanted(void *arg, const struct ckpt_checkpoint *c)
{
	struct migrate *m = arg;

	return keeping_wants(&m->keeping, c);
}

static int write_all(struct migrate *m)
{
	int why;

	if (m->line.failed)
		return ckpt_fail(&m->cli->err, CKPT_ENOMEM, "out of memory");
	why = out_write_all(m->quarantine, m->line.p, m->line.n);
	if (why)
		return ckpt_fail(&m->cli->err, CKPT_EIO, "cannot write '%s': %s",
				m->o->quarantine, strerror(why));
	m->line.n = 0;
	return 0;
}

static int on_reject(
		void *arg, const struct ckpt_checkpoint *c, const struct ckpt_care *why)
{
	struct migrate *m = arg;

	ckpt_dump_lines(&m->line, c, why);
	return write_all(m);
}

static int on_reject_item(void *arg, struct ckpt_view line)
{
	struct migrate *m = arg;

	ckpt_buf_add(&m->line, line.p, line.n);
	return write_all(m);
}

static void on_progress(void *arg, const char *phase, int64_t done, int64_t all)
{
	struct migrate *m = arg;

	progress_show(&m->progress, phase, done, all);
}

/* ---- the answer --------------------------------------------------------------------------------- */

/* For people: on a terminal with the answer, else beside it. */
static void tell(struct migrate *m, const char *what, const char *rest)
{
	if (out_form_of(m->cli) == FORM_TEXT)
		out_text(m->cli, "%s%s\n", what, rest);
	else if (out_form_of(m->cli) == FORM_PORCELAIN)
		cli_note(m->cli, "%s%s", what, rest);
}

/* How the application spells the store it is to use from now on. */
static void tell_uri(struct migrate *m, const char *target)
{
	struct ckpt_buf shown = { 0 };
	const char *rest;

	ckpt_store_shown(&shown, target);
	if (shown.failed)
		return;
	rest = strstr(shown.p, "://");
	if (strncmp(shown.p, "postgres", 8) == 0 && rest) {
		tell(m, "psycopg     postgresql", rest);
		tell(m, "SQLAlchemy  postgresql+psycopg", rest);
	} else {
		tell(m, "target      ", shown.p);
	}
	ckpt_buf_free(&shown);
}

static int summary(struct migrate *m, int64_t ms)
{
	const struct ckpt_migrate_sum *s = &m->sum;
	struct ckpt_buf members = { 0 }, text = { 0 };
	int rc;

	ckpt_buf_addf(&members,
			"\"checkpoints\":%" PRId64 ",\"writes\":%" PRId64
			",\"blobs\":%" PRId64 ",\"store_items\":%" PRId64
			",\"skipped\":%" PRId64 ",\"quarantined\":%" PRId64
			",\"bytes\":%" PRId64 ",\"seconds\":%" PRId64
			".%03d,\"verified\":{"
			"\"checkpoints\":%" PRId64 ",\"writes\":%" PRId64
			",\"different\":%" PRId64 "}",
			s->checkpoints, s->writes, s->blobs, s->store_items, s->skipped,
			s->quarantined, s->bytes, ms / 1000, (int)(ms % 1000),
			s->verified_checkpoints, s->verified_writes, s->different);
	ckpt_buf_addf(&text,
			"%s %" PRId64 " checkpoints, %" PRId64 " writes, %" PRId64
			" blobs (",
			m->o->dry_run ? "would copy up to" : "copied", s->checkpoints,
			s->writes, s->blobs);
	text_size(&text, s->bytes);
	ckpt_buf_addf(&text,
			") in %" PRId64 ".%" PRId64 " s; %" PRId64 " were there already",
			ms / 1000, ms % 1000 / 100, s->skipped);
	if (s->store_items)
		ckpt_buf_addf(&text, "; %" PRId64 " store items", s->store_items);
	if (s->quarantined)
		ckpt_buf_addf(&text, "; %" PRId64 " cannot be carried", s->quarantined);
	if (!m->o->dry_run && m->o->verify != CKPT_VERIFY_NONE)
		ckpt_buf_addf(&text,
				"; verified %" PRId64 " checkpoints and %" PRId64
				" writes, %" PRId64 " different",
				s->verified_checkpoints, s->verified_writes,
				s->different);
	if (members.failed || text.failed)
		rc = ckpt_fail(&m->cli->err, CKPT_ENOMEM, "out of memory");
	else
		rc = out_summary(m->cli, members.p, text.p);
	if (rc >= 0 && out_form_of(m->cli) == FORM_PORCELAIN)
		cli_note(m->cli, "%s", text.p);
	ckpt_buf_free(&members);
	ckpt_buf_free(&text);
	return rc;
}

/* ---- run ------------------------------------------------------------------------------------------ */

static int check(struct cli *cli)
{
	const struct migrate_opts *o = cli->opts;

	if (cli->g.store)
		return cli_usage(cli, "migrate names its stores itself: SRC DST, not -s");
	if (o->jobs != CKPT_UNKNOWN && (o->jobs < 1 || o->jobs > 16))
		return cli_usage(cli, "--jobs: from 1 to 16");
	return keeping_check(cli, &o->keep);
}

/* Nobody else's file, and for nobody else to read. */
static int open_quarantine(struct migrate *m)
{
	m->quarantine = -1;
	if (!m->o->quarantine || m->o->dry_run)
		return 0;
	m->quarantine = open(m->o->quarantine,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (m->quarantine < 0)
		return ckpt_fail(&m->cli->err, CKPT_EIO, "cannot make '%s': %s",
				m->o->quarantine, strerror(errno));
	ckpt_dump_head(&m->line, m->cli->store);
	return write_all(m);
}

static int close_quarantine(struct migrate *m)
{
	int rc = 0;

	if (m->quarantine < 0)
		return 0;
	if (fsync(m->quarantine) < 0)
		rc = ckpt_fail(&m->cli->err, CKPT_EIO, "cannot write '%s': %s",
				m->o->quarantine, strerror(errno));
	close(m->quarantine);
	if (!m->sum.quarantined)
		unlink(m->o->quarantine);
	return rc;
}

static int copy(struct migrate *m)
{
	struct cli *cli = m->cli;
	const struct ckpt_migrate_how how = {
		.dry_run = m->o->dry_run,
		.encrypt_all = m->o->encrypt_all,
		.with_store = m->o->with_store,
		.jobs = m->o->jobs == CKPT_UNKNOWN ? 0 : (unsigned)m->o->jobs,
		.verify = m->o->verify < 0 ? CKPT_VERIFY_FULL
		                           : (enum ckpt_verify)m->o->verify,
		.on_conflict = m->o->on_conflict < 0
		                               ? CKPT_CONFLICT_ERROR
		                               : (enum ckpt_conflict)m->o->on_conflict,
		.wanted = keeping_all(&m->keeping) ? NULL : on_wanted,
		.by_key = !m->keeping.by_meta,
		.care = on_care,
		.reject = m->o->quarantine ? on_reject : NULL,
		.reject_item = m->o->quarantine ? on_reject_item : NULL,
		.progress = on_progress,
		.arg = m,
	};
	struct ckpt_config config;
	int64_t began = ckpt_monotonic();
	int rc;

	cli_config(cli, &config);
	rc = ckpt_migrate(cli->store, cli->args[1], &config, &how, &m->sum);
	progress_end(&m->progress);
	if (close_quarantine(m) < 0)
		rc = cli->err.code;
	/* what was done is told, also where not all of it went well */
	summary(m, (ckpt_monotonic() - began) / 1000000);
	if (rc >= 0 && !m->o->dry_run)
		tell_uri(m, cli->args[1]);
	return rc;
}

/* Differences as `diff --against` tells them; but they are a fault here. */
static int verify_only(struct migrate *m)
{
	struct cli *cli = m->cli;
	const struct diff_opts o = { .against = cli->args[1] };
	struct diff d = { .cli = cli,
		.o = &o,
		.whole = true,
		.migrated = true,
		.wanted = keeping_all(&m->keeping) ? NULL : on_wanted,
		.wanted_arg = m,
		.with_store = m->o->with_store };
	int rc;

	if (m->keeping.by_meta)
		return cli_usage(cli, "--verify-only cannot choose by --where in a store "
				      "that keeps no history");
	rc = diff_stores(&d);

	if (rc < 0)
		return rc;
	if (!d.corrupt && !(d.count[CKPT_ONLY_A] + d.count[CKPT_DIFFERS]))
		return 0;
	ckpt_fail(&cli->verdict, CKPT_ECORRUPT, "the stores differ");
	return cli_exit_code(CKPT_ECORRUPT);
}

static int migrate(struct migrate *m)
{
	int rc = out_begin(m->cli, "migrate", "issue", cols, false);

	progress_start(&m->progress, m->cli, m->o->progress);
	if (rc >= 0)
		rc = open_quarantine(m);
	if (rc >= 0)
		rc = copy(m);
	ckpt_buf_free(&m->line);
	return rc;
}

static int run(struct cli *cli)
{
	struct migrate m = { .cli = cli, .o = cli->opts };
	int rc;

	m.keeping = (struct keeping){ .cli = cli, .o = &m.o->keep };
	rc = keeping_open(&m.keeping);
	if (rc >= 0 && m.o->verify_only)
		rc = verify_only(&m);
	else if (rc >= 0)
		rc = migrate(&m);
	keeping_close(&m.keeping);
	return rc;
}

const struct cmd cmd_migrate = {
	.name = "migrate",
	.args = "SRC DST",
	.min_args = 2,
	.max_args = 2,
	.summary = "copy a store into another one, without loss and with proof",
	.opts = opts,
	.size = sizeof(struct migrate_opts),
	.complete = COMPLETE_FILE,
	.needs_store = true,
	.first_is_store = true,
	.examples = "  ckpt migrate agent.db archive.db --dry-run    can all of it be "
		    "carried?\n"
		    "  ckpt migrate agent.db archive.db              copy, compare\n"
		    "  ckpt migrate agent.db new.db --keep-last 20   only what is "
		    "alive\n",
	.check = check,
	.run = run,
};
