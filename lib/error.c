/*
 * error.c - failures and their hints, and names as they stand in messages.
 *
 * Texts hold bytes from stores: what could steer a terminal is written as \u{1b}, bytes
 * that are not UTF-8 as \xff. Nothing is printed here.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base.h"

/* `text` made harmless, as much of it as fits into `to`; true if all of it did. */
static bool copy_harmless(char *to, size_t size, const char *text, size_t n)
{
	const uint8_t *p = (const uint8_t *)text, *end = n ? p + n : p;
	size_t used = 0;

	while (p < end) {
		char piece[16];
		uint32_t cp;
		size_t len = utf8_len(p, (size_t)(end - p), &cp);
		int shown = (int)len;

		if (!len)
			shown = snprintf(piece, sizeof(piece), "\\x%02x", *p);
		else if (utf8_harmful(cp))
			shown = snprintf(piece, sizeof(piece), "\\u{%x}", (unsigned)cp);
		else
			memcpy(piece, p, len);
		if ((size_t)shown >= size - used)
			break;
		memcpy(to + used, piece, (size_t)shown);
		used += (size_t)shown;
		p += len ? len : 1;
	}
	to[used] = '\0';
	return p == end;
}

__attribute__((format(printf, 3, 0))) static void format_harmless(
		char *to, size_t size, const char *fmt, va_list ap)
{
	/* Longer than any `to`; escapes only add: what is cut here would not fit. */
	char raw[sizeof(((struct ckpt_error *)0)->text) * 2];

	if (vsnprintf(raw, sizeof(raw), fmt, ap) < 0)
		raw[0] = '\0';
	copy_harmless(to, size, raw, strlen(raw));
}

int ckpt_fail(struct ckpt_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err || err->code != CKPT_OK)
		return code;
	err->code = code;
	err->hint[0] = '\0';
	va_start(ap, fmt);
	format_harmless(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}

void ckpt_hint(struct ckpt_error *err, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	if (!err || err->code == CKPT_OK)
		return;
	n = strlen(err->hint);
	if (n + 2 >= sizeof(err->hint))
		return;
	if (n)
		err->hint[n++] = '\n';
	va_start(ap, fmt);
	format_harmless(err->hint + n, sizeof(err->hint) - n, fmt, ap);
	va_end(ap);
}

const char *ckpt_show_name(char to[static 200], struct ckpt_view name)
{
	static const char more[] = "...";
	const size_t size = 200 - (sizeof(more) - 1);

	if (!copy_harmless(to, size, name.p, name.n))
		memcpy(to + strlen(to), more, sizeof(more));
	return to;
}
