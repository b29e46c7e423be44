/*
 * test_drop.c - dropping from a SQLite store: what stays is as it was, what moved or changed is
 * left alone, what may need its parents goes at once, wherever it ends nothing is left half, and
 * memory stays small.
 */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t.h"
#include "dropped.h"

#ifdef CKPT_ASAN_ARENA /* what is freed is kept for a while */
#define PEAK (320 * 1024)
#else
#define PEAK (64 * 1024)
#endif

static struct drop_sum drop(const char *path, struct doomed *d,
		const struct drop_how *how, struct ckpt_error *err)
{
	static const struct drop_how plain = { 0 };
	struct drop_sum sum = { 0 };
	struct edit *e = dropped_edit(path, err);

	if (e)
		drop_run_sqlite(e, d, how ? how : &plain, &sum);
	edit_close(e);
	return sum;
}

static void what_stays(void)
{
	const char *path = made_path("stays.db");
	struct ckpt_error err = { 0 };
	uint64_t want;

	for (int rows = 0; rows < 2; rows++) {
		struct doomed *d;
		struct drop_sum sum;

		unlink(path);
		dropped_make(path, 20, 50, 1);
		want = dropped_digest(path, 5);
		d = dropped_plan(path, 5, rows ? DROPPED_ROWS : 0, &err);
		sum = drop(path, d, NULL, &err);
		ok(!err.code && sum.checkpoints == 900 && sum.writes == 1800 &&
						!sum.moved,
				"%s rows: 900 of 1000 went %s",
				rows ? "known" : "unknown", err.text);
		ok(dropped_digest(path, 5) == want &&
						dropped_number(path,
								"SELECT count(*) FROM "
								"checkpoints") == 100,
				"what stays is as it was");
		sum = drop(path, d, NULL, &err);
		ok(!err.code && sum.checkpoints == 0, "again: nothing is left to do");
		doomed_free(d);
	}
}

static void apply(const char *path, const char *text)
{
	sqlite3 *db = NULL;

	sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
	made_sql(db, text);
	sqlite3_close(db);
}

static int names;
static void moved(void *arg, const struct ckpt_key *key)
{
	(void)arg;
	names += ckpt_view_eq(key->thread, CKPT_LIT("t0001")) ||
	         ckpt_view_eq(key->thread, CKPT_LIT("t0002"));
}

static void what_moved(void)
{
	const char *path = made_path("moved.db");
	struct drop_how how = { .moved = moved };
	struct ckpt_error err = { 0 };
	struct drop_sum sum;
	struct doomed *d;

	dropped_make(path, 5, 10, 2);
	d = dropped_plan(path, 2, DROPPED_ROWS, &err);
	apply(path, "INSERT INTO checkpoints VALUES ('t0001', '', 'ffff', NULL, '', x'', "
		    "99);"
		    "DELETE FROM checkpoints WHERE thread_id = 't0002' AND checkpoint_id "
		    "= "
		    "(SELECT max(checkpoint_id) FROM checkpoints);"
		    "DELETE FROM checkpoints WHERE thread_id = 't0002' AND metadata = 9;"
		    "REPLACE INTO checkpoints SELECT thread_id, checkpoint_ns, "
		    "checkpoint_id, '', '', x'', 3 FROM checkpoints WHERE thread_id = "
		    "'t0004' AND metadata = 3;");
	sum = drop(path, d, &how, &err);
	ok(sum.moved == 2 && names == 2,
			"a newer head, and one that is gone: left alone");
	ok(sum.checkpoints == 8 + 8 + 7, "all others went: %d", (int)sum.checkpoints);
	ok(dropped_number(path, "SELECT count(*) FROM checkpoints WHERE thread_id = "
				"'t0004' AND metadata = 3") == 1,
			"one that was put anew stays");
	ok(dropped_number(path,
			   "SELECT count(*) FROM writes WHERE thread_id = 't0004'") == 6,
			"with its writes");
	doomed_free(d);
}

static void whole_threads(void)
{
	const char *path = made_path("whole.db");
	struct ckpt_error err = { 0 };
	struct drop_sum sum;
	struct doomed *d;

	dropped_make(path, 4, 10, 3);
	apply(path, "INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, "
		    "task_id, "
		    "idx, channel) VALUES ('t0000', '', 'none', 't', 0, 'c'), ('t0001', "
		    "'', 'none', 't', 0, 'c')");
	d = dropped_plan(path, 0, DROPPED_ROWS, &err);
	apply(path, "INSERT INTO checkpoints VALUES ('t0001', '', 'ffff', NULL, '', x'', "
		    "99)");
	sum = drop(path, d, NULL, &err);
	ok(sum.checkpoints == 30 && sum.writes == 61 && sum.moved == 1 && !err.code,
			"three threads with all they have, not the one that went on: %d "
			"%d",
			(int)sum.checkpoints, (int)sum.writes);
	ok(dropped_number(path,
			   "SELECT count(*) FROM writes WHERE thread_id <> 't0001'") == 0,
			"nothing is left of them");
	doomed_free(d);
}

