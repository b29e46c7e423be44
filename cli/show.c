/*
 * show.c - what the forms of `ckpt show` share: values under the command's options, warnings.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "show.h"

#define TERMINAL_MAX_VALUE 4096

bool show_wants(const struct shown *s, struct ckpt_view channel)
{
	for (size_t i = 0; i < s->o->channels.n; i++) {
		if (ckpt_view_eq(channel, ckpt_view_of(s->o->channels.v[i])))
			return true;
	}
	return s->o->channels.n == 0;
}

void show_warn(struct shown *s, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ckpt_buf_add(&s->warnings, text, strlen(text) + 1);
	s->nwarnings++;
}

struct ckpt_render show_render(const struct shown *s)
{
	struct ckpt_render r = { .typed = s->o->typed,
		.reveal_secrets = s->o->reveal,
		.mark_sets = s->mark_sets };

	if (s->o->max_value != CKPT_UNKNOWN)
		r.max_value = (size_t)s->o->max_value;
	else if (out_form_of(s->cli) == FORM_TEXT)
		r.max_value = TERMINAL_MAX_VALUE;
	return r;
}

void show_value(struct shown *s, struct ckpt_buf *to, struct ckpt_view type,
		struct ckpt_view body)
{
	struct ckpt_render r = show_render(s);

	if (ckpt_render_value(to, type, body, &r) == CKPT_ECORRUPT)
		s->corrupt = true;
	if (r.trailing)
		show_warn(s, "bytes follow a value; LangGraph ignores them");
}

bool show_channel(struct shown *s, struct ckpt_buf *to, size_t i)
{
	const struct ckpt_value *v = &s->c.values[i];
	char name[200];

	if (v->type.p) {
		bool before = s->corrupt;

		s->corrupt = false;
		show_value(s, to, v->type, v->body);
		if (s->corrupt)
			show_warn(s, "channel %s cannot be decoded",
					ckpt_show_name(name, v->channel));
		s->corrupt |= before;
		return true;
	}
	if (s->places[i] != CKPT_DELTA)
		return false;
	show_delta(s, i, to);
	return true;
}

void show_member(struct shown *s, struct ckpt_buf *to, const char *name)
{
	struct ckpt_view type = s->c.type.p ? s->c.type : CKPT_LIT("json"), found;

	if (s->c.skeleton.p && ckpt_value_member(&found, type, s->c.skeleton, name))
		show_value(s, to, type, found);
	else
		ckpt_buf_puts(to, "null");
}

void show_type(struct ckpt_buf *to, struct ckpt_view type, enum ckpt_lock lock)
{
	struct ckpt_buf stored = { 0 };

	ckpt_buf_add(&stored, type.p, type.n);
	if (lock == CKPT_OPENED)
		ckpt_buf_puts(&stored, "+aes");
	text_json_member(to, "type", type.p ? ckpt_buf_view(&stored) : type);
	to->failed |= stored.failed;
	ckpt_buf_free(&stored);
}

const char *show_place(enum ckpt_place place)
{
	static const char *const names[] = {
		[CKPT_INLINE] = "inline",
		[CKPT_BLOB] = "blob",
		[CKPT_DELTA] = "delta",
		[CKPT_EMPTY] = "empty",
		[CKPT_LOST] = "missing",
	};

	return names[place];
}

struct ckpt_view show_node_of(struct ckpt_view path)
{
	static const char pull[] = "~__pregel_pull, ";
	const size_t n = sizeof(pull) - 1;

	if (path.n <= n || memcmp(path.p, pull, n) != 0)
		return (struct ckpt_view){ 0 };
	path = (struct ckpt_view){ (const char *)path.p + n, path.n - n };
	/* "NODE, node_error_handler, …" is a handler's path; a node's name holds no comma-blank */
	return memmem(path.p, path.n, ", ", 2) ? (struct ckpt_view){ 0 } : path;
}

void show_put_key(struct shown *s, struct ckpt_buf *to)
{
	ckpt_buf_puts(to, "{");
	text_json_member(to, "thread", s->c.key.thread);
	ckpt_buf_puts(to, ",");
	text_json_member(to, "ns", s->c.key.ns);
	ckpt_buf_puts(to, ",");
	text_json_member(to, "id", s->c.key.id);
}

void show_notes(struct shown *s)
{
	for (size_t at = 0; at < s->warnings.n; at += strlen(s->warnings.p + at) + 1)
		cli_note(s->cli, "%s", s->warnings.p + at);
}
