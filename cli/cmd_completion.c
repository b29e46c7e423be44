/*
 * cmd_completion.c - `ckpt completion SHELL`: the script that teaches a shell our words.
 */
#include "frame.h"

static int completion(struct cli *cli)
{
	struct ckpt_buf text = { 0 };
	int rc = doc_completion(&text, cli->args[0]);

	if (rc < 0) {
		cli_usage(cli, "no completion for '%s'", cli->args[0]);
		ckpt_hint(&cli->err, "shells: bash, zsh, fish");
	} else if (text.failed) {
		rc = ckpt_fail(&cli->err, CKPT_ENOMEM, "out of memory");
	} else {
		out_put(cli, ckpt_buf_view(&text));
	}
	ckpt_buf_free(&text);
	return rc;
}

const struct cmd cmd_completion = { .name = "completion",
	.args = "bash|zsh|fish",
	.min_args = 1,
	.max_args = 1,
	.summary = "print the completion script of a shell",
	.examples = "  ckpt completion bash    print it; to load it: eval \"$(ckpt "
		    "completion bash)\"\n",
	.run = completion };
