/*
 * prune_read.c - the links of one thread as the planner wants them: facts by namespace and id,
 * parents, sizes, what its pending writes tell, who called a subgraph. Payloads are read in
 * prune_need.c, and only of what stays.
 */
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "delta.h"
#include "prune.h"

/* ---- hashes ------------------------------------------------------------------------------------- */

int hashes_add(struct hashes *h, uint64_t v, struct ckpt_error *err)
{
	if (h->n && h->v[h->n - 1] == v)
		return 0;
	if (h->n == h->cap) {
		size_t cap = h->cap ? h->cap * 2 : 16;
		uint64_t *more = realloc(h->v, cap * sizeof(*more));

		if (!more)
			return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
		h->v = more;
		h->cap = cap;
	}
	h->v[h->n++] = v;
	return 0;
}

static int by_value(const void *pa, const void *pb)
{
	const uint64_t *a = pa, *b = pb;

	return (*a > *b) - (*a < *b);
}

void hashes_sort(struct hashes *h)
{
	size_t n = 0;

	if (h->n > 1)
		qsort(h->v, h->n, sizeof(*h->v), by_value);
	for (size_t i = 0; i < h->n; i++) {
		if (!n || h->v[n - 1] != h->v[i])
			h->v[n++] = h->v[i];
	}
	h->n = n;
}

bool hashes_have(const struct hashes *h, uint64_t v)
{
	return h->n && bsearch(&v, h->v, h->n, sizeof(v), by_value);
}

/* ---- the thread at hand --------------------------------------------------------------------------- */

static void forget_spaces(struct thread *t)
{
	for (size_t i = 0; i < t->plan.nspaces; i++) {
		free(t->spaces[i].written.v);
		free(t->spaces[i].delta.v);
		free(t->spaces[i].live.v);
	}
	t->plan.nspaces = t->plan.nfacts = 0;
}

void prune_thread_free(struct thread *t)
{
	forget_spaces(t);
	plan_free(&t->plan);
	free(t->plan.facts);
	free(t->plan.spaces);
	free(t->facts);
	free(t->spaces);
	free(t->keys);
	free(t->blobs.v);
	free(t->rows);
	arena_free(&t->arena);
}

int prune_thread_start(struct ckpt_prune *p, const struct ckpt_key *key)
{
	struct thread *t = &p->t;

	forget_spaces(t);
	plan_free(&t->plan);
	arena_reset(&t->arena);
	t->plan = (struct plan){ .facts = t->plan.facts,
		.spaces = t->plan.spaces,
		.policy = &p->policy,
		.err = p->err };
	t->key = (struct ckpt_key){ .thread = arena_copy(&t->arena, key->thread, p->err),
		.blob = key->blob & CKPT_BLOB_THREAD };
	t->selected = t->sends = t->has_blobs = false;
	t->blobs.n = t->nrows = 0;
	return p->err->code;
}

static bool grow(void *array, size_t *cap, size_t want, size_t size)
{
	size_t n = *cap ? *cap * 2 : 64;
	void **at = array, *more;

	if (want <= *cap)
		return true;
	more = realloc(*at, n * size);
	if (!more)
		return false;
	*at = more;
	*cap = n;
	return true;
}

/* Two arrays that grow as one: the planner's and what it need not know. */
static int room(struct thread *t, struct ckpt_error *err)
{
	size_t facts = t->capfacts, spaces = t->capspaces, a = facts, b = spaces,
	       c = spaces;

	if (!grow(&t->plan.facts, &a, t->plan.nfacts + 1, sizeof(*t->plan.facts)) ||
			!grow(&t->facts, &facts, t->plan.nfacts + 1, sizeof(*t->facts)) ||
			!grow(&t->plan.spaces, &b, t->plan.nspaces + 1,
					sizeof(*t->plan.spaces)) ||
			!grow(&t->keys, &c, t->plan.nspaces + 1, sizeof(*t->keys)) ||
			!grow(&t->spaces, &spaces, t->plan.nspaces + 1,
					sizeof(*t->spaces)))
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	t->capfacts = facts;
	t->capspaces = spaces;
	return 0;
}

