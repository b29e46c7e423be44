/*
 * target_batch.c - rows on their way into a database, in batches of one transaction each.
 *
 * While the database works on one batch the next is made: a batch goes out in a thread of its own,
 * which alone has the connection until it is waited for.
 */
#include "ahead.h"
#include "failpoint.h"
#include "target_sql.h"

#define BATCH_BYTES ((size_t)4 << 20)
#define BATCH_ROWS 4000

int target_exec(struct sql_target *t, const char *sql, const struct cell *args,
		size_t nargs)
{
	return t->sql->conn->driver->exec(t->sql->conn, sql, args, nargs);
}

/* @ in `text` is the table of progress. */
int target_progress(struct sql_target *t, const char *text, const struct cell *args,
		size_t nargs)
{
	const char *at = strchr(text, '@');
	struct ckpt_buf sql = { 0 };
	int rc;

	ckpt_buf_addf(&sql, "%.*s%s%s", (int)(at - text), text, t->progress, at + 1);
	if (sql.failed)
		return ckpt_fail(&t->own, CKPT_ENOMEM, "out of memory");
	rc = target_exec(t, sql.p, args, nargs);
	ckpt_buf_free(&sql);
	return rc;
}

/* ---- batches ------------------------------------------------------------------------------------ */

int target_told(struct sql_target *t, int rc)
{
	if (t->own.code && !t->base.err->code) {
		*t->base.err = t->own;
		*t->lost = t->server && !t->taken &&
		           (t->own.code == CKPT_EBUSY || t->own.code == CKPT_ECONNECT);
	}
	return t->base.err->code ? t->base.err->code : rc;
}

static int begin(struct sql_target *t)
{
	struct conn *conn = t->sql->conn;
	int rc = t->open ? 0 : conn->driver->begin(conn);

	t->open = true;
	return rc;
}

/* The rows of `put`, that this run is still the one, and the end of the transaction. */
static int send_batch(struct sql_target *t, struct put *put)
{
	struct conn *conn = t->sql->conn;
	const struct cell args[2] = { text_cell(t->source), text_cell(t->run) };
	int rc = begin(t);

	t->bytes = (int64_t)put_bytes(put);
	if (rc >= 0)
		rc = put_flush(put, t->added);
	FAILPOINT("migrate.progress.before");
	if (rc >= 0)
		rc = target_progress(t,
				"UPDATE @ SET batches = batches + 1 WHERE source = $1 "
				"AND "
				"run = $2",
				args, 2);
	FAILPOINT("migrate.progress.after");
	t->taken = rc == 0;
	if (rc == 0)
		rc = ckpt_fail(&t->own, CKPT_EBUSY,
				"another ckpt took over this migration; it goes on "
				"there");
	t->open = false;
	if (rc >= 0)
		rc = conn->driver->commit(conn);
	FAILPOINT("migrate.commit.after");
	return rc;
}

static void *send(void *arg)
{
	struct sql_target *t = arg;

	send_batch(t, t->spare);
	return NULL;
}

static void count(struct sql_target *t)
{
	if (t->own.code)
		return;
	t->base.done.checkpoints += t->added[PUT_CHECKPOINTS];
	t->base.done.writes += t->added[PUT_WRITES];
	t->base.done.blobs += t->added[PUT_BLOBS];
	t->base.done.bytes += t->bytes;
}

/* The connection is ours again. */
static int wait_for_sender(struct sql_target *t)
{
	if (t->sending) {
		pthread_join(t->sender, NULL);
		t->sending = false;
		count(t);
	}
	return target_told(t, 0);
}

static int sql_begin(struct target *base)
{
	return base->err->code; /* a transaction begins when there is something to send */
}

static int sql_commit(struct target *base)
{
	struct sql_target *t = sql_target_of(base);
	struct put *full = t->put;

	if (wait_for_sender(t) < 0)
		return base->err->code;
	if (t->open || !t->spare) {
		send_batch(t, full);
		count(t);
		return target_told(t, 0);
	}
	t->put = t->spare;
	t->spare = full;
	t->sending = ahead_start(&t->sender, send, t);
	if (!t->sending) {
		send(t);
		count(t);
	}
	return target_told(t, 0);
}

