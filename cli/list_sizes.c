/*
 * list_sizes.c - sizes and branch heads of many threads: every row is read once, in the order in
 * which it lies, and added to its thread. Kept are 24 bytes for each checkpoint of a root.
 */
#include <stdlib.h>
#include <string.h>

#include "list_sizes.h"

struct root { /* a checkpoint of a root namespace */
	uint64_t id;
	size_t row;
};

struct sizes {
	struct cli *cli;
	struct list_size *rows;
	size_t n;
	int64_t sign; /* of the bytes that a pass adds */
	struct root *roots;
	uint64_t *parents;
	size_t nroots, roots_cap, nparents, parents_cap;
};

static int by_thread(const void *pa, const void *pb)
{
	const struct list_size *a = pa, *b = pb;

	return a->blob != b->blob ? a->blob - b->blob
	                          : ckpt_view_cmp(a->thread, b->thread);
}

static struct list_size *find(struct sizes *s, const struct ckpt_checkpoint *c)
{
	const struct list_size key = { .thread = c->key.thread,
		.blob = c->key.blob & CKPT_BLOB_THREAD };

	return s->n ? bsearch(&key, s->rows, s->n, sizeof(key), by_thread) : NULL;
}

static void *grow(void *p, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 1024;
	void *q;

	if (n < *cap)
		return p;
	q = realloc(p, more * size);
	if (q)
		*cap = more;
	return q;
}

/* Ids of different threads are different, as if the thread were part of them. */
static uint64_t hash_in(size_t row, struct ckpt_view id)
{
	return ckpt_hash(id) ^ (row + 1) * 0x9e3779b97f4a7c15U;
}

static int see_root(struct sizes *s, size_t row, const struct ckpt_checkpoint *c)
{
	struct root *roots = grow(s->roots, s->nroots, &s->roots_cap, sizeof(*roots));
	uint64_t *parents;

	if (!roots)
		return CKPT_ENOMEM;
	s->roots = roots;
	s->roots[s->nroots++] = (struct root){ hash_in(row, c->key.id), row };
	if (!c->parent.p)
		return 0;
	parents = grow(s->parents, s->nparents, &s->parents_cap, sizeof(*parents));
	if (!parents)
		return CKPT_ENOMEM;
	s->parents = parents;
	s->parents[s->nparents++] = hash_in(row, c->parent);
	return 0;
}

static int see(struct sizes *s, const struct ckpt_checkpoint *c, enum ckpt_rows rows)
{
	struct list_size *r = find(s, c);

	if (!r)
		return 0;
	r->size += s->sign * (c->size + c->meta_size + c->writes_size + c->blobs_all);
	return rows == CKPT_STORED && c->key.ns.n == 0
	                       ? see_root(s, (size_t)(r - s->rows), c)
	                       : 0;
}

static int pass(struct sizes *s, enum ckpt_rows rows, int64_t sign)
{
	const struct ckpt_pick pick = {
		.rows = rows, .depth = CKPT_LINKS, .sizes = true
	};
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc = ckpt_scan_open(&scan, s->cli->store, &pick);

	s->sign = sign;
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0) {
		rc = see(s, &c, rows);
		if (rc < 0)
			ckpt_fail(&s->cli->err, rc, "out of memory");
	}
	ckpt_scan_close(scan);
	return rc;
}

static int by_hash(const void *pa, const void *pb)
{
	const uint64_t *a = pa, *b = pb;

	return (*a > *b) - (*a < *b);
}

static void count_heads(struct sizes *s)
{
	if (s->nparents)
		qsort(s->parents, s->nparents, sizeof(*s->parents), by_hash);
	for (size_t i = 0; i < s->nroots; i++) {
		const struct root *r = &s->roots[i];
		bool named = s->nparents && bsearch(&r->id, s->parents, s->nparents,
							    sizeof(*s->parents), by_hash);

		s->rows[r->row].heads += !named;
	}
}

int list_sizes(struct cli *cli, struct list_size *rows, size_t n)
{
	/* what no checkpoint needs is in no checkpoint's bytes */
	static const struct {
		enum ckpt_rows rows;
		int64_t sign;
	} passes[] = { { CKPT_STORED, 1 }, { CKPT_WRITE_ROWS, 1 }, { CKPT_BLOB_ROWS, 1 },
		{ CKPT_STRAY_WRITES, -1 }, { CKPT_STRAY_BLOBS, -1 } };
	struct sizes s = { .cli = cli, .rows = rows, .n = n };
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		rows[i].size = rows[i].heads = 0;
	for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]) && rc >= 0; i++)
		rc = pass(&s, passes[i].rows, passes[i].sign);
	if (rc >= 0)
		count_heads(&s);
	free(s.roots);
	free(s.parents);
	return rc;
}
