/*
 * cmd_copy.c - `ckpt copy THREAD NEW`: a thread, or its history up to a checkpoint, under another
 * id. It only adds, and does not ask.
 */
#include <inttypes.h>

#include "receipt.h"

struct copy_opts {
	const char *at;
	bool dry_run;
};

/* clang-format off */
static const struct opt opts[] = {
	{ 0, "at", OPT_TEXT, AT(struct copy_opts, at), "ADDRESS",
		"only its history up to this checkpoint", NULL, COMPLETE_CHECKPOINT, false },
	{ 'n', "dry-run", OPT_FLAG, AT(struct copy_opts, dry_run), NULL,
		"only tell what would be copied", NULL, 0, false },
	{ 0, NULL, OPT_END_KIND, 0, NULL, NULL, NULL, 0, false }
};
/* clang-format on */

static int put_answer(struct cli *cli, const struct ckpt_receipt *rows)
{
	const struct copy_opts *o = cli->opts;
	struct ckpt_buf line = { 0 };
	int rc;

	ckpt_buf_puts(&line, o->dry_run ? "would copy " : "copied ");
	receipt_text(&line, rows);
	ckpt_buf_puts(&line, " to thread ");
	text_safe(&line, ckpt_view_of(cli->args[1]), 0);
	rc = line.failed ? ckpt_fail(&cli->err, CKPT_ENOMEM, "out of memory")
	                 : receipt_put(cli, rows,
					   o->dry_run ? ",\"dry_run\":true"
						      : ",\"dry_run\":false",
					   line.p);
	ckpt_buf_free(&line);
	return rc;
}

static struct ckpt_copy_want wanted(const struct cli *cli)
{
	const struct copy_opts *o = cli->opts;

	return (struct ckpt_copy_want){ ckpt_view_of(cli->args[0]),
		ckpt_view_of(cli->args[1]), o->at };
}

static int check(struct cli *cli)
{
	const struct ckpt_copy_want want = wanted(cli);

	return ckpt_copy_check(&want, &cli->err);
}

static int run(struct cli *cli)
{
	const struct copy_opts *o = cli->opts;
	const struct ckpt_copy_want want = wanted(cli);
	struct ckpt_receipt rows = { 0 };
	struct ckpt_config config;
	struct ckpt_copy *copy = NULL;
	int rc = ckpt_copy_plan(&copy, cli->store, &want);

	if (rc == 0)
		rc = receipt_begin(cli, "copy");
	if (rc >= 0 && o->dry_run)
		rc = ckpt_copy_count(copy, &rows);
	else if (rc >= 0)
		rc = cli_store_close(cli);
	if (rc >= 0 && !o->dry_run) {
		cli_config(cli, &config);
		rc = ckpt_copy_run(copy, receipt_store(cli), &config, &rows);
	}
	if (rc >= 0)
		rc = put_answer(cli, &rows);
	else
		out_discard(cli); /* all or nothing */
	ckpt_copy_free(copy);
	return rc;
}

static bool alters(const void *given)
{
	const struct copy_opts *o = given;

	return !o->dry_run;
}

const struct cmd cmd_copy = {
	.name = "copy",
	.args = "THREAD NEW",
	.min_args = 2,
	.max_args = 2,
	.summary = "copy a thread, or its history up to a checkpoint, to a new id",
	.opts = opts,
	.size = sizeof(struct copy_opts),
	.complete = COMPLETE_THREAD,
	.needs_store = true,
	.alters = alters,
	.examples = "  ckpt copy chat-1 chat-1-test --dry-run   how much is "
		    "it?\n",
	.check = check,
	.run = run,
};
