/*
 * migrate_verify.c - the end of a migration: both stores are read as they are now and compared,
 * value against value. What is only in the target is its own business.
 */
#include "migrate.h"

static bool wanted(struct migrate *m, const struct ckpt_key *key)
{
	const struct ckpt_pick pick = { .key = *key, .depth = CKPT_META };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	bool yes;

	if (!m->how->wanted || m->how->by_key)
		return true;
	if (ckpt_scan_one(&scan, m->source, &pick, &c) <= 0)
		c = (struct ckpt_checkpoint){ .key = *key }; /* of writes alone */
	yes = m->how->wanted(m->how->arg, &c);
	ckpt_scan_close(scan);
	return yes;
}

static void tell(struct migrate *m, const struct ckpt_difference *d)
{
	const struct ckpt_care care = { .code = d->op == CKPT_ONLY_A ? "missing"
		                                                     : "different",
		.action = CKPT_CARE_REFUSE,
		.key = d->key,
		.detail = d->detail };

	if (m->how->care)
		m->how->care(m->how->arg, &care);
}

/* ---- by counting --------------------------------------------------------------------------------- */

static int span_cmp(const struct ckpt_checkpoint *a, const struct ckpt_checkpoint *b)
{
	int d = ckpt_view_cmp(a->key.thread, b->key.thread);

	return d ? d : ckpt_view_cmp(a->key.ns, b->key.ns);
}

/* Checkpoints that one namespace lacks, beyond those that could not be carried. */
static void count_short(struct migrate *m, const struct ckpt_checkpoint *c, int64_t there)
{
	int64_t lacks = c->count - plan_rejects(m, &c->key) - there;
	const struct ckpt_difference d = { .op = CKPT_ONLY_A,
		.key = { .thread = c->key.thread, .ns = c->key.ns, .blob = c->key.blob },
		.detail = CKPT_LIT("fewer checkpoints than in the source") };

	m->sum->verified_checkpoints += lacks > 0 ? there : c->count;
	if (lacks <= 0)
		return;
	m->sum->different += lacks;
	tell(m, &d);
}

static int count_checkpoints(struct migrate *m, struct ckpt_store *target)
{
	const struct ckpt_pick pick = { .depth = CKPT_SPANS };
	struct ckpt_scan *a = NULL, *b = NULL;
	struct ckpt_checkpoint x, y;
	int there = 0, rc = ckpt_scan_open(&a, m->source, &pick);

	if (rc >= 0)
		rc = ckpt_scan_open(&b, target, &pick);
	if (rc >= 0)
		rc = there = ckpt_scan_next(b, &y);
	while (rc >= 0 && (rc = ckpt_scan_next(a, &x)) > 0) {
		while (there > 0 && span_cmp(&y, &x) < 0)
			there = ckpt_scan_next(b, &y);
		rc = there < 0 ? there : 0;
		count_short(m, &x, there > 0 && span_cmp(&y, &x) == 0 ? y.count : 0);
	}
	ckpt_scan_close(a);
	ckpt_scan_close(b);
	return rc;
}

static int64_t count_writes(struct ckpt_store *s)
{
	const struct ckpt_pick pick = { .depth = CKPT_KEYS, .rows = CKPT_WRITE_ROWS };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int64_t n = 0;
	int rc = ckpt_scan_open(&scan, s, &pick);

	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0)
		n++;
	ckpt_scan_close(scan);
	return rc < 0 ? rc : n;
}

static int by_count(struct migrate *m, struct ckpt_store *target)
{
	int64_t mine, theirs = 0;
	int rc = count_checkpoints(m, target);

	if (rc < 0)
		return rc;
	mine = count_writes(m->source);
	if (mine >= 0)
		theirs = count_writes(target);
	if (mine < 0 || theirs < 0)
		return mine < 0 ? (int)mine : (int)theirs;
	m->sum->verified_writes = theirs < mine ? theirs : mine;
	/* writes of what is in quarantine are missing rightly */
	if (theirs < mine && !m->sum->quarantined)
		m->sum->different += mine - theirs;
	return 0;
}

/* ---- by value ------------------------------------------------------------------------------------- */

static int by_value(struct migrate *m, struct ckpt_store *target)
{
	const struct ckpt_match_how how = { .wanted = m->how->by_key ? m->how->wanted
		                                                     : NULL,
		.arg = m->how->arg,
		.migrated = true };
	const struct ckpt_match_counts *counts;
	struct ckpt_match *match;
	struct ckpt_difference d;
	int rc = ckpt_match_open(&match, m->source, target, &how);

	while (rc >= 0 && (rc = ckpt_match_next(match, &d)) > 0) {
		if (d.op == CKPT_ONLY_B || plan_rejected(m, &d.key) || !wanted(m, &d.key))
			continue;
		m->sum->different++;
		tell(m, &d);
	}
	if (match) {
		counts = ckpt_match_counts(match);
		m->sum->verified_checkpoints = counts->same[CKPT_IN_CHECKPOINTS];
		m->sum->verified_writes = counts->same[CKPT_IN_WRITES];
	}
	ckpt_match_close(match);
	return rc;
}

int migrate_verify(struct migrate *m)
{
	struct ckpt_store *target = NULL;
	int rc = ckpt_store_open(&target, m->name, &m->config, m->err);

	migrate_progress(m, "verify");
	/* of a part only its values tell whether it is there */
	if (rc >= 0)
		rc = m->how->verify == CKPT_VERIFY_COUNT && !m->how->wanted
		                     ? by_count(m, target)
		                     : by_value(m, target);
	if (rc >= 0)
		rc = ckpt_store_end(target);
	ckpt_store_close(target);
	if (rc >= 0 && m->sum->different) {
		rc = ckpt_fail(m->err, CKPT_ECORRUPT,
				"%lld rows are not in the target as they should be",
				(long long)m->sum->different);
		ckpt_hint(m->err, "ckpt diff --against shows them");
	}
	return rc < 0 ? rc : 0;
}
