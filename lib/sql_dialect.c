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
};

const struct sql_dialect postgres_dialect = {
	.engine = "postgresql",
	.relation = "SELECT CASE WHEN c.relkind IN ('r', 'p') THEN 'table' ELSE 'view' "
		    "END "
		    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
		    "ON n.oid = c.relnamespace WHERE c.relname = $1 AND n.nspname = $2 "
		    "AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
	.columns = "SELECT a.attname || ':' || t.typname FROM pg_catalog.pg_attribute a "
		   "JOIN pg_catalog.pg_class c ON c.oid = a.attrelid "
		   "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
		   "JOIN pg_catalog.pg_type t ON t.oid = a.atttypid "
		   "WHERE c.relname = $1 AND n.nspname = $2 AND a.attnum > 0 "
		   "AND NOT a.attisdropped ORDER BY a.attnum",
	.tables = "SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c "
		  "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
		  "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' "
		  "AND n.nspname <> 'information_schema' ORDER BY 1",
	.schemas = "SELECT s FROM unnest(pg_catalog.current_schemas(false)) "
		   "WITH ORDINALITY AS u(s, i) ORDER BY i",
	.schema = "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname = $1",
	.elsewhere = "SELECT DISTINCT n.nspname FROM pg_catalog.pg_class c "
		     "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
		     "WHERE c.relname = $1 AND c.relkind IN ('r', 'p') ORDER BY 1",
	.text_keys = true,
	.sizes_unpack = true,
	.by_bytes = " COLLATE \"C\"",
};
