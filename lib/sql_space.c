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

int sql_space(struct ckpt_store *store, struct ckpt_space *out)
{
	struct sql_store *s = sql_of(store);
	const char *const tables[4] = { s->checkpoints, s->has_writes ? s->writes : NULL,
		s->has_blobs ? s->blobs : NULL, s->migrations };
	struct cell args[4], row[3];
	struct cursor *cur;
	int rc;

	*out = (struct ckpt_space){ CKPT_UNKNOWN, CKPT_UNKNOWN, CKPT_UNKNOWN };
	for (size_t i = 0; i < 4; i++)
		args[i] = sql_key_cell(ckpt_view_of(tables[i]), false);
	if (sql_query(&cur, s, s->dialect->space, args, 4) < 0)
		return s->base.err->code;
	rc = sql_next(cur, row, 3);
	if (rc > 0) {
		out->file = whole(&row[0]);
		out->reclaimable = whole(&row[1]);
		out->wal = row[2].v.p ? log_size(s, row[2].v) : CKPT_UNKNOWN;
	}
	sql_done(cur);
	return s->base.err->code;
}
