/*
 * checks_rows.c - rows for themselves: checkpoints as they lie, writes, blobs, and those that no
 * checkpoint needs. What is made of several tables is checks_merged.c's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "made.h"

#define ROOT CKPT_LIT("")
#define A CKPT_LIT("a")

/* ---- helpers ------------------------------------------------------------------------------------ */

static size_t nstrays(void)
{
	return now.kind->strays ? ncontent_strays : 0;
}

static bool is_key(const struct ckpt_key *k, struct ckpt_view thread, struct ckpt_view ns,
		struct ckpt_view id)
{
	return !k->blob && same_view(k->thread, thread) && same_view(k->ns, ns) &&
	       same_view(k->id, id);
}

static const struct content *wanted(const struct ckpt_key *k)
{
	for (size_t i = 0; i < now.nwant; i++) {
		const struct content *c = now.want[i];

		if (is_key(k, c->thread, c->ns, c->id))
			return c;
	}
	return NULL;
}

static bool within(
		const struct ckpt_pick *p, struct ckpt_view thread, struct ckpt_view ns)
{
	return (!p->key.thread.p || ckpt_view_eq(p->key.thread, thread)) &&
	       (!p->key.ns.p || ckpt_view_eq(p->key.ns, ns));
}

/* How many rows the pick gives, each of which `look` likes; -1 if one it does not. */
static long count(struct ckpt_store *s, const struct ckpt_pick *p,
		bool (*look)(const struct ckpt_pick *, const struct ckpt_checkpoint *,
				size_t at))
{
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	long n = 0;
	bool good = ckpt_scan_open(&scan, s, p) == 0;

	while (good && ckpt_scan_next(scan, &c) == 1) {
		good = look(p, &c, (size_t)n++);
		if (!good)
			complain("row", &c, NULL);
	}
	good = good && ckpt_scan_next(scan, &c) == 0;
	ckpt_scan_close(scan);
	return good && !now.err.code ? n : -1;
}

static const struct ckpt_key bounds[] = {
	{ .thread = { 0 } },
	{ .thread = A },
	{ .thread = A, .ns = CKPT_LIT("sub") },
	{ .thread = CKPT_LIT("gone"), .ns = ROOT },
	{ .thread = CKPT_LIT("nobody") },
};

/* ---- checkpoints as they lie --------------------------------------------------------------------- */

static int64_t stored_bytes;
static bool stored_seen[300];

static bool good_stored(
		const struct ckpt_pick *p, const struct ckpt_checkpoint *c, size_t at)
{
	const struct content *w = wanted(&c->key);
	bool postgres = kind_has_blobs(now.kind);

	(void)at;
	if (!w || stored_seen[w - content] || c->blobs_all || c->blobs_new)
		return false;
	stored_seen[w - content] = true;
	stored_bytes += c->size + c->meta_size;
	if ((p->depth >= CKPT_VALUES) != (c->body.p != NULL) ||
			(p->depth >= CKPT_META) != (c->meta.p != NULL))
		return false;
	return postgres ||
	       ((p->depth < CKPT_LINKS || c->size == w->size) &&
			       (p->depth < CKPT_VALUES || (int64_t)c->body.n == w->size));
}

static long want_within(const struct ckpt_pick *p)
{
	long n = 0;

	for (size_t i = 0; i < now.nwant; i++)
		n += within(p, now.want[i]->thread, now.want[i]->ns);
	return n;
}

static bool add_bytes(
		const struct ckpt_pick *p, const struct ckpt_checkpoint *c, size_t at)
{
	(void)p, (void)at;
	stored_bytes -= c->size + c->meta_size;
	return true;
}

bool check_stored(struct ckpt_store *s)
{
	bool good = true;

	for (unsigned d = CKPT_HEADS; d <= CKPT_VALUES && good; d++) {
		for (size_t i = 0; i < LEN(bounds) && good; i++) {
			struct ckpt_pick p = { .key = bounds[i],
				.depth = (enum ckpt_depth)d,
				.rows = CKPT_STORED,
				.sizes = true };

			memset(stored_seen, 0, sizeof(stored_seen));
			stored_bytes = 0;
			good = count(s, &p, good_stored) == want_within(&p);
			p.rows = CKPT_WHOLE;
			good = good &&
			       (d < CKPT_LINKS || (count(s, &p, add_bytes) >= 0 &&
								  stored_bytes == 0));
		}
	}
	return good;
}

/* ---- writes --------------------------------------------------------------------------------------- */

