/*
 * plan_model.c - the plan as a set of statements; see plan_model.h.
 */
#include "plan_model.h"

#define UNITS 4

struct model {
	const struct plan *p;
	const struct ckpt_policy *policy;
	const struct needs *needs;
	uint32_t *why;
	char (*bucket)[UNITS]
		      [32]; /* of each fact; years have four digits: order is text order */
};

size_t plan_model_space(const struct plan *p, size_t fact)
{
	for (size_t s = 0; s < p->nspaces; s++)
		if (fact >= p->spaces[s].first &&
				fact < p->spaces[s].first + p->spaces[s].count)
			return s;
	abort();
}

static const struct plan_space *space(const struct model *m, size_t i)
{
	return &m->p->spaces[plan_model_space(m->p, i)];
}

static bool together(const struct model *m, size_t i, size_t j)
{
	return space(m, i) == space(m, j);
}

static bool newer(const struct model *m, size_t i)
{
	return m->policy->upto != CKPT_UNKNOWN && m->p->facts[i].time > m->policy->upto;
}

static bool unknown(const struct model *m, size_t i)
{
	return m->p->facts[i].time == CKPT_UNKNOWN;
}

static bool counted(const struct model *m, size_t i)
{
	return !newer(m, i) && (m->p->facts[i].flags & PLAN_SELECTED);
}

/* Its age, in 128 bits, so that nothing runs over. */
static __int128 age(const struct model *m, size_t i)
{
	return (__int128)m->policy->now - m->p->facts[i].time;
}

static bool has_colon(const struct plan_space *s)
{
	return memchr(s->ns.n ? s->ns.p : "", ':', s->ns.n) != NULL;
}

/* ---- statements --------------------------------------------------------------------------- */

static bool is_last(const struct model *m, size_t i)
{
	int64_t above = 0;

	for (size_t j = i + 1; j < m->p->nfacts; j++)
		above += together(m, i, j) && counted(m, j);
	return above < m->policy->last;
}

static bool first_of_bucket(const struct model *m, size_t i, int unit)
{
	for (size_t j = 0; j < m->p->nfacts; j++) {
		int64_t a = m->p->facts[i].time, b = m->p->facts[j].time;

		if (i == j || !together(m, i, j) || !counted(m, j) || unknown(m, j) ||
				strcmp(m->bucket[i][unit], m->bucket[j][unit]) != 0)
			continue;
		if (b > a || (b == a && j > i))
			return false;
	}
	return true;
}

static bool in_calendar(const struct model *m, size_t i, int unit, int64_t n)
{
	int64_t above = 0;

	if (unknown(m, i) || !first_of_bucket(m, i, unit))
		return false;
	for (size_t j = 0; j < m->p->nfacts; j++)
		above += together(m, i, j) && counted(m, j) && !unknown(m, j) &&
		         strcmp(m->bucket[j][unit], m->bucket[i][unit]) > 0 &&
		         first_of_bucket(m, j, unit);
	return above < n;
}

static bool childless(const struct model *m, size_t i)
{
	for (size_t j = 0; j < m->p->nfacts; j++)
		if (j != i && m->p->facts[j].parent == i && !newer(m, j))
			return false;
	return true;
}

static bool is_newest(const struct model *m, size_t i)
{
	const struct plan_space *s = space(m, i);

	if (!newer(m, s->newest))
		return s->newest == i;
	for (size_t j = i + 1; j < s->first + s->count; j++)
		if (!newer(m, j))
			return false;
	return !newer(m, i);
}

