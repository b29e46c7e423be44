/*
 * test_token.c - what both readers share: pushed values, skipping, depth, the sticky
 * failure.
 */
#include "t.h"
#include "base.h"
#include "token.h"

/* A value as a line of tokens; ext payloads are pushed as they are met. */
static void trace(struct ckpt_buf *to, struct reader *r)
{
	struct token t;
	int rc;

	while ((rc = reader_next(r, &t)) == 1) {
		static const char *const names[] = { "nil", "bool", "int", "uint",
			"float", "num", "str", "bin", "ext", "[", "{", "]" };

		ckpt_buf_addf(to, "%s%s", to->n ? " " : "", names[t.kind]);
		if (t.kind == TOKEN_INT)
			ckpt_buf_addf(to, ":%d", (int)t.i);
		if (t.kind == TOKEN_STR || t.kind == TOKEN_NUM)
			ckpt_buf_addf(to, ":%.*s", (int)t.s.n, (const char *)t.s.p);
		if (t.kind == TOKEN_EXT)
			reader_push(r, t.s);
	}
	if (rc < 0)
		ckpt_buf_addf(to, " %s@%zu", r->why, r->why_at);
}

static void check_trace(
		const struct reader_ops *ops, struct ckpt_view body, const char *want)
{
	static struct reader r;
	struct ckpt_buf got = { 0 };

	reader_init(&r, ops, body);
	trace(&got, &r);
	same(got.p, got.n, want, want);
	ckpt_buf_free(&got);
	reader_done(&r);
}

static void test_push(void)
{
	check_trace(&msgpack_reader,
			CKPT_LIT("\x92\xd4\x07\x05\xa1"
				 "a"),
			"[ ext int:5 str:a ]");
	check_trace(&msgpack_reader,
			CKPT_LIT("\x81\xa1k\xc7\x05\x00\x92\xd4\x01\x90\x02\xc0"),
			"{ str:k ext [ ext [ ] int:2 ] ]");
	check_trace(&msgpack_reader, CKPT_LIT("\xd5\x07\x01\x02"), "ext int:1");
	check_trace(&msgpack_reader, CKPT_LIT("\xd4\x07\xd4"), "ext ends early@2");
	check_trace(&msgpack_reader,
			CKPT_LIT("\x92\xd4\x07\xa1"
				 "a"),
			"[ ext length beyond the end@3");
	check_trace(&msgpack_reader,
			CKPT_LIT("\x92\xd4\x07\x91"
				 "a"),
			"[ ext length beyond the end@3");
	check_trace(&msgpack_reader, CKPT_LIT("\xc7\x00\x08"), "ext ends early@3");
	check_trace(&msgpack_reader, CKPT_LIT(""), " ends early@0");
	check_trace(&msgpack_reader, (struct ckpt_view){ NULL, 0 }, " ends early@0");
	check_trace(&json_reader, (struct ckpt_view){ NULL, 0 }, " ends early@0");
}

/* Skip each item, then read it again: pushes come before what the reader stands at. */
static void test_push_again(void)
{
	static struct reader r;
	const struct {
		const struct reader_ops *ops;
		struct ckpt_view body;
		const char *want;
	} cases[] = {
		{ &json_reader, CKPT_LIT(" [ {\"a\":[1]} , 2 ] "),
				"{ str:a [ num:1 ] ] num:2 ]" },
		{ &msgpack_reader,
				CKPT_LIT("\x92\x81\xa1"
					 "a\x91\x01\x02"),
				"{ str:a [ int:1 ] ] int:2 ]" },
	};
	size_t i;

	for (i = 0; i < 2; i++) {
		struct ckpt_buf got = { 0 };
		struct ckpt_view span = { NULL, 0 };
		struct token t;

		reader_init(&r, cases[i].ops, cases[i].body);
		ok(reader_next(&r, &t) == 1 && reader_skip(&r, &span) == 0, "%s skips",
				r.ops->name);
		ok(reader_push(&r, span) == 0 && r.depth == 2, "a push costs one level");
		trace(&got, &r);
		same(got.p, got.n, cases[i].want, cases[i].want);
		ok(reader_next(&r, &t) == 0 && reader_next(&r, &t) == 0,
				"the end stays the end");
		ok(reader_skip(&r, &span) < 0 && span.p == NULL, "nothing left to skip");
		ok(reader_next(&r, &t) < 0 && strcmp(r.why, "ends early") == 0,
				"a failure is sticky");
		ckpt_buf_free(&got);
		reader_done(&r);
	}
}

