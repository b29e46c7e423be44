/*
 * size.c - limits of size against a store: one pass measures; a plan down to the floor says what
 * may go at most; plan_budget.c says how far back to cut; and the planner has the last word.
 * All of it happens in one snapshot, before anything is deleted.
 *
 * Kept are the names of all threads and 24 bytes for each checkpoint that may go.
 */
#include <stdlib.h>
#include <string.h>

#include "plan_budget.h"
#include "prune.h"

/* Turns until what other checkpoints hold back is found elsewhere; then all down to the floor. */
#define TURNS 8

struct ckpt_size {
	struct ckpt_store *store;
	struct ckpt_error *err;
	const struct ckpt_size_limits *limits;
	struct ckpt_size_sum sum;
	struct arena arena;
	struct ckpt_key *keys; /* of threads, in the stores' order */
	int64_t *freed;        /* of each, by the plan at hand */
	size_t cap, items_cap;
	struct budget budget;
	const struct ckpt_prune_scope *scope; /* the caller's */
};

static int out_of_memory(struct ckpt_size *s)
{
	return ckpt_fail(s->err, CKPT_ENOMEM, "out of memory");
}

/* ---- measuring ---------------------------------------------------------------------------- */

static int add_thread(struct ckpt_size *s, const struct ckpt_key *key)
{
	struct budget *b = &s->budget;
	size_t cap = s->cap ? s->cap * 2 : 64;
	struct budget_thread *threads;
	struct ckpt_key *keys;

	if (b->nthreads == s->cap) {
		threads = realloc(b->threads, cap * sizeof(*threads));
		b->threads = threads ? threads : b->threads;
		keys = threads ? realloc(s->keys, cap * sizeof(*keys)) : NULL;
		if (!keys)
			return out_of_memory(s);
		s->keys = keys;
		s->cap = cap;
	}
	s->keys[b->nthreads] = (struct ckpt_key){
		.thread = arena_copy(&s->arena, key->thread, s->err),
		.blob = key->blob & CKPT_BLOB_THREAD,
	};
	b->threads[b->nthreads++] = (struct budget_thread){ .newest = CKPT_UNKNOWN,
		.cut = CKPT_UNKNOWN };
	return s->err->code;
}

/* The thread at hand is through. */
static int end_thread(struct ckpt_size *s)
{
	const struct ckpt_size_limits *limits = s->limits;
	size_t n = s->budget.nthreads;
	int64_t bytes;
	int rc = 0;

	if (!n)
		return 0;
	bytes = s->budget.threads[n - 1].bytes;
	s->sum.live += bytes;
	if (bytes > s->sum.largest_thread)
		s->sum.largest_thread = bytes;
	if (limits->max_thread == CKPT_UNKNOWN || bytes <= limits->max_thread)
		return 0;
	s->sum.large_threads++;
	if (limits->thread)
		rc = limits->thread(limits->to, &s->keys[n - 1], bytes);
	return rc < 0 ? rc : 0;
}

static bool is_same_thread(const struct ckpt_size *s, const struct ckpt_key *key)
{
	const struct ckpt_key *last;

	if (!s->budget.nthreads)
		return false;
	last = &s->keys[s->budget.nthreads - 1];
	return ckpt_view_eq(last->thread, key->thread) &&
	       last->blob == (key->blob & CKPT_BLOB_THREAD);
}

static int measure(struct ckpt_size *s, const struct ckpt_checkpoint *c)
{
	const struct ckpt_size_limits *limits = s->limits;
	int64_t state = c->size + c->blobs_all;
	struct budget_thread *t;
	int rc;

	if (!is_same_thread(s, &c->key) &&
			(end_thread(s) < 0 || add_thread(s, &c->key) < 0))
		return s->err->code;
	t = &s->budget.threads[s->budget.nthreads - 1];
	t->bytes += c->size + c->meta_size + c->writes_size + c->blobs_new;
	if (c->time > t->newest)
		t->newest = c->time;
	if (state > s->sum.largest_checkpoint)
		s->sum.largest_checkpoint = state;
	if (limits->max_checkpoint == CKPT_UNKNOWN || state <= limits->max_checkpoint)
		return 0;
	s->sum.large_checkpoints++;
	rc = limits->checkpoint ? limits->checkpoint(limits->to, c, state) : 0;
	return rc < 0 ? rc : 0;
}

