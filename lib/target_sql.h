/*
 * target_sql.h - the border between the files of a database that rows are copied into:
 * target_sql.c opens it and looks at its tables, target_batch.c sends rows.
 */
#ifndef TARGET_SQL_H
#define TARGET_SQL_H

#include <pthread.h>

#include "put.h"
#include "target.h"

struct sql_target {
	struct target base;
	bool *lost;            /* base.lost, or that of the target it is a part of */
	struct ckpt_error own; /* of the connection: the thread's while one runs */
	struct sql_store *sql;
	struct put *put, *spare;    /* rows that come; rows on their way, or none */
	struct target_stage *stage; /* or NULL */
	bool server, open;          /* a transaction is open in this thread */
	bool taken;                 /* by another run */
	pthread_t sender;
	bool sending;
	int64_t added[PUT_TABLES], bytes; /* of the batch on its way */
	char run[33], source[200];
	const char *progress; /* the table's name, ready for SQL */
};

static inline struct sql_target *sql_target_of(struct target *t)
{
	return (struct sql_target *)(void *)t;
}

static inline struct cell text_cell(const char *s)
{
	return (struct cell){ .kind = CELL_TEXT, .v = ckpt_view_of(s) };
}

/* One statement; one in which @ is the table of progress. Only when nothing is being sent. */
int target_exec(struct sql_target *, const char *sql, const struct cell *args,
		size_t nargs);
int target_progress(struct sql_target *, const char *text, const struct cell *args,
		size_t nargs);
/* Hand on what went wrong with the connection; else `rc`. */
int target_told(struct sql_target *, int rc);
/* The connection on which the database itself is asked, when nothing is being sent. */
struct sql_target *sql_target_main(struct target *);
extern const struct target_ops sql_target_ops;

#endif
