/*
 * test_render.c - stored values as JSON: scalars, containers, types, limits, damage.
 */
#include <pthread.h>
#include <time.h>

#include "t.h"
#include "base.h"
#include "token.h"

#define BIG 1000000

static struct ckpt_render options;

static int render(struct ckpt_buf *out, const char *type, struct ckpt_view body)
{
	out->n = 0;
	return ckpt_render_value(out, ckpt_view_of(type), body, &options);
}

static void check(const char *type, struct ckpt_view body, const char *want)
{
	struct ckpt_buf out = { 0 };

	render(&out, type, body);
	same(out.p, out.n, want, want);
	ckpt_buf_free(&out);
}

static const struct {
	const char *type;
	struct ckpt_view body;
	const char *want;
} values[] = {
	{ "msgpack", CKPT_LIT("\xc0"), "null" },
	{ "msgpack", CKPT_LIT("\xc3"), "true" },
	{ "msgpack", CKPT_LIT("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
			"18446744073709551615" },
	{ "msgpack", CKPT_LIT("\xd3\x80\0\0\0\0\0\0\0"), "-9223372036854775808" },
	{ "msgpack", CKPT_LIT("\xcb\x80\0\0\0\0\0\0\0"), "-0.0" },
	{ "msgpack", CKPT_LIT("\xcb\x7f\xf8\0\0\0\0\0\0"), "{\"$float\":\"NaN\"}" },
	{ "msgpack", CKPT_LIT("\xcb\xff\xf0\0\0\0\0\0\0"), "{\"$float\":\"-Infinity\"}" },
	{ "msgpack", CKPT_LIT("\xc4\x02\x00\xff"), "{\"$bytes\":\"AP8=\"}" },
	{ "msgpack",
			CKPT_LIT("\xa3"
				 "a\0b"),
			"\"a\\u0000b\"" },
	{ "msgpack", CKPT_LIT("\xa2\xc3\x28"), "{\"$str\":\"wyg=\"}" },
	{ "msgpack", CKPT_LIT("\x90"), "[]" },
	{ "msgpack", CKPT_LIT("\x80"), "{}" },
	{ "msgpack", CKPT_LIT("\x92\x91\x01\x80"), "[[1],{}]" },
	{ "msgpack", CKPT_LIT("\x82\xa1z\x01\xa1y\x02"), "{\"z\":1,\"y\":2}" },
	{ "msgpack", CKPT_LIT("\x83\xa1z\x01\xa1y\x02\xa1z\x03"), "{\"z\":3,\"y\":2}" },
	{ "msgpack", CKPT_LIT("\x82\xa1z\x01\x02\x90"), "{\"$map\":[[\"z\",1],[2,[]]]}" },
	{ "msgpack", CKPT_LIT("\x83\x02\x01\xc3\x90\x02\x05"),
			"{\"$map\":[[2,5],[true,[]]]}" },
	{ "msgpack", CKPT_LIT("\x81\x92\x01\x02\xc0"), "{\"$map\":[[[1,2],null]]}" },
	{ "msgpack", CKPT_LIT("\x81\xa1\xff\xc0"),
			"{\"$map\":[[{\"$str\":\"/w==\"},null]]}" },
	{ "msgpack", CKPT_LIT("\x81\x81\x01\x02\x81\x03\x04"),
			"{\"$map\":[[{\"$map\":[[1,2]]},{\"$map\":[[3,4]]}]]}" },
	{ "json", CKPT_LIT(" {\"a\" : [1.50, 9007199254740993, NaN, -Infinity]} "),
			"{\"a\":[1.50,9007199254740993,{\"$float\":\"NaN\"},{\"$float\":"
			"\"-Infinity\"}]}" },
	{ "json", CKPT_LIT("\"\\ud83d\\ude80 \\ud800\""),
			"\"\xf0\x9f\x9a\x80 \\ud800\"" },
	{ "json", CKPT_LIT("{\"a\":1,\"b\":2,\"a\":3}"), "{\"a\":3,\"b\":2}" },
	{ "json", CKPT_LIT("{\"$a\":1}"), "{\"$a\":1}" },
	{ "null", CKPT_LIT(""), "null" },
	{ "empty", CKPT_LIT("x"), "null" },
	{ "msgpack", { NULL, 0 }, "null" },
	{ "bytes", CKPT_LIT("\0\xff"), "{\"$bytes\":\"AP8=\"}" },
	{ "bytearray", CKPT_LIT("x"), "{\"$bytes\":\"eA==\"}" },
	{ "pickle", CKPT_LIT("abc"),
			"{\"$opaque\":\"pickle\",\"size\":3,\"sha256\":"
			"\"ba7816bf8f01cfea414140de5dae2223"
			"b00361a396177a9cb410ff61f20015ad\"}" },
	{ NULL, CKPT_LIT("{\"a\": 1}"), "{\"a\":1}" },
	{ NULL, CKPT_LIT("abc"),
			"{\"$opaque\":\"unknown\",\"size\":3,\"sha256\":"
			"\"ba7816bf8f01cfea414140de5dae2223"
			"b00361a396177a9cb410ff61f20015ad\"}" },
	{ "msgpack", CKPT_LIT(""),
			"{\"$corrupt\":\"ends early\",\"offset\":0,\"size\":0}" },
	{ "msgpack", CKPT_LIT("\x92\x01\xc1"),
			"{\"$corrupt\":\"bad byte\",\"offset\":2,\"size\":3}" },
	{ "json", CKPT_LIT("{\"a\":]"),
			"{\"$corrupt\":\"bad byte\",\"offset\":5,\"size\":6}" },
};

static void test_values(void)
{
	size_t i;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		check(values[i].type, values[i].body, values[i].want);
}

static void test_results(void)
{
	struct ckpt_buf out = { 0 };

	ok(render(&out, "msgpack", CKPT_LIT("\xc0\xc0")) == 0 && options.trailing,
			"trailing byte");
	ok(render(&out, "msgpack", CKPT_LIT("\xc0")) == 0 && !options.trailing, "none");
	ok(render(&out, "json", CKPT_LIT("1 \n")) == 0 && !options.trailing,
			"white space is none");
	ok(render(&out, "json", CKPT_LIT("1 1")) == 0 && options.trailing,
			"trailing JSON");
	ok(render(&out, "null", CKPT_LIT("1")) == 0 && options.trailing,
			"null with bytes");
	ok(render(&out, "msgpack", CKPT_LIT("\xc7\x06\x00\x93\xa1m\xa1n\xc0\x00")) == 0 &&
					options.trailing,
			"a byte behind an ext");
	ok(render(&out, "msgpack", CKPT_LIT("\x91")) == CKPT_ECORRUPT, "corrupt is told");

	out.n = 0;
	ckpt_buf_puts(&out, "before ");
	ckpt_render_value(&out, CKPT_LIT("msgpack"), CKPT_LIT("\x92\x01\xc1"), &options);
	same(out.p, out.n, "before {\"$corrupt\":\"bad byte\",\"offset\":2,\"size\":3}",
			"only the value's own text is taken back");

	options.max_value = 2;
	render(&out, "msgpack", CKPT_LIT("\x92\x01\x02"));
	ok(out.n > 20 && memcmp(out.p, "{\"$opaque\":\"msgpack\",\"size\":3,", 30) == 0,
			"too large");
	render(&out, "msgpack", CKPT_LIT("\x91\x01"));
	same(out.p, out.n, "[1]", "not too large");
	options.max_value = 0;

	out.failed = true;
	ok(render(&out, "null", CKPT_LIT("")) == CKPT_ENOMEM, "no memory before");
	ckpt_buf_free(&out);
}

/* Nested as deep as the reader goes, and one deeper. */
static void test_depth(void)
{
	struct ckpt_buf body = { 0 }, out = { 0 };
	int i;

	for (i = 0; i < READER_DEPTH; i++)
		msgpack_array(&body, 1);
	msgpack_nil(&body);
	ok(render(&out, "msgpack", ckpt_buf_view(&body)) == 0 &&
					out.n == 2 * READER_DEPTH + 4,
			"as deep as it goes");
	body.n = 0;
	for (i = 0; i <= READER_DEPTH; i++)
		msgpack_array(&body, 1);
	msgpack_nil(&body);
	ok(render(&out, "msgpack", ckpt_buf_view(&body)) == CKPT_ECORRUPT, "one deeper");
	body.n = 0;
	for (i = 0; i < 300; i++)
		ckpt_buf_puts(&body, "{\"lc\":2,\"type\":\"constructor\",\"id\":[\"Set\"]"
				     ",\"args\":[[");
	for (i = 0; i < 300; i++)
		ckpt_buf_puts(&body, "]]}");
	ok(render(&out, "json", ckpt_buf_view(&body)) == 0 && out.n == 600,
			"300 records deep");
	ckpt_buf_free(&body);
	ckpt_buf_free(&out);
}

static void big_map(struct ckpt_buf *body, bool numbers, unsigned distinct)
{
	char key[16];
	unsigned i;

	body->n = 0;
	msgpack_map(body, BIG);
	for (i = 0; i < BIG; i++) {
		unsigned k = (i * 7919u) % distinct;

		if (numbers)
			msgpack_uint(body, k);
		else
			msgpack_str(body,
					(struct ckpt_view){ key,
							(size_t)snprintf(key, sizeof(key),
									"k%u", k) });
		msgpack_nil(body);
	}
}

static void test_big(void)
{
	struct ckpt_buf body = { 0 }, out = { 0 };
	clock_t start = clock();
	unsigned i;

	big_map(&body, false, BIG);
	ok(render(&out, "msgpack", ckpt_buf_view(&body)) == 0, "a million keys");
	big_map(&body, true, BIG);
	ok(render(&out, "msgpack", ckpt_buf_view(&body)) == 0,
			"a million numbers as keys");
	big_map(&body, false, 1);
	ok(render(&out, "msgpack", ckpt_buf_view(&body)) == 0, "a million equal keys");
	same(out.p, out.n, "{\"k0\":null}", "leave one");
	body.n = 0;
	ckpt_buf_puts(&body, "{\"lc\":2,\"type\":\"constructor\",\"id\":[\"Set\"],"
			     "\"args\":[[");
	for (i = 0; i < BIG; i++)
		ckpt_buf_addf(&body, "%s%u", i ? "," : "", i * 7919u % BIG);
	ckpt_buf_puts(&body, "]]}");
	ok(render(&out, "json", ckpt_buf_view(&body)) == 0, "a million members");
	ok((clock() - start) / CLOCKS_PER_SEC < 60, "in reasonable time");
	ckpt_buf_free(&body);
	ckpt_buf_free(&out);
}

static void *on_small_stack(void *arg)
{
	(void)arg;
	test_depth();
	return NULL;
}

static void test_small_stack(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	if (pthread_create(&thread, &attr, on_small_stack, NULL) == 0)
		pthread_join(thread, NULL);
	else
		test_depth();
	pthread_attr_destroy(&attr);
}

int main(void)
{
	test_values();
	test_results();
	test_small_stack();
	test_big();
	options.typed = true;
	check("msgpack", CKPT_LIT("\x82\xa2$a\x01\xa1$\x02"), "{\"$$a\":1,\"$$\":2}");
	check("json", CKPT_LIT("{\"$a\":{\"$$b\":1}}"), "{\"$$a\":{\"$$$b\":1}}");
	check("msgpack", CKPT_LIT("\x81\x01\x02"), "{\"$map\":[[1,2]]}");
	return done();
}
