/*
 * prune_run.c - a plan carried out: the store is opened for writing and locked, what is doomed is
 * dropped in batches, then what belonged to nothing.
 */
#include "drop.h"
#include "prune.h"
#include "vacuum.h"

struct run {
	const struct ckpt_config *config;
	const struct ckpt_prune_how *how;
	struct ckpt_error *err;
	bool rewritten; /* no room is left to give back */
	char why[200];  /* … why it is not */
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

/* Writing what stays anew costs by its rows, deleting by those that go: at half and half the
 * latter is quicker, also with a vacuum after it. */
static bool goes_mostly(struct ckpt_prune *p, struct edit *e)
{
	struct ckpt_buf sql = { 0 };
	struct cell all = { 0 };
	struct cursor *cur;

	edit_text(&sql, e, "SELECT count(*) FROM {checkpoints}");
	ckpt_buf_add(&sql, "", 1);
	if (!sql.failed && sql_query(&cur, e->sql, sql.p, NULL, 0) == 0) {
		sql_next(cur, &all, 1);
		sql_done(cur);
	}
	ckpt_buf_free(&sql);
	return (int64_t)doomed_count(p->doomed) * 4 >= all.i * 3;
}

/* How the room was given back, for those who want to know. */
static void tell_how(struct ckpt_prune_done *out, const struct vacuum_sum *sum,
		const char *why)
{
	static const char *const ways[] = { [VACUUM_STEPS] = "given back page by page",
		[VACUUM_WHOLE] = "vacuumed as a whole",
		[VACUUM_REWRITE] = "what stays was written anew" };

	if (sum->way != VACUUM_NONE)
		snprintf(out->vacuum_how, sizeof(out->vacuum_how), "%s%s%s",
				ways[sum->way], *why ? "; not written anew: " : "", why);
}

/* … and what of it was not: with what others read still in the log, the file is as long as before. */
static void tell_room(struct ckpt_prune_done *out, const struct edit *e,
		const struct vacuum_sum *sum, const char *why)
{
	tell_how(out, sum, why);
	snprintf(out->vacuum_why, sizeof(out->vacuum_why), "%s", sum->why);
	out->file = e->server ? 0 : sum->after;
}

static int is_left(struct edit *e, const struct ckpt_key *thread)
{
	struct cell args[3], row[1];
	struct cursor *cur;
	int rc;

	sql_key_cells(args, thread);
	if (edit_query(&cur, e,
			    "SELECT 1 FROM {checkpoints} WHERE thread_id = $1 LIMIT 1",
			    args, 1) < 0)
		return e->err->code;
	rc = sql_next(cur, row, 1);
	sql_done(cur);
	return rc;
}

/* Threads that were to end with their last checkpoint, but not to go with all they have: batches
 * count only those that go whole. */
static int count_ended(struct ckpt_prune *p, struct edit *e, int64_t *threads)
{
	struct doomed_item item;
	int64_t last = -1;
	uint64_t thread = 0;
	int rc = doomed_rewind(p->doomed);

	while (rc >= 0 && (rc = doomed_next(p->doomed, &item)) > 0) {
		int64_t at = doomed_here(p->doomed).space;

		if (at == last || !item.space->ends_thread || item.space->whole_thread ||
				(last >= 0 && ckpt_hash(item.key.thread) == thread))
			continue;
		last = at;
		thread = ckpt_hash(item.key.thread);
		rc = is_left(e, &item.key);
		*threads += rc == 0;
	}
	return rc;
}

/* Also of a run that failed; its error stays. */
static int tell_ended(struct ckpt_prune *p, struct edit *e, int64_t *threads)
{
	struct ckpt_error first = *e->err;

	if (!p->sum.threads_emptied || p->policy.whole || p->policy.lose_newest)
		return 0;
	*e->err = (struct ckpt_error){ 0 };
	if (!e->server || edit_begin(e) == 0)
		count_ended(p, e, threads);
	edit_rollback(e);
	if (first.code)
		*e->err = first;
	return e->err->code;
}

/* Drop, and give the room back: at once where that is cheaper. */
static int drop(struct ckpt_prune *p, struct edit *e, struct run *r,
		struct ckpt_prune_done *out)
{
	const struct drop_how how = {
		.patience = r->config->lock_wait > 0 ? r->config->lock_wait : 1,
		.secure = r->how->secure,
		.progress = on_batch,
		.moved = on_moved,
		.arg = r
	};
	struct vacuum_sum room = { 0 };
	struct drop_sum sum = { 0 };
	int rc = 0;

