/*
 * vacuum_sqlite.c - free pages of a SQLite file go back to the file system: in small steps beside
 * live writers, where the file was made for that, or all at once, for which SQLite writes what is
 * left twice and keeps writers out meanwhile.
 */
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "drop_pace.h"
#include "vacuum.h"

#define MS INT64_C(1000000)
#define PATIENCE 4000 /* ms that an application waits: its own limit is 5 s as a rule */
#define BYTES_A_MS 50000 /* that are vacuumed, on a slow disk */
#define PAGES_A_STEP "64"

struct vacuum {
	struct edit *e;
	const struct vacuum_how *how;
	struct vacuum_sum *out;
	const char *path;
};

static int ask(struct vacuum *v, const char *sql, size_t column, struct cell *out)
{
	struct cell cells[3] = { 0 };
	struct cursor *cur;

	*out = (struct cell){ 0 };
	if (sql_query(&cur, v->e->sql, sql, NULL, 0) < 0)
		return v->e->err->code;
	sql_next(cur, cells, column + 1);
	*out = cells[column];
	if (out->v.p)
		out->v = arena_copy(&v->e->sql->arena, out->v, v->e->err);
	sql_done(cur);
	return v->e->err->code;
}

static int64_t number(struct vacuum *v, const char *sql)
{
	struct cell cell;

	ask(v, sql, 0, &cell);
	return cell.i;
}

static int run(struct vacuum *v, const char *sql)
{
	int rc = v->e->sql->conn->driver->exec(v->e->sql->conn, sql, NULL, 0);

	return rc < 0 ? rc : 0;
}

static int64_t file_size(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : 0;
}

static void because(struct vacuum *v, const char *why)
{
	snprintf(v->out->why, sizeof(v->out->why), "%s", why);
}

/* ---- in steps ------------------------------------------------------------------------------ */

static int steps(struct vacuum *v)
{
	struct drop_how pace_how = { .hold = 0 };
	struct drop_pace pace;
	int64_t all = number(v, "PRAGMA freelist_count"), left = all;

	if (pace_start(&pace, v->e, &pace_how) < 0)
		return v->e->err->code;
	v->out->way = VACUUM_STEPS;
	while (left > 0) {
		int64_t before = left;
		int rc = 0;

		if (pace_begin(&pace, v->e) < 0)
			return v->e->err->code;
		do {
			rc = run(v, "PRAGMA incremental_vacuum(" PAGES_A_STEP ")");
			left = rc < 0 ? 0 : number(v, "PRAGMA freelist_count");
		} while (left > 0 && pace_goes_on(&pace));
		if (v->e->err->code)
			edit_rollback(v->e);
		else
			edit_commit(v->e);
		if (v->e->err->code || pace_between(&pace, v->e) < 0)
			return v->e->err->code;
		if (v->how->progress)
			rc = v->how->progress(v->how->arg, all - left, all);
		if (rc < 0 || left >= before) /* what others free meanwhile is not ours */
			return rc;
	}
	return pace_end(&pace, v->e);
}

/* ---- all at once ----------------------------------------------------------------------------- */

static const char *temp_folder(void)
{
	static const char *const names[] = { "SQLITE_TMPDIR", "TMPDIR" };
	struct stat st;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *dir = getenv(names[i]);

		if (dir && *dir && stat(dir, &st) == 0 && S_ISDIR(st.st_mode))
			return dir;
	}
	return stat("/var/tmp", &st) == 0 ? "/var/tmp" : "/tmp";
}

static int need(struct vacuum *v, const char *where, int64_t bytes)
{
	struct statvfs fs;

	if (statvfs(where, &fs) < 0 ||
			(double)fs.f_bavail * (double)fs.f_frsize >= (double)bytes)
		return 0;
	ckpt_fail(v->e->err, CKPT_EIO,
			"a full vacuum needs %" PRId64
			" bytes of room on the disk of '%s', "
			"which has %.0f",
			bytes, where, (double)fs.f_bavail * (double)fs.f_frsize);
	ckpt_hint(v->e->err, "free room, or let later rows use the free pages");
	return v->e->err->code;
}

