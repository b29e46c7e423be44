/*
 * prune.c - a plan for a whole store: one thread after the other is read, ranked, closed, told and
 * noted, so that no more than one is in memory. What goes is kept as a list of keys.
 */
#include <stdlib.h>
#include <string.h>

#include "prune.h"
#include "sql.h"

#define MICROSECOND INT64_C(1000)

/* ---- the clock and the name of a plan ------------------------------------------------------------- */

/* Ages are the server's to tell where there is one. */
static int64_t store_now(struct ckpt_store *store)
{
	static const char sql[] = "SELECT floor(extract(epoch FROM clock_timestamp()) * "
				  "1000000)::int8";
	struct cursor *cur;
	struct cell cell;
	int64_t now = ckpt_now();

	if (store->backend != &postgres_backend ||
			sql_query(&cur, sql_of(store), sql, NULL, 0) < 0)
		return now;
	if (sql_next(cur, &cell, 1) > 0 && cell.kind == CELL_INT)
		now = cell.i * MICROSECOND;
	sql_done(cur);
	return now;
}

static void put_id(struct ckpt_prune *p)
{
	char time[40], plain[24];
	size_t n = 0;

	/* 2026-11-20T22:19:00.5Z, without what only people need */
	ckpt_time_print(time, p->policy.now);
	for (const char *s = time; *s && n + 1 < sizeof(plain); s++) {
		if (*s != '-' && *s != ':')
			plain[n++] = *s;
	}
	plain[n] = '\0';
	snprintf(p->sum.id, sizeof(p->sum.id), "%s-%016llx", plain,
			(unsigned long long)p->hash);
}

bool ckpt_prune_time(int64_t *out, const char *id)
{
	struct ckpt_buf text = { 0 };
	size_t n = strcspn(id, "Z"); /* 15, or more with a fraction of the second */
	bool good = n >= 15 && n <= 22 && strlen(id) == n + 18 && id[8] == 'T' &&
	            (n == 15 || id[15] == '.') && id[n + 1] == '-' &&
	            strspn(id + n + 2, "0123456789abcdef") == 16;

	if (good)
		ckpt_buf_addf(&text, "%.4s-%.2s-%.2sT%.2s:%.2s:%.*sZ", id, id + 4, id + 6,
				id + 9, id + 11, (int)n - 13, id + 13);
	good = good && !text.failed && ckpt_time_parse(out, ckpt_buf_view(&text), 0);
	ckpt_buf_free(&text);
	return good;
}

/* ---- what becomes of a thread ---------------------------------------------------------------------- */

static bool is_other(const struct plan_fact *f)
{
	return f->why & UINT32_C(1) << CKPT_WHY_OTHER;
}

static int tell_item(struct ckpt_prune *p, size_t at)
{
	const struct plan_fact *f = &p->t.plan.facts[at];
	const struct ckpt_prune_item item = { .key = fact_key(&p->t, at),
		.time = f->time,
		.drop = !f->why,
		.why = f->why,
		.bytes = f->bytes };
	int rc;

	if (!p->scope->item || is_other(f))
		return 0;
	rc = p->scope->item(p->scope->to, &item);
	return rc < 0 ? rc : 0;
}

static int note(struct ckpt_prune *p, struct doomed *to, size_t at)
{
	const struct fact *f = &p->t.facts[at];
	struct ckpt_key key = fact_key(&p->t, at);

	if (to == p->doomed && prune_hash(p, 'c', &key) < 0)
		return p->err->code;
	return doomed_add(to, f->id, f->blob, f->row, f->writes);
}

/* What becomes of a call, and of a thread that goes whole, hangs on the root's checkpoints. */
static void note_root(const struct thread *t, const struct plan_space *s,
		struct doomed_space *out)
{
	const struct fact *newest = &t->facts[t->plan.spaces[0].newest];

	if (s->caller != SIZE_MAX) {
		out->caller = t->facts[s->caller].id;
		out->caller_blob = t->facts[s->caller].blob;
	}
	if (s->ns.n && !t->keys[0].ns.n && (s->caller != SIZE_MAX || t->plan.emptied)) {
		out->root_newest = newest->id;
		out->root_newest_blob = newest->blob;
	}
}

/* Whoever asks for threads gets all they have; where only their checkpoints were chosen, what belongs
 * to none stays. */
bool prune_goes_whole(const struct ckpt_prune *p)
{
	return p->t.plan.emptied && (p->policy.whole || p->policy.lose_newest);
}

