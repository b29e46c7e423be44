/*
 * list_threads.c - `ckpt list` without a thread: one row a thread.
 *
 * What is read follows what is asked: the key index alone as a rule; one seek a namespace where
 * a limit leaves few rows to count; rows of a thread only for -l and for filters.
 */
#include <stdlib.h>
#include <string.h>

#include "list.h"
#include "list_sizes.h"

#define MANY 50 /* threads to measure all at once, if they are a good part of the store */

struct row {
	size_t thread, thread_n, latest, latest_n; /* in `bytes` */
	unsigned blob;
	bool has_latest;
	int64_t namespaces, checkpoints, first, last;
	int64_t heads, size, step;
	/* in `bytes`, once -l has filled them */
	size_t source, source_n, meta, meta_n, waits, waits_n;
	struct list_stand stand;
};

struct threads {
	struct cli *cli;
	const struct list *o;
	struct row *rows;
	size_t n, cap;
	struct ckpt_buf bytes;
	size_t undecodable;
};

/* clang-format off */
static const struct col cols[] = {
	{ "thread", "THREAD", COL_TEXT, 0 },
	{ "namespaces", "NS", COL_INT, COL_NO_PORCELAIN | COL_NO_TEXT },
	{ "checkpoints", "CKPTS", COL_INT, COL_RIGHT },
	{ "first", "FIRST", COL_TIME, COL_NO_PORCELAIN | COL_NO_TEXT },
	{ "last", "LAST ACTIVITY", COL_TIME, 0 },
	{ "latest", "LATEST", COL_TEXT, COL_NO_TEXT },
	{ "heads", "HEADS", COL_INT, COL_LONG | COL_RIGHT },
	{ "bytes", "SIZE", COL_SIZE, COL_LONG | COL_RIGHT },
	{ "step", "STEP", COL_INT, COL_LONG | COL_NO_TEXT },
	{ "source", "SOURCE", COL_TEXT, COL_LONG | COL_NO_TEXT },
	{ "status", "STATUS", COL_TEXT, COL_LONG },
	{ "interrupts", "INTERRUPTS", COL_INT, COL_LONG | COL_NO_TEXT },
	{ "metadata", "METADATA", COL_JSON, COL_LONG | COL_NO_TEXT },
	{ "waits", "WAITS FOR", COL_TEXT,
		COL_LONG | COL_NO_JSON | COL_NO_PORCELAIN | COL_WRAP },
	{ NULL, NULL, COL_TEXT, 0 }
};
static const struct col id_cols[] = {
	{ "thread", "THREAD", COL_TEXT, 0 },
	{ NULL, NULL, COL_TEXT, 0 }
};
/* clang-format on */

static int no_memory(struct threads *t)
{
	return ckpt_fail(&t->cli->err, CKPT_ENOMEM, "out of memory");
}

static size_t put(struct threads *t, struct ckpt_view v)
{
	size_t at = t->bytes.n;

	ckpt_buf_add(&t->bytes, v.p, v.n);
	return at;
}

static struct ckpt_view thread_of(const struct threads *t, const struct row *r)
{
	return (struct ckpt_view){ t->bytes.p + r->thread, r->thread_n };
}

static struct ckpt_key key_of(const struct threads *t, const struct row *r)
{
	return (struct ckpt_key){ .thread = thread_of(t, r), .blob = r->blob };
}

/* ---- collecting ------------------------------------------------------------------------------------ */

static void see_time(struct row *r, int64_t t)
{
	if (t == CKPT_UNKNOWN)
		return;
	if (r->first == CKPT_UNKNOWN || t < r->first)
		r->first = t;
	if (r->last == CKPT_UNKNOWN || t > r->last)
		r->last = t;
}

/* Ids without a time: then the payloads tell, all of this namespace. */
static int see_payload_times(struct threads *t, struct row *r, const struct ckpt_key *ns)
{
	struct ckpt_lineage *l;
	int rc = ckpt_lineage_load(&l, t->cli->store, ns);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < l->count; i++)
		see_time(r, l->links[i].time);
	ckpt_lineage_free(l);
	return 0;
}

/* The row of a namespace's thread: namespaces of a thread come one after the other. */
static struct row *row_for(struct threads *t, const struct ckpt_key *key)
{
	struct row *r = t->n ? &t->rows[t->n - 1] : NULL;

