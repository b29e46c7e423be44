/*
 * drop_postgres.c - dropping on PostgreSQL: each batch is one short transaction, in which one
 * statement looks again whether the plan still holds, deletes checkpoints and their writes, and
 * sweeps the blobs that only they named. Planning is not done here.
 *
 * READ COMMITTED gives that statement one snapshot, taken when it begins: heads, what the rest
 * still names, and what is deleted are seen as of one moment. What commits later is not seen, so:
 * - A Python writer that adds a checkpoint names blobs that it wrote itself or that the head names.
 *   The head stays and names them in this snapshot, too. Versions have random digits, so that no
 *   blob is ever written twice. No lock is needed, and writers wait for nothing.
 * - A JavaScript writer counts versions: after a fork it may INSERT … ON CONFLICT DO NOTHING a blob
 *   that is there already, and is about to be swept here; both commit, and its checkpoint names
 *   what is gone. So where a version has no random digits the two tables are locked against
 *   writers first, blobs before checkpoints as writers take them; the statement's snapshot is
 *   taken after that, and has all that they committed.
 * - Who goes on from an old checkpoint is visible nowhere; the planner's guards are for that.
 * A whole thread takes no lock: whoever still writes to it lacks its other blobs anyway.
 *
 * While locks are held nothing is waited for longer than LOCK_MS, less than the second after which
 * the server looks for deadlocks: in one with a writer it is this side that gives up and comes
 * again. Several processes with different threads meet at no row. A blob that no checkpoint named
 * stays: its checkpoint may be about to be written.
 *
 * What deletes writes counts them. If there were more than planned the transaction is undone and
 * done again by a statement that counts before, which costs more.
 */
#include <inttypes.h>

#include "drop.h"
#include "drop_arrays.h"
#include "failpoint.h"

#define ITEM_NS 500000 /* … of `hold` for the first batch, a careful guess */
#define LIMIT_LEAST 20
#define LIMIT_MOST 20000
#define MOST_SHARE 4 /* of its rows at least a fourth: most of a namespace */
#define HOLD_NS ((int64_t)1000000000)
#define LOCK_MS "200"
#define PAUSE_FIRST ((int64_t)20000000)
#define PAUSE_MOST ((int64_t)500000000)
#define PATIENCE_NS ((int64_t)10000000000) /* of one batch, for locks of others */

/* clang-format off: SQL reads best as it is broken here */

/* A batch is few keys of many, in the order of the primary keys. With statistics that are old or
 * were never made the server may think otherwise, and read whole tables each time. */
static const char settings[] = "SELECT set_config('lock_timeout', '" LOCK_MS "', true), "
			       "set_config('enable_seqscan', 'off', true), "
			       "set_config('enable_hashjoin', 'off', true), "
			       "set_config('enable_mergejoin', 'off', true), "
			       "set_config('jit', 'off', true), "
			       "set_config('work_mem', '128MB', true)";

static const char lock[] =
		"LOCK TABLE {blobs}, {checkpoints} IN SHARE ROW EXCLUSIVE MODE";

/* `holds`: is the plan still right for this namespace? The newest checkpoint is the one that the
 * saver would load: by the order of the database, not of bytes. What follows a root checkpoint
 * is planned anew once the root has gone on. */
static const char spaces[] =
		"(SELECT u.*, (headless OR newest IS NOT DISTINCT FROM "
		"(SELECT c.checkpoint_id FROM {checkpoints} c WHERE c.thread_id = t "
		"AND c.checkpoint_ns = n ORDER BY c.checkpoint_id DESC LIMIT 1)) AND "
		"(whole = 0 OR whole = (SELECT count(*) FROM {checkpoints} c "
		"WHERE c.thread_id = t AND c.checkpoint_ns = n)) AND "
		"(root IS NULL OR NOT EXISTS (SELECT FROM {checkpoints} c WHERE "
		"c.thread_id = t AND c.checkpoint_ns = '' AND c.checkpoint_id > root)) ";
