/*
 * check_stray.c - rows that hang on nothing: writes, blobs and namespaces whose checkpoint is not
 * in the store; and, thread by thread, rows that are in the clear or closed. A running application
 * may be ahead of what it has saved: what is young is left alone.
 */
#include <inttypes.h>
#include <string.h>

#include "check.h"
#include "row.h"

#define YOUNG (INT64_C(3600) * 1000000000)

static const struct ckpt_view nothing = { NULL, 0 };

static bool is_young(const struct check *c, struct ckpt_view id)
{
	int64_t time = ckpt_time_of_id(id);

	return time != CKPT_UNKNOWN && time > c->now - YOUNG;
}

/* ---- namespaces ---------------------------------------------------------------------------------- */

/* Ids of the root namespace are kept while its thread passes by, for the subgraphs it called. */
static int keep_roots(struct check *c)
{
	const struct space *s = &c->space;

	c->roots.n = c->roots_of.n = 0;
	ckpt_buf_add(&c->roots_of, s->key.thread.p, s->key.thread.n);
	for (size_t i = 0; i < s->nnodes && s->nodes[i].id_n == 36; i++) {
		struct ckpt_view id = space_id(s, &s->nodes[i]);

		ckpt_buf_add(&c->roots, id.p, id.n);
	}
	return c->roots.failed || c->roots_of.failed ? check_no_memory(c) : 0;
}

