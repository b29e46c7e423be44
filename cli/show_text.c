/*
 * show_text.c - `ckpt show` for people: a head, then each channel with a preview of its value.
 *
 * Works on the compact JSON our own renderer wrote, so walking it needs no parser, only care for
 * strings and brackets.
 */
#include <stdio.h>
#include <string.h>

#include "show.h"

static void line(struct shown *s, struct ckpt_buf *b)
{
	ckpt_buf_puts(b, "\n");
	if (!b->failed)
		out_put(s->cli, ckpt_buf_view(b));
	b->n = 0;
}

/* A message: {"type":"ai","content":…,"tool_calls":[…]} */
static bool message(struct ckpt_buf *to, struct ckpt_view json, size_t width)
{
	struct ckpt_view content, calls, name;
	const char *kind = text_message_class(json, &content);

	if (!kind)
		return false;
	ckpt_buf_addf(to, "%-14s ", kind);
	if (ckpt_pointer_find(&name, json, CKPT_LIT("/tool_calls/0/name"))) {
		ckpt_pointer_find(&calls, json, CKPT_LIT("/tool_calls"));
		ckpt_buf_addf(to, "%zu tool call%s: ", text_items(calls),
				text_items(calls) == 1 ? "" : "s");
		text_safe(to, name, 40);
		ckpt_buf_puts(to, "  ");
	}
	text_safe(to, content, width > 20 ? width - 20 : 20);
	return true;
}

static void preview(struct shown *s, struct ckpt_buf *b, struct ckpt_view json)
{
	size_t width = (size_t)out_width(s->cli), i = 0;
	struct ckpt_view name, value;
	struct ckpt_walk walk;

	width = width > 24 ? width - 12 : 12;
	if (!text_starts(json, '[') || json.n <= width) {
		ckpt_buf_puts(b, "    ");
		text_safe(b, json, width);
		line(s, b);
		return;
	}
	ckpt_walk_open(&walk, json);
	while (ckpt_walk_next(&walk, &name, &value)) {
		ckpt_buf_addf(b, "    [%zu] ", i++);
		if (!message(b, value, width))
			text_safe(b, value, width);
		line(s, b);
	}
}

static void channel(struct shown *s, struct ckpt_buf *b, size_t i)
{
	const struct ckpt_value *v = &s->c.values[i];
	struct ckpt_buf json = { 0 };
	bool has = show_channel(s, &json, i);
	struct ckpt_view text = ckpt_buf_view(&json);

	ckpt_buf_puts(b, out_style(s->cli, "\033[1m"));
	text_safe(b, v->channel, 0);
	ckpt_buf_puts(b, out_style(s->cli, "\033[0m"));
	if (!has) {
		ckpt_buf_addf(b, "  (%s)", show_place(s->places[i]));
		line(s, b);
	} else {
		if (text_starts(text, '['))
			ckpt_buf_addf(b, "  %zu items", text_items(text));
		if (v->type.p) {
			ckpt_buf_puts(b, text_starts(text, '[') ? ", " : "  ");
			text_size(b, (int64_t)v->body.n);
		} else {
			ckpt_buf_addf(b, "  (%s)", show_delta_note(s, i));
		}
		line(s, b);
		preview(s, b, text);
	}
	ckpt_buf_free(&json);
}

static void head(struct shown *s, struct ckpt_buf *b)
{
	const char *bold = out_style(s->cli, "\033[1m"),
		   *plain = out_style(s->cli, "\033[0m");
	unsigned writer = ckpt_writer(&s->c);
	struct ckpt_buf text = { 0 };
	int64_t step;

	ckpt_buf_addf(b, "%scheckpoint ", bold);
	text_safe(b, s->c.key.id, 0);
	ckpt_buf_addf(b, "%s   thread ", plain);
	text_safe(b, s->c.key.thread, 60);
	ckpt_buf_puts(b, "   ns ");
	if (s->c.key.ns.n)
		text_safe(b, s->c.key.ns, 60);
	else
		ckpt_buf_puts(b, "(root)");
	line(s, b);
	ckpt_buf_puts(b, "time ");
	text_time(b, s->c.time, s->cli->now, s->cli->g.time == 1);
	if (s->c.parent.p) {
		ckpt_buf_puts(b, "   parent ");
		text_safe(b, s->c.parent, 60);
	}
	if (ckpt_meta_int(&step, s->c.meta, "step"))
		ckpt_buf_addf(b, "   step %lld", (long long)step);
	if (ckpt_meta_text(&text, s->c.meta, "source")) {
		ckpt_buf_puts(b, " ");
		text_safe(b, ckpt_buf_view(&text), 20);
	}
	line(s, b);
	text.n = 0;
	ckpt_buf_addf(b, "writer %s/",
			writer == CKPT_JS ? "js"
			: writer          ? "python"
					  : "unknown");
	text_safe(b, s->c.type.p ? s->c.type : CKPT_LIT("json"), 40);
	show_member(s, &text, "v");
	ckpt_buf_addf(b, "   v%s", text.failed ? "?" : text.p);
	text.n = 0;
	if (ckpt_meta_text(&text, s->c.meta, "run_id")) {
		ckpt_buf_puts(b, "   run ");
		text_safe(b, ckpt_buf_view(&text), 60);
	}
	line(s, b);
	ckpt_buf_free(&text);
}

static void writes(struct shown *s, struct ckpt_buf *b)
{
	size_t width = (size_t)out_width(s->cli);
	bool title = false;

	for (size_t i = 0; i < s->c.nwrites; i++) {
		const struct ckpt_write *w = &s->c.writes[i];
		struct ckpt_view node = show_node_of(w->path);
		struct ckpt_buf json = { 0 };

		if (!show_wants(s, w->channel))
			continue;
		if (!title) {
			ckpt_buf_addf(b, "%spending writes%s",
					out_style(s->cli, "\033[1m"),
					out_style(s->cli, "\033[0m"));
			line(s, b);
			title = true;
		}
		show_value(s, &json, w->type, w->body);
		ckpt_buf_puts(b, "    ");
		text_safe(b, node.p ? node : w->task, 20);
		ckpt_buf_puts(b, "  ");
		text_safe(b, w->channel, 30);
		ckpt_buf_puts(b, "  ");
		text_safe(b, ckpt_buf_view(&json), width > 60 ? width - 50 : 20);
		line(s, b);
		ckpt_buf_free(&json);
	}
}

int show_text(struct shown *s)
{
	struct ckpt_buf b = { 0 };
	int rc = out_begin(s->cli, "show", "checkpoint", NULL, false);

	if (rc < 0)
		return rc;
	head(s, &b);
	ckpt_buf_puts(&b, "");
	line(s, &b);
	if (s->c.opaque.p) {
		show_value(s, &b, s->c.type, s->c.opaque);
		line(s, &b);
	}
	for (size_t i = 0; i < s->c.nvalues; i++) {
		if (show_wants(s, s->c.values[i].channel))
			channel(s, &b, i);
	}
	writes(s, &b);
	if (!s->o->channels.n) {
		stand_text(s->cli, &b, s->tasks);
		if (!b.failed)
			out_put(s->cli, ckpt_buf_view(&b));
		b.n = 0;
	}
	show_notes(s);
	if (b.failed)
		rc = ckpt_fail(&s->cli->err, CKPT_ENOMEM, "out of memory");
	ckpt_buf_free(&b);
	return rc < 0 ? rc : out_summary(s->cli, "\"checkpoints\":1", NULL);
}
