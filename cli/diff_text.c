/*
 * diff_text.c - `ckpt diff` for people: two heading lines, then what changed, channel by channel.
 *
 * Works on compact JSON that the library has just written, so walking it needs no parser, only
 * care for strings and brackets. The tables of --stat and --name-only are diff_stat.c.
 */
#include <stdio.h>
#include <string.h>

#include "diff.h"

#define RED "\033[31m"
#define GREEN "\033[32m"
#define PLAIN "\033[0m"
#define BOLD "\033[1m"

struct text {
	struct diff *d;
	struct ckpt_buf line;
	size_t names;     /* columns of the widest name of a channel, within reason */
	bool list;        /* the channel at hand has a heading: its changes are items */
	size_t cursor[2]; /* of the last channel looked up, on each side */
	struct ckpt_buf path; /* of the change at hand, decoded */
};

static const char *style(const struct text *t, const char *sgr)
{
	return out_style(t->d->cli, sgr);
}

static void end_line(struct text *t)
{
	ckpt_buf_puts(&t->line, "\n");
	if (!t->line.failed)
		out_put(t->d->cli, ckpt_buf_view(&t->line));
	t->line.n = 0;
}

/* ---- looking at values ----------------------------------------------------------------------- */

/* The value of the channel at hand on one side; NULL if it is not there. */
static struct ckpt_view channel_of(struct text *t, const struct side *s, size_t *cursor)
{
	static const char values[] = "\"/values/";
	const size_t skip = sizeof(values) - 1;
	const struct ckpt_buf *top = &t->d->top;
	struct ckpt_buf want = { 0 };
	struct ckpt_view found = { 0 };

	if (top->n < skip || memcmp(top->p, values, skip) != 0)
		return found;
	ckpt_buf_puts(&want, "\"");
	for (size_t i = skip; i < top->n; i++) {
		if (top->p[i] == '~' && i + 1 < top->n)
			ckpt_buf_puts(&want, top->p[++i] == '0' ? "~" : "/");
		else
			ckpt_buf_add(&want, top->p + i, 1);
	}
	ckpt_buf_puts(&want, "\"");
	for (size_t i = 0; i < s->nchannels && !found.p && !want.failed; i++) {
		const struct diff_channel *c = &s->channels[(*cursor + i) % s->nchannels];

		if (c->name_n != want.n ||
				memcmp(s->doc.p + c->name, want.p, want.n) != 0)
			continue;
		found = (struct ckpt_view){ s->doc.p + c->at, c->n };
		*cursor = (*cursor + i) % s->nchannels;
	}
	ckpt_buf_free(&want);
	return found;
}

/* ---- values in a line ------------------------------------------------------------------------ */

static void put_calls(struct ckpt_buf *to, struct ckpt_view calls)
{
	struct ckpt_view none, call, name, args;
	const char *sep = "tool_calls: ";
	struct ckpt_walk walk;

	if (!ckpt_walk_open(&walk, calls))
		return;
	while (ckpt_walk_next(&walk, &none, &call)) {
		if (!ckpt_pointer_find(&name, call, CKPT_LIT("/name")))
			continue;
		ckpt_buf_puts(to, sep);
		ckpt_json_text(to, name);
		if (ckpt_pointer_find(&args, call, CKPT_LIT("/args")) &&
				text_starts(args, '{') && args.n > 2) {
			ckpt_buf_puts(to, "(");
			ckpt_buf_add(to, (const char *)args.p + 1, args.n - 2);
			ckpt_buf_puts(to, ")");
		} else {
			ckpt_buf_puts(to, "()");
		}
		sep = ", ";
	}
}

/* {"type":"tool","name":"refund","content":"ok"} as: ToolMessage   refund: "ok" */
static bool put_message(struct ckpt_buf *to, struct ckpt_view json)
{
	struct ckpt_view content, more;
	const char *kind = text_message_class(json, &content);

	if (!kind)
		return false;
	ckpt_buf_addf(to, "%-13s ", kind);
	if (ckpt_pointer_find(&more, json, CKPT_LIT("/name")) && text_starts(more, '"') &&
			more.n > 2) {
		ckpt_json_text(to, more);
		ckpt_buf_puts(to, ": ");
	}
	if (content.n > 2 || !ckpt_pointer_find(&more, json, CKPT_LIT("/tool_calls")) ||
			more.n <= 2) {
		ckpt_buf_add(to, content.p, content.n);
		return true;
	}
	put_calls(to, more);
	return true;
}

static size_t room(const struct text *t)
{
	size_t width = (size_t)out_width(t->d->cli),
	       used = text_width(ckpt_buf_view(&t->line));

	return width > used + 12 ? width - used : 12;
}

