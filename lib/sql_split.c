/*
 * sql_split.c - where to cut a store into ranges of threads: the layout's sample of its rows, by
 * thread, and split.c's choice among them.
 */
#include <stdlib.h>

#include "split.h"
#include "sql.h"

struct sample {
	struct split_thread *v;
	size_t n, cap;
	struct arena arena;
};

static int keep(struct sample *s, const struct cell row[static 2], struct ckpt_error *err)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 64;
		struct split_thread *more = realloc(s->v, cap * sizeof(*more));

		if (!more)
			return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
		s->v = more;
		s->cap = cap;
	}
	s->v[s->n++] = (struct split_thread){ { arena_copy(&s->arena, row[0].v, err),
							      row[0].kind == CELL_BLOB },
		row[1].kind == CELL_INT && row[1].i > 0 ? (double)row[1].i : 1 };
	return err->code;
}

/* 1: something a range cannot bound, NULL or a number, comes first in the index. */
static int has_others(struct sql_store *s, const char *table)
{
	struct ckpt_buf sql = { 0 };
	struct cursor *cur;
	struct cell cell;
	int rc;

	ckpt_buf_addf(&sql, "SELECT %1$s FROM %2$s ORDER BY %1$s LIMIT 1",
			s->layout->key[0], table);
	if (sql.failed)
		return ckpt_fail(s->base.err, CKPT_ENOMEM, "out of memory");
	rc = sql_query(&cur, s, sql.p, NULL, 0);
	if (rc == 0) {
		rc = sql_next(cur, &cell, 1);
		rc = rc > 0 ? cell.kind != CELL_TEXT && cell.kind != CELL_BLOB : rc;
		sql_done(cur);
	}
	ckpt_buf_free(&sql);
	return rc;
}

static int read_sample(struct sample *out, struct sql_store *s)
{
	const struct cell tables[2] = {
		sql_key_cell(ckpt_view_of(s->checkpoints), false),
		sql_key_cell(ckpt_view_of(s->blobs), false),
	};
	struct cell row[2];
	struct cursor *cur;
	int rc = has_others(s, s->checkpoints);

	if (rc == 0 && s->has_writes)
		rc = has_others(s, s->writes);
	if (rc != 0 || sql_query(&cur, s, s->spread, tables, 2) < 0)
		return s->base.err->code;
	while (sql_next(cur, row, 2) > 0 && keep(out, row, s->base.err) == 0)
		;
	sql_done(cur);
	return s->base.err->code;
}

int sql_split(struct ckpt_bound *out, struct ckpt_store *store, size_t n)
{
	struct sql_store *s = sql_of(store);
	struct sample sample = { 0 };
	int cuts = 0;

	if (s->spread && read_sample(&sample, s) == 0)
		cuts = split_choose(out, n, sample.v, sample.n);
	for (int i = 0; i < cuts; i++)
		out[i].v = arena_copy(&s->arena, out[i].v, store->err);
	free(sample.v);
	arena_free(&sample.arena);
	/* a damaged page under the sample: what is asked for may be whole */
	if (store->err->code == CKPT_ECORRUPT && s->dialect == &sqlite_dialect) {
		*store->err = (struct ckpt_error){ 0 };
		return 0;
	}
	return store->err->code ? store->err->code : cuts;
}
