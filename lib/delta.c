/*
 * delta.c - DeltaChannels: a channel whose value is stored at some steps only, and between them
 * as writes that hang on the parents.
 *
 * The database never says which channels are of that kind: metadata counters name them, and a
 * stored snapshot shows one (msgpack ext 7, JSON lc:2 delta_snapshot). A checkpoint between two
 * snapshots nearly always counts its own delta channels; only where it does not are the other
 * checkpoints of the namespace asked.
 */
#include <stdlib.h>
#include <string.h>

#include "codec.h"

/* Channels the engine makes for itself are never delta channels. */
static bool is_internal(struct ckpt_view channel)
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

int ckpt_delta_places(struct ckpt_store *store, const struct ckpt_checkpoint *c,
		enum ckpt_place *places)
{
	struct ckpt_pick pick = { .key = c->key, .depth = CKPT_VALUES };
	struct ckpt_checkpoint other;
	struct ckpt_scan *scan;
	size_t open = 0;
	int rc;

	for (size_t i = 0; i < c->nvalues; i++) {
		const struct ckpt_value *v = &c->values[i];

		places[i] = v->place;
		if (v->place != CKPT_EMPTY || is_internal(v->channel))
			continue;
		if (shows_delta(c, v->channel))
			places[i] = CKPT_DELTA;
		else
			open++;
	}
	if (!open)
		return 0;
	pick.key.id = (struct ckpt_view){ 0 };
	rc = ckpt_scan_open(&scan, store, &pick);
	while (rc >= 0 && open && (rc = ckpt_scan_next(scan, &other)) > 0) {
		for (size_t i = 0; i < c->nvalues; i++) {
			if (places[i] != CKPT_EMPTY ||
					is_internal(c->values[i].channel) ||
					!shows_delta(&other, c->values[i].channel))
				continue;
			places[i] = CKPT_DELTA;
			open--;
		}
	}
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

/* ---- the chain -------------------------------------------------------------------------------------- */

struct link_writes { /* JSON of the writes that hang on one ancestor, ",a,b" */
	struct ckpt_buf json;
};

struct chain {
	struct ckpt_view channel;
	struct ckpt_render *opt;
	struct link_writes *links;
	size_t n, cap;
	struct ckpt_buf snapshot, snapshot_id;
	bool corrupt;
};

static int add_writes(struct chain *ch, const struct ckpt_checkpoint *c)
{
	struct ckpt_buf *to;

	if (ch->n == ch->cap) {
		size_t cap = ch->cap ? ch->cap * 2 : 16;
		struct link_writes *more = realloc(ch->links, cap * sizeof(*more));

		if (!more)
			return CKPT_ENOMEM;
		ch->links = more;
		ch->cap = cap;
	}
	ch->links[ch->n] = (struct link_writes){ 0 };
	to = &ch->links[ch->n++].json;
	for (size_t i = 0; i < c->nwrites; i++) {
		const struct ckpt_write *w = &c->writes[i];

		if (!ckpt_view_eq(w->channel, ch->channel))
			continue;
		ckpt_buf_puts(to, ",");
		ch->corrupt |= ckpt_render_value(to, w->type, w->body, ch->opt) ==
		               CKPT_ECORRUPT;
	}
	return to->failed ? CKPT_ENOMEM : 0;
}

/* 1: the seed was found here */
static int take_seed(struct chain *ch, const struct ckpt_checkpoint *c)
{
	for (size_t i = 0; i < c->nvalues; i++) {
		const struct ckpt_value *v = &c->values[i];

		if (!v->type.p || !ckpt_view_eq(v->channel, ch->channel))
			continue;
		ch->corrupt |= ckpt_render_value(&ch->snapshot, v->type, v->body,
					       ch->opt) == CKPT_ECORRUPT;
		ckpt_json_string(&ch->snapshot_id, c->key.id);
		return 1;
	}
	return 0;
}

/* From parent to parent up to the one that has a stored value, a gap, or the root. */
static int walk_up(struct chain *ch, struct ckpt_store *store,
		const struct ckpt_checkpoint *from)
{
	struct ckpt_pick pick = {
		.key = from->key, .depth = CKPT_VALUES, .writes = true
	};
	struct ckpt_buf parent = { 0 },
			mark = { 0 }; /* met again: the parents form a ring */
	size_t steps = 0;
	int rc = from->parent.p != NULL;

	if (rc)
		ckpt_buf_add(&parent, from->parent.p, from->parent.n);
	while (rc > 0 && !parent.failed && !mark.failed) {
		struct ckpt_checkpoint c;
		struct ckpt_scan *scan;

		steps++;
		pick.key.id = ckpt_buf_view(&parent);
		rc = ckpt_scan_one(&scan, store, &pick, &c);
		if (rc > 0) {
			int seed, added = add_writes(ch, &c);

			seed = added < 0 ? added : take_seed(ch, &c);
			rc = seed < 0 ? seed
			              : !seed && c.parent.p &&
			                                     !ckpt_view_eq(c.parent,
									     c.key.id);
			parent.n = 0;
			ckpt_buf_add(&parent, c.parent.p, c.parent.n);
		}
		ckpt_scan_close(scan);
		if (steps > 1 && ckpt_view_eq(ckpt_buf_view(&parent),
						 ckpt_buf_view(&mark)))
			break;
		if ((steps & (steps - 1)) == 0) {
			mark.n = 0;
			ckpt_buf_add(&mark, parent.p, parent.n);
		}
	}
	if (parent.failed || mark.failed)
		rc = CKPT_ENOMEM;
	ckpt_buf_free(&parent);
	ckpt_buf_free(&mark);
	return rc < 0 ? rc : 0;
}

int ckpt_delta_json(struct ckpt_buf *to, struct ckpt_store *store,
		const struct ckpt_checkpoint *c, struct ckpt_view channel,
		struct ckpt_render *opt)
{
	struct chain ch = { .channel = channel, .opt = opt };
	int rc = walk_up(&ch, store, c);
	bool first = true;

	ckpt_buf_puts(to, "{\"$delta\":{\"snapshot\":");
	ckpt_buf_puts(to, ch.snapshot.n ? ch.snapshot.p : "null");
	ckpt_buf_puts(to, ",\"snapshot_id\":");
	ckpt_buf_puts(to, ch.snapshot_id.n ? ch.snapshot_id.p : "null");
	ckpt_buf_puts(to, ",\"writes\":[");
	for (size_t i = ch.n; i-- > 0;) { /* oldest first */
		struct ckpt_buf *b = &ch.links[i].json;

		if (b->n)
			ckpt_buf_add(to, b->p + first, b->n - first);
		first = first && !b->n;
	}
	ckpt_buf_puts(to, "]}}");
	for (size_t i = 0; i < ch.n; i++)
		ckpt_buf_free(&ch.links[i].json);
	free(ch.links);
	ckpt_buf_free(&ch.snapshot);
	ckpt_buf_free(&ch.snapshot_id);
	return rc < 0 ? rc : ch.corrupt ? CKPT_ECORRUPT : 0;
}
