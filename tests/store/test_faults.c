/*
 * test_faults.c - the n-th thing asked of the database fails, n = 1, 2, … until a whole run gets
 * through: each failure is told once, the store refuses everything after it, nothing leaks (which
 * `make asan` sees). With a server (PGHOST) on PostgreSQL too. Opening itself is not reached: its
 * connection is wrapped afterwards.
 */
#include "t.h"
#include "content.h"
#include "made.h"
#include "sql.h"

struct fault_conn {
	struct conn base;
	struct conn *inner;
	unsigned left; /* calls that still work; afterwards all fail */
	unsigned failed;
};

struct fault_cursor {
	struct cursor base;
	struct cursor *inner;
};

static struct fault_conn *conn_of(struct conn *c)
{
	return (struct fault_conn *)(void *)c;
}

static struct fault_cursor *cursor_of(struct cursor *c)
{
	return (struct fault_cursor *)(void *)c;
}

static int strike(struct fault_conn *c)
{
	if (c->left) {
		c->left--;
		return 0;
	}
	c->failed++;
	return ckpt_fail(c->base.err, CKPT_EIO, "fault");
}

static int fault_query(struct cursor **out, struct conn *conn, const char *sql,
		const struct cell *args, size_t nargs)
{
	struct fault_conn *c = conn_of(conn);
	struct fault_cursor *cur;

	*out = NULL;
	if (strike(c) < 0)
		return CKPT_EIO;
	cur = calloc(1, sizeof(*cur));
	if (!cur)
		return ckpt_fail(conn->err, CKPT_ENOMEM, "out of memory");
	cur->base.conn = conn;
	if (c->inner->driver->query(&cur->inner, c->inner, sql, args, nargs) < 0) {
		free(cur);
		return conn->err->code;
	}
	*out = &cur->base;
	return 0;
}

static int fault_next(struct cursor *cur, struct cell *cells, size_t ncells)
{
	struct fault_conn *c = conn_of(cur->conn);

	return strike(c) < 0 ? CKPT_EIO
	                     : c->inner->driver->next(
					       cursor_of(cur)->inner, cells, ncells);
}

static void fault_done(struct cursor *cur)
{
	if (cur)
		conn_of(cur->conn)->inner->driver->done(cursor_of(cur)->inner);
	free(cur);
}

static int fault_settle(struct conn *conn)
{
	struct fault_conn *c = conn_of(conn);
	int rc = c->inner->driver->settle(c->inner);

	return strike(c) < 0 ? CKPT_EIO : rc;
}

static void fault_close(struct conn *conn)
{
	conn_of(conn)->inner->driver->close(conn_of(conn)->inner);
	free(conn);
}

static const struct driver fault_driver = {
	.name = "fault",
	.query = fault_query,
	.next = fault_next,
	.done = fault_done,
	.settle = fault_settle,
	.close = fault_close,
};

static struct fault_conn *wrap(struct ckpt_store *store, unsigned left)
{
	struct sql_store *s = sql_of(store);
	struct fault_conn *c = calloc(1, sizeof(*c));

	if (!c)
		exit(2);
	c->base = (struct conn){ .driver = &fault_driver, .err = s->conn->err };
	c->inner = s->conn;
	c->left = left;
	s->conn = &c->base;
	return c;
}

#define COUNTED \
	CKPT_LIT("{\"step\":1,\"counters_since_delta_snapshot\":{\"other\":[1,1]}}")

#define BODY \
	CKPT_LIT("{\"v\":1,\"ts\":\"2026-01-01T00:00:00Z\",\"channel_values\":{\"a\":1}" \
		 "," \
		 "\"channel_versions\":{\"a\":\"1\",\"d\":\"1\",\"other\":\"1\"}}")

