/*
 * delete.c - what somebody named goes, without guards: whole threads with all they have. Runs are
 * delete_runs.c's.
 *
 * PostgreSQL: a thread is one transaction. SQLite: short transactions with room between them for
 * live writers, so that a large thread takes many; subgraphs go before the root and newer
 * checkpoints before older ones, so that whatever is left of it can be loaded.
 */
#include <inttypes.h>

#include "copy.h"
#include "delete.h"
#include "failpoint.h"

/* ---- the look ------------------------------------------------------------------------------------- */

static int count_checkpoints(
		struct ckpt_store *store, const struct victim *v, int64_t *out)
{
	struct ckpt_pick pick = { .depth = CKPT_SPANS };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc;

	if (v) {
		pick.key.thread = v->thread;
		pick.key.blob = v->blob ? CKPT_BLOB_THREAD : 0;
	}
	rc = ckpt_scan_open(&scan, store, &pick);
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0)
		*out += c.count;
	ckpt_scan_close(scan);
	return rc;
}

static int count_rows(struct ckpt_store *store, const struct victim *v,
		enum ckpt_rows rows, int64_t *out)
{
	struct ckpt_pick pick = { .depth = CKPT_KEYS, .rows = rows };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc;

	pick.key.thread = v->thread;
	pick.key.blob = v->blob ? CKPT_BLOB_THREAD : 0;
	rc = ckpt_scan_open(&scan, store, &pick);
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0)
		++*out;
	ckpt_scan_close(scan);
	return rc;
}

/* As TEXT, else as BLOB, which is a thread of its own. */
static int find_thread(struct ckpt_delete *d, struct ckpt_view thread)
{
	bool text_only = sql_of(d->store)->dialect->text_keys;
	struct victim *v = &d->victims[d->n];
	struct ckpt_receipt *rows = &d->sum.rows;
	char name[200];
	int rc;

	*v = (struct victim){ thread, false };
	rc = copy_exists(sql_of(d->store), thread, false);
	if (rc == 0 && !text_only) {
		v->blob = true;
		rc = copy_exists(sql_of(d->store), thread, true);
	}
	if (rc == 0) {
		rc = ckpt_fail(d->err, CKPT_ENOTFOUND, "no thread '%s'",
				ckpt_show_name(name, thread));
		ckpt_hint(d->err, "nothing was deleted; see which there are: ckpt list");
	}
	for (size_t i = 0; i < d->n && rc > 0; i++)
		if (ckpt_view_eq(d->victims[i].thread, thread))
			return 0;
	d->n++;
	d->sum.threads++;
	rc = rc < 0 ? rc : count_checkpoints(d->store, v, &rows->checkpoints);
	rc = rc < 0 ? rc : count_rows(d->store, v, CKPT_WRITE_ROWS, &rows->writes);
	return rc < 0 ? rc : count_rows(d->store, v, CKPT_BLOB_ROWS, &rows->blobs);
}

int ckpt_delete_plan(struct ckpt_delete **out, struct ckpt_store *store,
		const struct ckpt_delete_want *want)
{
	struct ckpt_delete *d = calloc(1, sizeof(*d));
	int rc;

	*out = d;
	if (!d)
		return ckpt_fail(store->err, CKPT_ENOMEM, "out of memory");
	d->store = store;
	d->err = store->err;
	rc = edit_possible(store);
	d->victims = calloc(want->nthreads + 1, sizeof(*d->victims));
	if (!d->victims)
		rc = ckpt_fail(d->err, CKPT_ENOMEM, "out of memory");
	for (size_t i = 0; i < want->nthreads && rc >= 0; i++)
		rc = find_thread(d, want->threads[i]);
	if (rc >= 0 && want->nruns)
		rc = delete_plan_runs(d, want);
	if (rc >= 0)
		rc = count_checkpoints(store, NULL, &d->sum.all);
	return rc < 0 ? rc : 0;
}

