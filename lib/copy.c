/*
 * copy.c - rows of a thread under a new thread's id. Values never leave the engine: each is the
 * same bytes afterwards, metadata included, which in rows of old releases names the old thread.
 *
 * SQLite: the rows are looked up first, then copied one by one as they lie, because a statement
 * that copies many of a table into the same table would hold all of them in memory. PostgreSQL:
 * one statement, so that all of it is of one moment.
 */
#include "copy.h"
#include "put.h"

#include <inttypes.h>

enum { CHECKPOINTS, WRITES, BLOBS, TABLES };
static const char *const marks[TABLES] = { "{checkpoints}", "{writes}", "{blobs}" };

struct copier {
	struct sql_store *sql;
	const struct copy_want *want;
	struct ckpt_error *err;
	struct ckpt_buf text;
	int64_t *rows[2]; /* SQLite: where they lie; checkpoints, writes */
	size_t n[2], cap[2];
};

static int no_memory(struct copier *c)
{
	return ckpt_fail(c->err, CKPT_ENOMEM, "out of memory");
}

static bool has_table(const struct sql_store *s, int table)
{
	return table == CHECKPOINTS || (table == WRITES ? s->has_writes : s->has_blobs);
}

/* `text` with its tables, in c->text. */
static int prepare(struct copier *c, const char *text)
{
	const struct edit e = { .sql = c->sql, .err = c->err };

	c->text.n = 0;
	return edit_text(&c->text, &e, text);
}

/* ", column" for each but the thread's id */
static void add_columns(struct ckpt_buf *to, const struct sql_store *s, int table)
{
	const struct layout_table *const tables[TABLES] = { &s->layout->checkpoints,
		&s->layout->writes, &s->layout->blobs };
	const char *at = tables[table]->required;
	bool paths = put_has_path(s);

	for (;;) {
		size_t n = strcspn(at, " "), name = strcspn(at, " :");

		if (name != 9 || memcmp(at, "thread_id", name) != 0) {
			ckpt_buf_puts(to, ", ");
			ckpt_buf_add(to, at, name);
		}
		if (!at[n])
			break;
		at += n + 1;
	}
	if (table == WRITES && paths)
		ckpt_buf_puts(to, ", task_path");
}

/* ---- is it there? ------------------------------------------------------------------------------- */

static int one_row(struct copier *c, const struct cell *args, size_t nargs, int64_t *out,
		size_t n)
{
	struct cell row[TABLES];
	struct cursor *cur;
	int rc = c->text.failed ? no_memory(c)
	                        : sql_query(&cur, c->sql, c->text.p, args, nargs);

	if (rc < 0)
		return rc;
	rc = sql_next(cur, row, n);
	for (size_t i = 0; rc > 0 && i < n; i++)
		out[i] = row[i].i;
	sql_done(cur);
	return rc;
}

int copy_exists(struct sql_store *s, struct ckpt_view thread, bool blob)
{
	struct copier c = { .sql = s, .err = s->base.err };
	struct cell arg = sql_key_cell(thread, blob);
	int rc = 0;

	for (int t = 0; t < TABLES && rc == 0; t++) {
		struct ckpt_buf text = { 0 };
		int64_t one;

		if (!has_table(s, t))
			continue;
		ckpt_buf_addf(&text, "SELECT 1 FROM %s WHERE thread_id = $1 LIMIT 1",
				marks[t]);
		rc = text.failed ? no_memory(&c) : prepare(&c, text.p);
		rc = rc < 0 ? rc : one_row(&c, &arg, 1, &one, 1);
		ckpt_buf_free(&text);
	}
	ckpt_buf_free(&c.text);
	return rc;
}

int copy_refuse(struct sql_store *s, struct ckpt_view to)
{
	char name[200];
	int rc = copy_exists(s, to, false);

	/* a reader that binds bytes would find both */
	if (rc == 0 && s->dialect == &sqlite_dialect)
		rc = copy_exists(s, to, true);
	if (rc > 0)
		rc = ckpt_fail(s->base.err, CKPT_EREFUSED,
				"refused: there is a thread '%s' already",
				ckpt_show_name(name, to));
	return rc;
}

/* ---- SQLite -------------------------------------------------------------------------------------- */

static int add_rows(struct copier *c, int table, const struct cell *args, size_t nargs)
{
	struct cell row[1];
	struct cursor *cur;
	int rc = sql_query(&cur, c->sql, c->text.p, args, nargs);

	while (rc >= 0 && (rc = sql_next(cur, row, 1)) > 0) {
		if (c->n[table] == c->cap[table]) {
			size_t cap = c->cap[table] ? 2 * c->cap[table] : 1024;
			int64_t *grown = realloc(c->rows[table], cap * sizeof(*grown));

			if (!grown) {
				rc = no_memory(c);
				break;
			}
			c->rows[table] = grown;
			c->cap[table] = cap;
		}
		c->rows[table][c->n[table]++] = row[0].i;
	}
	sql_done(cur);
	return rc;
}

