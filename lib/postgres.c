/*
 * postgres.c - the PostgreSQL driver: one read-only transaction, cursors, cells. Loading libpq,
 * connecting and what errors mean is pq.c's; what the tables mean is a layout's business.
 *
 * Whatever is set or declared ends with the transaction, and no statement has a name: a pooler
 * may hand the server's session to somebody else right after. A NULL parameter is a NULL of type
 * text. Which types a column may have is postgres_cell.c's.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pq.h"

#define BATCH_BYTES ((size_t)2 << 20)
#define BATCH_ROWS 16384
#define AHEAD_AFTER 3   /* batches; who reads less wants no more */
#define TURN_BYTES 8192 /* of rows between two looks at the socket */

struct pg_cursor {
	struct cursor base;
	uint64_t name; /* 0: it has none, because nothing can match or all is here */
	PGresult *res; /* the batch; cells point into it */
	int row, rows;
	unsigned asked; /* rows the batch was to have */
	unsigned batches;
	PGresult *next; /* the batch after this one, and how many rows it was to have, or 0 */
	unsigned next_asked;
	size_t taken;  /* bytes of rows since the socket was looked at */
	char *numbers; /* of the present row, PG_NUMBER_BYTES for each column */
};

static struct pg_cursor *cursor_of(struct cursor *c)
{
	return (struct pg_cursor *)(void *)c;
}

static int no_memory(struct pg_conn *c)
{
	return ckpt_fail(c->base.err, CKPT_ENOMEM, "out of memory");
}

/* ---- the transaction ------------------------------------------------------------------------ */

int pg_run(struct pg_conn *c, const char *sql)
{
	ExecStatusType status;
	PGresult *res;

	pg_land(c);
	res = pq_exec(c, sql);
	status = c->pq.PQresultStatus(res);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		pq_fault(c, res);
	c->pq.PQclear(res);
	return c->base.err->code;
}

/* One round trip, whose SELECT makes the snapshot date from opening. No limit for an idle
 * transaction: behind a pager it is idle as long as somebody reads; the server's own counts.
 * Filtered rows would pass for missing ones, so row security is an error instead. */
static int begin(struct pg_conn *c, const struct ckpt_config *config)
{
	int64_t ms = config->lock_wait / 1000000;
	char sql[400];

	snprintf(sql, sizeof(sql),
			"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;"
			"SET LOCAL lock_timeout = %d;" /* 0 would be no limit */
			"SET LOCAL statement_timeout = 0;"
			"SET LOCAL row_security = off;"
			"SET LOCAL standard_conforming_strings = on;"
			"SELECT 1",
			ms < 1         ? 1
			: ms > INT_MAX ? INT_MAX
				       : (int)ms);
	return pg_run(c, sql);
}

void pg_close(struct conn *conn)
{
	struct pg_conn *c = pg_conn_of(conn);

	if (!c)
		return;
	if (c->db) {
		PGTransactionStatusType now;

		pg_land(c);
		now = c->pq.PQtransactionStatus(c->db);
		/* a pooler throws a session away that is left inside a transaction */
		if (now == PQTRANS_INTRANS || now == PQTRANS_INERROR)
			c->pq.PQclear(c->pq.PQexec(c->db, "ROLLBACK"));
		c->pq.PQfinish(c->db);
	}
	free(c->shown);
	free(c);
}

int pg_connect(struct pg_conn **out, const char *where, const struct ckpt_config *config,
		struct ckpt_error *err)
{
	struct pg_conn *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (!c)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	c->base.driver = &postgres_driver;
	c->base.err = err;
	c->stop = config->stop;
	c->stop_arg = config->arg;
	c->shown = postgres_masked(where);
	if (!c->shown)
		no_memory(c);
	if (err->code || pq_load(&c->pq, err) < 0 || pq_connect(c, where, config) < 0) {
		pg_close(&c->base);
		return err->code;
	}
	*out = c;
	return 0;
}

static int pg_open(struct conn **out, const char *where, const struct ckpt_config *config,
		struct ckpt_error *err)
{
	struct pg_conn *c;

