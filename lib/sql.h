/*
 * sql.h - the SQL backend: sql.c opens and describes, sql_layout.c finds the tables in what
 * sql_catalog.c says there is, sql_scan.c reads rows, sql_writes.c their pending writes,
 * sql_blobs.c values kept apart, sql_rows.c writes and blobs for themselves, sql_bare.c only what
 * takes room, sql_space.c sizes, sql_split.c where to cut the store in ranges of threads.
 */
#ifndef SQL_H
#define SQL_H

#include "backend.h"
#include "codec.h"
#include "driver.h"
#include "layout.h"
#include "row.h"
#include "sql_dialect.h"

struct sql_store {
	struct ckpt_store base;
	struct conn *conn;
	const struct sql_dialect *dialect;
	const struct layout *layout;
	bool has_writes, has_blobs;
	struct arena arena; /* names and texts, as long as the store */
	const char *schema; /* NULL where the engine has none */
	const char *checkpoints, *writes, *blobs; /* the tables, ready for SQL */
	const char *migrations;                   /* which there may be; or NULL */
	const char *cols[CHECKPOINT_COLS];
	const char *write_cols[WRITE_COLS];
	const char *blob_cols[BLOB_COLS];
	const char *stray_writes, *stray_blobs;
	const char *samples, *spread, *heads, *blob_rows, *blob_stream, *blob_sets,
			*blob_most, *blob_sizes, *sends; /* or NULL */
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

/* Find schema and layout; resolve every text of the layout for this store. */
int sql_detect(struct sql_store *, const struct ckpt_config *);

/* struct backend's drift. */
int sql_drift(struct ckpt_store *, int (*tell)(void *arg, const char *what), void *arg);

int sql_scan(struct ckpt_scan **out, struct ckpt_store *, const struct ckpt_pick *);
int sql_scan_next(struct ckpt_scan *, struct ckpt_checkpoint *out);
void sql_scan_done(struct ckpt_scan *);
int sql_space(struct ckpt_store *, struct ckpt_space *out);
int sql_split(struct ckpt_bound *out, struct ckpt_store *, size_t n);

/* Equality with a key part, kept as TEXT or as BLOB; and the three parts of a key. */
static inline struct cell sql_key_cell(struct ckpt_view v, bool blob)
{
	return (struct cell){ .kind = !v.p   ? CELL_NULL
		                      : blob ? CELL_BLOB
		                             : CELL_TEXT,
		.v = v };
}

static inline void sql_key_cells(struct cell out[static 3], const struct ckpt_key *k)
{
	out[0] = sql_key_cell(k->thread, k->blob & CKPT_BLOB_THREAD);
	out[1] = sql_key_cell(k->ns, k->blob & CKPT_BLOB_NS);
	out[2] = sql_key_cell(k->id, k->blob & CKPT_BLOB_ID);
}

/* The arguments $1 to $8 of a scan: key, limit, bounds of the id, bounds of the thread. */
#define SQL_ARGS 8
void sql_args(struct cell out[static SQL_ARGS], const struct ckpt_pick *);

/* A cell as bytes; a number where a text should be, as its digits. */
struct ckpt_view sql_text(struct arena *, const struct cell *, struct ckpt_error *);

/* What is unusual about how SQLite keeps a row of checkpoints; a server's columns have a type. */
unsigned sql_row_form(const struct cell *row, enum ckpt_depth);

/* A row kept under AES: opened where there is a key; type and body become what was inside. */
int sql_open_row(struct sql_store *, struct ckpt_view *type, enum ckpt_lock *lock,
		struct ckpt_view *body, struct arena *);

/* Pending writes of one checkpoint, in the library's order, with their bodies if `bodies`. */
int sql_writes(struct sql_store *, struct ckpt_checkpoint *, bool bodies, struct arena *);

/* ---- values kept apart (sql_blobs.c) ---- */
struct blob_cache; /* of one thread and namespace: blobs are shared by many checkpoints */
struct blob_cache *blob_cache_new(void);
/* The scan goes on by ascending id: let the blobs come by in that order. */
int blob_cache_follow(
		struct blob_cache *, struct sql_store *, const struct ckpt_pick *bounds);
void blob_cache_free(struct blob_cache *);
/* Give the channels of a split checkpoint their blobs; bodies live until the next call. */
int sql_blobs(struct sql_store *, struct blob_cache *, struct ckpt_checkpoint *,
		struct arena *);
/* out->blobs_new and out->blobs_all, from one query a namespace. */
int sql_blob_sizes(struct sql_store *, struct blob_cache *, struct ckpt_checkpoint *);
/* The Sends a checkpoint before v 4 finds among its parent's writes, as a channel. */
int sql_sends(struct sql_store *, struct ckpt_checkpoint *, struct arena *);

#endif
