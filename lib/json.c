/*
 * json.c - JSON as tokens, and the pieces of JSON text that are written.
 *
 * Knows JSON only: what a stored value means is decided in render.c. Numbers keep their
 * digits as text, because a double would change them.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "token.h"

/* ---- reading ----------------------------------------------------------------------- */

enum { STATE_FIRST, STATE_NEXT, STATE_VALUE }; /* or after an item, a key */

static size_t offset(const struct reader *r, const uint8_t *p)
{
	return (size_t)(p - r->base);
}

/* The next byte that is not white space, which stays; -1 at the end. */
static int peek(struct reader *r)
{
	while (r->at < r->end) {
		uint8_t c = *r->at;

		if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
			return c;
		r->at++;
	}
	return -1;
}

static int fail_here(struct reader *r)
{
	const char *why = r->at < r->end ? "bad byte" : "ends early";

	return reader_fail(r, why, offset(r, r->at));
}

/* Four hexadecimal digits, or -1. */
static int32_t read_u16(const uint8_t *p, const uint8_t *end)
{
	int32_t unit = 0;
	unsigned i;

	if (end - p < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		int v = hex_value(p[i]);

		if (v < 0)
			return -1;
		unit = unit * 16 + v;
	}
	return unit;
}

/* A string as it stands between its quotes. `out->b`: it has escapes, all well-formed. */
static int read_string(struct reader *r, struct token *out)
{
	const uint8_t *p = r->at + 1, *start = p, *quote = p - 1;

	for (;; p++) {
		const uint8_t *slash;

		if (quote < p) /* it was escaped, or none was looked for yet */
			quote = memchr(p, '"', (size_t)(r->end - p));
		slash = quote ? memchr(p, '\\', (size_t)(quote - p)) : NULL;
		if (!slash)
			break;
		out->b = true;
		p = slash + 1;
		if (*p == 'u' ? read_u16(p + 1, r->end) < 0
			      : !*p || !strchr("\"\\/bfnrt", *p))
			return reader_fail(r, "bad escape", offset(r, p - 1));
	}
	if (!quote)
		return reader_fail(r, "ends early", offset(r, r->at));
	p = quote;
	out->kind = TOKEN_STR;
	out->s = (struct ckpt_view){ start, (size_t)(p - start) };
	r->at = p + 1;
	return 1;
}

/* A \u at p, or two that are a pair; returns where it ends. */
static const uint8_t *decode_u16(
		struct reader *r, const uint8_t *p, const uint8_t *end, bool *lone)
{
	uint32_t cp = (uint32_t)read_u16(p + 2, end);
	char text[4];

