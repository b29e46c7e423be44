/*
 * test_codec.c - the split of a container into channels: order, twins, versions, skeleton, what
 * is left of a damaged one. Whatever the bytes, the split ends and stays inside them.
 */
#include "t.h"
#include "made.h"
#include "codec.h"

static struct arena arena;
static struct ckpt_error err;

static size_t unlike; /* containers of which codec_values said something else */

static bool same_values(const struct ckpt_checkpoint *whole, struct ckpt_view body)
{
	struct ckpt_checkpoint c = { .type = whole->type, .time = CKPT_UNKNOWN };
	bool same = codec_values(&c, body, &arena, &err) == 0 &&
	            c.nvalues == whole->nvalues && c.opaque.p == whole->opaque.p &&
	            c.broken_why == whole->broken_why && c.trailing == whole->trailing &&
	            !c.skeleton.p && c.time == CKPT_UNKNOWN;

	for (size_t i = 0; same && i < c.nvalues; i++) {
		const struct ckpt_value *a = &c.values[i], *b = &whole->values[i];

		same = ckpt_view_eq(a->channel, b->channel) && a->place == b->place &&
		       a->body.p == b->body.p && a->body.n == b->body.n && !a->version.p;
	}
	return same;
}

static struct ckpt_checkpoint split(const char *type, struct ckpt_view body)
{
	struct ckpt_checkpoint c = { .type = ckpt_view_of(type), .time = CKPT_UNKNOWN };

	err = (struct ckpt_error){ 0 };
	codec_split(&c, body, &arena, &err);
	unlike += !same_values(&c, body);
	return c;
}

/* "channel=body:version " of each; NULL is '-'; bodies rendered, so that both formats agree. */
static void channels(struct ckpt_buf *to, const struct ckpt_checkpoint *c)
{
	to->n = 0;
	ckpt_buf_puts(to, "");
	for (size_t i = 0; i < c->nvalues; i++) {
		const struct ckpt_value *v = &c->values[i];
		struct ckpt_render plain = { 0 };

		ckpt_buf_add(to, v->channel.p, v->channel.n);
		ckpt_buf_puts(to, v->place == CKPT_INLINE  ? "="
				  : v->place == CKPT_EMPTY ? "!"
							   : "?");
		if (v->type.p)
			ckpt_render_value(to, v->type, v->body, &plain);
		ckpt_buf_puts(to, ":");
		ckpt_buf_add(to, v->version.p ? v->version.p : "-",
				v->version.p ? v->version.n : 1);
		ckpt_buf_puts(to, " ");
	}
}

static const struct {
	const char *what, *json, *channels, *skeleton;
} good[] = {
	{ "nothing", "{}", "", "{}" },
	{ "order",
			"{\"v\":1,\"channel_values\":{\"b\":1,\"a\":[2]},\"channel_"
			"versions\":"
			"{\"a\":\"2\",\"b\":\"1\"},\"id\":\"x\"}",
			"b=1:\"1\" a=[2]:\"2\" ",
			"{\"v\":1,\"channel_versions\":{\"a\":\"2\",\"b\":\"1\"},\"id\":"
			"\"x\"}" },
	{ "versions first",
			"{\"channel_versions\":{\"z\":1,\"a\":2.5},\"channel_values\":{"
			"\"a\":null}}",
			"a=null:2.5 z!:1 ",
			"{\"channel_versions\":{\"z\":1,\"a\":2.5}}" },
	{ "no version", "{\"channel_values\":{\"a\":1}}", "a=1:- ", "{}" },
	{ "twins: the last counts",
			"{\"channel_values\":{\"a\":1,\"b\":2,\"a\":3},"
			"\"channel_versions\":{\"a\":1,\"a\":7}}",
			"b=2:- a=3:7 ", "{\"channel_versions\":{\"a\":1,\"a\":7}}" },
	{ "twins among versions", "{\"channel_versions\":{\"q\":1,\"q\":2}}", "q!:2 ",
			"{\"channel_versions\":{\"q\":1,\"q\":2}}" },
	{ "null for both", "{\"channel_values\":null,\"channel_versions\":null,\"v\":4}",
			"", "{\"channel_versions\":null,\"v\":4}" },
	{ "odd names",
			"{\"channel_values\":{\"\":1,\"a "
			"b\":2},\"channel_versions\":{\"\":3}}",
			"=1:3 a b=2:- ", "{\"channel_versions\":{\"\":3}}" },
	{ "deep values", "{\"channel_values\":{\"a\":{\"channel_values\":{\"x\":1}}}}",
			"a={\"channel_values\":{\"x\":1}}:- ", "{}" },
};

