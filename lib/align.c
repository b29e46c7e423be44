/*
 * align.c - the longest common subsequence of two lists of hashes, in time that stays near linear.
 *
 * What is equal at both ends goes first. What is left is searched by Myers' greedy algorithm,
 * which is exact and fast while few items differ; where it would take too long, the items that
 * occur once on both sides are the anchors (the longest ascending run of them) and what lies
 * between two anchors is a smaller problem of the same kind. Knows nothing of values.
 */
#include <string.h>

#include "align.h"
#include "base.h"

enum { DIFFER_MOST = 2000, LEVELS = 16 };

struct job { /* a[a0..a1) against b[b0..b1) */
	uint32_t a0, a1, b0, b1, level;
};

struct once { /* an item with its place: 2 * place in a, or 2 * place in b + 1 */
	uint64_t key, place;
};

struct pair {
	uint32_t a, b, before;
};

struct align {
	const uint64_t *a, *b;
	uint32_t *match;
	struct job *jobs;
	size_t njobs, capjobs;
	int64_t *far; /* Myers: the farthest x on each diagonal */
	int32_t *trail;
	size_t captrail;
	int64_t work; /* steps that may still be spent on exactness */
};

static bool push(struct align *s, struct job job)
{
	if (job.a0 == job.a1 || job.b0 == job.b1)
		return true;
	if (s->njobs == s->capjobs) {
		size_t cap = s->capjobs ? 2 * s->capjobs : 16;
		struct job *more = realloc(s->jobs, cap * sizeof(*more));

		if (!more)
			return false;
		s->jobs = more;
		s->capjobs = cap;
	}
	s->jobs[s->njobs++] = job;
	return true;
}

static void trim(struct align *s, struct job *j)
{
	while (j->a0 < j->a1 && j->b0 < j->b1 && s->a[j->a0] == s->b[j->b0])
		s->match[j->a0++] = j->b0++;
	while (j->a0 < j->a1 && j->b0 < j->b1 && s->a[j->a1 - 1] == s->b[j->b1 - 1])
		s->match[--j->a1] = --j->b1;
}

/* ---- Myers ----------------------------------------------------------------------------------- */

/* The row of step d in the trail: the farthest x of diagonals -d, -d + 2, … d. */
static size_t row(int64_t d)
{
	return (size_t)(d * (d + 1) / 2);
}

static bool keep_row(struct align *s, int64_t d)
{
	size_t need = row(d + 1);

	if (need > s->captrail) {
		size_t cap = 2 * need + 64;
		int32_t *more = realloc(s->trail, cap * sizeof(*more));

		if (!more)
			return false;
		s->trail = more;
		s->captrail = cap;
	}
	for (int64_t i = 0; i <= d; i++)
		s->trail[row(d) + (size_t)i] =
				(int32_t)s->far[DIFFER_MOST + 1 + 2 * i - d];
	return true;
}

/* Does the best way to diagonal k come from the one above (an item of b more)? */
static bool from_above(const int64_t *far, int64_t k, int64_t d)
{
	return k == -d || (k != d && far[k - 1] < far[k + 1]);
}

static void walk_back(struct align *s, const struct job *j, int64_t d)
{
	int64_t x = j->a1 - j->a0, y = j->b1 - j->b0;

	for (; d > 0; d--) {
		const int32_t *before = s->trail + row(d - 1);
		int64_t k = x - y, i = (k + d) / 2, start;
		/* diagonals k - 1 and k + 1 stand at i - 1 and i of the row before */
		bool above = k == -d || (k != d && before[i - 1] < before[i]);

		start = above ? before[i] : before[i - 1] + 1;
		for (; x > start && y > 0; x--, y--)
			s->match[j->a0 + x - 1] = (uint32_t)(j->b0 + y - 1);
		x -= !above;
		y -= above;
	}
	for (; x > 0 && y > 0; x--, y--)
		s->match[j->a0 + x - 1] = (uint32_t)(j->b0 + y - 1);
}

/* 1 done, 0 too different, < 0 no memory. */
static int exact(struct align *s, const struct job *j)
{
	int64_t n = j->a1 - j->a0, m = j->b1 - j->b0, *far = s->far + DIFFER_MOST + 1;

	far[1] = 0;
	for (int64_t d = 0; d <= DIFFER_MOST && d <= n + m && s->work > 0; d++) {
		for (int64_t k = -d; k <= d; k += 2) {
			int64_t x = from_above(far, k, d) ? far[k + 1] : far[k - 1] + 1;
			int64_t y = x - k, from = x;

			while (x < n && y < m && s->a[j->a0 + x] == s->b[j->b0 + y])
				x++, y++;
			s->work -= 1 + x - from;
			far[k] = x;
			if (x == n && y == m) {
				walk_back(s, j, d);
				return 1;
			}
		}
		if (!keep_row(s, d))
			return CKPT_ENOMEM;
	}
	return 0;
}

