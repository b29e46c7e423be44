/*
 * prune.h - the options of `ckpt prune`, and the border of its files: cmd_prune.c decides,
 * prune_report.c tells.
 */
#ifndef CLI_PRUNE_H
#define CLI_PRUNE_H

#include <stdio.h>

#include "deed.h"
#include "policy.h"

struct prune_opts {
	struct rule_opts rules;
	struct select_opts select;
	struct guard_opts guards;
	struct deed_opts deed;
	const char *max_delete, *expect;
	int64_t idle, as_of;
	int strategy, progress;
	bool delete_threads, orphans, dry_run, list, yes;
};

struct report {
	struct cli *cli;
	const struct prune_opts *o;
	const struct ckpt_policy *policy;
	enum out_form form;
	FILE *later; /* JSON: rows of checkpoints, which come behind those of threads */
	bool rows;   /* one was written */
	struct ckpt_buf buf, text;
};

int report_start(struct report *);
int report_space(void *to, const struct ckpt_prune_space *);
int report_item(void *to, const struct ckpt_prune_item *);
/* The rows are through (also after a failure): what is known of the plan. */
int report_plan(struct report *, const struct ckpt_prune_sum *);
/* How to run what was only looked at. */
void report_hint(struct report *, const struct ckpt_prune_sum *);
int report_summary(struct report *, const struct outcome *);
void report_free(struct report *);

#endif
