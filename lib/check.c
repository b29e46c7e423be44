/*
 * check.c - the walk over a store that looks for what is wrong with it: checkpoints in the order
 * of their keys, namespace after namespace, blobs along with them; then writes as they lie; then
 * what nobody claims. What is found is told at once and never ends the walk.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "delta.h"
#include "row.h"

const struct ckpt_finding_code ckpt_finding_codes[] = {
	[UNDECODABLE] = { "undecodable", CKPT_ERROR,
			"a checkpoint, its metadata, a value, write or blob cannot be "
			"read" },
	[MISSING_BLOB] = { "missing-blob", CKPT_ERROR,
			"a channel must have a value, but its blob is not in the store" },
	[LOST_SNAPSHOT] = { "lost-snapshot", CKPT_ERROR,
			"of a delta channel's stored value only the mark is left" },
	[BROKEN_DELTA] = { "broken-delta", CKPT_ERROR,
			"the parents a delta channel is made from are not all there" },
	[ID_MISMATCH] = { "id-mismatch", CKPT_ERROR,
			"the checkpoint has another id inside than its row" },
	[SELF_PARENT] = { "self-parent", CKPT_ERROR, "a checkpoint is its own parent" },
	[CYCLE] = { "cycle", CKPT_ERROR, "checkpoints are each other's ancestors" },
	[DUPLICATE_KEY] = { "duplicate-key", CKPT_ERROR,
			"two rows have the same key, or look as if they had" },
	[ORPHAN_WRITE] = { "orphan-write", CKPT_WARNING,
			"pending writes of a checkpoint that is not in the store" },
	[ORPHAN_BLOB] = { "orphan-blob", CKPT_WARNING,
			"a blob that no checkpoint of its namespace names" },
	[ORPHAN_NAMESPACE] = { "orphan-namespace", CKPT_WARNING,
			"a subgraph's checkpoints whose caller is not in the store" },
	[VERSION_REGRESSION] = { "version-regression", CKPT_WARNING,
			"a channel's version is smaller than at the parent" },
	[VERSION_COLLISION] = { "version-collision", CKPT_WARNING,
			"one version of a channel stands for two values" },
	[ID_ORDER] = { "id-order", CKPT_WARNING,
			"a checkpoint's id is not greater than its parent's" },
	[FUTURE_ID] = { "future-id", CKPT_WARNING,
			"an id lies in the future and hides what is written until then" },
	[UNKNOWN_TYPE] = { "unknown-type", CKPT_WARNING,
			"a type that no released LangGraph writes" },
	[PLAINTEXT] = { "plaintext-in-encrypted", CKPT_WARNING,
			"a row in the clear in a thread that is encrypted" },
	[NEAR_LIMIT] = { "near-limit", CKPT_WARNING,
			"a row is near the size its database can hold" },
	[SCHEMA_DRIFT] = { "schema-drift", CKPT_WARNING,
			"the tables are not as LangGraph makes them" },
	[MISSING_PARENT] = { "missing-parent", CKPT_INFO,
			"the parent is not in the store, as after pruning" },
	[OPAQUE] = { "opaque", CKPT_INFO,
			"rows that cannot be looked into without key or class" },
	{ NULL, CKPT_INFO, NULL }
};

/* Of 100: what is used of a limit before it is told. */
enum { NEAR = 80 };
static const struct check_limits sqlite_limits = { .row = (size_t)1000000000 / 100 * NEAR,
	.json = SIZE_MAX },
				 postgres_limits = { .row = (size_t)1073741823 / 100 *
	                                                    NEAR,
					 .json = (size_t)268435455 / 100 * NEAR };

int check_no_memory(struct check *c)
{
	return ckpt_fail(c->store->err, CKPT_ENOMEM, "out of memory");
}

int check_tell(struct check *c, enum check_code code, const struct ckpt_key *key,
		struct ckpt_view channel, const char *fmt, ...)
{
	struct ckpt_finding f = { .code = ckpt_finding_codes[code].name,
		.severity = ckpt_finding_codes[code].severity,
		.channel = channel };
	char text[600];
	va_list args;
	int n;

