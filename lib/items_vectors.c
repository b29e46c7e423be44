/*
 * items_vectors.c - the embeddings of long-term memory, by which its items are searched: whether
 * the target can hold them, their tables, rows. They go with their item, in its transaction.
 *
 * SQLite keeps them as little-endian float32, PostgreSQL as pgvector's type, all of a table with
 * the same number of dimensions. What is left out can be had again: the application's store makes
 * an embedding whenever it puts an item.
 */
#include "items.h"
#include "put.h"

enum vector_col {
	VECTOR_FIELD,
	VECTOR_EMBEDDING,
	VECTOR_CREATED,
	VECTOR_UPDATED,
	VECTOR_COLS
};

/* ---- can they be carried ----------------------------------------------------------------------- */

struct measures {
	int64_t n, least, most; /* how many; dimensions */
};

/* One number about the source's embeddings. Those without an item are nobody's: SQLite keeps them
 * where foreign keys are off. */
static int measure(struct items *w, const char *what, int64_t *out)
{
	struct ckpt_buf sql = { 0 };
	int rc;

	ckpt_buf_addf(&sql,
			"SELECT %s FROM %s v JOIN %s s ON s.%s = v.%s AND s.key = v.key",
			what, w->from.vectors, w->from.store, items_prefix(&w->from),
			items_prefix(&w->from));
	rc = sql.failed ? ckpt_fail(w->m->err, CKPT_ENOMEM, "out of memory")
	                : items_number(w->from.sql, sql.p, out);
	ckpt_buf_free(&sql);
	return rc;
}

static int measure_all(struct items *w, struct measures *out)
{
	bool server = w->from.server;
	int rc = measure(w, server ? "count(v.embedding)::int8" : "count(v.embedding)",
			&out->n);

	if (rc >= 0)
		rc = measure(w,
				server ? "min(vector_dims(v.embedding))::int8"
				       : "min(length(v.embedding) / 4)",
				&out->least);
	if (rc >= 0)
		rc = measure(w,
				server ? "max(vector_dims(v.embedding))::int8"
				       : "max((length(v.embedding) + 3) / 4)",
				&out->most);
	return rc;
}

/* Why a server cannot hold them, or NULL. */
static int ask_server(struct items *w, const struct measures *size, const char **why)
{
	struct sql_store *s = w->to.sql;
	struct ckpt_buf sql = { 0 };
	int64_t there = 0;
	int rc = 0;

	if (size->least != size->most) {
		*why = "they do not all have the same number of dimensions";
		return 0;
	}
	if (!s) /* not open yet: asked when it is */
		return 0;
	if (w->to.has_vectors)
		ckpt_buf_addf(&sql,
				"SELECT a.atttypmod::int8 FROM pg_catalog.pg_attribute a "
				"JOIN pg_catalog.pg_type t ON t.oid = a.atttypid "
				"WHERE a.attrelid = to_regclass('%s') "
				"AND a.attname = 'embedding' AND t.typname = 'vector'",
				w->to.vectors);
	else
		ckpt_buf_puts(&sql,
				"SELECT 1::int8 FROM pg_catalog.pg_available_extensions "
				"WHERE name = 'vector'");
	rc = sql.failed ? ckpt_fail(w->m->err, CKPT_ENOMEM, "out of memory")
	                : items_number(s, sql.p, &there);
	ckpt_buf_free(&sql);
	if (w->to.has_vectors && there != size->least && there != -1)
		*why = "the target's table keeps another kind of them";
	else if (!w->to.has_vectors && !there)
		*why = "the target has no pgvector";
	return items_told(w, rc);
}

