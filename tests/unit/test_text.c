/*
 * test_text.c - bytes as text that is safe to print, for people and for pipes.
 */
#include "../../cli/text.c"
#include "t.h"

/* clang-format off */
#define CASE(in, safe, porcelain) { in, sizeof(in) - 1, safe, porcelain }

static const struct {
	const char *in;
	size_t n;
	const char *safe, *porcelain;
} bytes[] = {
	CASE("", "", ""),
	CASE("order-7781", "order-7781", "order-7781"),
	CASE("a\tb\nc", "a\\tb\\nc", "a\\tb\\nc"),
	CASE("a\\b", "a\\b", "a\\\\b"),
	CASE("\033[2J", "\\u{1b}[2J", "\\x1B[2J"),
	CASE("a\0b", "a\\u{0}b", "a\\x00b"),
	CASE("\r", "\\u{d}", "\\x0D"),
	CASE("\x7f", "\\u{7f}", "\\x7F"),
	CASE("\xc2\x9b", "\\u{9b}", "\\xC2\\x9B"),
	CASE("\xe2\x80\xae" "abc", "\\u{202e}abc", "\\xE2\\x80\\xAE" "abc"),
	CASE("\xe2\x81\xa6", "\\u{2066}", "\\xE2\\x81\\xA6"),
	CASE("\xff", "\\xFF", "\\xFF"),
	CASE("\xc0\xaf", "\\xC0\\xAF", "\\xC0\\xAF"),
	CASE("\xed\xa0\x80", "\\xED\\xA0\\x80", "\\xED\\xA0\\x80"),
	CASE("\xf4\x90\x80\x80", "\\xF4\\x90\\x80\\x80", "\\xF4\\x90\\x80\\x80"),
	CASE("\xe2\x82", "\\xE2\\x82", "\\xE2\\x82"),
	CASE("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"),
	CASE("\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"),
};

static const struct {
	const char *in;
	size_t width;
	const char *want;
} cuts[] = {
	{ "abcdef", 0, "abcdef" },
	{ "abcdef", 6, "abcdef" },
	{ "abcdef", 5, "abcd…" },
	{ "abcdef", 1, "…" },
	{ "日本語", 6, "日本語" },
	{ "日本語", 5, "日本…" },
	{ "日本語", 4, "日…" },
	{ "ab\033c", 9, "ab\\u{1b}c" },
	{ "ab\033c", 8, "ab…" },
	{ "e\xcc\x81" "e\xcc\x81", 2, "e\xcc\x81" "e\xcc\x81" },
};

static const struct {
	int64_t n;
	const char *want;
} sizes[] = {
	{ CKPT_UNKNOWN, "" }, { 0, "0 B" }, { 999, "999 B" }, { 1000, "1.0 kB" },
	{ 41200, "41.2 kB" }, { 99949, "99.9 kB" }, { 99950, "100 kB" }, { 999499, "999 kB" },
	{ 999500, "1.0 MB" }, { 2100000, "2.1 MB" }, { 310000000, "310 MB" },
	{ 1600000000, "1.6 GB" }, { INT64_MAX, "9.2 EB" },
};

#define S INT64_C(1000000000)
#define NOW (1763700000 * S)

static const struct {
	int64_t t;
	const char *want;
} times[] = {
	{ CKPT_UNKNOWN, "" }, { NOW, "just now" }, { NOW - 59 * S, "just now" },
	{ NOW - 60 * S, "1 min ago" }, { NOW - 120 * S, "2 min ago" },
	{ NOW - 3 * 3600 * S, "3 h ago" }, { NOW - 86399 * S, "23 h ago" },
	{ NOW - 86400 * S, "1 d ago" }, { NOW - 19 * 86400 * S, "19 d ago" },
	{ NOW + 180 * S, "in 3 min" }, { NOW + 30 * S, "just now" },
	{ INT64_MAX, "in 86338 d" }, { INT64_MIN + 1, "127165 d ago" },
};

/* clang-format on */
static void check(struct ckpt_buf *got, const char *want, const char *what)
{
	same(got->p, got->n, want, what);
	got->n = 0;
}

int main(void)
{
	struct ckpt_buf b = { 0 };

	for (size_t i = 0; i < sizeof(bytes) / sizeof(*bytes); i++) {
		struct ckpt_view v = { bytes[i].in, bytes[i].n };

		text_safe(&b, v, 0);
		check(&b, bytes[i].safe, "safe");
		text_safe(&b, ckpt_view_of(bytes[i].safe), 0);
		check(&b, bytes[i].safe, "safe twice is safe once");
		text_porcelain(&b, v);
		check(&b, bytes[i].porcelain, "porcelain");
	}
	for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
		text_safe(&b, ckpt_view_of(cuts[i].in), cuts[i].width);
		check(&b, cuts[i].want, cuts[i].want);
	}
	ok(text_width(CKPT_LIT("日本語")) == 6, "wide characters take two columns");
	ok(text_width(CKPT_LIT("e\xcc\x81")) == 1, "combining ones take none");
	ok(text_width(CKPT_LIT("\033")) == 6, "escapes take theirs");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		text_size(&b, sizes[i].n);
		check(&b, sizes[i].want, sizes[i].want);
	}
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		text_time(&b, times[i].t, NOW, false);
		check(&b, times[i].want, times[i].want);
	}
	text_time(&b, 0, NOW, true);
	check(&b, "1970-01-01T00:00:00Z", "iso time");
	text_json_member(&b, "k", CKPT_LIT("a\n"));
	check(&b, "\"k\":\"a\\n\"", "JSON member");
	text_json_member(&b, "k", (struct ckpt_view){ NULL, 0 });
	check(&b, "\"k\":null", "JSON member without value");
	text_json_member(&b, "k", CKPT_LIT("a\xff"));
	check(&b, "\"k\":\"a\xef\xbf\xbd\",\"k_b64\":\"Yf8=\"",
			"JSON member that is not UTF-8");
	ckpt_buf_free(&b);
	return done();
}
