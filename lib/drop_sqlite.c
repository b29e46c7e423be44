/*
 * drop_sqlite.c - what goes from a SQLite file: in the order in which rows lie, newest first, in
 * short transactions with room between them.
 *
 * Neighbours in the file are gone together, so that pages become free whole and are never
 * written. Within a namespace a greater id always goes first: what a delta channel is made of
 * lies with the ancestors, so a run that ends in the middle leaves nothing that cannot be loaded.
 * Subgraph calls go before the root: without their caller a new plan would leave them.
 * A list of any length is worked on in pieces, from its end. When a transaction may begin, and
 * what is done between two, is the business of drop_pace.c.
 */
#include "drop_pace.h"
#include "failpoint.h"

#define PIECE ((size_t)24 << 20) /* bytes of keys at a time */
#define TILE 32768               /* rows */

struct victim {
	struct ckpt_view id;
	int64_t row;
	int64_t order; /* its row, or that of a greater id if that lies further ahead */
	uint32_t space, at, tile;
	bool blob;
};

struct space { /* a namespace of the piece */
	struct doomed_space s;
	int64_t mark; /* where it stands in the list */
	int64_t version; /* of the file when its newest checkpoint was seen to be the planned */
	bool seen, moved;
};

struct drop {
	struct edit *e;
	struct doomed *list;
	const struct drop_how *how;
	struct drop_sum *sum;
	struct drop_pace pace;
	struct arena arena;
	struct ckpt_buf sql[6];
	struct victim *victims; /* of the piece, as they go */
	size_t n, cap;
	struct space *spaces;
	size_t nspaces, spaces_cap;
	int64_t done;
	int64_t moved_mark; /* a moved namespace whose other part is in the next piece; or -1 */
};

/* SQL reads best as it is broken here */
/* clang-format off */
enum { NEWEST, ROW, DELETE_CHECKPOINT, DELETE_WRITES, STRAYS, DELETE_STRAYS };
static const char *const texts[] = {
	[NEWEST] = "SELECT checkpoint_id FROM {checkpoints} WHERE thread_id = $1 AND "
		"checkpoint_ns = $2 ORDER BY checkpoint_id DESC LIMIT 1",
	[ROW] = "SELECT rowid FROM {checkpoints} WHERE thread_id = $1 AND checkpoint_ns = $2 "
		"AND checkpoint_id = $3",
	/* what is there now may be another one: a put of the same key gets a new row */
	[DELETE_CHECKPOINT] = "DELETE FROM {checkpoints} WHERE rowid = $4 AND +thread_id = $1 "
		"AND +checkpoint_ns = $2 AND +checkpoint_id = $3",
	[DELETE_WRITES] = "DELETE FROM {writes} WHERE thread_id = $1 AND checkpoint_ns = $2 "
		"AND checkpoint_id = $3",
	/* only of a thread that is gone: one that went on keeps all it has */
	[STRAYS] = "SELECT 1 FROM {writes} WHERE thread_id = $1 AND NOT EXISTS (SELECT 1 FROM "
		"{checkpoints} WHERE thread_id = $1) LIMIT 1",
	[DELETE_STRAYS] = "DELETE FROM {writes} WHERE rowid IN (SELECT rowid FROM {writes} "
		"WHERE thread_id = $1 AND NOT EXISTS (SELECT 1 FROM {checkpoints} WHERE "
		"thread_id = $1) LIMIT 100)",
};
/* clang-format on */

static int no_memory(struct drop *d)
{
	return ckpt_fail(d->e->err, CKPT_ENOMEM, "out of memory");
}

static struct ckpt_key key_of(const struct drop *d, const struct victim *v)
{
	struct ckpt_key key = d->spaces[v->space].s.key;

	key.id = v->id;
	key.blob |= v->blob ? CKPT_BLOB_ID : 0u;
	return key;
}

/* ---- a piece of the list ------------------------------------------------------------------- */

