/*
 * fuzz_crypt.c - any bytes as an encrypted row, as a plaintext and as the name of a type.
 *
 * The first byte picks the key. The committed rows open; nothing near them may.
 */
#include <stdlib.h>
#include <string.h>

#include "../../lib/crypt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct crypt *pick_key(uint8_t pick)
{
	static const char *const keys[] = { "1234567890123456",
		"kkkkkkkkkkkkkkkkkkkkkkkk", "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk" };
	struct crypt *c;

	if (crypt_new(&c, ckpt_view_of(keys[pick % 3]), NULL) != 0)
		abort();
	return c;
}

/* The row opens, and with one bit of it flipped it does not. */
static void check_row(const struct crypt *c, struct ckpt_view row, size_t bit,
		struct arena *arena)
{
	struct ckpt_view copy = arena_copy(arena, row, NULL), plain = { 0 };
	uint8_t *byte = (uint8_t *)(uintptr_t)copy.p + bit / 8 % row.n;

	if (crypt_open_row(c, copy, arena, &plain, NULL) != 1 || plain.n != row.n - 32)
		abort();
	*byte = (uint8_t)(*byte ^ 1u << bit % 8);
	if (crypt_open_row(c, copy, arena, &plain, NULL) != 0)
		abort();
}

static void check_type(struct ckpt_view type)
{
	struct ckpt_view inner = { 0 };
	const char *plus = type.n ? memchr(type.p, '+', type.n) : NULL;
	size_t before = plus ? (size_t)(plus - (const char *)type.p) : 0;
	bool want = plus && type.n - before == 4 && memcmp(plus, "+aes", 4) == 0;

	if (crypt_inner_type(type, &inner) != want)
		abort();
	if (want && (inner.p != type.p || inner.n != before))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = { 0 };
	struct ckpt_view body, row, plain;
	struct crypt *c;
	size_t bit;
	int rc;

	if (size == 0)
		return 0;
	body = (struct ckpt_view){ data + 1, size - 1 };
	bit = data[0] + size * 31;
	c = pick_key(data[0]);
	rc = crypt_open_row(c, body, &arena, &plain, NULL);
	if (rc < 0 || (rc == 1 && body.n < 32))
		abort();
	if (rc == 1)
		check_row(c, body, bit, &arena);
	if (crypt_seal_row(c, body, &arena, &row, NULL) != 0 || row.n != body.n + 32)
		abort();
	check_row(c, row, bit, &arena);
	if (crypt_open_row(c, row, &arena, &plain, NULL) != 1 ||
			!ckpt_view_eq(plain, body))
		abort();
	check_type(body);
	crypt_free(c);
	arena_free(&arena);
	return 0;
}