static int measure_all(struct ckpt_size *s)
{
	const struct ckpt_pick pick = {
		.depth = CKPT_LINKS, .writes = true, .sizes = true
	};
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc = ckpt_scan_open(&scan, s->store, &pick);

	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0)
		rc = measure(s, &c);
	ckpt_scan_close(scan);
	return rc < 0 ? rc : end_thread(s);
}

/* A limit of the file is one of live bytes in the same proportion: what is between them goes and
 * comes with them. Free pages are given back by a vacuum, and need no deleting. */
static int allow(struct ckpt_size *s)
{
	struct ckpt_space space;
	int64_t used;
	int rc;

	s->sum.measured = s->sum.live;
	s->sum.allowed = s->limits->max_size;
	if (s->limits->max_size == CKPT_UNKNOWN || !s->limits->file)
		return 0;
	rc = ckpt_store_space(s->store, &space);
	if (rc < 0)
		return rc;
	if (space.file == CKPT_UNKNOWN)
		return ckpt_fail(s->err, CKPT_EREFUSED,
				"how large the file is cannot be told of this store");
	s->sum.measured = space.file;
	used = space.file - (space.reclaimable > 0 ? space.reclaimable : 0);
	s->sum.allowed = s->sum.live;
	if (used > s->limits->max_size)
		s->sum.allowed = (int64_t)((__int128)s->limits->max_size * s->sum.live /
					   used);
	return 0;
}

int ckpt_size_measure(struct ckpt_size **out, struct ckpt_store *store,
		const struct ckpt_size_limits *limits)
{
	struct ckpt_size *s = calloc(1, sizeof(*s));
	int rc;

	*out = s;
	if (!s)
		return ckpt_fail(store->err, CKPT_ENOMEM, "out of memory");
	s->store = store;
	s->err = store->err;
	s->limits = limits;
	rc = measure_all(s);
	rc = rc < 0 ? rc : allow(s);
	s->sum.over = s->sum.allowed != CKPT_UNKNOWN && s->sum.live > s->sum.allowed;
	s->sum.left = s->sum.live;
	return rc;
}

/* ---- what may go at most ------------------------------------------------------------------ */

static int by_key(const void *a, const void *b)
{
	return prune_key_cmp(a, b);
}

static size_t find(const struct ckpt_size *s, const struct ckpt_key *key)
{
	const struct ckpt_key want = { .thread = key->thread,
		.blob = key->blob & CKPT_BLOB_THREAD };
	const struct ckpt_key *at = NULL;

	if (s->budget.nthreads)
		at = bsearch(&want, s->keys, s->budget.nthreads, sizeof(want), by_key);
	return at ? (size_t)(at - s->keys) : SIZE_MAX;
}

static int on_candidate(void *to, const struct ckpt_prune_item *item)
{
	struct ckpt_size *s = to;
	struct budget *b = &s->budget;
	size_t cap = s->items_cap ? s->items_cap * 2 : 256, at;
	struct budget_item *more;

	at = item->drop ? find(s, &item->key) : SIZE_MAX;
	if (at == SIZE_MAX)
		return 0;
	if (b->nitems == s->items_cap) {
		more = realloc(b->items, cap * sizeof(*more));
		if (!more)
			return out_of_memory(s);
		b->items = more;
		s->items_cap = cap;
	}
	b->items[b->nitems++] = (struct budget_item){
		.thread = at, .time = item->time, .bytes = item->bytes
	};
	return 0;
}

static void on_read(void *to, int64_t done)
{
	const struct ckpt_size *s = to;

	if (s->scope->progress)
		s->scope->progress(s->scope->to, done);
}

