/*
 * sql_write.h - a database that is written to: opened without a look at its tables, and what of
 * its tables keeps from writing. Rows are the business of whoever writes. Internal.
 */
#ifndef SQL_WRITE_H
#define SQL_WRITE_H

#include "sql.h"

enum sql_mode {
	SQL_READ,  /* a snapshot is begun */
	SQL_WRITE, /* no transaction is open */
	SQL_CREATE /* likewise; the database file is made if there is none */
};
/* A store on a connection. Also after a failure *out, if not NULL, is to be closed. */
int sql_open_bare(struct sql_store **out, const struct store_name *,
		const struct ckpt_config *, enum sql_mode, struct ckpt_error *);
/* The tables, as they are now in this transaction, must be ones that all is known of; else
 * CKPT_EREFUSED. `what`: "the target", for the message. */
int sql_look(struct sql_store *, const struct ckpt_config *, const char *what);

#endif