static int add_items(struct copier *c, int table, bool blob)
{
	const struct copy_set *set = c->want->set;
	int rc = 0;

	for (size_t i = 0; i < set->n && rc >= 0; i++) {
		const struct copy_item *item = &set->v[i];
		struct cell args[3] = { sql_key_cell(c->want->thread, blob),
			sql_key_cell(item->ns, item->blob & CKPT_BLOB_NS),
			sql_key_cell(item->id, item->blob & CKPT_BLOB_ID) };

		if (table == CHECKPOINTS || item->writes)
			rc = add_rows(c, table, args, 3);
	}
	return rc;
}

static int as_they_lie(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int find_rows(struct copier *c)
{
	bool blob = c->want->blob;
	struct cell thread = sql_key_cell(c->want->thread, blob);
	int rc = 0;

	for (int t = CHECKPOINTS; t <= WRITES && rc >= 0; t++) {
		struct ckpt_buf text = { 0 };

		if (!has_table(c->sql, t))
			continue;
		ckpt_buf_addf(&text, "SELECT rowid FROM %s WHERE thread_id = $1%s",
				marks[t],
				c->want->set ? " AND checkpoint_ns = $2 AND "
					       "checkpoint_id = $3"
					     : "");
		rc = text.failed ? no_memory(c) : prepare(c, text.p);
		ckpt_buf_free(&text);
		if (rc == 0)
			rc = c->want->set ? add_items(c, t, blob)
			                  : add_rows(c, t, &thread, 1);
		if (c->n[t])
			qsort(c->rows[t], c->n[t], sizeof(*c->rows[t]), as_they_lie);
	}
	return rc < 0 ? rc : 0;
}

static int copy_table(struct copier *c, int table)
{
	struct conn *conn = c->sql->conn;
	struct ckpt_buf text = { 0 };
	struct cell args[2] = { sql_key_cell(c->want->to, false), { .kind = CELL_INT } };
	int rc;

	ckpt_buf_addf(&text, "INSERT INTO %s (thread_id", marks[table]);
	add_columns(&text, c->sql, table);
	ckpt_buf_puts(&text, ") SELECT $1");
	add_columns(&text, c->sql, table);
	ckpt_buf_addf(&text, " FROM %s WHERE rowid = $2", marks[table]);
	rc = text.failed ? no_memory(c) : prepare(c, text.p);
	ckpt_buf_free(&text);
	for (size_t i = 0; i < c->n[table] && rc >= 0; i++) {
		const struct ckpt_store *store = &c->sql->base;

		args[1].i = c->rows[table][i];
		rc = conn->driver->exec(conn, c->text.p, args, 2);
		if (rc >= 0 && store->stop && store->stop(store->stop_arg))
			rc = ckpt_fail(c->err, CKPT_EINTERRUPTED,
					"stopped by a signal: nothing was copied");
	}
	return rc < 0 ? rc : 0;
}

static int sqlite_copy(struct copier *c, bool count, int64_t *out)
{
	int rc = find_rows(c);

	for (int t = CHECKPOINTS; t <= WRITES && rc == 0 && !count; t++)
		rc = copy_table(c, t);
	out[CHECKPOINTS] = (int64_t)c->n[CHECKPOINTS];
	out[WRITES] = (int64_t)c->n[WRITES];
	return rc;
}

/* ---- PostgreSQL ----------------------------------------------------------------------------------- */

/* clang-format off: SQL reads best as it is broken here */
/* $1 the thread, $2 the new one, $3 what is copied, or NULL: all of it */
#define KEYS \
	"WITH k AS MATERIALIZED (SELECT ns, id, w FROM " \
	"jsonb_to_recordset(coalesce($3::text, " \
	"'[]')::jsonb) AS k(ns text, id text, w bool))"
static const char *const postgres_rows[TABLES] = {
	[CHECKPOINTS] = " FROM {checkpoints} t WHERE thread_id = $1 AND ($3::text IS "
			"NULL OR "
			"EXISTS (SELECT FROM k WHERE k.ns = t.checkpoint_ns AND k.id = "
			"t.checkpoint_id))",
	[WRITES] = " FROM {writes} t WHERE thread_id = $1 AND ($3::text IS NULL OR "
		   "EXISTS (SELECT FROM k WHERE k.ns = t.checkpoint_ns AND k.id = "
		   "t.checkpoint_id "
		   "AND k.w))",
	[BLOBS] = " FROM {blobs} t WHERE thread_id = $1 AND ($3::text IS NULL OR "
		  "(t.checkpoint_ns, t.channel, t.version) IN (SELECT c.checkpoint_ns, "
		  "v.key, "
		  "v.value FROM {checkpoints} c JOIN k ON k.ns = c.checkpoint_ns AND "
		  "k.id = c.checkpoint_id, jsonb_each_text(CASE "
		  "jsonb_typeof(c.checkpoint -> "
		  "'channel_versions') WHEN 'object' THEN c.checkpoint -> "
		  "'channel_versions' "
		  "ELSE '{}' END) v WHERE c.thread_id = $1))",
};
/* clang-format on */

static void add_postgres(struct copier *c, struct ckpt_buf *to, int table, bool count)
{
	static const char names[] = "cwb";

	if (!has_table(c->sql, table)) {
		ckpt_buf_addf(to, ", %c AS (SELECT 1 LIMIT 0)", names[table]);
	} else if (count) {
		ckpt_buf_addf(to, ", %c AS (SELECT 1%s)", names[table],
				postgres_rows[table]);
	} else {
		ckpt_buf_addf(to, ", %c AS (INSERT INTO %s (thread_id", names[table],
				marks[table]);
		add_columns(to, c->sql, table);
		ckpt_buf_puts(to, ") SELECT $2::text");
		add_columns(to, c->sql, table);
		ckpt_buf_puts(to, postgres_rows[table]);
		/* as they were written */
		ckpt_buf_addf(to, "%s%s)", table == WRITES ? " ORDER BY " : "",
				table == WRITES ? c->sql->write_cols[WCOL_SEQ] : "");
	}
}

static void add_keys(struct ckpt_buf *to, const struct copy_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		ckpt_buf_puts(to, i ? ",{\"ns\":" : "[{\"ns\":");
		ckpt_json_string(to, set->v[i].ns);
		ckpt_buf_puts(to, ",\"id\":");
		ckpt_json_string(to, set->v[i].id);
		ckpt_buf_addf(to, ",\"w\":%s}", set->v[i].writes ? "true" : "false");
	}
	ckpt_buf_puts(to, set->n ? "]" : "[]");
}

