/*
 * list_checkpoints.c - `ckpt list THREAD` and `ckpt list --all`: one row a checkpoint.
 *
 * A namespace at a time: its links give parents and heads; rows are read on only as deep as the
 * filters and -l ask, in the same order, beside the links.
 */
#include <stdlib.h>
#include <string.h>

#include "list.h"

struct walk {
	struct cli *cli;
	const struct list *o;
	int (*emit)(struct walk *, size_t at, const struct ckpt_checkpoint *);
	struct ckpt_lineage *lineage; /* of the namespace being walked */
	uint64_t *digests;            /* --changed: one a link */
	struct graph *graph;
	struct ckpt_buf nodes, meta, line;
	size_t shown, threads, undecodable;
	struct ckpt_buf last_thread;
	bool stop;
	size_t total;            /* that passed the filters */
	enum ckpt_status status; /* of the checkpoint at hand, for -l and --status */
};

enum { COL_OF_THREAD, COL_OF_NS };

/* clang-format off */
static const struct col all_cols[] = {
	{ "thread", "THREAD", COL_TEXT, 0 },
	{ "ns", "NS", COL_TEXT, 0 },
	{ "id", "ID", COL_TEXT, COL_NO_TEXT },
	{ "short", "CHECKPOINT", COL_TEXT, COL_NO_JSON | COL_NO_PORCELAIN },
	{ "parent", "PARENT", COL_TEXT, COL_NO_TEXT },
	{ "parent_present", "PARENT THERE", COL_BOOL, COL_NO_PORCELAIN | COL_NO_TEXT },
	{ "time", "TIME", COL_TIME, 0 },
	{ "head", "HEAD", COL_BOOL, COL_NO_PORCELAIN | COL_NO_TEXT },
	{ "step", "STEP", COL_INT, COL_LONG | COL_RIGHT },
	{ "source", "SOURCE", COL_TEXT, COL_LONG },
	{ "bytes", "SIZE", COL_SIZE, COL_LONG | COL_RIGHT },
	{ "state_bytes", "STATE", COL_SIZE, COL_LONG | COL_RIGHT | COL_NO_TEXT },
	{ "writes", "WRITES", COL_INT, COL_LONG | COL_RIGHT },
	{ "nodes", "NODES", COL_JSON, COL_LONG },
	{ "status", "STATUS", COL_TEXT, COL_LONG },
	{ "metadata", "METADATA", COL_JSON, COL_LONG | COL_NO_TEXT },
	{ "branch", "", COL_TEXT, COL_NO_JSON | COL_NO_PORCELAIN },
	{ NULL, NULL, COL_TEXT, 0 }
};
static const struct col id_cols[] = {
	{ "id", "CHECKPOINT", COL_TEXT, 0 },
	{ NULL, NULL, COL_TEXT, 0 }
};
/* clang-format on */

static int no_memory(struct walk *w)
{
	return ckpt_fail(&w->cli->err, CKPT_ENOMEM, "out of memory");
}

/* ---- --changed --------------------------------------------------------------------------------- */

/* A delta channel has no stored value at most steps; its version tells of a change. */
static void add_delta_version(struct ckpt_buf *to, const struct ckpt_checkpoint *c,
		struct ckpt_view pointer)
{
	static const char counters[] = "/counters_since_delta_snapshot/";
	const size_t values = sizeof("/values/") - 1;
	struct ckpt_buf p = { 0 };
	struct ckpt_view found, name;
	const char *slash;

	if (pointer.n <= values || memcmp(pointer.p, "/values/", values) != 0)
		return;
	name = (struct ckpt_view){ (const char *)pointer.p + values, pointer.n - values };
	slash = memchr(name.p, '/', name.n);
	name.n = slash ? (size_t)(slash - (const char *)name.p) : name.n;
	ckpt_buf_puts(&p, counters);
	ckpt_buf_add(&p, name.p, name.n);
	if (!p.failed && ckpt_pointer_find(&found, c->meta, ckpt_buf_view(&p))) {
		for (size_t i = 0; i < c->nvalues; i++) {
			if (ckpt_view_eq(c->values[i].channel, name))
				ckpt_buf_add(to, c->values[i].version.p,
						c->values[i].version.n);
		}
	}
	ckpt_buf_free(&p);
}

