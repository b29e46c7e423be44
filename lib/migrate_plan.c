/*
 * migrate_plan.c - what a target that is not empty has already: of each thread of the source
 * nothing, all of it, or some keys not. Value against value, so that a run that was interrupted
 * and one that comes back for what is new are the same thing.
 */
#include "migrate.h"

static int grow(void **list, size_t *cap, size_t n, size_t each, struct ckpt_error *err)
{
	size_t more = *cap ? *cap * 2 : 64;
	void *p;

	if (n < *cap)
		return 0;
	p = realloc(*list, more * each);
	if (!p)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	*list = p;
	*cap = more;
	return 0;
}

void migrate_plan_free(struct plan *p)
{
	arena_free(&p->arena);
	free(p->threads);
	free(p->keys);
	free(p->replace);
	free(p->rejected);
	*p = (struct plan){ 0 };
}

void plan_forget(struct plan *p)
{
	p->nthreads = p->nkeys = 0;
}

/* Bytes of another kind are another part, and come later, as in SQLite. */
static int part_cmp(struct ckpt_view a, bool a_blob, struct ckpt_view b, bool b_blob)
{
	return a_blob != b_blob ? a_blob - b_blob : ckpt_view_cmp(a, b);
}

static int key_cmp(const struct ckpt_key *a, const struct ckpt_key *b)
{
	int d = part_cmp(a->ns, a->blob & CKPT_BLOB_NS, b->ns, b->blob & CKPT_BLOB_NS);

	return d ? d
	         : part_cmp(a->id, a->blob & CKPT_BLOB_ID, b->id, b->blob & CKPT_BLOB_ID);
}

static int thread_cmp(const struct ckpt_key *a, const struct ckpt_key *b)
{
	return part_cmp(a->thread, a->blob & CKPT_BLOB_THREAD, b->thread,
			b->blob & CKPT_BLOB_THREAD);
}