static const char one_write[] = "INSERT INTO writes (thread_id, checkpoint_ns, "
				"checkpoint_id, task_id, idx, channel) SELECT thread_id, "
				"checkpoint_ns, checkpoint_id, 'late', 0, 'c' FROM "
				"checkpoints WHERE ";

/* … to a checkpoint that goes: nothing of its namespace goes any more. */
static void more_writes(int64_t hold, unsigned list)
{
	const char *path = made_path("more.db");
	struct drop_how how = { .moved = moved, .hold = hold };
	struct ckpt_error err = { 0 };
	struct drop_sum sum;
	struct doomed *d;
	char sql[400];

	unlink(path);
	names = 0;
	dropped_make(path, 5, 10, 2);
	d = dropped_plan(path, 2, list, &err);
	snprintf(sql, sizeof(sql), "%s thread_id IN ('t0001', 't0002') AND metadata = 0",
			one_write);
	apply(path, sql);
	apply(path, "DELETE FROM writes WHERE thread_id = 't0003' AND idx = 1");
	sum = drop(path, d, &how, &err);
	ok(sum.moved == 2 && names == 2 && !err.code, "two are told: %d %s",
			(int)sum.moved, err.text);
	ok(dropped_number(path, "SELECT count(*) FROM checkpoints WHERE thread_id IN "
				"('t0001', 't0002')") == 20 &&
					dropped_number(path,
							"SELECT count(*) FROM writes "
							"WHERE thread_id IN ('t0001', "
							"'t0002')") == 42,
			"they have all they had");
	ok(sum.checkpoints == 24 && sum.writes == 40 &&
					dropped_number(path, "SELECT count(*) FROM "
							     "checkpoints") == 26,
			"others go, also one with fewer writes: %d %d",
			(int)sum.checkpoints, (int)sum.writes);
	doomed_free(d);
}

/* … to a thread that goes whole: to a checkpoint of a call, to one that is not there yet. */
static void more_in_threads(void)
{
	const char *path = made_path("calls_more.db");
	struct ckpt_error err = { 0 };
	struct drop_sum sum;
	struct doomed *d;
	char sql[400];

	dropped_make(path, 6, 20, 5);
	apply(path, "INSERT INTO checkpoints SELECT thread_id, 'sub:1', checkpoint_id, "
		    "NULL, '', x'', metadata FROM checkpoints WHERE metadata < 4 AND "
		    "checkpoint_ns = ''; INSERT INTO writes (thread_id, checkpoint_ns, "
		    "checkpoint_id, task_id, idx, channel) VALUES ('t0002', '', 'none', "
		    "'t', 0, 'c'), ('t0004', '', 'none', 't', 0, 'c')");
	d = dropped_plan(path, 0, DROPPED_ROWS, &err);
	snprintf(sql, sizeof(sql),
			"%s thread_id = 't0001' AND checkpoint_ns = 'sub:1' AND metadata "
			"= 2",
			one_write);
	apply(path, sql);
	apply(path, "INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, "
		    "task_id, idx, channel) VALUES ('t0003', '', 'soon', 't', 0, 'c'), "
		    "('t0004', '', 'soon', 't', 0, 'c')");
	sum = drop(path, d, NULL, &err);
	ok(!err.code && sum.threads == 3 && sum.moved == 5 &&
					sum.checkpoints == 20 + 24 + 24,
			"three go, three stay whole: %d %d %d %s", (int)sum.threads,
			(int)sum.moved, (int)sum.checkpoints, err.text);
	ok(dropped_number(path, "SELECT count(*) FROM checkpoints WHERE thread_id IN "
				"('t0001', 't0003', 't0004')") == 24 + 20 + 24 &&
					dropped_number(path,
							"SELECT count(*) FROM writes "
							"WHERE thread_id IN ('t0001', "
							"'t0003', 't0004')") ==
							41 + 41 + 42,
			"with all they have");
	ok(dropped_number(path, "SELECT count(*) FROM writes WHERE thread_id IN ('t0000',"
				" 't0002', 't0005')") == 0,
			"of the others nothing is left");
	doomed_free(d);
}

static const char *late_path;
static int late_at;
static int comes_late(void *arg, int64_t done, int64_t all)
{
	(void)arg;
	if (done == all && late_at++ == 0)
		apply(late_path, "INSERT INTO writes (thread_id, checkpoint_ns, "
				 "checkpoint_id, task_id, idx, channel) VALUES ('t0000', "
				 "'', 'late', 't', 0, 'c')");
	return 0;
}

