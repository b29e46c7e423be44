/*
 * tasks.c - where a checkpoint stands: reads what it needs of its namespace, has the tasks
 * counted, and sums up. The parts are named in tasks.h.
 */
#include "backend.h"
#include "tasks.h"

const char *ckpt_status_name(enum ckpt_status status)
{
	static const char *const names[] = { "unknown", "interrupted", "failed",
		"answered", "runnable", "finished" };

	return names[status];
}

const char *ckpt_task_status_name(enum ckpt_task_status status)
{
	static const char *const names[] = { "pending", "interrupted", "answered",
		"failed", "done" };

	return names[status];
}

/* ---- memory ---------------------------------------------------------------------------------- */

int tasks_no_memory(struct tasks *t)
{
	return ckpt_fail(t->err, CKPT_ENOMEM, "out of memory");
}

void *tasks_grow(struct tasks *t, void *items, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 8;
	void *new;

	if (items && n < *cap)
		return items;
	new = arena_take(&t->arena, more * size, t->err);
	if (new &&n)
		memcpy(new, items, n * size);
	if (new)
		*cap = more;
	return new;
}

struct ckpt_view tasks_keep(struct tasks *t, const struct ckpt_buf *text)
{
	if (text->failed)
		return (struct ckpt_view){ 0 };
	return arena_copy(
			&t->arena, text->p ? ckpt_buf_view(text) : CKPT_LIT(""), t->err);
}

struct ckpt_view tasks_text(struct tasks *t, struct ckpt_view json)
{
	struct ckpt_buf text = { 0 };
	struct ckpt_view kept;

	ckpt_json_text(&text, json);
	kept = tasks_keep(t, &text);
	ckpt_buf_free(&text);
	return kept;
}

/* ---- the checkpoint itself ------------------------------------------------------------------- */

int tasks_unknown(struct tasks *t, const char *why)
{
	t->base.status = CKPT_STATUS_UNKNOWN;
	if (!t->base.why)
		t->base.why = why;
	return 0;
}

static int64_t int_of(struct ckpt_view json)
{
	const char *p = json.p;
	int64_t v = 0;

	for (size_t i = 0; i < json.n && p[i] >= '0' && p[i] <= '9' && v < 1000000; i++)
		v = 10 * v + (p[i] - '0');
	return v;
}

/* A member of the container, as JSON text in `to`. */
static bool member(struct ckpt_buf *to, const struct ckpt_checkpoint *c, const char *name)
{
	struct ckpt_view raw, type = c->type.p ? c->type : CKPT_LIT("json");
	struct ckpt_render plain = { 0 };

	to->n = 0;
	return ckpt_value_member(&raw, type, c->skeleton, name) &&
	       ckpt_render_value(to, type, raw, &plain) == 0 && !to->failed;
}

/* The hex digits of an id as bytes; of one that is none, nothing. */
static void read_id(struct tasks *t, struct ckpt_view id)
{
	const char *p = id.p;
	bool low = false;

	t->nid = 0;
	for (size_t i = 0; i < id.n; i++) {
		int digit = hex_value(p[i]);

		if (p[i] == '-')
			continue;
		if (digit < 0 || t->nid == sizeof(t->id)) {
			t->nid = 0;
			return;
		}
		if (low)
			t->id[t->nid++] |= (uint8_t)digit;
		else
			t->id[t->nid] = (uint8_t)(digit << 4);
		low = !low;
	}
}

static int read_head(struct tasks *t)
{
	struct ckpt_view id = t->c->key.id;
	struct ckpt_buf text = { 0 }, name = { 0 };

	t->js = ckpt_writer(t->c) == CKPT_JS;
	t->v = member(&text, t->c, "v") ? int_of(ckpt_buf_view(&text)) : 1;
	if (!ckpt_meta_int(&t->step, t->c->meta, "step"))
		t->step = -1;
	t->step = t->step < INT64_MAX ? t->step + 1 : t->step;
	if (member(&text, t->c, "id")) {
		ckpt_json_text(&name, ckpt_buf_view(&text));
		id = ckpt_buf_view(&name);
	}
	read_id(t, id);
	if (text.failed || name.failed)
		tasks_no_memory(t);
	ckpt_buf_free(&text);
	ckpt_buf_free(&name);
	return t->err->code;
}

/* Why the container is in one piece. */
static const char *opaque_why(const struct ckpt_checkpoint *c)
{
	if (c->lock == CKPT_SHUT || (c->type.p && memchr(c->type.p, '+', c->type.n)))
		return "the checkpoint is encrypted";
	if (!c->type.p)
		return "the checkpoint has no type";
	if (ckpt_view_eq(c->type, CKPT_LIT("msgpack")) ||
			ckpt_view_eq(c->type, CKPT_LIT("json")))
		return "the checkpoint cannot be decoded";
	return "the checkpoint is of a type that is not read";
}