	*out = NULL;
	if (pg_connect(&c, where, config, err) < 0)
		return err->code;
	if (begin(c, config) < 0) {
		pg_close(&c->base);
		return err->code;
	}
	*out = &c->base;
	return 0;
}

static int pg_settle(struct conn *conn)
{
	struct pg_conn *c = pg_conn_of(conn);

	pg_land(c);
	if (c->pq.PQtransactionStatus(c->db) != PQTRANS_IDLE)
		c->pq.PQclear(c->pq.PQexec(c->db, "ROLLBACK"));
	c->nclosing = 0;
	return c->base.err->code;
}

/* ---- cursors -------------------------------------------------------------------------------- */

/* Does the text ask for $n? A caller may give more than it asks for. */
static bool asks_for(const char *sql, size_t n)
{
	char mark[24];
	int len = snprintf(mark, sizeof(mark), "$%zu", n);

	for (const char *p = sql; (p = strstr(p, mark)); p += len) {
		if (p[len] < '0' || p[len] > '9')
			return true;
	}
	return false;
}

/* false: no row of the server can hold this value, so no row matches. */
static bool set_param(struct pg_params *p, size_t i, const struct cell *arg)
{
	p->types[i] = PG_TEXT;
	p->values[i] = NULL;
	p->formats[i] = 1;
	p->lengths[i] = 0;
	switch (arg->kind) {
	case CELL_INT:
		p->types[i] = PG_INT8;
		for (unsigned k = 0; k < 8; k++)
			p->ints[i][k] = (unsigned char)((uint64_t)arg->i >> (56 - 8 * k));
		p->values[i] = (const char *)p->ints[i];
		p->lengths[i] = 8;
		return true;
	case CELL_TEXT:
		if (arg->v.n && (memchr(arg->v.p, '\0', arg->v.n) || !utf8_valid(arg->v)))
			return false;
		break;
	case CELL_BLOB:
		p->types[i] = PG_BYTEA;
		break;
	default:
		return true;
	}
	p->values[i] = arg->v.n ? arg->v.p : "";
	p->lengths[i] = (int)arg->v.n;
	return arg->v.n <= INT_MAX;
}

bool pg_set_params(struct pg_params *p, const char *sql, const struct cell *args,
		size_t nargs)
{
	static const struct cell null;
	bool possible = true;

	for (size_t i = 0; i < nargs; i++)
		possible = set_param(p, i, asks_for(sql, i + 1) ? &args[i] : &null) &&
		           possible;
	return possible;
}

/* The result of one statement of a pipeline, whose NULL end is taken too. Kept is `*keep`. */
static void take_result(struct pg_conn *c, PGresult **keep)
{
	for (PGresult *res; (res = pq_result(c));) {
		ExecStatusType status = c->pq.PQresultStatus(res);

		if (status == PGRES_TUPLES_OK && keep && !*keep) {
			*keep = res;
			continue;
		}
		if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK &&
				status != PGRES_PIPELINE_ABORTED)
			pq_fault(c, res);
		c->pq.PQclear(res);
		if (c->pq.PQstatus(c->db) == CONNECTION_BAD)
			return;
	}
}

static bool send(struct pg_conn *c, const char *sql)
{
	return c->pq.PQsendQueryParams(c->db, sql, 0, NULL, NULL, NULL, NULL, 1);
}

/* Close what is done with, declare, fetch the first row: all in one round trip. */
static int declare(struct pg_conn *c, struct pg_cursor *cur, const char *sql,
		const struct pg_params *p, int nargs)
{
	size_t closing = c->nclosing;
	char line[64];
	bool sent, left;

	pg_land(c);
	sent = c->pq.PQenterPipelineMode(c->db);
	for (size_t i = 0; i < closing && sent; i++) {
		snprintf(line, sizeof(line), "CLOSE c%" PRIu64, c->closing[i]);
		sent = send(c, line);
	}
	c->nclosing = 0;
	snprintf(line, sizeof(line), "FETCH 1 FROM c%" PRIu64, cur->name);
	sent = sent &&
	       c->pq.PQsendQueryParams(c->db, sql, nargs, p->types, p->values, p->lengths,
			       p->formats, 1) &&
	       send(c, line) && c->pq.PQpipelineSync(c->db);
	if (!sent)
		return pq_fault(c, NULL);
	for (size_t i = 0; i < closing + 1; i++)
		take_result(c, NULL);
	take_result(c, &cur->res);
	c->pq.PQclear(pq_result(c)); /* of the sync */
	left = c->pq.PQexitPipelineMode(c->db);
	if (!c->base.err->code && (!cur->res || !left))
		pq_fault(c, NULL);
	cur->asked = 1;
	cur->rows = cur->res ? c->pq.PQntuples(cur->res) : 0;
	return c->base.err->code;
}