/* More of them than go in one transaction; and one more comes then. */
static void many_strays(bool late)
{
	const char *path = late_path = made_path("strays.db");
	struct drop_how how = { .progress = late ? comes_late : NULL };
	struct ckpt_error err = { 0 };
	struct drop_sum sum;
	struct doomed *d;
	int64_t left;

	unlink(path);
	dropped_make(path, 1, 3, 5);
	/* statistics of six rows would not do for so many */
	apply(path, "DELETE FROM sqlite_stat1; WITH RECURSIVE c(i) AS (SELECT 1 UNION "
		    "ALL SELECT i + 1 FROM c "
		    "WHERE i < 400000) INSERT INTO writes (thread_id, checkpoint_ns, "
		    "checkpoint_id, task_id, idx, channel) SELECT 't0000', '', 'none' || "
		    "i, "
		    "'t', i, 'c' FROM c");
	d = dropped_plan(path, 0, DROPPED_ROWS, &err);
	sum = drop(path, d, &how, &err);
	left = dropped_number(path, "SELECT count(*) FROM writes");
	ok(!err.code && sum.checkpoints == 3 && sum.writes + left == 400006 + late &&
					sum.moved == late &&
					(late ? left > 1 && left < 400000 : !left),
			"%d go, %d stay, %d moved %s", (int)sum.writes, (int)left,
			(int)sum.moved, err.text);
	doomed_free(d);
}

static int steps;
static int stop_here(void *arg, int64_t done, int64_t all)
{
	const int *at = arg;

	(void)all;
	steps++;
	return done >= *at ? -1 : 0;
}

/* Which of its checkpoints had it chosen, a new plan could not know. */
static void threads_at_once(void)
{
	const char *path = made_path("calls.db");
	struct ckpt_error err = { 0 };
	int64_t wrong = 0;

	dropped_make(path, 3, 20, 5);
	apply(path, "INSERT INTO checkpoints SELECT thread_id, 'sub:1', checkpoint_id, "
		    "NULL, '', x'', metadata FROM checkpoints WHERE metadata < 4 AND "
		    "checkpoint_ns = ''");
	for (int at = 1; at < 72 && !err.code; at += 7) {
		struct drop_how how = { .hold = 1, .progress = stop_here, .arg = &at };
		struct doomed *d = dropped_plan(path, 0, DROPPED_ROWS, &err);

		drop(path, d, &how, &err);
		wrong += dropped_number(path,
				"SELECT count(*) FROM (SELECT 1 FROM checkpoints GROUP "
				"BY thread_id HAVING count(*) <> iif(thread_id = "
				"'t0000', 20, 24))");
		doomed_free(d);
	}
	ok(!wrong && !err.code, "a thread goes with its subgraphs: %d %s", (int)wrong,
			err.text);
}

static void any_stop(const char *what, unsigned list, enum dropped_order order)
{
	const char *path = made_path("stop.db");
	struct ckpt_error err = { 0 };
	const char *fault = NULL;
	int batches = order == DROPPED_AT_ONCE ? 7 : 189;

	unlink(path);
	steps = 0;
	dropped_make(path, 7, 30, 4);
	for (int at = 1; at <= 189 && !fault && !err.code; at += 9) {
		struct drop_how how = { .hold = 1, .progress = stop_here, .arg = &at };
		struct doomed *d = dropped_plan(path, 3, list, &err);

		drop(path, d, &how, &err);
		fault = dropped_fault(path, 30, 3, order);
		doomed_free(d);
	}
	ok(!fault && !err.code && steps > batches * 3 / 4 && steps < batches + 30,
			"%s: stopped after each of %d batches: %s", what, steps,
			fault ? fault : err.text);
}

static void dies(const char *path, struct doomed *d)
{
	struct ckpt_error err = { 0 };
	struct drop_how how = { .hold = 300000 };

	drop(path, d, &how, &err);
	_exit(err.code ? 1 : 0);
}

