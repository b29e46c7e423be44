/*
 * sql_drift.c - in what the tables of a database are not as LangGraph makes them. Each statement
 * gives one sentence a row; a healthy database gives none. States that releases really leave
 * behind, older columns and numbers of migrations included, are no drift.
 */
#include <string.h>

#include "sql_catalog.h"

#define UNKNOWN "table %s has a column that is not LangGraph's: %s"
#define UNKEYED "table %s lacks its primary key: rows may be there twice"

/* SQL reads best as it is broken here */
/* clang-format off */

/* $1 table; columns and key are looked at in sqlite_columns() */
static const char *const sqlite_table[] = {
	"SELECT 'a trigger runs when table ' || $1 || ' is written: ' || name "
	"FROM sqlite_master WHERE type = 'trigger' AND tbl_name = $1",
	"SELECT 'table ' || name || ' refers to rows of ' || $1 || ' by a foreign key' "
	"FROM sqlite_master WHERE type = 'table' AND (sql LIKE '%references ' || $1 || '%' "
	"OR sql LIKE '%references \"' || $1 || '\"%')",
	NULL
};

#define RELATION(name) \
	"FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n " \
	"ON n.oid = c.relnamespace WHERE n.nspname = $4 AND c.relname = " name

/* $1 table; $2 its known columns, framed by spaces; $3 how many are its primary key; $4 schema */
#define THIS_TABLE "(SELECT c.oid " RELATION("$1") ")"
static const char *const postgres_table[] = {
	"SELECT 'table ' || $1 || ' has a column that is not LangGraph''s: ' || attname "
	"FROM pg_catalog.pg_attribute WHERE attrelid = " THIS_TABLE " AND attnum > 0 "
	"AND NOT attisdropped AND strpos($2, ' ' || attname || ' ') = 0 ORDER BY attnum",
	"SELECT 'table ' || $1::text || ' lacks its primary key: rows may be there twice' "
	"WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid = " THIS_TABLE
	" AND contype = 'p' AND cardinality(conkey) = $3::int8)",
	"SELECT 'a trigger runs when table ' || $1 || ' is written: ' || tgname "
	"FROM pg_catalog.pg_trigger WHERE tgrelid = " THIS_TABLE " AND NOT tgisinternal",
	"SELECT 'table ' || conrelid::regclass || ' refers to rows of ' || $1 || "
	"' by a foreign key' FROM pg_catalog.pg_constraint WHERE confrelid = " THIS_TABLE
	" AND contype = 'f'",
	"SELECT 'index ' || indexrelid::regclass || ' is invalid: building it was interrupted' "
	"FROM pg_catalog.pg_index WHERE indrelid = " THIS_TABLE " AND NOT indisvalid",
	NULL
};

#define COLUMN_OF(table, column) \
	"EXISTS (SELECT " RELATION("'" table "'") " AND EXISTS (SELECT " \
	"FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attname = '" column "' " \
	"AND NOT a.attisdropped"
/* $3 the number of migrations that makes every index and column, $4 schema; goes on behind the
 * name of the table */
static const char with_migrations[] =
	") SELECT 'migration ' || v || ' has run, but checkpoint_writes has no column task_path' "
	"FROM v WHERE v >= $3::int8 AND EXISTS (SELECT " RELATION("'checkpoint_writes'") ") "
	"AND NOT " COLUMN_OF("checkpoint_writes", "task_path") ")) UNION ALL "
	"SELECT 'migration ' || v || ' has run, but there is no index ' || t || '_thread_id_idx' "
	"FROM v, unnest('{checkpoints,checkpoint_blobs,checkpoint_writes}'::text[]) AS t(t) "
	"WHERE v >= $3::int8 AND EXISTS (SELECT " RELATION("t") ") AND NOT EXISTS (SELECT "
	RELATION("t || '_thread_id_idx'") " AND c.relkind = 'i')";
/* the first release had no such table, and blobs that could not be NULL */
static const char without_migrations[] =
	"SELECT 'there is no table checkpoint_migrations: the saver would run all of them again' "
	"WHERE NOT " COLUMN_OF("checkpoint_blobs", "blob") " AND a.attnotnull))";
/* clang-format on */

struct drift {
	struct sql_store *s;
	int (*tell)(void *arg, const char *what);
	void *arg;
};

static int tell_rows(struct drift *d, const char *sql, const struct cell *args, size_t n)
{
	struct cursor *cur = NULL;
	struct cell cell;
	int rc = sql_query(&cur, d->s, sql, args, n);

	while (rc >= 0 && (rc = sql_next(cur, &cell, 1)) > 0) {
		struct ckpt_buf text = { 0 };

		ckpt_buf_add(&text, cell.v.p, cell.v.n);
		rc = text.failed ? ckpt_fail(d->s->base.err, CKPT_ENOMEM, "out of memory")
		                 : d->tell(d->arg, text.p);
		ckpt_buf_free(&text);
	}
	sql_done(cur);
	return rc;
}

