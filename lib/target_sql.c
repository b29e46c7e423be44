/*
 * target_sql.c - a database that rows are copied into.
 *
 * How far a run is stands in a table of the target, changed in the same transaction as the rows:
 * what is committed is never sent again, and whoever finds that another run took over stops.
 */
#include <sys/random.h>

#include "put.h"
#include "target.h"

#define BATCH_BYTES ((size_t)8 << 20)
#define BATCH_ROWS 4000

struct sql_target {
	struct target base;
	struct sql_store *sql;
	struct put *put;
	char run[33], source[200];
	const char *progress; /* the table's name, ready for SQL */
};

static struct sql_target *of(struct target *t)
{
	return (struct sql_target *)(void *)t;
}

static int exec(struct sql_target *t, const char *sql, const struct cell *args,
		size_t nargs)
{
	return t->sql->conn->driver->exec(t->sql->conn, sql, args, nargs);
}

/* @ in `text` is the table of progress. */
static int progress(struct sql_target *t, const char *text, const struct cell *args,
		size_t nargs)
{
	const char *at = strchr(text, '@');
	struct ckpt_buf sql = { 0 };
	int rc;

	ckpt_buf_addf(&sql, "%.*s%s%s", (int)(at - text), text, t->progress, at + 1);
	if (sql.failed)
		return ckpt_fail(t->base.err, CKPT_ENOMEM, "out of memory");
	rc = exec(t, sql.p, args, nargs);
	ckpt_buf_free(&sql);
	return rc;
}

static struct cell text_cell(const char *s)
{
	return (struct cell){ .kind = CELL_TEXT, .v = ckpt_view_of(s) };
}

/* ---- opening ----------------------------------------------------------------------------------- */

/* What reading would only be told about keeps from writing. */
struct doubts {
	const struct ckpt_config *config;
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
		return t->base.err->code;
	if (sql_next(cur, row, 1) > 0)
		ckpt_fail(t->base.err, CKPT_EREFUSED,
				"table '%s' of the target has triggers or row security: "
				"what "
				"is written would not be what is sent",
				ckpt_show_name(name, row[0].v));
	sql_done(cur);
	return t->base.err->code;
}

static int make_tables(struct sql_target *t, const struct target_config *config)
{
	const char *schema = config->store->schema;
	struct ckpt_buf b = { 0 };
	int rc = 0;

	if (schema && t->sql->dialect == &postgres_dialect) {
		ckpt_buf_puts(&b, "CREATE SCHEMA IF NOT EXISTS ");
		put_quoted(&b, schema);
		rc = b.failed ? ckpt_fail(t->base.err, CKPT_ENOMEM, "out of memory")
		              : exec(t, b.p, NULL, 0);
		ckpt_buf_free(&b);
	}
	if (rc < 0)
		return rc;
	t->base.fresh = true;
	return put_create(t->sql->conn, t->sql->dialect, schema, config->js);
}

