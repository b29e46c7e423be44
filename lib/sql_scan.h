/*
 * sql_scan.h - a scan while it runs, as the files share it that read rows: sql_scan.c
 * checkpoints, sql_rows.c writes and blobs alone, sql_writes.c the writes beside checkpoints.
 */
#ifndef SQL_SCAN_H
#define SQL_SCAN_H

#include "sql.h"

struct sql_scan {
	struct ckpt_scan base;
	struct ckpt_pick pick;
	struct cursor *cur;
	struct arena arena; /* of the current step */
	struct blob_cache *cache;
	struct write_merge *merge; /* NULL: writes are asked for by checkpoint */
	char *sql;
	size_t ncols;
	int64_t given;
	/* HEADS: where the skip scan stands; these outlive the step */
	struct arena keys;
	uint64_t seen, steps; /* of seeking: a namespace by its hash, and how many came */
	struct cell at[2];
	bool started, same_thread;
	bool bare;    /* pick.bare, where it can be had */
	bool located; /* pick.locate, likewise: the last cell of a checkpoint */
	/* row kinds: the one row of the step */
	struct ckpt_write write;
	struct ckpt_value value;
	struct ckpt_buf version;
};

#define SQL_ROW_COLS (3 + (size_t)WRITE_COLS) /* the most cells of any row */

/* The first `n` parts of a key, from the first cells of a row. */
void sql_fill_key(struct sql_scan *, const struct cell *row, size_t n,
		struct ckpt_checkpoint *out);
/* `word`, then equality for each part of the key that is bound; later ones follow an AND. */
void sql_bounds(struct ckpt_buf *, const struct sql_store *, const char *const cols[3],
		const struct ckpt_key *, const char *word);
/* A range of threads; returns the word before a further condition. */
const char *sql_threads(struct ckpt_buf *, const char *thread, const struct ckpt_pick *,
		const char *word);
/* WHERE the row is one that the pick means; returns the word before a further condition. */
const char *sql_within(struct ckpt_buf *, const struct sql_store *,
		const char *const cols[3], const struct ckpt_pick *);
/* The pick's bounds are the statement's arguments. All links of a large store come from a thread
 * that reads ahead: rows of this and another table are merged, and looked into meanwhile. */
int sql_scan_query(
		struct cursor **out, struct sql_scan *, const char *sql, size_t ncells);
/* Rows as they lie: with bounds of threads the index is quicker. */
static inline bool sql_lies(const struct ckpt_pick *p)
{
	return !p->key.thread.p && !p->thread_from.v.p && !p->thread_upto.v.p;
}

/* sql_rows.c: the statement of a row kind, "" if there can be no rows; and one row of it. */
void sql_rows_compose(struct ckpt_buf *, struct sql_scan *);
int sql_rows_fill(struct sql_scan *, const struct cell *row, struct ckpt_checkpoint *out);

/* sql_bare.c: sets `bare` if that is what the pick asks for; the statement, and one row of it. */
void sql_bare_wanted(struct sql_scan *);
void sql_bare_compose(struct ckpt_buf *, struct sql_scan *);
int sql_bare_fill(struct sql_scan *, const struct cell *row, struct ckpt_checkpoint *out);
/* The container and the values it points to. */
int sql_fill_values(
		struct sql_scan *, struct ckpt_view body, struct ckpt_checkpoint *out);

/* sql_writes.c: key and columns of writes, up to their bodies if `bodies`. */
void sql_write_cols(struct ckpt_buf *, const struct sql_store *, bool bodies);
/* One write from a row of these columns; its views are the row's. */
void sql_write_row(struct sql_store *, struct ckpt_write *out, const struct cell *row,
		bool bodies, struct arena *);
/* One cursor for the writes of all checkpoints of a scan; `out` stays NULL where their order
 * cannot be told or few checkpoints are asked for. */
int write_merge_new(struct write_merge **out, struct sql_scan *);
/* The writes of the checkpoint in `row`. */
int write_merge_take(struct write_merge *, struct sql_scan *, const struct cell *row,
		struct ckpt_checkpoint *out);
void write_merge_free(struct write_merge *);

#endif
