/*
 * test_document.c - paths into one checkpoint and the nodes that made it.
 */
#include "t.h"
#include "made.h"
#include "codec.h"

static struct arena arena;
static struct ckpt_error err;

static struct ckpt_checkpoint checkpoint(const char *body, const char *meta)
{
	struct ckpt_checkpoint c = { .type = CKPT_LIT("json"),
		.meta = ckpt_view_of(meta),
		.meta_type = CKPT_LIT("json") };

	codec_split(&c, ckpt_view_of(body), &arena, &err);
	return c;
}

static const struct {
	const char *pointer, *want; /* NULL: not there */
} path_cases[] = {
	{ "/values/a", "[1,{\"b\":null}]" },
	{ "/values/a/1/b", "null" },
	{ "/values/a/0", "1" },
	{ "/values/x~1y", "\"slash\"" },
	{ "/values/m~0n", "\"tilde\"" },
	{ "/values/~01", "\"both\"" },
	{ "/values/", "\"nameless\"" },
	{ "/values", "{\"a\":[1,{\"b\":null}],\"x/"
		     "y\":\"slash\",\"m~n\":\"tilde\","
		     "\"~1\":\"both\",\"\":\"nameless\"}" },
	{ "/metadata", "{\"step\":3,\"k/l\":{\"d\":[true]}}" },
	{ "/metadata/step", "3" },
	{ "/metadata/k~1l/d/0", "true" },
	{ "/values/a/2", NULL },
	{ "/values/b", NULL },
	{ "/values/empty", NULL },
	{ "/values/x/y", NULL },
	{ "/valuesa", NULL },
	{ "/metadata/no", NULL },
	{ "/other", NULL },
	{ "", NULL },
	{ "values/a", NULL },
	{ "/metadatastep", NULL },
	{ "/values/a/1/b/c", NULL },
};

static void paths(void)
{
	struct ckpt_checkpoint c = checkpoint("{\"channel_values\":{\"a\":[1,{\"b\":null}"
					      "],\"x/y\":\"slash\",\"m~n\":\"tilde\","
					      "\"~1\":\"both\",\"\":\"nameless\"},"
					      "\"channel_versions\":{\"empty\":1}}",
			"{\"step\":3,\"k/l\":{\"d\":[true]}}");
	struct ckpt_buf to = { 0 };
	struct ckpt_render opt = { 0 };

	for (size_t i = 0; i < LEN(path_cases); i++) {
		int rc;

		to.n = 0;
		rc = ckpt_checkpoint_path(
				&to, &c, ckpt_view_of(path_cases[i].pointer), &opt);
		if (path_cases[i].want && rc == 1)
			same(to.p, to.n, path_cases[i].want, path_cases[i].pointer);
		else
			ok(!path_cases[i].want && rc == 0 && to.n == 0, "%s: %d",
					path_cases[i].pointer, rc);
	}
	c = (struct ckpt_checkpoint){ 0 };
	to.n = 0;
	ok(ckpt_checkpoint_path(&to, &c, CKPT_LIT("/metadata"), &opt) == 0 && !to.n,
			"no metadata");
	ok(ckpt_checkpoint_path(&to, &c, CKPT_LIT("/values/a"), &opt) == 0 && !to.n,
			"no values");
	c = (struct ckpt_checkpoint){ .type = CKPT_LIT("msgpack"),
		.meta_type = CKPT_LIT("json"),
		.meta = CKPT_LIT("{\"a\":") };
	codec_split(&c,
			CKPT_LIT("\x81\xae"
				 "channel_values\x81\xa1"
				 "a\xc1"),
			&arena, &err);
	ok(ckpt_checkpoint_path(&to, &c, CKPT_LIT("/values/a"), &opt) == CKPT_ECORRUPT &&
					to.n && strstr(to.p, "$corrupt"),
			"a damaged value");
	to.n = 0;
	ok(ckpt_checkpoint_path(&to, &c, CKPT_LIT("/metadata"), &opt) == CKPT_ECORRUPT &&
					to.n,
			"damaged metadata");
	ckpt_buf_free(&to);
}

static void nodes(void)
{
	static const struct {
		const char *what, *seen, *source, *want;
	} cases[] = {
		{ "the newest",
				"{\"__input__\":{},\"a\":{\"x\":\"01.5\"},\"b\":{\"x\":"
				"\"02.1\",\"y\":\"01\"}}",
				"loop", "[\"b\"]" },
		{ "two at once",
				"{\"a\":{\"x\":\"02\"},\"b\":{\"y\":\"02\"},\"c\":{\"x\":"
				"\"01\"}}",
				"loop", "[\"a\",\"b\"]" },
		{ "numbers are no texts", "{\"a\":{\"x\":9},\"b\":{\"x\":10}}", "loop",
				"[\"b\"]" },
		{ "fractions", "{\"a\":{\"x\":6.5},\"b\":{\"x\":6}}", "loop", "[\"a\"]" },
		{ "the engine's own",
				"{\"__interrupt__\":{\"x\":\"9\"},\"a\":{\"x\":\"1\"}}",
				"loop", "[\"a\"]" },
		{ "input", "{\"a\":{\"x\":\"1\"}}", "input", "[]" },
		{ "update", "{\"a\":{\"x\":\"1\"}}", "update", "[]" },
		{ "fork", "{\"a\":{\"x\":\"1\"}}", "fork", "[]" },
		{ "none seen", "{\"a\":{},\"b\":{}}", "loop", "[]" },
		{ "empty", "{}", "loop", "[]" },
		{ "no map", "[1]", "loop", "[]" },
		{ "damaged", "{\"a\":{\"x\":\"1\"},\"b\":7}", "loop", "[]" },
		{ "hostile", "{\"\\u001b[1m\":{\"x\":\"1\"}}", "loop",
				"[\"\\u001b[1m\"]" },
	};
	struct ckpt_buf to = { 0 };

	for (size_t i = 0; i < LEN(cases); i++) {
		char body[300], meta[60];
		struct ckpt_checkpoint c;

		snprintf(body, sizeof(body), "{\"v\":1,\"versions_seen\":%s}",
				cases[i].seen);
		snprintf(meta, sizeof(meta), "{\"source\":\"%s\"}", cases[i].source);
		c = checkpoint(body, meta);
		to.n = 0;
		ckpt_nodes_json(&to, &c);
		same(to.p, to.n, cases[i].want, cases[i].what);
	}
	to.n = 0;
	ckpt_nodes_json(&to, &(struct ckpt_checkpoint){ 0 });
	same(to.p, to.n, "[]", "nothing at all");
	ckpt_buf_free(&to);
}

static void writers(void)
{
	struct ckpt_checkpoint c = checkpoint("{\"channel_versions\":{\"a\":1}}", "{}");

	ok(ckpt_writer(&c) == CKPT_JS, "numbers are JavaScript's");
	c = checkpoint("{\"channel_versions\":{\"a\":\"1\"}}", "{}");
	ok(ckpt_writer(&c) == CKPT_PYTHON, "texts are Python's");
	c = (struct ckpt_checkpoint){ .type = CKPT_LIT("msgpack") };
	ok(ckpt_writer(&c) == CKPT_PYTHON, "so is msgpack");
}

int main(void)
{
	paths();
	nodes();
	writers();
	arena_free(&arena);
	return done();
}
