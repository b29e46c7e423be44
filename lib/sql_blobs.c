/*
 * sql_blobs.c - values that lie apart from their checkpoint, under (channel, version).
 *
 * Many checkpoints of a namespace name the same blobs: those of the last checkpoints are kept,
 * so that each crosses the wire about once. Also what a checkpoint before v 4 has as Sends,
 * which PostgreSQL keeps among the parent's writes.
 */
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "sql.h"

#define CACHE_MOST ((size_t)16 << 20)
#define CACHE_BLOBS 4096
/* A namespace with fewer bytes, 1024 more for each blob, is kept whole: that is less work for the
 * server, and never more than what is above. */
#define WHOLE_MOST ((int64_t)4 << 20)
#define STREAM_COLS 7 /* thread, ns, id; channel, version, type, body */

struct blob {
	char *text; /* channel, version, type, body; one allocation */
	size_t channel_n, version_n, type_n, body_n;
	bool null; /* SQL NULL: an `empty` row */
	uint64_t hash;
	uint64_t used; /* the checkpoint that named it last */
};

struct size_row {
	struct ckpt_view id;
	int64_t fresh, all;
};

struct blob_cache {
	struct arena names; /* thread and ns the cache is of, and size rows */
	struct ckpt_view thread, ns;
	struct blob *blobs;
	size_t n, cap, bytes;
	uint64_t now;
	struct size_row *sizes;
	size_t nsizes, capsizes;
	bool sized;
	/* A scan that goes on upwards has all blobs come by in the order in which they are first
	   named, so that what did not come is not there; unless some had to be forgotten. */
	bool upwards, forgot, waits;
	struct cursor *stream;
	struct cell row[STREAM_COLS]; /* if it waits: the next one's, of a later checkpoint */
};

struct blob_cache *blob_cache_new(void)
{
	return calloc(1, sizeof(struct blob_cache));
}

/* The room that the largest namespace would take. */
static int most_room(struct sql_store *s, const struct cell *args, int64_t *out)
{
	struct cell row[1];
	struct cursor *cur;

	*out = INT64_MAX;
	if (!s->blob_most || sql_query(&cur, s, s->blob_most, args, SQL_ARGS) < 0)
		return s->base.err->code;
	*out = sql_next(cur, row, 1) > 0 ? row[0].i : 0;
	sql_done(cur);
	return s->base.err->code;
}

int blob_cache_follow(
		struct blob_cache *c, struct sql_store *s, const struct ckpt_pick *bounds)
{
	struct cell args[SQL_ARGS];
	const char *sql;
	int64_t most;

	if (!s->blob_stream)
		return 0;
	sql_args(args, bounds);
	if (most_room(s, args, &most) < 0)
		return s->base.err->code;
	sql = most <= WHOLE_MOST ? s->blob_sets : s->blob_stream;
	c->upwards = sql_query(&c->stream, s, sql, args, SQL_ARGS) == 0;
	return s->base.err->code;
}

static void forget(struct blob_cache *c, uint64_t before)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (c->blobs[i].used >= before) {
			c->blobs[kept++] = c->blobs[i];
			continue;
		}
		c->bytes -= c->blobs[i].body_n;
		free(c->blobs[i].text);
	}
	c->n = kept;
}

void blob_cache_free(struct blob_cache *c)
{
	if (!c)
		return;
	sql_done(c->stream);
	forget(c, UINT64_MAX);
	free(c->blobs);
	free(c->sizes);
	arena_free(&c->names);
	free(c);
}

/* Begin with a checkpoint: another namespace starts afresh, too many bytes make room. */
static int turn_to(
		struct blob_cache *c, const struct ckpt_key *key, struct ckpt_error *err)
{
	c->now++;
	if (!c->thread.p || !ckpt_view_eq(c->thread, key->thread) ||
			!ckpt_view_eq(c->ns, key->ns)) {
		forget(c, UINT64_MAX);
		arena_reset(&c->names);
		c->thread = arena_copy(&c->names, key->thread, err);
		c->ns = arena_copy(&c->names, key->ns, err);
		c->nsizes = 0;
		c->sized = false;
		c->forgot = false;
	} else if (c->bytes > CACHE_MOST || c->n > CACHE_BLOBS) {
		forget(c, c->now - 1);
		c->forgot = true;
	}
	return err->code;
}

/* ---- what is kept --------------------------------------------------------------------------------- */

