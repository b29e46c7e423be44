/*
 * visit.c - a whole store through the public API: every depth and kind of scan, every value in
 * every form, differences, places, folds, addresses. Failing is fine, with a code that a command
 * may end with; what comes out is JSON, and no longer than its bytes can justify.
 */
#include <stdarg.h>

#include "token.h"
#include "visit.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define GROWTH 64 /* bytes of JSON from one stored byte */

struct walk {
	struct visit *v;
	struct ckpt_store *store;
	struct ckpt_error err;
	struct ckpt_buf last;          /* the checkpoint before, as JSON */
	char thread[256], newest[300]; /* the first thread; an id of it in braces */
	size_t thread_n;
};

static void fault(struct visit *v, const char *fmt, ...)
		__attribute__((format(printf, 2, 3)));
static void fault(struct visit *v, const char *fmt, ...)
{
	va_list ap;

	if (v->fault[0])
		return;
	va_start(ap, fmt);
	vsnprintf(v->fault, sizeof(v->fault), fmt, ap);
	va_end(ap);
}

/* A store may be damaged, of no known kind or in use; nothing else is its fault. */
static void settle(struct walk *w, int rc, const char *doing)
{
	static const int fine[] = { CKPT_OK, CKPT_EUNSUPPORTED, CKPT_EBUSY,
		CKPT_ENOTFOUND, CKPT_EAMBIGUOUS, CKPT_EREFUSED, CKPT_ECORRUPT };
	const char *why = strrchr(w->err.text, ':');
	/* SQLite's own word for some damaged schemas: nothing large was asked for */
	bool good = rc > 0 ||
	            (rc == CKPT_ENOMEM && why && strcmp(why, ": out of memory") == 0);

	for (size_t i = 0; i < LEN(fine); i++)
		good |= rc == fine[i];
	if (!good)
		fault(w->v, "%s: code %d: %s", doing, rc, w->err.text);
	if (rc < 0 && !w->v->code)
		w->v->code = rc;
	w->err = (struct ckpt_error){ 0 };
}

static bool is_json(struct ckpt_view text)
{
	static struct reader rd;
	struct ckpt_view whole = { NULL, 0 };
	bool good;

	reader_init(&rd, &json_reader, text);
	good = reader_skip(&rd, &whole) == 0 && whole.n == text.n;
	reader_done(&rd);
	return good && utf8_valid(text);
}

/* ---- values ---------------------------------------------------------------------------------- */

static void count_class(void *arg, struct ckpt_view module, struct ckpt_view name)
{
	*(size_t *)arg += ckpt_type_safe(module, name);
}

/* One value in one form; `out` keeps the JSON where the caller wants it. */
static void render_as(struct walk *w, struct ckpt_view type, struct ckpt_view body,
		struct ckpt_render *how, struct ckpt_buf *out)
{
	int rc;

	out->n = 0;
	rc = ckpt_render_value(out, type, body, how);
	w->v->corrupt += rc == CKPT_ECORRUPT;
	if (rc != 0 && rc != CKPT_ECORRUPT)
		fault(w->v, "rendering gives code %d", rc);
	else if (!is_json(ckpt_buf_view(out)))
		fault(w->v, "rendering gives what is not JSON");
	else if (out->n / GROWTH > body.n + 64)
		fault(w->v, "%zu bytes of JSON come from %zu", out->n, body.n);
}

static void render(struct walk *w, struct ckpt_view type, struct ckpt_view body)
{
	size_t classes = 0;
	struct ckpt_render plain = { .seen = count_class, .arg = &classes },
			   typed = { .typed = true, .reveal_secrets = true },
			   cut = { .max_value = 64 };
	struct ckpt_buf out = { 0 };
	struct ckpt_view found;

	w->v->values++;
	render_as(w, type, body, &plain, &out);
	if (ckpt_pointer_find(&found, ckpt_buf_view(&out), CKPT_LIT("/kwargs/id/0")) &&
			!is_json(found))
		fault(w->v, "a pointer finds what is not JSON");
	render_as(w, type, body, &typed, &out);
	render_as(w, type, body, &cut, &out);
	ckpt_value_member(&found, type, body, "id");
	ckpt_buf_free(&out);
}