static const char *make(void)
{
	const char *path = made_path("faults.db");
	sqlite3 *db = made_store(path);
	struct made_row row = { .thread = CKPT_LIT("t"),
		.type = CKPT_LIT("json"),
		.meta = COUNTED,
		.body = BODY };
	static const char *const ids[] = { "1", "2", "3" };

	for (size_t i = 0; i < LEN(ids); i++) {
		row.id = ckpt_view_of(ids[i]);
		row.parent = i ? ckpt_view_of(ids[i - 1]) : (struct ckpt_view){ 0 };
		made_put(db, &row);
		made_write(db, &(struct made_write){ .thread = row.thread,
					       .id = row.id,
					       .task = CKPT_LIT("x"),
					       .channel = CKPT_LIT("other"),
					       .type = CKPT_LIT("json"),
					       .body = CKPT_LIT("[1]") });
	}
	row.ns = CKPT_LIT("sub");
	made_put(db, &row);
	made_close(db);
	return path;
}

/* The same, with a blob, and Sends that a checkpoint has from its parent. */
static const char *make_postgres(void)
{
	static const struct kind k = { .name = "faults",
		.engine = "postgresql",
		.database = "faults",
		.schema = "faults",
		.no_inline = true };
	struct ckpt_buf sql = { 0 };
	const char *where = postgres_make(&k);

	ckpt_buf_puts(&sql,
			"SET search_path = faults; DELETE FROM checkpoints; "
			"DELETE FROM checkpoint_writes; DELETE FROM checkpoint_blobs;\n");
	ckpt_buf_addf(&sql,
			"INSERT INTO checkpoints SELECT 't', ns, id::text, "
			"nullif(id - 1, 0)::text, NULL, '%s', '%s' FROM (VALUES ('', 1), "
			"('', 2), ('', 3), ('sub', 3)) AS v(ns, id);\n",
			(const char *)BODY.p, (const char *)COUNTED.p);
	ckpt_buf_puts(&sql, "INSERT INTO checkpoint_writes SELECT 't', '', id::text, "
			    "'x', idx, "
			    "c, 'json', '[1]', '' FROM generate_series(1, 3) id, "
			    "(VALUES (0, 'other'), (1, '__pregel_tasks')) AS v(idx, c);\n"
			    "INSERT INTO checkpoint_blobs VALUES "
			    "('t', '', 'd', '1', 'json', '[2]');");
	if (!postgres_ask(&k, false, sql.p, NULL))
		where = NULL;
	ckpt_buf_free(&sql);
	return where;
}

static int scans(struct ckpt_store *s)
{
	for (unsigned d = CKPT_HEADS; d <= CKPT_VALUES; d++) {
		struct ckpt_pick pick = { .depth = (enum ckpt_depth)d,
			.writes = d >= CKPT_LINKS,
			.sizes = true,
			.descending = d == CKPT_HEADS };
		struct ckpt_checkpoint c;
		struct ckpt_scan *scan;
		int rc = ckpt_scan_open(&scan, s, &pick);

		while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0)
			;
		if (rc < 0 && scan && ckpt_scan_next(scan, &c) != rc)
			rc = 1; /* went on after a failure */
		ckpt_scan_close(scan);
		if (rc)
			return rc;
	}
	return 0;
}

static int rows(struct ckpt_store *s)
{
	for (unsigned r = CKPT_STORED; r <= CKPT_STRAY_BLOBS; r++) {
		struct ckpt_pick pick = { .depth = CKPT_VALUES,
			.rows = (enum ckpt_rows)r };
		struct ckpt_checkpoint c;
		struct ckpt_scan *scan;
		int rc = ckpt_scan_open(&scan, s, &pick);

		while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0)
			;
		ckpt_scan_close(scan);
		if (rc)
			return rc;
	}
	return 0;
}

static int space(struct ckpt_store *s)
{
	struct ckpt_space out;

	return ckpt_store_space(s, &out);
}

static int lineage(struct ckpt_store *s)
{
	const struct ckpt_key key = { .thread = CKPT_LIT("t"), .ns = CKPT_LIT("") };
	struct ckpt_lineage *l;
	int rc = ckpt_lineage_load(&l, s, &key);

	if (rc == 0 && l->count != 3)
		rc = 1;
	ckpt_lineage_free(l);
	return rc;
}

