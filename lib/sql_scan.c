/*
 * sql_scan.c - rows → checkpoints, as deep as the pick asks: the statement is the layout's column
 * list cut off at that depth, bounds by equality, order by key. Writes and blobs as rows of their
 * own are sql_rows.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "sql_scan.h"

/* Columns a depth selects: a prefix of the layout's list. */
static const size_t cols_at[] = {
	[CKPT_HEADS] = COL_ID + 1,
	[CKPT_SPANS] = 5,
	[CKPT_KEYS] = COL_ID + 1,
	[CKPT_LINKS] = COL_META_SIZE + 1,
	[CKPT_META] = COL_META + 1,
	[CKPT_VALUES] = COL_BODY + 1,
};

static struct sql_scan *scan_of(struct ckpt_scan *s)
{
	return (struct sql_scan *)(void *)s;
}

/* ---- the statement ------------------------------------------------------------------------------ */

/* By bytes; the newest checkpoint is the one that is greatest in the database's own order, and
 * the seeks from head to head compare in that order too. What the bounds make one value is left
 * out: no engine sees that it need not be sorted by bytes. */
static void add_order(struct ckpt_buf *b, const struct sql_store *store,
		const struct ckpt_pick *pick, size_t nkeys)
{
	const void *bound[3] = { pick->key.thread.p, pick->key.ns.p, pick->key.id.p };
	bool heads = pick->depth == CKPT_HEADS, own = pick->newest || heads;
	bool down = pick->descending || own;
	const char *word = " ORDER BY ";

	for (size_t i = 0; i < nkeys; i++) {
		if (bound[i] && !heads) /* a head's bounds are of another kind */
			continue;
		ckpt_buf_addf(b, "%s%s%s%s", word, store->layout->key[i],
				own ? "" : store->dialect->by_bytes, down ? " DESC" : "");
		word = ", ";
	}
}

/* The namespace before the last one in its thread, else the last of the thread before: each is
 * one seek, where a comparison of both columns at once would walk over the thread's rows. */
static void add_heads(struct ckpt_buf *b, const struct sql_scan *s,
		const struct sql_store *store)
{
	const struct layout *l = store->layout;

	ckpt_buf_addf(b, "SELECT %s, %s, %s FROM %s", l->key[0], l->key[1], l->key[2],
			store->checkpoints);
	if (s->started && s->same_thread)
		ckpt_buf_addf(b, " WHERE %s = $1 AND %s < $2", l->key[0], l->key[1]);
	else if (s->started)
		ckpt_buf_addf(b, " WHERE %s < $1", l->key[0]);
	else if (s->pick.key.thread.p)
		sql_bounds(b, store, l->key, &s->pick.key, " WHERE ");
	sql_threads(b, l->key[0], &s->pick,
			s->started || s->pick.key.thread.p ? " AND " : " WHERE ");
	add_order(b, store, &s->pick, 3);
	ckpt_buf_puts(b, " LIMIT 1");
}

static void add_spans(struct ckpt_buf *b, const struct sql_scan *s,
		const struct sql_store *store)
{
	const struct layout *l = store->layout;

	ckpt_buf_addf(b, "SELECT %1$s, %2$s, max(%3$s), min(%3$s), count(*) FROM %4$s",
			l->key[0], l->key[1], l->key[2], store->checkpoints);
	sql_within(b, store, store->layout->key, &s->pick);
	ckpt_buf_addf(b, " GROUP BY %s, %s", l->key[0], l->key[1]);
	add_order(b, store, &s->pick, 2);
}

/* Sizes cost: little where a row tells its own, but for each row; where it must be unpacked, much.
 * Whoever reads values has them before himself. */
static const char *col_of(
		const struct sql_scan *s, const struct sql_store *store, size_t i)
{
	const struct layout *l = store->layout;
	const char *stored = i == COL_SIZE ? l->stored_size : l->stored_meta_size;
	bool size = i == COL_SIZE || i == COL_META_SIZE;
	bool cheap = !store->dialect->sizes_unpack && s->pick.depth < CKPT_VALUES;

	if (size && stored && s->pick.stored_sizes)
		return stored;
	return size && !cheap && !s->pick.sizes && !s->pick.bare ? "0" : store->cols[i];
}

/* The newest of each namespace: seeks, as those of their heads are. */
static void add_newest(struct ckpt_buf *b, const struct sql_scan *s,
		const struct sql_store *store)
{
	const char *const *key = store->layout->key;

	ckpt_buf_addf(b,
			" JOIN (SELECT h.t, h.n, l.i FROM (%5$s) AS h (t, n, x), LATERAL "
			"(SELECT %3$s AS i FROM %4$s WHERE %1$s = h.t AND %2$s = h.n "
			"ORDER BY %3$s "
			"DESC LIMIT %6$d) l) k ON %1$s = k.t AND %2$s = k.n AND %3$s = "
			"k.i",
			key[0], key[1], key[2], store->checkpoints, store->heads,
			s->pick.heads);
}