static bool good_write(
		const struct ckpt_pick *p, const struct ckpt_checkpoint *c, size_t at)
{
	const struct content *w = wanted(&c->key);
	const struct ckpt_write *g = c->writes;
	bool stray = false;

	(void)at;
	for (size_t i = 0; i < nstrays() && !w; i++) {
		const struct ckpt_key *k = &content_strays[i];

		stray |= is_key(&c->key, k->thread, k->ns, k->id);
	}
	if (c->nwrites != 1 || c->writes_size != g->size ||
			!(stray || (w && w->writes)) ||
			!within(p, c->key.thread, c->key.ns))
		return false;
	for (size_t i = 0; i < (w ? ncontent_writes : STRAY_WRITES); i++) {
		const struct content_write *o = &content_writes[i];
		bool body = p->depth >= CKPT_VALUES, size = p->depth >= CKPT_LINKS;

		if (same_view(g->task, o->task) && g->idx == o->idx)
			return same_view(g->path,
					       now.kind->no_task_path ? ROOT : o->path) &&
			       same_view(g->channel, o->channel) &&
			       same_view(g->type, CKPT_LIT("msgpack")) &&
			       same_view(g->body, body ? o->body
						       : (struct ckpt_view){ 0 }) &&
			       g->size == (size ? (int64_t)o->body.n : 0);
	}
	return false;
}

static long writes_within(const struct ckpt_pick *p, bool strays_only)
{
	long n = 0;

	for (size_t i = 0; i < now.nwant && !strays_only; i++) {
		const struct content *c = now.want[i];

		n += c->writes && within(p, c->thread, c->ns) ? (long)ncontent_writes : 0;
	}
	for (size_t i = 0; i < nstrays(); i++) {
		const struct ckpt_key *k = &content_strays[i];

		n += within(p, k->thread, k->ns) ? STRAY_WRITES : 0;
	}
	return n;
}

bool check_write_rows(struct ckpt_store *s)
{
	bool good = true;

	for (unsigned d = CKPT_KEYS; d <= CKPT_VALUES && good; d++) {
		for (size_t i = 0; i < LEN(bounds) && good; i++) {
			struct ckpt_pick p = { .key = bounds[i],
				.depth = (enum ckpt_depth)d,
				.rows = CKPT_WRITE_ROWS };
			long n = count(s, &p, good_write);

			good = n == writes_within(&p, false);
			if (!good)
				printf("# %ld writes within bounds %zu\n", n, i);
		}
	}
	return good;
}

/* ---- blobs ---------------------------------------------------------------------------------------- */

struct blob {
	struct ckpt_view thread, ns, channel, body; /* NULL: an `empty` row */
	char version[80];                           /* in quotes */
	bool stray;
};
static struct blob blobs[2000];
static size_t nblobs;

static int by_key(const void *pa, const void *pb)
{
	const struct blob *a = pa, *b = pb;
	int d = ckpt_view_cmp(a->thread, b->thread);

	d = d ? d : ckpt_view_cmp(a->ns, b->ns);
	d = d ? d : ckpt_view_cmp(a->channel, b->channel);
	return d || now.kind->shallow ? d : strcmp(a->version, b->version);
}

static void add_blob(struct ckpt_view thread, struct ckpt_view ns,
		const struct content_value *v, bool stray)
{
	struct blob *b = &blobs[nblobs];

	*b = (struct blob){ thread, ns, v->channel, v->msgpack, "", stray };
	snprintf(b->version, sizeof(b->version),
			now.kind->js ? "\"%u\"" : "\"%032u.0.5\"", v->version);
	for (size_t i = 0; i < nblobs; i++) {
		if (by_key(&blobs[i], b) == 0)
			return;
	}
	nblobs++;
}

static void make_blobs(const struct ckpt_key *k, bool strays_only)
{
	const struct content_value stray = { STRAY_CHANNEL, 9, STRAY_BODY, { 0 } };
	const struct ckpt_pick p = { .key = *k };

	nblobs = 0;
	for (size_t i = 0; i < now.nwant && !strays_only; i++) {
		const struct content *c = now.want[i];

		for (size_t j = 0; j < c->nvalues && within(&p, c->thread, c->ns); j++) {
			const struct content_value *v = &c->values[j];

			if (now.kind->no_inline || (!v->json.p && v->msgpack.p))
				add_blob(c->thread, c->ns, v, false);
		}
	}
	for (size_t i = 0; i < nstrays(); i++) {
		if (within(&p, content_strays[i].thread, content_strays[i].ns))
			add_blob(content_strays[i].thread, content_strays[i].ns, &stray,
					true);
	}
	qsort(blobs, nblobs, sizeof(blobs[0]), by_key);
}

static bool good_blob(
		const struct ckpt_pick *p, const struct ckpt_checkpoint *c, size_t at)
{
	const struct blob *b = &blobs[at];
	const struct ckpt_value *v = c->values;
	struct ckpt_view version = ckpt_view_of(now.kind->shallow ? NULL : b->version);
	const char *type = !b->body.p ? "empty" : now.kind->js ? "bytes" : "msgpack";
	bool body = p->depth >= CKPT_VALUES, size = p->depth >= CKPT_LINKS;

	return at < nblobs && c->nvalues == 1 && same_view(c->key.thread, b->thread) &&
	       same_view(c->key.ns, b->ns) && !c->key.id.p &&
	       same_view(v->channel, b->channel) && same_view(v->version, version) &&
	       same_view(v->type, ckpt_view_of(type)) &&
	       v->place == (b->body.p ? CKPT_BLOB : CKPT_EMPTY) &&
	       same_view(v->body, body ? b->body : (struct ckpt_view){ 0 }) &&
	       c->blobs_all == (size ? (int64_t)b->body.n : 0);
}

