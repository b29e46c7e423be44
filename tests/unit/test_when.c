/*
 * test_when.c - tables of times, durations and sizes, the good and the refused.
 */
#include <time.h>

#include "t.h"
#include "ckpt.h"

#define S INT64_C(1000000000)
#define BAD CKPT_UNKNOWN

struct parse_case {
	const char *text;
	int64_t want;
};

static const struct parse_case time_cases[] = {
	{ "1970-01-01", 0 },
	{ "1970-01-02", 86400 * S },
	{ "1969-12-31T23:59:59Z", -S },
	{ "1969-12-31T23:59:59.75Z", -S / 4 },
	{ "2000-02-29", 951782400 * S },
	{ "2024-07-31T20:14:19.804164Z", INT64_C(1722456859804164000) },
	{ "2026-11-20T10:00Z", INT64_C(1795168800) * S },
	{ "2026-11-20T10:00", 1795168800 * S },
	{ "2026-11-20 10:00:00", 1795168800 * S },
	{ "2026-11-20t10:00:00z", 1795168800 * S },
	{ "2026-11-20T12:00:00+02:00", 1795168800 * S },
	{ "2026-11-20T04:30:00-0530", 1795168800 * S },
	{ "2026-11-20 10:00:00.5+00", 1795168800 * S + S / 2 },
	{ "1970-01-01T00:00:00.000000001Z", 1 },
	{ "1970-01-01T00:00:00.0000000019Z", 1 },
	{ "2262-04-11T23:47:16.854775807Z", INT64_MAX },
	{ "2262-04-11T23:47:16.854775808Z", BAD },
	{ "2262-04-12", BAD },
	{ "9999-12-31", BAD },
	{ "1677-09-21T00:12:43.145224193Z", INT64_MIN + 1 },
	{ "1677-09-21T00:12:43.145224192Z", BAD },
	{ "0001-01-01", BAD },
	{ "0000-01-01", BAD },
	{ "1900-02-29", BAD },
	{ "2023-02-29", BAD },
	{ "2024-02-29", INT64_C(1709164800) * S },
	{ "2024-02-30", BAD },
	{ "2024-04-31", BAD },
	{ "2024-12-31", INT64_C(1735603200) * S },
	{ "2024-12-32", BAD },
	{ "2024-13-01", BAD },
	{ "2024-00-01", BAD },
	{ "2024-01-00", BAD },
	{ "2024-1-01", BAD },
	{ "24-01-01", BAD },
	{ "2024-01-01T", BAD },
	{ "2024-01-01T1", BAD },
	{ "2024-01-01T10", BAD },
	{ "2024-01-01T24:00", BAD },
	{ "2024-01-01T10:60", BAD },
	{ "2024-01-01T10:00:60", BAD },
	{ "2024-01-01T10:00:00.", BAD },
	{ "2024-01-01T10:00ZZ", BAD },
	{ "2024-01-01T10:00:00+24:00", BAD },
	{ "2024-01-01T10:00:00+1", BAD },
	{ "2024-01-01Z", BAD },
	{ "2024-01-01T10:00:00 ", BAD },
	{ " 2024-01-01", BAD },
	{ "", BAD },
	{ "yesterday", BAD },
	{ "2024-01-01T10:00:00+02:0", BAD },
	{ "-024-01-01", BAD },
	{ "2024-01-01T-1:00", BAD },
	{ "now", 1000000 * S },
	{ "now-7d", 395200 * S },
	{ "now-0", 1000000 * S },
	{ "now-90s", 999910 * S },
	{ "now-2w", -209600 * S },
	{ "now+1d", BAD },
	{ "now-", BAD },
	{ "now-5", BAD },
	{ "now-5m", BAD },
	{ "nowadays", BAD },
	{ "now-15251w", BAD },
};

static void test_time_parse(void)
{
	size_t i;

	for (i = 0; i < sizeof(time_cases) / sizeof(time_cases[0]); i++) {
		int64_t t = 0;
		bool good = ckpt_time_parse(
				&t, ckpt_view_of(time_cases[i].text), 1000000 * S);

		ok(time_cases[i].want == BAD ? !good : good && t == time_cases[i].want,
				"time '%s'", time_cases[i].text);
	}
	ok(!ckpt_time_parse(&(int64_t){ 0 }, (struct ckpt_view){ NULL, 0 }, 0),
			"time NULL");
	ok(!ckpt_time_parse(&(int64_t){ 0 }, CKPT_LIT("2024-01-01\0"), 0),
			"time with a NUL");
}

static void test_time_print(void)
{
	static const struct {
		int64_t t;
		const char *want;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 1, "1970-01-01T00:00:00.000000001Z" },
		{ -1, "1969-12-31T23:59:59.999999999Z" },
		{ 10 * S, "1970-01-01T00:00:10Z" },
		{ S / 10, "1970-01-01T00:00:00.1Z" },
		{ INT64_C(1722456859804164000), "2024-07-31T20:14:19.804164Z" },
		{ INT64_C(951782400) * S, "2000-02-29T00:00:00Z" },
		{ INT64_C(951868800) * S - 1, "2000-02-29T23:59:59.999999999Z" },
		{ INT64_C(951868800) * S, "2000-03-01T00:00:00Z" },
		{ INT64_C(1735603200) * S, "2024-12-31T00:00:00Z" },
		{ INT64_C(1735689600) * S, "2025-01-01T00:00:00Z" },
		{ INT64_MAX, "2262-04-11T23:47:16.854775807Z" },
		{ INT64_MIN + 1, "1677-09-21T00:12:43.145224193Z" },
	};
	char text[40];
	size_t i;
	int wrong = 0;
	int64_t t, back;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ckpt_time_print(text, cases[i].t);
		same(text, strlen(text), cases[i].want, cases[i].want);
	}
	/* Every 11 hours and a bit over all that fits: against the C library and back. */
	for (t = INT64_MIN + 1; t < INT64_MAX - 40000 * S; t += 40000 * S - 7) {
		time_t seconds = (time_t)(t / S - (t % S < 0));
		struct tm tm;
		char want[40];

		ckpt_time_print(text, t);
		gmtime_r(&seconds, &tm);
		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S", &tm);
		wrong += strncmp(text, want, strlen(want)) != 0;
		wrong += !ckpt_time_parse(&back, ckpt_view_of(text), 0) || back != t;
	}
	ok(wrong == 0, "the calendar from 1677 to 2262 (%d wrong)", wrong);
}

