/*
 * split.c - where to cut a list of weighted threads into ranges, and the weights of a dump's, which
 * are all known. SQL's weights are sql_split.c's.
 */
#include <stdlib.h>

#include "dump.h"
#include "split.h"

/* A cut lies before the thread whose middle is the first beyond it: one thread that is heavy takes
 * the place of several ranges. */
int split_choose(struct ckpt_bound *out, size_t n, const struct split_thread *t,
		size_t count)
{
	double all = 0, before = 0;
	size_t range = 1;
	int cuts = 0;

	for (size_t i = 0; i < count; i++)
		all += t[i].weight;
	for (size_t i = 0; i < count && range < n; i++) {
		bool cut = false;

		while (range < n && before + t[i].weight / 2 >=
						    all * (double)range / (double)n) {
			cut = true;
			range++;
		}
		if (cut && i)
			out[cuts++] = t[i].at;
		before += t[i].weight;
	}
	return cuts;
}

/* ---- a dump ------------------------------------------------------------------------------------- */

/* Names are numbers, in order; what a row costs is about its line. */
int dump_split(struct ckpt_bound *out, struct ckpt_store *store, size_t n)
{
	const struct dump_store *s = dump_of(store);
	const struct dump_names *names = &s->names;
	struct split_thread *t = calloc(names->n + 1, sizeof(*t));
	size_t count = 0;
	int cuts;

	if (!t)
		return ckpt_fail(store->err, CKPT_ENOMEM, "out of memory");
	for (size_t kind = 0; kind < DUMP_ROWS; kind++) {
		for (size_t i = 0; i < s->rows[kind].n; i++) {
			const struct dump_row *row = &s->rows[kind].v[i];

			t[row->thread].weight += (double)row->n;
		}
	}
	for (size_t i = 0; i < names->n; i++) {
		if (t[i].weight > 0)
			t[count++] = (struct split_thread){
				{ dump_name(names, (uint32_t)i), names->v[i].blob },
				t[i].weight
			};
	}
	cuts = split_choose(out, n, t, count);
	free(t);
	return cuts;
}
