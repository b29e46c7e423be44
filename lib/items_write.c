/*
 * items_write.c - the tables of long-term memory made as the newest savers make them (those of
 * checkpoint-sqlite 3.1.2, checkpoint-postgres 3.2.0 and JavaScript's checkpoint-postgres 1.0.5),
 * and rows written into them. Embeddings are items_vectors.c's.
 */
#include "items.h"
#include "put.h"

/* clang-format off: SQL reads best as it is broken here */

static const char *const sqlite_python[] = {
	"CREATE TABLE IF NOT EXISTS store_migrations (v INTEGER PRIMARY KEY)",
	"CREATE TABLE store (prefix text NOT NULL, key text NOT NULL, value text NOT "
	"NULL, "
	"created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, "
	"updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, "
	"expires_at TIMESTAMP, ttl_minutes REAL, PRIMARY KEY (prefix, key))",
	"CREATE INDEX store_prefix_idx ON store (prefix)",
	"CREATE INDEX idx_store_expires_at ON store (expires_at) WHERE expires_at IS NOT "
	"NULL",
	"INSERT OR IGNORE INTO store_migrations (v) VALUES (0), (1), (2), (3), (4)", NULL
};

/* @ stands for the schema and its dot */
static const char *const postgres_python[] = {
	"CREATE TABLE IF NOT EXISTS @store_migrations (v INTEGER PRIMARY KEY)",
	"CREATE TABLE @store (prefix text NOT NULL, key text NOT NULL, value jsonb NOT "
	"NULL, "
	"created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP, "
	"updated_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP, "
	"expires_at TIMESTAMP WITH TIME ZONE, ttl_minutes INT, PRIMARY KEY (prefix, "
	"key))",
	"CREATE INDEX store_prefix_idx ON @store USING btree (prefix text_pattern_ops)",
	"CREATE INDEX idx_store_expires_at ON @store (expires_at) WHERE expires_at IS "
	"NOT NULL",
	"INSERT INTO @store_migrations (v) SELECT generate_series(0, 3) ON CONFLICT DO "
	"NOTHING",
	NULL
};

static const char *const postgres_js[] = {
	"CREATE TABLE IF NOT EXISTS @store_migrations (v INTEGER PRIMARY KEY)",
	"CREATE TABLE @store (namespace_path TEXT NOT NULL, key TEXT NOT NULL, "
	"value JSONB NOT NULL, created_at TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP, "
	"updated_at TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP, expires_at TIMESTAMPTZ, "
	"PRIMARY KEY (namespace_path, key))",
	"CREATE INDEX idx_store_namespace_path ON @store USING btree (namespace_path)",
	"CREATE INDEX idx_store_value_gin ON @store USING gin (value)",
	"CREATE INDEX idx_store_expires_at ON @store USING btree (expires_at) "
	"WHERE expires_at IS NOT NULL",
	"CREATE OR REPLACE FUNCTION @update_updated_at_column() RETURNS TRIGGER AS $$ "
	"BEGIN NEW.updated_at = CURRENT_TIMESTAMP; RETURN NEW; END; $$ language "
	"'plpgsql'",
	"CREATE TRIGGER update_store_updated_at BEFORE UPDATE ON @store "
	"FOR EACH ROW EXECUTE FUNCTION @update_updated_at_column()",
	"INSERT INTO @store_migrations (v) SELECT generate_series(0, 3) ON CONFLICT DO "
	"NOTHING",
	NULL
};
/* clang-format on */

int items_make(struct items *w)
{
	struct sql_store *s = w->to.sql;
	const char *const *text = !w->to.server ? sqlite_python
	                          : w->to.js    ? postgres_js
	                                        : postgres_python;
	int rc = 0;

	for (; *text && rc >= 0; text++)
		rc = put_statement(s->conn, *text, s->base.schema);
	return items_told(w, rc);
}

/* ---- rows -------------------------------------------------------------------------------------- */

/* One statement: @ is the table, % its first column, + and ~ those that older tables lack and
 * what goes into them. */
