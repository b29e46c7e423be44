/*
 * test_judge.c - the judge says corrupt exactly where the renderer does: on values made by chance,
 * then with bytes changed and cut off; what only LangGraph refuses; rows near the limits.
 */
#include "t.h"
#include "check.h"

static uint64_t seed = 88172645463325252u;

static uint32_t chance(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % n;
}

static struct ckpt_view text(void)
{
	static const char *const words[] = { "", "a", "messages", "\xc3\xa9t\xc3\xa9",
		"langchain_core.messages.human",
		"a text of more than thirty-one bytes, here" };

	return ckpt_view_of(words[chance(6)]);
}

static void value(struct ckpt_buf *to, int depth);

static void ext(struct ckpt_buf *to, int depth)
{
	struct ckpt_buf inner = { 0 };
	int code = (int)chance(10);

	if (code < 6 && chance(8)) {
		msgpack_array(&inner, code >= 3 && chance(2) ? 4 : 3);
		msgpack_str(&inner, text());
		msgpack_str(&inner, text());
		value(&inner, depth - 1);
		if (code >= 3)
			msgpack_str(&inner, text());
	} else if (code < 8 && chance(8)) {
		value(&inner, depth - 1);
	}
	msgpack_ext(to, code, ckpt_buf_view(&inner));
	ckpt_buf_free(&inner);
}

static void value(struct ckpt_buf *to, int depth)
{
	uint32_t n = chance(5);

	switch (depth > 0 ? chance(9) : chance(6)) {
	case 0:
		msgpack_nil(to);
		break;
	case 1:
		msgpack_int(to, (int64_t)chance(100000) - 50000);
		break;
	case 2:
		msgpack_float(to, chance(7) / 2.0);
		break;
	case 3:
	case 4:
		msgpack_str(to, text());
		break;
	case 5:
		msgpack_bin(to, text());
		break;
	case 6:
		msgpack_array(to, n);
		while (n--)
			value(to, depth - 1);
		break;
	case 7:
		msgpack_map(to, n);
		while (n--) {
			msgpack_str(to, text());
			value(to, depth - 1);
		}
		break;
	default:
		ext(to, depth);
	}
}

/* Do both say the same? */
static bool agree(struct judge *j, struct ckpt_view type, struct ckpt_view body,
		int *corrupt)
{
	struct ckpt_render plain = { 0 };
	struct ckpt_buf out = { 0 };
	bool bad = ckpt_render_value(&out, type, body, &plain) == CKPT_ECORRUPT;

	ckpt_buf_free(&out);
	*corrupt += bad;
	return judge_value(j, type, body) == 0 && (j->why != NULL) == bad;
}

static void test_changed(struct judge *j, struct ckpt_view type,
		const struct ckpt_buf *made, int *wrong, int *corrupt)
{
	for (int i = 0; i < 40; i++) {
		size_t n = chance(4) ? made->n : chance((uint32_t)made->n + 1);
		char *p = malloc(n + 1); /* of its own size: the sanitizer sees the end */

		memcpy(p, made->p, n);
		for (uint32_t k = chance(3); n && k; k--)
			p[chance((uint32_t)n)] = (char)chance(256);
		*wrong += !agree(j, type, (struct ckpt_view){ p, n }, corrupt);
		free(p);
	}
}

static void test_msgpack(struct judge *j)
{
	int wrong = 0, corrupt = 0, sound = 0, strict = 0;

	for (int i = 0; i < 3000; i++) {
		struct ckpt_buf made = { 0 };

		value(&made, 6);
		wrong += !agree(j, CKPT_LIT("msgpack"), ckpt_buf_view(&made), &sound);
		strict += j->strict != NULL;
		test_changed(j, CKPT_LIT("msgpack"), &made, &wrong, &corrupt);
		ckpt_buf_free(&made);
	}
	ok(sound == 0, "what the writers make is sound");
	ok(strict > 0 && strict < 1500, "an ext value without payload is loaded as null");
	ok(corrupt > 10000, "%d changed values are corrupt", corrupt);
	ok(wrong == 0, "judge and renderer agree on msgpack (%d do not)", wrong);
}

static void test_json(struct judge *j)
{
	static const char *const texts[] = {
		"{\"a\":[1,2.5e3,\"x\\u00e9\",null,true],\"b\":{}}",
		"[\"\\ud800\",-0,NaN,-Infinity,{\"lc\":2,\"type\":\"undefined\"}]",
		"\"text\"", " 12 "
	};
	int wrong = 0, corrupt = 0;

	for (int i = 0; i < 2000; i++) {
		struct ckpt_buf made = { 0 };

		ckpt_buf_puts(&made, texts[chance(4)]);
		test_changed(j, i % 2 ? CKPT_LIT("json") : CKPT_META_TYPE, &made, &wrong,
				&corrupt);
		ckpt_buf_free(&made);
	}
	ok(corrupt > 5000, "%d changed texts are corrupt", corrupt);
	ok(wrong == 0, "judge and renderer agree on JSON (%d do not)", wrong);
}

