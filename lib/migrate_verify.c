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

	if (!m->how->wanted)
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

int migrate_verify(struct migrate *m)
{
	const struct ckpt_match_how how = { .migrated = true };
	const struct ckpt_match_counts *counts;
	struct ckpt_store *target = NULL;
	struct ckpt_match *match = NULL;
	struct ckpt_difference d;
	int rc = ckpt_store_open(&target, m->name, &m->config, m->err);

	migrate_progress(m, "verify");
	if (rc >= 0)
		rc = ckpt_match_open(&match, m->source, target, &how);
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
