/*
 * test_driver.c - the PostgreSQL driver against a real server, directly and through a pooler: cells
 * in and out, nested and long cursors, large values, names of failures. driver.sh builds and runs
 * it; PGHOST … lead to the server, POOL to the pooler (or is empty). The last test stops the server.
 */
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "t.h"
#include "postgres.h"

#define MIB ((size_t)1 << 20)
#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static const struct ckpt_config config = { .lock_wait = 300000000 };
static const char *through; /* which way, for the names of tests */

/* What a reader must not do. */
static void sql(const char *text)
{
	FILE *psql = popen("psql -qX -v ON_ERROR_STOP=1 >/dev/null", "w");

	if (psql)
		fputs(text, psql);
	if (!psql || pclose(psql) != 0)
		printf("# psql failed: %.60s\n", text);
}

static struct conn *reopen(const char *where, struct ckpt_error *err)
{
	struct conn *conn = NULL;

	*err = (struct ckpt_error){ 0 };
	postgres_driver.open(&conn, where, &config, err);
	if (err->code)
		printf("# %d %s\n# hint: %s\n", err->code, err->text, err->hint);
	return conn;
}

static int query(struct cursor **out, struct conn *c, const char *text,
		const struct cell *args, size_t nargs)
{
	return postgres_driver.query(out, c, text, args, nargs);
}

/* One number, or the error. */
static int64_t number(
		struct conn *c, const char *text, const struct cell *args, size_t nargs)
{
	struct cell cell = { 0 };
	struct cursor *cur;
	int rc = query(&cur, c, text, args, nargs);

	if (rc < 0)
		return rc;
	rc = postgres_driver.next(cur, &cell, 1);
	postgres_driver.done(cur);
	return rc > 0 ? cell.i : rc < 0 ? rc : INT64_MIN;
}

static void test_cells(struct conn *c)
{
	static const struct {
		const char *expr;
		enum cell_kind kind;
		int64_t i;
		struct ckpt_view v;
	} t[] = {
		{ "(-32768)::int2", CELL_INT, INT16_MIN, { NULL, 0 } },
		{ "(-9223372036854775808)::int8", CELL_INT, INT64_MIN, { NULL, 0 } },
		{ "4294967295::oid", CELL_INT, 4294967295, { NULL, 0 } },
		{ "true", CELL_INT, 1, { NULL, 0 } },
		{ "false", CELL_INT, 0, { NULL, 0 } },
		{ "0.1::float8", CELL_REAL, 0, CKPT_LIT("0.1") },
		{ "1e300::float8", CELL_REAL, 0, CKPT_LIT("1e+300") },
		{ "1.1::float4", CELL_REAL, 0, CKPT_LIT("1.1") },
		{ "'-Infinity'::float8", CELL_REAL, 0, CKPT_LIT("-inf") },
		{ "'{\"a\": 1}'::jsonb", CELL_TEXT, 0, CKPT_LIT("{\"a\": 1}") },
		{ "'{\"a\":1 }'::json", CELL_TEXT, 0, CKPT_LIT("{\"a\":1 }") },
		{ "'käse'::text", CELL_TEXT, 0, CKPT_LIT("käse") },
		{ "'v'::varchar(3)", CELL_TEXT, 0, CKPT_LIT("v") },
		{ "'n'::name", CELL_TEXT, 0, CKPT_LIT("n") },
		{ "'literal'", CELL_TEXT, 0, CKPT_LIT("literal") },
		{ "''::text", CELL_TEXT, 0, CKPT_LIT("") },
		{ "'1ef00000-0000-6000-8000-0000000000ab'::uuid", CELL_TEXT, 0,
				CKPT_LIT("1ef00000-0000-6000-8000-0000000000ab") },
		{ "'\\x610062'::bytea", CELL_BLOB, 0, CKPT_LIT("a\0b") },
		{ "''::bytea", CELL_BLOB, 0, CKPT_LIT("") },
		{ "NULL::text", CELL_NULL, 0, { NULL, 0 } },
	};

	for (size_t i = 0; i < LEN(t); i++) {
		struct cell cell = { 0 };
		struct cursor *cur;
		char text[200];
		int rc;

		snprintf(text, sizeof(text), "SELECT %s", t[i].expr);
		rc = query(&cur, c, text, NULL, 0);
		if (rc == 0)
			rc = postgres_driver.next(cur, &cell, 1);
		ok(rc == 1 && cell.kind == t[i].kind && cell.i == t[i].i &&
						ckpt_view_eq(cell.v, t[i].v),
				"%s: cell of %s", through, t[i].expr);
		if (rc == 1)
			ok(postgres_driver.next(cur, &cell, 1) == 0, "%s: one row",
					through);
		postgres_driver.done(cur);
	}
}

