/*
 * test_plan.c - each rule and guard of a plan, as a table of small histories.
 *
 * A history is words. `/NAME` begins a namespace (`/` is the root's), `/NAME@X` a call of which
 * X is the caller, `/NAME@-` one whose caller is not there. `x=AGE` is a checkpoint: an age
 * before noon of Saturday, 2026-11-21, `+AGE` in the future, `@TIME`, or `?` for not known.
 * Its parent is the one before it; behind AGE `<y` names another and `<-` none, and `!` begins
 * flags: u not selected, w where, i interrupt, a answer, b blind. `x>y` says that x needs y as
 * a delta, `x>>y` for its Sends. What is wanted: `x` dropped, `x:reason,reason` kept.
 */
#include "plan.h"
#include "t.h"

#define H (INT64_C(3600) * 1000000000)
#define D (24 * H)
#define ON .thin = true

struct plan_case {
	const char *what, *history, *want;
	struct ckpt_policy policy;
	bool keep_thread;
};

static const struct plan_case cases[] = {
	{ "last", "/ a=9d b=8d c=7d d=6d", "a b c:last d:last,head", { ON, .last = 2 },
			false },
	{ "last counts each namespace for itself", "/ a=9d b=8d /sub c=9d d=8d",
			"a b:last,head c d:last,head,stateful", { ON, .last = 1 },
			false },
	{ "within, the bound included", "/ a=9d b=2d c=25h d=24h", "a b c d:within,head",
			{ ON, .within = D }, false },
	{ "no rule: the newest stays", "/ a=9d b=8d", "a b:head", { ON }, false },
	{ "a policy of nothing", "/ a=9d b=8d", "a:other b:other", { .last = 1 }, false },
	{ "hourly", "/ a=200min b=190min c=80min d=70min e=65min",
			"a b:hourly c d e:hourly,head", { ON, .hourly = 2 }, false },
	{ "hours that have none do not count", "/ a=99h b=50h c=1h",
			"a b:hourly c:hourly,head", { ON, .hourly = 2 }, false },
	{ "daily, by UTC",
			"/ a=@2026-11-18T23:59:59Z b=@2026-11-19T00:00:00Z "
			"c=@2026-11-19T23:59:59.999999999Z d=@2026-11-20",
			"a:daily b c:daily d:daily,head", { ON, .daily = 3 }, false },
	{ "weekly, from Monday on",
			"/ a=@2026-11-08T23:59Z b=@2026-11-09 c=@2026-11-15T23:59Z "
			"d=@2026-11-16",
			"a b c:weekly d:weekly,head", { ON, .weekly = 2 }, false },
	{ "weekly, over the new year: 2020-W53 is one week",
			"/ a=@2020-12-27T23:00Z b=@2020-12-28 c=@2021-01-03T23:00Z "
			"d=@2021-01-04",
			"a b c:weekly d:weekly,head", { ON, .weekly = 2 }, false },
	{ "monthly, with a leap day",
			"/ a=@2024-01-31T23:59Z b=@2024-02-01 "
			"c=@2024-02-29T23:59Z d=@2024-03-01",
			"a b c:monthly d:monthly,head", { ON, .monthly = 2 }, false },
	{ "months of different years", "/ a=@2024-11-01 b=@2025-11-01 c=@2026-11-01",
			"a:monthly b:monthly c:monthly,head", { ON, .monthly = 9 },
			false },
	{ "buckets before 1970",
			"/ a=@1969-12-31T22:59Z b=@1969-12-31T23:00Z "
			"c=@1969-12-31T23:59Z d=@1970-01-01T00:30Z",
			"a:hourly b c:hourly d:hourly,head", { ON, .hourly = 3 }, false },
	{ "the ends of time", "/ a=@1677-09-22 b=@2262-04-11",
			"a:monthly b:monthly,head,future", { ON, .monthly = 2 }, false },
	{ "newest of a day is by time, not by id", "/ a=2h b=4h<- c=3h<b",
			"a:daily,head b c:head", { ON, .daily = 1 }, false },
	{ "rules are ORed", "/ a=40d b=30d c=9h d=8h",
			"a b:monthly c:within d:last,within,monthly,head",
			{ ON, .last = 1, .within = 10 * H, .monthly = 2 }, false },
	{ "where", "/ a=9d b=8d!w c=7d", "a b:where c:head", { ON }, false },
	{ "a thread by name", "/ a=9d b=8d /sub c=9d", "a:thread b:thread c:thread",
			{ ON, .last = 1 }, true },

	{ "branch heads", "/ a=9d b=8d c=7d<a d=6d", "a b:head c d:head", { ON }, false },
	{ "branch heads may go", "/ a=9d b=8d c=7d<a d=6d", "a b c d:head",
			{ ON, .lose_heads = true }, false },
	{ "heads of stateful namespaces", "/sub a=9d b=8d c=7d<a", "a b c:stateful",
			{ ON, .lose_heads = true }, false },
	{ "a cycle has no head but its newest", "/ a=9d<c b=8d c=7d", "a b c:head",
			{ ON }, false },
	{ "its own parent", "/ a=9d b=8d<b c=7d<a", "a b:head c:head", { ON }, false },
	{ "min-age", "/ a=9h b=60min c=59min d=1min", "a b c:min-age d:head,min-age",
			{ ON, .min_age = H }, false },
	{ "the future", "/ a=9d b=+1s c=8d<a", "a b:head,future c:head", { ON }, false },
	{ "active: nothing is touched", "/ a=9d b=8d /sub c=10min",
			"a:active b:active c:active", { ON, .active_within = H }, false },
	{ "not active by the future", "/ a=9d b=8d c=+10min", "a b c:head,future",
			{ ON, .active_within = H }, false },
	{ "active, the bound included", "/ a=9d b=60min", "a:active b:active",
			{ ON, .active_within = H }, false },
	{ "questions and answers", "/ a=9d!i b=8d!a c=7d!ia d=6d",
			"a:interrupt b:answer c:interrupt,answer d:head", { ON }, false },
	{ "questions may go", "/ a=9d!i b=8d!a c=7d", "a b c:head",
			{ ON, .lose_interrupted = true }, false },
	{ "a time not known, and nobody asks", "/ a=? b=? c=?", "a b c:last,head",
			{ ON, .last = 1 }, false },
	{ "a time not known, for within", "/ a=? b=9d c=8d", "a:undecodable b c:head",
			{ ON, .within = H }, false },
	{ "a time not known, for days", "/ a=? b=9d c=8d",
			"a:undecodable b:daily c:daily,head", { ON, .daily = 5 }, false },
	{ "a time not known, for ages", "/ a=? b=9d c=8d", "a:undecodable b c:head",
			{ ON, .min_age = H }, false },
	{ "blind", "/ a=9d!b b=8d c=7d", "a:undecodable b c:head", { ON }, false },

	{ "not selected: stays and does not count", "/ a=9d b=8d c=7d!u d=6d!u",
			"a b:last c:other d:other", { ON, .last = 1 }, false },
	{ "only: what is not selected goes, unless a kept one needs it",
			"/ a=9d!u b=8d!u c=7d d=6d e=5d!u d>b", "a b:delta c d:last e",
			{ ON, .only = true, .last = 1 }, false },
	{ "only: its calls follow a caller that is kept",
			"/ a=9d b=8d /n:1@b c=8d!u /n:2@a d=9d!u",
			"a b:last,head c:subgraph d", { ON, .only = true, .last = 1 },
			false },
	{ "only: of a thread in use what is selected", "/ a=9d!u b=8d c=7d d=1min!u c>a",
			"a:delta b:active c:active d",
			{ ON, .only = true, .active_within = H }, false },
	{ "only: of a thread by name what is selected", "/ a=9d!u b=8d c=7d",
			"a b:thread c:thread", { ON, .only = true }, true },
	{ "all that is selected, each for itself",
			"/ a=9d!u b=8d c=7d!u /n:1@b d=8d!u /n:2@a e=9d b>a",
			"a:delta b:where c d e:where,head",
			{ ON, .only = true, .all = true }, false },
	{ "newer than the plan", "/ a=9d b=8d c=1h d=1min",
			"a b:last,head c:newer d:newer", { ON, .last = 1, .upto = 1 },
			false },
	{ "nothing but newer", "/ a=1h b=1min", "a:newer b:newer", { ON, .upto = 1 },
			false },

	{ "delta chain", "/ a=9d b=8d c=7d d=6d d>c c>b", "a b:delta c:delta d:head",
			{ ON }, false },
	{ "sends", "/ a=9d b=8d c=7d c>>b", "a b:sends c:head", { ON }, false },
	{ "what a newer one needs", "/ a=9d b=8d c=7d d=1h d>b",
			"a b:delta c:head d:newer", { ON, .upto = 1 }, false },
	{ "what one that is not selected needs", "/ a=9d b=8d c=7d!u d=6d c>b",
			"a b:delta c:other d:head", { ON }, false },
	{ "a cycle of needs", "/ a=9d b=8d c=7d d=6d d>c c>b b>c",
			"a b:delta c:delta d:head", { ON }, false },

	{ "calls follow their caller", "/ a=9d b=8d /n:1@a c=9d d=9d /n:2@b e=8d f=8d",
			"a b:head c d e:subgraph f:subgraph", { ON }, false },
	{ "nested calls follow the root", "/ a=9d b=8d /n:1@b c=9d /n:1|m:2@b d=9d",
			"a b:head c:subgraph d:subgraph", { ON }, false },
	{ "calls follow a caller that a delta chain keeps",
			"/ a=9d b=8d c=7d /n:1@a d=9d c>b b>a",
			"a:delta b:delta c:head d:subgraph", { ON }, false },
	{ "a young call holds its caller, and all calls of it",
			"/ a=9d b=8d /n:1@a c=9d d=1min /n:2@a e=9d",
			"a:subgraph b:head c:subgraph d:subgraph,min-age e:subgraph",
			{ ON, .min_age = H }, false },
	{ "what such a caller needs stays", "/ a=9d b=8d c=7d /n:1@b d=1min b>a",
			"a:delta b:subgraph c:head d:subgraph,min-age",
			{ ON, .min_age = H }, false },
	{ "rules do not rank calls", "/ a=9d b=8d /n:1@a c=9d!w", "a b:last,head c",
			{ ON, .last = 1 }, false },
	{ "a call of nobody is ranked", "/ a=9d /n:1 b=9d c=8d /n:2@- d=9d e=8d",
			"a:head b c:head d e:head", { ON, .lose_heads = true }, false },
	{ "stateful namespaces are ranked", "/ a=9d /sub b=9d c=8d",
			"a:head b c:head,stateful", { ON }, false },

	{ "orphans, and nothing else", "/ a=9d b=8d /n:1@- c=9d d=8d /n:2 e=9d",
			"a:other b:other c d e:other", { .orphans = true }, false },
	{ "orphans beside rules", "/ a=9d b=8d /n:1@- c=9d d=8d", "a b:last,head c d",
			{ ON, .last = 1, .orphans = true }, false },
	{ "a young orphan", "/ a=9d /n:1@- b=9d c=1min",
			"a:other b:other c:min-age,other",
			{ .orphans = true, .min_age = H }, false },
	{ "an orphan that is asked for", "/ a=9d /n:1@- b=9d!w c=8d!i d=7d",
			"a:head b:where c:interrupt d:head", { ON, .orphans = true },
			false },

	{ "whole threads", "/ a=9d b=8d /sub c=9d /n:1@a d=9d", "a b c d",
			{ .whole = true }, false },
	{ "idle long enough, the bound included", "/ a=9d b=8d", "a b",
			{ .whole = true, .idle = 8 * D }, false },
	{ "not idle", "/ a=9d b=8d /sub c=1d", "a:within b:within c:within",
			{ .whole = true, .idle = 2 * D }, false },
	{ "idle, not known", "/ a=? b=8d", "a:undecodable b:undecodable",
			{ .whole = true, .idle = D }, false },
	{ "whole, with a question", "/ a=9d!i b=8d", "a:interrupt b:interrupt",
			{ .whole = true }, false },
	{ "whole, young", "/ a=9d b=1min", "a:min-age b:min-age",
			{ .whole = true, .min_age = H }, false },
	{ "whole, a part not selected", "/ a=9d b=8d!u", "a:other b:other",
			{ .whole = true }, false },
	{ "whole, kept by where", "/ a=9d!w b=8d", "a:where b:where", { .whole = true },
			false },
	{ "whole, kept by name", "/ a=9d b=8d", "a:thread b:thread", { .whole = true },
			true },
	{ "whole, and in those that stay the orphans", "/ a=9d!i b=8d /n:1@- c=9d",
			"a:interrupt b:interrupt c", { .whole = true, .orphans = true },
			false },
};

