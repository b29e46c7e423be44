/*
 * test_convert_join.c - what PostgreSQL keeps put together for SQLite: msgpack and JSON, the order
 * of members, encrypted rows, and what has no form there.
 */
#include "conv.h"
#include "made.h"
#include "t.h"

#define BODY(s) \
	{ \
		s, sizeof(s) - 1 \
	}
#define NO_BLOB \
	{ \
		NULL, NULL, { NULL, 0 }, NULL \
	}
#define PYTHON "\"ts\": \"x+00:00\", "
#define JS "\"ts\": \"2026-01-01T00:00:00Z\", "

static const struct {
	const char *what, *text;
	struct conv_value blob;
	const char *type, *body; /* rendered */
	const char *cares;
} joins[] = {
	{ "order of members",
			"{\"id\": \"i\", \"extra\": [], \"v\": 4, " PYTHON
			"\"versions_seen\": {\"n\": {\"a\": \"1\"}}, \"channel_values\": "
			"{\"b\": 1}, \"channel_versions\": {\"a\": \"1\"}, "
			"\"updated_channels\": [\"a\"]}",
			{ "a", NULL, BODY("\x91\x02"), "msgpack" }, "msgpack",
			"{\"v\":4,\"ts\":\"x+00:00\",\"id\":\"i\",\"channel_values\":{"
			"\"b\":1,"
			"\"a\":[2]},\"channel_versions\":{\"a\":\"1\"},\"versions_seen\":"
			"{\"n\":{\"a\":\"1\"}},\"updated_channels\":[\"a\"],\"extra\":[]"
			"}",
			"" },
	{ "numbers",
			"{" PYTHON
			"\"channel_values\": {\"a\": -9223372036854775808, \"b\": "
			"18446744073709551615, \"c\": 1.0, \"d\": 0.0000001, \"e\": -1, "
			"\"f\": 0}}",
			NO_BLOB, "msgpack",
			"{\"ts\":\"x+00:00\",\"channel_values\":{\"a\":-"
			"9223372036854775808,"
			"\"b\":18446744073709551615,\"c\":1.0,\"d\":1e-07,\"e\":-1,\"f\":"
			"0}}",
			"" },
	{ "an integer of more than 64 bits",
			"{" PYTHON "\"channel_values\": {\"a\": 18446744073709551616}}",
			NO_BLOB, NULL, NULL, " bad-number:cannot:a" },
	{ "… below", "{" PYTHON "\"channel_values\": {\"a\": -9223372036854775809}}",
			NO_BLOB, NULL, NULL, " bad-number:cannot:a" },
	{ "a number that no double holds", "{" PYTHON "\"x\": 1.5e999}", NO_BLOB, NULL,
			NULL, " bad-number:cannot:-" },
	{ "a blob outranks what is inline",
			"{" PYTHON
			"\"channel_values\": {\"a\": true}, \"channel_versions\": "
			"{\"a\": \"1\"}}",
			{ "a", NULL, BODY("\xd4\x07\x90"), "msgpack" }, "msgpack",
			"{\"ts\":\"x+00:00\",\"channel_values\":{\"a\":[]},"
			"\"channel_versions\":{\"a\":\"1\"}}",
			"" },
	{ "null", "{" PYTHON "\"channel_versions\": {\"a\": \"1\"}}",
			{ "a", NULL, BODY(""), "null" }, "msgpack",
			"{\"ts\":\"x+00:00\",\"channel_values\":{\"a\":null},"
			"\"channel_versions\":{\"a\":\"1\"}}",
			"" },
	{ "bytes", "{" PYTHON "\"channel_versions\": {\"a\": \"1\"}}",
			{ "a", NULL, BODY("\xff"), "bytes" }, "msgpack",
			"{\"ts\":\"x+00:00\",\"channel_values\":{\"a\":{\"$bytes\":\"/"
			"w==\"}},"
			"\"channel_versions\":{\"a\":\"1\"}}",
			"" },
	{ "a blob that is two values", "{" PYTHON "\"channel_versions\": {\"a\": \"1\"}}",
			{ "a", NULL, BODY("\x01\x02"), "msgpack" }, NULL, NULL,
			" corrupt:cannot:a" },
	{ "a blob that ends early", "{" PYTHON "\"channel_versions\": {\"a\": \"1\"}}",
			{ "a", NULL, BODY("\x92\x02"), "msgpack" }, NULL, NULL,
			" corrupt:cannot:a" },
	{ "pickle", "{" PYTHON "\"channel_versions\": {\"a\": \"1\"}}",
			{ "a", NULL, BODY("\x80."), "pickle" }, NULL, NULL,
			" type:cannot:a" },
	{ "encrypted, no key", "{" PYTHON "\"channel_versions\": {\"a\": \"1\"}}",
			{ "a", NULL, BODY("x"), "msgpack+aes" }, NULL, NULL,
			" encrypted:cannot:a" },
	{ "old JSON becomes JSON",
			"{" PYTHON
			"\"channel_values\": {\"b\": \"x\"}, \"channel_versions\": "
			"{\"a\": \"1\"}}",
			{ "a", NULL, BODY("{\"lc\":2}"), "json" }, "json",
			"{\"ts\": \"x+00:00\", \"channel_values\": {\"b\": \"x\", \"a\": "
			"{\"lc\":2}}, \"channel_versions\": {\"a\": \"1\"}}",
			"" },
	{ "JavaScript",
			"{\"v\": 4, " JS
			"\"id\": \"i\", \"versions_seen\": {\"a b\": {}}, "
			"\"channel_values\": {\"d\": [ ]}, \"channel_versions\": {\"a\": "
			"6.5}}",
			{ "a", NULL, BODY("{\"x\": 1}"), "json" }, "json",
			"{\"v\":4,\"id\":\"i\",\"ts\":\"2026-01-01T00:00:00Z\",\"channel_"
			"values"
			"\":{\"d\":[],\"a\":{\"x\": 1}},\"channel_versions\":{\"a\":6.5},"
			"\"versions_seen\":{\"a b\":{}}}",
			"" },
	{ "JavaScript's bytes", "{" JS "\"channel_versions\": {\"a\": 1}}",
			{ "a", NULL, BODY("\1\xff"), "bytes" }, "json",
			"{\"ts\":\"2026-01-01T00:00:00Z\",\"channel_values\":{\"a\":{"
			"\"lc\":2,"
			"\"type\":\"constructor\",\"id\":[\"Uint8Array\"],\"method\":"
			"\"from\","
			"\"args\":[[1,255]],\"kwargs\":{}}},\"channel_versions\":{\"a\":"
			"1}}",
			"" },
	{ "half of a JSON value", "{" JS "\"channel_versions\": {\"a\": 1}}",
			{ "a", NULL, BODY("{\"x\":"), "json" }, NULL, NULL,
			" corrupt:cannot:a" },
	{ "JavaScript with msgpack", "{" JS "\"channel_versions\": {\"a\": 1}}",
			{ "a", NULL, BODY("\x01"), "msgpack" }, NULL, NULL,
			" type:cannot:a" },
	{ "Sends of a parent before v 4",
			"{\"v\": 3, " PYTHON
			"\"pending_sends\": [], \"channel_versions\": "
			"{\"__pregel_tasks\": \"1\"}}",
			{ "__pregel_tasks", NULL, BODY("\x91\x90"), "msgpack" },
			"msgpack",
			"{\"v\":3,\"ts\":\"x+00:00\",\"channel_values\":{},"
			"\"channel_versions\":{\"__pregel_tasks\":\"1\"},\"pending_"
			"sends\":[[]]}",
			"" },
	{ "no JSON object", "[1]", NO_BLOB, NULL, NULL, " corrupt:cannot:-" },
};

