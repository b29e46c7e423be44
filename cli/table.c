/*
 * table.c - rows as an aligned table for people.
 *
 * The widths need the rows: the first TABLE_HELD are kept, then heading and rows are printed and
 * every later row follows in the same widths.
 */
#include <stdlib.h>
#include <string.h>

#include "frame.h"

#define GAP 2
#define NARROWEST 8
#define NARROWEST_TAIL 10 /* a short id and its heading */
#define INDENT 4

static bool shown(const struct out *out, const struct col *c)
{
	return c->head && !(c->flags & COL_NO_TEXT) &&
	       (out->with_long || !(c->flags & COL_LONG));
}

static bool right(const struct col *c)
{
	return c->flags & COL_RIGHT || c->kind == COL_INT || c->kind == COL_SIZE;
}

static bool shrinks(const struct col *c)
{
	return (c->kind == COL_TEXT || c->kind == COL_JSON) && !(c->flags & COL_RIGHT);
}

static void format_cell(struct ckpt_buf *to, struct cli *cli, const struct col *c,
		const struct field *f)
{
	switch (c->kind) {
	case COL_TEXT:
	case COL_JSON:
		text_safe(to, f->v, 0);
		break;
	case COL_INT:
		if (f->i != CKPT_UNKNOWN)
			ckpt_buf_addf(to, "%lld", (long long)f->i);
		break;
	case COL_SIZE:
		text_size(to, f->i);
		break;
	case COL_TIME:
		text_time(to, f->i, cli->now, cli->g.time == 1);
		break;
	case COL_BOOL:
		ckpt_buf_puts(to, f->b ? "yes" : "");
		break;
	}
}

static struct ckpt_view cell_view(const struct table *t, const struct cell *c)
{
	return (struct ckpt_view){ c->n ? t->text.p + c->at : "", c->n };
}

static size_t count_cols(const struct cli *cli, const struct col **to)
{
	size_t n = 0;

	for (const struct col *c = cli->out->cols; c && c->key && n < TABLE_COLS; c++)
		if (shown(cli->out, c))
			to[n++] = c;
	return n;
}

static void spaces(struct ckpt_buf *to, size_t n)
{
	while (n--)
		ckpt_buf_puts(to, " ");
}

/* The end of the character that begins at `at`. */
static size_t next_char(struct ckpt_view v, size_t at)
{
	const unsigned char *p = v.p;

	for (at++; at < v.n && (p[at] & 0xC0) == 0x80;)
		at++;
	return at;
}

static size_t char_width(struct ckpt_view v, size_t from, size_t to)
{
	return text_width((struct ckpt_view){ (const char *)v.p + from, to - from });
}

/* Bytes of v that fit into one line; a word goes to the next line whole. */
static size_t line_length(struct ckpt_view v, size_t width)
{
	size_t at = 0, used = 0, word = 0;

	while (at < v.n) {
		size_t next = next_char(v, at);

		used += char_width(v, at, next);
		if (used > width && at)
			return word ? word : at;
		if (((const char *)v.p)[at] == ' ')
			word = next;
		at = next;
	}
	return at;
}

static void put_wrapped(
		struct ckpt_buf *to, struct ckpt_view v, size_t width, size_t indent)
{
	while (v.n) {
		size_t n = line_length(v, width);

		text_safe(to, (struct ckpt_view){ v.p, n }, 0);
		v = (struct ckpt_view){ (const char *)v.p + n, v.n - n };
		if (v.n) {
			ckpt_buf_puts(to, "\n");
			spaces(to, indent);
		}
	}
}

/* Ids differ at their ends. */
static void put_tail(struct ckpt_buf *to, struct ckpt_view v, size_t has, size_t width)
{
	size_t at = 0;

	while (at < v.n && has + 1 > width) {
		size_t next = next_char(v, at);

		has -= char_width(v, at, next);
		at = next;
	}
	ckpt_buf_puts(to, "…");
	text_safe(to, (struct ckpt_view){ (const char *)v.p + at, v.n - at }, 0);
}

static void put_cell(struct cli *cli, const struct col *c, struct ckpt_view v,
		size_t width, bool last)
{
	struct ckpt_buf *to = &cli->out->pending;
	size_t has = text_width(v), pad = has < width ? width - has : 0;

	if (right(c))
		spaces(to, pad);
	if (c->flags & COL_TAIL && has > width)
		put_tail(to, v, has, width);
	else
		text_safe(to, v, shrinks(c) ? width : 0);
	if (!last)
		spaces(to, (right(c) ? 0 : pad) + GAP);
}

static bool can_shrink(const struct col *c, size_t width, bool tails)
{
	bool tail = c->flags & COL_TAIL;

	return shrinks(c) && width > (tail ? NARROWEST_TAIL : NARROWEST) &&
	       (tail || !tails);
}

