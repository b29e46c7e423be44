/*
 * edit.h - a store that is altered in place: opened for writing only if everything about its
 * tables is known, with a lock so that one ckpt at a time does it, and transactions. Internal.
 *
 * Refused (CKPT_EREFUSED): dumps, layouts that are only read, tables that are views, have
 * triggers, row security, unknown columns or newer migrations, a standby, missing privileges.
 * Nothing is created or changed by opening.
 */
#ifndef EDIT_H
#define EDIT_H

#include "sql.h"

struct edit {
	struct sql_store *
			sql; /* on a writing connection; begin … commit around everything */
	struct ckpt_error *err;
	const char *verb, *needs; /* as wanted; they live as long */
	bool server;              /* PostgreSQL */
	bool in;                  /* a transaction is open */
	bool js, python;          /* who writes to it, by sample */
	struct edit_lock *lock;
};

struct edit_want {
	const char *verb;  /* "prune": for others who find the store locked */
	const char *needs; /* privileges on a server's tables: "SELECT, DELETE" */
	/* shard `shard` of `shards` (1-based): those work side by side, whole-store jobs exclude
	   all of them; shards 0: the whole store */
	int64_t shard, shards;
};

/* What a store open for reading tells already: archives and what keeps no history are refused. */
int edit_possible(struct ckpt_store *);
/* CKPT_EBUSY: another one works on it; the text says which process, where, since when. */
int edit_open(struct edit **out, const char *name, const struct ckpt_config *,
		const struct edit_want *, struct ckpt_error *);
/* CKPT_EREFUSED: a standby, or a server that was set to be read only. */
int edit_alterable(struct sql_store *);
int edit_begin(struct edit *); /* SQLite: the write lock is held from here on */
/* In a transaction: its statements may take longer than ten minutes. */
int edit_no_limit(struct edit *);
int edit_commit(struct edit *);
void edit_rollback(struct edit *); /* also after a failure; the error stays */
/* One statement; {checkpoints} {writes} {blobs} stand for the tables. Rows changed, or < 0. */
int edit_exec(struct edit *, const char *sql, const struct cell *args, size_t nargs);
/* A query whose rows are of interest, with the same placeholders; and the text alone. */
int edit_query(struct cursor **out, struct edit *, const char *sql,
		const struct cell *args, size_t nargs);
int edit_text(struct ckpt_buf *to, const struct edit *, const char *sql);
void edit_close(struct edit *);

#endif