/* A copy goes to the folder of temporary files, and from there through the log into the file. */
static int enough_room(struct vacuum *v, int64_t live)
{
	const char *temp = temp_folder();
	struct stat a, b;
	bool same = stat(temp, &a) == 0 && stat(v->path, &b) == 0 && a.st_dev == b.st_dev;

	if (need(v, v->path, same ? 2 * live : live) < 0)
		return v->e->err->code;
	return same ? 0 : need(v, temp, live);
}

/* Somebody commits now, and would have to wait for longer than applications do. */
static int nobody_writes(struct vacuum *v, int64_t live)
{
	int64_t before = number(v, "PRAGMA data_version");
	int64_t wait = number(v, "PRAGMA busy_timeout");

	if (live / BYTES_A_MS < (wait < PATIENCE ? wait : PATIENCE))
		return v->e->err->code;
	for (int i = 0; i < 20; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = 25 * MS }, NULL);
		if (number(v, "PRAGMA data_version") == before)
			continue;
		ckpt_fail(v->e->err, CKPT_EBUSY,
				"'%s' is being written to: a full vacuum would keep "
				"writers out for about %" PRId64 " s",
				v->e->sql->base.name, live / BYTES_A_MS / 1000);
		ckpt_hint(v->e->err,
				"stop the application for as long, or leave the room "
				"to its later rows");
	}
	return v->e->err->code;
}

static int whole(struct vacuum *v)
{
	int64_t pages = number(v, "PRAGMA page_count") -
	                number(v, "PRAGMA freelist_count");
	int64_t live = pages * number(v, "PRAGMA page_size");

	if (v->e->err->code || enough_room(v, live) < 0 || nobody_writes(v, live) < 0)
		return v->e->err->code;
	/* the copy is a file: memory stays small; a journal that is kept would take the room */
	if (run(v, "PRAGMA journal_size_limit=0") < 0 ||
			run(v, "PRAGMA temp_store=1") < 0 || run(v, "VACUUM") < 0 ||
			run(v, "PRAGMA temp_store=2") < 0)
		return v->e->err->code;
	v->out->way = VACUUM_WHOLE;
	return 0;
}

/* ---- both ------------------------------------------------------------------------------------ */

int vacuum_shorten(struct edit *e, struct vacuum_sum *out)
{
	struct vacuum v = { .e = e, .out = out };
	int64_t wait = number(&v, "PRAGMA busy_timeout");
	struct cell busy = { .i = 1 };
	char text[64];

	snprintf(text, sizeof(text), "PRAGMA busy_timeout=%" PRId64, wait);
	run(&v, "PRAGMA busy_timeout=0");
	for (int tries = 0; tries < 20 && busy.i && !e->err->code; tries++) {
		if (tries)
			nanosleep(&(struct timespec){ .tv_nsec = 50 * MS }, NULL);
		run(&v, "PRAGMA wal_checkpoint(PASSIVE)");
		ask(&v, "PRAGMA wal_checkpoint(TRUNCATE)", 0, &busy);
	}
	if (busy.i)
		because(&v, "the file gets shorter when nobody reads what was there "
			    "before");
	return run(&v, text);
}

int vacuum_run_sqlite(
		struct edit *e, const struct vacuum_how *how, struct vacuum_sum *out)
{
	struct vacuum v = { .e = e, .how = how, .out = out };
	struct cell path;
	int64_t mode;
	int rc = 0;

	*out = (struct vacuum_sum){ 0 };
	if (ask(&v, "PRAGMA database_list", 2, &path) < 0)
		return e->err->code;
	v.path = path.v.p ? path.v.p : "";
	out->before = out->after = file_size(v.path);
	mode = number(&v, "PRAGMA auto_vacuum");
	if (how->full)
		rc = whole(&v);
	else if (mode == 2)
		rc = steps(&v);
	else
		because(&v, mode ? "the file gives free pages back by itself"
				 : "the file was not made to shrink in steps: its free "
				   "pages "
				   "are for later rows, and only a full vacuum gives "
				   "them back");
	if (rc == 0 && !e->err->code && out->way != VACUUM_NONE)
		rc = vacuum_shorten(e, out);
	out->after = file_size(v.path);
	return e->err->code ? e->err->code : rc;
}
