/*
 * sql_writes.c - the pending writes of one checkpoint, in the order in which today's library
 * reads them: task path, task, index, as bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "sql.h"

struct ckpt_view sql_text(struct arena *a, const struct cell *c, struct ckpt_error *err)
{
	struct ckpt_buf b = { 0 };
	struct ckpt_view v;

	if (c->kind != CELL_INT)
		return c->v;
	ckpt_buf_addf(&b, "%lld", (long long)c->i); /* a number where a text should be */
	v = arena_copy(a, ckpt_buf_view(&b), err);
	ckpt_buf_free(&b);
	return v;
}

static int in_library_order(const void *a, const void *b)
{
	const struct ckpt_write *x = a, *y = b;
	int d = ckpt_view_cmp(x->path, y->path);

	d = d ? d : ckpt_view_cmp(x->task, y->task);
	d = d ? d : (x->idx > y->idx) - (x->idx < y->idx);
	return d ? d : (x->seq > y->seq) - (x->seq < y->seq);
}

static void fill_write(struct sql_store *s, struct ckpt_write *w, const struct cell *row,
		bool bodies, struct arena *arena)
{
	struct ckpt_error *err = s->base.err;
	struct ckpt_view part[4];
	static const enum write_col text[4] = { WCOL_TASK, WCOL_PATH, WCOL_CHANNEL,
		WCOL_TYPE };

	for (size_t i = 0; i < 4; i++) {
		part[i] = sql_text(arena, &row[text[i]], err);
		if (part[i].p && !err->code)
			part[i] = arena_copy(arena, part[i], err);
	}
	*w = (struct ckpt_write){
		.task = part[0],
		.path = part[1],
		.channel = part[2],
		.type = part[3],
		.idx = row[WCOL_IDX].i,
		.size = row[WCOL_SIZE].kind == CELL_INT ? row[WCOL_SIZE].i : 0,
		.seq = row[WCOL_SEQ].i,
	};
	if (!bodies || !row[WCOL_BODY].v.p)
		return;
	w->body = row[WCOL_BODY].v;
	sql_open_row(s, &w->type, &w->lock, &w->body, arena);
	if (w->lock != CKPT_OPENED) /* what was opened lies in the arena already */
		w->body = arena_copy(arena, w->body, err);
}

static int collect(struct sql_store *s, struct cursor *cur, struct ckpt_checkpoint *out,
		bool bodies, struct arena *arena)
{
	struct ckpt_error *err = s->base.err;
	struct cell row[WRITE_COLS];
	struct ckpt_write *list = NULL;
	size_t n = 0, cap = 0;

	while (sql_next(cur, row, bodies ? WRITE_COLS : (size_t)WCOL_BODY) > 0) {
		if (n == cap) {
			struct ckpt_write *more;

			cap = cap ? cap * 2 : 8;
			more = arena_take(arena, cap * sizeof(*more), err);
			if (!more)
				return err->code;
			if (n)
				memcpy(more, list, n * sizeof(*more));
			list = more;
		}
		fill_write(s, &list[n], row, bodies, arena);
		out->writes_size += list[n++].size;
	}
	if (n > 1)
		qsort(list, n, sizeof(*list), in_library_order);
	out->writes = list;
	out->nwrites = n;
	return err->code;
}

int sql_writes(struct sql_store *s, struct ckpt_checkpoint *out, bool bodies,
		struct arena *arena)
{
	const struct layout *l = s->layout;
	struct cell args[3];
	size_t ncols = bodies ? WRITE_COLS : (size_t)WCOL_BODY;
	struct ckpt_buf sql = { 0 };
	struct cursor *cur;

	if (!s->has_writes || s->base.err->code)
		return s->base.err->code;
	sql_key_cells(args, &out->key);
	for (size_t i = 0; i < ncols; i++)
		ckpt_buf_addf(&sql, "%s%s", i ? ", " : "SELECT ", s->write_cols[i]);
	ckpt_buf_addf(&sql, " FROM %s WHERE %s = $1 AND %s = $2 AND %s = $3", s->writes,
			l->write_key[0], l->write_key[1], l->write_key[2]);
	if (sql.failed)
		return ckpt_fail(s->base.err, CKPT_ENOMEM, "out of memory");
	if (sql_query(&cur, s, sql.p, args, 3) == 0) {
		collect(s, cur, out, bodies, arena);
		sql_done(cur);
	}
	ckpt_buf_free(&sql);
	return s->base.err->code;
}