static bool blobs_as(struct ckpt_store *s, enum ckpt_rows rows)
{
	bool good = true;

	for (unsigned d = CKPT_KEYS; d <= CKPT_VALUES && good; d++) {
		for (size_t i = 0; i < LEN(bounds) && good; i++) {
			struct ckpt_pick p = { .key = bounds[i],
				.depth = (enum ckpt_depth)d,
				.rows = rows };
			long n;

			make_blobs(&p.key, rows == CKPT_STRAY_BLOBS);
			n = count(s, &p, good_blob);
			good = n == (kind_has_blobs(now.kind) ? (long)nblobs : 0);
			if (!good)
				printf("# %ld blobs of %zu within bounds %zu\n", n,
						nblobs, i);
		}
	}
	return good;
}

bool check_blob_rows(struct ckpt_store *s)
{
	return blobs_as(s, CKPT_BLOB_ROWS);
}

/* ---- strays --------------------------------------------------------------------------------------- */

/* In the order of keys, none of them a checkpoint's. */
static bool good_stray(
		const struct ckpt_pick *p, const struct ckpt_checkpoint *c, size_t at)
{
	size_t skip = at / STRAY_WRITES;
	const struct ckpt_key *k = content_strays;

	for (;; k++) {
		if (within(p, k->thread, k->ns) && skip-- == 0)
			break;
	}
	return is_key(&c->key, k->thread, k->ns, k->id) && good_write(p, c, at);
}

/* A container that names no versions, or something else in their place, breaks nothing. */
static bool hostile(void)
{
	static const char *const versions[] = { "[1]", "3", "null", "\"x\"" };
	const struct kind *k = now.kind;
	struct ckpt_buf sql = { 0 };
	struct ckpt_store *s = NULL;
	bool good = true;

	for (size_t i = 0; i < LEN(versions) && good; i++) {
		const struct ckpt_pick p = { .key = { .thread = CKPT_LIT("hostile") },
			.rows = CKPT_STRAY_BLOBS };

		sql.n = 0;
		ckpt_buf_addf(&sql,
				"SET search_path = \"%s\"; DELETE FROM checkpoints WHERE "
				"thread_id = 'hostile'; DELETE FROM checkpoint_blobs "
				"WHERE thread_id = 'hostile';",
				k->schema ? k->schema : "public");
		ckpt_buf_addf(&sql,
				"INSERT INTO checkpoints (thread_id, %s checkpoint) "
				"VALUES ('hostile', %s '{\"id\":\"1\","
				"\"channel_versions\":%s}');"
				"INSERT INTO checkpoint_blobs VALUES ('hostile', '', "
				"'stray', %s '%s', '\\xa57374726179');",
				k->shallow ? "" : "checkpoint_id,",
				k->shallow ? "" : "'1',", versions[i],
				k->shallow ? ""
				: k->js    ? "'9',"
					   : "'00000000000000000000000000000009.0.5',",
				k->js ? "bytes" : "msgpack");
		nblobs = 0;
		add_blob(p.key.thread, ROOT,
				&(struct content_value){
						STRAY_CHANNEL, 9, STRAY_BODY, { 0 } },
				true);
		good = postgres_ask(k, false, sql.p, NULL) && (s = open_store()) &&
		       count(s, &p, good_blob) == 1;
		ckpt_store_close(s);
		s = NULL;
	}
	sql.n = 0;
	ckpt_buf_addf(&sql,
			"SET search_path = \"%s\"; DELETE FROM checkpoints WHERE "
			"thread_id = 'hostile'; DELETE FROM checkpoint_blobs WHERE "
			"thread_id = 'hostile';",
			k->schema ? k->schema : "public");
	good = postgres_ask(k, false, sql.p, NULL) && good;
	ckpt_buf_free(&sql);
	return good;
}

bool check_strays(struct ckpt_store *s)
{
	bool good = blobs_as(s, CKPT_STRAY_BLOBS);

	for (unsigned d = CKPT_KEYS; d <= CKPT_VALUES && good; d++) {
		for (size_t i = 0; i < LEN(bounds) && good; i++) {
			struct ckpt_pick p = { .key = bounds[i],
				.depth = (enum ckpt_depth)d,
				.rows = CKPT_STRAY_WRITES };

			good = count(s, &p, good_stray) == writes_within(&p, true);
		}
	}
	/* one transaction holds the pooler's only session */
	ckpt_store_end(s);
	return good && (!kind_is_postgres(now.kind) || hostile());
}
