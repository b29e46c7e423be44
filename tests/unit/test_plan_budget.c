/*
 * test_plan_budget.c - where threads are cut so that sizes fit: a few by hand, and random ones
 * against a model that drops one time at a time and adds everything up again after each.
 */
#include "plan_budget.h"
#include "made.h"
#include "t.h"

#define THREADS 5
#define ITEMS 24
#define NONE CKPT_UNKNOWN

static uint64_t seed = 20261121;
static int failures;

static int64_t below(int64_t n)
{
	return (int64_t)(made_random(&seed) % (uint64_t)n);
}

/* ---- the model ---------------------------------------------------------------------------- */

struct model {
	const struct budget *b;
	struct budget_item items[ITEMS];
	bool gone[ITEMS];
};

static int64_t lost(const struct model *m, size_t thread)
{
	int64_t sum = 0;

	for (size_t i = 0; i < m->b->nitems; i++)
		if (m->gone[i] && m->items[i].thread == thread)
			sum += m->items[i].bytes;
	return sum;
}

static int64_t lost_by_all(const struct model *m)
{
	int64_t sum = 0;

	for (size_t i = 0; i < m->b->nthreads; i++)
		sum += lost(m, i);
	return sum;
}

/* The oldest item that is left; of one thread, or of any. */
static size_t oldest(const struct model *m, size_t thread)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < m->b->nitems; i++) {
		if (m->gone[i] || (thread != SIZE_MAX && m->items[i].thread != thread))
			continue;
		if (best == SIZE_MAX || m->items[i].time < m->items[best].time)
			best = i;
	}
	return best;
}

/* It goes, and what is of that time in its thread, or in all. */
static void drop(struct model *m, size_t item, bool all)
{
	for (size_t i = 0; i < m->b->nitems; i++)
		if (m->items[i].time <= m->items[item].time &&
				(all || m->items[i].thread == m->items[item].thread))
			m->gone[i] = true;
}

static bool comes_first(const struct model *m, size_t x, size_t y, const int64_t *left)
{
	const struct budget_thread *t = m->b->threads;

	if (m->b->order == CKPT_SIZE_IDLE && t[x].newest != t[y].newest)
		return t[x].newest < t[y].newest;
	if (m->b->order == CKPT_SIZE_LARGEST && left[x] != left[y])
		return left[x] > left[y];
	return x < y;
}

static void fit_threads(struct model *m)
{
	const struct budget *b = m->b;

	for (size_t t = 0; t < b->nthreads; t++) {
		if (b->max_thread == NONE || b->threads[t].bytes <= b->max_thread)
			continue;
		while (b->threads[t].bytes - lost(m, t) + b->threads[t].extra >
						b->max_thread * b->low_water / 100 &&
				oldest(m, t) != SIZE_MAX)
			drop(m, oldest(m, t), false);
	}
}

static void fit_store(struct model *m)
{
	const struct budget *b = m->b;
	int64_t mark = b->max_size * b->low_water / 100, left[THREADS];
	bool done[THREADS] = { false };
	size_t best, item;

	for (size_t t = 0; t < b->nthreads; t++)
		left[t] = b->threads[t].bytes - lost(m, t);
	while (b->live - lost_by_all(m) + b->extra > mark) {
		best = SIZE_MAX;
		for (size_t t = 0; t < b->nthreads; t++)
			if (!done[t] && (best == SIZE_MAX ||
							comes_first(m, t, best, left)))
				best = t;
		if (best == SIZE_MAX)
			return;
		item = oldest(m, b->order == CKPT_SIZE_OLDEST ? SIZE_MAX : best);
		if (item != SIZE_MAX)
			drop(m, item, b->order == CKPT_SIZE_OLDEST);
		else
			done[best] = true;
	}
}

/* ---- random budgets ----------------------------------------------------------------------- */

static void make_budget(struct budget *b, struct budget_thread *threads,
		struct budget_item *items)
{
	*b = (struct budget){ .threads = threads,
		.items = items,
		.nthreads = (size_t)(1 + below(THREADS)),
		.nitems = (size_t)below(ITEMS),
		.max_thread = below(2) ? below(60) : NONE,
		.max_size = below(3) ? below(200) : NONE,
		.low_water = below(3) ? 100 : below(101),
		.extra = below(4) ? 0 : below(20),
		.order = (enum ckpt_size_order)below(3) };
	for (size_t t = 0; t < b->nthreads; t++)
		threads[t] = (struct budget_thread){ .bytes = below(20),
			.newest = below(6) ? below(5) : NONE,
			.extra = below(4) ? 0 : below(20) };
	for (size_t i = 0; i < b->nitems; i++) {
		items[i] = (struct budget_item){ .thread = (size_t)below(
								 (int64_t)b->nthreads),
			.time = below(8) ? below(12) - 3 : NONE,
			.bytes = below(12) };
		threads[items[i].thread].bytes += items[i].bytes;
	}
	for (size_t t = 0; t < b->nthreads; t++)
		b->live += threads[t].bytes;
}

