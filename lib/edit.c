/*
 * edit.c - a store that is altered in place: refused unless everything about its tables is known,
 * locked, and altered in transactions. What is altered is the business of whoever has it open.
 */
#include <inttypes.h>

#include "edit_lock.h"
#include "sql_write.h"

int edit_lock_taken(struct ckpt_error *err, const char *store, struct ckpt_view who)
{
	char name[200];

	ckpt_fail(err, CKPT_EBUSY, "'%s' is being altered by another ckpt%s%s", store,
			who.n ? ": " : "", ckpt_show_name(name, who));
	ckpt_hint(err, "wait until it has ended, then run the same again");
	return err->code;
}

/* ---- refusals --------------------------------------------------------------------------------- */

struct refusal { /* a statement that gives a row for what must not be */
	const char *sql, *what;
	const char *hint; /* may name the privileges that are needed */
};

/* clang-format off: SQL reads best as it is broken here */
#define OURS "(to_regclass($1), to_regclass($2), to_regclass($3))"
#define FIX "take it away, or use the application's own means"
static const struct refusal sqlite_refusals[] = {
	{ "SELECT m.name FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE "
	  "m.type = 'table' AND lower(f.\"table\") IN ('checkpoints', 'writes')",
			"table '%s' refers to rows of LangGraph's tables by a foreign "
			"key",
			FIX },
	/* keys are compared here as UTF-8, and UTF-16 has another order */
	{ "SELECT encoding FROM pragma_encoding WHERE encoding <> 'UTF-8'",
			"the file keeps its texts as %s: it is read, never altered",
			"write it anew as UTF-8: sqlite3 OLD.db .dump | sqlite3 NEW.db" },
	/* numbers and NULL would be read as texts that no statement finds again */
	{ "SELECT x.name FROM (SELECT 'checkpoints' AS t UNION SELECT 'writes'), "
	  "pragma_table_xinfo(t) x WHERE x.name IN ('thread_id', 'checkpoint_ns', "
	  "'checkpoint_id') AND (NOT x.\"notnull\" OR x.type LIKE '%int%' OR (x.type NOT "
	  "LIKE '%text%' AND x.type NOT LIKE '%char%' AND x.type NOT LIKE '%clob%'))",
			"column '%s' of LangGraph's tables may hold what is no text",
			"bring it into a new file: ckpt migrate THIS.db NEW.db" },
	{ "SELECT x.name FROM (SELECT 'checkpoints' AS t UNION SELECT 'writes'), "
	  "pragma_table_xinfo(t) x WHERE x.hidden <> 0",
			"column '%s' of LangGraph's tables is generated or hidden", FIX },
	{ NULL, NULL, NULL }
};
static const struct refusal postgres_refusals[] = {
	{ "SELECT conrelid::regclass::text FROM pg_catalog.pg_constraint WHERE "
	  "contype = 'f' AND confrelid IN " OURS,
			"table '%s' refers to rows of LangGraph's tables by a foreign "
			"key",
			FIX },
	{ "SELECT a.attname FROM pg_catalog.pg_attribute a WHERE a.attrelid IN " OURS
	  " AND a.attnum > 0 AND (a.attgenerated <> '' OR a.attidentity <> '')",
			"column '%s' of LangGraph's tables is generated", FIX },
	{ "SELECT c.relname FROM pg_catalog.pg_class c WHERE c.oid IN " OURS
	  " AND (EXISTS (SELECT FROM pg_catalog.pg_rewrite w WHERE w.ev_class = c.oid) "
	  "OR EXISTS (SELECT FROM pg_catalog.pg_inherits i "
	  "WHERE i.inhparent = c.oid OR i.inhrelid = c.oid))",
			"table '%s' has rules, or shares its rows with other tables",
			FIX },
	{ "SELECT p.p || ' ON TABLE ' || c.oid::regclass FROM pg_catalog.pg_class c, "
	  "unnest(string_to_array($4, ', ')) p(p) WHERE c.oid IN " OURS
	  " AND NOT has_table_privilege(c.oid, p.p) ORDER BY 1",
			"this role lacks a privilege: %s",
			"the owner can allow it: GRANT %s ON … TO this role" },
	{ NULL, NULL, NULL }
};
/* clang-format on */

