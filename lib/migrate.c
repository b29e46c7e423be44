/*
 * migrate.c - a store into another one, in phases: look whether everything can be carried, find
 * out what is there already, copy in batches, compare. Nothing is written before the first two
 * have found no reason against it.
 */
#include <sys/stat.h>

#include "delta.h"
#include "failpoint.h"
#include "items.h"
#include "migrate.h"
#include "row.h"
#include "subset.h"

#define RETRIES 5
#define JOBS 2 /* connections to a server, unless it is said how many */

void migrate_progress(struct migrate *m, const char *phase)
{
	if (m->how->progress)
		m->how->progress(m->how->arg, phase, m->done, m->all);
}

static int count_all(struct migrate *m)
{
	const bool by_key = m->how->wanted && m->how->by_key;
	const struct ckpt_pick pick = { .depth = by_key ? CKPT_KEYS : CKPT_SPANS };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc = ckpt_scan_open(&scan, m->source, &pick);

	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0)
		m->all += by_key ? m->how->wanted(m->how->arg, &c) : c.count;
	ckpt_scan_close(scan);
	return rc;
}

/* ---- can it be carried ------------------------------------------------------------------------- */

static void tell(struct migrate *m, const struct ckpt_key *key,
		const struct convert_care *care)
{
	static const enum ckpt_care_action actions[] = {
		[CONVERT_MOVED_TO_BLOB] = CKPT_CARE_BLOB,
		[CONVERT_RENUMBERED] = CKPT_CARE_RENUMBER,
	};
	struct ckpt_care out = { .code = care->code,
		.key = *key,
		.channel = care->channel,
		.detail = care->detail };

	if (care->action == CONVERT_CANNOT)
		out.action = m->how->reject ? CKPT_CARE_QUARANTINE : CKPT_CARE_REFUSE;
	else
		out.action = actions[care->action];
	if (m->how->care)
		m->how->care(m->how->arg, &out);
}

int migrate_check_paths(struct migrate *m, const struct ckpt_checkpoint *c)
{
	for (size_t i = 0; i < c->nwrites && !m->paths; i++) {
		if (!c->writes[i].path.n)
			continue;
		ckpt_fail(m->err, CKPT_EREFUSED,
				"the target's writes have no column task_path, which "
				"orders "
				"the writes of this store");
		ckpt_hint(m->err, "its application's newest release adds the column when "
				  "it "
				  "sets up its tables");
		return m->err->code;
	}
	return 0;
}

int migrate_note(struct migrate *m, const struct ckpt_checkpoint *c,
		const struct convert_out *out)
{
	for (size_t i = 0; i < out->ncares; i++)
		tell(m, &c->key, &out->cares[i]);
	if (!out->cannot)
		return 0;
	m->sum->quarantined++;
	m->refused |= !m->how->reject;
	return plan_reject(m, &c->key);
}

static int look_at(struct migrate *m, const struct ckpt_checkpoint *c)
{
	struct convert_out out;
	int rc = migrate_check_paths(m, c);

	if (rc >= 0)
		rc = convert_next(m->convert, &out, c, &m->arena);
	rc = rc < 0 ? rc : migrate_note(m, c, &out);
	if (rc >= 0 && m->how->dry_run && !out.cannot)
		migrate_count(m, c, &out);
	return rc;
}

/* ---- the phases --------------------------------------------------------------------------------- */

typedef int each(struct migrate *, const struct ckpt_checkpoint *);

static int convert_start(struct migrate *m)
{
	const struct convert_config config = { .from_apart = m->from_apart,
		.to_apart = m->to_apart,
		.encrypt_all = m->how->encrypt_all,
		.crypt = m->crypt };

	convert_close(m->convert);
	m->convert = NULL;
	return convert_open(&m->convert, &config, m->err);
}

/* Is a channel of the namespace at hand a delta channel whose snapshot is lost, if all there is of
 * it is a plain `true`? All checkpoints of a namespace agree on which channels are: ask once. */
static int is_lost(
		struct migrate *m, const struct ckpt_checkpoint *c, size_t at, bool *lost)
{
	struct marks *k = &m->marks;
	enum ckpt_place *places;

