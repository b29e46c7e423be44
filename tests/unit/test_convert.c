/*
 * test_convert.c - containers taken apart for PostgreSQL: which value goes where, what is refused,
 * and what passes as it is where the way stays the same.
 */
#include "conv.h"
#include "made.h"
#include "t.h"

#define BYTES(s) \
	{ \
		s, sizeof(s) - 1 \
	}
#define NAN64 "\xcb\x7f\xf8\0\0\0\0\0\0"

static const struct {
	const char *what;
	struct ckpt_view body;
	const char *with, *without; /* a version */
} values[] = {
	{ "nil", BYTES("\xc0"), "{\"c\":null} | |", "{\"c\":null} | |" },
	{ "true", BYTES("\xc3"), "{\"c\":true} | |", "{\"c\":true} | |" },
	{ "a small integer", BYTES("\x07"), "{\"c\":7} | |", "{\"c\":7} | |" },
	{ "the largest integer", BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
			"{\"c\":18446744073709551615} | |",
			"{\"c\":18446744073709551615} | |" },
	{ "the smallest integer", BYTES("\xd3\x80\0\0\0\0\0\0\0"),
			"{\"c\":-9223372036854775808} | |",
			"{\"c\":-9223372036854775808} | |" },
	{ "a double", BYTES("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a"), "{\"c\":0.1} | |",
			"{\"c\":0.1} | |" },
	{ "1e15", BYTES("\xcb\x43\x0c\x6b\xf5\x26\x34\0\0"),
			"{\"c\":1000000000000000.0} | |",
			"{\"c\":1000000000000000.0} | |" },
	{ "1e16", BYTES("\xcb\x43\x41\xc3\x79\x37\xe0\x80\0"),
			" | c@1 msgpack=xcb4341c37937e08000 | bad-number:blob:c",
			" | | bad-number:cannot:c" },
	{ "-0.0", BYTES("\xcb\x80\0\0\0\0\0\0\0"),
			" | c@1 msgpack=xcb8000000000000000 | bad-number:blob:c",
			" | | bad-number:cannot:c" },
	{ "0.0", BYTES("\xcb\0\0\0\0\0\0\0\0"), "{\"c\":0.0} | |", "{\"c\":0.0} | |" },
	{ "5e-324", BYTES("\xcb\0\0\0\0\0\0\0\1"), "{\"c\":5e-324} | |",
			"{\"c\":5e-324} | |" },
	{ "NaN", BYTES(NAN64), " | c@1 msgpack=xcb7ff8000000000000 | nan:blob:c",
			" | | nan:cannot:c" },
	{ "a string",
			BYTES("\xa3"
			      "a\"b"),
			"{\"c\":\"a\\\"b\"} | |", "{\"c\":\"a\\\"b\"} | |" },
	{ "a string with NUL",
			BYTES("\xa2"
			      "a\0"),
			" | c@1 msgpack=xa26100 | nul:blob:c", " | | nul:cannot:c" },
	{ "a string that is no UTF-8", BYTES("\xa1\xff"),
			" | c@1 msgpack=xa1ff | utf8:blob:c", " | | utf8:cannot:c" },
	{ "a surrogate", BYTES("\xa3\xed\xa0\x80"),
			" | c@1 msgpack=xa3eda080 | utf8:blob:c", " | | utf8:cannot:c" },
	{ "bytes", BYTES("\xc4\x02\x01\x02"), " | c@1 bytes=x0102 |",
			" | | version:cannot:c" },
	{ "a list", BYTES("\x91\x01"), " | c@1 msgpack=x9101 |",
			" | | version:cannot:c" },
	{ "an empty map", BYTES("\x80"), " | c@1 msgpack=x80 |",
			" | | version:cannot:c" },
	{ "a snapshot", BYTES("\xd4\x07\x90"), "{\"c\":true} | c@1 msgpack=xd40790 |",
			" | | version:cannot:c" },
	{ "another object", BYTES("\xd4\x05\x90"), " | c@1 msgpack=xd40590 |",
			" | | version:cannot:c" },
	{ "no value", { NULL, 0 }, "{} | |", "{} | |" },
};

/* An empty object is not worth telling twice. */
static const char *wanted(char to[static 200], const char *text)
{
	snprintf(to, 200, "%s%s", *text == ' ' && strncmp(text, " | |", 4) ? "{}" : "",
			text);
	return to;
}