/* " thread_id checkpoint_ns … " of "thread_id:text checkpoint_ns:text …" */
static void add_known(struct ckpt_buf *to, const char *columns)
{
	const char *at = columns, *word;
	size_t n;

	while (at && next_word(&at, &word, &n)) {
		const char *colon = memchr(word, ':', n);

		ckpt_buf_add(to, word, colon ? (size_t)(colon - word) : n);
		ckpt_buf_puts(to, " ");
	}
}

/* SQLite's pragmas cannot be asked inside a statement: what may be asked is kept short. */
static int sqlite_columns(
		struct drift *d, const char *table, const char *known, int64_t key)
{
	enum { NAME = 1, PK = 5 };
	struct ckpt_buf text = { 0 };
	struct cursor *cur;
	struct cell cell[PK + 1];
	int rc;

	ckpt_buf_addf(&text, "PRAGMA table_info(%s)", table);
	rc = text.failed ? ckpt_fail(d->s->base.err, CKPT_ENOMEM, "out of memory")
	                 : sql_query(&cur, d->s, text.p, NULL, 0);
	if (rc >= 0) {
		while ((rc = sql_next(cur, cell, PK + 1)) > 0) {
			char name[200];

			ckpt_show_name(name, cell[NAME].v);
			key -= cell[PK].i > 0;
			text.n = 0;
			ckpt_buf_addf(&text, " %s ", name);
			if (text.failed || strstr(known, text.p))
				continue;
			text.n = 0;
			ckpt_buf_addf(&text, UNKNOWN, table, name);
			rc = text.failed ? 0 : d->tell(d->arg, text.p);
			if (rc < 0)
				break;
		}
		sql_done(cur);
	}
	text.n = 0;
	ckpt_buf_addf(&text, UNKEYED, table);
	if (rc >= 0 && key && !text.failed)
		rc = d->tell(d->arg, text.p);
	ckpt_buf_free(&text);
	return rc;
}

static int one_table(
		struct drift *d, const struct layout_table *t, bool there, int64_t key)
{
	struct sql_store *s = d->s;
	const char *const *sql = s->base.schema ? postgres_table : sqlite_table;
	struct ckpt_buf known = { 0 };
	struct cell args[4] = { { .kind = CELL_TEXT, .v = ckpt_view_of(t->name) },
		{ .kind = CELL_TEXT }, { .kind = CELL_INT, .i = key },
		{ .kind = CELL_TEXT, .v = ckpt_view_of(s->base.schema) } };
	int rc = 0;

	if (!t->name)
		return 0;
	ckpt_buf_puts(&known, there ? " " : "there is no table ");
	if (there) {
		add_known(&known, t->required);
		add_known(&known, t->optional);
	} else {
		ckpt_buf_puts(&known, t->name);
	}
	args[1].v = ckpt_buf_view(&known);
	if (known.failed)
		rc = ckpt_fail(s->base.err, CKPT_ENOMEM, "out of memory");
	else if (!there)
		rc = d->tell(d->arg, known.p);
	else if (!s->base.schema)
		rc = sqlite_columns(d, t->name, known.p, key);
	for (; there && *sql && rc >= 0; sql++)
		rc = tell_rows(d, *sql, args, s->base.schema ? 4 : 1);
	ckpt_buf_free(&known);
	return rc;
}

static int migrations(struct drift *d)
{
	struct sql_store *s = d->s;
	struct relation *catalog = NULL;
	struct columns table = { 0 };
	struct ckpt_buf sql = { 0 };
	struct cell args[4] = { [2] = { .kind = CELL_INT, .i = s->layout->newest },
		[3] = { .kind = CELL_TEXT, .v = ckpt_view_of(s->base.schema) } };
	int rc = catalog_read(&catalog, s, s->base.schema);

	rc = rc < 0 ? rc : columns_of(s, catalog, s->layout->migrations, &table);
	if (rc >= 0 && columns_have(&table, "v", 1)) {
		ckpt_buf_puts(&sql, "WITH v AS (SELECT max(v)::int8 AS v FROM ");
		ckpt_buf_addf(&sql, "%s.%s%s", s->schema, s->layout->migrations,
				with_migrations);
		rc = sql.failed ? ckpt_fail(s->base.err, CKPT_ENOMEM, "out of memory")
		                : tell_rows(d, sql.p, args, 4);
	} else if (rc >= 0) {
		rc = tell_rows(d, without_migrations, args, 4);
	}
	ckpt_buf_free(&sql);
	ckpt_buf_free(&table.names);
	return rc;
}

int sql_drift(struct ckpt_store *store, int (*tell)(void *arg, const char *what),
		void *arg)
{
	struct sql_store *s = sql_of(store);
	struct drift d = { s, tell, arg };
	const struct layout *l = s->layout;
	int64_t shallow = l->checkpoints.without != NULL;
	int rc = one_table(&d, &l->checkpoints, true, 3 - shallow);

	rc = rc < 0 ? rc : one_table(&d, &l->writes, s->has_writes, 5);
	rc = rc < 0 ? rc : one_table(&d, &l->blobs, s->has_blobs, 4 - shallow);
	return rc < 0 || !l->migrations ? rc : migrations(&d);
}
