/*
 * test_sqlite.c - the SQLite driver: cells in and out, nested cursors, what it refuses to run and
 * what it calls a failure. How files are opened is test_sqlite_open.c.
 */
#include <fcntl.h>
#include <unistd.h>
#include <sys/wait.h>

#include "t.h"
#include "made.h"
#include "driver.h"

static const struct ckpt_config config = { 0 };

static struct conn *reopen(const char *path, struct ckpt_error *err)
{
	struct conn *conn = NULL;

	*err = (struct ckpt_error){ 0 };
	sqlite_driver.open(&conn, path, &config, err);
	return conn;
}

/* The first row of a statement: its result, and up to 4 cells in `cells`, then done. */
static int one(struct conn *c, const char *sql, const struct cell *args, size_t nargs,
		struct cell *cells, size_t ncells, struct ckpt_buf *kept)
{
	struct cursor *cur;
	int rc = sqlite_driver.query(&cur, c, sql, args, nargs);

	if (rc < 0)
		return rc;
	rc = sqlite_driver.next(cur, cells, ncells);
	if (kept && rc > 0) {
		kept->n = 0;
		ckpt_buf_add(kept, cells[0].v.p, cells[0].v.n);
	}
	sqlite_driver.done(cur);
	return rc;
}

static const char *make_store(void)
{
	const char *path = made_path("cells.db");
	sqlite3 *db = made_store(path);

	made_sql(db, "CREATE TABLE v (k, v); INSERT INTO v VALUES ('nul', CAST(x'610062' "
		     "AS TEXT)),"
		     "('blob', x'610062'), ('int', -9223372036854775808), ('real', 1.5),"
		     "('null', NULL), ('empty', ''), ('noblob', x'');"
		     "INSERT INTO v VALUES ('twin', 'text'), (CAST('twin' AS BLOB), "
		     "'blob');"
		     "CREATE TABLE spy (hit); CREATE VIEW trap AS SELECT "
		     "load_extension('x') AS a;"
		     "CREATE TRIGGER tr INSERT ON v BEGIN INSERT INTO spy VALUES (1); "
		     "END;");
	made_close(db);
	return path;
}

static void cells_out(struct conn *c)
{
	static const struct {
		const char *key;
		enum cell_kind kind;
		size_t n;
		const char *bytes;
	} cases[] = {
		{ "nul", CELL_TEXT, 3, "a\0b" },
		{ "blob", CELL_BLOB, 3, "a\0b" },
		{ "real", CELL_REAL, 3, "1.5" },
		{ "empty", CELL_TEXT, 0, "" },
		{ "noblob", CELL_BLOB, 0, "" },
	};
	struct ckpt_buf kept = { 0 };
	struct cell arg = { .kind = CELL_TEXT }, cell[1];

	for (size_t i = 0; i < LEN(cases); i++) {
		arg.v = ckpt_view_of(cases[i].key);
		ok(one(c, "SELECT v FROM v WHERE k = $1", &arg, 1, cell, 1, &kept) == 1 &&
						cell[0].kind == cases[i].kind &&
						kept.n == cases[i].n && cell[0].v.p &&
						(!kept.n || memcmp(kept.p, cases[i].bytes,
									    kept.n) == 0),
				"a cell of kind %s", cases[i].key);
	}
	arg.v = CKPT_LIT("int");
	ok(one(c, "SELECT v FROM v WHERE k = $1", &arg, 1, cell, 1, NULL) == 1 &&
					cell[0].kind == CELL_INT &&
					cell[0].i == INT64_MIN,
			"the smallest integer");
	arg.v = CKPT_LIT("null");
	ok(one(c, "SELECT v FROM v WHERE k = $1", &arg, 1, cell, 1, NULL) == 1 &&
					cell[0].kind == CELL_NULL && !cell[0].v.p,
			"NULL");
	arg.v = CKPT_LIT("nobody");
	ok(one(c, "SELECT v FROM v WHERE k = $1", &arg, 1, cell, 1, NULL) == 0, "no row");
	ckpt_buf_free(&kept);
}

