/*
 * test_member.c - members of stored maps, and the conditions of --where.
 */
#include <inttypes.h>

#include "t.h"
#include "base.h"

static const char meta[] =
		"{\"step\":3,\"s\":\"3\",\"f\":3.0,\"yes\":true,\"no\":null,\"nan\":NaN,"
		"\"big\":9007199254740993,\"u\":{\"id\":\"a "
		"b\",\"x.y\":1,\"n\":{\"m\":-0.50}},"
		"\"u.id\":\"literal\",\"list\":[1],\"neg\":-5,\"q\":\"\\u00e9\\\"\","
		"\"e\":1e22}";

static const struct {
	const char *key, *value;
	bool holds;
} where[] = {
	{ "step", "3", true },
	{ "step", "3.0", true },
	{ "step", "30e-1", true },
	{ "step", "0.3E+1", true },
	{ "step", "03", false },
	{ "step", "4", false },
	{ "step", "-3", false },
	{ "step", "\"3\"", false },
	{ "s", "3", true },
	{ "s", "\"3\"", true },
	{ "s", "3.0", false },
	{ "f", "3", true },
	{ "f", "3.00", true },
	{ "yes", "true", true },
	{ "yes", "1", false },
	{ "yes", "false", false },
	{ "no", "null", true },
	{ "none", "null", false },
	{ "no", "false", false },
	{ "nan", "NaN", true },
	{ "nan", "0", false },
	{ "big", "9007199254740993", true },
	{ "big", "9007199254740992", false },
	{ "big", "9007199254740993.0", true },
	{ "u.id", "literal", true },
	{ "u.id", "a b", false },
	{ "u.x.y", "1", true },
	{ "u.n.m", "-0.5", true },
	{ "u.n.m", "-5e-1", true },
	{ "u.n", "{\"m\":-0.50}", false },
	{ "list", "[1]", false },
	{ "list.0", "1", false },
	{ "q", "\xc3\xa9\"", true },
	{ "e", "10000000000000000000000", true },
	{ "e", "1e+22", true },
	{ "e", "1e21", false },
	{ "u.", "1", false },
	{ "", "1", false },
	{ "step", "", false },
	{ "step", " 3", true },
};

static void test_where(void)
{
	size_t i;

	for (i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		ok(ckpt_meta_where(ckpt_view_of(meta), ckpt_view_of(where[i].key),
				   ckpt_view_of(where[i].value)) == where[i].holds,
				"%s=%s", where[i].key, where[i].value);
	}
	ok(!ckpt_meta_where(CKPT_LIT("{\"a\":1"), CKPT_LIT("a"), CKPT_LIT("1")),
			"damaged");
	ok(!ckpt_meta_where((struct ckpt_view){ NULL, 0 }, CKPT_LIT("a"), CKPT_LIT("1")),
			"none");
	ok(ckpt_meta_where(CKPT_LIT("{\"a\":-0.0}"), CKPT_LIT("a"), CKPT_LIT("0")),
			"zero");
	ok(!ckpt_meta_where(CKPT_LIT("{\"a\":12}"), CKPT_LIT("a"), CKPT_LIT("1.2")),
			"the point");
	ok(ckpt_meta_where(CKPT_LIT("{\"a\":1.2}"), CKPT_LIT("a"), CKPT_LIT("12e-1")),
			"moved");
	ok(!ckpt_meta_where(CKPT_LIT("{\"a\":102}"), CKPT_LIT("a"), CKPT_LIT("10.2")),
			"inside");
}

static void test_members(void)
{
	struct ckpt_view out, map = CKPT_LIT("\x84\xa1"
					     "a\x01\x91\x02\xa1"
					     "x\x05\xa1"
					     "c\xa1"
					     "a\x92\x01\x02");
	struct ckpt_buf text = { 0 };
	int64_t i;

	ok(ckpt_value_member(&out, CKPT_LIT("msgpack"), map, "a") && out.n == 3,
			"the last counts");
	ok(!ckpt_value_member(&out, CKPT_LIT("msgpack"), map, "x"), "a value is no key");
	ok(!ckpt_value_member(&out, CKPT_LIT("msgpack"),
			   CKPT_LIT("\x82\xa1"
				    "a\x01"),
			   "a"),
			"damaged map");
	ok(!ckpt_value_member(&out, CKPT_LIT("msgpack"), CKPT_LIT("\x91\x01"), "a"),
			"no map");
	ok(!ckpt_value_member(&out, CKPT_LIT("pickle"), map, "a"), "no language");
	ok(ckpt_value_member(&out, CKPT_LIT("json"), ckpt_view_of(meta), "u"),
			"a JSON member");
	same(out.p, out.n, "{\"id\":\"a b\",\"x.y\":1,\"n\":{\"m\":-0.50}}", "its text");

	ok(ckpt_meta_text(&text, ckpt_view_of(meta), "q"), "a string");
	same(text.p, text.n, "\xc3\xa9\"", "decoded");
	text.n = 0;
	ok(ckpt_meta_text(&text, ckpt_view_of(meta), "f"), "a number");
	same(text.p, text.n, "3.0", "as it is");
	ok(!ckpt_meta_text(&text, ckpt_view_of(meta), "gone"), "not there");
	ok(ckpt_meta_int(&i, ckpt_view_of(meta), "step") && i == 3, "an integer");
	ok(ckpt_meta_int(&i, ckpt_view_of(meta), "neg") && i == -5, "below zero");
	ok(!ckpt_meta_int(&i, ckpt_view_of(meta), "f"), "no integer");
	ok(!ckpt_meta_int(&i, ckpt_view_of(meta), "s"), "a string is none");
	ok(ckpt_meta_int(&i, CKPT_LIT("{\"a\":-9223372036854775808}"), "a") &&
					i == INT64_MIN,
			"the least");
	ok(!ckpt_meta_int(&i, CKPT_LIT("{\"a\":9223372036854775808}"), "a"), "too large");
	ckpt_buf_free(&text);
}

int main(void)
{
	test_where();
	test_members();
	return done();
}
