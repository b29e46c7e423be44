/*
 * layout.h - a system's tables as data: which there must be, what its columns mean. No code.
 *
 * A scan selects a prefix of `cols` as long as its depth asks. In every text {checkpoints}
 * {writes} {blobs} stand for the tables, with their schema where there is one, and {name|default}
 * for a column of the writes table that may be missing.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include "base.h"

/* clang-format off */
enum checkpoint_col {
	COL_THREAD, COL_NS, COL_ID,
	COL_PARENT, COL_TYPE, COL_SIZE, COL_META_SIZE,  /* LINKS */
	COL_META,                                       /* META */
	COL_BODY,                                       /* VALUES */
	CHECKPOINT_COLS
};
enum write_col {
	WCOL_TASK, WCOL_IDX, WCOL_CHANNEL, WCOL_TYPE, WCOL_PATH, WCOL_SIZE, WCOL_SEQ,
	WCOL_BODY,
	WRITE_COLS
};
enum blob_col {
	BCOL_THREAD, BCOL_NS, BCOL_CHANNEL, BCOL_VERSION, BCOL_TYPE, BCOL_SIZE,
	BCOL_BODY,
	BLOB_COLS
};
/* clang-format on */

struct layout_table {
	const char *name;
	/* Space-separated column names; on PostgreSQL name:type. Others are read around, with a
	   note. */
	const char *required, *optional;
	const char *without; /* a column that only another layout has; NULL: none */
	bool may_lack;       /* the table itself: absent counts as empty */
};

struct layout {
	const char *name, *engine;
	struct layout_table checkpoints, writes,
			blobs; /* blobs.name NULL: values are inline */
	const char *key[3];    /* thread, ns, id: for bounds and order */
	const char *cols[CHECKPOINT_COLS];
	/* Sizes that need no row unpacked, in place of COL_SIZE and COL_META_SIZE. NULL: those do
	   not, either. */
	const char *stored_size, *stored_meta_size;
	const char *write_key[3];
	const char *write_cols[WRITE_COLS];
	const char *blob_cols[BLOB_COLS]; /* where there are blobs */

	/* True of a row w of {writes} whose checkpoint is not there, of one of {blobs} that no
	   checkpoint of its namespace names. */
	const char *stray_writes, *stray_blobs;
	/* Rows (type, container) of a few checkpoints, to tell who wrote them. */
	const char *samples;
	/* Rows (thread, weight), each thread once, in order: a sample of all rows of the store, a
	   row's weight about what it costs to read; $1 {checkpoints}, $2 {blobs} as texts. */
	const char *spread;
	/* Newest id of each namespace in one statement, descending; $1 a thread or NULL, $7 and $8
	   the bounds of threads or NULL. NULL text: by one seek a namespace. */
	const char *heads;
	/* Rows (channel, version, type, body): $1 thread, $2 ns, $3 [{"c":channel,"v":version},…] */
	const char *blob_rows;
	/* Rows (thread, ns, id, channel, version, type, body): each blob once, in the order of the
	   checkpoints that name it first; $1 $2 $7 $8 are bounds or NULL. NULL: no such order. */
	const char *blob_stream;
	/* The same rows, a namespace at a time and in any order within, with an id of ''; and one row:
	   the room the largest of these namespaces takes. For those that are kept whole. */
	const char *blob_sets, *blob_most;
	/* Rows (id, bytes of blobs it was the first to name, bytes of all it names): $1 $2 */
	const char *blob_sizes;
	/* Rows (type, body) of Sends that checkpoint $3's parent left for it: $1 $2 $3 = parent */
	const char *sends;
	const char *migrations; /* table with a column v, if any … */
	int64_t newest;         /* … and the greatest v that is known */
};

extern const struct layout *const layouts[]; /* NULL-terminated */
extern const struct layout layout_langgraph_sqlite;
extern const struct layout layout_langgraph_postgres, layout_shallow;

#endif
