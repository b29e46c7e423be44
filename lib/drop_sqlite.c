/*
 * drop_sqlite.c - what goes from a SQLite file: in the order of drop_order.c, in short transactions
 * with room between them, each of which looks again whether its plan still holds.
 *
 * A list of any length is worked on in pieces, from its end. When a transaction may begin, and
 * what is done between two, is the business of drop_pace.c.
 */
#include "drop_left.h"
#include "drop_moved.h"
#include "failpoint.h"

#define PIECE ((size_t)16 << 20)      /* bytes of keys at a time, … */
#define PIECE_MOST ((size_t)24 << 20) /* … and of a thread that does not end there */

struct drop {
	struct edit *e;
	struct doomed *list;
	const struct drop_how *how;
	struct drop_sum *sum;
	struct drop_pace pace;
	struct arena arena;
	struct ckpt_buf sql[5];
	struct drop_piece p;
	size_t cap, spaces_cap;
	int64_t done;
	int64_t moved_mark; /* a moved namespace whose other part is in the next piece; or -1 */
	struct drop_left left;
};

/* SQL reads best as it is broken here */
/* clang-format off */
enum { NEWEST, ROW, LEFT, DELETE_CHECKPOINT, DELETE_WRITES };
static const char *const texts[] = {
	[NEWEST] = "SELECT checkpoint_id FROM {checkpoints} WHERE thread_id = $1 AND "
		"checkpoint_ns = $2 ORDER BY checkpoint_id DESC LIMIT 1",
	[ROW] = "SELECT rowid FROM {checkpoints} WHERE thread_id = $1 AND checkpoint_ns = $2 "
		"AND checkpoint_id = $3",
	[LEFT] = "SELECT 1 FROM {checkpoints} WHERE thread_id = $1 LIMIT 1",
	/* what is there now may be another one: a put of the same key gets a new row */
	[DELETE_CHECKPOINT] = "DELETE FROM {checkpoints} WHERE rowid = $4 AND +thread_id = $1 "
		"AND +checkpoint_ns = $2 AND +checkpoint_id = $3",
	[DELETE_WRITES] = "DELETE FROM {writes} WHERE thread_id = $1 AND checkpoint_ns = $2 "
		"AND checkpoint_id = $3",
};
/* clang-format on */

static int no_memory(struct drop *d)
{
	return ckpt_fail(d->e->err, CKPT_ENOMEM, "out of memory");
}

static struct ckpt_key key_of(const struct drop *d, const struct drop_victim *v)
{
	struct ckpt_key key = d->p.spaces[v->space].s.key;

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
	struct drop_space *to;

	if (!grow((void **)&d->p.spaces, &d->spaces_cap, d->p.nspaces, sizeof(*to)))
		return no_memory(d);
	to = &d->p.spaces[d->p.nspaces++];
	*to = (struct drop_space){
		.s = *s, .mark = mark, .moved = mark == d->moved_mark
	};
	to->s.key.thread = arena_copy(&d->arena, s->key.thread, d->e->err);
	to->s.key.ns = arena_copy(&d->arena, s->key.ns, d->e->err);
	to->s.newest = arena_copy(&d->arena, s->newest, d->e->err);
	to->s.caller = arena_copy(&d->arena, s->caller, d->e->err);
	to->s.root_newest = arena_copy(&d->arena, s->root_newest, d->e->err);
	to->first = d->p.n;
	return d->e->err->code;
}

/* Where the plan did not say where a row lies; it stays -1 if there is none. */
static int find_row(struct drop *d, struct drop_victim *v)
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
	struct drop_victim *v;

	if (!grow((void **)&d->p.victims, &d->cap, d->p.n, sizeof(*v)))
		return no_memory(d);
	v = &d->p.victims[d->p.n];
	*v = (struct drop_victim){ .row = item->row,
		.space = (uint32_t)d->p.nspaces - 1,
		.at = (uint32_t)d->p.n,
		.blob = item->key.blob & CKPT_BLOB_ID,
		.writes = item->writes };
	v->id = arena_copy(&d->arena, item->key.id, d->e->err);
	d->p.n++;
	d->p.spaces[v->space].n++;
	return d->e->err->code || v->row >= 0 ? d->e->err->code : find_row(d, v);
}

