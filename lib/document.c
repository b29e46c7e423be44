/*
 * document.c - what one checkpoint says of itself, as JSON: its values, a path into them, the
 * nodes that made it, the language that wrote it.
 */
#include <stdlib.h>
#include <string.h>

#include "codec.h"

/* ---- paths --------------------------------------------------------------------------------------- */

static bool take_prefix(struct ckpt_view *v, const char *prefix)
{
	size_t n = strlen(prefix);
	const char *p = v->p;

	if (v->n < n || memcmp(p, prefix, n) != 0 || (v->n > n && p[n] != '/'))
		return false;
	*v = (struct ckpt_view){ p + n, v->n - n };
	return true;
}

/* The first segment of "/a~1b/rest" without its slash, unescaped into `name`. */
static void take_segment(struct ckpt_view *v, struct ckpt_buf *name)
{
	const char *p = v->p;
	size_t i = 1;

	ckpt_buf_add(name, "", 0);
	for (; i < v->n && p[i] != '/'; i++) {
		if (p[i] == '~' && i + 1 < v->n && (p[i + 1] == '0' || p[i + 1] == '1')) {
			ckpt_buf_puts(name, p[i + 1] == '0' ? "~" : "/");
			i++;
		} else {
			ckpt_buf_add(name, &p[i], 1);
		}
	}
	*v = (struct ckpt_view){ p + i, v->n - i };
}

static int value_of(struct ckpt_buf *to, const struct ckpt_checkpoint *c,
		struct ckpt_view channel, struct ckpt_render *opt)
{
	for (size_t i = 0; i < c->nvalues; i++) {
		const struct ckpt_value *v = &c->values[i];

		if (!v->type.p || !ckpt_view_eq(v->channel, channel))
			continue;
		int rc = ckpt_render_value(to, v->type, v->body, opt);

		return rc < 0 ? rc : 1;
	}
	return 0;
}

static int all_values(struct ckpt_buf *to, const struct ckpt_checkpoint *c,
		struct ckpt_render *opt)
{
	const char *sep = "{";
	int rc = 0;

	if (c->opaque.p)
		return ckpt_render_value(to, c->type, c->opaque, opt);
	for (size_t i = 0; i < c->nvalues; i++) {
		const struct ckpt_value *v = &c->values[i];
		int one;

		if (!v->type.p)
			continue;
		ckpt_buf_puts(to, sep);
		ckpt_json_string(to, v->channel);
		ckpt_buf_puts(to, ":");
		one = ckpt_render_value(to, v->type, v->body, opt);
		rc = one < 0 ? one : rc;
		sep = ",";
	}
	ckpt_buf_puts(to, *sep == '{' ? "{}" : "}");
	return rc;
}

int ckpt_checkpoint_path(struct ckpt_buf *to, const struct ckpt_checkpoint *c,
		struct ckpt_view pointer, struct ckpt_render *opt)
{
	struct ckpt_buf whole = { 0 }, name = { 0 };
	struct ckpt_view found;
	int rc = 0;

	if (take_prefix(&pointer, "/metadata")) {
		if (c->meta.p)
			rc = ckpt_render_value(&whole, c->meta_type, c->meta, opt);
		rc = rc < 0 ? rc : c->meta.p != NULL;
	} else if (take_prefix(&pointer, "/values")) {
		if (pointer.n == 0) {
			rc = all_values(&whole, c, opt);
			rc = rc < 0 ? rc : 1;
		} else {
			take_segment(&pointer, &name);
			rc = value_of(&whole, c, ckpt_buf_view(&name), opt);
		}
	}
	if (rc != 0 && !whole.failed) { /* also of a corrupt one: its $corrupt object */
		if (ckpt_pointer_find(&found, ckpt_buf_view(&whole), pointer))
			ckpt_buf_add(to, found.p, found.n);
		else
			rc = 0;
	}
	if (whole.failed || name.failed || to->failed)
		rc = CKPT_ENOMEM;
	ckpt_buf_free(&whole);
	ckpt_buf_free(&name);
	return rc;
}

/* ---- nodes ------------------------------------------------------------------------------------------ */

struct seen { /* the newest version each node had seen, as texts in `text` */
	struct reader *r;
	struct ckpt_buf text;
	struct {
		size_t name, name_n, version, version_n;
	} * nodes;
	size_t n, cap;
	bool json;
};

/* Versions of Python are strings of equal width, those of JavaScript numbers. */
static int version_cmp(struct ckpt_view a, struct ckpt_view b)
{
	const char *x = a.p, *y = b.p;

	if (a.n && b.n && x[0] != '"' && y[0] != '"') {
		double d = strtod(x, NULL) - strtod(y, NULL);

		return (d > 0) - (d < 0);
	}
	return ckpt_view_cmp(a, b);
}

