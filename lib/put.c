/*
 * put.c - rows on their way into the tables: which columns there are, and what each is made of.
 * What the rows hold is decided before, by convert.c; the tables are made by put_create.c.
 */
#include "put.h"

enum wire { WIRE_TEXT, WIRE_INT4, WIRE_JSONB, WIRE_BYTEA };

struct put_column {
	const char *name;
	enum wire wire;
};

#define COLS_MAX 9
#define PUT_MODES (PUT_OVER + 1)
#define KEY_COLUMNS \
	{ "thread_id", WIRE_TEXT }, \
	{ \
		"checkpoint_ns", WIRE_TEXT \
	}
#define WRITE_COLUMNS(value) \
	{ \
		KEY_COLUMNS, { "checkpoint_id", WIRE_TEXT }, { "task_id", WIRE_TEXT }, \
				{ "idx", WIRE_INT4 }, { "channel", WIRE_TEXT }, \
				{ "type", WIRE_TEXT }, { value, WIRE_BYTEA }, \
		{ \
			"task_path", WIRE_TEXT \
		} \
	}

/* The last column of writes is left out where the table has none. */
static const struct put_column columns[2][PUT_TABLES][COLS_MAX] = {
	[false] = {
		[PUT_CHECKPOINTS] = { KEY_COLUMNS, { "checkpoint_id", WIRE_TEXT },
				{ "parent_checkpoint_id", WIRE_TEXT }, { "type", WIRE_TEXT },
				{ "checkpoint", WIRE_BYTEA }, { "metadata", WIRE_BYTEA } },
		[PUT_WRITES] = WRITE_COLUMNS("value"),
	},
	[true] = {
		[PUT_CHECKPOINTS] = { KEY_COLUMNS, { "checkpoint_id", WIRE_TEXT },
				{ "parent_checkpoint_id", WIRE_TEXT }, { "type", WIRE_TEXT },
				{ "checkpoint", WIRE_JSONB }, { "metadata", WIRE_JSONB } },
		[PUT_WRITES] = WRITE_COLUMNS("blob"),
		[PUT_BLOBS] = { KEY_COLUMNS, { "channel", WIRE_TEXT },
				{ "version", WIRE_TEXT }, { "type", WIRE_TEXT },
				{ "blob", WIRE_BYTEA } },
	},
};

struct put {
	struct sql_store *store;
	struct ckpt_error *err;
	bool bulk, apart;
	size_t ncols[PUT_TABLES];
	struct ckpt_buf names[PUT_TABLES];     /* of the columns */
	struct ckpt_buf insert[2][PUT_TABLES]; /* SQLite; [careful] */
	/* rows of the batch, as COPY takes them or for SQLite's INSERT */
	struct ckpt_buf rows[PUT_MODES][PUT_TABLES];
	int64_t added[PUT_TABLES];
	size_t nrows, bytes;
};

static const char *table_name(const struct sql_store *s, enum put_table t)
{
	const char *const names[] = { s->checkpoints, s->writes, s->blobs };

	return names[t];
}

bool put_has_path(const struct sql_store *s)
{
	return strcmp(s->write_cols[WCOL_PATH], "task_path") == 0;
}

static void compose(struct put *p, enum put_table t)
{
	const struct put_column *col = columns[p->apart][t];
	struct ckpt_buf values = { 0 };
	size_t n = 0;

	while (n < COLS_MAX && col[n].name)
		n++;
	if (t == PUT_WRITES && !put_has_path(p->store))
		n--;
	p->ncols[t] = n;
	for (size_t i = 0; i < n; i++) {
		ckpt_buf_addf(&p->names[t], "%s%s", i ? ", " : "", col[i].name);
		ckpt_buf_addf(&values, "%s$%zu", i ? ", " : "", i + 1);
	}
	for (int careful = 0; careful < 2 && !values.failed && !p->names[t].failed;
			careful++)
		ckpt_buf_addf(&p->insert[careful][t], "INSERT INTO %s (%s) VALUES (%s)%s",
				table_name(p->store, t), p->names[t].p, values.p,
				careful ? " ON CONFLICT DO NOTHING" : "");
	p->insert[0][t].failed |= values.failed;
	ckpt_buf_free(&values);
}

int put_open(struct put **out, struct sql_store *store, struct ckpt_error *err)
{
	struct put *p = calloc(1, sizeof(*p));
	bool failed = !p;

	*out = NULL;
	if (p) {
		p->store = store;
		p->err = err;
		p->bulk = store->dialect == &postgres_dialect;
		p->apart = store->has_blobs;
	}
	for (int t = 0; p && t < PUT_TABLES; t++) {
		if (t != PUT_BLOBS || p->apart)
			compose(p, (enum put_table)t);
		failed |= p->names[t].failed || p->insert[0][t].failed ||
		          p->insert[1][t].failed;
	}
	if (failed) {
		put_close(p);
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	}
	*out = p;
	return 0;
}

