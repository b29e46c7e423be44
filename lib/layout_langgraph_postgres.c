/*
 * layout_langgraph_postgres.c - the tables of LangGraph's PostgresSaver, Python (every release)
 * and JavaScript, and of Python's ShallowPostgresSaver.
 *
 * Values that are not plain JSON lie in checkpoint_blobs under (channel, version), shared by all
 * checkpoints that name that version; since checkpoint-postgres 2.0.23 Python keeps plain ones in
 * the checkpoint itself, where a blob of the same version outranks them. The number in
 * checkpoint_migrations meant different things over time, so columns are looked at, never it.
 */
#include "layout.h"

/* clang-format off: SQL reads best as it is broken here */

#define CONTAINERS \
	"SELECT NULL::text, jsonb_build_object('ts', checkpoint -> 'ts', " \
	"'channel_versions', checkpoint -> 'channel_versions') FROM {checkpoints} "
#define SAMPLES(id) \
	"(" CONTAINERS "ORDER BY thread_id, checkpoint_ns" id " LIMIT 3) UNION ALL " \
	"(" CONTAINERS "ORDER BY thread_id DESC, checkpoint_ns DESC" id " LIMIT 3)"

#define ROW_COLUMNS \
	[COL_TYPE] = "type", [COL_SIZE] = "octet_length(checkpoint::text)", \
	[COL_META_SIZE] = "octet_length(metadata::text)", [COL_META] = "metadata", \
	[COL_BODY] = "checkpoint"
#define STORED_SIZES \
	.stored_size = "pg_column_size(checkpoint)", \
	.stored_meta_size = "pg_column_size(metadata)"

#define WRITES_TABLE \
	{ \
		.name = "checkpoint_writes", \
		.required = "thread_id:text checkpoint_ns:text checkpoint_id:text " \
			    "task_id:text idx:int4 " \
			    "channel:text type:text blob:bytea", \
		.optional = "task_path:text", .may_lack = true, \
	}
/* Older transactions first, in each its rows as they lie: the order in which they were written, until
 * a row is updated, which moves it to the end. */
#define WRITTEN \
	"age(xmin)::int8 * -4294967296 + ((ctid::text::point * point '(2048,-1)')[0]" \
	"::int8 & 4294967295)" /* block * 2048 + item, its text read once */
#define WRITE_COLUMNS \
	{ \
		[WCOL_TASK] = "task_id", [WCOL_IDX] = "idx", [WCOL_CHANNEL] = "channel", \
		[WCOL_TYPE] = "type", [WCOL_PATH] = "{task_path|''::text}", \
		[WCOL_SIZE] = "octet_length(blob)", [WCOL_SEQ] = WRITTEN, \
		[WCOL_BODY] = "blob", \
	}
#define STRAY_WRITES(id) \
	"NOT EXISTS (SELECT 1 FROM {checkpoints} c WHERE c.thread_id = w.thread_id " \
	"AND c.checkpoint_ns = w.checkpoint_ns AND " id " = w.checkpoint_id)"
#define RANGE \
	"($7::text IS NULL OR thread_id >= $7) AND ($8::text IS NULL OR thread_id < $8)"
/* A container may hold anything; all versions as text, as blobs have them. EXCEPT never becomes a
 * look into containers for each blob, as NOT EXISTS does on tables that were not analysed yet. */
#define WITHIN \
	"WHERE ($1::text IS NULL OR thread_id = $1::text) " \
	"AND ($2::text IS NULL OR checkpoint_ns = $2::text) AND " RANGE " "
#define STRAY_BLOBS(version, value) \
	"(w.thread_id, w.checkpoint_ns, w.channel" version ") IN (SELECT w.thread_id, " \
	"w.checkpoint_ns, w.channel" version " FROM {blobs} w " WITHIN "EXCEPT SELECT " \
	"thread_id, checkpoint_ns, key" value \
	" FROM {checkpoints}, jsonb_each_text(CASE " \
	"jsonb_typeof(checkpoint -> 'channel_versions') WHEN 'object' THEN checkpoint " \
	"-> " \
	"'channel_versions' ELSE '{}' END) " WITHIN ")"
#define BLOB_COLUMNS(version) \
	{ \
		[BCOL_THREAD] = "thread_id", [BCOL_NS] = "checkpoint_ns", \
		[BCOL_CHANNEL] = "channel", [BCOL_VERSION] = version, \
		[BCOL_TYPE] = "type", [BCOL_SIZE] = "octet_length(blob)", \
		[BCOL_BODY] = "blob", \
	}