static int digest_namespace(struct walk *w)
{
	struct ckpt_pick pick = { .key = w->lineage->key, .depth = CKPT_VALUES };
	struct ckpt_view pointer = ckpt_view_of(w->o->changed);
	struct ckpt_render plain = { 0 };
	struct ckpt_buf text = { 0 };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	size_t i = 0;
	int rc;

	free(w->digests);
	w->digests = calloc(w->lineage->count + 1, sizeof(*w->digests));
	if (!w->digests)
		return no_memory(w);
	rc = ckpt_scan_open(&scan, w->cli->store, &pick);
	while (rc >= 0 && i < w->lineage->count && (rc = ckpt_scan_next(scan, &c)) > 0) {
		text.n = 0;
		if (ckpt_checkpoint_path(&text, &c, pointer, &plain) == 0)
			add_delta_version(&text, &c, pointer);
		w->digests[i++] = text.n ? ckpt_hash(ckpt_buf_view(&text)) : 0;
	}
	ckpt_scan_close(scan);
	ckpt_buf_free(&text);
	return rc < 0 ? rc : 0;
}

/* Against the parent; a parent that is not there counts as the empty state. */
static bool changed(const struct walk *w, size_t at)
{
	size_t parent = w->lineage->links[at].parent_at;

	return w->digests[at] != (parent == SIZE_MAX ? 0 : w->digests[parent]);
}

/* ---- walking ----------------------------------------------------------------------------------- */

static int visit(struct walk *w, size_t at, const struct ckpt_checkpoint *c)
{
	const struct list *o = w->o;

	if (o->head && w->lineage->links[at].children)
		return 0;
	if (o->changed && !changed(w, at))
		return 0;
	if (!list_passes(o, c))
		return 0;
	if (o->detail || o->status >= 0) {
		int rc = list_status(w->cli, c, at == w->lineage->head, &w->status);

		if (rc < 0)
			return rc;
	}
	if (!list_stands_so(o, w->status))
		return 0;
	w->total++;
	return w->emit(w, at, c);
}

/* Without anything to read on, a checkpoint is what its link says. */
static int walk_links(struct walk *w)
{
	const struct ckpt_lineage *l = w->lineage;
	int rc = 0;

	for (size_t i = 0; i < l->count && !w->stop && rc >= 0; i++) {
		size_t at = w->o->reverse ? i : l->count - 1 - i;
		struct ckpt_checkpoint c = { .key = l->key, .time = l->links[at].time };

		c.key.id = l->links[at].id;
		rc = visit(w, at, &c);
	}
	return rc;
}

