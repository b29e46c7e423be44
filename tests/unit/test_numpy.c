/*
 * test_numpy.c - arrays of ext 6, as Python's own serializer writes them.
 */
#include "t.h"
#include "base.h"

static struct ckpt_render options;

static struct ckpt_view unhex(struct ckpt_buf *to, const char *hex)
{
	to->n = 0;
	for (; hex[0] && hex[1]; hex += 2) {
		uint8_t byte = (uint8_t)(hex_value(hex[0]) << 4 | hex_value(hex[1]));

		ckpt_buf_add(to, &byte, 1);
	}
	return ckpt_buf_view(to);
}

static const struct {
	const char *name, *hex, *want;
} rows[] = {
	{ "bool", "c70d0694a37c62319102a143c4020100", "[true,false]" },
	{ "i1", "c70d0694a37c69319102a143c402807f", "[-128,127]" },
	{ "u8", "c7130694a33c75389101a143c408ffffffffffffffff",
			"[18446744073709551615]" },
	{ "i8", "c71b0694a33c69389102a143c4100000000000000080ffffffffffffffff",
			"[-9223372036854775808,-1]" },
	{ "big-endian i4", "c7130694a33e69349102a143c408fffffffe00000003", "[-2,3]" },
	{ "f8",
			"c72c0694a33c6638920202a143c4209a9999999999b93f00000000000000809c"
			"7500883ce4377e0000000000000040",
			"[[0.1,-0.0],[1e+300,2.0]]" },
	{ "f4", "c7130694a33c66349102a143c4080000003fcdcccc3d",
			"[0.5,0.10000000149011612]" },
	{ "f2", "c7130694a33c66329104a143c408003e0002fffb0000",
			"[1.5,3.0517578125e-05,-65504.0,0.0]" },
	{ "big-endian f8", "c7130694a33e66389101a143c4083ff8000000000000", "[1.5]" },
	{ "not finite", "c71b0694a33c66389102a143c410000000000000f87f000000000000f07f",
			"[{\"$float\":\"NaN\"},{\"$float\":\"Infinity\"}]" },
	{ "f2 infinity", "c70d0694a33c66329101a143c40200fc",
			"[{\"$float\":\"-Infinity\"}]" },
	{ "text",
			"c7230694a33c55329103a143c41861000000000000006200000063000000e900"
			"000000f60100",
			"[\"a\",\"bc\",\"é😀\"]" },
	{ "big-endian text", "c7170694a33e55339101a143c40c000000610000006200000000",
			"[\"ab\"]" },
	{ "bytes", "c7110694a37c53339102a143c406610062000000",
			"[{\"$bytes\":\"YQBi\"},{\"$bytes\":\"\"}]" },
	{ "no dimension", "c7120694a33c693890a143c4080500000000000000", "5" },
	{ "column-major",
			"c73c0694a33c6938920203a146c4300000000000000000030000000000000001"
			"00000000000000040000000000000002000000000000000500000000000000",
			"[[0,1,2],[3,4,5]]" },
	{ "three dimensions",
			"c7250694a37c753193020304a146c418000c04100814010d05110915020e0612"
			"0a16030f07130b17",
			"[[[0,1,2,3],[4,5,6,7],[8,9,10,11]],[[12,13,14,15],[16,17,18,19],"
			"[20,21"
			",22,23]]]" },
	{ "empty", "c70c0694a33c6638920003a143c400", "[]" },
	{ "empty rows", "c70d0694a33c663893020005a143c400", "[[],[]]" },
	{ "complex", "c71c0694a43c6331369101a143c4100000000000000000000000000000f03f",
			"{\"$numpy\":{\"dtype\":\"<c16\",\"shape\":[1],\"data\":"
			"\"AAAAAAAAAAAAAAAAAADwPw=="
			"\"}}" },
	{ "column-major complex",
			"c72c0694a33c6338920202a146c420000000000000803f000040400000000000"
			"000040000000000000804000000000",
			"{\"$numpy\":{\"dtype\":\"<c8\",\"shape\":[2,2],\"data\":"
			"\"AAAAAAAAgD8AAABAAAAAAAA"
			"AQEAAAAAAAACAQAAAAAA=\"}}" },
	{ "a billion empty rows", "d80694a33c663892ce3b9aca0000a143c400",
			"{\"$numpy\":{\"dtype\":\"<f8\",\"shape\":[1000000000,0],"
			"\"data\":\"\"}}" },
};

/* One element more than is shown. */
static void test_large(void)
{
	struct ckpt_buf bytes = { 0 }, out = { 0 };
	unsigned i;

	for (i = 0; i < 2; i++) {
		unsigned n = 1000 + i, payload = n + 14, k;

		bytes.n = 0;
		unhex(&bytes, "c8");
		ckpt_buf_add(&bytes,
				(uint8_t[]){ (uint8_t)(payload >> 8), (uint8_t)payload,
						6 },
				3);
		ckpt_buf_add(&bytes, "\x94\xa3|u1\x91\xcd", 7);
		ckpt_buf_add(&bytes, (uint8_t[]){ (uint8_t)(n >> 8), (uint8_t)n }, 2);
		ckpt_buf_add(&bytes,
				"\xa1"
				"C\xc5",
				3);
		ckpt_buf_add(&bytes, (uint8_t[]){ (uint8_t)(n >> 8), (uint8_t)n }, 2);
		for (k = 0; k < n; k++)
			ckpt_buf_add(&bytes, "\x07", 1);
		out.n = 0;
		ckpt_render_value(&out, CKPT_LIT("msgpack"), ckpt_buf_view(&bytes),
				&options);
		ok(out.n > 10 && memcmp(out.p, i ? "{\"$numpy\":" : "[7,7,7,7,7", 10) ==
								0,
				"%u elements", n);
	}
	ckpt_buf_free(&bytes);
	ckpt_buf_free(&out);
}

int main(void)
{
	struct ckpt_buf bytes = { 0 }, out = { 0 };
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		out.n = 0;
		ckpt_render_value(&out, CKPT_LIT("msgpack"), unhex(&bytes, rows[i].hex),
				&options);
		same(out.p, out.n, rows[i].want, rows[i].name);
	}
	test_large();
	ckpt_buf_free(&bytes);
	ckpt_buf_free(&out);
	return done();
}
