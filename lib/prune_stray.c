/*
 * prune_stray.c - rows that belong to no checkpoint, for --orphans: writes without their
 * checkpoint, blobs that no checkpoint names. Such rows may be ahead of a checkpoint that is being
 * written: what may still get one is left alone. drop_strays.c deletes them. And writes of that
 * kind in threads that go whole: they go with the thread, and so are counted and archived.
 */
#include <stdlib.h>
#include <string.h>

#include "prune.h"
#include "row.h"

struct head { /* the newest checkpoint of a namespace */
	struct ckpt_view ns, id;
	bool blob_ns, blob_id;
	struct ckpt_view most; /* digits of its greatest version, once asked for */
	bool asked;
};

struct stray {
	struct ckpt_prune *p;
	struct doomed *to;
	struct arena arena; /* of the thread at hand */
	struct ckpt_view thread;
	unsigned blob;
	struct head *heads;
	size_t nheads, cap;
	bool covered, quiet;   /* quiet: not written to a moment ago */
	bool emptied;          /* nothing of it stays */
	int64_t left;          /* … writes of no checkpoint that it has */
	struct ckpt_buf space; /* noted last */
	struct ckpt_buf id;    /* of a blob */
};

static int64_t ago(const struct ckpt_policy *policy, int64_t age)
{
	int64_t t;

	return __builtin_sub_overflow(policy->now, age, &t) ? CKPT_UNKNOWN : t;
}

/* ---- the thread at hand ----------------------------------------------------------------------- */

static int add_head(struct stray *s, const struct ckpt_key *key)
{
	const struct ckpt_policy *policy = &s->p->policy;
	int64_t time = ckpt_time_of_id(key->id);
	struct head *more;

	if (s->nheads == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 16;
		more = realloc(s->heads, s->cap * sizeof(*more));
		if (!more)
			return ckpt_fail(s->p->err, CKPT_ENOMEM, "out of memory");
		s->heads = more;
	}
	s->heads[s->nheads++] =
			(struct head){ .ns = arena_copy(&s->arena, key->ns, s->p->err),
				.id = arena_copy(&s->arena, key->id, s->p->err),
				.blob_ns = key->blob & CKPT_BLOB_NS,
				.blob_id = key->blob & CKPT_BLOB_ID };
	if (policy->active_within &&
			(time == CKPT_UNKNOWN ||
					time > ago(policy, policy->active_within)))
		s->quiet = false;
	return s->p->err->code;
}

/* The thread is done: how many writes go with it. */
static int note_left(struct stray *s)
{
	const struct doomed_space space = {
		.key = { .thread = s->thread, .ns = CKPT_LIT(""), .blob = s->blob },
		.newest = CKPT_LIT("")
	};
	int64_t n = s->left;

	s->left = 0;
	if (!n || doomed_space(s->p->left, &space) < 0)
		return s->p->err->code;
	return doomed_add(s->p->left, CKPT_LIT(""), false, -1, n);
}

static int turn(struct stray *s, const struct ckpt_key *key)
{
	struct ckpt_prune *p = s->p;
	const struct ckpt_prune_scope *scope = p->scope;
	struct ckpt_pick pick = { .depth = CKPT_HEADS };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc;

	if (s->thread.p && ckpt_view_eq(s->thread, key->thread) &&
			s->blob == (key->blob & CKPT_BLOB_THREAD))
		return 0;
	if (note_left(s) < 0)
		return p->err->code;
	arena_reset(&s->arena);
	s->thread = arena_copy(&s->arena, key->thread, p->err);
	s->blob = key->blob & CKPT_BLOB_THREAD;
	s->nheads = 0;
	s->quiet = true;
	s->emptied = false;
	if (p->policy.whole || p->policy.lose_newest) {
		int gone = prune_empties(p, key);

		if (gone < 0)
			return gone;
		s->emptied = gone > 0;
	}
	s->covered = p->policy.orphans && prune_covers(p, key->thread) &&
	             !(scope->keep_thread && scope->keep_thread(scope->arg, key->thread));
	if (p->err->code || !s->covered)
		return p->err->code;
	pick.key.thread = s->thread;
	pick.key.blob = s->blob;
	rc = ckpt_scan_open(&scan, p->store, &pick);
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0)
		rc = add_head(s, &c.key);
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

