/*
 * du_sum.c - two hash tables: sums by key, and the digests of values already met.
 */
#include <stdlib.h>
#include <string.h>

#include "du.h"

#define FIRST_SLOTS 1024

/* A part is a kind (0: NULL), four bytes of length, and its bytes: no two keys look alike. */
#define PART_HEAD (1 + sizeof(uint32_t))

static char kind_of(const struct du_part *p)
{
	return (char)(!p->v.p ? 0 : p->blob ? 2 : 1);
}

static void add_part(struct ckpt_buf *to, const struct du_part *p)
{
	const uint32_t n = (uint32_t)p->v.n;
	const char kind = kind_of(p);

	ckpt_buf_add(to, &kind, 1);
	ckpt_buf_add(to, &n, sizeof(n));
	ckpt_buf_add(to, p->v.p, p->v.n);
}

struct ckpt_view du_key(const struct du_sums *s, const struct du_row *row, size_t part)
{
	const char *p = s->keys.p + row->key;
	uint32_t n;

	for (;; part--) {
		memcpy(&n, p + 1, sizeof(n));
		if (part == 0)
			return (struct ckpt_view){ *p ? p + 1 + sizeof(n) : NULL, n };
		p += 1 + sizeof(n) + n;
	}
}

static size_t *slot_of(const struct du_sums *s, struct ckpt_view key)
{
	size_t at = ckpt_hash(key) & (s->nslots - 1);

	for (; s->slots[at]; at = (at + 1) & (s->nslots - 1)) {
		const struct du_row *row = &s->rows[s->slots[at] - 1];

		if (row->key_n == key.n &&
				memcmp(s->keys.p + row->key, key.p, key.n) == 0)
			break;
	}
	return &s->slots[at];
}

/* Room for one more row: at most half of the slots are taken. */
static bool grow(struct du_sums *s)
{
	size_t n = s->nslots ? 2 * s->nslots : FIRST_SLOTS;
	struct du_row *rows;
	size_t *slots;

	if (2 * (s->n + 1) <= s->nslots)
		return true;
	rows = realloc(s->rows, n / 2 * sizeof(*rows));
	if (!rows)
		return false;
	s->rows = rows;
	slots = calloc(n, sizeof(*slots));
	if (!slots)
		return false;
	free(s->slots);
	s->slots = slots;
	s->nslots = n;
	for (size_t i = 0; i < s->n; i++) {
		const struct ckpt_view key = { s->keys.p + rows[i].key, rows[i].key_n };

		*slot_of(s, key) = i + 1;
	}
	return true;
}

/* Most keys of one part are those of the rows before: found without making the key. */
static size_t *guess_of(struct du_sums *s, struct ckpt_view v)
{
	const uint8_t *p = v.p;
	size_t at = v.n;

	if (v.n)
		at += p[0] * 7U + p[v.n / 2] * 3U + p[v.n - 1] * 31U;
	return &s->guesses[at % DU_GUESSES];
}

static struct du_row *guess(struct du_sums *s, size_t at, const struct du_part *part)
{
	struct du_row *row = at ? &s->rows[at - 1] : NULL;
	const char *p = row ? s->keys.p + row->key : NULL;

	if (!row || row->key_n != PART_HEAD + part->v.n || *p != kind_of(part) ||
			(part->v.n && memcmp(p + PART_HEAD, part->v.p, part->v.n) != 0))
		return NULL;
	return row;
}

struct du_row *du_row(struct du_sums *s, const struct du_part *key)
{
	size_t *slot, *guessed = s->parts == 1 ? guess_of(s, key->v) : NULL;
	struct du_row *row = guessed ? guess(s, *guessed, key) : NULL;

	if (row)
		return row;
	s->scratch.n = 0;
	for (size_t i = 0; i < s->parts; i++)
		add_part(&s->scratch, &key[i]);
	if (s->scratch.failed || !grow(s))
		return NULL;
	slot = slot_of(s, ckpt_buf_view(&s->scratch));
	if (!*slot) {
		s->rows[s->n] = (struct du_row){
			.key = s->keys.n, .key_n = s->scratch.n, .hash = ckpt_hash(key->v)
		};
		ckpt_buf_add(&s->keys, s->scratch.p, s->scratch.n);
		if (s->keys.failed)
			return NULL;
		*slot = ++s->n;
	}
	if (guessed)
		*guessed = *slot;
	return &s->rows[*slot - 1];
}

static int largest_first(const void *pa, const void *pb, void *arg)
{
	const struct du_sums *s = arg;
	const struct du_row *a = pa, *b = pb;
	int d = (a->bytes < b->bytes) - (a->bytes > b->bytes);

	for (size_t i = 0; i < s->parts && d == 0; i++)
		d = ckpt_view_cmp(du_key(s, a, i), du_key(s, b, i));
	return d ? d : (a->key > b->key) - (a->key < b->key);
}

void du_sort(struct du_sums *s)
{
	free(s->slots);
	s->slots = NULL;
	s->nslots = 0;
	if (s->n)
		qsort_r(s->rows, s->n, sizeof(*s->rows), largest_first, s);
}

void du_sums_free(struct du_sums *s)
{
	free(s->rows);
	free(s->slots);
	ckpt_buf_free(&s->keys);
	ckpt_buf_free(&s->scratch);
}

/* ---- values already met --------------------------------------------------------------------- */

static uint64_t *seen_slot(const struct du_seen *s, const uint64_t digest[2])
{
	size_t at = digest[0] & (s->nslots - 1);

	/* {0, 0} is a free slot */
	for (; s->slots[at][0] || s->slots[at][1]; at = (at + 1) & (s->nslots - 1)) {
		if (s->slots[at][0] == digest[0] && s->slots[at][1] == digest[1])
			break;
	}
	return s->slots[at];
}

static bool seen_grow(struct du_seen *s)
{
	struct du_seen more = { .nslots = s->nslots ? 2 * s->nslots : FIRST_SLOTS,
		.n = s->n };

	if (2 * (s->n + 1) <= s->nslots)
		return true;
	more.slots = calloc(more.nslots, sizeof(*more.slots));
	if (!more.slots)
		return false;
	for (size_t i = 0; i < s->nslots; i++) {
		if (s->slots[i][0] || s->slots[i][1])
			memcpy(seen_slot(&more, s->slots[i]), s->slots[i],
					sizeof(*s->slots));
	}
	free(s->slots);
	*s = more;
	return true;
}

int du_seen(struct du_seen *s, uint64_t channel, struct ckpt_view bytes)
{
	uint64_t digest[2], *slot;

	if (!seen_grow(s))
		return CKPT_ENOMEM;
	ckpt_digest(digest, channel, bytes);
	slot = seen_slot(s, digest);
	if (slot[0] || slot[1])
		return 1;
	slot[0] = digest[0];
	slot[1] = digest[1];
	s->n++;
	return 0;
}