/* JSON as it stands; msgpack rendered. */
static const char *shown(void)
{
	struct ckpt_render plain = { 0 };
	struct ckpt_buf b = { 0 };
	struct ckpt_view v = conv_out.body;

	if (ckpt_view_eq(conv_out.type, CKPT_LIT("msgpack"))) {
		ckpt_render_value(&b, conv_out.type, v, &plain);
		v = arena_copy(&conv_arena, ckpt_buf_view(&b), &conv_err);
		ckpt_buf_free(&b);
	}
	return v.p ? v.p : "";
}

static void check_joins(void)
{
	for (size_t i = 0; i < LEN(joins); i++) {
		struct ckpt_checkpoint c = conv_json(NULL, joins[i].text, &joins[i].blob,
				joins[i].blob.channel != NULL);
		const char *cares = strrchr(conv_once(&CONV_INLINE, &c), '|') + 1;

		if (!same(cares, strlen(cares), joins[i].cares, joins[i].what) ||
				!joins[i].body)
			continue;
		same(conv_out.type.p, conv_out.type.n, joins[i].type, "… its type");
		same(shown(), strlen(shown()), joins[i].body, "… its container");
	}
}

/* Two kinds of blobs in one container. */
static void check_mixed(void)
{
	static const struct conv_value plain[] = {
		{ "a", NULL, BODY("\x91\x01"), "msgpack" },
		{ "b", NULL, BODY("{\"x\": [1, 1.5, \"y\", null]}"), "json" },
	};
	static const struct conv_value record[] = {
		{ "a", NULL, BODY("\x91\x01"), "msgpack" },
		{ "b", NULL, BODY("[{\"\\u006cc\": 1}]"), "json" },
	};
	static const char text[] = "{" PYTHON "\"channel_versions\": {\"a\": \"1\", "
				   "\"b\": \"1\"}}";
	struct ckpt_checkpoint c = conv_json(NULL, text, plain, 2);
	const char *got = conv_once(&CONV_INLINE, &c);

	same(shown(), strlen(shown()),
			"{\"ts\":\"x+00:00\",\"channel_values\":{\"a\":[1],\"b\":{\"x\":["
			"1,1.5,"
			"\"y\",null]}},\"channel_versions\":{\"a\":\"1\",\"b\":\"1\"}}",
			"plain JSON beside msgpack becomes msgpack");
	c = conv_json(NULL, text, record, 2);
	got = conv_once(&CONV_INLINE, &c);
	same(got, strlen(got), " | | record:cannot:b", "… but no record");
}