static int run(struct items *w, const char *form, const struct cell *args, size_t nargs)
{
	static const char *const names[] = { "", ", expires_at",
		", expires_at, ttl_minutes" };
	static const char *const each[] = { "", ", $6", ", $6, $7" };
	static const char *const all[] = { "", ", (r->>5)::timestamptz",
		", (r->>5)::timestamptz, (r->>6)::int4" };
	struct conn *conn = w->to.sql->conn;
	struct ckpt_buf sql = { 0 };
	int rc, more = w->to.has_ttl ? 2 : w->to.has_expires;

	for (const char *p = form; *p; p++) {
		if (*p == '@')
			ckpt_buf_puts(&sql, w->to.store);
		else if (*p == '%')
			ckpt_buf_puts(&sql, items_prefix(&w->to));
		else if (*p == '+')
			ckpt_buf_puts(&sql, names[more]);
		else if (*p == '~')
			ckpt_buf_puts(&sql, w->to.server ? all[more] : each[more]);
		else
			ckpt_buf_add(&sql, p, 1);
	}
	if (sql.failed)
		rc = ckpt_fail(w->m->err, CKPT_ENOMEM, "out of memory");
	else
		rc = conn->driver->exec(conn, sql.p, args, nargs);
	ckpt_buf_free(&sql);
	return rc;
}

/* No UPDATE: a trigger of JavaScript's sets updated_at, and old embeddings have to go, too. */
static int drop_each(struct items *w, const struct item *it)
{
	struct conn *conn = w->to.sql->conn;
	int rc = 0;

	if (w->to.has_vectors)
		rc = conn->driver->exec(conn,
				"DELETE FROM store_vectors WHERE prefix = $1 AND key = "
				"$2",
				it->c, 2);
	return rc < 0 ? rc : run(w, "DELETE FROM @ WHERE % = $1 AND key = $2", it->c, 2);
}

static int put_each(struct items *w, bool over)
{
	static const char form[] =
			"INSERT INTO @ (%, key, value, created_at, updated_at+) "
			"VALUES ($1, $2, $3, $4, $5~)";
	int n = 0, rc = 0;

	for (size_t i = 0; i < w->n && rc >= 0; i++) {
		const struct item *it = &w->rows[i];

		if (it->found == ITEM_SAME || (it->found == ITEM_OTHER && !over))
			continue;
		if (it->found == ITEM_OTHER)
			rc = drop_each(w, it);
		if (rc >= 0)
			rc = run(w, form, it->c, ITEM_COLS);
		n++;
	}
	return rc < 0 ? rc : n;
}

/* Rows found so go to the server as one array of arrays. */
static int send(struct items *w, const char *form, int found)
{
	struct ckpt_buf rows = { 0 };
	struct cell arg = { .kind = CELL_TEXT };
	int rc = items_json(w, &rows, found, false);

	arg.v = ckpt_buf_view(&rows);
	if (rc >= 0 && rows.n > 2)
		rc = run(w, form, &arg, 1);
	ckpt_buf_free(&rows);
	return rc;
}

static int put_all(struct items *w, bool over)
{
	static const char insert[] =
			"INSERT INTO @ (%, key, value, created_at, updated_at+) SELECT "
			"r->>0, r->>1, r->2, (r->>3)::timestamptz, (r->>4)::timestamptz~ "
			"FROM jsonb_array_elements($1::jsonb) AS k(r)";
	int n = 0, more = 0, rc = 0;

	if (over) {
		rc = send(w,
				"DELETE FROM @ s USING jsonb_array_elements($1::jsonb) "
				"AS "
				"k(r) "
				"WHERE s.% = k.r->>0 AND s.key = k.r->>1",
				ITEM_OTHER);
		if (rc >= 0)
			more = rc = send(w, insert, ITEM_OTHER);
	}
	if (rc >= 0)
		n = rc = send(w, insert, ITEM_MISSING);
	return rc < 0 ? rc : n + more;
}

int items_put(struct items *w, bool over)
{
	int n = w->to.server ? put_all(w, over) : put_each(w, over);

	return items_told(w, n);
}