static void try_budget(int64_t round)
{
	struct budget_thread threads[THREADS];
	struct budget_item items[ITEMS];
	struct ckpt_error err = { 0 };
	struct budget b;
	struct model m = { .b = &b };

	make_budget(&b, threads, items);
	memcpy(m.items, items, sizeof(items));
	fit_threads(&m);
	if (b.max_size != NONE && b.live > b.max_size)
		fit_store(&m);
	budget_cut(&b, &err);
	for (size_t i = 0; i < b.nitems; i++) {
		const struct budget_item *item = &m.items[i];

		if ((item->time < threads[item->thread].cut) == m.gone[i])
			continue;
		if (failures++ < 5)
			printf("# round %lld, order %d: item %zu of thread %zu, time "
			       "%lld\n",
					(long long)round, (int)b.order, i, item->thread,
					(long long)item->time);
	}
	for (size_t t = 0; t < b.nthreads; t++)
		failures += threads[t].goes != lost(&m, t);
}

/* ---- by hand ------------------------------------------------------------------------------ */

struct hand {
	const char *what;
	int64_t max_thread, max_size, low_water;
	enum ckpt_size_order order;
	int64_t cut[2];
	bool alone[2];
};

/* Thread 0 has 4 x 10 bytes at times 1 3 5 7, thread 1 has 2 x 30 at 2 and 4; each has 10 bytes
 * more that stay. 120 in all; thread 1 was not written to for longer. */
static const struct hand hands[] = {
	{ "nothing is too large", 70, 120, 100, CKPT_SIZE_IDLE, { NONE, NONE },
			{ false, false } },
	{ "a thread", 50, NONE, 100, CKPT_SIZE_IDLE, { NONE, 3 }, { false, true } },
	{ "both threads", 30, NONE, 100, CKPT_SIZE_IDLE, { 4, INT64_MAX },
			{ true, true } },
	{ "idle first", NONE, 100, 100, CKPT_SIZE_IDLE, { NONE, 3 }, { false, false } },
	{ "idle, then the next", NONE, 50, 100, CKPT_SIZE_IDLE, { 2, INT64_MAX },
			{ false, false } },
	{ "largest first", NONE, 119, 100, CKPT_SIZE_LARGEST, { NONE, 3 },
			{ false, false } },
	{ "oldest of all first", NONE, 100, 100, CKPT_SIZE_OLDEST, { 3, 3 },
			{ false, false } },
	{ "down to the low water", NONE, 119, 50, CKPT_SIZE_IDLE, { 2, INT64_MAX },
			{ false, false } },
	{ "a low water is none where nothing is too large", NONE, 120, 10, CKPT_SIZE_IDLE,
			{ NONE, NONE }, { false, false } },
	{ "more than there is", NONE, 1, 100, CKPT_SIZE_OLDEST, { 8, 8 },
			{ false, false } },
	{ "the thread's limit, then the store's", 50, 60, 100, CKPT_SIZE_LARGEST,
			{ 6, 3 }, { false, true } },
};

static void try_hand(const struct hand *h)
{
	struct budget_thread threads[2] = { { .bytes = 50, .newest = 8 },
		{ .bytes = 70, .newest = 5 } };
	struct budget_item items[] = { { 0, 7, 10 }, { 1, 2, 30 }, { 0, 1, 10 },
		{ 0, 5, 10 }, { 1, 4, 30 }, { 0, 3, 10 } };
	struct ckpt_error err = { 0 };
	struct budget b = { .threads = threads,
		.items = items,
		.nthreads = 2,
		.nitems = 6,
		.max_thread = h->max_thread,
		.max_size = h->max_size,
		.low_water = h->low_water,
		.live = 120,
		.order = h->order };
	bool good = budget_cut(&b, &err) == 0;

	for (size_t t = 0; t < 2; t++)
		good = good && threads[t].cut == h->cut[t] &&
		       threads[t].alone == h->alone[t];
	ok(good, "%s", h->what);
	if (!good)
		printf("# got %lld %d, %lld %d\n", (long long)threads[0].cut,
				threads[0].alone, (long long)threads[1].cut,
				threads[1].alone);
}

int main(void)
{
	const char *text = getenv("CKPT_SEED");

	if (text)
		seed = strtoull(text, NULL, 10) | 1;
	printf("# CKPT_SEED=%llu\n", (unsigned long long)seed);
	for (size_t i = 0; i < sizeof(hands) / sizeof(*hands); i++)
		try_hand(&hands[i]);
	for (int64_t round = 0; round < 20000; round++)
		try_budget(round);
	ok(!failures, "20,000 random budgets against the model: %d faults", failures);
	ok(budget_mark(INT64_MAX, 100) == INT64_MAX && budget_mark(199, 50) == 99,
			"a mark is exact at both ends");
	return done();
}
