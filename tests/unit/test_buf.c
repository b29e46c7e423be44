/*
 * test_buf.c - buffers grow, keep their NUL and fail once; views compare as bytes.
 */
#include "t.h"
#include "ckpt.h"

static void test_growth(void)
{
	struct ckpt_buf buf = { 0 };
	bool nul = true;
	int i;

	ok(buf.p == NULL && ckpt_buf_view(&buf).p != NULL && ckpt_buf_view(&buf).n == 0,
			"an empty buffer is an empty view, not a missing one");
	ckpt_buf_add(&buf, NULL, 0);
	ok(buf.n == 0 && !buf.failed && buf.p && buf.p[0] == 0, "adding nothing");
	for (i = 0; i < 5000; i++) {
		ckpt_buf_add(&buf, "a\0c", 3);
		nul = nul && buf.n < buf.cap && buf.p[buf.n] == '\0';
	}
	ok(buf.n == 15000 && nul && memcmp(buf.p + 14997, "a\0c", 3) == 0,
			"15000 bytes with NULs");
	ok(buf.cap <= 2 * 16384, "doubling");
	ckpt_buf_free(&buf);
	ok(!buf.p && !buf.n && !buf.cap && !buf.failed, "freed means as new");
}

static void test_format(void)
{
	struct ckpt_buf buf = { 0 };
	char wide[300];
	size_t n;

	memset(wide, 'x', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	ckpt_buf_addf(&buf, "%d-%s", 42, "b");
	same(buf.p, buf.n, "42-b", "addf");
	ckpt_buf_addf(&buf, "%s", "");
	ok(buf.n == 4, "addf of nothing");
	ckpt_buf_addf(&buf, "[%s]", wide);
	ok(buf.n == 4 + 301 && buf.p[buf.n - 1] == ']' && !buf.p[buf.n],
			"addf beyond the room");
	for (n = 0; n < 200; n++)
		ckpt_buf_addf(&buf, "%.*s", (int)n, wide);
	ok(buf.n == 305 + 199 * 200 / 2 && !buf.failed, "addf at every length");
	ckpt_buf_puts(&buf, "end");
	ok(memcmp(buf.p + buf.n - 3, "end", 4) == 0, "puts");
	ckpt_buf_free(&buf);
}

static void test_failure(void)
{
	struct ckpt_buf buf = { 0 };

	ckpt_buf_puts(&buf, "kept");
	ckpt_buf_add(&buf, "", SIZE_MAX - 2);
	ok(buf.failed, "a length that overflows");
	ckpt_buf_puts(&buf, "x");
	ckpt_buf_addf(&buf, "%d", 1);
	same(buf.p, buf.n, "kept", "what comes after a failure is ignored");
	ckpt_buf_free(&buf);
}

static void test_views(void)
{
	const struct {
		struct ckpt_view a, b;
		int want;
	} cases[] = {
		{ { NULL, 0 }, { NULL, 0 }, 0 },
		{ { NULL, 0 }, { "", 0 }, -1 },
		{ { "", 0 }, { NULL, 0 }, 1 },
		{ { "", 0 }, { "a", 1 }, -1 },
		{ { "a", 1 }, { "ab", 2 }, -1 },
		{ { "a\0b", 3 }, { "a\0c", 3 }, -1 },
		{ { "\xff", 1 }, { "a", 1 }, 1 },
		{ { "a", 1 }, { "a\0", 2 }, -1 },
		{ { "same", 4 }, { "same", 4 }, 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int cmp = ckpt_view_cmp(cases[i].a, cases[i].b);

		ok((cmp > 0) - (cmp < 0) == cases[i].want, "order of views %zu", i);
		ok(ckpt_view_eq(cases[i].a, cases[i].b) == (cases[i].want == 0),
				"equal %zu", i);
	}
	ok(ckpt_view_of(NULL).p == NULL && ckpt_view_of("abc").n == 3,
			"view of a C string");
	ok(CKPT_LIT("a\0b").n == 3, "view of a literal");
}

int main(void)
{
	test_growth();
	test_format();
	test_failure();
	test_views();
	return done();
}
