/*
 * vacuum_keep.c - which rows of a SQLite store stay when a list of keys goes: both in the order of
 * the key index, side by side. Only indexes are read; what is kept in memory is row numbers. With a
 * thread that goes whole go its writes of checkpoints that never came.
 */
#include "drop_moved.h"
#include "vacuum_rewrite.h"

#define ROWS_MAX ((size_t)2 << 20)

struct whole { /* a key of the list, and what is told of its thread */
	struct ckpt_key key;
	bool whole;
	int64_t strays;
};

struct merge {
	struct rewrite *r;
	struct doomed_item item; /* the next of the list */
	size_t at;               /* its number */
	bool more;
	int table;
	int64_t mark;         /* its namespace in the list */
	bool moved;           /* which is left alone */
	struct ckpt_buf last; /* the key before it: they must ascend */
	struct whole before;  /* … of which it is */
	int64_t writes;       /* that the next of the list has */
	uint64_t thread; /* the last that goes whole and has writes of no checkpoint, … */
	int64_t strays; /* … and how many */
};

/* The order of the index: BLOB behind TEXT. */
static int part_cmp(struct ckpt_view a, bool a_blob, struct ckpt_view b, bool b_blob)
{
	return a_blob != b_blob ? (a_blob ? 1 : -1) : ckpt_view_cmp(a, b);
}

static int key_cmp(const struct ckpt_key *a, const struct ckpt_key *b)
{
	int cmp = part_cmp(a->thread, a->blob & CKPT_BLOB_THREAD, b->thread,
			b->blob & CKPT_BLOB_THREAD);

	if (!cmp)
		cmp = part_cmp(a->ns, a->blob & CKPT_BLOB_NS, b->ns,
				b->blob & CKPT_BLOB_NS);
	return cmp ? cmp
	           : part_cmp(a->id, a->blob & CKPT_BLOB_ID, b->id,
				     b->blob & CKPT_BLOB_ID);
}

static int query(struct cursor **out, struct merge *m, const char *sql,
		const struct cell *args, size_t n)
{
	return sqlite_driver.query(out, &m->r->copy->base, sql, args, n);
}

/* As a transaction that deletes does. */
static int look_again(struct merge *m)
{
	int rc = drop_moved(&m->r->copy->base,
			"SELECT checkpoint_id FROM old.checkpoints WHERE thread_id = $1 "
			"AND checkpoint_ns = $2 ORDER BY checkpoint_id DESC LIMIT 1",
			m->item.space);

	m->moved = rc > 0;
	return rc < 0 ? rc : 0;
}

static int note_moved(struct rewrite *r, int64_t mark)
{
	if (r->nmoved == r->moved_cap) {
		size_t cap = r->moved_cap ? r->moved_cap * 2 : 64;
		int64_t *to = realloc(r->moved, cap * sizeof(*to));

		if (!to)
			return ckpt_fail(r->e->err, CKPT_ENOMEM, "out of memory");
		r->moved = to;
		r->moved_cap = cap;
	}
	r->moved[r->nmoved++] = mark;
	return 0;
}

/* The next of the list; 0: it is not in the order of the index. */
static int advance(struct merge *m)
{
	struct ckpt_key before = m->item.key;
	bool whole = m->more && m->item.space->whole_thread;
	int64_t strays = whole ? m->item.space->strays : 0;
	size_t nt = before.thread.n, nn = before.ns.n, ni = before.id.n;
	int64_t mark;
	int rc;

	m->last.n = 0;
	ckpt_buf_add(&m->last, before.thread.p, nt);
	ckpt_buf_add(&m->last, before.ns.p, nn);
	ckpt_buf_add(&m->last, before.id.p, ni);
	if (m->last.failed)
		return ckpt_fail(m->r->e->err, CKPT_ENOMEM, "out of memory");
	before.thread.p = before.thread.p ? m->last.p : NULL;
	before.ns.p = before.ns.p ? m->last.p + nt : NULL;
	before.id.p = before.id.p ? m->last.p + nt + nn : NULL;
	m->before = (struct whole){ before, whole, strays };
	m->writes = 0;
	rc = doomed_next(m->r->list, &m->item);
	if (rc < 0)
		return rc;
	m->more = rc > 0;
	m->at++;
	if (!m->more)
		return 1;
	if (m->at > 0 && key_cmp(&before, &m->item.key) >= 0)
		return rewrite_not(m->r, "the keys to drop are in no order");
	mark = doomed_here(m->r->list).space;
	if (mark != m->mark && m->table == REWRITE_CHECKPOINTS &&
			(look_again(m) < 0 || (m->moved && note_moved(m->r, mark) < 0)))
		return m->r->e->err->code;
	m->mark = mark;
	return 1;
}

static bool key_of(struct ckpt_key *out, const struct cell cells[static 3])
{
	*out = (struct ckpt_key){
		.thread = cells[0].v, .ns = cells[1].v, .id = cells[2].v
	};
	for (int i = 0; i < 3; i++) {
		if (cells[i].kind != CELL_TEXT && cells[i].kind != CELL_BLOB)
			return false;
		out->blob |= cells[i].kind == CELL_BLOB ? 1u << i : 0u;
	}
	return true;
}

