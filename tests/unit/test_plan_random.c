/*
 * test_plan_random.c - 10,000 random histories under random policies, against plan_model.c, and
 * what must hold of every plan. CKPT_SEED and CKPT_ROUNDS say which and how many.
 */
#include "plan_model.h"
#include "made.h"
#include "t.h"

#define SECOND INT64_C(1000000000)
#define DAY (86400 * SECOND)
#define NOW (INT64_C(1795176000) * SECOND)
#define SPACES 8
#define FACTS 40
#define NEEDS 200

static uint64_t seed = 20261121, start;
static int64_t now; /* of this history; its clock may be far off */
static int64_t round_now;
static int failures;

struct world {
	struct plan plan;
	struct plan_fact facts[FACTS];
	struct plan_space spaces[SPACES];
	struct ckpt_policy policy;
	struct need list[NEEDS];
	struct needs needs;
	struct ckpt_error err;
};

static size_t below(size_t n)
{
	return (size_t)(made_random(&seed) % n);
}

static bool one_in(size_t n)
{
	return below(n) == 0;
}

static void complain(const char *what)
{
	if (failures++ < 10)
		printf("# round %lld: %s\n", (long long)round_now, what);
}

/* ---- histories ---------------------------------------------------------------------------- */

static const char *const names[SPACES] = { "", "a:t1", "a:t1|b:t2", "c:t3", "c:t3|1",
	"sub", "sub|1", "sub|d:t4" }; /* by bytes */

static const int64_t scales[] = { SECOND, 600 * SECOND, 3600 * SECOND, 8 * 3600 * SECOND,
	DAY, 5 * DAY, 20 * DAY, 200 * DAY };

static int64_t some_length(void)
{
	return scales[below(8)] * (int64_t)(1 + below(9));
}

static int64_t odd_time(void)
{
	switch (below(6)) {
	case 0:
		return CKPT_UNKNOWN + 1 + (int64_t)below(3);
	case 1:
		return INT64_MAX - (int64_t)below(3);
	case 2:
		return now + some_length();
	case 3:
		return now - some_length();
	case 4: /* around 1970 */
		return some_length() - some_length();
	default:
		return CKPT_UNKNOWN;
	}
}

static size_t some_parent(size_t first, size_t i, size_t end)
{
	switch (below(12)) {
	case 0: /* not there */
		return SIZE_MAX;
	case 1: /* anything: cycles, too */
		return first + below(end - first);
	case 2: /* a fork */
		return i > first ? first + below(i - first) : SIZE_MAX;
	default:
		return i > first ? i - 1 : SIZE_MAX;
	}
}

static unsigned some_flags(bool all_selected)
{
	unsigned flags = all_selected || !one_in(8) ? PLAN_SELECTED : 0;

	flags |= one_in(30) ? PLAN_WHERE : 0;
	flags |= one_in(50) ? PLAN_ASKS : 0;
	flags |= one_in(50) ? PLAN_ANSWERED : 0;
	flags |= one_in(80) ? PLAN_BLIND : 0;
	return flags;
}

static void make_space(struct world *w, size_t name, bool all_selected)
{
	struct plan_space *s = &w->spaces[w->plan.nspaces++];
	size_t first = w->plan.nfacts, n = 1 + below(one_in(8) ? 12 : 5);
	int64_t scale = scales[below(8)],
		t = now - scale * (int64_t)below(12) - DAY * (int64_t)below(90);

	if (one_in(10)) /* across 1970 */
		t = -scale * (int64_t)below(6);
	n = name ? n : n + below(8);
	n = n < FACTS - first ? n : FACTS - first;
	for (size_t i = first; i < first + n; i++) {
		t += scale / (int64_t)(1 + below(4));
		w->facts[i] = (struct plan_fact){
			.parent = some_parent(first, i, first + n),
			.time = one_in(25) ? odd_time() : t,
			.flags = some_flags(all_selected),
		};
	}
	*s = (struct plan_space){ .ns = { names[name], strlen(names[name]) },
		.first = first,
		.count = n,
		.newest = one_in(10) ? first + below(n) : first + n - 1,
		.caller = SIZE_MAX };
	w->plan.nfacts += n;
	if (!strchr(names[name], ':'))
		return;
	if (!w->spaces[0].ns.n && !one_in(4))
		s->caller = below(w->spaces[0].count);
	else
		s->orphan = one_in(2);
}