void ckpt_delete_about(const struct ckpt_delete *d, struct ckpt_delete_sum *out)
{
	*out = d->sum;
}

void ckpt_delete_free(struct ckpt_delete *d)
{
	if (d) {
		free(d->victims);
		ckpt_prune_free(d->runs);
	}
	free(d);
}

/* ---- SQLite ---------------------------------------------------------------------------------------- */

/* clang-format off: SQL reads best as it is broken here */
/* $1 the thread, $2 a row of it */
static const char newest_sql[] =
		"SELECT rowid FROM {checkpoints} WHERE thread_id = $1 "
		"ORDER BY thread_id DESC, checkpoint_ns DESC, checkpoint_id DESC LIMIT 1";
static const char its_writes_sql[] = "DELETE FROM {writes} WHERE (thread_id, "
				     "checkpoint_ns, checkpoint_id) = (SELECT "
				     "thread_id, checkpoint_ns, checkpoint_id FROM "
				     "{checkpoints} WHERE rowid = $2)";
static const char checkpoint_sql[] = "DELETE FROM {checkpoints} WHERE rowid = $2";
static const char strays_sql[] = "DELETE FROM {writes} WHERE rowid IN (SELECT rowid FROM "
				 "{writes} WHERE thread_id = $1 "
				 "LIMIT 100)";
/* clang-format on */

/* 1 and its row, which may have any number; 0: there is none. */
static int newest(struct ckpt_delete *d, const struct cell *thread, int64_t *out)
{
	struct cell row[1];
	struct cursor *cur;
	int rc;

	if (edit_query(&cur, d->edit, newest_sql, thread, 1) < 0)
		return d->err->code;
	rc = sql_next(cur, row, 1);
	if (rc > 0)
		*out = row[0].i;
	sql_done(cur);
	return rc;
}

/* A little of the thread: 1, or 0 if nothing is left of it. */
static int bite(struct ckpt_delete *d, const struct victim *v, struct ckpt_receipt *gone)
{
	struct cell args[2] = { sql_key_cell(v->thread, v->blob), { .kind = CELL_INT } };
	bool writes = d->edit->sql->has_writes;
	int n = newest(d, args, &args[1].i);

	if (n < 0)
		return n;
	if (n > 0) {
		n = writes ? edit_exec(d->edit, its_writes_sql, args, 2) : 0;
		gone->writes += n > 0 ? n : 0;
		n = n < 0 ? n : edit_exec(d->edit, checkpoint_sql, args, 2);
		gone->checkpoints += n > 0 ? n : 0;
		return n < 0 ? n : 1;
	}
	n = writes ? edit_exec(d->edit, strays_sql, args, 1) : 0;
	gone->writes += n > 0 ? n : 0;
	return n;
}

static void add(struct ckpt_receipt *to, const struct ckpt_receipt *r)
{
	to->checkpoints += r->checkpoints;
	to->writes += r->writes;
	to->blobs += r->blobs;
}

static void tell(struct ckpt_delete *d)
{
	if (d->how->progress)
		d->how->progress(d->how->arg, d->gone->rows.checkpoints,
				d->sum.rows.checkpoints);
}

/* A name that is gone is not found a second time: then the others have to be named. */
static int stopped(struct ckpt_delete *d, const struct victim *v)
{
	long long behind = v - d->victims;

	if (!d->config->stop || !d->config->stop(d->config->arg))
		return 0;
	ckpt_fail(d->err, CKPT_EINTERRUPTED,
			"stopped by a signal; the store is consistent");
	if (behind)
		ckpt_hint(d->err,
				"%lld of %zu threads are gone: name the others, and this "
				"finishes them",
				behind, d->n);
	else
		ckpt_hint(d->err, "the same again finishes it");
	return d->err->code;
}

