/*
 * ahead.c - a cursor whose rows a second thread reads before they are asked for: two tables that
 * are merged are read side by side.
 *
 * The thread has a connection of its own in the same snapshot, and packs rows into blocks that go
 * round between the two. What it meets at the end, or in place of it, is told behind the last row.
 */
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "ahead.h"

enum {
	BLOCKS = 4,
	BLOCK = 1 << 17 /* bytes, and what is over of the last row */
};
#define NO_BYTES SIZE_MAX
#define WORTH_IT (INT64_C(8) << 20) /* bytes of a store */

struct packed { /* a cell; its bytes are behind it */
	int64_t i;
	size_t n;
	enum cell_kind kind;
};

struct ahead {
	struct cursor base;
	struct conn own; /* what `base` says it is of */
	struct conn *twin;
	struct cursor *inner;
	size_t ncells;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	/* under the lock; a block is the reader's until it is counted in `filled`, then the
	   other's until it is in `emptied` */
	size_t filled, emptied;
	bool over, stop;
	struct ckpt_error err; /* the reader's */
	struct ckpt_buf blocks[BLOCKS];
	/* of who asks: is there a block at hand, and where in it does the next row begin? */
	bool held;
	size_t at;
};

size_t ahead_threads(struct ckpt_store *store, size_t most)
{
	struct ckpt_space space;
	cpu_set_t cpus;
	size_t n;

	if (ckpt_store_space(store, &space) < 0 || space.file < WORTH_IT ||
			sched_getaffinity(0, sizeof(cpus), &cpus) != 0)
		return 1;
	n = (size_t)CPU_COUNT(&cpus);
	return n < most ? n : most;
}

bool ahead_start(pthread_t *out, void *(*run)(void *), void *arg)
{
	sigset_t all, before;
	bool good;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	good = pthread_create(out, NULL, run, arg) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return good;
}

/* ---- the reader ------------------------------------------------------------------------------ */

/* Behind a text a driver has a NUL: so has it here. */
static size_t bytes_of(const struct cell *c)
{
	return c->v.p ? c->v.n + (c->kind == CELL_TEXT || c->kind == CELL_REAL) : 0;
}

static void pack(struct ckpt_buf *to, const struct cell *cells, size_t n)
{
	struct packed p[AHEAD_CELLS];

	for (size_t i = 0; i < n; i++)
		p[i] = (struct packed){ cells[i].i,
			cells[i].v.p ? cells[i].v.n : NO_BYTES, cells[i].kind };
	ckpt_buf_add(to, p, n * sizeof(*p));
	for (size_t i = 0; i < n; i++)
		ckpt_buf_add(to, cells[i].v.p, bytes_of(&cells[i]));
}

/* 1: there may be more. */
static int fill(struct ahead *a, struct ckpt_buf *to)
{
	struct cell cells[AHEAD_CELLS];
	int rc = 1;

	to->n = 0;
	while (to->n < BLOCK) {
		rc = a->inner->conn->driver->next(a->inner, cells, a->ncells);
		if (rc <= 0)
			break;
		pack(to, cells, a->ncells);
	}
	return to->failed ? ckpt_fail(&a->err, CKPT_ENOMEM, "out of memory") : rc;
}

static void *read_ahead(void *arg)
{
	struct ahead *a = arg;
	bool more = true;

	while (more) {
		pthread_mutex_lock(&a->lock);
		while (a->filled - a->emptied == BLOCKS && !a->stop)
			pthread_cond_wait(&a->moved, &a->lock);
		more = !a->stop;
		pthread_mutex_unlock(&a->lock);
		if (!more)
			break;
		more = fill(a, &a->blocks[a->filled % BLOCKS]) > 0;
		pthread_mutex_lock(&a->lock);
		a->filled++;
		a->over = !more;
		pthread_cond_signal(&a->moved);
		pthread_mutex_unlock(&a->lock);
	}
	return NULL;
}

/* ---- who asks -------------------------------------------------------------------------------- */

static struct ahead *ahead_of(struct cursor *cur)
{
	return (struct ahead *)(void *)cur;
}

/* Is there a row in the block at hand? One that is used up goes back to be filled. */
static bool has_rows(struct ahead *a)
{
	while (!a->held || a->at == a->blocks[a->emptied % BLOCKS].n) {
		pthread_mutex_lock(&a->lock);
		a->emptied += a->held;
		pthread_cond_signal(&a->moved);
		while (a->filled == a->emptied && !a->over)
			pthread_cond_wait(&a->moved, &a->lock);
		a->held = a->filled > a->emptied;
		pthread_mutex_unlock(&a->lock);
		a->at = 0;
		if (!a->held)
			return false;
	}
	return true;
}

static int ahead_next(struct cursor *cur, struct cell *cells, size_t ncells)
{
	struct ahead *a = ahead_of(cur);
	const char *from;
	struct packed p;

	if (a->own.err->code)
		return a->own.err->code;
	if (!has_rows(a)) {
		if (a->err.code)
			*a->own.err = a->err;
		return a->own.err->code;
	}
	from = a->blocks[a->emptied % BLOCKS].p + a->at;
	a->at += a->ncells * sizeof(p);
	for (size_t i = 0; i < a->ncells; i++) {
		struct cell cell = { 0 };

		memcpy(&p, from + i * sizeof(p), sizeof(p));
		cell.kind = p.kind;
		cell.i = p.i;
		if (p.n != NO_BYTES)
			cell.v = (struct ckpt_view){
				a->blocks[a->emptied % BLOCKS].p + a->at, p.n
			};
		a->at += bytes_of(&cell);
		if (i < ncells)
			cells[i] = cell;
	}
	return 1;
}

static void release(struct ahead *a)
{
	if (a->inner)
		a->inner->conn->driver->done(a->inner);
	if (a->twin)
		a->twin->driver->close(a->twin);
	for (size_t i = 0; i < BLOCKS; i++)
		ckpt_buf_free(&a->blocks[i]);
	pthread_cond_destroy(&a->moved);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

static void ahead_done(struct cursor *cur)
{
	struct ahead *a = ahead_of(cur);

	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_signal(&a->moved);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	release(a);
}

int ahead_query(struct cursor **out, struct conn *conn, const struct ahead_want *want)
{
	static const struct driver driver = {
		.name = "ahead", .next = ahead_next, .done = ahead_done
	};
	struct ahead *a;

	*out = NULL;
	if (conn->err->code || !conn->driver->twin)
		return conn->err->code;
	a = calloc(1, sizeof(*a));
	if (!a)
		return ckpt_fail(conn->err, CKPT_ENOMEM, "out of memory");
	a->own = (struct conn){ .driver = &driver, .err = conn->err };
	a->base.conn = &a->own;
	a->ncells = want->ncells;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->moved, NULL);
	conn->driver->twin(&a->twin, conn, &a->err);
	if (a->twin &&
			a->twin->driver->query(&a->inner, a->twin, want->sql, want->args,
					want->nargs) == 0 &&
			ahead_start(&a->thread, read_ahead, a))
		*out = &a->base;
	else
		release(a);
	return 0;
}
