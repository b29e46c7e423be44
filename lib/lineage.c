/*
 * lineage.c - the links of one thread and namespace in memory: who is whose parent, which are
 * heads, and the short ids people type. Compact: a few dozen bytes a checkpoint, no payload.
 */
#include <stdlib.h>
#include <string.h>

#include "backend.h"

struct lineage {
	struct ckpt_lineage base; /* first: what the caller sees */
	struct ckpt_link *links;
	size_t cap;
	size_t texts;    /* SQLite: behind them come ids kept as BLOB, in order too */
	uint8_t *digits; /* of short ids, measured when first asked for */
	struct arena arena;
};

static int add(struct lineage *l, const struct ckpt_checkpoint *c, struct ckpt_error *err)
{
	if (l->base.count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		struct ckpt_link *more = realloc(l->links, cap * sizeof(*more));

		if (!more)
			return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
		l->links = more;
		l->cap = cap;
	}
	l->links[l->base.count] = (struct ckpt_link){
		.id = arena_copy(&l->arena, c->key.id, err),
		.parent = c->parent.p ? arena_copy(&l->arena, c->parent, err) : c->parent,
		.time = c->time,
		.parent_at = SIZE_MAX,
	};
	l->base.count++;
	if (!(c->key.blob & CKPT_BLOB_ID))
		l->texts = l->base.count;
	return err->code;
}

static size_t find_between(
		const struct ckpt_lineage *l, size_t lo, size_t hi, struct ckpt_view id)
{
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = ckpt_view_cmp(l->links[mid].id, id);

		if (d == 0)
			return mid;
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return SIZE_MAX;
}

size_t ckpt_lineage_find(const struct ckpt_lineage *l, struct ckpt_view id)
{
	size_t texts = ((const struct lineage *)(const void *)l)->texts;
	size_t at = find_between(l, 0, texts, id);

	return at != SIZE_MAX ? at : find_between(l, texts, l->count, id);
}

static void join(struct lineage *l)
{
	l->base.links = l->links;
	for (size_t i = 0; i < l->base.count; i++) {
		struct ckpt_link *link = &l->links[i];

		/* most parents are the checkpoint just before */
		if (link->parent.p && i && ckpt_view_eq(l->links[i - 1].id, link->parent))
			link->parent_at = i - 1;
		else if (link->parent.p)
			link->parent_at = ckpt_lineage_find(&l->base, link->parent);
		if (link->parent_at != SIZE_MAX)
			l->links[link->parent_at].children++;
	}
}

/* The greatest id in the database's own order, which is what the saver loads. */
static int find_head(struct lineage *l, struct ckpt_store *store)
{
	struct ckpt_pick pick = {
		.key = l->base.key, .depth = CKPT_KEYS, .newest = true, .limit = 1
	};
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc = ckpt_scan_one(&scan, store, &pick, &c);

	l->base.head = l->base.count ? l->base.count - 1 : 0;
	for (size_t i = 0; rc > 0 && i < l->base.count; i++) {
		/* nearly always the last */
		size_t at = l->base.count - 1 - i;

		if (ckpt_view_eq(l->links[at].id, c.key.id)) {
			l->base.head = at;
			break;
		}
	}
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

int ckpt_lineage_load(struct ckpt_lineage **out, struct ckpt_store *store,
		const struct ckpt_key *key)
{
	struct ckpt_pick pick = { .key = *key, .depth = CKPT_LINKS };
	struct lineage *l = calloc(1, sizeof(*l));
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan = NULL;
	int rc;

	*out = NULL;
	if (!l)
		return ckpt_fail(store->err, CKPT_ENOMEM, "out of memory");
	pick.key.id = (struct ckpt_view){ 0 };
	l->base.key = *key;
	l->base.key.thread = arena_copy(&l->arena, key->thread, store->err);
	l->base.key.ns = arena_copy(&l->arena, key->ns, store->err);
	rc = ckpt_scan_open(&scan, store, &pick);
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0)
		rc = add(l, &c, store->err);
	ckpt_scan_close(scan);
	if (rc >= 0) {
		join(l);
		rc = find_head(l, store);
	}
	if (rc < 0) {
		ckpt_lineage_free(&l->base);
		return rc;
	}
	*out = &l->base;
	return 0;
}

void ckpt_lineage_free(struct ckpt_lineage *lineage)
{
	struct lineage *l = (struct lineage *)(void *)lineage;

	if (!l)
		return;
	arena_free(&l->arena);
	free(l->links);
	free(l->digits);
	free(l);
}

/* ---- short ids ------------------------------------------------------------------------------------ */

static struct ckpt_view last_group(struct ckpt_view id)
{
	const char *p = id.p;
	size_t at = id.n;

	while (at && p[at - 1] != '-')
		at--;
	return at == id.n ? id : (struct ckpt_view){ p + at, id.n - at };
}

static int by_group(const void *a, const void *b, void *arg)
{
	const struct ckpt_link *links = arg;
	const size_t *x = a, *y = b;

	return ckpt_view_cmp(last_group(links[*x].id), last_group(links[*y].id));
}

static size_t common(struct ckpt_view a, struct ckpt_view b)
{
	const char *x = a.p, *y = b.p;
	size_t n = 0;

	while (n < a.n && n < b.n && x[n] == y[n])
		n++;
	return n;
}

/* How many digits each needs: one more than it shares with its neighbours in sorted order. */
static bool measure_short_ids(struct lineage *l)
{
	size_t n = l->base.count, *order = malloc((n + 1) * sizeof(*order));

	l->digits = calloc(n + 1, sizeof(*l->digits));
	for (size_t i = 0; order && i < n; i++)
		order[i] = i;
	if (order && l->digits)
		qsort_r(order, n, sizeof(*order), by_group, l->links);
	for (size_t i = 0; order && l->digits && i < n; i++) {
		struct ckpt_view group = last_group(l->links[order[i]].id);
		size_t need = 8;

		for (size_t k = i ? i - 1 : i + 1; k <= i + 1 && k < n; k += 2) {
			size_t same = common(group, last_group(l->links[order[k]].id));

			need = same >= need ? same + 1 : need;
		}
		l->digits[order[i]] = (uint8_t)(need <= group.n ? need : 0);
	}
	free(order);
	return l->digits != NULL;
}

struct ckpt_view ckpt_short_id(struct ckpt_lineage *lineage, size_t at)
{
	struct lineage *l = (struct lineage *)(void *)lineage;
	struct ckpt_view id = l->links[at].id, group = last_group(id);

	/* not a UUID, or a last group of two: only the whole id is sure to be a name */
	if (ckpt_time_of_id(id) == CKPT_UNKNOWN ||
			(!l->digits && !measure_short_ids(l)) || !l->digits[at])
		return id;
	return (struct ckpt_view){ group.p, l->digits[at] };
}
