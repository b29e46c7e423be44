/*
 * sql_writes.c - the pending writes of checkpoints, in the order in which today's library reads
 * them: task path, task, index, as bytes. Of one checkpoint they are asked for by its key; beside
 * a scan over many a second cursor in the same order is merged with it.
 */
#include <stdlib.h>
#include <string.h>

#include "sql_scan.h"

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

static unsigned form_if(const struct cell *c, bool name, unsigned odd)
{
	if (c->kind == CELL_NULL || c->kind == (name ? CELL_TEXT : CELL_BLOB))
		return 0;
	return c->kind == (name ? CELL_BLOB : CELL_TEXT) ? odd : CKPT_NO_FORM;
}

unsigned sql_row_form(const struct cell *row, enum ckpt_depth depth)
{
	unsigned form = 0;

	if (depth >= CKPT_LINKS)
		form |= form_if(&row[COL_PARENT], true, CKPT_BLOB_PARENT) |
		        form_if(&row[COL_TYPE], true, CKPT_BLOB_TYPE);
	if (depth >= CKPT_META)
		form |= form_if(&row[COL_META], false, CKPT_TEXT_META);
	if (depth >= CKPT_VALUES)
		form |= form_if(&row[COL_BODY], false, CKPT_TEXT_BODY);
	return form;
}

static unsigned form_of(const struct cell *row, bool bodies)
{
	return form_if(&row[WCOL_TASK], true, CKPT_BLOB_TASK) |
	       form_if(&row[WCOL_PATH], true, CKPT_BLOB_PATH) |
	       form_if(&row[WCOL_CHANNEL], true, CKPT_BLOB_CHANNEL) |
	       form_if(&row[WCOL_TYPE], true, CKPT_BLOB_TYPE) |
	       (bodies ? form_if(&row[WCOL_BODY], false, CKPT_TEXT_BODY) : 0) |
	       (row[WCOL_IDX].kind == CELL_INT ? 0 : CKPT_NO_FORM);
}

static int in_library_order(const void *a, const void *b)
{
	const struct ckpt_write *x = a, *y = b;
	int d = ckpt_view_cmp(x->path, y->path);

	d = d ? d : ckpt_view_cmp(x->task, y->task);
	d = d ? d : (x->idx > y->idx) - (x->idx < y->idx);
	return d ? d : (x->seq > y->seq) - (x->seq < y->seq);
}

/* All that a pick which is terse has of a write: each further column costs, computed or not. */
static const enum write_col terse_cols[] = { WCOL_TASK, WCOL_CHANNEL, WCOL_SIZE };
#define TERSE_COLS (sizeof(terse_cols) / sizeof(terse_cols[0]))

static void add_key(struct ckpt_buf *b, const struct sql_store *s)
{
	ckpt_buf_addf(b, "SELECT %s, %s, %s", s->layout->write_key[0],
			s->layout->write_key[1], s->layout->write_key[2]);
}

void sql_write_cols(struct ckpt_buf *b, const struct sql_store *s, bool bodies)
{
	size_t n = bodies ? WRITE_COLS : (size_t)WCOL_BODY;

	add_key(b, s);
	for (size_t i = 0; i < n; i++)
		ckpt_buf_addf(b, ", %s", s->write_cols[i]);
}

static size_t row_cells(bool bodies)
{
	return 3 + (bodies ? WRITE_COLS : (size_t)WCOL_BODY);
}

void sql_write_row(struct sql_store *s, struct ckpt_write *out, const struct cell *row,
		bool bodies, struct arena *arena)
{
	struct ckpt_error *err = s->base.err;

	row += 3;
	*out = (struct ckpt_write){
		.task = sql_text(arena, &row[WCOL_TASK], err),
		.path = sql_text(arena, &row[WCOL_PATH], err),
		.channel = sql_text(arena, &row[WCOL_CHANNEL], err),
		.type = sql_text(arena, &row[WCOL_TYPE], err),
		.idx = row[WCOL_IDX].i,
		.size = row[WCOL_SIZE].kind == CELL_INT ? row[WCOL_SIZE].i : 0,
		.seq = row[WCOL_SEQ].i,
		.form = s->base.inlines ? 0 : form_of(row, bodies),
	};
	if (!bodies || !row[WCOL_BODY].v.p)
		return;
	out->body = row[WCOL_BODY].v;
	sql_open_row(s, &out->type, &out->lock, &out->body, arena);
}

