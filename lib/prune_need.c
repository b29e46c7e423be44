/*
 * prune_need.c - what kept checkpoints need to load as before: delta channels their chain of
 * parents down to the stored value, checkpoints before v 4 the parent whose Sends they read.
 *
 * The database does not say which channels are delta channels. Any that has a version and no
 * value may be one, if metadata counts it as such or its chain has a pending write for it: then
 * the chain stays, which at worst keeps too much. What tells it stays too, so that the same plan
 * of what was left comes to the same. A chain goes from kept checkpoint to kept checkpoint, so
 * that each is read once, whichever comes first.
 */
#include <stdlib.h>
#include <string.h>

#include "delta.h"
#include "judge.h"
#include "prune.h"
#include "row.h"

#define NO_CHANNEL 0 /* a chain that ends nowhere but at the root */

/* ---- values that are kept apart --------------------------------------------------------------------- */

/* A null beside the container's other values is none; one in a blob is. */
static bool is_stored(
		const struct ckpt_prune *p, size_t space, const struct ckpt_value *v)
{
	if (v->type.p && !(v->place == CKPT_INLINE && p->store->inlines &&
					 ckpt_view_eq(v->body, CKPT_LIT("null"))))
		return true;
	return p->t.has_blobs && v->version.p &&
	       hashes_have(&p->t.blobs, prune_blob_name(space, v->channel,
							row_version(v->version)));
}

/* ---- chains ----------------------------------------------------------------------------------------- */

static bool among(const uint64_t *v, size_t n, uint64_t channel)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i] == channel)
			return true;
	}
	return false;
}

static bool is_wanted(const struct fact *f, uint64_t channel)
{
	for (const struct want *w = f->wants; w; w = w->next) {
		if (w->channel == channel)
			return true;
	}
	return false;
}

/* Keep the chain from `at` on, as far as is known where it leads. */
static int follow(struct ckpt_prune *p, size_t at, uint64_t channel)
{
	struct thread *t = &p->t;

	while (at != SIZE_MAX && !is_wanted(&t->facts[at], channel)) {
		struct fact *f = &t->facts[at];
		struct want *w = arena_take(&t->arena, sizeof(*w), p->err);

		if (!w)
			return p->err->code;
		*w = (struct want){ f->wants, channel };
		f->wants = w;
		plan_keep(&t->plan, at,
				channel == NO_CHANNEL ? CKPT_WHY_UNDECODABLE
						      : CKPT_WHY_DELTA);
		if (!f->read || (!f->opaque && among(f->stored, f->nstored, channel)))
			return 0;
		at = t->plan.facts[at].parent;
	}
	return 0;
}

/* The chains that wait at a checkpoint that was read just now. */
static int go_on(struct ckpt_prune *p, size_t at)
{
	const struct fact *f = &p->t.facts[at];

	for (const struct want *w = f->wants; w; w = w->next) {
		if (!f->opaque && among(f->stored, f->nstored, w->channel))
			continue;
		if (follow(p, p->t.plan.facts[at].parent, w->channel) < 0)
			return p->err->code;
	}
	return 0;
}

/* ---- one kept checkpoint ------------------------------------------------------------------------------- */

struct counted {
	struct ckpt_prune *p;
	struct space *s;
};

static void add_counted(void *arg, struct ckpt_view channel)
{
	struct counted *c = arg;
	uint64_t h = ckpt_hash(channel);

	if (delta_is_internal(channel) || among(c->s->delta.v, c->s->delta.n, h))
		return;
	hashes_add(&c->s->delta, h, c->p->err);
	c->s->grown = true;
}

static bool is_opaque(const struct ckpt_checkpoint *c)
{
	return c->opaque.p || c->broken_why || c->lock == CKPT_SHUT;
}

static int read_values(
		struct ckpt_prune *p, struct fact *f, const struct ckpt_checkpoint *c)
{
	struct thread *t = &p->t;
	size_t n = c->nvalues, nstored = 0, nbare = 0;
	uint64_t *both = arena_take(&t->arena, (n + 1) * sizeof(*both), p->err);

