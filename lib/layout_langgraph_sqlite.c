/*
 * layout_langgraph_sqlite.c - the tables of LangGraph's SqliteSaver, Python and JavaScript alike.
 *
 * Same DDL since checkpoint-sqlite 1.0.0, but for writes.task_path: 3.1.2 creates it as fifth
 * column and appends it to older files, so columns are always named. Metadata lies behind the
 * payload: reading it walks the payload's overflow pages, length() does not.
 */
#include "layout.h"

/* clang-format off: SQL reads best as it is broken here */

/* octets, also of a value somebody stored as TEXT; length() and typeof() read the header only */
#define OCTETS(col) \
	"CASE typeof(" col ") WHEN 'text' THEN length(CAST(" col " AS BLOB)) " \
	"ELSE length(" col ") END"

const struct layout layout_langgraph_sqlite = {
	.name = "langgraph",
	.engine = "sqlite",
	.checkpoints = {
		.name = "checkpoints",
		.required = "thread_id checkpoint_ns checkpoint_id parent_checkpoint_id type "
			    "checkpoint metadata",
	},
	.writes = {
		.name = "writes",
		.required = "thread_id checkpoint_ns checkpoint_id task_id idx channel type value",
		.optional = "task_path",
		.may_lack = true,
	},
	.key = { "thread_id", "checkpoint_ns", "checkpoint_id" },
	.cols = {
		[COL_THREAD] = "thread_id",
		[COL_NS] = "checkpoint_ns",
		[COL_ID] = "checkpoint_id",
		[COL_PARENT] = "parent_checkpoint_id",
		[COL_TYPE] = "type",
		[COL_SIZE] = OCTETS("checkpoint"),
		[COL_META_SIZE] = OCTETS("metadata"),
		[COL_META] = "metadata",
		[COL_BODY] = "checkpoint",
	},
	.write_key = { "thread_id", "checkpoint_ns", "checkpoint_id" },
	.write_cols = {
		[WCOL_TASK] = "task_id",
		[WCOL_IDX] = "idx",
		[WCOL_CHANNEL] = "channel",
		[WCOL_TYPE] = "type",
		[WCOL_PATH] = "{task_path|''}",
		[WCOL_SIZE] = OCTETS("value"),
		[WCOL_SEQ] = "rowid",
		[WCOL_BODY] = "value",
	},
	.stray_writes = "NOT EXISTS (SELECT 1 FROM {checkpoints} AS c WHERE "
			"c.thread_id = w.thread_id AND c.checkpoint_ns = w.checkpoint_ns "
			"AND c.checkpoint_id = w.checkpoint_id)",
	/* evenly spread over the rowids; both ends in one SELECT would be looked for in all rows */
	.samples = "WITH span AS (SELECT (SELECT min(rowid) FROM {checkpoints}) AS a, "
		   "(SELECT max(rowid) FROM {checkpoints}) AS z), "
		   "step(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM step WHERE i < 6) "
		   "SELECT type, CASE WHEN type = 'json' OR type IS NULL THEN checkpoint END "
		   "FROM step, span JOIN {checkpoints} AS c ON c.rowid = (SELECT rowid FROM "
		   "{checkpoints} WHERE rowid >= span.a + (span.z - span.a) * step.i / 6 LIMIT 1)",
	.spread = "WITH span AS (SELECT (SELECT min(rowid) FROM {checkpoints}) AS a, "
		  "(SELECT max(rowid) FROM {checkpoints}) AS z), "
		  "step(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM step WHERE i < 499) "
		  /* the limit keeps the grouping from taking containers along */
		  "SELECT t, sum(w) FROM (SELECT thread_id AS t, 500 + "
		  "coalesce(length(checkpoint), 0) AS w FROM step, span "
		  "JOIN {checkpoints} AS c ON c.rowid = (SELECT rowid FROM {checkpoints} WHERE "
		  "rowid >= span.a + (span.z - span.a + 1) * step.i / 500 LIMIT 1) LIMIT 500) "
		  "GROUP BY 1 ORDER BY 1",
};
