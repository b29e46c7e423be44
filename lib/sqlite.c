/*
 * sqlite.c - the SQLite driver: statements, cells, errors. How a file may be opened without
 * leaving a trace is decided in sqlite_open.c; what the tables mean is a layout's business.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "sqlite_open.h"

#define OPEN_TRIES 50
#define TIDY_TRIES 2

struct sqlite_cursor {
	struct cursor base;
	sqlite3_stmt *stmt;
	bool ended; /* one more step would begin anew */
};

static int refuse_all(struct sqlite_conn *c)
{
	return c->base.err->code;
}

int sqlite_fault(struct sqlite_conn *c, int rc, const char *doing)
{
	static const struct {
		int rc, code;
	} map[] = {
		/* our statements are fixed: what they meet is not what a schema says */
		{ SQLITE_ERROR, CKPT_ECORRUPT },
		{ SQLITE_READONLY_ROLLBACK, CKPT_EREFUSED },
		{ SQLITE_NOTADB, CKPT_ECORRUPT },
		{ SQLITE_CORRUPT, CKPT_ECORRUPT },
		{ SQLITE_FORMAT, CKPT_ECORRUPT },
		{ SQLITE_BUSY, CKPT_EBUSY },
		{ SQLITE_LOCKED, CKPT_EBUSY },
		{ SQLITE_PROTOCOL, CKPT_EBUSY },
		{ SQLITE_NOMEM, CKPT_ENOMEM },
		{ SQLITE_FULL, CKPT_EIO },
		{ SQLITE_IOERR, CKPT_EIO },
		{ SQLITE_PERM, CKPT_EIO },
		{ SQLITE_READONLY, CKPT_EIO },
		{ SQLITE_CANTOPEN, CKPT_EIO },
		{ SQLITE_TOOBIG, CKPT_ECORRUPT },
		{ SQLITE_AUTH, CKPT_EREFUSED },
		{ SQLITE_INTERRUPT, CKPT_EINTERRUPTED },
	};
	int code = CKPT_EINTERNAL;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
		if (map[i].rc == rc || map[i].rc == (rc & 0xff)) {
			code = map[i].code;
			break;
		}
	}
	ckpt_fail(c->base.err, code, "%s '%s': %s", doing,
			c->file.shown ? c->file.shown : "",
			c->db ? sqlite3_errmsg(c->db) : sqlite3_errstr(rc));
	if (rc == SQLITE_READONLY_ROLLBACK ||
			(code == CKPT_EIO && sqlite_hot_journal(&c->file))) {
		c->base.err->code = CKPT_EREFUSED;
		sqlite_hint_journal(&c->file, c->base.err);
	} else if ((rc & 0xff) == SQLITE_FULL ||
			(code == CKPT_EIO && c->db &&
					sqlite3_system_errno(c->db) == ENOSPC)) {
		ckpt_hint(c->base.err, CKPT_NO_ROOM);
	} else if (code == CKPT_EBUSY) {
		ckpt_hint(c->base.err, "another process holds the lock; try again, or "
				       "raise --lock-wait");
	}
	return c->base.err->code;
}

/* A store is data from somebody else: it may name functions and tables we never asked for. */
static int only_reading(void *arg, int action, const char *a, const char *b,
		const char *db, const char *trigger)
{
	(void)arg, (void)a, (void)b, (void)db, (void)trigger;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_FUNCTION:
	case SQLITE_TRANSACTION:
	case SQLITE_PRAGMA:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	default:
		return SQLITE_DENY;
	}
}