/* ---- a list ------------------------------------------------------------------------------- */

struct list {
	struct sql_store *s;
	struct arena *arena;
	struct ckpt_write *w;
	size_t n, cap;
	bool bodies;
};

/* The row with views that outlive it. */
static int add(struct list *l, const struct cell *row, struct ckpt_checkpoint *out)
{
	struct ckpt_error *err = l->s->base.err;
	struct ckpt_write *w;

	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 8;

		w = arena_take(l->arena, cap * sizeof(*w), err);
		if (!w)
			return err->code;
		if (l->n)
			memcpy(w, l->w, l->n * sizeof(*w));
		l->w = w;
		l->cap = cap;
	}
	w = &l->w[l->n++];
	sql_write_row(l->s, w, row, l->bodies, l->arena);
	for (size_t i = 0; i < 5 && !err->code; i++) {
		struct ckpt_view *part[5] = { &w->task, &w->path, &w->channel, &w->type,
			&w->body };

		/* what was opened lies in the arena already */
		if (part[i]->p && (i < 4 || w->lock != CKPT_OPENED))
			*part[i] = arena_copy(l->arena, *part[i], err);
	}
	out->writes_size += w->size;
	return err->code;
}

static void give(struct list *l, struct ckpt_checkpoint *out)
{
	if (l->n > 1)
		qsort(l->w, l->n, sizeof(*l->w), in_library_order);
	out->writes = l->w;
	out->nwrites = l->n;
}

int sql_writes(struct sql_store *s, struct ckpt_checkpoint *out, bool bodies,
		struct arena *arena)
{
	struct list list = { .s = s, .arena = arena, .bodies = bodies };
	struct cell args[3], row[SQL_ROW_COLS];
	struct ckpt_buf sql = { 0 };
	struct cursor *cur;

	if (!s->has_writes || s->base.err->code)
		return s->base.err->code;
	sql_key_cells(args, &out->key);
	sql_write_cols(&sql, s, bodies);
	ckpt_buf_addf(&sql, " FROM %s", s->writes);
	sql_bounds(&sql, s, s->layout->write_key, &out->key, " WHERE ");
	if (sql.failed)
		return ckpt_fail(s->base.err, CKPT_ENOMEM, "out of memory");
	if (sql_query(&cur, s, sql.p, args, 3) == 0) {
		while (sql_next(cur, row, row_cells(bodies)) > 0 &&
				add(&list, row, out) == 0)
			;
		give(&list, out);
		sql_done(cur);
	}
	ckpt_buf_free(&sql);
	return s->base.err->code;
}

/* ---- merged with a scan ----------------------------------------------------------------------- */

struct write_merge {
	struct cursor *cur;
	struct cell row[SQL_ROW_COLS]; /* the next write, if `have` */
	bool have, bodies, terse, down;
};

/* As both engines order keys: numbers, text, bytes; within each by value. */
static int cell_cmp(const struct cell *a, const struct cell *b)
{
	static const int rank[] = { [CELL_NULL] = 0,
		[CELL_INT] = 1,
		[CELL_REAL] = 1,
		[CELL_TEXT] = 2,
		[CELL_BLOB] = 3 };
	double x, y;

	if (rank[a->kind] != rank[b->kind])
		return rank[a->kind] < rank[b->kind] ? -1 : 1;
	if (rank[a->kind] != 1)
		return ckpt_view_cmp(a->v, b->v);
	if (a->kind == CELL_INT && b->kind == CELL_INT)
		return (a->i > b->i) - (a->i < b->i);
	x = a->kind == CELL_INT ? (double)a->i : strtod(a->v.p, NULL);
	y = b->kind == CELL_INT ? (double)b->i : strtod(b->v.p, NULL);
	return (x > y) - (x < y);
}