	if (!both)
		return p->err->code;
	for (size_t i = 0; i < n; i++) {
		const struct ckpt_value *v = &c->values[i];
		bool stored = is_stored(p, f->space, v);

		/* one that is only looked at on the way keeps no blob */
		if (p->store->inlines && f->read && v->version.p &&
				hashes_add(&t->spaces[f->space].live,
						prune_blob_name(f->space, v->channel,
								row_version(v->version)),
						p->err) < 0)
			return p->err->code;
		if (stored)
			both[nstored++] = ckpt_hash(v->channel);
		else if (v->version.p && !delta_is_internal(v->channel))
			both[n - nbare++] = ckpt_hash(v->channel);
	}
	f->stored = both;
	f->nstored = nstored;
	f->bare = both + n + 1 - nbare;
	f->nbare = nbare;
	return 0;
}

/* Before v 4 the library looks for Sends among the writes of the parent in every namespace. */
static void keep_sends(struct ckpt_prune *p, const struct ckpt_checkpoint *c)
{
	struct thread *t = &p->t;

	if (!p->store->inlines || !row_wants_sends(c))
		return;
	for (size_t i = 0; i < t->plan.nspaces; i++) {
		size_t at = prune_find(t, i, c->parent);

		if (at != SIZE_MAX && t->facts[at].sends)
			plan_keep(&t->plan, at, CKPT_WHY_SENDS);
	}
}

/* Of a container that cannot be looked into only metadata tells whether there may be delta
 * channels: LangGraph's own pruning goes by the same. */
static int find_evidence(struct ckpt_prune *p, size_t at)
{
	struct thread *t = &p->t;
	struct space *s = &t->spaces[at];
	const struct ckpt_pick pick = { .key = t->keys[at], .depth = CKPT_META };
	struct counted arg = { p, s };
	struct ckpt_checkpoint c;
	struct ckpt_view marked;
	struct ckpt_scan *scan;
	int rc = ckpt_scan_open(&scan, p->store, &pick);

	s->evidence = 0;
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0) {
		if (!delta_counters(c.meta, add_counted, &arg) ||
				ckpt_value_member(&marked, CKPT_LIT("json"), c.meta,
						"delta_writes_versioned"))
			s->evidence = 1;
	}
	ckpt_scan_close(scan);
	s->evidence |= s->delta.n > 0;
	return rc < 0 ? rc : p->err->code;
}

/* Are there values that are told by what was stored at parents? More than the evidence for which a
 * chain stays: whatever may mean that counts. */
static bool has_chain(const struct ckpt_prune *p, const struct fact *f,
		const struct ckpt_checkpoint *c)
{
	const struct thread *t = &p->t;

	if (f->opaque || f->nbare || t->spaces[f->space].delta.n)
		return true;
	if (p->store->inlines && t->sends && row_wants_sends(c))
		return true;
	for (size_t i = 0; i < c->nvalues; i++) {
		const struct ckpt_value *v = &c->values[i];

		if (judge_is_snapshot(v->type, v->body))
			return true;
		if (delta_mark(p->store, v) && v->version.p &&
				hashes_have(&t->blobs,
						prune_blob_name(f->space, v->channel,
								row_version(v->version))))
			return true;
	}
	return false;
}

/* What a checkpoint tells about itself, and about its namespace. */
static int look_into(
		struct ckpt_prune *p, struct fact *f, const struct ckpt_checkpoint *c)
{
	struct space *s = &p->t.spaces[f->space];
	struct counted arg = { p, s };
	struct ckpt_view found;
	bool marked = ckpt_value_member(
			&found, CKPT_LIT("json"), c->meta, "delta_writes_versioned");

	f->read = s->read = true;
	f->opaque = is_opaque(c);
	f->js = ckpt_writer(c) == CKPT_JS && !marked;
	s->chains |= !delta_counters(c->meta, add_counted, &arg) || marked;
	if (p->err->code || read_values(p, f, c) < 0)
		return p->err->code;
	s->chains |= has_chain(p, f, c);
	return 0;
}

int prune_read_fact(struct ckpt_prune *p, size_t at, const struct ckpt_checkpoint *c)
{
	struct thread *t = &p->t;
	struct fact *f = &t->facts[at];
	struct space *s = &t->spaces[f->space];

	if (look_into(p, f, c) < 0)
		return p->err->code;
	keep_sends(p, c);
	if (f->opaque && s->evidence < 0 && find_evidence(p, f->space) < 0)
		return p->err->code;
	if (f->opaque && s->evidence > 0 &&
			follow(p, t->plan.facts[at].parent, NO_CHANNEL) < 0)
		return p->err->code;
	s->grown = true;
	return go_on(p, at);
}

