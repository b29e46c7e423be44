/*
 * ext.c - msgpack ext codes 0 to 8, and the table of classes that have a form of their own.
 *
 * A payload names a class and what its constructor was given; only the latter is shown, nothing
 * is constructed. Codes and payloads that are not known stay visible as opaque bytes and are
 * never an error. How a form looks is in form.c.
 */
#include <stdio.h>
#include <string.h>

#include "render.h"

enum {
	EXT_ARG,
	EXT_ARGS,
	EXT_KWARGS,
	EXT_METHOD,
	EXT_PYDANTIC1,
	EXT_PYDANTIC2,
	EXT_NUMPY,
	EXT_SNAPSHOT,
	EXT_SENTINEL
};

static const struct {
	const char *module, *name;
	enum form form;
} classes[] = {
	/* a NULL name: any; more than one module may have a class */
	{ "", "Error", FORM_ERROR },
	{ "", "Map", FORM_PAIRS },
	{ "", "RegExp", FORM_PATTERN },
	{ "", "Set", FORM_SET },
	{ "", "Uint8Array", FORM_OCTETS },
	{ "builtins", "bytearray", FORM_HEX },
	{ "builtins", "bytes", FORM_HEX },
	{ "builtins", "frozenset", FORM_SET },
	{ "builtins", "set", FORM_SET },
	{ "collections", "deque", FORM_ARG },
	{ "datetime", "date", FORM_DATE },
	{ "datetime", "datetime", FORM_ARG },
	{ "datetime", "time", FORM_TIME },
	{ "datetime", "timedelta", FORM_TIMEDELTA },
	{ "datetime", "timezone", FORM_TIMEZONE },
	{ "decimal", "Decimal", FORM_ARG },
	{ "ipaddress", NULL, FORM_ARG },
	{ "langgraph.checkpoint.base.id", "UUID", FORM_UUID },
	{ "langgraph.constants", "Interrupt", FORM_INTERRUPT },
	{ "langgraph.constants", "Send", FORM_SEND },
	{ "langgraph.types", "Interrupt", FORM_INTERRUPT },
	{ "langgraph.types", "Send", FORM_SEND },
	{ "pathlib", "PureWindowsPath", FORM_WINPATH },
	{ "pathlib", "WindowsPath", FORM_WINPATH },
	{ "pathlib", NULL, FORM_PATH },
	{ "pathlib._local", "PureWindowsPath", FORM_WINPATH },
	{ "pathlib._local", "WindowsPath", FORM_WINPATH },
	{ "pathlib._local", NULL, FORM_PATH },
	{ "re", "compile", FORM_PATTERN },
	{ "uuid", "UUID", FORM_UUID },
	{ "zoneinfo", "ZoneInfo", FORM_ARG },
};

static bool begins(struct ckpt_view text, const char *with)
{
	size_t n = strlen(with);

	return text.n >= n && memcmp(text.p, with, n) == 0;
}

enum form form_of_class(struct ckpt_view module, struct ckpt_view name)
{
	size_t i;

	/* Better one text hidden too many than a secret shown. */
	if (text_is(name, "SecretStr") || text_is(name, "SecretBytes") ||
			(begins(module, "pydantic") && begins(name, "Secret")))
		return FORM_SECRET;
	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		if (text_is(module, classes[i].module) &&
				(!classes[i].name || text_is(name, classes[i].name)))
			return classes[i].form;
	}
	return FORM_NONE;
}

/* ---- payloads -------------------------------------------------------------------------------- */

struct head {
	struct ckpt_view module, name, arg;
};

static bool read_text(struct reader *rd, struct ckpt_view *out)
{
	struct token t;

	if (reader_next(rd, &t) != 1 || t.kind != TOKEN_STR)
		return false;
	*out = t.s;
	return true;
}

