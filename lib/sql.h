/*
 * sql.h - the SQL backend in two halves: sql.c opens and describes, sql_scan.c reads.
 */
#ifndef SQL_H
#define SQL_H

#include "backend.h"
#include "codec.h"
#include "driver.h"
#include "layout.h"

struct sql_store {
	struct ckpt_store base;
	struct conn *conn;
	const struct layout *layout;
	bool has_writes;
	struct arena arena;                /* column texts, as long as the store */
	const char *cols[CHECKPOINT_COLS]; /* {name|default} resolved */
	const char *write_cols[WRITE_COLS];
};

static inline struct sql_store *sql_of(struct ckpt_store *s)
{
	return (struct sql_store *)(void *)s;
}

static inline int sql_query(struct cursor **out, struct sql_store *s, const char *sql,
		const struct cell *args, size_t nargs)
{
	return s->conn->driver->query(out, s->conn, sql, args, nargs);
}

static inline int sql_next(struct cursor *cur, struct cell *cells, size_t ncells)
{
	return cur->conn->driver->next(cur, cells, ncells);
}

static inline void sql_done(struct cursor *cur)
{
	if (cur)
		cur->conn->driver->done(cur);
}

int sql_scan(struct ckpt_scan **out, struct ckpt_store *, const struct ckpt_pick *);
int sql_scan_next(struct ckpt_scan *, struct ckpt_checkpoint *out);
void sql_scan_done(struct ckpt_scan *);
/* Pending writes of one checkpoint, in the library's order, with their bodies if `bodies`. */
int sql_writes(struct sql_store *, struct ckpt_checkpoint *, bool bodies, struct arena *);
/* Equality with a key part, kept as TEXT or as BLOB. */
struct cell sql_key_cell(struct ckpt_view, bool blob);

#endif
