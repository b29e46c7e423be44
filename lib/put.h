/*
 * put.h - rows into the tables of LangGraph's savers, and those tables made where there are none.
 *
 * The rows of a batch are kept, encoded, and go in when the batch ends: by COPY on PostgreSQL, one
 * by one on SQLite. Nothing counts before the transaction does.
 */
#ifndef PUT_H
#define PUT_H

#include "convert.h"
#include "sql.h"

enum put_mode {
	PUT_NEW,     /* nothing is there under its key */
	PUT_CAREFUL, /* what is there stays */
	PUT_OVER     /* of blobs: what is there and differs is replaced */
};
enum put_table { PUT_CHECKPOINTS, PUT_WRITES, PUT_BLOBS, PUT_TABLES };

struct put;
/* Into a store on a writing connection; it must outlive this. What goes wrong with rows is told to
 * `err`, what with the connection to the store's error. */
int put_open(struct put **out, struct sql_store *, struct ckpt_error *err);
void put_close(struct put *);
bool put_has_path(const struct sql_store *); /* writes have a column task_path */
/* `careful`: a row whose key is there already is left out. */
int put_checkpoint(struct put *, const struct ckpt_checkpoint *,
		const struct convert_out *, bool careful);
int put_write(struct put *, const struct ckpt_key *, const struct ckpt_write *,
		bool careful);
int put_blob(struct put *, const struct ckpt_key *, const struct convert_blob *,
		enum put_mode);
/* Bytes and rows of the batch so far. */
size_t put_bytes(const struct put *);
size_t put_rows(const struct put *);
/* Send what waits, before the commit: how many rows of each table were new. */
int put_flush(struct put *, int64_t added[static PUT_TABLES]);

void put_quoted(struct ckpt_buf *, const char *name); /* as an identifier */
/* One statement, in which @ is the schema and its dot, or (NULL) nothing. */
int put_statement(struct conn *, const char *text, const char *schema);
/* Make the tables, indexes and migration rows as the newest saver does. */
int put_create(struct conn *, const struct sql_dialect *, const char *schema, bool js);

#endif
