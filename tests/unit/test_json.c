/*
 * test_json.c - strict JSON as tokens, JSON text as written; cJSON is the independent
 * oracle.
 */
#include <cjson/cJSON.h>
#include <math.h>

#include "t.h"
#include "base.h"
#include "token.h"

static struct reader r;

/* JSON text written anew from its tokens, without white space. */
static bool rewrite(struct ckpt_buf *to, struct ckpt_view body)
{
	static uint8_t kinds[READER_DEPTH + 2];
	static size_t items[READER_DEPTH + 2];
	struct token t;
	int rc;

	reader_init(&r, &json_reader, body);
	kinds[0] = TOKEN_EXT;
	items[0] = 0;
	while ((rc = reader_next(&r, &t)) == 1) {
		unsigned depth = r.depth - (t.kind == TOKEN_ARRAY || t.kind == TOKEN_MAP);

		if (t.kind == TOKEN_END) {
			ckpt_buf_puts(to, kinds[depth + 1] == TOKEN_MAP ? "}" : "]");
			continue;
		}
		if (items[depth]++)
			ckpt_buf_puts(to,
					kinds[depth] == TOKEN_MAP && items[depth] % 2 == 0
							? ":"
							: ",");
		if (t.kind == TOKEN_ARRAY || t.kind == TOKEN_MAP) {
			ckpt_buf_puts(to, t.kind == TOKEN_MAP ? "{" : "[");
			kinds[r.depth] = (uint8_t)t.kind;
			items[r.depth] = 0;
		} else if (t.kind == TOKEN_STR) {
			json_string(to, t.s, t.b);
		} else if (t.kind == TOKEN_NUM) {
			ckpt_buf_add(to, t.s.p, t.s.n);
		} else {
			ckpt_buf_puts(to, t.kind == TOKEN_NIL ? "null"
					  : t.b               ? "true"
							      : "false");
		}
	}
	return rc == 0;
}