static void compare(struct walk *w, const struct ckpt_checkpoint *c)
{
	struct ckpt_render marked = { .mark_sets = true };
	struct ckpt_compare how = { .patch = w->v->checkpoints & 1 };
	struct ckpt_buf now = { 0 }, name = { 0 };
	struct ckpt_diff *d = NULL;
	struct ckpt_change change;
	int rc = 0;

	render_as(w, c->type, c->body, &marked, &now);
	if (w->last.n)
		rc = ckpt_diff_open(
				&d, ckpt_buf_view(&w->last), ckpt_buf_view(&now), &how);
	while (d && (rc = ckpt_diff_next(d, &change)) > 0) {
		if (!change.path.n || !is_json(change.path) ||
				(change.now.p && !is_json(change.now)))
			fault(w->v, "a difference is not JSON");
		name.n = 0;
		ckpt_json_text(&name, change.path);
	}
	if (rc < 0)
		fault(w->v, "comparing two states gives code %d", rc);
	ckpt_diff_close(d);
	ckpt_buf_free(&name);
	ckpt_buf_free(&w->last);
	w->last = now;
}

static void fold(
		struct walk *w, const struct ckpt_checkpoint *c, struct ckpt_view channel)
{
	for (int guess = 0; guess < 2; guess++) {
		struct ckpt_render how = { .typed = guess };
		struct ckpt_buf out = { 0 };
		struct ckpt_delta delta = { 0 };
		int rc = ckpt_delta_value(
				&out, w->store, c, channel, &how, guess, &delta);

		if ((rc == 0 || rc == CKPT_ECORRUPT) && !is_json(ckpt_buf_view(&out)))
			fault(w->v, "a folded value is not JSON");
		settle(w, rc, "folding a channel");
		ckpt_delta_free(&delta);
		ckpt_buf_free(&out);
	}
}

static void places(struct walk *w, const struct ckpt_checkpoint *c)
{
	enum ckpt_place *where = calloc(c->nvalues + 1, sizeof(*where));
	struct ckpt_buf names = { 0 };
	int rc, folds = 0;

	for (size_t i = 0; where && i < c->nvalues; i++)
		where[i] = c->values[i].place;
	rc = where ? ckpt_delta_places(w->store, c, where) : CKPT_ENOMEM;
	settle(w, rc, "looking where values are");
	for (size_t i = 0; rc >= 0 && i < c->nvalues && folds < 3; i++) {
		if (where[i] != CKPT_DELTA)
			continue;
		fold(w, c, c->values[i].channel);
		folds++;
	}
	settle(w, ckpt_delta_unversioned(&names, w->store, c), "naming deltas");
	ckpt_buf_free(&names);
	free(where);
}

static void nodes(struct walk *w, const struct ckpt_checkpoint *c)
{
	struct ckpt_render how = { 0 };
	struct ckpt_buf out = { 0 };
	int64_t step;

	ckpt_nodes_json(&out, c);
	if (!is_json(ckpt_buf_view(&out)))
		fault(w->v, "the nodes are not JSON");
	out.n = 0;
	settle(w, ckpt_checkpoint_path(&out, c, CKPT_LIT("/values/messages/0"), &how),
			"following a path");
	out.n = 0;
	ckpt_meta_text(&out, c->meta, "source");
	ckpt_meta_int(&step, c->meta, "step");
	ckpt_meta_where(c->meta, CKPT_LIT("step"), CKPT_LIT("1"));
	ckpt_meta_where(c->meta, CKPT_LIT("writes.a.b"), CKPT_LIT("x"));
	ckpt_writer(c);
	ckpt_buf_free(&out);
}

/* ---- rows -------------------------------------------------------------------------------------- */

static void see(struct walk *w, const struct ckpt_checkpoint *c, bool whole)
{
	struct visit *v = w->v;

	if (v->row)
		v->row(v->arg, &c->key);
	for (size_t i = 0; i < c->nwrites; i++) {
		if (c->writes[i].type.p)
			render(w, c->writes[i].type, c->writes[i].body);
	}
	for (size_t i = 0; i < c->nvalues; i++) {
		if (c->values[i].type.p)
			render(w, c->values[i].type, c->values[i].body);
	}
	if (!whole)
		return;
	v->checkpoints++;
	v->largest = c->body.n > v->largest ? c->body.n : v->largest;
	if (c->body.p) {
		render(w, c->type, c->body);
		compare(w, c);
	}
	if (c->skeleton.p)
		render(w, c->type, c->skeleton);
	if (c->meta.p)
		render(w, c->meta_type, c->meta);
	nodes(w, c);
	places(w, c);
}