/* … if writes came: */
static const char holds_writes[] =
		"AND writes >= (SELECT count(*) FROM {writes} w WHERE w.thread_id = t "
		"AND "
		"w.checkpoint_ns = n AND w.checkpoint_id = ANY (ids::text[])) ";
static const char from_arrays[] =
		"AS holds FROM unnest($1::text::text[], $2::text::text[], "
		"$3::text::text[], $4::text::int8[], $5::text::bool[], $6::text::text[], "
		"$7::text::text[], $8::text::int8[]) WITH ORDINALITY "
		"AS u(t, n, newest, whole, headless, ids, root, writes, i)), ";
/* … with a root that stays what hangs on it. */
static const char with_roots[] =
		"s AS (SELECT t, n, whole, ids, writes, i, holds AND (root IS NULL OR "
		"bool_and(holds OR n <> '') OVER (PARTITION BY t)) AS holds FROM a), ";

static const char hold_ids[] = "ok AS (SELECT s.*";
/* … and which channels have blobs. Most have none: others' versions need not be looked at. */
static const char channels[] =
		", ARRAY(SELECT DISTINCT b.channel FROM {blobs} b WHERE b.thread_id = t "
		"AND b.checkpoint_ns = n) AS channels";
static const char doomed_ids[] = " FROM s), d AS (SELECT i, t, n, writes, x.id FROM ok, "
				 "unnest(ids::text[]) AS x(id) "
				 "WHERE holds), ";
/* Each payload is unpacked once. IS TRUE keeps the server from making a join of it. */
static const char sweep[] =
		"named AS (SELECT i, goes, c, versions ->> c AS v FROM (SELECT ok.i, "
		"(ok.i, c.checkpoint_id) IN (SELECT i, id FROM d) AS goes, "
		"c.checkpoint -> 'channel_versions' AS versions, unnest(channels) AS c "
		"FROM ok JOIN {checkpoints} c ON c.thread_id = ok.t "
		"AND c.checkpoint_ns = ok.n WHERE ok.holds) x), "
		"gone_blobs AS (DELETE FROM {blobs} b USING ok WHERE ok.holds "
		"AND b.thread_id = ok.t AND b.checkpoint_ns = ok.n "
		"AND ((ok.i, b.channel, b.version) IN (SELECT i, c, v FROM named "
		"WHERE goes AND v IS NOT NULL)) IS TRUE "
		"AND ((ok.i, b.channel, b.version) IN (SELECT i, c, v FROM named "
		"WHERE NOT goes AND v IS NOT NULL)) IS NOT TRUE RETURNING b.version), ";
/* A few of many: one after the other is looked up. */
static const char delete_few[] =
		"gone AS (DELETE FROM {checkpoints} c USING d WHERE c.thread_id = d.t "
		"AND c.checkpoint_ns = d.n AND c.checkpoint_id = d.id RETURNING 1) ";
static const char delete_few_writes[] =
		", gone_writes AS (DELETE FROM {writes} w USING d WHERE w.thread_id = "
		"d.t "
		"AND w.checkpoint_ns = d.n AND w.checkpoint_id = d.id RETURNING d.i, "
		"d.writes) ";
/* Most of a namespace: going through all of it takes half the time, since keys are found by
 * comparing them in the order of a language. */
static const char delete_most[] =
		"gone AS (DELETE FROM {checkpoints} c USING ok WHERE ok.holds "
		"AND c.thread_id = ok.t AND c.checkpoint_ns = ok.n "
		"AND ((ok.i, c.checkpoint_id) IN (SELECT i, id FROM d)) IS TRUE "
		"RETURNING 1) ";
static const char delete_most_writes[] =
		", gone_writes AS (DELETE FROM {writes} w USING ok WHERE ok.holds "
		"AND w.thread_id = ok.t AND w.checkpoint_ns = ok.n "
		"AND ((ok.i, w.checkpoint_id) IN (SELECT i, id FROM d)) IS TRUE "
		"RETURNING ok.i, ok.writes) ";