static bool is_root(const struct check *c, struct ckpt_view id)
{
	size_t lo = 0, hi = c->roots.n / 36;

	if (id.n != 36 || !ckpt_view_eq(ckpt_buf_view(&c->roots_of), c->space.key.thread))
		return false;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = memcmp(c->roots.p + mid * 36, id.p, 36);

		if (d == 0)
			return true;
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

static int is_there(struct check *c, struct ckpt_view id)
{
	struct ckpt_pick pick = { .key = c->space.key, .depth = CKPT_KEYS };
	struct ckpt_checkpoint row;
	struct ckpt_scan *scan;
	int rc;

	if (is_root(c, id))
		return 1;
	pick.key.ns = CKPT_LIT("");
	pick.key.id = id;
	rc = ckpt_scan_one(&scan, c->store, &pick, &row);
	ckpt_scan_close(scan);
	return rc;
}

static int tell_orphan(struct check *c, struct ckpt_view id)
{
	char name[200];

	if (is_young(c, id))
		return 0;
	return check_tell(c, ORPHAN_NAMESPACE, &c->space.key, nothing,
			"it was called from checkpoint %s, which is not in the store",
			ckpt_show_name(name, id));
}

/* metadata.parents: {namespace: id, …}, all that were running. What counts is the root's, as for what
 * prune keeps and --orphans drops: a stateful subgraph between the two is ranked by itself. */
static int ask_caller(struct check *c, struct reader *r)
{
	struct token t;
	bool root;
	int rc;

	if (reader_next(r, &t) <= 0 || t.kind != TOKEN_MAP)
		return 0;
	while (reader_next(r, &t) > 0 && t.kind == TOKEN_STR) {
		root = t.s.n == 0;
		if (reader_next(r, &t) <= 0 || t.kind != TOKEN_STR)
			break;
		if (!root)
			continue;
		rc = is_there(c, t.s);
		if (rc == 0 && tell_orphan(c, t.s) < 0)
			rc = CKPT_EINTERRUPTED;
		return rc < 0 ? rc : 0;
	}
	return 0;
}

int check_caller(struct check *c)
{
	const struct space *s = &c->space;
	struct reader *r = &c->judge->reader;
	int rc;

	if (!s->key.ns.n)
		return keep_roots(c);
	if (!s->parents.n || !memchr(s->key.ns.p, ':', s->key.ns.n))
		return 0;
	reader_init(r, &json_reader, ckpt_buf_view(&s->parents));
	rc = ask_caller(c, r);
	reader_done(r);
	return rc;
}

/* ---- writes and blobs ------------------------------------------------------------------------------ */

struct head { /* the newest checkpoint of the namespace strays were found in */
	struct ckpt_buf thread, ns, id;
	bool known;
	int64_t version; /* the greatest number a version of it begins with */
};

static void head_free(struct head *h)
{
	ckpt_buf_free(&h->thread);
	ckpt_buf_free(&h->ns);
	ckpt_buf_free(&h->id);
}

static int head_values(struct check *c, struct head *h, struct ckpt_key *key)
{
	struct ckpt_pick pick = { .key = *key, .depth = CKPT_VALUES, .apart = true };
	struct ckpt_checkpoint row;
	struct ckpt_scan *scan;
	int rc;

	pick.key.id = ckpt_buf_view(&h->id);
	rc = ckpt_scan_one(&scan, c->store, &pick, &row);
	h->version = -1;
	for (size_t i = 0; rc > 0 && i < row.nvalues; i++) {
		int64_t n = row.values[i].version.p
		                            ? version_number(row.values[i].version)
		                            : -1;

		h->version = n > h->version ? n : h->version;
	}
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

static int head_of(struct check *c, struct head *h, const struct ckpt_key *of)
{
	struct ckpt_pick pick = { .key = *of, .depth = CKPT_HEADS };
	struct ckpt_checkpoint row;
	struct ckpt_scan *scan;
	int rc;

	if (h->known && ckpt_view_eq(ckpt_buf_view(&h->thread), of->thread) &&
			ckpt_view_eq(ckpt_buf_view(&h->ns), of->ns))
		return 0;
	h->thread.n = h->ns.n = h->id.n = 0;
	ckpt_buf_add(&h->thread, of->thread.p, of->thread.n);
	ckpt_buf_add(&h->ns, of->ns.p, of->ns.n);
	pick.key.id = nothing;
	rc = ckpt_scan_open(&scan, c->store, &pick);
	if (rc >= 0 && (rc = ckpt_scan_next(scan, &row)) > 0)
		ckpt_buf_add(&h->id, row.key.id.p, row.key.id.n);
	ckpt_scan_close(scan);
	if (h->thread.failed || h->ns.failed || h->id.failed)
		return check_no_memory(c);
	h->known = true;
	h->version = -1;
	return rc > 0 && c->apart ? head_values(c, h, &pick.key) : rc;
}

/* A Command that begins a thread leaves rows under an id of step -2, which is never stored itself
 * and has no children: nobody misses it. The id says so in its fourth group. */
static int is_start(struct check *c, const struct ckpt_key *key)
{
	struct ckpt_pick pick = {
		.key = *key, .depth = CKPT_LINKS, .from = key->id, .limit = 1
	};
	const char *id = key->id.p;
	struct ckpt_checkpoint row;
	struct ckpt_scan *scan;
	int rc;

	if (key->id.n != 36 || memcmp(id + 20, "ffe", 3) != 0)
		return 0;
	pick.key.id = nothing;
	rc = ckpt_scan_open(&scan, c->store, &pick);
	if (rc >= 0 && (rc = ckpt_scan_next(scan, &row)) > 0)
		rc = !ckpt_view_eq(row.parent, key->id);
	ckpt_scan_close(scan);
	return rc;
}

static int tell_writes(
		struct check *c, struct head *h, const struct ckpt_key *key, int64_t n)
{
	int rc = 0;

	if (!n)
		return 0;
	rc = is_start(c, key);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (is_young(c, key->id)) {
		rc = head_of(c, h, key);
		if (rc < 0 || ckpt_view_cmp(key->id, ckpt_buf_view(&h->id)) > 0)
			return rc;
	}
	return check_tell(c, ORPHAN_WRITE, key, nothing,
			"%" PRId64 " pending write%s of a checkpoint that is not in the "
			"store",
			n, n == 1 ? "" : "s");
}

/* Writes of one checkpoint come one after the other. */
static int stray_writes(struct check *c, struct head *h)
{
	struct ckpt_pick pick = {
		.key.thread = c->thread, .rows = CKPT_STRAY_WRITES, .depth = CKPT_KEYS
	};
	struct ckpt_buf name = { 0 };
	struct ckpt_key key = { 0 };
	struct ckpt_checkpoint row;
	struct ckpt_scan *scan;
	int64_t n = 0;
	int rc = ckpt_scan_open(&scan, c->store, &pick);

	while (rc >= 0 && (rc = ckpt_scan_next(scan, &row)) > 0) {
		if (n && key.blob == row.key.blob &&
				ckpt_view_eq(key.thread, row.key.thread) &&
				ckpt_view_eq(key.ns, row.key.ns) &&
				ckpt_view_eq(key.id, row.key.id)) {
			n++;
			continue;
		}
		rc = tell_writes(c, h, &key, n);
		name.n = 0;
		ckpt_buf_add(&name, row.key.thread.p, row.key.thread.n);
		ckpt_buf_add(&name, row.key.ns.p, row.key.ns.n);
		ckpt_buf_add(&name, row.key.id.p, row.key.id.n);
		if (name.failed)
			rc = check_no_memory(c);
		key = row.key;
		key.thread.p = name.p;
		key.ns.p = name.p + key.thread.n;
		key.id.p = name.p + key.thread.n + key.ns.n;
		n = 1;
	}
	rc = rc < 0 ? rc : tell_writes(c, h, &key, n);
	ckpt_scan_close(scan);
	ckpt_buf_free(&name);
	return rc;
}

static int stray_blobs(struct check *c, struct head *h)
{
	struct ckpt_pick pick = {
		.key.thread = c->thread, .rows = CKPT_STRAY_BLOBS, .depth = CKPT_LINKS
	};
	struct ckpt_checkpoint row;
	struct ckpt_scan *scan;
	int rc = ckpt_scan_open(&scan, c->store, &pick);

	while (rc >= 0 && (rc = ckpt_scan_next(scan, &row)) > 0) {
		const struct ckpt_value *v = row.values;
		struct ckpt_key key = row.key;
		char name[200];

		rc = head_of(c, h, &row.key);
		if (rc >= 0 && h->id.n && v->version.p &&
				version_number(v->version) > h->version &&
				is_young(c, ckpt_buf_view(&h->id)))
			continue;
		key.id = nothing;
		rc = rc < 0 ? rc
		            : check_tell(c, ORPHAN_BLOB, &key, v->channel,
					      "no checkpoint names version %s, %" PRId64
					      " bytes",
					      ckpt_show_name(name,
							      row_version(v->version)),
					      row.blobs_all);
	}
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

int check_stray(struct check *c, bool writes)
{
	struct head h = { 0 };
	/* the shallow saver keeps the writes of the checkpoint before, whose row it replaced */
	int rc = !writes || c->store->shallow ? 0 : stray_writes(c, &h);

	if (rc >= 0 && c->apart)
		rc = stray_blobs(c, &h);
	head_free(&h);
	return rc;
}

/* ---- what is closed, and what is not ----------------------------------------------------------------- */

struct types { /* of the rows of one thread */
	int64_t locked, open, pickled;
	bool tell; /* second time: the open ones are told */
};

static int count_row(struct check *c, struct types *t, const struct ckpt_checkpoint *row,
		struct ckpt_view channel, struct ckpt_view type)
{
	struct ckpt_view inner = type;
	bool locked = type.p && crypt_inner_type(type, &inner);

	if (!type.p || ckpt_view_eq(type, CKPT_LIT("empty")))
		return 0;
	if (!t->tell) {
		t->locked += locked;
		t->open += !locked;
		t->pickled += ckpt_view_eq(inner, CKPT_LIT("pickle")) &&
		              (!locked || c->has_key);
		return 0;
	}
	return locked ? 0
	              : check_tell(c, PLAINTEXT, &row->key, channel,
					"this row is in the clear, %" PRId64
					" of its thread are encrypted",
					t->locked);
}

static int count_rows(struct check *c, struct types *t, struct ckpt_view thread,
		unsigned blob, enum ckpt_rows rows)
{
	struct ckpt_pick pick = {
		.key.thread = thread, .key.blob = blob, .rows = rows, .depth = CKPT_LINKS
	};
	struct ckpt_checkpoint row;
	struct ckpt_scan *scan;
	int rc = ckpt_scan_open(&scan, c->store, &pick);

	while (rc >= 0 && (rc = ckpt_scan_next(scan, &row)) > 0) {
		if (row.nvalues)
			row.key.id = nothing;
		rc = count_row(c, t, &row,
				row.nwrites   ? row.writes->channel
				: row.nvalues ? row.values->channel
					      : nothing,
				row.nwrites   ? row.writes->type
				: row.nvalues ? row.values->type
					      : row.type);
	}
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

static int count_thread(
		struct check *c, struct types *t, struct ckpt_view thread, unsigned blob)
{
	int rc = count_rows(c, t, thread, blob, c->apart ? CKPT_BLOB_ROWS : CKPT_STORED);

	return rc < 0 ? rc : count_rows(c, t, thread, blob, CKPT_WRITE_ROWS);
}

static int types_of_thread(struct check *c, struct ckpt_view thread, unsigned blob)
{
	struct ckpt_key key = { .thread = thread, .blob = blob };
	struct types t = { 0 };
	int rc = count_thread(c, &t, thread, blob);

	if (rc >= 0 && t.locked && t.open) {
		t.tell = true;
		rc = count_thread(c, &t, thread, blob);
	}
	if (rc >= 0 && t.locked && !c->has_key)
		rc = check_tell(c, OPAQUE, &key, nothing,
				"%" PRId64
				" encrypted rows were not looked into: there is "
				"no key",
				t.locked);
	if (rc >= 0 && t.pickled)
		rc = check_tell(c, OPAQUE, &key, nothing,
				"%" PRId64 " rows of type pickle were not looked into",
				t.pickled);
	return rc;
}

int check_types(struct check *c)
{
	struct ckpt_pick pick = { .key.thread = c->thread, .depth = CKPT_HEADS };
	struct ckpt_buf last = { 0 };
	struct ckpt_checkpoint row;
	struct ckpt_scan *scan;
	bool first = true;
	int rc = ckpt_scan_open(&scan, c->store, &pick);

	while (rc >= 0 && (rc = ckpt_scan_next(scan, &row)) > 0) {
		if (!first && ckpt_view_eq(ckpt_buf_view(&last), row.key.thread))
			continue;
		first = false;
		last.n = 0;
		ckpt_buf_add(&last, row.key.thread.p, row.key.thread.n);
		ckpt_buf_add(&last, "", 1);
		if (last.failed)
			rc = check_no_memory(c);
		last.n = row.key.thread.n;
		rc = rc < 0 ? rc
		            : types_of_thread(c, ckpt_buf_view(&last),
					      row.key.blob & CKPT_BLOB_THREAD);
	}
	ckpt_scan_close(scan);
	ckpt_buf_free(&last);
	return rc < 0 ? rc : 0;
}
