/*
 * pq_wait.c - statements, and waiting for what the server answers: in short turns, so that whoever
 * is asked to stop does, and the statement in flight is cancelled. Without that the server would go
 * on with it, and hold its locks, until it notices that nobody listens.
 *
 * Not here: what is asked (postgres.c, postgres_write.c), what an error means (pq.c).
 */
#include <errno.h>
#include <poll.h>

#include "pq.h"

#define TURN_MS 100

/* libpq asks over a connection of its own, and returns when the server has been told. */
static void cancel(struct pg_conn *c)
{
	PGcancel *request = c->pq.PQgetCancel(c->db);
	char why[256];

	c->cancelled = true;
	if (request)
		c->pq.PQcancel(request, why, sizeof(why)); /* at worst it is not heard */
	c->pq.PQfreeCancel(request);
}

/* Wait until the socket has something to read, or takes something; false: it is broken. Who is
 * to stop gives a statement a whole turn, within which most end; then it is told each turn, as a
 * request may have met the statement before. */
static bool turn(struct pg_conn *c, short events)
{
	struct pollfd p = { .fd = c->pq.PQsocket(c->db), .events = events };
	int n = p.fd < 0 ? -1 : poll(&p, 1, TURN_MS);

	if (p.fd < 0 || (n < 0 && errno != EINTR))
		return false;
	if (n == 0 && c->stop && c->stop(c->stop_arg))
		cancel(c);
	return n <= 0 || !(p.revents & ~POLLOUT) || c->pq.PQconsumeInput(c->db);
}

PGresult *pq_result(struct pg_conn *c)
{
	while (c->pq.PQisBusy(c->db)) {
		if (!turn(c, POLLIN))
			break; /* what is broken does not block */
	}
	return c->pq.PQgetResult(c->db);
}

bool pq_flush(struct pg_conn *c)
{
	int left;

	while ((left = c->pq.PQflush(c->db)) > 0) {
		if (!turn(c, POLLIN | POLLOUT))
			return false;
	}
	return left == 0;
}

/* As PQexec: the last result, which is the first error; a COPY that has begun; NULL: not sent. */
static PGresult *last(struct pg_conn *c, int sent)
{
	PGresult *res = NULL, *next;

	while (sent && (next = pq_result(c))) {
		c->pq.PQclear(res);
		res = next;
		if (c->pq.PQresultStatus(res) == PGRES_COPY_IN ||
				c->pq.PQstatus(c->db) == CONNECTION_BAD)
			break;
	}
	return res;
}

PGresult *pq_exec(struct pg_conn *c, const char *sql)
{
	return last(c, c->pq.PQsendQuery(c->db, sql));
}

PGresult *pq_exec_params(
		struct pg_conn *c, const char *sql, const struct pg_params *p, int nargs)
{
	return last(c, c->pq.PQsendQueryParams(c->db, sql, nargs, p ? p->types : NULL,
				       p ? p->values : NULL, p ? p->lengths : NULL,
				       p ? p->formats : NULL, 1));
}
