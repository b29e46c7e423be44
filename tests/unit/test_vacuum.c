/*
 * test_vacuum.c - room goes back: in steps, all at once, and by writing anew what stays, which at
 * any moment is the old content or the new, also for those who have the store open.
 */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t.h"
#include "dropped.h"

static const struct drop_how plain = { 0 };

static int64_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

static int rewrite(const char *path, int keep, struct drop_sum *sum,
		struct vacuum_sum *vac, struct ckpt_error *err)
{
	struct doomed *d = dropped_plan(path, keep, DROPPED_ROWS, err);
	struct edit *e = dropped_edit(path, err);
	int rc = e ? rewrite_run_sqlite(e, d, &plain, sum, vac) : err->code;

	edit_close(e);
	doomed_free(d);
	return rc;
}

static int64_t count(sqlite3 *db, const char *text)
{
	sqlite3_stmt *st = NULL;
	int64_t n = -1;

	if (sqlite3_prepare_v2(db, text, -1, &st, NULL) == SQLITE_OK &&
			sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

static void what_stays(void)
{
	const char *path = made_path("anew.db");
	struct ckpt_error err = { 0 };
	struct drop_sum sum = { 0 };
	struct vacuum_sum vac = { 0 };
	uint64_t want;
	int rc;

	dropped_make(path, 30, 50, 1);
	want = dropped_digest(path, 3);
	rc = rewrite(path, 3, &sum, &vac, &err);
	ok(rc == 1 && vac.way == VACUUM_REWRITE && sum.checkpoints == 1410 &&
					sum.writes == 2820,
			"written anew: %d %s %s", rc, vac.why, err.text);
	ok(dropped_digest(path, 3) == want &&
					!dropped_fault(path, 50, 3, DROPPED_LEAST_FIRST),
			"what stays is as it was, other tables and the header too");
	ok(vac.before > 8 * vac.after && vac.after == size_of(path) &&
					size_of(made_path("anew.db-wal")) <= 0,
			"the file is small: %lld", (long long)vac.after);
	rc = rewrite(path, 3, &sum, &vac, &err);
	ok(rc == 1 && sum.checkpoints == 0 && dropped_digest(path, 3) == want, "again");
}

/* The application has it open, one connection in the middle of reading. */
static void others_go_on(void)
{
	const char *path = made_path("open.db");
	struct ckpt_error err = { 0 };
	struct drop_sum sum = { 0 };
	struct vacuum_sum vac = { 0 };
	sqlite3 *reader, *writer;
	sqlite3_stmt *put;
	int rc;

	dropped_make(path, 20, 40, 2);
	sqlite3_open_v2(path, &reader, SQLITE_OPEN_READWRITE, NULL);
	sqlite3_open_v2(path, &writer, SQLITE_OPEN_READWRITE, NULL);
	sqlite3_prepare_v2(writer,
			"INSERT INTO checkpoints VALUES ('new', '', ?1, NULL, '', x'', "
			"0)",
			-1, &put, NULL);
	made_sql(reader, "BEGIN");
	ok(count(reader, "SELECT count(*) FROM checkpoints") == 800, "a reader begins");
	rc = rewrite(path, 2, &sum, &vac, &err);
	ok(rc == 1 && sum.checkpoints == 760, "written anew: %d %s", rc, err.text);
	ok(vac.why[0], "it says that the file is still long: %s", vac.why);
	ok(count(reader, "SELECT count(*) FROM checkpoints") == 800 &&
					count(reader, "SELECT sum(length(checkpoint)) > "
						      "0 "
						      "FROM checkpoints") == 1,
			"which still sees what it saw");
	sqlite3_bind_text(put, 1, "a", -1, SQLITE_STATIC);
	ok(sqlite3_step(put) == SQLITE_DONE, "a prepared statement goes on: %s",
			sqlite3_errmsg(writer));
	sqlite3_finalize(put);
	made_sql(reader, "COMMIT");
	ok(count(reader, "SELECT count(*) FROM checkpoints") == 41,
			"then it sees the new");
	sqlite3_close(reader);
	sqlite3_close(writer);
	ok(!dropped_number(path, "SELECT count(*) FROM pragma_integrity_check WHERE "
				 "integrity_check <> 'ok'"),
			"whole");
}

static void what_moved(void)
{
	const char *path = made_path("moved.db");
	struct ckpt_error err = { 0 };
	struct drop_sum sum = { 0 };
	struct vacuum_sum vac = { 0 };
	struct doomed *d;
	struct edit *e;
	sqlite3 *db;
	int rc;

	dropped_make(path, 5, 10, 2);
	d = dropped_plan(path, 2, DROPPED_ROWS, &err);
	sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
	made_sql(db, "INSERT INTO checkpoints VALUES ('t0001', '', 'ffff', NULL, '', "
		     "x'', "
		     "99);"
		     "REPLACE INTO checkpoints SELECT thread_id, checkpoint_ns, "
		     "checkpoint_id, '', '', x'', 3 FROM checkpoints WHERE thread_id = "
		     "'t0004' AND metadata = 3;"
		     "INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, "
		     "task_id, idx, channel) VALUES ('t0000', '', 'none', 't', 0, 'c')");
	sqlite3_close(db);
	e = dropped_edit(path, &err);
	rc = rewrite_run_sqlite(e, d, &plain, &sum, &vac);
	ok(rc == 1 && sum.moved == 1 && sum.checkpoints == 31 && sum.writes == 62,
			"a newer head, and one put anew, are left alone: %d %d",
			(int)sum.checkpoints, (int)sum.writes);
	ok(dropped_number(path, "SELECT count(*) FROM checkpoints WHERE thread_id = "
				"'t0001'") == 11 &&
					dropped_number(path,
							"SELECT count(*) FROM writes "
							"WHERE thread_id = 't0004'") ==
							6 &&
					dropped_number(path,
							"SELECT count(*) FROM writes "
							"WHERE checkpoint_id = "
							"'none'") == 1,
			"with their writes, and stray ones");
	edit_close(e);
	doomed_free(d);
}

/* With a whole thread go its writes of checkpoints that never came, unless some of it stays. */
static void whole_threads(void)
{
	static const char stray[] = "INSERT INTO writes (thread_id, checkpoint_ns, "
				    "checkpoint_id, task_id, idx, channel) SELECT t, '', "
				    "i, 't', 0, 'c' FROM (SELECT 't0000' AS t UNION "
				    "SELECT 't0001' UNION SELECT 't0003'), (SELECT '0' "
				    "AS i UNION SELECT 'none')";
	const char *path = made_path("whole.db");
	struct ckpt_error err = { 0 };
	struct drop_sum sum = { 0 };
	struct vacuum_sum vac = { 0 };
	struct doomed *d;
	struct edit *e;
	sqlite3 *db;
	int rc;

	dropped_make(path, 4, 10, 2);
	sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
	made_sql(db, stray);
	d = dropped_plan(path, 0, DROPPED_ROWS, &err);
	made_sql(db, "INSERT INTO checkpoints VALUES ('t0001', 'x', 'ffff', NULL, '', "
		     "x'', 99)");
	e = dropped_edit(path, &err);
	rc = rewrite_run_sqlite(e, d, &plain, &sum, &vac);
	ok(rc == 1 && sum.checkpoints == 40 && sum.writes == 84, "%d %d %s",
			(int)sum.checkpoints, (int)sum.writes, err.text);
	ok(count(db, "SELECT count(*) FROM writes") == 2 &&
					count(db, "SELECT count(*) FROM writes WHERE "
						  "thread_id = 't0001'") == 2,
			"those of a thread that has a checkpoint stay");
	sqlite3_close(db);
	edit_close(e);
	doomed_free(d);
}

/* … to what goes: that takes what goes row by row. */
static void more_writes(int keep, const char *checkpoint)
{
	const char *path = made_path("more.db");
	struct ckpt_error err = { 0 };
	struct drop_sum sum = { 0 };
	struct vacuum_sum vac = { 0 };
	struct doomed *d;
	struct edit *e;
	sqlite3 *db;
	char sql[300];
	int rc;

	unlink(path);
	dropped_make(path, 3, 10, 2);
	d = dropped_plan(path, keep, DROPPED_ROWS, &err);
	snprintf(sql, sizeof(sql),
			"INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, "
			"task_id, idx, channel) VALUES ('t0001', '', '%s', 'late', 0, "
			"'c')",
			checkpoint);
	sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
	made_sql(db, sql);
	e = dropped_edit(path, &err);
	rc = rewrite_run_sqlite(e, d, &plain, &sum, &vac);
	ok(rc == 0 && !err.code && strstr(vac.why, "writes came") &&
					count(db, "SELECT count(*) FROM writes") == 61,
			"%s", vac.why);
	sqlite3_close(db);
	edit_close(e);
	doomed_free(d);
}

/* What it does not do: said, and nothing is changed. */
static void not_the_way(void)
{
	static const struct {
		const char *sql, *why;
	} cases[] = {
		{ "CREATE VIEW v AS SELECT 1", "views" },
		{ "CREATE TABLE g (a, b AS (a + 1))", "generated" },
		{ "CREATE TABLE r (rowid TEXT)", "rowid" },
		{ "PRAGMA journal_mode=DELETE", "WAL" },
	};

	for (size_t i = 0; i < LEN(cases); i++) {
		const char *path = made_path("not.db");
		struct ckpt_error err = { 0 };
		struct drop_sum sum = { 0 };
		struct vacuum_sum vac = { 0 };
		sqlite3 *db;

		unlink(path);
		dropped_make(path, 3, 10, 1);
		sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
		made_sql(db, cases[i].sql);
		sqlite3_close(db);
		ok(rewrite(path, 2, &sum, &vac, &err) == 0 && !err.code &&
						strstr(vac.why, cases[i].why) &&
						dropped_number(path,
								"SELECT count(*) FROM "
								"checkpoints") == 30,
				"%s: %s %s", cases[i].sql, vac.why, err.text);
	}
}

static void locked(void)
{
	const char *path = made_path("locked.db");
	struct ckpt_error err = { 0 };
	struct drop_sum sum = { 0 };
	struct vacuum_sum vac = { 0 };
	struct doomed *d;
	struct edit *e;
	sqlite3 *db;
	int rc;

	dropped_make(path, 3, 10, 1);
	d = dropped_plan(path, 2, DROPPED_ROWS, &err);
	e = dropped_edit(path, &err);
	e->sql->conn->driver->exec(e->sql->conn, "PRAGMA busy_timeout=100", NULL, 0);
	sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
	made_sql(db, "BEGIN IMMEDIATE");
	rc = rewrite_run_sqlite(e, d, &plain, &sum, &vac);
	ok(rc == CKPT_EBUSY && vac.way == VACUUM_NONE, "somebody writes: %s", err.text);
	sqlite3_close(db);
	edit_close(e);
	doomed_free(d);
}

static void killed(void)
{
	const char *path = made_path("kill.db");
	int hits = 0, old = 0, anew = 0;
	const char *fault = NULL;
	struct ckpt_error err = { 0 };
	uint64_t seed = 7, want, before, limit = 60000;
	sqlite3 *app;

	dropped_make(path, 30, 40, 5);
	want = dropped_digest(path, 4);
	before = dropped_digest(path, 40);
	for (int i = 0; i < 300 && hits < 40 && !fault && !err.code; i++) {
		int status;
		pid_t pid;

		sqlite3_open_v2(path, &app, SQLITE_OPEN_READWRITE, NULL);
		sqlite3_busy_timeout(app, 5000);
		count(app, "SELECT count(*) FROM checkpoints");
		pid = fork();
		if (pid == 0) {
			struct drop_sum sum;
			struct vacuum_sum vac;

			_exit(rewrite(path, 4, &sum, &vac, &err) == 1 ? 0 : 1);
		}
		usleep((useconds_t)(made_random(&seed) % limit));
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		hits += WIFSIGNALED(status);
		if (count(app, "SELECT count(*) FROM writes") < 0)
			fault = "the application's next statement failed";
		else
			made_sql(app, "UPDATE other SET b = 'x'");
		sqlite3_close(app);
		if (!fault)
			fault = dropped_fault(path, 40, 4, DROPPED_LEAST_FIRST);
		if (!fault && dropped_digest(path, 40) == before) {
			old++;
			limit += limit / 10; /* as long as a run takes here */
		} else if (!fault && dropped_digest(path, 4) == want) {
			anew++;
			limit -= limit / 10;
			unlink(path);
			dropped_make(path, 30, 40, 5);
		} else if (!fault) {
			fault = "neither the old content nor the new";
		}
	}
	ok(!fault && hits == 40,
			"killed %d times: %d times the old, %d the new content: %s", hits,
			old, anew, fault ? fault : err.text);
}

static void shorten(const char *auto_vacuum, bool full, enum vacuum_way way)
{
	const char *path = made_path("short.db");
	struct vacuum_how how = { .full = full };
	struct ckpt_error err = { 0 };
	struct drop_sum sum = { 0 };
	struct vacuum_sum vac = { 0 };
	struct doomed *d;
	struct edit *e;
	uint64_t want;
	sqlite3 *db;

	unlink(path);
	dropped_make(path, 20, 60, 3);
	sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
	made_sql(db, auto_vacuum);
	made_sql(db, "VACUUM");
	sqlite3_close(db);
	want = dropped_digest(path, 3);
	d = dropped_plan(path, 3, DROPPED_ROWS, &err);
	e = dropped_edit(path, &err);
	drop_run_sqlite(e, d, &plain, &sum);
	vacuum_run_sqlite(e, &how, &vac);
	ok(!err.code && vac.way == way &&
					(way ? vac.after * 8 < vac.before
					     : vac.why[0] != 0) &&
					vac.after == size_of(path),
			"%s, %s: %lld to %lld %s%s", auto_vacuum, full ? "full" : "steps",
			(long long)vac.before, (long long)vac.after, vac.why, err.text);
	edit_close(e);
	ok(dropped_digest(path, 3) == want, "nothing else changed");
	doomed_free(d);
}

int main(void)
{
	made_path(""); /* the folder is the parent's */
	what_stays();
	others_go_on();
	what_moved();
	whole_threads();
	more_writes(2, "00000003-0000-6000-8000-000000000000");
	more_writes(0, "soon");
	not_the_way();
	locked();
	killed();
	shorten("PRAGMA auto_vacuum=INCREMENTAL", false, VACUUM_STEPS);
	shorten("PRAGMA auto_vacuum=NONE", false, VACUUM_NONE);
	shorten("PRAGMA auto_vacuum=NONE", true, VACUUM_WHOLE);
	return done();
}