static void add_space(struct ckpt_prune *p, const struct ckpt_key *key)
{
	struct thread *t = &p->t;
	size_t at = t->plan.nspaces++;

	t->keys[at] = (struct ckpt_key){ .thread = t->key.thread,
		.ns = arena_copy(&t->arena, key->ns, p->err),
		.blob = key->blob & (CKPT_BLOB_THREAD | CKPT_BLOB_NS) };
	t->plan.spaces[at] = (struct plan_space){
		.ns = t->keys[at].ns, .first = t->plan.nfacts, .caller = SIZE_MAX
	};
	t->spaces[at] = (struct space){ .evidence = -1 };
}

static bool same_space(const struct thread *t, const struct ckpt_key *key)
{
	const struct ckpt_key *last = &t->keys[t->plan.nspaces - 1];

	return t->plan.nspaces && ckpt_view_eq(last->ns, key->ns) &&
	       !((last->blob ^ key->blob) & CKPT_BLOB_NS);
}

/* ---- what pending writes tell --------------------------------------------------------------------- */

/* Rows that are no result of a task. */
static bool is_control(struct ckpt_view channel)
{
	static const char *const names[] = { "__interrupt__", "__resume__", "__error__",
		"__scheduled__", "__error_source_node__" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (ckpt_view_eq(channel, ckpt_view_of(names[i])))
			return true;
	}
	return false;
}

/* Does the task that asked have a result? */
static bool is_done(const struct ckpt_checkpoint *c, struct ckpt_view task)
{
	for (size_t i = 0; i < c->nwrites; i++) {
		if (!is_control(c->writes[i].channel) &&
				ckpt_view_eq(c->writes[i].task, task))
			return true;
	}
	return false;
}

static int read_writes(struct ckpt_prune *p, struct fact *f, struct space *s,
		const struct ckpt_checkpoint *c)
{
	uint64_t *wrote = NULL;
	bool answer = false;
	int rc = 0;

	if (c->nwrites)
		wrote = arena_take(&p->t.arena, c->nwrites * sizeof(*wrote), p->err);
	if (c->nwrites && !wrote)
		return p->err->code;
	f->wrote = wrote;
	for (size_t i = 0; i < c->nwrites && rc == 0; i++) {
		struct ckpt_view channel = c->writes[i].channel;

		if (ckpt_view_eq(channel, CKPT_LIT("__interrupt__")) && !f->asks)
			f->asks = !is_done(c, c->writes[i].task);
		else if (ckpt_view_eq(channel, CKPT_LIT("__resume__")))
			answer = true;
		else if (ckpt_view_eq(channel, CKPT_LIT("__pregel_tasks")))
			p->t.sends = f->sends = true;
		else if (!delta_is_internal(channel)) {
			wrote[f->nwrote++] = ckpt_hash(channel);
			rc = hashes_add(&s->written, ckpt_hash(channel), p->err);
		}
	}
	f->answered = f->asks && answer;
	f->writes = (int64_t)c->nwrites;
	return rc;
}

/* ---- one checkpoint --------------------------------------------------------------------------------- */

static bool meta_whole(struct ckpt_view meta)
{
	struct reader *r = malloc(sizeof(*r));
	struct token t;
	bool whole;

	if (!r)
		return false;
	reader_init(r, &json_reader, meta);
	whole = reader_next(r, &t) > 0 && t.kind == TOKEN_MAP;
	while (whole && (whole = reader_next(r, &t) > 0) && t.kind == TOKEN_STR)
		whole = reader_skip(r, NULL) == 0;
	reader_done(r);
	free(r);
	return whole;
}

/* A condition on metadata that cannot be read holds of nothing; but then nobody knows. */
static unsigned look_at(struct ckpt_prune *p, const struct ckpt_checkpoint *c)
{
	const struct ckpt_prune_scope *scope = p->scope;
	unsigned seen, flags = 0;

	if (!scope->look)
		return PLAN_SELECTED;
	seen = scope->look(scope->arg, c);
	if (seen & CKPT_LOOK_SELECTED)
		flags |= PLAN_SELECTED;
	if (seen & CKPT_LOOK_KEEP)
		flags |= PLAN_WHERE;
	if (scope->meta && !(flags & PLAN_WHERE) && !meta_whole(c->meta))
		flags |= PLAN_BLIND;
	return flags;
}

