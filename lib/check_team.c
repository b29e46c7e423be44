/*
 * check_team.c - the walks of a check by several threads, each with a store of its own that sees
 * the same snapshot. The work is cut into units: ranges of threads' checkpoints, and the writes.
 *
 * What they find is told by the caller's thread alone, unit after unit, so in the order in which
 * one thread would have found it. A unit whose turn has not come keeps a little of it, then waits.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ahead.h"
#include "check.h"

enum {
	MOST_THREADS = 4,
	RANGES = 24, /* some more than threads, so that all have done at the same time */
	KEPT = 1 << 18, /* bytes of findings a unit holds back */
};

struct unit {
	struct ckpt_bound from, upto;
	bool writes, done;
	struct ckpt_buf kept; /* findings that nobody was told yet */
	int rc;
	struct ckpt_error err; /* if rc < 0 */
};

struct team {
	pthread_mutex_t lock;
	pthread_cond_t moved; /* a unit is done, or there is room in it */
	/* under the lock, but for what a unit's thread alone looks at before it is done */
	struct unit units[RANGES + 1];
	size_t n, next; /* ranges first, at the end the writes; the first nobody works on */
	bool writes_taken, stop;
	struct check *c;         /* the caller's */
	size_t told;             /* the caller's: the unit whose turn it is */
	struct ckpt_buf at_hand; /* the caller's: findings that are being told */
};

struct worker {
	struct team *team;
	struct ckpt_check opt;
	struct check c;
	struct ckpt_store *store;
	struct ckpt_error err;
	struct unit *unit;
	pthread_t thread;
	bool first, runs; /* the caller's thread; a thread was started */
};

/* ---- findings as bytes -------------------------------------------------------------------------- */

enum { PARTS = 5 };

static void put_finding(struct ckpt_buf *to, const struct ckpt_finding *f)
{
	const struct ckpt_view part[PARTS] = { f->key.thread, f->key.ns, f->key.id,
		f->channel, f->detail };

	ckpt_buf_add(to, f, sizeof(*f));
	for (size_t i = 0; i < PARTS; i++)
		ckpt_buf_add(to, part[i].p, part[i].p ? part[i].n : 0);
}

static const char *take_finding(struct ckpt_finding *out, const char *p)
{
	struct ckpt_view *part[PARTS] = { &out->key.thread, &out->key.ns, &out->key.id,
		&out->channel, &out->detail };

	memcpy(out, p, sizeof(*out));
	p += sizeof(*out);
	for (size_t i = 0; i < PARTS; i++) {
		if (!part[i]->p)
			continue;
		part[i]->p = p;
		p += part[i]->n;
	}
	return p;
}

/* ---- telling, by the caller's thread ------------------------------------------------------------ */

static int tell_one(struct team *t, const struct ckpt_finding *f)
{
	t->c->opt->count[f->severity]++;
	return t->c->opt->found(t->c->opt->arg, f);
}

static int tell_kept(struct team *t)
{
	const char *p = t->at_hand.p, *end = p + t->at_hand.n;
	struct ckpt_finding f;
	int rc = 0;

	while (p < end && rc == 0) {
		p = take_finding(&f, p);
		rc = tell_one(t, &f);
	}
	t->at_hand.n = 0;
	return rc;
}

static void moved(struct team *t)
{
	pthread_cond_broadcast(&t->moved);
	pthread_mutex_unlock(&t->lock);
}

/* What is kept of the unit whose turn it is, and whether it is done. */
static bool take_kept(struct team *t, struct unit *u)
{
	struct ckpt_buf kept;
	bool done;

	pthread_mutex_lock(&t->lock);
	kept = u->kept;
	u->kept = t->at_hand;
	t->at_hand = kept;
	done = u->done;
	moved(t);
	return done;
}

/* Till something moves, or it is time to ask whether to stop. */
static int wait_a_while(struct team *t)
{
	struct ckpt_store *s = t->c->store;
	struct timespec till;

	if (s->stop && s->stop(s->stop_arg))
		return ckpt_fail(s->err, CKPT_EINTERRUPTED, "stopped by a signal");
	clock_gettime(CLOCK_REALTIME, &till);
	till.tv_nsec += 50000000;
	till.tv_sec += till.tv_nsec / 1000000000;
	till.tv_nsec %= 1000000000;
	pthread_mutex_lock(&t->lock);
	if (!t->units[t->told].done && !t->units[t->told].kept.n)
		pthread_cond_timedwait(&t->moved, &t->lock, &till);
	pthread_mutex_unlock(&t->lock);
	return 0;
}

/* Tell what there is, in turn; with `upto` wait until the turn has come to that unit. */
static int tell(struct team *t, size_t upto)
{
	int rc = 0;

	while (rc == 0 && t->told < t->n) {
		struct unit *u = &t->units[t->told];
		bool done = take_kept(t, u);

		rc = tell_kept(t);
		if (rc == 0 && done && u->rc < 0) {
			*t->c->store->err = u->err;
			rc = u->rc;
		}
		t->told += done;
		if (!done && t->told >= upto)
			break;
		if (!done && rc == 0)
			rc = wait_a_while(t);
	}
	return rc;
}

/* ---- finding, by all ---------------------------------------------------------------------------- */

/* The caller's own thread tells what it finds when it is its turn, and others' while it waits. */
static int found_first(struct worker *w, const struct ckpt_finding *f)
{
	struct team *t = w->team;
	size_t at = (size_t)(w->unit - t->units);
	int rc;

	if (t->told == at && !w->unit->kept.n)
		return tell_one(t, f);
	put_finding(&w->unit->kept, f);
	if (w->unit->kept.failed)
		return check_no_memory(&w->c);
	rc = tell(t, 0);
	return rc == 0 && w->unit->kept.n > KEPT ? tell(t, at) : rc;
}