/* All rows are in: the file becomes what it is to be, and gets its name while it is still locked. */
static int sql_keep(struct target *base)
{
	struct sql_target *t = sql_target_of(base);
	static const char *const texts[] = { "DROP TABLE ckpt_migration", "COMMIT",
		"PRAGMA journal_mode = WAL" }; /* as the savers make it */

	if (!t->stage)
		return base->err->code;
	FAILPOINT("migrate.keep.before");
	begin(t);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		target_exec(t, texts[i], NULL, 0);
	t->open = false;
	if (!t->own.code)
		target_stage_keep(t->stage, &t->own);
	put_close(t->put);
	put_close(t->spare);
	t->put = t->spare = NULL;
	t->sql->base.backend->close(&t->sql->base);
	t->sql = NULL;
	return target_told(t, 0);
}

/* What SQLite wrote ahead goes into the file, so that the file alone can be moved. */
static int sql_settle(struct target *base)
{
	struct sql_target *t = sql_target_of(base);

	if (wait_for_sender(t) == 0 && !t->server && !t->stage)
		target_exec(t, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, 0);
	return target_told(t, 0);
}

static int sql_finish(struct target *base)
{
	struct sql_target *t = sql_target_of(base);
	struct cell source = text_cell(t->source);
	struct conn *conn;
	int rc;

	if (!t->sql) /* forgotten when the file got its name */
		return base->err->code;
	conn = t->sql->conn;
	FAILPOINT("migrate.finish.before");
	rc = conn->driver->begin(conn);
	if (rc >= 0)
		rc = target_progress(t, "DELETE FROM @ WHERE source = $1", &source, 1);
	if (rc >= 0)
		rc = target_progress(t, "SELECT 1 FROM @ LIMIT 1", NULL, 0);
	if (rc == 0) /* nobody else is under way */
		target_progress(t, "DROP TABLE @", NULL, 0);
	FAILPOINT("migrate.forget.after");
	if (!t->own.code)
		conn->driver->commit(conn);
	FAILPOINT("migrate.finish.after");
	return target_told(t, 0);
}

/* ---- rows --------------------------------------------------------------------------------------- */

static int sql_checkpoint(struct target *base, const struct ckpt_checkpoint *c,
		const struct convert_out *row, bool careful)
{
	return put_checkpoint(sql_target_of(base)->put, c, row, careful);
}

static int sql_write(struct target *base, const struct ckpt_key *key,
		const struct ckpt_write *w, bool careful)
{
	return put_write(sql_target_of(base)->put, key, w, careful);
}

static int sql_blob(struct target *base, const struct ckpt_key *key,
		const struct convert_blob *b, enum put_mode mode)
{
	return put_blob(sql_target_of(base)->put, key, b, mode);
}

/* The batch's rows that wait come after this, so they are not taken out again. */
static int sql_drop(struct target *base, const struct ckpt_checkpoint *c)
{
	struct sql_target *t = sql_target_of(base);
	const char *const tables[] = { t->sql->checkpoints, t->sql->writes };
	struct ckpt_buf sql = { 0 };
	struct cell args[3];
	int rc = 0;

	if (wait_for_sender(t) < 0)
		return base->err->code;
	rc = begin(t);
	sql_key_cells(args, &c->key);
	for (size_t i = 0; i < 2 && rc >= 0; i++) {
		sql.n = 0;
		ckpt_buf_addf(&sql,
				"DELETE FROM %s WHERE thread_id = $1 AND "
				"checkpoint_ns = $2 AND checkpoint_id = $3",
				tables[i]);
		rc = sql.failed ? ckpt_fail(base->err, CKPT_ENOMEM, "out of memory")
		                : target_exec(t, sql.p, args, 3);
	}
	ckpt_buf_free(&sql);
	FAILPOINT("migrate.drop.after");
	return target_told(t, rc < 0 ? rc : 0);
}

static bool sql_full(const struct target *base)
{
	const struct sql_target *t = (const struct sql_target *)(const void *)base;

	return put_bytes(t->put) >= BATCH_BYTES || put_rows(t->put) >= BATCH_ROWS;
}

static void sql_target_close(struct target *base)
{
	struct sql_target *t = sql_target_of(base);

	wait_for_sender(t);
	put_close(t->put);
	put_close(t->spare);
	if (t->sql)
		t->sql->base.backend->close(&t->sql->base);
	free(t);
}

const struct target_ops sql_target_ops = {
	.begin = sql_begin,
	.checkpoint = sql_checkpoint,
	.write = sql_write,
	.blob = sql_blob,
	.drop = sql_drop,
	.full = sql_full,
	.commit = sql_commit,
	.barrier = sql_begin, /* rows keep their order */
	.settle = sql_settle,
	.keep = sql_keep,
	.finish = sql_finish,
	.close = sql_target_close,
};
