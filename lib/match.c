/*
 * match.c - two stores merged by key: on each side a scan of the checkpoints with their writes
 * and one of the writes whose checkpoint is not there, then the blobs that nothing names.
 *
 * In memory are the two checkpoints at hand and the stray writes of one key. What is compared
 * and how is match_row.c.
 */
#include "match.h"
#include "subset.h"

struct stray { /* the writes of a checkpoint that is not there */
	struct ckpt_scan *scan;
	struct ckpt_checkpoint row;        /* the first of the next key */
	bool ahead;                        /* `row` holds one */
	const struct ckpt_match_how *only; /* … which say what is wanted; or NULL */
	struct arena arena;
	struct ckpt_key key;
	struct ckpt_write *writes;
	size_t n, cap;
	bool has;
};

struct side {
	struct ckpt_store *store;
	struct ckpt_scan *scan;
	struct subset *subset; /* in its place, where not all is wanted */
	struct ckpt_checkpoint c;
	bool has;              /* `c` holds one */
	bool used, stray_used; /* at the key at hand: to be stepped over */
	struct stray stray;
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

/* ---- stray writes ---------------------------------------------------------------------------- */

static int keep_write(struct stray *s, struct ckpt_error *err)
{
	const struct ckpt_write *from = &s->row.writes[0];
	struct ckpt_write *w;

	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 8;

		w = arena_take(&s->arena, cap * sizeof(*w), err);
		if (!w)
			return err->code;
		if (s->n)
			memcpy(w, s->writes, s->n * sizeof(*w));
		s->writes = w;
		s->cap = cap;
	}
	w = &s->writes[s->n++];
	*w = *from;
	w->task = arena_copy(&s->arena, from->task, err);
	w->path = arena_copy(&s->arena, from->path, err);
	w->channel = arena_copy(&s->arena, from->channel, err);
	if (from->type.p)
		w->type = arena_copy(&s->arena, from->type, err);
	if (from->body.p)
		w->body = arena_copy(&s->arena, from->body, err);
	return err->code;
}

/* The first write of a key that is wanted. */
static int find_stray(struct stray *s)
{
	int rc;

	do
		rc = ckpt_scan_next(s->scan, &s->row);
	while (rc > 0 && s->only && !s->only->wanted(s->only->arg, &s->row));
	s->ahead = rc > 0;
	return rc;
}

/* All stray writes of the next key. */
static int next_stray(struct stray *s, struct ckpt_error *err)
{
	int rc = 1;

	s->has = s->ahead;
	if (!s->ahead)
		return 0;
	arena_reset(&s->arena);
	s->writes = NULL;
	s->n = s->cap = 0;
	s->key = s->row.key;
	s->key.thread = arena_copy(&s->arena, s->key.thread, err);
	s->key.ns = arena_copy(&s->arena, s->key.ns, err);
	s->key.id = arena_copy(&s->arena, s->key.id, err);
	while (rc > 0 && !err->code && key_cmp(&s->key, &s->row.key) == 0) {
		if (keep_write(s, err) < 0)
			return err->code;
		rc = find_stray(s);
	}
	return rc < 0 ? rc : err->code;
}

/* ---- sides ----------------------------------------------------------------------------------- */

static int next_checkpoint(struct side *s)
{
	int rc = s->subset ? subset_next(s->subset, &s->c)
	                   : ckpt_scan_next(s->scan, &s->c);

	s->has = rc > 0;
	return rc < 0 ? rc : 0;
}

static int open_side(struct side *s, const struct ckpt_match_how *how, bool all)
{
	struct ckpt_pick pick = { .key.thread = how->thread,
		.key.blob = how->blob ? CKPT_BLOB_THREAD : 0,
		.depth = CKPT_VALUES,
		.writes = true };
	int rc = all ? ckpt_scan_open(&s->scan, s->store, &pick)
	             : subset_open(&s->subset, s->store, &pick, how->wanted, how->arg);

	s->stray.only = all ? NULL : how;
	pick.writes = false;
	pick.rows = CKPT_STRAY_WRITES;
	rc = rc < 0 ? rc : ckpt_scan_open(&s->stray.scan, s->store, &pick);
	rc = rc < 0 ? rc : next_checkpoint(s);
	if (rc >= 0)
		rc = find_stray(&s->stray);
	return rc < 0 ? rc : next_stray(&s->stray, s->store->err);
}

static void close_side(struct side *s)
{
	ckpt_scan_close(s->scan);
	subset_close(s->subset);
	ckpt_scan_close(s->stray.scan);
	arena_free(&s->stray.arena);
	s->scan = s->stray.scan = NULL;
	s->subset = NULL;
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
	m->work.err = a->err;
	rc = open_side(&m->a, &m->work.how, !how->wanted);
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
		rc = next_stray(&s->stray, s->store->err);
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
	rc = match_rows(&m->work, &a, &b);
	return rc < 0 ? rc : 1;
}

/* ---- stray blobs ----------------------------------------------------------------------------- */

/* Rows of type empty say that there is no value: as good as no row. */
static int next_blob(struct side *s)
{
	int rc;

	do
		rc = ckpt_scan_next(s->scan, &s->c);
	while (rc > 0 && ckpt_view_eq(s->c.values[0].type, CKPT_LIT("empty")));
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
	int d, rc = a->used ? next_blob(a) : 0;

	if (rc >= 0 && b->used)
		rc = next_blob(b);
	if (rc < 0 || (!a->has && !b->has))
		return rc;
	d = !a->has ? 1 : !b->has ? -1 : value_cmp(&a->c, &b->c);
	a->used = d <= 0;
	b->used = d >= 0;
	m->key = a->used ? a->c.key : b->c.key;
	m->key.id = (struct ckpt_view){ 0 };
	rc = match_blob(&m->work, a->used ? a->c.values : NULL,
			b->used ? b->c.values : NULL);
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
		if (rc == 0 && !m->blobs && !m->work.how.migrated) {
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
