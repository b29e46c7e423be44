/*
 * tasks_next.c - the tasks of the step that follows a checkpoint: one for each Send, and one for
 * each node with a channel that can trigger it and that it has not seen at this version.
 */
#include "tasks.h"

#define PULL_PATH "~__pregel_pull, " /* task_path of a node's rows, before its name */
#define JOINS 10                     /* of one node: more are not tried one by one */

struct node { /* the routes of one node: routes[from] … routes[to - 1] */
	struct ckpt_view name;
	size_t from, to;
};

static int add_task(struct tasks *t, struct ckpt_view node, const char *id, bool push)
{
	struct ckpt_task *task;

	t->tasks = tasks_grow(t, t->tasks, t->base.ntasks, &t->cap, sizeof(*t->tasks));
	if (!t->tasks)
		return tasks_no_memory(t);
	task = &t->tasks[t->base.ntasks++];
	*task = (struct ckpt_task){ .node = node, .push = push, .next = true };
	if (id)
		task->id = arena_copy(&t->arena, ckpt_view_of(id), t->err);
	return t->err->code;
}

/* ---- Sends ----------------------------------------------------------------------------------- */

static int add_send(struct tasks *t, struct ckpt_view json, size_t index)
{
	struct ckpt_view node;
	char id[TASK_ID];

	if (!ckpt_pointer_find(&node, json, CKPT_LIT("/node")) || !node.n ||
			*(const char *)node.p != '"')
		return 0; /* LangGraph ignores what is no Send, too */
	node = tasks_text(t, node);
	if (!node.p)
		return tasks_no_memory(t);
	return add_task(t, node, tasks_id_push(t, id, node, index) ? id : NULL, true);
}

/* The Sends in the value of their channel; JavaScript's has a list of what was seen before them. */
static bool open_sends(struct ckpt_walk *w, struct ckpt_view json)
{
	struct ckpt_view key, first, second;

	if (!ckpt_walk_open(w, json) || w->map)
		return false;
	if (ckpt_walk_next(w, &key, &first) && first.n && *(const char *)first.p == '[' &&
			ckpt_walk_next(w, &key, &second))
		return ckpt_walk_open(w, second) && !w->map;
	return ckpt_walk_open(w, json);
}

static int add_sends(struct tasks *t, struct ckpt_view type, struct ckpt_view body)
{
	struct ckpt_render plain = { 0 };
	struct ckpt_buf text = { 0 };
	struct ckpt_view key, item;
	struct ckpt_walk w;
	size_t index = 0;
	int rc = ckpt_render_value(&text, type, body, &plain);

	if (text.failed)
		rc = tasks_no_memory(t);
	else if (rc < 0 || !open_sends(&w, ckpt_buf_view(&text)))
		rc = tasks_unknown(t, "the Sends of this checkpoint cannot be read");
	else
		while (rc >= 0 && ckpt_walk_next(&w, &key, &item))
			rc = add_send(t, item, index++);
	ckpt_buf_free(&text);
	return rc;
}

/* Rows of a Command replace what is stored, in JavaScript already when it is looked at. */
static int sends_of_command(struct tasks *t, bool *any)
{
	size_t index = 0;
	int rc = 0;

	for (size_t i = 0; i < t->c->nwrites && t->js && rc >= 0; i++) {
		const struct ckpt_write *w = &t->c->writes[i];
		struct ckpt_render plain = { 0 };
		struct ckpt_buf text = { 0 };

		if (!ckpt_view_eq(w->task, CKPT_LIT(TASKS_NULL)) ||
				!ckpt_view_eq(w->channel, CKPT_LIT("__pregel_tasks")))
			continue;
		*any = true;
		if (ckpt_render_value(&text, w->type, w->body, &plain) == 0)
			rc = add_send(t, ckpt_buf_view(&text), index++);
		ckpt_buf_free(&text);
	}
	return rc;
}