static int found(void *arg, const struct ckpt_finding *f)
{
	struct worker *w = arg;
	struct team *t = w->team;
	bool stop, failed;

	if (w->first)
		return found_first(w, f);
	pthread_mutex_lock(&t->lock);
	put_finding(&w->unit->kept, f);
	failed = w->unit->kept.failed;
	while (w->unit->kept.n > KEPT && !t->stop && !failed)
		pthread_cond_wait(&t->moved, &t->lock);
	stop = t->stop;
	moved(t);
	return failed ? check_no_memory(&w->c) : stop ? CKPT_EINTERRUPTED : 0;
}

/* Others begin with the writes, which lie in no range. */
static struct unit *take_unit(struct worker *w)
{
	struct team *t = w->team;
	struct unit *u = NULL;

	pthread_mutex_lock(&t->lock);
	if (t->stop) {
		/* nothing more */
	} else if (!t->writes_taken && (!w->first || t->next == t->n - 1)) {
		t->writes_taken = true;
		u = &t->units[t->n - 1];
	} else if (t->next < t->n - 1) {
		u = &t->units[t->next++];
	}
	pthread_mutex_unlock(&t->lock);
	return u;
}

static int work(struct worker *w)
{
	struct team *t = w->team;
	int rc = 0;

	while (rc == 0 && (w->unit = take_unit(w))) {
		w->c.from = w->unit->from;
		w->c.upto = w->unit->upto;
		rc = w->unit->writes ? check_writes(&w->c) : check_checkpoints(&w->c);
		pthread_mutex_lock(&t->lock);
		w->unit->done = true;
		w->unit->rc = rc < 0 ? rc : 0;
		w->unit->err = *w->c.store->err;
		moved(t);
		if (w->first && rc >= 0)
			rc = tell(t, 0);
	}
	return rc;
}

static void *run(void *arg)
{
	work(arg);
	return NULL;
}

static bool stopped(void *arg)
{
	struct team *t = arg;
	bool stop;

	pthread_mutex_lock(&t->lock);
	stop = t->stop;
	pthread_mutex_unlock(&t->lock);
	return stop;
}

/* ---- the team ----------------------------------------------------------------------------------- */

static bool hire(struct worker *w, struct team *t, bool first)
{
	const struct check *c = t->c;

	*w = (struct worker){ .team = t, .first = first, .store = c->store };
	if (!first) {
		c->store->backend->twin(&w->store, c->store, &w->err);
		if (!w->store)
			return false;
		w->store->stop = stopped;
		w->store->stop_arg = t;
	}
	w->opt.found = found;
	w->opt.arg = w;
	w->c = (struct check){ .store = w->store,
		.opt = &w->opt,
		.limits = c->limits,
		.now = c->now,
		.keys = c->keys,
		.judge = malloc(sizeof(*w->c.judge)) };
	return w->c.judge != NULL;
}

static void dismiss(struct worker *w, struct check *c)
{
	if (w->runs)
		pthread_join(w->thread, NULL);
	c->opt->checked += w->opt.checked;
	c->locked |= w->c.locked;
	c->has_key |= w->c.has_key;
	c->pickled |= w->c.pickled;
	check_release(&w->c);
	if (!w->first)
		ckpt_store_close(w->store);
}

static void stop_all(struct team *t)
{
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	moved(t);
}

static int run_team(struct team *t, struct worker *w, size_t n)
{
	int rc;

	for (size_t i = 1; i < n; i++)
		w[i].runs = ahead_start(&w[i].thread, run, &w[i]);
	rc = work(&w[0]);
	rc = rc < 0 ? rc : tell(t, t->n);
	stop_all(t);
	for (size_t i = 0; i < n; i++)
		dismiss(&w[i], t->c);
	return rc;
}

static size_t threads_wanted(const struct check *c)
{
	/* where values lie apart, a server works beside us */
	if (c->thread.p || c->apart || !c->store->backend->twin || c->opt->jobs == 1)
		return 1;
	if (c->opt->jobs)
		return c->opt->jobs < MOST_THREADS ? c->opt->jobs : MOST_THREADS;
	return ahead_threads(c->store, MOST_THREADS);
}

static int cut(struct team *t)
{
	struct ckpt_bound at[RANGES];
	int n = ckpt_store_split(at, t->c->store, RANGES);

	for (int i = 0; i < n; i++)
		t->units[i].upto = t->units[i + 1].from = at[i];
	t->n = n < 0 ? 0 : (size_t)n + 2;
	if (n >= 0)
		t->units[t->n - 1] = (struct unit){ .writes = true };
	return n;
}

int check_team(struct check *c)
{
	struct worker workers[MOST_THREADS];
	size_t want = threads_wanted(c), n = 0;
	struct team *t = want > 1 ? calloc(1, sizeof(*t)) : NULL;
	int rc = 0;

	if (!t)
		return 0;
	t->c = c;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->moved, NULL);
	if (cut(t) > 0) {
		while (n < want && hire(&workers[n], t, n == 0))
			n++;
		if (n < want)
			dismiss(&workers[n], c);
	}
	if (n > 1)
		rc = run_team(t, workers, n);
	else if (n == 1)
		dismiss(&workers[0], c);
	for (size_t i = 0; i < t->n; i++)
		ckpt_buf_free(&t->units[i].kept);
	ckpt_buf_free(&t->at_hand);
	pthread_cond_destroy(&t->moved);
	pthread_mutex_destroy(&t->lock);
	free(t);
	return rc < 0 ? rc : c->store->err->code ? c->store->err->code : n > 1;
}