	if (key)
		f.key = *key;
	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	f.detail = (struct ckpt_view){ text, n < 0 ? 0
					     : (size_t)n < sizeof(text)
							     ? (size_t)n
							     : sizeof(text) - 1 };
	c->opt->count[f.severity]++;
	return c->opt->found(c->opt->arg, &f);
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* Four MiB of them; a store with more is asked for its strays in its own language. Two keys of the
 * same hash would hide a stray write: one chance in 2^62 for each two. */
enum { KEYS_MOST = KEY_SLOTS / 8 * 7, KEY_FLAGS = KEY_CHECKPOINT | KEY_WRITE };

static uint64_t hash_key(const struct ckpt_key *k)
{
	uint64_t h = ckpt_hash(k->thread) * 31 + ckpt_hash(k->ns);

	h = h * 31 + ckpt_hash(k->id) + ((uint64_t)k->blob << 2);
	h &= ~(uint64_t)KEY_FLAGS;
	return h ? h : 4;
}

static void keep_key(struct check *c, uint64_t hash, uint64_t flag)
{
	struct check_keys *k = c->keys;
	size_t i = hash >> 2 & (KEY_SLOTS - 1);
	uint64_t have;

	if (atomic_load_explicit(&k->n, memory_order_relaxed) >= KEYS_MOST)
		return;
	for (;;) {
		have = atomic_load_explicit(&k->slots[i], memory_order_relaxed);
		/* somebody else may take the free slot: then it is looked at again */
		if (!have && atomic_compare_exchange_strong(
					     &k->slots[i], &have, hash | flag))
			break;
		if ((have & ~(uint64_t)KEY_FLAGS) == hash) {
			if (!(have & flag))
				atomic_fetch_or(&k->slots[i], flag);
			return;
		}
		i = (i + 1) & (KEY_SLOTS - 1);
	}
	atomic_fetch_add(&k->n, 1);
}

/* Is there a write without its checkpoint? True also where there are too many keys to tell. */
static bool any_stray(const struct check_keys *k)
{
	bool stray = k->n >= KEYS_MOST;

	for (size_t i = 0; i < KEY_SLOTS && !stray; i++)
		stray = (k->slots[i] & KEY_FLAGS) == KEY_WRITE;
	return stray;
}

/* ---- blobs, in step with the namespaces -------------------------------------------------------- */

/* -1, 0, 1: where the blob at hand stands to the namespace. */
static int blob_cmp(const struct check *c)
{
	int d = ckpt_view_cmp(c->blob.key.thread, c->space.key.thread);

	return d ? d : ckpt_view_cmp(c->blob.key.ns, c->space.key.ns);
}

static int blob_next(struct check *c)
{
	c->blob_rc = ckpt_scan_next(c->blobs, &c->blob);
	return c->blob_rc < 0 ? c->blob_rc : 0;
}

static void mark_pair(struct check *c, uint32_t at)
{
	struct space *s = &c->space;
	const struct ckpt_value *v = c->blob.values;
	int64_t number = version_number(v->version);

	if (at != NONE)
		s->pairs[at].flags |= v->place == CKPT_EMPTY ? PAIR_EMPTY : PAIR_BLOB;
	if (v->place == CKPT_EMPTY && number >= 0 && number < s->first_empty)
		s->first_empty = number;
}

/* A blob row of the namespace at hand: which of its pairs has it? */
static void blob_marks(struct check *c)
{
	struct space *s = &c->space;
	const struct ckpt_value *v = c->blob.values;
	uint32_t channel = intern_find(&s->channel_names, v->channel);

	if (channel != NONE && judge_is_snapshot(v->type, v->body))
		s->any_delta = s->channels[channel].delta = true;
	if (v->version.p) {
		uint32_t version = intern_find(&s->versions, row_version(v->version));

		mark_pair(c, channel == NONE || version == NONE
						? NONE
						: space_pair(s, channel, version));
		return;
	}
	/* the shallow saver keeps one version of each channel, and does not say which */
	mark_pair(c, NONE);
	if (channel != NONE && v->place == CKPT_EMPTY)
		s->channels[channel].empty = true;
	else if (channel != NONE)
		s->channels[channel].blob = true;
}

/* The blobs of the namespace that was collected, and those before it that are nobody's. */
static int take_blobs(struct check *c, bool rest)
{
	int rc = 0;

	while (rc == 0 && c->blobs && c->blob_rc > 0) {
		int d = rest ? -1 : blob_cmp(c);

		if (d > 0)
			break;
		if (d == 0)
			blob_marks(c);
		rc = check_blob(c, &c->blob);
		rc = rc < 0 ? rc : blob_next(c);
	}
	return rc < 0 ? rc : c->blob_rc < 0 ? c->blob_rc : 0;
}

/* ---- checkpoints ------------------------------------------------------------------------------- */

static bool same_space(const struct ckpt_key *a, const struct ckpt_key *b)
{
	const unsigned mask = CKPT_BLOB_THREAD | CKPT_BLOB_NS;

	return ckpt_view_eq(a->thread, b->thread) && ckpt_view_eq(a->ns, b->ns) &&
	       (a->blob & mask) == (b->blob & mask);
}

static int space_end(struct check *c)
{
	int rc = 0;

	if (!c->space.nnodes)
		return 0;
	rc = take_blobs(c, false);
	rc = rc < 0 ? rc : check_links(c);
	rc = rc < 0 ? rc : check_versions(c);
	rc = rc < 0 ? rc : check_values(c);
	return rc < 0 ? rc : check_caller(c);
}

static int take_checkpoint(struct check *c, const struct ckpt_checkpoint *row)
{
	int rc = 0;

	if (!c->space.nnodes || !same_space(&c->space.key, &row->key)) {
		rc = space_end(c);
		rc = rc < 0 ? rc : space_begin(c, &row->key);
	}
	keep_key(c, hash_key(&row->key), KEY_CHECKPOINT);
	rc = rc < 0 ? rc : check_checkpoint(c, row);
	rc = rc < 0 ? rc : space_add(c, row);
	c->opt->checked++;
	return rc;
}

/* A page of the file is damaged: what SQLite says of it is a finding, and the rest goes on. */
static bool page_damaged(const struct check *c)
{
	return c->store->err->code == CKPT_ECORRUPT &&
	       c->store->backend == &sqlite_backend;
}

static int page_found(struct check *c, const struct ckpt_key *key)
{
	char why[sizeof(c->store->err->text)];

	memcpy(why, c->store->err->text, sizeof(why));
	*c->store->err = (struct ckpt_error){ 0 };
	return check_tell(c, UNDECODABLE, key, (struct ckpt_view){ 0 }, "%s", why);
}

/* Row by row, as the index has them, from behind those that were read. */
static int one_by_one(struct check *c, int64_t done)
{
	const struct ckpt_pick keys = { .key.thread = c->thread,
		.thread_from = c->from,
		.thread_upto = c->upto,
		.depth = CKPT_KEYS };
	struct ckpt_checkpoint key, row;
	struct ckpt_scan *scan, *one;
	int rc = ckpt_scan_open(&scan, c->store, &keys);

	while (rc >= 0 && (rc = ckpt_scan_next(scan, &key)) > 0) {
		const struct ckpt_pick pick = {
			.key = key.key, .depth = CKPT_VALUES, .apart = true
		};

		if (done-- > 0)
			continue;
		rc = ckpt_scan_one(&one, c->store, &pick, &row);
		if (rc > 0)
			rc = take_checkpoint(c, &row);
		ckpt_scan_close(one);
		if (rc < 0 && page_damaged(c)) {
			keep_key(c, hash_key(&key.key), KEY_CHECKPOINT);
			c->opt->checked++;
			rc = page_found(c, &key.key);
		}
	}
	ckpt_scan_close(scan);
	return rc;
}

int check_checkpoints(struct check *c)
{
	const struct ckpt_pick pick = { .key.thread = c->thread,
		.thread_from = c->from,
		.thread_upto = c->upto,
		.depth = CKPT_VALUES,
		.apart = true };
	int64_t before = c->opt->checked;
	struct ckpt_checkpoint row;
	struct ckpt_scan *scan;
	int rc = ckpt_scan_open(&scan, c->store, &pick);

	while (rc >= 0 && (rc = ckpt_scan_next(scan, &row)) > 0)
		rc = take_checkpoint(c, &row);
	ckpt_scan_close(scan);
	if (rc < 0 && page_damaged(c)) {
		*c->store->err = (struct ckpt_error){ 0 };
		rc = one_by_one(c, c->opt->checked - before);
	}
	rc = rc < 0 ? rc : space_end(c);
	c->space.nnodes = 0;
	return rc;
}

int check_writes(struct check *c)
{
	struct ckpt_pick pick = {
		.key.thread = c->thread, .rows = CKPT_WRITE_ROWS, .depth = CKPT_VALUES
	};
	struct ckpt_checkpoint row;
	struct ckpt_scan *scan;
	int rc = ckpt_scan_open(&scan, c->store, &pick);

	while (rc >= 0 && (rc = ckpt_scan_next(scan, &row)) > 0) {
		uint64_t hash = hash_key(&row.key);

		/* those of one checkpoint lie together */
		if (hash != c->last_key)
			keep_key(c, hash, KEY_WRITE);
		c->last_key = hash;
		rc = check_write(c, &row);
	}
	ckpt_scan_close(scan);
	/* the writes behind the page are not looked at: the finding says where it stopped */
	if (rc < 0 && page_damaged(c))
		rc = page_found(c, NULL);
	return rc < 0 ? rc : 0;
}

static int open_blobs(struct check *c)
{
	struct ckpt_pick pick = {
		.key.thread = c->thread, .rows = CKPT_BLOB_ROWS, .depth = CKPT_VALUES
	};
	int rc = c->apart ? ckpt_scan_open(&c->blobs, c->store, &pick) : 0;

	return rc < 0 || !c->apart ? rc : blob_next(c);
}

static int check_alone(struct check *c)
{
	int rc = open_blobs(c);

	rc = rc < 0 ? rc : check_checkpoints(c);
	rc = rc < 0 ? rc : take_blobs(c, true);
	ckpt_scan_close(c->blobs);
	c->blobs = NULL;
	return rc < 0 ? rc : check_writes(c);
}

static int check_part(struct check *c)
{
	int rc = check_team(c);

	if (rc == 0)
		rc = check_alone(c);
	rc = rc < 0 ? rc : check_stray(c, any_stray(c->keys));
	return rc < 0 || !(c->locked || c->pickled) ? rc : check_types(c);
}

static int drift_found(void *arg, const char *what)
{
	return check_tell(arg, SCHEMA_DRIFT, NULL, (struct ckpt_view){ 0 }, "%s", what);
}

/* A line of an archive, or (line 0) the whole of it. */
static int fault_found(struct check *c, const struct ckpt_fault *f)
{
	char line[32] = "";

	if (f->line)
		snprintf(line, sizeof(line), "line %lld: ", (long long)f->line);
	return check_tell(c, UNDECODABLE, NULL, (struct ckpt_view){ 0 }, "%s%s%s%s", line,
			f->why, f->member ? ": " : "", f->member ? f->member : "");
}

/* What is wrong with the store before any of its checkpoints is looked at. */
static int check_whole(struct check *c)
{
	const struct backend *b = c->store->backend;
	struct ckpt_fault fault;
	int rc = b->drift ? b->drift(c->store, drift_found, c) : 0;

	for (size_t i = 0; rc >= 0 && ckpt_store_fault(c->store, i, &fault); i++)
		rc = fault_found(c, &fault);
	return rc;
}

void check_release(struct check *c)
{
	space_free(&c->space);
	ckpt_buf_free(&c->detail);
	ckpt_buf_free(&c->roots);
	ckpt_buf_free(&c->roots_of);
	free(c->judge);
}

int ckpt_check(struct ckpt_store *store, struct ckpt_check *opt)
{
	struct check c = { .store = store, .opt = opt, .now = ckpt_now() };
	int rc = 0;

	c.apart = delta_inlines(store);
	c.limits = c.apart ? postgres_limits : sqlite_limits;
	c.judge = malloc(sizeof(*c.judge));
	c.keys = calloc(1, sizeof(*c.keys));
	opt->count[0] = opt->count[1] = opt->count[2] = opt->checked = 0;
	if (!c.judge || !c.keys)
		rc = check_no_memory(&c);
	if (rc == 0)
		rc = check_whole(&c);
	for (size_t i = 0; rc >= 0 && i < (opt->nthreads ? opt->nthreads : 1); i++) {
		c.thread = opt->nthreads ? opt->threads[i] : (struct ckpt_view){ 0 };
		rc = check_part(&c);
	}
	check_release(&c);
	free(c.keys);
	return rc < 0 ? rc : 0;
}
