/*
 * postgres_write.c - a PostgreSQL store written to: transactions, statements, COPY in binary.
 *
 * All settings are local to the transaction and no statement has a name, so that a pooler may
 * stand between. Values are compressed with lz4 where the server has it: its own pglz is what a
 * bulk load would wait for.
 */
#include <limits.h>

#include "pq.h"

#define COPY_PIECE ((size_t)1 << 20)

static int probe_lz4(struct pg_conn *c)
{
	PGresult *res = pq_exec(c,
			"SELECT 1 FROM pg_settings WHERE name = "
			"'default_toast_compression' AND 'lz4' = ANY (enumvals)");

	if (c->pq.PQresultStatus(res) != PGRES_TUPLES_OK)
		pq_fault(c, res);
	else
		c->has_lz4 = c->pq.PQntuples(res) > 0;
	c->pq.PQclear(res);
	return c->base.err->code;
}

int pg_open_write(struct conn **out, const char *where, bool create,
		const struct ckpt_config *config, struct ckpt_error *err)
{
	int64_t ms = config->lock_wait / 1000000;
	struct pg_conn *c;

	(void)create; /* databases are made by those who run the server */
	*out = NULL;
	if (pg_connect(&c, where, config, err) < 0)
		return err->code;
	c->writing = true;
	c->lock_ms = ms < 1 ? 1 : ms > INT_MAX ? INT_MAX : (int)ms;
	if (probe_lz4(c) < 0) {
		pg_close(&c->base);
		return err->code;
	}
	*out = &c->base;
	return 0;
}

/* Rows that a policy hides would be written twice or taken for missing: an error instead. */
int pg_begin(struct conn *conn)
{
	struct pg_conn *c = pg_conn_of(conn);
	char sql[400];

	if (c->base.err->code)
		return c->base.err->code;
	snprintf(sql, sizeof(sql),
			"BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE;"
			"SET LOCAL lock_timeout = %d;"
			"SET LOCAL statement_timeout = 0;"
			"SET LOCAL row_security = off;"
			"SET LOCAL standard_conforming_strings = on;"
			"%s",
			c->lock_ms,
			c->has_lz4 ? "SET LOCAL default_toast_compression = 'lz4'" : "");
	return pg_run(c, sql);
}

int pg_commit(struct conn *conn)
{
	struct pg_conn *c = pg_conn_of(conn);

	if (c->base.err->code)
		return c->base.err->code;
	c->nclosing = 0;
	return pg_run(c, "COMMIT");
}

int pg_exec(struct conn *conn, const char *sql, const struct cell *args, size_t nargs)
{
	struct pg_conn *c = pg_conn_of(conn);
	struct pg_params params;
	ExecStatusType status;
	PGresult *res;
	int changed = 0;

	if (c->base.err->code)
		return c->base.err->code;
	if (nargs > PG_ARGS_MAX || !pg_set_params(&params, sql, args, nargs))
		return ckpt_fail(c->base.err, CKPT_EINTERNAL,
				"a value that PostgreSQL cannot hold");
	pg_land(c);
	res = pq_exec_params(c, sql, &params, (int)nargs);
	status = c->pq.PQresultStatus(res);
	if (status == PGRES_COMMAND_OK)
		changed = (int)strtol(c->pq.PQcmdTuples(res), NULL, 10);
	else if (status == PGRES_TUPLES_OK)
		changed = c->pq.PQntuples(res);
	else
		pq_fault(c, res);
	c->pq.PQclear(res);
	return c->base.err->code ? c->base.err->code : changed;
}

static bool copy_send(struct pg_conn *c, struct ckpt_view rows)
{
	for (size_t at = 0; at < rows.n; at += COPY_PIECE) {
		size_t n = rows.n - at < COPY_PIECE ? rows.n - at : COPY_PIECE;

		if (c->pq.PQputCopyData(c->db, (const char *)rows.p + at, (int)n) != 1 ||
				!pq_flush(c))
			return false;
	}
	return c->pq.PQputCopyEnd(c->db, NULL) == 1 && pq_flush(c);
}

/* What COPY answers; it has to be asked until there is nothing more. */
static int copy_result(struct pg_conn *c)
{
	for (PGresult *res; (res = pq_result(c));) {
		if (c->pq.PQresultStatus(res) != PGRES_COMMAND_OK)
			pq_fault(c, res);
		c->pq.PQclear(res);
		if (c->pq.PQstatus(c->db) == CONNECTION_BAD)
			break;
	}
	return c->base.err->code;
}

int pg_copy(struct conn *conn, const char *sql, struct ckpt_view rows)
{
	struct pg_conn *c = pg_conn_of(conn);
	PGresult *res;
	bool ready;

	if (c->base.err->code)
		return c->base.err->code;
	pg_land(c);
	res = pq_exec(c, sql);
	ready = c->pq.PQresultStatus(res) == PGRES_COPY_IN;
	if (!ready)
		pq_fault(c, res);
	c->pq.PQclear(res);
	if (!ready)
		return c->base.err->code;
	/* a server that waits for a lock reads nothing: sending must not wait inside libpq */
	c->pq.PQsetnonblocking(c->db, 1);
	if (copy_send(c, rows))
		copy_result(c);
	else
		pq_fault(c, NULL);
	c->pq.PQsetnonblocking(c->db, 0);
	return c->base.err->code;
}