/* A name may be kept as text and as bytes: two threads. */
static bool is_any(const struct ckpt_size *s, struct ckpt_view thread,
		bool (*is)(const struct ckpt_size *, size_t))
{
	for (unsigned blob = 0; blob <= CKPT_BLOB_THREAD; blob += CKPT_BLOB_THREAD) {
		const struct ckpt_key key = { .thread = thread, .blob = blob };
		size_t at = find(s, &key);

		if (at != SIZE_MAX && is(s, at))
			return true;
	}
	return false;
}

static bool may_lose(const struct ckpt_size *s, size_t at)
{
	return s->sum.over ||
	       (s->limits->max_thread != CKPT_UNKNOWN &&
			       s->budget.threads[at].bytes > s->limits->max_thread);
}

static bool is_cut(const struct ckpt_size *s, size_t at)
{
	return s->budget.threads[at].cut != CKPT_UNKNOWN;
}

static bool on_candidate_thread(void *arg, struct ckpt_view thread)
{
	return is_any(arg, thread, may_lose);
}

static bool on_cut_thread(void *arg, struct ckpt_view thread)
{
	return is_any(arg, thread, is_cut);
}

/* Everything is dropped that the floor lets go; which tells the clock of the plan, too. */
static int find_candidates(struct ckpt_size *s, struct ckpt_policy *policy)
{
	const struct ckpt_prune_scope scope = { .thread = on_candidate_thread,
		.item = on_candidate,
		.unpacked = true,
		.progress = on_read,
		.to = s,
		.arg = s };
	struct ckpt_prune_sum sum;
	struct ckpt_prune *p;
	int rc = ckpt_prune_plan(&p, s->store, policy, &scope);

	if (rc >= 0) {
		ckpt_prune_about(p, &sum);
		policy->now = sum.now;
		s->sum.skipped = sum.threads_skipped;
	}
	ckpt_prune_free(p);
	return rc;
}

/* ---- from a cut to a plan ----------------------------------------------------------------- */

static unsigned on_look(void *arg, const struct ckpt_checkpoint *c)
{
	const struct ckpt_size *s = arg;
	size_t at = find(s, &c->key);

	if (at == SIZE_MAX || c->time >= s->budget.threads[at].cut)
		return CKPT_LOOK_SELECTED | CKPT_LOOK_KEEP;
	return CKPT_LOOK_SELECTED;
}

static int on_space(void *to, const struct ckpt_prune_space *space)
{
	struct ckpt_size *s = to;
	size_t at = find(s, &space->key);

	if (at != SIZE_MAX)
		s->freed[at] += space->bytes;
	return s->scope->space ? s->scope->space(s->scope->to, space) : 0;
}

static int on_item(void *to, const struct ckpt_prune_item *item)
{
	const struct ckpt_size *s = to;

	return s->scope->item(s->scope->to, item);
}

/* `scope`: whom to tell. */
static int plan_cut(struct ckpt_prune **out, struct ckpt_size *s,
		const struct ckpt_policy *policy, const struct ckpt_prune_scope *told)
{
	const struct ckpt_prune_scope scope = { .thread = on_cut_thread,
		.look = on_look,
		.space = on_space,
		.item = told->item ? on_item : NULL,
		.unpacked = true,
		.progress = on_read,
		.to = s,
		.arg = s };
	int rc;

	s->scope = told;
	memset(s->freed, 0, s->budget.nthreads * sizeof(*s->freed));
	rc = ckpt_prune_plan(out, s->store, policy, &scope);
	s->sum.left = s->sum.live;
	for (size_t i = 0; i < s->budget.nthreads; i++)
		s->sum.left -= s->freed[i];
	return rc;
}

/* How far a size is from where a plan should bring it; 0: it is there, or was never too large. */
static int64_t above(
		const struct ckpt_size *s, int64_t limit, int64_t before, int64_t left)
{
	int64_t mark = limit;

	if (limit == CKPT_UNKNOWN || before <= limit)
		return 0;
	mark = budget_mark(limit, s->budget.low_water);
	return left > mark ? left - mark : 0;
}