static int walk_rows(struct walk *w)
{
	const struct ckpt_lineage *l = w->lineage;
	struct ckpt_pick pick = { .key = l->key,
		.depth = list_filter_depth(w->o),
		.descending = !w->o->reverse };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	size_t i = 0;
	int rc;

	if (w->o->detail || w->o->graph)
		pick.depth = CKPT_VALUES;
	pick.sizes = w->o->detail;
	pick.writes = w->o->detail || w->o->graph || w->o->status >= 0;
	rc = ckpt_scan_open(&scan, w->cli->store, &pick);
	while (rc >= 0 && i < l->count && !w->stop &&
			(rc = ckpt_scan_next(scan, &c)) > 0) {
		rc = visit(w, w->o->reverse ? i : l->count - 1 - i, &c);
		i++;
	}
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

static int walk_namespace(struct walk *w, const struct ckpt_key *key)
{
	int rc;

	ckpt_lineage_free(w->lineage);
	rc = ckpt_lineage_load(&w->lineage, w->cli->store, key);
	if (rc >= 0 && w->o->changed)
		rc = digest_namespace(w);
	if (rc < 0)
		return rc;
	if (w->o->graph)
		w->graph = graph_new(w->lineage);
	if (w->o->detail || w->o->graph || list_filter_depth(w->o) > CKPT_LINKS)
		rc = walk_rows(w);
	else
		rc = walk_links(w);
	graph_free(w->graph);
	w->graph = NULL;
	return rc;
}

/* --idle asks of the whole thread. */
static int idle_enough(struct walk *w, const struct ckpt_key *key, bool *yes)
{
	struct ckpt_pick pick = { .key = *key, .depth = CKPT_SPANS };
	int64_t last = CKPT_UNKNOWN;
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc;

	pick.key.ns = pick.key.id = (struct ckpt_view){ 0 };
	rc = ckpt_scan_open(&scan, w->cli->store, &pick);
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0) {
		if (c.time > last)
			last = c.time;
	}
	ckpt_scan_close(scan);
	*yes = last != CKPT_UNKNOWN && last <= w->cli->now - w->o->idle;
	return rc < 0 ? rc : 0;
}