static int addresses(struct ckpt_store *s)
{
	static const char *const texts[] = { "t", "t~1", "t@{step:1}", "t@{head:1}",
		"t@{id:2}~1" };
	struct ckpt_buf to = { 0 };
	struct ckpt_key key;
	int rc = 0;

	for (size_t i = 0; i < LEN(texts) && rc == 0; i++)
		rc = ckpt_address_find(
				&key, s, &(struct ckpt_address){ .text = texts[i] }, &to);
	if (rc == 0)
		rc = ckpt_thread_find(&key, s, CKPT_LIT("t"));
	ckpt_buf_free(&to);
	return rc;
}

static int deltas(struct ckpt_store *s)
{
	struct ckpt_pick pick = { .depth = CKPT_VALUES,
		.descending = true,
		.limit = 1,
		.key = { .thread = CKPT_LIT("t"), .ns = CKPT_LIT("") } };
	struct ckpt_render opt = { 0 };
	struct ckpt_buf to = { 0 };
	struct ckpt_delta delta = { 0 };
	enum ckpt_place places[8];
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc = ckpt_scan_one(&scan, s, &pick, &c);

	if (rc == 1)
		rc = c.nvalues > LEN(places) ? 1 : ckpt_delta_places(s, &c, places);
	if (rc == 0)
		rc = ckpt_delta_value(&to, s, &c, CKPT_LIT("other"), &opt, false, &delta);
	ckpt_delta_free(&delta);
	ckpt_buf_free(&to);
	ckpt_scan_close(scan);
	return rc;
}

static int about(struct ckpt_store *s)
{
	struct ckpt_about out;

	return ckpt_store_about(s, &out);
}

/* Everything a command may do with a store, up to the first failure. */
static int whole_run(struct ckpt_store *s)
{
	static int (*const parts[])(struct ckpt_store *) = { about, scans, rows, space,
		lineage, addresses, deltas, ckpt_store_end };
	int rc = 0;

	for (size_t i = 0; i < LEN(parts) && rc == 0; i++)
		rc = parts[i](s);
	return rc;
}

/* After a failure: nothing reaches the database, and the same is said again. */
static bool refuses(struct ckpt_store *s, struct fault_conn *c)
{
	struct ckpt_pick pick = { .depth = CKPT_KEYS };
	unsigned failed = c->failed;
	struct ckpt_scan *scan;

	return ckpt_scan_open(&scan, s, &pick) == CKPT_EIO && !scan &&
	       c->failed == failed && lineage(s) == CKPT_EIO &&
	       addresses(s) == CKPT_EIO && deltas(s) == CKPT_EIO &&
	       about(s) == CKPT_EIO && rows(s) == CKPT_EIO && space(s) == CKPT_EIO &&
	       ckpt_store_end(s) == CKPT_EIO;
}

static void test(const char *name, const char *path, const char *schema)
{
	const struct ckpt_config config = { .schema = schema };
	unsigned n = 0;
	int rc = 1;

	do {
		struct ckpt_error err = { 0 };
		struct ckpt_store *s = NULL;
		struct fault_conn *c;

		if (!path || ckpt_store_open(&s, path, &config, &err) < 0) {
			ok(false, "%s opens: %s", name, err.text);
			return;
		}
		c = wrap(s, n++);
		rc = whole_run(s);
		if (rc != 0)
			ok(rc == CKPT_EIO && err.code == CKPT_EIO &&
							strcmp(err.text, "fault") == 0 &&
							refuses(s, c),
					"%s: call %u fails: %d '%s'", name, n, rc,
					err.text);
		else
			ok(!err.code && !c->failed, "%s: the whole run takes %u calls",
					name, n - 1);
		ckpt_store_close(s);
	} while (rc != 0 && n < 10000);
	ok(n > 100 && n < 10000, "%s: enough of them", name);
}

int main(void)
{
	test("sqlite", make(), NULL);
	if (getenv("PGHOST"))
		test("postgresql", make_postgres(), "faults");
	return done();
}
