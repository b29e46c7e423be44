/*
 * target_sql.c - a database that rows are copied into: opened, its tables made or looked at, and
 * claimed for this run. Rows are target_batch.c's.
 *
 * How far a run is stands in a table of the target, changed in the same transaction as the rows:
 * what is committed is never sent again, and whoever finds that another run took over stops.
 */
#include <sys/random.h>

#include "edit.h"
#include "failpoint.h"
#include "sql_write.h"
#include "target_sql.h"

/* ---- opening ----------------------------------------------------------------------------------- */

static bool has_tables(struct sql_store *s, const char *schema)
{
	static const char names[] =
			"checkpoints writes checkpoint_writes checkpoint_blobs";
	const struct sql_dialect *d = s->dialect;
	struct cell args[2] = { text_cell(names), { .kind = CELL_NULL } }, row[1];
	struct cursor *cur;
	int rc = 0;

	if (schema)
		args[1] = text_cell(schema);
	if (d->catalog) {
		if (sql_query(&cur, s, d->catalog, args, 2) < 0)
			return false;
		rc = sql_next(cur, row, 1);
		sql_done(cur);
		return rc > 0;
	}
	for (size_t i = 0; i < 2 && rc == 0; i++) {
		args[0] = text_cell(i ? "writes" : "checkpoints");
		if (sql_query(&cur, s, d->relation, args, 1) < 0)
			return false;
		rc = sql_next(cur, row, 1);
		sql_done(cur);
	}
	return rc > 0;
}

static int make_tables(struct sql_target *t, const struct target_config *config)
{
	const char *schema = config->store->schema;
	struct ckpt_buf b = { 0 };
	int rc = 0;

	if (schema && t->sql->dialect == &postgres_dialect) {
		ckpt_buf_puts(&b, "CREATE SCHEMA IF NOT EXISTS ");
		put_quoted(&b, schema);
		rc = b.failed ? ckpt_fail(&t->own, CKPT_ENOMEM, "out of memory")
		              : target_exec(t, b.p, NULL, 0);
		ckpt_buf_free(&b);
	}
	if (rc < 0)
		return rc;
	return put_create(t->sql->conn, t->sql->dialect, schema, config->js);
}

static const char *beside(struct sql_target *t, const char *name)
{
	const char *table = t->sql->checkpoints;
	const char *last = strrchr(table, '.');
	struct ckpt_buf b = { 0 };
	struct ckpt_view v;

	if (last && t->sql->dialect == &postgres_dialect)
		ckpt_buf_add(&b, table, (size_t)(last - table) + 1);
	ckpt_buf_puts(&b, name);
	v = b.failed ? (struct ckpt_view){ 0 }
	             : arena_copy(&t->sql->arena, ckpt_buf_view(&b), &t->own);
	ckpt_buf_free(&b);
	return v.p;
}

static int make_run(struct sql_target *t)
{
	unsigned char random[16];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return ckpt_fail(&t->own, CKPT_EIO, "no random bytes");
	for (size_t i = 0; i < sizeof(random); i++) {
		t->run[2 * i] = (char)hex_digit(random[i] >> 4);
		t->run[2 * i + 1] = (char)hex_digit(random[i] & 15);
	}
	return 0;
}

/* This run is the one that goes on; one that still thinks so will see. */
static int claim(struct sql_target *t, const struct target_config *config)
{
	struct cell args[2];
	int rc;

	snprintf(t->source, sizeof(t->source), "%s", config->source);
	t->progress = beside(t, "ckpt_migration");
	if (!t->progress)
		return ckpt_fail(&t->own, CKPT_ENOMEM, "out of memory");
	if (config->run) {
		snprintf(t->run, sizeof(t->run), "%s", config->run);
		return 0;
	}
	if (make_run(t) < 0)
		return t->own.code;
	args[0] = text_cell(t->source);
	args[1] = text_cell(t->run);
	rc = target_progress(t,
			"CREATE TABLE IF NOT EXISTS @ (source TEXT PRIMARY KEY, run TEXT "
			"NOT NULL, batches BIGINT NOT NULL)",
			NULL, 0);
	if (rc >= 0)
		rc = target_progress(t,
				"INSERT INTO @ AS m (source, run, batches) VALUES ($1, "
				"$2, 0) "
				"ON CONFLICT (source) DO UPDATE SET run = excluded.run",
				args, 2);
	return rc < 0 ? rc : 0;
}

/* Tables that are missing, what is known of those that are there, whose run this is: all in one
 * transaction, so that there is either all of it or nothing. */
/* Locked until it is closed, and without a log: its pages are all new, so that a journal has next
 * to nothing to hold, and each is written once. */
static int begin_staged(struct sql_target *t)
{
	static const char *const texts[] = { "PRAGMA cache_size = -6144",
		"PRAGMA journal_mode = TRUNCATE", "BEGIN EXCLUSIVE",
		"PRAGMA locking_mode = EXCLUSIVE" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (target_exec(t, texts[i], NULL, 0) < 0)
			return t->own.code;
	}
	return target_stage_ours(t->stage)
	                       ? 0
	                       : ckpt_fail(&t->own, CKPT_EBUSY,
						 "another ckpt finished this migration");
}

static int prepare(struct sql_target *t, const struct target_config *config)
{
	struct conn *conn = t->sql->conn;
	bool there;

	if ((t->stage ? begin_staged(t) : conn->driver->begin(conn)) < 0)
		return t->own.code;
	there = has_tables(t->sql, config->store->schema);
	FAILPOINT("migrate.ddl.before");
	if (!there && !t->own.code)
		make_tables(t, config);
	FAILPOINT("migrate.ddl.after");
	if (t->own.code || sql_look(t->sql, config->store, "the target") < 0 ||
			claim(t, config) < 0)
		return t->own.code;
	FAILPOINT("migrate.claim.after");
	conn->driver->commit(conn);
	FAILPOINT("migrate.prepare.after");
	return t->own.code;
}

int sql_target_possible(const struct store_name *name, const struct ckpt_config *config,
		const struct ckpt_error *why, struct ckpt_error *err)
{
	struct sql_store *s;

	if (sql_open_bare(&s, name, config, SQL_READ, err) == 0 &&
			edit_alterable(s) == 0 && has_tables(s, config->schema) &&
			!err->code)
		*err = *why;
	if (s)
		s->base.backend->close(&s->base);
	return err->code;
}

int sql_target_open(struct target **out, const struct store_name *name,
		const struct target_config *config, struct ckpt_error *err)
{
	struct sql_target *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (!t)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	t->base.ops = &sql_target_ops;
	t->base.err = err;
	t->lost = &t->base.lost;
	t->stage = config->stage;
	if (t->stage)
		target_stage_make(t->stage, &t->own);
	if (!t->own.code &&
			sql_open_bare(&t->sql, name, config->store, SQL_CREATE,
					&t->own) == 0 &&
			edit_alterable(t->sql) == 0)
		prepare(t, config);
	t->server = t->sql && t->sql->dialect == &postgres_dialect;
	/* one thing after the other where somebody watches */
	if (target_told(t, 0) == 0 && put_open(&t->put, t->sql, err) == 0 &&
			!config->store->trace)
		put_open(&t->spare, t->sql, err);
	if (err->code) {
		t->base.ops->close(&t->base);
		return err->code;
	}
	*out = &t->base;
	return 0;
}