static bool grow(void **p, size_t *cap, size_t n, size_t size)
{
	size_t want = *cap ? *cap * 2 : 256;
	void *to;

	if (n < *cap)
		return true;
	to = realloc(*p, want * size);
	if (!to)
		return false;
	*p = to;
	*cap = want;
	return true;
}

static int add_space(struct drop *d, const struct doomed_space *s, int64_t mark)
{
	struct space *to;

	if (!grow((void **)&d->spaces, &d->spaces_cap, d->nspaces, sizeof(*to)))
		return no_memory(d);
	to = &d->spaces[d->nspaces++];
	*to = (struct space){ .s = *s, .mark = mark, .moved = mark == d->moved_mark };
	to->s.key.thread = arena_copy(&d->arena, s->key.thread, d->e->err);
	to->s.key.ns = arena_copy(&d->arena, s->key.ns, d->e->err);
	to->s.newest = arena_copy(&d->arena, s->newest, d->e->err);
	return d->e->err->code;
}

/* Where the plan did not say where a row lies; it stays -1 if there is none. */
static int find_row(struct drop *d, struct victim *v)
{
	struct ckpt_key key = key_of(d, v);
	struct cell args[3], row[1];
	struct cursor *cur;

	sql_key_cells(args, &key);
	if (sql_query(&cur, d->e->sql, d->sql[ROW].p, args, 3) < 0)
		return d->e->err->code;
	if (sql_next(cur, row, 1) > 0)
		v->row = row[0].i;
	sql_done(cur);
	return d->e->err->code;
}

static int add_victim(struct drop *d, const struct doomed_item *item)
{
	struct victim *v;

	if (!grow((void **)&d->victims, &d->cap, d->n, sizeof(*v)))
		return no_memory(d);
	v = &d->victims[d->n];
	*v = (struct victim){ .row = item->row,
		.space = (uint32_t)d->nspaces - 1,
		.at = (uint32_t)d->n,
		.blob = item->key.blob & CKPT_BLOB_ID };
	v->id = arena_copy(&d->arena, item->key.id, d->e->err);
	d->n++;
	return d->e->err->code || v->row >= 0 ? d->e->err->code : find_row(d, v);
}

static int later_row_first(const void *pa, const void *pb)
{
	const struct victim *a = pa, *b = pb;

	if (a->order != b->order)
		return a->order < b->order ? 1 : -1;
	return a->at < b->at ? 1 : -1;
}

static int by_tile(const void *pa, const void *pb)
{
	const struct victim *a = pa, *b = pb;

	if (a->tile != b->tile)
		return a->tile < b->tile ? -1 : 1;
	/* of a thread the root is the first, and goes last */
	if (a->space != b->space)
		return a->space > b->space ? -1 : 1;
	return later_row_first(pa, pb);
}

/* No id before a greater one of its namespace, wherever its row lies. Rows alone would be the
 * order for the tables, keys for their indexes: where threads take turns in writing, either writes
 * each page of the others many times. So rows are cut into tiles, which are ordered by key. */
static void sort(struct drop *d)
{
	if (!d->n)
		return;
	for (size_t i = d->n; i--;) {
		struct victim *v = &d->victims[i];

		v->order = v->row;
		if (i + 1 < d->n && v[1].space == v->space && v[1].order < v->order)
			v->order = v[1].order;
	}
	if (!d->n)
		return;
	qsort(d->victims, d->n, sizeof(*d->victims), later_row_first);
	for (size_t i = 0; i < d->n; i++)
		d->victims[i].tile = (uint32_t)(i / TILE);
	qsort(d->victims, d->n, sizeof(*d->victims), by_tile);
}

/* The next `most` bytes of keys; how many there were. */
static int64_t load(struct drop *d, bool keep)
{
	struct doomed_item item;
	int64_t n = 0, mark = -1;
	size_t bytes = 0;
	int rc = 0;

	d->n = d->nspaces = 0;
	arena_reset(&d->arena);
	while (bytes < PIECE && (rc = doomed_next(d->list, &item)) > 0) {
		int64_t at = doomed_here(d->list).space;

		if (at != mark)
			bytes += sizeof(struct space) + 64 + item.key.thread.n +
			         item.key.ns.n;
		if (keep && at != mark && add_space(d, item.space, at) < 0)
			return d->e->err->code;
		mark = at;
		bytes += sizeof(struct victim) + 32 + item.key.id.n;
		if (keep && add_victim(d, &item) < 0)
			return d->e->err->code;
		n++;
	}
	return rc < 0 ? rc : n;
}

