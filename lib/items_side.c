/*
 * items_side.c - the tables of long-term memory in one database: whether they are there, whose
 * they are, what they hold of given keys. Nothing is written here.
 */
#include "items.h"

const char *items_table(struct sql_store *s, const char *name)
{
	const char *last = strrchr(s->checkpoints, '.');
	struct ckpt_buf b = { 0 };
	struct ckpt_view v = { 0 };

	if (last && s->dialect == &postgres_dialect)
		ckpt_buf_add(&b, s->checkpoints, (size_t)(last - s->checkpoints) + 1);
	ckpt_buf_puts(&b, name);
	if (b.failed)
		ckpt_fail(s->conn->err, CKPT_ENOMEM, "out of memory");
	else
		v = arena_copy(&s->arena, ckpt_buf_view(&b), s->conn->err);
	ckpt_buf_free(&b);
	return v.p;
}

/* A view or somebody's virtual table is not what the application writes to. */
static int is_table(struct sql_store *s, const char *table)
{
	const struct cell arg = { .kind = CELL_TEXT, .v = ckpt_view_of(table) };
	struct cursor *cur;
	struct cell row;
	int rc;

	if (!s->dialect->relation) /* the question for columns looks itself */
		return 1;
	rc = sql_query(&cur, s, s->dialect->relation, &arg, 1);
	if (rc >= 0)
		rc = sql_next(cur, &row, 1);
	if (rc > 0)
		rc = ckpt_view_eq(row.v, CKPT_LIT("table"));
	sql_done(cur);
	return rc;
}

static int add_columns(struct ckpt_buf *to, struct sql_store *s, const char *table)
{
	static const char postgres[] =
			"SELECT a.attname FROM pg_catalog.pg_attribute a "
			"JOIN pg_catalog.pg_class c ON c.oid = a.attrelid "
			"WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 "
			"AND NOT a.attisdropped AND c.relkind IN ('r', 'p')";
	const struct cell arg = { .kind = CELL_TEXT, .v = ckpt_view_of(table) };
	size_t at = s->dialect->column_at;
	struct cursor *cur;
	struct cell row[2];
	char pragma[100];
	int rc;

	snprintf(pragma, sizeof(pragma),
			s->dialect->relation ? s->dialect->columns : "%s", table);
	rc = sql_query(&cur, s, s->dialect->relation ? pragma : postgres, &arg, 1);
	while (rc >= 0 && (rc = sql_next(cur, row, at + 1)) > 0) {
		ckpt_buf_puts(to, " ");
		ckpt_buf_add(to, row[at].v.p, row[at].v.n);
	}
	sql_done(cur);
	ckpt_buf_puts(to, to->n ? " " : "");
	return rc;
}

const char *items_columns(struct sql_store *s, const char *table)
{
	struct ckpt_buf b = { 0 };
	struct ckpt_view v = { 0 };
	int rc = is_table(s, table);

	if (rc > 0)
		rc = add_columns(&b, s, table);
	if (b.failed)
		rc = ckpt_fail(s->conn->err, CKPT_ENOMEM, "out of memory");
	if (rc >= 0)
		v = arena_copy(&s->arena, ckpt_buf_view(&b), s->conn->err);
	ckpt_buf_free(&b);
	return v.p;
}

int items_number(struct sql_store *s, const char *sql, int64_t *out)
{
	struct cursor *cur;
	struct cell row;
	int rc = sql_query(&cur, s, sql, NULL, 0);

	if (rc >= 0)
		rc = sql_next(cur, &row, 1);
	if (rc > 0 && row.kind != CELL_NULL)
		*out = row.i;
	sql_done(cur);
	return rc < 0 ? rc : 0;
}

int items_keep(struct cell *out, const struct cell *in, struct arena *arena,
		struct ckpt_error *err)
{
	*out = *in;
	if (!in->v.p)
		return 0;
	out->v = arena_copy(arena, in->v, err);
	return out->v.p ? 0 : err->code;
}

void items_time(struct ckpt_buf *b, const char *column)
{
	ckpt_buf_addf(b,
			"CASE WHEN isfinite(%s) THEN to_char(%s AT TIME ZONE 'UTC', "
			"'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') ELSE %s::text END",
			column, column, column);
}

static void add_time(struct ckpt_buf *b, const struct items_side *side,
		const char *column, bool there)
{
	ckpt_buf_puts(b, ", ");
	if (!there)
		ckpt_buf_puts(b, side->server ? "NULL::text" : "NULL");
	else if (side->server)
		items_time(b, column);
	else
		ckpt_buf_puts(b, column);
}

