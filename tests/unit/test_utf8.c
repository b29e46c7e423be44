/*
 * test_utf8.c - every code point there and back, every kind of ill-formed bytes refused.
 */
#include "t.h"
#include "base.h"

static void test_round_trip(void)
{
	uint32_t cp, back, wrong = 0;

	for (cp = 0; cp <= 0x10ffff; cp++) {
		char text[4];
		size_t n = utf8_put(text, cp), len;

		len = utf8_len((const uint8_t *)text, n, &back);
		if (cp >= 0xd800 && cp < 0xe000)
			wrong += len != 0;
		else
			wrong += len != n || back != cp ||
			         utf8_len((const uint8_t *)text, n - 1, &back) != 0;
	}
	ok(wrong == 0, "all code points but the surrogates (%u wrong)", (unsigned)wrong);
}

static void test_ill_formed(void)
{
	static const struct ckpt_view bad[] = {
		CKPT_LIT("\x80"),
		CKPT_LIT("\xbf"),
		CKPT_LIT("\xc0\x80"),
		CKPT_LIT("\xc1\xbf"),
		CKPT_LIT("\xe0\x9f\xbf"),
		CKPT_LIT("\xed\xa0\x80"),
		CKPT_LIT("\xed\xbf\xbf"),
		CKPT_LIT("\xf0\x8f\xbf\xbf"),
		CKPT_LIT("\xf4\x90\x80\x80"),
		CKPT_LIT("\xf5\x80\x80\x80"),
		CKPT_LIT("\xff"),
		CKPT_LIT("\xc3"),
		CKPT_LIT("\xe2\x82"),
		CKPT_LIT("\xf0\x9f\x98"),
		CKPT_LIT("\xc3("),
		CKPT_LIT("\xe2\x82("),
		CKPT_LIT("\xf0\x9f\x98("),
		CKPT_LIT("12345678\xff"
			 "2345678"),
		CKPT_LIT("1234567890\xc3"),
	};
	static const struct ckpt_view good[] = {
		CKPT_LIT(""),
		CKPT_LIT("\0"),
		CKPT_LIT("12345678"),
		CKPT_LIT("123456789abcdef0\xc3\xa9"),
		CKPT_LIT("\xf4\x8f\xbf\xbf\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80"),
		{ NULL, 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!utf8_valid(bad[i]), "ill-formed %zu", i);
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ok(utf8_valid(good[i]), "well-formed %zu", i);
}

static void test_harmful(void)
{
	static const uint32_t bad[] = { 0, 9, 10, 13, 0x1b, 0x1f, 0x7f, 0x80, 0x9b, 0x9f,
		0x61c, 0x200b, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202e, 0x2060,
		0x2066, 0x2069, 0xfeff, 0xfff9, 0xfffb, 0xe0000, 0xe007f };
	static const uint32_t fine[] = { 0x20, 0x7e, 0xa0, 0x61b, 0x200a, 0x200c, 0x200d,
		0x2010, 0x2027, 0x202f, 0x205f, 0x206a, 0xfffc, 0xfffd, 0x1f600, 0xdffff,
		0xe0080 };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(utf8_harmful(bad[i]), "harmful U+%04X", (unsigned)bad[i]);
	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		ok(!utf8_harmful(fine[i]), "harmless U+%04X", (unsigned)fine[i]);
}

static void test_hex(void)
{
	int c, wrong = 0;

	for (c = -1; c < 256; c++) {
		const char *digits = "0123456789abcdefABCDEF";
		const char *at = c > 0 ? strchr(digits, c) : NULL;
		int want = !at                ? -1
		           : at - digits < 16 ? (int)(at - digits)
		                              : (int)(at - digits) - 6;

		wrong += hex_value(c) != want;
	}
	ok(wrong == 0, "hexadecimal digits");
}

int main(void)
{
	test_round_trip();
	test_ill_formed();
	test_harmful();
	test_hex();
	return done();
}
