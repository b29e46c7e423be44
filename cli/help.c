/*
 * help.c - man(7) source as text for a terminal or a pipe, so that the manual is there where no
 * man is installed.
 *
 * Knows the macros and escapes that man/ uses and no more: TH SH SS PP TP IP RS RE B I BR …
 * EX EE nf fi br sp; \fB \fI \fR \fP \- \e \& \(bu and a few more characters.
 */
#include <string.h>

#include "frame.h"

#define STEP 7 /* columns of one indentation */
#define DEEPEST 6
#define MAX_ARGS 12

struct man {
	struct ckpt_buf *to;
	const struct man_look *look;
	struct ckpt_buf word; /* the word being put together, with its styles */
	size_t word_width, column, base, indent;
	size_t outer[DEEPEST], depth;
	char style; /* 'R', 'B', 'I' */
	bool nofill, tag, glued, blank;
};

static void spaces(struct ckpt_buf *to, size_t n)
{
	while (n--)
		ckpt_buf_puts(to, " ");
}

static const char *code(const struct man *m)
{
	return m->style == 'B' ? m->look->bold : m->style == 'I' ? m->look->italic : "";
}

static void end_line(struct man *m)
{
	if (m->column)
		ckpt_buf_puts(m->to, "\n");
	m->column = 0;
}

static void end_word(struct man *m)
{
	if (m->word_width == 0)
		return;
	if (m->style != 'R')
		ckpt_buf_puts(&m->word, m->look->plain);
	if (!m->nofill && m->column && m->column + 1 + m->word_width > m->look->width)
		end_line(m);
	if (m->column == 0) {
		spaces(m->to, m->indent);
		m->column = m->indent;
	} else if (!m->glued) {
		spaces(m->to, 1);
		m->column++;
	}
	ckpt_buf_add(m->to, m->word.p, m->word.n);
	m->column += m->word_width;
	m->word.n = m->word_width = 0;
	m->glued = m->blank = false;
}

static void end_paragraph(struct man *m)
{
	end_word(m);
	end_line(m);
	m->style = 'R';
}

static void blank_line(struct man *m)
{
	end_paragraph(m);
	if (!m->blank)
		ckpt_buf_puts(m->to, "\n");
	m->blank = true;
}

static void put(struct man *m, const char *s, size_t n)
{
	if (m->word_width == 0)
		ckpt_buf_puts(&m->word, code(m));
	ckpt_buf_add(&m->word, s, n);
	for (size_t i = 0; i < n; i++)
		m->word_width += ((unsigned char)s[i] & 0xc0) != 0x80;
}

static void set_style(struct man *m, char style)
{
	if (style == 'P')
		style = 'R';
	if (style == m->style)
		return;
	if (m->word_width && m->style != 'R')
		ckpt_buf_puts(&m->word, m->look->plain);
	m->style = style;
	if (m->word_width)
		ckpt_buf_puts(&m->word, code(m));
}

/* The escape after a backslash; returns its length. */
static size_t put_escape(struct man *m, const char *p, size_t n)
{
	static const char named[][2][4] = { { "bu", "•" }, { "em", "—" }, { "en", "–" },
		{ "aq", "'" }, { "dq", "\"" }, { "ti", "~" }, { "ha", "^" },
		{ "lq", "“" }, { "rq", "”" }, { "ga", "`" } };

	if (n == 0)
		return 0;
	if (p[0] == 'f' && n > 1) {
		set_style(m, p[1]);
		return 2;
	}
	if (p[0] == '(' && n > 2) {
		for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++)
			if (!memcmp(named[i][0], p + 1, 2))
				put(m, named[i][1], strlen(named[i][1]));
		return 3;
	}
	if (p[0] == 'e')
		put(m, "\\", 1);
	else if (p[0] == ' ' || p[0] == '~')
		put(m, " ", 1);
	else if (p[0] != '&')
		put(m, p, 1);
	return 1;
}

static void put_text(struct man *m, struct ckpt_view text)
{
	const char *p = text.p;

	for (size_t i = 0; i < text.n;) {
		if (p[i] == '\\') {
			i += 1 + put_escape(m, p + i + 1, text.n - i - 1);
			continue;
		}
		if (p[i] == ' ' && !m->nofill)
			end_word(m);
		else
			put(m, p + i, 1);
		i++;
	}
	end_word(m);
}

/* The tag of a paragraph stands; its text begins beside it if there is room, else below. */
static void end_tag(struct man *m)
{
	size_t body = m->base + STEP;

	m->tag = false;
	m->style = 'R';
	m->indent = body;
	if (m->column + 1 < body) {
		if (m->column == 0)
			return;
		spaces(m->to, body - m->column);
		m->column = body;
		m->glued = true;
	} else {
		end_line(m);
	}
}

static void text_line(struct man *m, struct ckpt_view line)
{
	if (m->nofill && line.n == 0)
		ckpt_buf_puts(m->to, "\n");
	put_text(m, line);
	if (m->tag)
		end_tag(m);
	else if (m->nofill)
		end_line(m);
}

