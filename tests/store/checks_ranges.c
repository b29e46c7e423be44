/*
 * checks_ranges.c - ranges of threads: wherever a store is cut in two, each row lies on exactly one
 * side, whatever the depth and the kind of rows; and the cuts that the library proposes.
 */
#include <stdio.h>
#include <string.h>

#include "checks.h"
#include "made.h"

struct sum { /* of rows, in any order */
	long n;
	uint64_t digest;
};

static uint64_t digest_of(const struct ckpt_checkpoint *c)
{
	uint64_t h = ckpt_hash(c->key.thread) * 31 + ckpt_hash(c->key.ns);

	h = (h * 31 + ckpt_hash(c->key.id)) * 31 + c->key.blob;
	h = (h * 31 + (uint64_t)c->count) * 31 + ckpt_hash(c->first);
	for (size_t i = 0; i < c->nwrites; i++)
		h = h * 31 + ckpt_hash(c->writes[i].task) + (uint64_t)c->writes[i].idx;
	for (size_t i = 0; i < c->nvalues; i++)
		h = (h * 31 + ckpt_hash(c->values[i].channel)) * 31 +
		    ckpt_hash(c->values[i].body);
	return h;
}

/* Is it on the side it belongs to? A server compares in an order of its own. */
static bool belongs(const struct ckpt_pick *p, const struct ckpt_checkpoint *c)
{
	const struct ckpt_bound *from = &p->thread_from, *upto = &p->thread_upto;
	bool blob = c->key.blob & CKPT_BLOB_THREAD;

	if (kind_is_postgres(now.kind))
		return true;
	if (from->v.p && (from->blob != blob ? from->blob
					     : ckpt_view_cmp(c->key.thread, from->v) < 0))
		return false;
	return !upto->v.p ||
	       (upto->blob != blob ? upto->blob
				   : ckpt_view_cmp(c->key.thread, upto->v) < 0);
}

static bool add(struct ckpt_store *s, const struct ckpt_pick *p, struct sum *out)
{
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	bool good = ckpt_scan_open(&scan, s, p) == 0;
	int rc = 0;

	while (good && (rc = ckpt_scan_next(scan, &c)) > 0) {
		good = belongs(p, &c);
		out->n++;
		out->digest += digest_of(&c);
		if (!good)
			complain("on the wrong side", &c, NULL);
	}
	ckpt_scan_close(scan);
	return good && rc == 0;
}

/* The whole against the ranges between the cuts, each way of reading. */
static bool adds_up(struct ckpt_store *s, const struct ckpt_bound *cuts, int n)
{
	for (unsigned way = 0; way < 4 * (CKPT_VALUES + 1) + 5; way++) {
		struct ckpt_pick p = { .depth = way / 4, .descending = way & 1 };
		struct sum whole = { 0 }, parts = { 0 };

		if (p.depth > CKPT_VALUES) {
			p.depth = CKPT_VALUES;
			p.rows = CKPT_STORED + way - 4 * (CKPT_VALUES + 1);
		}
		p.writes = way & 2 && p.depth >= CKPT_KEYS && p.rows == CKPT_WHOLE;
		if (!add(s, &p, &whole))
			return false;
		for (int i = 0; i <= n; i++) {
			p.thread_from = i ? cuts[i - 1] : (struct ckpt_bound){ 0 };
			p.thread_upto = i < n ? cuts[i] : (struct ckpt_bound){ 0 };
			if (!add(s, &p, &parts))
				return false;
		}
		if (whole.n == parts.n && whole.digest == parts.digest)
			continue;
		printf("# way %u: %ld rows, in ranges %ld\n", way, whole.n, parts.n);
		return false;
	}
	return true;
}

/* Cuts as proposed: each range but the first begins with its cut, so none is empty. */
static bool proposed(struct ckpt_store *s, size_t n)
{
	struct ckpt_bound cuts[8];
	int have = ckpt_store_split(cuts, s, n);
	bool good = have > 0 && (size_t)have < n;

	for (int i = 0; i < have && good; i++) {
		struct ckpt_pick p = { .depth = CKPT_KEYS, .thread_from = cuts[i] };
		struct sum in = { 0 };

		if (i + 1 < have)
			p.thread_upto = cuts[i + 1];
		p.key.thread = cuts[i].v;
		p.key.blob = cuts[i].blob ? CKPT_BLOB_THREAD : 0;
		good = add(s, &p, &in);
		p.rows = CKPT_BLOB_ROWS; /* a thread may be there for its blobs alone */
		good = good && add(s, &p, &in) && in.n > 0;
	}
	if (!good)
		printf("# %d cuts for %zu ranges\n", have, n);
	return good && adds_up(s, cuts, have);
}

/* ---- keys of two kinds, and none ------------------------------------------------------------------ */

static struct ckpt_store *typed(const char *path, const char *more)
{
	sqlite3 *db = made_store(path);

	made_sql(db, "WITH t(t) AS (VALUES (''), ('a'), ('b'), ('c'), (CAST('' AS "
		     "BLOB)), "
		     "(CAST('a' AS BLOB)), (CAST('b' AS BLOB)), (CAST('zz' AS BLOB))) "
		     "INSERT INTO checkpoints SELECT t, '', 'i', NULL, 'json', '{}', "
		     "'{}' "
		     "FROM t; INSERT INTO writes SELECT thread_id, '', 'i', 'x', '', 0, "
		     "'c', 'json', '1' FROM checkpoints");
	made_sql(db, more);
	made_close(db);
	return made_open(path, &now.err);
}

static bool typed_ranges(void)
{
	static const struct ckpt_bound cuts[] = { { CKPT_LIT(""), false },
		{ CKPT_LIT("aa"), false }, { CKPT_LIT("b"), false },
		{ CKPT_LIT("~"), false }, { CKPT_LIT(""), true }, { CKPT_LIT("b"), true },
		{ CKPT_LIT("zzz"), true } };
	const char *path = made_path("ranges.db");
	struct ckpt_store *s = typed(path, "");
	struct ckpt_bound out[4];
	bool good = s && adds_up(s, cuts, LEN(cuts));

	for (size_t i = 0; i < LEN(cuts) && good; i++)
		good = adds_up(s, &cuts[i], 1);
	good = good && ckpt_store_split(out, s, 2) == 1 && out[0].blob &&
	       same_view(out[0].v, CKPT_LIT("")) && ckpt_store_split(out, s, 1) == 0;
	ckpt_store_close(s);
	remove(path);
	if (!good)
		return false;
	/* a row in no range: nothing is proposed */
	s = typed(path, "DROP TABLE writes; CREATE TABLE writes (thread_id, "
			"checkpoint_ns, "
			"checkpoint_id, task_id, idx, channel, type, value); "
			"INSERT INTO writes (idx) VALUES (0)");
	good = s && ckpt_store_split(out, s, 4) == 0;
	ckpt_store_close(s);
	remove(path);
	return good;
}

bool check_ranges(struct ckpt_store *s)
{
	bool good = true;

	for (size_t i = 0; i < now.nwant && good; i++) {
		const struct ckpt_bound cut = { now.want[i]->thread, false };

		if (!i || !ckpt_view_eq(now.want[i - 1]->thread, cut.v))
			good = adds_up(s, &cut, 1);
	}
	good = good && adds_up(s, &(struct ckpt_bound){ CKPT_LIT("b"), true }, 1);
	for (size_t n = 2; n < 8 && good; n++)
		good = proposed(s, n);
	return good && (strcmp(now.kind->engine, "sqlite") != 0 || typed_ranges());
}