static int64_t own_bytes(const struct ckpt_checkpoint *c)
{
	return c->size + c->meta_size + c->writes_size;
}

int prune_thread_add(struct ckpt_prune *p, const struct ckpt_checkpoint *c)
{
	struct thread *t = &p->t;
	struct plan_space *space;
	struct plan_fact *out;
	struct fact *f;

	if (room(t, p->err) < 0)
		return p->err->code;
	if (!t->plan.nspaces || !same_space(t, &c->key))
		add_space(p, &c->key);
	space = &t->plan.spaces[t->plan.nspaces - 1];
	f = &t->facts[t->plan.nfacts];
	out = &t->plan.facts[t->plan.nfacts++];
	space->count++;
	*f = (struct fact){ .id = arena_copy(&t->arena, c->key.id, p->err),
		.row = p->store->backend == &sqlite_backend ? c->row : -1,
		.own = own_bytes(c),
		.space = t->plan.nspaces - 1,
		.blob = c->key.blob & CKPT_BLOB_ID };
	if (c->parent.p)
		f->parent = arena_copy(&t->arena, c->parent, p->err);
	*out = (struct plan_fact){ .parent = SIZE_MAX,
		.time = c->time,
		.bytes = f->own + c->blobs_new,
		.flags = look_at(p, c) };
	t->selected |= out->flags & PLAN_SELECTED;
	t->spaces[f->space].mixed |= space->count > 1 && f[-1].blob != f->blob;
	return p->err->code ? p->err->code : read_writes(p, f, &t->spaces[f->space], c);
}

/* ---- all are there ------------------------------------------------------------------------------------ */

size_t prune_find(const struct thread *t, size_t space, struct ckpt_view id)
{
	size_t low = t->plan.spaces[space].first, n = t->plan.spaces[space].count;

	while (n) {
		int d = ckpt_view_cmp(t->facts[low + n / 2].id, id);

		if (d == 0)
			return low + n / 2;
		low += d < 0 ? n / 2 + 1 : 0;
		n = d < 0 ? n - n / 2 - 1 : n / 2;
	}
	return SIZE_MAX;
}

/* Ids of UUID form are ordered alike by bytes and by every collation. */
static bool is_plain(struct ckpt_view id)
{
	const char *s = id.p;

	for (size_t i = 0; i < id.n; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash != (s[i] == '-') ||
				(!dash && !((s[i] >= '0' && s[i] <= '9') ||
							  (s[i] >= 'a' && s[i] <= 'f'))))
			return false;
	}
	return id.n == 36;
}

