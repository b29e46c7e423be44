/*
 * vacuum_postgres.c - VACUUM of a server's tables: plain, beside readers and writers, which makes
 * room for new rows and gives back what is free at the end of a table; or FULL, which writes each
 * table anew and keeps everybody out meanwhile.
 *
 * It is the one thing done outside a transaction, so no setting can be made for it. FULL does not
 * wait for its lock, as all others would wait behind it: it skips a table that is in use and comes
 * again. Servers before version 12 have no word for that and refuse.
 */
#include "vacuum.h"

#define PAUSE_NS 50000000
#define PAUSES 200 /* 10 s for each table */

/* Who may not gets a warning, and nothing done. */
static const char not_allowed[] =
		"SELECT c.relname FROM pg_catalog.pg_class c, pg_catalog.pg_database d "
		"WHERE c.oid IN (to_regclass($1), to_regclass($2), to_regclass($3)) "
		"AND d.datname = current_database() AND NOT (pg_has_role(c.relowner, "
		"'USAGE') OR pg_has_role(d.datdba, 'USAGE') OR CASE WHEN "
		"current_setting('server_version_num')::int >= 170000 "
		"THEN has_table_privilege(c.oid, 'MAINTAIN') END IS TRUE)";
/* A table that was written anew has another file. */
static const char file[] = "SELECT pg_relation_filenode(to_regclass($1))::int8";

struct work {
	struct edit *e;
	const struct vacuum_how *how;
	struct vacuum_sum *out;
	const char *tables[3];
	size_t n;
};

/* The first row, if any, in a transaction of its own: its number, and its text into `why`. */
static int64_t look_up(struct work *w, const char *sql, const struct cell *args, size_t n)
{
	struct cursor *cur = NULL;
	struct cell row = { 0 };
	int64_t found = -1;
	char name[200];

	if (edit_begin(w->e) == 0 && edit_query(&cur, w->e, sql, args, n) == 0 &&
			sql_next(cur, &row, 1) > 0) {
		found = row.i;
		if (row.kind == CELL_TEXT)
			snprintf(w->out->why, sizeof(w->out->why),
					"VACUUM is for the owner of table '%.120s'",
					ckpt_show_name(name, row.v));
	}
	sql_done(cur);
	edit_commit(w->e);
	return found;
}

static struct cell text(const char *s)
{
	return sql_key_cell(ckpt_view_of(s), false);
}

static int measure(struct work *w, struct ckpt_space *out)
{
	if (edit_begin(w->e) < 0 || sql_space(&w->e->sql->base, out) < 0)
		return w->e->err->code;
	return edit_commit(w->e);
}

static int vacuum_plain(struct work *w, const char *table)
{
	struct conn *conn = w->e->sql->conn;
	char sql[400];

	snprintf(sql, sizeof(sql), "VACUUM %s", table);
	return conn->driver->exec(conn, sql, NULL, 0) < 0 ? w->e->err->code : 0;
}

static int vacuum_full(struct work *w, const char *table)
{
	static const struct timespec pause = { .tv_nsec = PAUSE_NS };
	struct conn *conn = w->e->sql->conn;
	struct cell arg = text(table);
	int64_t before = look_up(w, file, &arg, 1);
	char sql[400];

	snprintf(sql, sizeof(sql), "VACUUM (FULL, SKIP_LOCKED) %s", table);
	for (int i = 0; i < PAUSES && !w->e->err->code; i++) {
		if (conn->driver->exec(conn, sql, NULL, 0) < 0 ||
				look_up(w, file, &arg, 1) != before)
			return w->e->err->code;
		nanosleep(&pause, NULL);
	}
	if (!w->e->err->code) {
		ckpt_fail(w->e->err, CKPT_EBUSY,
				"table %s is in use all the time: VACUUM "
				"FULL needs it for itself",
				table);
		ckpt_hint(w->e->err, "stop those who use it, or take --vacuum, which "
				     "works beside them");
	}
	return w->e->err->code;
}

static int vacuum_all(struct work *w)
{
	for (size_t i = 0; i < w->n; i++) {
		int rc = w->how->full ? vacuum_full(w, w->tables[i])
		                      : vacuum_plain(w, w->tables[i]);

		if (rc == 0 && w->how->progress)
			rc = w->how->progress(w->how->arg, (int64_t)i + 1, (int64_t)w->n);
		if (rc < 0)
			return rc;
	}
	w->out->way = w->how->full ? VACUUM_WHOLE : VACUUM_STEPS;
	return 0;
}

int vacuum_run_postgres(
		struct edit *e, const struct vacuum_how *how, struct vacuum_sum *out)
{
	struct work w = { .e = e, .how = how, .out = out };
	const char *tables[3] = { e->sql->checkpoints,
		e->sql->has_writes ? e->sql->writes : NULL,
		e->sql->has_blobs ? e->sql->blobs : NULL };
	struct ckpt_space before, after;
	struct cell args[3];
	int rc;

	*out = (struct vacuum_sum){ 0 };
	for (size_t i = 0; i < 3; i++) {
		args[i] = text(tables[i] ? tables[i] : "");
		if (tables[i])
			w.tables[w.n++] = tables[i];
	}
	if (measure(&w, &before) < 0)
		return e->err->code;
	out->before = out->after = before.file;
	look_up(&w, not_allowed, args, 3);
	if (e->err->code || out->why[0])
		return e->err->code;
	rc = vacuum_all(&w);
	if (rc < 0 || measure(&w, &after) < 0)
		return rc < 0 ? rc : e->err->code;
	out->after = after.file;
	if (!how->full && before.reclaimable > 0)
		snprintf(out->why, sizeof(out->why),
				"room of dead rows is free for new ones; only "
				"--vacuum=full gives "
				"all of it back, and locks the tables meanwhile");
	return 0;
}
