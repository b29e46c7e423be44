/*
 * made.h - small stores made on the spot with SQLite itself, in a folder that is gone at exit.
 * What a test expects of them is the test's business.
 */
#ifndef MADE_H
#define MADE_H

#include <sqlite3.h>

#include "base.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The path of `name` in this program's own folder; lives until exit. A child of fork() must
 * leave by _exit(), or it takes the folder away. */
const char *made_path(const char *name);

/* A new file with the tables of LangGraph's saver; made_close ends it. Failing aborts the test. */
sqlite3 *made_store(const char *path);
sqlite3 *made_empty(const char *path);
void made_sql(sqlite3 *, const char *sql);
void made_close(sqlite3 *);

struct made_row {
	struct ckpt_view thread, ns, id, parent, type, body, meta;
	unsigned blob; /* CKPT_BLOB_…: kept as BLOB; parent and meta never are */
};
void made_put(sqlite3 *, const struct made_row *);

struct made_write {
	struct ckpt_view thread, ns, id, task, path, channel, type, body;
	int64_t idx;
};
void made_write(sqlite3 *, const struct made_write *);

/* A UUIDv6 whose time is 2026-01-01 + `minutes`, whose last group is the 12 digits of `node`. */
struct ckpt_view made_id(char to[static 37], unsigned minutes, uint64_t node);

/* A file of this program's folder as a store; NULL and an error. */
struct ckpt_store *made_open(const char *path, struct ckpt_error *);

/* The same numbers for the same seed. */
uint64_t made_random(uint64_t *seed);

#endif
