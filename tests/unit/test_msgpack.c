/*
 * test_msgpack.c - every head byte with every kind of length, and the minimal writers.
 */
#include <math.h>

#include "t.h"
#include "base.h"
#include "token.h"

static struct reader r;

/* What a head says by the specification, told apart from the tables of the reader. */
struct want {
	enum token_kind kind;
	unsigned width; /* bytes of length that follow */
	uint64_t fixed; /* length in the head itself, or bytes of a number */
};

static struct want want_of(unsigned c)
{
	if (c < 0x80 || c >= 0xe0)
		return (struct want){ TOKEN_INT, 0, 0 };
	if (c < 0x90)
		return (struct want){ TOKEN_MAP, 0, c - 0x80 };
	if (c < 0xa0)
		return (struct want){ TOKEN_ARRAY, 0, c - 0x90 };
	if (c < 0xc0)
		return (struct want){ TOKEN_STR, 0, c - 0xa0 };
	switch (c) {
	case 0xc0:
		return (struct want){ TOKEN_NIL, 0, 0 };
	case 0xc2:
	case 0xc3:
		return (struct want){ TOKEN_BOOL, 0, 0 };
	case 0xc4:
	case 0xc5:
	case 0xc6:
		return (struct want){ TOKEN_BIN, 1u << (c - 0xc4), 0 };
	case 0xc7:
	case 0xc8:
	case 0xc9:
		return (struct want){ TOKEN_EXT, 1u << (c - 0xc7), 0 };
	case 0xca:
	case 0xcb:
		return (struct want){ TOKEN_FLOAT, 0, 4u << (c - 0xca) };
	case 0xcc:
	case 0xcd:
	case 0xce:
	case 0xcf:
		return (struct want){ TOKEN_UINT, 0, 1u << (c - 0xcc) };
	case 0xd0:
	case 0xd1:
	case 0xd2:
	case 0xd3:
		return (struct want){ TOKEN_INT, 0, 1u << (c - 0xd0) };
	case 0xd4:
	case 0xd5:
	case 0xd6:
	case 0xd7:
	case 0xd8:
		return (struct want){ TOKEN_EXT, 0, 1u << (c - 0xd4) };
	case 0xd9:
	case 0xda:
	case 0xdb:
		return (struct want){ TOKEN_STR, 1u << (c - 0xd9), 0 };
	case 0xdc:
	case 0xdd:
		return (struct want){ TOKEN_ARRAY, 2u << (c - 0xdc), 0 };
	case 0xde:
	case 0xdf:
		return (struct want){ TOKEN_MAP, 2u << (c - 0xde), 0 };
	default:
		return (struct want){ TOKEN_END, 0, 0 };
	}
}

/* Bytes that `length` of this kind needs at least. */
static uint64_t needs(enum token_kind kind, uint64_t length)
{
	return kind == TOKEN_MAP ? 2 * length : kind == TOKEN_EXT ? length + 1 : length;
}

/* A copy of the exact size, so that a byte too far is seen. */
static bool try(const uint8_t *bytes, size_t n, struct token *t, bool *skipped)
{
	uint8_t *body = malloc(n ? n : 1);
	bool good;

	if (!body)
		abort();
	memcpy(body, bytes, n);
	reader_init(&r, &msgpack_reader, (struct ckpt_view){ body, n });
	*skipped = reader_skip(&r, NULL) == 0;
	reader_init(&r, &msgpack_reader, (struct ckpt_view){ body, n });
	good = reader_next(&r, t) == 1;
	if (good && t->s.n && memchr(t->s.p, 0xff, t->s.n))
		abort();
	free(body);
	return good;
}

/* One head and length before `left` bytes of nil. */
static bool check_head(unsigned c, struct want want, uint64_t length, size_t left)
{
	uint8_t bytes[700] = { (uint8_t)c };
	size_t n = 1, i;
	bool good, skipped, expect;
	struct token t;

	for (i = 0; i < want.width; i++)
		bytes[n++] = (uint8_t)(length >> (8 * (want.width - 1 - i)));
	memset(bytes + n, 0xc0, left);
	good = try(bytes, n + left, &t, &skipped);
	expect = needs(want.kind, length) <= left;
	if (good != expect || skipped != expect)
		return false;
	if (!good)
		return true;
	if (want.kind == TOKEN_ARRAY || want.kind == TOKEN_MAP)
		return t.kind == want.kind && t.n == length;
	return t.kind == want.kind && t.s.n == length &&
	       (t.kind != TOKEN_EXT || t.ext == -64);
}

