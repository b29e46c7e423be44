/*
 * tasks_safe.c - the newest good checkpoint on a line of ancestors: everything in it can be
 * decoded, nothing was lost that its parent had, and no message calls a tool without result, which
 * model providers refuse for ever after.
 */
#include "backend.h"
#include "delta.h"
#include "tasks.h"

struct line { /* the walk from a checkpoint to its ancestors */
	struct ckpt_store *store;
	struct ckpt_buf text,
			why;  /* of the value, and what is wrong with the checkpoint */
	struct ckpt_buf mark; /* an id seen before: parents may come round again */
	size_t steps, power;
};

/* ---- tool calls -------------------------------------------------------------------------------- */

static int view_cmp(const void *a, const void *b)
{
	return ckpt_view_cmp(*(const struct ckpt_view *)a, *(const struct ckpt_view *)b);
}

/* The ids of results among the messages, sorted; n of them. NULL if there are none. */
static struct ckpt_view *results_of(struct ckpt_view messages, size_t *n)
{
	struct ckpt_view key, item, id, *ids = NULL;
	struct ckpt_walk w;
	size_t count = 0;

	*n = 0;
	for (ckpt_walk_open(&w, messages); ckpt_walk_next(&w, &key, &item);)
		count += ckpt_pointer_find(&id, item, CKPT_LIT("/tool_call_id"));
	if (!count || !(ids = calloc(count, sizeof(*ids))))
		return NULL;
	for (ckpt_walk_open(&w, messages); ckpt_walk_next(&w, &key, &item);) {
		if (ckpt_pointer_find(&id, item, CKPT_LIT("/tool_call_id")))
			ids[(*n)++] = id;
	}
	qsort(ids, *n, sizeof(*ids), view_cmp);
	return ids;
}

/* A call of one message whose result is not there: its id. */
static bool dangles(struct ckpt_view message, const struct ckpt_view *results, size_t n,
		struct ckpt_view *id)
{
	struct ckpt_view calls, key, call;
	struct ckpt_walk w;

	if (!ckpt_pointer_find(&calls, message, CKPT_LIT("/tool_calls")) ||
			!ckpt_walk_open(&w, calls) || w.map)
		return false;
	while (ckpt_walk_next(&w, &key, &call)) {
		if (ckpt_pointer_find(id, call, CKPT_LIT("/id")) &&
				(!n || !bsearch(id, results, n, sizeof(*id), view_cmp)))
			return true;
	}
	return false;
}

static bool has_dangling(struct ckpt_view messages, struct ckpt_view *id)
{
	struct ckpt_view *results, key, item;
	struct ckpt_walk w;
	bool found = false;
	size_t n;

	if (!ckpt_walk_open(&w, messages) || w.map)
		return false;
	results = results_of(messages, &n);
	for (ckpt_walk_open(&w, messages); !found && ckpt_walk_next(&w, &key, &item);)
		found = dangles(item, results, n, id);
	free(results);
	return found;
}

/* ---- one checkpoint ---------------------------------------------------------------------------- */

static void say(struct line *l, const char *what, struct ckpt_view name)
{
	char shown[200];

	if (!l->why.n)
		ckpt_buf_addf(&l->why, what, ckpt_show_name(shown, name));
}

/* Is a value bad, or does one of its messages call in vain? `waits`: a person is asked first. */
static int judge_value(struct line *l, const struct ckpt_checkpoint *c, size_t i,
		enum ckpt_place place, bool waits)
{
	const struct ckpt_value *v = &c->values[i];
	struct ckpt_render plain = { 0 };
	struct ckpt_delta delta = { 0 };
	struct ckpt_view id;
	int rc = 0;

