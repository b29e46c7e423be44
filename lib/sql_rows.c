/*
 * sql_rows.c - writes and blobs as rows of their own: all of them as they lie, or those that no
 * checkpoint needs. Which those are is a condition the layout knows; sql_scan.c runs the scan.
 */
#include <stdlib.h>
#include <string.h>

#include "sql_scan.h"

static void add_order(struct ckpt_buf *b, const struct sql_store *s,
		const char *const *cols, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ckpt_buf_addf(b, "%s%s%s", i ? ", " : " ORDER BY ", cols[i],
				s->dialect->by_bytes);
}

static void compose_writes(struct ckpt_buf *b, struct sql_scan *s)
{
	struct sql_store *store = sql_of(s->base.store);
	const struct layout *l = store->layout;
	bool stray = s->pick.rows == CKPT_STRAY_WRITES;
	bool bodies = s->pick.depth >= CKPT_VALUES;
	const char *word;

	s->ncols = 3 + (bodies ? WRITE_COLS : (size_t)WCOL_BODY);
	sql_write_cols(b, store, bodies);
	ckpt_buf_addf(b, " FROM %s AS w%s", store->writes,
			!stray && sql_lies(&s->pick) ? store->dialect->as_stored : "");
	word = sql_within(b, store, l->write_key, &s->pick);
	if (!stray)
		return;
	/* in this order SQLite looks at the two key indexes alone */
	ckpt_buf_addf(b, "%s%s", word, store->stray_writes);
	add_order(b, store, l->write_key, 3);
}

static void compose_blobs(struct ckpt_buf *b, struct sql_scan *s)
{
	struct sql_store *store = sql_of(s->base.store);
	const char *const *cols = store->blob_cols;
	const char *const key[3] = { cols[BCOL_THREAD], cols[BCOL_NS], NULL };
	struct ckpt_pick space = s->pick;
	const char *word;

	space.key.id = space.from = space.upto = (struct ckpt_view){ 0 };
	s->ncols = s->pick.depth >= CKPT_VALUES ? BLOB_COLS : (size_t)BCOL_BODY;
	for (size_t i = 0; i < s->ncols; i++)
		ckpt_buf_addf(b, "%s%s", i ? ", " : "SELECT ", cols[i]);
	ckpt_buf_addf(b, " FROM %s AS w", store->blobs);
	word = sql_within(b, store, key, &space);
	if (s->pick.rows == CKPT_STRAY_BLOBS)
		ckpt_buf_addf(b, "%s%s", word, store->stray_blobs);
	add_order(b, store, cols, s->pick.terse ? BCOL_CHANNEL : BCOL_VERSION + 1);
}

void sql_rows_compose(struct ckpt_buf *b, struct sql_scan *s)
{
	const struct sql_store *store = sql_of(s->base.store);
	bool blobs = s->pick.rows == CKPT_BLOB_ROWS || s->pick.rows == CKPT_STRAY_BLOBS;

	if (blobs && store->has_blobs)
		compose_blobs(b, s);
	else if (!blobs && store->has_writes)
		compose_writes(b, s);
}

/* ---- rows --------------------------------------------------------------------------------------- */

static int fill_write(
		struct sql_scan *s, const struct cell *row, struct ckpt_checkpoint *out)
{
	struct sql_store *store = sql_of(s->base.store);

	sql_fill_key(s, row, 3, out);
	out->time = CKPT_UNKNOWN;
	sql_write_row(store, &s->write, row, s->pick.depth >= CKPT_VALUES, &s->arena);
	if (s->pick.depth < CKPT_LINKS)
		s->write.size = 0;
	out->writes = &s->write;
	out->nwrites = 1;
	out->writes_size = s->write.size;
	return store->base.err->code;
}

/* The row's own text in quotes; see ckpt.h. */
static struct ckpt_view version_of(struct sql_scan *s, struct ckpt_view text)
{
	if (!text.p)
		return text;
	s->version.n = 0;
	ckpt_json_string(&s->version, text);
	if (s->version.failed)
		ckpt_fail(s->base.store->err, CKPT_ENOMEM, "out of memory");
	return ckpt_buf_view(&s->version);
}

static int fill_blob(
		struct sql_scan *s, const struct cell *row, struct ckpt_checkpoint *out)
{
	struct sql_store *store = sql_of(s->base.store);
	struct ckpt_value *v = &s->value;
	bool empty = row[BCOL_SIZE].kind == CELL_NULL &&
	             ckpt_view_eq(row[BCOL_TYPE].v, CKPT_LIT("empty"));

	sql_fill_key(s, row, 2, out);
	out->time = CKPT_UNKNOWN;
	*v = (struct ckpt_value){
		.channel = row[BCOL_CHANNEL].v,
		.version = version_of(s, row[BCOL_VERSION].v),
		.type = row[BCOL_TYPE].v,
		.place = empty ? CKPT_EMPTY : CKPT_BLOB,
	};
	if (s->pick.depth >= CKPT_LINKS && row[BCOL_SIZE].kind == CELL_INT)
		out->blobs_all = row[BCOL_SIZE].i;
	if (s->pick.depth >= CKPT_VALUES && row[BCOL_BODY].v.p) {
		v->body = row[BCOL_BODY].v;
		sql_open_row(store, &v->type, &v->lock, &v->body, &s->arena);
	}
	out->values = v;
	out->nvalues = 1;
	return store->base.err->code;
}

int sql_rows_fill(struct sql_scan *s, const struct cell *row, struct ckpt_checkpoint *out)
{
	bool blobs = s->pick.rows == CKPT_BLOB_ROWS || s->pick.rows == CKPT_STRAY_BLOBS;

	*out = (struct ckpt_checkpoint){ 0 };
	return blobs ? fill_blob(s, row, out) : fill_write(s, row, out);
}
