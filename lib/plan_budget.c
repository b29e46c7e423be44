/*
 * plan_budget.c - cuts through threads, oldest checkpoints first, until what is left fits.
 *
 * First each thread that is above its own limit, then, if all together are above the store's,
 * threads in the order that was asked for: each down to what has to stay, the last one only as
 * far as needed. Checkpoints of one time go together.
 */
#include "plan_budget.h"

int64_t budget_mark(int64_t limit, int64_t low_water)
{
	return limit / 100 * low_water + limit % 100 * low_water / 100;
}

static int by_thread(const void *pa, const void *pb)
{
	const struct budget_item *a = pa, *b = pb;

	if (a->thread != b->thread)
		return a->thread < b->thread ? -1 : 1;
	return (a->time > b->time) - (a->time < b->time);
}

static void sort_items(struct budget *b)
{
	if (b->nitems)
		qsort(b->items, b->nitems, sizeof(*b->items), by_thread);
	for (size_t i = 0; i < b->nthreads; i++) {
		struct budget_thread *t = &b->threads[i];

		t->cut = CKPT_UNKNOWN;
		t->goes = 0;
		t->alone = false;
		t->first = t->count = 0;
	}
	for (size_t i = 0; i < b->nitems; i++) {
		struct budget_thread *t = &b->threads[b->items[i].thread];

		if (!t->count++)
			t->first = i;
	}
}

/* Everything up to the time of this item; CKPT_UNKNOWN is below all cuts but its own. */
static int64_t behind(int64_t time)
{
	return time == INT64_MAX ? time : time + 1;
}

/* Cut until so many bytes more are gone, or nothing is left to go. */
static void cut_thread(struct budget *b, struct budget_thread *t, int64_t need)
{
	const struct budget_item *items = &b->items[t->first];
	size_t at = 0;

	while (at < t->count && items[at].time < t->cut)
		at++;
	for (int64_t gone = 0;
			at < t->count && gone < need && items[at].time < INT64_MAX;) {
		t->cut = behind(items[at].time);
		for (; at < t->count && items[at].time < t->cut; at++) {
			gone += items[at].bytes;
			t->goes += items[at].bytes;
		}
	}
	if (at == t->count)
		t->cut = INT64_MAX;
}

static void cut_large_threads(struct budget *b)
{
	int64_t mark = budget_mark(b->max_thread, b->low_water);

	for (size_t i = 0; i < b->nthreads && b->max_thread != CKPT_UNKNOWN; i++) {
		struct budget_thread *t = &b->threads[i];

		if (t->bytes <= b->max_thread)
			continue;
		t->alone = true;
		cut_thread(b, t, t->bytes - mark + t->extra);
	}
}

/* ---- the store ---------------------------------------------------------------------------- */

static int by_idleness(const void *pa, const void *pb, void *arg)
{
	const struct budget_thread *threads = arg;
	const size_t a = *(const size_t *)pa, b = *(const size_t *)pb;

	if (threads[a].newest != threads[b].newest)
		return threads[a].newest < threads[b].newest ? -1 : 1;
	return a < b ? -1 : a > b;
}

static int by_size(const void *pa, const void *pb, void *arg)
{
	const struct budget_thread *threads = arg;
	const size_t a = *(const size_t *)pa, b = *(const size_t *)pb;
	int64_t x = threads[a].bytes - threads[a].goes;
	int64_t y = threads[b].bytes - threads[b].goes;

	if (x != y)
		return x > y ? -1 : 1;
	return a < b ? -1 : a > b;
}

static int by_time(const void *pa, const void *pb, void *arg)
{
	const struct budget_item *items = arg;
	const size_t a = *(const size_t *)pa, b = *(const size_t *)pb;

	return (items[a].time > items[b].time) - (items[a].time < items[b].time);
}

static void cut_in_turn(struct budget *b, const size_t *order, int64_t need)
{
	for (size_t i = 0; i < b->nthreads && need > 0; i++) {
		struct budget_thread *t = &b->threads[order[i]];
		int64_t before = t->goes;

		cut_thread(b, t, need);
		need -= t->goes - before;
		t->alone = t->alone && t->goes == before;
	}
}

/* One cut through all threads. */
static void cut_across(struct budget *b, const size_t *order, int64_t need)
{
	int64_t cut = CKPT_UNKNOWN;

	for (size_t i = 0; i < b->nitems && (need > 0 || b->items[order[i]].time < cut);
			i++) {
		const struct budget_item *item = &b->items[order[i]];

		if (item->time < b->threads[item->thread].cut)
			continue;
		cut = behind(item->time);
		need -= item->bytes;
	}
	for (size_t i = 0; i < b->nthreads; i++) {
		struct budget_thread *t = &b->threads[i];
		size_t at = t->first;
		int64_t before = t->goes;

		if (t->cut >= cut)
			continue;
		t->cut = cut;
		for (t->goes = 0; at < t->first + t->count && b->items[at].time < cut;
				at++)
			t->goes += b->items[at].bytes;
		t->alone = t->alone && t->goes == before;
	}
}

static int cut_store(struct budget *b, int64_t need, struct ckpt_error *err)
{
	bool across = b->order == CKPT_SIZE_OLDEST;
	size_t n = across ? b->nitems : b->nthreads;
	size_t *order = malloc((n + 1) * sizeof(*order));

	if (!order)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	if (across) {
		qsort_r(order, n, sizeof(*order), by_time, b->items);
		cut_across(b, order, need);
	} else {
		qsort_r(order, n, sizeof(*order),
				b->order == CKPT_SIZE_IDLE ? by_idleness : by_size,
				b->threads);
		cut_in_turn(b, order, need);
	}
	free(order);
	return 0;
}

int budget_cut(struct budget *b, struct ckpt_error *err)
{
	int64_t need;

	sort_items(b);
	cut_large_threads(b);
	if (b->max_size == CKPT_UNKNOWN || b->live <= b->max_size)
		return 0;
	need = b->live - budget_mark(b->max_size, b->low_water) + b->extra;
	for (size_t i = 0; i < b->nthreads; i++)
		need -= b->threads[i].goes;
	return need > 0 ? cut_store(b, need, err) : 0;
}
