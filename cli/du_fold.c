/*
 * du_fold.c - all rows of a store, or of one thread, into sums: each byte counts once, whatever
 * the key, so that every sum is the same. Bytes are those of the stored values, as length() and
 * octet_length() tell them.
 *
 * By thread, namespace and checkpoint lengths are enough; by channel and type values are read.
 */
#include <string.h>

#include "du.h"

static int no_memory(struct du *d)
{
	return ckpt_fail(&d->cli->err, CKPT_ENOMEM, "out of memory");
}

/* The row of a key of the kind that is asked for. */
static struct du_row *row_of(struct du *d, const struct ckpt_key *k,
		struct ckpt_view channel, struct ckpt_view type)
{
	const struct du_part key[DU_PARTS] = {
		{ k->thread, k->blob & CKPT_BLOB_THREAD },
		{ k->ns, k->blob & CKPT_BLOB_NS },
		{ k->id, k->blob & CKPT_BLOB_ID },
	};
	const struct du_part one = { d->by == BY_CHANNEL ? channel : type, false };
	bool values = d->by == BY_CHANNEL || d->by == BY_TYPE;
	struct du_row *row = du_row(&d->sums, values ? &one : key);

	if (!row)
		no_memory(d);
	return row;
}

static int add(struct du *d, const struct ckpt_key *k, struct ckpt_view channel,
		struct ckpt_view type, int64_t bytes)
{
	struct du_row *row = row_of(d, k, channel, type);

	if (!row)
		return CKPT_ENOMEM;
	row->bytes += bytes;
	return 0;
}

/* A value: its bytes, and once more where the channel had the same before. */
static int add_value(struct du *d, struct ckpt_view channel, struct ckpt_view type,
		struct ckpt_view body, int64_t bytes)
{
	static const struct ckpt_key none = { 0 };
	int again = body.p ? du_seen(&d->seen, channel, body) : 0;
	struct du_row *row = again < 0 ? NULL : row_of(d, &none, channel, type);

	if (!row)
		return no_memory(d);
	row->bytes += bytes;
	row->duplicates += again ? bytes : 0;
	return 0;
}

/* The tag as it is stored, also where a key opened the row. */
static struct ckpt_view stored_type(
		struct ckpt_buf *to, struct ckpt_view type, enum ckpt_lock lock)
{
	if (lock != CKPT_OPENED)
		return type;
	ckpt_buf_add(to, type.p, type.n);
	ckpt_buf_puts(to, "+aes");
	return ckpt_buf_view(to);
}

/* ---- lengths alone -------------------------------------------------------------------------- */

#define NONE ((struct ckpt_view){ 0 })

static int see_lengths(struct du *d, const struct ckpt_checkpoint *c)
{
	struct du_row *row = row_of(d, &c->key, NONE, NONE);

	if (!row)
		return CKPT_ENOMEM;
	row->bytes += c->size + c->meta_size;
	row->checkpoints++;
	d->checkpoints++;
	return 0;
}

static int see_write_length(struct du *d, const struct ckpt_checkpoint *c)
{
	return add(d, &c->key, NONE, NONE, c->writes_size);
}

static int see_blob_length(struct du *d, const struct ckpt_checkpoint *c)
{
	return add(d, &c->key, NONE, NONE, c->blobs_all);
}

/* A blob counts to the checkpoint that was first to name it. */
static int see_new_blobs(struct du *d, const struct ckpt_checkpoint *c)
{
	return c->blobs_new ? add(d, &c->key, NONE, NONE, c->blobs_new) : 0;
}

/* ---- values --------------------------------------------------------------------------------- */

static int see_channels(struct du *d, const struct ckpt_checkpoint *c,
		struct ckpt_view type, int64_t *rest)
{
	int rc = 0;

	for (size_t i = 0; i < c->nvalues && rc == 0; i++) {
		const struct ckpt_value *v = &c->values[i];
		int64_t n = v->place == CKPT_INLINE ? (int64_t)v->body.n : 0;

		rc = add_value(d, v->channel, type, n ? v->body : NONE, n);
		if (rc == 0 && d->by == BY_CHANNEL)
			row_of(d, &c->key, v->channel, type)->checkpoints++;
		*rest -= n;
	}
	return rc;
}