static void test_params(struct conn *c)
{
	struct cell args[] = {
		{ .kind = CELL_TEXT, .v = CKPT_LIT("it's $1; --") },
		{ .kind = CELL_BLOB, .v = CKPT_LIT("a\0b") },
		{ .kind = CELL_INT, .i = -5 },
		{ .kind = CELL_NULL },
		{ .kind = CELL_TEXT, .v = CKPT_LIT("") },
	};
	const struct cell nul = { .kind = CELL_TEXT, .v = CKPT_LIT("a\0b") };
	const struct cell latin = { .kind = CELL_TEXT, .v = CKPT_LIT("k\xe4se") };

	ok(number(c, "SELECT length($1)", args, 5) == 11, "%s: a text in", through);
	ok(number(c, "SELECT length($2)", args, 5) == 3, "%s: bytes with NUL in",
			through);
	ok(number(c, "SELECT $3", args, 5) == -5, "%s: a number in", through);
	ok(number(c, "SELECT 1 WHERE $4 IS NULL", args, 5) == 1, "%s: NULL in", through);
	ok(number(c, "SELECT length($5) + 7", args, 5) == 7, "%s: an empty text in",
			through);
	ok(number(c, "SELECT 1 WHERE 'x' <> $1", &nul, 1) == INT64_MIN,
			"%s: NUL in a text: no row", through);
	ok(number(c, "SELECT 1 WHERE 'x' <> $1", &latin, 1) == INT64_MIN,
			"%s: not UTF-8 in a text: no row", through);
	args[0] = nul;
	ok(number(c, "SELECT $3", args, 5) == -5,
			"%s: NUL in a parameter nobody asks for", through);
}

/* Sums over three cursors, one in another, each longer than its first batches. */
static void test_nested(struct conn *c)
{
	struct cursor *a, *b, *d;
	struct cell i, j, k;
	int64_t sum = 0, rows = 0;

	query(&a, c, "SELECT g FROM generate_series(1, 30) g", NULL, 0);
	while (postgres_driver.next(a, &i, 1) > 0) {
		query(&b, c, "SELECT g FROM generate_series(1, $1) g", &i, 1);
		while (b && postgres_driver.next(b, &j, 1) > 0) {
			const struct cell two[] = { i, j };

			query(&d, c, "SELECT $1 * g FROM generate_series(1, $2) g", two,
					2);
			while (d && postgres_driver.next(d, &k, 1) > 0) {
				sum += k.i;
				rows++;
			}
			postgres_driver.done(d);
		}
		postgres_driver.done(b);
	}
	postgres_driver.done(a);
	ok(rows == 4960 && sum == 990264 && !c->err->code,
			"%s: three nested cursors (%lld, %lld)", through, (long long)rows,
			(long long)sum);
	ok(number(c, "SELECT count(*) FROM pg_cursors WHERE name LIKE 'c%'", NULL, 0) ==
					1,
			"%s: those done with are closed", through);
}

static void test_long(struct conn *c)
{
	struct cursor *cur;
	struct rusage use;
	struct cell cell[2];
	int64_t rows = 0, bytes = 0;
	bool in_order = true;

	query(&cur, c, "SELECT g, repeat('x', 1000) FROM generate_series(1, 100000) g",
			NULL, 0);
	while (postgres_driver.next(cur, cell, 2) > 0) {
		in_order = in_order && cell[0].i == ++rows;
		bytes += (int64_t)cell[1].v.n;
	}
	postgres_driver.done(cur);
	ok(in_order && rows == 100000 && bytes == 100000000,
			"%s: 100,000 rows of 1,000 bytes", through);
	getrusage(RUSAGE_SELF, &use);
#ifdef __SANITIZE_ADDRESS__
	use.ru_maxrss = 0;
#endif
	if (strcmp(through, "directly") ==
			0) /* the pooled one comes after large values */
		ok(use.ru_maxrss < 32 * 1024, "in less than 32 MiB (%ld KiB)",
				use.ru_maxrss);
}