static struct head *head_of(const struct stray *s, const struct ckpt_key *key)
{
	for (size_t i = 0; i < s->nheads; i++) {
		if (ckpt_view_eq(s->heads[i].ns, key->ns) &&
				s->heads[i].blob_ns == !!(key->blob & CKPT_BLOB_NS))
			return &s->heads[i];
	}
	return NULL;
}

static bool is_selected(const struct stray *s, const struct ckpt_checkpoint *c)
{
	const struct ckpt_prune_scope *scope = s->p->scope;

	return s->covered && s->quiet &&
	       (!scope->look || scope->look(scope->arg, c) & CKPT_LOOK_SELECTED);
}

/* ---- which go ----------------------------------------------------------------------------------- */

/* Does its namespace go? Then, as once it is gone, nobody is there to come. */
static int head_goes(
		const struct stray *s, const struct ckpt_key *key, const struct head *h)
{
	struct ckpt_key newest = *key;

	newest.id = h->id;
	newest.blob &= ~(unsigned)CKPT_BLOB_ID;
	newest.blob |= h->blob_id ? CKPT_BLOB_ID : 0u;
	return prune_goes(s->p, &newest);
}

/* Its checkpoint may come yet if it would be the newest, or is young. */
static int write_goes(const struct stray *s, const struct ckpt_key *key)
{
	const struct ckpt_policy *policy = &s->p->policy;
	int64_t time = ckpt_time_of_id(key->id);
	const struct head *h = head_of(s, key);
	int rc;

	if (h && ckpt_view_cmp(key->id, h->id) > 0) {
		rc = head_goes(s, key, h);
		if (rc <= 0)
			return rc;
		h = NULL;
	}
	if (time == CKPT_UNKNOWN)
		return h && !policy->min_age;
	return time <= ago(policy, policy->min_age);
}

/* The whole number a version begins with, without zeros in front; NULL: it begins with none. */
static struct ckpt_view leading(struct ckpt_view version)
{
	const char *p = version.p;
	size_t from = 0, n;

	for (n = 0; n < version.n && p[n] >= '0' && p[n] <= '9'; n++)
		;
	if (!n)
		return (struct ckpt_view){ NULL, 0 };
	while (from + 1 < n && p[from] == '0')
		from++;
	return (struct ckpt_view){ p + from, n - from };
}

static int number_cmp(struct ckpt_view a, struct ckpt_view b)
{
	return a.n != b.n ? (a.n < b.n ? -1 : 1) : ckpt_view_cmp(a, b);
}

static int ask_head(struct stray *s, struct head *h)
{
	struct ckpt_pick pick = { .key = { s->thread, h->ns, h->id, s->blob },
		.depth = CKPT_VALUES,
		.apart = true };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc;

	h->asked = true;
	pick.key.blob |= h->blob_ns ? CKPT_BLOB_NS : 0;
	rc = ckpt_scan_one(&scan, s->p->store, &pick, &c);
	for (size_t i = 0; rc > 0 && i < c.nvalues; i++) {
		struct ckpt_view n = leading(row_version(c.values[i].version));

		if (n.p && (!h->most.p || number_cmp(n, h->most) > 0))
			h->most = arena_copy(&s->arena, n, s->p->err);
	}
	ckpt_scan_close(scan);
	return rc < 0 ? rc : s->p->err->code;
}

/* 1: no checkpoint that is on its way can name it. */
static int blob_goes(
		struct stray *s, const struct ckpt_key *key, const struct ckpt_value *v)
{
	struct head *h = head_of(s, key);
	struct ckpt_view n = leading(row_version(v->version));