static int see_values(struct du *d, const struct ckpt_checkpoint *c)
{
	bool whole = c->opaque.p || c->broken_why || c->lock == CKPT_SHUT;
	int64_t rest = c->size ? c->size : (int64_t)c->body.n;
	int64_t meta = c->meta_size ? c->meta_size : (int64_t)c->meta.n;
	struct ckpt_buf text = { 0 };
	struct ckpt_view type = stored_type(&text, c->type, c->lock);
	struct du_row *row;
	int rc = 0;

	if (!type.p && strcmp(d->engine, "postgresql") == 0)
		type = CKPT_LIT("jsonb");
	d->checkpoints++;
	d->unsplit += whole && rest;
	if (!whole)
		rc = see_channels(d, c, type, &rest);
	row = rc == 0 ? row_of(d, &c->key, NONE, type) : NULL;
	if (row) {
		row->bytes += rest;
		row->checkpoints++;
		rc = add(d, &c->key, NONE, CKPT_META_TYPE, meta);
	}
	if (text.failed)
		rc = no_memory(d);
	ckpt_buf_free(&text);
	return row ? rc : d->cli->err.code;
}

static int see_write(struct du *d, const struct ckpt_checkpoint *c)
{
	const struct ckpt_write *w = c->writes;
	struct ckpt_buf text = { 0 };
	struct ckpt_view type = stored_type(&text, w->type, w->lock);
	int rc = text.failed ? no_memory(d)
	                     : add_value(d, w->channel, type, w->body, w->size);

	ckpt_buf_free(&text);
	return rc;
}

static int see_blob(struct du *d, const struct ckpt_checkpoint *c)
{
	const struct ckpt_value *v = c->values;
	struct ckpt_buf text = { 0 };
	struct ckpt_view type = stored_type(&text, v->type, v->lock);
	int rc = text.failed ? no_memory(d)
	                     : add_value(d, v->channel, type, v->body, c->blobs_all);

	ckpt_buf_free(&text);
	return rc;
}

/* ---- passes --------------------------------------------------------------------------------- */

static int pass(struct du *d, enum ckpt_rows rows, enum ckpt_depth depth,
		int (*see)(struct du *, const struct ckpt_checkpoint *))
{
	const struct ckpt_pick pick = { .key = d->key,
		.rows = rows,
		.depth = depth,
		.apart = true,
		.bare = true,
		/* what VALUES read tell their own length */
		.sizes = depth < CKPT_VALUES };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc = ckpt_scan_open(&scan, d->cli->store, &pick);

	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0)
		rc = see(d, &c);
	ckpt_scan_close(scan);
	return rc;
}

static int by_checkpoint(struct du *d)
{
	int rc = pass(d, CKPT_STORED, CKPT_LINKS, see_lengths);

	rc = rc < 0 ? rc : pass(d, CKPT_WRITE_ROWS, CKPT_LINKS, see_write_length);
	if (strcmp(d->engine, "sqlite") == 0)
		return rc;
	rc = rc < 0 ? rc : pass(d, CKPT_WHOLE, CKPT_KEYS, see_new_blobs);
	return rc < 0 ? rc : pass(d, CKPT_STRAY_BLOBS, CKPT_LINKS, see_blob_length);
}

int du_fold(struct du *d)
{
	bool values = d->by == BY_CHANNEL || d->by == BY_TYPE;
	enum ckpt_depth depth = values ? CKPT_VALUES : CKPT_LINKS;
	int rc;

	if (d->by == BY_CHECKPOINT)
		return by_checkpoint(d);
	rc = pass(d, CKPT_STORED, depth, values ? see_values : see_lengths);
	rc = rc < 0 ? rc
	            : pass(d, CKPT_WRITE_ROWS, depth,
				      values ? see_write : see_write_length);
	return rc < 0 ? rc
	              : pass(d, CKPT_BLOB_ROWS, depth,
					values ? see_blob : see_blob_length);
}
