/*
 * tasks_route.c - which channels lead to which nodes, as far as one checkpoint tells: by their
 * names, and by what nodes have seen. Edges are not stored; a node that never ran and whose
 * channel was never written cannot be known.
 */
#include "tasks.h"

/* Entries of versions_seen that are the engine's bookkeeping, not nodes. */
static bool is_pseudo(struct ckpt_view name)
{
	return ckpt_view_eq(name, CKPT_LIT("__input__")) ||
	       ckpt_view_eq(name, CKPT_LIT("__interrupt__")) ||
	       ckpt_view_eq(name, CKPT_LIT("__snapshot_bumps__"));
}

/* ---- versions_seen --------------------------------------------------------------------------- */

static int add_seen(struct tasks *t, struct tasks_graph *g, size_t *cap,
		struct tasks_seen one)
{
	g->seen = tasks_grow(t, g->seen, g->nseen, cap, sizeof(*g->seen));
	if (!g->seen)
		return tasks_no_memory(t);
	g->seen[g->nseen++] = one;
	return 0;
}

static int seen_cmp(const void *pa, const void *pb)
{
	const struct tasks_seen *a = pa, *b = pb;
	int d = ckpt_view_cmp(a->node, b->node);

	return d ? d : ckpt_view_cmp(a->channel, b->channel);
}

static int read_node(struct tasks *t, struct tasks_graph *g, size_t *cap,
		struct ckpt_view node, struct ckpt_view json)
{
	struct ckpt_view key, version;
	struct ckpt_walk w;
	int rc = add_seen(t, g, cap, (struct tasks_seen){ .node = node });

	if (!ckpt_walk_open(&w, json) || !w.map)
		return rc;
	while (rc >= 0 && ckpt_walk_next(&w, &key, &version)) {
		struct ckpt_view channel = tasks_text(t, key);

		rc = channel.p ? add_seen(t, g, cap,
						 (struct tasks_seen){
								 node, channel, version })
		               : tasks_no_memory(t);
	}
	return rc;
}

static int read_seen(
		struct tasks *t, struct tasks_graph *g, const struct ckpt_checkpoint *c)
{
	struct ckpt_view raw, json, key, value;
	struct ckpt_render plain = { 0 };
	struct ckpt_buf text = { 0 };
	struct ckpt_walk w;
	size_t cap = 0;
	int rc = 0;

	/* what is left of a container is kept in its own language, JSON on PostgreSQL */
	if (!ckpt_value_member(&raw, c->type.p ? c->type : CKPT_LIT("json"), c->skeleton,
			    "versions_seen"))
		return 0;
	ckpt_render_value(&text, c->type.p ? c->type : CKPT_LIT("json"), raw, &plain);
	json = tasks_keep(t, &text);
	ckpt_buf_free(&text);
	if (!json.p)
		return tasks_no_memory(t);
	if (!ckpt_walk_open(&w, json) || !w.map)
		return 0;
	while (rc >= 0 && ckpt_walk_next(&w, &key, &value)) {
		struct ckpt_view node = tasks_text(t, key);

		if (!node.p)
			return tasks_no_memory(t);
		if (!is_pseudo(node))
			rc = read_node(t, g, &cap, node, value);
	}
	if (g->nseen)
		qsort(g->seen, g->nseen, sizeof(*g->seen), seen_cmp);
	return rc;
}

struct ckpt_view tasks_seen_of(const struct tasks_graph *g, struct ckpt_view node,
		struct ckpt_view channel, bool *met)
{
	struct tasks_seen key = { .node = node };
	const struct tasks_seen *hit = NULL;

	*met = g->nseen && bsearch(&key, g->seen, g->nseen, sizeof(key), seen_cmp);
	key.channel = channel;
	if (*met)
		hit = bsearch(&key, g->seen, g->nseen, sizeof(key), seen_cmp);
	return hit ? hit->version : (struct ckpt_view){ 0 };
}

bool tasks_version_after(struct ckpt_view a, struct ckpt_view b)
{
	const char *x = a.p, *y = b.p;

	if (!a.p || !a.n || ckpt_view_eq(a, CKPT_LIT("null")))
		return false;
	if (!b.p || !b.n || ckpt_view_eq(b, CKPT_LIT("null")))
		return !ckpt_view_eq(a, CKPT_LIT("\"\"")) &&
		       !ckpt_view_eq(a, CKPT_LIT("0"));
	if (x[0] != '"' && y[0] != '"') {
		char m[32], n[32]; /* numbers of JavaScript, without a NUL behind them */

		snprintf(m, sizeof(m), "%.*s", (int)(a.n < 31 ? a.n : 31), x);
		snprintf(n, sizeof(n), "%.*s", (int)(b.n < 31 ? b.n : 31), y);
		return strtod(m, NULL) > strtod(n, NULL);
	}
	return ckpt_view_cmp(a, b) > 0;
}

/* ---- routes ---------------------------------------------------------------------------------- */

