/*
 * tasks_entry.c - which node reads the input that waits at a checkpoint: `__start__` of a
 * StateGraph, or the one function of an entrypoint, whose name nothing tells before it was through
 * once. Other checkpoints do: neighbours, and, as far as an id proves it, those of other threads.
 */
#include "backend.h"
#include "tasks.h"

#define NEIGHBOURS 32 /* of one namespace */
#define STRANGERS 64  /* heads of other threads */

static int in_namespace(struct tasks *t, struct ckpt_store *store, struct ckpt_buf *out)
{
	struct ckpt_pick pick = { .key = t->c->key,
		.depth = CKPT_VALUES,
		.writes = true,
		.descending = true,
		.limit = NEIGHBOURS };
	const struct tasks_known none = { 0 };
	struct ckpt_checkpoint other;
	struct ckpt_scan *scan;
	int rc;

	pick.key.id = (struct ckpt_view){ 0 };
	rc = ckpt_scan_open(&scan, store, &pick);
	while (rc >= 0 && !out->n && (rc = ckpt_scan_next(scan, &other)) > 0) {
		struct tasks *near = NULL;
		struct ckpt_view node = { 0 };

		rc = tasks_of(&near, store, &other, false, &none);
		node = near ? near->entry : node;
		for (size_t i = 0; near && i < near->graph.nroutes; i++) {
			if (ckpt_view_eq(near->graph.routes[i].channel,
					    CKPT_LIT("__start__")))
				node = near->graph.routes[i].node;
		}
		ckpt_buf_add(out, node.p, node.n);
		if (near)
			ckpt_tasks_free(&near->base);
	}
	ckpt_scan_close(scan);
	return rc;
}

/* Has the task that would read the input rows here, if it is called so? */
static bool is_named(const struct tasks *t, struct ckpt_view node)
{
	const struct ckpt_view input = CKPT_LIT("__start__");
	size_t from, to;
	char id[TASK_ID];

	if (tasks_id_pull(t, id, node, &input, 1) &&
			tasks_rows_of(t, ckpt_view_of(id), &from, &to))
		return true;
	return t->v == 2 && tasks_id_old(t, id, node, &input, 1) &&
	       tasks_rows_of(t, ckpt_view_of(id), &from, &to);
}

/* Does this head know a node that reads the input here? Then it is added to `out`. */
static int ask_head(struct tasks *t, struct ckpt_store *store, const struct ckpt_key *key,
		struct ckpt_buf *out)
{
	struct ckpt_pick pick = { .key = *key, .depth = CKPT_VALUES, .apart = true };
	const struct tasks_known none = { 0 };
	struct ckpt_checkpoint other;
	struct ckpt_scan *scan;
	struct tasks *far = NULL;
	int rc = ckpt_scan_one(&scan, store, &pick, &other);

	if (rc > 0)
		rc = tasks_of(&far, store, &other, false, &none);
	for (size_t i = 0; far && i < far->graph.nseen && !out->n; i++) {
		struct ckpt_view node = far->graph.seen[i].node;

		if (is_named(t, node))
			ckpt_buf_add(out, node.p, node.n);
	}
	if (far)
		ckpt_tasks_free(&far->base);
	ckpt_scan_close(scan);
	return rc;
}

static int in_store(struct tasks *t, struct ckpt_store *store, struct ckpt_buf *out)
{
	struct ckpt_pick pick = { .depth = CKPT_HEADS, .limit = STRANGERS };
	struct ckpt_checkpoint head;
	struct ckpt_scan *scan;
	int rc;

	pick.key.ns = t->c->key.ns;
	rc = ckpt_scan_open(&scan, store, &pick);
	while (rc >= 0 && !out->n && (rc = ckpt_scan_next(scan, &head)) > 0)
		rc = ask_head(t, store, &head.key, out);
	ckpt_scan_close(scan);
	return rc;
}

int tasks_entry_find(struct tasks *t, struct ckpt_store *store, struct ckpt_buf *out)
{
	int rc = 0;

	if (is_named(t, CKPT_LIT("__start__")))
		ckpt_buf_puts(out, "__start__");
	else
		rc = in_namespace(t, store, out);
	if (rc >= 0 && !out->n && t->c->nwrites)
		rc = in_store(t, store, out);
	if (rc >= 0 && out->failed)
		rc = tasks_no_memory(t);
	return rc < 0 ? rc : 0;
}
