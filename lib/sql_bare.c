/*
 * sql_bare.c - rows for whoever only wants to know what takes the room: values, their channels and
 * tags. Nothing else is asked for, as on small rows each column costs more than its bytes do.
 * Bounds and the scan itself are sql_scan.c's; blobs, which are few columns, sql_rows.c's.
 */
#include "sql_scan.h"

enum {
	BARE_TYPE,
	BARE_BODY,
	BARE_OTHER,
	BARE_COLS
}; /* metadata, or the write's channel */

void sql_bare_wanted(struct sql_scan *s)
{
	const struct ckpt_pick *p = &s->pick;

	/* what is read as UTF-8 tells no size of a text that is stored otherwise */
	s->bare = p->bare && p->depth >= CKPT_VALUES && !p->writes && !p->limit &&
	          (p->rows == CKPT_STORED || p->rows == CKPT_WRITE_ROWS) &&
	          !s->base.store->wide;
}

static void add_table(struct ckpt_buf *b, const struct sql_scan *s, const char *table)
{
	const struct sql_store *store = sql_of(s->base.store);

	ckpt_buf_addf(b, " FROM %s%s", table,
			sql_lies(&s->pick) ? store->dialect->as_stored : "");
}

void sql_bare_compose(struct ckpt_buf *b, struct sql_scan *s)
{
	const struct sql_store *store = sql_of(s->base.store);
	const struct layout *l = store->layout;
	bool writes = s->pick.rows == CKPT_WRITE_ROWS;
	const char *const *key = writes ? l->write_key : l->key;

	s->ncols = BARE_COLS;
	if (writes && !store->has_writes)
		return;
	if (writes)
		ckpt_buf_addf(b, "SELECT %s, %s, %s", store->write_cols[WCOL_TYPE],
				store->write_cols[WCOL_BODY],
				store->write_cols[WCOL_CHANNEL]);
	else
		ckpt_buf_addf(b, "SELECT %s, %s, %s", store->cols[COL_TYPE],
				store->cols[COL_BODY], store->cols[COL_META]);
	add_table(b, s, writes ? store->writes : store->checkpoints);
	sql_within(b, store, key, &s->pick);
}

static int fill_write(struct sql_scan *s, const struct cell *row, struct ckpt_view type,
		int64_t size, struct ckpt_checkpoint *out)
{
	struct sql_store *store = sql_of(s->base.store);

	s->write = (struct ckpt_write){
		.channel = sql_text(&s->arena, &row[BARE_OTHER], store->base.err),
		.type = type,
		.body = row[BARE_BODY].v,
		.size = size,
	};
	out->writes = &s->write;
	out->nwrites = 1;
	out->writes_size = size;
	return sql_open_row(
			store, &s->write.type, &s->write.lock, &s->write.body, &s->arena);
}

int sql_bare_fill(struct sql_scan *s, const struct cell *row, struct ckpt_checkpoint *out)
{
	struct sql_store *store = sql_of(s->base.store);
	struct ckpt_error *err = store->base.err;
	struct ckpt_view type = sql_text(&s->arena, &row[BARE_TYPE], err);
	int64_t size = (int64_t)sql_text(&s->arena, &row[BARE_BODY], err).n;

	*out = (struct ckpt_checkpoint){ .time = CKPT_UNKNOWN };
	if (s->pick.rows == CKPT_WRITE_ROWS)
		return fill_write(s, row, type, size, out);
	out->type = type;
	out->size = size;
	out->meta = row[BARE_OTHER].v;
	out->meta_type = CKPT_META_TYPE;
	out->meta_size = (int64_t)sql_text(&s->arena, &row[BARE_OTHER], err).n;
	return sql_fill_values(s, row[BARE_BODY].v, out);
}