const struct planned *plan_thread(const struct plan *p, const struct ckpt_key *key)
{
	size_t low = 0, high = p->nthreads;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int d = thread_cmp(key, &p->threads[mid].thread);

		if (d == 0)
			return &p->threads[mid];
		if (d < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

bool plan_key(const struct plan *p, const struct planned *t, const struct ckpt_key *key,
		bool *replace)
{
	size_t low = t->first, high = t->first + t->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int d = key_cmp(key, &p->keys[mid]);

		if (d == 0) {
			*replace = p->replace[mid];
			return true;
		}
		if (d < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return false;
}

static int whole_cmp(const void *a, const void *b)
{
	int d = thread_cmp(a, b);

	return d ? d : key_cmp(a, b);
}

int plan_reject(struct migrate *m, const struct ckpt_key *key)
{
	struct plan *p = &m->plan;

	if (grow((void **)&p->rejected, &p->caprejected, p->nrejected,
			    sizeof(*p->rejected), m->err) < 0)
		return m->err->code;
	p->rejected[p->nrejected++] =
			(struct ckpt_key){ arena_copy(&p->arena, key->thread, m->err),
				arena_copy(&p->arena, key->ns, m->err),
				arena_copy(&p->arena, key->id, m->err), key->blob };
	return m->err->code;
}

bool plan_rejected(const struct migrate *m, const struct ckpt_key *key)
{
	const struct plan *p = &m->plan;

	return key->id.p && p->nrejected &&
	       bsearch(key, p->rejected, p->nrejected, sizeof(*p->rejected), whole_cmp);
}

int64_t plan_rejects(const struct migrate *m, const struct ckpt_key *ns)
{
	const struct plan *p = &m->plan;
	int64_t n = 0;

	for (size_t i = 0; i < p->nrejected; i++)
		n += thread_cmp(&p->rejected[i], ns) == 0 &&
		     ckpt_view_eq(p->rejected[i].ns, ns->ns);
	return n;
}

/* ---- making it --------------------------------------------------------------------------------- */

static int add_key(struct migrate *m, struct planned *t, const struct ckpt_key *key,
		bool replace)
{
	struct plan *p = &m->plan;
	size_t cap = p->capkeys;
	struct ckpt_key *k;

	if (t->n && key_cmp(&p->keys[p->nkeys - 1], key) == 0) {
		p->replace[p->nkeys - 1] |= replace;
		return 0;
	}
	if (grow((void **)&p->keys, &p->capkeys, p->nkeys, sizeof(*p->keys), m->err) <
					0 ||
			grow((void **)&p->replace, &cap, p->nkeys, sizeof(*p->replace),
					m->err) < 0)
		return m->err->code;
	k = &p->keys[p->nkeys];
	*k = (struct ckpt_key){ t->thread.thread, arena_copy(&p->arena, key->ns, m->err),
		arena_copy(&p->arena, key->id, m->err), key->blob };
	p->replace[p->nkeys++] = replace;
	t->n++;
	return m->err->code;
}

static int differs(struct migrate *m, const struct ckpt_difference *d)
{
	char thread[200], id[200], detail[200];

	ckpt_fail(m->err, CKPT_ECORRUPT,
			"checkpoint '%s' of thread '%s' is in the target with other "
			"contents: "
			"%s",
			ckpt_show_name(id, d->key.id),
			ckpt_show_name(thread, d->key.thread),
			ckpt_show_name(detail, d->detail));
	ckpt_hint(m->err, "--on-conflict skip leaves the target's rows as they are, "
			  "overwrite "
			  "puts the source's in their place; ckpt diff --against shows "
			  "all");
	return m->err->code;
}

/* What the target lacks of one thread that it has something of. */
static int compare_thread(struct migrate *m, struct ckpt_store *target, struct planned *t)
{
	const struct ckpt_match_how how = { .thread = t->thread.thread,
		.blob = t->thread.blob & CKPT_BLOB_THREAD,
		.wanted = m->how->by_key ? m->how->wanted : NULL,
		.arg = m->how->arg,
		.migrated = true };
	enum ckpt_conflict policy = m->how->on_conflict;
	struct ckpt_difference d;
	struct ckpt_match *match;
	int rc = ckpt_match_open(&match, m->source, target, &how);

	while (rc >= 0 && (rc = ckpt_match_next(match, &d)) > 0) {
		bool there = d.op == CKPT_DIFFERS || d.table == CKPT_IN_VALUES;

		if (d.op == CKPT_ONLY_B || !d.key.id.p)
			continue;
		if (there && policy == CKPT_CONFLICT_ERROR)
			rc = differs(m, &d);
		else if (!there || policy == CKPT_CONFLICT_OVERWRITE)
			rc = add_key(m, t, &d.key, there);
	}
	ckpt_match_close(match);
	return rc;
}

static int add_thread(
		struct migrate *m, struct ckpt_store *target, const struct ckpt_key *key)
{
	struct plan *p = &m->plan;
	struct planned *t;

	if (grow((void **)&p->threads, &p->capthreads, p->nthreads, sizeof(*p->threads),
			    m->err) < 0)
		return m->err->code;
	t = &p->threads[p->nthreads++];
	*t = (struct planned){ .first = p->nkeys };
	t->thread.thread = arena_copy(&p->arena, key->thread, m->err);
	t->thread.blob = key->blob & CKPT_BLOB_THREAD;
	return m->err->code ? m->err->code : compare_thread(m, target, t);
}

/* Anything at all: writes may have been left behind by a clean-up. */
static int has_thread(struct ckpt_store *s, const struct ckpt_key *key)
{
	static const enum ckpt_rows kinds[] = { CKPT_WHOLE, CKPT_WRITE_ROWS,
		CKPT_BLOB_ROWS };
	struct ckpt_scan *scan;
	struct ckpt_checkpoint c;
	int rc = 0;

	for (size_t i = 0; i < 3 && rc == 0; i++) {
		const struct ckpt_pick pick = {
			.key = { .thread = key->thread,
					.blob = key->blob & CKPT_BLOB_THREAD },
			.depth = CKPT_KEYS,
			.rows = kinds[i],
			.limit = 1,
		};

		rc = ckpt_scan_one(&scan, s, &pick, &c);
		ckpt_scan_close(scan);
	}
	return rc;
}

int plan_make(struct migrate *m, struct ckpt_store *target)
{
	const struct ckpt_pick pick = { .depth = CKPT_SPANS };
	struct ckpt_key last = { 0 };
	struct arena arena = { 0 };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc = ckpt_scan_open(&scan, m->source, &pick);

	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0) {
		if (last.thread.p && thread_cmp(&last, &c.key) == 0)
			continue;
		arena_reset(&arena);
		last.thread = arena_copy(&arena, c.key.thread, m->err);
		last.blob = c.key.blob & CKPT_BLOB_THREAD;
		rc = m->err->code ? m->err->code : has_thread(target, &last);
		if (rc > 0)
			rc = add_thread(m, target, &last);
	}
	ckpt_scan_close(scan);
	arena_free(&arena);
	return rc;
}