static size_t memory_left(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	unsigned long kib;

	if (!f || fscanf(f, "MemTotal: %*u kB MemFree: %*u kB MemAvailable: %lu", &kib) !=
					1)
		kib = 0;
	if (f)
		fclose(f);
	return kib * 1024;
}

/* A value of so many MiB, every byte of which is looked at, behind a small one. */
static void test_large(struct conn *c, size_t mib)
{
	const struct cell arg = { .kind = CELL_INT, .i = (int64_t)(mib * MIB / 16) };
	struct cursor *cur;
	struct cell cell = { 0 };
	bool good;

	if (memory_left() < 8 * mib * MIB) {
		ok(true, "%s: bytea of %zu MiB # SKIP too little memory", through, mib);
		return;
	}
	query(&cur, c,
			"SELECT convert_to(repeat('0123456789abcde' || chr(10), n), "
			"'UTF8') "
			"FROM unnest(ARRAY[1, $1::int]) n",
			&arg, 1);
	good = cur && postgres_driver.next(cur, &cell, 1) == 1 && cell.v.n == 16 &&
	       postgres_driver.next(cur, &cell, 1) == 1 && cell.v.n == mib * MIB;
	for (size_t i = 0; good && i < cell.v.n; i += 16)
		good = memcmp((const char *)cell.v.p + i, "0123456789abcde\n", 16) == 0;
	good = good && postgres_driver.next(cur, &cell, 1) == 0;
	postgres_driver.done(cur);
	ok(good && cell.kind == CELL_BLOB, "%s: bytea of %zu MiB", through, mib);
}

static void test_reading(const char *where)
{
	struct ckpt_error err, err2;
	struct conn *c = reopen(where, &err), *other;

	if (!ok(c != NULL, "%s: opens", through))
		return;
	ok(!c->tentative && c->driver == &postgres_driver, "%s: what is read counts",
			through);
	test_long(c);
	test_cells(c);
	test_params(c);
	test_nested(c);
	ok(number(c, "SELECT count(*) FROM kept", NULL, 0) == 1, "%s: rows", through);
	sql("INSERT INTO kept VALUES ('later', 'x');");
	ok(number(c, "SELECT count(*) FROM kept", NULL, 0) == 1, "%s: one snapshot",
			through);
	sql("DELETE FROM kept WHERE k = 'later';");
	ok(number(c, "SELECT length(version()) - length(version())", NULL, 0) == 0 &&
					postgres_driver.settle(c) == 0,
			"%s: settles", through);
	/* the pooler has one session for all: it is free now, and nothing of ours is left in it */
	other = reopen(where, &err2);
	ok(other &&
					number(other,
							"SELECT count(*) FROM pg_cursors "
							"WHERE name LIKE 'c%'",
							NULL, 0) == 1 &&
					number(other,
							"SELECT count(*) FROM "
							"pg_prepared_statements",
							NULL, 0) == 0,
			"%s: nothing is left behind", through);
	postgres_driver.close(other);
	postgres_driver.close(c);
	other = reopen(where, &err2);
	ok(other && number(other, "SELECT count(*) FROM kept WHERE lower(k) = k", NULL,
				    0) == 1,
			"%s: and again after a close without settling", through);
	test_large(other, 300);
	test_large(other, 600);
	postgres_driver.close(other);
}

/* ---- failures --------------------------------------------------------------------------------- */

static void failed(const struct ckpt_error *err, int code, const char *text,
		const char *hint, const char *what)
{
	if (!ok(err->code == code && strstr(err->text, text) && strstr(err->hint, hint) &&
					    !strstr(err->text, "s3cret") &&
					    !strstr(err->hint, "s3cret"),
			    "%s", what))
		printf("# %d: %s\n# hint: %s\n", err->code, err->text, err->hint);
}

