/*
 * utf8.c - what is text, and which characters must not reach a terminal.
 *
 * Strict: no surrogates, no overlong forms, nothing above U+10FFFF. How a harmful
 * character is written instead is a matter of the place it goes to: error.c, json.c and
 * the commands.
 */
#include <string.h>

#include "base.h"

size_t utf8_len(const uint8_t *p, size_t n, uint32_t *cp)
{
	uint8_t low = 0x80, high = 0xbf;
	uint32_t c;
	size_t len, i;

	if (n == 0)
		return 0;
	c = p[0];
	if (c < 0x80) {
		*cp = c;
		return 1;
	}
	if (c < 0xc2 || c > 0xf4)
		return 0;
	len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if (n < len)
		return 0;
	/* The second byte rules out overlong forms, surrogates, what is too large. */
	if (c == 0xe0)
		low = 0xa0;
	else if (c == 0xed)
		high = 0x9f;
	else if (c == 0xf0)
		low = 0x90;
	else if (c == 0xf4)
		high = 0x8f;
	c &= 0x7fu >> len;
	for (i = 1; i < len; i++) {
		if (p[i] < low || p[i] > high)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
		low = 0x80;
		high = 0xbf;
	}
	*cp = c;
	return len;
}

bool utf8_valid(struct ckpt_view text)
{
	const uint8_t *p = text.p;
	size_t n = text.n;

	while (n) {
		uint64_t eight;
		uint32_t cp;
		size_t len;

		/* Most of what is stored is ASCII: eight bytes at a time. */
		if (n >= 8) {
			memcpy(&eight, p, 8);
			if ((eight & 0x8080808080808080u) == 0) {
				p += 8;
				n -= 8;
				continue;
			}
		}
		len = utf8_len(p, n, &cp);
		if (!len)
			return false;
		p += len;
		n -= len;
	}
	return true;
}

size_t utf8_put(char out[static 4], uint32_t cp)
{
	size_t len = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
	static const uint8_t first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t i;

	for (i = len - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (cp & 0x3f));
		cp >>= 6;
	}
	out[0] = (char)(first[len] | cp);
	return len;
}

bool utf8_harmful(uint32_t cp)
{
	static const struct {
		uint32_t from, to;
	} bad[] = {
		{ 0x0, 0x1f },        /* C0, line breaks and tabs too */
		{ 0x7f, 0x9f },       /* DEL and C1 */
		{ 0x61c, 0x61c },     /* Arabic letter mark */
		{ 0x200b, 0x200b },   /* zero width space */
		{ 0x200e, 0x200f },   /* left-to-right and right-to-left marks */
		{ 0x2028, 0x202e },   /* line separators, embeddings, overrides */
		{ 0x2060, 0x2069 },   /* word joiner, invisible operators, isolates */
		{ 0xfeff, 0xfeff },   /* byte order mark */
		{ 0xfff9, 0xfffb },   /* interlinear annotation */
		{ 0xe0000, 0xe007f }, /* tags: text that no one sees */
	};
	size_t i;

	if (cp >= 0x20 && cp < 0x7f)
		return false;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (cp >= bad[i].from && cp <= bad[i].to)
			return true;
	return false;
}

int hex_value(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}
