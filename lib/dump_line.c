/*
 * dump_line.c - what one line of a dump holds, found without decoding it: where each member's
 * text or base64 stands.
 *
 * The pass over an archive goes through here, so base64 is looked at once, byte by byte, and
 * only members that are not known go through the JSON reader. A line that is not quite right is
 * DUMP_BAD as a whole: half a row would be a guess.
 */
#include <limits.h>
#include <string.h>

#include "dump.h"

enum want { TEXT, BYTES, INTEGER, ROW };

#define K(kind) (1U << (kind))
#define KEYED (K(DUMP_CHECKPOINT) | K(DUMP_WRITE) | K(DUMP_BLOB))

/* Which member may stand where. */
static const struct member {
	const char *name;
	unsigned kinds; /* whose member it is; HEADER stands for the line itself */
	unsigned needed;
	enum want want;
	int slot; /* ROW: the kind of the row */
} members[] = {
	{ "checkpoint", K(DUMP_HEADER), 0, ROW, DUMP_CHECKPOINT },
	{ "write", K(DUMP_HEADER), 0, ROW, DUMP_WRITE },
	{ "blob", K(DUMP_HEADER), 0, ROW, DUMP_BLOB },
	{ "end", K(DUMP_HEADER), 0, ROW, DUMP_END },
	{ "item", K(DUMP_HEADER), 0, ROW, DUMP_ITEM },
	{ "ckpt", K(DUMP_HEADER), 0, TEXT, DUMP_WHAT },
	{ "version", K(DUMP_HEADER), 0, INTEGER, DUMP_FORMAT },
	{ "engine", K(DUMP_HEADER), 0, TEXT, DUMP_ENGINE },
	{ "layout", K(DUMP_HEADER), 0, TEXT, DUMP_LAYOUT },
	{ "thread", KEYED, KEYED, TEXT, DUMP_THREAD },
	{ "ns", KEYED, KEYED, TEXT, DUMP_NS },
	{ "id", K(DUMP_CHECKPOINT) | K(DUMP_WRITE), K(DUMP_CHECKPOINT) | K(DUMP_WRITE),
			TEXT, DUMP_ID },
	{ "parent", K(DUMP_CHECKPOINT), 0, TEXT, DUMP_PARENT },
	{ "type", KEYED, 0, TEXT, DUMP_TYPE },
	{ "body", K(DUMP_CHECKPOINT), 0, BYTES, DUMP_BODY },
	{ "metadata", K(DUMP_CHECKPOINT), 0, TEXT, DUMP_META },
	{ "task", K(DUMP_WRITE), K(DUMP_WRITE), TEXT, DUMP_TASK },
	{ "path", K(DUMP_WRITE), 0, TEXT, DUMP_PATH },
	{ "idx", K(DUMP_WRITE), K(DUMP_WRITE), INTEGER, DUMP_IDX },
	{ "channel", K(DUMP_WRITE) | K(DUMP_BLOB), K(DUMP_WRITE) | K(DUMP_BLOB), TEXT,
			DUMP_CHANNEL },
	{ "value", K(DUMP_WRITE) | K(DUMP_BLOB), 0, BYTES, DUMP_BODY },
	{ "version", K(DUMP_BLOB), 0, TEXT, DUMP_VERSION },
	{ "checkpoints", K(DUMP_END), K(DUMP_END), INTEGER, DUMP_CHECKPOINTS },
	{ "writes", K(DUMP_END), K(DUMP_END), INTEGER, DUMP_WRITES },
	{ "blobs", K(DUMP_END), K(DUMP_END), INTEGER, DUMP_BLOBS },
};

struct line {
	uint8_t *at, *end;
	struct dump_line *out;
	struct reader *json;
};

static bool bad(struct line *l, const char *why, const struct member *m)
{
	if (!l->out->why) {
		l->out->why = why;
		l->out->member = m ? m->name : NULL;
	}
	return false;
}

static int peek(struct line *l)
{
	while (l->at < l->end && (*l->at == ' ' || *l->at == '\t' || *l->at == '\r'))
		l->at++;
	return l->at < l->end ? *l->at : -1;
}

static bool take(struct line *l, int c)
{
	if (peek(l) != c)
		return false;
	l->at++;
	return true;
}

/* ---- strings -------------------------------------------------------------------------------- */

/* What follows a backslash; l->at stands on it. */
static bool escape(struct line *l)
{
	size_t left = (size_t)(l->end - l->at), digits = 0;

	if (left < 2 || !memchr("\"\\/bfnrtu", l->at[1], 9))
		return false;
	if (l->at[1] == 'u') {
		while (digits < 4 && digits + 2 < left &&
				hex_value(l->at[2 + digits]) >= 0)
			digits++;
		if (digits < 4)
			return false;
	}
	l->at += 2 + digits;
	return true;
}

