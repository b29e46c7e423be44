/*
 * plan.c - rules and guards: which checkpoints stay for what their links alone tell.
 *
 * What the kept ones need, and what follows a caller, is plan_close.c. A further rule or guard
 * only ever adds bits to `why`: that is what makes a policy with more rules keep more.
 */
#include "plan.h"

#define HOUR (INT64_C(3600) * 1000000000)
#define DAY (24 * HOUR)

#define BIT(why) (UINT32_C(1) << (why))

const char *const ckpt_why_names[CKPT_WHYS] = {
	[CKPT_WHY_LAST] = "last",
	[CKPT_WHY_WITHIN] = "within",
	[CKPT_WHY_HOURLY] = "hourly",
	[CKPT_WHY_DAILY] = "daily",
	[CKPT_WHY_WEEKLY] = "weekly",
	[CKPT_WHY_MONTHLY] = "monthly",
	[CKPT_WHY_WHERE] = "where",
	[CKPT_WHY_THREAD] = "thread",
	[CKPT_WHY_HEAD] = "head",
	[CKPT_WHY_INTERRUPT] = "interrupt",
	[CKPT_WHY_ANSWER] = "answer",
	[CKPT_WHY_DELTA] = "delta",
	[CKPT_WHY_SENDS] = "sends",
	[CKPT_WHY_SUBGRAPH] = "subgraph",
	[CKPT_WHY_STATEFUL] = "stateful",
	[CKPT_WHY_MIN_AGE] = "min-age",
	[CKPT_WHY_ACTIVE] = "active",
	[CKPT_WHY_FUTURE] = "future",
	[CKPT_WHY_UNDECODABLE] = "undecodable",
	[CKPT_WHY_NEWER] = "newer",
};

/* ---- what a checkpoint says for itself ---------------------------------------------------- */

/* The time that long ago; the beginning of time where that is out of range. */
static int64_t ago(const struct ckpt_policy *policy, int64_t age)
{
	int64_t t;

	return __builtin_sub_overflow(policy->now, age, &t) ? CKPT_UNKNOWN : t;
}

static bool is_newer(const struct plan *p, const struct plan_fact *f)
{
	return p->policy->upto != CKPT_UNKNOWN && f->time != CKPT_UNKNOWN &&
	       f->time > p->policy->upto;
}

/* The rules rank it. */
static bool counts(const struct plan *p, const struct plan_fact *f)
{
	return (f->flags & PLAN_SELECTED) && !is_newer(p, f);
}

static uint32_t guards(const struct plan *p, const struct plan_fact *f)
{
	const struct ckpt_policy *policy = p->policy;
	uint32_t why = 0;

	if (!(f->flags & PLAN_SELECTED) && policy->only)
		return 0;
	if (!(f->flags & PLAN_SELECTED))
		why |= BIT(CKPT_WHY_OTHER);
	if (is_newer(p, f))
		why |= BIT(CKPT_WHY_NEWER);
	if (why)
		return why;
	if (policy->all)
		why |= BIT(CKPT_WHY_WHERE);
	if (f->flags & PLAN_BLIND)
		why |= BIT(CKPT_WHY_UNDECODABLE);
	if ((f->flags & PLAN_ASKS) && !policy->lose_interrupted)
		why |= BIT(CKPT_WHY_INTERRUPT);
	if ((f->flags & PLAN_ANSWERED) && !policy->lose_interrupted)
		why |= BIT(CKPT_WHY_ANSWER);
	if (f->time == CKPT_UNKNOWN) {
		if (policy->min_age || policy->active_within)
			why |= BIT(CKPT_WHY_UNDECODABLE);
		return why;
	}
	if (f->time > policy->now)
		why |= BIT(CKPT_WHY_FUTURE);
	if (policy->min_age && f->time > ago(policy, policy->min_age))
		why |= BIT(CKPT_WHY_MIN_AGE);
	return why;
}

/* The rules that need no neighbour. */
static uint32_t matches(const struct plan *p, const struct plan_fact *f)
{
	const struct ckpt_policy *policy = p->policy;
	uint32_t why = 0;

	if (!counts(p, f))
		return 0;
	if (f->flags & PLAN_WHERE)
		why |= BIT(CKPT_WHY_WHERE);
	if (policy->within && f->time == CKPT_UNKNOWN)
		why |= BIT(CKPT_WHY_UNDECODABLE);
	else if (policy->within && f->time >= ago(policy, policy->within))
		why |= BIT(CKPT_WHY_WITHIN);
	return why;
}

