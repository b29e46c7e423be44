/*
 * dump_scan.c - the scan over a dump: which rows of the sorted list a pick means, and in which
 * order; a row's own line is dump_rows.c's.
 *
 * Names are numbers in byte order, so bounds are numbers too. Newest means greatest by bytes:
 * how the database of the store ordered ids, the archive does not know.
 */
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "dump.h"

struct dump_scan {
	struct ckpt_scan base;
	struct ckpt_pick pick;
	struct dump_step step;
	struct dump_row key; /* what the bounds are as numbers; NONE: any */
	uint64_t from, upto; /* ids in [from, upto) */
	uint64_t first, end; /* threads in [first, end) */
	const struct dump_rows *rows;
	struct dump_rows own; /* another order: of the file */
	size_t lo, hi;        /* still to come */
	bool down;
	int64_t given;
	struct ckpt_write write; /* row kinds: the one row of the step */
	struct ckpt_value value;
	unsigned char *named; /* STRAY_BLOBS: a checkpoint names it */
	/* sizes of blobs in the namespace that begins at `space` */
	int64_t *fresh, *all;
	size_t space, nspace;
};

static struct dump_scan *scan_of(struct ckpt_scan *s)
{
	return (struct dump_scan *)(void *)s;
}

static struct ckpt_error *err_of(struct dump_scan *s)
{
	return s->base.store->err;
}

static int no_memory(struct dump_scan *s)
{
	return ckpt_fail(err_of(s), CKPT_ENOMEM, "out of memory");
}

/* ---- bounds --------------------------------------------------------------------------------------- */

/* A part of the key as a number. False: no row can have it. */
static bool part(struct dump_scan *s, uint32_t *out, struct ckpt_view v, unsigned blob)
{
	const struct dump_names *names = &s->step.store->names;

	*out = v.p ? dump_name_find(names, v, s->pick.key.blob & blob) : DUMP_NONE;
	return !v.p || *out != DUMP_NONE;
}

/* The first number behind every id up to `upto`. */
static uint64_t behind(struct dump_scan *s, struct ckpt_view upto, bool blob)
{
	const struct dump_names *names = &s->step.store->names;
	uint64_t at = dump_name_bound(names, upto, blob);

	return at + (dump_name_find(names, upto, blob) != DUMP_NONE);
}

static bool in_bounds(const struct dump_scan *s, const struct dump_row *r)
{
	const struct dump_row *k = &s->key;

	return (k->thread == DUMP_NONE || k->thread == r->thread) &&
	       (k->ns == DUMP_NONE || k->ns == r->ns) &&
	       (k->id == DUMP_NONE || k->id == r->id) && r->id >= s->from &&
	       r->id < s->upto && r->thread >= s->first && r->thread < s->end;
}

/* The number that threads from a bound on have at least. */
static uint64_t thread_at(
		const struct dump_scan *s, const struct ckpt_bound *b, uint64_t none)
{
	return b->v.p ? dump_name_bound(&s->step.store->names, b->v, b->blob) : none;
}

static void set_bounds(struct dump_scan *s)
{
	const struct ckpt_pick *p = &s->pick;
	const struct ckpt_key *k = &s->pick.key;
	bool blob = k->blob & CKPT_BLOB_ID, there;
	int parts;

	if (s->rows == &s->step.store->rows[DUMP_BLOB]) /* their keys have no id */
		s->pick.key.id = s->pick.from = s->pick.upto = (struct ckpt_view){ 0 };
	there = part(s, &s->key.thread, k->thread, CKPT_BLOB_THREAD) &&
	        part(s, &s->key.ns, k->ns, CKPT_BLOB_NS) &&
	        part(s, &s->key.id, k->id, CKPT_BLOB_ID);
	s->from = s->pick.from.p ? dump_name_bound(&s->step.store->names, s->pick.from,
						   blob)
	                         : 0;
	s->upto = s->pick.upto.p ? behind(s, s->pick.upto, blob) : UINT64_MAX;
	s->first = thread_at(s, &p->thread_from, 0);
	s->end = thread_at(s, &p->thread_upto, UINT64_MAX);
	if (!there || s->first >= s->end)
		return; /* lo == hi: nothing */
	s->hi = s->rows->n;
	if (s->own.v) /* not by key */
		return;
	if (k->thread.p) {
		parts = !k->ns.p ? 1 : k->id.p ? 3 : 2;
		s->lo = dump_first(s->rows, &s->key, parts);
		s->hi = dump_last(s->rows, &s->key, parts);
		return;
	}
	s->lo = dump_first(
			s->rows, &(struct dump_row){ .thread = (uint32_t)s->first }, 1);
	if (p->thread_upto.v.p)
		s->hi = dump_first(s->rows,
				&(struct dump_row){ .thread = (uint32_t)s->end }, 1);
}

