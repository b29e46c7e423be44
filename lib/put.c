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
	bool bulk, apart;
	size_t ncols[PUT_TABLES];
	struct ckpt_buf sql[PUT_TABLES];  /* INSERT or COPY */
	struct ckpt_buf rows[PUT_TABLES]; /* of the batch, as COPY takes them */
};

static const char *table_name(const struct sql_store *s, enum put_table t)
{
	const char *const names[] = { s->checkpoints, s->writes, s->blobs };

	return names[t];
}

static void compose(struct put *p, enum put_table t)
{
	const struct put_column *col = columns[p->apart][t];
	struct ckpt_buf *b = &p->sql[t];
	size_t n = 0;

	while (n < COLS_MAX && col[n].name)
		n++;
	if (t == PUT_WRITES && strcmp(p->store->write_cols[WCOL_PATH], "task_path") != 0)
		n--;
	p->ncols[t] = n;
	ckpt_buf_addf(b, "%s %s (", p->bulk ? "COPY" : "INSERT INTO",
			table_name(p->store, t));
	for (size_t i = 0; i < n; i++)
		ckpt_buf_addf(b, "%s%s", i ? ", " : "", col[i].name);
	if (p->bulk) {
		ckpt_buf_puts(b, ") FROM STDIN (FORMAT binary)");
		return;
	}
	ckpt_buf_puts(b, ") VALUES (");
	for (size_t i = 0; i < n; i++)
		ckpt_buf_addf(b, "%s$%zu", i ? ", " : "", i + 1);
	ckpt_buf_puts(b, ")");
}

int put_open(struct put **out, struct sql_store *store)
{
	struct put *p = calloc(1, sizeof(*p));
	bool failed = !p;

	*out = NULL;
	if (p) {
		p->store = store;
		p->bulk = store->dialect == &postgres_dialect;
		p->apart = store->has_blobs;
	}
	for (int t = 0; p && t < PUT_TABLES; t++) {
		if (t != PUT_BLOBS || p->apart)
			compose(p, (enum put_table)t);
		failed |= p->sql[t].failed;
	}
	if (failed) {
		put_close(p);
		return ckpt_fail(store->base.err, CKPT_ENOMEM, "out of memory");
	}
	*out = p;
	return 0;
}

void put_close(struct put *p)
{
	for (int t = 0; p && t < PUT_TABLES; t++) {
		ckpt_buf_free(&p->sql[t]);
		ckpt_buf_free(&p->rows[t]);
	}
	free(p);
}

/* ---- a row as COPY takes it -------------------------------------------------------------------- */

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

static int add_row(struct put *p, enum put_table t, const struct cell *cells)
{
	static const char head[19] =
			"PGCOPY\n\377\r\n"; /* signature, no flags, no extension */
	const struct put_column *col = columns[p->apart][t];
	struct ckpt_buf *b = &p->rows[t];

	if (!b->n)
		ckpt_buf_add(b, head, sizeof(head));
	add_be(b, (uint32_t)p->ncols[t], 2);
	for (size_t i = 0; i < p->ncols[t]; i++)
		add_field(b, &cells[i], col[i].wire);
	if (b->failed)
		return ckpt_fail(p->store->base.err, CKPT_ENOMEM, "out of memory");
	return 0;
}

static int put_row(struct put *p, enum put_table t, const struct cell *cells)
{
	const struct driver *d = p->store->conn->driver;
	int rc;

	if (p->bulk)
		return add_row(p, t, cells);
	rc = d->exec(p->store->conn, p->sql[t].p, cells, p->ncols[t]);
	return rc < 0 ? rc : 0;
}

int put_flush(struct put *p)
{
	static const enum put_table order[] = { PUT_BLOBS, PUT_CHECKPOINTS, PUT_WRITES };
	struct conn *conn = p->store->conn;

	for (size_t i = 0; i < PUT_TABLES; i++) {
		struct ckpt_buf *b = &p->rows[order[i]];
		int rc;

		if (!b->n)
			continue;
		add_be(b, 0xffff, 2);
		if (b->failed)
			return ckpt_fail(
					p->store->base.err, CKPT_ENOMEM, "out of memory");
		rc = conn->driver->copy(conn, p->sql[order[i]].p, ckpt_buf_view(b));
		b->n = 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}

size_t put_waiting(const struct put *p)
{
	return p->rows[PUT_CHECKPOINTS].n + p->rows[PUT_WRITES].n + p->rows[PUT_BLOBS].n;
}

/* ---- the three kinds ----------------------------------------------------------------------------- */

static struct cell text(struct ckpt_view v)
{
	return (struct cell){ .kind = v.p ? CELL_TEXT : CELL_NULL, .v = v };
}

static struct cell bytes(struct ckpt_view v)
{
	return (struct cell){ .kind = v.p ? CELL_BLOB : CELL_NULL, .v = v };
}

int put_checkpoint(struct put *p, const struct ckpt_key *key, struct ckpt_view parent,
		const struct convert_out *row)
{
	struct cell cells[COLS_MAX];

	sql_key_cells(cells, key);
	cells[3] = text(parent);
	cells[4] = text(row->type);
	cells[5] = bytes(row->body);
	cells[6] = bytes(row->meta);
	return put_row(p, PUT_CHECKPOINTS, cells);
}

int put_write(struct put *p, const struct ckpt_key *key, const struct ckpt_write *w)
{
	struct cell cells[COLS_MAX];

	sql_key_cells(cells, key);
	cells[3] = text(w->task);
	cells[4] = (struct cell){ .kind = CELL_INT, .i = w->idx };
	cells[5] = text(w->channel);
	cells[6] = text(w->type);
	cells[7] = bytes(w->body);
	cells[8] = text(w->path);
	return put_row(p, PUT_WRITES, cells);
}

int put_blob(struct put *p, const struct ckpt_key *key, const struct convert_blob *b)
{
	struct cell cells[COLS_MAX];

	sql_key_cells(cells, key);
	cells[2] = text(b->channel);
	cells[3] = text(b->version);
	cells[4] = text(b->type);
	cells[5] = bytes(b->body);
	return put_row(p, PUT_BLOBS, cells);
}
