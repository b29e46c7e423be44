/*
 * test_tree.c - JSON text as a tree: kinds, hashes, messages, masks, pointers, texts that are none.
 */
#include "t.h"
#include "tree.h"

static uint64_t hash_of(const char *text)
{
	struct tree t;
	uint64_t hash = 0;

	if (tree_read(&t, ckpt_view_of(text), NULL) == 0)
		hash = t.nodes[0].hash;
	tree_free(&t);
	return hash;
}

static const struct {
	const char *text;
	enum tree_kind kind;
	uint32_t nodes;
} kinds[] = {
	{ "null", TREE_NULL, 1 },
	{ "true", TREE_BOOL, 1 },
	{ "-1.5e3", TREE_NUMBER, 1 },
	{ "\"a\\\"]\"", TREE_STRING, 1 },
	{ "\"a\\\\\"", TREE_STRING, 1 },
	{ "[]", TREE_LIST, 1 },
	{ "[ ]", TREE_SET, 1 },
	{ "[ 1,[ 2]]", TREE_SET, 4 },
	{ "{}", TREE_MAP, 1 },
	{ "{\"a\":[1,{\"b\":null}],\"c\":2}", TREE_MAP, 6 },
	{ "{\"$bytes\":\"AA==\"}", TREE_WHOLE, 2 },
	{ "{\"$opaque\":\"x\",\"size\":1,\"sha256\":\"\"}", TREE_WHOLE, 4 },
	{ "{\"$map\":[[1,2]]}", TREE_MAP, 5 },
};

static void test_kinds(void)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct tree t;
		int rc = tree_read(&t, ckpt_view_of(kinds[i].text), NULL);

		ok(rc == 0 && t.nodes[0].kind == kinds[i].kind && t.n == kinds[i].nodes &&
						t.nodes[0].n == strlen(kinds[i].text),
				"%s", kinds[i].text);
		tree_free(&t);
	}
}

static void test_broken(void)
{
	static const char *const texts[] = { "", "[", "{", "[1", "[1,", "[1,]", "{\"a\"}",
		"{\"a\":}", "{a:1}", "\"a", "\"a\\\"", "1 2", "[1]]", "]", "{]", "[}",
		"[1,2}", "{\"a\":1]", "[ ", "[ 1", ",", ":", "{\"a\":1,}" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct tree t;

		ok(tree_read(&t, ckpt_view_of(texts[i]), NULL) == CKPT_ECORRUPT &&
						!t.nodes,
				"no tree: %s", texts[i]);
	}
}

static void test_hashes(void)
{
	ok(hash_of("{\"a\":1,\"b\":[2]}") == hash_of("{\"b\":[2],\"a\":1}"),
			"the order of keys does not count");
	ok(hash_of("[1,2]") != hash_of("[2,1]"), "the order of items counts");
	ok(hash_of("[1,2]") != hash_of("[ 1,2]"), "a set is no list");
	ok(hash_of("[]") != hash_of("{}"), "a list is no map");
	ok(hash_of("[[],[]]") != hash_of("[[[]]]"), "where brackets stand counts");
	ok(hash_of("{\"a\":\"b\"}") != hash_of("{\"b\":\"a\"}"), "a key is no value");
	ok(hash_of("1") != hash_of("1.0"), "1 is not 1.0");
}

