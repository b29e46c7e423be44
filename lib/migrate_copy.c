/*
 * migrate_copy.c - what is written of a checkpoint, of blobs that go as rows, and of writes whose
 * checkpoint is not there; and what a target that has some of it already is spared.
 */
#include "migrate.h"
#include "row.h"
#include "strays.h"

/* A batch that is large enough ends here; the next one begins. */
static int next_batch(struct migrate *m)
{
	struct target *t = m->target;
	int rc;

	if (!t->ops->full(t))
		return 0;
	rc = t->ops->commit(t);
	return rc < 0 ? rc : t->ops->begin(t);
}

/* How blobs go in where the target has something of the thread. */
static enum put_mode blob_mode(const struct migrate *m, bool there)
{
	return !there                                           ? PUT_NEW
	       : m->how->on_conflict == CKPT_CONFLICT_OVERWRITE ? PUT_OVER
	                                                        : PUT_CAREFUL;
}

static int put_blobs(struct migrate *m, const struct ckpt_checkpoint *c,
		const struct convert_out *out, bool there)
{
	struct target *t = m->target;
	int rc = 0;

	for (size_t i = 0; i < out->nblobs && rc >= 0; i++)
		rc = t->ops->blob(t, &c->key, &out->blobs[i], blob_mode(m, there));
	return rc;
}

static int put(struct migrate *m, const struct ckpt_checkpoint *c,
		const struct convert_out *out, bool careful)
{
	struct target *t = m->target;
	int rc = put_blobs(m, c, out, careful);

	if (rc >= 0)
		rc = t->ops->checkpoint(t, c, out, careful);
	for (size_t i = 0; i < out->nwrites && rc >= 0; i++)
		rc = t->ops->write(t, &c->key, &out->writes[i], careful);
	return rc < 0 ? rc : next_batch(m);
}

static int reject(struct migrate *m, const struct ckpt_checkpoint *c,
		const struct convert_out *out)
{
	struct ckpt_care care = { .key = c->key, .action = CKPT_CARE_QUARANTINE };

	for (size_t i = 0; i < out->ncares; i++) {
		if (out->cares[i].action != CONVERT_CANNOT)
			continue;
		care.code = out->cares[i].code;
		care.channel = out->cares[i].channel;
		care.detail = out->cares[i].detail;
		break;
	}
	return m->how->reject(m->how->arg, c, &care);
}

void migrate_count(struct migrate *m, const struct ckpt_checkpoint *c,
		const struct convert_out *out)
{
	const struct planned *there = plan_thread(&m->plan, &c->key);
	struct ckpt_migrate_sum *sum = m->sum;
	bool replace;

	if (there && !plan_key(&m->plan, there, &c->key, &replace)) {
		sum->skipped++;
		return;
	}
	sum->checkpoints++;
	sum->writes += (int64_t)out->nwrites;
	sum->blobs += (int64_t)out->nblobs;
	sum->bytes += (int64_t)(out->body.n + out->meta.n);
	for (size_t i = 0; i < out->nwrites; i++)
		sum->bytes += (int64_t)out->writes[i].body.n;
	for (size_t i = 0; i < out->nblobs; i++)
		sum->bytes += (int64_t)out->blobs[i].body.n;
}

int migrate_copy_one(struct migrate *m, const struct ckpt_checkpoint *c)
{
	const struct planned *there = plan_thread(&m->plan, &c->key);
	bool replace = false;
	struct convert_out out;
	int rc = convert_next(m->convert, &out, c, &m->arena);

	if (rc >= 0 && m->stage.part) /* nobody looked yet */
		rc = migrate_check_paths(m, c) < 0 ? m->err->code
		                                   : migrate_note(m, c, &out);
	if (rc < 0 || m->refused)
		return rc;
	if (out.cannot)
		return reject(m, c, &out);
	if (there && !plan_key(&m->plan, there, &c->key, &replace)) {
		m->sum->skipped++;
		/* a later one that is not there as it should be may name them, too */
		return there->n ? put_blobs(m, c, &out, true) : 0;
	}
	if (replace)
		rc = m->target->ops->drop(m->target, c);
	return rc < 0 ? rc : put(m, c, &out, there != NULL);
}

static int copy_blob(struct migrate *m, const struct ckpt_checkpoint *c, bool there)
{
	const struct ckpt_value *v = c->values;
	struct ckpt_buf room = { 0 };
	const struct convert_blob b = { v->channel, row_version_text(v->version, &room),
		v->type, v->body };
	int rc = room.failed ? ckpt_fail(m->err, CKPT_ENOMEM, "out of memory")
	                     : m->target->ops->blob(m->target, &c->key, &b,
					       blob_mode(m, there));

	ckpt_buf_free(&room);
	return rc < 0 ? rc : next_batch(m);
}

/* Both keep values in blobs: those go as the rows they are, whoever names them, if anybody does. */
int migrate_copy_blobs(struct migrate *m)
{
	const struct ckpt_pick pick = { .depth = CKPT_VALUES, .rows = CKPT_BLOB_ROWS };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc = ckpt_scan_open(&scan, m->source, &pick);

	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0) {
		const struct planned *there = plan_thread(&m->plan, &c.key);

		rc = there && !there->n ? 0 : copy_blob(m, &c, there != NULL);
	}
	ckpt_scan_close(scan);
	return rc;
}

static int as_written(const void *a, const void *b)
{
	const struct ckpt_write *x = a, *y = b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

/* Writes of checkpoints that are not there: the library shows them to nobody, but an application
 * may be about to write the checkpoint. */
int migrate_copy_strays(struct migrate *m)
{
	const struct ckpt_key all = { .blob = 0 };
	struct strays s = { .wanted = m->how->wanted, .arg = m->how->arg };
	int rc = strays_open(&s, m->source, &all);

	rc = rc < 0 ? rc : strays_next(&s);
	while (rc >= 0 && s.has) {
		qsort(s.writes, s.n, sizeof(*s.writes), as_written);
		for (size_t i = 0; i < s.n && rc >= 0; i++)
			rc = m->target->ops->write(m->target, &s.key, &s.writes[i], true);
		rc = rc < 0 ? rc : next_batch(m);
		rc = rc < 0 ? rc : strays_next(&s);
	}
	strays_close(&s);
	return rc;
}

/* A thread whose checkpoints are all there was passed over with its blobs; those that nothing names
 * may be missing all the same. */
static bool wants_blob(struct migrate *m, const struct ckpt_checkpoint *c, bool *there)
{
	const struct planned *t = plan_thread(&m->plan, &c->key);

	*there = t != NULL;
	return m->how->wanted ? m->how->wanted_blob(m->how->arg, c) : t && !t->n;
}

int migrate_copy_stray_blobs(struct migrate *m)
{
	const struct ckpt_pick pick = { .depth = CKPT_VALUES, .rows = CKPT_STRAY_BLOBS };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	bool there;
	int rc;

	if (!m->from_apart || !m->to_apart ||
			(m->how->wanted ? !m->how->wanted_blob : !m->plan.nthreads))
		return 0;
	rc = ckpt_scan_open(&scan, m->source, &pick);
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0) {
		if (wants_blob(m, &c, &there))
			rc = copy_blob(m, &c, there);
	}
	ckpt_scan_close(scan);
	return rc;
}
