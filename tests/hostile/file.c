/*
 * file.c - changes to SQLite files: header, freelist, b-tree pages, cell pointers, overflow
 * chains, the schema's text, the WAL and what lies beside. Pages are not parsed: what a byte
 * means is told by where it is.
 */
#include "hostile.h"

struct target {
	char *p;
	size_t n, page; /* bytes, and of one page */
	uint64_t *seed;
	struct base *file;
};

static struct target look(struct base *f, uint64_t *seed)
{
	struct target t = {
		.p = f->db.p, .n = f->db.n, .page = 512, .seed = seed, .file = f
	};
	size_t page = t.n < 100 ? 0
	                        : (size_t)(unsigned char)t.p[16] << 8 |
	                                              (unsigned char)t.p[17];

	if (page >= 512 && (page & (page - 1)) == 0)
		t.page = page;
	return t;
}

static void set16(struct target *t, size_t at, size_t v)
{
	if (at + 2 > t->n)
		return;
	t->p[at] = (char)(v >> 8);
	t->p[at + 1] = (char)v;
}

static void set32(struct target *t, size_t at, size_t v)
{
	set16(t, at, v >> 16);
	set16(t, at + 2, v);
}

static size_t any_page(struct target *t)
{
	return below(t->seed, t->n / t->page + 1) * t->page;
}

/* Where the b-tree header of a page begins. */
static size_t head_of(size_t page)
{
	return page ? page : 100;
}

/* A page's number: there, one too far, of itself, or far away. */
static size_t odd_number(struct target *t)
{
	const size_t all[] = { 0, 1, t->n / t->page, t->n / t->page + 1, 0x7fffffff,
		0xffffffff, below(t->seed, t->n / t->page + 1) };

	return all[below(t->seed, LEN(all))];
}

/* ---- the database -------------------------------------------------------------------------------- */

static void header(struct target *t)
{
	if (t->n > 100)
		t->p[below(t->seed, 16) ? 16 + below(t->seed, 84) : below(t->seed, 16)] =
				(char)below(t->seed, 256);
}

static void freelist(struct target *t)
{
	set32(t, 32, odd_number(t));
	set32(t, 36, odd_number(t));
	if (below(t->seed, 2)) /* and a trunk page that says so */
		set32(t, any_page(t) + 4 * below(t->seed, 3), odd_number(t));
}

static void page_head(struct target *t)
{
	static const char kinds[] = { 2, 5, 10, 13, 0, 1, 15, (char)0xff };
	size_t at = head_of(any_page(t));

	if (at + 12 > t->n)
		return;
	if (below(t->seed, 3) == 0)
		t->p[at] = kinds[below(t->seed, LEN(kinds))];
	else
		t->p[at + 1 + below(t->seed, 11)] = (char)below(t->seed, 256);
}

static void cell_pointer(struct target *t)
{
	set16(t, head_of(any_page(t)) + 8 + 2 * below(t->seed, 12),
			below(t->seed, t->page + 8));
}

/* Four bytes that may be a child's or an overflow page's number: behind a head, at the start of a
 * page, or anywhere. */
static void chain(struct target *t)
{
	size_t page = any_page(t);
	const size_t at[] = { page, head_of(page) + 8, page + below(t->seed, t->page),
		page + t->page - 4 };

	set32(t, at[below(t->seed, LEN(at))], odd_number(t));
}

static void bytes(struct target *t)
{
	size_t at = any_page(t) + below(t->seed, t->page);

	for (size_t i = 0; i < 1 + below(t->seed, 8) && at + i < t->n; i++)
		t->p[at + i] = (char)(t->p[at + i] ^ (1 << below(t->seed, 8)));
}

static void zero(struct target *t)
{
	size_t at = any_page(t);

	if (at + t->page <= t->n)
		memset(t->p + at, 0, t->page);
}

static void copy_page(struct target *t)
{
	size_t a = any_page(t), b = any_page(t);

	if (a + t->page <= t->n && b + t->page <= t->n)
		memmove(t->p + a, t->p + b, t->page);
}

static void cut(struct target *t)
{
	struct ckpt_buf *db = &t->file->db;

	db->n = below(t->seed, 2) ? any_page(t) : below(t->seed, t->n + 1);
	if (db->n > t->n)
		db->n = t->n;
}