const char *tasks_unreadable(const struct ckpt_checkpoint *c)
{
	struct ckpt_render plain = { 0 };
	struct ckpt_buf text = { 0 };
	const char *why = NULL;

	if (c->opaque.p)
		return opaque_why(c);
	if (c->broken_why)
		return "the checkpoint cannot be decoded";
	if (!c->skeleton.p)
		return "the checkpoint has no state";
	if (c->meta.p && ckpt_render_value(&text, c->meta_type, c->meta, &plain) < 0)
		why = "the metadata cannot be decoded";
	ckpt_buf_free(&text);
	return why;
}

/* ---- what cannot be known -------------------------------------------------------------------- */

/* Was this written again, or used up, after it was written here? Then a step went past it. */
static bool is_past(const struct ckpt_checkpoint *newer, const struct ckpt_value *v)
{
	for (size_t i = 0; newer && i < newer->nvalues; i++) {
		const struct ckpt_value *n = &newer->values[i];

		if (ckpt_view_eq(n->channel, v->channel))
			return !n->type.p || tasks_version_after(n->version, v->version);
	}
	return false;
}

/* Before v 3 a channel called like a node led to its successors, which only they tell. Those of a
 * past checkpoint have run since. */
static bool edge_unknown(const struct tasks *t, const struct ckpt_value *v,
		const struct ckpt_checkpoint *newer)
{
	bool met;

	if (t->v >= 3 || !v->type.p || v->place == CKPT_LOST || is_past(newer, v))
		return false;
	tasks_seen_of(&t->graph, v->channel, v->channel, &met);
	if (!met)
		return false;
	for (size_t i = 0; i < t->graph.nroutes; i++) {
		if (ckpt_view_eq(t->graph.routes[i].channel, v->channel))
			return false;
	}
	return true;
}

/* A graph without StateGraph: nodes subscribe to any channel, and one that never ran is not in
 * the database. Of a past checkpoint those that ran later are. */
static bool is_bare(const struct tasks *t)
{
	bool start = false;

	for (size_t i = 0; i < t->graph.nroutes; i++) {
		const struct tasks_route *r = &t->graph.routes[i];

		if (r->kind != ROUTE_RAW ||
				ckpt_view_eq(r->channel, CKPT_LIT("__start__")))
			start = true;
		else
			return true;
	}
	for (size_t i = 0; i < t->c->nvalues && !start; i++)
		start = ckpt_view_eq(t->c->values[i].channel, CKPT_LIT("__start__"));
	return !start && t->c->nvalues && t->graph.nseen == 0;
}

static void doubt(struct tasks *t, const struct ckpt_checkpoint *newer)
{
	for (size_t i = 0; i < t->c->nvalues; i++) {
		if (edge_unknown(t, &t->c->values[i], newer))
			tasks_unknown(t,
					"before v 3 edges had no channel of their own: a "
					"node that never ran here may come next");
	}
	if (is_bare(t) && t->head)
		tasks_unknown(t, "the graph is no StateGraph: which channels lead to "
				 "which "
				 "nodes is not stored");
	if (t->base.why) {
		t->base.ntasks = 0;
		t->base.nwaits = 0;
	}
}

/* ---- summing up ------------------------------------------------------------------------------ */

/* A Command whose goto has not been followed yet. */
static bool has_goto(const struct tasks *t)
{
	for (size_t i = 0; i < t->c->nwrites; i++) {
		const struct ckpt_write *w = &t->c->writes[i];
		struct ckpt_view ch = w->channel;

		if (ckpt_view_eq(w->task, CKPT_LIT(TASKS_NULL)) &&
				(ckpt_view_eq(ch, CKPT_LIT("__pregel_tasks")) ||
						(ch.n > 10 && memcmp(ch.p, "branch:to:",
									      10) == 0)))
			return true;
	}
	return false;
}

static enum ckpt_status sum_up(const struct tasks *t)
{
	const struct ckpt_tasks *b = &t->base;
	bool failed = false;
	size_t staged = 0;

	if (b->why)
		return CKPT_STATUS_UNKNOWN;
	for (size_t i = 0; i < b->nwaits; i++)
		staged += t->waits[i].staged;
	for (size_t i = 0; i < b->ntasks; i++)
		failed = failed || t->tasks[i].status == CKPT_TASK_FAILED;
	if (staged < b->nwaits)
		return CKPT_INTERRUPTED;
	if (failed)
		return CKPT_FAILED;
	if (b->nwaits)
		return CKPT_ANSWERED;
	return b->ntasks || (t->head && has_goto(t)) ? CKPT_RUNNABLE : CKPT_FINISHED;
}

static int work_out(struct tasks *t, const struct ckpt_checkpoint *newer)
{
	const char *why = tasks_unreadable(t->c);
	int rc = 0;

	if (why)
		return tasks_unknown(t, why);
	rc = read_head(t);
	rc = rc < 0 ? rc : tasks_rows_sort(t);
	rc = rc < 0 ? rc : tasks_graph_read(&t->graph, t, t->c);
	if (rc >= 0 && newer && !tasks_unreadable(newer))
		rc = tasks_graph_more(t, newer);
	rc = rc < 0 ? rc : tasks_next(t);
	rc = rc < 0 ? rc : tasks_rows_read(t);
	return rc;
}