static uint64_t hash_of(struct ckpt_view channel, struct ckpt_view version)
{
	return ckpt_hash(channel) * 31 + ckpt_hash(version);
}

static struct blob *find(
		struct blob_cache *c, struct ckpt_view channel, struct ckpt_view version)
{
	uint64_t hash = hash_of(channel, version);

	for (size_t i = 0; i < c->n; i++) {
		struct blob *b = &c->blobs[i];

		if (b->hash == hash && b->channel_n == channel.n &&
				b->version_n == version.n &&
				memcmp(b->text, channel.p, channel.n) == 0 &&
				memcmp(b->text + channel.n, version.p, version.n) == 0)
			return b;
	}
	return NULL;
}

static struct blob *add_blob(struct blob_cache *c, struct ckpt_error *err)
{
	if (c->n == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 32;
		struct blob *more = realloc(c->blobs, cap * sizeof(*more));

		if (!more) {
			ckpt_fail(err, CKPT_ENOMEM, "out of memory");
			return NULL;
		}
		c->blobs = more;
		c->cap = cap;
	}
	c->blobs[c->n] = (struct blob){ 0 };
	return &c->blobs[c->n++];
}

static int keep(struct blob_cache *c, const struct cell row[static 4],
		struct ckpt_error *err)
{
	struct blob *b = find(c, row[0].v, row[1].v);
	struct ckpt_buf text = { 0 };

	if (b)
		return 0;
	for (size_t i = 0; i < 4; i++)
		ckpt_buf_add(&text, row[i].v.p, row[i].v.n);
	if (text.failed) {
		ckpt_buf_free(&text);
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	}
	b = add_blob(c, err);
	if (!b) {
		ckpt_buf_free(&text);
		return err->code;
	}
	*b = (struct blob){ .text = text.p,
		.channel_n = row[0].v.n,
		.version_n = row[1].v.n,
		.type_n = row[2].v.n,
		.body_n = row[3].v.n,
		.null = row[3].kind == CELL_NULL,
		.hash = hash_of(row[0].v, row[1].v),
		.used = c->now };
	c->bytes += b->body_n;
	return 0;
}

/* ---- fetching ------------------------------------------------------------------------------------- */

static void add_pair(
		struct ckpt_buf *to, struct ckpt_view channel, struct ckpt_view version)
{
	ckpt_buf_puts(to, to->n ? ",{\"c\":" : "[{\"c\":");
	ckpt_json_string(to, channel);
	ckpt_buf_puts(to, ",\"v\":");
	ckpt_json_string(to, version);
	ckpt_buf_puts(to, "}");
}

static int fetch(struct sql_store *s, struct blob_cache *c, const struct ckpt_key *key,
		struct ckpt_view wanted)
{
	struct cell args[3], row[4];
	struct cursor *cur;
	int rc;

	sql_key_cells(args, key);
	args[2] = (struct cell){ .kind = CELL_TEXT, .v = wanted };
	if (sql_query(&cur, s, s->blob_rows, args, 3) < 0)
		return s->base.err->code;
	while ((rc = sql_next(cur, row, 4)) > 0 && rc >= 0) {
		if (keep(c, row, s->base.err) < 0)
			break;
	}
	sql_done(cur);
	return s->base.err->code;
}

static int part_cmp(const struct cell *row, const struct ckpt_key *key)
{
	int d = ckpt_view_cmp(row[0].v, key->thread);

	d = d ? d : ckpt_view_cmp(row[1].v, key->ns);
	return d ? d : ckpt_view_cmp(row[2].v, key->id);
}

/* Keep what came by up to this checkpoint, if it is of this namespace. */
static int follow(struct sql_store *s, struct blob_cache *c, const struct ckpt_key *key)
{
	struct ckpt_error *err = s->base.err;
	int rc = 0;

	while (!err->code && c->stream) {
		if (!c->waits)
			rc = sql_next(c->stream, c->row, STREAM_COLS);
		c->waits = rc > 0 || c->waits;
		if (!c->waits) {
			sql_done(c->stream);
			c->stream = NULL;
		} else if (part_cmp(c->row, key) > 0) {
			break;
		} else {
			c->waits = false;
			if (ckpt_view_eq(c->row[0].v, key->thread) &&
					ckpt_view_eq(c->row[1].v, key->ns))
				keep(c, c->row + 3, err);
		}
	}
	return err->code;
}