	p += 6;
	if (cp >= 0xd800 && cp < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
		int32_t low = read_u16(p + 2, end);

		if (low >= 0xdc00 && low < 0xe000) {
			cp = 0x10000 + ((cp - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
			p += 6;
		}
	}
	if (cp >= 0xd800 && cp < 0xe000)
		*lone = true;
	ckpt_buf_add(&r->scratch, text, utf8_put(text, cp));
	return p;
}

/* Replace the raw text of a string by the decoded one. */
static int decode_string(struct reader *r, struct token *out)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const uint8_t *p = out->s.p, *end = p + out->s.n;

	r->scratch.n = 0;
	out->b = false;
	while (p < end) {
		const uint8_t *slash = memchr(p, '\\', (size_t)(end - p));
		const char *at;

		if (!slash)
			slash = end;
		ckpt_buf_add(&r->scratch, p, (size_t)(slash - p));
		p = slash;
		if (p == end)
			break;
		if (p[1] == 'u') {
			p = decode_u16(r, p, end, &out->b);
			continue;
		}
		at = strchr(from, p[1]);
		ckpt_buf_add(&r->scratch, at ? to + (at - from) : (const char *)p + 1, 1);
		p += 2;
	}
	out->s = ckpt_buf_view(&r->scratch);
	return r->scratch.failed ? reader_fail(r, "out of memory", out->at) : 1;
}

static const uint8_t *pass_digits(const uint8_t *p, const uint8_t *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

static int read_number(struct reader *r, struct token *out)
{
	const uint8_t *p = r->at, *digits, *end = r->end;

	if (*p == '-')
		p++;
	digits = p;
	p = p < end && *p == '0' ? p + 1 : pass_digits(p, end);
	if (p == digits)
		goto bad;
	if (p < end && *p == '.') {
		digits = ++p;
		p = pass_digits(p, end);
		if (p == digits)
			goto bad;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		digits = p;
		p = pass_digits(p, end);
		if (p == digits)
			goto bad;
	}
	out->kind = TOKEN_NUM;
	out->s = (struct ckpt_view){ r->at, (size_t)(p - r->at) };
	r->at = p;
	return 1;
bad:
	return reader_fail(r, "bad number", out->at);
}

/* The words of JSON, and those that Python's json module writes for floats. */
static int read_word(struct reader *r, struct token *out)
{
	static const struct {
		const char *text;
		size_t n;
		enum token_kind kind;
	} words[] = {
		{ "null", 4, TOKEN_NIL },
		{ "false", 5, TOKEN_BOOL },
		{ "true", 4, TOKEN_BOOL },
		{ "NaN", 3, TOKEN_NUM },
		{ "Infinity", 8, TOKEN_NUM },
		{ "-Infinity", 9, TOKEN_NUM },
	};
	size_t left = (size_t)(r->end - r->at), i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (words[i].n > left || memcmp(r->at, words[i].text, words[i].n) != 0)
			continue;
		out->kind = words[i].kind;
		out->b = words[i].text[0] == 't';
		if (out->kind == TOKEN_NUM)
			out->s = (struct ckpt_view){ r->at, words[i].n };
		r->at += words[i].n;
		return 1;
	}
	return reader_fail(r, "bad byte", out->at);
}

static int read_value(struct reader *r, struct token *out)
{
	int c = peek(r);

	out->at = offset(r, r->at);
	if (c < 0)
		return fail_here(r);
	if (c == '"')
		return read_string(r, out);
	if (c == '[' || c == '{') {
		out->kind = c == '[' ? TOKEN_ARRAY : TOKEN_MAP;
		out->n = TOKEN_OPEN;
		r->at++;
		return 1;
	}
	if (c == '-' && r->end - r->at > 1 && r->at[1] == 'I')
		return read_word(r, out);
	if (c == '-' || (c >= '0' && c <= '9'))
		return read_number(r, out);
	return read_word(r, out);
}

/* The next token of a level, with the comma or colon before it; strings stay raw. When an
 * opened container ends, the level around it is in STATE_NEXT: no state need be kept. */
static int read_item(struct reader *r, uint8_t kind, uint8_t *state, struct token *out)
{
	int c;

	if (kind == TOKEN_EXT)
		return read_value(r, out);
	c = peek(r);
	if (*state == STATE_VALUE) {
		if (c != ':')
			return fail_here(r);
		r->at++;
		*state = STATE_NEXT;
		return read_value(r, out);
	}
	if (c == (kind == TOKEN_MAP ? '}' : ']')) {
		out->kind = TOKEN_END;
		out->at = offset(r, r->at++);
		return 1;
	}
	if (*state == STATE_NEXT) {
		if (c != ',')
			return fail_here(r);
		r->at++;
		c = peek(r);
	}
	if (kind == TOKEN_MAP && c != '"')
		return fail_here(r);
	*state = kind == TOKEN_MAP ? STATE_VALUE : STATE_NEXT;
	return read_value(r, out);
}

static int next_token(struct reader *r, struct token *out)
{
	struct reader_level *level = &r->levels[r->depth];
	int rc = read_item(r, level->kind, &level->state, out);

	level->left = 0;
	if (rc < 0)
		return rc;
	if (out->kind == TOKEN_END)
		r->depth--;
	else if (out->kind == TOKEN_STR && out->b)
		return decode_string(r, out);
	else if (out->kind != TOKEN_ARRAY && out->kind != TOKEN_MAP)
		return 1;
	else if (reader_enter(r, out->kind, 0))
		return reader_fail(r, "nested too deep", out->at);
	return 1;
}

/* One bit a level: is it a map? 64 of them here, those further out in the scratch. */
struct skip_stack {
	uint64_t maps, depth;
};

static void skip_enter(struct reader *r, struct skip_stack *stack, bool map)
{
	if (stack->depth && stack->depth % 64 == 0)
		ckpt_buf_add(&r->scratch, &stack->maps, sizeof(stack->maps));
	stack->maps = stack->maps << 1 | map;
	stack->depth++;
}

static void skip_leave(struct reader *r, struct skip_stack *stack)
{
	stack->maps >>= 1;
	stack->depth--;
	if (stack->depth == 0 || stack->depth % 64)
		return;
	r->scratch.n -= sizeof(stack->maps);
	memcpy(&stack->maps, r->scratch.p + r->scratch.n, sizeof(stack->maps));
}

static int skip_value(struct reader *r, struct ckpt_view *out)
{
	struct reader_level *level = &r->levels[r->depth];
	struct token first = { 0 }, token;
	struct skip_stack stack = { 0, 0 };
	uint8_t state = STATE_FIRST;
	int rc = read_item(r, level->kind, &level->state, &first);

	level->left = 0;
	if (rc == 1 && first.kind == TOKEN_END)
		return reader_fail(r, "ends early", first.at);
	r->scratch.n = 0;
	if (first.kind == TOKEN_ARRAY || first.kind == TOKEN_MAP)
		skip_enter(r, &stack, first.kind == TOKEN_MAP);
	while (rc == 1 && stack.depth) {
		token = (struct token){ 0 };
		rc = read_item(r, stack.maps & 1 ? TOKEN_MAP : TOKEN_ARRAY, &state,
				&token);
		if (rc < 0)
			break;
		if (token.kind == TOKEN_END) {
			skip_leave(r, &stack);
			state = STATE_NEXT;
		} else if (token.kind == TOKEN_ARRAY || token.kind == TOKEN_MAP) {
			skip_enter(r, &stack, token.kind == TOKEN_MAP);
			state = STATE_FIRST;
		}
		if (r->scratch.failed)
			return reader_fail(r, "out of memory", token.at);
	}
	if (rc < 0)
		return rc;
	*out = (struct ckpt_view){ r->base + first.at, offset(r, r->at) - first.at };
	return 0;
}

const struct reader_ops json_reader = { "json", next_token, skip_value };

/* ---- writing ----------------------------------------------------------------------- */

static void put_u16(struct ckpt_buf *buf, uint32_t unit)
{
	char text[6] = { '\\', 'u' };
	unsigned i;

	for (i = 0; i < 4; i++)
		text[2 + i] = (char)hex_digit(unit >> (12 - 4 * i) & 15);
	ckpt_buf_add(buf, text, sizeof(text));
}

static void put_escape(struct ckpt_buf *buf, uint32_t cp)
{
	static const char from[] = "\"\\\n\t\r\b\f", to[] = "\"\\ntrbf";
	const char *at = cp && cp < 0x80 ? strchr(from, (int)cp) : NULL;

	if (at) {
		ckpt_buf_add(buf, "\\", 1);
		ckpt_buf_add(buf, to + (at - from), 1);
	} else if (cp >= 0x10000) {
		put_u16(buf, 0xd800 + ((cp - 0x10000) >> 10));
		put_u16(buf, 0xdc00 + ((cp - 0x10000) & 0x3ff));
	} else {
		put_u16(buf, cp);
	}
}

/* The surrogate that a JSON reader left at p as three bytes, or 0. */
static uint32_t wtf8_surrogate(const uint8_t *p, size_t n)
{
	if (n < 3 || p[0] != 0xed || p[1] < 0xa0 || p[1] > 0xbf || (p[2] & 0xc0) != 0x80)
		return 0;
	return 0xd000u | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
}

/* How many bytes from p on stand in a JSON string as they are: eight at a time. */
static size_t plain_run(const uint8_t *p, const uint8_t *end)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
	const uint8_t *start = p;

