/*
 * hash.c - the one hash family LangGraph uses for ids, and we for comparing in memory.
 */
#include <xxhash.h>

#include "hash.h"

uint64_t ckpt_hash(struct ckpt_view v)
{
	return XXH3_64bits(v.p ? v.p : "", v.n);
}

/* Not as the seed: of that XXH3 makes a secret of its own for each larger value. */
void ckpt_digest(uint64_t out[static 2], uint64_t channel, struct ckpt_view bytes)
{
	XXH128_hash_t h = XXH3_128bits(bytes.p ? bytes.p : "", bytes.n);

	out[0] = h.low64 ^ channel;
	out[1] = h.high64 + channel;
}

void hash_hex128(char out[static 33], struct ckpt_view v)
{
	XXH128_hash_t h = XXH3_128bits(v.p ? v.p : "", v.n);
	const uint64_t half[2] = { h.high64, h.low64 };

	for (unsigned i = 0; i < 32; i++)
		out[i] = (char)hex_digit(
				(unsigned)(half[i / 16] >> (60 - 4 * (i % 16))) & 15);
	out[32] = '\0';
}
