/*
 * target_sql.c - a database that rows are copied into: opened, its tables made or looked at, and
 * claimed for this run. Rows are target_batch.c's.
 *
 * How far a run is stands in a table of the target, changed in the same transaction as the rows:
 * what is committed is never sent again, and whoever finds that another run took over stops.
 */
#include <sys/random.h>

#include "target_sql.h"

/* ---- opening ----------------------------------------------------------------------------------- */

/* What reading would only be told about keeps from writing. */
struct doubts {
	char first[300];
};

static void doubt(void *arg, const char *line)
{
	struct doubts *d = arg;

	if (!d->first[0])
		snprintf(d->first, sizeof(d->first), "%s", line);
}

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

/* Triggers would change what is copied, row security would hide what is there. */
static int refuse_guarded(struct sql_target *t)
{
	static const char sqlite[] =
			"SELECT tbl_name FROM sqlite_master WHERE type = 'trigger' "
			"AND tbl_name IN ('checkpoints', 'writes')";
	static const char postgres[] =
			"SELECT c.relname FROM pg_catalog.pg_class c WHERE c.oid IN "
			"(to_regclass($1), to_regclass($2), to_regclass($3)) AND "
			"(c.relrowsecurity OR EXISTS (SELECT 1 FROM "
			"pg_catalog.pg_trigger g "
			"WHERE g.tgrelid = c.oid AND NOT g.tgisinternal))";
	bool pg = t->sql->dialect == &postgres_dialect;
	struct cell args[3] = { text_cell(t->sql->checkpoints), text_cell(t->sql->writes),
		text_cell(t->sql->blobs ? t->sql->blobs : "") };
	struct cell row[1];
	struct cursor *cur;
	char name[200];

	if (sql_query(&cur, t->sql, pg ? postgres : sqlite, args, 3) < 0)
		return t->own.code;
	if (sql_next(cur, row, 1) > 0)
		ckpt_fail(&t->own, CKPT_EREFUSED,
				"table '%s' of the target has triggers or row security: "
				"what "
				"is written would not be what is sent",
				ckpt_show_name(name, row[0].v));
	sql_done(cur);
	return t->own.code;
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

/* The tables, as they are now, must be ones that all is known of. */
static int look_at_tables(struct sql_target *t, const struct target_config *config)
{
	struct doubts doubts = { { 0 } };
	struct ckpt_config strict = *config->store;

	strict.note = doubt;
	strict.arg = &doubts;
	if (sql_detect(t->sql, &strict) < 0)
		return t->own.code;
	if (strcmp(t->sql->layout->name, "langgraph") != 0)
		return ckpt_fail(&t->own, CKPT_EREFUSED,
				"the target is of layout %s, which keeps no history: it "
				"is "
				"read, never written to",
				t->sql->layout->name);
	if (doubts.first[0]) {
		ckpt_fail(&t->own, CKPT_EREFUSED, "the target is not as it is known: %s",
				doubts.first);
		ckpt_hint(&t->own, "a store of a newer release, or changed by hand, is "
				   "read but never written to");
		return t->own.code;
	}
	return refuse_guarded(t);
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

/* This run is the one that goes on; one that still thinks so will see. */
static int claim(struct sql_target *t, const struct target_config *config)
{
	struct cell args[2];
	unsigned char random[16];
	int rc;

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return ckpt_fail(&t->own, CKPT_EIO, "no random bytes");
	for (size_t i = 0; i < sizeof(random); i++) {
		t->run[2 * i] = (char)hex_digit(random[i] >> 4);
		t->run[2 * i + 1] = (char)hex_digit(random[i] & 15);
	}
	snprintf(t->source, sizeof(t->source), "%s", config->source);
	args[0] = text_cell(t->source);
	args[1] = text_cell(t->run);
	t->progress = beside(t, "ckpt_migration");
	if (!t->progress)
		return ckpt_fail(&t->own, CKPT_ENOMEM, "out of memory");
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
static int prepare(struct sql_target *t, const struct target_config *config)
{
	struct conn *conn = t->sql->conn;
	bool there;

	if (conn->driver->begin(conn) < 0)
		return t->own.code;
	there = has_tables(t->sql, config->store->schema);
	if (!there && !t->own.code)
		make_tables(t, config);
	if (t->own.code || look_at_tables(t, config) < 0 || claim(t, config) < 0)
		return t->own.code;
	return conn->driver->commit(conn) < 0 ? t->own.code : 0;
}

/* A store on a connection; its tables are not looked for yet. */
static int open_store(struct sql_store **out, const struct store_name *name,
		const struct ckpt_config *config, struct ckpt_error *err, bool writing)
{
	bool sqlite = name->backend == &sqlite_backend;
	const struct driver *driver = sqlite ? &sqlite_driver : &postgres_driver;
	struct sql_store *s = calloc(1, sizeof(*s));
	struct conn *traced;
	int rc;

	*out = s;
	if (!s)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	s->base.err = err;
	s->base.backend = name->backend;
	s->dialect = sqlite ? &sqlite_dialect : &postgres_dialect;
	s->base.name = strdup(name->shown);
	if (!s->base.name)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	rc = writing ? driver->open_write(&s->conn, name->where, true, config, err)
	             : driver->open(&s->conn, name->where, config, err);
	if (rc == 0 && config->trace && trace_wrap(&traced, s->conn, config) == 0)
		s->conn = traced;
	return err->code;
}

int sql_target_possible(const struct store_name *name, const struct ckpt_config *config,
		const struct ckpt_error *why, struct ckpt_error *err)
{
	struct sql_store *s;

	if (open_store(&s, name, config, err, false) == 0 &&
			has_tables(s, config->schema) && !err->code)
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
	if (open_store(&t->sql, name, config->store, &t->own, true) == 0)
		prepare(t, config);
	t->server = t->sql && t->sql->dialect == &postgres_dialect;
	if (target_told(t, 0) == 0 && put_open(&t->put, t->sql, err) == 0 && t->server)
		put_open(&t->spare, t->sql, err);
	if (err->code) {
		t->base.ops->close(&t->base);
		return err->code;
	}
	*out = &t->base;
	return 0;
}
