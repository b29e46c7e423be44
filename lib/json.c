/*
 * json.c - JSON as tokens, and the pieces of JSON text that are written.
 *
 * Knows JSON only: what a stored value means is decided in render.c. Numbers keep their digits
 * as text, because a double would change them.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "token.h"

/* ---- writing --------------------------------------------------------------------------------- */

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

bool json_string(struct ckpt_buf *buf, struct ckpt_view text, bool wtf8)
{
	const uint8_t *p = text.p, *run = p, *end = text.n ? p + text.n : p;
	bool good = true;

	ckpt_buf_add(buf, "\"", 1);
	while (p < end) {
		uint32_t cp, lone;
		size_t len = utf8_len(p, (size_t)(end - p), &cp);

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
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
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
