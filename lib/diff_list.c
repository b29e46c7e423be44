/*
 * diff_list.c - the differences of lists and sets: which items belong together, and in what
 * order the changes come. The alignment itself is align.c.
 */
#include <xxhash.h>

#include "align.h"
#include "diff.h"

#define MESSAGE_SEED 1

struct side {
	const struct tree *tree;
	struct item *items;
	uint64_t *keys;
	bool *message; /* its key is that of its id */
	uint32_t n;
};

/* The messages of a side: their id's hash, place, and which side it is. */
static uint32_t gather_ids(struct item *ids, const struct side *s, uint32_t which)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t id = s->tree->nodes[s->items[i].node].id;

		if (id)
			ids[n++] = (struct item){ s->tree->nodes[id].hash, i, which };
	}
	return n;
}

/* Messages are found by their id, if neither side has it twice. */
static void key_messages(struct ckpt_diff *d, struct side *x, struct side *y)
{
	struct item *ids = malloc(((size_t)x->n + y->n + 1) * sizeof(*ids));
	uint32_t n = 0;

	d->nomem |= !ids;
	if (ids) {
		n = gather_ids(ids, x, 0);
		n += gather_ids(ids + n, y, 1);
		qsort(ids, n, sizeof(*ids), diff_by_key);
	}
	for (uint32_t i = 0, to; i < n; i = to) {
		uint32_t of[2] = { 0, 0 };

		for (to = i; to < n && ids[to].key == ids[i].key; to++)
			of[ids[to].other]++;
		if (of[0] > 1 || of[1] > 1)
			continue;
		for (uint32_t k = i; k < to; k++) {
			struct side *s = ids[k].other ? y : x;

			s->message[ids[k].node] = true;
			s->keys[ids[k].node] = XXH3_64bits_withSeed(
					&ids[k].key, sizeof(ids[k].key), MESSAGE_SEED);
		}
	}
	free(ids);
}

static bool open_side(
		struct ckpt_diff *d, struct side *s, const struct tree *t, uint32_t at)
{
	*s = (struct side){ .tree = t, .n = t->nodes[at].count };
	s->items = diff_children(d, t, at);
	s->keys = malloc((s->n + 1u) * sizeof(*s->keys));
	s->message = calloc(s->n + 1u, sizeof(*s->message));
	d->nomem |= !s->keys || !s->message;
	for (uint32_t i = 0; !d->nomem && i < s->n; i++)
		s->keys[i] = s->items[i].key;
	return !d->nomem;
}

static void close_side(struct side *s)
{
	free(s->items);
	free(s->keys);
	free(s->message);
}

/* Items without a counterpart between the same neighbours replace each other, one by one, but
 * not where both are messages with ids. */
static void pair_gaps(uint32_t *match, const struct side *x, const struct side *y)
{
	uint32_t k = 0;

	for (uint32_t i = 0; i < x->n;) {
		uint32_t to = i, k_to;

		while (to < x->n && match[to] == ALIGN_NONE)
			to++;
		k_to = to < x->n ? match[to] : y->n;
		for (; i < to && k < k_to; i++, k++) {
			if (!x->message[i] || !y->message[k])
				match[i] = k;
		}
		i = to + 1;
		k = k_to + 1;
	}
}

/* For people: as the lists go. */
static void push_in_order(struct ckpt_diff *d, const uint32_t *match,
		const struct side *x, const struct side *y, struct step step)
{
	uint32_t k = 0;

	for (uint32_t i = 0; i <= x->n; i++) {
		uint32_t k_to = i == x->n ? y->n : match[i];

		for (; k_to != ALIGN_NONE && k < k_to; k++) {
			step.a = NONE;
			step.b = k;
			diff_push(d, NONE, y->items[k].node, step);
		}
		if (i == x->n)
			break;
		step.a = i;
		step.b = match[i];
		diff_push(d, x->items[i].node,
				match[i] == ALIGN_NONE ? NONE : y->items[match[i]].node,
				step);
		k = match[i] == ALIGN_NONE ? k : match[i] + 1;
	}
}

/* For a patch: first inside of items that stay, where the indexes are still those of a; then
 * what goes, from the back; then what comes, from the front. */
static void push_for_patch(struct ckpt_diff *d, const uint32_t *match,
		const struct side *x, const struct side *y, struct step step)
{
	uint32_t k = 0;

	step.kind = BY_INDEX;
	for (uint32_t i = 0; i < x->n; i++) {
		step.a = i;
		step.b = match[i];
		if (match[i] != ALIGN_NONE)
			diff_push(d, x->items[i].node, y->items[match[i]].node, step);
	}
	for (uint32_t i = x->n; i-- > 0;) {
		step.a = i;
		step.b = NONE;
		if (match[i] == ALIGN_NONE)
			diff_push(d, x->items[i].node, NONE, step);
	}
	step.a = NONE;
	for (uint32_t i = 0; i <= x->n; i++) {
		if (i < x->n && match[i] == ALIGN_NONE)
			continue;
		for (; k < (i == x->n ? y->n : match[i]); k++) {
			step.b = k;
			diff_push(d, NONE, y->items[k].node, step);
		}
		k++;
	}
}

void diff_lists(struct ckpt_diff *d, uint32_t a, uint32_t b, uint32_t up, bool sets)
{
	struct step step = { up, NONE, NONE, sets ? BY_MEMBER : BY_INDEX };
	struct side x, y = { 0 };
	uint32_t *match = malloc((d->a.nodes[a].count + 1u) * sizeof(*match));
	bool good = open_side(d, &x, &d->a, a) && open_side(d, &y, &d->b, b) && match;

	d->nomem |= !match;
	if (good && !sets)
		key_messages(d, &x, &y);
	if (good && !d->nomem && align_lists(match, x.keys, x.n, y.keys, y.n) < 0)
		d->nomem = true;
	if (good && !d->nomem) {
		if (!sets)
			pair_gaps(match, &x, &y);
		if (d->patch)
			push_for_patch(d, match, &x, &y, step);
		else
			push_in_order(d, match, &x, &y, step);
	}
	close_side(&x);
	close_side(&y);
	free(match);
}