static const struct {
	struct ckpt_view text;
	const char *want; /* rewritten, or NULL */
	const char *why;
	size_t at;
} reader_cases[] = {
	{ CKPT_LIT(" [ 1 , \"a\" , { } , [ ] , null,true,false ] "),
			"[1,\"a\",{},[],null,true,false]", NULL, 0 },
	{ CKPT_LIT("{\"a\":{\"b\":[1.50,-0,1e5,9007199254740993]},\"a\":2}"),
			"{\"a\":{\"b\":[1.50,-0,1e5,9007199254740993]},\"a\":2}", NULL,
			0 },
	{ CKPT_LIT("[NaN,Infinity,-Infinity]"), "[NaN,Infinity,-Infinity]", NULL, 0 },
	{ CKPT_LIT("\"\\u00e9\\n\\t\\/\\\\\\\"\\b\\f\\r\""),
			"\"\xc3\xa9\\n\\t/\\\\\\\"\\b\\f\\r\"", NULL, 0 },
	{ CKPT_LIT("\"\\ud83d\\ude00\""), "\"\xf0\x9f\x98\x80\"", NULL, 0 },
	{ CKPT_LIT("\"\\ud83d\""), "\"\\ud83d\"", NULL, 0 },
	{ CKPT_LIT("\"\\ude00\\ud83d\""), "\"\\ude00\\ud83d\"", NULL, 0 },
	{ CKPT_LIT("\"\\ud83d\\ud83d\\uDE00x\""), "\"\\ud83d\xf0\x9f\x98\x80x\"", NULL,
			0 },
	{ CKPT_LIT("\"\\ud83d\\n\""), "\"\\ud83d\\n\"", NULL, 0 },
	{ CKPT_LIT("\"\\u0000a\""), "\"\\u0000a\"", NULL, 0 },
	{ CKPT_LIT("\"raw \n\t\x1b \0 ok\""), "\"raw \\n\\t\\u001b \\u0000 ok\"", NULL,
			0 },
	{ CKPT_LIT("\"\xff\""), "\"\xef\xbf\xbd\"", NULL, 0 },
	{ CKPT_LIT("\t\r\n5 "), "5", NULL, 0 },
	{ CKPT_LIT("5 6"), "5", NULL, 0 },
	{ CKPT_LIT("\"\""), "\"\"", NULL, 0 },
	{ CKPT_LIT(""), NULL, "ends early", 0 },
	{ CKPT_LIT("  "), NULL, "ends early", 2 },
	{ CKPT_LIT("["), NULL, "ends early", 1 },
	{ CKPT_LIT("[1"), NULL, "ends early", 2 },
	{ CKPT_LIT("[1,"), NULL, "ends early", 3 },
	{ CKPT_LIT("[1,]"), NULL, "bad byte", 3 },
	{ CKPT_LIT("[,1]"), NULL, "bad byte", 1 },
	{ CKPT_LIT("[1 2]"), NULL, "bad byte", 3 },
	{ CKPT_LIT("[1}"), NULL, "bad byte", 2 },
	{ CKPT_LIT("{\"a\":1]"), NULL, "bad byte", 6 },
	{ CKPT_LIT("{\"a\"}"), NULL, "bad byte", 4 },
	{ CKPT_LIT("{\"a\":}"), NULL, "bad byte", 5 },
	{ CKPT_LIT("{\"a\":1,}"), NULL, "bad byte", 7 },
	{ CKPT_LIT("{\"a\" 1}"), NULL, "bad byte", 5 },
	{ CKPT_LIT("{1:2}"), NULL, "bad byte", 1 },
	{ CKPT_LIT("{,}"), NULL, "bad byte", 1 },
	{ CKPT_LIT("]"), NULL, "bad byte", 0 },
	{ CKPT_LIT("[01]"), NULL, "bad byte", 2 },
	{ CKPT_LIT("[-]"), NULL, "bad number", 1 },
	{ CKPT_LIT("[1.]"), NULL, "bad number", 1 },
	{ CKPT_LIT("[1.e5]"), NULL, "bad number", 1 },
	{ CKPT_LIT("[1e]"), NULL, "bad number", 1 },
	{ CKPT_LIT("[1e+"), NULL, "bad number", 1 },
	{ CKPT_LIT("[.5]"), NULL, "bad byte", 1 },
	{ CKPT_LIT("[+1]"), NULL, "bad byte", 1 },
	{ CKPT_LIT("[-Inf]"), NULL, "bad byte", 1 },
	{ CKPT_LIT("nul"), NULL, "bad byte", 0 },
	{ CKPT_LIT("[True]"), NULL, "bad byte", 1 },
	{ CKPT_LIT("['a']"), NULL, "bad byte", 1 },
	{ CKPT_LIT("\"a"), NULL, "ends early", 0 },
	{ CKPT_LIT("\"a\\"), NULL, "ends early", 0 },
	{ CKPT_LIT("\"a\\\""), NULL, "ends early", 0 },
	{ CKPT_LIT("\"\\x\""), NULL, "bad escape", 1 },
	{ CKPT_LIT("\"\\u12g4\""), NULL, "bad escape", 1 },
	{ CKPT_LIT("\"\\u12\""), NULL, "bad escape", 1 },
	{ CKPT_LIT("\"\\\0\""), NULL, "bad escape", 1 },
	{ CKPT_LIT("\xef\xbb\xbf"
		   "1"),
			NULL, "bad byte", 0 },
	{ CKPT_LIT("[1]/**/"), "[1]", NULL, 0 },
	{ CKPT_LIT("/**/[1]"), NULL, "bad byte", 0 },
};

static void test_reader(void)
{
	size_t i;

	for (i = 0; i < sizeof(reader_cases) / sizeof(reader_cases[0]); i++) {
		struct ckpt_view text = reader_cases[i].text;
		char *exact = malloc(text.n ? text.n : 1);
		struct ckpt_buf got = { 0 };
		bool good;

		if (!exact)
			abort();
		if (text.n)
			memcpy(exact, text.p, text.n);
		text.p = exact;
		good = rewrite(&got, text);
		if (reader_cases[i].want)
			same(got.p, got.n, reader_cases[i].want, reader_cases[i].want);
		else if (!ok(!good && r.why_at == reader_cases[i].at &&
							 !strcmp(r.why, reader_cases[i].why),
					 "refused: %s (%zu)", reader_cases[i].why, i))
			printf("# %s at %zu\n", r.why ? r.why : "accepted", r.why_at);
		reader_done(&r);
		reader_init(&r, &json_reader, text);
		ok((reader_skip(&r, NULL) == 0) == good, "skip agrees (%zu)", i);
		reader_done(&r);
		ckpt_buf_free(&got);
		free(exact);
	}
}

static void test_skip(void)
{
	struct ckpt_view key, value;
	struct token t;

	reader_init(&r, &json_reader,
			CKPT_LIT("{ \"a\" : [ 1, {\"x\":\"]}\"} ] , \"b\" : -1.5e3 }"));
	ok(reader_next(&r, &t) == 1 && t.kind == TOKEN_MAP && t.n == TOKEN_OPEN,
			"a map opens");
	ok(reader_skip(&r, &key) == 0 && reader_skip(&r, &value) == 0, "key and value");
	same(key.p, key.n, "\"a\"", "raw key");
	same(value.p, value.n, "[ 1, {\"x\":\"]}\"} ]",
			"raw value without the space around it");
	ok(reader_next(&r, &t) == 1 && t.kind == TOKEN_STR && t.at == 28, "next key");
	ok(reader_skip(&r, &value) == 0, "its value");
	same(value.p, value.n, "-1.5e3", "raw number");
	ok(reader_next(&r, &t) == 1 && t.kind == TOKEN_END && reader_next(&r, &t) == 0,
			"the end");
	reader_done(&r);
}