static void cells_in(struct conn *c)
{
	struct cell arg[4] = {
		{ .kind = CELL_TEXT, .v = CKPT_LIT("a\0b") },
		{ .kind = CELL_INT, .i = 7 },
		{ .kind = CELL_NULL },
		{ .kind = CELL_BLOB, .v = CKPT_LIT("") },
	};
	struct ckpt_buf kept = { 0 };
	struct cell cell[4];

	ok(one(c, "SELECT hex($1), $2, typeof($3), typeof($4)", arg, 4, cell, 4, &kept) ==
					1,
			"binds");
	same(kept.p, kept.n, "610062", "a NUL is bound");
	ok(cell[1].i == 7, "an integer is bound");
	ok(one(c, "SELECT typeof($3) || length($3) || typeof($4) || length($4)",
			   (struct cell[4]){ [2] = { .kind = CELL_TEXT, .v = { "", 0 } },
					   [3] = { .kind = CELL_BLOB, .v = { "", 0 } } },
			   4, cell, 1, &kept) == 1,
			"binds nothing at all");
	same(kept.p, kept.n, "text0blob0", "empty is not NULL");
	arg[0].v = CKPT_LIT("twin");
	ok(one(c, "SELECT v FROM v WHERE k = $1", arg, 1, cell, 1, &kept) == 1,
			"the text twin");
	same(kept.p, kept.n, "text", "a text key finds text");
	arg[0].kind = CELL_BLOB;
	ok(one(c, "SELECT v FROM v WHERE k = $1", arg, 1, cell, 1, &kept) == 1,
			"the blob twin");
	same(kept.p, kept.n, "blob", "a blob key finds the blob");
	ok(one(c, "SELECT 1 WHERE $2 = 7", arg, 4, cell, 1, NULL) == 1,
			"parameters not named are fine");
	ckpt_buf_free(&kept);
}

/* The same statement inside itself, to the end, many times over. */
static void nested(struct conn *c)
{
	struct cursor *outer, *inner;
	struct cell cell[2];
	size_t outer_n = 0, inner_n = 0;

	sqlite_driver.query(&outer, c, "SELECT k, v FROM v", NULL, 0);
	while (sqlite_driver.next(outer, cell, 2) == 1) {
		outer_n++;
		sqlite_driver.query(&inner, c, "SELECT k, v FROM v", NULL, 0);
		while (sqlite_driver.next(inner, cell, 2) == 1)
			inner_n++;
		sqlite_driver.done(inner);
	}
	sqlite_driver.done(outer);
	ok(outer_n == 9 && inner_n == 81, "a statement inside itself: %zu, %zu", outer_n,
			inner_n);
	for (size_t i = 0; i < 40; i++) { /* more than are kept for use again */
		char sql[40];

		snprintf(sql, sizeof(sql), "SELECT %zu", i % 20);
		if (one(c, sql, NULL, 0, cell, 1, NULL) != 1 ||
				cell[0].i != (int64_t)(i % 20))
			ok(false, "statement %zu", i);
	}
	ok(one(c, "SELECT v IS NULL FROM (SELECT $1 AS v)",
			   &(struct cell){ .kind = CELL_INT, .i = 1 }, 1, cell, 1,
			   NULL) == 1 && cell[0].i == 0,
			"bound");
	ok(one(c, "SELECT v IS NULL FROM (SELECT $1 AS v)", NULL, 0, cell, 1,
			   NULL) == 1 && cell[0].i == 1,
			"used again without what was bound before");
	sqlite_driver.done(NULL);
}

static void denied(const char *path)
{
	static const char *const sql[] = {
		"INSERT INTO v VALUES (1, 2)",
		"UPDATE v SET v = 1",
		"DELETE FROM v",
		"CREATE TABLE x (a)",
		"CREATE TEMP TABLE x (a)",
		"DROP TABLE v",
		"ALTER TABLE v ADD COLUMN c",
		"ATTACH 'other.db' AS o",
		"DETACH main",
		"VACUUM",
		"REINDEX",
		"ANALYZE",
		"SELECT a FROM trap",
		"CREATE VIRTUAL TABLE t USING fts5(a)",
		"CREATE TRIGGER t2 INSERT ON v BEGIN SELECT 1; END",
	};
	struct ckpt_error err;
	struct cell cell[1];
	sqlite3 *db;
	sqlite3_stmt *st;

	for (size_t i = 0; i < LEN(sql); i++) {
		struct conn *c = reopen(path, &err);
		int rc = one(c, sql[i], NULL, 0, cell, 1, NULL);

		ok(rc < 0 && err.code == rc, "not run: %s (%d)", sql[i], rc);
		ok(one(c, "SELECT 1", NULL, 0, cell, 1, NULL) == rc &&
						sqlite_driver.settle(c) == rc,
				"refuses from then on");
		sqlite_driver.close(c);
	}
	db = made_empty(path);
	sqlite3_prepare_v2(db,
			"SELECT (SELECT count(*) FROM spy), (SELECT count(*) FROM v), "
			"(SELECT count(*) FROM sqlite_master)",
			-1, &st, NULL);
	ok(sqlite3_step(st) == SQLITE_ROW && sqlite3_column_int(st, 0) == 0 &&
					sqlite3_column_int(st, 1) == 9 &&
					sqlite3_column_int(st, 2) == 8,
			"nothing was written, no trigger fired");
	sqlite3_finalize(st);
	made_close(db);
}

