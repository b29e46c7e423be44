/*
 * sql_catalog.h - what tables and columns a database has, before it is known what they mean.
 */
#ifndef SQL_CATALOG_H
#define SQL_CATALOG_H

#include "sql.h"

struct columns { /* the column names of one table, space-separated, framed */
	struct ckpt_buf names;
	bool is_table, is_view;
};

struct relation { /* one of those an engine tells of all at once */
	struct relation *next;
	const char *schema, *name, *columns; /* as in `columns` */
	bool is_table;
};

bool columns_have(const struct columns *, const char *name, size_t n);
bool columns_have_all(const struct columns *, const char *required);
/* Walk a space-separated list; `*at` moves on. */
bool next_word(const char **at, const char **word, size_t *n);

/* All that layouts may want, of one schema or (NULL) of the search path, in its order. */
int catalog_read(struct relation **out, struct sql_store *, const char *schema);
/* The columns of a table of the store's schema; none if it is not there. */
int columns_of(struct sql_store *, const struct relation *catalog, const char *table,
		struct columns *out);

#endif