	/* a shard is a part, and shares the lock with others */
	if (r->how->vacuum == CKPT_VACUUM_FULL && !e->server &&
			(r->how->shards || !goes_mostly(p, e)))
		snprintf(r->why, sizeof(r->why), "much of it stays");
	else if (r->how->vacuum == CKPT_VACUUM_FULL && !e->server)
		rc = rewrite_run_sqlite(e, p->doomed, &how, &sum, &room);
	r->rewritten = rc > 0;
	if (r->rewritten)
		tell_room(out, e, &room, "");
	else if (*room.why)
		snprintf(r->why, sizeof(r->why), "%s", room.why);
	if (rc == 0 && e->err->code)
		rc = e->err->code;
	if (rc == 0)
		rc = drop_run(e, p->doomed, &how, &sum);
	out->checkpoints = sum.checkpoints;
	out->writes = sum.writes;
	out->blobs = sum.blobs;
	out->threads = sum.threads;
	out->moved = sum.moved;
	if (tell_ended(p, e, &out->threads) < 0 && rc >= 0)
		rc = e->err->code;
	return rc < 0 ? rc : 0;
}

static int on_step(void *arg, int64_t done, int64_t all)
{
	const struct run *r = arg;

	if (done < all && r->config->stop && r->config->stop(r->config->arg))
		return ckpt_fail(r->err, CKPT_EINTERRUPTED, "stopped by a signal");
	return 0;
}

static int vacuum(struct edit *e, struct run *r, struct ckpt_prune_done *out)
{
	const struct vacuum_how how = {
		.full = r->how->vacuum == CKPT_VACUUM_FULL, .progress = on_step, .arg = r
	};
	struct vacuum_sum sum = { 0 };
	int rc = vacuum_run(e, &how, &sum);

	tell_room(out, e, &sum, r->why);
	return rc;
}

static struct edit_want wanted(const struct ckpt_prune_how *how)
{
	return (struct edit_want){ .verb = "prune",
		.needs = "SELECT, DELETE",
		.shard = how->shard,
		.shards = how->shards };
}

int ckpt_prune_check(const char *name, const struct ckpt_config *config,
		const struct ckpt_prune_how *how, struct ckpt_error *err)
{
	const struct edit_want want = wanted(how);
	struct edit *e;
	int rc = edit_open(&e, name, config, &want, err);

	edit_close(e);
	return rc;
}

int ckpt_prune_run(struct ckpt_prune *p, const char *name,
		const struct ckpt_config *config, const struct ckpt_prune_how *how,
		struct ckpt_prune_done *out, struct ckpt_error *err)
{
	const struct edit_want want = wanted(how);
	struct run r = { .config = config, .how = how, .err = err };
	struct edit *e;
	int rc = edit_open(&e, name, config, &want, err);

	*out = (struct ckpt_prune_done){ 0 };
	if (rc >= 0 && doomed_count(p->doomed))
		rc = drop(p, e, &r, out);
	if (rc >= 0 && p->policy.orphans)
		rc = prune_drop_strays(p, e, how->archived, out);
	if (rc >= 0 && how->vacuum != CKPT_VACUUM_NONE && !r.rewritten)
		rc = vacuum(e, &r, out);
	edit_close(e);
	return rc < 0 ? rc : 0;
}
