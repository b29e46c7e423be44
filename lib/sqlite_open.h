/*
 * sqlite_open.h - which way to open a SQLite file so that reading leaves no trace.
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
	enum sqlite_how how;
	struct sqlite_witness db, wal, journal;
};

/* Look at the file (before any connection exists in this process) and decide. */
int sqlite_file_decide(struct sqlite_file *out, const char *path, struct ckpt_error *);
bool sqlite_file_unchanged(const struct sqlite_file *);
bool sqlite_hot_journal(const struct sqlite_file *);
void sqlite_file_release(struct sqlite_file *);

#endif