static void add_rows(struct ckpt_buf *b, const struct sql_scan *s,
		const struct sql_store *store)
{
	bool stored = s->pick.rows == CKPT_STORED;
	const char *const *key = store->layout->key;

	for (size_t i = 0; i < cols_at[s->pick.depth]; i++)
		ckpt_buf_addf(b, "%s%s", i ? ", " : "SELECT ", col_of(s, store, i));
	if (s->located)
		ckpt_buf_addf(b, ", %s", store->dialect->row);
	ckpt_buf_addf(b, " FROM %s%s", store->checkpoints,
			stored && sql_lies(&s->pick) ? store->dialect->as_stored : "");
	if (s->pick.heads && store->heads)
		add_newest(b, s, store);
	sql_within(b, store, key, &s->pick);
	if (!stored)
		add_order(b, store, &s->pick, 3);
}

static int compose(struct sql_scan *s, const struct sql_store *store)
{
	struct ckpt_buf b = { 0 };

	s->located = s->pick.locate && store->dialect->row &&
	             s->pick.rows <= CKPT_STORED && s->pick.depth >= CKPT_KEYS;
	s->ncols = cols_at[s->pick.depth] + s->located;
	if (s->bare)
		sql_bare_compose(&b, s);
	else if (s->pick.rows > CKPT_STORED)
		sql_rows_compose(&b, s);
	else if (s->pick.depth == CKPT_HEADS && store->heads)
		ckpt_buf_puts(&b, store->heads);
	else if (s->pick.depth == CKPT_HEADS)
		add_heads(&b, s, store);
	else if (s->pick.depth == CKPT_SPANS)
		add_spans(&b, s, store);
	else
		add_rows(&b, s, store);
	if (b.n && s->pick.limit && s->pick.depth != CKPT_HEADS)
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

	if (compose(s, store) < 0)
		return store->base.err->code;
	return s->sql ? sql_scan_query(&s->cur, s, s->sql, s->ncols) : 0;
}

/* Many checkpoints of a namespace, one after the other as their ids ascend by bytes. */
static bool goes_upwards(const struct ckpt_pick *p)
{
	return p->rows == CKPT_WHOLE && !p->descending && !p->newest && !p->key.id.p &&
	       !p->from.p && !p->upto.p && !p->limit && p->depth == CKPT_VALUES &&
	       !p->apart;
}