/* Nobody else has rows of the new thread: they can be counted there. */
static int count_new(struct copier *c, int64_t *out)
{
	const struct cell to = sql_key_cell(c->want->to, false);
	struct ckpt_buf text = { 0 };
	int rc;

	for (int t = 0; t < TABLES; t++)
		ckpt_buf_addf(&text, "%s(SELECT count(*) FROM %s WHERE thread_id = $1)",
				t ? ", " : "SELECT ",
				has_table(c->sql, t) ? marks[t] : marks[CHECKPOINTS]);
	rc = text.failed ? no_memory(c) : prepare(c, text.p);
	rc = rc < 0 ? rc : one_row(c, &to, 1, out, TABLES);
	for (int t = 0; t < TABLES; t++)
		out[t] = has_table(c->sql, t) ? out[t] : 0;
	ckpt_buf_free(&text);
	return rc < 0 ? rc : 0;
}

static int postgres_copy(struct copier *c, bool count, int64_t *out)
{
	struct conn *conn = c->sql->conn;
	struct ckpt_buf text = { 0 }, keys = { 0 };
	struct cell args[3] = { sql_key_cell(c->want->thread, false),
		sql_key_cell(c->want->to, false), { .kind = CELL_NULL } };
	int rc;

	ckpt_buf_puts(&text, KEYS);
	for (int t = 0; t < TABLES; t++)
		add_postgres(c, &text, t, count);
	ckpt_buf_puts(&text, count ? " SELECT (SELECT count(*) FROM c), (SELECT count(*) "
				     "FROM w), (SELECT count(*) FROM b)"
				   : " SELECT 1");
	if (c->want->set) {
		add_keys(&keys, c->want->set);
		args[2] = (struct cell){ .kind = CELL_TEXT, .v = ckpt_buf_view(&keys) };
	}
	rc = text.failed || keys.failed ? no_memory(c) : prepare(c, text.p);
	if (rc == 0 && count)
		rc = one_row(c, args, 3, out, TABLES);
	else if (rc == 0)
		rc = conn->driver->exec(conn, c->text.p, args, 3);
	if (rc >= 0 && !count)
		rc = count_new(c, out);
	ckpt_buf_free(&text);
	ckpt_buf_free(&keys);
	return rc < 0 ? rc : 0;
}

/* ---- both ------------------------------------------------------------------------------------------ */

static int run(struct sql_store *s, const struct copy_want *want, bool count,
		struct ckpt_receipt *out)
{
	struct copier c = { .sql = s, .want = want, .err = s->base.err };
	int64_t n[TABLES] = { 0 };
	int rc = copy_refuse(s, want->to);

	if (rc == 0)
		rc = s->dialect == &postgres_dialect ? postgres_copy(&c, count, n)
		                                     : sqlite_copy(&c, count, n);
	for (int t = CHECKPOINTS; t <= WRITES; t++)
		free(c.rows[t]);
	ckpt_buf_free(&c.text);
	*out = (struct ckpt_receipt){ n[CHECKPOINTS], n[WRITES], n[BLOBS] };
	return rc;
}

int copy_count(struct sql_store *s, const struct copy_want *want,
		struct ckpt_receipt *out)
{
	return run(s, want, true, out);
}

int copy_rows(struct edit *e, const struct copy_want *want, struct ckpt_receipt *out)
{
	int64_t wanted = want->set ? (int64_t)want->set->n : 1;
	int rc = run(e->sql, want, false, out);
	char name[200];

	if (rc < 0 || (out->checkpoints >= wanted) ||
			(!want->set && out->writes + out->blobs > 0))
		return rc;
	ckpt_fail(e->err, CKPT_EBUSY, "thread '%s' changed while it was looked at",
			ckpt_show_name(name, want->thread));
	ckpt_hint(e->err, "run it again");
	return e->err->code;
}