/* ---- a transaction --------------------------------------------------------------------------- */

/* Whether the newest checkpoint of the namespace is still the one that the plan knew. */
static int look_again(struct drop *d, struct space *s)
{
	struct cell args[3], cell[1] = { 0 };
	bool found, blob;
	struct cursor *cur;
	int cmp;

	sql_key_cells(args, &s->s.key);
	if (sql_query(&cur, d->e->sql, d->sql[NEWEST].p, args, 2) < 0)
		return d->e->err->code;
	found = sql_next(cur, cell, 1) > 0;
	blob = cell[0].kind == CELL_BLOB; /* every BLOB is behind every TEXT */
	cmp = blob != s->s.newest_blob ? (blob ? 1 : -1)
	                               : ckpt_view_cmp(cell[0].v, s->s.newest);
	sql_done(cur);
	if (d->e->err->code)
		return d->e->err->code;
	s->seen = true;
	s->version = d->pace.version;
	/* of one that goes whole the newest may be gone already */
	s->moved = s->s.whole || s->s.whole_thread ? found && cmp > 0
	                                           : !found || cmp != 0;
	if (s->moved) {
		d->sum->moved++;
		if (d->how->moved)
			d->how->moved(d->how->arg, &s->s.key);
	}
	return 0;
}

static int drop_one(struct drop *d, const struct victim *v, struct drop_sum *batch)
{
	struct space *s = &d->spaces[v->space];
	struct ckpt_key key = key_of(d, v);
	struct cell args[4];
	int n;

	if (!s->moved && (!s->seen || s->version != d->pace.version) &&
			look_again(d, s) < 0)
		return d->e->err->code;
	if (s->moved)
		return 0;
	sql_key_cells(args, &key);
	args[3] = (struct cell){ .kind = CELL_INT, .i = v->row };
	n = d->e->sql->conn->driver->exec(
			d->e->sql->conn, d->sql[DELETE_CHECKPOINT].p, args, 4);
	if (n <= 0)
		return n;
	batch->checkpoints += n;
	if (!d->e->sql->has_writes)
		return 0;
	n = d->e->sql->conn->driver->exec(
			d->e->sql->conn, d->sql[DELETE_WRITES].p, args, 3);
	batch->writes += n > 0 ? n : 0;
	return n < 0 ? n : 0;
}

/* One transaction of those from `*at` on; they go together or not at all. */
static int batch(struct drop *d, size_t *at)
{
	struct drop_sum gone = { 0 };
	size_t i = *at;

	if (pace_begin(&d->pace, d->e) < 0)
		return d->e->err->code;
	do {
		if (drop_one(d, &d->victims[i], &gone) < 0)
			break;
		i++;
		FAILPOINT("prune.sqlite_row.after");
	} while (i < d->n && pace_goes_on(&d->pace));
	if (d->e->err->code)
		edit_rollback(d->e);
	else {
		FAILPOINT("prune.sqlite_commit.before");
		edit_commit(d->e);
		FAILPOINT("prune.sqlite_commit.after");
	}
	if (d->e->err->code)
		return d->e->err->code;
	d->sum->checkpoints += gone.checkpoints;
	d->sum->writes += gone.writes;
	d->done += (int64_t)(i - *at);
	*at = i;
	return pace_between(&d->pace, d->e);
}