static int sends(struct tasks *t)
{
	const struct ckpt_checkpoint *c = t->c;
	struct ckpt_view pending, type = c->type.p ? c->type : CKPT_LIT("json");
	bool any = false;
	int rc = sends_of_command(t, &any);

	if (rc < 0 || any)
		return rc;
	/* before v 4 the container had a list of its own, which outranks the channel */
	if (t->v < 4 && ckpt_value_member(&pending, type, c->skeleton, "pending_sends")) {
		size_t before = t->base.ntasks;

		rc = add_sends(t, type, pending);
		if (rc < 0 || t->base.ntasks > before)
			return rc;
	}
	for (size_t i = 0; i < c->nvalues; i++) {
		const struct ckpt_value *v = &c->values[i];

		if (!ckpt_view_eq(v->channel, CKPT_LIT("__pregel_tasks")))
			continue;
		if (v->place == CKPT_LOST)
			return tasks_unknown(t, "the Sends of this checkpoint are lost");
		return v->type.p ? add_sends(t, v->type, v->body) : 0;
	}
	return 0;
}

/* ---- ids of nodes ---------------------------------------------------------------------------- */

static bool has_rows(const struct tasks *t, const char *id)
{
	size_t from, to;

	return tasks_rows_of(t, ckpt_view_of(id), &from, &to);
}

/* What a run under durability "exit" leaves here of its first step: the step's number stands for
 * the first group of the task's id. */
static bool is_synthetic(const struct tasks *t, struct ckpt_view task)
{
	char step[24];
	int n = snprintf(step, sizeof(step), "%08lld-", (long long)t->step);

	return n > 0 && task.n >= (size_t)n && memcmp(task.p, step, (size_t)n) == 0;
}

/* A row whose task_path names the node. */
static struct ckpt_view id_of_path(const struct tasks *t, struct ckpt_view node)
{
	const size_t n = sizeof(PULL_PATH) - 1;
	struct ckpt_view found = { 0 };
	int64_t newest = INT64_MIN;

	for (size_t i = 0; i < t->c->nwrites; i++) {
		const struct ckpt_write *w = &t->c->writes[i];

		if (w->path.n == n + node.n && memcmp(w->path.p, PULL_PATH, n) == 0 &&
				memcmp((const char *)w->path.p + n, node.p, node.n) ==
						0 &&
				w->seq >= newest && !is_synthetic(t, w->task)) {
			found = w->task;
			newest = w->seq;
		}
	}
	return found;
}

static int view_cmp(const void *a, const void *b)
{
	return ckpt_view_cmp(*(const struct ckpt_view *)a, *(const struct ckpt_view *)b);
}

/* The id made of some of the triggers: those of `must`, and those joins whose bit is set. */
static bool id_of_set(const struct tasks *t, char out[static TASK_ID],
		const struct node *n, struct ckpt_view must, uint64_t bits)
{
	struct ckpt_view set[JOINS + 1], *all = set;
	size_t count = 0, joins = 0, max = n->to - n->from + 1;
	bool good;

	if (max > JOINS + 1 && !(all = calloc(max, sizeof(*all))))
		return false;
	if (must.p)
		all[count++] = must;
	for (size_t i = n->from; i < n->to; i++) {
		if (t->graph.routes[i].kind == ROUTE_BRANCH)
			continue;
		if (joins >= JOINS || bits >> joins & 1)
			all[count++] = t->graph.routes[i].channel;
		joins++;
	}
	if (count)
		qsort(all, count, sizeof(*all), view_cmp);
	good = tasks_id_pull(t, out, n->name, all, count);
	if (good && t->v == 2 && !has_rows(t, out)) {
		char old[TASK_ID];

		/* of its releases some wrote SHA-1: they tell the set, today's id is XXH3 */
		good = tasks_id_old(t, old, n->name, all, count) && has_rows(t, old);
	} else if (good) {
		good = has_rows(t, out);
	}
	if (all != set)
		free(all);
	return good;
}

/* Which joins a node waits for is known only as far as they were written; rows of the task tell
 * which set is right. Without any it is all that are known. */