/* ---- rows in another order, or a choice of them -------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
	const struct dump_row *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

static int order_by_place(struct dump_scan *s)
{
	size_t n = s->rows->n;

	s->own.v = malloc((n + 1) * sizeof(*s->own.v));
	if (!s->own.v)
		return no_memory(s);
	if (n) {
		memcpy(s->own.v, s->rows->v, n * sizeof(*s->own.v));
		qsort(s->own.v, n, sizeof(*s->own.v), by_place);
	}
	s->own.n = n;
	s->rows = &s->own;
	return 0;
}

static void mark(void *arg, size_t blob)
{
	struct dump_scan *s = arg;

	s->named[blob] = 1;
}

/* Which blobs a checkpoint of their namespace names; the bounds hold for both. */
static int mark_named(struct dump_scan *s)
{
	const struct dump_rows *all = &s->step.store->rows[DUMP_CHECKPOINT];

	s->named = calloc(s->rows->n + 1, 1);
	if (!s->named)
		return no_memory(s);
	for (size_t i = 0; i < all->n; i++) {
		arena_reset(&s->step.arena);
		if (all->v[i].apart && in_bounds(s, &all->v[i]) &&
				dump_each_blob(&s->step, &all->v[i], mark, s) < 0)
			return err_of(s)->code;
	}
	return 0;
}

static bool stray(struct dump_scan *s, const struct dump_row *r)
{
	const struct dump_rows *all = &s->step.store->rows[DUMP_CHECKPOINT];

	if (s->pick.rows == CKPT_STRAY_WRITES)
		return dump_first(all, r, 3) == dump_last(all, r, 3);
	return s->pick.rows != CKPT_STRAY_BLOBS || !s->named[r - s->rows->v];
}

/* ---- open and close ----------------------------------------------------------------------------------- */

static int start(struct dump_scan *s)
{
	static const enum dump_kind kinds[] = {
		[CKPT_WHOLE] = DUMP_CHECKPOINT,
		[CKPT_STORED] = DUMP_CHECKPOINT,
		[CKPT_WRITE_ROWS] = DUMP_WRITE,
		[CKPT_BLOB_ROWS] = DUMP_BLOB,
		[CKPT_STRAY_WRITES] = DUMP_WRITE,
		[CKPT_STRAY_BLOBS] = DUMP_BLOB,
	};
	bool placed = s->pick.rows == CKPT_STORED || s->pick.rows == CKPT_WRITE_ROWS;

	s->rows = &s->step.store->rows[kinds[s->pick.rows]];
	s->space = SIZE_MAX;
	if (s->pick.rows != CKPT_WHOLE && s->pick.depth < CKPT_KEYS)
		s->pick.depth = CKPT_KEYS;
	s->down = s->pick.rows == CKPT_WHOLE &&
	          (s->pick.descending || s->pick.newest || s->pick.depth == CKPT_HEADS);
	s->step.json = malloc(sizeof(*s->step.json));
	if (!s->step.json)
		return no_memory(s);
	if (placed && order_by_place(s) < 0)
		return err_of(s)->code;
	set_bounds(s);
	return s->pick.rows == CKPT_STRAY_BLOBS && s->lo < s->hi ? mark_named(s) : 0;
}

