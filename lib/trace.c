/*
 * trace.c - a driver around any driver: says each statement on its way down.
 */
#include <stdlib.h>
#include <string.h>

#include "driver.h"

struct trace_conn {
	struct conn base;
	struct conn *inner;
	struct ckpt_config config; /* a copy: the caller's may be gone by then */
};

struct trace_cursor {
	struct cursor base;
	struct cursor *inner;
};

static struct conn *inner_of(struct conn *c)
{
	return ((struct trace_conn *)(void *)c)->inner;
}

static struct cursor *inner_cursor(struct cursor *c)
{
	return ((struct trace_cursor *)(void *)c)->inner;
}

static int trace_query(struct cursor **out, struct conn *conn, const char *sql,
		const struct cell *args, size_t nargs)
{
	struct trace_conn *c = (struct trace_conn *)(void *)conn;
	struct trace_cursor *cur = calloc(1, sizeof(*cur));
	struct ckpt_buf line = { 0 };
	const char *sep = "   -- ";
	char name[200];

	*out = NULL;
	if (!cur)
		return ckpt_fail(conn->err, CKPT_ENOMEM, "out of memory");
	ckpt_buf_puts(&line, sql);
	for (size_t i = 0; i < nargs; i++) {
		const char mark[] = { '$', (char)('1' + i), '\0' };

		if (!strstr(sql, mark))
			continue;
		ckpt_buf_addf(&line, "%s%s = ", sep, mark);
		sep = ", ";
		if (args[i].kind == CELL_INT)
			ckpt_buf_addf(&line, "%lld", (long long)args[i].i);
		else
			ckpt_buf_addf(&line, "'%s'", ckpt_show_name(name, args[i].v));
	}
	if (!line.failed)
		c->config.trace(c->config.arg, line.p);
	ckpt_buf_free(&line);
	cur->base.conn = conn;
	if (c->inner->driver->query(&cur->inner, c->inner, sql, args, nargs) < 0) {
		free(cur);
		return conn->err->code;
	}
	*out = &cur->base;
	return 0;
}

static int trace_next(struct cursor *cur, struct cell *cells, size_t ncells)
{
	return inner_of(cur->conn)->driver->next(inner_cursor(cur), cells, ncells);
}

static void trace_done(struct cursor *cur)
{
	if (!cur)
		return;
	inner_of(cur->conn)->driver->done(inner_cursor(cur));
	free(cur);
}

/* Of what is written only the statement: its values are not for logs. */
static int trace_exec(
		struct conn *conn, const char *sql, const struct cell *args, size_t nargs)
{
	struct trace_conn *c = (struct trace_conn *)(void *)conn;

	c->config.trace(c->config.arg, sql);
	return c->inner->driver->exec(c->inner, sql, args, nargs);
}

static int trace_copy(struct conn *conn, const char *sql, struct ckpt_view rows)
{
	struct trace_conn *c = (struct trace_conn *)(void *)conn;

	c->config.trace(c->config.arg, sql);
	return c->inner->driver->copy(c->inner, sql, rows);
}

static int trace_begin(struct conn *conn)
{
	struct trace_conn *c = (struct trace_conn *)(void *)conn;

	c->config.trace(c->config.arg, "BEGIN");
	return c->inner->driver->begin(c->inner);
}

static int trace_commit(struct conn *conn)
{
	struct trace_conn *c = (struct trace_conn *)(void *)conn;

	c->config.trace(c->config.arg, "COMMIT");
	return c->inner->driver->commit(c->inner);
}

static int trace_settle(struct conn *conn)
{
	return inner_of(conn)->driver->settle(inner_of(conn));
}

static void trace_close(struct conn *conn)
{
	inner_of(conn)->driver->close(inner_of(conn));
	free((struct trace_conn *)(void *)conn);
}

static const struct driver trace_driver = {
	.name = "trace",
	.query = trace_query,
	.next = trace_next,
	.done = trace_done,
	.settle = trace_settle,
	.close = trace_close,
	.begin = trace_begin,
	.exec = trace_exec,
	.copy = trace_copy,
	.commit = trace_commit,
};

int trace_wrap(struct conn **out, struct conn *inner, const struct ckpt_config *config)
{
	struct trace_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return ckpt_fail(inner->err, CKPT_ENOMEM, "out of memory");
	c->base = (struct conn){
		.driver = &trace_driver, .err = inner->err, .tentative = inner->tentative
	};
	c->inner = inner;
	c->config = *config;
	*out = &c->base;
	return 0;
}