static void test_ids(void)
{
	static const struct parse_case cases[] = {
		{ "1ef4f797-8335-6428-8001-8a1503f9b875", INT64_C(1722456859804164000) },
		{ "1EF4F797-8335-6428-8001-8A1503F9B875", INT64_C(1722456859804164000) },
		{ "1b21dd21-3814-6000-8000-000000000000", 0 },
		{ "1b21dd21-3813-6fff-8000-000000000000", -100 },
		{ "1ef4f797-8335-4428-8001-8a1503f9b875", BAD },
		{ "1ef4f797-8335-1428-8001-8a1503f9b875", BAD },
		{ "1ef4f79783356428-8001-8a1503f9b875--", BAD },
		{ "1ef4f797-8335-6428-8001-8a1503f9b87", BAD },
		{ "1ef4f797-8335-6428-8001-8a1503f9b8755", BAD },
		{ "1ef4f797-8335-6428-8001-8a1503f9b87g", BAD },
		{ "1ef4f797-8335-6428-8001_8a1503f9b875", BAD },
		{ "ffffffff-ffff-6fff-8001-8a1503f9b875", BAD },
		{ "", BAD },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ok(ckpt_time_of_id(ckpt_view_of(cases[i].text)) == cases[i].want,
				"id '%s'", cases[i].text);
	ok(ckpt_time_of_id((struct ckpt_view){ NULL, 0 }) == BAD, "id NULL");
}

static void test_durations(void)
{
	static const struct parse_case cases[] = {
		{ "0", 0 },
		{ "0s", 0 },
		{ "90s", 90 * S },
		{ "15min", 900 * S },
		{ "36h", 129600 * S },
		{ "7d", 604800 * S },
		{ "2w", 1209600 * S },
		{ "007d", 604800 * S },
		{ "15250w", INT64_C(15250) * 604800 * S },
		{ "15251w", BAD },
		{ "9223372036s", 9223372036 * S },
		{ "9223372037s", BAD },
		{ "99999999999999999999s", BAD },
		{ "5m", BAD },
		{ "5M", BAD },
		{ "5", BAD },
		{ "d", BAD },
		{ "-1d", BAD },
		{ "+1d", BAD },
		{ "1.5h", BAD },
		{ "1 d", BAD },
		{ "1d ", BAD },
		{ " 1d", BAD },
		{ "1d2h", BAD },
		{ "1D", BAD },
		{ "1days", BAD },
		{ "", BAD },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t t = 0;
		bool good = ckpt_duration_parse(&t, cases[i].text);

		ok(cases[i].want == BAD ? !good : good && t == cases[i].want,
				"duration '%s'", cases[i].text);
	}
}

static void test_sizes(void)
{
	static const struct parse_case cases[] = {
		{ "0B", 0 },
		{ "10MB", 10000000 },
		{ "10MiB", 10485760 },
		{ "1kB", 1000 },
		{ "1KB", 1000 },
		{ "1KiB", 1024 },
		{ "2GB", 2000000000 },
		{ "2GiB", INT64_C(2147483648) },
		{ "1TB", INT64_C(1000000000000) },
		{ "1TiB", INT64_C(1099511627776) },
		{ "1.5GB", 1500000000 },
		{ "0.5KiB", 512 },
		{ "1.25MiB", 1310720 },
		{ "0.001kB", 1 },
		{ "0.1TiB", INT64_C(109951162777) },
		{ "8388607TiB", INT64_C(9223370937343148032) },
		{ "8388608TiB", BAD },
		{ "9223372036854775807B", INT64_MAX },
		{ "9223372036854775808B", BAD },
		{ "8388607.999999TiB", INT64_C(9223372036853676296) },
		{ "9223372.9TB", BAD },
		{ "10", BAD },
		{ "10M", BAD },
		{ "10mb", BAD },
		{ "10 MB", BAD },
		{ "MB", BAD },
		{ ".5MB", BAD },
		{ "1.MB", BAD },
		{ "-1MB", BAD },
		{ "1.5B", BAD },
		{ "", BAD },
		{ "1e3B", BAD },
		{ "10MBB", BAD },
		{ "0", BAD },
		{ "1,5MB", BAD },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t n = 0;
		bool good = ckpt_size_parse(&n, cases[i].text);

		if (!ok(cases[i].want == BAD ? !good : good && n == cases[i].want,
				    "size '%s'", cases[i].text))
			printf("# got %d %lld\n", good, (long long)n);
	}
}

int main(void)
{
	int64_t before = time(NULL), now = ckpt_now() / S, after = time(NULL);

	/* time() may still be in the second before */
	ok(before <= now && now <= after + 1, "the clock");
	test_time_parse();
	test_time_print();
	test_ids();
	test_durations();
	test_sizes();
	return done();
}
