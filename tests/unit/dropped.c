/*
 * dropped.c - see dropped.h. Looks with SQLite alone.
 */
#include <stdarg.h>

#include "dropped.h"

static void sql(sqlite3 *db, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void sql(sqlite3 *db, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = sqlite3_vmprintf(fmt, ap);
	va_end(ap);
	made_sql(db, text);
	sqlite3_free(text);
}

void dropped_make(const char *path, int threads, int each, uint64_t seed)
{
	sqlite3 *db = made_store(path);

	/* `metadata` is the place in the thread; row numbers in no order at all */
	sql(db,
			"PRAGMA journal_mode=WAL; BEGIN;"
			"CREATE TEMP TABLE n AS WITH RECURSIVE c(i) AS (SELECT 0 UNION "
			"ALL SELECT i + 1 FROM c WHERE i + 1 < %d) SELECT i / %d AS t, i "
			"%% %d AS s, (i * 7919 + %lld) %% 1000003 AS o FROM c;"
			"INSERT INTO checkpoints SELECT printf('t%%04d', t), iif(t %% 3, "
			"'', 'sub'), printf('%%08x-0000-6000-8000-000000000000', s), "
			"NULL, "
			"'msgpack', zeroblob(100 + (t * 31 + s * 977) %% 9000), s FROM n "
			"ORDER BY o;"
			"INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, "
			"task_id, idx, channel, type, value) SELECT printf('t%%04d', t), "
			"iif(t %% 3, '', 'sub'), printf('%%08x-0000-6000-8000-"
			"000000000000', s), 'task', x.i, 'c', 'msgpack', zeroblob(s * "
			"13) "
			"FROM n, (SELECT 0 AS i UNION SELECT 1) x ORDER BY o;"
			"CREATE TABLE other (a INTEGER PRIMARY KEY AUTOINCREMENT, b);"
			"CREATE INDEX other_b ON other (b);"
			"CREATE TABLE pairs (k PRIMARY KEY, v) WITHOUT ROWID;"
			"INSERT INTO other (b) VALUES ('x'), ('y'); DELETE FROM other "
			"WHERE b = 'y'; INSERT INTO pairs VALUES ('k', 1.5);"
			"COMMIT; PRAGMA user_version=7; PRAGMA application_id=99; "
			"ANALYZE;",
			threads * each, each, each, (long long)(seed % 1000003));
	made_close(db);
}

struct doomed *dropped_plan(
		const char *path, int keep, unsigned how, struct ckpt_error *err)
{
	static const char text[] =
			"WITH s AS MATERIALIZED (SELECT x.thread_id, count(*) AS n FROM "
			"writes x LEFT JOIN checkpoints y USING (thread_id, "
			"checkpoint_ns, checkpoint_id) WHERE y.thread_id IS NULL GROUP "
			"BY 1) SELECT c.thread_id, checkpoint_ns, checkpoint_id, "
			"c.rowid, max(checkpoint_id) OVER w, row_number() OVER w, "
			"count(*) OVER w, (SELECT count(*) FROM writes x WHERE "
			"x.thread_id = c.thread_id AND x.checkpoint_ns = "
			"c.checkpoint_ns AND x.checkpoint_id = c.checkpoint_id), s.n "
			"FROM checkpoints c LEFT JOIN s USING (thread_id) WINDOW w AS "
			"(PARTITION BY c.thread_id, checkpoint_ns ORDER BY "
			"checkpoint_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED "
			"FOLLOWING) ORDER BY 1, 2, 3";
	struct doomed *d;
	sqlite3_stmt *st;
	sqlite3 *db;

	doomed_new(&d, err);
	sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
	sqlite3_prepare_v2(db, text, -1, &st, NULL);
	while (sqlite3_step(st) == SQLITE_ROW) {
		struct ckpt_view v[5];

		for (int i = 0; i < 5; i++) {
			v[i].p = sqlite3_column_text(st, i);
			v[i].n = (size_t)sqlite3_column_bytes(st, i);
		}
		if (sqlite3_column_int(st, 5) == 1)
			doomed_space(d, &(struct doomed_space){
							.key = { .thread = v[0],
									.ns = v[1] },
							.newest = v[4],
							.whole = !keep,
							.whole_thread = !keep,
							.chains = how & DROPPED_CHAINS,
							.strays = sqlite3_column_int64(
									st, 8) });
		if (sqlite3_column_int(st, 5) <= sqlite3_column_int(st, 6) - keep)
			doomed_add(d, v[2], false,
					how & DROPPED_ROWS ? sqlite3_column_int64(st, 3)
							   : -1,
					sqlite3_column_int64(st, 7));
	}
	sqlite3_finalize(st);
	sqlite3_close(db);
	return d;
}

static void add(uint64_t *hash, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*hash = (*hash ^ ((const uint8_t *)p)[i]) * UINT64_C(1099511628211);
}

/* clang-format off */
static const char *const contents[] = {
	"WITH k AS (SELECT rowid AS r, *, row_number() OVER (PARTITION BY thread_id, "
	"checkpoint_ns ORDER BY checkpoint_id DESC) AS n FROM checkpoints) SELECT r, thread_id, "
	"checkpoint_ns, checkpoint_id, hex(checkpoint), metadata FROM k WHERE n <= ?1 UNION ALL "
	"SELECT w.rowid, w.thread_id, w.checkpoint_ns, w.checkpoint_id, idx, hex(value) FROM "
	"writes w JOIN k USING (thread_id, checkpoint_ns, checkpoint_id) WHERE n <= ?1 "
	"ORDER BY 2, 3, 4, 1, 5",
	"SELECT a, b, k, v, seq, s.name FROM other, pairs, sqlite_sequence s",
	"SELECT tbl, idx FROM sqlite_stat1 WHERE tbl = 'other'",
	"SELECT type, name, sql, rootpage > 0 FROM sqlite_master ORDER BY name",
	"SELECT u.user_version, a.application_id, v.auto_vacuum, p.page_size, j.journal_mode FROM "
	"pragma_user_version u, pragma_application_id a, pragma_auto_vacuum v, "
	"pragma_page_size p, pragma_journal_mode j",
};
/* clang-format on */

uint64_t dropped_digest(const char *path, int keep)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	sqlite3_stmt *st;
	sqlite3 *db;

	sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
	for (size_t i = 0; i < LEN(contents); i++) {
		if (sqlite3_prepare_v2(db, contents[i], -1, &st, NULL) != SQLITE_OK)
			printf("Bail out! %s\n", sqlite3_errmsg(db));
		sqlite3_bind_int(st, 1, keep);
		while (sqlite3_step(st) == SQLITE_ROW) {
			for (int c = 0; c < sqlite3_column_count(st); c++) {
				add(&hash, sqlite3_column_text(st, c),
						(size_t)sqlite3_column_bytes(st, c));
				add(&hash, "\1", 1);
			}
		}
		sqlite3_finalize(st);
	}
	sqlite3_close(db);
	return hash;
}