static void check_values(void)
{
	char want[200];

	for (size_t i = 0; i < LEN(values); i++) {
		struct conv_value v = { "c", "\"1\"", values[i].body, NULL };
		struct ckpt_checkpoint c = conv_msgpack("id", &v, 1);
		const char *got;

		got = conv_once(&CONV_APART, &c);
		same(got, strlen(got), wanted(want, values[i].with), values[i].what);
		v.version = NULL;
		c = conv_msgpack("id", &v, 1);
		got = conv_once(&CONV_APART, &c);
		same(got, strlen(got), wanted(want, values[i].without),
				"… without a version");
	}
}

/* ---- names, metadata, writes --------------------------------------------------------------- */

static const struct {
	const char *what;
	struct ckpt_key key;
	struct ckpt_view meta;
	struct ckpt_write write; /* none if it has no task */
	const char *cares;
} rows[] = {
	{ "a NUL in the thread", { .thread = BYTES("a\0b") }, { 0 }, { .idx = 0 },
			" nul:cannot:-" },
	{ "a thread that is no UTF-8", { .thread = BYTES("\xff") }, { 0 }, { .idx = 0 },
			" utf8:cannot:-" },
	{ "a key of BLOBs", { .thread = BYTES("t"), .blob = CKPT_BLOB_NS }, { 0 },
			{ .idx = 0 }, " key-type:cannot:-" },
	{ "a backslash in the thread", { .thread = BYTES("a\\b") }, { 0 }, { .idx = 0 },
			"" },
	{ "metadata", { .blob = 0 }, BYTES("{\"a\": [1, -2.5, \"x\\ud83d\\ude00\"]} "),
			{ .idx = 0 }, "" },
	{ "no metadata", { .blob = 0 }, { 0 }, { .idx = 0 }, "" },
	{ "NUL in metadata", { .blob = 0 }, BYTES("{\"a\\u0000\":1}"), { .idx = 0 },
			" nul:cannot:-" },
	{ "what looks like it", { .blob = 0 }, BYTES("{\"a\":\"\\\\u0000\"}"),
			{ .idx = 0 }, "" },
	{ "NaN in metadata", { .blob = 0 }, BYTES("[NaN]"), { .idx = 0 },
			" nan:cannot:-" },
	{ "minus infinity", { .blob = 0 }, BYTES("[-Infinity]"), { .idx = 0 },
			" nan:cannot:-" },
	{ "half a surrogate pair", { .blob = 0 }, BYTES("\"\\ud800\""), { .idx = 0 },
			" surrogate:cannot:-" },
	{ "the other half", { .blob = 0 }, BYTES("\"\\ude00\""), { .idx = 0 },
			" surrogate:cannot:-" },
	{ "halves the wrong way round", { .blob = 0 }, BYTES("\"\\ude00\\ud83d\""),
			{ .idx = 0 }, " surrogate:cannot:-" },
	{ "a raw control character", { .blob = 0 }, BYTES("\"\n\""), { .idx = 0 },
			" control:cannot:-" },
	{ "1e22 in metadata", { .blob = 0 }, BYTES("{\"a\":1e+22}"), { .idx = 0 },
			" bad-number:cannot:-" },
	{ "-0.0 in metadata", { .blob = 0 }, BYTES("[-0.0]"), { .idx = 0 },
			" bad-number:cannot:-" },
	{ "1.5e3, which jsonb makes 1500", { .blob = 0 }, BYTES("[1.5e3]"), { .idx = 0 },
			" bad-number:cannot:-" },
	{ "1e-7", { .blob = 0 }, BYTES("[1e-07]"), { .idx = 0 }, "" },
	{ "more digits than a double has", { .blob = 0 },
			BYTES("[12345678901234567890123]"), { .idx = 0 }, "" },
	{ "metadata that is no UTF-8", { .blob = 0 }, BYTES("\"\xff\""), { .idx = 0 },
			" utf8:cannot:-" },
	{ "metadata that is no JSON", { .blob = 0 }, BYTES("{\"a\":}"), { .idx = 0 },
			" metadata:cannot:-" },
	{ "metadata and more", { .blob = 0 }, BYTES("{} {}"), { .idx = 0 },
			" metadata:cannot:-" },
	{ "a write", { .blob = 0 }, { 0 },
			{ .task = BYTES("k"),
					.channel = BYTES("c"),
					.type = BYTES("null"),
					.body = BYTES("") },
			"" },
	{ "a write without a value", { .blob = 0 }, { 0 },
			{ .task = BYTES("k"), .channel = BYTES("c"), .type = BYTES("t") },
			" null:cannot:c" },
	{ "a write without a type", { .blob = 0 }, { 0 },
			{ .task = BYTES("k"), .channel = BYTES("c"), .body = BYTES("t") },
			" null:cannot:c" },
	{ "a backslash in a write's channel", { .blob = 0 }, { 0 },
			{ .task = BYTES("k"),
					.channel = BYTES("a\\b"),
					.type = BYTES("t"),
					.body = BYTES("") },
			" backslash:cannot:-" },
	{ "a backslash in a path", { .blob = 0 }, { 0 },
			{ .task = BYTES("k"),
					.path = BYTES("\\"),
					.channel = BYTES("c"),
					.type = BYTES("t"),
					.body = BYTES("") },
			"" },
};