void put_close(struct put *p)
{
	for (int t = 0; p && t < PUT_TABLES; t++) {
		ckpt_buf_free(&p->names[t]);
		for (int careful = 0; careful < 2; careful++)
			ckpt_buf_free(&p->insert[careful][t]);
		for (int mode = 0; mode < PUT_MODES; mode++)
			ckpt_buf_free(&p->rows[mode][t]);
	}
	free(p);
}

/* ---- a row that waits -------------------------------------------------------------------- */

static void add_be(struct ckpt_buf *b, uint32_t v, size_t bytes)
{
	unsigned char c[4];

	for (size_t i = 0; i < bytes; i++)
		c[i] = (unsigned char)(v >> 8 * (bytes - 1 - i));
	ckpt_buf_add(b, c, bytes);
}

static void add_field(struct ckpt_buf *b, const struct cell *cell, enum wire wire)
{
	static const char jsonb_version = 1;

	if (cell->kind == CELL_NULL) {
		add_be(b, UINT32_MAX, 4);
	} else if (wire == WIRE_INT4) {
		add_be(b, 4, 4);
		add_be(b, (uint32_t)cell->i, 4);
	} else {
		add_be(b, (uint32_t)(cell->v.n + (wire == WIRE_JSONB)), 4);
		if (wire == WIRE_JSONB)
			ckpt_buf_add(b, &jsonb_version, 1);
		ckpt_buf_add(b, cell->v.p, cell->v.n);
	}
}

static void add_for_copy(struct put *p, enum put_table t, const struct cell *cells,
		struct ckpt_buf *b)
{
	static const char head[19] =
			"PGCOPY\n\377\r\n"; /* signature, no flags, no extension */
	const struct put_column *col = columns[p->apart][t];

	if (!b->n)
		ckpt_buf_add(b, head, sizeof(head));
	add_be(b, (uint32_t)p->ncols[t], 2);
	for (size_t i = 0; i < p->ncols[t]; i++)
		add_field(b, &cells[i], col[i].wire);
}

static int put_row(struct put *p, enum put_table t, const struct cell *cells,
		enum put_mode mode)
{
	struct ckpt_buf *b = &p->rows[mode][t];

	p->nrows++;
	for (size_t i = 0; i < p->ncols[t]; i++)
		p->bytes += cells[i].v.n;
	if (p->bulk) {
		add_for_copy(p, t, cells, b);
		p->added[t] += mode == PUT_NEW; /* else the server tells */
	}
	for (size_t i = 0; i < p->ncols[t] && !p->bulk; i++) {
		ckpt_buf_add(b, &cells[i], sizeof(cells[i]));
		ckpt_buf_add(b, cells[i].v.p, cells[i].v.n);
	}
	return b->failed ? ckpt_fail(p->err, CKPT_ENOMEM, "out of memory") : 0;
}

/* ---- the end of a batch ----------------------------------------------------------------------- */

/* @ stands for the table, # for its columns. */
static int run(struct put *p, const char *fmt, const char *table, const char *names)
{
	struct conn *conn = p->store->conn;
	struct ckpt_buf sql = { 0 };
	int rc;

	for (; *fmt; fmt++) {
		if (*fmt == '@' || *fmt == '#')
			ckpt_buf_puts(&sql, *fmt == '@' ? table : names);
		else
			ckpt_buf_add(&sql, fmt, 1);
	}
	if (sql.failed)
		return ckpt_fail(p->store->base.err, CKPT_ENOMEM, "out of memory");
	rc = conn->driver->exec(conn, sql.p, NULL, 0);
	ckpt_buf_free(&sql);
	return rc;
}

static int copy(struct put *p, enum put_table t, const char *table, struct ckpt_buf *rows)
{
	struct conn *conn = p->store->conn;
	struct ckpt_buf sql = { 0 };
	int rc;

	add_be(rows, 0xffff, 2);
	ckpt_buf_addf(&sql, "COPY %s (%s) FROM STDIN (FORMAT binary)", table,
			p->names[t].p);
	if (sql.failed || rows->failed)
		rc = ckpt_fail(p->store->base.err, CKPT_ENOMEM, "out of memory");
	else
		rc = conn->driver->copy(conn, sql.p, ckpt_buf_view(rows));
	ckpt_buf_free(&sql);
	rows->n = 0;
	return rc;
}

/* COPY cannot leave out rows that are there: it goes into a table beside, and from there. */
static int copy_carefully(struct put *p, enum put_table t, enum put_mode mode,
		struct ckpt_buf *rows)
{
	static const char stays[] = "INSERT INTO @ (#) SELECT # FROM ckpt_batch "
				    "ON CONFLICT DO NOTHING";
	static const char goes[] =
			"INSERT INTO @ AS b (#) SELECT DISTINCT ON (thread_id, "
			"checkpoint_ns, channel, version) # FROM ckpt_batch ON CONFLICT "
			"(thread_id, checkpoint_ns, channel, version) DO UPDATE SET type "
			"= excluded.type, blob = excluded.blob WHERE (b.type, b.blob) IS "
			"DISTINCT FROM (excluded.type, excluded.blob)";
	const char *table = table_name(p->store, t);
	int rc = run(p,
			"CREATE TEMP TABLE ckpt_batch (LIKE @ INCLUDING DEFAULTS) ON "
			"COMMIT DROP",
			table, "");

