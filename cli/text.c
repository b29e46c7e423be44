/*
 * text.c - bytes from a store, or numbers, as text that is safe to print.
 *
 * For people: \u{1b} and \xHH. For pipes: \t \n \\ \xHH, reversible. For JSON: members.
 * Nothing here writes anywhere but into a buffer.
 */
#include <stdio.h>
#include <string.h>

#include "out.h"

struct range {
	uint32_t from, to;
};

/* clang-format off */
/* What must not reach a terminal: controls, bidi marks, invisible and format characters. */
static const struct range harmful[] = {
	{ 0x00, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x61c, 0x61c }, { 0x180e, 0x180e },
	{ 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xfeff, 0xfeff },
	{ 0xfff9, 0xfffb }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff }
};
/* Combining: no column of their own. */
static const struct range narrow[] = {
	{ 0x300, 0x36f }, { 0x483, 0x489 }, { 0x591, 0x5bd }, { 0x610, 0x61a },
	{ 0x64b, 0x65f }, { 0x900, 0x902 }, { 0x93c, 0x93c }, { 0x941, 0x948 },
	{ 0xe31, 0xe31 }, { 0xe34, 0xe3a }, { 0xe47, 0xe4e }, { 0x1ab0, 0x1aff },
	{ 0x1dc0, 0x1dff }, { 0x20d0, 0x20f0 }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f }
};
/* East Asian wide and emoji: two columns. */
static const struct range wide[] = {
	{ 0x1100, 0x115f }, { 0x231a, 0x231b }, { 0x23e9, 0x23ec }, { 0x2614, 0x2615 },
	{ 0x26a1, 0x26a1 }, { 0x2705, 0x2705 }, { 0x274c, 0x274c }, { 0x2753, 0x2757 },
	{ 0x2e80, 0x303e }, { 0x3041, 0x33ff }, { 0x3400, 0x4dbf }, { 0x4e00, 0x9fff },
	{ 0xa000, 0xa4cf }, { 0xac00, 0xd7a3 }, { 0xf900, 0xfaff }, { 0xfe30, 0xfe6f },
	{ 0xff00, 0xff60 }, { 0xffe0, 0xffe6 }, { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff },
	{ 0x1f900, 0x1f9ff }, { 0x1fa70, 0x1faff }, { 0x20000, 0x3fffd }
};
/* clang-format on */

static bool in_ranges(uint32_t cp, const struct range *r, size_t n)
{
	for (size_t i = 0; i < n && cp >= r[i].from; i++)
		if (cp <= r[i].to)
			return true;
	return false;
}
#define IN(cp, table) in_ranges(cp, table, sizeof(table) / sizeof(*(table)))

/* Length of the well-formed UTF-8 sequence at p, or 0; the character goes to *cp. */
static size_t decode(const uint8_t *p, size_t n, uint32_t *cp)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;

	if (p[0] < 0x80) {
		*cp = p[0];
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4 || len > n)
		return 0;
	*cp = p[0] & (0x7fU >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (p[i] & 0x3fU);
	}
	if (*cp < smallest[len] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp <= 0xdfff))
		return 0;
	return len;
}

/* One character as a person sees it: its text, bytes taken, columns. */
struct glyph {
	char text[16];
	const void *p;
	size_t n, taken, columns;
};

static void glyph_escape(struct glyph *g, const char *fmt, unsigned v)
{
	int n = snprintf(g->text, sizeof(g->text), fmt, v);

	g->p = g->text;
	g->n = g->columns = (size_t)n;
}

static void glyph_at(struct glyph *g, const uint8_t *p, size_t n)
{
	uint32_t cp = 0;

	g->taken = decode(p, n, &cp);
	if (!g->taken) {
		g->taken = 1;
		glyph_escape(g, "\\x%02X", p[0]);
	} else if (cp == '\n' || cp == '\t') {
		glyph_escape(g, "\\%c", cp == '\n' ? 'n' : 't');
	} else if (IN(cp, harmful)) {
		glyph_escape(g, "\\u{%x}", cp);
	} else {
		g->p = p;
		g->n = g->taken;
		g->columns = IN(cp, narrow) ? 0 : IN(cp, wide) ? 2 : 1;
	}
}

size_t text_width(struct ckpt_view v)
{
	const uint8_t *p = v.p;
	size_t columns = 0;

	for (size_t at = 0; at < v.n;) {
		struct glyph g;

		glyph_at(&g, p + at, v.n - at);
		columns += g.columns;
		at += g.taken;
	}
	return columns;
}

/* What fits, remembering where to cut should the rest turn out not to. */
void text_safe(struct ckpt_buf *to, struct ckpt_view v, size_t width)
{
	const uint8_t *p = v.p;
	size_t columns = 0, cut = to->n;

	for (size_t at = 0; at < v.n;) {
		struct glyph g;

		glyph_at(&g, p + at, v.n - at);
		if (width && columns + g.columns > width) {
			if (!to->failed)
				to->n = cut;
			ckpt_buf_puts(to, "…");
			return;
		}
		if (columns + g.columns <= width - 1)
			cut = to->n + g.n;
		ckpt_buf_add(to, g.p, g.n);
		columns += g.columns;
		at += g.taken;
	}
}