/* The payload is exactly one array [module, name, arg(, method)]. */
static bool read_head(struct reader *rd, const struct token *ext, struct head *out)
{
	bool method = ext->ext >= EXT_METHOD; /* pydantic 1 has none, later ones do */
	struct token t;

	reader_init(rd, &msgpack_reader, ext->s);
	if (reader_next(rd, &t) != 1 || t.kind != TOKEN_ARRAY || t.n < 3 ||
			t.n > 3u + method)
		return false;
	if (!read_text(rd, &out->module) || !read_text(rd, &out->name))
		return false;
	if (reader_skip(rd, &out->arg) < 0 || (t.n == 4 && reader_skip(rd, NULL) < 0))
		return false;
	return rd->at == rd->end;
}

static void write_unknown(struct render *r, const struct token *ext)
{
	char label[32];
	int n = snprintf(label, sizeof(label), "ext:%d", ext->ext);

	if (!r->opt->typed) {
		render_opaque(r->out, (struct ckpt_view){ label, (size_t)n }, ext->s);
		return;
	}
	ckpt_buf_addf(r->out, "{\"$type\":\"%s\",\"value\":", label);
	render_bytes(r->out, ext->s);
	ckpt_buf_puts(r->out, "}");
}

static void seen(struct render *r, struct ckpt_view module, struct ckpt_view name)
{
	if (r->opt->seen)
		r->opt->seen(r->opt->arg, module, name);
}

static void open_typed(struct render *r, struct ckpt_view module, struct ckpt_view name)
{
	r->names.n = 0;
	ckpt_buf_add(&r->names, module.p, module.n);
	ckpt_buf_puts(&r->names, ".");
	ckpt_buf_add(&r->names, name.p, name.n);
	ckpt_buf_puts(r->out, "{\"$type\":");
	ckpt_json_string(r->out, ckpt_buf_view(&r->names));
	ckpt_buf_puts(r->out, ",\"value\":");
}

static int push_payload(
		struct render *r, const struct token *ext, const struct head *head)
{
	struct frame *f;
	int rc;

	if (r->opt->typed)
		open_typed(r, head->module, head->name);
	f = frame_push(r, TOKEN_EXT);
	if (!f)
		return CKPT_ENOMEM;
	f->code = ext->ext;
	f->form = (uint8_t)form_of_class(head->module, head->name);
	rc = reader_push(&r->rd, head->arg);
	return rc < 0 ? rc : 1;
}

int ext_open(struct render *r, const struct token *ext)
{
	struct head head = { CKPT_LIT("langgraph.checkpoint.serde.types"),
		CKPT_LIT("_DeltaSnapshot"), ext->s };

	if (ext->ext == EXT_SENTINEL && ext->s.n == 0) {
		ckpt_buf_puts(r->out,
				r->opt->typed ? "{\"$type\":\"ext:8\",\"value\":null}"
					      : "null");
		return 0;
	}
	if (ext->ext == EXT_NUMPY && numpy_write(r, ext->s))
		return 0;
	if (ext->ext == EXT_SNAPSHOT) {
		reader_init(&r->peek, &msgpack_reader, ext->s);
		if (reader_skip(&r->peek, NULL) == 0 && r->peek.at == r->peek.end)
			return push_payload(r, ext, &head);
	}
	if (ext->ext >= EXT_ARG && ext->ext <= EXT_PYDANTIC2 &&
			read_head(&r->peek, ext, &head)) {
		seen(r, head.module, head.name);
		return push_payload(r, ext, &head);
	}
	write_unknown(r, ext);
	return 0;
}

void ext_close(struct render *r, const struct frame *f)
{
	struct ckpt_view text = { r->out->p + f->at, r->out->n - f->at };
	struct parts parts = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
	bool hide = f->form == FORM_SECRET;

	if (r->out->failed)
		return;
	if (f->code == EXT_ARG || f->code == EXT_METHOD)
		parts.arg = text;
	else if (f->code == EXT_ARGS)
		parts.args = text;
	else
		parts.kwargs = text;
	/* The members of a set were sorted when their array ended. */
	if (f->form != FORM_NONE && f->form != FORM_SET && (hide || !r->opt->typed) &&
			form_write(r, f->form, &parts))
		render_replace(r, f->at);
	if (r->opt->typed)
		ckpt_buf_puts(r->out, "}");
}