static uint32_t own_reasons(const struct model *m, size_t i)
{
	const struct ckpt_policy *y = m->policy;
	unsigned flags = m->p->facts[i].flags;
	bool ages = y->min_age || y->active_within;
	uint32_t why = 0;

	why |= flags & PLAN_SELECTED ? 0 : BIT(CKPT_WHY_OTHER);
	why |= newer(m, i) ? BIT(CKPT_WHY_NEWER) : 0;
	if (!counted(m, i))
		return why;
	why |= flags & PLAN_BLIND ? BIT(CKPT_WHY_UNDECODABLE) : 0;
	why |= unknown(m, i) && ages ? BIT(CKPT_WHY_UNDECODABLE) : 0;
	why |= !y->lose_interrupted && flags & PLAN_ASKS ? BIT(CKPT_WHY_INTERRUPT) : 0;
	why |= !y->lose_interrupted && flags & PLAN_ANSWERED ? BIT(CKPT_WHY_ANSWER) : 0;
	why |= !unknown(m, i) && age(m, i) < 0 ? BIT(CKPT_WHY_FUTURE) : 0;
	why |= !unknown(m, i) && y->min_age && age(m, i) < y->min_age
	                       ? BIT(CKPT_WHY_MIN_AGE)
	                       : 0;
	return why;
}

static uint32_t plain_rules(const struct model *m, size_t i)
{
	uint32_t why = 0;

	if (!counted(m, i) || space(m, i)->caller != SIZE_MAX)
		return 0;
	why |= m->p->facts[i].flags & PLAN_WHERE ? BIT(CKPT_WHY_WHERE) : 0;
	if (m->policy->within && unknown(m, i))
		why |= BIT(CKPT_WHY_UNDECODABLE);
	if (m->policy->within && !unknown(m, i) && age(m, i) <= m->policy->within)
		why |= BIT(CKPT_WHY_WITHIN);
	return why;
}

static uint32_t ranks(const struct model *m, size_t i)
{
	const struct ckpt_policy *y = m->policy;
	const int64_t n[UNITS] = { y->hourly, y->daily, y->weekly, y->monthly };
	uint32_t why = 0;

	if (!counted(m, i) || space(m, i)->caller != SIZE_MAX)
		return 0;
	why |= is_last(m, i) ? BIT(CKPT_WHY_LAST) : 0;
	for (int unit = 0; unit < UNITS; unit++) {
		if (n[unit] && unknown(m, i))
			why |= BIT(CKPT_WHY_UNDECODABLE);
		if (n[unit] && in_calendar(m, i, unit, n[unit]))
			why |= BIT(CKPT_WHY_HOURLY + unit);
	}
	return why;
}

static uint32_t heads(const struct model *m, size_t i)
{
	const struct plan_space *s = space(m, i);
	uint32_t why = 0;

	if (!counted(m, i) || s->caller != SIZE_MAX)
		return 0;
	if (childless(m, i) && !m->policy->lose_heads)
		why |= BIT(CKPT_WHY_HEAD);
	if (is_newest(m, i))
		why |= s->ns.n && !has_colon(s) ? BIT(CKPT_WHY_STATEFUL)
		                                : BIT(CKPT_WHY_HEAD);
	return why;
}

static bool orphan_goes(const struct model *m, size_t i)
{
	const struct plan_space *s = space(m, i);

	if (!m->policy->orphans || !s->orphan)
		return false;
	for (size_t j = s->first; j < s->first + s->count; j++)
		if (own_reasons(m, j) | plain_rules(m, j))
			return false;
	return true;
}

/* ---- together ----------------------------------------------------------------------------- */

static uint32_t whole_reasons(const struct model *m)
{
	uint32_t why = 0;

	for (size_t i = 0; i < m->p->nfacts; i++) {
		why |= own_reasons(m, i) | plain_rules(m, i);
		why |= orphan_goes(m, i) ? 0 : ranks(m, i);
		if (m->policy->idle && unknown(m, i))
			why |= BIT(CKPT_WHY_UNDECODABLE);
		if (m->policy->idle && !unknown(m, i) && !newer(m, i) &&
				age(m, i) < m->policy->idle)
			why |= BIT(CKPT_WHY_WITHIN);
	}
	return why;
}