/* Sums over many rows are few rows. Asked for without a cursor, several processes of the server
 * may share the work. Not where sums are only a part of it, in parentheses. */
static bool is_summary(const char *sql)
{
	const char *grouped = NULL;

	for (const char *p = sql; (p = strstr(p, " GROUP BY ")); p++)
		grouped = p;
	return grouped && !strchr(grouped, ')');
}

static int take_all(struct pg_conn *c, struct pg_cursor *cur, const char *sql,
		const struct pg_params *p, int nargs)
{
	pg_land(c);
	cur->res = pq_exec_params(c, sql, p, nargs);
	if (c->pq.PQresultStatus(cur->res) != PGRES_TUPLES_OK)
		return pq_fault(c, cur->res);
	cur->rows = c->pq.PQntuples(cur->res);
	cur->asked = (unsigned)cur->rows +
	             1; /* more than there are: these are the last */
	return 0;
}

static void pg_done(struct cursor *cursor)
{
	struct pg_cursor *cur = cursor_of(cursor);
	struct pg_conn *c;

	if (!cur)
		return;
	c = pg_conn_of(cur->base.conn);
	if (c->ahead == cur)
		pg_land(c);
	c->pq.PQclear(cur->next);
	/* more than fit are forgotten: the end of the transaction closes them */
	if (cur->name && c->nclosing < PG_CLOSING_MAX)
		c->closing[c->nclosing++] = cur->name;
	c->pq.PQclear(cur->res);
	free(cur->numbers);
	free(cur);
}

static int pg_query(struct cursor **out, struct conn *conn, const char *sql,
		const struct cell *args, size_t nargs)
{
	struct pg_conn *c = pg_conn_of(conn);
	struct ckpt_buf b = { 0 };
	struct pg_params params;
	struct pg_cursor *cur;
	bool possible;

	*out = NULL;
	if (c->base.err->code)
		return c->base.err->code;
	if (nargs > PG_ARGS_MAX)
		return ckpt_fail(c->base.err, CKPT_EINTERNAL, "%zu parameters", nargs);
	possible = pg_set_params(&params, sql, args, nargs);
	cur = calloc(1, sizeof(*cur));
	if (!cur)
		return no_memory(c);
	cur->base.conn = conn;
	if (possible && is_summary(sql)) {
		take_all(c, cur, sql, &params, (int)nargs);
	} else if (possible) {
		cur->name = ++c->cursors;
		ckpt_buf_addf(&b, "DECLARE c%" PRIu64 " NO SCROLL CURSOR FOR %s",
				cur->name, sql);
		if (b.failed)
			no_memory(c);
		else
			declare(c, cur, b.p, &params, (int)nargs);
		ckpt_buf_free(&b);
	}
	if (c->base.err->code) {
		pg_done(&cur->base);
		return c->base.err->code;
	}
	*out = &cur->base;
	return 0;
}

/* How many rows next: sixteen times as many, but in bytes, as the batch before had them, no more
 * than BATCH_BYTES. */
static unsigned next_batch(const struct pg_conn *c, const struct pg_cursor *cur)
{
	size_t each = c->pq.PQresultMemorySize(cur->res) / (size_t)cur->rows + 1;
	unsigned n = cur->asked * 16;

	if (n > BATCH_ROWS)
		n = BATCH_ROWS;
	if (n > BATCH_BYTES / each)
		n = (unsigned)(BATCH_BYTES / each);
	return n ? n : 1;
}