/* Where keys are always text, all of them lie before one of bytes. */
static void text_threads(struct ckpt_pick *p)
{
	if (p->thread_upto.blob)
		p->thread_upto = (struct ckpt_bound){ 0 };
	if (p->thread_from.blob) /* an empty range */
		p->thread_from = p->thread_upto =
				(struct ckpt_bound){ CKPT_LIT(""), false };
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
	if (sql_of(store)->dialect->text_keys)
		text_threads(&s->pick);
	if (s->pick.rows != CKPT_WHOLE && s->pick.depth < CKPT_KEYS)
		s->pick.depth = CKPT_KEYS;
	s->cache = sql_of(store)->has_blobs ? blob_cache_new() : NULL;
	if (sql_of(store)->has_blobs && !s->cache)
		ckpt_fail(store->err, CKPT_ENOMEM, "out of memory");
	sql_bare_wanted(s);
	if (store->err->code || start(s) < 0 || write_merge_new(&s->merge, s) < 0 ||
			(s->cache && goes_upwards(&s->pick) &&
					blob_cache_follow(s->cache, sql_of(store),
							&s->pick) < 0)) {
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
	blob_cache_free(s->cache);
	write_merge_free(s->merge);
	ckpt_buf_free(&s->version);
	free(s->sql);
	free(s);
}

/* ---- rows --------------------------------------------------------------------------------------- */

void sql_fill_key(struct sql_scan *s, const struct cell *row, size_t n,
		struct ckpt_checkpoint *out)
{
	struct ckpt_error *err = s->base.store->err;
	struct ckpt_view *part[3] = { &out->key.thread, &out->key.ns, &out->key.id };

	for (unsigned i = 0; i < n; i++) {
		*part[i] = sql_text(&s->arena, &row[i], err);
		if (!part[i]->p)
			*part[i] = CKPT_LIT("");
		if (row[i].kind == CELL_BLOB)
			out->key.blob |= 1U << i;
	}
}

/* The container of one row, only where it is needed and the scan does not read it anyway. */
static int time_from_payload(struct sql_scan *s, struct ckpt_checkpoint *out)
{
	struct sql_store *store = sql_of(s->base.store);
	struct ckpt_checkpoint body = *out;
	struct ckpt_buf sql = { 0 };
	struct cursor *cur;
	struct cell args[3], cell;

	sql_key_cells(args, &out->key);
	ckpt_buf_addf(&sql, "SELECT %s FROM %s", store->cols[COL_BODY],
			store->checkpoints);
	sql_bounds(&sql, store, store->layout->key, &out->key, " WHERE ");
	if (sql.failed)
		return ckpt_fail(store->base.err, CKPT_ENOMEM, "out of memory");
	if (sql_query(&cur, store, sql.p, args, 3) == 0) {
		if (sql_next(cur, &cell, 1) > 0 &&
				sql_open_row(store, &body.type, &body.lock, &cell.v,
						&s->arena) == 0)
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

int sql_fill_values(
		struct sql_scan *s, struct ckpt_view body, struct ckpt_checkpoint *out)
{
	struct sql_store *store = sql_of(s->base.store);
	struct ckpt_error *err = store->base.err;

	if (sql_open_row(store, &out->type, &out->lock, &body, &s->arena) < 0 ||
			(s->bare ? codec_values(out, body, &s->arena, err)
				 : codec_split(out, body, &s->arena, err)) < 0)
		return err->code;
	out->body = body;
	if (out->lock == CKPT_SHUT)
		out->broken_why = "it cannot be decrypted: wrong key or damaged row";
	if (s->pick.apart)
		return 0;
	if (store->blob_rows && sql_blobs(store, s->cache, out, &s->arena) < 0)
		return store->base.err->code;
	return store->sends && !s->pick.raw ? sql_sends(store, out, &s->arena) : 0;
}

static void fill_links(
		struct sql_scan *s, const struct cell *row, struct ckpt_checkpoint *out)
{
	struct ckpt_error *err = s->base.store->err;

	out->parent = sql_text(&s->arena, &row[COL_PARENT], err);
	out->type = sql_text(&s->arena, &row[COL_TYPE], err);
	out->size = size_of(&row[COL_SIZE]);
	out->meta_size = size_of(&row[COL_META_SIZE]);
	if (out->time == CKPT_UNKNOWN && s->pick.depth < CKPT_VALUES &&
			s->pick.rows == CKPT_WHOLE)
		time_from_payload(s, out);
}

static int fill(struct sql_scan *s, const struct cell *row, struct ckpt_checkpoint *out)
{
	struct sql_store *store = sql_of(s->base.store);
	enum ckpt_depth depth = s->pick.depth;

	*out = (struct ckpt_checkpoint){ 0 };
	sql_fill_key(s, row, 3, out);
	out->row = s->located ? row[s->ncols - 1].i : -1;
	out->time = ckpt_time_of_id(out->key.id);
	if (depth == CKPT_SPANS) {
		out->first = sql_text(&s->arena, &row[3], store->base.err);
		out->count = row[4].i;
	}
	if (depth >= CKPT_LINKS)
		fill_links(s, row, out);
	if (depth >= CKPT_META) {
		out->meta = row[COL_META].v;
		out->meta_type = CKPT_META_TYPE;
	}
	if (!store->base.inlines)
		out->form = sql_row_form(row, depth);
	if (depth >= CKPT_VALUES) {
		if (!out->size)
			out->size = (int64_t)row[COL_BODY].v.n;
		if (!out->meta_size)
			out->meta_size = (int64_t)row[COL_META].v.n;
		sql_fill_values(s, row[COL_BODY].v, out);
	}
	if (s->pick.sizes && !s->pick.own_sizes && store->blob_sizes &&
			s->pick.rows == CKPT_WHOLE)
		sql_blob_sizes(store, s->cache, out);
	if (s->merge)
		write_merge_take(s->merge, s, row, out);
	else if (s->pick.writes)
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

/* Pages that point to each other lead a seek round in a circle. What it passes again and again is
 * met by remembering one namespace, a later one each time the steps have doubled. */
static bool round_again(struct sql_scan *s)
{
	uint64_t now = ckpt_hash(s->at[0].v) * 31 + ckpt_hash(s->at[1].v) * 7 +
	               s->at[0].kind * 5 + s->at[1].kind;

	if (s->steps && now == s->seen)
		return true;
	if ((s->steps & (s->steps + 1)) == 0)
		s->seen = now;
	s->steps++;
	return false;
}

static int next_head(struct sql_scan *s, struct cell *row)
{
	struct ckpt_error *err = s->base.store->err;
	int rc;

	if (sql_of(s->base.store)->heads || !s->started) {
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
	if (!err->code && round_again(s))
		ckpt_fail(err, CKPT_ECORRUPT,
				"cannot read store '%s': its index goes round "
				"in a circle",
				s->base.store->name);
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
	struct cell row[SQL_ROW_COLS];
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
		rc = s->cur ? sql_next(s->cur, row, s->ncols) : 0;
	}
	if (rc <= 0)
		return rc;
	s->given++;
	rc = s->bare                      ? sql_bare_fill(s, row, out)
	     : s->pick.rows > CKPT_STORED ? sql_rows_fill(s, row, out)
	                                  : fill(s, row, out);
	return rc < 0 ? rc : 1;
}