static bool active(const struct model *m)
{
	for (size_t i = 0; i < m->p->nfacts; i++)
		if (m->policy->active_within && !unknown(m, i) && !newer(m, i) &&
				age(m, i) >= 0 && age(m, i) <= m->policy->active_within)
			return true;
	return false;
}

/* One round of everything that follows from something else; true if anything was new. */
static bool follow(const struct model *m, const bool *looked_into)
{
	bool fresh = false;

	for (size_t i = 0; i < m->p->nfacts; i++) {
		uint32_t old = m->why[i];
		size_t caller = space(m, i)->caller;

		for (size_t k = 0; k < m->needs->n; k++) {
			const struct need *need = &m->needs->list[k];

			if (need->what == i && m->why[need->of] &&
					looked_into[plan_model_space(m->p, i)])
				m->why[i] |= BIT(need->why);
		}
		if (caller != SIZE_MAX && m->why[caller])
			m->why[i] |= BIT(CKPT_WHY_SUBGRAPH);
		for (size_t j = 0; j < m->p->nfacts; j++)
			if (space(m, j)->caller == i &&
					(m->why[j] & ~BIT(CKPT_WHY_SUBGRAPH)))
				m->why[i] |= BIT(CKPT_WHY_SUBGRAPH);
		fresh = fresh || m->why[i] != old;
	}
	return fresh;
}

static void thin(const struct model *m)
{
	bool loses[64] = { false };

	for (size_t i = 0; i < m->p->nfacts; i++) {
		m->why[i] = own_reasons(m, i);
		if (!orphan_goes(m, i))
			m->why[i] |= plain_rules(m, i) | ranks(m, i) | heads(m, i);
	}
	while (follow(m, loses))
		;
	for (size_t i = 0; i < m->p->nfacts; i++)
		if (!m->why[i] && space(m, i)->caller == SIZE_MAX)
			loses[plan_model_space(m->p, i)] = true;
	while (follow(m, loses))
		;
}

static void judge(const struct model *m)
{
	uint32_t mine = BIT(CKPT_WHY_OTHER) | BIT(CKPT_WHY_NEWER);
	uint32_t all = 0;

	if (active(m) || m->p->keep_thread) {
		all |= active(m) ? BIT(CKPT_WHY_ACTIVE) : 0;
		all |= m->p->keep_thread ? BIT(CKPT_WHY_THREAD) : 0;
		for (size_t i = 0; i < m->p->nfacts; i++)
			m->why[i] = all | (own_reasons(m, i) & mine);
		return;
	}
	if (m->policy->thin && !m->policy->whole) {
		thin(m);
		return;
	}
	all = m->policy->whole ? whole_reasons(m) : BIT(CKPT_WHY_OTHER);
	for (size_t i = 0; i < m->p->nfacts; i++) {
		m->why[i] = 0;
		if (!orphan_goes(m, i))
			m->why[i] = all;
		if (!orphan_goes(m, i) && !m->policy->whole)
			m->why[i] |= own_reasons(m, i) | plain_rules(m, i);
	}
}

void plan_model(const struct plan *p, const struct needs *needs, uint32_t *why)
{
	static const char *const forms[UNITS] = { "%Y-%m-%d %H", "%Y-%m-%d", "%G-%V",
		"%Y-%m" };
	struct model m = { p, p->policy, needs, why, NULL };

	m.bucket = calloc(p->nfacts + 1, sizeof(*m.bucket));
	for (size_t i = 0; m.bucket && i < p->nfacts; i++) {
		int64_t t = p->facts[i].time;
		time_t seconds = t / 1000000000 - (t % 1000000000 < 0);
		struct tm tm;

		for (int unit = 0; gmtime_r(&seconds, &tm) && unit < UNITS; unit++)
			strftime(m.bucket[i][unit], 32, forms[unit], &tm);
	}
	if (!m.bucket)
		abort();
	judge(&m);
	free(m.bucket);
}