static void put_value(struct text *t, struct ckpt_view json, size_t width)
{
	struct ckpt_buf text = { 0 };

	if (!put_message(&text, json)) {
		text.n = 0;
		ckpt_buf_add(&text, json.p, json.n);
	}
	text_safe(&t->line, ckpt_buf_view(&text), width);
	t->line.failed |= text.failed;
	ckpt_buf_free(&text);
}

/* Where two long texts begin to differ, less a few characters: a place to begin to read. */
static size_t lead(struct ckpt_view a, struct ckpt_view b, size_t width)
{
	const char *p = a.p, *q = b.p;
	size_t n = 0;

	if (a.n <= width && b.n <= width)
		return 0;
	while (n < a.n && n < b.n && p[n] == q[n])
		n++;
	if (n < width / 2)
		return 0;
	n -= width / 4;
	while (n && ((unsigned char)p[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static void put_change_of(struct text *t, const struct ckpt_change *c)
{
	size_t width = room(t) > 28 ? (room(t) - 4) / 2 : 12;
	size_t skip = lead(c->old, c->now, width);
	const struct ckpt_view values[2] = { c->old, c->now };

	for (size_t i = 0; i < 2; i++) {
		ckpt_buf_puts(&t->line, i ? " -> " : "");
		if (!skip) {
			put_value(t, values[i], width);
			continue;
		}
		ckpt_buf_puts(&t->line, "…");
		text_safe(&t->line,
				(struct ckpt_view){ (const char *)values[i].p + skip,
						values[i].n - skip },
				width - 1);
	}
}

/* ---- headings -------------------------------------------------------------------------------- */

static void heading(
		struct text *t, const char *mark, const char *sgr, const struct side *s)
{
	struct diff *d = t->d;

	ckpt_buf_addf(&t->line, "%s%s ", style(t, sgr), mark);
	if (!s->key.id.p) {
		ckpt_buf_puts(&t->line, "(nothing: the state before the first)");
	} else {
		text_safe(&t->line, ckpt_buf_view(&s->short_id), 0);
		if (s->step != CKPT_UNKNOWN)
			ckpt_buf_addf(&t->line, " step %lld", (long long)s->step);
		if (s->time != CKPT_UNKNOWN) {
			ckpt_buf_puts(&t->line, "   ");
			text_time(&t->line, s->time, d->cli->now, d->cli->g.time == 1);
		}
		if (!ckpt_view_eq(d->a.key.thread, d->b.key.thread)) {
			ckpt_buf_puts(&t->line, "   thread ");
			text_safe(&t->line, s->key.thread, 60);
		}
		if (d->two_stores && s == &d->b) {
			ckpt_buf_puts(&t->line, "   in the other store");
		}
	}
	ckpt_buf_puts(&t->line, style(t, PLAIN));
	end_line(t);
}

static void put_label(struct text *t, struct ckpt_view name)
{
	size_t width = text_width(name);

	text_safe(&t->line, name, 40);
	ckpt_buf_addf(&t->line, "%*s", (int)(width < t->names ? t->names - width + 1 : 1),
			"");
}

/* "messages   14 -> 16 items" over the changes of a list. */
static void put_list(struct text *t, struct ckpt_view name, struct ckpt_view a,
		struct ckpt_view b)
{
	size_t n = text_items(a), m = text_items(b);
	const char *what = ((const char *)b.p)[1] == ' ' ? "member" : "item";

	ckpt_buf_puts(&t->line, "  ");
	ckpt_buf_puts(&t->line, style(t, BOLD));
	put_label(t, name);
	ckpt_buf_puts(&t->line, style(t, PLAIN));
	ckpt_buf_puts(&t->line, "  ");
	if (n != m)
		ckpt_buf_addf(&t->line, "%zu -> ", n);
	ckpt_buf_addf(&t->line, "%zu %s%s", m, what, m == 1 ? "" : "s");
	end_line(t);
}

/* ---- changes --------------------------------------------------------------------------------- */

/* "/values/messages/14/content" without its first two tokens; or the second one alone. */
static struct ckpt_view below(const struct ckpt_buf *path, bool rest)
{
	const char *p = path->p, *end = p + path->n, *second = NULL, *third;

	if (path->n > 1)
		second = memchr(p + 1, '/', path->n - 1);
	second = second ? second + 1 : end;
	third = second < end ? memchr(second, '/', (size_t)(end - second)) : NULL;
	third = third ? third : end;
	return rest ? (struct ckpt_view){ third, (size_t)(end - third) }
	            : (struct ckpt_view){ second, (size_t)(third - second) };
}

/* "/14/content" as "[14]/content", "/-" as nothing. */
static void put_item_label(struct text *t, struct ckpt_view rest)
{
	const char *p = rest.p, *slash;
	size_t n;

	ckpt_buf_puts(&t->line, "  ");
	if (rest.n == 2 && p[1] == '-')
		return;
	slash = memchr(p + 1, '/', rest.n - 1);
	n = slash ? (size_t)(slash - p) : rest.n;
	ckpt_buf_addf(&t->line, "[%.*s]", (int)n - 1, p + 1);
	text_safe(&t->line, (struct ckpt_view){ p + n, rest.n - n }, 40);
	ckpt_buf_puts(&t->line, " ");
}

static void put_sides(struct text *t, const struct ckpt_change *c)
{
	if (c->op == CKPT_REPLACE) {
		put_change_of(t, c);
	} else if (c->op == CKPT_REMOVE && !t->list) {
		ckpt_buf_puts(&t->line, "(removed, ");
		text_size(&t->line, (int64_t)c->old.n);
		ckpt_buf_puts(&t->line, ")");
	} else {
		struct ckpt_view v = c->op == CKPT_ADD ? c->now : c->old;

		if (!t->list && text_starts(v, '[')) {
			ckpt_buf_addf(&t->line, "%zu items, ", text_items(v));
			text_size(&t->line, (int64_t)v.n);
			ckpt_buf_puts(&t->line, "  ");
		}
		put_value(t, v, room(t));
	}
}

static void put_change(struct text *t, const struct ckpt_change *c)
{
	static const char *const marks[] = { "+ ", "- ", "~ " };
	static const char *const colours[] = { GREEN, RED, "\033[33m" };
	bool values = t->path.n > 8 && memcmp(t->path.p, "/values/", 8) == 0;
	struct ckpt_view rest = below(&t->path, true);

	ckpt_buf_puts(&t->line, style(t, colours[c->op]));
	ckpt_buf_puts(&t->line, marks[c->op]);
	if (t->list && rest.n) {
		put_item_label(t, rest);
	} else {
		size_t skip = values ? 8 : 1;
		struct ckpt_view label = { t->path.p + skip, t->path.n - skip };

		put_label(t, label);
		ckpt_buf_puts(&t->line, "  ");
	}
	put_sides(t, c);
	ckpt_buf_puts(&t->line, style(t, PLAIN));
	end_line(t);
}

/* What every change between two steps has in common stands in the heading. */
static bool in_heading(const struct text *t)
{
	return !t->d->o->path && t->path.n == 14 &&
	       memcmp(t->path.p, "/metadata/step", 14) == 0;
}

static void widths(struct text *t)
{
	const struct side *sides[2] = { &t->d->a, &t->d->b };

	t->names = 8;
	for (size_t k = 0; k < 2; k++) {
		for (size_t i = 0; i < sides[k]->nchannels; i++) {
			size_t n = sides[k]->channels[i].name_n - 2;

			if (n > t->names && n <= 20)
				t->names = n;
		}
	}
}

static void put_unchanged(struct text *t)
{
	const struct diff *d = t->d;

	if (d->count[0] + d->count[1] + d->count[2] == 0)
		ckpt_buf_puts(&t->line, "  no differences");
	if (d->unchanged > 0)
		ckpt_buf_addf(&t->line, "%s%lld channel%s unchanged",
				t->line.n ? "; " : "  ", (long long)d->unchanged,
				d->unchanged == 1 ? "" : "s");
	if (t->line.n)
		end_line(t);
}

static int finish(struct text *t, int rc)
{
	if (rc >= 0 && (t->line.failed || t->path.failed))
		rc = ckpt_fail(&t->d->cli->err, CKPT_ENOMEM, "out of memory");
	ckpt_buf_free(&t->line);
	ckpt_buf_free(&t->path);
	return rc < 0 ? rc : out_summary(t->d->cli, NULL, NULL);
}

/* The first change in a channel or in the metadata: a list gets a line of its own. */
static void begin_channel(struct text *t)
{
	struct ckpt_view a = channel_of(t, &t->d->a, &t->cursor[0]);
	struct ckpt_view b = channel_of(t, &t->d->b, &t->cursor[1]);

	t->list = below(&t->path, true).n && text_starts(a, '[') && text_starts(b, '[');
	if (t->list)
		put_list(t, below(&t->path, false), a, b);
}

int diff_text(struct diff *d)
{
	struct text t = { .d = d };
	int rc = out_begin(d->cli, "diff", "change", NULL, false);
	struct ckpt_change c;
	bool first;

	widths(&t);
	heading(&t, "---", RED, &d->a);
	heading(&t, "+++", GREEN, &d->b);
	while (rc >= 0 && (rc = diff_next(d, &c, &first)) > 0) {
		t.path.n = 0;
		diff_pointer(&t.path, &c);
		if (t.path.failed || in_heading(&t))
			continue;
		if (first)
			begin_channel(&t);
		put_change(&t, &c);
	}
	if (rc >= 0)
		put_unchanged(&t);
	return finish(&t, rc);
}