static int refuse(struct edit *e, const struct refusal *r)
{
	const char *names[] = { e->sql->checkpoints, e->sql->writes, e->sql->blobs };
	struct cell args[4], row[1];
	struct cursor *cur;
	char name[200];

	for (size_t i = 0; i < 3; i++)
		args[i] = sql_key_cell(ckpt_view_of(names[i] ? names[i] : ""), false);
	args[3] = sql_key_cell(ckpt_view_of(e->needs), false);
	if (sql_query(&cur, e->sql, r->sql, args, 4) < 0)
		return e->err->code;
	if (sql_next(cur, row, 1) > 0) {
		ckpt_show_name(name, row[0].v);
		ckpt_fail(e->err, CKPT_EREFUSED, r->what, name);
		ckpt_hint(e->err, r->hint, e->needs);
	}
	sql_done(cur);
	return e->err->code;
}

static int look(struct edit *e, const struct ckpt_config *config)
{
	const struct refusal *r = e->server ? postgres_refusals : sqlite_refusals;
	struct ckpt_about about;

	if (sql_look(e->sql, config, "the store") < 0)
		return e->err->code;
	for (; r->sql; r++) {
		if (refuse(e, r) < 0)
			return e->err->code;
	}
	e->sql->base.inlines = e->server;
	e->sql->base.has_blobs = e->sql->has_blobs;
	e->sql->base.stop = config->stop;
	e->sql->base.stop_arg = config->arg;
	if (e->sql->base.backend->about(&e->sql->base, &about) < 0)
		return e->err->code;
	e->js = about.writers & CKPT_JS;
	e->python = about.writers & CKPT_PYTHON;
	return 0;
}

static int refuse_archive(struct ckpt_error *err, const char *shown)
{
	ckpt_fail(err, CKPT_EREFUSED, "'%s' is an archive, which is never altered",
			shown);
	ckpt_hint(err, "bring it into a database: ckpt migrate '%s' NEW.db", shown);
	return err->code;
}

int edit_possible(struct ckpt_store *s)
{
	if (s->backend != &sqlite_backend && s->backend != &postgres_backend)
		return refuse_archive(s->err, s->name);
	if (s->shallow)
		return ckpt_fail(s->err, CKPT_EREFUSED,
				"'%s' keeps no history: it is read, never altered",
				s->name);
	return 0;
}

/* ---- opening ---------------------------------------------------------------------------------- */

/* Asked before a transaction is begun, which a standby would refuse with less clear words. */
static int refuse_standby(struct sql_store *s)
{
	struct conn *conn = s->conn;
	int n = conn->driver->exec(conn, "SELECT 1 WHERE pg_is_in_recovery()", NULL, 0);

	if (n <= 0)
		return n;
	ckpt_fail(conn->err, CKPT_EREFUSED,
			"'%s' is a standby: it is read, never altered", s->base.name);
	ckpt_hint(conn->err, "name its primary server");
	return conn->err->code;
}

/* BEGIN … READ WRITE would go past what an administrator, or the connection's own options, set
 * against accidents. */
static int refuse_read_only(struct sql_store *s)
{
	struct conn *conn = s->conn;
	int n = conn->driver->exec(conn,
			"SELECT 1 WHERE current_setting('default_transaction_read_only')"
			"::boolean",
			NULL, 0);

	if (n <= 0)
		return n;
	ckpt_fail(conn->err, CKPT_EREFUSED,
			"'%s' is set to be read only: default_transaction_read_only is "
			"on",
			s->base.name);
	ckpt_hint(conn->err, "to alter it all the same: "
			     "PGOPTIONS='-c default_transaction_read_only=off'");
	return conn->err->code;
}

int edit_alterable(struct sql_store *s)
{
	if (s->dialect != &postgres_dialect)
		return 0;
	return refuse_standby(s) < 0 ? s->conn->err->code : refuse_read_only(s);
}

static int open_locked(struct edit *e, const struct store_name *name,
		const struct ckpt_config *config, const struct edit_want *want)
{
	if (row_key(&e->sql->base.crypt, config, e->err) < 0)
		return e->err->code;
	if (edit_alterable(e->sql) < 0)
		return e->err->code;
	if (edit_begin(e) < 0 || look(e, config) < 0)
		return e->err->code;
	if (e->server && edit_lock_advisory(&e->lock, e->sql, name, config, want) < 0)
		return e->err->code;
	return edit_commit(e);
}