static int give(struct sql_store *s, struct ckpt_value *v, struct blob *b,
		struct blob_cache *c, struct arena *arena)
{
	const struct row_reader r = { s->base.crypt, arena, s->base.err };
	const char *type = b->text + b->channel_n + b->version_n;
	struct ckpt_view body = { type + b->type_n, b->body_n };

	b->used = c->now;
	return row_give(&r, v, (struct ckpt_view){ type, b->type_n },
			b->null ? (struct ckpt_view){ 0 } : body);
}

int sql_blobs(struct sql_store *s, struct blob_cache *c, struct ckpt_checkpoint *out,
		struct arena *arena)
{
	struct ckpt_value *values = (struct ckpt_value *)(void *)out->values;
	struct ckpt_buf wanted = { 0 };
	int rc = turn_to(c, &out->key, s->base.err);
	bool known;

	if (rc == 0 && c->upwards)
		rc = follow(s, c, &out->key);
	known = c->upwards && !c->forgot;
	for (size_t i = 0; i < out->nvalues && rc == 0; i++) {
		const struct ckpt_value *v = &values[i];

		if (v->version.p && !known &&
				!find(c, v->channel, row_version(v->version)))
			add_pair(&wanted, v->channel, row_version(v->version));
	}
	ckpt_buf_puts(&wanted, "]");
	if (rc == 0 && wanted.failed)
		rc = ckpt_fail(s->base.err, CKPT_ENOMEM, "out of memory");
	if (rc == 0 && wanted.n > 1)
		rc = fetch(s, c, &out->key, ckpt_buf_view(&wanted));
	ckpt_buf_free(&wanted);
	for (size_t i = 0; i < out->nvalues && rc == 0; i++) {
		struct ckpt_value *v = &values[i];
		struct blob *b = v->version.p ? find(c, v->channel,
								row_version(v->version))
		                              : NULL;

		if (b)
			rc = give(s, v, b, c, arena);
	}
	return rc;
}

/* ---- sizes ------------------------------------------------------------------------------------------- */

static int read_sizes(
		struct sql_store *s, struct blob_cache *c, const struct ckpt_key *key)
{
	struct cell args[3], row[3];
	struct cursor *cur;

	sql_key_cells(args, key);
	if (sql_query(&cur, s, s->blob_sizes, args, 2) < 0)
		return s->base.err->code;
	while (sql_next(cur, row, 3) > 0) {
		if (c->nsizes == c->capsizes) {
			size_t cap = c->capsizes ? c->capsizes * 2 : 64;
			struct size_row *more = realloc(c->sizes, cap * sizeof(*more));

			if (!more) {
				ckpt_fail(s->base.err, CKPT_ENOMEM, "out of memory");
				break;
			}
			c->sizes = more;
			c->capsizes = cap;
		}
		c->sizes[c->nsizes++] = (struct size_row){
			arena_copy(&c->names, row[0].v, s->base.err), row[1].i, row[2].i
		};
	}
	sql_done(cur);
	c->sized = true;
	return s->base.err->code;
}

static int by_id(const void *id, const void *row)
{
	return ckpt_view_cmp(*(const struct ckpt_view *)id,
			((const struct size_row *)row)->id);
}

int sql_blob_sizes(struct sql_store *s, struct blob_cache *c, struct ckpt_checkpoint *out)
{
	const struct size_row *row;

	if (turn_to(c, &out->key, s->base.err) < 0 ||
			(!c->sized && read_sizes(s, c, &out->key) < 0))
		return s->base.err->code;
	row = c->nsizes ? bsearch(&out->key.id, c->sizes, c->nsizes, sizeof(*c->sizes),
					  by_id)
	                : NULL;
	if (row) {
		out->blobs_new = row->fresh;
		out->blobs_all = row->all;
	}
	return 0;
}

/* ---- Sends before v 4 ---------------------------------------------------------------------------------- */

int sql_sends(struct sql_store *s, struct ckpt_checkpoint *out, struct arena *arena)
{
	const struct row_reader r = { s->base.crypt, arena, s->base.err };
	struct row_sends sends = { 0 };
	struct cell args[3], row[2];
	struct cursor *cur;

	if (!row_wants_sends(out))
		return 0;
	sql_key_cells(args, &out->key);
	args[2] = sql_key_cell(out->parent, false);
	if (sql_query(&cur, s, s->sends, args, 3) < 0)
		return s->base.err->code;
	while (sql_next(cur, row, 2) > 0 && row_send(&r, &sends, row[0].v, row[1].v) == 0)
		;
	sql_done(cur);
	return row_sends_end(&r, &sends, out);
}