/* `n` times `open`, then `close` n times. */
static struct ckpt_view bomb(struct ckpt_buf *buf, struct ckpt_view open,
		const char *middle, struct ckpt_view close, size_t n)
{
	size_t i;

	buf->n = 0;
	for (i = 0; i < n; i++)
		ckpt_buf_add(buf, open.p, open.n);
	ckpt_buf_puts(buf, middle);
	for (i = 0; i < n && close.n; i++)
		ckpt_buf_add(buf, close.p, close.n);
	return ckpt_buf_view(buf);
}

static int read_all(struct reader *r, const struct reader_ops *ops, struct ckpt_view body)
{
	struct token t;
	int rc;

	reader_init(r, ops, body);
	while ((rc = reader_next(r, &t)) == 1)
		if (t.kind == TOKEN_EXT && reader_push(r, t.s) < 0)
			return CKPT_ECORRUPT;
	return rc;
}

static void test_depth(void)
{
	static struct reader r;
	const struct {
		const char *name;
		const struct reader_ops *ops;
		struct ckpt_view open;
		const char *middle;
		struct ckpt_view close;
	} kinds[] = {
		{ "msgpack array", &msgpack_reader, CKPT_LIT("\x91"), "\x01",
				CKPT_LIT("") },
		{ "msgpack map", &msgpack_reader, CKPT_LIT("\x81\x01"), "\x01",
				CKPT_LIT("") },
		{ "json array", &json_reader, CKPT_LIT("["), "1", CKPT_LIT("]") },
		{ "json object", &json_reader, CKPT_LIT("{\"\":"), "1", CKPT_LIT("}") },
		{ "json mixed", &json_reader, CKPT_LIT("[0,{\"\":"), "1",
				CKPT_LIT("}, 2]") },
	};
	struct ckpt_buf buf = { 0 };
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t per = i == 4 ? 2 : 1, most = READER_DEPTH / per;
		struct ckpt_view body, span;

		body = bomb(&buf, kinds[i].open, kinds[i].middle, kinds[i].close, most);
		ok(read_all(&r, kinds[i].ops, body) == 0, "%s: the deepest",
				kinds[i].name);
		reader_done(&r);
		body = bomb(&buf, kinds[i].open, kinds[i].middle, kinds[i].close,
				most + 1);
		ok(read_all(&r, kinds[i].ops, body) < 0 &&
						strcmp(r.why, "nested too deep") == 0 &&
						r.why_at == most * kinds[i].open.n,
				"%s: one deeper", kinds[i].name);
		reader_done(&r);
		body = bomb(&buf, kinds[i].open, kinds[i].middle, kinds[i].close,
				1000000);
		ok(read_all(&r, kinds[i].ops, body) < 0, "%s: 1M deep", kinds[i].name);
		reader_done(&r);
		reader_init(&r, kinds[i].ops, body);
		ok(reader_skip(&r, &span) == 0 && span.p == body.p && span.n == body.n,
				"%s: 1M deep is skipped", kinds[i].name);
		reader_done(&r);
		reader_init(&r, kinds[i].ops,
				(struct ckpt_view){ body.p, 1000000 * kinds[i].open.n });
		ok(reader_skip(&r, &span) < 0 && r.why && span.p == NULL,
				"%s: 1M deep, cut short", kinds[i].name);
		reader_done(&r);
	}
	ckpt_buf_free(&buf);
}

/* ext in ext in ext: the payload of each is all that follows. */
static void test_ext_bomb(void)
{
	static struct reader r;
	size_t n = 1000000, size = 6 * n + 1, i;
	uint8_t *body = malloc(size);
	struct ckpt_view span;

	if (!ok(body != NULL, "memory"))
		return;
	for (i = 0; i < n; i++) {
		size_t left = size - 6 * (i + 1);

		body[6 * i] = 0xc9;
		body[6 * i + 1] = (uint8_t)(left >> 24);
		body[6 * i + 2] = (uint8_t)(left >> 16);
		body[6 * i + 3] = (uint8_t)(left >> 8);
		body[6 * i + 4] = (uint8_t)left;
		body[6 * i + 5] = 7;
	}
	body[size - 1] = 0xc0;
	ok(read_all(&r, &msgpack_reader, (struct ckpt_view){ body, size }) < 0 &&
					strcmp(r.why, "nested too deep") == 0,
			"ext 1M deep");
	reader_init(&r, &msgpack_reader, (struct ckpt_view){ body, size });
	ok(reader_skip(&r, &span) == 0 && span.n == size, "ext 1M deep is skipped");
	ok(read_all(&r, &msgpack_reader,
			   (struct ckpt_view){ body + 6 * (n - READER_DEPTH),
					   6 * READER_DEPTH + 1 }) == 0,
			"ext as deep as can be");
	free(body);
}

int main(void)
{
	test_push();
	test_push_again();
	test_depth();
	test_ext_bomb();
	return done();
}