/* Words of a schema, for others not longer. */
static void schema(struct target *t)
{
	static const char *const words[][2] = { { "CREATE TABLE", "CREATE  VIEW" },
		{ "checkpoint_id", "checkpoint_ns" }, { "checkpoint_ns", "thread_id,x'" },
		{ "thread_id", "thread_iD" }, { "TEXT", "BLOB" },
		{ "NOT NULL", "AS  (1) " }, { "PRIMARY KEY", "UNIQUE     " },
		{ "DEFAULT ''", "AS('\x1b\xff')" }, { "writes", "Writes" },
		{ "checkpoints", "sqlite_seq0" }, { "metadata", "checksum" },
		{ "TABLE", "tABLE" }, { "BLOB", "INT " }, { "table", "index" },
		{ "table", "view\0" }, { "value BLOB", "value AS()" },
		{ "idx INTEGER", "idx GLOB(1)" }, { ")", "(" }, { "\xa0", "\xff" } };
	size_t one = below(t->seed, LEN(words)), n = strlen(words[one][0]);
	char *p = t->n > 100 ? memmem(t->p + 100, t->n - 100, words[one][0], n) : NULL;

	if (p)
		memcpy(p, words[one][1], strnlen(words[one][1], n));
}

/* ---- beside it ------------------------------------------------------------------------------- */

static void noise(struct ckpt_buf *b, size_t n, uint64_t *seed)
{
	for (size_t i = 0; i < n; i++)
		ckpt_buf_add(b, &(char){ (char)made_random(seed) }, 1);
}

static void wal(struct target *t)
{
	struct ckpt_buf *w = &t->file->wal;
	size_t kind = below(t->seed, 5);

	if (!w->n) { /* one of nobody's making */
		if (t->n > 20 && below(t->seed, 4))
			t->p[18] = t->p[19] = 2;
		if (below(t->seed, 2))
			ckpt_buf_add(w, "\x37\x7f\x06\x82\0\x2d\xe2\x18\0\0\x02\0", 12);
		noise(w, below(t->seed, 2000), t->seed);
	} else if (kind == 0) { /* torn */
		w->n = below(t->seed, w->n);
	} else if (kind == 1 && w->n > 32) { /* salt of another life */
		w->p[16 + below(t->seed, 8)] ^= 1;
	} else if (kind == 2 && w->n > 32) {
		w->p[below(t->seed, 32)] = (char)below(t->seed, 256);
	} else {
		w->p[below(t->seed, w->n)] ^= (char)(1 << below(t->seed, 8));
	}
}

static void journal(struct target *t)
{
	struct ckpt_buf *j = &t->file->journal;

	if (j->n && below(t->seed, 2)) {
		j->p[below(t->seed, j->n)] ^= (char)(1 << below(t->seed, 8));
		return;
	}
	j->n = 0;
	if (below(t->seed, 2))
		ckpt_buf_add(j, "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7\0\0\0\x01", 12);
	noise(j, below(t->seed, 1200), t->seed);
}

static void shm(struct target *t)
{
	t->file->shm.n = 0;
	noise(&t->file->shm, below(t->seed, 4) ? 32768 : below(t->seed, 500), t->seed);
}

static void tail(struct target *t)
{
	noise(&t->file->db, below(t->seed, 2 * t->page), t->seed);
}

void mutate_file(struct base *f, const struct base *base, uint64_t *seed)
{
	static void (*const changes[])(struct target *) = { header, header, freelist,
		page_head, page_head, cell_pointer, cell_pointer, chain, chain, bytes,
		bytes, zero, copy_page, cut, schema, schema, schema, wal, wal, journal,
		shm, tail };

	f->db.n = f->wal.n = f->journal.n = f->shm.n = 0;
	ckpt_buf_add(&f->db, base->db.p, base->db.n);
	ckpt_buf_add(&f->wal, base->wal.p, base->wal.n);
	ckpt_buf_add(&f->journal, base->journal.p, base->journal.n);
	for (size_t n = 1 + below(seed, 8); n; n--) {
		struct target t = look(f, seed);

		changes[below(seed, LEN(changes))](&t);
	}
}