static size_t space_bytes(const struct doomed_space *s)
{
	return sizeof(struct drop_space) + 80 + s->key.thread.n + s->key.ns.n +
	       s->newest.n + s->caller.n + s->root_newest.n;
}

/* The next keys: threads as a whole, unless one alone is too long; how many there were. */
static int64_t load(struct drop *d, bool keep)
{
	struct doomed_item item;
	int64_t n = 0, mark = -1;
	uint64_t thread = 0;
	size_t bytes = 0;
	int rc = 0;

	d->p.n = d->p.nspaces = 0;
	arena_reset(&d->arena);
	while (bytes < PIECE_MOST) {
		struct doomed_mark before = doomed_here(d->list);
		int64_t at;

		if ((rc = doomed_next(d->list, &item)) <= 0)
			break;
		at = doomed_here(d->list).space;
		if (at != mark && bytes >= PIECE && ckpt_hash(item.key.thread) != thread)
			return doomed_seek(d->list, before) < 0 ? d->e->err->code : n;
		if (at != mark) {
			bytes += space_bytes(item.space);
			thread = ckpt_hash(item.key.thread);
		}
		if (keep && at != mark && add_space(d, item.space, at) < 0)
			return d->e->err->code;
		mark = at;
		bytes += sizeof(struct drop_victim) + 32 + item.key.id.n;
		if (keep && add_victim(d, &item) < 0)
			return d->e->err->code;
		n++;
	}
	return rc < 0 ? rc : n;
}

/* ---- a transaction --------------------------------------------------------------------------- */

static void tell_moved(struct drop *d, struct drop_space *s)
{
	s->moved = true;
	d->sum->moved++;
	if (d->how->moved)
		d->how->moved(d->how->arg, &s->s.key);
}

/* Somebody wrote there what was not planned to go: this namespace stays, and what cannot go without
 * it. The transaction has to be undone. */
static int leave_alone(struct drop *d, const struct drop_space *s)
{
	struct drop_space *o = &d->p.spaces[s->thread], *end = d->p.spaces + d->p.nspaces;

	for (; o < end && o->thread == s->thread; o++)
		if (!o->moved && (o == s || o->s.whole_thread ||
						 (!s->s.key.ns.n && o->s.root_newest.p)))
			tell_moved(d, o);
	return 1;
}

static int look_again(struct drop *d, struct drop_space *s)
{
	int rc = drop_moved(d->e->sql->conn, d->sql[NEWEST].p, &s->s);

	if (rc < 0)
		return rc;
	s->seen = true;
	s->version = d->pace.version;
	if (rc > 0)
		tell_moved(d, s);
	return 0;
}

/* 1: not in this transaction, see leave_alone. */
static int drop_one(struct drop *d, const struct drop_victim *v, struct drop_sum *batch)
{
	struct drop_space *s = &d->p.spaces[v->space];
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
	return n < 0 ? n : n > v->writes ? leave_alone(d, s) : 0;
}

/* What would be left of a unit were planned otherwise than all of it. */
static bool goes_on(struct drop *d, size_t next)
{
	const struct drop_victim *v = &d->p.victims[next];
	uint32_t unit = d->p.spaces[v->space].unit;

	return pace_goes_on(&d->pace) ||
	       (unit != DROP_ALONE && unit == d->p.spaces[v[-1].space].unit &&
			       pace_may_stretch(&d->pace));
}

