/*
 * migrate_keep.c - a part of a store, for `ckpt migrate`: what prune would leave of it, by the same
 * plan, so that what a kept checkpoint needs comes along.
 */
#include <string.h>

#include "migrate_keep.h"

int keeping_check(struct cli *cli, const struct keep_opts *o)
{
	int rc = policy_check(cli, &o->rules, &o->select, &o->guards);

	if (rc < 0 || !policy_rules(&o->rules) || policy_keeps(&o->rules))
		return rc;
	ckpt_fail(&cli->err, CKPT_EREFUSED, "refused: this policy keeps nothing");
	ckpt_hint(&cli->err, "see which rules there are: ckpt help policies");
	return cli->err.code;
}

/* A thread that is named must be there: a slip of the fingers would copy nothing, and say done. */
static int check_threads(struct keeping *k)
{
	struct ckpt_key key;
	int rc = 0;

	for (size_t i = 0; i < k->o->select.threads.n && rc >= 0; i++)
		rc = ckpt_thread_find(&key, k->cli->store,
				ckpt_view_of(k->o->select.threads.v[i]));
	return rc;
}

static int make_plan(struct keeping *k)
{
	struct ckpt_policy policy = { .now = CKPT_UNKNOWN, .upto = CKPT_UNKNOWN };
	struct ckpt_prune_scope scope = { .keeps = true };
	int rc = selection_open(&k->select, &scope);

	policy_fill(&policy, &k->o->rules, &k->o->guards);
	policy.thin = policy.only = true;
	policy.all = !policy_rules(&k->o->rules);
	return rc < 0 ? rc : ckpt_prune_plan(&k->plan, k->cli->store, &policy, &scope);
}

int keeping_open(struct keeping *k)
{
	struct ckpt_about about;
	bool rules = policy_rules(&k->o->rules);
	int rc = check_threads(k);

	k->select = (struct selection){
		.cli = k->cli, .o = &k->o->select, .rules = &k->o->rules
	};
	if (rc >= 0 && (rules || k->o->select.where.n))
		rc = ckpt_store_about(k->cli->store, &about);
	else
		return rc;
	k->by_meta = rc >= 0 && !rules && strcmp(about.layout, "langgraph-shallow") == 0;
	return rc < 0 || k->by_meta ? rc : make_plan(k);
}

bool keeping_all(const struct keeping *k)
{
	return !k->plan && !k->o->select.threads.n && !k->o->select.where.n;
}

bool keeping_wants(struct keeping *k, const struct ckpt_checkpoint *c)
{
	const struct opt_list *threads = &k->o->select.threads;
	bool named = threads->n == 0;

	/* writes without a checkpoint are debris, as of those that are left behind */
	if (k->plan)
		return !c->nwrites && ckpt_prune_has(k->plan, &c->key, true) > 0;
	for (size_t i = 0; i < threads->n && !named; i++)
		named = ckpt_view_eq(c->key.thread, ckpt_view_of(threads->v[i]));
	return named && (!k->by_meta || policy_meets(c->meta, &k->o->select.where));
}

void keeping_close(struct keeping *k)
{
	ckpt_prune_free(k->plan);
	selection_close(&k->select);
}