/* A namespace into the lists of what goes and what stays. */
static int note_space(struct ckpt_prune *p, size_t at, const struct ckpt_prune_space *sum)
{
	const struct thread *t = &p->t;
	const struct plan_space *s = &t->plan.spaces[at];
	struct doomed_space space = { .key = t->keys[at],
		.newest = t->facts[s->newest].id,
		.newest_blob = t->facts[s->newest].blob,
		.whole = sum->drop == (int64_t)s->count,
		.count = (int64_t)s->count,
		.ends_thread = t->plan.emptied,
		.whole_thread = prune_goes_whole(p),
		.chains = prune_chains(p, at) };
	int rc;

	note_root(t, s, &space);
	rc = sum->drop ? doomed_space(p->doomed, &space) : 0;
	if (rc >= 0 && p->kept && sum->keep)
		rc = doomed_space(p->kept, &space);
	for (size_t i = s->first; i < s->first + s->count && rc >= 0; i++) {
		const struct plan_fact *f = &t->plan.facts[i];

		if (!f->why)
			rc = note(p, p->doomed, i);
		else if (p->kept && !is_other(f))
			rc = note(p, p->kept, i);
	}
	return rc < 0 ? rc : 0;
}

static int tell_space(struct ckpt_prune *p, size_t at)
{
	const struct thread *t = &p->t;
	const struct plan_space *s = &t->plan.spaces[at];
	struct ckpt_prune_space sum = { .key = t->keys[at] };
	int rc = 0;

	for (size_t i = s->first; i < s->first + s->count; i++) {
		const struct plan_fact *f = &t->plan.facts[i];

		if (!f->why) {
			sum.drop++;
			sum.bytes += t->facts[i].own;
			p->sum.writes += t->facts[i].writes;
		} else if (!is_other(f)) {
			sum.keep++;
			p->sum.only_heads +=
					i != s->newest && f->why == 1U << CKPT_WHY_HEAD;
		}
		for (size_t k = 0; k < CKPT_WHYS; k++)
			sum.why[k] += f->why >> k & 1;
	}
	sum.bytes += t->spaces[at].blob_bytes;
	p->sum.blobs += t->spaces[at].blobs;
	p->sum.checkpoints += sum.drop;
	p->sum.kept += sum.keep;
	p->sum.bytes += sum.bytes;
	if ((sum.keep || sum.drop) && p->scope->space)
		rc = p->scope->space(p->scope->to, &sum);
	for (size_t i = s->first; i < s->first + s->count && rc >= 0; i++)
		rc = tell_item(p, i);
	return rc < 0 ? rc : note_space(p, at, &sum);
}

/* Without a plan to repeat, what is newer than the clock lies in the future. */
static void name_future(struct ckpt_prune *p)
{
	const uint32_t newer = UINT32_C(1) << CKPT_WHY_NEWER;

	for (size_t i = 0; i < p->t.plan.nfacts && p->future; i++) {
		uint32_t *why = &p->t.plan.facts[i].why;

		if (*why & newer)
			*why = (*why & ~newer) | UINT32_C(1) << CKPT_WHY_FUTURE;
	}
}

static bool in_shard(const struct ckpt_prune *p, struct ckpt_view thread)
{
	uint64_t n = (uint64_t)p->scope->shards;

	return !n || ckpt_hash(thread) % n == (uint64_t)p->scope->shard - 1;
}

static int take_blobs(struct ckpt_prune *p)
{
	const struct thread *t = &p->t;
	int rc = t->key.thread.p ? prune_blobs_take(p) : 0;

	for (size_t i = 0; i < t->nrows && rc == 0 && in_shard(p, t->key.thread); i++)
		p->sum.all_bytes += t->rows[i].bytes;
	return rc;
}

/* The thread is read: plan it. */
static int plan_thread(struct ckpt_prune *p)
{
	struct plan *plan = &p->t.plan;
	int rc = take_blobs(p);

	if (rc < 0 || !plan->nfacts)
		return rc;
	p->sum.all_threads++;
	p->sum.all_checkpoints += (int64_t)plan->nfacts;
	if (!p->t.selected)
		return 0;
	rc = prune_thread_ready(p);
	rc = rc < 0 ? rc : plan_rank(plan);
	/* rows whose order says nothing about their age */
	for (size_t i = 0; i < plan->nspaces && rc >= 0 && !p->policy.whole; i++) {
		if (p->t.spaces[i].mixed)
			plan_keep_all(plan, CKPT_WHY_UNDECODABLE);
	}
	rc = rc < 0 ? rc : prune_close(p);
	if (rc >= 0)
		prune_count_blobs(p);
	name_future(p);
	for (size_t i = 0; i < plan->nspaces && rc >= 0; i++)
		rc = tell_space(p, i);
	p->sum.threads_emptied += plan->emptied;
	p->sum.threads_skipped += plan->active;
	return rc;
}