/* ---- reading ---------------------------------------------------------------------------------------- */

static int read_one(struct ckpt_prune *p, size_t at)
{
	const struct ckpt_pick pick = {
		.key = fact_key(&p->t, at), .depth = CKPT_VALUES, .apart = true
	};
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc = ckpt_scan_one(&scan, p->store, &pick, &c);

	if (rc > 0)
		rc = prune_read_fact(p, at, &c);
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

/* Are most of those from `at` on to the end of the namespace kept? Then they come in one go. */
static bool is_dense(const struct thread *t, size_t at, size_t end)
{
	size_t kept = 0;

	for (size_t i = at; i < end; i++)
		kept += t->plan.facts[i].why && !t->facts[i].read;
	return kept > 4 && kept * 2 > end - at && !t->spaces[t->facts[at].space].mixed;
}

static int read_range(struct ckpt_prune *p, size_t at, size_t end)
{
	struct thread *t = &p->t;
	struct ckpt_pick pick = { .key = t->keys[t->facts[at].space],
		.from = t->facts[at].id,
		.depth = CKPT_VALUES,
		.apart = true };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc;

	pick.key.blob |= t->facts[at].blob ? CKPT_BLOB_ID : 0;
	rc = ckpt_scan_open(&scan, p->store, &pick);
	while (rc >= 0 && at < end && (rc = ckpt_scan_next(scan, &c)) > 0) {
		while (at < end && ckpt_view_cmp(t->facts[at].id, c.key.id) < 0)
			at++;
		if (at < end && ckpt_view_eq(t->facts[at].id, c.key.id) &&
				t->plan.facts[at].why && !t->facts[at].read)
			rc = prune_read_fact(p, at, &c);
	}
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

static int read_kept(struct ckpt_prune *p, size_t at)
{
	struct thread *t = &p->t;
	const struct plan_space *s = &t->plan.spaces[t->facts[at].space];
	size_t first = at, end = s->first + s->count;

	if (t->facts[at].read)
		return 0;
	if (p->store->inlines && !t->has_blobs && prune_blobs_know(t, p->err) < 0)
		return p->err->code;
	/* the oldest kept one of a run that ends with the newest */
	while (first > s->first && t->plan.facts[first - 1].why &&
			!t->facts[first - 1].read)
		first--;
	return is_dense(t, first, end) ? read_range(p, first, end) : read_one(p, at);
}

/* ---- is it a delta channel? ------------------------------------------------------------------------- */

/* What is stored there, also of one that need not stay. */
static int look_at(struct ckpt_prune *p, size_t at)
{
	const struct ckpt_pick pick = {
		.key = fact_key(&p->t, at), .depth = CKPT_VALUES, .apart = true
	};
	struct fact *f = &p->t.facts[at];
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc = 0;

	if (f->stored)
		return 0;
	rc = ckpt_scan_one(&scan, p->store, &pick, &c);
	if (rc > 0) {
		f->opaque = is_opaque(&c);
		rc = read_values(p, f, &c);
	}
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

static struct led *find_led(const struct fact *f, uint64_t channel)
{
	struct led *l = f->led;

	while (l && l->channel != channel)
		l = l->next;
	return l;
}

/* One step of the chain: 1 if it goes on below. `*leads` once a write for the channel is there. */
static int step(struct ckpt_prune *p, size_t at, uint64_t channel, bool *leads)
{
	struct fact *f = &p->t.facts[at];
	struct led *l = find_led(f, channel);

	if (l) {
		*leads = l->leads;
		return 0;
	}
	l = arena_take(&p->t.arena, sizeof(*l), p->err);
	if (!l)
		return p->err->code;
	*leads = among(f->wrote, f->nwrote, channel);
	*l = (struct led){ f->led, channel, *leads };
	f->led = l;
	if (*leads)
		return 0;
	if (look_at(p, at) < 0)
		return p->err->code;
	return f->opaque || !among(f->stored, f->nstored, channel);
}

/* Is there a write for the channel from `at` on down to where it is stored? All of that would stay,
 * and the write with it: one further down, or in another branch, would tell it but once. Each
 * checkpoint is asked once for a channel. */
static int is_led(struct ckpt_prune *p, size_t at, uint64_t channel, bool *out)
{
	size_t from = at, n = 0;
	int rc = 1;

	*out = false;
	for (; at != SIZE_MAX && (rc = step(p, at, channel, out)) > 0; n++)
		at = p->t.plan.facts[at].parent;
	for (; rc == 0 && *out && n; n--) {
		find_led(&p->t.facts[from], channel)->leads = true;
		from = p->t.plan.facts[from].parent;
	}
	return rc < 0 ? rc : 0;
}

/* ---- until nothing is open ------------------------------------------------------------------------------ */

/* Now that more is known of the namespace: chains of the channels without a value. */
static int ask_again(struct ckpt_prune *p, size_t at)
{
	struct thread *t = &p->t;
	const struct plan_space *ps = &t->plan.spaces[at];
	struct space *s = &t->spaces[at];

	s->grown = false;
	for (size_t i = ps->first; i < ps->first + ps->count; i++) {
		const struct fact *f = &t->facts[i];
		size_t parent = t->plan.facts[i].parent;

		for (size_t k = 0; f->read && k < f->nbare; k++) {
			bool delta = among(s->delta.v, s->delta.n, f->bare[k]) ||
			             among(f->wrote, f->nwrote, f->bare[k]);

			if (!delta && hashes_have(&s->written, f->bare[k]) &&
					is_led(p, parent, f->bare[k], &delta) < 0)
				return p->err->code;
			if (delta && follow(p, parent, f->bare[k]) < 0)
				return p->err->code;
		}
		/* older JavaScript wrote to channels that had no version yet */
		for (size_t k = 0; f->read && f->js && k < s->delta.n; k++) {
			if (!among(f->stored, f->nstored, s->delta.v[k]) &&
					follow(p, parent, s->delta.v[k]) < 0)
				return p->err->code;
		}
	}
	return 0;
}

int prune_close(struct ckpt_prune *p)
{
	struct thread *t = &p->t;
	bool more = true;
	size_t at;

	if (prune_heads_take(p) < 0)
		return p->err->code;
	while (more) {
		more = false;
		while (plan_open(&t->plan, &at)) {
			more = true;
			if (read_kept(p, at) < 0)
				return p->err->code;
		}
		for (size_t i = 0; i < t->plan.nspaces; i++) {
			if (t->spaces[i].grown && ask_again(p, i) < 0)
				return p->err->code;
		}
	}
	return p->err->code;
}

/* Kept checkpoints tell it, for nothing. Where none is, as in a call or a thread that goes, nothing
 * was read: then it may be so. Unseen remain checkpoints of a graph whose channels were delta
 * channels once and are not in any that is kept; Sends before v 4 below newer heads; and on a server
 * the snapshots that JavaScript stores without a mark, where the kept ones count none. These may load
 * with less in them from the moment a run was killed until it is run again: then they go. What is
 * kept has all it needs. */
bool prune_chains(const struct ckpt_prune *p, size_t space)
{
	const struct space *s = &p->t.spaces[space];

	return s->chains || !s->read;
}

/* ---- what goes along ------------------------------------------------------------------------------------ */

/* What became of each namespace; does any lose something? */
static bool look_back(struct thread *t)
{
	bool any = false;

	for (size_t i = 0; i < t->plan.nfacts; i++) {
		struct space *s = &t->spaces[t->facts[i].space];

		s->loses |= !t->plan.facts[i].why;
		s->keeps |= t->plan.facts[i].why != 0;
		any |= s->loses;
	}
	for (size_t i = 0; i < t->plan.nspaces; i++)
		hashes_sort(&t->spaces[i].live);
	return any;
}

void prune_count_blobs(struct ckpt_prune *p)
{
	struct thread *t = &p->t;
	bool any = look_back(t);

	for (size_t i = 0; i < t->nrows && any; i++) {
		const struct blob_row *b = &t->rows[i];
		struct space *s =
				b->space < t->plan.nspaces ? &t->spaces[b->space] : NULL;

		/* a whole thread takes along those of namespaces without checkpoints */
		if (!s && prune_goes_whole(p))
			s = &t->spaces[0];
		if (!s || !s->loses || (s->keeps && hashes_have(&s->live, b->name)))
			continue;
		s->blobs++;
		s->blob_bytes += b->bytes;
	}
}
