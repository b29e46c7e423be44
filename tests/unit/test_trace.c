/*
 * test_trace.c - the tracing driver says each statement with what is bound, and changes nothing.
 */
#include "t.h"
#include "made.h"
#include "driver.h"

static void collect(void *arg, const char *line)
{
	struct ckpt_buf *b = arg;

	ckpt_buf_puts(b, line);
	ckpt_buf_puts(b, "\n");
}

static int run(struct conn *c, const char *sql, const struct cell *args, size_t n,
		struct cell *cell)
{
	struct cursor *cur;
	int rc = c->driver->query(&cur, c, sql, args, n);

	if (rc < 0)
		return rc;
	rc = c->driver->next(cur, cell, 1);
	c->driver->done(cur);
	return rc;
}

int main(void)
{
	struct ckpt_buf lines = { 0 };
	const struct ckpt_config config = { .trace = collect, .arg = &lines };
	const char *path = made_path("t.db");
	struct cell args[3] = {
		{ .kind = CELL_TEXT, .v = CKPT_LIT("it\x1b[1m") },
		{ .kind = CELL_INT, .i = -5 },
		{ .kind = CELL_NULL },
	};
	struct conn *inner = NULL, *c = NULL;
	struct ckpt_error err = { 0 };
	struct cell cell;

	made_close(made_store(path));
	sqlite_driver.open(&inner, path, &config, &err);
	if (!ok(inner && trace_wrap(&c, inner, &config) == 0, "wraps"))
		return done();
	ok(c->err == &err && !c->tentative, "the error is the caller's own");
	ok(run(c, "SELECT $2 + 1", args, 3, &cell) == 1 && cell.i == -4, "passes on");
	same(lines.p, lines.n, "SELECT $2 + 1   -- $2 = -5\n",
			"only what the statement names");
	lines.n = 0;
	ok(run(c, "SELECT $1, $2, $3", args, 3, &cell) == 1, "three");
	ok(lines.p && !memchr(lines.p, 0x1b, lines.n) &&
					strstr(lines.p, "$2 = -5, $3 = ''"),
			"made harmless");
	lines.n = 0;
	ok(run(c, "SELECT 7", NULL, 0, &cell) == 1 && cell.i == 7, "none");
	same(lines.p, lines.n, "SELECT 7\n", "nothing bound, nothing said");
	c->driver->done(NULL);
	ok(run(c, "SELECT nonsense", NULL, 0, &cell) < 0 && err.code < 0,
			"a failure passes up");
	ok(run(c, "SELECT 1", NULL, 0, &cell) == err.code, "and stays");
	ok(c->driver->settle(c) == err.code, "also at the end");
	c->driver->close(c);
	ckpt_buf_free(&lines);
	return done();
}
