/*
 * sqlite_open.h - what the files of the SQLite driver share: sqlite.c reads, sqlite_write.c
 * writes, sqlite_open.c knows which way to open a file so that reading leaves no trace.
 */
#ifndef SQLITE_OPEN_H
#define SQLITE_OPEN_H

#include <sqlite3.h>
#include <sys/stat.h>

#include "driver.h"

enum sqlite_how {
	SQLITE_SHARED, /* mode=ro with locks: rollback journal, or a live writer's side files */
	SQLITE_OWNER, /* mode=rw, query_only: an idle WAL file of ours; side files vanish again */
	SQLITE_QUIET /* no locks, no side files made; only good if nothing changed meanwhile */
};

struct sqlite_witness { /* what would tell of a write */
	bool there;
	struct stat st;
};

struct sqlite_file {
	char *shown; /* as it was named */
	char *path;  /* where it is: side files lie beside it, not beside a link */
	char *uri;
	int flags;
	bool wal_format;
	int64_t looked; /* when the witnesses were called */
	enum sqlite_how how;
	struct sqlite_witness db, wal, journal;
};

#define SQLITE_IDLE 12
struct sqlite_conn {
	struct conn base;
	sqlite3 *db;
	struct sqlite_file file;
	sqlite3_stmt *idle
			[SQLITE_IDLE]; /* statements to use again: a scan repeats a few */
	unsigned next_idle;
	struct ckpt_config
			config; /* written to: who is told, or stops it, while it waits */
};

static inline struct sqlite_conn *sqlite_conn_of(struct conn *c)
{
	return (struct sqlite_conn *)(void *)c;
}

/* Record what SQLite says went wrong, with what it means for the caller. */
int sqlite_fault(struct sqlite_conn *, int rc, const char *doing);
/* A statement with its arguments bound, from those kept idle if it is there; NULL and an error.
 * When it writes, its arguments must live until it is done with; else they are copied. */
sqlite3_stmt *sqlite_statement(struct sqlite_conn *, const char *sql,
		const struct cell *args, size_t nargs, bool writing);
void sqlite_keep(struct sqlite_conn *, sqlite3_stmt *); /* done with it; to use again */
void sqlite_close(struct conn *);
/* The file is somebody's: none of its triggers, views and functions run. SQLITE_OK, or not. */
int sqlite_distrust(struct sqlite_conn *);
int sqlite_open_write(struct conn **out, const char *where, bool create,
		const struct ckpt_config *, struct ckpt_error *);
int sqlite_begin(struct conn *);
int sqlite_exec(struct conn *, const char *sql, const struct cell *args, size_t nargs);
int sqlite_commit(struct conn *);

/* Look at the file (before any connection exists in this process) and decide. */
int sqlite_file_decide(struct sqlite_file *out, const char *path, struct ckpt_error *);
bool sqlite_file_unchanged(const struct sqlite_file *);
bool sqlite_file_litter(const struct sqlite_file *); /* an empty log lies beside it */
/* With a read of it going on: is the state that is read still the newest? */
bool sqlite_file_newest(const struct sqlite_file *);
bool sqlite_hot_journal(const struct sqlite_file *);
/* What a killed writer left in the journal goes back into the file. `c` is a failed open for reading;
 * false: it stays as it is. */
bool sqlite_roll_back(struct sqlite_conn *c, const struct ckpt_config *);
void sqlite_hint_journal(const struct sqlite_file *, struct ckpt_error *);
void sqlite_file_release(struct sqlite_file *);

#endif
