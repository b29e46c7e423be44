/*
 * test_sqlite_open.c - reading leaves no trace, whatever state the file is in: each way to open
 * it is met, and the folder's names, inodes, sizes and times are the same before and after.
 */
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>
#include <sys/wait.h>

#include "t.h"
#include "made.h"
#include "sqlite_open.h"

static const struct ckpt_config config = { 0 };

/* What a listing shows of a store's files. The -shm of a live writer is its own business. */
static void listing(char to[static 1000], const char *path, bool shm)
{
	static const char *const suffix[] = { "", "-wal", "-shm", "-journal" };
	size_t n = 0;

	to[0] = '\0';
	for (size_t i = 0; i < LEN(suffix); i++) {
		char name[300];
		struct stat st;
		bool there;

		snprintf(name, sizeof(name), "%s%s", path, suffix[i]);
		there = stat(name, &st) == 0;
		if (!there || (i == 2 && !shm))
			n += (size_t)snprintf(to + n, 1000 - n, "%zu:%d ", i, there);
		else
			n += (size_t)snprintf(to + n, 1000 - n,
					"%zu:%lu,%ld,%ld.%ld,%o,%d ", i,
					(unsigned long)st.st_ino, (long)st.st_size,
					(long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
					(unsigned)st.st_mode, (int)st.st_uid);
	}
}

static size_t names_in_folder(void)
{
	const char *path = made_path("");
	DIR *dir = opendir(path);
	size_t n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

static int64_t count(struct conn *c)
{
	struct cursor *cur;
	struct cell cell[1] = { { .i = -1 } };

	if (sqlite_driver.query(&cur, c, "SELECT count(*) FROM checkpoints", NULL, 0) < 0)
		return -1;
	if (sqlite_driver.next(cur, cell, 1) != 1)
		cell[0].i = -1;
	sqlite_driver.done(cur);
	return cell[0].i;
}

/* Open, read, settle, close: 0 if all was as expected. Says why not. */
static int read_quietly(const char *path, enum sqlite_how how, int64_t rows)
{
	char before[1000], after[1000];
	struct ckpt_error err = { 0 };
	struct sqlite_file file;
	size_t names = names_in_folder();
	struct conn *c = NULL;
	int64_t got;
	int rc;

	listing(before, path, how != SQLITE_SHARED);
	rc = sqlite_file_decide(&file, path, &err);
	sqlite_file_release(&file);
	if (rc < 0 || file.how != how) {
		printf("# decided %d, wanted %d: %s\n", (int)file.how, (int)how,
				err.text);
		return 1;
	}
	if (sqlite_driver.open(&c, path, &config, &err) < 0) {
		printf("# %s\n", err.text);
		return 2;
	}
	got = count(c);
	rc = c->tentative != (how == SQLITE_QUIET) ? 3
	     : sqlite_driver.settle(c) < 0         ? 4
	                                           : 0;
	sqlite_driver.close(c);
	listing(after, path, how != SQLITE_SHARED);
	if (got != rows || rc || strcmp(before, after) != 0 ||
			names != names_in_folder()) {
		printf("# %lld rows, %d %s\n# before %s\n# after  %s\n", (long long)got,
				rc, err.text, before, after);
		return 5;
	}
	return 0;
}

static const char *fresh(const char *name, const char *mode)
{
	const char *path = made_path(name);
	sqlite3 *db = made_store(path);

	made_sql(db, mode);
	made_sql(db, "INSERT INTO checkpoints (thread_id, checkpoint_id) VALUES ('t', "
		     "'a')");
	made_close(db);
	return path;
}

struct writer {
	pid_t pid;
	int stop;
};

/* A process that writes and then holds the store open, or (`crash`) dies without closing it. */
static struct writer writer(const char *path, const char *sql, bool crash)
{
	int said[2], stop[2];
	struct writer w = { 0 };
	char byte;

	if (pipe(said) < 0 || pipe(stop) < 0 || (w.pid = fork()) < 0)
		exit(2);
	if (w.pid == 0) {
		sqlite3 *db = made_empty(path);

		close(stop[1]);
		made_sql(db, "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0");
		made_sql(db, sql);
		if (crash)
			sqlite3_db_cacheflush(db);
		if (write(said[1], "x", 1) != 1 || crash)
			_exit(0);
		if (read(stop[0], &byte, 1) == 0)
			made_close(db);
		_exit(0);
	}
	if (read(said[0], &byte, 1) != 1)
		printf("# the writer said nothing\n");
	close(said[0]);
	close(said[1]);
	close(stop[0]);
	w.stop = stop[1];
	if (crash)
		waitpid(w.pid, NULL, 0);
	return w;
}

static void writer_end(struct writer w)
{
	close(w.stop);
	waitpid(w.pid, NULL, 0);
}

#define ONE_MORE "INSERT INTO checkpoints (thread_id, checkpoint_id) VALUES ('t', 'b')"

static void ours(void)
{
	struct writer w;
	const char *path = fresh("rollback.db", "PRAGMA journal_mode=DELETE");
	struct ckpt_error err = { 0 };
	struct conn *c = NULL;
	struct stat st;

	ok(read_quietly(path, SQLITE_SHARED, 1) == 0, "rollback journal");
	w = writer(path, "BEGIN IMMEDIATE; " ONE_MORE, false);
	ok(read_quietly(path, SQLITE_SHARED, 1) == 0,
			"beside a writer of a rollback journal");
	writer_end(w);
	path = fresh("wal.db", "PRAGMA journal_mode=WAL");
	ok(read_quietly(path, SQLITE_OWNER, 1) == 0, "an idle WAL store of ours");
	ok(read_quietly(path, SQLITE_OWNER, 1) == 0, "and again");
	w = writer(path, ONE_MORE, false);
	ok(read_quietly(path, SQLITE_SHARED, 2) == 0, "a WAL store with a live writer");
	writer_end(w);
	ok(read_quietly(path, SQLITE_OWNER, 2) == 0, "after the writer has gone");
	path = fresh("odd % ?#.db", "PRAGMA journal_mode=WAL");
	ok(read_quietly(path, SQLITE_OWNER, 1) == 0,
			"a name with a URI's own characters");
	path = made_path("nothing.db");
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	ok(sqlite_driver.open(&c, path, &config, &err) == 0,
			"an empty file is an empty database");
	if (c)
		sqlite_driver.close(c);
	ok(stat(path, &st) == 0 && st.st_size == 0, "and stays one");
}

static void leftovers(void)
{
	const char *path = fresh("crash.db", "PRAGMA journal_mode=WAL");
	char shm[300];

	writer_end(writer(path, ONE_MORE, true));
	ok(read_quietly(path, SQLITE_QUIET, 2) == 0,
			"what a crashed writer left: its rows count");
	snprintf(shm, sizeof(shm), "%s-shm", path);
	ok(unlink(shm) == 0 && read_quietly(path, SQLITE_QUIET, 2) == 0,
			"-wal without -shm");
	path = fresh("shm.db", "PRAGMA journal_mode=WAL");
	snprintf(shm, sizeof(shm), "%s-shm", path);
	close(open(shm, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	ok(read_quietly(path, SQLITE_QUIET, 1) == 0, "-shm without -wal");
}

static void hot_journal(void)
{
	const char *path = fresh("hot.db", "PRAGMA journal_mode=DELETE");
	char before[1000], after[1000];
	struct ckpt_error err = { 0 };
	struct conn *c = NULL;

	writer_end(writer(path, "BEGIN; " ONE_MORE, true));
	listing(before, path, true);
	ok(strstr(before, "3:0") == NULL, "a journal was left");
	ok(sqlite_driver.open(&c, path, &config, &err) == CKPT_EREFUSED && !c &&
					strstr(err.hint, "-journal"),
			"is refused: %s", err.text);
	listing(after, path, true);
	ok(strcmp(before, after) == 0, "and nothing is rolled back");
}

static const char *beside(const char *path, const char *suffix)
{
	static char name[300];

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	return name;
}

static void put(const char *path, const char *suffix, const char *text)
{
	FILE *file = fopen(beside(path, suffix), "we");

	ok(file && fputs(text, file) >= 0 && fclose(file) == 0, "%s is made", suffix);
}

/* Whatever ends the opening of a damaged store, its side files stay as they are. */
static void damaged(const char *name, const char *db, const char *suffix, int code)
{
	const char *path = fresh(name, "PRAGMA journal_mode=WAL");
	char before[1000], after[1000];
	struct ckpt_error err = { 0 };
	struct conn *c = NULL;

	if (db)
		put(path, "", db);
	put(path, suffix, "what an application may still need");
	listing(before, path, true);
	ok(sqlite_driver.open(&c, path, &config, &err) == code, "code %d: %s", code,
			err.text);
	if (c)
		sqlite_driver.close(c);
	listing(after, path, true);
	ok(strcmp(before, after) == 0, "%s stays beside %s", suffix, name);
}

static void broken_schema(void)
{
	const char *path = fresh("schema.db", "PRAGMA journal_mode=WAL");
	char before[1000], after[1000];
	struct ckpt_error err = { 0 };
	struct conn *c = NULL;

	writer_end(writer(path,
			"PRAGMA writable_schema=1; UPDATE sqlite_master SET sql = 'X'",
			false));
	put(path, "-wal", "what an application may still need");
	listing(before, path, true);
	ok(sqlite_driver.open(&c, path, &config, &err) == CKPT_ECORRUPT && !c, "%s",
			err.text);
	listing(after, path, true);
	ok(strcmp(before, after) == 0, "a schema that ends it early leaves the WAL");
}

/* In a child that is another user: reads with the expected way, answers by its exit code. */
static int as_stranger(const char *path, enum sqlite_how how, int64_t rows)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
			_exit(90);
		_exit(read_quietly(path, how, rows));
	}
	fflush(stdout);
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return 91;
	return WEXITSTATUS(status);
}

static void strangers(void)
{
	const char *idle = fresh("foreign.db", "PRAGMA journal_mode=WAL");
	const char *crashed = fresh("foreign2.db", "PRAGMA journal_mode=WAL");
	const char *rollback = fresh("foreign3.db", "PRAGMA journal_mode=DELETE");
	struct writer w;

	writer_end(writer(crashed, ONE_MORE, true));
	chmod(made_path(""), 0555);
	fflush(stdout);
	ok(as_stranger(idle, SQLITE_QUIET, 1) == 0,
			"idle WAL in a folder we may not write");
	ok(as_stranger(crashed, SQLITE_QUIET, 2) == 0, "a crashed writer's WAL there");
	ok(as_stranger(rollback, SQLITE_SHARED, 1) == 0, "rollback journal there");
	chmod(made_path(""), 0755);
	w = writer(idle, ONE_MORE, false);
	ok(as_stranger(idle, SQLITE_SHARED, 2) == 0, "a live writer's store there");
	writer_end(w);
}

static void append(const char *path, const char *suffix)
{
	char name[300];
	int fd;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	fd = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, "x", 1) != 1)
		printf("# cannot write %s\n", name);
	close(fd);
}