static bool wraps(const struct col *const *cols, size_t n)
{
	return cols[n - 1]->flags & COL_WRAP;
}

static void put_row(struct cli *cli, const struct col *const *cols, size_t n,
		const struct cell *cells)
{
	const struct table *t = &cli->out->table;
	struct ckpt_buf *to = &cli->out->pending;
	size_t whole = n - wraps(cols, n), indent = 0, room = (size_t)cli->out->width;

	for (size_t i = 0; i < whole; i++) {
		put_cell(cli, cols[i], cell_view(t, &cells[i]), t->width[i],
				i + 1 == (t->below ? whole : n));
		indent += t->width[i] + GAP;
	}
	if (whole < n && (!t->below || cells[whole].n)) {
		if (t->below) {
			ckpt_buf_puts(to, "\n");
			spaces(to, INDENT);
			indent = INDENT;
		}
		put_wrapped(to, cell_view(t, &cells[whole]),
				room > indent + NARROWEST ? room - indent : NARROWEST,
				indent);
	}
	ckpt_buf_puts(to, "\n");
}

/* Make text columns narrower until the table fits: first ids, whose ends tell them apart, then
 * the widest. A column that wraps gets lines of its own before that. */
static void fit(struct table *t, const struct col *const *cols, size_t n, size_t room)
{
	size_t total = GAP * (n - 1);
	bool tails = true;

	for (size_t i = 0; i < n; i++)
		total += t->width[i];
	if (total > room && n > 1 && wraps(cols, n)) {
		t->below = true;
		total -= t->width[--n] + GAP;
	}
	while (total > room) {
		size_t widest = n;

		for (size_t i = 0; i < n; i++)
			if (can_shrink(cols[i], t->width[i], tails) &&
					(widest == n || t->width[i] > t->width[widest]))
				widest = i;
		if (widest == n && !tails)
			return;
		if (widest == n) {
			tails = false;
			continue;
		}
		t->width[widest]--;
		total--;
	}
}

static void put_heading(struct cli *cli, const struct col *const *cols, size_t n)
{
	struct ckpt_buf *to = &cli->out->pending;

	ckpt_buf_puts(to, out_style(cli, "\033[1m"));
	n -= cli->out->table.below;
	for (size_t i = 0; i < n; i++)
		put_cell(cli, cols[i], ckpt_view_of(cols[i]->head),
				cli->out->table.width[i], i + 1 == n);
	ckpt_buf_puts(to, out_style(cli, "\033[0m"));
	ckpt_buf_puts(to, "\n");
}

static void measure(struct cli *cli, const struct col *const *cols, size_t n)
{
	struct table *t = &cli->out->table;

	for (size_t i = 0; i < n; i++)
		t->width[i] = text_width(ckpt_view_of(cols[i]->head));
	for (size_t k = 0; k < t->ncells; k++) {
		size_t w = text_width(cell_view(t, &t->cells[k]));

		if (w > t->width[k % n])
			t->width[k % n] = w;
	}
	fit(t, cols, n, (size_t)cli->out->width);
}

void table_flush(struct cli *cli)
{
	struct table *t = &cli->out->table;
	const struct col *cols[TABLE_COLS];
	size_t n = count_cols(cli, cols);

	if (t->ncells == 0 || n == 0)
		return;
	if (!t->fixed) {
		measure(cli, cols, n);
		put_heading(cli, cols, n);
		t->fixed = true;
	}
	for (size_t k = 0; k < t->ncells; k += n)
		put_row(cli, cols, n, &t->cells[k]);
	t->rows = t->ncells = t->text.n = 0;
}

static struct cell *new_cell(struct table *t)
{
	if (t->ncells == t->room) {
		size_t room = t->room ? 2 * t->room : 256;
		struct cell *grown = realloc(t->cells, room * sizeof(*grown));

		if (!grown)
			return NULL;
		t->cells = grown;
		t->room = room;
	}
	return &t->cells[t->ncells++];
}

void table_add(struct cli *cli, const struct field *fields)
{
	struct table *t = &cli->out->table;
	const struct col *cols[TABLE_COLS];
	size_t n = count_cols(cli, cols);

	for (size_t i = 0; i < n; i++) {
		struct cell *c = new_cell(t);

		if (!c) {
			cli->out->pending.failed = true;
			return;
		}
		c->at = t->text.n;
		format_cell(&t->text, cli, cols[i], &fields[cols[i] - cli->out->cols]);
		c->n = t->text.n - c->at;
	}
	if (t->text.failed)
		cli->out->pending.failed = true;
	t->rows++;
	if (t->fixed || t->rows >= TABLE_HELD)
		table_flush(cli);
}

void table_free(struct table *t)
{
	ckpt_buf_free(&t->text);
	free(t->cells);
	memset(t, 0, sizeof(*t));
}