	if (!h || !n.p)
		return 0;
	if (!h->asked && ask_head(s, h) < 0)
		return s->p->err->code;
	return h->most.p && number_cmp(n, h->most) <= 0;
}

/* ---- noting ------------------------------------------------------------------------------------- */

static int note(struct stray *s, const struct ckpt_key *key, struct ckpt_view id)
{
	const struct doomed_space space = { .key = *key, .newest = CKPT_LIT("") };
	struct ckpt_buf name = { 0 };
	int rc = 0;

	ckpt_buf_add(&name, &key->blob, sizeof(key->blob));
	ckpt_buf_add(&name, &key->thread.n, sizeof(key->thread.n));
	ckpt_buf_add(&name, key->thread.p, key->thread.n);
	ckpt_buf_add(&name, key->ns.p, key->ns.n);
	if (name.failed)
		rc = ckpt_fail(s->p->err, CKPT_ENOMEM, "out of memory");
	else if (!ckpt_view_eq(ckpt_buf_view(&name), ckpt_buf_view(&s->space)))
		rc = doomed_space(s->to, &space);
	ckpt_buf_free(&s->space);
	s->space = name;
	return rc < 0 ? rc : doomed_add(s->to, id, key->blob & CKPT_BLOB_ID, -1, 0);
}

static int take_write(struct stray *s, const struct ckpt_checkpoint *c)
{
	struct ckpt_prune *p = s->p;
	int stray = is_selected(s, c) ? write_goes(s, &c->key) : 0;
	struct doomed *to = stray ? p->stray_writes : p->left_writes;

	if (stray < 0 || (!stray && !s->emptied))
		return stray;
	if (s->to != to) /* which has to be told the namespace, too */
		s->space.n = 0;
	s->to = to;
	s->left += s->emptied;
	p->sum.stray_writes += stray;
	p->sum.writes++;
	p->sum.bytes += c->writes_size;
	return prune_hash(p, 'w', &c->key) < 0 ? p->err->code
	                                       : note(s, &c->key, c->key.id);
}

static int take_blob(struct stray *s, const struct ckpt_checkpoint *c)
{
	struct ckpt_prune *p = s->p;
	const struct ckpt_value *v = &c->values[0];
	struct ckpt_key key = c->key;
	int rc = blob_goes(s, &key, v), counted;

	if (rc <= 0)
		return rc;
	counted = prune_loses(p, &key);
	if (counted < 0)
		return counted;
	p->sum.stray_blobs++;
	if (!counted) { /* as one that nothing kept names */
		p->sum.blobs++;
		p->sum.bytes += c->blobs_all;
	}
	prune_blob_id(&s->id, v);
	if (s->id.failed)
		return ckpt_fail(p->err, CKPT_ENOMEM, "out of memory");
	key.id = ckpt_buf_view(&s->id);
	return prune_hash(p, 'b', &key) < 0 ? p->err->code : note(s, &key, key.id);
}

static int scan(struct stray *s, enum ckpt_rows rows, const struct ckpt_key *thread)
{
	struct ckpt_pick pick = { .rows = rows, .depth = CKPT_LINKS, .sizes = true };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc;

	if (thread)
		pick.key = *thread;
	s->space.n = 0;
	rc = ckpt_scan_open(&scan, s->p->store, &pick);
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0) {
		rc = turn(s, &c.key);
		if (rc >= 0 && rows == CKPT_STRAY_WRITES)
			rc = take_write(s, &c);
		else if (rc >= 0 && !s->emptied && is_selected(s, &c))
			rc = take_blob(s, &c); /* those of a whole thread go with it */
	}
	ckpt_scan_close(scan);
	rc = rc < 0 ? rc : note_left(s);
	return rc < 0 ? rc : 0;
}

