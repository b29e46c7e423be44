/*
 * vacuum_rewrite.c - a store from which most goes, at the cost of what stays: the write lock, a
 * copy beside without a name, and SQLite's backup, which makes the copy the store in one
 * transaction under that same lock. Readers go on with what they see; a run that ends anywhere
 * leaves the old content or the new.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "failpoint.h"
#include "vacuum_rewrite.h"

#define MS INT64_C(1000000)

bool rewrite_late(const struct rewrite *r)
{
	return ckpt_monotonic() > r->deadline;
}

int rewrite_not(struct rewrite *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->vac->why, sizeof(r->vac->why), fmt, ap);
	va_end(ap);
	return 0;
}

/* ---- connections ----------------------------------------------------------------------------- */

/* One number of the store, by the connection that edits it. */
static int about(struct rewrite *r, const char *sql, struct cell *out, size_t column)
{
	struct cell cells[3] = { 0 };
	struct cursor *cur;

	if (sql_query(&cur, r->e->sql, sql, NULL, 0) < 0)
		return r->e->err->code;
	sql_next(cur, cells, column + 1);
	*out = cells[column];
	if (out->v.p && out->kind == CELL_TEXT)
		out->v = arena_copy(&r->e->sql->arena, out->v, r->e->err);
	sql_done(cur);
	return r->e->err->code;
}

static int64_t about_number(struct rewrite *r, const char *sql)
{
	struct cell cell = { 0 };

	about(r, sql, &cell, 0);
	return cell.i;
}

static int connect(
		struct sqlite_conn **out, struct rewrite *r, const char *path, int flags)
{
	struct sqlite_conn *c = calloc(1, sizeof(*c));
	int rc;

