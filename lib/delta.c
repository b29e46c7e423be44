/*
 * delta.c - DeltaChannels: a channel whose value is stored at some steps only, and between them
 * as writes that hang on the parents. Which channels are of that kind; delta_chain.c says what
 * they hold.
 *
 * The database never says which channels are of that kind: metadata counters name them, and a
 * stored snapshot shows one (msgpack ext 7, JSON lc:2 delta_snapshot). A checkpoint between two
 * snapshots nearly always counts its own delta channels; only where it does not are the other
 * checkpoints of the namespace asked.
 */
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "codec.h"
#include "delta.h"

bool delta_is_internal(struct ckpt_view channel)
{
	static const char *const prefix[] = { "branch:to:", "join:", "start:", "__" };

	for (size_t i = 0; i < sizeof(prefix) / sizeof(prefix[0]); i++) {
		size_t n = strlen(prefix[i]);

		if (channel.n >= n && memcmp(channel.p, prefix[i], n) == 0)
			return true;
	}
	return false;
}

/* metadata.counters_since_delta_snapshot has the channel as a member. */
static bool counted(struct ckpt_view meta, struct ckpt_view channel)
{
	struct ckpt_view counters, found;
	struct ckpt_buf name = { 0 };
	bool yes = false;

	if (!ckpt_value_member(&counters, CKPT_LIT("json"), meta,
			    "counters_since_delta_snapshot"))
		return false;
	ckpt_buf_add(&name, channel.p, channel.n);
	if (!name.failed && !memchr(name.p, '\0', name.n))
		yes = ckpt_value_member(&found, CKPT_LIT("json"), counters, name.p);
	ckpt_buf_free(&name);
	return yes;
}

/* Is the stored value a snapshot (or the sentinel of the first betas)? */
static bool is_snapshot(const struct ckpt_value *v)
{
	static const char json[] = "{\"lc\":2,\"type\":\"delta_snapshot\"";
	struct reader *r;
	struct token t;
	bool yes = false;

	if (!v->body.p || !v->type.p)
		return false;
	if (codec_reader(v->type) == &json_reader)
		return v->body.n > sizeof(json) &&
		       memcmp(v->body.p, json, sizeof(json) - 1) == 0;
	if (codec_reader(v->type) != &msgpack_reader || !(r = malloc(sizeof(*r))))
		return false;
	reader_init(r, &msgpack_reader, v->body);
	if (reader_next(r, &t) > 0 && t.kind == TOKEN_EXT)
		yes = t.ext == 7 || t.ext == 8;
	reader_done(r);
	free(r);
	return yes;
}

static bool shows_delta(const struct ckpt_checkpoint *c, struct ckpt_view channel)
{
	if (counted(c->meta, channel))
		return true;
	for (size_t i = 0; i < c->nvalues; i++) {
		if (ckpt_view_eq(c->values[i].channel, channel))
			return is_snapshot(&c->values[i]);
	}
	return false;
}

bool delta_inlines(const struct ckpt_store *store)
{
	return store->inlines;
}

bool delta_has_blobs(struct ckpt_store *store)
{
	return store->inlines && store->has_blobs;
}

bool delta_mark(const struct ckpt_store *store, const struct ckpt_value *v)
{
	return v->place == CKPT_INLINE && delta_inlines(store) &&
	       ckpt_view_eq(v->body, CKPT_LIT("true"));
}

/* What the channel is if it turns out to be a delta channel; its own place if it cannot be. */
static enum ckpt_place as_delta(struct ckpt_store *store, const struct ckpt_value *v)
{
	if (delta_is_internal(v->channel))
		return v->place;
	if (v->place == CKPT_EMPTY)
		return CKPT_DELTA;
	return delta_mark(store, v) && delta_has_blobs(store) ? CKPT_LOST : v->place;
}

int ckpt_delta_places(struct ckpt_store *store, const struct ckpt_checkpoint *c,
		enum ckpt_place *places)
{
	/* snapshots are values; a mark without its blob only the counters explain */
	struct ckpt_pick pick = { .key = c->key, .depth = CKPT_META };
	struct ckpt_checkpoint other;
	struct ckpt_scan *scan;
	size_t open = 0;
	int rc;

