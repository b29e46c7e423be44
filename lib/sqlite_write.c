/*
 * sqlite_write.c - a SQLite file opened for writing: which files are refused, the transaction,
 * statements that give no rows. A file is written to only under the names its tables really have;
 * triggers and views that somebody put there do not run.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "postgres.h"
#include "sqlite_open.h"

#define NOTE_MS 1000 /* … of waiting for a lock, before a person is told */
#define PIECE_MS 200 /* … between two looks whether to stop */

/* A file with two names has two -wal files: whoever opens it by the other one corrupts it. */
static int look_at(const char *where, bool create, bool *fresh, struct ckpt_error *err)
{
	struct stat st;

	if (stat(where, &st) < 0) {
		if (errno != ENOENT || !create)
			return ckpt_fail(err, errno == ENOENT ? CKPT_EMISSING : CKPT_EIO,
					"cannot open store '%s': %s", where,
					strerror(errno));
		*fresh = true;
		return 0;
	}
	if (!S_ISREG(st.st_mode))
		return ckpt_fail(err, CKPT_EMISSING, "'%s' is %s, not a store", where,
				S_ISDIR(st.st_mode) ? "a folder" : "not a regular file");
	if (st.st_nlink > 1) {
		ckpt_fail(err, CKPT_EREFUSED,
				"'%s' has several names (hard links): writing to it by "
				"one of them can corrupt it",
				where);
		ckpt_hint(err, "make it a file of its own: cp '%s' '%s.copy'", where,
				where);
		return err->code;
	}
	*fresh = st.st_size == 0;
	return 0;
}

bool sqlite_roll_back(struct sqlite_conn *c, const struct ckpt_config *config)
{
	int64_t ms = config->lock_wait / 1000000;
	sqlite3 *db = NULL;
	struct stat st;
	int rc;

	/* by another of its names it would have another journal */
	if (stat(c->file.path, &st) < 0 || st.st_nlink > 1)
		return false;
	rc = sqlite3_open_v2(c->file.path, &db,
			SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	sqlite3_busy_timeout(db, ms > 86400000 ? 86400000 : (int)ms);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "BEGIN IMMEDIATE; ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(db);
	if (rc == SQLITE_OK && config->note)
		config->note(config->arg, "a write that was interrupted is rolled back");
	return rc == SQLITE_OK;
}

static int prepare(struct sqlite_conn *c, bool fresh)
{
	int rc = sqlite_distrust(c);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(c->db,
				"PRAGMA cell_size_check=1; PRAGMA mmap_size=0;"
				"PRAGMA cache_size=-16384; PRAGMA temp_store=2;"
				/* a journal is gone for good before the file gets shorter */
				"PRAGMA synchronous=EXTRA",
				NULL, NULL, NULL);
	/* as the savers make it; a file that is there keeps its mode */
	if (rc == SQLITE_OK && fresh)
		rc = sqlite3_exec(c->db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : sqlite_fault(c, rc, "cannot write to store");
}

int sqlite_open_write(struct conn **out, const char *where, bool create,
		const struct ckpt_config *config, struct ckpt_error *err)
{
	struct sqlite_conn *c = calloc(1, sizeof(*c));
	int64_t ms = config->lock_wait / 1000000;
	bool fresh = false;
	int rc;

	*out = NULL;
	if (!c)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	c->base.driver = &sqlite_driver;
	c->base.err = err;
	c->config = *config;
	c->file.shown = postgres_masked(where);
	if (!c->file.shown)
		ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	if (!err->code && look_at(where, create, &fresh, err) == 0) {
		c->file.path = fresh ? strdup(where) : realpath(where, NULL);
		rc = !c->file.path ? SQLITE_NOMEM
		                   : sqlite3_open_v2(c->file.path, &c->db,
						     SQLITE_OPEN_READWRITE |
								     SQLITE_OPEN_NOMUTEX |
								     (create ? SQLITE_OPEN_CREATE
									     : 0),
						     NULL);
		if (rc != SQLITE_OK)
			sqlite_fault(c, rc, "cannot open store");
		else
			sqlite3_busy_timeout(c->db, ms > 86400000 ? 86400000 : (int)ms);
	}
	if (err->code || prepare(c, fresh) < 0) {
		sqlite_close(&c->base);
		return err->code;
	}
	*out = &c->base;
	return 0;
}

int sqlite_exec(struct conn *conn, const char *sql, const struct cell *args, size_t nargs)
{
	struct sqlite_conn *c = sqlite_conn_of(conn);
	sqlite3_stmt *stmt;
	int rc, given = 0, changed;

	if (c->base.err->code)
		return c->base.err->code;
	stmt = sqlite_statement(c, sql, args, nargs, true);
	if (!stmt)
		return c->base.err->code;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
		given++;
	changed = sqlite3_stmt_readonly(stmt) ? given : sqlite3_changes(c->db);
	if (rc != SQLITE_DONE)
		sqlite_fault(c, rc, "cannot write to store");
	sqlite_keep(c, stmt);
	return c->base.err->code ? c->base.err->code : changed;
}

/* How long is waited for a lock: whoever works in between has set it as it was. */
static int64_t wait_of(struct sqlite_conn *c)
{
	sqlite3_stmt *stmt = sqlite_statement(c, "PRAGMA busy_timeout", NULL, 0, true);
	int64_t ms = stmt && sqlite3_step(stmt) == SQLITE_ROW
	                             ? sqlite3_column_int64(stmt, 0)
	                             : 0;

	if (stmt)
		sqlite_keep(c, stmt);
	return ms;
}

static int try_begin(struct sqlite_conn *c, int64_t ms)
{
	sqlite3_busy_timeout(c->db, (int)ms);
	return sqlite3_exec(c->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
}

/* A person hears of it after a second, and can stop it. */
static int wait_begin(struct sqlite_conn *c, int64_t wait)
{
	struct ckpt_buf line = { 0 };
	int rc = try_begin(c, NOTE_MS);

	if ((rc & 0xff) != SQLITE_BUSY)
		return rc;
	ckpt_buf_addf(&line, "waiting for the lock of '%s', which another process holds",
			c->file.shown);
	if (c->config.note && !line.failed)
		c->config.note(c->config.arg, line.p);
	ckpt_buf_free(&line);
	for (wait -= NOTE_MS; wait > 0 && (rc & 0xff) == SQLITE_BUSY; wait -= PIECE_MS) {
		if (c->config.stop && c->config.stop(c->config.arg)) {
			ckpt_fail(c->base.err, CKPT_EINTERRUPTED, "stopped by a signal");
			break;
		}
		rc = try_begin(c, wait < PIECE_MS ? wait : PIECE_MS);
	}
	return rc;
}

int sqlite_begin(struct conn *conn)
{
	struct sqlite_conn *c = sqlite_conn_of(conn);
	int64_t wait = c->base.err->code ? 0 : wait_of(c);
	int rc;

	if (wait <= NOTE_MS)
		return sqlite_exec(conn, "BEGIN IMMEDIATE", NULL, 0);
	rc = wait_begin(c, wait);
	sqlite3_busy_timeout(c->db, (int)wait);
	if (rc != SQLITE_OK && !c->base.err->code)
		sqlite_fault(c, rc, "cannot write to store");
	return c->base.err->code;
}

int sqlite_commit(struct conn *conn)
{
	return sqlite_exec(conn, "COMMIT", NULL, 0);
}