static int select_list(struct items_side *side)
{
	struct ckpt_error *err = side->sql->conn->err;
	const char *text = side->server ? "::text" : "";
	struct ckpt_buf b = { 0 };

	ckpt_buf_addf(&b, "s.%s, s.key, s.value%s", items_prefix(side), text);
	add_time(&b, side, "s.created_at", true);
	add_time(&b, side, "s.updated_at", true);
	add_time(&b, side, "s.expires_at", side->has_expires);
	ckpt_buf_addf(&b, ", %s%s", side->has_ttl ? "s.ttl_minutes" : "NULL", text);
	if (b.failed)
		ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	else
		side->columns = arena_copy(&side->sql->arena, ckpt_buf_view(&b), err).p;
	ckpt_buf_free(&b);
	return err->code;
}

int items_side_look(struct items_side *out, struct sql_store *s)
{
	const char *columns, *vectors;
	char name[200];

	*out = (struct items_side){ .sql = s, .server = s->dialect == &postgres_dialect };
	out->store = items_table(s, "store");
	out->vectors = items_table(s, "store_vectors");
	columns = out->vectors ? items_columns(s, out->store) : NULL;
	vectors = columns ? items_columns(s, out->vectors) : NULL;
	if (!vectors)
		return s->conn->err->code;
	if (!*columns)
		return 0;
	out->there = true;
	out->js = strstr(columns, " namespace_path ") != NULL;
	out->has_expires = strstr(columns, " expires_at ") != NULL;
	out->has_ttl = strstr(columns, " ttl_minutes ") != NULL;
	out->has_vectors = strstr(vectors, " embedding ") != NULL;
	if ((!out->js && !strstr(columns, " prefix ")) || !strstr(columns, " key ") ||
			!strstr(columns, " value ") || !strstr(columns, " created_at ") ||
			!strstr(columns, " updated_at "))
		return ckpt_fail(s->conn->err, CKPT_EREFUSED,
				"table '%s' is not the long-term memory that LangGraph "
				"makes",
				ckpt_show_name(name, ckpt_view_of(out->store)));
	return select_list(out);
}

/* ---- what is there of given keys --------------------------------------------------------------- */

static int judge(struct items *w, struct item *it, const struct cell *there)
{
	int rc = item_same(w, it, there);

	it->found = rc > 0 ? ITEM_SAME : ITEM_OTHER;
	return rc < 0 ? rc : 0;
}

/* A statement for each: SQLite answers at once. */
static int find_each(struct items *w)
{
	struct items_side *to = &w->to;
	struct ckpt_buf sql = { 0 };
	int rc = 0;

	ckpt_buf_addf(&sql, "SELECT %s FROM %s s WHERE s.%s = $1 AND s.key = $2",
			to->columns, to->store, items_prefix(to));
	if (sql.failed)
		return ckpt_fail(w->m->err, CKPT_ENOMEM, "out of memory");
	for (size_t i = 0; i < w->n && rc >= 0; i++) {
		struct cell row[ITEM_COLS];
		struct cursor *cur;

		rc = sql_query(&cur, to->sql, sql.p, w->rows[i].c, 2);
		if (rc >= 0)
			rc = sql_next(cur, row, ITEM_COLS);
		if (rc > 0)
			rc = judge(w, &w->rows[i], row);
		sql_done(cur);
	}
	ckpt_buf_free(&sql);
	return rc;
}

/* A way to the server and back costs more than the rows: one statement for all. */
static int find_all(struct items *w)
{
	struct items_side *to = &w->to;
	struct ckpt_buf sql = { 0 }, keys = { 0 };
	struct cell arg = { .kind = CELL_TEXT }, row[ITEM_COLS + 1];
	struct cursor *cur = NULL;
	int rc = items_json(w, &keys, -1, true);

	ckpt_buf_addf(&sql,
			"SELECT %s, k.n FROM jsonb_array_elements($1::jsonb) WITH "
			"ORDINALITY AS k(r, n) JOIN %s s ON s.%s = k.r->>0 AND s.key = "
			"k.r->>1",
			to->columns, to->store, items_prefix(to));
	if (rc >= 0 && sql.failed)
		rc = ckpt_fail(w->m->err, CKPT_ENOMEM, "out of memory");
	arg.v = ckpt_buf_view(&keys);
	if (rc >= 0)
		rc = sql_query(&cur, to->sql, sql.p, &arg, 1);
	while (rc >= 0 && (rc = sql_next(cur, row, ITEM_COLS + 1)) > 0) {
		if (row[ITEM_COLS].i >= 1 && (size_t)row[ITEM_COLS].i <= w->n)
			rc = judge(w, &w->rows[row[ITEM_COLS].i - 1], row);
	}
	sql_done(cur);
	ckpt_buf_free(&sql);
	ckpt_buf_free(&keys);
	return rc;
}

int items_find(struct items *w)
{
	if (!w->to.there || !w->n)
		return 0;
	return items_told(w, w->to.server ? find_all(w) : find_each(w));
}