	if (rc >= 0)
		rc = copy(p, t, "ckpt_batch", rows);
	if (rc >= 0)
		rc = run(p, mode == PUT_OVER ? goes : stays, table, p->names[t].p);
	if (rc >= 0) {
		p->added[t] += rc;
		rc = run(p, "DROP TABLE ckpt_batch", "", "");
	}
	return rc;
}

/* Each row's cells lie there one after the other, each with its bytes behind it. */
static int insert(struct put *p, enum put_table t, enum put_mode mode)
{
	struct conn *conn = p->store->conn;
	struct ckpt_buf *b = &p->rows[mode][t];
	const char *at = b->p;
	int rc = 0;

	while (rc >= 0 && at < b->p + b->n) {
		struct cell cells[COLS_MAX];

		for (size_t i = 0; i < p->ncols[t]; i++) {
			memcpy(&cells[i], at, sizeof(cells[i]));
			at += sizeof(cells[i]);
			cells[i].v.p = cells[i].v.p ? at : NULL;
			at += cells[i].v.n;
		}
		rc = conn->driver->exec(conn, p->insert[mode != PUT_NEW][t].p, cells,
				p->ncols[t]);
		p->added[t] += rc > 0 ? rc : 0;
	}
	b->n = 0;
	return rc;
}

int put_flush(struct put *p, int64_t added[static PUT_TABLES])
{
	/* in the savers' own order, or we could wait for each other */
	static const enum put_table order[] = { PUT_BLOBS, PUT_CHECKPOINTS, PUT_WRITES };
	int rc = 0;

	for (size_t i = 0; i < PUT_TABLES && rc >= 0; i++) {
		enum put_table t = order[i];

		for (enum put_mode mode = PUT_NEW; mode < PUT_MODES && rc >= 0; mode++) {
			struct ckpt_buf *rows = &p->rows[mode][t];

			if (!rows->n)
				continue;
			rc = !p->bulk ? insert(p, t, mode)
			     : mode   ? copy_carefully(p, t, mode, rows)
			              : copy(p, t, table_name(p->store, t), rows);
		}
	}
	for (int t = 0; t < PUT_TABLES; t++) {
		added[t] = p->added[t];
		p->added[t] = 0;
	}
	p->nrows = p->bytes = 0;
	return rc < 0 ? rc : 0;
}

size_t put_bytes(const struct put *p)
{
	return p->bytes;
}

size_t put_rows(const struct put *p)
{
	return p->nrows;
}

/* ---- the three kinds ----------------------------------------------------------------------------- */

static struct cell text(struct ckpt_view v)
{
	return sql_key_cell(v, false);
}

static struct cell bytes(struct ckpt_view v)
{
	return sql_key_cell(v, true);
}

int put_checkpoint(struct put *p, const struct ckpt_checkpoint *c,
		const struct convert_out *row, bool careful)
{
	struct cell cells[COLS_MAX];

	sql_key_cells(cells, &c->key);
	cells[3] = sql_key_cell(c->parent, c->form & CKPT_BLOB_PARENT);
	cells[4] = sql_key_cell(row->type, c->form & CKPT_BLOB_TYPE);
	cells[5] = sql_key_cell(row->body, !(c->form & CKPT_TEXT_BODY));
	cells[6] = sql_key_cell(row->meta, !(c->form & CKPT_TEXT_META));
	return put_row(p, PUT_CHECKPOINTS, cells, careful ? PUT_CAREFUL : PUT_NEW);
}

int put_write(struct put *p, const struct ckpt_key *key, const struct ckpt_write *w,
		bool careful)
{
	struct cell cells[COLS_MAX];

	sql_key_cells(cells, key);
	cells[3] = sql_key_cell(w->task, w->form & CKPT_BLOB_TASK);
	cells[4] = (struct cell){ .kind = CELL_INT, .i = w->idx };
	cells[5] = sql_key_cell(w->channel, w->form & CKPT_BLOB_CHANNEL);
	cells[6] = sql_key_cell(w->type, w->form & CKPT_BLOB_TYPE);
	cells[7] = sql_key_cell(w->body, !(w->form & CKPT_TEXT_BODY));
	cells[8] = sql_key_cell(w->path, w->form & CKPT_BLOB_PATH);
	return put_row(p, PUT_WRITES, cells, careful ? PUT_CAREFUL : PUT_NEW);
}

int put_blob(struct put *p, const struct ckpt_key *key, const struct convert_blob *b,
		enum put_mode mode)
{
	struct cell cells[COLS_MAX];

	sql_key_cells(cells, key);
	cells[2] = text(b->channel);
	cells[3] = text(b->version);
	cells[4] = text(b->type);
	cells[5] = bytes(b->body);
	return put_row(p, PUT_BLOBS, cells, mode);
}
