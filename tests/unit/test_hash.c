/*
 * test_hash.c - XXH3: published vectors, and what NULL and NUL bytes do.
 */
#include "t.h"
#include "hash.h"

int main(void)
{
	char out[33], other[33];

	hash_hex128(out, CKPT_LIT(""));
	same(out, strlen(out), "99aa06d3014798d86001c324468d497f", "128 bits of nothing");
	hash_hex128(out, CKPT_LIT("abc"));
	same(out, strlen(out), "06b05ab6733a618578af5f94892f3950", "128 bits of abc");
	hash_hex128(out, (struct ckpt_view){ 0 });
	same(out, strlen(out), "99aa06d3014798d86001c324468d497f", "NULL is nothing");
	hash_hex128(out, CKPT_LIT("a\0b"));
	hash_hex128(other, CKPT_LIT("a"));
	ok(strcmp(out, other) != 0, "a NUL ends nothing");
	ok(ckpt_hash(CKPT_LIT("")) == 0x2d06800538d394c2u, "64 bits of nothing");
	ok(ckpt_hash(CKPT_LIT("abc")) == 0x78af5f94892f3950u, "64 bits of abc");
	ok(ckpt_hash((struct ckpt_view){ 0 }) == ckpt_hash(CKPT_LIT("")),
			"64 bits of NULL");
	ok(ckpt_hash(CKPT_LIT("a\0b")) != ckpt_hash(CKPT_LIT("a\0c")),
			"bytes behind a NUL count");
	return done();
}