static bool begins(struct ckpt_view v, const char *with)
{
	size_t n = strlen(with);

	return v.n >= n && memcmp(v.p, with, n) == 0;
}

static struct ckpt_view behind(struct ckpt_view v, size_t n)
{
	return (struct ckpt_view){ (const char *)v.p + n, v.n - n };
}

static struct ckpt_view behind_last_colon(struct ckpt_view v)
{
	const char *colon = memrchr(v.p, ':', v.n);

	return behind(v, (size_t)(colon + 1 - (const char *)v.p));
}

static size_t colons(struct ckpt_view v)
{
	const char *p = v.p;
	size_t n = 0;

	for (size_t i = 0; i < v.n; i++)
		n += p[i] == ':';
	return n;
}

/* A channel whose name says which node it triggers. */
static bool route_of_name(
		struct tasks_route *out, const struct tasks *t, struct ckpt_view channel)
{
	*out = (struct tasks_route){ .channel = channel, .kind = ROUTE_BRANCH };
	if (begins(channel, "branch:to:") && (t->v >= 3 || colons(channel) == 2))
		out->node = behind(channel, 10);
	else if (begins(channel, "join:") && colons(channel) >= 2)
		*out = (struct tasks_route){ .channel = channel,
			.node = behind_last_colon(channel),
			.kind = ROUTE_JOIN };
	else if (t->v < 3 && begins(channel, "start:"))
		out->node = behind(channel, 6);
	else if (t->v < 3 && begins(channel, "branch:") && colons(channel) == 3)
		out->node = behind_last_colon(channel);
	return out->node.n > 0;
}

static int add_route(struct tasks *t, struct tasks_graph *g, struct tasks_route one)
{
	g->routes = tasks_grow(t, g->routes, g->nroutes, &g->cap, sizeof(*g->routes));
	if (!g->routes)
		return tasks_no_memory(t);
	g->routes[g->nroutes++] = one;
	return 0;
}

static int route_cmp(const void *pa, const void *pb)
{
	const struct tasks_route *a = pa, *b = pb;
	int d = ckpt_view_cmp(a->node, b->node);

	d = d ? d : (a->kind > b->kind) - (a->kind < b->kind);
	d = d ? d : ckpt_view_cmp(a->channel, b->channel);
	return d ? d : !a->value - !b->value; /* one with a value first */
}

static int value_cmp(const void *pa, const void *pb)
{
	const struct ckpt_value *const *a = pa, *const *b = pb;

	return ckpt_view_cmp((*a)->channel, (*b)->channel);
}

static const struct ckpt_value *value_named(
		const struct ckpt_value **sorted, size_t n, struct ckpt_view name)
{
	struct ckpt_value key = { .channel = name };
	const struct ckpt_value *k = &key, **hit = NULL;

	if (n)
		hit = bsearch(&k, sorted, n, sizeof(*sorted), value_cmp);
	return hit ? *hit : NULL;
}

/* A StateGraph names the channels that trigger nodes; of others nodes only note the versions. */
static bool is_state_graph(const struct tasks_graph *g, const struct ckpt_checkpoint *c)
{
	bool met;

	for (size_t i = 0; i < c->nvalues; i++) {
		if (begins(c->values[i].channel, "branch:to:"))
			return true;
	}
	tasks_seen_of(g, CKPT_LIT("__start__"), CKPT_LIT("__start__"), &met);
	return met;
}

/* Channels whose names tell nothing: what nodes have seen tells who subscribes to them. */
static int routes_of_seen(struct tasks *t, struct tasks_graph *g,
		const struct ckpt_checkpoint *c, const struct ckpt_value **sorted)
{
	bool named = t->v >= 3 && is_state_graph(g, c);
	int rc = 0;

	for (size_t i = 0; i < g->nseen && rc >= 0; i++) {
		struct tasks_route r;

		if (!g->seen[i].channel.p || route_of_name(&r, t, g->seen[i].channel))
			continue;
		if (named && !ckpt_view_eq(g->seen[i].channel, CKPT_LIT("__start__")))
			continue;
		/* before v 3 an edge from A wrote a channel that was called A, too */
		r = (struct tasks_route){ .node = g->seen[i].node,
			.channel = g->seen[i].channel,
			.value = value_named(sorted, c->nvalues, g->seen[i].channel),
			.kind = t->v < 3 && !begins(g->seen[i].channel, "__")
			                        ? ROUTE_BRANCH
			                        : ROUTE_RAW };
		rc = add_route(t, g, r);
	}
	return rc;
}

static int sort_values(struct tasks *t, const struct ckpt_checkpoint *c,
		const struct ckpt_value ***out)
{
	size_t size = (c->nvalues + 1) * sizeof(const struct ckpt_value *);

	*out = arena_take(&t->arena, size, t->err);
	if (!*out)
		return t->err->code;
	for (size_t i = 0; i < c->nvalues; i++)
		(*out)[i] = &c->values[i];
	qsort(*out, c->nvalues, sizeof(**out), value_cmp);
	return 0;
}