/* `n` arrays in one another; every third of them in an ext value. */
static void test_deep(struct judge *j, int n, bool exts)
{
	struct ckpt_buf made = { 0 };
	int corrupt = 0;

	msgpack_nil(&made);
	for (int i = 0; i < n; i++) {
		struct ckpt_buf outer = { 0 };

		if (exts && i % 3 == 0) {
			msgpack_ext(&outer, 7, ckpt_buf_view(&made));
		} else {
			msgpack_array(&outer, 1);
			ckpt_buf_add(&outer, made.p, made.n);
		}
		ckpt_buf_free(&made);
		made = outer;
	}
	ok(agree(j, CKPT_LIT("msgpack"), ckpt_buf_view(&made), &corrupt),
			"%d levels%s: both say %s", n, exts ? " with ext values" : "",
			corrupt ? "too deep" : "sound");
	ckpt_buf_free(&made);
}

static void test_strict(struct judge *j)
{
	static const struct {
		const char *type;
		struct ckpt_view body;
		const char *strict;
	} cases[] = {
		{ "msgpack", CKPT_LIT("\x01\x02"), NULL }, /* bytes behind are ignored */
		{ "msgpack", CKPT_LIT("\xa2\xff\xfe"), "text is not UTF-8" },
		{ "msgpack", CKPT_LIT("\xa3\xed\xa0\x80"), "text is not UTF-8" },
		{ "msgpack", CKPT_LIT("\x81\x80\x01"), "a map is the key of a map" },
		{ "msgpack", CKPT_LIT("\x81\x91\x80\x01"), "a map is the key of a map" },
		{ "msgpack", CKPT_LIT("\x81\x92\x01\xa1x\x01"), NULL },
		{ "msgpack", CKPT_LIT("\x81\x01\x80"), NULL },
		{ "msgpack", CKPT_LIT("\x81\xd4\x07\x01\x01"),
				"an ext value is the key of a map" },
		{ "msgpack", CKPT_LIT("\x92\xd4\x07\xc1\x05"),
				"the payload of an ext value is broken: LangGraph loads "
				"null for it" },
		{ "json", CKPT_LIT("{} "), NULL },
		{ "json", CKPT_LIT("{} x"), "bytes follow the value" },
		{ "json", CKPT_LIT("\"a\x01\""), "a control character in a text" },
		{ "json", CKPT_LIT("\"\xff\""), "text is not UTF-8" },
		{ "json", CKPT_LIT("\"\xed\xa0\x80\""), NULL },
		{ "bytes", CKPT_LIT("\xff"), NULL },
		{ "null", CKPT_LIT("x"), NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		judge_value(j, ckpt_view_of(cases[i].type), cases[i].body);
		ok(!j->why && (cases[i].strict ? j->strict && strcmp(j->strict,
									      cases[i].strict) ==
											      0
					       : !j->strict),
				"strict %zu: %s", i, j->strict ? j->strict : "fine");
	}
	judge_value(j, CKPT_LIT("msgpack"), CKPT_LIT("\x92\xd4\x50\x01\xd4\x51\x01"));
	ok(!j->why && j->ext == 0x50, "the first ext code that nobody writes");
}

static int count(void *arg, const struct ckpt_finding *f)
{
	*(int *)arg += strcmp(f->code, "near-limit") == 0;
	return 0;
}

static void test_near(void)
{
	int n = 0;
	struct ckpt_check opt = { .found = count, .arg = &n };
	struct check c = { .opt = &opt, .limits = { .row = 1000, .json = 500 } };
	struct ckpt_key key = { 0 };

	check_near(&c, &key, CKPT_LIT("x"), 999, 499);
	ok(n == 0, "below the limits");
	check_near(&c, &key, CKPT_LIT("x"), 1000, 0);
	ok(n == 1, "a row");
	check_near(&c, &key, CKPT_LIT("x"), 999, 500);
	ok(n == 2 && opt.count[CKPT_WARNING] == 2, "JSON");
}

int main(void)
{
	struct judge *j = malloc(sizeof(*j));

	test_msgpack(j);
	test_json(j);
	for (int n = 1020; n <= 1030; n++) {
		test_deep(j, n, false);
		test_deep(j, n, true);
	}
	test_deep(j, 100000, false);
	test_strict(j);
	test_near();
	free(j);
	return done();
}
