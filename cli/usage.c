/*
 * usage.c - the text of -h, from the tables.
 *
 * A screen at most: what the command does, examples, its options. The rest is the manual's.
 */
#include <stdio.h>
#include <string.h>

#include "frame.h"

#define LINE_WIDTH 84
#define NAME_WIDTH 26

/* "-s, --store STORE", "--porcelain[=v1]", "-0" */
void doc_names(char to[static 64], const struct opt *o)
{
	const char *dashes = *o->name ? "--" : "", *comma = *o->name ? ", " : "";
	char letter[8] = "";

	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c%s", o->letter, comma);
	if (o->kind == OPT_MAYBE)
		snprintf(to, 64, "%s--%s[=%s]", letter, o->name, o->value);
	else
		snprintf(to, 64, "%s%s%s%s%s", letter, dashes, o->name,
				o->value ? " " : "", o->value ? o->value : "");
}

static void put_group(struct ckpt_buf *to, const char *title)
{
	ckpt_buf_addf(to, "\n%s\n", title);
}

static void put_own_options(struct ckpt_buf *to, const struct opt *table)
{
	char names[64];

	if (table && table->name && table->kind != OPT_GROUP)
		put_group(to, "Options");
	for (const struct opt *o = table; o && o->name; o++) {
		if (o->kind == OPT_GROUP) {
			put_group(to, o->help);
		} else if (!o->hidden) {
			doc_names(names, o);
			/* no letter: align the long name with the others */
			ckpt_buf_addf(to, "  %s%-*s  %s\n", o->letter ? "" : "    ",
					o->letter ? NAME_WIDTH : NAME_WIDTH - 4, names,
					o->help);
		}
	}
}

/* The common ones in few lines: their names say enough to those who know the program. */
static void put_common_options(struct ckpt_buf *to)
{
	size_t column = 0;
	char names[64];

	for (const struct opt *o = common_options; o->name; o++) {
		if (o->kind == OPT_GROUP) {
			ckpt_buf_addf(to, "\n%-7s", o->help);
			column = 7;
			continue;
		}
		doc_names(names, o);
		if (column + 2 + strlen(names) > LINE_WIDTH) {
			ckpt_buf_puts(to, "\n       ");
			column = 7;
		}
		ckpt_buf_addf(to, "  %s", names);
		column += 2 + strlen(names);
	}
	ckpt_buf_puts(to, "\n");
}

static void put_sentence(struct ckpt_buf *to, const char *summary)
{
	char first = summary[0];

	if (first >= 'a' && first <= 'z')
		first = (char)(first - 'a' + 'A');
	ckpt_buf_addf(to, "%c%s.\n", first, summary + 1);
}

static void help_program(struct ckpt_buf *to)
{
	ckpt_buf_puts(to, "Look into, prune, move and repair the checkpoint stores of "
			  "LangGraph agents.\n\n"
			  "Usage  ckpt COMMAND [OPTION…] [ARGUMENT…]\n");
	put_group(to, "Commands");
	for (size_t i = 0; commands[i]; i++)
		if (!commands[i]->hidden)
			ckpt_buf_addf(to, "  %-13s%s\n", commands[i]->name,
					commands[i]->summary);
	put_common_options(to);
	ckpt_buf_puts(to, "\nOptions of a command: ckpt COMMAND -h      Full manual: "
			  "ckpt help "
			  "[COMMAND|TOPIC]\n"
			  "Topics: addresses dump environment exit-codes json layouts "
			  "policies\n");
}

int opt_help(const struct cmd *cmd, struct ckpt_buf *to)
{
	if (!cmd) {
		help_program(to);
		return to->failed ? CKPT_ENOMEM : 0;
	}
	put_sentence(to, cmd->summary);
	ckpt_buf_addf(to, "\nUsage  ckpt %s [OPTION…]%s%s\n", cmd->name,
			cmd->args && *cmd->args ? " " : "", cmd->args ? cmd->args : "");
	if (cmd->examples) {
		put_group(to, "Examples");
		ckpt_buf_puts(to, cmd->examples);
		if (cmd->examples[0] && cmd->examples[strlen(cmd->examples) - 1] != '\n')
			ckpt_buf_puts(to, "\n");
	}
	put_own_options(to, cmd->opts);
	put_common_options(to);
	if (!cmd->hidden)
		ckpt_buf_addf(to,
				"\nFull manual: ckpt help %s      Exit codes: ckpt help "
				"exit-codes\n",
				cmd->name);
	return to->failed ? CKPT_ENOMEM : 0;
}
