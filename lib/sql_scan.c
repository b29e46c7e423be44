/*
 * sql_scan.c - rows → checkpoints, as deep as the pick asks: the statement is the layout's column
 * list cut off at that depth, bounds by equality, order by key.
 */
#include <stdlib.h>
#include <string.h>

#include "sql.h"

struct sql_scan {
	struct ckpt_scan base;
	struct ckpt_pick pick;
	struct cursor *cur;
	struct arena arena; /* of the current step */
	char *sql;
	size_t ncols;
	int64_t given;
	/* HEADS: where the skip scan stands; these outlive the step */
	struct arena keys;
	struct cell at[2];
	bool started, same_thread;
};

/* Columns a depth selects: a prefix of the layout's list. */
static const size_t cols_at[] = {
	[CKPT_HEADS] = COL_ID + 1,
	[CKPT_SPANS] = 5,
	[CKPT_KEYS] = COL_ID + 1,
	[CKPT_LINKS] = COL_META_SIZE + 1,
	[CKPT_META] = COL_META + 1,
	[CKPT_VALUES] = COL_BODY + 1,
};

struct cell sql_key_cell(struct ckpt_view v, bool blob)
{
	return (struct cell){ .kind = v.p ? blob ? CELL_BLOB : CELL_TEXT : CELL_NULL,
		.v = v };
}

static struct sql_scan *scan_of(struct ckpt_scan *s)
{
	return (struct sql_scan *)(void *)s;
}

/* ---- the statement ------------------------------------------------------------------------------ */

static void add_bounds(
		struct ckpt_buf *b, const struct layout *l, const struct ckpt_key *key)
{
	const struct ckpt_view part[3] = { key->thread, key->ns, key->id };
	const char *word = " WHERE ";

	for (size_t i = 0; i < 3; i++) {
		if (!part[i].p)
			continue;
		ckpt_buf_addf(b, "%s%s = $%zu", word, l->key[i], i + 1);
		word = " AND ";
	}
}

static void add_order(
		struct ckpt_buf *b, const struct layout *l, bool descending, size_t nkeys)
{
	const char *way = descending ? " DESC" : "";

	for (size_t i = 0; i < nkeys; i++)
		ckpt_buf_addf(b, "%s%s%s", i ? ", " : " ORDER BY ", l->key[i], way);
}

/* The namespace before the last one in its thread, else the last of the thread before: each is
 * one seek, where a comparison of both columns at once would walk over the thread's rows. */
static void add_heads(
		struct ckpt_buf *b, const struct sql_scan *s, const struct layout *l)
{
	ckpt_buf_addf(b, "SELECT %s, %s, %s FROM %s", l->key[0], l->key[1], l->key[2],
			l->checkpoints.name);
	if (s->started && s->same_thread)
		ckpt_buf_addf(b, " WHERE %s = $1 AND %s < $2", l->key[0], l->key[1]);
	else if (s->started)
		ckpt_buf_addf(b, " WHERE %s < $1", l->key[0]);
	else if (s->pick.key.thread.p)
		add_bounds(b, l, &s->pick.key);
	add_order(b, l, true, 3);
	ckpt_buf_puts(b, " LIMIT 1");
}

static int compose(struct sql_scan *s, const struct sql_store *store)
{
	const struct layout *l = store->layout;
	struct ckpt_buf b = { 0 };

	s->ncols = cols_at[s->pick.depth];
	if (s->pick.depth == CKPT_HEADS) {
		add_heads(&b, s, l);
	} else if (s->pick.depth == CKPT_SPANS) {
		ckpt_buf_addf(&b,
				"SELECT %1$s, %2$s, max(%3$s), min(%3$s), count(*) FROM "
		                "%4$s",
				l->key[0], l->key[1], l->key[2], l->checkpoints.name);
		add_bounds(&b, l, &s->pick.key);
		ckpt_buf_addf(&b, " GROUP BY %s, %s", l->key[0], l->key[1]);
		add_order(&b, l, s->pick.descending, 2);
	} else {
		for (size_t i = 0; i < s->ncols; i++)
			ckpt_buf_addf(&b, "%s%s", i ? ", " : "SELECT ", store->cols[i]);
		ckpt_buf_addf(&b, " FROM %s", l->checkpoints.name);
		add_bounds(&b, l, &s->pick.key);
		if (s->pick.from.p)
			ckpt_buf_addf(&b, " AND %s >= $5", l->key[2]);
		if (s->pick.upto.p)
			ckpt_buf_addf(&b, " AND %s <= $6", l->key[2]);
		add_order(&b, l, s->pick.descending, 3);
	}
	if (s->pick.limit && s->pick.depth != CKPT_HEADS)
		ckpt_buf_puts(&b, " LIMIT $4");
	free(s->sql);
	s->sql = b.p;
	if (b.failed) {
		s->sql = NULL;
		return ckpt_fail(store->base.err, CKPT_ENOMEM, "out of memory");
	}
	return 0;
}

