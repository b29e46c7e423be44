/*
 * when.c - times, durations and sizes as people and databases write them.
 *
 * Times are ns since 1970 UTC in the proleptic Gregorian calendar, without leap seconds;
 * what does not fit into 64 bits (before 1677, after 2262) is refused. Only ckpt_now
 * reads a clock.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base.h"

#define SECOND INT64_C(1000000000)
#define DAY (86400 * SECOND)

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

int64_t ckpt_now(void)
{
	return clock_ns(CLOCK_REALTIME);
}

int64_t ckpt_monotonic(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* ---- UUIDv6 ------------------------------------------------------------------------ */

/* The value of a hexadecimal digit and one; 0: it is none. Every row that is read asks. */
static const uint8_t hex_digits[256] = { ['0'] = 1,
	2,
	3,
	4,
	5,
	6,
	7,
	8,
	9,
	10,
	['A'] = 11,
	12,
	13,
	14,
	15,
	16,
	['a'] = 11,
	12,
	13,
	14,
	15,
	16 };

int64_t ckpt_time_of_id(struct ckpt_view id)
{
	const uint8_t *p = id.p;
	const uint64_t since_1582 = 0x01b21dd213814000; /* of 1970, in 100 ns */
	uint64_t ticks = 0;
	bool valid = true;
	int64_t out;
	size_t i;

	if (!p || id.n != 36 || p[14] != '6' || p[8] != '-' || p[13] != '-' ||
			p[18] != '-' || p[23] != '-')
		return CKPT_UNKNOWN;
	for (i = 0; i < 36; i++) {
		uint64_t v = hex_digits[p[i]];

		if (i == 8 || i == 13 || i == 18 || i == 23)
			continue;
		valid &= v > 0;
		/* 60 bits of time in the first 16 digits, with the version between. */
		if (i < 18 && i != 14)
			ticks = ticks << 4 | (v - 1);
	}
	if (!valid || __builtin_mul_overflow((int64_t)(ticks - since_1582), 100, &out))
		return CKPT_UNKNOWN;
	return out;
}

/* ---- calendar ---------------------------------------------------------------------- */

static const int days_before[13] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304,
	334, 365 };

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 1970-01-01 to the first of a year that is not below 1. */
static int64_t days_of_year(int year)
{
	int64_t y = year - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

/* Days in a year up to the end of its month `month`; 0 gives 0. */
static int days_until(int year, int month)
{
	return days_before[month] + (month >= 2 && is_leap(year));
}

static bool add_scaled(int64_t *sum, int64_t n, int64_t unit)
{
	return !__builtin_mul_overflow(n, unit, &n) &&
	       !__builtin_add_overflow(*sum, n, sum);
}

/* ---- reading times ----------------------------------------------------------------- */

struct cursor {
	const char *p, *end;
};

static bool take_char(struct cursor *in, const char *any)
{
	if (in->p == in->end || !*in->p || !strchr(any, *in->p))
		return false;
	in->p++;
	return true;
}

static bool take_word(struct cursor *in, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(in->end - in->p) < n || memcmp(in->p, word, n) != 0)
		return false;
	in->p += n;
	return true;
}

/* Exactly n digits, with a value of low to high. */
static bool take_digits(struct cursor *in, int *out, int n, int low, int high)
{
	*out = 0;
	for (; n; n--) {
		if (in->p == in->end || *in->p < '0' || *in->p > '9')
			return false;
		*out = *out * 10 + (*in->p++ - '0');
	}
	return *out >= low && *out <= high;
}

static bool take_date(struct cursor *in, int64_t *days)
{
	int year, month, day;

	if (!take_digits(in, &year, 4, 1, 9999) || !take_char(in, "-") ||
			!take_digits(in, &month, 2, 1, 12) || !take_char(in, "-") ||
			!take_digits(in, &day, 2, 1, 31))
		return false;
	if (day > days_until(year, month) - days_until(year, month - 1))
		return false;
	*days = days_of_year(year) + days_until(year, month - 1) + day - 1;
	return true;
}