static void keep_name(struct walk *w, const struct ckpt_key *key)
{
	if (w->thread_n || !key->thread.n || key->thread.n >= sizeof(w->thread))
		return;
	memcpy(w->thread, key->thread.p, key->thread.n);
	w->thread_n = key->thread.n;
	snprintf(w->newest, sizeof(w->newest), "@{%.*s}",
			(int)(key->id.n < 200 ? key->id.n : 200),
			key->id.n ? (const char *)key->id.p : "");
}

static void scan(struct walk *w, const struct ckpt_pick *pick)
{
	struct ckpt_scan *s = NULL;
	struct ckpt_checkpoint c;
	bool deep = pick->depth == CKPT_VALUES;
	int rc = ckpt_scan_open(&s, w->store, pick);

	while (rc >= 0 && (rc = ckpt_scan_next(s, &c)) > 0) {
		keep_name(w, &c.key);
		if (deep)
			see(w, &c, pick->rows == CKPT_WHOLE);
		else if (w->v->row)
			w->v->row(w->v->arg, &c.key);
	}
	settle(w, rc, "scanning");
	ckpt_scan_close(s);
}

static void scans(struct walk *w)
{
	static const enum ckpt_rows rows[] = { CKPT_STORED, CKPT_WRITE_ROWS,
		CKPT_BLOB_ROWS, CKPT_STRAY_WRITES, CKPT_STRAY_BLOBS };

	for (enum ckpt_depth depth = CKPT_HEADS; depth <= CKPT_VALUES; depth++) {
		bool rowwise = depth >= CKPT_LINKS;
		struct ckpt_pick pick = { .depth = depth,
			.writes = rowwise,
			.sizes = rowwise,
			.descending = depth == CKPT_KEYS,
			.newest = depth == CKPT_HEADS };

		scan(w, &pick);
	}
	for (size_t i = 0; i < LEN(rows); i++) {
		struct ckpt_pick pick = { .depth = CKPT_VALUES, .rows = rows[i] };

		scan(w, &pick);
	}
}

/* ---- names ------------------------------------------------------------------------------------- */

static void addresses(struct walk *w)
{
	const char *const ends[] = { "", "~1", "@{step:0}", "@{head:1}~1",
		"@{2026-01-01}", "@{0}", w->newest };
	struct ckpt_view thread = { w->thread, w->thread_n };
	struct ckpt_lineage *l = NULL;
	struct ckpt_key key = { .thread = thread, .ns = CKPT_LIT("") };
	struct ckpt_address literal = { .thread = thread, .ns = CKPT_LIT("") };
	struct ckpt_buf to = { 0 };

	w->thread[w->thread_n] = '\0';
	for (size_t i = 0; i < LEN(ends) && strlen(w->thread) == w->thread_n; i++) {
		char text[sizeof(w->thread) + sizeof(w->newest)];
		struct ckpt_address a = { .text = text, .ns = CKPT_LIT("") };

		snprintf(text, sizeof(text), "%s%s", w->thread, ends[i]);
		settle(w, ckpt_address_find(&key, w->store, &a, &to), text);
	}
	settle(w, ckpt_address_find(&key, w->store, &literal, &to), "a literal name");
	settle(w, ckpt_thread_find(&key, w->store, thread), "finding a thread");
	key = (struct ckpt_key){ .thread = thread, .ns = CKPT_LIT("") };
	settle(w, ckpt_lineage_load(&l, w->store, &key), "loading a lineage");
	for (size_t i = 0; l && i < l->count; i++)
		ckpt_short_id(l, i);
	ckpt_lineage_free(l);
	ckpt_buf_free(&to);
}

bool visit_store(struct visit *v, const char *name)
{
	const struct ckpt_config config = { .lock_wait = 1000000 };
	struct walk w = { .v = v };
	struct ckpt_about about;
	struct ckpt_space space;
	int rc = ckpt_store_open(&w.store, name, &config, &w.err);

	settle(&w, rc, "opening");
	if (rc < 0)
		return !v->fault[0];
	settle(&w, ckpt_store_about(w.store, &about), "telling about the store");
	settle(&w, ckpt_store_space(w.store, &space), "measuring the store");
	scans(&w);
	if (w.thread_n)
		addresses(&w);
	settle(&w, ckpt_store_end(w.store), "ending");
	ckpt_store_close(w.store);
	ckpt_buf_free(&w.last);
	return !v->fault[0];
}
