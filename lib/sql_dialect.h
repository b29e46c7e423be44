/*
 * sql_dialect.h - where engines differ in describing themselves, and only that.
 */
#ifndef SQL_DIALECT_H
#define SQL_DIALECT_H

#include "base.h"

struct sql_dialect {
	const char *engine;
	/* Relations of $1, names with spaces between them, in schema $2 or all of the search path,
	   in its order: rows (schema, name, is a real table, its columns as name:type …). */
	const char *catalog;
	/* Where that is NULL: is there a relation $1? One row: 'table' for a real one, else 'view'.
	   And its columns, %s is its name. */
	const char *relation, *columns;
	size_t column_at;      /* which of the row is the column's name */
	const char *tables;    /* names of all tables, for a message */
	const char *schema;    /* one row if there is a schema $1; or NULL */
	const char *elsewhere; /* schemas that hold a table $1, for a hint; or NULL */
	bool text_keys;        /* no key can be of another type */
	bool sizes_unpack;     /* the length of a row's value costs unpacking it */
	const char *by_bytes; /* makes an order one of bytes, "" where it always is … */
	const char *encoding; /* … if this says UTF-8; or NULL */
	const char *row; /* column that tells where a row lies, in every index; or NULL */
	const char *as_stored; /* behind a table: no index, its rows as they lie */
	/* One row: bytes of the tables $1 to $4 with all that is theirs, of which reclaimable. */
	const char *space;
	/* Where that is NULL: pages, free ones, bytes of one, and rows (number, name, file). */
	const char *pages[4];
};

extern const struct sql_dialect sqlite_dialect, postgres_dialect;

#endif