static int stays(struct merge *m, int64_t row)
{
	struct rewrite_rows *rows = &m->r->rows[m->table];
	int64_t *to;

	if (rows->n == ROWS_MAX)
		return rewrite_not(m->r, "too many rows stay");
	if (rows->n == rows->cap) {
		to = realloc(rows->v, (rows->cap ? rows->cap * 2 : 1024) * sizeof(*to));
		if (!to)
			return ckpt_fail(m->r->e->err, CKPT_ENOMEM, "out of memory");
		rows->v = to;
		rows->cap = rows->cap ? rows->cap * 2 : 1024;
	}
	rows->v[rows->n++] = row;
	return 1;
}

static bool same_thread(const struct ckpt_key *a, const struct ckpt_key *b)
{
	return ckpt_view_eq(a->thread, b->thread) &&
	       !((a->blob ^ b->blob) & CKPT_BLOB_THREAD);
}

/* Is this row, which the list does not name, of a thread that goes whole? *strays: as planned. Of
 * its neighbours in the list one is of its thread. */
static bool of_whole(const struct merge *m, const struct ckpt_key *key, int64_t *strays)
{
	if (m->more && same_thread(&m->item.key, key)) {
		*strays = m->item.space->strays;
		return m->item.space->whole_thread;
	}
	*strays = m->before.strays;
	return m->before.whole && same_thread(&m->before.key, key);
}

/* What came since the plan is told by numbers: see drop.h. */
static int crowded(struct merge *m)
{
	return rewrite_not(m->r, "writes came to what goes");
}

/* A row that the list does not name: 1 it goes with its thread, 2 it stays, 0 see crowded. */
static int judge_other(struct merge *m, const struct ckpt_key *key)
{
	uint64_t thread = ckpt_hash(key->thread);
	int64_t planned;

	if (!of_whole(m, key, &planned))
		return 2;
	if (m->table == REWRITE_CHECKPOINTS)
		return hashes_add(&m->r->alive, thread, m->r->e->err) < 0
		                       ? m->r->e->err->code
		                       : 2;
	if (hashes_have(&m->r->alive, thread))
		return 2;
	if (thread != m->thread)
		m->strays = 0;
	m->thread = thread;
	return ++m->strays > planned ? crowded(m) : 1;
}

/* A row that the list names. A checkpoint that was put anew since stays. */
static int judge_named(struct merge *m, int64_t row)
{
	uint8_t *byte = &m->r->goes[m->at / 8];
	uint8_t bit = (uint8_t)(1 << m->at % 8);

	if (m->table == REWRITE_CHECKPOINTS && !m->moved &&
			(m->item.row < 0 || m->item.row == row))
		*byte |= bit;
	if (!(*byte & bit))
		return judge_other(m, &m->item.key);
	if (m->table == REWRITE_WRITES && ++m->writes > m->item.writes)
		return crowded(m);
	return 1;
}

/* A row of the index against the list. */
static int judge(struct merge *m, const struct cell cells[static 4])
{
	struct ckpt_key key;
	int cmp = 1, rc = 2;

	m->r->rows[m->table].all++;
	if (key_of(&key, cells)) {
		while (m->more && (cmp = key_cmp(&m->item.key, &key)) < 0)
			if ((rc = advance(m)) <= 0)
				return rc;
		rc = m->more && cmp == 0 ? judge_named(m, cells[3].i)
		                         : judge_other(m, &key);
	}
	return rc == 2 ? stays(m, cells[3].i) : rc;
}

static int ascending(const void *pa, const void *pb)
{
	int64_t a = *(const int64_t *)pa, b = *(const int64_t *)pb;

	return (a > b) - (a < b);
}

static int merge(struct merge *m, int table, const char *sql)
{
	struct rewrite_rows *rows = &m->r->rows[table];
	struct cell cells[4];
	struct cursor *cur;
	int rc;

	m->table = table;
	m->at = SIZE_MAX; /* the first is 0 */
	m->mark = -1;
	m->item = (struct doomed_item){ 0 };
	m->more = false;
	m->thread = 0;
	m->strays = 0;
	if (doomed_rewind(m->r->list) < 0 || (rc = advance(m)) <= 0)
		return m->r->e->err->code;
	if (query(&cur, m, sql, NULL, 0) < 0)
		return m->r->e->err->code;
	while ((rc = sqlite_driver.next(cur, cells, 4)) > 0) {
		rc = judge(m, cells);
		if (rc > 0 && rewrite_late(m->r))
			rc = rewrite_not(m->r, "it would keep writers out for too long");
		if (rc <= 0)
			break;
	}
	sqlite_driver.done(cur);
	if (m->r->e->err->code)
		return m->r->e->err->code;
	if (m->r->vac->why[0])
		return 0;
	if (rows->n)
		qsort(rows->v, rows->n, sizeof(*rows->v), ascending);
	return 1;
}

int rewrite_keep(struct rewrite *r)
{
	struct merge m = { .r = r };
	int rc = 1;

	r->goes = calloc(doomed_count(r->list) / 8 + 1, 1);
	if (!r->goes)
		return ckpt_fail(r->e->err, CKPT_ENOMEM, "out of memory");
	rc = merge(&m, REWRITE_CHECKPOINTS,
			"SELECT thread_id, checkpoint_ns, checkpoint_id, rowid FROM "
			"old.checkpoints ORDER BY 1, 2, 3");
	hashes_sort(&r->alive);
	if (rc > 0 && r->e->sql->has_writes)
		rc = merge(&m, REWRITE_WRITES,
				"SELECT thread_id, checkpoint_ns, checkpoint_id, rowid "
				"FROM "
				"old.writes ORDER BY 1, 2, 3");
	ckpt_buf_free(&m.last);
	return rc;
}