static void test_connecting(void)
{
	static const struct {
		const char *where, *text, *hint;
		int code;
	} t[] = {
		{ "host=/nonexistent user=u", "No such file", "is the server running",
				CKPT_ECONNECT },
		{ "postgresql://u:s3cret@127.0.0.1:1/x",
				"connect to 'postgresql://u:***@127.0.0.1:1/x'",
				"is the server running there?", CKPT_ECONNECT },
		{ "host=no.such.host.invalid", "host name", "is the host's name right?",
				CKPT_ECONNECT },
		{ "user=locked", "no password supplied", ".pgpass", CKPT_ECONNECT },
		{ "user=locked password='s3cret x'", "password authentication failed",
				"PGPASSWORD", CKPT_ECONNECT },
		{ "user=ckpt dbname=no-such password=such", "\"no-***\" does not exist",
				"psql -l", CKPT_ECONNECT },
		{ "user=nobody_here", "role \"nobody_here\" does not exist", "",
				CKPT_ECONNECT },
		{ "user=crowd", "too many connections", "fewer", CKPT_EBUSY },
		{ "postgresql://u:s3cret%zz@h/x", "password is not written", "%25",
				CKPT_EUSAGE },
		{ "postgresql://u:s3cret/y@h/x", "password is not written", "%2F",
				CKPT_EUSAGE },
		{ "postgresql://u:s3cret@h/x?nonsense=1", "\"nonsense\"", "",
				CKPT_EUSAGE },
		{ "host=", "", "", 0 },
		{ "user=locked password='s3cret right'", "", "", 0 },
	};

	for (size_t i = 0; i < LEN(t); i++) {
		struct ckpt_error err;

		postgres_driver.close(reopen(t[i].where, &err));
		failed(&err, t[i].code, t[i].text, t[i].hint, t[i].where);
	}
}

/* A host that takes no more connections: the next one of the name is asked. */
static void test_dead_host(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd[8] = { socket(AF_INET, SOCK_STREAM, 0) };
	struct ckpt_error err;
	struct conn *c;
	char where[300];
	time_t before;

	bind(fd[0], (struct sockaddr *)&a, n);
	getsockname(fd[0], (struct sockaddr *)&a, &n);
	listen(fd[0], 0);
	for (size_t i = 1; i < LEN(fd); i++) {
		fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fd[i], (struct sockaddr *)&a, n);
	}
	snprintf(where, sizeof(where),
			"host=127.0.0.1,%s port=%u,5432 user=ckpt connect_timeout=2",
			getenv("PGHOST"), (unsigned)ntohs(a.sin_port));
	before = time(NULL);
	c = reopen(where, &err);
	ok(c && time(NULL) - before < 30, "after a dead host the next is asked");
	postgres_driver.close(c);
	snprintf(where, sizeof(where),
			"host=127.0.0.1 port=%u user=ckpt connect_timeout=2",
			(unsigned)ntohs(a.sin_port));
	postgres_driver.close(reopen(where, &err));
	failed(&err, CKPT_ECONNECT, "no answer within 2 s", "", "a dead host alone");
	for (size_t i = 0; i < LEN(fd); i++)
		close(fd[i]);
}

static void test_statements(void)
{
	static const struct {
		const char *where, *sql, *text, *hint;
		int code;
	} t[] = {
		{ "user=poor", "SELECT count(*) FROM kept", "table kept",
				"GRANT SELECT ON TABLE kept TO poor", CKPT_EREFUSED },
		{ "user=poor", "SELECT count(*) FROM hidden.t", "schema hidden",
				"GRANT USAGE ON SCHEMA hidden TO poor", CKPT_EREFUSED },
		{ "user=poor", "SELECT count(*) FROM filtered", "row-level security",
				"BYPASSRLS", CKPT_EREFUSED },
		{ "user=ckpt", "SELECT count(*) FROM nothing_there", "nothing_there", "",
				CKPT_EINTERNAL },
		{ "user=ckpt",
				"SELECT 1 FROM pg_cancel_backend(pg_backend_pid()), "
				"pg_sleep(9)",
				"user request", "", CKPT_EINTERRUPTED },
		{ "user=ckpt", "SELECT pg_terminate_backend(pg_backend_pid())",
				"terminating", "try again", CKPT_EBUSY },
		{ "user=ckpt", "SELECT warn()", "", "", 0 },
		{ "user=ckpt", "SELECT nextval('counter')", "read-only transaction", "",
				CKPT_EINTERNAL },
		{ "user=ckpt", "SELECT now()", "column 'now' has a type", "",
				CKPT_EUNSUPPORTED },
	};

	for (size_t i = 0; i < LEN(t); i++) {
		struct ckpt_error err;
		struct conn *c = reopen(t[i].where, &err);

		if (c) {
			number(c, t[i].sql, NULL, 0);
			ok(number(c, "SELECT 1", NULL, 0) == (t[i].code ? t[i].code : 1),
					"a failed connection refuses all that follows");
		}
		failed(&err, t[i].code, t[i].text, t[i].hint, t[i].sql);
		postgres_driver.close(c);
	}
}