/* Some 200 pages of each table, each row as much as what it stands for takes on disk. */
#define TIMES(name) \
	"greatest(1, coalesce(pg_relation_size(to_regclass(" name ")), 0) / 1600000.0)"
#define SAMPLE_OF(table, name, col) \
	"SELECT thread_id AS t, (200 + coalesce(pg_column_size(" col \
	"), 0)) * " TIMES(name) " AS w FROM " table \
				" TABLESAMPLE SYSTEM (100 / " TIMES(name) ")"
#define SPREAD \
	"SELECT t, sum(w)::int8 FROM (" SAMPLE_OF("{checkpoints}", "$1::text", \
			"checkpoint") " UNION ALL " SAMPLE_OF("{blobs}", "$2::text", \
			"blob") ") AS s GROUP BY 1 ORDER BY 1"
#define SENDS \
	"SELECT type, blob FROM {writes} WHERE thread_id = $1 AND checkpoint_id = $3 " \
	"AND channel = '__pregel_tasks' ORDER BY {task_path|''::text} COLLATE \"C\", " \
	"task_id COLLATE \"C\", idx"

const struct layout layout_langgraph_postgres = {
	.name = "langgraph",
	.engine = "postgresql",
	.checkpoints = {
		.name = "checkpoints",
		.required = "thread_id:text checkpoint_ns:text checkpoint_id:text "
			    "parent_checkpoint_id:text type:text checkpoint:jsonb metadata:jsonb",
	},
	.writes = WRITES_TABLE,
	.blobs = {
		.name = "checkpoint_blobs",
		.required = "thread_id:text checkpoint_ns:text channel:text version:text type:text "
			    "blob:bytea",
		.may_lack = true,
	},
	.key = { "thread_id", "checkpoint_ns", "checkpoint_id" },
	.cols = {
		[COL_THREAD] = "thread_id",
		[COL_NS] = "checkpoint_ns",
		[COL_ID] = "checkpoint_id",
		[COL_PARENT] = "parent_checkpoint_id",
		ROW_COLUMNS,
	},
	STORED_SIZES,
	.write_key = { "thread_id", "checkpoint_ns", "checkpoint_id" },
	.write_cols = WRITE_COLUMNS,
	.blob_cols = BLOB_COLUMNS("version"),
	.stray_writes = STRAY_WRITES("c.checkpoint_id"),
	.stray_blobs = STRAY_BLOBS(", w.version", ", value"),
	.samples = SAMPLES(", checkpoint_id"),
	.spread = SPREAD,
	.heads = "WITH RECURSIVE h(t, n, i) AS ("
		 "(SELECT thread_id, checkpoint_ns, checkpoint_id FROM {checkpoints} "
		 "WHERE ($1::text IS NULL OR thread_id = $1) AND " RANGE
		 " ORDER BY thread_id DESC, "
		 "checkpoint_ns DESC, checkpoint_id DESC LIMIT 1) UNION ALL "
		 "SELECT c.* FROM h, LATERAL (SELECT thread_id, checkpoint_ns, checkpoint_id "
		 "FROM {checkpoints} WHERE (thread_id, checkpoint_ns) < (h.t, h.n) "
		 "AND ($1::text IS NULL OR thread_id = $1) AND " RANGE
		 " ORDER BY thread_id DESC, "
		 "checkpoint_ns DESC, checkpoint_id DESC LIMIT 1) c) SELECT t, n, i FROM h",
	.blob_rows = "SELECT b.channel, b.version, b.type, b.blob "
		     "FROM jsonb_to_recordset($3::jsonb) AS w(c text, v text) JOIN {blobs} b "
		     "ON b.thread_id = $1 AND b.checkpoint_ns = $2 AND b.channel = w.c "
		     "AND b.version = w.v",
	.blob_stream = "SELECT f.thread_id, f.checkpoint_ns, f.i, b.channel, b.version, b.type, "
		       "b.blob FROM (SELECT thread_id, checkpoint_ns, e.key, e.value, "
		       "min(checkpoint_id COLLATE \"C\") AS i FROM {checkpoints}, jsonb_each_text("
		       "CASE jsonb_typeof(checkpoint -> 'channel_versions') WHEN 'object' THEN "
		       "checkpoint -> 'channel_versions' ELSE '{}' END) AS e "
		       "WHERE ($1::text IS NULL OR thread_id = $1) "
		       "AND ($2::text IS NULL OR checkpoint_ns = $2) AND " RANGE
		       " GROUP BY 1, 2, 3, 4) AS f "
		       "JOIN {blobs} b ON b.thread_id = f.thread_id "
		       "AND b.checkpoint_ns = f.checkpoint_ns AND b.channel = f.key "
		       "AND b.version = f.value ORDER BY f.thread_id COLLATE \"C\", "
		       "f.checkpoint_ns COLLATE \"C\", f.i COLLATE \"C\"",
	.blob_sets = "SELECT thread_id, checkpoint_ns, ''::text, channel, version, type, blob "
		     "FROM {blobs} " WITHIN "ORDER BY thread_id COLLATE \"C\", "
		     "checkpoint_ns COLLATE \"C\"",
	.blob_most = "SELECT (sum(octet_length(blob)) + count(*) * 1024)::int8 AS most FROM {blobs} "
		     WITHIN "GROUP BY thread_id, checkpoint_ns ORDER BY most DESC LIMIT 1",
	.blob_sizes = "WITH named AS (SELECT checkpoint_id AS id, v.key AS c, v.value AS v "
		      "FROM {checkpoints}, jsonb_each_text(CASE jsonb_typeof(checkpoint -> "
		      "'channel_versions') WHEN 'object' THEN checkpoint -> 'channel_versions' "
		      "ELSE '{}' END) AS v WHERE thread_id = $1 AND checkpoint_ns = $2), "
		      "first AS (SELECT n.*, n.id COLLATE \"C\" = min(n.id COLLATE \"C\") "
		      "OVER (PARTITION BY n.c, n.v) AS is_first FROM named n) "
		      "SELECT f.id, coalesce(sum(octet_length(b.blob)) FILTER (WHERE f.is_first), "
		      "0)::int8, coalesce(sum(octet_length(b.blob)), 0)::int8 FROM first f "
		      "JOIN {blobs} b ON b.thread_id = $1 AND b.checkpoint_ns = $2 "
		      "AND b.channel = f.c AND b.version = f.v "
		      "GROUP BY f.id ORDER BY f.id COLLATE \"C\"",
	.sends = SENDS,
	.migrations = "checkpoint_migrations",
	.newest = 9,
};

