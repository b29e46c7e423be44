/*
 * sql_space.c - the room a store takes, as the database itself tells it in the snapshot.
 *
 * PostgreSQL's write-ahead log is the whole server's: how much of it is this store's is unknown.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "sql.h"

static int64_t whole(const struct cell *c)
{
	return c->kind == CELL_INT ? c->i : CKPT_UNKNOWN;
}

/* The first row; whether there was one. Its texts are gone afterwards. */
static bool one_row(struct sql_store *s, const char *sql, const struct cell *args,
		size_t nargs, struct cell *row, size_t n)
{
	struct cursor *cur;
	bool yes;

	if (sql_query(&cur, s, sql, args, nargs) < 0)
		return false;
	yes = sql_next(cur, row, n) > 0;
	sql_done(cur);
	return yes;
}

/* The log beside a file: none is as good as an empty one. */
static int64_t log_size(struct sql_store *s, struct ckpt_view file)
{
	struct ckpt_buf path = { 0 };
	int64_t size = CKPT_UNKNOWN;
	struct stat st;

	ckpt_buf_add(&path, file.p, file.n);
	ckpt_buf_puts(&path, "-wal");
	if (path.failed)
		ckpt_fail(s->base.err, CKPT_ENOMEM, "out of memory");
	else if (stat(path.p, &st) == 0)
		size = st.st_size;
	else if (errno == ENOENT)
		size = 0;
	ckpt_buf_free(&path);
	return size;
}

static int of_file(struct sql_store *s, struct ckpt_space *out)
{
	const char *const *sql = s->dialect->pages;
	struct cell count, unused, size, file[3];
	struct cursor *cur;

	if (one_row(s, sql[0], NULL, 0, &count, 1) &&
			one_row(s, sql[1], NULL, 0, &unused, 1) &&
			one_row(s, sql[2], NULL, 0, &size, 1)) {
		out->file = count.i * size.i;
		out->reclaimable = unused.i * size.i;
	}
	if (sql_query(&cur, s, sql[3], NULL, 0) < 0)
		return s->base.err->code;
	while (sql_next(cur, file, 3) > 0) {
		if (ckpt_view_eq(file[1].v, CKPT_LIT("main")) && file[2].v.n)
			out->wal = log_size(s, file[2].v);
	}
	sql_done(cur);
	return s->base.err->code;
}

int sql_space(struct ckpt_store *store, struct ckpt_space *out)
{
	struct sql_store *s = sql_of(store);
	const char *const tables[4] = { s->checkpoints, s->has_writes ? s->writes : NULL,
		s->has_blobs ? s->blobs : NULL, s->migrations };
	struct cell args[4], row[2];

	*out = (struct ckpt_space){ CKPT_UNKNOWN, CKPT_UNKNOWN, CKPT_UNKNOWN };
	if (!s->dialect->space)
		return of_file(s, out);
	for (size_t i = 0; i < 4; i++)
		args[i] = sql_key_cell(ckpt_view_of(tables[i]), false);
	if (one_row(s, s->dialect->space, args, 4, row, 2)) {
		out->file = whole(&row[0]);
		out->reclaimable = whole(&row[1]);
	}
	return s->base.err->code;
}
