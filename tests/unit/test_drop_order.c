/*
 * test_drop_order.c - the order in which doomed rows go, over random pieces of a plan: what must
 * hold wherever a run ends, and that neighbours in the file stay neighbours.
 */
#include "t.h"
#include "drop_order.h"
#include "made.h"

#define VICTIMS 60000
#define SPACES 6000

static struct drop_victim victims[VICTIMS];
static struct drop_space spaces[SPACES];
static uint32_t place[VICTIMS]; /* of the one that was added as `at` */
static char names[VICTIMS][24];

static struct ckpt_view name(size_t i)
{
	snprintf(names[i], sizeof(names[i]), "%08zx", i);
	return ckpt_view_of(names[i]);
}

/* Threads with a root of 1 to 60 ids and calls of some of them, rows as the layout says. */
static struct drop_piece make(uint64_t seed, size_t n, bool mixed, uint64_t *layout)
{
	struct drop_piece p = { .victims = victims, .spaces = spaces };
	size_t thread = 0, root = 0;

	while (p.n + 60 < n && p.nspaces < SPACES) {
		struct drop_space *s = &spaces[p.nspaces];
		bool is_root = !p.nspaces || made_random(&seed) % 4 == 0;
		uint64_t kind = made_random(&seed);

		thread = is_root ? p.nspaces : thread;
		root = is_root ? p.n : root;
		*s = (struct drop_space){ .first = p.n };
		s->s.key.thread = name(thread);
		s->s.key.ns = is_root ? CKPT_LIT("") : CKPT_LIT("sub:1");
		s->s.whole_thread = is_root ? mixed && kind % 5 == 0
		                            : spaces[thread].s.whole_thread;
		s->s.chains = mixed && kind % 3 == 0;
		s->n = 1 + made_random(&seed) % 60;
		if (!is_root && kind % 7)
			s->s.caller = victims[root +
					      made_random(&seed) % spaces[thread].n]
			                              .id;
		for (size_t i = 0; i < s->n; i++, p.n++)
			victims[p.n] = (struct drop_victim){ .id = name(p.n),
				.row = (int64_t)(made_random(layout) % 1000000),
				.space = (uint32_t)p.nspaces,
				.at = (uint32_t)p.n };
		p.nspaces++;
	}
	return p;
}

/* Where each went to; false: one is there twice, or in another namespace. */
static bool look(const struct drop_piece *p)
{
	static bool there[VICTIMS];

	memset(there, 0, sizeof(there));
	for (size_t i = 0; i < p->n; i++) {
		size_t added = strtoul(p->victims[i].id.p, NULL, 16);

		if (added >= p->n || there[added] ||
				added - p->spaces[p->victims[i].space].first >=
						p->spaces[p->victims[i].space].n)
			return false;
		there[added] = true;
		place[added] = (uint32_t)i;
	}
	return true;
}

/* Ids of a namespace ascend, or descend where there may be chains. */
static size_t out_of_turn(const struct drop_piece *p)
{
	size_t wrong = 0;

	for (size_t s = 0; s < p->nspaces; s++)
		for (size_t i = 1; i < spaces[s].n; i++)
			wrong += (place[spaces[s].first + i] <
						 place[spaces[s].first + i - 1]) !=
			         spaces[s].s.chains;
	return wrong;
}

static size_t callers_early(const struct drop_piece *p)
{
	size_t wrong = 0;

	for (size_t s = 0; s < p->nspaces; s++) {
		size_t caller = spaces[s].s.caller.p
		                                ? strtoul(spaces[s].s.caller.p, NULL, 16)
		                                : VICTIMS;

		for (size_t i = 0; caller < VICTIMS && i < spaces[s].n; i++)
			wrong += place[spaces[s].first + i] > place[caller];
	}
	return wrong;
}

/* Units are told, and lie in one stretch. */
static size_t torn_units(const struct drop_piece *p)
{
	size_t wrong = 0;

	for (size_t s = 0; s < p->nspaces; s++) {
		uint32_t low = UINT32_MAX, high = 0;
		size_t n = 0;
		bool must = spaces[s].s.chains || spaces[s].s.whole_thread;

		wrong += (spaces[s].unit != DROP_ALONE) != must;
		wrong += spaces[s].s.whole_thread && spaces[s].unit != spaces[s].thread;
		for (size_t k = 0; must && k < p->nspaces; k++) {
			if (spaces[k].unit != spaces[s].unit)
				continue;
			n += spaces[k].n;
			for (size_t i = 0; i < spaces[k].n; i++) {
				uint32_t at = place[spaces[k].first + i];

				low = at < low ? at : low;
				high = at > high ? at : high;
			}
		}
		wrong += must && high - low + 1 != n;
	}
	return wrong;
}

static void random_pieces(void)
{
	size_t broken = 0, turn = 0, early = 0, torn = 0;

	for (uint64_t seed = 1; seed <= 40; seed++) {
		uint64_t layout = seed * 977;
		/* some of more than a block */
		size_t n = seed % 8 ? seed * 100 : VICTIMS;
		struct drop_piece p = make(seed, n, seed % 4 != 0, &layout);

		drop_order(&p);
		broken += !look(&p);
		turn += out_of_turn(&p);
		early += callers_early(&p);
		torn += seed % 8 ? torn_units(&p) : 0;
	}
	ok(!broken, "each is there once");
	ok(!turn, "the least id of a namespace first, the greatest where chains may be");
	ok(!early, "no caller before its call");
	ok(!torn, "units in one stretch");
}

/* Row numbers that ascend with ids, threads that took turns: some threads at a time, as rows lie. */
static void neighbours(void)
{
	struct drop_piece p = { .victims = victims, .spaces = spaces, .nspaces = 30 };
	size_t back = 0, far = 0;

	for (size_t s = 0; s < 30; s++) {
		spaces[s] = (struct drop_space){ .first = s * 2000, .n = 2000 };
		spaces[s].s.key.thread = name(s);
		for (size_t i = 0; i < 2000; i++, p.n++)
			victims[p.n] = (struct drop_victim){ .id = name(p.n),
				.row = (int64_t)(i * 30 + s),
				.space = (uint32_t)s,
				.at = (uint32_t)p.n };
	}
	drop_order(&p);
	for (size_t i = 1; i < p.n; i++)
		back += victims[i].row < victims[i - 1].row;
	for (size_t i = 0; i < 8000; i++)
		far += victims[i].space < 25;
	ok(look(&p) && back > 0 && back < 10, "rows ascend, but for a few times");
	ok(!far, "all of the last threads before any of the others");
}

int main(void)
{
	random_pieces();
	neighbours();
	drop_order(&(struct drop_piece){ 0 });
	return done();
}
