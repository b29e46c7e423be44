/*
 * receipt.c - rows of each table, as text, porcelain and JSON.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "receipt.h"

int receipt_begin(struct cli *cli, const char *command)
{
	return out_begin(cli, command, command, NULL, false);
}

void receipt_count(struct ckpt_buf *to, int64_t n, const char *noun)
{
	ckpt_buf_addf(to, "%" PRId64 " %s%s", n, noun, n == 1 ? "" : "s");
}

void receipt_text(struct ckpt_buf *to, const struct ckpt_receipt *r)
{
	receipt_count(to, r->checkpoints, "checkpoint");
	ckpt_buf_puts(to, ", ");
	receipt_count(to, r->writes, "write");
	ckpt_buf_puts(to, ", ");
	receipt_count(to, r->blobs, "blob");
}

const char *receipt_store(const struct cli *cli)
{
	return cli->g.store ? cli->g.store : getenv("CKPT_STORE");
}

static void put_row(struct cli *cli, const char *table, int64_t rows)
{
	char digits[24];
	struct ckpt_view cells[2] = { ckpt_view_of(table) };

	snprintf(digits, sizeof(digits), "%" PRId64, rows);
	cells[1] = ckpt_view_of(digits);
	out_porcelain(cli, cells, 2);
}

int receipt_put(struct cli *cli, const struct ckpt_receipt *r, const char *members,
		const char *line)
{
	struct ckpt_buf all = { 0 };
	int rc;

	if (out_form_of(cli) == FORM_PORCELAIN) {
		put_row(cli, "checkpoints", r->checkpoints);
		put_row(cli, "writes", r->writes);
		put_row(cli, "blobs", r->blobs);
	}
	ckpt_buf_addf(&all,
			"\"checkpoints\":%" PRId64 ",\"writes\":%" PRId64
			",\"blobs\":%" PRId64 "%s",
			r->checkpoints, r->writes, r->blobs, members);
	rc = all.failed ? ckpt_fail(&cli->err, CKPT_ENOMEM, "out of memory")
	                : out_summary(cli, all.p, line);
	ckpt_buf_free(&all);
	return rc;
}