int dump_scan(struct ckpt_scan **out, struct ckpt_store *store,
		const struct ckpt_pick *pick)
{
	struct dump_scan *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (!s)
		return ckpt_fail(store->err, CKPT_ENOMEM, "out of memory");
	s->base.store = store;
	s->pick = *pick;
	s->step.store = dump_of(store);
	s->step.raw = pick->raw;
	if (start(s) < 0) {
		dump_scan_done(&s->base);
		return store->err->code;
	}
	*out = &s->base;
	return 0;
}

void dump_scan_done(struct ckpt_scan *scan)
{
	struct dump_scan *s = scan_of(scan);

	arena_free(&s->step.arena);
	free(s->step.json);
	free(s->step.line);
	free(s->own.v);
	free(s->named);
	free(s->fresh);
	free(s->all);
	free(s);
}

/* ---- sizes of blobs ------------------------------------------------------------------------------------- */

struct sum {
	struct dump_scan *scan;
	size_t at; /* the checkpoint, in its namespace */
	unsigned char *seen;
	size_t first; /* blob that seen[0] stands for */
};

static void add_size(void *arg, size_t blob)
{
	struct sum *sum = arg;
	int64_t size = sum->scan->step.store->rows[DUMP_BLOB].v[blob].size;

	sum->scan->all[sum->at] += size;
	if (!sum->seen[blob - sum->first])
		sum->scan->fresh[sum->at] += size;
	sum->seen[blob - sum->first] = 1;
}

/* All checkpoints of a namespace, in the order of their ids: the first to name a blob made it. */
static int read_sizes(struct dump_scan *s, const struct dump_row *row)
{
	const struct dump_row key = { .thread = row->thread, .ns = row->ns };
	const struct dump_rows *rows = &s->step.store->rows[DUMP_CHECKPOINT];
	const struct dump_rows *blobs = &s->step.store->rows[DUMP_BLOB];
	size_t last = dump_last(blobs, &key, 2);
	struct sum sum = { .scan = s, .first = dump_first(blobs, &key, 2) };

	s->space = dump_first(rows, &key, 2);
	s->nspace = dump_last(rows, &key, 2) - s->space;
	free(s->fresh);
	free(s->all);
	s->fresh = calloc(s->nspace, sizeof(*s->fresh));
	s->all = calloc(s->nspace, sizeof(*s->all));
	sum.seen = calloc(last - sum.first + 1, 1);
	if (!s->fresh || !s->all || !sum.seen)
		no_memory(s);
	for (; sum.at < s->nspace && !err_of(s)->code; sum.at++) {
		const struct dump_row *r = &rows->v[s->space + sum.at];

		arena_reset(&s->step.arena);
		if (r->apart)
			dump_each_blob(&s->step, r, add_size, &sum);
	}
	free(sum.seen);
	return err_of(s)->code;
}

/* ---- steps ------------------------------------------------------------------------------------------------ */

static void fill_key(struct dump_scan *s, const struct dump_row *r,
		struct ckpt_checkpoint *out)
{
	const struct dump_names *names = &s->step.store->names;
	const uint32_t part[] = { r->thread, r->ns, r->id };
	struct ckpt_view *to[] = { &out->key.thread, &out->key.ns, &out->key.id };

	for (unsigned i = 0; i < 3 && part[i] != DUMP_NONE; i++) {
		*to[i] = dump_name(names, part[i]);
		if (names->v[part[i]].blob)
			out->key.blob |= 1U << i;
	}
	out->time = ckpt_time_of_id(out->key.id);
}

/* The clock inside the container, where the id holds none. */
static int time_from_body(struct dump_scan *s, struct dump_line *line,
		const struct dump_row *r, struct ckpt_checkpoint *out)
{
	struct ckpt_checkpoint deep = *out;

	dump_fill_values(&s->step, line, r, true, &deep);
	out->time = deep.time;
	return err_of(s)->code;
}