	for (size_t i = 0; i < c->nvalues; i++) {
		const struct ckpt_value *v = &c->values[i];
		enum ckpt_place delta = as_delta(store, v);

		places[i] = v->place;
		if (delta == v->place)
			continue;
		if (shows_delta(c, v->channel)) {
			places[i] = delta;
			continue;
		}
		if (v->place == CKPT_EMPTY)
			pick.depth = CKPT_VALUES;
		open++;
	}
	if (!open)
		return 0;
	pick.key.id = (struct ckpt_view){ 0 };
	rc = ckpt_scan_open(&scan, store, &pick);
	while (rc >= 0 && open && (rc = ckpt_scan_next(scan, &other)) > 0) {
		for (size_t i = 0; i < c->nvalues; i++) {
			const struct ckpt_value *v = &c->values[i];

			if (places[i] != v->place || as_delta(store, v) == v->place ||
					!shows_delta(&other, v->channel))
				continue;
			places[i] = as_delta(store, v);
			open--;
		}
	}
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

static bool has_value(const struct ckpt_checkpoint *c, struct ckpt_view channel)
{
	for (size_t i = 0; i < c->nvalues; i++) {
		if (ckpt_view_eq(c->values[i].channel, channel))
			return true;
	}
	return false;
}

static bool is_named(const struct ckpt_buf *names, struct ckpt_view channel)
{
	for (size_t i = 0; i < names->n; i += strlen(names->p + i) + 1) {
		if (ckpt_view_eq(ckpt_view_of(names->p + i), channel))
			return true;
	}
	return false;
}

bool delta_counters(struct ckpt_view meta, void (*name)(void *arg, struct ckpt_view),
		void *arg)
{
	struct ckpt_view counters;
	struct reader *r = malloc(sizeof(*r));
	struct token t;
	bool whole;

	if (!r)
		return false;
	reader_init(r, &json_reader, meta);
	whole = reader_skip(r, NULL) == 0;
	reader_done(r);
	if (whole && ckpt_value_member(&counters, CKPT_LIT("json"), meta,
				     "counters_since_delta_snapshot")) {
		reader_init(r, &json_reader, counters);
		whole = reader_next(r, &t) > 0 && t.kind == TOKEN_MAP;
		while (whole && reader_next(r, &t) > 0 && t.kind == TOKEN_STR) {
			name(arg, t.s);
			whole = reader_skip(r, NULL) == 0;
		}
		reader_done(r);
	}
	free(r);
	return whole;
}

struct unversioned {
	struct ckpt_buf *names;
	const struct ckpt_checkpoint *c;
};

/* What this one counts, and `c` neither has a value nor a version of. */
static void add_unversioned(void *arg, struct ckpt_view channel)
{
	const struct unversioned *u = arg;

	if (has_value(u->c, channel) || delta_is_internal(channel) || u->names->failed ||
			memchr(channel.p, '\0', channel.n) || is_named(u->names, channel))
		return;
	ckpt_buf_add(u->names, channel.p, channel.n);
	ckpt_buf_add(u->names, "", 1);
}

int ckpt_delta_unversioned(struct ckpt_buf *names, struct ckpt_store *store,
		const struct ckpt_checkpoint *c)
{
	/* every checkpoint counts the delta channels but those just stored: a few tell all */
	struct ckpt_pick pick = {
		.key = c->key, .depth = CKPT_META, .descending = true, .limit = 100
	};
	struct unversioned arg = { names, c };
	struct ckpt_checkpoint other;
	struct ckpt_view always;
	struct ckpt_scan *scan;
	int rc;

	if (ckpt_writer(c) != CKPT_JS ||
			(ckpt_value_member(&always, CKPT_LIT("json"), c->meta,
					 "delta_writes_versioned") &&
					ckpt_view_eq(always, CKPT_LIT("true"))))
		return 0;
	pick.key.id = (struct ckpt_view){ 0 };
	delta_counters(c->meta, add_unversioned, &arg);
	rc = ckpt_scan_open(&scan, store, &pick);
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &other)) > 0)
		delta_counters(other.meta, add_unversioned, &arg);
	ckpt_scan_close(scan);
	return rc < 0 ? rc : names->failed ? CKPT_ENOMEM : 0;
}