/* While this batch is worked on the server makes the next one. */
static void ask_ahead(struct pg_conn *c, struct pg_cursor *cur)
{
	char sql[64];

	cur->batches++;
	if (cur->batches < AHEAD_AFTER || (unsigned)cur->rows < cur->asked ||
			cur->asked == 1)
		return;
	cur->next_asked = next_batch(c, cur);
	snprintf(sql, sizeof(sql), "FETCH %u FROM c%" PRIu64, cur->next_asked, cur->name);
	if (send(c, sql))
		c->ahead = cur;
	else
		pq_fault(c, NULL);
}

void pg_land(struct pg_conn *c)
{
	struct pg_cursor *cur = c->ahead;

	if (!cur)
		return;
	c->ahead = NULL;
	take_result(c, &cur->next);
	if (!cur->next && !c->base.err->code)
		pq_fault(c, NULL);
}

/* The server waits once the socket is full: what has come is taken now and then. */
static void take_turn(struct pg_conn *c, struct pg_cursor *cur)
{
	if (cur->taken < TURN_BYTES || !c->ahead)
		return;
	cur->taken = 0;
	if (c->pq.PQconsumeInput(c->db))
		c->pq.PQisBusy(c->db);
}

static int refill(struct pg_conn *c, struct pg_cursor *cur)
{
	char sql[64];

	if (!cur->next_asked)
		cur->asked = next_batch(c, cur);
	c->pq.PQclear(cur->res); /* before the next comes: memory holds one batch */
	cur->res = NULL;
	pg_land(c);
	if (cur->next_asked) {
		cur->asked = cur->next_asked;
		cur->res = cur->next;
		cur->next = NULL;
		cur->next_asked = 0;
	} else {
		snprintf(sql, sizeof(sql), "FETCH %u FROM c%" PRIu64, cur->asked,
				cur->name);
		cur->res = pq_exec_params(c, sql, NULL, 0);
	}
	cur->row = cur->rows = 0;
	if (c->pq.PQresultStatus(cur->res) != PGRES_TUPLES_OK)
		return pq_fault(c, cur->res);
	cur->rows = c->pq.PQntuples(cur->res);
	if (cur->rows)
		ask_ahead(c, cur);
	return c->base.err->code;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static int pg_next(struct cursor *cursor, struct cell *cells, size_t ncells)
{
	struct pg_cursor *cur = cursor_of(cursor);
	struct pg_conn *c = pg_conn_of(cur->base.conn);
	size_t ncols;

	if (c->base.err->code)
		return c->base.err->code;
	if (!cur->res)
		return 0;
	if (cur->row == cur->rows) {
		if ((unsigned)cur->rows < cur->asked)
			return 0;
		if (refill(c, cur) < 0)
			return c->base.err->code;
		if (!cur->rows)
			return 0;
	}
	ncols = (size_t)c->pq.PQnfields(cur->res);
	if (ncells > ncols)
		return ckpt_fail(c->base.err, CKPT_EINTERNAL, "%zu columns wanted of %zu",
				ncells, ncols);
	if (!cur->numbers)
		cur->numbers = calloc(ncols + 1, PG_NUMBER_BYTES);
	if (!cur->numbers)
		return no_memory(c);
	for (size_t i = 0; i < ncells; i++) {
		const struct pg_place at = { cur->res, cur->row, (int)i };

		if (pg_cell(&cells[i], c, &at, cur->numbers + i * PG_NUMBER_BYTES) < 0)
			return c->base.err->code;
		cur->taken += cells[i].v.n;
	}
	take_turn(c, cur);
	cur->row++;
	return 1;
}

const struct driver postgres_driver = {
	.name = "postgresql",
	.open = pg_open,
	.query = pg_query,
	.next = pg_next,
	.done = pg_done,
	.settle = pg_settle,
	.close = pg_close,
	.open_write = pg_open_write,
	.begin = pg_begin,
	.exec = pg_exec,
	.copy = pg_copy,
	.commit = pg_commit,
};