int edit_open(struct edit **out, const char *name, const struct ckpt_config *config,
		const struct edit_want *want, struct ckpt_error *err)
{
	struct store_name n;
	struct edit *e;

	*out = NULL;
	if (want->shards && (want->shard < 1 || want->shard > want->shards ||
					    want->shards > EDIT_SHARDS_MAX))
		return ckpt_fail(err, CKPT_EUSAGE,
				"no shard %" PRId64 " of %" PRId64
				"; there may be %d at most",
				want->shard, want->shards, EDIT_SHARDS_MAX);
	e = calloc(1, sizeof(*e));
	if (!e)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	e->err = err;
	e->verb = want->verb;
	e->needs = want->needs;
	if (store_resolve(&n, name, err) == 0 && store_unsealed(&n, err) == 0) {
		e->server = n.backend == &postgres_backend;
		/* a file is locked before it is opened: who works on it may be in the middle */
		if (!e->server && n.backend != &sqlite_backend) {
			refuse_archive(err, n.shown);
		} else if ((e->server || edit_lock_file(&e->lock, &n, want, err) == 0) &&
				sql_open_bare(&e->sql, &n, config, SQL_WRITE, err) == 0) {
			open_locked(e, &n, config, want);
		}
	}
	store_name_free(&n);
	if (err->code)
		edit_close(e);
	else
		*out = e;
	return err->code;
}

void edit_close(struct edit *e)
{
	if (!e)
		return;
	edit_rollback(e);
	if (e->sql)
		e->sql->base.backend->close(&e->sql->base);
	if (e->lock)
		e->lock->free(e->lock);
	free(e);
}

/* ---- transactions --------------------------------------------------------------------------------- */

int edit_begin(struct edit *e)
{
	static const char settings[] =
			"SELECT set_config('application_name', 'ckpt/' || $1::text, "
			"true), set_config('idle_in_transaction_session_timeout', "
			"'60000', true), set_config('statement_timeout', '600000', true)";
	struct conn *conn = e->sql->conn;
	struct cell verb = { .kind = CELL_TEXT, .v = ckpt_view_of(e->verb) };

	if (e->err->code)
		return e->err->code;
	if (e->lock && e->lock->check && e->lock->check(e->lock) < 0)
		return e->err->code;
	if (conn->driver->begin(conn) < 0)
		return e->err->code;
	e->in = true;
	if (e->server)
		conn->driver->exec(conn, settings, &verb, 1);
	return e->err->code;
}

int edit_no_limit(struct edit *e)
{
	int n = e->server ? edit_exec(e, "SET LOCAL statement_timeout = 0", NULL, 0) : 0;

	return n < 0 ? n : 0;
}

int edit_commit(struct edit *e)
{
	struct conn *conn = e->sql->conn;

	if (conn->driver->commit(conn) < 0)
		edit_rollback(e);
	e->in = false;
	return e->err->code;
}

void edit_rollback(struct edit *e)
{
	if (e->in)
		e->sql->conn->driver->settle(e->sql->conn);
	e->in = false;
}

/* ---- statements ----------------------------------------------------------------------------------- */

int edit_text(struct ckpt_buf *to, const struct edit *e, const char *sql)
{
	const struct {
		const char *mark, *table;
	} tables[] = { { "{checkpoints}", e->sql->checkpoints },
		{ "{writes}", e->sql->writes }, { "{blobs}", e->sql->blobs } };
	const size_t n = sizeof(tables) / sizeof(tables[0]);

	while (*sql) {
		size_t i = 0;

		while (i < n && strncmp(sql, tables[i].mark, strlen(tables[i].mark)) != 0)
			i++;
		if (i < n)
			ckpt_buf_puts(to, tables[i].table);
		else
			ckpt_buf_add(to, sql, 1);
		sql += i < n ? strlen(tables[i].mark) : 1;
	}
	return to->failed ? ckpt_fail(e->err, CKPT_ENOMEM, "out of memory") : 0;
}

int edit_exec(struct edit *e, const char *sql, const struct cell *args, size_t nargs)
{
	struct conn *conn = e->sql->conn;
	struct ckpt_buf text = { 0 };
	int rc = edit_text(&text, e, sql);

	if (rc == 0)
		rc = conn->driver->exec(conn, text.p, args, nargs);
	ckpt_buf_free(&text);
	return rc;
}

int edit_query(struct cursor **out, struct edit *e, const char *sql,
		const struct cell *args, size_t nargs)
{
	struct ckpt_buf text = { 0 };
	int rc = edit_text(&text, e, sql);

	*out = NULL;
	if (rc == 0)
		rc = sql_query(out, e->sql, text.p, args, nargs);
	ckpt_buf_free(&text);
	return rc;
}