/* The tables, as they are now, must be ones that all is known of. */
static int look_at_tables(struct sql_target *t, const struct target_config *config)
{
	struct doubts doubts = { .config = config->store };
	struct ckpt_config strict = *config->store;

	strict.note = doubt;
	strict.arg = &doubts;
	if (sql_detect(t->sql, &strict) < 0)
		return t->base.err->code;
	if (strcmp(t->sql->layout->name, "langgraph") != 0)
		return ckpt_fail(t->base.err, CKPT_EREFUSED,
				"the target is of layout %s, which keeps no history: it "
				"is "
				"read, never written to",
				t->sql->layout->name);
	if (doubts.first[0]) {
		ckpt_fail(t->base.err, CKPT_EREFUSED,
				"the target is not as it is known: %s", doubts.first);
		ckpt_hint(t->base.err,
				"a store of a newer release, or changed by hand, is "
				"read but never written to");
		return t->base.err->code;
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
	             : arena_copy(&t->sql->arena, ckpt_buf_view(&b), t->base.err);
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
		return ckpt_fail(t->base.err, CKPT_EIO, "no random bytes");
	for (size_t i = 0; i < sizeof(random); i++) {
		t->run[2 * i] = (char)hex_digit(random[i] >> 4);
		t->run[2 * i + 1] = (char)hex_digit(random[i] & 15);
	}
	snprintf(t->source, sizeof(t->source), "%s", config->source);
	args[0] = text_cell(t->source);
	args[1] = text_cell(t->run);
	t->progress = beside(t, "ckpt_migration");
	if (!t->progress)
		return ckpt_fail(t->base.err, CKPT_ENOMEM, "out of memory");
	rc = progress(t,
			"CREATE TABLE IF NOT EXISTS @ (source TEXT PRIMARY KEY, run TEXT "
			"NOT NULL, batches BIGINT NOT NULL)",
			NULL, 0);
	if (rc >= 0)
		rc = progress(t,
				"INSERT INTO @ AS m (source, run, batches) VALUES ($1, "
				"$2, 0) "
				"ON CONFLICT (source) DO UPDATE SET run = excluded.run",
				args, 2);
	return rc < 0 ? rc : 0;
}

static void sql_target_close(struct target *base)
{
	struct sql_target *t = of(base);

	put_close(t->put);
	if (t->sql)
		t->sql->base.backend->close(&t->sql->base);
	free(t);
}

static int sql_begin(struct target *base)
{
	struct conn *conn = of(base)->sql->conn;

	return conn->driver->begin(conn);
}

static int sql_commit(struct target *base)
{
	struct sql_target *t = of(base);
	struct conn *conn = t->sql->conn;
	struct cell args[2] = { text_cell(t->source), text_cell(t->run) };
	int64_t added[PUT_TABLES];
	int64_t bytes = (int64_t)put_bytes(t->put);
	int rc = put_flush(t->put, added);

	if (rc == 0)
		rc = progress(t,
				"UPDATE @ SET batches = batches + 1 WHERE source = $1 "
				"AND "
				"run = $2",
				args, 2);
	if (rc == 0) {
		ckpt_fail(base->err, CKPT_EBUSY,
				"another ckpt took over this migration; it goes on "
				"there");
		return base->err->code;
	}
	if (rc > 0)
		rc = conn->driver->commit(conn);
	if (rc < 0)
		return rc;
	base->done.checkpoints += added[PUT_CHECKPOINTS];
	base->done.writes += added[PUT_WRITES];
	base->done.blobs += added[PUT_BLOBS];
	base->done.bytes += bytes;
	return 0;
}

/* What SQLite wrote ahead goes into the file, so that the file alone can be moved. */
static int sql_settle(struct target *base)
{
	struct sql_target *t = of(base);

	if (t->sql->dialect == &sqlite_dialect)
		exec(t, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, 0);
	return base->err->code;
}

static int sql_finish(struct target *base)
{
	struct sql_target *t = of(base);
	struct conn *conn = t->sql->conn;
	struct cell source = text_cell(t->source);
	int rc = conn->driver->begin(conn);

	if (rc >= 0)
		rc = progress(t, "DELETE FROM @ WHERE source = $1", &source, 1);
	if (rc >= 0)
		rc = progress(t, "SELECT 1 FROM @ LIMIT 1", NULL, 0);
	if (rc == 0) /* nobody else is under way */
		progress(t, "DROP TABLE @", NULL, 0);
	if (!base->err->code)
		conn->driver->commit(conn);
	return base->err->code;
}

/* ---- rows --------------------------------------------------------------------------------------- */

static int sql_checkpoint(struct target *base, const struct ckpt_checkpoint *c,
		const struct convert_out *row, bool careful)
{
	return put_checkpoint(of(base)->put, c, row, careful);
}

static int sql_write(struct target *base, const struct ckpt_key *key,
		const struct ckpt_write *w, bool careful)
{
	return put_write(of(base)->put, key, w, careful);
}

static int sql_blob(struct target *base, const struct ckpt_key *key,
		const struct convert_blob *b, bool careful)
{
	return put_blob(of(base)->put, key, b, careful);
}

/* The batch's rows that wait come after this, so they are not taken out again. */
static int sql_drop(struct target *base, const struct ckpt_checkpoint *c,
		const struct convert_out *row)
{
	static const char one[] =
			"DELETE FROM %s WHERE thread_id = $1 AND checkpoint_ns = $2 "
			"AND %s = $3%s";
	struct sql_target *t = of(base);
	const struct {
		const char *table, *id;
	} from[] = { { t->sql->checkpoints, "checkpoint_id" },
		{ t->sql->writes, "checkpoint_id" } };
	struct cell args[4];
	struct ckpt_buf sql = { 0 };
	int rc = 0;

	sql_key_cells(args, &c->key);
	for (size_t i = 0; i < 2 && rc >= 0; i++) {
		sql.n = 0;
		ckpt_buf_addf(&sql, one, from[i].table, from[i].id, "");
		rc = sql.failed ? ckpt_fail(base->err, CKPT_ENOMEM, "out of memory")
		                : exec(t, sql.p, args, 3);
	}
	sql.n = 0;
	ckpt_buf_addf(&sql, one, t->sql->blobs, "channel", " AND version = $4");
	for (size_t i = 0; i < row->nblobs && rc >= 0 && !sql.failed; i++) {
		args[2] = (struct cell){ .kind = CELL_TEXT, .v = row->blobs[i].channel };
		args[3] = (struct cell){ .kind = CELL_TEXT, .v = row->blobs[i].version };
		rc = exec(t, sql.p, args, 4);
	}
	ckpt_buf_free(&sql);
	return rc < 0 ? rc : 0;
}

static bool sql_full(const struct target *base)
{
	const struct sql_target *t = (const struct sql_target *)(const void *)base;

	return put_bytes(t->put) >= BATCH_BYTES || put_rows(t->put) >= BATCH_ROWS;
}

static const struct target_ops sql_ops = {
	.begin = sql_begin,
	.checkpoint = sql_checkpoint,
	.write = sql_write,
	.blob = sql_blob,
	.drop = sql_drop,
	.full = sql_full,
	.commit = sql_commit,
	.settle = sql_settle,
	.finish = sql_finish,
	.close = sql_target_close,
};

/* Tables that are missing, what is known of those that are there, whose run this is: all in one
 * transaction, so that there is either all of it or nothing. */
static int prepare(struct sql_target *t, const struct target_config *config)
{
	struct conn *conn = t->sql->conn;
	bool there;

	if (conn->driver->begin(conn) < 0)
		return t->base.err->code;
	there = has_tables(t->sql, config->store->schema);
	if (!there && !t->base.err->code)
		make_tables(t, config);
	if (t->base.err->code || look_at_tables(t, config) < 0 || claim(t, config) < 0)
		return t->base.err->code;
	return conn->driver->commit(conn) < 0 ? t->base.err->code : 0;
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
	t->base.ops = &sql_ops;
	t->base.err = err;
	if (open_store(&t->sql, name, config->store, err, true) == 0)
		prepare(t, config);
	if (!err->code)
		put_open(&t->put, t->sql);
	if (err->code) {
		sql_target_close(&t->base);
		return err->code;
	}
	*out = &t->base;
	return 0;
}
