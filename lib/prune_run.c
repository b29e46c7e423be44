/*
 * prune_run.c - a plan carried out: the store is opened for writing and locked, what is doomed is
 * dropped in batches, then what belonged to nothing.
 */
#include "drop.h"
#include "prune.h"

struct run {
	const struct ckpt_config *config;
	const struct ckpt_prune_how *how;
	struct ckpt_error *err;
};

static int on_batch(void *arg, int64_t done, int64_t all)
{
	const struct run *r = arg;

	if (r->how->progress)
		r->how->progress(r->how->arg, done, all);
	if (done < all && r->config->stop && r->config->stop(r->config->arg))
		return ckpt_fail(r->err, CKPT_EINTERRUPTED, "stopped by a signal");
	return 0;
}

static void on_moved(void *arg, const struct ckpt_key *key)
{
	const struct run *r = arg;

	if (r->how->moved)
		r->how->moved(r->how->arg, key);
}

int ckpt_prune_run(struct ckpt_prune *p, const char *name,
		const struct ckpt_config *config, const struct ckpt_prune_how *how,
		struct ckpt_prune_done *out, struct ckpt_error *err)
{
	const struct edit_want want = {
		.verb = "prune", .shard = how->shard, .shards = how->shards
	};
	struct run r = { config, how, err };
	const struct drop_how drop = {
		.secure = how->secure, .progress = on_batch, .moved = on_moved, .arg = &r
	};
	struct drop_sum sum = { 0 };
	struct edit *e;
	int rc = edit_open(&e, name, config, &want, err);

	*out = (struct ckpt_prune_done){ 0 };
	if (rc >= 0 && doomed_count(p->doomed))
		rc = drop_run(e, p->doomed, &drop, &sum);
	*out = (struct ckpt_prune_done){ sum.checkpoints, sum.writes, sum.blobs,
		sum.moved };
	if (rc >= 0 && p->policy.orphans)
		rc = prune_drop_strays(p, e, how->archived, out);
	edit_close(e);
	return rc < 0 ? rc : 0;
}
