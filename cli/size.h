/*
 * size.h - the border of the files of `ckpt enforce-size`: cmd_enforce_size.c decides,
 * size_report.c tells.
 */
#ifndef CLI_SIZE_H
#define CLI_SIZE_H

#include "deed.h"

struct size_report {
	struct cli *cli;
	const struct ckpt_size_limits *limits;
	const struct ckpt_size *size; /* while planning */
	enum out_form form;
	bool rows;     /* one was written */
	int64_t large; /* checkpoints above the limit that were told of */
	struct ckpt_buf buf, text;
};

int size_report_start(struct size_report *);
/* Callbacks of measuring and planning; `to` is the report. */
int size_report_checkpoint(void *to, const struct ckpt_checkpoint *, int64_t state_bytes);
int size_report_thread(void *to, const struct ckpt_key *, int64_t bytes);
int size_report_space(void *to, const struct ckpt_prune_space *);
/* The rows are through (also after a failure). */
int size_report_sum(struct size_report *, const struct ckpt_size_sum *);
/* `o` NULL: only looked at. */
int size_report_summary(struct size_report *, const struct ckpt_size_sum *,
		const struct outcome *o);
void size_report_free(struct size_report *);

#endif