int tasks_of(struct tasks **out, struct ckpt_store *store,
		const struct ckpt_checkpoint *c, bool head,
		const struct tasks_known *known)
{
	struct tasks *t = calloc(1, sizeof(*t));
	int rc;

	*out = NULL;
	if (!t)
		return ckpt_fail(store->err, CKPT_ENOMEM, "out of memory");
	t->c = c;
	t->err = store->err;
	t->head = t->base.head = head;
	t->txn = store->backend == &postgres_backend;
	if (known->entry.p)
		t->entry = arena_copy(&t->arena, known->entry, t->err);
	rc = work_out(t, known->newer);
	t->base.tasks = t->tasks;
	if (rc < 0)
		ckpt_tasks_free(&t->base);
	else
		*out = t;
	return rc;
}

/* ---- public ---------------------------------------------------------------------------------- */

/* The newest checkpoint of the namespace; NULL if `c` is it. */
static int find_newer(struct ckpt_store *store, const struct ckpt_checkpoint *c,
		bool deep, struct ckpt_scan **scan, struct ckpt_checkpoint *newest)
{
	struct ckpt_pick pick = { .key = c->key,
		.depth = deep ? CKPT_VALUES : CKPT_HEADS,
		.newest = true,
		.limit = 1 };
	int rc;

	*scan = NULL;
	pick.key.id = (struct ckpt_view){ 0 };
	rc = ckpt_scan_one(scan, store, &pick, newest);
	return rc;
}

/* Is the checkpoint alone not enough? Nodes that ran later tell of the graph, and of the ids. */
static bool wants_more(const struct tasks *t, unsigned how)
{
	return !t->head && (!t->base.why || t->wants_entry) &&
	       (t->wants_entry || !(how & CKPT_TASKS_BRIEF) || t->v < 3 || is_bare(t));
}

static int finish(struct tasks *t, struct ckpt_store *store,
		const struct ckpt_checkpoint *newer)
{
	int rc = t->head && !t->base.why ? tasks_waits(t, store) : 0;

	doubt(t, newer);
	t->base.waits = t->waits;
	t->base.tasks = t->tasks;
	t->base.status = sum_up(t);
	return rc;
}

static int is_head(struct ckpt_store *store, const struct ckpt_checkpoint *c,
		unsigned how, bool *head)
{
	struct ckpt_checkpoint newest = { 0 };
	struct ckpt_scan *scan = NULL;
	int rc = 0;

	*head = how & CKPT_TASKS_HEAD;
	if (how & (CKPT_TASKS_HEAD | CKPT_TASKS_PAST))
		return 0;
	rc = find_newer(store, c, false, &scan, &newest);
	*head = rc > 0 && ckpt_view_eq(newest.key.id, c->key.id) &&
	        newest.key.blob == c->key.blob;
	ckpt_scan_close(scan);
	return rc;
}

/* Once more, with what the rest of the namespace tells. */
static int again(struct tasks **t, struct ckpt_store *store,
		const struct tasks_known *known)
{
	const struct ckpt_checkpoint *c = (*t)->c;
	bool head = (*t)->head;

	ckpt_tasks_free(&(*t)->base);
	return tasks_of(t, store, c, head, known);
}

static int ask_around(
		struct tasks **t, struct ckpt_store *store, struct tasks_known *known)
{
	struct ckpt_buf entry = { 0 };
	int rc = 0;

	if (known->newer)
		rc = again(t, store, known);
	if (rc >= 0 && (*t)->wants_entry) {
		rc = tasks_entry_find(*t, store, &entry);
		known->entry = ckpt_buf_view(&entry);
		if (rc >= 0 && entry.n)
			rc = again(t, store, known);
	}
	ckpt_buf_free(&entry);
	known->entry = (struct ckpt_view){ 0 };
	return rc;
}

int ckpt_tasks_load(struct ckpt_tasks **out, struct ckpt_store *store,
		const struct ckpt_checkpoint *c, unsigned how)
{
	struct tasks_known known = { 0 };
	struct ckpt_checkpoint newest = { 0 };
	struct ckpt_scan *scan = NULL;
	struct tasks *t = NULL;
	bool head;
	int rc = is_head(store, c, how, &head);

	*out = NULL;
	rc = rc < 0 ? rc : tasks_of(&t, store, c, head, &known);
	if (rc >= 0 && wants_more(t, how)) {
		rc = find_newer(store, c, true, &scan, &newest);
		known.newer = rc > 0 ? &newest : NULL;
	}
	rc = rc < 0 ? rc : ask_around(&t, store, &known);
	rc = rc < 0 ? rc : finish(t, store, known.newer);
	ckpt_scan_close(scan);
	if (rc >= 0)
		*out = &t->base;
	else if (t)
		ckpt_tasks_free(&t->base);
	return rc < 0 ? rc : 0;
}

void ckpt_tasks_free(struct ckpt_tasks *tasks)
{
	struct tasks *t = (struct tasks *)tasks;

	if (!t)
		return;
	arena_free(&t->arena);
	free(t);
}