int64_t dropped_number(const char *path, const char *text)
{
	sqlite3_stmt *st = NULL;
	int64_t n = -1;
	sqlite3 *db;

	sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
	sqlite3_busy_timeout(db, 5000);
	if (sqlite3_prepare_v2(db, text, -1, &st, NULL) == SQLITE_OK &&
			sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return n;
}

/* clang-format off */
static const char *const orders[] = {
	[DROPPED_LEAST_FIRST] = "n AND (hi <> %d OR n <> hi - lo + 1)",
	[DROPPED_GREATEST_FIRST] = "n AND (hi > %d OR lo <> 0 OR n <> hi + 1)",
	[DROPPED_AT_ONCE] = "n AND n <> %d + 1",
};
/* clang-format on */

const char *dropped_fault(const char *path, int each, int keep, enum dropped_order order)
{
	char *wrong = sqlite3_mprintf(orders[order], each - keep - 1);
	char *gaps = sqlite3_mprintf(
			"SELECT count(*) FROM (SELECT sum(metadata >= %d) AS kept, "
			"sum(metadata < %d) AS n, min(metadata) AS lo, max(iif(metadata "
			"< %d, metadata, NULL)) AS hi FROM checkpoints GROUP BY "
			"thread_id, checkpoint_ns) WHERE kept <> %d OR (%s)",
			each - keep, each - keep, each - keep, keep, wrong);
	const char *fault = NULL;

	if (dropped_number(path, "SELECT count(*) FROM pragma_integrity_check WHERE "
				 "integrity_check <> 'ok'") != 0)
		fault = "damaged";
	else if (dropped_number(path, gaps) != 0)
		fault = "they went in another order, or not together";
	else if (dropped_number(path, "SELECT count(*) FROM writes w WHERE NOT EXISTS "
				      "(SELECT 1 FROM checkpoints c WHERE c.thread_id = "
				      "w.thread_id AND c.checkpoint_ns = w.checkpoint_ns "
				      "AND c.checkpoint_id = w.checkpoint_id)") != 0)
		fault = "writes are left without their checkpoint";
	else if (dropped_number(path, "SELECT 2 * (SELECT count(*) FROM checkpoints) - "
				      "(SELECT count(*) FROM writes)") != 0)
		fault = "a checkpoint is left without its writes";
	sqlite3_free(gaps);
	sqlite3_free(wrong);
	return fault;
}

struct edit *dropped_edit(const char *path, struct ckpt_error *err)
{
	static const struct edit_want want = { .verb = "prune" };
	static const struct ckpt_config config = { .lock_wait = INT64_C(5000000000) };
	struct edit *e = NULL;

	edit_open(&e, path, &config, &want, err);
	return e;
}
