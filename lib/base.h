/*
 * base.h - what every lib file may use: arena, strings, failure, text checks. Internal.
 */
#ifndef BASE_H
#define BASE_H

/* before the bans below, which their own lines would trip over */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ckpt.h"

/* ---- arena: freed or reset as a whole -------------------------------------------------------- */
struct arena_block;
struct arena {
	struct arena_block *head;
	size_t next_size;
};
/* 16-byte aligned, not cleared; NULL and an error when there is no memory. */
void *arena_take(struct arena *, size_t n, struct ckpt_error *);
/* A copy that ends in a NUL beyond its length. */
struct ckpt_view arena_copy(struct arena *, struct ckpt_view, struct ckpt_error *);
void arena_reset(struct
		arena *); /* keeps one block; with CKPT_ASAN_ARENA frees everything */
void arena_free(struct arena *);

/* ---- text ---------------------------------------------------------------------------------- */
/* Bytes of the well-formed UTF-8 sequence at p (strict: no surrogates, no overlongs), or 0. */
size_t utf8_len(const uint8_t *p, size_t n, uint32_t *cp);
bool utf8_valid(struct ckpt_view);
size_t utf8_put(char out[static 4], uint32_t cp);
/* A character that must not reach a terminal as it is: C0, DEL, C1, bidi, invisible marks. */
bool utf8_harmful(uint32_t cp);

static inline uint8_t hex_digit(unsigned v)
{
	return (uint8_t)(v < 10 ? '0' + v : 'a' + v - 10);
}
int hex_value(int c); /* 0..15, or -1 */

/* ---- times --------------------------------------------------------------------------------- */
int64_t when_month(int64_t t); /* of its month in UTC, counted from the year 0 */

/* ---- banned: each has a counted sibling ------------------------------------------------------ */
#undef strcpy
#define strcpy(a, b) banned_strcpy
#undef strcat
#define strcat(a, b) banned_strcat
#undef sprintf
#define sprintf(...) banned_sprintf
#undef strtok
#define strtok(a, b) banned_strtok
#undef atoi
#define atoi(a) banned_atoi
#undef gmtime
#define gmtime(a) banned_gmtime

#endif