	if (r && (r->blob & CKPT_BLOB_THREAD) == (key->blob & CKPT_BLOB_THREAD) &&
			ckpt_view_eq(thread_of(t, r), key->thread))
		return r;
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 256;
		struct row *more = realloc(t->rows, cap * sizeof(*more));

		if (!more) {
			no_memory(t);
			return NULL;
		}
		t->rows = more;
		t->cap = cap;
	}
	r = &t->rows[t->n++];
	*r = (struct row){ .thread = put(t, key->thread),
		.thread_n = key->thread.n,
		.blob = key->blob & CKPT_BLOB_THREAD,
		.first = CKPT_UNKNOWN,
		.last = CKPT_UNKNOWN,
		.heads = CKPT_UNKNOWN,
		.size = CKPT_UNKNOWN,
		.step = CKPT_UNKNOWN,
		.stand.interrupts = CKPT_UNKNOWN };
	return r;
}

/* One namespace from a HEADS or SPANS scan into its thread's row. */
static int see_namespace(struct threads *t, const struct ckpt_checkpoint *c, bool span)
{
	struct row *r = row_for(t, &c->key);
	int64_t first = span ? ckpt_time_of_id(c->first) : c->time;
	struct ckpt_key ns = c->key;

	if (!r)
		return t->cli->err.code;
	r->namespaces++;
	r->checkpoints += c->count;
	if (c->key.ns.n == 0) {
		r->latest = put(t, c->key.id);
		r->latest_n = c->key.id.n;
		r->has_latest = true;
	}
	if (t->bytes.failed)
		return no_memory(t);
	see_time(r, c->time);
	if (span)
		see_time(r, first);
	ns.id = (struct ckpt_view){ 0 };
	return c->time == CKPT_UNKNOWN || first == CKPT_UNKNOWN
	                       ? see_payload_times(t, r, &ns)
	                       : 0;
}

static int collect(struct threads *t, const struct ckpt_pick *pick)
{
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc = ckpt_scan_open(&scan, t->cli->store, pick);

	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0) {
		if (t->o->thread_glob && !list_glob(c.key.thread, t->o->thread_glob))
			continue;
		rc = see_namespace(t, &c, pick->depth == CKPT_SPANS);
	}
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

/* After a HEADS scan: the counts of a row that is really shown. */
static int count_row(struct threads *t, struct row *r)
{
	struct ckpt_pick pick = { .key = key_of(t, r), .depth = CKPT_SPANS };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc = ckpt_scan_open(&scan, t->cli->store, &pick);

	r->checkpoints = r->namespaces = 0;
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0) {
		r->namespaces++;
		r->checkpoints += c.count;
		see_time(r, ckpt_time_of_id(c.first));
	}
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

/* ---- filters and -l ----------------------------------------------------------------------------------- */

/* How the thread stands, unless that is known already. */
static int stand(struct threads *t, struct row *r, const struct ckpt_checkpoint *c)
{
	struct ckpt_buf words = { 0 };
	int rc = r->stand.known ? 0 : list_stand(t->cli, c, &r->stand, &words);

	if (words.n) {
		r->waits = put(t, ckpt_buf_view(&words));
		r->waits_n = words.n;
	}
	ckpt_buf_free(&words);
	return rc < 0 ? rc : t->bytes.failed ? no_memory(t) : 0;
}

static int stands_so(struct threads *t, struct row *r, bool *yes)
{
	struct ckpt_key key = key_of(t, r);
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc = list_newest(t->cli, &key, &scan, &c);

	if (rc > 0)
		rc = stand(t, r, &c);
	ckpt_scan_close(scan);
	*yes = list_stands_so(t->o, r->stand.status);
	return rc < 0 ? rc : 0;
}

static int keep_row(struct threads *t, struct row *r, bool *yes)
{
	const struct list *o = t->o;

	*yes = true;
	if (o->idle != CKPT_UNKNOWN)
		*yes = r->last != CKPT_UNKNOWN && r->last <= t->cli->now - o->idle;
	if (*yes && (list_filters(o) || o->ns)) {
		struct ckpt_key key = key_of(t, r);
		int rc = list_any(t->cli, o, &key, yes);

		if (rc < 0)
			return rc;
	}
	return *yes && o->status >= 0 ? stands_so(t, r, yes) : 0;
}

