/*
 * layout.h - a system's tables as data: which there must be, what its columns mean. No code.
 *
 * A scan selects a prefix of `checkpoints.cols` as long as its depth asks; a column may be given
 * as {name|default}: the default stands in where the table has no such column.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include "base.h"

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

struct layout_table {
	const char *name;
	const char *required;   /* names the layout needs, space-separated */
	const char *optional;   /* names it knows; others are read around, with a note */
	bool may_lack;          /* the table itself: absent counts as empty */
};

struct layout {
	const char *name, *engine;
	struct layout_table checkpoints, writes;
	const char *key[3];                             /* thread, ns, id: for bounds and order */
	const char *cols[CHECKPOINT_COLS];
	const char *write_key[3];
	const char *write_cols[WRITE_COLS];
};

extern const struct layout *const layouts[];            /* NULL-terminated */
extern const struct layout layout_langgraph_sqlite;

#endif