	if (!k->thread.p || !ckpt_view_eq(k->thread, c->key.thread) ||
			!ckpt_view_eq(k->ns, c->key.ns)) {
		arena_reset(&k->arena);
		k->n = 0;
		k->thread = arena_copy(&k->arena, c->key.thread, m->err);
		k->ns = arena_copy(&k->arena, c->key.ns, m->err);
	}
	for (size_t i = 0; i < k->n; i++) {
		*lost = k->lost[i];
		if (ckpt_view_eq(k->channel[i], c->values[at].channel))
			return m->err->code;
	}
	places = arena_take(&m->arena, c->nvalues * sizeof(*places), m->err);
	if (!places || ckpt_delta_places(m->source, c, places) < 0)
		return m->err->code;
	*lost = places[at] == CKPT_LOST;
	if (k->n < MARKS_MOST) {
		k->channel[k->n] = arena_copy(&k->arena, c->values[at].channel, m->err);
		k->lost[k->n++] = *lost;
	}
	return m->err->code;
}

/* Where the values are taken out of blobs, the mark of one that is lost must not pass for it. */
static int mark_lost(struct migrate *m, struct ckpt_checkpoint *c)
{
	struct ckpt_value *values = NULL;

	if (!m->from_apart || m->to_apart)
		return 0;
	for (size_t i = 0; i < c->nvalues; i++) {
		bool lost = false;

		if (!delta_mark(m->source, &c->values[i]))
			continue;
		if (is_lost(m, c, i, &lost) < 0)
			return m->err->code;
		if (lost && !values) {
			values = arena_take(
					&m->arena, c->nvalues * sizeof(*values), m->err);
			if (!values)
				return m->err->code;
			memcpy(values, c->values, c->nvalues * sizeof(*values));
		}
		if (lost)
			values[i].place = CKPT_LOST;
	}
	c->values = values ? values : c->values;
	return 0;
}

static int do_one(struct migrate *m, const struct ckpt_checkpoint *found, each *fn,
		const char *phase)
{
	struct ckpt_checkpoint c = *found;
	int rc;

	arena_reset(&m->arena);
	rc = mark_lost(m, &c) < 0 ? m->err->code : fn(m, &c);
	m->done++;
	migrate_progress(m, phase);
	return rc;
}

static int for_subset(struct migrate *m, each *fn, const char *phase)
{
	const struct ckpt_pick pick = {
		.depth = CKPT_VALUES, .writes = true, .raw = m->from_apart && m->to_apart
	};
	struct subset *subset;
	struct ckpt_checkpoint c;
	int rc = subset_open(&subset, m->source, &pick, m->how->wanted, m->how->arg);

	while (rc >= 0 && (rc = subset_next(subset, &c)) > 0)
		rc = do_one(m, &c, fn, phase);
	subset_close(subset);
	return rc;
}

/* Every checkpoint of the source that is wanted, in the order of their keys. */
static int for_each(struct migrate *m, each *fn, const char *phase)
{
	const struct ckpt_pick pick = { .depth = CKPT_VALUES,
		.writes = true,
		.apart = m->blob_rows,
		.raw = m->from_apart && m->to_apart };
	struct ckpt_scan *scan = NULL;
	struct ckpt_checkpoint c;
	int rc = convert_start(m);

	m->done = 0;
	if (rc >= 0 && m->how->wanted && m->how->by_key)
		return for_subset(m, fn, phase);
	if (rc >= 0)
		rc = ckpt_scan_open(&scan, m->source, &pick);
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0) {
		if (!m->how->wanted || m->how->wanted(m->how->arg, &c))
			rc = do_one(m, &c, fn, phase);
		else
			m->done++;
	}
	ckpt_scan_close(scan);
	return rc;
}

static int refuse(struct migrate *m)
{
	ckpt_fail(m->err, CKPT_EREFUSED,
			"%lld checkpoints cannot be carried without loss; nothing was "
			"written",
			(long long)m->sum->quarantined);
	ckpt_hint(m->err, "--quarantine FILE puts them there and copies the rest");
	return m->err->code;
}

