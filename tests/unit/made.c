/*
 * made.c - stores for the tests, written with SQLite alone: nothing of the library that is tested
 * takes part in making them.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "made.h"

static char folder[64];
static char *paths[256];
static size_t npaths;

static void die(const char *what, const char *why)
{
	printf("Bail out! %s: %s\n", what, why);
	exit(2);
}

static void remove_folder(void)
{
	DIR *dir = opendir(folder);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		char path[512];

		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			remove(path);
	}
	if (dir)
		closedir(dir);
	rmdir(folder);
	for (size_t i = 0; i < npaths; i++)
		free(paths[i]);
}

const char *made_path(const char *name)
{
	struct ckpt_buf b = { 0 };

	if (!folder[0]) {
		snprintf(folder, sizeof(folder), "/tmp/ckpt-test-XXXXXX");
		/* other users may look in: some tests become one */
		if (!mkdtemp(folder) || chmod(folder, 0755) < 0)
			die("mkdtemp", folder);
		atexit(remove_folder);
	}
	ckpt_buf_addf(&b, "%s/%s", folder, name);
	if (b.failed || npaths == LEN(paths))
		die("made_path", "no room");
	paths[npaths++] = b.p;
	return b.p;
}

sqlite3 *made_empty(const char *path)
{
	sqlite3 *db = NULL;

	if (sqlite3_open(path, &db) != SQLITE_OK)
		die(path, sqlite3_errmsg(db));
	made_sql(db, "PRAGMA synchronous=OFF");
	return db;
}

sqlite3 *made_store(const char *path)
{
	sqlite3 *db = made_empty(path);

	made_sql(db, "CREATE TABLE checkpoints (thread_id TEXT NOT NULL, "
		     "checkpoint_ns TEXT NOT NULL DEFAULT '', checkpoint_id TEXT NOT "
		     "NULL, "
		     "parent_checkpoint_id TEXT, type TEXT, checkpoint BLOB, metadata "
		     "BLOB, "
		     "PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id));"
		     "CREATE TABLE writes (thread_id TEXT NOT NULL, "
		     "checkpoint_ns TEXT NOT NULL DEFAULT '', checkpoint_id TEXT NOT "
		     "NULL, "
		     "task_id TEXT NOT NULL, task_path TEXT NOT NULL DEFAULT '', "
		     "idx INTEGER NOT NULL, channel TEXT NOT NULL, type TEXT, value "
		     "BLOB, "
		     "PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, "
		     "idx));");
	return db;
}

void made_sql(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		die(sql, sqlite3_errmsg(db));
}

void made_close(sqlite3 *db)
{
	if (sqlite3_close(db) != SQLITE_OK)
		die("close", sqlite3_errmsg(db));
}

static void bind(sqlite3_stmt *st, int at, struct ckpt_view v, bool blob)
{
	const char *p = v.n ? v.p : "";

	if (!v.p)
		sqlite3_bind_null(st, at);
	else if (blob)
		sqlite3_bind_blob64(st, at, p, v.n, SQLITE_STATIC);
	else
		sqlite3_bind_text64(st, at, p, v.n, SQLITE_STATIC, SQLITE_UTF8);
}

static void run(sqlite3 *db, sqlite3_stmt *st)
{
	if (sqlite3_step(st) != SQLITE_DONE)
		die("insert", sqlite3_errmsg(db));
	sqlite3_finalize(st);
}

void made_put(sqlite3 *db, const struct made_row *row)
{
	const struct ckpt_view part[] = { row->thread, row->ns.p ? row->ns : CKPT_LIT(""),
		row->id, row->parent, row->type };
	sqlite3_stmt *st = NULL;

	sqlite3_prepare_v2(db,
			"INSERT OR IGNORE INTO checkpoints (thread_id, checkpoint_ns, "
			"checkpoint_id, parent_checkpoint_id, type, checkpoint, "
			"metadata) "
			"VALUES (?, ?, ?, ?, ?, ?, ?)",
			-1, &st, NULL);
	for (unsigned i = 0; i < LEN(part); i++)
		bind(st, (int)i + 1, part[i], i < 3 && (row->blob & 1U << i));
	bind(st, 6, row->body, true);
	bind(st, 7, row->meta, true);
	run(db, st);
}

void made_write(sqlite3 *db, const struct made_write *w)
{
	const struct ckpt_view part[] = { w->thread, w->ns.p ? w->ns : CKPT_LIT(""),
		w->id, w->task, w->path.p ? w->path : CKPT_LIT(""), w->channel, w->type };
	sqlite3_stmt *st = NULL;

	sqlite3_prepare_v2(db,
			"INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, "
			"task_id, task_path, channel, type, value, idx) "
			"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			-1, &st, NULL);
	for (unsigned i = 0; i < LEN(part); i++)
		bind(st, (int)i + 1, part[i], false);
	bind(st, 8, w->body, true);
	sqlite3_bind_int64(st, 9, w->idx);
	run(db, st);
}

struct ckpt_view made_id(char to[static 37], unsigned minutes, uint64_t node)
{
	/* 100 ns steps from 1582-10-15 to 2026-01-01, and on */
	uint64_t t = 0x01b21dd213814000u + 17672256000000000u +
	             minutes * UINT64_C(600000000);
	int n = snprintf(to, 37, "%08x-%04x-6%03x-8001-%012llx", (unsigned)(t >> 28),
			(unsigned)(t >> 12) & 0xffff, (unsigned)t & 0xfff,
			(unsigned long long)(node & 0xffffffffffffu));

	return (struct ckpt_view){ to, (size_t)n };
}

struct ckpt_store *made_open(const char *path, struct ckpt_error *err)
{
	static const struct ckpt_config config = { 0 };
	struct ckpt_store *store = NULL;

	*err = (struct ckpt_error){ 0 };
	ckpt_store_open(&store, path, &config, err);
	return store;
}

uint64_t made_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}
