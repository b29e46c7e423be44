/*
 * match.c - two stores merged by key: on each side a scan of the checkpoints with their writes
 * and one of the writes whose checkpoint is not there, then the blobs that nothing names.
 *
 * In memory are the two checkpoints at hand and the stray writes of one key. What is compared
 * and how is match_row.c.
 */
#include "match.h"
#include "strays.h"
#include "subset.h"

struct side {
	struct ckpt_store *store;
	struct ckpt_scan *scan;
	struct subset *subset; /* in its place, where not all is wanted */
	struct back *back;     /* turns what it gives; or NULL */
	struct ckpt_view lost; /* … why it could not */
	struct ckpt_checkpoint c;
	bool has;              /* `c` holds one */
	bool used, stray_used; /* at the key at hand: to be stepped over */
	struct strays stray;
};

struct ckpt_match {
	struct side a, b;
	struct match_work work;
	struct ckpt_key key;
	size_t given;
	bool blobs; /* the checkpoints are done */
};

/* ---- order ----------------------------------------------------------------------------------- */

static int part_cmp(const struct ckpt_key *a, const struct ckpt_key *b, unsigned part)
{
	const struct ckpt_view *x = &a->thread, *y = &b->thread;

	if ((a->blob ^ b->blob) & 1U << part) /* SQLite: text before bytes */
		return a->blob & 1U << part ? 1 : -1;
	x = part == 0 ? x : part == 1 ? &a->ns : &a->id;
	y = part == 0 ? y : part == 1 ? &b->ns : &b->id;
	return ckpt_view_cmp(*x, *y);
}

static int key_cmp(const struct ckpt_key *a, const struct ckpt_key *b)
{
	int d = part_cmp(a, b, 0);

	d = d ? d : part_cmp(a, b, 1);
	return d ? d : part_cmp(a, b, 2);
}

static int value_cmp(const struct ckpt_checkpoint *a, const struct ckpt_checkpoint *b)
{
	int d = key_cmp(&a->key, &b->key);

	d = d ? d : ckpt_view_cmp(a->values[0].channel, b->values[0].channel);
	return d ? d : ckpt_view_cmp(a->values[0].version, b->values[0].version);
}

/* ---- sides ----------------------------------------------------------------------------------- */

static int next_checkpoint(struct side *s)
{
	int rc = s->subset ? subset_next(s->subset, &s->c)
	                   : ckpt_scan_next(s->scan, &s->c);

	s->has = rc > 0;
	if (s->has && s->back)
		rc = back_turn(s->back, &s->c, &s->lost);
	return rc < 0 ? rc : 0;
}

static int open_side(struct side *s, const struct ckpt_match_how *how, bool all)
{
	struct ckpt_pick pick = { .key.thread = how->thread,
		.key.blob = how->blob ? CKPT_BLOB_THREAD : 0,
		.depth = CKPT_VALUES,
		.raw = how->exact,
		.writes = true };
	int rc = all ? ckpt_scan_open(&s->scan, s->store, &pick)
	             : subset_open(&s->subset, s->store, &pick, how->wanted, how->arg);

	s->stray.wanted = all ? NULL : how->wanted;
	s->stray.arg = how->arg;
	rc = rc < 0 ? rc : strays_open(&s->stray, s->store, &pick.key);
	rc = rc < 0 ? rc : next_checkpoint(s);
	return rc < 0 ? rc : strays_next(&s->stray);
}

static void close_side(struct side *s)
{
	ckpt_scan_close(s->scan);
	subset_close(s->subset);
	strays_close(&s->stray);
	back_close(s->back);
	s->scan = NULL;
	s->subset = NULL;
	s->back = NULL;
}

int ckpt_match_open(struct ckpt_match **out, struct ckpt_store *a, struct ckpt_store *b,
		const struct ckpt_match_how *how)
{
	struct ckpt_match *m;
	int rc;

	*out = NULL;
	if (store_ordered(a, a->err) < 0 || store_ordered(b, a->err) < 0)
		return a->err->code;
	m = calloc(1, sizeof(*m));
	if (m)
		m->work.canon = canon_new();
	if (!m || !m->work.canon) {
		ckpt_match_close(m);
		return ckpt_fail(a->err, CKPT_ENOMEM, "out of memory");
	}
	m->a.store = a;
	m->b.store = b;
	m->work.how = *how;
	m->work.back = how->exact && a->inlines != b->inlines;
	m->work.err = a->err;
	rc = m->work.back ? back_open(&m->b.back, b, a, a->err) : 0;
	rc = rc < 0 ? rc : open_side(&m->a, &m->work.how, !how->wanted);
	rc = rc < 0 ? rc : open_side(&m->b, &m->work.how, true);
	if (rc < 0)
		ckpt_match_close(m);
	else
		*out = m;
	return rc < 0 ? rc : 0;
}

void ckpt_match_close(struct ckpt_match *m)
{
	if (!m)
		return;
	close_side(&m->a);
	close_side(&m->b);
	canon_free(m->work.canon);
	arena_free(&m->work.arena);
	free(m->work.found);
	ckpt_buf_free(&m->work.details);
	ckpt_buf_free(&m->work.pointer);
	free(m);
}

const struct ckpt_match_counts *ckpt_match_counts(const struct ckpt_match *m)
{
	return &m->work.counts;
}

