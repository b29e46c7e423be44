/*
 * doc.c - hidden `ckpt doc man COMMAND|commands|bash|zsh|fish`: the tables of options and commands
 * in other clothes.
 *
 * What it prints is committed (man/, completions/) and compared with the tables by the tests.
 */
#include <ctype.h>
#include <string.h>

#include "frame.h"

/* ASCII only: not every man is told that its pages are UTF-8. */
static void put_man(struct ckpt_buf *to, const char *s)
{
	for (; *s; s++) {
		if (strncmp(s, "…", 3) == 0) {
			ckpt_buf_puts(to, "...");
			s += 2;
		} else if (*s == '-') {
			ckpt_buf_puts(to, "\\-");
		} else if (*s == '\\') {
			ckpt_buf_puts(to, "\\e");
		} else {
			ckpt_buf_add(to, s, 1);
		}
	}
}

/* "one line, lower case, no full stop" as a sentence. */
static void put_sentence(struct ckpt_buf *to, const char *help)
{
	char first[2] = { (char)toupper((unsigned char)help[0]), 0 };

	if (first[0] == '.' || first[0] == '\'')
		ckpt_buf_puts(to, "\\&");
	put_man(to, first);
	put_man(to, help + (*help != 0));
	ckpt_buf_puts(to, ".\n");
}

static void man_option(struct ckpt_buf *to, const struct opt *o)
{
	ckpt_buf_puts(to, ".TP\n");
	if (o->letter)
		ckpt_buf_addf(to, "\\fB\\-%c\\fR%s", o->letter, *o->name ? ", " : "");
	if (*o->name) {
		ckpt_buf_puts(to, "\\fB\\-\\-");
		put_man(to, o->name);
		ckpt_buf_puts(to, "\\fR");
	}
	if (o->kind == OPT_MAYBE)
		ckpt_buf_addf(to, "[\\fB=%s\\fR]", o->value);
	else if (o->value)
		ckpt_buf_addf(to, " \\fI%s\\fR", o->value);
	ckpt_buf_puts(to, "\n");
	put_sentence(to, o->help);
}

static void man_options(struct ckpt_buf *to, const struct opt *table)
{
	for (const struct opt *o = table; o && o->name; o++) {
		if (o->kind == OPT_GROUP) {
			ckpt_buf_puts(to, ".SS ");
			put_man(to, o->help);
			ckpt_buf_puts(to, "\n");
		} else {
			man_option(to, o);
		}
	}
}

int doc_completion(struct ckpt_buf *to, const char *shell)
{
	if (strcmp(shell, "bash") == 0)
		doc_bash(to);
	else if (strcmp(shell, "zsh") == 0)
		doc_zsh(to);
	else if (strcmp(shell, "fish") == 0)
		doc_fish(to);
	else
		return CKPT_EUSAGE;
	return 0;
}

int doc_man(struct cli *cli, const char *command)
{
	const struct cmd *cmd = cmd_find(command);
	struct ckpt_buf text = { 0 };

	if (!cmd && strcmp(command, "ckpt") != 0)
		return cli_usage(cli, "no command '%s'", command);
	man_options(&text, cmd ? cmd->opts : common_options);
	if (!text.n)
		ckpt_buf_puts(&text, "None of its own.\n");
	out_put(cli, ckpt_buf_view(&text));
	ckpt_buf_free(&text);
	return 0;
}

static void man_commands(struct ckpt_buf *to)
{
	for (const struct cmd *const *c = commands; *c; c++) {
		if ((*c)->hidden)
			continue;
		ckpt_buf_puts(to, ".TP\n.B ckpt ");
		put_man(to, (*c)->name);
		ckpt_buf_puts(to, "\n");
		put_sentence(to, (*c)->summary);
		ckpt_buf_puts(to, "See\n.BR ckpt\\-");
		put_man(to, (*c)->name);
		ckpt_buf_puts(to, " (1).\n");
	}
}

static int doc(struct cli *cli)
{
	struct ckpt_buf text = { 0 };
	const char *what = cli->args[0];

	if (strcmp(what, "man") == 0 && cli->nargs == 2)
		return doc_man(cli, cli->args[1]);
	if (strcmp(what, "commands") == 0 && cli->nargs == 1)
		man_commands(&text);
	else if (cli->nargs != 1 || doc_completion(&text, what) < 0)
		return cli_usage(cli, "doc: man COMMAND, commands, bash, zsh or fish");
	out_put(cli, ckpt_buf_view(&text));
	ckpt_buf_free(&text);
	return 0;
}

const struct cmd cmd_doc = { .name = "doc",
	.args = "man COMMAND|commands|bash|zsh|fish",
	.min_args = 1,
	.max_args = 2,
	.summary = "print what is generated from the tables",
	.hidden = true,
	.run = doc };