	*out = c;
	if (!c)
		return ckpt_fail(r->e->err, CKPT_ENOMEM, "out of memory");
	c->base.driver = &sqlite_driver;
	c->base.err = r->e->err;
	c->file.shown = strdup(r->e->sql->base.name);
	rc = sqlite3_open_v2(path, &c->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite_distrust(c);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(c->db,
				"PRAGMA cell_size_check=1; PRAGMA mmap_size=0; PRAGMA "
				"cache_size=-16384; PRAGMA temp_store=2",
				NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : sqlite_fault(c, rc, "cannot open store");
}

static int set(struct sqlite_conn *c, const char *name, int64_t value)
{
	char sql[120];

	snprintf(sql, sizeof(sql), "PRAGMA %s=%lld", name, (long long)value);
	return sqlite_exec(&c->base, sql, NULL, 0) < 0 ? c->base.err->code : 0;
}

/* A file beside the store: the same room is asked of the same disk. It has its name for a moment, in
 * which nothing is in it: one that is there is of a run that was killed then, as the lock of the
 * whole store is held. */
static int make_copy(struct rewrite *r, const char *path)
{
	struct cell store = sql_key_cell(ckpt_view_of(path), false);
	struct ckpt_buf name = { 0 };
	struct stat st;
	int fd;

	ckpt_buf_addf(&name, "%s-ckpt-copy", path);
	if (name.failed)
		return ckpt_fail(r->e->err, CKPT_ENOMEM, "out of memory");
	if (lstat(name.p, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
		unlink(name.p);
	fd = open(name.p, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		ckpt_buf_free(&name);
		return rewrite_not(r, "no file can be made beside the store");
	}
	close(fd);
	connect(&r->copy, r, name.p, SQLITE_OPEN_READWRITE);
	/* the first of these opens the file; there is no journal of it on disk */
	if (!r->e->err->code &&
			sqlite_exec(&r->copy->base, "PRAGMA main.journal_mode=MEMORY",
					NULL, 0) >= 0 &&
			set(r->copy, "main.synchronous", 0) == 0)
		sqlite_exec(&r->copy->base, "ATTACH $1 AS old", &store, 1);
	unlink(name.p);
	ckpt_buf_free(&name);
	return r->e->err->code ? r->e->err->code : 1;
}

/* What stands in a file's first page, and makes pages of one good for the other. */
static int same_header(struct rewrite *r)
{
	struct cell encoding = { 0 };
	char sql[60];

	about(r, "PRAGMA encoding", &encoding, 0);
	snprintf(sql, sizeof(sql), "PRAGMA main.encoding='%.8s'",
			encoding.v.p ? (const char *)encoding.v.p : "UTF-8");
	if (set(r->copy, "main.page_size", about_number(r, "PRAGMA page_size")) < 0 ||
			set(r->copy, "main.auto_vacuum",
					about_number(r, "PRAGMA auto_vacuum")) < 0 ||
			sqlite_exec(&r->copy->base, sql, NULL, 0) < 0 ||
			set(r->copy, "main.user_version",
					about_number(r, "PRAGMA user_version")) < 0 ||
			set(r->copy, "main.application_id",
					about_number(r, "PRAGMA application_id")) < 0)
		return r->e->err->code;
	return 1;
}

/* ---- the run ------------------------------------------------------------------------------- */

/* A backup keeps its failures to itself: the connection knows no text of them. */
static int backup_fault(struct rewrite *r, int rc)
{
	struct sqlite_conn named = { .base = r->store->base, .file = r->store->file };

	return sqlite_fault(&named, rc, "cannot write to store");
}

/* A backup's first step takes the write lock of where it goes; of no pages, it copies none. */
static int lock(struct rewrite *r, int64_t wait)
{
	int rc;

	set(r->store, "busy_timeout", wait);
	set(r->store, "synchronous", 2);
	set(r->store, "wal_autocheckpoint", 0);
	if (r->e->err->code)
		return r->e->err->code;
	r->swap = sqlite3_backup_init(r->store->db, "main", r->copy->db, "main");
	if (!r->swap)
		return sqlite_fault(r->store, sqlite3_errcode(r->store->db),
				"cannot write to store");
	rc = sqlite3_backup_step(r->swap, 0);
	if (rc != SQLITE_OK)
		return backup_fault(r, rc == SQLITE_DONE ? SQLITE_INTERNAL : rc);
	r->deadline = ckpt_monotonic() +
	              wait * MS * 2 / 5; /* the other part is for the swap */
	return 1;
}

/* The copy takes the room of what stays, and so does the log that it goes through. */
static int room(struct rewrite *r, const char *path)
{
	const struct rewrite_rows *rows = r->rows;
	double all = (double)(rows[0].all + rows[1].all),
	       n = (double)(rows[0].n + rows[1].n);
	double need = 2 * (double)r->vac->before * (all > 0 ? n / all : 1);
	struct statvfs fs;

	if (statvfs(path, &fs) == 0 && (double)fs.f_bavail * (double)fs.f_frsize < need)
		return rewrite_not(r, "the disk has no room for what stays");
	return 1;
}

static int copy(struct rewrite *r, const char *path)
{
	int rc;

	if (sqlite_exec(&r->copy->base, "BEGIN", NULL, 0) < 0)
		return r->e->err->code;
	rc = rewrite_schema(r);
	if (rc > 0)
		rc = rewrite_keep(r);
	if (rc > 0)
		rc = room(r, path);
	if (rc > 0)
		rc = rewrite_fill(r);
	if (rc > 0 && sqlite_exec(&r->copy->base, "COMMIT", NULL, 0) < 0)
		rc = r->e->err->code;
	FAILPOINT("prune.rewrite_copy.after");
	return rc;
}

static int swap(struct rewrite *r)
{
	int rc;

	FAILPOINT("prune.rewrite_swap.before");
	rc = sqlite3_backup_step(r->swap, -1);
	if (rc == SQLITE_DONE)
		rc = sqlite3_backup_finish(r->swap);
	else
		sqlite3_backup_finish(r->swap);
	r->swap = NULL;
	FAILPOINT("prune.rewrite_swap.after");
	return rc == SQLITE_OK ? 1 : backup_fault(r, rc);
}

static void release(struct rewrite *r)
{
	if (r->swap)
		sqlite3_backup_finish(r->swap);
	if (r->copy)
		sqlite_close(&r->copy->base);
	if (r->store)
		sqlite_close(&r->store->base);
	for (int i = 0; i < REWRITE_TABLES; i++)
		free(r->rows[i].v);
	free(r->moved);
	free(r->alive.v);
	free(r->goes);
}

/* Namespaces that were left alone, each told once; and how many threads are gone. */
static int tell_moved(struct rewrite *r)
{
	struct doomed_item item;
	int64_t last = -1;
	uint64_t thread = 0;
	bool gone = false;
	size_t next = 0;
	int rc = doomed_rewind(r->list);

	while (rc >= 0 && (rc = doomed_next(r->list, &item)) > 0) {
		int64_t mark = doomed_here(r->list).space;

		if (mark == last)
			continue;
		if (last < 0 || ckpt_hash(item.key.thread) != thread) {
			r->sum->threads += gone;
			gone = item.space->whole_thread;
			thread = ckpt_hash(item.key.thread);
		}
		last = mark;
		if (next == r->nmoved || mark != r->moved[next])
			continue;
		next++;
		gone = false;
		r->sum->moved++;
		if (r->how->moved)
			r->how->moved(r->how->arg, &item.space->key);
	}
	r->sum->threads += gone;
	return rc < 0 ? rc : 1;
}

static int whole_run(struct rewrite *r, const char *path, int64_t wait)
{
	const struct rewrite_rows *rows = r->rows;
	int rc, reserve = -1;

	if (connect(&r->store, r, path, SQLITE_OPEN_READWRITE) < 0)
		return r->e->err->code;
	sqlite3_file_control(r->store->db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserve);
	if (reserve)
		return rewrite_not(r, "its pages keep bytes for an extension");
	rc = make_copy(r, path);
	if (rc > 0)
		rc = same_header(r);
	if (rc > 0)
		rc = lock(r, wait);
	FAILPOINT("prune.rewrite_lock.after");
	if (rc > 0)
		rc = copy(r, path);
	if (rc > 0)
		rc = swap(r);
	if (rc <= 0)
		return rc;
	r->sum->checkpoints = rows[REWRITE_CHECKPOINTS].all -
	                      (int64_t)rows[REWRITE_CHECKPOINTS].n;
	r->sum->writes = rows[REWRITE_WRITES].all - (int64_t)rows[REWRITE_WRITES].n;
	r->vac->way = VACUUM_REWRITE;
	return tell_moved(r);
}

int rewrite_run_sqlite(struct edit *e, struct doomed *list, const struct drop_how *how,
		struct drop_sum *out, struct vacuum_sum *sum)
{
	struct rewrite r = { .e = e, .list = list, .how = how, .sum = out, .vac = sum };
	struct cell mode = { 0 }, path = { 0 };
	struct stat st;
	int64_t wait;
	int rc;

	*out = (struct drop_sum){ 0 };
	*sum = (struct vacuum_sum){ 0 };
	if (about(&r, "PRAGMA journal_mode", &mode, 0) < 0 ||
			about(&r, "PRAGMA database_list", &path, 2) < 0)
		return e->err->code;
	wait = about_number(&r, "PRAGMA busy_timeout");
	if (how->secure)
		return rewrite_not(&r, "what is freed is to be overwritten");
	if (!mode.v.p || !ckpt_view_eq(mode.v, CKPT_LIT("wal")))
		return rewrite_not(&r, "it takes journal_mode=WAL");
	if (!path.v.n || stat(path.v.p, &st) < 0)
		return rewrite_not(&r, "the file is not where it was");
	sum->before = sum->after = st.st_size;
	rc = whole_run(&r, path.v.p, wait);
	release(&r);
	if (rc <= 0)
		return rc;
	if (vacuum_shorten(e, sum) < 0)
		return e->err->code;
	sum->after = stat(path.v.p, &st) == 0 ? st.st_size : 0;
	return 1;
}
