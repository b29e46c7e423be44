/*
 * check_links.c - what is wrong with the links of one namespace: parents that are not there, rings,
 * ids and versions that go backwards, branches that share a version.
 */
#include <stdlib.h>

#include "check.h"
#include "delta.h"

static const struct ckpt_view nothing = { NULL, 0 };

/* ---- parents ----------------------------------------------------------------------------------- */

static uint32_t search(const struct space *s, size_t lo, size_t hi, struct ckpt_view id)
{
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = ckpt_view_cmp(space_id(s, &s->nodes[mid]), id);

		if (d == 0)
			return (uint32_t)mid;
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NONE;
}

/* Ids are in order; on SQLite those kept as bytes come behind, in order too. */
static void find_parents(struct space *s)
{
	size_t texts = s->nnodes;

	while (texts && s->nodes[texts - 1].flags & NODE_BLOB_ID)
		texts--;
	for (size_t i = 0; i < s->nnodes; i++) {
		struct node *n = &s->nodes[i];

		if (!n->has_parent || n->up != NONE)
			continue;
		n->up = search(s, 0, texts, space_parent(s, n));
		if (n->up == NONE)
			n->up = search(s, texts, s->nnodes, space_parent(s, n));
	}
}

/* Walk up from each node; where a walk meets itself there is a ring. */
static int find_rings(struct check *c)
{
	struct space *s = &c->space;
	uint32_t *walk = calloc(s->nnodes, sizeof(*walk));
	int rc = 0;

	if (!walk)
		return check_no_memory(c);
	for (uint32_t i = 0; i < s->nnodes && rc >= 0; i++) {
		uint32_t at = i, size = 0, first = NONE;
		struct ckpt_key key;

		for (; at != NONE && !walk[at]; at = s->nodes[at].up)
			walk[at] = i + 1;
		if (at == NONE || walk[at] != i + 1 || s->nodes[at].up == at)
			continue;
		for (; !(s->nodes[at].flags & NODE_RING); at = s->nodes[at].up) {
			s->nodes[at].flags |= NODE_RING;
			first = at < first ? at : first;
			size++;
		}
		key = space_key(s, &s->nodes[first]);
		rc = check_tell(c, CYCLE, &key, nothing,
				"%u checkpoints are each other's ancestors", size);
	}
	free(walk);
	return rc;
}

static int tell_parent(struct check *c, uint32_t i)
{
	const struct space *s = &c->space;
	const struct node *n = &s->nodes[i];
	struct ckpt_key key = space_key(s, n);
	char name[200];
	int rc = 0;

	if (!n->has_parent || n->flags & NODE_RING)
		return 0;
	if (n->up == i)
		return check_tell(c, SELF_PARENT, &key, nothing,
				"it names itself as parent");
	if (n->up < i)
		return 0;
	ckpt_show_name(name, space_parent(s, n));
	if (ckpt_view_cmp(space_id(s, n), space_parent(s, n)) < 0)
		rc = check_tell(c, ID_ORDER, &key, nothing,
				"its parent %s has a greater id", name);
	return rc < 0 || n->up != NONE
	                       ? rc
	                       : check_tell(c, MISSING_PARENT, &key, nothing,
						 "its parent %s is not in the store",
						 name);
}

int check_links(struct check *c)
{
	struct space *s = &c->space;
	bool upward = false;
	int rc = 0;

	find_parents(s);
	for (uint32_t i = 0; i < s->nnodes; i++)
		upward |= s->nodes[i].up != NONE && s->nodes[i].up >= i;
	if (upward)
		rc = find_rings(c);
	for (uint32_t i = 0; i < s->nnodes && rc >= 0; i++)
		rc = tell_parent(c, i);
	return rc;
}

/* ---- versions ----------------------------------------------------------------------------------- */

/* channels[…].at becomes the pair the node has of it, where .of is the node. */
static void spread(struct space *s, uint32_t node)
{
	const struct node *n = &s->nodes[node];

	for (uint32_t i = 0; i < n->nentries; i++) {
		uint32_t at = s->entries[n->entry + i].pair;
		struct channel *ch = &s->channels[s->pairs[at].channel];

		ch->at = at;
		ch->of = node;
	}
}

static int compare(struct check *c, const struct node *n, const struct pair *was,
		const struct pair *is)
{
	const struct space *s = &c->space;
	struct ckpt_key key = space_key(s, n);
	int d = space_cmp(s, is, was);
	char old[200], now[200];

	if (d == 0 || d == 1)
		return 0;
	ckpt_show_name(old, intern_text(&s->versions, was->version));
	ckpt_show_name(now, intern_text(&s->versions, is->version));
	return check_tell(c, VERSION_REGRESSION, &key,
			intern_text(&s->channel_names, is->channel),
			d < 0 ? "version %s comes after %s of the parent"
			      : "version %s cannot be compared with %s of the parent: "
				"one is "
				"a number, one a text",
			now, old);
}