/* The opening quote has been taken. */
static bool string(struct line *l, struct dump_field *f, const struct member *m)
{
	uint8_t high = 0;

	*f = (struct dump_field){ .p = l->at, .form = DUMP_PLAIN };
	for (;;) {
		while (l->at < l->end && *l->at != '"' && *l->at != '\\' &&
				*l->at >= 0x20)
			high |= *l->at++;
		if (l->at == l->end)
			return bad(l, "a string has no end", m);
		if (*l->at < 0x20)
			return bad(l, "a control character in a string", m);
		if (*l->at == '"')
			break;
		if (!escape(l))
			return bad(l, "a wrong escape in a string", m);
		f->form = DUMP_ESCAPED;
	}
	f->n = (size_t)(l->at++ - f->p);
	if (high & 0x80 && !utf8_valid((struct ckpt_view){ f->p, f->n }))
		return bad(l, "a string is not UTF-8", m);
	return true;
}

/* clang-format off */
static const uint8_t digits[256] = { /* value + 1 */
	['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7,
	['H'] = 8, ['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14,
	['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21,
	['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
	['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35,
	['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
	['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49,
	['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
	['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63,
	['/'] = 64,
};
/* clang-format on */

/* The opening quote has been taken. */
static bool base64(struct line *l, struct dump_field *f, const struct member *m)
{
	const uint8_t *p = l->at;
	size_t pad = 0;

	*f = (struct dump_field){ .p = l->at, .form = DUMP_BASE64 };
	while (l->end - p >= 4 && digits[p[0]] && digits[p[1]] && digits[p[2]] &&
			digits[p[3]])
		p += 4;
	while (p < l->end && digits[*p])
		p++;
	while (p < l->end && *p == '=' && pad < 2) {
		p++;
		pad++;
	}
	f->n = (size_t)(p - l->at);
	l->at += f->n;
	if (l->at == l->end)
		return bad(l, "a string has no end", m);
	if (*l->at++ != '"' || f->n % 4)
		return bad(l, "this is not base64", m);
	return true;
}

int64_t dump_size(const struct dump_field *f)
{
	size_t n = f->n;

	if (f->form != DUMP_BASE64)
		return 0;
	return (int64_t)(n / 4 * 3) - (n && f->p[n - 1] == '=') -
	       (n > 1 && f->p[n - 2] == '=');
}

static size_t decode(uint8_t *p, size_t n)
{
	uint8_t *to = p;
	size_t i;

	for (i = 0; i + 4 <= n; i += 4) {
		const uint8_t *four = p + i;
		uint32_t v = (uint32_t)((digits[four[0]] - 1) & 63) << 18 |
		             (uint32_t)((digits[four[1]] - 1) & 63) << 12 |
		             (uint32_t)((digits[four[2]] - 1) & 63) << 6 |
		             (uint32_t)((digits[four[3]] - 1) & 63);
		unsigned pad = four[3] != '=' ? 0 : four[2] != '=' ? 1 : 2;

		*to++ = (uint8_t)(v >> 16);
		if (pad < 2)
			*to++ = (uint8_t)(v >> 8);
		if (pad < 1)
			*to++ = (uint8_t)v;
	}
	return (size_t)(to - p);
}

struct ckpt_view dump_bytes(struct dump_field *f, struct reader *json)
{
	struct token t;

	if (f->form == DUMP_BASE64) {
		f->n = decode(f->p, f->n);
		f->form = DUMP_PLAIN;
	} else if (f->form ==
			DUMP_ESCAPED) { /* with its quotes; it only becomes shorter */
		reader_init(json, &json_reader, (struct ckpt_view){ f->p - 1, f->n + 2 });
		if (reader_next(json, &t) > 0) {
			memmove(f->p, t.s.p, t.s.n);
			f->n = t.s.n;
			f->form = DUMP_PLAIN;
		}
		reader_done(json);
	}
	return f->form == DUMP_PLAIN ? (struct ckpt_view){ f->p, f->n }
	                             : (struct ckpt_view){ 0 };
}

/* ---- values ----------------------------------------------------------------------------------- */

static bool integer(struct line *l, struct dump_field *f, const struct member *m)
{
	bool minus = take(l, '-');
	uint64_t most = (uint64_t)INT64_MAX + minus, u = 0;
	const uint8_t *start = l->at;

	for (; l->at < l->end && *l->at >= '0' && *l->at <= '9'; l->at++) {
		unsigned digit = (unsigned)(*l->at - '0');

		if (u > (most - digit) / 10)
			return bad(l, "a number is too large", m);
		u = u * 10 + digit;
	}
	if (l->at == start || (*start == '0' && l->at - start > 1) ||
			(l->at < l->end && memchr(".eE", *l->at, 3)))
		return bad(l, "a whole number was expected", m);
	*f = (struct dump_field){ .form = DUMP_NUMBER };
	f->i = minus ? (int64_t)(0 - u) : (int64_t)u;
	return true;
}

static bool literal(struct line *l, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(l->end - l->at) < n || memcmp(l->at, word, n) != 0)
		return false;
	l->at += n;
	return true;
}

static bool unexpected(struct line *l, const struct member *m)
{
	return bad(l, m->want == TEXT ? "a text was expected" : "base64 was expected", m);
}

/* {"$str":"…"} or {"$bytes":"…"} of a name, {"$text":"…"} of a payload; the brace has been taken.
 * Metadata are a payload that is written as a text. */
static bool wrapped(struct line *l, struct dump_field *f, const struct member *m)
{
	bool name = m->want == TEXT, payload = !name || m->slot == DUMP_META;
	bool bytes, text;

	peek(l);
	bytes = name && literal(l, "\"$bytes\"");
	text = payload && literal(l, "\"$text\"");
	if ((!bytes && !text && !(name && literal(l, "\"$str\""))) || !take(l, ':') ||
			!take(l, '"'))
		return unexpected(l, m);
	if (!base64(l, f, m))
		return false;
	f->blob = bytes;
	f->text = text;
	return take(l, '}') ? true : unexpected(l, m);
}

static bool value(struct line *l, struct dump_field *f, const struct member *m)
{
	int c = peek(l);

	if (m->want == INTEGER)
		return integer(l, f, m);
	if (c == 'n' && literal(l, "null")) {
		*f = (struct dump_field){ .form = DUMP_NULL };
		return true;
	}
	if (c != '"' && c != '{')
		return unexpected(l, m);
	l->at++;
	if (c == '{')
		return wrapped(l, f, m);
	return m->want == BYTES ? base64(l, f, m) : string(l, f, m);
}

/* ---- objects ------------------------------------------------------------------------------------- */

static const struct member *member_of(const struct dump_field *name, unsigned kind)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const struct member *m = &members[i];

		if (m->kinds & K(kind) && strlen(m->name) == name->n &&
				memcmp(m->name, name->p, name->n) == 0)
			return m;
	}
	return NULL;
}

/* What another program, or a later one, put beside; quarantine adds code and detail. */
static bool pass_over(struct line *l, const struct dump_field *name)
{
	struct ckpt_view rest = { l->at, (size_t)(l->end - l->at) }, raw;
	struct ckpt_view called = { name->p, name->n };
	int rc;

	reader_init(l->json, &json_reader, rest);
	rc = reader_skip(l->json, &raw);
	l->at += (size_t)(l->json->at - l->json->base);
	reader_done(l->json);
	if (rc < 0)
		return bad(l, "this is not JSON", NULL);
	if (!ckpt_view_eq(called, CKPT_LIT("code")) &&
			!ckpt_view_eq(called, CKPT_LIT("detail")))
		l->out->extra = called;
	return true;
}

static bool row(struct line *l, enum dump_kind kind);

/* One member of an object; its name's quote has been taken. */
static bool member(struct line *l, enum dump_kind kind)
{
	const struct member *m;
	struct dump_field name;

	if (!string(l, &name, NULL))
		return false;
	if (!take(l, ':'))
		return bad(l, "this is not JSON", NULL);
	m = member_of(&name, kind);
	if (!m)
		return pass_over(l, &name);
	if (m->want == ROW) {
		if (l->out->kind != DUMP_OTHER)
			return bad(l, "more than one row in a line", m);
		l->out->kind = (enum dump_kind)m->slot;
		return row(l, l->out->kind);
	}
	if (l->out->f[m->slot].form != DUMP_ABSENT)
		return bad(l, "a member stands there twice", m);
	return value(l, &l->out->f[m->slot], m);
}

static bool object(struct line *l, enum dump_kind kind)
{
	if (!take(l, '{'))
		return bad(l, "this is not a JSON object", NULL);
	if (take(l, '}'))
		return true;
	do {
		if (!take(l, '"'))
			return bad(l, "this is not JSON", NULL);
		if (!member(l, kind))
			return false;
	} while (take(l, ','));
	return take(l, '}') ? true : bad(l, "this is not JSON", NULL);
}

static bool row(struct line *l, enum dump_kind kind)
{
	if (!object(l, kind))
		return false;
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const struct member *m = &members[i];

		if (m->needed & K(kind) && l->out->f[m->slot].form <= DUMP_NULL)
			return bad(l, "a member is missing", m);
	}
	return true;
}

enum dump_kind dump_line_read(
		struct dump_line *out, uint8_t *p, size_t n, struct reader *json)
{
	struct line l = { p, p + n, out, json };

	*out = (struct dump_line){ .kind = DUMP_OTHER };
	if (peek(&l) < 0) {
		out->kind = DUMP_BLANK;
	} else if (!object(&l, DUMP_HEADER) ||
			(peek(&l) >= 0 && !bad(&l, "something follows the row", NULL))) {
		out->kind = DUMP_BAD;
	} else if (out->kind == DUMP_OTHER && out->f[DUMP_WHAT].form == DUMP_PLAIN) {
		out->kind = DUMP_HEADER;
	}
	return out->kind;
}