static int id_of_python(struct tasks *t, char out[static TASK_ID], const struct node *n)
{
	struct ckpt_buf branch = { 0 };
	struct ckpt_view must = { 0 }, found;
	bool raw = true, made = false;
	size_t joins = 0;

	for (size_t i = n->from; i < n->to; i++) {
		joins += t->graph.routes[i].kind != ROUTE_BRANCH;
		raw = raw && t->graph.routes[i].kind == ROUTE_RAW;
	}
	if (!raw) {
		ckpt_buf_puts(&branch, "branch:to:");
		ckpt_buf_add(&branch, n->name.p, n->name.n);
		must = ckpt_buf_view(&branch);
	}
	joins = joins < JOINS ? joins : JOINS;
	for (uint64_t bits = (UINT64_C(1) << joins); bits-- > 0 && !made;)
		made = id_of_set(t, out, n, must, bits);
	if (branch.failed) {
		ckpt_buf_free(&branch);
		return tasks_no_memory(t);
	}
	found = !made && t->v >= 3 ? id_of_path(t, n->name) : (struct ckpt_view){ 0 };
	if (found.n == TASK_ID - 1)
		memcpy(out, found.p, TASK_ID - 1);
	else if (!made)
		id_of_set(t, out, n, must, UINT64_MAX);
	ckpt_buf_free(&branch);
	return 0;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static struct ckpt_view later(struct ckpt_view a, struct ckpt_view b)
{
	return tasks_version_after(b, a) ? b : a;
}

/* Triggered: 1, 0, or -1. Names that one channel had before v 3 count as one. */
static int branch_fires(const struct tasks *t, const struct node *n)
{
	struct ckpt_view version = { 0 }, seen = { 0 };
	bool met = false;
	int open = 0;

	for (size_t i = n->from; i < n->to; i++) {
		const struct tasks_route *r = &t->graph.routes[i];
		int one;

		if (r->kind != ROUTE_BRANCH || !r->value)
			continue;
		one = tasks_open(r);
		open = one < 0 || open < 0 ? -1 : open | one;
		version = later(version, r->value->version);
		seen = later(seen, tasks_seen_of(&t->graph, n->name, r->channel, &met));
	}
	if (open == 0 || (!met && !t->js))
		return open;
	return tasks_version_after(version, seen) ? open : 0;
}

/* JavaScript counts a node that a Command goes to from here among the next ones, if its channel
 * has moved on since. Deferred nodes are not ready; of an empty channel that cannot be seen. */
static bool is_goto(const struct tasks *t, const struct tasks_route *r)
{
	if (!t->js || r->kind != ROUTE_BRANCH || !r->value || r->value->type.p)
		return false;
	for (size_t i = 0; i < t->c->nwrites; i++) {
		if (ckpt_view_eq(t->c->writes[i].task, CKPT_LIT(TASKS_NULL)) &&
				ckpt_view_eq(t->c->writes[i].channel, r->channel))
			return true;
	}
	return false;
}

static int route_fires(const struct tasks *t, const struct tasks_route *r)
{
	struct ckpt_view seen;
	int open = is_goto(t, r) ? 1 : tasks_open(r);
	bool met;

	if (open == 0)
		return 0;
	seen = tasks_seen_of(&t->graph, r->node, r->channel, &met);
	if (!met && !t->js)
		return open;
	return tasks_version_after(r->value->version, seen) ? open : 0;
}

/* JavaScript makes the id of the first channel that triggers: the branch, else a join in the
 * graph's order. Of several joins rows tell; without any the id cannot be known. */
static int fires_in_js(struct tasks *t, const struct node *n, char id[static TASK_ID],
		bool *fired)
{
	const struct tasks_route *first = NULL;
	bool with_rows = false, many = false;

	for (size_t i = n->from; i < n->to; i++) {
		const struct tasks_route *r = &t->graph.routes[i];
		int one = route_fires(t, r);
		char try[TASK_ID];

		if (one < 0)
			return tasks_unknown(t,
					"a channel that leads to nodes cannot be read");
		if (!one || !tasks_id_pull(t, try, n->name, &r->channel, 1))
			continue;
		if (!first || (!with_rows && has_rows(t, try)))
			memcpy(id, try, TASK_ID);
		with_rows = with_rows || has_rows(t, try);
		many = many || (first && first->kind != ROUTE_BRANCH);
		first = first ? first : r;
	}
	*fired = first;
	if (many && !with_rows)
		id[0] = '\0';
	return 0;
}

static int fires_in_python(struct tasks *t, const struct node *n, char id[static TASK_ID],
		bool *fired)
{
	int one = branch_fires(t, n);

	for (size_t i = n->from; i < n->to && one == 0; i++) {
		if (t->graph.routes[i].kind != ROUTE_BRANCH)
			one = route_fires(t, &t->graph.routes[i]);
	}
	if (one < 0)
		return tasks_unknown(t, "a channel that leads to nodes cannot be read");
	*fired = one > 0;
	return one ? id_of_python(t, id, n) : 0;
}

static int node(struct tasks *t, const struct node *n)
{
	char id[TASK_ID] = "";
	bool fired = false;
	int rc = t->js ? fires_in_js(t, n, id, &fired)
	               : fires_in_python(t, n, id, &fired);

	if (rc < 0 || !fired)
		return rc;
	return add_task(t, n->name, *id ? id : NULL, false);
}

/* The node that a row of this checkpoint says reads the input; NULL view: none says. */
struct ckpt_view tasks_first_node(const struct ckpt_checkpoint *c)
{
	const size_t n = sizeof(PULL_PATH) - 1;

	for (size_t i = 0; i < c->nwrites; i++) {
		struct ckpt_view path = c->writes[i].path;

		if (path.n > n && memcmp(path.p, PULL_PATH, n) == 0 &&
				!tasks_is_handler(path))
			return (struct ckpt_view){ (const char *)path.p + n, path.n - n };
	}
	return (struct ckpt_view){ 0 };
}

/* The input waits and nobody known has read it yet: it is for `__start__` of a StateGraph, or for
 * the one function of an entrypoint, whose name other rows tell. */
static int first_node(struct tasks *t)
{
	struct tasks_route r = { .channel = CKPT_LIT("__start__"), .kind = ROUTE_RAW };
	bool state = false;

	for (size_t i = 0; i < t->graph.nroutes; i++) {
		if (ckpt_view_eq(t->graph.routes[i].channel, r.channel))
			return 0; /* somebody has */
		state = true;
	}
	for (size_t i = 0; i < t->c->nvalues; i++) {
		if (ckpt_view_eq(t->c->values[i].channel, r.channel))
			r.value = &t->c->values[i];
	}
	if (tasks_open(&r) == 0)
		return 0;
	r.node = state ? CKPT_LIT("__start__") : tasks_first_node(t->c);
	if (!r.node.p)
		r.node = t->entry;
	if (!r.node.p) {
		t->wants_entry = true;
		return tasks_unknown(t,
				"the input waits, and nothing tells whether for a "
				"StateGraph or for a function of what name");
	}
	t->entry = r.node;
	t->graph.routes = tasks_grow(
			t, t->graph.routes, t->graph.nroutes, &t->graph.cap, sizeof(r));
	if (!t->graph.routes)
		return tasks_no_memory(t);
	t->graph.routes[t->graph.nroutes] = r;
	return node(t, &(struct node){ r.node, t->graph.nroutes, t->graph.nroutes + 1 });
}

int tasks_next(struct tasks *t)
{
	const struct tasks_graph *g = &t->graph;
	bool versions = false;
	int rc = sends(t);

	for (size_t i = 0; i < t->c->nvalues && !versions; i++)
		versions = t->c->values[i].version.p;
	if (!versions)
		return rc;
	rc = rc < 0 ? rc : first_node(t);
	for (size_t from = 0, to; from < g->nroutes && rc >= 0; from = to) {
		for (to = from + 1; to < g->nroutes; to++) {
			if (!ckpt_view_eq(g->routes[to].node, g->routes[from].node))
				break;
		}
		rc = node(t, &(struct node){ g->routes[from].node, from, to });
	}
	t->base.tasks = t->tasks;
	return rc < 0 ? rc : 0;
}
