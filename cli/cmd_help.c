/*
 * cmd_help.c - `ckpt help [COMMAND|TOPIC]`: the manual pages inside the binary.
 */
#include <stdio.h>
#include <string.h>

#include "frame.h"
#include "pages.h"

#define WIDEST 92

static const struct page *page_find(const char *word)
{
	size_t n = strlen(word);

	for (const struct page *p = pages; p->name; p++) {
		const char *name = p->name;

		if (strncmp(name, "ckpt-", 5) == 0)
			name += 5;
		if (strncmp(name, word, n) == 0 && name[n] == '.')
			return p;
	}
	return NULL;
}

static int no_page(struct cli *cli, const char *word)
{
	char names[32][32];
	const char *list[33], *near;
	size_t n = 0;

	for (const struct page *p = pages; p->name && n < 32; p++, n++) {
		const char *name = strncmp(p->name, "ckpt-", 5) ? p->name : p->name + 5;

		snprintf(names[n], sizeof(names[n]), "%.*s", (int)strcspn(name, "."),
				name);
		list[n] = names[n];
	}
	list[n] = NULL;
	near = opt_nearest(word, list);
	if (near)
		return cli_usage(cli, "no manual page '%s'; did you mean '%s'?", word,
				near);
	cli_usage(cli, "no manual page '%s'", word);
	ckpt_hint(&cli->err, "commands and topics: ckpt -h");
	return CKPT_EUSAGE;
}

static int help(struct cli *cli)
{
	const char *word = cli->nargs ? cli->args[0] : "ckpt";
	const struct page *page = page_find(word);
	struct man_look look = { .bold = out_style(cli, "\033[1m"),
		.italic = out_style(cli, "\033[4m"),
		.plain = out_style(cli, "\033[0m"),
		.width = WIDEST };
	struct ckpt_buf text = { 0 };
	size_t width = (size_t)out_width(cli);

	if (!page)
		return no_page(cli, word);
	if (width < WIDEST)
		look.width = width < 30 ? 30 : width;
	/* a page is for people: a terminal gets it through the pager, in any form */
	man_format(&text, page->text, &look);
	if (text.failed)
		ckpt_fail(&cli->err, CKPT_ENOMEM, "out of memory");
	else
		out_put(cli, ckpt_buf_view(&text));
	ckpt_buf_free(&text);
	return cli->err.code;
}

const struct cmd cmd_help = { .name = "help",
	.args = "[COMMAND|TOPIC]",
	.max_args = 1,
	.summary = "read the manual of a command or a topic",
	.examples = "  ckpt help list         the manual of one command\n"
		    "  ckpt help addresses    how to name a checkpoint\n",
	.pages = true,
	.run = help };