/* ---- reading a history -------------------------------------------------------------------- */

#define MOST 16

struct history {
	struct plan plan;
	struct plan_fact facts[MOST];
	struct plan_space spaces[MOST];
	struct ckpt_policy policy;
	struct ckpt_error err;
	char needs[MOST][3]; /* who, what, and 'd' or 's' */
	size_t nneeds;
	char text[400];
};

static size_t named(char c)
{
	return c == '-' ? SIZE_MAX : (size_t)(c - 'a');
}

static void read_space(struct history *h, char *word)
{
	struct plan_space *s = &h->spaces[h->plan.nspaces++];
	char *at = strchr(word, '@');

	*s = (struct plan_space){ .first = h->plan.nfacts, .caller = SIZE_MAX };
	if (at) {
		s->caller = named(at[1]);
		s->orphan = at[1] == '-';
		*at = '\0';
	}
	s->ns = (struct ckpt_view){ word, strlen(word) };
}

static void read_time(struct history *h, struct plan_fact *f, const char *text)
{
	bool future = *text == '+';
	bool good = true;

	if (*text == '?') {
		f->time = CKPT_UNKNOWN;
	} else if (*text == '@') {
		good = ckpt_time_parse(&f->time,
				(struct ckpt_view){ text + 1, strlen(text + 1) }, 0);
	} else {
		good = ckpt_duration_parse(&f->time, text + future);
		f->time = h->policy.now + (future ? f->time : -f->time);
	}
	if (!good)
		ok(false, "%s is no time", text);
}