/* Chains up to a seed as delta channels have them, and parents that hold Sends. */
static void make_needs(struct world *w)
{
	w->needs = (struct needs){ w->list, 0 };
	for (size_t i = 0; i < w->plan.nfacts; i++) {
		size_t at = w->facts[i].parent, far = one_in(3) ? below(8) : 0;

		if (one_in(8) && at != SIZE_MAX && w->needs.n < NEEDS)
			w->list[w->needs.n++] = (struct need){ i, at, CKPT_WHY_SENDS };
		for (; far && at != SIZE_MAX && w->needs.n < NEEDS; far--) {
			w->list[w->needs.n++] = (struct need){ i, at, CKPT_WHY_DELTA };
			at = w->facts[at].parent;
		}
	}
}

/* Often just the age of a checkpoint: bounds are where mistakes are made. */
static int64_t some_age(const struct world *w)
{
	int64_t age;

	if (!w->plan.nfacts || one_in(2))
		return some_length();
	if (__builtin_sub_overflow(now, w->facts[below(w->plan.nfacts)].time, &age) ||
			age <= 0)
		return some_length();
	return age;
}

static void make_policy(struct world *w)
{
	struct ckpt_policy *y = &w->policy;

	*y = (struct ckpt_policy){ .now = now, .upto = CKPT_UNKNOWN };
	y->thin = !one_in(12);
	y->whole = one_in(8);
	y->orphans = one_in(4);
	y->idle = one_in(2) ? some_age(w) : 0;
	y->last = one_in(2) ? (int64_t)below(5) : 0;
	y->within = one_in(6) ? some_age(w) : 0;
	y->hourly = one_in(6) ? (int64_t)below(5) : 0;
	y->daily = one_in(6) ? (int64_t)below(5) : 0;
	y->weekly = one_in(6) ? (int64_t)below(5) : 0;
	y->monthly = one_in(6) ? (int64_t)below(5) : 0;
	y->min_age = one_in(4) ? some_age(w) : 0;
	y->active_within = one_in(10) ? some_age(w) : 0;
	y->lose_interrupted = one_in(3);
	y->lose_heads = !one_in(3);
	if (one_in(6))
		y->upto = one_in(2) ? now : now - some_age(w);
	if (one_in(50))
		y->within = y->min_age = INT64_MAX;
}

static void make_world(struct world *w)
{
	bool all_selected = !one_in(4);
	const int64_t clocks[] = { 0, INT64_MAX - 4100 * DAY, -5000 * DAY,
		NOW - 3650 * DAY };

	memset(w, 0, sizeof(*w));
	now = one_in(8) ? clocks[below(4)] : NOW;
	for (size_t name = 0; name < SPACES; name++)
		if ((name ? one_in(3) : !one_in(10)) && w->plan.nfacts < FACTS)
			make_space(w, name, all_selected);
	make_needs(w);
	make_policy(w);
	w->plan.keep_thread = one_in(40);
	w->plan.facts = w->facts;
	w->plan.spaces = w->spaces;
	w->plan.policy = &w->policy;
	w->plan.err = &w->err;
}

/* A copy whose plan is its own. */
static void copy_world(struct world *to, const struct world *from)
{
	*to = *from;
	to->plan.facts = to->facts;
	to->plan.spaces = to->spaces;
	to->plan.policy = &to->policy;
	to->plan.err = &to->err;
	to->needs.list = to->list;
	to->plan.open = to->plan.calls = NULL;
	to->plan.nopen = to->plan.ncalls = 0;
}

/* ---- planning as a caller does ------------------------------------------------------------ */

static void tell(struct world *w, size_t fact)
{
	for (size_t k = 0; k < w->needs.n; k++)
		if (w->list[k].of == fact)
			plan_keep(&w->plan, w->list[k].what, w->list[k].why);
}

