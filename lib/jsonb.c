/*
 * jsonb.c - what PostgreSQL's numeric makes of a JSON number. It keeps as many digits behind the
 * point as were written, so 0.1 and 0.10 are two texts; an exponent only moves the point. Which
 * numbers jsonb takes at all is not decided here, nor what becomes of strings and members.
 */
#include "jsonb.h"

#define EXPONENT_MOST 200000 /* numeric refuses what is larger than that */

struct number {
	const char *p;   /* digits, a point among them or not */
	size_t n, point; /* digits, and how many stand before the point */
};

static char digit_at(const struct number *d, int64_t at)
{
	size_t i = (size_t)at;

	if (at < 0 || i >= d->n)
		return '0';
	return d->p[i < d->point ? i : i + 1];
}

/* The digits in front of the exponent; where it begins, or `v.n`. */
static size_t take_digits(struct number *d, struct ckpt_view v, size_t at)
{
	size_t i = at;

	d->p = (const char *)v.p + at;
	for (d->n = 0; i < v.n && d->p[i - at] >= '0' && d->p[i - at] <= '9'; i++)
		d->n++;
	d->point = d->n;
	if (i < v.n && d->p[i - at] == '.') {
		for (i++; i < v.n && d->p[i - at] >= '0' && d->p[i - at] <= '9'; i++)
			d->n++;
	}
	return i;
}

static int64_t exponent(struct ckpt_view v, size_t at)
{
	const char *p = v.p;
	bool minus = at + 1 < v.n && p[at + 1] == '-';
	int64_t e = 0;

	for (size_t i = at + 1; i < v.n && e <= EXPONENT_MOST; i++) {
		if (p[i] >= '0' && p[i] <= '9')
			e = e * 10 + (p[i] - '0');
	}
	return minus ? -e : e;
}

void jsonb_number(struct ckpt_buf *to, struct ckpt_view v)
{
	bool minus = v.n && *(const char *)v.p == '-', zero = true;
	int64_t e, before, behind, i = 0;
	struct number d;
	size_t end = take_digits(&d, v, minus);

	e = exponent(v, end);
	if (!d.n || e > EXPONENT_MOST || e < -EXPONENT_MOST) {
		ckpt_buf_add(to, v.p, v.n);
		return;
	}
	for (size_t k = 0; k < d.n; k++)
		zero = zero && digit_at(&d, (int64_t)k) == '0';
	before = (int64_t)d.point + e;
	behind = (int64_t)(d.n - d.point) - e;
	ckpt_buf_puts(to, minus && !zero ? "-" : "");
	while (i < before - 1 && digit_at(&d, i) == '0')
		i++;
	if (before <= 0)
		ckpt_buf_puts(to, "0");
	for (; i < before; i++)
		ckpt_buf_add(to, (const char[]){ digit_at(&d, i) }, 1);
	ckpt_buf_puts(to, behind > 0 ? "." : "");
	for (i = before; i < before + behind; i++)
		ckpt_buf_add(to, (const char[]){ digit_at(&d, i) }, 1);
}
