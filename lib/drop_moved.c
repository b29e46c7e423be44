/*
 * drop_moved.c - whether nobody wrote to a namespace, or to the root on which it hangs, since it was
 * planned: asked inside the transaction in which it goes, row by row or in a copy without it.
 */
#include "drop_moved.h"
#include "sql.h"

/* How the newest checkpoint of a namespace stands to the one that the plan knew; NONE: there is
 * none. A failure is the connection's. */
enum { NONE = -2 };
static int compare_newest(struct conn *conn, const char *newest,
		const struct ckpt_key *space, struct ckpt_view planned, bool planned_blob)
{
	struct cell args[3], cell[1] = { 0 };
	struct cursor *cur;
	bool found, blob;
	int cmp;

	sql_key_cells(args, space);
	if (conn->driver->query(&cur, conn, newest, args, 2) < 0)
		return NONE;
	found = sql_next(cur, cell, 1) > 0;
	blob = cell[0].kind == CELL_BLOB; /* every BLOB is behind every TEXT */
	cmp = blob != planned_blob ? (blob ? 1 : -1) : ckpt_view_cmp(cell[0].v, planned);
	sql_done(cur);
	return !found ? NONE : cmp < 0 ? -1 : cmp > 0;
}

int drop_moved(struct conn *conn, const char *newest, const struct doomed_space *s)
{
	const struct ckpt_key root = { .thread = s->key.thread,
		.ns = CKPT_LIT(""),
		.blob = s->key.blob & CKPT_BLOB_THREAD };
	int cmp = compare_newest(conn, newest, &s->key, s->newest, s->newest_blob);
	/* of one that goes whole the newest may be gone already */
	bool moved = s->whole || s->whole_thread ? cmp > 0 : cmp != 0;

	if (!moved && s->root_newest.p)
		moved = compare_newest(conn, newest, &root, s->root_newest,
					s->root_newest_blob) > 0;
	return conn->err->code ? conn->err->code : moved;
}
