/*
 * tasks_below.c - the subgraphs below a task: which of them asked a question. A subgraph has a
 * namespace of its own, named after the task, or, if it keeps its state between calls, after the
 * nodes alone.
 */
#include "backend.h"
#include "tasks.h"

/* The nodes of a namespace in turn: task ids and numbers of calls are not among them. */
static bool next_node(struct ckpt_view *left, struct ckpt_view *out)
{
	const char *p = left->p, *end = p + left->n;

	while (p < end) {
		const char *bar = memchr(p, '|', (size_t)(end - p)), *stop;
		bool digits = true;

		bar = bar ? bar : end;
		stop = memchr(p, ':', (size_t)(bar - p));
		stop = stop ? stop : bar;
		for (const char *d = p; d < stop; d++)
			digits = digits && *d >= '0' && *d <= '9';
		*out = (struct ckpt_view){ p, (size_t)(stop - p) };
		p = bar < end ? bar + 1 : end;
		*left = (struct ckpt_view){ p, (size_t)(end - p) };
		if (!digits || !out->n)
			return true;
	}
	return false;
}

/* A namespace as a stateful subgraph has it. */
static void recast(struct ckpt_buf *to, struct ckpt_view ns)
{
	struct ckpt_view node;

	while (next_node(&ns, &node)) {
		ckpt_buf_puts(to, to->n ? "|" : "");
		ckpt_buf_add(to, node.p, node.n);
	}
}

static size_t depth(struct ckpt_view ns)
{
	struct ckpt_view node;
	size_t n = 0;

	while (next_node(&ns, &node))
		n++;
	return n;
}

static bool is_below(struct ckpt_view ns, const struct ckpt_buf *top)
{
	const char *p = ns.p;

	return top->n && ns.n >= top->n && memcmp(p, top->p, top->n) == 0 &&
	       (ns.n == top->n || p[top->n] == '|');
}

struct below { /* heads of the namespaces below a task, deepest first */
	struct ckpt_key *keys;
	size_t n, cap;
};

static int below_cmp(const void *pa, const void *pb)
{
	const struct ckpt_key *a = pa, *b = pb;
	size_t x = depth(a->ns), y = depth(b->ns);
	int d = (x < y) - (x > y);

	return d ? d : ckpt_view_cmp(a->ns, b->ns);
}

static int collect(struct tasks *t, struct ckpt_store *store,
		const struct ckpt_interrupt *q, struct below *b)
{
	struct ckpt_pick pick = { .key = t->c->key, .depth = CKPT_HEADS };
	struct ckpt_buf own = { 0 }, stateful = { 0 };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc;

	if (t->c->key.ns.n) {
		ckpt_buf_add(&own, t->c->key.ns.p, t->c->key.ns.n);
		ckpt_buf_puts(&own, "|");
	}
	ckpt_buf_add(&own, q->node.p, q->node.n);
	recast(&stateful, ckpt_buf_view(&own));
	ckpt_buf_puts(&own, ":");
	ckpt_buf_add(&own, q->task.p, q->task.n);
	pick.key.ns = pick.key.id = (struct ckpt_view){ 0 };
	rc = own.failed || stateful.failed ? tasks_no_memory(t)
	                                   : ckpt_scan_open(&scan, store, &pick);
	if (rc < 0)
		scan = NULL;
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0) {
		if (!is_below(c.key.ns, &own) && !is_below(c.key.ns, &stateful))
			continue;
		b->keys = tasks_grow(t, b->keys, b->n, &b->cap, sizeof(*b->keys));
		if (!b->keys) {
			rc = tasks_no_memory(t);
			break;
		}
		b->keys[b->n] = c.key;
		b->keys[b->n].thread = t->c->key.thread;
		b->keys[b->n].ns = arena_copy(&t->arena, c.key.ns, t->err);
		b->keys[b->n].id = arena_copy(&t->arena, c.key.id, t->err);
		b->n++;
		rc = t->err->code;
	}
	ckpt_scan_close(scan);
	ckpt_buf_free(&own);
	ckpt_buf_free(&stateful);
	if (b->n)
		qsort(b->keys, b->n, sizeof(*b->keys), below_cmp);
	return rc < 0 ? rc : 0;
}

/* What was found in a subgraph, kept with the checkpoint that was asked about. */
static int keep(struct tasks *t, struct ckpt_interrupt *q,
		const struct ckpt_interrupt *found)
{
	struct ckpt_view *const to[] = { &q->node, &q->task, &q->path, &q->given_type,
		&q->given };

	q->node = found->node;
	q->task = found->task;
	q->path = found->path;
	q->given_type = found->given_type;
	q->given = found->given;
	q->asked = found->asked;
	q->ngiven = found->ngiven;
	q->k = found->k;
	q->inner = found->inner;
	q->staged = found->staged;
	q->by_null = found->by_null;
	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		if (to[i]->p)
			*to[i] = arena_copy(&t->arena, *to[i], t->err);
	}
	return t->err->code;
}

/* Is it asked at this head? 1, 0, < 0. */
static int look_at(struct tasks *t, struct ckpt_store *store, const struct ckpt_key *key,
		struct ckpt_interrupt *q)
{
	struct ckpt_pick pick = { .key = *key, .depth = CKPT_VALUES, .writes = true };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	struct tasks *sub = NULL;
	int rc = ckpt_scan_one(&scan, store, &pick, &c), found = 0;

	if (rc > 0)
		rc = tasks_of(&sub, store, &c, true, &(struct tasks_known){ 0 });
	for (size_t i = 0; sub && i < sub->base.ntasks && !found; i++) {
		for (size_t k = 0; k < sub->tasks[i].ninterrupts && !found; k++) {
			struct ckpt_interrupt one = sub->tasks[i].interrupts[k];

			if (!ckpt_view_eq(one.id, q->id))
				continue;
			tasks_find_here(sub, &one);
			one.inner = true;
			one.by_null = !one.staged && tasks_null_staged(sub);
			one.staged = one.staged || one.by_null;
			q->at = *key;
			rc = keep(t, q, &one);
			found = 1;
		}
	}
	if (sub)
		ckpt_tasks_free(&sub->base);
	ckpt_scan_close(scan);
	return rc < 0 ? rc : found;
}

int tasks_find_below(struct tasks *t, struct ckpt_store *store, struct ckpt_interrupt *q)
{
	struct below b = { 0 };
	int rc = collect(t, store, q, &b);

	for (size_t i = 0; i < b.n && rc == 0; i++)
		rc = look_at(t, store, &b.keys[i], q);
	return rc < 0 ? rc : 0;
}
