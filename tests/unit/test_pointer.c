/*
 * test_pointer.c - JSON Pointers into text; the first cases are those of RFC 6901.
 */
#include "t.h"
#include "base.h"

static const char document[] =
		"{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"m~n\":8,\" \":7,"
		"\"k\\\"l\":6,\"deep\":{\"list\":[[1],{\"x\":null}]},\"twice\":1,"
		"\"twice\":2,"
		"\"nul\\u0000\":3}";

static const struct {
	const char *pointer, *want;
} cases[] = {
	{ "", document },
	{ "/foo", "[\"bar\",\"baz\"]" },
	{ "/foo/0", "\"bar\"" },
	{ "/foo/1", "\"baz\"" },
	{ "/", "0" },
	{ "/a~1b", "1" },
	{ "/c%d", "2" },
	{ "/m~0n", "8" },
	{ "/ ", "7" },
	{ "/k\"l", "6" },
	{ "/deep/list/1/x", "null" },
	{ "/deep/list/0/0", "1" },
	{ "/twice", "2" },
	{ "/foo/2", NULL },
	{ "/foo/00", NULL },
	{ "/foo/01", NULL },
	{ "/foo/-", NULL },
	{ "/foo/-1", NULL },
	{ "/foo/1e0", NULL },
	{ "/foo/", NULL },
	{ "/foo/99999999999999999999", NULL },
	{ "/fo", NULL },
	{ "/fooo", NULL },
	{ "foo", NULL },
	{ "/m~n", NULL },
	{ "/m~2n", NULL },
	{ "/m~", NULL },
	{ "/twice/0", NULL },
	{ "/nul", NULL },
};

int main(void)
{
	struct ckpt_view out;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool found = ckpt_pointer_find(&out, ckpt_view_of(document),
				ckpt_view_of(cases[i].pointer));

		if (cases[i].want)
			same(out.p, out.n, cases[i].want, cases[i].pointer);
		else
			ok(!found && !out.p, "%s is not there", cases[i].pointer);
	}
	ok(ckpt_pointer_find(&out, ckpt_view_of(document), CKPT_LIT("/nul\0")) &&
					out.n == 1,
			"a NUL in a key");
	ok(!ckpt_pointer_find(&out, CKPT_LIT("{\"a\":1"), CKPT_LIT("/a")),
			"damaged text");
	ok(!ckpt_pointer_find(&out, (struct ckpt_view){ NULL, 0 }, CKPT_LIT("")),
			"no text");
	return done();
}