static void write_file(
		const char *path, const char *mode, long at, const void *p, size_t n)
{
	FILE *f = fopen(path, mode);

	if (!f || fseek(f, at, SEEK_SET) < 0 || fwrite(p, 1, n, f) != n)
		ok(false, "cannot write %s", path);
	if (f)
		fclose(f);
}

static void faults(void)
{
	const char *path = made_path("faults.db");
	unsigned char junk[4096];
	struct ckpt_error err;
	struct cell cell[1];
	struct conn *c;
	sqlite3 *db;

	memset(junk, 0x5a, sizeof(junk));
	ok(!reopen(made_path("absent.db"), &err) && err.code == CKPT_EMISSING,
			"no such file");
	ok(access(made_path("absent.db"), F_OK) < 0, "and none was made");
	ok(!reopen("/tmp", &err) && err.code == CKPT_EMISSING, "a folder");
	ok(!reopen("/dev/null", &err) && err.code == CKPT_EMISSING, "a device");
	write_file(path, "w", 0, junk, sizeof(junk));
	ok(!reopen(path, &err) && err.code == CKPT_ECORRUPT, "not a database");
	write_file(path, "w", 0, "SQLite", 6);
	ok(!reopen(path, &err) && err.code == CKPT_ECORRUPT, "six bytes");
	write_file(path, "w", 0, "SQLite format 3\0garbage", 23);
	ok(!reopen(path, &err) && err.code == CKPT_ECORRUPT, "a header cut off");
	unlink(path);
	db = made_store(path);
	made_sql(db, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
		     "300) INSERT INTO "
		     "checkpoints (thread_id, checkpoint_id, checkpoint) SELECT i, i, "
		     "zeroblob(100) FROM n");
	made_close(db);
	write_file(path, "r+", 4096, junk, sizeof(junk)); /* the table's root page */
	c = reopen(path, &err);
	ok(c != NULL, "damage further in does not show at once");
	if (c) {
		ok(one(c, "SELECT sum(length(checkpoint)) FROM checkpoints", NULL, 0,
				   cell, 1, NULL) == CKPT_ECORRUPT &&
						strstr(err.text, path),
				"but when it is read");
		sqlite_driver.close(c);
	}
	unlink(path);
}

/* Somebody else holds the whole file. */
static void locked(const char *path)
{
	int said[2], stop[2];
	struct ckpt_error err;
	char byte;
	pid_t pid;

	if (pipe(said) < 0 || pipe(stop) < 0 || (pid = fork()) < 0) {
		ok(false, "fork");
		return;
	}
	if (pid == 0) {
		sqlite3 *db = made_empty(path);

		close(stop[1]);
		made_sql(db, "BEGIN EXCLUSIVE");
		if (write(said[1], "x", 1) == 1 && read(stop[0], &byte, 1) == 0)
			made_sql(db, "ROLLBACK");
		made_close(db);
		_exit(0);
	}
	close(stop[0]);
	ok(read(said[0], &byte, 1) == 1 && !reopen(path, &err) &&
					err.code == CKPT_EBUSY &&
					strstr(err.hint, "--lock-wait"),
			"locked: %s", err.text);
	close(stop[1]);
	waitpid(pid, NULL, 0);
	close(said[0]);
	close(said[1]);
}

int main(void)
{
	const char *path = make_store();
	struct ckpt_error err;
	struct conn *c = reopen(path, &err);

	if (!ok(c != NULL, "opens"))
		return done();
	ok(!c->tentative && c->err == &err, "an ordinary store counts at once");
	cells_out(c);
	cells_in(c);
	nested(c);
	ok(sqlite_driver.settle(c) == 0 && err.code == 0, "settles");
	sqlite_driver.close(c);
	sqlite_driver.close(NULL);
	denied(path);
	faults();
	locked(path);
	return done();
}