static int copy(struct migrate *m)
{
	const struct target_config config = { .store = &m->config,
		.stage = m->stage.part ? &m->stage : NULL,
		.from = m->source,
		.source = m->about.uri,
		.jobs = m->how->jobs ? m->how->jobs : JOBS,
		.asked = m->how->jobs,
		.js = m->about.writers == CKPT_JS };
	struct target *t;
	int rc = target_open(&m->target, m->at, &config, m->err);

	t = m->target;
	m->lost = rc == CKPT_EBUSY || rc == CKPT_ECONNECT;
	if (rc >= 0)
		rc = t->ops->begin(t);
	if (rc >= 0 && m->blob_rows)
		rc = migrate_copy_blobs(m);
	if (rc >= 0)
		rc = t->ops->barrier(t);
	if (rc >= 0)
		rc = for_each(m, migrate_copy_one, "copy");
	if (rc >= 0 && m->refused)
		rc = refuse(m);
	if (rc >= 0)
		rc = migrate_copy_strays(m);
	if (rc >= 0)
		rc = migrate_copy_stray_blobs(m);
	if (rc >= 0)
		rc = t->ops->commit(t);
	if (rc >= 0)
		rc = t->ops->settle(t);
	if (rc >= 0)
		rc = items_copy(m);
	if (rc >= 0 && m->how->verify != CKPT_VERIFY_NONE)
		rc = items_verify(m);
	if (rc >= 0)
		rc = t->ops->keep(t);
	if (rc >= 0)
		m->at = m->name;
	if (t) {
		m->lost |= t->lost;
		m->sum->checkpoints += t->done.checkpoints;
		m->sum->writes += t->done.writes;
		m->sum->blobs += t->done.blobs;
		m->sum->bytes += t->done.bytes;
	}
	return rc;
}

/* Rows that are moved as they lie are not opened: encrypted they stay, byte for byte. */
static void without_key(struct migrate *m, struct ckpt_store *target)
{
	if (m->from_apart != m->to_apart)
		return;
	store_forget_key(m->source);
	if (target)
		store_forget_key(target);
	m->config.aes_key = m->config.aes_key_file = NULL;
}

/* What is at the other end, without changing it: nothing yet, or a store of how many values. */
static int look_at_target(struct migrate *m)
{
	struct ckpt_error err = { 0 };
	struct ckpt_store *target;
	int rc = ckpt_store_open(&target, m->at, &m->config, &err);

	if (rc == 0) {
		rc = store_ordered(target, m->err);
		m->to_apart = target->inlines;
		m->paths = target_has_paths(target);
		without_key(m, target);
		rc = rc < 0 ? rc : target_alterable(target);
		rc = rc < 0 ? rc : plan_make(m, target);
		if (rc >= 0)
			rc = ckpt_store_end(target);
		ckpt_store_close(target);
		if (rc < 0 && !m->err->code)
			*m->err = err;
		return rc;
	}
	m->paths = true;
	m->to_apart = m->from_apart; /* an archive keeps them as they come */
	rc = target_possible(m->at, &m->config, &m->to_apart, &err);
	if (rc < 0)
		*m->err = err;
	without_key(m, NULL);
	return rc;
}

/* Two names of one file: whoever wrote there would read what it writes. */
static int check_apart(struct migrate *m)
{
	const char *names[2] = { m->source->name, m->at };
	struct stat st[2];

	for (size_t i = 0; i < 2; i++) {
		struct store_name n;
		int rc = store_resolve(&n, names[i], m->err);

		rc = rc < 0 || n.backend == &postgres_backend ? -1
		                                              : stat(n.where, &st[i]);
		store_name_free(&n);
		if (rc < 0)
			return m->err->code;
	}
	if (st[0].st_ino == st[1].st_ino && st[0].st_dev == st[1].st_dev)
		return ckpt_fail(m->err, CKPT_EUSAGE,
				"source and target are the same file");
	return 0;
}

/* Seconds go by, unless somebody wants to stop. */
static bool pause_for(const struct migrate *m, int seconds)
{
	const struct timespec tick = { 0, 100 * 1000000L };

	for (int i = 0; i < seconds * 10; i++) {
		if (m->config.stop && m->config.stop(m->config.arg))
			return false;
		nanosleep(&tick, NULL);
	}
	return true;
}

/* A server that went away mostly comes back. What it has by then is looked at again: whether the
 * last batch arrived is not known. */