/* JSON text → the same as msgpack, for texts without odd numbers. */
static void pack(struct ckpt_buf *to, struct reader *r, const struct token *t)
{
	struct ckpt_buf inside = { 0 };
	struct token next;
	uint64_t n = 0;

	if (t->kind == TOKEN_NIL)
		msgpack_nil(to);
	else if (t->kind == TOKEN_STR)
		msgpack_str(to, t->s);
	else if (t->kind == TOKEN_NUM && memchr(t->s.p, '.', t->s.n))
		msgpack_float(to, strtod(t->s.p, NULL));
	else if (t->kind == TOKEN_NUM)
		msgpack_int(to, strtol(t->s.p, NULL, 10));
	if (t->kind != TOKEN_MAP && t->kind != TOKEN_ARRAY)
		return;
	while (reader_next(r, &next) > 0 && next.kind != TOKEN_END) {
		pack(&inside, r, &next);
		n++;
	}
	if (t->kind == TOKEN_MAP)
		msgpack_map(to, n / 2);
	else
		msgpack_array(to, n);
	ckpt_buf_add(to, inside.p, inside.n);
	ckpt_buf_free(&inside);
}

static void packed(struct ckpt_buf *to, const char *json)
{
	struct reader *r = malloc(sizeof(*r));
	struct token t;

	to->n = 0;
	if (!r)
		exit(2);
	reader_init(r, &json_reader, ckpt_view_of(json));
	if (reader_next(r, &t) > 0)
		pack(to, r, &t);
	reader_done(r);
	free(r);
}

static void both_formats(void)
{
	struct ckpt_buf got = { 0 }, body = { 0 }, skeleton = { 0 };

	for (size_t i = 0; i < LEN(good); i++) {
		struct ckpt_checkpoint c = split("json", ckpt_view_of(good[i].json));

		channels(&got, &c);
		same(got.p, got.n, good[i].channels, good[i].what);
		same(c.skeleton.p, c.skeleton.n, good[i].skeleton, "its skeleton");
		ok(!c.broken_why && !c.opaque.p && !err.code, "whole");
		packed(&body, good[i].json);
		packed(&skeleton, good[i].skeleton);
		c = split("msgpack", ckpt_buf_view(&body));
		channels(&got, &c);
		same(got.p, got.n, good[i].channels, "the same in msgpack");
		ok(ckpt_view_eq(c.skeleton, ckpt_buf_view(&skeleton)) && !c.broken_why &&
						!c.opaque.p,
				"and its skeleton");
		arena_reset(&arena);
	}
	ckpt_buf_free(&got);
	ckpt_buf_free(&body);
	ckpt_buf_free(&skeleton);
}

/* Cut anywhere: what came before stays, nothing is invented, the fault's offset is inside. */
static void cuts(const char *type, struct ckpt_view whole)
{
	struct ckpt_checkpoint all = split(type, whole);
	size_t bad = 0, most = 0;

	for (size_t n = 0; n < whole.n; n++) {
		char *copy = malloc(n ? n : 1);
		struct ckpt_checkpoint c;

		if (!copy)
			exit(2);
		memcpy(copy, whole.p, n);
		c = split(type, (struct ckpt_view){ copy, n });
		bad += !c.broken_why || c.broken_at > n || c.nvalues > all.nvalues ||
		       err.code;
		for (size_t i = 0; i < c.nvalues; i++)
			bad += !ckpt_view_eq(c.values[i].channel, all.values[i].channel);
		most = c.nvalues > most ? c.nvalues : most;
		free(copy);
	}
	ok(!bad && most == all.nvalues,
			"%s cut at each byte: %zu bad, up to %zu channels", type, bad,
			most);
	arena_reset(&arena);
}

static void broken(void)
{
	static const struct {
		const char *type, *body;
		bool opaque;
	} cases[] = {
		{ "json", "[1]", true },
		{ "json", "", true },
		{ "json", "7", true },
		{ "json", "nonsense", true },
		{ "msgpack", "\x01", true },
		{ "msgpack", "\xc0", true },
		{ "msgpack", "\x91\x80", true },
		{ "msgpack", "\x81\x01\x02", true },
		{ "json", "{\"v\":1,\"channel_values\":[1]}", false },
		{ "msgpack",
				"\x82\xa1v\x01\xae"
				"channel_values\x81\x01\x02",
				false },
	};
	struct ckpt_checkpoint c;

	for (size_t i = 0; i < LEN(cases); i++) {
		c = split(cases[i].type, ckpt_view_of(cases[i].body));
		ok(c.broken_why && !c.nvalues &&
						(c.opaque.p != NULL) == cases[i].opaque &&
						c.broken_at <= strlen(cases[i].body) &&
						!err.code,
				"broken %zu: %s at %zu", i,
				c.broken_why ? c.broken_why : "-", c.broken_at);
	}
	c = split("msgpack+aes", CKPT_LIT("secret"));
	ok(ckpt_view_eq(c.opaque, CKPT_LIT("secret")) && !c.broken_why && !c.skeleton.p,
			"encrypted");
	c = split("json", (struct ckpt_view){ 0 });
	ok(c.broken_why && !c.opaque.p && !c.nvalues, "NULL");
	c = split(NULL, CKPT_LIT("{\"channel_values\":{\"a\":1}}"));
	ok(c.nvalues == 1 && ckpt_view_eq(c.values[0].type, CKPT_LIT("json")),
			"no type is json");
	arena_reset(&arena);
}