static void check_lost(void)
{
	struct ckpt_checkpoint c = conv_json(
			NULL, "{" PYTHON "\"channel_values\": {\"a\": true}}", NULL, 0);
	const char *got = conv_once(&CONV_INLINE, &c);

	ok(!conv_out.cannot, "true is true: %s", got);
	((struct ckpt_value *)(void *)c.values)->place = CKPT_LOST;
	got = conv_once(&CONV_INLINE, &c);
	same(got, strlen(got), " | | lost:cannot:a", "… unless its snapshot is lost");
}

/* A bytearray stays one: as the object that older savers made of it. */
static void check_bytearray(void)
{
	static const struct conv_value v = { "a", NULL, BODY("\xff"), "bytearray" };
	static const char want[] = "\xc7\x17\0\x93\xa8"
				   "builtins\xa9"
				   "bytearray\xc4\x01\xff";
	struct ckpt_checkpoint c = conv_json(
			NULL, "{" PYTHON "\"channel_versions\": {\"a\": \"1\"}}", &v, 1);

	conv_once(&CONV_INLINE, &c);
	ok(!conv_out.cannot && memmem(conv_out.body.p, conv_out.body.n, want,
					       sizeof(want) - 1),
			"a bytearray");
}

/* ---- encrypted ------------------------------------------------------------------------------- */

static struct ckpt_view opened(struct crypt *key, struct ckpt_view row)
{
	struct ckpt_view plain = { NULL, 0 };

	crypt_open_row(key, row, &conv_arena, &plain, &conv_err);
	return plain;
}