/* ---- the merge ------------------------------------------------------------------------------- */

static void least(const struct ckpt_key **least, bool has, const struct ckpt_key *key)
{
	if (has && (!*least || key_cmp(key, *least) < 0))
		*least = key;
}

/* What a side has at the key. */
static struct rows rows_at(struct side *s, const struct ckpt_key *key)
{
	struct rows r = { 0 };

	s->used = s->has && key_cmp(&s->c.key, key) == 0;
	s->stray_used = s->stray.has && key_cmp(&s->stray.key, key) == 0;
	if (s->used) {
		r.c = &s->c;
		r.writes = s->c.writes;
		r.nwrites = s->c.nwrites;
		r.lost = s->lost;
	} else if (s->stray_used) {
		r.writes = s->stray.writes;
		r.nwrites = s->stray.n;
	}
	return r;
}

static int step_over(struct side *s)
{
	int rc = s->used ? next_checkpoint(s) : 0;

	if (rc >= 0 && s->stray_used)
		rc = strays_next(&s->stray);
	s->used = s->stray_used = false;
	return rc;
}

/* The next key of the merge, compared: 1, or 0 at the end. */
static int next_key(struct ckpt_match *m)
{
	const struct ckpt_key *key = NULL;
	struct rows a, b;
	int rc = step_over(&m->a);

	rc = rc < 0 ? rc : step_over(&m->b);
	if (rc < 0)
		return rc;
	least(&key, m->a.has, &m->a.c.key);
	least(&key, m->b.has, &m->b.c.key);
	least(&key, m->a.stray.has, &m->a.stray.key);
	least(&key, m->b.stray.has, &m->b.stray.key);
	if (!key)
		return 0;
	m->key = *key;
	a = rows_at(&m->a, key);
	b = rows_at(&m->b, key);
	rc = m->work.how.exact ? match_exact_rows(&m->work, &a, &b)
	                       : match_rows(&m->work, &a, &b);
	return rc < 0 ? rc : 1;
}

/* ---- stray blobs ----------------------------------------------------------------------------- */

/* Rows of type empty say that there is no value: as good as no row, but for their bytes. */
static bool passes(const struct ckpt_match_how *how, const struct ckpt_checkpoint *c)
{
	return how->exact ? !how->wanted_blob(how->arg, c)
	                  : ckpt_view_eq(c->values[0].type, CKPT_LIT("empty"));
}

static int next_blob(struct side *s, const struct ckpt_match_how *how)
{
	int rc;

	do
		rc = ckpt_scan_next(s->scan, &s->c);
	while (rc > 0 && passes(how, &s->c));
	s->has = rc > 0;
	return rc < 0 ? rc : 0;
}

static int open_blobs(struct ckpt_match *m)
{
	struct ckpt_pick pick = { .key.thread = m->work.how.thread,
		.key.blob = m->work.how.blob ? CKPT_BLOB_THREAD : 0,
		.depth = CKPT_VALUES,
		.rows = CKPT_STRAY_BLOBS };
	int rc;

	m->blobs = true;
	close_side(&m->a);
	close_side(&m->b);
	rc = ckpt_scan_open(&m->a.scan, m->a.store, &pick);
	rc = rc < 0 ? rc : ckpt_scan_open(&m->b.scan, m->b.store, &pick);
	m->a.used = m->b.used = true;
	return rc;
}

static int next_blobs(struct ckpt_match *m)
{
	struct side *a = &m->a, *b = &m->b;
	int d, rc = a->used ? next_blob(a, &m->work.how) : 0;

	if (rc >= 0 && b->used)
		rc = next_blob(b, &m->work.how);
	if (rc < 0 || (!a->has && !b->has))
		return rc;
	d = !a->has ? 1 : !b->has ? -1 : value_cmp(&a->c, &b->c);
	a->used = d <= 0;
	b->used = d >= 0;
	m->key = a->used ? a->c.key : b->c.key;
	m->key.id = (struct ckpt_view){ 0 };
	rc = (m->work.how.exact ? match_exact_blob : match_blob)(&m->work,
			a->used ? a->c.values : NULL, b->used ? b->c.values : NULL);
	return rc < 0 ? rc : 1;
}

/* ---- differences ----------------------------------------------------------------------------- */

/* Go on until something differs: 1, or 0 at the end. */
static int refill(struct ckpt_match *m)
{
	int rc = 1;

	m->given = m->work.nfound = 0;
	while (rc > 0 && !m->work.nfound) {
		rc = m->blobs ? next_blobs(m) : next_key(m);
		if (rc == 0 && !m->blobs && !m->work.how.migrated &&
				(!m->work.how.exact || m->work.how.wanted_blob)) {
			rc = open_blobs(m);
			rc = rc < 0 ? rc : 1;
		}
	}
	return rc;
}

int ckpt_match_next(struct ckpt_match *m, struct ckpt_difference *out)
{
	const struct found *f;

	if (m->given == m->work.nfound) {
		int rc = refill(m);

		if (rc <= 0)
			return rc;
	}
	f = &m->work.found[m->given++];
	*out = (struct ckpt_difference){ .key = m->key,
		.table = f->table,
		.op = f->op,
		.detail = { m->work.details.p + f->at, f->n } };
	return 1;
}