/* ---- the threads ----------------------------------------------------------------------------------- */

static bool is_covered(const struct ckpt_prune *p, struct ckpt_view thread)
{
	return !p->scope->thread || p->scope->thread(p->scope->arg, thread);
}

static int by_view(const void *a, const void *b)
{
	return ckpt_view_cmp(*(const struct ckpt_view *)a, *(const struct ckpt_view *)b);
}

bool prune_covers(const struct ckpt_prune *p, struct ckpt_view thread)
{
	const struct ckpt_prune_scope *s = p->scope;

	return !s->nothing && in_shard(p, thread) && is_covered(p, thread) &&
	       (!s->nthreads || bsearch(&thread, s->threads, s->nthreads,
						sizeof(*s->threads), by_view));
}

struct walk { /* through a scan, from thread to thread */
	struct ckpt_prune *p;
	struct ckpt_buf name; /* of the thread at hand */
	unsigned blob;
	bool any, shard, covered;
	int64_t done;
};

static int turn(struct walk *w, const struct ckpt_key *key)
{
	w->any = true;
	w->name.n = 0;
	ckpt_buf_add(&w->name, key->thread.p, key->thread.n);
	w->blob = key->blob & CKPT_BLOB_THREAD;
	if (w->name.failed)
		return ckpt_fail(w->p->err, CKPT_ENOMEM, "out of memory");
	w->shard = in_shard(w->p, key->thread);
	w->covered = w->shard && is_covered(w->p, key->thread);
	if (w->shard && !w->covered)
		w->p->sum.all_threads++;
	return prune_thread_start(w->p, key);
}

static int visit(struct walk *w, const struct ckpt_checkpoint *c)
{
	struct ckpt_prune *p = w->p;

	if (!w->any || !ckpt_view_eq(ckpt_buf_view(&w->name), c->key.thread) ||
			w->blob != (c->key.blob & CKPT_BLOB_THREAD)) {
		if (plan_thread(p) < 0 || turn(w, &c->key) < 0)
			return p->err->code ? p->err->code : CKPT_EINTERNAL;
	}
	if (p->scope->progress)
		p->scope->progress(p->scope->to, ++w->done);
	if (w->shard)
		p->sum.all_bytes += c->size + c->meta_size + c->writes_size;
	if (!w->covered) {
		p->sum.all_checkpoints += w->shard;
		return 0;
	}
	return prune_thread_add(p, c);
}

static int scan_threads(struct walk *w, const struct ckpt_key *key)
{
	struct ckpt_prune *p = w->p;
	struct ckpt_pick pick = { .depth = p->scope->meta ? CKPT_META : CKPT_LINKS,
		.writes = true,
		.sizes = true,
		.stored_sizes = !p->scope->unpacked,
		.own_sizes = !p->scope->item,
		.terse = true,
		.locate = true };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc;

	if (key)
		pick.key = *key;
	rc = ckpt_scan_open(&scan, p->store, &pick);
	rc = rc < 0 ? rc : prune_blobs_open(p, key);
	if (rc >= 0 && !key)
		rc = prune_heads_open(p);
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0)
		rc = visit(w, &c);
	ckpt_scan_close(scan);
	rc = rc < 0 ? rc : plan_thread(p);
	prune_thread_free(&p->t); /* it is done */
	p->t = (struct thread){ 0 };
	prune_blobs_close(p);
	prune_heads_close(p);
	return rc < 0 ? rc : 0;
}

static int by_key(const void *a, const void *b)
{
	return prune_key_cmp(a, b);
}

int prune_named(struct ckpt_key **out, struct ckpt_prune *p)
{
	size_t n = p->scope->nthreads;
	struct ckpt_key *keys = calloc(n, sizeof(*keys));
	int rc = 0;

	*out = keys;
	if (!keys)
		return ckpt_fail(p->err, CKPT_ENOMEM, "out of memory");
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = ckpt_thread_find(&keys[i], p->store, p->scope->threads[i]);
	if (rc == 0)
		qsort(keys, n, sizeof(*keys), by_key);
	return rc;
}

