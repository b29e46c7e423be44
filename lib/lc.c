/*
 * lc.c - the `lc` records of LangChain's JSON: constructors, secrets, undefined, snapshots.
 *
 * They are objects like any other until they end; then the ones that are known are rewritten.
 * An object that only looks like a record stays as it is. The forms are in form.c.
 */
#include <string.h>

#include "render.h"

struct lc {
	struct ckpt_view version, type, id, args, kwargs, value, repr;
};

static void gather(const struct render *r, const struct frame *f, struct lc *lc)
{
	const struct {
		const char *quoted;
		struct ckpt_view *to;
	} members[] = {
		{ "\"lc\"", &lc->version },
		{ "\"type\"", &lc->type },
		{ "\"id\"", &lc->id },
		{ "\"args\"", &lc->args },
		{ "\"kwargs\"", &lc->kwargs },
		{ "\"value\"", &lc->value },
		{ "\"repr\"", &lc->repr },
	};
	struct ckpt_view text = { r->out->p + f->at, r->out->n - f->at }, key, value;
	struct ckpt_walk w;
	size_t i;

	if (!ckpt_walk_open(&w, text))
		return;
	while (ckpt_walk_next(&w, &key, &value)) {
		for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
			if (text_is(key, members[i].quoted))
				*members[i].to = value;
		}
	}
}

static bool is_open(struct ckpt_view text, char bracket)
{
	return text.p && *(const char *)text.p == bracket;
}

/* ["a","b","C"]: module a.b and class C, both in r->names. */
static bool read_id(struct render *r, struct ckpt_view id, struct ckpt_view *module,
		struct ckpt_view *name)
{
	struct ckpt_view none, item, text;
	size_t last = 0;
	struct ckpt_walk w;

	if (!ckpt_walk_open(&w, id) || w.map)
		return false;
	r->names.n = 0;
	while (ckpt_walk_next(&w, &none, &item)) {
		if (!text_string(item, &text) || !text.n || memchr(text.p, '\\', text.n))
			return false;
		if (r->names.n)
			ckpt_buf_puts(&r->names, ".");
		last = r->names.n;
		ckpt_buf_add(&r->names, text.p, text.n);
	}
	if (!r->names.n)
		return false;
	*module = (struct ckpt_view){ r->names.p, last ? last - 1 : 0 };
	*name = (struct ckpt_view){ r->names.p + last, r->names.n - last };
	return true;
}

/* The payload of a constructor as it is stored. False: there is none to show. */
static bool write_payload(struct ckpt_buf *out, const struct parts *parts)
{
	bool args = parts->args.p && !text_is(parts->args, "[]");
	bool kwargs = parts->kwargs.p && !text_is(parts->kwargs, "{}");

	if (args && kwargs)
		ckpt_buf_puts(out, "{\"args\":");
	if (args)
		ckpt_buf_add(out, parts->args.p, parts->args.n);
	if (args && kwargs)
		ckpt_buf_puts(out, ",\"kwargs\":");
	if (kwargs)
		ckpt_buf_add(out, parts->kwargs.p, parts->kwargs.n);
	if (args && kwargs)
		ckpt_buf_puts(out, "}");
	return args || kwargs;
}

/* Fields a Python message leaves out where they have their default, and its reader puts back. */
static const struct {
	const char *class_name, *fields[8];
} message_defaults[] = {
	{ "HumanMessage", { NULL } },
	{ "SystemMessage", { NULL } },
	{ "ChatMessage", { NULL } },
	{ "FunctionMessage", { NULL } },
	{ "AIMessage", { "\"tool_calls\":[]", "\"invalid_tool_calls\":[]",
				       "\"usage_metadata\":null" } },
	{ "ToolMessage", { "\"artifact\":null", "\"status\":\"success\"" } },
};
static const char *const every_message[] = { "\"additional_kwargs\":{}",
	"\"response_metadata\":{}", "\"name\":null", "\"id\":null", NULL };

static bool has_member(struct ckpt_view object, const char *field)
{
	size_t n = (size_t)(strchr(field, ':') - field);
	struct ckpt_view key, value;
	struct ckpt_walk w;

	if (!ckpt_walk_open(&w, object))
		return false;
	while (ckpt_walk_next(&w, &key, &value)) {
		if (ckpt_view_eq(key, (struct ckpt_view){ field, n }))
			return true;
	}
	return false;
}

static void add_missing(
		struct render *r, struct ckpt_view kwargs, const char *const *fields)
{
	for (; *fields; fields++) {
		if (has_member(kwargs, *fields))
			continue;
		ckpt_buf_puts(&r->tmp, ",");
		ckpt_buf_puts(&r->tmp, *fields);
	}
}

static void add_defaults(struct render *r, struct ckpt_view kwargs, struct ckpt_view name)
{
	for (size_t i = 0; i < sizeof(message_defaults) / sizeof(message_defaults[0]);
			i++) {
		if (!text_is(name, message_defaults[i].class_name))
			continue;
		r->tmp.n--; /* the closing brace */
		add_missing(r, kwargs, every_message);
		add_missing(r, kwargs, message_defaults[i].fields);
		ckpt_buf_puts(&r->tmp, "}");
		return;
	}
}