	for (; end - p >= 8; p += 8) {
		uint64_t v, quote, slash, odd;

		memcpy(&v, p, 8);
		quote = v ^ ones * '"';
		slash = v ^ ones * '\\';
		/* below 0x20, above 0x7e, or a byte that became 0; carries only add false alarms */
		odd = (v - ones * 0x20) | (v + ones) | v | (quote - ones) |
		      (slash - ones);
		if (odd & high)
			break;
	}
	while (p < end && *p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\')
		p++;
	return (size_t)(p - start);
}

bool json_string(struct ckpt_buf *buf, struct ckpt_view text, bool wtf8)
{
	const uint8_t *p = text.p, *run = p, *end = text.n ? p + text.n : p;
	bool good = true;

	ckpt_buf_add(buf, "\"", 1);
	while (p < end) {
		uint32_t cp, lone;
		size_t len;

		p += plain_run(p, end); /* most bytes of most texts */
		if (p == end)
			break;
		len = utf8_len(p, (size_t)(end - p), &cp);
		if (len && cp != '"' && cp != '\\' && !utf8_harmful(cp)) {
			p += len;
			continue;
		}
		ckpt_buf_add(buf, run, (size_t)(p - run));
		lone = !len && wtf8 ? wtf8_surrogate(p, (size_t)(end - p)) : 0;
		if (len) {
			put_escape(buf, cp);
		} else if (lone) {
			put_u16(buf, lone);
			len = 3;
		} else {
			ckpt_buf_puts(buf, "\xef\xbf\xbd");
			good = false;
			len = 1;
		}
		p += len;
		run = p;
	}
	ckpt_buf_add(buf, run, (size_t)(p - run));
	ckpt_buf_add(buf, "\"", 1);
	return good;
}

bool ckpt_json_string(struct ckpt_buf *buf, struct ckpt_view text)
{
	return json_string(buf, text, false);
}

void ckpt_base64(struct ckpt_buf *buf, struct ckpt_view bytes)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxy"
				     "z0123456789+/";
	const uint8_t *p = bytes.p;
	size_t n = bytes.n;