static size_t split_args(struct ckpt_view *to, struct ckpt_view line)
{
	const char *p = line.p;
	size_t i = 0, n = 0;

	while (i < line.n && n < MAX_ARGS) {
		bool quoted = p[i] == '"';
		size_t start = i += quoted;

		while (i < line.n && (quoted ? p[i] != '"' : p[i] != ' ')) {
			i += !quoted && p[i] == '\\';
			i++;
		}
		i = i > line.n ? line.n : i;
		to[n++] = (struct ckpt_view){ p + start, i - start };
		i += quoted;
		while (i < line.n && p[i] == ' ')
			i++;
	}
	return n;
}

/* .B a b: all in one style; .BR a b c: alternating, without spaces between. */
static void font_macro(
		struct man *m, const char *name, const struct ckpt_view *args, size_t n)
{
	struct ckpt_buf text = { 0 };

	for (size_t i = 0; i < n; i++) {
		if (i && !name[1])
			ckpt_buf_puts(&text, " ");
		ckpt_buf_addf(&text, "\\f%c", name[1] ? name[i % 2] : name[0]);
		ckpt_buf_add(&text, args[i].p, args[i].n);
	}
	ckpt_buf_puts(&text, "\\fR");
	if (text.failed)
		m->to->failed = true;
	else
		text_line(m, ckpt_buf_view(&text));
	ckpt_buf_free(&text);
}

static void heading(struct man *m, struct ckpt_view text, size_t indent)
{
	blank_line(m);
	m->depth = 0;
	m->indent = indent;
	m->style = 'B';
	put_text(m, text);
	end_paragraph(m);
	m->blank = true;
	m->base = m->indent = STEP;
}

static void title(struct man *m, const struct ckpt_view *args, size_t n)
{
	if (n < 2)
		return;
	m->indent = 0;
	put_text(m, args[0]);
	put(m, "", 0);
	ckpt_buf_puts(m->to, "(");
	ckpt_buf_add(m->to, args[1].p, args[1].n);
	ckpt_buf_puts(m->to, ")\n");
	m->column = 0;
}

static void shift(struct man *m, bool deeper)
{
	end_paragraph(m);
	if (deeper && m->depth < DEEPEST) {
		m->outer[m->depth++] = m->base;
		m->base += STEP;
	} else if (!deeper && m->depth) {
		m->base = m->outer[--m->depth];
	}
	m->indent = m->base;
}

static bool is(const char *name, const char *a, const char *b)
{
	return strcmp(name, a) == 0 || strcmp(name, b) == 0;
}

static void structure_macro(struct man *m, const char *name, const struct ckpt_view *args,
		size_t n, struct ckpt_view rest)
{
	if (is(name, "PP", "sp") || is(name, "P", "LP")) {
		blank_line(m);
		m->indent = m->base;
	} else if (is(name, "TP", "IP")) {
		blank_line(m);
		m->indent = m->base;
		m->tag = true;
		if (name[0] == 'I') {
			if (n)
				put_text(m, args[0]);
			end_tag(m);
		}
	} else if (is(name, "SH", "SS")) {
		heading(m, rest, name[1] == 'H' ? 0 : 3);
	} else if (is(name, "RS", "RE")) {
		shift(m, name[1] == 'S');
	} else if (is(name, "EX", "nf")) {
		end_paragraph(m);
		m->nofill = true;
	} else if (is(name, "EE", "fi")) {
		end_paragraph(m);
		m->nofill = false;
	} else if (is(name, "br", "br")) {
		end_paragraph(m);
	} else if (is(name, "TH", "TH")) {
		title(m, args, n);
	}
}

static void macro_line(struct man *m, struct ckpt_view line)
{
	const char *p = line.p;
	struct ckpt_view args[MAX_ARGS], rest;
	char name[3] = "";
	size_t n = 0, at = 0;

	while (at < line.n && p[at] != ' ' && n < 2)
		name[n++] = p[at++];
	if (name[0] == '\\')
		return;
	while (at < line.n && p[at] == ' ')
		at++;
	rest = (struct ckpt_view){ p + at, line.n - at };
	n = split_args(args, rest);
	if (name[0] && strspn(name, "BIR") == strlen(name) && strcmp(name, "RR") != 0)
		font_macro(m, name, args, n);
	else
		structure_macro(m, name, args, n, n == 1 ? args[0] : rest);
}

void man_format(struct ckpt_buf *to, const char *source, const struct man_look *look)
{
	struct man m = { .to = to, .look = look, .style = 'R' };

	while (*source) {
		size_t n = strcspn(source, "\n");
		struct ckpt_view line = { source, n };

		if (source[0] == '.')
			macro_line(&m, (struct ckpt_view){ source + 1, n - 1 });
		else
			text_line(&m, line);
		source += n + (source[n] == '\n');
	}
	end_paragraph(&m);
	if (m.word.failed)
		to->failed = true;
	ckpt_buf_free(&m.word);
}