/* The namespaces of a thread or of all, one after the other, in byte order. */
static int walk_store(struct walk *w, const struct ckpt_key *bounds, bool any_ns)
{
	struct ckpt_pick pick = {
		.key = *bounds, .depth = CKPT_SPANS, .descending = w->o->reverse
	};
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc = ckpt_scan_open(&scan, w->cli->store, &pick);

	while (rc >= 0 && !w->stop && (rc = ckpt_scan_next(scan, &c)) > 0) {
		struct ckpt_key key = c.key;
		bool yes = true;

		if (w->o->thread_glob && !list_glob(key.thread, w->o->thread_glob))
			continue;
		if (!list_ns(w->o, key.ns, any_ns))
			continue;
		if (w->o->idle != CKPT_UNKNOWN)
			rc = idle_enough(w, &key, &yes);
		key.id = (struct ckpt_view){ 0 };
		if (rc >= 0 && yes)
			rc = walk_namespace(w, &key);
	}
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

static void release(struct walk *w)
{
	ckpt_lineage_free(w->lineage);
	free(w->digests);
	ckpt_buf_free(&w->nodes);
	ckpt_buf_free(&w->meta);
	ckpt_buf_free(&w->line);
	ckpt_buf_free(&w->last_thread);
}

static int stop_at_once(struct walk *w, size_t at, const struct ckpt_checkpoint *c)
{
	(void)at, (void)c;
	w->stop = true;
	return 0;
}

int list_any(struct cli *cli, const struct list *o, const struct ckpt_key *thread,
		bool *yes)
{
	struct list filters = *o;
	struct walk w = { .cli = cli, .o = &filters, .emit = stop_at_once };
	int rc;

	filters.detail = filters.graph = filters.reverse = false;
	filters.idle = CKPT_UNKNOWN; /* already asked, of the whole thread */
	filters.status = -1;
	filters.thread_glob = NULL;
	rc = walk_store(&w, thread, true);
	*yes = w.stop;
	release(&w);
	return rc;
}

/* ---- output -------------------------------------------------------------------------------------- */

static void count_thread(struct walk *w)
{
	struct ckpt_view thread = w->lineage->key.thread;

	if (w->threads && ckpt_view_eq(ckpt_buf_view(&w->last_thread), thread))
		return;
	w->threads++;
	w->last_thread.n = 0;
	ckpt_buf_add(&w->last_thread, thread.p, thread.n);
}

static void limit_reached(struct walk *w)
{
	w->shown++;
	w->stop = w->o->limit != CKPT_UNKNOWN && w->shown >= (size_t)w->o->limit;
}

static int emit_id(struct walk *w, size_t at, const struct ckpt_checkpoint *c)
{
	(void)at;
	count_thread(w);
	limit_reached(w);
	return out_row(w->cli, &(struct field){ .v = c->key.id });
}

/* Texts of -l that need rendering; undecodable ones stay null and are counted. */
static void render_detail(struct walk *w, const struct ckpt_checkpoint *c,
		struct ckpt_view *nodes, struct ckpt_view *meta)
{
	struct ckpt_render plain = { 0 };
	bool bad = c->broken_why != NULL;

	w->nodes.n = w->meta.n = 0;
	if (c->skeleton.p) {
		ckpt_nodes_json(&w->nodes, c);
		*nodes = ckpt_buf_view(&w->nodes);
	}
	if (c->meta.p && ckpt_render_value(&w->meta, c->meta_type, c->meta, &plain) == 0)
		*meta = ckpt_buf_view(&w->meta);
	else
		bad = true;
	w->undecodable += bad;
}

static int emit_row(struct walk *w, size_t at, const struct ckpt_checkpoint *c)
{
	struct ckpt_lineage *l = w->lineage;
	const struct ckpt_link *link = &l->links[at];
	struct ckpt_view nodes = { 0 }, meta = { 0 }, source = { 0 };
	struct ckpt_buf text = { 0 };
	int64_t step = CKPT_UNKNOWN;
	int rc;

	count_thread(w);
	limit_reached(w);
	if (w->o->detail) {
		render_detail(w, c, &nodes, &meta);
		ckpt_meta_int(&step, c->meta, "step");
		if (ckpt_meta_text(&text, c->meta, "source"))
			source = ckpt_buf_view(&text);
	}
	struct field f[] = {
		{ .v = l->key.thread },
		{ .v = l->key.ns },
		{ .v = link->id },
		{ .v = out_form_of(w->cli) == FORM_TEXT ? ckpt_short_id(l, at)
		                                        : link->id },
		{ .v = link->parent },
		{ .b = link->parent_at != SIZE_MAX },
		{ .i = link->time },
		{ .b = link->children == 0 },
		{ .i = step },
		{ .v = source },
		{ .i = c->size + c->meta_size + c->writes_size + c->blobs_new },
		{ .i = c->size + c->blobs_all },
		{ .i = (int64_t)c->nwrites },
		{ .v = nodes },
		{ .v = ckpt_view_of(ckpt_status_name(w->status)) },
		{ .v = meta },
		{ .v = at == l->head                  ? CKPT_LIT("(latest)")
		                : link->children == 0 ? CKPT_LIT("(head)")
		                                      : CKPT_LIT("") },
	};
	rc = out_row(w->cli, f);
	ckpt_buf_free(&text);
	return rc;
}

/* ["a","b"] → a, b */
static void names_of(struct ckpt_buf *to, struct ckpt_view json)
{
	const char *p = json.p;

	for (size_t i = 1; i + 1 < json.n; i++) {
		if (p[i] == ',')
			ckpt_buf_puts(to, ", ");
		else if (p[i] != '"')
			ckpt_buf_add(to, &p[i], 1);
	}
}

static int emit_graph(struct walk *w, size_t at, const struct ckpt_checkpoint *c)
{
	struct ckpt_lineage *l = w->lineage;
	struct ckpt_buf source = { 0 };
	struct ckpt_view nodes = { 0 }, meta = { 0 };
	int64_t step = CKPT_UNKNOWN;
	int rc;

	count_thread(w);
	limit_reached(w);
	render_detail(w, c, &nodes, &meta);
	ckpt_meta_int(&step, c->meta, "step");
	ckpt_meta_text(&source, c->meta, "source");
	w->line.n = 0;
	graph_step(w->graph, at, &w->line);
	ckpt_buf_puts(&w->line, out_style(w->cli, "\033[33m"));
	text_safe(&w->line, ckpt_short_id(l, at), 0);
	ckpt_buf_puts(&w->line, out_style(w->cli, "\033[0m"));
	if (step != CKPT_UNKNOWN)
		ckpt_buf_addf(&w->line, "  step %lld", (long long)step);
	ckpt_buf_puts(&w->line, "  ");
	text_safe(&w->line, ckpt_buf_view(&source), 20);
	if (nodes.n > 2) {
		ckpt_buf_puts(&w->line, "  ");
		names_of(&w->line, nodes);
	}
	rc = l->links[at].children ? 0 : list_mark(w->cli, c, &w->line);
	ckpt_buf_puts(&w->line, "  ");
	text_time(&w->line, l->links[at].time, w->cli->now, w->cli->g.time == 1);
	if (at == l->head)
		ckpt_buf_puts(&w->line, "  (latest)");
	else if (l->links[at].children == 0)
		ckpt_buf_puts(&w->line, "  (head)");
	ckpt_buf_puts(&w->line, "\n");
	graph_end(w->graph, at, &w->line);
	ckpt_buf_free(&source);
	if (rc >= 0 && w->line.failed)
		rc = no_memory(w);
	if (rc >= 0)
		out_put(w->cli, ckpt_buf_view(&w->line));
	return rc;
}

static int summarize(struct walk *w)
{
	struct ckpt_buf members = { 0 }, text = { 0 };
	int rc;

	ckpt_buf_addf(&members, "\"threads\":%zu,\"checkpoints\":%zu", w->threads,
			w->shown);
	ckpt_buf_addf(&text, "%zu checkpoint%s", w->shown, w->shown == 1 ? "" : "s");
	if (w->threads > 1)
		ckpt_buf_addf(&text, " in %zu threads", w->threads);
	if (w->stop && w->lineage && w->threads == 1 && w->lineage->count > w->shown)
		ckpt_buf_addf(&text, " of %zu; more: --limit %zu", w->lineage->count,
				w->lineage->count);
	if (w->undecodable)
		cli_note(w->cli, "%zu checkpoint%s cannot be decoded", w->undecodable,
				w->undecodable == 1 ? "" : "s");
	rc = members.failed || text.failed ? no_memory(w)
	                                   : out_summary(w->cli, members.p, text.p);
	ckpt_buf_free(&members);
	ckpt_buf_free(&text);
	return rc;
}

/* The columns a person needs: no thread where one was named, no namespace where it is the root. */
static int begin(struct walk *w, bool one_thread, struct col *cols)
{
	if (w->o->ids)
		return out_begin(w->cli, "list", "checkpoint", id_cols, false);
	if (w->o->graph)
		return out_begin(w->cli, "list", "checkpoint", NULL, false);
	memcpy(cols, all_cols, sizeof(all_cols));
	if (one_thread)
		cols[COL_OF_THREAD].flags |= COL_NO_TEXT;
	if (!w->o->ns)
		cols[COL_OF_NS].flags |= COL_NO_TEXT;
	return out_begin(w->cli, "list", "checkpoint", cols, w->o->detail);
}

int list_checkpoints(
		struct cli *cli, const struct list *o, const struct ckpt_view *thread)
{
	struct walk w = { .cli = cli, .o = o };
	struct col cols[sizeof(all_cols) / sizeof(all_cols[0])];
	struct ckpt_key bounds = { 0 };
	int rc = 0;

	w.emit = o->graph ? emit_graph : o->ids ? emit_id : emit_row;
	if (thread) {
		/* finds a thread kept as BLOB too; fails where there is none */
		rc = ckpt_thread_find(&bounds, cli->store, *thread);
	}
	rc = rc < 0 ? rc : begin(&w, thread != NULL, cols);
	rc = rc < 0 ? rc : walk_store(&w, &bounds, false);
	if (rc >= 0 && o->run_id && w.total == 0)
		rc = ckpt_fail(&cli->err, CKPT_ENOTFOUND, "no checkpoint of run '%s'",
				o->run_id);
	rc = rc < 0 ? rc : summarize(&w);
	release(&w);
	return rc;
}