static void witnesses(void)
{
	static const char *const suffix[] = { "", "-wal", "-journal" };
	const char *path;
	struct ckpt_error err = { 0 };
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = 1 } };
	struct sqlite_file file;
	struct conn *c = NULL;
	char wal[300];

	for (size_t i = 0; i < LEN(suffix); i++) {
		path = fresh(i == 0      ? "w0.db"
				: i == 1 ? "w1.db"
					 : "w2.db",
				"PRAGMA journal_mode=WAL");
		sqlite_file_decide(&file, path, &err);
		ok(sqlite_file_unchanged(&file), "unchanged");
		append(path, suffix[i]);
		ok(!sqlite_file_unchanged(&file), "a write to %s is noticed",
				*suffix[i] ? suffix[i] : "the file");
		sqlite_file_release(&file);
	}
	path = fresh("w3.db", "PRAGMA journal_mode=WAL");
	sqlite_file_decide(&file, path, &err);
	utimensat(AT_FDCWD, path, times, 0);
	ok(!sqlite_file_unchanged(&file), "so is a time");
	unlink(path);
	ok(!sqlite_file_unchanged(&file), "and a file gone");
	sqlite_file_release(&file);
	path = fresh("w4.db", "PRAGMA journal_mode=WAL");
	writer_end(writer(path, ONE_MORE, true));
	ok(sqlite_driver.open(&c, path, &config, &err) == 0 && c->tentative &&
					count(c) == 2,
			"opens");
	append(path, "-wal");
	ok(c && sqlite_driver.settle(c) == CKPT_EBUSY && strstr(err.text, "written to"),
			"settling says so: %s", err.text);
	if (c)
		sqlite_driver.close(c);
	snprintf(wal, sizeof(wal), "%s-wal", path);
	unlink(wal);
}

int main(void)
{
	ours();
	leftovers();
	hot_journal();
	damaged("empty-wal.db", "", "-wal", 0);
	damaged("empty-journal.db", "", "-journal", 0);
	damaged("wal-journal.db", NULL, "-journal", CKPT_EREFUSED);
	broken_schema();
	strangers();
	witnesses();
	return done();
}