/* `mixed`: what is given is told later, in any order, and some of it twice. */
static void run(struct world *w, bool mixed)
{
	size_t held[FACTS], n = 0, fact;
	bool given[FACTS] = { false };

	if (plan_rank(&w->plan) < 0)
		complain("out of memory");
	for (;;) {
		while ((!mixed || !n || one_in(2)) && plan_open(&w->plan, &fact)) {
			if (given[fact] || !w->facts[fact].why || !w->facts[fact].seen)
				complain("a fact was given twice, or is dropped");
			given[fact] = true;
			held[n++] = fact;
			if (!mixed)
				break;
		}
		if (!n)
			break;
		fact = below(n);
		if (mixed && one_in(4))
			tell(w, held[fact]);
		tell(w, held[fact]);
		held[fact] = held[--n];
	}
	plan_free(&w->plan);
}

/* ---- what must hold ----------------------------------------------------------------------- */

static void check_model(struct world *w)
{
	uint32_t why[FACTS];
	bool emptied = w->plan.nfacts > 0;

	plan_model(&w->plan, &w->needs, why);
	for (size_t i = 0; i < w->plan.nfacts; i++) {
		emptied = emptied && !why[i];
		if (why[i] != w->facts[i].why) {
			complain("the model says something else");
			if (failures <= 10)
				printf("# fact %zu of %zu: 0x%x, model 0x%x\n", i,
						w->plan.nfacts, w->facts[i].why, why[i]);
		}
	}
	if (emptied != w->plan.emptied)
		complain("emptied is wrong");
}

static void check_closed(const struct world *w)
{
	for (size_t k = 0; k < w->needs.n; k++)
		if (w->facts[w->list[k].of].why && !w->facts[w->list[k].what].why)
			complain("something that a kept one needs is dropped");
	for (size_t i = 0; i < w->plan.nfacts; i++) {
		size_t caller = w->spaces[plan_model_space(&w->plan, i)].caller;

		if (caller != SIZE_MAX && !w->facts[i].why != !w->facts[caller].why)
			complain("a call and its caller are parted");
	}
}

static void check_guards(const struct world *w)
{
	const struct ckpt_policy *y = &w->policy;
	bool child[FACTS] = { false };

	for (size_t i = 0; i < w->plan.nfacts; i++)
		if (w->facts[i].parent != SIZE_MAX && w->facts[i].parent != i)
			child[w->facts[i].parent] = true;
	for (size_t i = 0; i < w->plan.nfacts; i++) {
		const struct plan_fact *f = &w->facts[i];
		const struct plan_space *s = &w->spaces[plan_model_space(&w->plan, i)];
		bool thins = y->thin && !y->whole && !(y->orphans && s->orphan);

		if (f->why)
			continue;
		if (!(f->flags & PLAN_SELECTED) || f->time > y->now ||
				(f->time != CKPT_UNKNOWN &&
						(__int128)y->now - f->time < y->min_age))
			complain("too young, in the future, or not selected, and "
				 "dropped");
		if ((f->flags & (PLAN_ASKS | PLAN_ANSWERED)) && !y->lose_interrupted)
			complain("an open question is dropped");
		if (thins && s->caller == SIZE_MAX &&
				(i == s->newest || (!child[i] && !y->lose_heads)))
			complain("a head is dropped");
		if (!y->thin && !y->whole && !(y->orphans && s->orphan))
			complain("nothing said that it goes");
	}
}

static void check_order(const struct world *made, const struct world *planned)
{
	struct world other;

	copy_world(&other, made);
	run(&other, true);
	for (size_t i = 0; i < made->plan.nfacts; i++)
		if (other.facts[i].why != planned->facts[i].why)
			complain("another order of turns, another plan");
}