static void test_lock(void)
{
	FILE *psql = popen("psql -qX >/dev/null", "w");
	const struct timespec while_ = { .tv_nsec = 20000000 };
	struct ckpt_error err;
	struct conn *c = reopen("", &err);

	fputs("BEGIN; LOCK TABLE kept;\n", psql);
	fflush(psql);
	while (number(c,
			       "SELECT count(*) FROM pg_locks WHERE mode = "
			       "'AccessExclusiveLock' AND "
			       "relation = 'kept'::regclass AND granted",
			       NULL, 0) == 0)
		nanosleep(&while_, NULL);
	number(c, "SELECT count(*) FROM kept", NULL, 0);
	failed(&err, CKPT_EBUSY, "lock timeout", "--lock-wait", "a table that is locked");
	postgres_driver.close(c);
	pclose(psql);
}

static void test_server_stops(void)
{
	struct ckpt_error err;
	struct conn *c = reopen("", &err);
	struct cursor *cur;
	struct cell cell;
	char path[300];
	int pid = 0, rows = 0;
	FILE *f;

	query(&cur, c, "SELECT g FROM generate_series(1, 1000000) g", NULL, 0);
	while (rows < 1000 && postgres_driver.next(cur, &cell, 1) > 0)
		rows++;
	snprintf(path, sizeof(path), "%s/data/postmaster.pid", getenv("PGHOST"));
	f = fopen(path, "r");
	if (f && fscanf(f, "%d", &pid) == 1)
		kill(pid, SIGINT);
	if (f)
		fclose(f);
	while (pid && access(path, F_OK) == 0)
		usleep(20000);
	while (postgres_driver.next(cur, &cell, 1) > 0)
		rows++;
	failed(&err, CKPT_EBUSY, "", "try again", "the server stops while it is read");
	printf("# %s\n", err.text);
	postgres_driver.done(cur);
	ok(postgres_driver.settle(c) == CKPT_EBUSY, "and settling says so");
	postgres_driver.close(c);
	postgres_driver.close(reopen("", &err));
	failed(&err, CKPT_ECONNECT, "cannot connect", "is the server running",
			"then it is gone");
}

int main(void)
{
	const char *pool = getenv("POOL");
	FILE *said = tmpfile();
	int real = dup(2);

	sql("CREATE TABLE kept (k text, v text); INSERT INTO kept VALUES ('a', 'b');"
	    "CREATE ROLE poor LOGIN; CREATE ROLE crowd LOGIN CONNECTION LIMIT 0;"
	    "CREATE ROLE locked LOGIN PASSWORD 's3cret right'; CREATE SEQUENCE counter;"
	    "CREATE SCHEMA hidden; CREATE TABLE hidden.t (a int);"
	    "CREATE TABLE filtered (a int); ALTER TABLE filtered ENABLE ROW LEVEL "
	    "SECURITY;"
	    "CREATE POLICY p ON filtered USING (a > 1); GRANT SELECT ON filtered TO poor;"
	    "CREATE FUNCTION warn() RETURNS int LANGUAGE plpgsql AS "
	    "$$BEGIN RAISE WARNING 'loud'; RETURN 1; END$$;");
	dup2(fileno(said), 2);
	through = "directly";
	test_reading("");
	through = "pooled";
	if (pool && *pool)
		test_reading(pool);
	else
		ok(true, "through a pooler # SKIP pgbouncer is not installed");
	test_connecting();
	test_dead_host();
	test_statements();
	test_lock();
	test_server_stops();
	dup2(real, 2);
	close(real);
	ok(fseek(said, 0, SEEK_END) == 0 && ftell(said) == 0, "libpq prints nothing");
	fclose(said);
	return done();
}
