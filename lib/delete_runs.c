/*
 * delete_runs.c - the checkpoints of runs go, by metadata.run_id; what others need stays. That is a
 * plan as pruning makes it, with no rule and no guard, for these checkpoints alone.
 */
#include "delete.h"
#include "prune.h"

struct finder {
	const struct ckpt_delete_want *want;
	int64_t *found; /* for each run: its checkpoints */
	bool failed;
};

static unsigned look(void *arg, const struct ckpt_checkpoint *c)
{
	struct finder *f = arg;
	struct ckpt_buf id = { 0 };
	unsigned answer = 0;

	if (c->meta.p && memmem(c->meta.p, c->meta.n, "\"run_id\"", 8) &&
			ckpt_meta_text(&id, c->meta, "run_id")) {
		for (size_t i = 0; i < f->want->nruns; i++) {
			if (!ckpt_view_eq(ckpt_buf_view(&id), f->want->runs[i]))
				continue;
			f->found[i]++;
			answer = CKPT_LOOK_SELECTED;
		}
	}
	f->failed |= id.failed;
	ckpt_buf_free(&id);
	return answer;
}

static int check_found(struct ckpt_delete *d, const struct finder *f)
{
	char name[200];

	if (f->failed)
		return ckpt_fail(d->err, CKPT_ENOMEM, "out of memory");
	for (size_t i = 0; i < f->want->nruns; i++) {
		if (f->found[i])
			continue;
		ckpt_fail(d->err, CKPT_ENOTFOUND, "no checkpoint of a run '%s'",
				ckpt_show_name(name, f->want->runs[i]));
		ckpt_hint(d->err, "nothing was deleted; a run's id is run_id in the "
				  "metadata: ckpt list --all --run-id ID");
		return d->err->code;
	}
	return 0;
}

int delete_plan_runs(struct ckpt_delete *d, const struct ckpt_delete_want *want)
{
	struct finder f = { .want = want,
		.found = calloc(want->nruns, sizeof(*f.found)) };
	const struct ckpt_policy policy = {
		.thin = true,
		.lose_interrupted = true,
		.lose_heads = true,
		.lose_newest = true,
		.now = INT64_MAX, /* nothing is newer */
		.upto = CKPT_UNKNOWN,
	};
	const struct ckpt_prune_scope scope = { .look = look, .meta = true, .arg = &f };
	struct ckpt_prune_sum sum;
	int rc;

	if (!f.found)
		return ckpt_fail(d->err, CKPT_ENOMEM, "out of memory");
	rc = ckpt_prune_plan(&d->runs, d->store, &policy, &scope);
	rc = rc < 0 ? rc : check_found(d, &f);
	free(f.found);
	if (rc < 0)
		return rc;
	ckpt_prune_about(d->runs, &sum);
	d->sum.rows = (struct ckpt_receipt){ sum.checkpoints, sum.writes, sum.blobs };
	d->sum.threads = sum.threads_emptied;
	d->sum.kept = sum.kept;
	return 0;
}

static int on_batch(void *arg, int64_t done, int64_t all)
{
	const struct ckpt_delete *d = arg;

	if (d->how->progress)
		d->how->progress(d->how->arg, done, all);
	if (done < all && d->config->stop && d->config->stop(d->config->arg))
		return ckpt_fail(d->err, CKPT_EINTERRUPTED,
				"stopped by a signal; the store is consistent: the same "
				"again finishes it");
	return 0;
}

int delete_runs(struct ckpt_delete *d)
{
	const struct drop_how how = {
		.secure = d->how->secure, .progress = on_batch, .arg = d
	};
	struct drop_sum sum = { 0 };
	int rc = 0;

	if (doomed_count(d->runs->doomed))
		rc = drop_run(d->edit, d->runs->doomed, &how, &sum);
	d->gone->rows = (struct ckpt_receipt){ sum.checkpoints, sum.writes, sum.blobs };
	d->gone->threads = sum.threads;
	if (rc < 0 || !sum.moved)
		return rc;
	ckpt_fail(d->err, CKPT_EINCOMPLETE,
			"left out %lld namespaces that were written to meanwhile",
			(long long)sum.moved);
	ckpt_hint(d->err, "run the same again");
	return d->err->code;
}