static void check_sealed(struct crypt *key)
{
	static const struct conv_value v = { "a", NULL, BODY("\x91\x01"), "msgpack" };
	static const struct ckpt_write write = { .task = { "t", 1 },
		.channel = { "c", 1 },
		.type = { "null", 4 },
		.body = { "", 0 },
		.lock = CKPT_OPENED };
	const struct convert_config cfg = { .from_apart = true, .crypt = key };
	struct ckpt_checkpoint c = conv_json(
			NULL, "{" PYTHON "\"channel_versions\": {\"a\": \"1\"}}", &v, 1);
	struct ckpt_view body;

	((struct ckpt_value *)(void *)c.values)->lock = CKPT_OPENED;
	c.writes = &write;
	c.nwrites = 1;
	conv_once(&cfg, &c);
	body = conv_out.body;
	same(conv_out.type.p, conv_out.type.n, "msgpack+aes",
			"one sealed value: all sealed");
	conv_out.type = CKPT_LIT("msgpack");
	conv_out.body = opened(key, body);
	same(shown(), strlen(shown()),
			"{\"ts\":\"x+00:00\",\"channel_values\":{\"a\":[1]},"
			"\"channel_versions\":{\"a\":\"1\"}}",
			"… and what is inside");
	same(conv_out.writes[0].type.p, conv_out.writes[0].type.n, "null+aes",
			"a write is sealed again");
	ok(opened(key, conv_out.writes[0].body).p != NULL, "… by the key");
}

static void check_blobs(struct crypt *key)
{
	static const struct conv_value values[] = {
		{ "a", "\"1\"", BODY("\x91\x01"), NULL },
		{ "b", "\"1\"", BODY("\x07"), NULL },
		{ "c", "\"1\"", BODY("\xc0"), NULL },
		{ "d", NULL, BODY("\x08"), NULL },
	};
	struct convert_config cfg = { .to_apart = true, .crypt = key };
	struct ckpt_checkpoint c = conv_msgpack("id", values, LEN(values));
	const char *got;

	c.lock = CKPT_OPENED;
	got = conv_once(&cfg, &c);
	ok(conv_out.nblobs == 1 && strncmp(got, "{\"b\":7,\"c\":null,\"d\":8}", 22) == 0,
			"plain values stay plain");
	ok(ckpt_view_eq(opened(key, conv_out.blobs[0].body), values[0].body),
			"a blob is sealed");
	cfg.encrypt_all = true;
	got = conv_once(&cfg, &c);
	ok(conv_out.nblobs == 3 && strncmp(got, "{\"d\":8}", 7) == 0,
			"unless all is to be sealed that has a version");
	ok(ckpt_view_eq(conv_out.blobs[1].type, CKPT_LIT("msgpack+aes")) &&
					ckpt_view_eq(opened(key, conv_out.blobs[1].body),
							values[1].body),
			"a number sealed");
	ok(ckpt_view_eq(conv_out.blobs[2].type, CKPT_LIT("null+aes")) &&
					opened(key, conv_out.blobs[2].body).p &&
					opened(key, conv_out.blobs[2].body).n == 0,
			"None sealed");
}

static void check_row_limit(void)
{
	struct ckpt_checkpoint c =
			conv_json(NULL, "{" PYTHON "\"x\": \"0123456789\"}", NULL, 0);
	struct convert *k;
	const char *got;

	convert_open(&k, &CONV_INLINE, &conv_err);
	k->limits.row = 100;
	got = conv_tell(k, &c);
	same(got, strlen(got), " | | size:cannot:-",
			"a row that is too large for SQLite");
	convert_close(k);
}

int main(void)
{
	struct crypt *key = NULL;

	crypt_new(&key, CKPT_LIT("0123456789abcdef"), &conv_err);
	check_joins();
	check_mixed();
	check_lost();
	check_bytearray();
	check_sealed(key);
	check_blobs(key);
	check_row_limit();
	crypt_free(key);
	arena_free(&conv_arena);
	return done();
}
