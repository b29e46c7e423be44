/*
 * drop_left.c - writes of checkpoints that never came, of threads that go whole: with the last of
 * a thread, for once it is gone nothing but the list leads to them, and that ends with this
 * process. Only those that were planned: no more than there were, for numbers are all that is known.
 */
#include <stdlib.h>

#include "drop_left.h"

struct left {
	int64_t mark;    /* a namespace of it in the list */
	int64_t planned; /* of those that are there now: at most */
	int64_t rows;    /* that are there … */
	int64_t version; /* … while the file has this one */
};

static const char count_text[] =
		"SELECT count(*) FROM {writes} WHERE thread_id = $1 AND NOT EXISTS "
		"(SELECT 1 FROM {checkpoints} WHERE thread_id = $1)";
static const char take_text[] =
		"DELETE FROM {writes} WHERE rowid IN (SELECT rowid FROM {writes} WHERE "
		"thread_id = $1 AND NOT EXISTS (SELECT 1 FROM {checkpoints} WHERE "
		"thread_id = $1) LIMIT 100)";

int left_start(struct drop_left *l)
{
	return edit_text(&l->count, l->e, count_text) < 0
	                       ? l->e->err->code
	                       : edit_text(&l->take, l->e, take_text);
}

static int64_t count(struct drop_left *l, const struct cell *thread)
{
	struct cell row[1] = { 0 };
	struct cursor *cur;

	if (sql_query(&cur, l->e->sql, l->count.p, thread, 1) < 0)
		return l->e->err->code;
	sql_next(cur, row, 1);
	sql_done(cur);
	return l->e->err->code ? l->e->err->code : row[0].i;
}

/* As many as there is time for. */
static int take(struct drop_left *l, const struct cell *thread, int64_t rows,
		int64_t *gone)
{
	int n;

	do {
		n = l->e->sql->conn->driver->exec(l->e->sql->conn, l->take.p, thread, 1);
		*gone += n > 0 ? n : 0;
	} while (n > 0 && *gone < rows &&
			(pace_goes_on(l->pace) || pace_may_stretch(l->pace)));
	return n < 0 ? n : 0;
}

static int note(struct drop_left *l, const struct left *left)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 16;
		struct left *more = realloc(l->v, cap * sizeof(*more));

		if (!more)
			return ckpt_fail(l->e->err, CKPT_ENOMEM, "out of memory");
		l->v = more;
		l->cap = cap;
	}
	l->v[l->n++] = *left;
	return 0;
}

int left_go(struct drop_left *l, const struct drop_space *s, int64_t *gone)
{
	int64_t planned = s->s.strays, went = 0, rows;
	struct cell args[3];

	sql_key_cells(args, &s->s.key);
	rows = count(l, args);
	if (rows <= 0 || rows > planned)
		return rows > planned ? 1 : (int)rows;
	if (take(l, args, rows, &went) < 0)
		return l->e->err->code;
	*gone += went;
	return went == rows ? 0
	                    : note(l, &(struct left){ s->mark, planned - went,
						      rows - went, l->pace->version });
}

/* Only what others did can make them more, and to count them takes as long as to delete a thousand. */
static int count_again(struct drop_left *l, struct left *left, const struct ckpt_key *key)
{
	struct cell args[3];

	if (left->version == l->pace->version)
		return 0;
	sql_key_cells(args, key);
	left->rows = count(l, args);
	left->version = l->pace->version;
	if (left->rows <= left->planned)
		return left->rows < 0 ? (int)left->rows : 0;
	left->rows = 0;
	l->sum->moved++;
	if (l->how->moved)
		l->how->moved(l->how->arg, key);
	return 0;
}

/* Some more, in a transaction of their own. */
static int rest(struct drop_left *l, struct left *left, const struct ckpt_key *key)
{
	struct cell args[3];
	int64_t gone = 0;
	int rc;

	sql_key_cells(args, key);
	if (pace_begin(l->pace, l->e) < 0)
		return l->e->err->code;
	rc = count_again(l, left, key);
	if (rc == 0 && left->rows > 0)
		rc = take(l, args, left->rows, &gone);
	if (rc < 0)
		edit_rollback(l->e);
	else
		edit_commit(l->e);
	if (l->e->err->code)
		return l->e->err->code;
	l->sum->writes += gone;
	left->planned -= gone;
	left->rows -= gone;
	return pace_between(l->pace, l->e);
}

int left_rest(struct drop_left *l)
{
	struct doomed_item item;
	int rc = 0;

	for (size_t i = 0; i < l->n && rc >= 0; i++) {
		struct left *left = &l->v[i];

		rc = doomed_seek(l->list, (struct doomed_mark){ left->mark, left->mark });
		rc = rc < 0 ? rc : doomed_next(l->list, &item);
		while (rc >= 0 && left->rows > 0)
			rc = rest(l, left, &item.space->key);
	}
	return rc < 0 ? rc : 0;
}

void left_free(struct drop_left *l)
{
	ckpt_buf_free(&l->count);
	ckpt_buf_free(&l->take);
	free(l->v);
}
