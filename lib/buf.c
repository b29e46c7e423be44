/*
 * buf.c - growing byte strings and the comparison of views.
 *
 * A buffer keeps a NUL behind its last byte, so that a text can be handed to printf; the
 * NUL is not counted. Text checks are in utf8.c, memory that is freed as a whole in
 * arena.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"

struct ckpt_view ckpt_view_of(const char *s)
{
	return (struct ckpt_view){ s, s ? strlen(s) : 0 };
}

int ckpt_view_cmp(struct ckpt_view a, struct ckpt_view b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int cmp;

	if (!a.p || !b.p)
		return (a.p != NULL) - (b.p != NULL);
	cmp = n ? memcmp(a.p, b.p, n) : 0;
	return cmp ? cmp : (a.n > b.n) - (a.n < b.n);
}

bool ckpt_view_eq(struct ckpt_view a, struct ckpt_view b)
{
	return a.n == b.n && ckpt_view_cmp(a, b) == 0;
}

/* Room for n more bytes and the NUL. */
static bool make_room(struct ckpt_buf *buf, size_t n)
{
	size_t want, cap;
	char *p;

	if (buf->failed)
		return false;
	if (n < buf->cap - buf->n)
		return true;
	if (n >= SIZE_MAX / 2 - buf->n) {
		buf->failed = true;
		return false;
	}
	want = buf->n + n + 1;
	cap = buf->cap ? buf->cap : 64;
	while (cap < want)
		cap *= 2;
	p = realloc(buf->p, cap);
	if (!p) {
		buf->failed = true;
		return false;
	}
	buf->p = p;
	buf->cap = cap;
	return true;
}

void ckpt_buf_add(struct ckpt_buf *buf, const void *p, size_t n)
{
	if (!make_room(buf, n))
		return;
	if (n)
		memcpy(buf->p + buf->n, p, n);
	buf->n += n;
	buf->p[buf->n] = '\0';
}

void ckpt_buf_puts(struct ckpt_buf *buf, const char *s)
{
	ckpt_buf_add(buf, s, strlen(s));
}

void ckpt_buf_addf(struct ckpt_buf *buf, const char *fmt, ...)
{
	va_list ap;
	size_t room;
	int n;

	if (!make_room(buf, 0))
		return;
	room = buf->cap - buf->n;
	va_start(ap, fmt);
	n = vsnprintf(buf->p + buf->n, room, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n >= room && make_room(buf, (size_t)n)) {
		va_start(ap, fmt);
		n = vsnprintf(buf->p + buf->n, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	if (n < 0)
		buf->failed = true;
	if (buf->failed)
		buf->p[buf->n] = '\0';
	else
		buf->n += (size_t)n;
}

void ckpt_buf_free(struct ckpt_buf *buf)
{
	free(buf->p);
	*buf = (struct ckpt_buf){ 0 };
}

struct ckpt_view ckpt_buf_view(const struct ckpt_buf *buf)
{
	/* An empty buffer is an empty text, not a missing one. */
	return (struct ckpt_view){ buf->p ? buf->p : "", buf->n };
}
