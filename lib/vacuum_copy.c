/*
 * vacuum_copy.c - a copy of a SQLite store with the rows that stay: the same header, the same
 * tables with the same row numbers, then their indexes. `main` is the copy, `old` the store, which
 * is only read. What a copy would not be true to (see `unlike`) is no case for this.
 */
#include <inttypes.h>

#include "vacuum_rewrite.h"

#define AT_ONCE 1000

/* ---- the schema ---------------------------------------------------------------------------- */

struct unlike { /* a statement that gives a row where the copy would differ */
	const char *sql, *why;
};

/* SQL reads best as it is broken here */
/* clang-format off */
static const struct unlike unlikes[] = {
	{ "SELECT 1 FROM old.sqlite_master WHERE type NOT IN ('table', 'index') OR "
	  "rootpage = 0 OR sql LIKE 'create virtual%'",
			"the file has views, triggers or virtual tables" },
	{ "SELECT 1 FROM old.sqlite_master WHERE name LIKE 'sqlite\\_%' ESCAPE '\\' AND "
	  "type = 'table' AND name NOT IN ('sqlite_sequence', 'sqlite_stat1')",
			"the file has tables of SQLite's own that cannot be copied" },
	{ "SELECT 1 FROM pragma_table_list l, pragma_table_xinfo(l.name, 'old') x WHERE "
	  "l.schema = 'old' AND (x.hidden <> 0 OR lower(x.name) IN ('rowid', 'oid', "
	  "'_rowid_'))",
			"a table has generated columns, or one called rowid" },
	{ NULL, NULL }
};
/* clang-format on */

static int query(struct cursor **out, struct rewrite *r, const char *sql,
		const struct cell *args, size_t n)
{
	return sqlite_driver.query(out, &r->copy->base, sql, args, n);
}

static int run(struct rewrite *r, const char *sql)
{
	int rc = sqlite_exec(&r->copy->base, sql, NULL, 0);

	return rc < 0 ? rc : 1;
}

/* A statement of the store's own, which may ask for what is not here. */
static int theirs(struct rewrite *r, struct ckpt_view sql)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(r->copy->db, sql.p, (int)sql.n, &st, NULL);

	if (rc == SQLITE_OK && st)
		rc = sqlite3_step(st);
	sqlite3_finalize(st);
	if (rc == SQLITE_DONE)
		return 1;
	if (rc == SQLITE_ERROR || rc == SQLITE_OK)
		return rewrite_not(r, "a table or index cannot be made anew: %s",
				sqlite3_errmsg(r->copy->db));
	return sqlite_fault(r->copy, rc, "cannot copy store");
}

/* Each row of `list` is SQL to run. */
static int run_all(struct rewrite *r, const char *list)
{
	struct ckpt_buf sql = { 0 };
	struct cell cell[1];
	struct cursor *cur;
	int rc = 1;

	if (query(&cur, r, list, NULL, 0) < 0)
		return r->e->err->code;
	while (rc > 0 && sqlite_driver.next(cur, cell, 1) > 0) {
		/* its own bytes: a schema that changes moves those of the cursor */
		sql.n = 0;
		ckpt_buf_add(&sql, cell[0].v.p, cell[0].v.n);
		rc = sql.failed ? ckpt_fail(r->e->err, CKPT_ENOMEM, "out of memory")
		                : theirs(r, ckpt_buf_view(&sql));
	}
	sqlite_driver.done(cur);
	ckpt_buf_free(&sql);
	return r->e->err->code ? r->e->err->code : rc;
}