static struct ckpt_view seen_name(const struct seen *s, size_t i)
{
	return (struct ckpt_view){ s->text.p + s->nodes[i].name, s->nodes[i].name_n };
}

static struct ckpt_view seen_version(const struct seen *s, size_t i)
{
	return (struct ckpt_view){ s->text.p + s->nodes[i].version,
		s->nodes[i].version_n };
}

static bool add_node(struct seen *s, struct ckpt_view name)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 16;
		void *more = realloc(s->nodes, cap * sizeof(*s->nodes));

		if (!more)
			return false;
		s->nodes = more;
		s->cap = cap;
	}
	s->nodes[s->n].name = s->text.n;
	s->nodes[s->n].name_n = name.n;
	ckpt_buf_add(&s->text, name.p, name.n);
	s->nodes[s->n].version = s->text.n;
	s->nodes[s->n].version_n = 0;
	s->n++;
	return !s->text.failed;
}

/* One node's {channel: version}: keep the greatest, with a NUL behind it for strtod. */
static bool read_node(struct seen *s)
{
	struct ckpt_render plain = { 0 };
	struct ckpt_view type = s->json ? CKPT_LIT("json") : CKPT_LIT("msgpack"), raw;
	struct token t;

	if (reader_next(s->r, &t) <= 0 || t.kind != TOKEN_MAP)
		return false;
	while (reader_next(s->r, &t) > 0 && t.kind == TOKEN_STR) {
		struct ckpt_buf version = { 0 };

		if (reader_skip(s->r, &raw) < 0)
			return false;
		ckpt_render_value(&version, type, raw, &plain);
		if (!version.failed && version_cmp(ckpt_buf_view(&version),
						       seen_version(s, s->n - 1)) > 0) {
			s->text.n = s->nodes[s->n - 1].version;
			ckpt_buf_add(&s->text, version.p, version.n + 1);
			s->nodes[s->n - 1].version_n = version.n;
		}
		ckpt_buf_free(&version);
	}
	return t.kind == TOKEN_END && !s->text.failed;
}

/* Entries of versions_seen that are the engine's bookkeeping, not nodes. */
static bool is_pseudo(struct ckpt_view name)
{
	return ckpt_view_eq(name, CKPT_LIT("__input__")) ||
	       ckpt_view_eq(name, CKPT_LIT("__interrupt__")) ||
	       ckpt_view_eq(name, CKPT_LIT("__snapshot_bumps__"));
}

static bool read_seen(struct seen *s)
{
	struct token t;

	if (reader_next(s->r, &t) <= 0 || t.kind != TOKEN_MAP)
		return false;
	while (reader_next(s->r, &t) > 0 && t.kind == TOKEN_STR) {
		if (is_pseudo(t.s) ? reader_skip(s->r, NULL) < 0
				   : !add_node(s, t.s) || !read_node(s))
			return false;
	}
	return t.kind == TOKEN_END;
}

static void print_newest(struct ckpt_buf *to, const struct seen *s)
{
	struct ckpt_view newest = { "", 0 };
	const char *sep = "";

	for (size_t i = 0; i < s->n; i++) {
		if (version_cmp(seen_version(s, i), newest) > 0)
			newest = seen_version(s, i);
	}
	for (size_t i = 0; i < s->n; i++) {
		if (newest.n == 0 || version_cmp(seen_version(s, i), newest) != 0)
			continue;
		ckpt_buf_puts(to, sep);
		ckpt_json_string(to, seen_name(s, i));
		sep = ",";
	}
}

void ckpt_nodes_json(struct ckpt_buf *to, const struct ckpt_checkpoint *c)
{
	struct seen s = { .json = codec_reader(c->type) == &json_reader };
	struct ckpt_buf source = { 0 };
	struct ckpt_view seen;
	bool loop = ckpt_meta_text(&source, c->meta, "source") &&
	            ckpt_view_eq(ckpt_buf_view(&source), CKPT_LIT("loop"));

	ckpt_buf_puts(to, "[");
	s.r = loop ? malloc(sizeof(*s.r)) : NULL;
	if (s.r && ckpt_value_member(&seen,
				   s.json ? CKPT_LIT("json") : CKPT_LIT("msgpack"),
				   c->skeleton, "versions_seen")) {
		reader_init(s.r, codec_reader(c->type), seen);
		if (read_seen(&s))
			print_newest(to, &s);
		reader_done(s.r);
	}
	ckpt_buf_puts(to, "]");
	free(s.r);
	free(s.nodes);
	ckpt_buf_free(&s.text);
	ckpt_buf_free(&source);
}

unsigned ckpt_writer(const struct ckpt_checkpoint *c)
{
	return codec_writer(c->type, c->skeleton);
}
