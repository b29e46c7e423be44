/*
 * dump_names.c - the names of a dump: thread, namespace, id, task, path, channel, version, each
 * kept once. When all are read they are sorted, so that order of names is order of numbers.
 */
#include <stdlib.h>
#include <string.h>

#include "dump_index.h"

static size_t slot_of(const struct dump_names *names, struct ckpt_view v, bool blob)
{
	size_t at = (size_t)ckpt_hash(v) & (names->nslots - 1);

	for (; names->slots[at]; at = (at + 1) & (names->nslots - 1)) {
		const struct dump_name *have = &names->v[names->slots[at] - 1];

		if (have->n == v.n && have->blob == blob &&
				memcmp(have->p, v.p, v.n) == 0)
			break;
	}
	return at;
}

static int grow(struct dump_names *names, struct ckpt_error *err)
{
	size_t cap = names->cap ? names->cap * 2 : 1024;
	struct dump_name *more = realloc(names->v, cap * sizeof(*more));
	uint32_t *slots = calloc(cap * 2, sizeof(*slots));

	if (more)
		names->v = more;
	if (!more || !slots || cap > UINT32_MAX / 2) {
		free(slots);
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	}
	names->cap = cap;
	free(names->slots);
	names->slots = slots;
	names->nslots = cap * 2;
	for (size_t i = 0; i < names->n; i++) {
		const struct dump_name *name = &names->v[i];
		struct ckpt_view v = { name->p, name->n };

		slots[slot_of(names, v, name->blob)] = (uint32_t)i + 1;
	}
	return 0;
}

uint32_t dump_name_add(struct dump_names *names, struct ckpt_view v, bool blob,
		struct ckpt_error *err)
{
	struct ckpt_view kept;
	size_t slot;

	if (names->n == names->cap && grow(names, err) < 0)
		return DUMP_NONE;
	slot = slot_of(names, v, blob);
	if (names->slots[slot])
		return names->slots[slot] - 1;
	kept = arena_copy(&names->arena, v, err);
	if (!kept.p)
		return DUMP_NONE;
	names->v[names->n] = (struct dump_name){ kept.p, (uint32_t)v.n,
		(uint32_t)names->n, blob };
	names->slots[slot] = (uint32_t)++names->n;
	return (uint32_t)names->n - 1;
}

static int name_cmp(const struct dump_name *a, struct ckpt_view v, bool blob)
{
	if (a->blob != blob)
		return a->blob ? 1 : -1;
	return ckpt_view_cmp((struct ckpt_view){ a->p, a->n }, v);
}

static int by_name(const void *a, const void *b)
{
	const struct dump_name *y = b;

	return name_cmp(a, (struct ckpt_view){ y->p, y->n }, y->blob);
}

int dump_names_sort(struct dump_names *names, uint32_t **rank, struct ckpt_error *err)
{
	*rank = malloc((names->n + 1) * sizeof(**rank));
	if (!*rank)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	if (names->n)
		qsort(names->v, names->n, sizeof(*names->v), by_name);
	for (size_t i = 0; i < names->n; i++)
		(*rank)[names->v[i].at] = (uint32_t)i;
	free(names->slots);
	names->slots = NULL;
	return 0;
}

uint32_t dump_name_bound(const struct dump_names *names, struct ckpt_view v, bool blob)
{
	size_t lo = 0, hi = names->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (name_cmp(&names->v[mid], v, blob) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (uint32_t)lo;
}

uint32_t dump_name_find(const struct dump_names *names, struct ckpt_view v, bool blob)
{
	uint32_t at = dump_name_bound(names, v, blob);

	return at < names->n && name_cmp(&names->v[at], v, blob) == 0 ? at : DUMP_NONE;
}

void dump_names_free(struct dump_names *names)
{
	free(names->v);
	free(names->slots);
	arena_free(&names->arena);
}