static int scan_named(struct walk *w)
{
	struct ckpt_key *keys;
	int rc = prune_named(&keys, w->p);

	for (size_t i = 0; i < w->p->scope->nthreads && rc == 0; i++)
		rc = scan_threads(w, &keys[i]);
	free(keys);
	return rc;
}

/* What the store has besides named threads: of that a share of all is one. */
static int count_all(struct ckpt_prune *p)
{
	const struct ckpt_pick pick = { .depth = CKPT_SPANS };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	struct ckpt_buf last = { 0 };
	unsigned blob = 2;
	int rc;

	p->sum.all_threads = p->sum.all_checkpoints = 0;
	rc = ckpt_scan_open(&scan, p->store, &pick);
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0) {
		if (!in_shard(p, c.key.thread))
			continue;
		p->sum.all_checkpoints += c.count;
		if (blob == (c.key.blob & CKPT_BLOB_THREAD) &&
				ckpt_view_eq(ckpt_buf_view(&last), c.key.thread))
			continue;
		p->sum.all_threads++;
		blob = c.key.blob & CKPT_BLOB_THREAD;
		last.n = 0;
		ckpt_buf_add(&last, c.key.thread.p, c.key.thread.n);
	}
	ckpt_scan_close(scan);
	if (last.failed)
		rc = ckpt_fail(p->err, CKPT_ENOMEM, "out of memory");
	ckpt_buf_free(&last);
	return rc < 0 ? rc : 0;
}

static int plan_all(struct ckpt_prune *p)
{
	struct walk w = { .p = p };
	int rc = p->scope->nothing    ? 0
	         : p->scope->nthreads ? scan_named(&w)
	                              : scan_threads(&w, NULL);

	if (rc >= 0 && p->scope->nthreads && p->scope->totals)
		rc = count_all(p);
	ckpt_buf_free(&w.name);
	return rc;
}

/* ---- public ---------------------------------------------------------------------------------------- */

int ckpt_prune_plan(struct ckpt_prune **out, struct ckpt_store *store,
		const struct ckpt_policy *policy, const struct ckpt_prune_scope *scope)
{
	struct ckpt_prune *p = calloc(1, sizeof(*p));
	int64_t now;
	int rc;

	*out = p;
	if (!p)
		return ckpt_fail(store->err, CKPT_ENOMEM, "out of memory");
	p->store = store;
	p->err = store->err;
	p->scope = scope;
	p->policy = *policy;
	p->future = policy->upto == CKPT_UNKNOWN;
	now = policy->now == CKPT_UNKNOWN ? store_now(store) : policy->now;
	/* not whole seconds: what was written in this one is as old as the policy says */
	now -= ((now % MICROSECOND) + MICROSECOND) % MICROSECOND;
	p->policy.now = p->policy.upto = now;
	if (store->shallow)
		return ckpt_fail(p->err, CKPT_EREFUSED,
				"a store of the shallow saver keeps no history");
	rc = doomed_new(&p->doomed, p->err);
	if (rc >= 0 && scope->keeps)
		rc = doomed_new(&p->kept, p->err);
	rc = rc < 0 ? rc : plan_all(p);
	if (rc >= 0 && (policy->orphans || policy->whole ||
				       (policy->lose_newest && p->sum.threads_emptied)))
		rc = prune_strays(p);
	put_id(p);
	p->sum.now = p->policy.now;
	prune_thread_free(&p->t);
	p->t = (struct thread){ 0 };
	p->store = NULL;
	p->scope = NULL;
	return rc < 0 ? rc : 0;
}

void ckpt_prune_about(const struct ckpt_prune *p, struct ckpt_prune_sum *out)
{
	*out = p->sum;
}

void ckpt_prune_free(struct ckpt_prune *p)
{
	if (!p)
		return;
	prune_thread_free(&p->t);
	doomed_free(p->doomed);
	doomed_free(p->kept);
	doomed_free(p->stray_writes);
	doomed_free(p->stray_blobs);
	doomed_free(p->left_writes);
	doomed_free(p->left);
	for (size_t i = 0; i < sizeof(p->lists) / sizeof(p->lists[0]); i++)
		prune_list_free(p->lists[i]);
	ckpt_buf_free(&p->key);
	free(p);
}