static int key_cmp(const struct write_merge *m, const struct cell *key)
{
	int d = 0;

	for (size_t i = 0; i < 3 && d == 0; i++)
		d = cell_cmp(&m->row[i], &key[i]);
	return m->down ? -d : d;
}

/* The order of both cursors has to be one that can be followed here. */
static bool byte_order(const struct sql_store *s, const struct ckpt_pick *p)
{
	return !(p->newest && *s->dialect->by_bytes) && !s->base.wide;
}

static void add_order(struct ckpt_buf *b, const struct sql_store *s,
		const struct ckpt_pick *p, bool down)
{
	const void *bound[3] = { p->key.thread.p, p->key.ns.p, p->key.id.p };
	const char *word = " ORDER BY ";

	for (size_t i = 0; i < 3; i++) {
		if (bound[i])
			continue;
		ckpt_buf_addf(b, "%s%s%s%s", word, s->layout->write_key[i],
				s->dialect->by_bytes, down ? " DESC" : "");
		word = ", ";
	}
}

static int merge_query(struct write_merge *m, struct sql_scan *scan)
{
	struct sql_store *s = sql_of(scan->base.store);
	const struct ckpt_pick *p = &scan->pick;
	struct ckpt_buf sql = { 0 };

	if (!m->terse)
		sql_write_cols(&sql, s, m->bodies);
	else
		add_key(&sql, s);
	for (size_t i = 0; i < TERSE_COLS && m->terse; i++)
		ckpt_buf_addf(&sql, ", %s", s->write_cols[terse_cols[i]]);
	ckpt_buf_addf(&sql, " FROM %s", s->writes);
	sql_within(&sql, s, s->layout->write_key, p);
	add_order(&sql, s, p, m->down);
	if (sql.failed)
		ckpt_fail(s->base.err, CKPT_ENOMEM, "out of memory");
	else
		sql_scan_query(&m->cur, scan, sql.p,
				m->terse ? TERSE_COLS + 3 : row_cells(m->bodies));
	ckpt_buf_free(&sql);
	return s->base.err->code;
}

static int advance(struct write_merge *m)
{
	struct cell few[TERSE_COLS + 3];
	int rc = m->terse ? sql_next(m->cur, few, TERSE_COLS + 3)
	                  : sql_next(m->cur, m->row, row_cells(m->bodies));

	for (size_t i = 0; i < TERSE_COLS + 3 && rc > 0 && m->terse; i++)
		m->row[i < 3 ? i : 3 + (size_t)terse_cols[i - 3]] = few[i];
	m->have = rc > 0;
	return rc < 0 ? rc : 0;
}

int write_merge_new(struct write_merge **out, struct sql_scan *scan)
{
	struct sql_store *s = sql_of(scan->base.store);
	const struct ckpt_pick *p = &scan->pick;

	*out = NULL;
	if (!p->writes || !s->has_writes || p->rows != CKPT_WHOLE || p->limit ||
			p->depth < CKPT_KEYS || p->key.id.p || !byte_order(s, p))
		return 0;
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return ckpt_fail(s->base.err, CKPT_ENOMEM, "out of memory");
	(*out)->bodies = p->depth >= CKPT_VALUES;
	(*out)->terse = p->terse && !(*out)->bodies;
	(*out)->down = p->descending || p->newest;
	return merge_query(*out, scan) < 0 ? s->base.err->code : advance(*out);
}

int write_merge_take(struct write_merge *m, struct sql_scan *scan, const struct cell *row,
		struct ckpt_checkpoint *out)
{
	struct list list = {
		.s = sql_of(scan->base.store), .arena = &scan->arena, .bodies = m->bodies
	};
	int rc = 0, d;

	while (rc == 0 && m->have && (d = key_cmp(m, row)) <= 0) {
		if (d == 0) /* before it: writes without a checkpoint */
			rc = add(&list, m->row, out);
		rc = rc < 0 ? rc : advance(m);
	}
	give(&list, out);
	return rc;
}

void write_merge_free(struct write_merge *m)
{
	if (m)
		sql_done(m->cur);
	free(m);
}