/* The one that the saver would load, as its own database orders ids. */
static int find_newest(struct ckpt_prune *p, size_t at)
{
	struct thread *t = &p->t;
	struct plan_space *s = &t->plan.spaces[at];
	struct ckpt_pick pick = {
		.key = t->keys[at], .depth = CKPT_KEYS, .newest = true, .limit = 1
	};
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	bool plain = true;
	int rc;

	s->newest = s->first + s->count - 1;
	if (!p->store->inlines)
		return 0;
	for (size_t i = 0; i < s->count && plain; i++)
		plain = is_plain(t->facts[s->first + i].id);
	if (plain)
		return 0;
	rc = ckpt_scan_one(&scan, p->store, &pick, &c);
	if (rc > 0 && prune_find(t, at, c.key.id) != SIZE_MAX)
		s->newest = prune_find(t, at, c.key.id);
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

static bool counts(const struct ckpt_prune *p, size_t at)
{
	int64_t time = p->t.plan.facts[at].time;

	return time == CKPT_UNKNOWN || time <= p->policy.upto;
}

/* The newest that counts; all are newer: the newest. */
static size_t last_counted(const struct ckpt_prune *p, const struct plan_space *s)
{
	for (size_t i = s->first + s->count; i-- > s->first;) {
		if (counts(p, i))
			return i;
	}
	return s->newest;
}

/* Anything but a string, and an empty one, names nobody: that is no orphan. */
static bool is_name(struct ckpt_view json)
{
	return json.n > 2 && *(const char *)json.p == '"';
}

/* metadata.parents[""] of a subgraph call: the root checkpoint whose step called it. */
static int find_caller(struct ckpt_prune *p, size_t at)
{
	struct thread *t = &p->t;
	struct plan_space *s = &t->plan.spaces[at];
	struct ckpt_pick pick = { .depth = CKPT_META };
	struct ckpt_view parents, root;
	struct ckpt_buf id = { 0 };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	size_t from = last_counted(p, s);
	int rc;

	if (!memchr(s->ns.n ? s->ns.p : "", ':', s->ns.n))
		return 0;
	pick.key = fact_key(t, from);
	rc = ckpt_scan_one(&scan, p->store, &pick, &c);
	if (rc > 0 && ckpt_value_member(&parents, CKPT_LIT("json"), c.meta, "parents") &&
			ckpt_value_member(&root, CKPT_LIT("json"), parents, "") &&
			is_name(root)) {
		ckpt_json_text(&id, root);
		s->caller = t->keys[0].ns.n == 0 ? prune_find(t, 0, ckpt_buf_view(&id))
		                                 : SIZE_MAX;
		s->orphan = s->caller == SIZE_MAX;
		if (id.failed)
			rc = ckpt_fail(p->err, CKPT_ENOMEM, "out of memory");
	}
	ckpt_buf_free(&id);
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

/* Do the answers beside the questions of a head wait to be taken, or are they of questions before
 * these? Few heads have any: each is read by itself. What cannot be told counts as waiting. */
static int find_staged(struct ckpt_prune *p, size_t at)
{
	const struct ckpt_pick pick = {
		.key = fact_key(&p->t, at), .depth = CKPT_VALUES, .writes = true
	};
	struct ckpt_tasks *tasks = NULL;
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc = ckpt_scan_one(&scan, p->store, &pick, &c);

	if (rc > 0)
		rc = ckpt_tasks_load(
				&tasks, p->store, &c, CKPT_TASKS_HEAD | CKPT_TASKS_BRIEF);
	if (rc >= 0 && tasks)
		p->t.facts[at].answered = tasks->status != CKPT_INTERRUPTED;
	ckpt_tasks_free(tasks);
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

/* Interrupts count where nothing came after them. */
static int mark_heads(struct ckpt_prune *p)
{
	struct thread *t = &p->t;
	size_t n = t->plan.nfacts;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		size_t parent = t->plan.facts[i].parent;

		if (parent != SIZE_MAX && parent != i && counts(p, i))
			t->facts[parent].asks = false;
	}
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (t->facts[i].asks && t->facts[i].answered)
			rc = find_staged(p, i);
		if (t->facts[i].asks)
			t->plan.facts[i].flags |=
					t->facts[i].answered ? PLAN_ASKS | PLAN_ANSWERED
							     : PLAN_ASKS;
	}
	return rc;
}

int prune_thread_ready(struct ckpt_prune *p)
{
	struct thread *t = &p->t;
	int rc = 0;

	for (size_t i = 0; i < t->plan.nfacts; i++) {
		struct fact *f = &t->facts[i];

		if (f->parent.p)
			t->plan.facts[i].parent = prune_find(t, f->space, f->parent);
		if (p->policy.whole && t->selected)
			t->plan.facts[i].flags |= PLAN_SELECTED;
	}
	rc = mark_heads(p);
	for (size_t i = 0; i < t->plan.nspaces && rc == 0; i++) {
		hashes_sort(&t->spaces[i].written);
		rc = find_newest(p, i);
		rc = rc < 0 ? rc : find_caller(p, i);
	}
	t->plan.keep_thread = p->scope->keep_thread &&
	                      p->scope->keep_thread(p->scope->arg, t->key.thread);
	return rc;
}