static int make(struct items *w, const struct measures *size)
{
	static const char form[] =
			"CREATE TABLE %sstore_vectors (prefix text NOT NULL, key text "
			"NOT NULL, field_name text NOT NULL, embedding %s, created_at "
			"%s DEFAULT CURRENT_TIMESTAMP, updated_at %s DEFAULT "
			"CURRENT_TIMESTAMP, PRIMARY KEY (prefix, key, field_name), "
			"FOREIGN KEY (prefix, key) REFERENCES %sstore(prefix, key) ON "
			"DELETE CASCADE)";
	const char *at = w->to.server ? "@" : "";
	const char *time = w->to.server ? "TIMESTAMP WITH TIME ZONE" : "TIMESTAMP";
	struct sql_store *s = w->to.sql;
	struct ckpt_buf sql = { 0 };
	char type[40] = "BLOB";
	int rc = 0;

	if (w->to.server) {
		snprintf(type, sizeof(type), "vector(%lld)", (long long)size->least);
		rc = put_statement(
				s->conn, "CREATE EXTENSION IF NOT EXISTS vector", NULL);
	}
	ckpt_buf_addf(&sql, form, at, type, time, time, at);
	if (rc >= 0)
		rc = sql.failed ? ckpt_fail(w->m->err, CKPT_ENOMEM, "out of memory")
		                : put_statement(s->conn, sql.p, s->base.schema);
	if (rc >= 0)
		rc = put_statement(s->conn,
				w->to.server ? "CREATE TABLE IF NOT EXISTS "
					       "@vector_migrations "
					       "(v INTEGER PRIMARY KEY)"
					     : "CREATE TABLE IF NOT EXISTS "
					       "vector_migrations "
					       "(v INTEGER PRIMARY KEY)",
				s->base.schema);
	/* which index a server is to have, the application's store knows: it goes on from there */
	if (rc >= 0)
		rc = put_statement(s->conn,
				w->to.server ? "INSERT INTO @vector_migrations (v) "
					       "VALUES "
					       "(0), (1) ON CONFLICT DO NOTHING"
					     : "INSERT OR IGNORE INTO vector_migrations "
					       "(v) VALUES (0)",
				s->base.schema);
	ckpt_buf_free(&sql);
	w->to.has_vectors = rc >= 0;
	return items_told(w, rc);
}

int items_vectors_start(struct items *w)
{
	bool say = w->phase == ITEMS_COPY || w->m->how->dry_run;
	struct measures size = { 0 };
	const char *why = NULL;
	int rc = 0;

	if (!w->from.has_vectors)
		return 0;
	rc = measure_all(w, &size);
	if (rc >= 0 && size.n && (w->from.js || w->to.js))
		why = "JavaScript's store keeps them in another way";
	else if (rc >= 0 && size.n && w->to.server)
		rc = ask_server(w, &size, &why);
	if (rc < 0)
		return rc;
	if (why && say)
		items_note(w, "embeddings of long-term memory are left out: %s", why);
	w->vectors = !why && size.n > 0 && w->phase != ITEMS_LOOK;
	if (!w->vectors || w->to.has_vectors || w->phase != ITEMS_COPY)
		return 0;
	return make(w, &size);
}

/* ---- rows -------------------------------------------------------------------------------------- */

static void put_float(struct ckpt_buf *b, const unsigned char *p)
{
	uint32_t bits = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	                (uint32_t)p[3] << 24;
	float f;

	memcpy(&f, &bits, sizeof(f));
	ckpt_buf_addf(b, "%s%.9g", b->n > 1 ? "," : "", (double)f);
}

static void take_float(struct ckpt_buf *b, float f)
{
	unsigned char p[4];
	uint32_t bits;

	memcpy(&bits, &f, sizeof(bits));
	for (unsigned i = 0; i < 4; i++)
		p[i] = (unsigned char)(bits >> (8 * i));
	ckpt_buf_add(b, p, 4);
}

/* float32 bytes as pgvector's text, or that text as bytes. */
static int turn_embedding(struct items *w, struct cell *c, bool to_text)
{
	const unsigned char *p = c->v.p;
	struct ckpt_buf b = { 0 };

	if (c->kind == CELL_NULL)
		return 0;
	if (to_text) {
		ckpt_buf_puts(&b, "[");
		for (size_t i = 0; i + 4 <= c->v.n; i += 4)
			put_float(&b, p + i);
		ckpt_buf_puts(&b, "]");
	} else {
		const char *at = c->v.p; /* a server's text ends in a NUL of libpq's */
		char *end = NULL;

		for (at++; at < (const char *)c->v.p + c->v.n; at = end + 1) {
			float f = strtof(at, &end);

			if (end == at)
				break;
			take_float(&b, f);
		}
	}
	c->kind = to_text ? CELL_TEXT : CELL_BLOB;
	c->v = b.failed ? (struct ckpt_view){ 0 }
	                : arena_copy(&w->arena, ckpt_buf_view(&b), w->m->err);
	if (b.failed)
		ckpt_fail(w->m->err, CKPT_ENOMEM, "out of memory");
	ckpt_buf_free(&b);
	return w->m->err->code;
}

