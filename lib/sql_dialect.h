/*
 * sql_dialect.h - where engines differ in describing themselves, and only that.
 */
#ifndef SQL_DIALECT_H
#define SQL_DIALECT_H

#include "base.h"

struct sql_dialect {
	const char *engine;
	/* Is there a relation $1 (in schema $2)? One row: 'table' for a real one, else 'view'. */
	const char *relation;
	/* Columns of table $1 in schema $2, %s is its name: `column_at` holds name or name:type. */
	const char *columns;
	size_t column_at;
	const char *tables;    /* names of all tables, for a message */
	const char *schemas;   /* in search order; NULL: there are none */
	const char *schema;    /* one row if there is a schema $1; or NULL */
	const char *elsewhere; /* schemas that hold a table $1, for a hint; or NULL */
	bool text_keys;        /* no key can be of another type */
	bool sizes_unpack;     /* the length of a row's value costs unpacking it */
	const char *by_bytes;  /* makes an order one of bytes, "" where it always is */
};

extern const struct sql_dialect sqlite_dialect, postgres_dialect;

#endif