int rewrite_schema(struct rewrite *r)
{
	struct cell cell[1];
	struct cursor *cur;
	int found;

	for (const struct unlike *u = unlikes; u->sql; u++) {
		if (query(&cur, r, u->sql, NULL, 0) < 0)
			return r->e->err->code;
		found = sqlite_driver.next(cur, cell, 1);
		sqlite_driver.done(cur);
		if (found)
			return found < 0 ? found : rewrite_not(r, "%s", u->why);
	}
	/* in one list: their order is that of the rows in sqlite_master */
	return run_all(r, "SELECT CASE name WHEN 'sqlite_stat1' THEN 'ANALYZE "
			  "main.sqlite_master' "
			  "ELSE sql END FROM old.sqlite_master WHERE type = 'table' AND "
			  "name "
			  "<> 'sqlite_sequence' ORDER BY rowid");
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* "INSERT INTO main.T(rowid, a, b) SELECT rowid, a, b FROM old.T"; a table without row numbers
 * has none to keep. */
static int insert_text(struct ckpt_buf *to, struct rewrite *r, struct ckpt_view table)
{
	struct cell arg = { .kind = CELL_TEXT, .v = table }, cells[2] = { 0 };
	struct cursor *cur;

	if (query(&cur, r,
			    "SELECT format('INSERT INTO main.\"%w\"(%s) SELECT %s FROM "
			    "old.\"%w\"', $1, c, c, $1) FROM (SELECT (SELECT "
			    "iif(l.wr, '', 'rowid, ') FROM pragma_table_list l WHERE "
			    "l.schema = 'old' AND l.name = $1) || group_concat(format("
			    "'\"%w\"', name), ', ') AS c FROM pragma_table_xinfo($1, "
			    "'old'))",
			    &arg, 1) < 0)
		return r->e->err->code;
	if (sqlite_driver.next(cur, cells, 1) > 0)
		ckpt_buf_add(to, cells[0].v.p, cells[0].v.n);
	sqlite_driver.done(cur);
	if (to->failed)
		return ckpt_fail(r->e->err, CKPT_ENOMEM, "out of memory");
	return r->e->err->code;
}

/* Some rows at a time, by their numbers in a list: each as a statement costs more than the row. */
static int fill_some(struct rewrite *r, const char *sql, const int64_t *rows, size_t n)
{
	struct ckpt_buf list = { 0 };
	struct cell arg = { .kind = CELL_TEXT };
	int rc;

	for (size_t i = 0; i < n; i++)
		ckpt_buf_addf(&list, "%c%" PRId64, i ? ',' : '[', rows[i]);
	ckpt_buf_puts(&list, "]");
	arg.v = ckpt_buf_view(&list);
	rc = list.failed ? ckpt_fail(r->e->err, CKPT_ENOMEM, "out of memory")
	                 : sqlite_exec(&r->copy->base, sql, &arg, 1);
	ckpt_buf_free(&list);
	if (rc >= 0 && (size_t)rc != n)
		return ckpt_fail(r->e->err, CKPT_EINTERNAL,
				"a row that stays was not copied");
	return rc < 0 ? rc : 0;
}

static int fill_kept(
		struct rewrite *r, const char *table, const struct rewrite_rows *rows)
{
	struct ckpt_buf sql = { 0 };
	int rc = insert_text(&sql, r, ckpt_view_of(table));

	ckpt_buf_puts(&sql, " WHERE rowid IN (SELECT value FROM json_each($1))");
	if (rc == 0 && sql.failed)
		rc = ckpt_fail(r->e->err, CKPT_ENOMEM, "out of memory");
	for (size_t i = 0; i < rows->n && rc == 0; i += AT_ONCE) {
		size_t n = rows->n - i;

		rc = fill_some(r, sql.p, rows->v + i, n < AT_ONCE ? n : AT_ONCE);
		if (rc == 0 && rewrite_late(r)) {
			ckpt_buf_free(&sql);
			return rewrite_not(r, "it would keep writers out for too long");
		}
	}
	ckpt_buf_free(&sql);
	return rc < 0 ? rc : 1;
}

static int number(struct rewrite *r, int64_t *out, const char *sql)
{
	struct cell cell[1] = { 0 };
	struct cursor *cur;

	if (query(&cur, r, sql, NULL, 0) < 0)
		return r->e->err->code;
	sqlite_driver.next(cur, cell, 1);
	sqlite_driver.done(cur);
	*out = cell[0].i;
	return r->e->err->code;
}

/* A table that is not LangGraph's goes over as it is. */
static int fill_other(struct rewrite *r, struct ckpt_view table)
{
	struct ckpt_buf sql = { 0 };
	int64_t want = 0;
	int rc = insert_text(&sql, r, table), n = 0;

	if (rc == 0) {
		char *text = sqlite3_mprintf(
				"SELECT count(*) FROM old.\"%w\"", (const char *)table.p);

		rc = text ? number(r, &want, text)
		          : ckpt_fail(r->e->err, CKPT_ENOMEM, "out of memory");
		sqlite3_free(text);
	}
	if (rc == 0)
		n = sqlite_exec(&r->copy->base, sql.p, NULL, 0);
	ckpt_buf_free(&sql);
	if (rc == 0 && n >= 0 && n != want)
		return ckpt_fail(r->e->err, CKPT_EINTERNAL,
				"a table was not copied whole");
	if (rc == 0 && n >= 0 && rewrite_late(r))
		return rewrite_not(r, "it would keep writers out for too long");
	return rc < 0 ? rc : n < 0 ? n : 1;
}

static int fill_others(struct rewrite *r)
{
	struct ckpt_buf name = { 0 };
	struct cell cell[1];
	struct cursor *cur;
	int rc = 1;

	/* sqlite_sequence got its rows by what was inserted, and gets the right ones now */
	if (query(&cur, r,
			    "SELECT name FROM old.sqlite_master WHERE type = 'table' AND "
			    "lower(name) NOT IN ('checkpoints', 'writes') ORDER BY name "
			    "= "
			    "'sqlite_sequence', rowid",
			    NULL, 0) < 0)
		return r->e->err->code;
	while (rc > 0 && sqlite_driver.next(cur, cell, 1) > 0) {
		name.n = 0;
		ckpt_buf_add(&name, cell[0].v.p, cell[0].v.n);
		if (name.failed)
			rc = ckpt_fail(r->e->err, CKPT_ENOMEM, "out of memory");
		if (rc > 0 && ckpt_view_eq(cell[0].v, CKPT_LIT("sqlite_sequence")))
			rc = run(r, "DELETE FROM main.sqlite_sequence");
		if (rc > 0)
			rc = fill_other(r, ckpt_buf_view(&name));
	}
	sqlite_driver.done(cur);
	ckpt_buf_free(&name);
	return r->e->err->code ? r->e->err->code : rc;
}

int rewrite_fill(struct rewrite *r)
{
	int rc = fill_kept(r, "checkpoints", &r->rows[REWRITE_CHECKPOINTS]);

	if (rc > 0 && r->e->sql->has_writes)
		rc = fill_kept(r, "writes", &r->rows[REWRITE_WRITES]);
	if (rc > 0)
		rc = fill_others(r);
	if (rc > 0)
		rc = run_all(r, "SELECT sql FROM old.sqlite_master WHERE type = 'index' "
				"AND "
				"sql IS NOT NULL ORDER BY rowid");
	return rc;
}
