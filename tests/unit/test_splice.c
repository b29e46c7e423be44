/*
 * test_splice.c - members of a stored map replaced, in both languages; what is cut off or is no map
 * is refused, and every byte that is not replaced stays.
 */
#include "splice.h"
#include "t.h"

static int splice(struct ckpt_buf *to, const char *body, size_t n, bool json)
{
	const struct splice edits[] = {
		{ "id", json ? CKPT_LIT("\"new\"") : CKPT_LIT("\xa3new") },
		{ "ts", json ? CKPT_LIT("null") : CKPT_LIT("\xc0") },
	};

	to->n = 0;
	return splice_map(to, json ? &json_reader : &msgpack_reader,
			(struct ckpt_view){ body, n }, edits, 2);
}

static const struct {
	const char *from, *to; /* NULL: refused */
} texts[] = {
	{ "{}", "{}" },
	{ " {\"id\" : 1 , \"x\":1.50}\n", " {\"id\" : \"new\" , \"x\":1.50}\n" },
	{ "{\"x\":{\"id\":1,\"ts\":[2]},\"ts\":{\"id\":3}}",
			"{\"x\":{\"id\":1,\"ts\":[2]},\"ts\":null}" },
	{ "{\"id\":\"a\",\"id\":\"b\"}", "{\"id\":\"new\",\"id\":\"new\"}" },
	{ "{\"\\u0069d\":1}", "{\"\\u0069d\":\"new\"}" },
	{ "{\"idx\":1,\"i\":2}", "{\"idx\":1,\"i\":2}" },
	{ "[\"id\",1]", NULL },
	{ "\"id\"", NULL },
	{ "", NULL },
	{ "{\"id\":", NULL },
	{ "{\"id\":1", NULL },
	{ "{\"id\":1,}", NULL },
	{ "{\"x\":nul}", NULL },
};

static void test_texts(struct ckpt_buf *to)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		int rc = splice(to, texts[i].from, strlen(texts[i].from), true);

		if (texts[i].to)
			same(to->p, to->n, texts[i].to, texts[i].from);
		else
			ok(rc == CKPT_ECORRUPT, "refused: %s", texts[i].from);
	}
}

/* {"x": {"id": nil}, "id": "old", 1: ext, "ts": [1]} */
static const char packed
		[] = "\x84\xa1x\x81\xa2id\xc0\xa2id\xa3old\x01\xd4\x07\x00\xa2ts\x91\x01",
	  spliced[] = "\x84\xa1x\x81\xa2id\xc0\xa2id\xa3new\x01\xd4\x07\x00\xa2ts\xc0";

static void test_packed(struct ckpt_buf *to)
{
	int rc = splice(to, packed, sizeof(packed) - 1, false), cut = 0;

	ok(rc == 0 && to->n == sizeof(spliced) - 1 && memcmp(to->p, spliced, to->n) == 0,
			"msgpack: top level alone, by name");
	for (size_t n = 0; n < sizeof(packed) - 1; n++) {
		/* of its own size, so that a byte too many is seen */
		char *copy = malloc(n + 1);

		if (!copy)
			return;
		memcpy(copy, packed, n);
		cut += splice(to, copy, n, false) == CKPT_ECORRUPT;
		free(copy);
	}
	ok(cut == (int)sizeof(packed) - 1, "cut off anywhere: refused");
	ok(splice(to, "\xdf\xff\xff\xff\xff\xa2id", 8, false) == CKPT_ECORRUPT,
			"more members than there are bytes");
	ok(splice(to, "\x91\x01", 2, false) == CKPT_ECORRUPT, "a list");
	ok(splice_map(to, NULL, CKPT_LIT("x"), NULL, 0) == CKPT_ECORRUPT,
			"a type that is not read");
}

int main(void)
{
	struct ckpt_buf to = { 0 };

	test_texts(&to);
	test_packed(&to);
	ckpt_buf_free(&to);
	return done();
}