static int copy_stubbornly(struct migrate *m)
{
	int rc = copy(m);

	for (int i = 1; rc < 0 && m->lost && i <= RETRIES; i++) {
		char line[200];
		int64_t copied;

		snprintf(line, sizeof(line), "%.120s; trying again in %d s (%d of %d)",
				m->err->text, 1 << (i - 1), i, RETRIES);
		if (m->config.note)
			m->config.note(m->config.arg, line);
		if (m->target)
			m->target->ops->close(m->target);
		m->target = NULL;
		if (!pause_for(m, 1 << (i - 1)))
			return rc;
		*m->err = (struct ckpt_error){ 0 };
		plan_forget(&m->plan);
		copied = m->sum->checkpoints;
		m->sum->skipped = m->sum->different = 0;
		rc = look_at_target(m);
		m->lost = rc == CKPT_EBUSY || rc == CKPT_ECONNECT;
		if (rc >= 0)
			rc = copy(m);
		/* what this run copied was not there already */
		m->sum->skipped -= m->sum->skipped < copied ? m->sum->skipped : copied;
	}
	return rc;
}

/* An archive that lost rows does not pass for all there was: only what it still has can be copied,
 * and only by somebody who knows. */
static int check_source(struct migrate *m)
{
	struct ckpt_fault f;
	char line[32] = "";

	if (!ckpt_store_fault(m->source, 0, &f))
		return 0;
	m->damaged = true;
	if (m->how->reject)
		return 0;
	if (f.line)
		snprintf(line, sizeof(line), "line %lld: ", (long long)f.line);
	ckpt_fail(m->err, CKPT_EREFUSED,
			"the archive is damaged: %s%s; nothing was written", line, f.why);
	ckpt_hint(m->err, "ckpt check names all that is wrong; --quarantine FILE copies "
			  "what "
			  "is left, and ends with exit code 3");
	return m->err->code;
}

static int run(struct migrate *m)
{
	int rc = ckpt_store_about(m->source, &m->about);

	if (rc >= 0)
		rc = target_unsealed(m->name, m->err);
	if (rc >= 0 && !m->how->dry_run)
		rc = target_stage(&m->stage, m->name, m->err);
	m->at = m->stage.part ? m->stage.part : m->name;
	if (rc >= 0)
		rc = check_apart(m);
	if (rc >= 0)
		rc = store_ordered(m->source, m->err);
	if (rc >= 0)
		rc = check_source(m);
	if (rc >= 0 && !m->how->dry_run)
		target_mend(m->at, &m->config);
	if (rc >= 0)
		rc = look_at_target(m);
	m->blob_rows = m->from_apart && m->to_apart && !m->how->wanted &&
	               !m->source->shallow;
	if (rc >= 0)
		rc = count_all(m);
	/* what is written under another name can be taken back: that is looked at in one go */
	if (rc >= 0 && !m->stage.part)
		rc = for_each(m, look_at, "look");
	if (rc >= 0)
		rc = items_look(m);
	if (rc >= 0 && m->refused)
		rc = refuse(m);
	if (rc < 0 || m->how->dry_run)
		return rc;
	rc = copy_stubbornly(m);
	if (m->refused && m->stage.part)
		target_stage_drop(&m->stage);
	FAILPOINT("migrate.verify.before");
	if (rc >= 0 && m->how->verify != CKPT_VERIFY_NONE)
		rc = migrate_verify(m);
	FAILPOINT("migrate.verify.after");
	if (rc >= 0)
		rc = m->target->ops->finish(m->target);
	if (rc >= 0 && m->sum->quarantined)
		rc = ckpt_fail(m->err, CKPT_EINCOMPLETE,
				m->how->with_store ? "%lld rows are in quarantine"
						   : "%lld checkpoints are in quarantine",
				(long long)m->sum->quarantined);
	else if (rc >= 0 && m->damaged)
		rc = ckpt_fail(m->err, CKPT_EINCOMPLETE,
				"what is left of the archive was copied");
	return rc;
}

int ckpt_migrate(struct ckpt_store *source, const char *name,
		const struct ckpt_config *config, const struct ckpt_migrate_how *how,
		struct ckpt_migrate_sum *out)
{
	struct migrate m = { .source = source,
		.name = name,
		.config = *config,
		.how = how,
		.sum = out,
		.err = source->err,
		.from_apart = source->inlines };
	int rc;

	*out = (struct ckpt_migrate_sum){ 0 };
	rc = row_key(&m.crypt, &m.config, m.err);
	if (rc >= 0)
		rc = run(&m);
	if (m.target)
		m.target->ops->close(m.target);
	target_stage_free(&m.stage);
	convert_close(m.convert);
	crypt_free(m.crypt);
	migrate_plan_free(&m.plan);
	arena_free(&m.arena);
	arena_free(&m.marks.arena);
	return rc < 0 ? rc : 0;
}
