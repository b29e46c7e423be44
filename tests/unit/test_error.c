/*
 * test_error.c - the first failure stays, and no text of it can steer a terminal.
 */
#include "t.h"
#include "base.h"

static void test_escapes(void)
{
	static const char *const cases[][2] = {
		{ "plain", "plain" },
		{ "a\x1b[31mb", "a\\u{1b}[31mb" },
		{ "two\nlines\t", "two\\u{a}lines\\u{9}" },
		{ "caf\xc3\xa9 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xf0\x9f\x98\x80" },
		{ "\xe2\x80\xaerev", "\\u{202e}rev" },
		{ "bad \xff\xc3(", "bad \\xff\\xc3(" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
		{ "\xc2\x9b", "\\u{9b}" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_error err = { 0 };
		char name[200];

		ckpt_fail(&err, CKPT_EIO, "%s", cases[i][0]);
		same(err.text, strlen(err.text), cases[i][1], "text of a failure");
		ckpt_show_name(name, ckpt_view_of(cases[i][0]));
		same(name, strlen(name), cases[i][1], "name in a message");
	}
}

static void test_first_stays(void)
{
	struct ckpt_error err = { 0 };

	ckpt_hint(&err, "lost");
	ok(err.hint[0] == '\0', "no hint without a failure");
	ok(ckpt_fail(&err, CKPT_EBUSY, "first %d", 1) == CKPT_EBUSY,
			"the code is returned");
	ckpt_hint(&err, "do %s", "this");
	ckpt_hint(&err, "or\nthat");
	ok(ckpt_fail(&err, CKPT_EIO, "second") == CKPT_EIO, "also of the second failure");
	ok(err.code == CKPT_EBUSY && strcmp(err.text, "first 1") == 0,
			"but the first stays");
	same(err.hint, strlen(err.hint), "do this\nor\\u{a}that", "hints are lines");
	ok(ckpt_fail(NULL, CKPT_EIO, "x") == CKPT_EIO, "no place for the text");
}

static void test_cut(void)
{
	struct ckpt_error err = { 0 };
	char text[3000], name[200];
	int i;

	memset(text, 0x1b, sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ckpt_fail(&err, CKPT_EIO, "%s", text);
	ok(strlen(err.text) < sizeof(err.text) &&
					strlen(err.text) > sizeof(err.text) - 8 &&
					err.text[strlen(err.text) - 1] == '}',
			"a text is cut between characters");
	for (i = 0; i < 100; i++)
		ckpt_hint(&err, "%s", "some advice");
	ok(strlen(err.hint) < sizeof(err.hint), "hints are cut");
	ckpt_show_name(name, (struct ckpt_view){ text, sizeof(text) - 1 });
	ok(strlen(name) < 200 && strcmp(name + strlen(name) - 4, "}...") == 0,
			"so are names");
	for (i = 0; i < 2998; i += 2) {
		text[i] = (char)0xc3;
		text[i + 1] = (char)0xa9;
	}
	ckpt_show_name(name, (struct ckpt_view){ text, 2998 });
	ok(utf8_valid(ckpt_view_of(name)), "never inside a character");
	ckpt_show_name(name, (struct ckpt_view){ NULL, 0 });
	ok(name[0] == '\0', "a name that is NULL");
	ckpt_show_name(name, CKPT_LIT("a\0b"));
	same(name, strlen(name), "a\\u{0}b", "a name with a NUL");
}

int main(void)
{
	test_escapes();
	test_first_stays();
	test_cut();
	return done();
}
