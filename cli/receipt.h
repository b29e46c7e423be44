/*
 * receipt.h - what copy and delete answer: rows of each table, and nothing else.
 */
#ifndef RECEIPT_H
#define RECEIPT_H

#include "cmd.h"

/* Begin the answer; while the store is open, as a document names it. */
int receipt_begin(struct cli *, const char *command);
/* The rows, for pipes; the summary: what else there is to tell, as JSON members that begin with a
 * comma, and the line a person reads. */
int receipt_put(struct cli *, const struct ckpt_receipt *, const char *members,
		const char *line);
/* "12 checkpoints, 3 writes, 1 blob" */
void receipt_text(struct ckpt_buf *to, const struct ckpt_receipt *);
/* "1 thread", "2 threads" */
void receipt_count(struct ckpt_buf *to, int64_t n, const char *noun);
/* The store's name as it was given; NULL: none was. */
const char *receipt_store(const struct cli *);

#endif
