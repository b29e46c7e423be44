/*
 * postgres.h - names of PostgreSQL stores. What a name leads to is the driver's business.
 */
#ifndef POSTGRES_H
#define POSTGRES_H

#include "driver.h"

/* What libpq understands, from a store's name: a URI loses its scheme's driver suffix, all else
 * passes whole. The caller frees it; NULL and an error when there is no memory. */
char *postgres_conninfo(const char *name, struct ckpt_error *);
/* Does it begin as a connection string does: a parameter of libpq's, then '='? */
bool postgres_is_conninfo(const char *name);
/* The name as it may be shown: each password in it is ***. The caller frees it; NULL: no memory. */
char *postgres_masked(const char *name);

#endif