static void test_heads(void)
{
	unsigned c;

	for (c = 0; c < 256; c++) {
		struct want want = want_of(c);
		const uint64_t max = want.width ? UINT64_MAX >> (64 - 8 * want.width) : 0;
		const size_t left = 301;
		const uint64_t lengths[] = { 0, 1, 149, 150, 151, left - 2, left - 1,
			left, left + 1, 0x7fffffff, 0x80000000, max };
		uint8_t bytes[10] = { (uint8_t)c };
		bool good = true, skipped;
		struct token t;
		size_t i;

		if (want.kind == TOKEN_END) {
			ok(!try(bytes, 10, &t, &skipped) && !skipped,
					"head 0x%02x is bad", c);
		} else if (want.width) {
			for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
				if (lengths[i] <= max)
					good = good &&
					       check_head(c, want, lengths[i], left);
			for (i = 0; i < want.width; i++)
				good = good && !try(bytes, 1 + i, &t, &skipped) &&
				       !skipped;
			ok(good, "head 0x%02x with lengths", c);
		} else if (want.kind >= TOKEN_STR) {
			for (i = 0; i < 40; i++)
				good = good && check_head(c, want, want.fixed, i);
			ok(good, "head 0x%02x with its length", c);
		} else {
			for (i = 0; i < 10; i++)
				good = good &&
				       try(bytes, i, &t, &skipped) == (i > want.fixed) &&
				       skipped == (i > want.fixed);
			ok(good && (t.kind == want.kind || want.kind == TOKEN_UINT),
					"head 0x%02x", c);
		}
	}
}

static void test_numbers(void)
{
	static const int64_t ints[] = { 0, 1, 127, 128, 255, 256, 65535, 65536,
		INT64_C(4294967295), INT64_C(4294967296), INT64_MAX, -1, -32, -33, -128,
		-129, -32768, -32769, INT32_MIN, (int64_t)INT32_MIN - 1, INT64_MIN };
	static const size_t sizes[] = { 1, 1, 1, 2, 2, 3, 3, 5, 5, 9, 9, 1, 1, 2, 2, 3, 3,
		5, 5, 9, 9 };
	static const double floats[] = { 0.0, -0.0, 1.5, 1e300, INFINITY, 5e-324 };
	struct ckpt_buf buf = { 0 };
	struct token t;
	size_t i;

	for (i = 0; i < sizeof(ints) / sizeof(ints[0]); i++) {
		buf.n = 0;
		msgpack_int(&buf, ints[i]);
		reader_init(&r, &msgpack_reader, ckpt_buf_view(&buf));
		ok(reader_next(&r, &t) == 1 && t.kind == TOKEN_INT && t.i == ints[i] &&
						buf.n == sizes[i],
				"int %lld", (long long)ints[i]);
	}
	buf.n = 0;
	msgpack_uint(&buf, UINT64_MAX);
	reader_init(&r, &msgpack_reader, ckpt_buf_view(&buf));
	ok(reader_next(&r, &t) == 1 && t.kind == TOKEN_UINT && t.u == UINT64_MAX,
			"the largest uint");
	for (i = 0; i < sizeof(floats) / sizeof(floats[0]); i++) {
		buf.n = 0;
		msgpack_float(&buf, floats[i]);
		reader_init(&r, &msgpack_reader, ckpt_buf_view(&buf));
		ok(reader_next(&r, &t) == 1 && t.kind == TOKEN_FLOAT &&
						memcmp(&t.f, &floats[i], 8) == 0,
				"float %g", floats[i]);
	}
	reader_init(&r, &msgpack_reader, CKPT_LIT("\xca\x3f\xc0\x00\x00"));
	ok(reader_next(&r, &t) == 1 && t.f == 1.5, "float32");
	reader_init(&r, &msgpack_reader, CKPT_LIT("\xca\x7f\xc0\x00\x00"));
	ok(reader_next(&r, &t) == 1 && isnan(t.f), "float32 NaN");
	reader_init(&r, &msgpack_reader, CKPT_LIT("\xc7\x00\xff"));
	ok(reader_next(&r, &t) == 1 && t.ext == -1 && t.s.n == 0 && t.s.p,
			"ext -1, empty");
	ckpt_buf_free(&buf);
}

static const struct {
	size_t n, str, bin, ext, array;
} length_cases[] = {
	{ 0, 1, 2, 3, 1 },
	{ 1, 1, 2, 2, 1 },
	{ 2, 1, 2, 2, 1 },
	{ 3, 1, 2, 3, 1 },
	{ 4, 1, 2, 2, 1 },
	{ 8, 1, 2, 2, 1 },
	{ 15, 1, 2, 3, 1 },
	{ 16, 1, 2, 2, 3 },
	{ 31, 1, 2, 3, 3 },
	{ 32, 2, 2, 3, 3 },
	{ 255, 2, 2, 3, 3 },
	{ 256, 3, 3, 4, 3 },
	{ 65535, 3, 3, 4, 3 },
	{ 65536, 5, 5, 6, 5 },
};

