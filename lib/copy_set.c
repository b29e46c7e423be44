/*
 * copy_set.c - which checkpoints make up a thread as it stood at one of them. Which rows that are,
 * and how they are copied, is copy.c's.
 *
 * The root's line of ancestors is what counts. A subgraph's checkpoint belongs to the root's whose
 * step it ran in, which its metadata.parents names under ""; and with it go its own ancestors,
 * because delta channels, and savers that left `parents` out, hang on them.
 */
#include "copy.h"

struct row {
	struct ckpt_view ns, id, parent;
	unsigned blob;
	bool taken;
};
struct finder {
	struct ckpt_store *store;
	struct copy_set *set;
	struct row *rows; /* of the thread: by namespace, then id, as bytes */
	size_t n, cap;
	struct ckpt_view at; /* id of the checkpoint that all is about */
	bool step;
};

static int add_row(struct finder *f, const struct ckpt_checkpoint *c)
{
	struct ckpt_error *err = f->store->err;
	struct row *r;

	if (f->n == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 256;
		struct row *grown = realloc(f->rows, cap * sizeof(*grown));

		if (!grown)
			return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
		f->rows = grown;
		f->cap = cap;
	}
	r = &f->rows[f->n];
	*r = (struct row){ .blob = c->key.blob & (CKPT_BLOB_NS | CKPT_BLOB_ID) };
	if (f->n && ckpt_view_eq(r[-1].ns, c->key.ns))
		r->ns = r[-1].ns;
	else
		r->ns = arena_copy(&f->set->arena, c->key.ns, err);
	r->id = arena_copy(&f->set->arena, c->key.id, err);
	if (c->parent.p)
		r->parent = arena_copy(&f->set->arena, c->parent, err);
	f->n++;
	return err->code;
}

static int read_rows(struct finder *f, const struct ckpt_key *at)
{
	struct ckpt_pick pick = { .depth = CKPT_LINKS };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc;

	pick.key.thread = at->thread;
	pick.key.blob = at->blob & CKPT_BLOB_THREAD;
	rc = ckpt_scan_open(&scan, f->store, &pick);
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0)
		rc = add_row(f, &c);
	ckpt_scan_close(scan);
	return rc;
}

/* Within rows[first…last) of one namespace. A BLOB that reads like a TEXT is another one. */
static struct row *find(struct finder *f, size_t first, size_t last, struct ckpt_view id)
{
	while (first < last) {
		size_t mid = first + (last - first) / 2;
		int cmp = ckpt_view_cmp(f->rows[mid].id, id);

		if (cmp == 0)
			return &f->rows[mid];
		if (cmp < 0)
			first = mid + 1;
		else
			last = mid;
	}
	return NULL;
}

static size_t end_of(const struct finder *f, size_t first)
{
	size_t last = first;

	while (last < f->n && ckpt_view_eq(f->rows[last].ns, f->rows[first].ns))
		last++;
	return last;
}

/* It and its ancestors; a ring ends where it began. */
static void take_line(struct finder *f, size_t first, size_t last, struct row *r)
{
	for (; r && !r->taken; r = r->parent.p ? find(f, first, last, r->parent) : NULL)
		r->taken = true;
}

/* Did it run in a step of a root checkpoint that is taken? The root's rows come first. */
static bool is_called(struct finder *f, size_t roots, struct ckpt_view meta)
{
	struct ckpt_buf id = { 0 };
	struct ckpt_view parents;
	const struct row *root = NULL;

	if (ckpt_value_member(&parents, CKPT_LIT("json"), meta, "parents") &&
			ckpt_meta_text(&id, parents, "") && !id.failed)
		root = find(f, 0, roots, ckpt_buf_view(&id));
	if (root && !f->step && ckpt_view_eq(root->id, f->at))
		root = NULL;
	ckpt_buf_free(&id);
	return root && root->taken;
}

static int take_called(struct finder *f, const struct ckpt_key *at, size_t roots,
		size_t first, size_t last)
{
	struct ckpt_pick pick = { .depth = CKPT_META };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc;

	pick.key = (struct ckpt_key){ .thread = at->thread,
		.ns = f->rows[first].ns,
		.blob = (at->blob & CKPT_BLOB_THREAD) |
		        (f->rows[first].blob & CKPT_BLOB_NS) };
	rc = ckpt_scan_open(&scan, f->store, &pick);
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0) {
		if (is_called(f, roots, c.meta))
			take_line(f, first, last, find(f, first, last, c.key.id));
	}
	ckpt_scan_close(scan);
	return rc;
}

static int collect(struct finder *f)
{
	struct copy_set *set = f->set;

	for (size_t i = 0; i < f->n; i++)
		set->n += f->rows[i].taken;
	set->v = arena_take(&set->arena, (set->n + 1) * sizeof(*set->v), f->store->err);
	if (!set->v)
		return f->store->err->code;
	set->n = 0;
	for (size_t i = 0; i < f->n; i++) {
		const struct row *r = &f->rows[i];

		if (r->taken)
			set->v[set->n++] = (struct copy_item){ r->ns, r->id, r->blob,
				f->step || r->ns.n || !ckpt_view_eq(r->id, f->at) };
	}
	return 0;
}

int copy_set_at(struct copy_set *out, struct ckpt_store *store, const struct ckpt_key *at,
		bool step)
{
	struct finder f = { .store = store, .set = out, .at = at->id, .step = step };
	size_t roots = 0;
	int rc;

	*out = (struct copy_set){ 0 };
	rc = read_rows(&f, at);
	if (rc >= 0 && f.n && !f.rows[0].ns.n)
		roots = end_of(&f, 0);
	if (rc >= 0)
		take_line(&f, 0, roots, find(&f, 0, roots, at->id));
	for (size_t i = roots, end; rc >= 0 && i < f.n; i = end) {
		end = end_of(&f, i);
		rc = take_called(&f, at, roots, i, end);
	}
	if (rc >= 0)
		rc = collect(&f);
	free(f.rows);
	return rc < 0 ? rc : 0;
}

void copy_set_free(struct copy_set *set)
{
	arena_free(&set->arena);
	*set = (struct copy_set){ 0 };
}