/* ---- anchors --------------------------------------------------------------------------------- */

static int by_key(const void *x, const void *y)
{
	const struct once *a = x, *b = y;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return (a->place > b->place) - (a->place < b->place);
}

static int by_a(const void *x, const void *y)
{
	const struct pair *a = x, *b = y;

	return (a->a > b->a) - (a->a < b->a);
}

/* Items that are once in a and once in b, in the order of a. */
static uint32_t find_once(struct align *s, const struct job *j, struct once *all,
		struct pair *pairs)
{
	uint32_t n = 0, found = 0;

	for (uint32_t i = j->a0; i < j->a1; i++)
		all[n++] = (struct once){ s->a[i], 2 * (uint64_t)i };
	for (uint32_t i = j->b0; i < j->b1; i++)
		all[n++] = (struct once){ s->b[i], 2 * (uint64_t)i + 1 };
	qsort(all, n, sizeof(*all), by_key);
	for (uint32_t i = 0, to; i < n; i = to) {
		for (to = i + 1; to < n && all[to].key == all[i].key;)
			to++;
		if (to == i + 2 && (all[i].place & 1) != (all[i + 1].place & 1)) {
			const struct once *a = &all[i + (all[i].place & 1)];
			const struct once *b = &all[i + 1 - (all[i].place & 1)];

			pairs[found++] = (struct pair){ (uint32_t)(a->place / 2),
				(uint32_t)(b->place / 2), ALIGN_NONE };
		}
	}
	qsort(pairs, found, sizeof(*pairs), by_a);
	return found;
}

/* The last pair of a longest run that ascends in b too; `before` leads back. */
static uint32_t longest_run(struct pair *pairs, uint32_t n, uint32_t *ends)
{
	uint32_t length = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t low = 0, high = length;

		while (low < high) {
			uint32_t mid = low + (high - low) / 2;

			if (pairs[ends[mid]].b < pairs[i].b)
				low = mid + 1;
			else
				high = mid;
		}
		pairs[i].before = low ? ends[low - 1] : ALIGN_NONE;
		ends[low] = i;
		length += low == length;
	}
	return length ? ends[length - 1] : ALIGN_NONE;
}

static int anchors(struct align *s, struct job j)
{
	size_t n = (size_t)(j.a1 - j.a0) + (j.b1 - j.b0);
	struct once *all = malloc(n * sizeof(*all));
	struct pair *pairs = malloc(n * sizeof(*pairs));
	uint32_t *ends = malloc(n * sizeof(*ends)), at = ALIGN_NONE;
	bool good = all && pairs && ends;

	if (good)
		at = longest_run(pairs, find_once(s, &j, all, pairs), ends);
	good = good && (at == ALIGN_NONE || push(s, (struct job){ pairs[at].a + 1, j.a1,
								    pairs[at].b + 1, j.b1,
								    j.level + 1 }));
	while (good && at != ALIGN_NONE) {
		uint32_t before = pairs[at].before;
		struct job between = { j.a0, pairs[at].a, j.b0, pairs[at].b,
			j.level + 1 };

		s->match[pairs[at].a] = pairs[at].b;
		if (before != ALIGN_NONE) {
			between.a0 = pairs[before].a + 1;
			between.b0 = pairs[before].b + 1;
		}
		good = push(s, between);
		at = before;
	}
	free(all);
	free(pairs);
	free(ends);
	return good ? 0 : CKPT_ENOMEM;
}

int align_lists(uint32_t *match, const uint64_t *a, uint32_t na, const uint64_t *b,
		uint32_t nb)
{
	struct align s = { .a = a, .b = b, .match = match };
	struct job all = { 0, na, 0, nb, 0 };
	int rc = 0;

	for (uint32_t i = 0; i < na; i++)
		match[i] = ALIGN_NONE;
	trim(&s, &all);
	if (all.a0 == all.a1 || all.b0 == all.b1)
		return 0;
	s.work = 20000000 + 16 * ((int64_t)na + nb);
	s.far = calloc(2 * DIFFER_MOST + 5, sizeof(*s.far));
	if (!s.far || !push(&s, all))
		rc = CKPT_ENOMEM;
	while (rc >= 0 && s.njobs) {
		struct job j = s.jobs[--s.njobs];

		trim(&s, &j);
		if (j.a0 == j.a1 || j.b0 == j.b1)
			continue;
		rc = exact(&s, &j);
		if (rc == 0 && j.level < LEVELS)
			rc = anchors(&s, j);
	}
	free(s.far);
	free(s.trail);
	free(s.jobs);
	return rc < 0 ? rc : 0;
}