/* What the last of a thread that goes whole takes along. 1: as drop_one. */
static int drop_behind(struct drop *d, size_t at, struct drop_sum *batch)
{
	const struct drop_victim *v = &d->p.victims[at];
	const struct drop_space *s = &d->p.spaces[v->space];
	struct cell args[3], row[1];
	struct cursor *cur;
	int rc;

	if (!s->s.whole_thread ||
			(at + 1 < d->p.n && d->p.spaces[v[1].space].thread == s->thread))
		return 0;
	sql_key_cells(args, &s->s.key);
	if (sql_query(&cur, d->e->sql, d->sql[LEFT].p, args, 1) < 0)
		return d->e->err->code;
	rc = sql_next(cur, row, 1);
	sql_done(cur);
	batch->threads += rc == 0;
	if (rc || !d->e->sql->has_writes)
		return rc < 0 ? rc : 0;
	rc = left_go(&d->left, s, &batch->writes);
	return rc > 0 ? leave_alone(d, s) : rc;
}

/* One transaction of those from `*at` on; they go together or not at all. */
static int batch(struct drop *d, size_t *at)
{
	struct drop_sum gone = { 0 };
	size_t i = *at, behind = d->left.n;
	int rc;

	if (pace_begin(&d->pace, d->e) < 0)
		return d->e->err->code;
	do {
		rc = drop_one(d, &d->p.victims[i], &gone);
		rc = rc ? rc : drop_behind(d, i, &gone);
		if (rc)
			break;
		i++;
		FAILPOINT("prune.sqlite_row.after");
	} while (i < d->p.n && goes_on(d, i));
	if (rc || d->e->err->code)
		edit_rollback(d->e);
	else {
		FAILPOINT("prune.sqlite_commit.before");
		edit_commit(d->e);
		FAILPOINT("prune.sqlite_commit.after");
	}
	if (d->e->err->code)
		return d->e->err->code;
	if (rc) { /* once more, without what is left alone */
		d->left.n = behind;
		return pace_between(&d->pace, d->e);
	}
	d->sum->checkpoints += gone.checkpoints;
	d->sum->writes += gone.writes;
	d->sum->threads += gone.threads;
	d->done += (int64_t)(i - *at);
	*at = i;
	return pace_between(&d->pace, d->e);
}

static int piece(struct drop *d, struct doomed_mark from)
{
	if (doomed_seek(d->list, from) < 0 || load(d, true) < 0)
		return d->e->err->code;
	drop_order(&d->p);
	for (size_t at = 0; at < d->p.n;) {
		int rc = batch(d, &at);

		if (rc == 0 && d->how->progress)
			rc = d->how->progress(d->how->arg, d->done,
					(int64_t)doomed_count(d->list));
		if (rc < 0)
			return rc;
	}
	d->moved_mark = d->p.nspaces && d->p.spaces[0].moved ? d->p.spaces[0].mark : -1;
	return 0;
}

/* From the last piece to the first: a namespace in two of them, of a thread of more than a hundred
 * thousand checkpoints to drop, loses its greater ids first. A plan that is made after such a run
 * was killed may find a head more there. */
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

static int run(struct drop *d)
{
	int rc = 0;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && rc == 0; i++)
		rc = edit_text(&d->sql[i], d->e, texts[i]);
	if (rc == 0)
		rc = left_start(&d->left);
	if (rc == 0)
		rc = pace_start(&d->pace, d->e, d->how);
	if (rc == 0)
		rc = pieces(d);
	if (rc == 0)
		rc = left_rest(&d->left);
	if (rc == 0)
		rc = pace_end(&d->pace, d->e);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ckpt_buf_free(&d->sql[i]);
	arena_free(&d->arena);
	free(d->p.victims);
	free(d->p.spaces);
	left_free(&d->left);
	return rc;
}

int drop_run_sqlite(struct edit *e, struct doomed *list, const struct drop_how *how,
		struct drop_sum *out)
{
	struct drop d = {
		.e = e, .list = list, .how = how, .sum = out, .moved_mark = -1
	};

	*out = (struct drop_sum){ 0 };
	d.left = (struct drop_left){
		.e = e, .list = list, .how = how, .sum = out, .pace = &d.pace
	};
	return run(&d);
}