/* Killed at any time, then run to the end. */
static void killed(void)
{
	const char *path = made_path("kill.db");
	struct ckpt_error err = { 0 };
	const char *fault = NULL;
	int hits = 0, rounds = 0;
	uint64_t want, seed = 5, limit = 30000;
	int64_t left = 0, before;
	struct doomed *d;

	dropped_make(path, 40, 40, 5);
	want = dropped_digest(path, 4);
	while (rounds < 400 && hits < 40 && !fault) {
		int status;
		pid_t pid;

		if (rounds++ && left == 160) {
			for (const char *const *end = (const char *const[]){ "", "-wal",
					     "-shm", NULL };
					*end; end++) {
				char name[200];

				snprintf(name, sizeof(name), "%s%s", path, *end);
				unlink(name);
			}
			dropped_make(path, 40, 40, 5);
		}
		before = dropped_number(path, "SELECT count(*) FROM checkpoints");
		d = dropped_plan(path, 4, DROPPED_ROWS, &err);
		pid = fork();
		if (pid == 0)
			dies(path, d);
		usleep((useconds_t)(made_random(&seed) % limit));
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		hits += WIFSIGNALED(status);
		left = dropped_number(path, "SELECT count(*) FROM checkpoints");
		if (WIFEXITED(status)) /* as long as a run takes here */
			limit -= limit / 10;
		else if (left == before)
			limit += limit / 10;
		fault = dropped_fault(path, 40, 4, DROPPED_LEAST_FIRST);
		doomed_free(d);
	}
	ok(!fault && hits == 40, "killed %d times: %s", hits, fault ? fault : "whole");
	d = dropped_plan(path, 4, DROPPED_ROWS, &err);
	drop(path, d, NULL, &err);
	ok(!err.code && dropped_digest(path, 4) == want &&
					dropped_number(path, "SELECT count(*) FROM "
							     "checkpoints") == 160,
			"and run to the end");
	doomed_free(d);
}

/* The disk is full: said, and the store is whole. */
static void full(void)
{
	const char *path = made_path("full.db");
	int status, faults = 0, said = 0, whole = 0;

	dropped_make(path, 40, 40, 6);
	for (int kib = 1; kib < 20000; kib += 500) {
		struct ckpt_error err = { 0 };
		struct doomed *d = dropped_plan(path, 4, DROPPED_ROWS, &err);
		pid_t pid = fork();

		if (pid == 0) {
			struct rlimit limit;
			struct drop_how how = { .hold = 3000000 };

			limit.rlim_cur = limit.rlim_max = (rlim_t)kib * 1024;
			signal(SIGXFSZ, SIG_IGN);
			setrlimit(RLIMIT_FSIZE, &limit);
			drop(path, d, &how, &err);
			_exit(err.code == CKPT_EIO && err.text[0] ? 2 : err.code ? 3 : 0);
		}
		waitpid(pid, &status, 0);
		said += WIFEXITED(status) && WEXITSTATUS(status) == 2;
		whole += WIFEXITED(status) && WEXITSTATUS(status) == 0;
		faults += dropped_fault(path, 40, 4, DROPPED_LEAST_FIRST) != NULL;
		doomed_free(d);
	}
	ok(!faults && said + whole == 40 && said > 3 && whole > 3,
			"no room: said %d times, went on %d times, %d faults", said,
			whole, faults);
}

/* A list that takes several pieces, all of one namespace. */
static void long_list(void)
{
	const char *path = made_path("long.db");
	struct ckpt_error err = { 0 };
	struct rusage before, after;
	int at = 200000;
	struct drop_how how = { .progress = stop_here, .arg = &at };
	struct drop_sum sum;
	struct doomed *d;
	sqlite3 *db = made_store(path);

	made_sql(db, "PRAGMA journal_mode=WAL; WITH RECURSIVE c(i) AS (SELECT 0 UNION "
		     "ALL "
		     "SELECT i + 1 FROM c WHERE i < 299999) INSERT INTO checkpoints "
		     "SELECT "
		     "'t', '', printf('%08x-0000-6000-8000-000000000000', i), NULL, '', "
		     "x'', "
		     "i FROM c; PRAGMA cache_size=10");
	made_close(db);
	d = dropped_plan(path, 1, DROPPED_ROWS | DROPPED_CHAINS, &err);
	getrusage(RUSAGE_SELF, &before);
	sum = drop(path, d, &how, &err);
	getrusage(RUSAGE_SELF, &after);
	ok(sum.checkpoints >= at && sum.checkpoints < 299999 &&
					dropped_number(path,
							"SELECT max(metadata) + 2 - "
							"count(*) FROM checkpoints "
							"WHERE metadata < 299999") == 1,
			"a namespace in two pieces, too long to go at once: the later "
			"ids "
			"went first");
	drop(path, d, NULL, &err);
	ok(!err.code && dropped_number(path, "SELECT count(*) FROM checkpoints") == 1,
			"300000, %ld KiB", after.ru_maxrss);
	ok(after.ru_maxrss - before.ru_maxrss < PEAK, "in little memory");
	doomed_free(d);
}

int main(void)
{
	made_path(""); /* the folder is the parent's */
	what_stays();
	what_moved();
	more_writes(0, DROPPED_ROWS);
	more_writes(1, DROPPED_ROWS | DROPPED_CHAINS);
	whole_threads();
	more_in_threads();
	many_strays(false);
	many_strays(true);
	threads_at_once();
	any_stop("no chains", DROPPED_ROWS, DROPPED_LEAST_FIRST);
	any_stop("chains", DROPPED_ROWS | DROPPED_CHAINS, DROPPED_AT_ONCE);
	killed();
	full();
	long_list();
	return done();
}