static int piece(struct drop *d, struct doomed_mark from)
{
	if (doomed_seek(d->list, from) < 0 || load(d, true) < 0)
		return d->e->err->code;
	sort(d);
	for (size_t at = 0; at < d->n;) {
		int rc = batch(d, &at);

		if (rc == 0 && d->how->progress)
			rc = d->how->progress(d->how->arg, d->done,
					(int64_t)doomed_count(d->list));
		if (rc < 0)
			return rc;
	}
	d->moved_mark = d->nspaces && d->spaces[0].moved ? d->spaces[0].mark : -1;
	return 0;
}

/* From the last piece to the first: a namespace in two of them loses its greater ids first. */
static int pieces(struct drop *d)
{
	struct doomed_mark *marks = NULL;
	size_t n = 0, cap = 0;
	int64_t got = 1;
	int rc = doomed_rewind(d->list);

	while (rc == 0 && got > 0) {
		if (!grow((void **)&marks, &cap, n, sizeof(*marks))) {
			rc = no_memory(d);
			break;
		}
		marks[n++] = doomed_here(d->list);
		got = load(d, false);
		rc = got < 0 ? (int)got : 0;
	}
	while (rc == 0 && n--)
		rc = piece(d, marks[n]);
	free(marks);
	return rc;
}

/* ---- what a whole thread leaves behind ------------------------------------------------------- */

/* Writes of checkpoints that never came. */
static int drop_strays(struct drop *d, const struct ckpt_key *key)
{
	struct conn *conn = d->e->sql->conn;
	struct cell args[3], row[1];
	struct cursor *cur;
	int some, n;

	sql_key_cells(args, key);
	if (sql_query(&cur, d->e->sql, d->sql[STRAYS].p, args, 1) < 0)
		return d->e->err->code;
	some = sql_next(cur, row, 1);
	sql_done(cur);
	while (some > 0) {
		int64_t gone = 0;

		if (pace_begin(&d->pace, d->e) < 0)
			return d->e->err->code;
		do {
			n = conn->driver->exec(conn, d->sql[DELETE_STRAYS].p, args, 1);
			gone += n > 0 ? n : 0;
		} while (n > 0 && pace_goes_on(&d->pace));
		if (n < 0)
			edit_rollback(d->e);
		else
			edit_commit(d->e);
		if (d->e->err->code)
			return d->e->err->code;
		d->sum->writes += gone;
		some = n;
		if (pace_between(&d->pace, d->e) < 0)
			return d->e->err->code;
	}
	return some;
}

static int strays(struct drop *d)
{
	struct doomed_item item;
	int64_t last = -1;
	int rc;

	if (!d->e->sql->has_writes || doomed_rewind(d->list) < 0)
		return d->e->err->code;
	while ((rc = doomed_next(d->list, &item)) > 0) {
		int64_t at = doomed_here(d->list).space;

		if (at != last && item.space->whole_thread &&
				(rc = drop_strays(d, &item.key)) < 0)
			return rc;
		last = at;
	}
	return rc;
}

static int run(struct drop *d, int (*what)(struct drop *))
{
	int rc = 0;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && rc == 0; i++)
		rc = edit_text(&d->sql[i], d->e, texts[i]);
	if (rc == 0)
		rc = pace_start(&d->pace, d->e, d->how);
	if (rc == 0)
		rc = what(d);
	if (rc == 0)
		rc = pace_end(&d->pace, d->e);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ckpt_buf_free(&d->sql[i]);
	arena_free(&d->arena);
	free(d->victims);
	free(d->spaces);
	return rc;
}

static int everything(struct drop *d)
{
	int rc = pieces(d);

	return rc == 0 ? strays(d) : rc;
}

int drop_run_sqlite(struct edit *e, struct doomed *list, const struct drop_how *how,
		struct drop_sum *out)
{
	struct drop d = {
		.e = e, .list = list, .how = how, .sum = out, .moved_mark = -1
	};

	*out = (struct drop_sum){ 0 };
	return run(&d, everything);
}

int drop_left_sqlite(struct edit *e, struct doomed *list, const struct drop_how *how,
		struct drop_sum *out)
{
	struct drop d = {
		.e = e, .list = list, .how = how, .sum = out, .moved_mark = -1
	};

	return run(&d, strays);
}