static void read_fact(struct history *h, char *word)
{
	static const char letters[] = "wiab";
	static const unsigned flags[] = { PLAN_WHERE, PLAN_ASKS, PLAN_ANSWERED,
		PLAN_BLIND };
	struct plan_space *s = &h->spaces[h->plan.nspaces - 1];
	struct plan_fact *f = &h->facts[h->plan.nfacts++];
	char *flag = strchr(word, '!'), *parent = strchr(word, '<');

	*f = (struct plan_fact){ .parent = s->count ? h->plan.nfacts - 2 : SIZE_MAX };
	f->flags = flag && strchr(flag, 'u') ? 0 : PLAN_SELECTED;
	for (size_t i = 0; i < 4; i++)
		if (flag && strchr(flag, letters[i]))
			f->flags |= flags[i];
	if (parent)
		f->parent = named(parent[1]);
	if (flag)
		*flag = '\0';
	if (parent)
		*parent = '\0';
	read_time(h, f, word + 2);
	s->newest = h->plan.nfacts - 1;
	s->count++;
}

static void read_history(struct history *h, const struct plan_case *c)
{
	char *save = NULL;

	memset(h, 0, sizeof(*h));
	h->policy = c->policy;
	ckpt_time_parse(&h->policy.now, CKPT_LIT("2026-11-21T12:00Z"), 0);
	/* 1: as of two hours ago */
	h->policy.upto = c->policy.upto ? h->policy.now - 2 * H : CKPT_UNKNOWN;
	snprintf(h->text, sizeof(h->text), "%s", c->history);
	for (char *w = strtok_r(h->text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (*w == '/') {
			read_space(h, w + 1);
		} else if (w[1] == '=') {
			read_fact(h, w);
		} else {
			h->needs[h->nneeds][0] = w[0];
			h->needs[h->nneeds][1] = w[2] == '>' ? w[3] : w[2];
			h->needs[h->nneeds++][2] = w[2] == '>' ? 's' : 'd';
		}
	}
	h->plan.facts = h->facts;
	h->plan.spaces = h->spaces;
	h->plan.policy = &h->policy;
	h->plan.keep_thread = c->keep_thread;
	h->plan.err = &h->err;
}

static void close_plan(struct history *h)
{
	size_t fact;

	while (plan_open(&h->plan, &fact))
		for (size_t k = 0; k < h->nneeds; k++)
			if (named(h->needs[k][0]) == fact)
				plan_keep(&h->plan, named(h->needs[k][1]),
						h->needs[k][2] == 's' ? CKPT_WHY_SENDS
								      : CKPT_WHY_DELTA);
}

static void print_plan(struct ckpt_buf *to, const struct plan *p)
{
	for (size_t i = 0; i < p->nfacts; i++) {
		const char *before = ":";
		const char name[] = { ' ', (char)('a' + i), '\0' };

		ckpt_buf_puts(to, i ? name : name + 1);
		for (unsigned bit = 0; bit <= CKPT_WHYS; bit++) {
			if (!(p->facts[i].why >> bit & 1))
				continue;
			ckpt_buf_puts(to, before);
			ckpt_buf_puts(to,
					bit < CKPT_WHYS ? ckpt_why_names[bit] : "other");
			before = ",";
		}
	}
}

static void try_case(const struct plan_case *c)
{
	struct ckpt_buf got = { 0 };
	struct history h;

	read_history(&h, c);
	if (plan_rank(&h.plan) < 0)
		ok(false, "%s: %s", c->what, h.err.text);
	close_plan(&h);
	print_plan(&got, &h.plan);
	same(got.p, got.n, c->want, c->what);
	plan_free(&h.plan);
	ckpt_buf_free(&got);
}

/* ---- the rest ----------------------------------------------------------------------------- */

static void nothing_at_all(void)
{
	struct ckpt_policy policy = { .whole = true, .upto = CKPT_UNKNOWN };
	struct ckpt_error err = { 0 };
	struct plan p = { .policy = &policy, .err = &err };
	size_t fact;

	ok(plan_rank(&p) == 0 && !plan_open(&p, &fact) && !p.emptied && !p.active,
			"a thread of nothing");
	plan_free(&p);
}

static void all_at_once(void)
{
	const struct plan_case c = { "", "/ a=9d b=8d c=7d", "", { ON, .last = 2 },
		false };
	struct history h;
	size_t fact;

	read_history(&h, &c);
	ok(plan_rank(&h.plan) == 0 && plan_open(&h.plan, &fact) && fact == 1,
			"the oldest that is kept is given first");
	plan_keep_all(&h.plan, CKPT_WHY_ACTIVE);
	ok(!plan_open(&h.plan, &fact) && h.facts[0].why && h.facts[2].why,
			"kept as a whole, nothing is left to look into");
	plan_free(&h.plan);
}

static void only_where_some_go(void)
{
	const struct plan_case c = { "", "/ a=9d b=8d /n:1@b c=8d /sub d=9d e=8d", "",
		{ ON, .last = 2 }, false };
	struct history h;
	size_t fact;

	read_history(&h, &c);
	ok(plan_rank(&h.plan) == 0 && !plan_open(&h.plan, &fact),
			"nothing goes, nothing is looked into");
	h.policy.last = 1;
	h.facts[3].flags |= PLAN_WHERE;
	ok(plan_rank(&h.plan) == 0 && plan_open(&h.plan, &fact) && fact == 1 &&
					!plan_open(&h.plan, &fact),
			"only namespaces are looked into that lose some");
	plan_free(&h.plan);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		try_case(&cases[i]);
	nothing_at_all();
	all_at_once();
	only_where_some_go();
	return done();
}