static void test_messages(void)
{
	static const struct {
		const char *text;
		uint32_t id;
	} rows[] = {
		{ "{\"type\":\"ai\",\"id\":\"x\"}", 2 },
		{ "{\"id\":7,\"type\":\"ai\"}", 1 },
		{ "{\"type\":\"ai\",\"id\":null}", 0 },
		{ "{\"type\":null,\"id\":\"x\"}", 0 },
		{ "{\"id\":\"x\"}", 0 },
		{ "{\"a\":{\"type\":\"ai\"},\"id\":\"x\"}", 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tree t;

		ok(tree_read(&t, ckpt_view_of(rows[i].text), NULL) == 0 &&
						t.nodes[0].id == rows[i].id,
				"id of %s", rows[i].text);
		tree_free(&t);
	}
}

static void test_find(void)
{
	static const char doc[] = "{\"a\":[1,{\"b/c\":2}],\"~\":3,\"\\n\":4,\"\":5}";
	static const struct {
		const char *pointer, *text;
	} rows[] = {
		{ "", doc },
		{ "/a/0", "1" },
		{ "/a/1/b~1c", "2" },
		{ "/~0", "3" },
		{ "/\n", "4" },
		{ "/", "5" },
		{ "/a/2", NULL },
		{ "/a/00", NULL },
		{ "/a/-", NULL },
		{ "/b", NULL },
		{ "/~2", NULL },
		{ "a", NULL },
		{ "/a/0/x", NULL },
	};
	struct tree t;

	if (!ok(tree_read(&t, ckpt_view_of(doc), NULL) == 0, "a document"))
		return;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t at = tree_find(&t, ckpt_view_of(rows[i].pointer));

		if (rows[i].text && at != TREE_NONE)
			same(tree_text(&t, at).p, tree_text(&t, at).n, rows[i].text,
					rows[i].pointer);
		else
			ok(!rows[i].text && at == TREE_NONE, "'%s'", rows[i].pointer);
	}
	tree_free(&t);
}

static bool hides(void *arg, const char *pointer)
{
	ckpt_buf_puts(arg, pointer);
	ckpt_buf_puts(arg, " ");
	return strcmp(pointer, "/a/1") == 0 || strcmp(pointer, "/b/id") == 0;
}

static void test_mask(void)
{
	struct ckpt_buf seen = { 0 };
	struct tree_mask mask = { hides, &seen };
	struct tree t, u;

	tree_read(&t,
			CKPT_LIT("{\"a\":[1,2],\"b\":{\"type\":\"x\",\"id\":1},\"c~\":[ "
				 "5]}"),
			&mask);
	same(seen.p, seen.n, "/a/0 /a/1 /a /b/type /b/id /b /c~0/- /c~0 ", "pointers");
	tree_read(&u, CKPT_LIT("{\"a\":[1,3],\"b\":{\"type\":\"x\"},\"c~\":[ 5]}"),
			&mask);
	ok(t.nodes && u.nodes && t.nodes[0].hash == u.nodes[0].hash,
			"what is masked does not count");
	ok(t.nodes && t.nodes[tree_find(&t, CKPT_LIT("/b"))].id == 0,
			"a masked id makes no message");
	tree_free(&t);
	tree_free(&u);
	ckpt_buf_free(&seen);
}

static void test_copy(void)
{
	struct ckpt_buf out = { 0 };
	struct tree t;

	tree_read(&t, CKPT_LIT("{\"a\":[ 1,[ \"[ \\\" \"]],\"b\":\" \"}"), NULL);
	tree_copy(&out, &t, 0);
	same(out.p, out.n, "{\"a\":[1,[\"[ \\\" \"]],\"b\":\" \"}",
			"marks are taken off");
	ckpt_buf_free(&out);
	tree_free(&t);
	ckpt_json_text(&out, CKPT_LIT("\"a\\n\\u00e9\""));
	same(out.p, out.n, "a\n\xc3\xa9", "a string decoded");
	ckpt_buf_free(&out);
}

static void test_deep(void)
{
	enum { DEPTH = 200000 };
	struct ckpt_buf text = { 0 };
	struct tree t;

	for (int i = 0; i < DEPTH; i++)
		ckpt_buf_puts(&text, "[");
	for (int i = 0; i < DEPTH; i++)
		ckpt_buf_puts(&text, "]");
	ok(tree_read(&t, ckpt_buf_view(&text), NULL) == 0 && t.n == DEPTH,
			"deep nesting");
	tree_free(&t);
	ckpt_buf_free(&text);
}

int main(void)
{
	test_kinds();
	test_broken();
	test_hashes();
	test_messages();
	test_find();
	test_mask();
	test_copy();
	test_deep();
	return done();
}