static void check_rows(void)
{
	for (size_t i = 0; i < LEN(rows); i++) {
		struct ckpt_checkpoint c = conv_msgpack("id", NULL, 0);
		const char *got;

		if (rows[i].key.thread.p) {
			c.key.thread = rows[i].key.thread;
			c.key.blob = rows[i].key.blob;
		}
		c.meta = rows[i].meta;
		c.writes = &rows[i].write;
		c.nwrites = rows[i].write.task.p != NULL;
		got = strrchr(conv_once(&CONV_APART, &c), '|') + 1;
		same(got, strlen(got), rows[i].cares, rows[i].what);
	}
}

static void check_writes(void)
{
	const struct ckpt_write writes[] = {
		{ .task = CKPT_LIT("b"), .idx = 0, .seq = 3 },
		{ .task = CKPT_LIT("a"), .idx = -3, .seq = 1 },
		{ .task = CKPT_LIT("a"), .idx = -4, .seq = 2 },
	};
	struct ckpt_checkpoint c = conv_msgpack("id", NULL, 0);

	c.writes = writes;
	c.nwrites = 3;
	conv_once(&(struct convert_config){ 0 }, &c);
	ok(conv_out.nwrites == 3 && conv_out.writes[0].idx == -3 &&
					conv_out.writes[1].idx == -4 &&
					conv_out.writes[2].idx == 0,
			"writes go in the order in which they came");
}

/* ---- containers ------------------------------------------------------------------------------ */

static const struct {
	const char *what, *type, *text, *told;
} texts[] = {
	{ "old JSON of Python: plain values inline", "json",
			"{\"v\": 1, \"ts\": \"x+00:00\", \"channel_values\": {\"a\": "
			"1.5, "
			"\"b\": [1, 2], \"c\": \"\\u0000\"}, \"channel_versions\": "
			"{\"a\": "
			"\"1\", \"b\": \"2\", \"c\": \"3\"}}",
			"{\"a\":1.5} | b@2 json=[1, 2] c@3 json=\"\\u0000\" | "
			"nul:blob:c" },
	{ "JavaScript: every value a blob, defaults stay where nobody reads them", "json",
			"{\"v\":4,\"ts\":\"2026-01-01T00:00:00Z\",\"channel_values\":{"
			"\"a\":1e21,"
			"\"b\":null,\"d\":[]},\"channel_versions\":{\"a\":1,\"b\":2}}",
			"{\"d\":[]} | a@1 json=1e21 b@2 json=null |" },
	{ "JavaScript without defaults", "json",
			"{\"v\":4,\"ts\":\"2026-01-01T00:00:00Z\",\"channel_values\":{"
			"\"a\":1},"
			"\"channel_versions\":{\"a\":1.5}}",
			" | a@1.5 json=1 |" },
	{ "a version that is none", "json",
			"{\"v\":4,\"ts\":\"x+00:00\",\"channel_values\":{\"a\":[]},"
			"\"channel_versions\":{\"a\":null}}",
			" | | version:cannot:a" },
	{ "NUL in a member", "json",
			"{\"v\":1,\"ts\":\"\\u0000+00:00\",\"channel_versions\":{}}",
			" | | nul:cannot:-" },
	{ "a number in a member", "json", "{\"ts\":\"x+00:00\",\"n\":[{\"x\":1e99}]}",
			" | | bad-number:cannot:-" },
	{ "anybody's JSON", "json", "{\"v\":1}", " | | language:cannot:-" },
	{ "pickle", "pickle", "\x80.", " | | type:cannot:-" },
	{ "encrypted, no key", "msgpack+aes", "xxxx", " | | encrypted:cannot:-" },
	{ "damaged", "json", "{\"v\":1,", " | | corrupt:cannot:-" },
	{ "more than a checkpoint", "json", "{\"v\":1}{}", " | | corrupt:cannot:-" },
	{ "an object outside of the values", "msgpack", "\x81\xa1xT", "" },
};

