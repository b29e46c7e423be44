/*
 * sql_dialect.c - how each engine tells what tables, columns and schemas it has.
 */
#include "sql_dialect.h"

/* clang-format off: SQL reads best as it is broken here */

const struct sql_dialect sqlite_dialect = {
	.engine = "sqlite",
	/* a virtual table has no pages of its own: somebody's code would answer */
	.relation = "SELECT CASE WHEN type = 'table' AND rootpage > 0 THEN 'table' ELSE "
		    "'view' END "
		    "FROM sqlite_master WHERE name = $1 AND type IN ('table', 'view')",
	.columns = "PRAGMA table_info(%s)",
	.column_at = 1,
	.tables = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') "
		  "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
	.by_bytes = "",
	.encoding = "PRAGMA encoding",
	.row = "rowid",
	.as_stored = " NOT INDEXED",
	.pages = { "PRAGMA page_count", "PRAGMA freelist_count", "PRAGMA page_size",
			"PRAGMA database_list" },
};

const struct sql_dialect postgres_dialect = {
	.engine = "postgresql",
	/* all at once, as each look costs a way to the server and back; and few joins, as the
	   server would think about them longer than it takes to look */
	.catalog = "SELECT n.nspname, c.relname, c.relkind IN ('r', 'p'), "
		   "(SELECT string_agg(replace(a.attname, ' ', chr(9)) || ':' || "
		   "(SELECT typname FROM pg_catalog.pg_type WHERE oid = a.atttypid), "
		   "' ' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a "
		   "WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) "
		   "FROM pg_catalog.pg_class c "
		   "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
		   "WHERE c.relname = ANY (string_to_array($1, ' ')::name[]) "
		   "AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname = ANY (CASE "
		   "WHEN $2::text IS NULL THEN pg_catalog.current_schemas(false) "
		   "ELSE ARRAY[$2::name] END) ORDER BY "
		   "array_position(pg_catalog.current_schemas(false), n.nspname), 1",
	.tables = "SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c "
		  "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
		  "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' "
		  "AND n.nspname <> 'information_schema' ORDER BY 1",
	.schema = "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname = $1",
	.elsewhere = "SELECT DISTINCT n.nspname FROM pg_catalog.pg_class c "
		     "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
		     "WHERE c.relname = $1 AND c.relkind IN ('r', 'p') ORDER BY 1",
	.text_keys = true,
	.sizes_unpack = true,
	.by_bytes = " COLLATE \"C\"",
	.as_stored = "",
	/* what is dead is counted in rows, by the statistics: rows of a table are taken to be
	   of one size, TOAST's for themselves; without statistics nothing is known */
	.space = "WITH RECURSIVE r(oid) AS (SELECT oid FROM pg_catalog.pg_class WHERE "
		 "oid IN "
		 "(to_regclass($1), to_regclass($2), to_regclass($3), to_regclass($4)) "
		 "UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN r ON "
		 "i.inhparent = r.oid), "
		 "t(oid) AS (SELECT oid FROM r UNION SELECT reltoastrelid FROM r JOIN "
		 "pg_catalog.pg_class c USING (oid) WHERE reltoastrelid <> 0) "
		 "SELECT (SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM "
		 "r)::int8, "
		 "(SELECT sum(pg_relation_size(oid)::numeric * n_dead_tup / "
		 "greatest(n_live_tup + n_dead_tup, 1)) FROM t "
		 "JOIN pg_catalog.pg_stat_all_tables s ON s.relid = t.oid)::int8",
};