const struct layout layout_shallow = {
	.name = "langgraph-shallow",
	.engine = "postgresql",
	.checkpoints = {
		.name = "checkpoints",
		.required = "thread_id:text checkpoint_ns:text type:text checkpoint:jsonb "
			    "metadata:jsonb",
		.without = "checkpoint_id",
	},
	.writes = WRITES_TABLE,
	.blobs = {
		.name = "checkpoint_blobs",
		.required = "thread_id:text checkpoint_ns:text channel:text type:text blob:bytea",
		.may_lack = true,
	},
	.key = { "thread_id", "checkpoint_ns", "(checkpoint ->> 'id')" },
	.cols = {
		[COL_THREAD] = "thread_id",
		[COL_NS] = "checkpoint_ns",
		[COL_ID] = "checkpoint ->> 'id'",
		[COL_PARENT] = "NULL::text",
		ROW_COLUMNS,
	},
	STORED_SIZES,
	.write_key = { "thread_id", "checkpoint_ns", "checkpoint_id" },
	.write_cols = WRITE_COLUMNS,
	.blob_cols = BLOB_COLUMNS("NULL::text"),
	.stray_writes = STRAY_WRITES("c.checkpoint ->> 'id'"),
	.stray_blobs = STRAY_BLOBS("", ""),
	.samples = SAMPLES(""),
	.spread = SPREAD,
	.blob_rows = "SELECT b.channel, w.v, b.type, b.blob "
		     "FROM jsonb_to_recordset($3::jsonb) AS w(c text, v text) JOIN {blobs} b "
		     "ON b.thread_id = $1 AND b.checkpoint_ns = $2 AND b.channel = w.c",
	.blob_sizes = "SELECT c.checkpoint ->> 'id', coalesce(sum(octet_length(b.blob)), 0)::int8, "
		      "coalesce(sum(octet_length(b.blob)), 0)::int8 FROM {checkpoints} c "
		      "JOIN {blobs} b ON b.thread_id = c.thread_id "
		      "AND b.checkpoint_ns = c.checkpoint_ns "
		      "AND (c.checkpoint -> 'channel_versions') ? b.channel "
		      "WHERE c.thread_id = $1 AND c.checkpoint_ns = $2 GROUP BY 1",
	.migrations = "checkpoint_migrations",
	.newest = 7,
};