/* The rows of a channel among the writes of a checkpoint, as one number; 0: there are none. */
static int digest_writes(struct check *c, const struct node *n, struct ckpt_view channel,
		uint64_t *out)
{
	struct ckpt_pick pick = { .depth = CKPT_VALUES, .apart = true, .writes = true };
	struct ckpt_checkpoint row;
	struct ckpt_scan *scan;
	int rc;

	*out = 0;
	pick.key = space_key(&c->space, n);
	rc = ckpt_scan_one(&scan, c->store, &pick, &row);
	for (size_t i = 0; rc > 0 && i < row.nwrites; i++) {
		const struct ckpt_write *w = &row.writes[i];

		if (ckpt_view_eq(w->channel, channel))
			*out = *out * 31 + ckpt_hash(w->type) + ckpt_hash(w->body) + 1;
	}
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

/* The pair of the same channel at the parent; NONE: none, or it is no safe ground itself. */
static uint32_t ground(const struct space *s, const struct node *n, uint32_t channel)
{
	const struct node *up = n->up == NONE ? NULL : &s->nodes[n->up];

	for (uint32_t i = 0; up && i < up->nentries; i++) {
		uint32_t at = s->entries[up->entry + i].pair;

		if (s->pairs[at].channel == channel)
			return s->pairs[at].flags & PAIR_TWICE ? NONE : at;
	}
	return NONE;
}

/* 1: the same writes on the same ground; then it is no loss that one value was stored. */
static int same_step(struct check *c, uint32_t a, uint32_t b, const struct pair *p)
{
	const struct space *s = &c->space;
	const struct node *x = &s->nodes[a], *y = &s->nodes[b];
	struct ckpt_view channel = intern_text(&s->channel_names, p->channel);
	uint64_t one = 0, two = 0;
	int rc = 0;

	if (x->up == NONE || y->up == NONE ||
			ground(s, x, p->channel) != ground(s, y, p->channel))
		return 0;
	rc = digest_writes(c, &s->nodes[x->up], channel, &one);
	rc = rc < 0 ? rc : digest_writes(c, &s->nodes[y->up], channel, &two);
	return rc < 0 ? rc : one && one == two;
}

/* JavaScript on PostgreSQL: two branches count to the same number, and the value of the second
 * was never stored. What the engine writes for itself is the same in both. */
static int made_here(struct check *c, uint32_t node, uint32_t at)
{
	struct space *s = &c->space;
	struct pair *p = &s->pairs[at];
	struct ckpt_view channel = intern_text(&s->channel_names, p->channel);
	struct ckpt_key key = space_key(s, &s->nodes[node]);
	char version[200], other[200];
	int rc;

	if (s->nodes[node].flags & NODE_COPY || delta_is_internal(channel) ||
			!(p->flags & PAIR_BLOB))
		return 0;
	if (p->maker == NONE) {
		p->maker = node;
		return 0;
	}
	rc = same_step(c, p->maker, node, p);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	p->flags |= PAIR_TWICE;
	return check_tell(c, VERSION_COLLISION, &key, channel,
			"version %s was made on the branch of %s as well, and one value "
			"is "
			"stored for both",
			ckpt_show_name(version, intern_text(&s->versions, p->version)),
			ckpt_show_name(other, space_id(s, &s->nodes[p->maker])));
}

static int check_node(struct check *c, uint32_t i)
{
	struct space *s = &c->space;
	const struct node *n = &s->nodes[i];
	int rc = 0;

	if (n->flags & NODE_RING || n->up == i || (n->up == NONE && n->has_parent))
		return 0;
	if (n->up != NONE)
		spread(s, n->up);
	for (uint32_t e = 0; e < n->nentries && rc >= 0; e++) {
		uint32_t at = s->entries[n->entry + e].pair;
		const struct channel *ch = &s->channels[s->pairs[at].channel];
		bool known = n->up != NONE && ch->of == n->up;

		if (known && ch->at == at)
			continue;
		if (known)
			rc = compare(c, n, &s->pairs[ch->at], &s->pairs[at]);
		if (rc >= 0 && c->apart && s->pairs[at].flags & PAIR_NUMBER)
			rc = made_here(c, i, at);
	}
	return rc;
}

int check_versions(struct check *c)
{
	int rc = 0;

	for (uint32_t i = 0; i < c->space.nnodes && rc >= 0; i++)
		rc = check_node(c, i);
	return rc;
}