static void check_texts(void)
{
	static const char odd[] = "\x81\xa1x\xd4\x05\x90";
	struct ckpt_checkpoint c;
	const char *got;

	for (size_t i = 0; i + 1 < LEN(texts); i++) {
		c = conv_json(texts[i].type, texts[i].text, NULL, 0);
		got = conv_once(&CONV_APART, &c);
		same(got, strlen(got), texts[i].told, texts[i].what);
	}
	c = conv_json("msgpack", odd, NULL, 0);
	got = conv_once(&CONV_APART, &c);
	same(got, strlen(got), " | | skeleton:cannot:-", texts[LEN(texts) - 1].what);
}

static void check_same_way(void)
{
	static const struct conv_value blob = { "a", "\"1\"", { "\x90", 1 },
		"msgpack+aes" };
	const struct convert_config apart = { .from_apart = true, .to_apart = true };
	struct ckpt_checkpoint c = conv_json("pickle", "\x80.", NULL, 0);
	struct convert *k;
	const char *got;

	c.meta = CKPT_LIT("no JSON");
	conv_once(&(struct convert_config){ 0 }, &c);
	ok(ckpt_view_eq(conv_out.body, c.body) && ckpt_view_eq(conv_out.type, c.type) &&
					ckpt_view_eq(conv_out.meta, c.meta) &&
					!conv_out.ncares,
			"the same way: whatever it is");
	c = conv_json(NULL,
			"{\"channel_values\": {\"b\": 1}, \"channel_versions\": {\"a\": "
			"\"1\"}}",
			&blob, 1);
	convert_open(&k, &apart, &conv_err);
	got = conv_tell(k, &c);
	same(got, strlen(got), "{\"b\": 1} | a@1 msgpack+aes=x90 |", "a blob is moved");
	got = conv_tell(k, &c);
	same(got, strlen(got), "{\"b\": 1} | |", "… and once");
	convert_close(k);
	c.lock = CKPT_OPENED;
	conv_once(&apart, &c);
	ok(conv_err.code == CKPT_EINTERNAL, "what has been opened is no stored row");
	conv_err = (struct ckpt_error){ 0 };
}

/* ---- sizes ----------------------------------------------------------------------------------- */

static void check_limits(void)
{
	static const struct conv_value list = { "c", "\"1\"", { "\x93\1\2\3", 4 }, NULL };
	static const struct conv_value text[] = {
		{ "a", "\"1\"",
				BYTES("\xa7"
				      "0123456"),
				NULL },
		{ "b", "\"1\"",
				BYTES("\xa3"
				      "abc"),
				NULL },
	};
	struct ckpt_checkpoint c = conv_msgpack("id", &list, 1);
	struct ckpt_checkpoint strings = conv_msgpack("id", text, 2);
	struct convert *k;
	const char *got;

	convert_open(&k, &CONV_APART, &conv_err);
	k->limits.inlined = 12;
	got = conv_tell(k, &strings);
	same(got, strlen(got),
			"{\"a\":\"0123456\"} | b@1 msgpack=xa3616263 | size:blob:b",
			"plain values that are too much together");
	k->limits.field = 12;
	got = conv_tell(k, &c);
	same(got, strlen(got), " | | size:cannot:c", "a blob that is too large");
	k->limits.field = 100;
	k->limits.key = 2;
	got = conv_tell(k, &c);
	same(got, strlen(got), " | | key-size:cannot:- key-size:cannot:c",
			"names that are too long");
	k->limits.key = 100;
	k->limits.jsonb = 20;
	got = conv_tell(k, &c);
	same(got, strlen(got), " | | size:cannot:-", "a container that is too large");
	k->limits.jsonb = 1000;
	got = conv_tell(k, &c);
	same(got, strlen(got), "{} | c@1 msgpack=x93010203 |",
			"what could not go is not remembered as given");
	convert_close(k);
}

int main(void)
{
	check_values();
	check_rows();
	check_writes();
	check_texts();
	check_same_way();
	check_limits();
	arena_free(&conv_arena);
	return done();
}
