/*
 * diff_stat.c - `ckpt diff --stat` and `--name-only`: one line for each channel or member of the
 * metadata in which something changed.
 */
#include <stdio.h>
#include <string.h>

#include "diff.h"

struct tally {
	struct diff *d;
	struct ckpt_buf top, name,
			line; /* top: escaped as in JSON, of the lines before */
	int64_t count[3];
};

static void put_counts(struct tally *t)
{
	static const char *const words[] = { "added", "removed", "replaced" };
	const char *sep = "";

	for (size_t i = 0; i < 3; i++) {
		if (!t->count[i])
			continue;
		ckpt_buf_addf(&t->line, "%s%lld %s", sep, (long long)t->count[i],
				words[i]);
		sep = ", ";
	}
}

/* What was counted for `top` is complete. */
static void put_line(struct tally *t)
{
	struct ckpt_view cells[4];
	char numbers[3][24];

	if (!t->top.n)
		return;
	t->name.n = t->line.n = 0;
	ckpt_buf_puts(&t->top, "\"");
	ckpt_json_text(&t->name, ckpt_buf_view(&t->top));
	ckpt_buf_add(&t->name, "", 0);
	if (t->name.failed || t->top.failed)
		return;
	cells[0] = ckpt_buf_view(&t->name);
	for (size_t i = 0; i < 3; i++) {
		snprintf(numbers[i], sizeof(numbers[i]), "%lld", (long long)t->count[i]);
		cells[i + 1] = ckpt_view_of(numbers[i]);
	}
	if (out_form_of(t->d->cli) != FORM_TEXT) {
		out_porcelain(t->d->cli, cells, t->d->o->name_only ? 1 : 4);
		return;
	}
	text_safe(&t->line, cells[0], 0);
	if (t->d->o->stat) {
		size_t width = text_width(cells[0]);

		ckpt_buf_addf(&t->line, "%*s  ", width < 30 ? (int)(30 - width) : 0, "");
		put_counts(t);
	}
	ckpt_buf_puts(&t->line, "\n");
	if (!t->line.failed)
		out_put(t->d->cli, ckpt_buf_view(&t->line));
}

int diff_stat(struct diff *d)
{
	int rc = out_begin(d->cli, "diff", "change", NULL, false);
	struct tally t = { .d = d };
	struct ckpt_change c;
	char text[120];
	bool first;

	while (rc >= 0 && (rc = diff_next(d, &c, &first)) > 0) {
		if (first) {
			put_line(&t);
			memset(t.count, 0, sizeof(t.count));
			t.top.n = 0;
			ckpt_buf_add(&t.top, d->top.p, d->top.n);
		}
		t.count[c.op]++;
	}
	if (rc >= 0)
		put_line(&t);
	if (rc >= 0 && (t.top.failed || t.name.failed || t.line.failed))
		rc = ckpt_fail(&d->cli->err, CKPT_ENOMEM, "out of memory");
	ckpt_buf_free(&t.top);
	ckpt_buf_free(&t.name);
	ckpt_buf_free(&t.line);
	snprintf(text, sizeof(text),
			"%lld added, %lld removed, %lld replaced; %lld channel%s "
			"unchanged",
			(long long)d->count[CKPT_ADD], (long long)d->count[CKPT_REMOVE],
			(long long)d->count[CKPT_REPLACE], (long long)d->unchanged,
			d->unchanged == 1 ? "" : "s");
	return rc < 0 ? rc : out_summary(d->cli, NULL, d->o->stat ? text : NULL);
}
