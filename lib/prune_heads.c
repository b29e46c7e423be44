/*
 * prune_heads.c - the newest checkpoints of all namespaces with their payloads, as many of each as
 * the policy keeps: one scan that goes along with the one of the links. Where there is a server,
 * asking for each thread's is what planning would wait for. Only where nearly each is kept and so
 * wanted; what is kept besides, prune_need.c asks for.
 */
#include "prune.h"

#define MANY 100 /* of a namespace */

static int next(struct ckpt_prune *p)
{
	int rc = ckpt_scan_next(p->heads, &p->head);

	if (rc <= 0)
		p->head = (struct ckpt_checkpoint){ 0 };
	return rc < 0 ? rc : 0;
}

int prune_heads_open(struct ckpt_prune *p)
{
	int64_t last = p->policy.last, many = last < 1 ? 1 : last > MANY ? MANY : last;
	const struct ckpt_pick pick = {
		.depth = CKPT_VALUES, .apart = true, .heads = (int)many
	};
	const struct ckpt_prune_scope *s = p->scope;

	if (p->store->backend != &postgres_backend || p->policy.whole ||
			p->policy.lose_newest || s->thread || s->look || s->shards)
		return 0;
	if (ckpt_scan_open(&p->heads, p->store, &pick) < 0)
		return p->err->code;
	return next(p);
}

void prune_heads_close(struct ckpt_prune *p)
{
	ckpt_scan_close(p->heads);
	p->heads = NULL;
	p->head = (struct ckpt_checkpoint){ 0 };
}

/* The head of a namespace of the thread at hand; `*space` is where the one before it was. */
static int take(struct ckpt_prune *p, size_t *space)
{
	struct thread *t = &p->t;
	size_t at = *space;

	while (at < t->plan.nspaces && !ckpt_view_eq(t->keys[at].ns, p->head.key.ns))
		at++;
	if (at == t->plan.nspaces)
		return 0;
	*space = at;
	at = prune_find(t, at, p->head.key.id);
	if (at == SIZE_MAX || !t->plan.facts[at].why || t->facts[at].read)
		return 0;
	return prune_read_fact(p, at, &p->head);
}

int prune_heads_take(struct ckpt_prune *p)
{
	struct thread *t = &p->t;
	size_t space = 0;
	int rc = 0;

	if (p->heads && !t->has_blobs && prune_blobs_know(t, p->err) < 0)
		return p->err->code;
	while (rc == 0 && p->head.key.thread.p) {
		int d = ckpt_view_cmp(p->head.key.thread, t->key.thread);

		if (d > 0)
			break;
		rc = d < 0 ? 0 : take(p, &space);
		rc = rc < 0 ? rc : next(p);
	}
	return rc;
}