/* What stayed, as the store has it afterwards. */
static void shrink(struct world *to, const struct world *from)
{
	size_t at[FACTS], n = 0;

	copy_world(to, from);
	to->plan.nspaces = 0;
	for (size_t i = 0; i < from->plan.nfacts; i++) {
		at[i] = from->facts[i].why ? n++ : SIZE_MAX;
		if (from->facts[i].why)
			to->facts[at[i]] = from->facts[i];
	}
	to->plan.nfacts = n;
	for (size_t i = 0; i < n; i++)
		if (to->facts[i].parent != SIZE_MAX)
			to->facts[i].parent = at[to->facts[i].parent];
	for (size_t s = 0; s < from->plan.nspaces; s++) {
		struct plan_space space = from->spaces[s];
		size_t first = SIZE_MAX, count = 0;

		for (size_t i = space.first; i < space.first + space.count; i++) {
			first = first == SIZE_MAX ? at[i] : first;
			count += at[i] != SIZE_MAX;
		}
		if (!count)
			continue;
		space.first = first;
		space.count = count;
		if (at[space.newest] == SIZE_MAX)
			complain("of a namespace that stays the newest is dropped");
		space.newest = at[space.newest] == SIZE_MAX ? first : at[space.newest];
		if (space.caller != SIZE_MAX)
			space.caller = at[space.caller];
		to->spaces[to->plan.nspaces++] = space;
	}
	to->needs.n = 0;
	for (size_t k = 0; k < from->needs.n; k++)
		if (at[from->list[k].of] != SIZE_MAX)
			to->list[to->needs.n++] = (struct need){ at[from->list[k].of],
				at[from->list[k].what], from->list[k].why };
}

static void check_again(const struct world *planned)
{
	struct world rest;

	shrink(&rest, planned);
	run(&rest, false);
	for (size_t i = 0; i < rest.plan.nfacts; i++)
		if (!rest.facts[i].why)
			complain("planned again, more is dropped");
}

static void keep_more(struct world *w)
{
	struct ckpt_policy *y = &w->policy;
	int64_t *const counts[] = { &y->last, &y->hourly, &y->daily, &y->weekly,
		&y->monthly };
	int64_t *const ages[] = { &y->within, &y->min_age, &y->active_within };

	switch (below(6)) {
	case 0:
		*counts[below(5)] += 1 + (int64_t)below(3);
		break;
	case 1:
		y->lose_interrupted = false;
		break;
	case 2:
		y->lose_heads = false;
		break;
	case 3:
		if (w->plan.nfacts)
			w->facts[below(w->plan.nfacts)].flags |= PLAN_WHERE;
		break;
	case 4:
		w->plan.keep_thread = true;
		break;
	default: {
		int64_t *age = ages[below(3)];

		if (__builtin_add_overflow(*age, some_length(), age))
			*age = INT64_MAX;
	}
	}
}

static void check_monotone(const struct world *made, const struct world *planned)
{
	struct world more;

	copy_world(&more, made);
	keep_more(&more);
	run(&more, false);
	for (size_t i = 0; i < made->plan.nfacts; i++)
		if (planned->facts[i].why && !more.facts[i].why)
			complain("a further keep rule drops more");
}

int main(void)
{
	const char *text = getenv("CKPT_SEED"), *rounds = getenv("CKPT_ROUNDS");
	int64_t n = rounds ? strtoll(rounds, NULL, 10) : 10000, dropped = 0, kept = 0;
	struct world made, planned;

	if (text)
		seed = strtoull(text, NULL, 10) | 1;
	start = seed;
	printf("# CKPT_SEED=%llu\n", (unsigned long long)start);
	for (round_now = 0; round_now < n; round_now++) {
		make_world(&made);
		copy_world(&planned, &made);
		run(&planned, false);
		check_model(&planned);
		check_closed(&planned);
		check_guards(&planned);
		check_order(&made, &planned);
		check_again(&planned);
		check_monotone(&made, &planned);
		for (size_t i = 0; i < made.plan.nfacts; i++)
			*(planned.facts[i].why ? &kept : &dropped) += 1;
	}
	ok(!failures,
			"%lld histories: model, closure, guards, order, again, more "
			"rules: %d faults",
			(long long)n, failures);
	ok(dropped > n && kept > n, "they kept %lld and dropped %lld", (long long)kept,
			(long long)dropped);
	return done();
}