static int start(struct sql_scan *s)
{
	struct sql_store *store = sql_of(s->base.store);
	const struct ckpt_key *k = &s->pick.key;
	struct cell args[6] = {
		sql_key_cell(k->thread, k->blob & CKPT_BLOB_THREAD),
		sql_key_cell(k->ns, k->blob & CKPT_BLOB_NS),
		sql_key_cell(k->id, k->blob & CKPT_BLOB_ID),
		{ .kind = CELL_INT, .i = s->pick.limit },
		sql_key_cell(s->pick.from, k->blob & CKPT_BLOB_ID),
		sql_key_cell(s->pick.upto, k->blob & CKPT_BLOB_ID),
	};

	if (s->pick.depth == CKPT_HEADS && s->started) {
		args[0] = s->at[0];
		args[1] = s->at[1];
	}
	if (compose(s, store) < 0)
		return store->base.err->code;
	return sql_query(&s->cur, store, s->sql, args, 6);
}

int sql_scan(struct ckpt_scan **out, struct ckpt_store *store,
		const struct ckpt_pick *pick)
{
	struct sql_scan *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (!s)
		return ckpt_fail(store->err, CKPT_ENOMEM, "out of memory");
	s->base.store = store;
	s->pick = *pick;
	if (start(s) < 0) {
		sql_scan_done(&s->base);
		return store->err->code;
	}
	*out = &s->base;
	return 0;
}

void sql_scan_done(struct ckpt_scan *scan)
{
	struct sql_scan *s = scan_of(scan);

	if (!s)
		return;
	sql_done(s->cur);
	arena_free(&s->arena);
	arena_free(&s->keys);
	free(s->sql);
	free(s);
}

/* ---- rows --------------------------------------------------------------------------------------- */

static struct ckpt_view text_of(
		struct arena *a, const struct cell *c, struct ckpt_error *err)
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

static void fill_key(
		struct sql_scan *s, const struct cell *row, struct ckpt_checkpoint *out)
{
	struct ckpt_error *err = s->base.store->err;
	struct ckpt_view *part[3] = { &out->key.thread, &out->key.ns, &out->key.id };

	for (unsigned i = 0; i < 3; i++) {
		*part[i] = text_of(&s->arena, &row[i], err);
		if (!part[i]->p)
			*part[i] = CKPT_LIT("");
		if (row[i].kind == CELL_BLOB)
			out->key.blob |= 1U << i;
	}
	out->time = ckpt_time_of_id(out->key.id);
}

/* The container of one row, only where it is needed and the scan does not read it anyway. */
static int time_from_payload(struct sql_scan *s, struct ckpt_checkpoint *out)
{
	struct sql_store *store = sql_of(s->base.store);
	const struct ckpt_key *k = &out->key;
	struct cell args[3] = {
		sql_key_cell(k->thread, k->blob & CKPT_BLOB_THREAD),
		sql_key_cell(k->ns, k->blob & CKPT_BLOB_NS),
		sql_key_cell(k->id, k->blob & CKPT_BLOB_ID),
	};
	struct ckpt_checkpoint body = *out;
	struct ckpt_buf sql = { 0 };
	struct cursor *cur;
	struct cell cell;

	ckpt_buf_addf(&sql, "SELECT %s FROM %s", store->cols[COL_BODY],
			store->layout->checkpoints.name);
	add_bounds(&sql, store->layout, k);
	if (sql.failed)
		return ckpt_fail(store->base.err, CKPT_ENOMEM, "out of memory");
	if (sql_query(&cur, store, sql.p, args, 3) == 0) {
		if (sql_next(cur, &cell, 1) > 0)
			codec_split(&body, cell.v, &s->arena, store->base.err);
		out->time = body.time;
		sql_done(cur);
	}
	ckpt_buf_free(&sql);
	return store->base.err->code;
}

static int64_t size_of(const struct cell *c)
{
	return c->kind == CELL_INT ? c->i : 0;
}

static int fill(struct sql_scan *s, const struct cell *row, struct ckpt_checkpoint *out)
{
	struct sql_store *store = sql_of(s->base.store);
	enum ckpt_depth depth = s->pick.depth;

	*out = (struct ckpt_checkpoint){ 0 };
	fill_key(s, row, out);
	if (depth == CKPT_SPANS) {
		out->first = text_of(&s->arena, &row[3], store->base.err);
		out->count = row[4].i;
	}
	if (depth >= CKPT_LINKS) {
		out->parent = text_of(&s->arena, &row[COL_PARENT], store->base.err);
		out->type = text_of(&s->arena, &row[COL_TYPE], store->base.err);
		out->size = size_of(&row[COL_SIZE]);
		out->meta_size = size_of(&row[COL_META_SIZE]);
		if (out->time == CKPT_UNKNOWN && depth < CKPT_VALUES)
			time_from_payload(s, out);
	}
	if (depth >= CKPT_META) {
		out->meta = row[COL_META].v;
		out->meta_type = CKPT_META_TYPE;
	}
	if (depth >= CKPT_VALUES)
		codec_split(out, row[COL_BODY].v, &s->arena, store->base.err);
	if (s->pick.writes)
		sql_writes(store, out, depth >= CKPT_VALUES, &s->arena);
	return store->base.err->code;
}