/* Of named threads only their rows are looked at. */
static int scan_left(struct stray *s)
{
	const struct ckpt_prune_scope *scope = s->p->scope;
	struct ckpt_key *keys;
	int rc;

	if (!scope->nthreads)
		return scope->nothing ? 0 : scan(s, CKPT_STRAY_WRITES, NULL);
	rc = prune_named(&keys, s->p);
	for (size_t i = 0; i < scope->nthreads && rc == 0; i++)
		rc = scan(s, CKPT_STRAY_WRITES, &keys[i]);
	free(keys);
	return rc;
}

/* ---- … with a thread ------------------------------------------------------------------------------ */

struct merge { /* of what goes with the numbers in `left`; both are in the order of threads */
	struct ckpt_prune *p;
	struct doomed *to;
	struct doomed_item item, left;
	int more;
	int64_t mark; /* the namespace that was told last */
};

static int thread_cmp(const struct ckpt_key *a, const struct ckpt_key *b)
{
	const struct ckpt_key x = { .thread = a->thread,
		.blob = a->blob & CKPT_BLOB_THREAD };
	const struct ckpt_key y = { .thread = b->thread,
		.blob = b->blob & CKPT_BLOB_THREAD };

	return prune_key_cmp(&x, &y);
}

static int merge_one(struct merge *m)
{
	const struct doomed_item *item = &m->item;
	struct doomed_space space = *item->space;
	int64_t mark = doomed_here(m->p->doomed).space;

	while (m->more > 0 && thread_cmp(&m->left.key, &space.key) < 0)
		m->more = doomed_next(m->p->left, &m->left);
	if (m->more < 0)
		return m->more;
	if (space.whole_thread)
		space.strays = m->more && !thread_cmp(&m->left.key, &space.key)
		                               ? m->left.writes
		                               : 0;
	if (mark != m->mark && doomed_space(m->to, &space) < 0)
		return m->p->err->code;
	m->mark = mark;
	return doomed_add(m->to, item->key.id, item->key.blob & CKPT_BLOB_ID, item->row,
			item->writes);
}

/* The list of what goes is written anew with them: they were found only when it was there. */
static int tell_left(struct ckpt_prune *p)
{
	struct merge m = { .p = p, .mark = -1 };
	int rc = doomed_new(&m.to, p->err);

	if (rc >= 0 && (rc = doomed_rewind(p->doomed)) >= 0)
		rc = doomed_rewind(p->left);
	if (rc >= 0)
		rc = m.more = doomed_next(p->left, &m.left);
	while (rc >= 0 && (rc = doomed_next(p->doomed, &m.item)) > 0)
		rc = merge_one(&m);
	if (rc < 0) {
		doomed_free(m.to);
		return rc;
	}
	doomed_free(p->doomed);
	p->doomed = m.to;
	prune_list_free(p->lists[0]); /* it stood in the other one */
	p->lists[0] = NULL;
	return 0;
}

int prune_strays(struct ckpt_prune *p)
{
	struct stray s = { .p = p };
	bool orphans = p->policy.orphans;
	int rc = doomed_new(&p->stray_writes, p->err);

	rc = rc < 0 ? rc : doomed_new(&p->stray_blobs, p->err);
	rc = rc < 0 ? rc : doomed_new(&p->left_writes, p->err);
	rc = rc < 0 ? rc : doomed_new(&p->left, p->err);
	if (rc >= 0)
		rc = orphans ? scan(&s, CKPT_STRAY_WRITES, NULL) : scan_left(&s);
	s.to = p->stray_blobs;
	if (rc >= 0 && orphans && p->store->has_blobs)
		rc = scan(&s, CKPT_STRAY_BLOBS, NULL);
	arena_free(&s.arena);
	if (rc >= 0 && doomed_count(p->left))
		rc = tell_left(p);
	free(s.heads);
	ckpt_buf_free(&s.space);
	ckpt_buf_free(&s.id);
	return rc;
}