	l->text.n = 0;
	if (place == CKPT_LOST)
		say(l, "the value of channel '%s' is lost", v->channel);
	else if (place == CKPT_DELTA)
		rc = ckpt_delta_value(
				&l->text, l->store, c, v->channel, &plain, true, &delta);
	else if (v->type.p)
		rc = ckpt_render_value(&l->text, v->type, v->body, &plain);
	ckpt_delta_free(&delta);
	if (rc == CKPT_ECORRUPT) {
		say(l, "channel '%s' cannot be decoded", v->channel);
		rc = 0;
	}
	if (l->text.failed)
		return ckpt_fail(l->store->err, CKPT_ENOMEM, "out of memory");
	if (rc >= 0 && !waits && l->text.n && has_dangling(ckpt_buf_view(&l->text), &id))
		say(l, "tool call %s has no result", id);
	return rc < 0 ? rc : 0;
}

static const struct ckpt_value *same_channel(
		const struct ckpt_checkpoint *c, const struct ckpt_value *v, size_t hint)
{
	if (hint < c->nvalues && ckpt_view_eq(c->values[hint].channel, v->channel))
		return &c->values[hint];
	for (size_t i = 0; i < c->nvalues; i++) {
		if (ckpt_view_eq(c->values[i].channel, v->channel))
			return &c->values[i];
	}
	return NULL;
}

/* What the parent had at the very version that this one names, and this one has not. */
static void judge_losses(struct line *l, const struct ckpt_checkpoint *c,
		const struct ckpt_checkpoint *parent, const enum ckpt_place *places)
{
	for (size_t i = 0; i < parent->nvalues; i++) {
		const struct ckpt_value *had = &parent->values[i], *v;

		if (!had->type.p || delta_is_internal(had->channel))
			continue;
		v = same_channel(c, had, i);
		if (v && (v->type.p || places[v - c->values] == CKPT_DELTA ||
					 !ckpt_view_eq(v->version, had->version)))
			continue;
		say(l, "the value of channel '%s', which its parent had, is lost",
				had->channel);
	}
}

static bool writes_to(const struct ckpt_checkpoint *c, struct ckpt_view channel)
{
	for (size_t i = 0; i < c->nwrites; i++) {
		if (ckpt_view_eq(c->writes[i].channel, channel))
			return true;
	}
	return false;
}

/* What the step behind the parent wrote, under a version of its own, and is not here. In
 * JavaScript it may have been `undefined`. */
static void judge_step(struct line *l, const struct ckpt_checkpoint *c,
		const struct ckpt_checkpoint *parent, const enum ckpt_place *places)
{
	for (size_t i = 0; i < c->nvalues && !l->why.n; i++) {
		const struct ckpt_value *v = &c->values[i], *had;

		if (v->type.p || places[i] == CKPT_DELTA || !v->version.p ||
				delta_is_internal(v->channel))
			continue;
		had = same_channel(parent, v, i);
		if ((!had || !ckpt_view_eq(had->version, v->version)) &&
				writes_to(parent, v->channel))
			say(l, "the value of channel '%s', which its step wrote, is lost",
					v->channel);
	}
}

/* The saver gives nothing at all where a write cannot be read. */
static void judge_writes(struct line *l, const struct ckpt_checkpoint *c)
{
	struct ckpt_render plain = { 0 };

	for (size_t i = 0; i < c->nwrites && !l->why.n; i++) {
		const struct ckpt_write *w = &c->writes[i];

		l->text.n = 0;
		if (ckpt_render_value(&l->text, w->type, w->body, &plain) < 0)
			say(l, "a write to channel '%s' cannot be decoded", w->channel);
	}
}

static void judge_whole(struct line *l, const struct ckpt_checkpoint *c)
{
	const char *why = tasks_unreadable(c);

	if (c->broken_why)
		say(l, "the state cannot be decoded: %s", ckpt_view_of(c->broken_why));
	else if (why)
		say(l, "%s", ckpt_view_of(why));
	else
		judge_writes(l, c);
}

/* Does somebody wait for a person here? Then calls have no results yet. */
static int asks_a_person(
		struct ckpt_store *store, const struct ckpt_checkpoint *c, bool *yes)
{
	struct ckpt_tasks *tasks;
	int rc = ckpt_tasks_load(&tasks, store, c, 0);