static int filter(struct threads *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n; i++) {
		bool yes;
		int rc = keep_row(t, &t->rows[i], &yes);

		if (rc < 0)
			return rc;
		if (yes)
			t->rows[kept++] = t->rows[i];
	}
	t->n = kept;
	return 0;
}

/* Sizes of rows and writes, branch heads of the root namespace. */
static int measure(struct threads *t, struct row *r)
{
	struct ckpt_pick pick = {
		.key = key_of(t, r), .depth = CKPT_LINKS, .writes = true, .sizes = true
	};
	struct ckpt_key root = pick.key;
	struct ckpt_checkpoint c;
	struct ckpt_lineage *l;
	struct ckpt_scan *scan;
	int rc = ckpt_scan_open(&scan, t->cli->store, &pick);

	r->size = r->heads = 0;
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0)
		r->size += c.size + c.meta_size + c.writes_size + c.blobs_new;
	ckpt_scan_close(scan);
	if (rc < 0)
		return rc;
	root.ns = CKPT_LIT("");
	rc = ckpt_lineage_load(&l, t->cli->store, &root);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < l->count; i++)
		r->heads += l->links[i].children == 0;
	ckpt_lineage_free(l);
	return 0;
}

/* All rows at once, while they stand in the order of their threads. */
static int measure_all(struct threads *t)
{
	struct list_size *all = calloc(t->n, sizeof(*all));
	int rc;

	if (!all)
		return no_memory(t);
	for (size_t i = 0; i < t->n; i++) {
		all[i].thread = thread_of(t, &t->rows[i]);
		all[i].blob = t->rows[i].blob;
	}
	rc = list_sizes(t->cli, all, t->n);
	for (size_t i = 0; i < t->n && rc >= 0; i++) {
		t->rows[i].size = all[i].size;
		t->rows[i].heads = all[i].heads;
	}
	free(all);
	return rc;
}

static int describe(struct threads *t, struct row *r)
{
	struct ckpt_key key = key_of(t, r);
	struct ckpt_render plain = { 0 };
	struct ckpt_buf source = { 0 }, meta = { 0 };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc = list_newest(t->cli, &key, &scan, &c);

	if (rc > 0) {
		ckpt_meta_int(&r->step, c.meta, "step");
		ckpt_meta_text(&source, c.meta, "source");
		if (ckpt_render_value(&meta, c.meta_type, c.meta, &plain) ==
				CKPT_ECORRUPT) {
			t->undecodable++;
			meta.n = 0;
		}
		r->source = put(t, ckpt_buf_view(&source));
		r->source_n = source.n;
		r->meta = put(t, ckpt_buf_view(&meta));
		r->meta_n = meta.n;
		rc = stand(t, r, &c);
	}
	ckpt_scan_close(scan);
	ckpt_buf_free(&source);
	ckpt_buf_free(&meta);
	return rc < 0 ? rc : t->bytes.failed ? no_memory(t) : 0;
}

/* ---- order and output --------------------------------------------------------------------------- */

/* -1, 0, 1: larger first, unknown last */
static int down(int64_t a, int64_t b)
{
	return (a < b) - (a > b);
}

static int in_order(const void *pa, const void *pb, void *arg)
{
	const struct threads *t = arg;
	const struct row *a = pa, *b = pb;
	int d = 0;

	switch (t->o->sort) {
	case SORT_FIRST:
		d = down(a->first, b->first);
		break;
	case SORT_CHECKPOINTS:
		d = down(a->checkpoints, b->checkpoints);
		break;
	case SORT_BYTES:
		d = down(a->size, b->size);
		break;
	case SORT_THREAD:
		break;
	default:
		d = down(a->last, b->last);
	}
	d = d ? d : ckpt_view_cmp(thread_of(t, a), thread_of(t, b));
	return t->o->reverse ? -d : d;
}

static int print_ids(struct threads *t)
{
	int rc = out_begin(t->cli, "list", "thread", id_cols, false);

	for (size_t i = 0; i < t->n && rc >= 0; i++)
		rc = out_row(t->cli, &(struct field){ .v = thread_of(t, &t->rows[i]) });
	return rc;
}