/* A thread goes if each of its namespaces is as planned and there is no other. */
static const char hold_threads[] =
		"ok AS (SELECT t, n, bool_and(holds) OVER th AND sum(whole) OVER th = "
		"(SELECT count(*) FROM {checkpoints} c WHERE c.thread_id = t) ";
static const char holds_threads_writes[] =
		"AND sum(writes) OVER th >= (SELECT count(*) FROM {writes} w WHERE "
		"w.thread_id = t) ";
static const char doomed_threads[] =
		"AS holds, sum(writes) OVER th AS writes FROM s WINDOW th AS (PARTITION "
		"BY t)), d AS (SELECT DISTINCT t, t AS i, writes FROM ok WHERE holds), ";
static const char delete_threads_blobs[] =
		"gone_blobs AS (DELETE FROM {blobs} b USING d WHERE b.thread_id = d.t "
		"RETURNING b.version), ";
static const char delete_threads[] = "gone AS (DELETE FROM {checkpoints} c USING d WHERE "
				     "c.thread_id = d.t RETURNING 1) ";
static const char delete_threads_writes[] = ", gone_writes AS (DELETE FROM {writes} w "
					    "USING d WHERE w.thread_id = d.t "
					    "RETURNING d.i, d.writes) ";

/* Rows (what, thread, ns, how many). A version whose 33rd character is a point has random digits
 * behind it. It ends in GROUP BY, for that is how the driver knows that few rows come. */
static const char result[] =
		"SELECT what, t, n, count(*) FROM ("
		"SELECT 'checkpoints' AS what, NULL AS t, NULL AS n FROM gone "
		"UNION ALL SELECT 'moved', t, n FROM ok WHERE NOT holds ";
static const char result_writes[] =
		"UNION ALL SELECT 'writes', NULL, NULL FROM gone_writes "
		"UNION ALL SELECT 'surplus', NULL, NULL FROM (SELECT 1 FROM gone_writes "
		"GROUP BY i, writes HAVING count(*) > writes) g ";
static const char result_blobs[] =
		"UNION ALL SELECT 'blobs', NULL, NULL FROM gone_blobs "
		"UNION ALL SELECT 'counted', NULL, NULL FROM gone_blobs "
		"WHERE substr(version, 33, 1) <> '.' ";
static const char result_threads[] = "UNION ALL SELECT 'threads', NULL, NULL FROM d ";
static const char result_end[] = ") r GROUP BY what, t, n";
/* clang-format on */

enum way { FEW, MOST, THREADS, WAYS };
#define PARTS 6

struct run {
	struct edit *edit;
	const struct drop_how *how;
	struct drop_sum *sum;
	struct drop_arrays batch;
	struct ckpt_buf sql[2][WAYS]; /* the second counts writes before it deletes */
	struct ckpt_buf moved;        /* thread, ns, …: each ends in a NUL */
	struct drop_sum gone;         /* in this batch */
	int64_t surplus; /* … namespaces or threads with more writes than planned */
	bool careful;    /* … it was more: not again */
	int64_t counted; /* … blobs of a version that a writer may write once more */
	bool locks;      /* writers are kept out */
	int64_t hold;
	int64_t limit; /* items a batch may have, so that it is short */
	int64_t done;  /* items behind us */
};

static int no_memory(struct run *r)
{
	return ckpt_fail(r->edit->err, CKPT_ENOMEM, "out of memory");
}

static void pause_ns(int64_t ns)
{
	struct timespec t = { ns / 1000000000, ns % 1000000000 };

	nanosleep(&t, NULL);
}