/* Digits after the point; those beyond nanoseconds are passed over. */
static bool take_fraction(struct cursor *in, int64_t *ns)
{
	int64_t unit = SECOND / 10;
	const char *start = in->p;

	for (*ns = 0; in->p < in->end && *in->p >= '0' && *in->p <= '9'; unit /= 10)
		*ns += (*in->p++ - '0') * unit;
	return in->p > start;
}

static bool take_clock(struct cursor *in, int64_t *seconds, int64_t *ns)
{
	int hour, minute, second = 0;

	*ns = 0;
	if (!take_digits(in, &hour, 2, 0, 23) || !take_char(in, ":") ||
			!take_digits(in, &minute, 2, 0, 59))
		return false;
	if (take_char(in, ":")) {
		if (!take_digits(in, &second, 2, 0, 59))
			return false;
		if (take_char(in, ".") && !take_fraction(in, ns))
			return false;
	}
	*seconds = hour * 3600 + minute * 60 + second;
	return true;
}

static bool take_offset(struct cursor *in, int64_t *seconds)
{
	int hour, minute, sign;

	*seconds = 0;
	if (in->p == in->end || take_char(in, "Zz"))
		return true;
	sign = *in->p == '-' ? -1 : 1;
	if (!take_char(in, "+-") || !take_digits(in, &hour, 2, 0, 23))
		return false;
	/* PostgreSQL prints whole hours alone. */
	minute = 0;
	if (in->p < in->end) {
		take_char(in, ":");
		if (!take_digits(in, &minute, 2, 0, 59))
			return false;
	}
	*seconds = sign * (hour * 3600 + minute * 60);
	return true;
}

static bool parse_absolute(int64_t *out, struct cursor in)
{
	int64_t days, clock = 0, ns = 0, offset = 0, seconds;

	if (!take_date(&in, &days))
		return false;
	if (in.p < in.end) {
		if (!take_char(&in, "Tt ") || !take_clock(&in, &clock, &ns) ||
				!take_offset(&in, &offset))
			return false;
	}
	seconds = days * 86400 + clock - offset;
	/* Nearer to zero first: the earliest second fits only together with its ns. */
	if (seconds < 0 && ns) {
		seconds++;
		ns -= SECOND;
	}
	*out = ns;
	return in.p == in.end && add_scaled(out, seconds, SECOND) && *out != CKPT_UNKNOWN;
}

/* ---- numbers with units ------------------------------------------------------------ */

struct unit {
	const char *name;
	int64_t value;
};

static const struct unit duration_units[] = { { "s", SECOND }, { "min", 60 * SECOND },
	{ "h", 3600 * SECOND }, { "d", DAY }, { "w", 7 * DAY }, { NULL, 0 } };

static const struct unit size_units[] = { { "B", 1 }, { "kB", 1000 }, { "KB", 1000 },
	{ "MB", 1000000 }, { "GB", 1000000000 }, { "TB", INT64_C(1000000000000) },
	{ "KiB", INT64_C(1) << 10 }, { "MiB", INT64_C(1) << 20 },
	{ "GiB", INT64_C(1) << 30 }, { "TiB", INT64_C(1) << 40 }, { NULL, 0 } };

/* All of the rest is the name of a unit: its value, else 0. */
static int64_t take_unit(struct cursor *in, const struct unit *units)
{
	for (; units->name; units++) {
		struct cursor try = *in;

		if (take_word(&try, units->name) && try.p == try.end)
			return units->value;
	}
	return 0;
}

static bool take_whole(struct cursor *in, int64_t *out)
{
	const char *start = in->p;

	for (*out = 0; in->p < in->end && *in->p >= '0' && *in->p <= '9'; in->p++)
		if (__builtin_mul_overflow(*out, 10, out) ||
				__builtin_add_overflow(*out, *in->p - '0', out))
			return false;
	return in->p > start;
}