int sqlite_distrust(struct sqlite_conn *c)
{
	static const struct {
		int verb, on;
	} config[] = {
		{ SQLITE_DBCONFIG_DEFENSIVE, 1 },
		{ SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
		{ SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
		{ SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
	};
	int rc = sqlite3_extended_result_codes(c->db, 1);

	for (size_t i = 0; i < sizeof(config) / sizeof(config[0]) && rc == SQLITE_OK; i++)
		rc = sqlite3_db_config(c->db, config[i].verb, config[i].on, (int *)NULL);
	return rc;
}

static int harden(struct sqlite_conn *c)
{
	int rc = SQLITE_OK;

	/* first of all, as a schema may end this early: the last to close would move the WAL into
	   the file and remove it; as owner of an idle store we have none to move, and closing
	   takes our empty side files away */
	if (c->file.how != SQLITE_OWNER)
		rc = sqlite3_db_config(
				c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
	if (rc == SQLITE_OK)
		rc = sqlite_distrust(c);
	/* before anything reads the file: exclusive means a WAL index in memory, no -shm */
	if (rc == SQLITE_OK && c->file.how == SQLITE_QUIET)
		rc = sqlite3_exec(
				c->db, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(c->db,
				"PRAGMA query_only=1; PRAGMA cell_size_check=1; PRAGMA "
				"mmap_size=0;"
				"PRAGMA cache_size=-2048; PRAGMA temp_store=2",
				NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_set_authorizer(c->db, only_reading, NULL);
	return rc == SQLITE_OK ? 0 : sqlite_fault(c, rc, "cannot open store");
}

void sqlite_keep(struct sqlite_conn *c, sqlite3_stmt *stmt)
{
	sqlite3_stmt **slot = &c->idle[c->next_idle++ % SQLITE_IDLE];

	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	sqlite3_finalize(*slot);
	*slot = stmt;
}

static void sqlite_done(struct cursor *cursor)
{
	struct sqlite_cursor *cur = (struct sqlite_cursor *)(void *)cursor;

	if (!cur)
		return;
	sqlite_keep(sqlite_conn_of(cur->base.conn), cur->stmt);
	free(cur);
}

/* BEGIN alone takes no lock; the first read does, so that read belongs to opening. */
static int begin(struct sqlite_conn *c)
{
	int rc = sqlite3_exec(c->db, "BEGIN; SELECT count(*) FROM sqlite_master", NULL,
			NULL, NULL);

	return rc == SQLITE_OK ? 0 : sqlite_fault(c, rc, "cannot read store");
}

/* Two readers that close at the same moment each take the other for one who stays, and both leave
 * the empty side files: opened once more they are seen to be nobody's. */
static void tidy(struct sqlite_conn *c)
{
	struct ckpt_error err = { 0 }, *theirs = c->base.err;

	c->base.err = &err;
	for (int i = 0; i < TIDY_TRIES && sqlite_file_litter(&c->file); i++) {
		sqlite3_sleep(1 + (int)getpid() % 4);
		err.code = 0;
		if (sqlite3_open_v2(c->file.uri, &c->db, c->file.flags, NULL) ==
						SQLITE_OK &&
				harden(c) == 0)
			begin(c);
		sqlite3_close(c->db);
	}
	c->base.err = theirs;
}

void sqlite_close(struct conn *conn)
{
	struct sqlite_conn *c = sqlite_conn_of(conn);

	if (!c)
		return;
	for (size_t i = 0; i < SQLITE_IDLE; i++)
		sqlite3_finalize(c->idle[i]);
	sqlite3_close(c->db);
	if (c->db && c->file.how == SQLITE_OWNER)
		tidy(c);
	sqlite_file_release(&c->file);
	free(c);
}

/* One try, as things stand at this moment. */
static int try_open(struct sqlite_conn *c, const char *where,
		const struct ckpt_config *config)
{
	int64_t ms = config->lock_wait / 1000000;
	int rc;

	if (sqlite_file_decide(&c->file, where, c->base.err) < 0)
		return c->base.err->code;
	rc = sqlite3_open_v2(c->file.uri, &c->db, c->file.flags, NULL);
	if (rc != SQLITE_OK)
		return sqlite_fault(c, rc, "cannot open store");
	sqlite3_busy_timeout(c->db, ms > 86400000 ? 86400000 : (int)ms);
	return harden(c) < 0 ? c->base.err->code : begin(c);
}

/* The last of the others may close, and take the side files away, between our look and our open:
 * then a read-only open finds nothing to join, and the next look decides otherwise. */
static bool side_files_vanished(const struct sqlite_conn *c)
{
	return c->file.wal_format && c->file.how == SQLITE_SHARED &&
	       c->base.err->code == CKPT_EIO;
}

static void forget(struct sqlite_conn *c)
{
	sqlite3_close(c->db);
	sqlite_file_release(&c->file);
	c->db = NULL;
	*c->base.err = (struct ckpt_error){ 0 };
	sqlite3_sleep(2);
}

/* More than any schema that is whole asks for. */
static bool memory_is_there(void)
{
	void *p = malloc((size_t)1 << 20);

	free(p);
	return p != NULL;
}

/* Memory that was short for a moment is there the next time. A schema that is damaged may ask for
 * any amount, and does so each time. */
static int open_again(struct sqlite_conn *c, const char *where,
		const struct ckpt_config *config)
{
	forget(c);
	if (try_open(c, where, config) < 0 && c->base.err->code == CKPT_ENOMEM &&
			memory_is_there())
		c->base.err->code = CKPT_ECORRUPT;
	return c->base.err->code;
}

static int sqlite_open(struct conn **out, const char *where,
		const struct ckpt_config *config, struct ckpt_error *err)
{
	struct sqlite_conn *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (!c)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	c->base.driver = &sqlite_driver;
	c->base.err = err;
	for (int tries = 0; try_open(c, where, config) < 0 && side_files_vanished(c) &&
			    tries < OPEN_TRIES;
			tries++)
		forget(c);
	if (err->code == CKPT_EREFUSED && config->recover &&
			sqlite_hot_journal(&c->file) && sqlite_roll_back(c, config)) {
		forget(c);
		try_open(c, where, config);
	}
	if (err->code == CKPT_ENOMEM && memory_is_there())
		open_again(c, where, config);
	if (err->code) {
		sqlite_close(&c->base);
		return err->code;
	}
	c->base.tentative = c->file.how == SQLITE_QUIET;
	*out = &c->base;
	return 0;
}

/* Opened as the first was, without another look: to close the file would drop its locks. */
static int sqlite_twin(struct conn **out, struct conn *conn, struct ckpt_error *err)
{
	const struct sqlite_conn *first = sqlite_conn_of(conn);
	struct sqlite_conn *c = sqlite3_threadsafe() ? calloc(1, sizeof(*c)) : NULL;
	bool good;

	*out = NULL;
	if (!c)
		return 0;
	c->base.driver = &sqlite_driver;
	c->base.err = err;
	c->file = first->file;
	c->file.uri = strdup(first->file.uri);
	c->file.path = strdup(first->file.path);
	c->file.shown = strdup(first->file.shown);
	good = c->file.uri && c->file.path && c->file.shown &&
	       sqlite3_open_v2(c->file.uri, &c->db, c->file.flags, NULL) == SQLITE_OK &&
	       harden(c) == 0 && begin(c) == 0 && sqlite_file_newest(&c->file);
	*err = (struct ckpt_error){ 0 };
	if (good)
		*out = &c->base;
	else
		sqlite_close(&c->base);
	return 0;
}

static sqlite3_stmt *take_idle(struct sqlite_conn *c, const char *sql)
{
	for (size_t i = 0; i < SQLITE_IDLE; i++) {
		sqlite3_stmt *st = c->idle[i];

		if (st && strcmp(sqlite3_sql(st), sql) == 0) {
			c->idle[i] = NULL;
			return st;
		}
	}
	return NULL;
}

static int bind(sqlite3_stmt *st, size_t n, const struct cell *arg,
		sqlite3_destructor_type keeping)
{
	char name[8];
	int at;

	sqlite3_snprintf(sizeof(name), name, "$%d", (int)n);
	at = sqlite3_bind_parameter_index(st, name);
	if (!at)
		return SQLITE_OK;
	switch (arg->kind) {
	case CELL_INT:
		return sqlite3_bind_int64(st, at, arg->i);
	case CELL_BLOB:
		return sqlite3_bind_blob64(
				st, at, arg->v.n ? arg->v.p : "", arg->v.n, keeping);
	case CELL_TEXT:
		return sqlite3_bind_text64(st, at, arg->v.n ? arg->v.p : "", arg->v.n,
				keeping, SQLITE_UTF8);
	default:
		return sqlite3_bind_null(st, at);
	}
}

sqlite3_stmt *sqlite_statement(struct sqlite_conn *c, const char *sql,
		const struct cell *args, size_t nargs, bool writing)
{
	sqlite3_stmt *stmt = take_idle(c, sql);
	int rc = SQLITE_OK;

	if (!stmt)
		rc = sqlite3_prepare_v2(c->db, sql, -1, &stmt, NULL);
	for (size_t i = 0; i < nargs && rc == SQLITE_OK; i++)
		rc = bind(stmt, i + 1, &args[i],
				writing ? SQLITE_STATIC : SQLITE_TRANSIENT);
	if (rc == SQLITE_OK)
		return stmt;
	sqlite_fault(c, rc, writing ? "cannot write to store" : "cannot read store");
	sqlite3_finalize(stmt);
	return NULL;
}

static int sqlite_query(struct cursor **out, struct conn *conn, const char *sql,
		const struct cell *args, size_t nargs)
{
	struct sqlite_conn *c = sqlite_conn_of(conn);
	struct sqlite_cursor *cur;

	*out = NULL;
	if (c->base.err->code)
		return refuse_all(c);
	cur = calloc(1, sizeof(*cur));
	if (!cur)
		return ckpt_fail(c->base.err, CKPT_ENOMEM, "out of memory");
	cur->base.conn = conn;
	cur->stmt = sqlite_statement(c, sql, args, nargs, false);
	if (!cur->stmt) {
		free(cur);
		return c->base.err->code;
	}
	*out = &cur->base;
	return 0;
}

/* The value is looked up once, where each sqlite3_column_… would do so anew. Such a value is for
 * one thread alone, as our connections are. False: it is empty, or memory failed. */
static bool fill(sqlite3_stmt *st, int at, struct cell *cell)
{
	sqlite3_value *value = sqlite3_column_value(st, at);

	*cell = (struct cell){ 0 };
	switch (sqlite3_value_type(value)) {
	case SQLITE_NULL:
		return true;
	case SQLITE_BLOB:
		cell->kind = CELL_BLOB;
		cell->v.p = sqlite3_value_blob(value);
		break;
	case SQLITE_INTEGER:
		cell->kind = CELL_INT;
		cell->i = sqlite3_value_int64(value);
		return true;
	case SQLITE_FLOAT:
		cell->kind = CELL_REAL;
		cell->v.p = sqlite3_value_text(value);
		break;
	default:
		cell->kind = CELL_TEXT;
		cell->v.p = sqlite3_value_text(value);
	}
	cell->v.n = (size_t)sqlite3_value_bytes(value);
	if (cell->v.p)
		return true;
	cell->v = (struct ckpt_view){ "", 0 };
	return false;
}

static int sqlite_next(struct cursor *cursor, struct cell *cells, size_t ncells)
{
	struct sqlite_cursor *cur = (struct sqlite_cursor *)(void *)cursor;
	struct sqlite_conn *c = sqlite_conn_of(cur->base.conn);
	bool all = true;
	int rc;

	if (c->base.err->code)
		return refuse_all(c);
	rc = cur->ended ? SQLITE_DONE : sqlite3_step(cur->stmt);
	if (rc == SQLITE_DONE) {
		cur->ended = true;
		return 0;
	}
	if (rc != SQLITE_ROW)
		return sqlite_fault(c, rc, "cannot read store");
	for (size_t i = 0; i < ncells; i++)
		all = fill(cur->stmt, (int)i, &cells[i]) && all;
	if (!all && sqlite3_errcode(c->db) == SQLITE_NOMEM)
		return sqlite_fault(c, SQLITE_NOMEM, "cannot read store");
	return 1;
}

static int sqlite_settle(struct conn *conn)
{
	struct sqlite_conn *c = sqlite_conn_of(conn);

	sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
	if (c->base.err->code)
		return refuse_all(c);
	if (!c->base.tentative || sqlite_file_unchanged(&c->file))
		return 0;
	ckpt_fail(c->base.err, CKPT_EBUSY, "store '%s' was written to while it was read",
			c->file.shown);
	ckpt_hint(c->base.err, "try again; as the owner of the file it can be read "
			       "beside a writer");
	return CKPT_EBUSY;
}

const struct driver sqlite_driver = {
	.name = "sqlite",
	.open = sqlite_open,
	.query = sqlite_query,
	.next = sqlite_next,
	.done = sqlite_done,
	.twin = sqlite_twin,
	.settle = sqlite_settle,
	.close = sqlite_close,
	.open_write = sqlite_open_write,
	.begin = sqlite_begin,
	.exec = sqlite_exec,
	.commit = sqlite_commit,
};
