/*
 * test_arena.c - pieces are aligned, apart, and survive until the reset.
 */
#include "t.h"
#include "base.h"

static void test_pieces(void)
{
	struct arena a = { 0 };
	struct ckpt_error err = { 0 };
	unsigned char *p[600];
	bool aligned = true, intact = true;
	size_t i, j;

	for (i = 0; i < 600; i++) {
		p[i] = arena_take(&a, i, &err);
		aligned = aligned && p[i] && (uintptr_t)p[i] % 16 == 0;
		memset(p[i], (int)(i & 255), i);
	}
	for (i = 0; i < 600; i++)
		for (j = 0; j < i; j++)
			intact = intact && p[i][j] == (i & 255);
	ok(aligned, "every piece is 16-byte aligned");
	ok(intact, "pieces do not overlap");
	p[0] = arena_take(&a, 5u << 20, &err);
	memset(p[0], 1, 5u << 20);
	ok(p[0] != NULL, "a piece larger than any block");
	arena_reset(&a);
	p[0] = arena_take(&a, 5u << 20, &err);
	memset(p[0], 1, 5u << 20);
	ok(p[0] != NULL && err.code == 0, "the same again after a reset");
	arena_reset(&a);
	arena_reset(&a);
	arena_free(&a);
	arena_free(&a);
	arena_reset(&a);
	ok(a.head == NULL && a.next_size == 0, "freed twice, reset when empty");
}

static void test_copy(void)
{
	struct arena a = { 0 };
	struct ckpt_error err = { 0 };
	struct ckpt_view v;

	v = arena_copy(&a, CKPT_LIT("a\0b"), &err);
	ok(v.n == 3 && memcmp(v.p, "a\0b\0", 4) == 0,
			"a copy ends in a NUL beyond its length");
	v = arena_copy(&a, (struct ckpt_view){ NULL, 0 }, &err);
	ok(v.p == NULL, "NULL stays NULL");
	v = arena_copy(&a, CKPT_LIT(""), &err);
	ok(v.p && v.n == 0, "empty stays empty");
	ok(!arena_take(&a, SIZE_MAX, &err) && err.code == CKPT_ENOMEM, "too much");
	err.code = 0;
	ok(!arena_take(&a, SIZE_MAX - 40, &err) && err.code == CKPT_ENOMEM,
			"too much with its head");
	arena_free(&a);
}

int main(void)
{
	test_pieces();
	test_copy();
	return done();
}