/* Rows of one side that are of an item; of one field, if a third argument says so. */
static int select_rows(struct cursor **out, struct items_side *side, const char *more,
		const struct cell *args, size_t nargs)
{
	struct ckpt_buf sql = { 0 };
	int rc;

	ckpt_buf_addf(&sql, "SELECT v.field_name, v.embedding%s, ",
			side->server ? "::text" : "");
	if (side->server) {
		items_time(&sql, "v.created_at");
		ckpt_buf_puts(&sql, ", ");
		items_time(&sql, "v.updated_at");
	} else {
		ckpt_buf_puts(&sql, "v.created_at, v.updated_at");
	}
	ckpt_buf_addf(&sql, " FROM %s v WHERE v.prefix = $1 AND v.key = $2%s",
			side->vectors, more);
	rc = sql.failed ? ckpt_fail(side->sql->conn->err, CKPT_ENOMEM, "out of memory")
	                : sql_query(out, side->sql, sql.p, args, nargs);
	ckpt_buf_free(&sql);
	return rc;
}

static int put_vector(struct items *w, const struct item *it, const struct cell *row)
{
	bool over = w->m->how->on_conflict == CKPT_CONFLICT_OVERWRITE;
	const struct cell args[] = { it->c[ITEM_PREFIX], it->c[ITEM_KEY],
		row[VECTOR_FIELD], row[VECTOR_EMBEDDING], row[VECTOR_CREATED],
		row[VECTOR_UPDATED] };
	struct conn *conn = w->to.sql->conn;
	struct ckpt_buf sql = { 0 };
	int rc;

	ckpt_buf_addf(&sql,
			"INSERT INTO %s (prefix, key, field_name, embedding, created_at, "
			"updated_at) VALUES ($1, $2, $3, %s) ON CONFLICT (prefix, key, "
			"field_name) DO %s",
			w->to.vectors,
			w->to.server ? "$4::text::vector, $5::text::timestamptz, "
				       "$6::text::timestamptz"
				     : "$4, $5, $6",
			over ? "UPDATE SET embedding = excluded.embedding, created_at = "
			       "excluded.created_at, updated_at = excluded.updated_at"
			     : "NOTHING");
	rc = sql.failed ? ckpt_fail(w->m->err, CKPT_ENOMEM, "out of memory")
	                : conn->driver->exec(conn, sql.p, args, 6);
	ckpt_buf_free(&sql);
	return items_told(w, rc);
}

/* As the source would have it: two texts of one number need not be the same. */
static int compare_vector(struct items *w, const struct item *it, const struct cell *row)
{
	const struct cell args[] = { it->c[ITEM_PREFIX], it->c[ITEM_KEY],
		row[VECTOR_FIELD] };
	struct cell want = row[VECTOR_EMBEDDING], there[VECTOR_COLS];
	struct cursor *cur;
	int rc = select_rows(&cur, &w->to, " AND v.field_name = $3", args, 3);
	bool same = false;

	if (rc >= 0)
		rc = sql_next(cur, there, VECTOR_COLS);
	if (rc > 0 && w->to.server) {
		struct cell got = there[VECTOR_EMBEDDING];

		if (turn_embedding(w, &got, false) < 0 ||
				turn_embedding(w, &want, false) < 0)
			rc = w->m->err->code;
		same = ckpt_view_eq(want.v, got.v);
	} else if (rc > 0) {
		same = ckpt_view_eq(want.v, there[VECTOR_EMBEDDING].v);
	}
	sql_done(cur);
	if (rc >= 0 && !same) {
		w->different++;
		items_tell(w, rc ? "different" : "missing", it, &row[VECTOR_FIELD].v,
				rc ? "the target's differs" : "not in the target");
	}
	return items_told(w, rc < 0 ? rc : 0);
}

int items_vectors(struct items *w, const struct item *it)
{
	struct cell row[VECTOR_COLS], own[VECTOR_COLS];
	struct cursor *cur;
	int rc = select_rows(&cur, &w->from, "", it->c, 2);

	while (rc >= 0 && (rc = sql_next(cur, row, VECTOR_COLS)) > 0) {
		for (size_t i = 0; i < VECTOR_COLS && rc >= 0; i++)
			rc = items_keep(&own[i], &row[i], &w->arena, w->m->err);
		if (rc >= 0 && w->from.server != w->to.server)
			rc = turn_embedding(w, &own[VECTOR_EMBEDDING], w->to.server);
		for (size_t i = VECTOR_CREATED; i < VECTOR_COLS && rc >= 0; i++)
			rc = item_turn_time(w, &own[i]);
		if (rc >= 0)
			rc = w->phase == ITEMS_COPY ? put_vector(w, it, own)
			                            : compare_vector(w, it, own);
	}
	sql_done(cur);
	return rc < 0 ? rc : 0;
}
