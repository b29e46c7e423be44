/*
 * test_match.c - values compared by what they mean: tables of pairs in msgpack, JSON and the other
 * types; and for random values that another order and another width change nothing, another
 * value does. Whole stores are compared by tests/cli/diff_stores.bats.
 */
#include "made.h"
#include "match.h"
#include "t.h"

#define RANDOM 20000

static struct canon *canon;

static struct stored value(const char *type, const void *p, size_t n)
{
	return (struct stored){ ckpt_view_of(type), { p, n }, CKPT_OPEN };
}

/* ---- pairs ----------------------------------------------------------------------------------- */

#define V(type, bytes) type, bytes, sizeof(bytes) - 1
#define M(bytes) V("msgpack", bytes)
#define J(bytes) V("json", bytes)
#define BUILTIN(name, n, items) \
	"\xc7" n "\x00\x93\xa8" \
	"builtins" name items

static const struct {
	const char *what;
	const char *type_a, *a;
	size_t na;
	const char *type_b, *b;
	size_t nb;
	int want;
} pairs[] = {
	{ "an integer of any width", M("\x05"), M("\xd3\0\0\0\0\0\0\0\x05"), 1 },
	{ "a signed and an unsigned one", M("\xcc\x7f"), M("\xd0\x7f"), 1 },
	{ "a negative one", M("\xff"), M("\xd1\xff\xff"), 1 },
	{ "the greatest of 64 bits in JSON", M("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
			J("18446744073709551615"), 1 },
	{ "it is not -1", M("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), M("\xff"), 0 },
	{ "the least of 64 bits in JSON", M("\xd3\x80\0\0\0\0\0\0\0"),
			J("-9223372036854775808"), 1 },
	{ "more than 64 bits by its digits", J("18446744073709551616"),
			J("18446744073709551616"), 1 },
	{ "one more", J("18446744073709551616"), J(" 18446744073709551617"), 0 },
	{ "an integer in JSON", M("\x05"), J("5"), 1 },
	{ "an integer and a float", M("\x05"), M("\xcb\x40\x14\0\0\0\0\0\0"), 0 },
	{ "an integer and a float in JSON", J("5"), J("5.0"), 0 },
	{ "a float in JSON", M("\xcb\x40\x14\0\0\0\0\0\0"), J("5.0"), 1 },
	{ "a float of either width", M("\xca\x3f\0\0\0"), M("\xcb\x3f\xe0\0\0\0\0\0\0"),
			1 },
	{ "exponents", J("1e3"), J("1000.0"), 1 },
	{ "what jsonb makes of 1e22", J("1e22"), J("10000000000000000000000"), 0 },
	{ "NaN, whatever its bits", M("\xcb\x7f\xf8\0\0\0\0\0\0"),
			M("\xcb\xff\xf8\0\0\0\0\0\x01"), 1 },
	{ "NaN in JSON", M("\xcb\x7f\xf8\0\0\0\0\0\0"), J("NaN"), 1 },
	{ "minus zero", M("\xcb\x80\0\0\0\0\0\0\0"), M("\xcb\0\0\0\0\0\0\0\0"), 0 },
	{ "minus zero in JSON", M("\xcb\x80\0\0\0\0\0\0\0"), J("-0.0"), 1 },
	{ "infinities", J("Infinity"), J("-Infinity"), 0 },
	{ "nil and null", M("\xc0"), J("null"), 1 },
	{ "nil and the type null", M("\xc0"), V("null", ""), 1 },
	{ "nil and false", M("\xc0"), M("\xc2"), 0 },
	{ "true and 1", M("\xc3"), M("\x01"), 0 },
	{ "a text in any header",
			M("\xa3"
			  "abc"),
			M("\xda\0\x03"
			  "abc"),
			1 },
	{ "a text in JSON, escaped", M("\xa2\xc3\xa9"), J("\"\\u00e9\""), 1 },
	{ "a text and bytes",
			M("\xa1"
			  "x"),
			M("\xc4\x01"
			  "x"),
			0 },
	{ "bytes and the type bytes",
			M("\xc4\x01"
			  "x"),
			V("bytes", "x"), 1 },
	{ "a bytearray and the object of it in a container", V("bytearray", "x"),
			M("\xc7\x17\x00\x93\xa8"
			  "builtins\xa9"
			  "bytearray\xc4\x01x"),
			1 },
	{ "another one", V("bytearray", "y"),
			M("\xc7\x17\x00\x93\xa8"
			  "builtins\xa9"
			  "bytearray\xc4\x01x"),
			0 },
	{ "a text and a number", J("\"5\""), J("5"), 0 },
	{ "a list in any header", M("\x92\x01\x02"), M("\xdd\0\0\0\x02\x01\xcc\x02"), 1 },
	{ "a list in JSON", M("\x92\x01\x02"), J("[1, 2]"), 1 },
	{ "a list the other way round", M("\x92\x01\x02"), M("\x92\x02\x01"), 0 },
	{ "a list in a list", M("\x92\x01\x02"), M("\x91\x92\x01\x02"), 0 },
	{ "nothing in a list", M("\x90"), M("\x91\xc0"), 0 },
	{ "an empty list and an empty map", J("[]"), J("{}"), 0 },
	{ "a map in another order",
			M("\x82\xa1"
			  "a\x01\xa1"
			  "b\x02"),
			M("\x82\xa1"
			  "b\x02\xa1"
			  "a\x01"),
			1 },
	{ "a map in JSON",
			M("\x82\xa1"
			  "a\x01\xa1"
			  "b\x02"),
			J("{\"b\":2,\"a\":1}"), 1 },
	{ "values of a map exchanged", J("{\"a\":1,\"b\":2}"), J("{\"a\":2,\"b\":1}"),
			0 },
	{ "a map and the list of what is in it", J("{\"a\":1}"), J("[\"a\",1]"), 0 },
	{ "a key twice: not the other order", J("{\"a\":1,\"a\":2}"),
			J("{\"a\":2,\"a\":1}"), 0 },
	{ "keys of another kind", M("\x81\x01\x02"),
			M("\x81\xa1"
			  "1\x02"),
			0 },
	{ "a set in another order",
			M(BUILTIN("\xa3"
				  "set",
					"\x11", "\x92\x01\x02")),
			M(BUILTIN("\xa3"
				  "set",
					"\x11", "\x92\x02\x01")),
			1 },
	{ "a set of other members",
			M(BUILTIN("\xa3"
				  "set",
					"\x11", "\x92\x01\x02")),
			M(BUILTIN("\xa3"
				  "set",
					"\x11", "\x92\x01\x03")),
			0 },
	{ "a frozenset",
			M(BUILTIN("\xa9"
				  "frozenset",
					"\x17", "\x92\x01\x02")),
			M(BUILTIN("\xa9"
				  "frozenset",
					"\x17", "\x92\x02\x01")),
			1 },
	{ "a set and a frozenset",
			M(BUILTIN("\xa3"
				  "set",
					"\x10", "\x91\x01")),
			M(BUILTIN("\xa9"
				  "frozenset",
					"\x16", "\x91\x01")),
			0 },
	{ "a list that is no set's",
			M("\x93\xa8"
			  "builtins\xa3"
			  "set\x92\x01\x02"),
			M("\x93\xa8"
			  "builtins\xa3"
			  "set\x92\x02\x01"),
			0 },
	{ "a set as a record of JSON",
			M(BUILTIN("\xa3"
				  "set",
					"\x11", "\x92\x02\x01")),
			J("{\"lc\":2,\"type\":\"constructor\",\"id\":[\"builtins\","
			  "\"set\"],"
			  "\"method\":null,\"args\":[[1,2]],\"kwargs\":{}}"),
			1 },
	{ "records of JSON in another order",
			J("{\"lc\":2,\"type\":\"constructor\",\"id\":[\"builtins\","
			  "\"set\"],"
			  "\"args\":[[2,1]]}"),
			J("{\"lc\":2,\"type\":\"constructor\",\"id\":[\"builtins\","
			  "\"set\"],"
			  "\"args\":[[1,2]]}"),
			1 },
	{ "a record of another class",
			J("{\"lc\":2,\"type\":\"constructor\",\"id\":[\"a\",\"B\"],"
			  "\"args\":[1]}"),
			J("{\"lc\":2,\"type\":\"constructor\",\"id\":[\"a\",\"C\"],"
			  "\"args\":[1]}"),
			0 },
	{ "lists in a set of JSON are lists",
			J("{\"lc\":2,\"type\":\"constructor\",\"id\":[\"Set\"],\"args\":["
			  "[[1,2]]]}"),
			J("{\"lc\":2,\"type\":\"constructor\",\"id\":[\"Set\"],\"args\":["
			  "[[2,1]]]}"),
			0 },
	{ "a set of JavaScript",
			J("{\"lc\":2,\"type\":\"constructor\",\"id\":[\"Set\"],\"args\":["
			  "[1,[2,3]]]}"),
			J("{\"lc\":2,\"type\":\"constructor\",\"id\":[\"Set\"],\"args\":["
			  "[[2,3],1]]}"),
			1 },
	{ "an enum and its value",
			M("\xc7\x09\x00\x93\xa1"
			  "m\xa1"
			  "E\xa3"
			  "red"),
			J("\"red\""), 0 },
	{ "an ext of another width inside", M("\xd4\x07\x05"), M("\xd5\x07\xcc\x05"), 1 },
	{ "an ext of another code", M("\xd4\x07\x05"), M("\xd4\x09\x05"), 0 },
	{ "an ext and what is in it", M("\xd4\x07\x05"), M("\x05"), 0 },
	{ "an ext that is no msgpack", M("\xd4\x40\xc1"), M("\xc7\x01\x40\xc1"), 1 },
	{ "it and another", M("\xd4\x40\xc1"), M("\xd5\x40\xc1\xc1"), 0 },
	{ "an ext in an ext", M("\xd6\x07\xd5\x07\x05\x05"),
			M("\xd6\x07\xd5\x07\x05\x06"), 0 },
	{ "what follows is stored as well", M("\x05"), M("\x05\x05"), 0 },
	{ "white space behind JSON is not", J("5"), J("5 \n"), 1 },
	{ "pickles by their bytes", V("pickle", "a"), V("pickle", "b"), 0 },
	{ "the same pickle", V("pickle", "a"), V("pickle", "a"), 1 },
	{ "encrypted", V("msgpack+aes", "a"), V("msgpack+aes", "b"), 0 },
	{ "undecodable and equal", M("\x92\x01"), M("\x92\x01"), 1 },
	{ "undecodable and different", M("\x92\x01"), M("\x92\x02"), CKPT_ECORRUPT },
	{ "undecodable and whole", M("\x92\x01"), M("\x92\x01\x02"), CKPT_ECORRUPT },
	{ "no JSON", J("{"), J("{}"), CKPT_ECORRUPT },
};

static void check_pairs(void)
{
	for (size_t i = 0; i < LEN(pairs); i++) {
		struct stored a = value(pairs[i].type_a, pairs[i].a, pairs[i].na);
		struct stored b = value(pairs[i].type_b, pairs[i].b, pairs[i].nb);
		const char *why;
		int rc = canon_same(canon, &a, &b, &why);
		int back = canon_same(canon, &b, &a, &why);

		ok(rc == pairs[i].want && back == rc, "%s: %d, %d", pairs[i].what, rc,
				back);
	}
}

/* Versions count by what stands before their suffix, if that is asked for. */
static void check_versions(void)
{
	static const char a[] =
			"{\"c\":\"00000000000000000000000000000003.0.25\",\"n\":6}";
	static const char b[] =
			"{\"n\":6.5,\"c\":\"00000000000000000000000000000003.0.75\"}";
	struct stored x = value("json", a, sizeof(a) - 1),
		      y = value("json", b, sizeof(b) - 1);
	struct digest d[4];
	int rc = canon_digest(canon, &x, true, &d[0]) +
	         canon_digest(canon, &y, true, &d[1]) +
	         canon_digest(canon, &x, false, &d[2]) +
	         canon_digest(canon, &y, false, &d[3]);

	ok(rc == 4 && digest_eq(d[0], d[1]), "suffixes of versions do not count");
	ok(!digest_eq(d[2], d[3]), "unless they do");
}

static void check_words(void)
{
	static const struct {
		const char *type, *body;
		size_t n;
		const char *want;
	} words[] = {
		{ M("\x05"), "5" },
		{ M("\xdc\0\x40"
		    "0123456789012345678901234567890123456789012345678901234567890123"),
				"64 items" },
		{ J("[1,2,{\"a\":[3,4]},\"------------------------------------------\"]"),
				"4 items" },
		{ J("{\"a\":[1,2],\"b\":\"----------------------------------------\"}"),
				"2 members" },
		{ V("msgpack+aes", "abc"), "3 bytes" },
		{ V("pickle", "------------------------------------------------------"),
				"54 bytes" },
	};

	for (size_t i = 0; i < LEN(words); i++) {
		struct stored s = value(words[i].type, words[i].body, words[i].n);
		struct ckpt_buf text = { 0 };

		match_describe(&text, &s);
		ok(text.p && strcmp(text.p, words[i].want) == 0, "in a few words: %s",
				text.p ? text.p : "-");
		ckpt_buf_free(&text);
	}
}

/* ---- random values --------------------------------------------------------------------------- */

/* The value of a seed: maps are written backwards and numbers wide if `other`. */
static void random_value(struct ckpt_buf *to, uint64_t *seed, unsigned depth, bool other)
{
	uint64_t r = made_random(seed), n = r >> 32 & 3;

	switch (depth ? r % 5 : r % 3) {
	case 0:
		if (other)
			ckpt_buf_add(to, "\xd3\0\0\0\0\0\0\0", 8);
		ckpt_buf_add(to, (char[]){ (char)(r >> 8 & 0x7f) }, 1);
		break;
	case 1:
		ckpt_buf_add(to, other ? "\xda\0\x01" : "\xa1", other ? 3 : 1);
		ckpt_buf_add(to, (char[]){ (char)('a' + (r >> 8) % 26) }, 1);
		break;
	case 2:
		ckpt_buf_add(to, r >> 8 & 1 ? "\xc2" : "\xc0", 1);
		break;
	case 3:
		ckpt_buf_add(to, other ? "\xdc\0" : "", other ? 2 : 0);
		ckpt_buf_add(to, (char[]){ (char)(other ? n : 0x90 | n) }, 1);
		for (uint64_t i = 0; i < n; i++)
			random_value(to, seed, depth - 1, other);
		break;
	default:
		ckpt_buf_add(to, (char[]){ (char)(0x80 | n) }, 1);
		for (uint64_t i = 0; i < n; i++) {
			uint64_t key = other ? n - 1 - i : i, own = r + key;

			ckpt_buf_add(to, (char[]){ '\xa1', (char)('k' + key) }, 2);
			random_value(to, &own, depth - 1, other);
		}
	}
}

static void check_random(void)
{
	size_t wrong = 0, met = 0;

	for (uint64_t i = 0; i < RANDOM; i++) {
		struct ckpt_buf text[3] = { { 0 }, { 0 }, { 0 } };
		struct stored s[3];
		const char *why;

		for (unsigned k = 0; k < 3; k++) {
			uint64_t seed = i + (k == 2);

			random_value(&text[k], &seed, 4, k == 1);
			s[k] = value("msgpack", text[k].p, text[k].n);
		}
		wrong += canon_same(canon, &s[0], &s[1], &why) != 1;
		met += canon_same(canon, &s[0], &s[2], &why) !=
		       ckpt_view_eq(s[0].body, s[2].body);
		for (unsigned k = 0; k < 3; k++)
			ckpt_buf_free(&text[k]);
	}
	ok(wrong == 0,
			"%d random values are the same in another order and width: %zu "
			"wrong",
			RANDOM, wrong);
	ok(met == 0, "and another value is another value: %zu wrong", met);
}

/* Long lists are folded: at every length around that, the last item counts. */
static void check_long(void)
{
	size_t wrong = 0;

	for (size_t n = 250; n < 1030; n++) {
		struct ckpt_buf a = { 0 };
		struct stored x, y;
		const char *why;
		char *b;

		msgpack_array(&a, n);
		for (size_t i = 0; i < n; i++)
			ckpt_buf_add(&a, "\x01", 1);
		b = malloc(a.n);
		if (!b)
			abort();
		memcpy(b, a.p, a.n);
		b[a.n - 1] = 2;
		x = value("msgpack", a.p, a.n);
		y = value("msgpack", b, a.n);
		wrong += canon_same(canon, &x, &y, &why) != 0;
		b[a.n - 1] = 1;
		wrong += canon_same(canon, &x, &y, &why) != 1;
		free(b);
		ckpt_buf_free(&a);
	}
	ok(wrong == 0, "lists of every length: %zu wrong", wrong);
}

int main(void)
{
	canon = canon_new();
	if (!canon)
		abort();
	check_pairs();
	check_versions();
	check_words();
	check_random();
	check_long();
	canon_free(canon);
	return done();
}