/* The writers give heads of the least size, and the lengths are read back. */
static void test_lengths(void)
{
	static char text[65536];
	struct ckpt_buf buf = { 0 };
	size_t i;

	for (i = 0; i < sizeof(length_cases) / sizeof(length_cases[0]); i++) {
		struct ckpt_view v = { text, length_cases[i].n };
		size_t at[5] = { 0 };
		struct token t;
		bool good;

		buf.n = 0;
		msgpack_str(&buf, v);
		at[0] = buf.n;
		msgpack_bin(&buf, v);
		at[1] = buf.n;
		msgpack_ext(&buf, -5, v);
		at[2] = buf.n;
		msgpack_array(&buf, v.n);
		at[3] = buf.n;
		msgpack_map(&buf, v.n);
		at[4] = buf.n;
		good = at[0] == length_cases[i].str + v.n &&
		       at[1] - at[0] == length_cases[i].bin + v.n &&
		       at[2] - at[1] == length_cases[i].ext + v.n &&
		       at[3] - at[2] == length_cases[i].array &&
		       at[4] - at[3] == length_cases[i].array;
		ckpt_buf_add(&buf, text, sizeof(text));
		ckpt_buf_add(&buf, text, sizeof(text));
		reader_init(&r, &msgpack_reader, ckpt_buf_view(&buf));
		good = good && reader_next(&r, &t) == 1 && t.kind == TOKEN_STR &&
		       t.s.n == v.n;
		reader_init(&r, &msgpack_reader,
				(struct ckpt_view){ buf.p + at[1], buf.n - at[1] });
		good = good && reader_next(&r, &t) == 1 && t.kind == TOKEN_EXT &&
		       t.s.n == v.n && t.ext == -5;
		reader_init(&r, &msgpack_reader,
				(struct ckpt_view){ buf.p + at[3], buf.n - at[3] });
		good = good && reader_next(&r, &t) == 1 && t.kind == TOKEN_MAP &&
		       t.n == v.n;
		ok(good, "length %zu", v.n);
	}
	buf.n = 0;
	msgpack_array(&buf, (uint64_t)UINT32_MAX + 1);
	ok(buf.failed, "no head for 2^32 items");
	ckpt_buf_free(&buf);
}

/* A value copied token by token, ext payloads included, comes out as it was. */
static void copy(struct ckpt_buf *to, struct ckpt_view body)
{
	struct reader *in = malloc(sizeof(*in));
	struct token t;
	int rc;

	if (!in)
		abort();
	reader_init(in, &msgpack_reader, body);
	while ((rc = reader_next(in, &t)) == 1) {
		struct ckpt_buf inner = { 0 };

		switch (t.kind) {
		case TOKEN_NIL:
			msgpack_nil(to);
			break;
		case TOKEN_BOOL:
			msgpack_bool(to, t.b);
			break;
		case TOKEN_INT:
			msgpack_int(to, t.i);
			break;
		case TOKEN_UINT:
			msgpack_uint(to, t.u);
			break;
		case TOKEN_FLOAT:
			msgpack_float(to, t.f);
			break;
		case TOKEN_STR:
			msgpack_str(to, t.s);
			break;
		case TOKEN_BIN:
			msgpack_bin(to, t.s);
			break;
		case TOKEN_ARRAY:
			msgpack_array(to, t.n);
			break;
		case TOKEN_MAP:
			msgpack_map(to, t.n);
			break;
		case TOKEN_EXT:
			copy(&inner, t.s);
			msgpack_ext(to, t.ext, ckpt_buf_view(&inner));
			ckpt_buf_free(&inner);
			break;
		default:
			break;
		}
	}
	if (rc < 0 || in->at != in->end)
		to->failed = true;
	reader_done(in);
	free(in);
}

/* Encodings of LangGraph's own serializer. */
static void test_vectors(void)
{
	static const char *const vectors[] = {
		"c7110093a86275696c74696e73a373657491a161",
		"c7150193a86461746574696d65a46461746593cd07ea0818",
		"c7180193a86461746574696d65a974696d6564656c746193010203",
		"c73b0394a86461746574696d65a86461746574696d65b9323032362d30382d3234543132"
		"3a30303a3030"
		"2b30303a3030ad66726f6d69736f666f726d6174",
		"c71d0193af6c616e6767726170682e7479706573a453656e6492a17781a16b01",
		"d40790",
		"c7030791a161",
		"91a3796573",
		"c0",
		"c2",
		"c3",
		"cb7ff8000000000000",
		"c7360293af6c616e6767726170682e7479706573a94f766572777269746582a576616c75"
		"6590a474797065"
		"ad5f5f6f76657277726974655f5f",
		"91c75a0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c"
		"7565a171a26964"
		"d9203030303030303030303030303030303030303030303030303030303030303030"
		"af726573706f6e73655f736368656d61c0",
	};
	size_t i, k;

	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const char *hex = vectors[i];
		size_t n = strlen(hex) / 2;
		uint8_t bytes[200];
		struct ckpt_buf buf = { 0 };

		for (k = 0; k < n; k++)
			bytes[k] = (uint8_t)(hex_value(hex[2 * k]) << 4 |
					     hex_value(hex[2 * k + 1]));
		copy(&buf, (struct ckpt_view){ bytes, n });
		ok(!buf.failed && buf.n == n && memcmp(buf.p, bytes, n) == 0,
				"vector %.30s", hex);
		ckpt_buf_free(&buf);
		for (k = 0; k < n; k++) {
			bool skipped;
			struct token t;

			try(bytes, k, &t, &skipped);
			if (skipped)
				ok(false, "vector %zu cut at %zu is skipped", i, k);
		}
	}
}

int main(void)
{
	test_heads();
	test_numbers();
	test_lengths();
	test_vectors();
	return done();
}
