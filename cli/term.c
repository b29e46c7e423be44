/*
 * term.c - what stdout is: a terminal or not, how wide, with colour or not.
 *
 * Asked once, at the start; the answers stay.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "frame.h"

#define WIDTH_UNKNOWN 80
#define WIDTH_MOST 10000

static int number(const char *s)
{
	long n = s ? strtol(s, NULL, 10) : 0;

	return n > 0 && n <= WIDTH_MOST ? (int)n : 0;
}

static int width(void)
{
	struct winsize ws;
	int forced = number(getenv("CKPT_FORCE_TTY")),
	    columns = number(getenv("COLUMNS"));

	if (forced > 1)
		return forced;
	if (columns)
		return columns;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col)
		return ws.ws_col;
	return WIDTH_UNKNOWN;
}

static bool color(const struct out *out, const struct globals *g)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (g->color > 0)
		return g->color == 1;
	return out->terminal && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

static enum out_form form(const struct out *out, const struct globals *g)
{
	if (g->json)
		return FORM_JSON;
	if (g->ndjson)
		return FORM_NDJSON;
	return g->porcelain || !out->terminal ? FORM_PORCELAIN : FORM_TEXT;
}

void term_look(struct out *out, const struct globals *g)
{
	const char *force = getenv("CKPT_FORCE_TTY");

	out->terminal = (force && *force && strcmp(force, "0") != 0) ||
	                isatty(STDOUT_FILENO);
	out->width = width();
	out->color = color(out, g);
	out->form = form(out, g);
}

enum out_form out_form_of(const struct cli *cli)
{
	return cli->out->form;
}

bool out_is_terminal(const struct cli *cli)
{
	return cli->out->terminal;
}

int out_width(const struct cli *cli)
{
	return cli->out->width;
}

const char *out_style(const struct cli *cli, const char *sgr)
{
	return cli->out->color ? sgr : "";
}
