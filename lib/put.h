/*
 * put.h - rows into the tables of LangGraph's savers, and those tables made where there are none.
 *
 * On PostgreSQL the rows of a batch are kept, encoded, and go in by COPY when the batch ends; on
 * SQLite each is inserted at once. Either way nothing counts before the transaction does.
 */
#ifndef PUT_H
#define PUT_H

#include "convert.h"
#include "sql.h"

enum put_table { PUT_CHECKPOINTS, PUT_WRITES, PUT_BLOBS, PUT_TABLES };

struct put;
/* Into a store on a writing connection; it must outlive this. */
int put_open(struct put **out, struct sql_store *);
void put_close(struct put *);
int put_checkpoint(struct put *, const struct ckpt_key *, struct ckpt_view parent,
		const struct convert_out *);
int put_write(struct put *, const struct ckpt_key *, const struct ckpt_write *);
int put_blob(struct put *, const struct ckpt_key *, const struct convert_blob *);
/* Bytes that wait for the end of the batch. */
size_t put_waiting(const struct put *);
/* Send what waits. Before the commit, and before anything else is asked of the connection. */
int put_flush(struct put *);

/* Make the tables, indexes and migration rows as the newest saver does. */
int put_create(struct conn *, const struct sql_dialect *, const char *schema, bool js);

#endif