static int sqlite_thread(struct ckpt_delete *d, const struct victim *v)
{
	int more = 1;

	while (more > 0) {
		struct ckpt_receipt gone = { 0 };

		if (stopped(d, v) < 0 || pace_begin(&d->pace, d->edit) < 0)
			return d->err->code;
		do {
			more = bite(d, v, &gone);
		} while (more > 0 && pace_goes_on(&d->pace));
		FAILPOINT("delete.commit.before");
		if (more < 0 || edit_commit(d->edit) < 0)
			return d->err->code;
		FAILPOINT("delete.commit.after");
		add(&d->gone->rows, &gone);
		tell(d);
		d->gone->threads += !more;
		if (pace_between(&d->pace, d->edit) < 0)
			return d->err->code;
	}
	return 0;
}

/* ---- PostgreSQL ------------------------------------------------------------------------------------ */

/* Writers that put a version back while it is being deleted would find it there and leave it: they
 * wait instead. Blobs first, as they lock them. */
static int postgres_thread(struct ckpt_delete *d, const struct victim *v)
{
	const struct sql_store *s = d->edit->sql;
	const struct cell thread = sql_key_cell(v->thread, false);
	struct ckpt_receipt gone = { 0 };
	const struct {
		bool there;
		const char *sql;
		int64_t *count;
	} tables[] = {
		{ s->has_blobs, "LOCK TABLE {blobs} IN SHARE ROW EXCLUSIVE MODE", NULL },
		{ true, "LOCK TABLE {checkpoints} IN SHARE ROW EXCLUSIVE MODE", NULL },
		{ true, "DELETE FROM {checkpoints} WHERE thread_id = $1",
				&gone.checkpoints },
		{ s->has_writes, "DELETE FROM {writes} WHERE thread_id = $1",
				&gone.writes },
		{ s->has_blobs, "DELETE FROM {blobs} WHERE thread_id = $1", &gone.blobs },
	};

	if (stopped(d, v) < 0 || edit_begin(d->edit) < 0 || edit_no_limit(d->edit) < 0)
		return d->err->code;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		int n = tables[i].there ? edit_exec(d->edit, tables[i].sql, &thread, 1)
		                        : 0;

		if (n < 0)
			return n;
		if (tables[i].count)
			*tables[i].count = n;
	}
	if (edit_commit(d->edit) < 0)
		return d->err->code;
	add(&d->gone->rows, &gone);
	d->gone->threads++;
	tell(d);
	return 0;
}

/* ---- run ----------------------------------------------------------------------------------------------- */

static int run(struct ckpt_delete *d)
{
	const struct drop_how pace = {
		.secure = d->how->secure
	}; /* overwrites as rows go */
	bool server = d->edit->server;

	/* runs are dropped at a pace of their own */
	if (!server && pace_start(&d->pace, d->edit, &pace) < 0)
		return d->err->code;
	if (d->how->secure && delete_secure_start(d) < 0)
		return d->err->code;
	if (d->runs && delete_runs(d) < 0)
		return d->err->code;
	for (size_t i = 0; i < d->n; i++) {
		if ((server ? postgres_thread(d, &d->victims[i])
			    : sqlite_thread(d, &d->victims[i])) < 0)
			return d->err->code;
	}
	if (!server && pace_end(&d->pace, d->edit) < 0)
		return d->err->code;
	return d->how->secure ? delete_secure_end(d) : 0;
}

int ckpt_delete_run(struct ckpt_delete *d, const char *store,
		const struct ckpt_config *config, const struct ckpt_delete_how *how,
		struct ckpt_deleted *out)
{
	const struct edit_want want = { .verb = "delete", .needs = "SELECT, DELETE" };

	*out = (struct ckpt_deleted){ 0 };
	d->config = config;
	d->how = how;
	d->gone = out;
	if (edit_open(&d->edit, store, config, &want, d->err) < 0)
		return d->err->code;
	if (run(d) < 0 && how->secure)
		delete_secure_hint(d);
	edit_close(d->edit);
	return d->err->code;
}