static int fill(struct dump_scan *s, const struct dump_row *r,
		struct ckpt_checkpoint *out)
{
	enum ckpt_depth depth = s->pick.depth;
	bool whole = s->pick.rows == CKPT_WHOLE;
	struct dump_line line;

	if (s->pick.sizes && whole && r->apart) {
		size_t at = (size_t)(r - s->rows->v);

		if ((s->space > at || at - s->space >= s->nspace) && read_sizes(s, r) < 0)
			return err_of(s)->code;
		out->blobs_new = s->fresh[at - s->space];
		out->blobs_all = s->all[at - s->space];
	}
	if (depth >= CKPT_LINKS) {
		if (dump_row_read(&s->step, r, false, &line) < 0 ||
				dump_fill_links(&s->step, &line, out) < 0)
			return err_of(s)->code;
		if (out->time == CKPT_UNKNOWN && depth < CKPT_VALUES && whole &&
				time_from_body(s, &line, r, out) < 0)
			return err_of(s)->code;
	}
	if (depth < CKPT_META)
		out->meta = out->meta_type = (struct ckpt_view){ 0 };
	if (depth >= CKPT_VALUES &&
			dump_fill_values(&s->step, &line, r, s->pick.apart, out) < 0)
		return err_of(s)->code;
	return s->pick.writes ? dump_fill_writes(&s->step, r, depth >= CKPT_VALUES, out)
	                      : 0;
}

/* The one write or blob of a row kind. */
static int fill_row(struct dump_scan *s, const struct dump_row *r,
		struct ckpt_checkpoint *out)
{
	bool bodies = s->pick.depth >= CKPT_VALUES;

	if (s->rows == &s->step.store->rows[DUMP_BLOB]) {
		out->time = CKPT_UNKNOWN;
		out->blobs_all = s->pick.depth >= CKPT_LINKS ? r->size : 0;
		out->values = &s->value;
		out->nvalues = 1;
		return dump_fill_blob(&s->step, r, bodies, &s->value);
	}
	out->writes = &s->write;
	out->nwrites = 1;
	if (dump_fill_write(&s->step, r, bodies, &s->write) < 0)
		return err_of(s)->code;
	if (s->pick.depth < CKPT_LINKS)
		s->write.size = 0;
	out->writes_size = s->write.size;
	return 0;
}

/* Thread and namespace at once: its rows are those up to the next one. */
static void fill_span(struct dump_scan *s, const struct dump_row *r,
		struct ckpt_checkpoint *out)
{
	const struct dump_row *last = r, *first = r;
	int64_t n = 0;

	while (s->lo < s->hi) {
		const struct dump_row *next = &s->rows->v[s->down ? s->hi - 1 : s->lo];

		if (next->thread != r->thread || next->ns != r->ns)
			break;
		s->down ? s->hi-- : s->lo++;
		if (!in_bounds(s, next))
			continue;
		last = s->down ? last : next;
		first = s->down ? next : first;
		n++;
	}
	fill_key(s, last, out);
	if (s->pick.depth == CKPT_HEADS)
		return;
	out->first = dump_name(&s->step.store->names, first->id);
	out->count = n + 1;
}

int dump_scan_next(struct ckpt_scan *scan, struct ckpt_checkpoint *out)
{
	struct dump_scan *s = scan_of(scan);
	const struct dump_row *r;
	int rc = 0;

	if (err_of(s)->code)
		return err_of(s)->code;
	do {
		if (s->lo >= s->hi || (s->pick.limit && s->given >= s->pick.limit))
			return 0;
		r = &s->rows->v[s->down ? --s->hi : s->lo++];
	} while (!in_bounds(s, r) || !stray(s, r));
	s->given++;
	arena_reset(&s->step.arena);
	*out = (struct ckpt_checkpoint){ 0 };
	if (s->pick.depth < CKPT_KEYS) {
		fill_span(s, r, out);
		return 1;
	}
	fill_key(s, r, out);
	rc = s->pick.rows > CKPT_STORED ? fill_row(s, r, out) : fill(s, r, out);
	return rc < 0 ? rc : 1;
}
