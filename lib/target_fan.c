/*
 * target_fan.c - several connections to one database: rows go to them by thread, so that what
 * belongs together is written in its order, and a batch that does not arrive leaves no checkpoint
 * without the blobs before it.
 *
 * Each lane is a target of its own (target_batch.c) whose batches count for the same run. Whoever
 * calls sees one target; all that is asked of the database itself is asked on the first lane.
 */
#include "target_sql.h"

#define LANES_MOST 16

struct fan {
	struct target base;
	struct target *lane[LANES_MOST];
	int64_t load[LANES_MOST]; /* bytes it was given so far */
	size_t n, at;
	struct target_tally gone; /* of lanes that were closed */
	struct ckpt_buf thread;   /* whose rows go to lane `at` */
	bool blob, any;
};

static struct fan *of(struct target *t)
{
	return (struct fan *)(void *)t;
}

static void add(struct target_tally *to, const struct target_tally *more)
{
	to->checkpoints += more->checkpoints;
	to->writes += more->writes;
	to->blobs += more->blobs;
	to->bytes += more->bytes;
}

static int told(struct fan *f, int rc)
{
	f->base.done = f->gone;
	for (size_t i = 0; i < f->n; i++)
		add(&f->base.done, &f->lane[i]->done);
	return f->base.err->code ? f->base.err->code : rc;
}

/* The lane of this thread: another thread goes where least went so far. NULL: no memory. */
static struct target *lane_of(struct fan *f, const struct ckpt_key *key, size_t bytes)
{
	bool blob = key->blob & CKPT_BLOB_THREAD;

	if (!f->any || blob != f->blob ||
			!ckpt_view_eq(ckpt_buf_view(&f->thread), key->thread)) {
		for (size_t i = 0; i < f->n; i++) {
			if (f->load[i] < f->load[f->at])
				f->at = i;
		}
		f->thread.n = 0;
		ckpt_buf_add(&f->thread, key->thread.p, key->thread.n);
		f->blob = blob;
		f->any = true;
	}
	if (f->thread.failed) {
		ckpt_fail(f->base.err, CKPT_ENOMEM, "out of memory");
		return NULL;
	}
	f->load[f->at] += (int64_t)bytes;
	return f->lane[f->at];
}

static int fan_begin(struct target *base)
{
	return base->err->code;
}

static int fan_checkpoint(struct target *base, const struct ckpt_checkpoint *c,
		const struct convert_out *row, bool careful)
{
	struct target *t = lane_of(of(base), &c->key, row->body.n + row->meta.n);

	return t ? t->ops->checkpoint(t, c, row, careful) : base->err->code;
}

static int fan_write(struct target *base, const struct ckpt_key *key,
		const struct ckpt_write *w, bool careful)
{
	struct target *t = lane_of(of(base), key, w->body.n);

	return t ? t->ops->write(t, key, w, careful) : base->err->code;
}

static int fan_blob(struct target *base, const struct ckpt_key *key,
		const struct convert_blob *b, enum put_mode mode)
{
	struct target *t = lane_of(of(base), key, b->body.n);

	return t ? t->ops->blob(t, key, b, mode) : base->err->code;
}

static int fan_drop(struct target *base, const struct ckpt_checkpoint *c)
{
	struct target *t = lane_of(of(base), &c->key, 0);

	return t ? told(of(base), t->ops->drop(t, c)) : base->err->code;
}

static bool fan_full(const struct target *base)
{
	const struct fan *f = (const struct fan *)(const void *)base;

	return f->lane[f->at]->ops->full(f->lane[f->at]);
}

static int fan_commit(struct target *base)
{
	struct fan *f = of(base);
	struct target *t = f->lane[f->at];

	return told(f, t->ops->commit(t));
}

/* All lanes send what they have, and only then are waited for. */
static int fan_settle(struct target *base)
{
	struct fan *f = of(base);
	int rc = base->err->code;

	for (size_t i = 0; i < f->n && rc >= 0; i++)
		rc = f->lane[i]->ops->commit(f->lane[i]);
	for (size_t i = 0; i < f->n && rc >= 0; i++)
		rc = f->lane[i]->ops->settle(f->lane[i]);
	return told(f, rc);
}

/* One is enough for the rest, and whoever verifies may need a connection. */
static int fan_keep(struct target *base)
{
	struct fan *f = of(base);

	while (f->n > 1) {
		struct target *t = f->lane[--f->n];

		add(&f->gone, &t->done);
		t->ops->close(t);
	}
	return told(f, 0);
}

static int fan_finish(struct target *base)
{
	struct target *t = of(base)->lane[0];

	return told(of(base), t->ops->finish(t));
}

static void fan_close(struct target *base)
{
	struct fan *f = of(base);

	for (size_t i = 0; i < f->n; i++)
		f->lane[i]->ops->close(f->lane[i]);
	ckpt_buf_free(&f->thread);
	free(f);
}

static const struct target_ops fan_ops = {
	.begin = fan_begin,
	.checkpoint = fan_checkpoint,
	.write = fan_write,
	.blob = fan_blob,
	.drop = fan_drop,
	.full = fan_full,
	.commit = fan_commit,
	.barrier = fan_settle,
	.settle = fan_settle,
	.keep = fan_keep,
	.finish = fan_finish,
	.close = fan_close,
};

struct sql_target *sql_target_main(struct target *t)
{
	return sql_target_of(t->ops == &fan_ops ? of(t)->lane[0] : t);
}

/* A server that has no connection left for us gets by with those there are. */
static void open_more(struct fan *f, const struct store_name *name,
		const struct target_config *config)
{
	size_t most = config->jobs < LANES_MOST ? config->jobs : LANES_MOST;
	struct target_config more = *config;
	struct ckpt_config quiet = *config->store;
	char line[200];

	quiet.note = NULL; /* said on the first lane */
	more.store = &quiet;
	more.run = sql_target_of(f->lane[0])->run;
	while (f->n < most &&
			sql_target_open(&f->lane[f->n], name, &more, f->base.err) == 0)
		sql_target_of(f->lane[f->n++])->lost = &f->base.lost;
	if (!f->base.err->code)
		return;
	snprintf(line, sizeof(line), "%zu connections instead of %zu: %.120s", f->n, most,
			f->base.err->text);
	*f->base.err = (struct ckpt_error){ 0 };
	if (config->store->note)
		config->store->note(config->store->arg, line);
}

int fan_target_open(struct target **out, const struct store_name *name,
		const struct target_config *config, struct ckpt_error *err)
{
	struct fan *f = calloc(1, sizeof(*f));

	*out = NULL;
	if (!f)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	f->base.ops = &fan_ops;
	f->base.err = err;
	if (sql_target_open(&f->lane[0], name, config, err) < 0) {
		free(f);
		return err->code;
	}
	f->n = 1;
	sql_target_of(f->lane[0])->lost = &f->base.lost;
	open_more(f, name, config);
	*out = &f->base;
	return 0;
}