	while (n) {
		size_t take = n < 3 ? n : 3;
		uint32_t v = (uint32_t)p[0] << 16;
		char four[4];

		if (take > 1)
			v |= (uint32_t)p[1] << 8;
		if (take > 2)
			v |= p[2];
		four[0] = digits[v >> 18];
		four[1] = digits[v >> 12 & 63];
		four[2] = take > 1 ? digits[v >> 6 & 63] : '=';
		four[3] = take > 2 ? digits[v & 63] : '=';
		ckpt_buf_add(buf, four, 4);
		p += take;
		n -= take;
	}
}

/* The first of a growing number of digits that reads back as f. Subnormals have fewer. */
void json_float(struct ckpt_buf *buf, double f)
{
	char text[40];
	int digits = fabs(f) < 2.2250738585072014e-308 ? 1 : 15;

	for (; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, f);
		if (strtod(text, NULL) == f)
			break;
	}
	ckpt_buf_puts(buf, text);
	if (!strpbrk(text, ".eni"))
		ckpt_buf_puts(buf, ".0");
}

void json_int(struct ckpt_buf *buf, int64_t i)
{
	ckpt_buf_addf(buf, "%" PRId64, i);
}

void json_uint(struct ckpt_buf *buf, uint64_t u)
{
	ckpt_buf_addf(buf, "%" PRIu64, u);
}