/* Go on before the namespace the previous step gave. */
static int seek_head(struct sql_scan *s, bool same_thread, struct cell *row)
{
	sql_done(s->cur);
	s->cur = NULL;
	s->same_thread = same_thread;
	if (start(s) < 0)
		return s->base.store->err->code;
	return sql_next(s->cur, row, s->ncols);
}

static int next_head(struct sql_scan *s, struct cell *row)
{
	struct ckpt_error *err = s->base.store->err;
	int rc;

	if (!s->started) {
		rc = sql_next(s->cur, row, s->ncols);
	} else if (s->pick.key.thread.p && s->pick.key.ns.p) {
		return 0;
	} else {
		rc = seek_head(s, true, row);
		if (rc == 0 && !s->pick.key.thread.p)
			rc = seek_head(s, false, row);
	}
	if (rc <= 0)
		return rc;
	arena_reset(&s->keys);
	for (size_t i = 0; i < 2; i++) {
		s->at[i] = row[i];
		s->at[i].v = arena_copy(&s->keys, row[i].v, err);
	}
	s->started = true;
	return err->code ? err->code : 1;
}

static bool in_namespace(const struct sql_scan *s, const struct cell *row)
{
	const struct ckpt_key *k = &s->pick.key;

	return !k->ns.p || (ckpt_view_eq(row[COL_NS].v, k->ns) &&
					   (row[COL_NS].kind == CELL_BLOB) ==
							   !!(k->blob & CKPT_BLOB_NS));
}

int sql_scan_next(struct ckpt_scan *scan, struct ckpt_checkpoint *out)
{
	struct sql_scan *s = scan_of(scan);
	struct cell row[CHECKPOINT_COLS];
	int rc;

	if (scan->store->err->code)
		return scan->store->err->code;
	if (s->pick.limit && s->given >= s->pick.limit)
		return 0;
	arena_reset(&s->arena);
	if (s->pick.depth == CKPT_HEADS) {
		do
			rc = next_head(s, row);
		while (rc > 0 && !in_namespace(s, row));
	} else {
		rc = sql_next(s->cur, row, s->ncols);
	}
	if (rc <= 0)
		return rc;
	s->given++;
	rc = fill(s, row, out);
	return rc < 0 ? rc : 1;
}

/* ---- pending writes -------------------------------------------------------------------------------- */

static int in_library_order(const void *a, const void *b)
{
	const struct ckpt_write *x = a, *y = b;
	int d = ckpt_view_cmp(x->path, y->path);

	d = d ? d : ckpt_view_cmp(x->task, y->task);
	d = d ? d : (x->idx > y->idx) - (x->idx < y->idx);
	return d ? d : (x->seq > y->seq) - (x->seq < y->seq);
}

static void fill_write(struct ckpt_write *w, const struct cell *row, bool bodies,
		struct arena *arena, struct ckpt_error *err)
{
	struct ckpt_view part[4];
	static const enum write_col text[4] = { WCOL_TASK, WCOL_PATH, WCOL_CHANNEL,
		WCOL_TYPE };

	for (size_t i = 0; i < 4; i++) {
		part[i] = text_of(arena, &row[text[i]], err);
		if (part[i].p && !err->code)
			part[i] = arena_copy(arena, part[i], err);
	}
	*w = (struct ckpt_write){
		.task = part[0],
		.path = part[1],
		.channel = part[2],
		.type = part[3],
		.idx = row[WCOL_IDX].i,
		.size = size_of(&row[WCOL_SIZE]),
		.seq = row[WCOL_SEQ].i,
	};
	if (bodies && row[WCOL_BODY].v.p)
		w->body = arena_copy(arena, row[WCOL_BODY].v, err);
}

static int collect(struct cursor *cur, struct ckpt_checkpoint *out, bool bodies,
		struct arena *arena, struct ckpt_error *err)
{
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
		fill_write(&list[n], row, bodies, arena, err);
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
	const struct ckpt_key *k = &out->key;
	struct cell args[3] = {
		sql_key_cell(k->thread, k->blob & CKPT_BLOB_THREAD),
		sql_key_cell(k->ns, k->blob & CKPT_BLOB_NS),
		sql_key_cell(k->id, k->blob & CKPT_BLOB_ID),
	};
	size_t ncols = bodies ? WRITE_COLS : (size_t)WCOL_BODY;
	struct ckpt_buf sql = { 0 };
	struct cursor *cur;

	if (!s->has_writes || s->base.err->code)
		return s->base.err->code;
	for (size_t i = 0; i < ncols; i++)
		ckpt_buf_addf(&sql, "%s%s", i ? ", " : "SELECT ", s->write_cols[i]);
	ckpt_buf_addf(&sql, " FROM %s WHERE %s = $1 AND %s = $2 AND %s = $3",
			l->writes.name, l->write_key[0], l->write_key[1],
			l->write_key[2]);
	if (sql.failed)
		return ckpt_fail(s->base.err, CKPT_ENOMEM, "out of memory");
	if (sql_query(&cur, s, sql.p, args, 3) == 0) {
		collect(cur, out, bodies, arena, s->base.err);
		sql_done(cur);
	}
	ckpt_buf_free(&sql);
	return s->base.err->code;
}