/* More has to go than the sums told: twice what is missing, for it may be held back again. */
static void ask_more(int64_t *extra, int64_t missing)
{
	if (__builtin_add_overflow(*extra, missing + *extra / 2, extra))
		*extra = INT64_MAX / 4;
}

/* False: the plan does, or there is nothing that could be cut further. */
static bool fell_short(struct ckpt_size *s)
{
	struct budget *b = &s->budget;
	int64_t missing = above(s, b->max_size, b->live, s->sum.left);
	bool more = false, short_of = missing > 0;

	if (missing)
		ask_more(&b->extra, missing);
	for (size_t i = 0; i < b->nthreads; i++) {
		struct budget_thread *t = &b->threads[i];
		int64_t alone = above(s, b->max_thread, t->bytes, t->bytes - s->freed[i]);

		if (alone)
			ask_more(&t->extra, alone);
		more = more || ((alone || short_of) && t->count && t->cut != INT64_MAX);
	}
	return more;
}

static bool is_reached(const struct ckpt_size *s)
{
	const struct budget *b = &s->budget;

	for (size_t i = 0; i < b->nthreads; i++) {
		if (b->max_thread != CKPT_UNKNOWN &&
				b->threads[i].bytes - s->freed[i] > b->max_thread)
			return false;
	}
	return b->max_size == CKPT_UNKNOWN || s->sum.left <= b->max_size;
}

static int find_cut(struct ckpt_size *s, const struct ckpt_policy *policy)
{
	const struct ckpt_prune_scope silent = { .progress = s->scope->progress,
		.to = s->scope->to };
	struct ckpt_prune *p;
	int rc = 0;

	for (int turn = 0; turn <= TURNS && rc >= 0; turn++) {
		rc = budget_cut(&s->budget, s->err);
		if (rc < 0)
			return rc;
		rc = plan_cut(&p, s, policy, &silent);
		ckpt_prune_free(p);
		if (rc < 0 || !fell_short(s))
			return rc;
		for (size_t i = 0; i < s->budget.nthreads && turn == TURNS - 1; i++)
			s->budget.threads[i].extra = INT64_MAX / 4;
		if (turn == TURNS - 1)
			s->budget.extra = INT64_MAX / 4;
	}
	return rc;
}

int ckpt_size_plan(struct ckpt_prune **out, struct ckpt_size *s,
		const struct ckpt_policy *floor, const struct ckpt_prune_scope *told)
{
	struct ckpt_policy policy = *floor;
	struct budget *b = &s->budget;
	int rc = 0;

	*out = NULL;
	s->scope = told;
	policy.thin = true;
	s->freed = calloc(b->nthreads + 1, sizeof(*s->freed));
	if (!s->freed)
		return out_of_memory(s);
	b->max_thread = s->limits->max_thread;
	b->max_size = s->sum.allowed;
	b->low_water = s->limits->low_water;
	b->order = s->limits->order;
	b->live = s->sum.live;
	rc = find_candidates(s, &policy);
	rc = rc < 0 ? rc : find_cut(s, &policy);
	rc = rc < 0 ? rc : plan_cut(out, s, &policy, told);
	s->sum.reached = is_reached(s);
	return rc;
}

void ckpt_size_about(const struct ckpt_size *s, struct ckpt_size_sum *out)
{
	*out = s->sum;
}

bool ckpt_size_own_limit(const struct ckpt_size *s, const struct ckpt_key *key)
{
	size_t at = find(s, key);

	return at != SIZE_MAX && s->budget.threads[at].alone;
}

void ckpt_size_free(struct ckpt_size *s)
{
	if (!s)
		return;
	arena_free(&s->arena);
	free(s->keys);
	free(s->freed);
	free(s->budget.threads);
	free(s->budget.items);
	free(s);
}