/* A statement, for the tables that there are. */
static void compose(struct run *r, enum way way, bool careful)
{
	bool writes = r->edit->sql->has_writes, blobs = r->edit->sql->has_blobs;
	const char *const heads[] = { careful ? "WITH a AS " : "WITH s AS ", spaces,
		careful ? holds_writes : "", from_arrays, careful ? with_roots : "" };
	const char *const bodies[WAYS][PARTS] = {
		[FEW] = { hold_ids, blobs ? channels : "", doomed_ids, blobs ? sweep : "",
				delete_few, writes ? delete_few_writes : "" },
		[MOST] = { hold_ids, blobs ? channels : "", doomed_ids,
				blobs ? sweep : "", delete_most,
				writes ? delete_most_writes : "" },
		[THREADS] = { hold_threads, careful ? holds_threads_writes : "",
				doomed_threads, blobs ? delete_threads_blobs : "",
				delete_threads, writes ? delete_threads_writes : "" },
	};
	const char *const ends[] = { result, writes ? result_writes : "",
		blobs ? result_blobs : "", way == THREADS ? result_threads : "",
		result_end };
	struct ckpt_buf *to = &r->sql[careful][way];

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		edit_text(to, r->edit, heads[i]);
	for (size_t i = 0; i < PARTS; i++)
		edit_text(to, r->edit, bodies[way][i]);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		edit_text(to, r->edit, ends[i]);
	ckpt_buf_add(to, "", 1);
}

static int compose_all(struct run *r)
{
	bool writes = r->edit->sql->has_writes;

	for (enum way way = FEW; way < WAYS; way++) {
		compose(r, way, false);
		if (writes) /* else there is nothing to count */
			compose(r, way, true);
	}
	return r->edit->err->code;
}

static enum way way_of(const struct drop_arrays *b)
{
	return b->by_threads ? THREADS : b->rows / MOST_SHARE > b->items ? FEW : MOST;
}

/* ---- a transaction --------------------------------------------------------------------------- */

/* A row of the answer: how many of what, or a namespace that moved. */
static void count(struct run *r, const struct cell row[static 4])
{
	const struct {
		const char *what;
		int64_t *count;
	} counts[] = { { "checkpoints", &r->gone.checkpoints },
		{ "writes", &r->gone.writes }, { "blobs", &r->gone.blobs },
		{ "threads", &r->gone.threads }, { "counted", &r->counted },
		{ "surplus", &r->surplus } };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (ckpt_view_eq(row[0].v, ckpt_view_of(counts[i].what)))
			*counts[i].count = row[3].i;
	}
	for (size_t i = 1; i < 3 && row[i].kind == CELL_TEXT; i++) {
		ckpt_buf_add(&r->moved, row[i].v.p, row[i].v.n);
		ckpt_buf_add(&r->moved, "", 1);
	}
}

static int run_statement(struct run *r)
{
	const struct drop_arrays *b = &r->batch;
	struct cell args[DROP_COLUMNS], row[4];
	struct cursor *cur;
	int rc;

	r->gone = (struct drop_sum){ 0 };
	r->moved.n = 0;
	r->counted = r->surplus = 0;
	for (size_t i = 0; i < DROP_COLUMNS; i++)
		args[i] = sql_key_cell(ckpt_buf_view(&b->columns[i]), false);
	if (sql_query(&cur, r->edit->sql, r->sql[r->careful][way_of(b)].p, args,
			    DROP_COLUMNS) < 0)
		return r->edit->err->code;
	while ((rc = sql_next(cur, row, 4)) > 0)
		count(r, row);
	sql_done(cur);
	return r->moved.failed ? no_memory(r) : rc;
}

static int transact(struct run *r)
{
	struct edit *e = r->edit;
	bool locks = r->locks && !r->batch.by_threads && e->sql->has_blobs;

	if (edit_begin(e) < 0 || edit_exec(e, settings, NULL, 0) < 0 ||
			(locks && edit_exec(e, lock, NULL, 0) < 0) ||
			run_statement(r) < 0)
		return e->err->code;
	if (r->counted && !r->locks && !r->batch.by_threads) {
		r->locks = true; /* from here on */
		edit_rollback(e);
		return transact(r);
	}
	if (r->surplus) {
		r->careful = true; /* for this batch */
		edit_rollback(e);
		return transact(r);
	}
	FAILPOINT("prune.server_commit.before");
	edit_commit(e);
	FAILPOINT("prune.server_commit.after");
	return e->err->code;
}