static void times_and_writers(void)
{
	static const struct {
		const char *json;
		unsigned writer;
	} cases[] = {
		{ "{\"ts\":\"2026-01-01T00:00:00.5Z\"}", CKPT_JS },
		{ "{\"ts\":\"2026-01-01T00:00:00.500000+00:00\"}", CKPT_PYTHON },
		{ "{\"ts\":\"2026-01-01T00:00:00.5Z\",\"channel_versions\":{\"a\":\"1\"}"
		  "}",
				CKPT_JS },
		{ "{\"ts\":\"2026-01-01T00:00:00.500000+00:00\",\"channel_versions\":{"
		  "\"a\":1}}",
				CKPT_PYTHON },
	};
	struct ckpt_checkpoint c;

	for (size_t i = 0; i < LEN(cases); i++) {
		c = split("json", ckpt_view_of(cases[i].json));
		ok(c.time == 1767225600500000000, "the time of ts");
		ok(codec_writer(CKPT_LIT("json"), ckpt_view_of(cases[i].json)) ==
						cases[i].writer,
				"who wrote %s", cases[i].json);
	}
	c = split("json", CKPT_LIT("{\"ts\":7}"));
	ok(c.time == CKPT_UNKNOWN, "a ts that is no time");
	ok(codec_writer(CKPT_LIT("msgpack"), CKPT_LIT("")) == CKPT_PYTHON, "msgpack");
	ok(codec_writer(CKPT_LIT("msgpack+aes"), CKPT_LIT("")) == CKPT_PYTHON,
			"encrypted");
	ok(codec_writer(CKPT_LIT("bytes"), CKPT_LIT("{}")) == 0, "something else");
	ok(codec_writer(CKPT_LIT("json"), CKPT_LIT("{}")) == 0, "nothing to tell by");
	arena_reset(&arena);
}

static void many(void)
{
	struct ckpt_buf b = { 0 };
	struct ckpt_checkpoint c;
	clock_t start;
	double took;

	ckpt_buf_puts(&b, "{\"channel_values\":{");
	for (unsigned i = 0; i < 1000000; i++)
		ckpt_buf_addf(&b, "%s\"c%u\":%u", i ? "," : "", i, i);
	ckpt_buf_puts(&b, "},\"channel_versions\":{");
	for (unsigned i = 0; i < 1000000; i++)
		ckpt_buf_addf(&b, "%s\"c%u\":%u", i ? "," : "", i, i + 1);
	ckpt_buf_puts(&b, "}}");
	start = clock();
	c = split("json", ckpt_buf_view(&b));
	took = (double)(clock() - start) / CLOCKS_PER_SEC;
	ok(c.nvalues == 1000000 &&
					ckpt_view_eq(c.values[999999].version,
							CKPT_LIT("1000000")) &&
					took < 20,
			"a million channels");
	printf("# %.2f s\n", took);
	ckpt_buf_free(&b);
	arena_reset(&arena);
}

static void mutations(uint64_t seed)
{
	struct ckpt_buf got = { 0 }, body = { 0 };
	size_t bad = 0;

	printf("# CKPT_SEED=%llu\n", (unsigned long long)seed);
	for (unsigned round = 0; round < 20000; round++) {
		const char *json = good[round / 2 % LEN(good)].json;
		bool text = round % 2;
		struct ckpt_checkpoint c;
		size_t n;
		char *copy;

		packed(&body, json);
		n = text ? strlen(json) : body.n;
		copy = malloc(n);
		if (!copy)
			exit(2);
		memcpy(copy, text ? json : body.p, n);
		for (unsigned i = 0; i <= made_random(&seed) % 3; i++)
			copy[made_random(&seed) % n] = (char)made_random(&seed);
		c = split(text ? "json" : "msgpack", (struct ckpt_view){ copy, n });
		bad += err.code != 0 || (c.broken_why && c.broken_at > n) ||
		       c.nvalues > n;
		channels(&got, &c);
		free(copy);
		arena_reset(&arena);
	}
	ok(!bad, "20,000 mutations");
	ckpt_buf_free(&got);
	ckpt_buf_free(&body);
}

int main(void)
{
	const char *text = getenv("CKPT_SEED");
	struct ckpt_buf body = { 0 };

	both_formats();
	cuts("json", ckpt_view_of(good[1].json));
	packed(&body, good[1].json);
	cuts("msgpack", ckpt_buf_view(&body));
	ckpt_buf_free(&body);
	broken();
	times_and_writers();
	many();
	mutations(text ? strtoull(text, NULL, 10) : 20261121);
	ok(!unlike, "codec_values finds the same channels and values in all of them");
	arena_free(&arena);
	return done();
}