/* Version 1: LangChain's own objects. Python stores what kind of message it is among the
 * fields, JavaScript only in the class. */
static bool write_object(struct render *r, const struct lc *lc, struct ckpt_view name)
{
	struct ckpt_view key, value;
	struct ckpt_walk w;
	bool named = false;

	if (!ckpt_walk_open(&w, lc->kwargs) || !w.map)
		return false;
	while (ckpt_walk_next(&w, &key, &value))
		named = named || text_is(key, "\"type\"");
	r->tmp.n = 0;
	ckpt_buf_puts(&r->tmp, "{");
	if (!named) {
		ckpt_buf_puts(&r->tmp, "\"type\":");
		ckpt_json_string(&r->tmp, name);
		if (!text_is(lc->kwargs, "{}"))
			ckpt_buf_puts(&r->tmp, ",");
	}
	ckpt_buf_add(&r->tmp, (const char *)lc->kwargs.p + 1, lc->kwargs.n - 1);
	if (named && !r->tmp.failed)
		add_defaults(r, lc->kwargs, name);
	return true;
}

static void typed_open(struct render *r, struct ckpt_view type)
{
	r->tmp.n = 0;
	ckpt_buf_puts(&r->tmp, "{\"$type\":");
	ckpt_json_string(&r->tmp, type);
	ckpt_buf_puts(&r->tmp, ",\"value\":");
}

static bool write_typed(struct render *r, const struct parts *parts, enum form form)
{
	typed_open(r, ckpt_buf_view(&r->names));
	if (form == FORM_SECRET && !r->opt->reveal_secrets)
		ckpt_buf_puts(&r->tmp, "\"**********\"");
	else if (!write_payload(&r->tmp, parts))
		ckpt_buf_puts(&r->tmp, parts->args.p     ? "[]"
				       : parts->kwargs.p ? "{}"
							 : "null");
	ckpt_buf_puts(&r->tmp, "}");
	return true;
}

static bool write_constructor(struct render *r, const struct lc *lc)
{
	struct parts parts = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
	struct ckpt_view module, name, none, more;
	struct ckpt_walk w;
	enum form form;

	if (!read_id(r, lc->id, &module, &name))
		return false;
	if (is_open(lc->args, '['))
		parts.args = lc->args;
	if (is_open(lc->kwargs, '{'))
		parts.kwargs = lc->kwargs;
	if (text_is(lc->version, "2") && module.n && r->opt->seen)
		r->opt->seen(r->opt->arg, module, name);
	form = form_of_class(module, name);
	if (r->opt->typed)
		return write_typed(r, &parts, form);
	if (text_is(lc->version, "1"))
		return write_object(r, lc, name);
	if (ckpt_walk_open(&w, parts.args) && ckpt_walk_next(&w, &none, &parts.arg) &&
			(ckpt_walk_next(&w, &none, &more) ||
					!(text_is(parts.kwargs, "{}") ||
							!parts.kwargs.p)))
		parts.arg = (struct ckpt_view){ NULL, 0 };
	if (form_write(r, form, &parts))
		return true;
	r->tmp.n = 0;
	if (parts.arg.p)
		ckpt_buf_add(&r->tmp, parts.arg.p, parts.arg.n);
	return parts.arg.p || write_payload(&r->tmp, &parts);
}

/* A record whose whole content is one value, or null. */
static bool write_single(struct render *r, const char *type, struct ckpt_view value)
{
	r->tmp.n = 0;
	if (r->opt->typed)
		typed_open(r, ckpt_view_of(type));
	if (value.p)
		ckpt_buf_add(&r->tmp, value.p, value.n);
	else
		ckpt_buf_puts(&r->tmp, "null");
	if (r->opt->typed)
		ckpt_buf_puts(&r->tmp, "}");
	return true;
}

static bool write_record(struct render *r, const struct lc *lc)
{
	static const struct ckpt_view nothing = { NULL, 0 };

	if (text_is(lc->type, "\"constructor\""))
		return write_constructor(r, lc);
	if (text_is(lc->type, "\"undefined\""))
		return write_single(r, "undefined", nothing);
	if (text_is(lc->type, "\"delta_snapshot\"") && lc->value.p)
		return write_single(r, "langgraph.checkpoint.serde.types._DeltaSnapshot",
				lc->value);
	if (text_is(lc->type, "\"not_implemented\""))
		return write_single(r, "not_implemented", lc->repr);
	if (text_is(lc->type, "\"secret\"") && !r->opt->typed)
		return write_single(r, "secret", CKPT_LIT("\"**********\""));
	return false;
}

void lc_close(struct render *r, const struct frame *f)
{
	struct lc lc;

	memset(&lc, 0, sizeof(lc));
	gather(r, f, &lc);
	if (!text_is(lc.version, "1") && !text_is(lc.version, "2"))
		return;
	if (write_record(r, &lc))
		render_replace(r, f->at);
}
