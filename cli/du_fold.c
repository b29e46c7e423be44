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

static struct du_row *row_of(struct du *d, const struct du_part *key)
{
	struct du_row *row = du_row(&d->sums, key);

	if (!row)
		no_memory(d);
	return row;
}

static struct du_row *row_of_key(struct du *d, const struct ckpt_key *k)
{
	const struct du_part key[DU_PARTS] = {
		{ k->thread, k->blob & CKPT_BLOB_THREAD },
		{ k->ns, k->blob & CKPT_BLOB_NS },
		{ k->id, k->blob & CKPT_BLOB_ID },
	};

	return row_of(d, key);
}

static int add(struct du *d, const struct ckpt_key *k, int64_t bytes)
{
	struct du_row *row = row_of_key(d, k);

	if (!row)
		return CKPT_ENOMEM;
	row->bytes += bytes;
	return 0;
}

static struct du_row *row_of_value(
		struct du *d, struct ckpt_view channel, struct ckpt_view type)
{
	const struct du_part key = { d->by == BY_CHANNEL ? channel : type, false };

	return row_of(d, &key);
}

/* A value: its bytes, and once more where the channel had the same before. NULL without memory. */
static struct du_row *add_value(struct du *d, struct ckpt_view channel,
		struct ckpt_view type, struct ckpt_view body, int64_t bytes)
{
	struct du_row *row = row_of_value(d, channel, type);
	uint64_t hash = !row || d->by == BY_CHANNEL ? 0 : ckpt_hash(channel);
	int again = 0;

	if (row && body.p)
		again = du_seen(&d->seen, d->by == BY_CHANNEL ? row->hash : hash, body);
	if (!row || again < 0) {
		no_memory(d);
		return NULL;
	}
	row->bytes += bytes;
	row->duplicates += again ? bytes : 0;
	return row;
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

static int see_lengths(struct du *d, const struct ckpt_checkpoint *c)
{
	struct du_row *row = row_of_key(d, &c->key);

	if (!row)
		return CKPT_ENOMEM;
	row->bytes += c->size + c->meta_size;
	row->checkpoints++;
	d->checkpoints++;
	return 0;
}

static int see_write_length(struct du *d, const struct ckpt_checkpoint *c)
{
	return add(d, &c->key, c->writes_size);
}

static int see_blob_length(struct du *d, const struct ckpt_checkpoint *c)
{
	return add(d, &c->key, c->blobs_all);
}

/* A blob counts to the checkpoint that was first to name it. */
static int see_new_blobs(struct du *d, const struct ckpt_checkpoint *c)
{
	return c->blobs_new ? add(d, &c->key, c->blobs_new) : 0;
}

/* ---- values --------------------------------------------------------------------------------- */

#define NONE ((struct ckpt_view){ 0 })

static int see_channels(struct du *d, const struct ckpt_checkpoint *c,
		struct ckpt_view type, int64_t *rest)
{
	for (size_t i = 0; i < c->nvalues; i++) {
		const struct ckpt_value *v = &c->values[i];
		int64_t n = v->place == CKPT_INLINE ? (int64_t)v->body.n : 0;
		struct du_row *row =
				add_value(d, v->channel, type, n ? v->body : NONE, n);

		if (!row)
			return CKPT_ENOMEM;
		row->checkpoints += d->by == BY_CHANNEL;
		*rest -= n;
	}
	return 0;
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
	row = rc == 0 ? row_of_value(d, NONE, type) : NULL;
	if (row) {
		row->bytes += rest;
		row->checkpoints++;
		row = row_of_value(d, NONE, CKPT_META_TYPE);
	}
	if (row)
		row->bytes += meta;
	if (text.failed)
		no_memory(d);
	ckpt_buf_free(&text);
	return d->cli->err.code;
}

static int see_write(struct du *d, const struct ckpt_checkpoint *c)
{
	const struct ckpt_write *w = c->writes;
	struct ckpt_buf text = { 0 };
	struct ckpt_view type = stored_type(&text, w->type, w->lock);

	if (text.failed)
		no_memory(d);
	else
		add_value(d, w->channel, type, w->body, w->size);
	ckpt_buf_free(&text);
	return d->cli->err.code;
}

static int see_blob(struct du *d, const struct ckpt_checkpoint *c)
{
	const struct ckpt_value *v = c->values;
	struct ckpt_buf text = { 0 };
	struct ckpt_view type = stored_type(&text, v->type, v->lock);

	if (text.failed)
		no_memory(d);
	else
		add_value(d, v->channel, type, v->body, c->blobs_all);
	ckpt_buf_free(&text);
	return d->cli->err.code;
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