static void test_strings(void)
{
	static const struct {
		struct ckpt_view in;
		bool wtf8, good;
		const char *want;
	} cases[] = {
		{ { NULL, 0 }, false, true, "\"\"" },
		{ CKPT_LIT("a\"b\\c\n\t\r\b\f/"), false, true,
				"\"a\\\"b\\\\c\\n\\t\\r\\b\\f/\"" },
		{ CKPT_LIT("\x1b[0m\x7f\0"), false, true,
				"\"\\u001b[0m\\u007f\\u0000\"" },
		{ CKPT_LIT("\xe2\x80\xae\xc2\x9b"), false, true, "\"\\u202e\\u009b\"" },
		{ CKPT_LIT("\xf3\xa0\x81\x81"), false, true, "\"\\udb40\\udc41\"" },
		{ CKPT_LIT("\xc3\xa9\xf0\x9f\x98\x80"), false, true,
				"\"\xc3\xa9\xf0\x9f\x98\x80\"" },
		{ CKPT_LIT("x\xff\xc3y"), false, false,
				"\"x\xef\xbf\xbd\xef\xbf\xbdy\"" },
		{ CKPT_LIT("\xed\xa0\xbd"), true, true, "\"\\ud83d\"" },
		{ CKPT_LIT("\xed\xa0\xbd"), false, false,
				"\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ CKPT_LIT("\xed\xa0"), true, false, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
	};
	static const char *const base64[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfd", "//79" },
	};
	struct ckpt_buf got = { 0 };
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		got.n = 0;
		ok(json_string(&got, cases[i].in, cases[i].wtf8) == cases[i].good,
				"string %zu", i);
		same(got.p, got.n, cases[i].want, cases[i].want);
	}
	for (i = 0; i < sizeof(base64) / sizeof(base64[0]); i++) {
		got.n = 0;
		ckpt_base64(&got, ckpt_view_of(base64[i][0]));
		same(got.p, got.n, base64[i][1], "base64");
	}
	ckpt_buf_free(&got);
}

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t dice(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Does the text have the fewest digits that any precision could give? */
static bool is_shortest(const char *text, double f)
{
	size_t digits = strspn(text + (*text == '-'), "0123456789.");
	char fewer[40];
	int precision;

	for (precision = 1; precision <= 17; precision++) {
		snprintf(fewer, sizeof(fewer), "%.*g", precision, f);
		if (strtod(fewer, NULL) == f)
			break;
	}
	return digits <= strspn(fewer + (*fewer == '-'), "0123456789.") + 2;
}

static void test_floats(void)
{
	static const struct {
		double f;
		const char *want;
	} cases[] = {
		{ 0.0, "0.0" },
		{ -0.0, "-0.0" },
		{ 1.0, "1.0" },
		{ 0.1, "0.1" },
		{ -1.5, "-1.5" },
		{ 1e15, "1e+15" },
		{ 123456789012345.0, "123456789012345.0" },
		{ 1e300, "1e+300" },
		{ 5e-324, "5e-324" },
		{ 2.2250738585072014e-308, "2.2250738585072014e-308" },
		{ 1.7976931348623157e308, "1.7976931348623157e+308" },
		{ 0.30000000000000004, "0.30000000000000004" },
		{ 100.0, "100.0" },
		{ 1e-7, "1e-07" },
	};
	struct ckpt_buf got = { 0 };
	int wrong = 0, i;
	struct token t;

	for (i = 0; i < (int)(sizeof(cases) / sizeof(cases[0])); i++) {
		got.n = 0;
		json_float(&got, cases[i].f);
		same(got.p, got.n, cases[i].want, cases[i].want);
	}
	for (i = 0; i < 20000; i++) {
		/* A fifth of them subnormal. */
		uint64_t bits = i % 5 ? dice() : dice() & 0x800fffffffffffff;
		double f, back;

		memcpy(&f, &bits, sizeof(f));
		if (isnan(f) || isinf(f))
			continue;
		got.n = 0;
		json_float(&got, f);
		back = strtod(got.p, NULL);
		wrong += memcmp(&back, &f, sizeof(f)) != 0 || !strpbrk(got.p, ".e") ||
		         !is_shortest(got.p, f);
		reader_init(&r, &json_reader, ckpt_buf_view(&got));
		wrong += reader_next(&r, &t) != 1 || t.kind != TOKEN_NUM ||
		         t.s.n != got.n;
		reader_done(&r);
	}
	ok(wrong == 0, "20000 random bit patterns read back equal (%d wrong)", wrong);
	got.n = 0;
	json_int(&got, INT64_MIN);
	json_uint(&got, UINT64_MAX);
	same(got.p, got.n, "-922337203685477580818446744073709551615", "integers");
	ckpt_buf_free(&got);
}

static cJSON *random_tree(int depth)
{
	static const char *const strings[] = { "", "a", "key", "\"\\/\b\f\n\r\t",
		"caf\xc3\xa9", "\xf0\x9f\x98\x80", "\x01\x1f\x7f", "\xe2\x80\xae",
		"a longer text of no great interest" };
	const char *string = strings[dice() % 9];
	cJSON *tree;
	char key[32];
	unsigned n;

	switch (dice() % (depth < 6 ? 8 : 6)) {
	case 0:
		return cJSON_CreateNull();
	case 1:
		return cJSON_CreateBool(dice() & 1);
	case 2:
		return cJSON_CreateNumber((double)(int64_t)dice() / 1024.0);
	case 3:
		return cJSON_CreateNumber((double)(dice() % 1000));
	case 4:
	case 5:
		return cJSON_CreateString(string);
	case 6:
		tree = cJSON_CreateArray();
		for (n = (unsigned)dice() % 6; n; n--)
			cJSON_AddItemToArray(tree, random_tree(depth + 1));
		return tree;
	default:
		tree = cJSON_CreateObject();
		for (n = (unsigned)dice() % 6; n; n--) {
			snprintf(key, sizeof(key), "%u%.20s", n, strings[dice() % 7]);
			cJSON_AddItemToObject(tree, key, random_tree(depth + 1));
		}
		return tree;
	}
}

/* cJSON's tree and the tokens tell the same story. */
static bool same_tree(const cJSON *tree)
{
	const cJSON *child;
	struct token t;

	if (reader_next(&r, &t) != 1)
		return false;
	switch (tree->type & 0xff) {
	case cJSON_NULL:
		return t.kind == TOKEN_NIL;
	case cJSON_True:
		return t.kind == TOKEN_BOOL && t.b;
	case cJSON_False:
		return t.kind == TOKEN_BOOL && !t.b;
	case cJSON_Number:
		return t.kind == TOKEN_NUM &&
		       fabs(strtod(t.s.p, NULL) - tree->valuedouble) <=
		                       fabs(tree->valuedouble) * 1e-15;
	case cJSON_String:
		return t.kind == TOKEN_STR &&
		       ckpt_view_eq(t.s, ckpt_view_of(tree->valuestring));
	default:
		break;
	}
	if (t.kind != (cJSON_IsArray(tree) ? TOKEN_ARRAY : TOKEN_MAP))
		return false;
	for (child = tree->child; child; child = child->next) {
		if (child->string &&
				(reader_next(&r, &t) != 1 || t.kind != TOKEN_STR ||
						!ckpt_view_eq(t.s,
								ckpt_view_of(child->string))))
			return false;
		if (!same_tree(child))
			return false;
	}
	return reader_next(&r, &t) == 1 && t.kind == TOKEN_END;
}

static void test_oracle(void)
{
	int i, parsed = 0, skipped = 0, written = 0, runs = 2000;

	for (i = 0; i < runs; i++) {
		cJSON *tree = random_tree(0), *back;
		char *text = i & 1 ? cJSON_Print(tree) : cJSON_PrintUnformatted(tree);
		struct ckpt_buf copy = { 0 };
		struct ckpt_view span;
		struct token t;

		reader_init(&r, &json_reader, ckpt_view_of(text));
		parsed += same_tree(tree) && reader_next(&r, &t) == 0 && r.at == r.end;
		reader_done(&r);
		reader_init(&r, &json_reader, ckpt_view_of(text));
		skipped += reader_skip(&r, &span) == 0 && span.n == strlen(text);
		reader_done(&r);
		if (rewrite(&copy, ckpt_view_of(text))) {
			back = cJSON_ParseWithLength(copy.p, copy.n);
			written += cJSON_Compare(tree, back, true);
			cJSON_Delete(back);
		}
		reader_done(&r);
		ckpt_buf_free(&copy);
		cJSON_free(text);
		cJSON_Delete(tree);
	}
	ok(parsed == runs, "%d of %d random documents parse as cJSON printed them",
			parsed, runs);
	ok(skipped == runs, "%d of %d are skipped whole", skipped, runs);
	ok(written == runs, "%d of %d are read by cJSON as they were", written, runs);
}

int main(void)
{
	test_reader();
	test_skip();
	test_strings();
	test_floats();
	test_oracle();
	return done();
}