static int print(struct threads *t)
{
	int rc = out_begin(t->cli, "list", "thread", cols, t->o->detail);

	for (size_t i = 0; i < t->n && rc >= 0; i++) {
		const struct row *r = &t->rows[i];
		const char *p = t->bytes.p;
		struct field f[] = {
			{ .v = thread_of(t, r) },
			{ .i = r->namespaces },
			{ .i = r->checkpoints },
			{ .i = r->first },
			{ .i = r->last },
			{ .v = { r->has_latest ? p + r->latest : NULL, r->latest_n } },
			{ .i = r->heads },
			{ .i = r->size },
			{ .i = r->step },
			{ .v = { r->source_n ? p + r->source : NULL, r->source_n } },
			{ .v = ckpt_view_of(ckpt_status_name(r->stand.status)) },
			{ .i = r->stand.interrupts },
			{ .v = { r->meta_n ? p + r->meta : NULL, r->meta_n } },
			{ .v = { p + r->waits, r->waits_n } },
		};

		rc = out_row(t->cli, f);
	}
	return rc;
}

static int summarize(struct threads *t)
{
	struct ckpt_buf members = { 0 }, text = { 0 }, size = { 0 };
	int64_t checkpoints = 0, bytes = 0;
	int rc;

	for (size_t i = 0; i < t->n; i++) {
		checkpoints += t->rows[i].checkpoints;
		bytes += t->o->detail ? t->rows[i].size : 0;
	}
	ckpt_buf_addf(&members, "\"threads\":%zu,\"checkpoints\":%lld", t->n,
			(long long)checkpoints);
	ckpt_buf_addf(&text, "%zu thread%s, %lld checkpoint%s", t->n,
			t->n == 1 ? "" : "s", (long long)checkpoints,
			checkpoints == 1 ? "" : "s");
	if (t->o->detail) {
		text_size(&size, bytes);
		ckpt_buf_addf(&text, ", %s", size.failed ? "" : size.p);
	}
	if (t->undecodable)
		cli_note(t->cli, "the metadata of %zu thread%s cannot be decoded",
				t->undecodable, t->undecodable == 1 ? "" : "s");
	rc = members.failed || text.failed ? no_memory(t)
	                                   : out_summary(t->cli, members.p, text.p);
	ckpt_buf_free(&members);
	ckpt_buf_free(&text);
	ckpt_buf_free(&size);
	return rc;
}

/* A limit on the threads that were active last: find those by one seek a namespace. */
static bool by_heads(const struct list *o)
{
	return o->limit != CKPT_UNKNOWN && !list_filters(o) && !o->ns &&
	       (o->sort < 0 || o->sort == SORT_LAST || o->sort == SORT_THREAD);
}

static int fold(struct threads *t)
{
	const struct list *o = t->o;
	bool heads = by_heads(o);
	struct ckpt_pick pick = { .depth = heads ? CKPT_HEADS : CKPT_SPANS };
	int rc = collect(t, &pick);
	size_t found = t->n;

	rc = rc < 0 ? rc : filter(t);
	if (rc < 0)
		return rc;
	if (o->run_id && t->n == 0)
		return ckpt_fail(&t->cli->err, CKPT_ENOTFOUND,
				"no checkpoint of run '%s'", o->run_id);
	if (o->sort == SORT_BYTES || (o->detail && o->limit == CKPT_UNKNOWN)) {
		if (t->n >= MANY && t->n >= found / 4)
			rc = measure_all(t);
		for (size_t i = 0; i < t->n && rc >= 0; i++)
			rc = t->rows[i].size == CKPT_UNKNOWN ? measure(t, &t->rows[i])
			                                     : 0;
	}
	if (t->n)
		qsort_r(t->rows, t->n, sizeof(*t->rows), in_order, t);
	if (o->limit != CKPT_UNKNOWN && t->n > (size_t)o->limit)
		t->n = (size_t)o->limit;
	for (size_t i = 0; i < t->n && rc >= 0; i++) {
		struct row *r = &t->rows[i];

		rc = heads ? count_row(t, r) : 0;
		if (rc >= 0 && o->detail)
			rc = describe(t, r);
		if (rc >= 0 && o->detail && r->size == CKPT_UNKNOWN)
			rc = measure(t, r);
	}
	if (rc >= 0)
		rc = o->ids ? print_ids(t) : print(t);
	return rc < 0 ? rc : summarize(t);
}

int list_threads(struct cli *cli, const struct list *o)
{
	struct threads t = { .cli = cli, .o = o };
	int rc = fold(&t);

	free(t.rows);
	ckpt_buf_free(&t.bytes);
	return rc;
}