/* In their order, and each once: the one with a value. */
static void tidy(struct tasks_graph *g)
{
	size_t kept = 0;

	if (g->nroutes)
		qsort(g->routes, g->nroutes, sizeof(*g->routes), route_cmp);
	for (size_t i = 0; i < g->nroutes; i++) {
		struct tasks_route *last = kept ? &g->routes[kept - 1] : NULL;

		if (!last || last->kind != g->routes[i].kind ||
				!ckpt_view_eq(last->node, g->routes[i].node) ||
				!ckpt_view_eq(last->channel, g->routes[i].channel))
			g->routes[kept++] = g->routes[i];
	}
	g->nroutes = kept;
}

int tasks_graph_read(
		struct tasks_graph *g, struct tasks *t, const struct ckpt_checkpoint *c)
{
	const struct ckpt_value **sorted;
	int rc = read_seen(t, g, c);

	rc = rc < 0 ? rc : sort_values(t, c, &sorted);
	for (size_t i = 0; i < c->nvalues && rc >= 0; i++) {
		struct tasks_route r;

		if (route_of_name(&r, t, c->values[i].channel)) {
			r.value = &c->values[i];
			rc = add_route(t, g, r);
		}
	}
	rc = rc < 0 ? rc : routes_of_seen(t, g, c, sorted);
	tidy(g);
	return rc;
}

int tasks_graph_more(struct tasks *t, const struct ckpt_checkpoint *newer)
{
	struct tasks_graph other = { 0 }, *g = &t->graph;
	const struct ckpt_value **sorted;
	int rc = tasks_graph_read(&other, t, newer);

	rc = rc < 0 ? rc : sort_values(t, t->c, &sorted);
	for (size_t i = 0; i < other.nroutes && rc >= 0; i++) {
		struct tasks_route r = other.routes[i];

		r.node = arena_copy(&t->arena, r.node, t->err);
		r.channel = arena_copy(&t->arena, r.channel, t->err);
		r.value = value_named(sorted, t->c->nvalues, r.channel);
		rc = t->err->code ? t->err->code : add_route(t, g, r);
	}
	tidy(g);
	return rc;
}

/* ---- can it trigger -------------------------------------------------------------------------- */

/* ["a","b"] of join:a+b:N: all names are there if their lengths add up to the channel's. */
static bool join_full(struct ckpt_view channel, struct ckpt_view names)
{
	const char *colon = memrchr(channel.p, ':', channel.n);
	size_t want = (size_t)(colon - (const char *)channel.p) - 5, got = 0, count = 0;
	struct ckpt_view key, name;
	struct ckpt_walk w;

	if (!ckpt_walk_open(&w, names) || w.map)
		return false;
	while (ckpt_walk_next(&w, &key, &name)) {
		struct ckpt_buf text = { 0 };

		ckpt_json_text(&text, name);
		got += text.n;
		count++;
		ckpt_buf_free(&text);
	}
	return count && got + count - 1 == want;
}

/* Channels of deferred nodes hold [value, finished]. */
static bool deferred(struct ckpt_view json, struct ckpt_view *value, bool *finished)
{
	struct ckpt_view key, last = { 0 };
	struct ckpt_walk w;

	if (!ckpt_walk_open(&w, json) || w.map || !ckpt_walk_next(&w, &key, value) ||
			!ckpt_walk_next(&w, &key, &last))
		return false;
	*finished = ckpt_view_eq(last, CKPT_LIT("true"));
	return (*finished || ckpt_view_eq(last, CKPT_LIT("false"))) &&
	       !ckpt_walk_next(&w, &key, &last);
}

static int open_value(const struct tasks_route *r, struct ckpt_view json)
{
	struct ckpt_view inner;
	bool finished;

	if (deferred(json, &inner, &finished))
		return finished &&
		       (r->kind != ROUTE_JOIN || join_full(r->channel, inner));
	return r->kind != ROUTE_JOIN || join_full(r->channel, json);
}

int tasks_open(const struct tasks_route *r)
{
	static const char undefined[] = "{\"lc\":2,\"type\":\"undefined\"";
	const struct ckpt_value *v = r->value;
	struct ckpt_render plain = { 0 };
	struct ckpt_buf text = { 0 };
	int rc;

	if (!v || (!v->type.p && v->place != CKPT_LOST))
		return 0;
	if (!v->type.p || v->lock == CKPT_SHUT)
		return -1;
	if (v->body.n >= sizeof(undefined) &&
			memcmp(v->body.p, undefined, sizeof(undefined) - 1) == 0)
		return 0;
	if (r->kind == ROUTE_RAW)
		return 1;
	if (ckpt_render_value(&text, v->type, v->body, &plain) < 0 || text.failed)
		rc = -1;
	else if (begins(ckpt_buf_view(&text), "{\"$opaque\""))
		rc = -1;
	else
		rc = open_value(r, ckpt_buf_view(&text));
	ckpt_buf_free(&text);
	return rc;
}