void text_size(struct ckpt_buf *to, int64_t bytes)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB", "EB" };
	double v = (double)bytes / 1000;
	size_t u = 0;

	if (bytes == CKPT_UNKNOWN)
		return;
	if (bytes < 1000) {
		ckpt_buf_addf(to, "%lld B", (long long)bytes);
		return;
	}
	for (; v >= 999.5 && u < 5; u++)
		v /= 1000;
	ckpt_buf_addf(to, v < 99.95 ? "%.1f %s" : "%.0f %s", v, units[u]);
}

void text_time(struct ckpt_buf *to, int64_t t, int64_t now, bool iso)
{
	char text[40];
	const char *unit = "d";
	int64_t s, n;

	if (t == CKPT_UNKNOWN)
		return;
	if (iso) {
		ckpt_time_print(text, t);
		ckpt_buf_puts(to, text);
		return;
	}
	/* in seconds first: the difference of two ns times may not fit */
	s = now / 1000000000 - t / 1000000000;
	n = s < 0 ? -s : s;
	if (n < 60) {
		ckpt_buf_puts(to, "just now");
		return;
	}
	if (n < 3600) {
		n /= 60;
		unit = "min";
	} else if (n < 86400) {
		n /= 3600;
		unit = "h";
	} else {
		n /= 86400;
	}
	ckpt_buf_addf(to, s < 0 ? "in %lld %s" : "%lld %s ago", (long long)n, unit);
}

static bool plain_ascii(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '\\';
}

void text_porcelain(struct ckpt_buf *to, struct ckpt_view v)
{
	const uint8_t *p = v.p;
	size_t run;

	for (size_t at = 0; at < v.n;) {
		uint32_t cp = 0;
		size_t n;

		for (run = at; at < v.n && plain_ascii(p[at]); at++)
			;
		ckpt_buf_add(to, p + run, at - run);
		if (at == v.n)
			break;
		n = decode(p + at, v.n - at, &cp);
		if (n && cp == '\t') {
			ckpt_buf_puts(to, "\\t");
		} else if (n && cp == '\n') {
			ckpt_buf_puts(to, "\\n");
		} else if (n && cp == '\\') {
			ckpt_buf_puts(to, "\\\\");
		} else if (n && !IN(cp, harmful)) {
			ckpt_buf_add(to, p + at, n);
		} else {
			/* byte by byte, so that it can be turned back */
			for (size_t i = 0; i < (n ? n : 1); i++)
				ckpt_buf_addf(to, "\\x%02X", p[at + i]);
		}
		at += n ? n : 1;
	}
}

void text_int_member(struct ckpt_buf *to, const char *key, int64_t n)
{
	ckpt_buf_addf(to, "%s\"%s\":", to->n && to->p[to->n - 1] != '{' ? "," : "", key);
	if (n == CKPT_UNKNOWN)
		ckpt_buf_puts(to, "null");
	else
		ckpt_buf_addf(to, "%lld", (long long)n);
}

void text_json_member(struct ckpt_buf *to, const char *key, struct ckpt_view v)
{
	ckpt_buf_addf(to, "\"%s\":", key);
	if (!v.p) {
		ckpt_buf_puts(to, "null");
	} else if (!ckpt_json_string(to, v)) {
		ckpt_buf_addf(to, ",\"%s_b64\":\"", key);
		ckpt_base64(to, v);
		ckpt_buf_puts(to, "\"");
	}
}

bool text_starts(struct ckpt_view v, char c)
{
	return v.n && *(const char *)v.p == c;
}

size_t text_items(struct ckpt_view json)
{
	struct ckpt_view key, value;
	struct ckpt_walk walk;
	size_t n = 0;

	if (!ckpt_walk_open(&walk, json))
		return 0;
	while (ckpt_walk_next(&walk, &key, &value))
		n++;
	return n;
}

const char *text_message_class(struct ckpt_view json, struct ckpt_view *content)
{
	static const char *const kinds[][2] = {
		{ "\"human\"", "HumanMessage" },
		{ "\"ai\"", "AIMessage" },
		{ "\"tool\"", "ToolMessage" },
		{ "\"system\"", "SystemMessage" },
		{ "\"remove\"", "RemoveMessage" },
	};
	struct ckpt_view type;

	if (!json.n || *(const char *)json.p != '{' ||
			!ckpt_pointer_find(&type, json, CKPT_LIT("/type")) ||
			!ckpt_pointer_find(content, json, CKPT_LIT("/content")))
		return NULL;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (ckpt_view_eq(type, ckpt_view_of(kinds[i][0])))
			return kinds[i][1];
	}
	return NULL;
}