/* What others hold is waited for with the transaction undone, so that nobody waits for this one. A
 * lost connection shows when the next one is to begin. */
static int transact_patiently(struct run *r)
{
	int64_t pause = PAUSE_FIRST, end = 0;
	struct ckpt_error *err = r->edit->err, first;

	for (;;) {
		int64_t before = ckpt_monotonic();

		if (transact(r) == 0 || err->code != CKPT_EBUSY)
			return err->code;
		first = *err;
		edit_rollback(r->edit);
		end = end ? end
		          : before + (r->how->patience ? r->how->patience : PATIENCE_NS);
		if (ckpt_monotonic() + pause > end)
			return err->code;
		*err = (struct ckpt_error){ 0 };
		pause_ns(pause);
		pause = pause < PAUSE_MOST ? 2 * pause : PAUSE_MOST;
		if (edit_begin(r->edit) < 0) {
			*err = first;
			return err->code;
		}
		edit_rollback(r->edit);
	}
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void tell_moved(struct run *r)
{
	const char *p = r->moved.p, *end = p ? p + r->moved.n : p;

	while (p < end) {
		struct ckpt_key key = { .thread = ckpt_view_of(p) };

		key.ns = ckpt_view_of(p + key.thread.n + 1);
		p += key.thread.n + key.ns.n + 2;
		r->sum->moved++;
		r->done += drop_arrays_skip(&r->batch, &key);
		if (r->how->moved)
			r->how->moved(r->how->arg, &key);
	}
}

static int64_t within(int64_t v, int64_t least, int64_t most)
{
	return v < least ? least : v > most ? most : v;
}

/* As many items as will take a quarter of the time that locks may be held, less where writers are
 * kept out: a batch may have heavier rows than the one before. */
static void adapt(struct run *r, int64_t took)
{
	int64_t target = r->locks ? r->hold / 10 : r->hold / 4;

	if (took > target)
		r->limit = r->limit / 2;
	else if (took < target / 2 && r->batch.items > r->limit / 2)
		r->limit = r->limit * 2;
	r->limit = within(r->limit, LIMIT_LEAST, LIMIT_MOST);
}

static int run_all(struct run *r)
{
	struct edit *e = r->edit;
	int rc;

	while ((rc = drop_arrays_fill(&r->batch, r->limit)) > 0) {
		int64_t before = ckpt_monotonic();

		r->careful = false;
		if (transact_patiently(r) < 0)
			return e->err->code;
		adapt(r, ckpt_monotonic() - before);
		r->sum->checkpoints += r->gone.checkpoints;
		r->sum->writes += r->gone.writes;
		r->sum->blobs += r->gone.blobs;
		r->sum->threads += r->gone.threads;
		r->done += r->batch.items;
		tell_moved(r);
		if (r->how->progress &&
				(rc = r->how->progress(r->how->arg, r->done,
						 (int64_t)doomed_count(r->batch.list))) <
						0)
			return rc;
	}
	return rc;
}

int drop_run_postgres(struct edit *e, struct doomed *list, const struct drop_how *how,
		struct drop_sum *out)
{
	struct run r = { .edit = e, .how = how, .sum = out };
	int rc;

	*out = (struct drop_sum){ 0 };
	r.batch.list = list;
	r.batch.err = e->err;
	r.locks = e->js;
	r.hold = how->hold ? how->hold : HOLD_NS;
	r.limit = within(r.hold / ITEM_NS, LIMIT_LEAST, LIMIT_MOST);
	rc = compose_all(&r);
	if (rc == 0 && doomed_rewind(list) == 0)
		rc = run_all(&r);
	edit_rollback(e);
	drop_arrays_free(&r.batch);
	for (size_t i = 0; i < WAYS; i++) {
		ckpt_buf_free(&r.sql[false][i]);
		ckpt_buf_free(&r.sql[true][i]);
	}
	ckpt_buf_free(&r.moved);
	return rc < 0 ? rc : e->err->code;
}