/* ---- ranks in a namespace ----------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int64_t bucket_of(enum ckpt_why unit, int64_t t)
{
	switch (unit) {
	case CKPT_WHY_HOURLY:
		return floor_div(t, HOUR);
	case CKPT_WHY_DAILY:
		return floor_div(t, DAY);
	case CKPT_WHY_WEEKLY: /* from Monday on; 1970 began on a Thursday */
		return floor_div(floor_div(t, DAY) + 3, 7);
	default:
		return when_month(t);
	}
}

/* `order`: by time, so that the checkpoints of a bucket stand together. */
static void keep_newest_of(struct plan *p, const size_t *order, size_t n,
		enum ckpt_why unit, int64_t limit)
{
	int64_t last = 0;
	bool any = false;

	while (n-- && limit > 0) {
		struct plan_fact *f = &p->facts[order[n]];
		int64_t bucket = bucket_of(unit, f->time);

		if (any && bucket == last)
			continue;
		any = true;
		last = bucket;
		limit--;
		f->why |= BIT(unit);
	}
}

static int by_time(const void *a, const void *b, void *arg)
{
	const struct plan_fact *facts = arg;
	const size_t x = *(const size_t *)a, y = *(const size_t *)b;

	if (facts[x].time != facts[y].time)
		return facts[x].time < facts[y].time ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void rank_calendar(struct plan *p, const struct plan_space *s)
{
	const struct ckpt_policy *policy = p->policy;
	size_t n = 0;

	if (policy->hourly <= 0 && policy->daily <= 0 && policy->weekly <= 0 &&
			policy->monthly <= 0)
		return;
	for (size_t i = s->first; i < s->first + s->count; i++) {
		if (!counts(p, &p->facts[i]))
			continue;
		if (p->facts[i].time == CKPT_UNKNOWN)
			p->facts[i].why |= BIT(CKPT_WHY_UNDECODABLE);
		else
			p->open[n++] = i;
	}
	qsort_r(p->open, n, sizeof(*p->open), by_time, p->facts);
	keep_newest_of(p, p->open, n, CKPT_WHY_HOURLY, policy->hourly);
	keep_newest_of(p, p->open, n, CKPT_WHY_DAILY, policy->daily);
	keep_newest_of(p, p->open, n, CKPT_WHY_WEEKLY, policy->weekly);
	keep_newest_of(p, p->open, n, CKPT_WHY_MONTHLY, policy->monthly);
}

static void rank_last(struct plan *p, const struct plan_space *s)
{
	int64_t limit = p->policy->last;

	for (size_t i = s->first + s->count; i-- > s->first && limit > 0;) {
		if (!counts(p, &p->facts[i]))
			continue;
		p->facts[i].why |= BIT(CKPT_WHY_LAST);
		limit--;
	}
}

/* What the saver would load if nothing newer than `upto` were there; SIZE_MAX: nothing. */
static size_t newest_of(const struct plan *p, const struct plan_space *s)
{
	size_t i = s->first + s->count;

	if (!is_newer(p, &p->facts[s->newest]))
		return s->newest;
	while (i-- > s->first)
		if (!is_newer(p, &p->facts[i]))
			return i;
	return SIZE_MAX;
}

static bool is_stateful(const struct plan_space *s)
{
	return s->ns.n && !memchr(s->ns.p, ':', s->ns.n);
}

static void keep_heads(struct plan *p, const struct plan_space *s)
{
	size_t newest = newest_of(p, s), *children = p->open;

	memset(children, 0, s->count * sizeof(*children));
	for (size_t i = s->first; i < s->first + s->count; i++) {
		size_t parent = p->facts[i].parent;

		/* one that names itself has no child by that */
		if (parent != i && parent >= s->first && parent < s->first + s->count &&
				!is_newer(p, &p->facts[i]))
			children[parent - s->first]++;
	}
	for (size_t i = s->first; i < s->first + s->count; i++)
		if (!children[i - s->first] && !p->policy->lose_heads &&
				counts(p, &p->facts[i]))
			p->facts[i].why |= BIT(CKPT_WHY_HEAD);
	if (newest != SIZE_MAX && !p->policy->lose_newest && counts(p, &p->facts[newest]))
		p->facts[newest].why |=
				BIT(is_stateful(s) ? CKPT_WHY_STATEFUL : CKPT_WHY_HEAD);
}

/* ---- the thread --------------------------------------------------------------------------- */

static uint32_t reasons(const struct plan *p, const struct plan_space *s)
{
	uint32_t why = 0;

	for (size_t i = s->first; i < s->first + s->count; i++)
		why |= p->facts[i].why;
	return why;
}

static void keep_space(struct plan *p, const struct plan_space *s, uint32_t why)
{
	for (size_t i = s->first; i < s->first + s->count; i++)
		p->facts[i].why |= why;
}

static bool is_active(const struct plan *p)
{
	int64_t since = ago(p->policy, p->policy->active_within);

	if (!p->policy->active_within)
		return false;
	for (size_t i = 0; i < p->nfacts; i++) {
		const struct plan_fact *f = &p->facts[i];

		if (f->time != CKPT_UNKNOWN && f->time <= p->policy->now &&
				f->time >= since && !is_newer(p, f))
			return true;
	}
	return false;
}

/* It is no older than what a thread must be to go whole. */
static uint32_t not_idle(const struct plan *p)
{
	int64_t since = ago(p->policy, p->policy->idle);
	uint32_t why = 0;

	for (size_t i = 0; p->policy->idle && i < p->nfacts; i++) {
		if (p->facts[i].time == CKPT_UNKNOWN)
			why |= BIT(CKPT_WHY_UNDECODABLE);
		else if (p->facts[i].time > since && !is_newer(p, &p->facts[i]))
			why |= BIT(CKPT_WHY_WITHIN);
	}
	return why;
}

/* Guards and the rules that need no neighbour have spoken: what does the policy make of it? */
static void judge_space(struct plan *p, struct plan_space *s)
{
	const struct ckpt_policy *policy = p->policy;

	s->gone = policy->orphans && s->orphan && !reasons(p, s);
	if (s->gone)
		return;
	if (!policy->thin && !policy->whole)
		keep_space(p, s, BIT(CKPT_WHY_OTHER));
	else if (s->caller == SIZE_MAX) {
		rank_last(p, s);
		rank_calendar(p, s);
		if (!policy->whole)
			keep_heads(p, s);
	}
}

static void judge(struct plan *p)
{
	uint32_t why = p->policy->whole ? not_idle(p) : 0;

	for (size_t at = 0; at < p->nspaces; at++) {
		struct plan_space *s = &p->spaces[at];

		if (s->caller == SIZE_MAX)
			for (size_t i = s->first; i < s->first + s->count; i++)
				p->facts[i].why |= matches(p, &p->facts[i]);
		judge_space(p, s);
		why |= p->policy->whole ? reasons(p, s) : 0;
	}
	for (size_t at = 0; why && at < p->nspaces; at++)
		if (!p->spaces[at].gone)
			keep_space(p, &p->spaces[at], why);
}

static int take_room(struct plan *p)
{
	plan_free(p);
	p->open = malloc((p->nfacts + 1) * sizeof(*p->open));
	p->calls = malloc((p->nspaces + 1) * sizeof(*p->calls));
	if (p->open && p->calls)
		return 0;
	plan_free(p);
	return ckpt_fail(p->err, CKPT_ENOMEM, "out of memory");
}

/* All that the selection has of it. */
static void keep_thread(struct plan *p, enum ckpt_why why)
{
	if (!p->policy->only)
		plan_keep_all(p, why);
	for (size_t i = 0; i < p->nfacts && p->policy->only; i++)
		p->facts[i].why |= p->facts[i].flags & PLAN_SELECTED ? BIT(why) : 0;
}

int plan_rank(struct plan *p)
{
	int rc = take_room(p);

	if (rc < 0)
		return rc;
	for (size_t s = 0; s < p->nspaces; s++) {
		p->spaces[s].gone = false;
		/* what was chosen one by one has no followers */
		if (p->policy->all)
			p->spaces[s].caller = SIZE_MAX;
	}
	for (size_t i = 0; i < p->nfacts; i++) {
		p->facts[i].seen = false;
		p->facts[i].why = guards(p, &p->facts[i]);
	}
	p->active = is_active(p);
	if (p->active || p->keep_thread) {
		for (size_t i = 0; i < p->nfacts; i++)
			p->facts[i].why &= BIT(CKPT_WHY_OTHER) | BIT(CKPT_WHY_NEWER);
		if (p->active)
			keep_thread(p, CKPT_WHY_ACTIVE);
		if (p->keep_thread)
			keep_thread(p, CKPT_WHY_THREAD);
		if (!p->policy->only)
			return 0;
	} else {
		judge(p);
	}
	plan_settle(p);
	return 0;
}