	if (rc < 0)
		return rc;
	*yes = tasks->nwaits > 0;
	ckpt_tasks_free(tasks);
	return 0;
}

/* Fills l->why if the checkpoint is not good. */
static int judge(struct line *l, const struct ckpt_checkpoint *c,
		const struct ckpt_checkpoint *parent)
{
	enum ckpt_place *places = calloc(c->nvalues + 1, sizeof(*places));
	bool waits = false;
	int rc;

	l->why.n = 0;
	if (!places)
		return ckpt_fail(l->store->err, CKPT_ENOMEM, "out of memory");
	judge_whole(l, c);
	rc = ckpt_delta_places(l->store, c, places);
	rc = rc < 0 ? rc : asks_a_person(l->store, c, &waits);
	for (size_t i = 0; i < c->nvalues && rc >= 0 && !l->why.n; i++)
		rc = judge_value(l, c, i, places[i], waits);
	if (rc >= 0 && parent)
		judge_losses(l, c, parent, places);
	if (rc >= 0 && parent && ckpt_writer(c) == CKPT_PYTHON)
		judge_step(l, c, parent, places);
	free(places);
	return rc < 0 ? rc : 0;
}

/* ---- the line ---------------------------------------------------------------------------------- */

static int read_at(struct ckpt_scan **scan, struct ckpt_store *store,
		const struct ckpt_key *key, struct ckpt_view id,
		struct ckpt_checkpoint *out)
{
	struct ckpt_pick pick = { .key = *key, .depth = CKPT_VALUES, .writes = true };

	pick.key.id = id;
	pick.newest = !id.p;
	pick.limit = id.p ? 0 : 1;
	return ckpt_scan_one(scan, store, &pick, out);
}

/* Has the walk come round? A mark that is set at 1, 2, 4, … steps is met again then. */
static bool comes_round(struct line *l, struct ckpt_view id)
{
	if (l->mark.n && ckpt_view_eq(ckpt_buf_view(&l->mark), id))
		return true;
	if (l->steps++ == l->power) {
		l->power = 2 * l->power + 1;
		l->mark.n = 0;
		ckpt_buf_add(&l->mark, id.p, id.n);
	}
	return false;
}

/* From `scan`, whose checkpoint is `c`, on to the first good one. */
static int walk(struct line *l, struct ckpt_scan **scan, struct ckpt_checkpoint *c,
		struct ckpt_buf *id, struct ckpt_buf *why)
{
	for (bool first = true;; first = false) {
		struct ckpt_checkpoint parent;
		struct ckpt_scan *next = NULL;
		int rc = 0, has = 0;

		if (c->parent.p && c->parent.n)
			has = read_at(&next, l->store, &c->key, c->parent, &parent);
		rc = has < 0 ? has : judge(l, c, has ? &parent : NULL);
		if (rc >= 0 && first)
			ckpt_buf_add(why, l->why.p, l->why.n);
		if (rc >= 0 && !l->why.n) {
			ckpt_buf_add(id, c->key.id.p, c->key.id.n);
			has = 0;
			rc = 1;
		}
		ckpt_scan_close(*scan);
		*scan = next;
		if (rc != 0 || has <= 0 || comes_round(l, parent.key.id))
			return rc;
		*c = parent;
	}
}

int ckpt_safe_find(struct ckpt_buf *id, struct ckpt_buf *why, struct ckpt_store *store,
		const struct ckpt_key *key)
{
	struct line l = { .store = store };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan = NULL;
	int rc = read_at(&scan, store, key, key->id, &c);

	ckpt_buf_puts(why, "");
	if (rc > 0)
		rc = walk(&l, &scan, &c, id, why);
	ckpt_scan_close(scan);
	if (rc >= 0 && (id->failed || why->failed || l.why.failed || l.mark.failed))
		rc = ckpt_fail(store->err, CKPT_ENOMEM, "out of memory");
	ckpt_buf_free(&l.text);
	ckpt_buf_free(&l.why);
	ckpt_buf_free(&l.mark);
	return rc;
}