static bool parse_duration(int64_t *out, struct cursor in)
{
	int64_t n, unit;

	if (!take_whole(&in, &n))
		return false;
	if (n == 0 && in.p == in.end) {
		*out = 0;
		return true;
	}
	unit = take_unit(&in, duration_units);
	*out = 0;
	return unit && add_scaled(out, n, unit);
}

bool ckpt_duration_parse(int64_t *out, const char *text)
{
	return parse_duration(out, (struct cursor){ text, text + strlen(text) });
}

/* `fraction` is a number of millionths, six digits being more than a size ever needs. */
static bool take_millionths(struct cursor *in, int64_t *out)
{
	int64_t ns;

	if (!take_fraction(in, &ns))
		return false;
	*out = ns / 1000;
	return true;
}

bool ckpt_size_parse(int64_t *out, const char *text)
{
	struct cursor in = { text, text + strlen(text) };
	int64_t n, millionths = 0, unit;

	if (!take_whole(&in, &n))
		return false;
	if (take_char(&in, ".") && !take_millionths(&in, &millionths))
		return false;
	unit = take_unit(&in, size_units);
	*out = 0;
	if (!unit || (unit == 1 && millionths))
		return false;
	return add_scaled(out, n, unit) && add_scaled(out, unit / 1000000, millionths) &&
	       add_scaled(out, unit % 1000000 * millionths / 1000000, 1);
}

bool ckpt_time_parse(int64_t *out, struct ckpt_view text, int64_t now)
{
	struct cursor in = { text.p, text.p };
	int64_t ago;

	if (!text.p)
		return false;
	in.end += text.n;
	if (!take_word(&in, "now"))
		return parse_absolute(out, in);
	*out = now;
	if (in.p == in.end)
		return true;
	return take_char(&in, "-") && parse_duration(&ago, in) &&
	       !__builtin_sub_overflow(now, ago, out) && *out != CKPT_UNKNOWN;
}

/* ---- printing ---------------------------------------------------------------------- */

/* Decimal digits, padded with zeros, and what stands behind them. Long lists print many times. */
static char *put_digits(char *at, unsigned value, int digits, char then)
{
	for (int i = digits - 1; i >= 0; i--) {
		at[i] = (char)('0' + value % 10);
		value /= 10;
	}
	at[digits] = then;
	return at + digits + 1;
}

struct date {
	int year, month, day; /* 1 the first */
	int64_t rest;         /* ns of the day */
};

static struct date date_of(int64_t t)
{
	int64_t days = t / DAY;
	struct date d = { .month = 1, .rest = t % DAY };

	if (d.rest < 0) {
		d.rest += DAY;
		days--;
	}
	/* An int64 of ns spans 1677 to 2262: the estimate is off by a year at most. */
	d.year = (int)(1970 + (days - (days < 0 ? 365 : 0)) / 365);
	while (days_of_year(d.year) > days)
		d.year--;
	while (days_of_year(d.year + 1) <= days)
		d.year++;
	d.day = (int)(days - days_of_year(d.year));
	while (days_until(d.year, d.month) <= d.day)
		d.month++;
	d.day -= days_until(d.year, d.month - 1) - 1;
	return d;
}

int64_t when_month(int64_t t)
{
	struct date d = date_of(t);

	return (int64_t)d.year * 12 + d.month - 1;
}

void ckpt_time_print(char out[static 40], int64_t t)
{
	struct date d = date_of(t);
	int64_t second = d.rest / SECOND;
	char *at;

	at = put_digits(out, (unsigned)d.year, 4, '-');
	at = put_digits(at, (unsigned)d.month, 2, '-');
	at = put_digits(at, (unsigned)d.day, 2, 'T');
	at = put_digits(at, (unsigned)(second / 3600), 2, ':');
	at = put_digits(at, (unsigned)(second / 60 % 60), 2, ':');
	at = put_digits(at, (unsigned)(second % 60), 2, '.');
	at = put_digits(at, (unsigned)(d.rest % SECOND), 9, 'Z');
	for (at--; at[-1] == '0'; at--)
		;
	at -= at[-1] == '.';
	at[0] = 'Z';
	at[1] = '\0';
}
