/*
 * edit_advisory.c - the lock of a PostgreSQL store: an advisory lock that a transaction on a
 * connection of its own holds and that does nothing else, so that it also works behind a pooler
 * which shares sessions between transactions. It belongs to the schema of the tables, whatever
 * name led there. The server lets go of it when the connection ends.
 */
#include <inttypes.h>

#include "edit_lock.h"

#define CLASS 0x636b7074 /* "ckpt"; + k for shard k */

struct advisory {
	struct edit_lock base;
	struct conn *conn;
	struct ckpt_error *err;
	struct cell schema; /* its oid, as the locks' numbers are signed */
	int64_t shard;
	const char *verb, *store;
};

static void advisory_free(struct edit_lock *lock)
{
	struct advisory *a = (struct advisory *)(void *)lock;

	if (a->conn)
		a->conn->driver->close(a->conn);
	free(a);
}

/* The connection is idle for as long as the run takes: a server or pooler may have ended it. */
static int advisory_check(struct edit_lock *lock)
{
	struct advisory *a = (struct advisory *)(void *)lock;

	if (a->conn->driver->exec(a->conn, "SELECT 1", NULL, 0) < 0 &&
			a->err->code == CKPT_EBUSY)
		ckpt_hint(a->err, "this connection held the lock of the run, which "
				  "ended with it; run the same again");
	return a->err->code;
}

/* One row of one number. */
static int64_t number(struct advisory *a, struct conn *conn, const char *sql,
		const struct cell *args, size_t nargs)
{
	struct cursor *cur;
	struct cell row[1] = { { .i = 0 } };

	if (conn->driver->query(&cur, conn, sql, args, nargs) < 0)
		return a->err->code;
	if (conn->driver->next(cur, row, 1) == 0)
		ckpt_fail(a->err, CKPT_EINTERNAL, "no row where one was expected");
	conn->driver->done(cur);
	return a->err->code ? a->err->code : row[0].i;
}

static int taken(struct advisory *a)
{
	static const char who[] =
			"SELECT replace(coalesce(nullif(s.application_name, ''), "
			"'ckpt'), "
			"'/', ' ') || ', server process ' || l.pid || coalesce(' from ' "
			"|| host(s.client_addr), '') || coalesce(', since ' || "
			"to_char(s.xact_start AT TIME ZONE 'UTC', "
			"'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), '') "
			"FROM pg_catalog.pg_locks l "
			"LEFT JOIN pg_catalog.pg_stat_activity s USING (pid) "
			"WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 "
			"AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE "
			"datname = current_database()) AND l.objid = $1::int4::oid "
			"AND l.pid <> pg_backend_pid() AND (CASE WHEN $3::int4 = 0 THEN "
			"l.classid::int8 BETWEEN $2::int4 AND $2::int4 + $4::int4 ELSE "
			"l.classid::int8 = $2::int4 + $3::int4 OR (l.classid::int8 = "
			"$2::int4 AND l.mode = 'ExclusiveLock') END) "
			"ORDER BY l.classid DESC LIMIT 1";
	struct cell args[4] = { a->schema, { .kind = CELL_INT, .i = CLASS },
		{ .kind = CELL_INT, .i = a->shard },
		{ .kind = CELL_INT, .i = EDIT_SHARDS_MAX } };
	struct cell row[1] = { { .kind = CELL_NULL } };
	struct cursor *cur;

	if (a->conn->driver->query(&cur, a->conn, who, args, 4) < 0)
		return a->err->code;
	if (a->conn->driver->next(cur, row, 1) == 0) /* it has just gone */
		row[0].v = (struct ckpt_view){ "", 0 };
	if (!a->err->code)
		edit_lock_taken(a->err, a->store, row[0].v);
	a->conn->driver->done(cur);
	return a->err->code;
}

static int take(struct advisory *a)
{
	static const char whole[] =
			"SELECT pg_try_advisory_xact_lock($1::int4, $2::int4)";
	static const char shared[] =
			"SELECT pg_try_advisory_xact_lock_shared($1::int4, $2::int4)";
	struct cell args[2] = { { .kind = CELL_INT, .i = CLASS }, a->schema };
	int64_t got = number(a, a->conn, a->shard ? shared : whole, args, 2);

	if (got > 0 && a->shard) {
		args[0].i += a->shard;
		got = number(a, a->conn, whole, args, 2);
	}
	return got < 0 ? a->err->code : got == 0 ? taken(a) : 0;
}

/* The transaction is idle until the run ends, and says whose it is. */
static int settle_in(struct advisory *a)
{
	static const char sql[] =
			"SELECT set_config('idle_in_transaction_session_timeout', '0', "
			"true), set_config('application_name', 'ckpt/' || $1::text, "
			"true)";
	struct cell verb = { .kind = CELL_TEXT, .v = ckpt_view_of(a->verb) };

	return a->conn->driver->exec(a->conn, sql, &verb, 1);
}

int edit_lock_advisory(struct edit_lock **out, struct sql_store *s,
		const struct store_name *name, const struct ckpt_config *config,
		const struct edit_want *want)
{
	static const char schema[] = "SELECT relnamespace::int8 FROM pg_catalog.pg_class "
				     "WHERE oid = to_regclass($1)";
	struct cell table = { .kind = CELL_TEXT, .v = ckpt_view_of(s->checkpoints) };
	struct advisory *a = calloc(1, sizeof(*a));
	struct ckpt_config quiet = *config;
	int64_t oid;

	*out = NULL;
	if (!a)
		return ckpt_fail(s->base.err, CKPT_ENOMEM, "out of memory");
	*a = (struct advisory){ .base = { advisory_free, advisory_check },
		.err = s->base.err,
		.shard = want->shards ? want->shard : 0,
		.verb = want->verb,
		.store = s->base.name };
	quiet.note = NULL; /* all has been said of the first connection */
	oid = number(a, s->conn, schema, &table, 1);
	a->schema = (struct cell){ .kind = CELL_INT, .i = (int32_t)(uint32_t)oid };
	if (!a->err->code)
		postgres_driver.open_write(&a->conn, name->where, false, &quiet, a->err);
	if (!a->err->code && a->conn->driver->begin(a->conn) == 0 && settle_in(a) >= 0 &&
			take(a) >= 0)
		/* an open one keeps a snapshot, and with it the dead rows of all tables */
		a->conn->driver->exec(a->conn, "CLOSE ALL", NULL, 0);
	if (a->err->code)
		advisory_free(&a->base);
	else
		*out = &a->base;
	return s->base.err->code;
}
