/*
 * check_value.c - values that are not where one namespace says they are: blobs, snapshots and the
 * chains of delta channels; and, where values are inline, one version with two values.
 */
#include <stdlib.h>

#include "check.h"
#include "delta.h"
#include "row.h"

static struct ckpt_view channel_of(const struct space *s, const struct pair *p)
{
	return intern_text(&s->channel_names, p->channel);
}

static struct ckpt_view version_of(const struct space *s, const struct pair *p)
{
	return intern_text(&s->versions, p->version);
}

/* ---- blobs --------------------------------------------------------------------------------------- */

static bool has_blob(const struct space *s, const struct pair *p)
{
	return p->flags & PAIR_BLOB || s->channels[p->channel].blob;
}

static bool has_row(const struct space *s, const struct pair *p)
{
	return p->flags & (PAIR_EMPTY | PAIR_INLINE) || s->channels[p->channel].empty ||
	       has_blob(s, p);
}

enum wrote { NO_WRITES, WROTE_OTHERS, WROTE_IT };

/* Did a task write the channel in the step that made this checkpoint? */
static int ask_writes(struct check *c, const struct node *n, struct ckpt_view channel,
		enum wrote *out)
{
	const struct space *s = &c->space;
	struct ckpt_pick pick = { .depth = CKPT_LINKS, .writes = true };
	struct ckpt_checkpoint row;
	struct ckpt_scan *scan;
	int rc;

	*out = NO_WRITES;
	if (n->up == NONE)
		return 0;
	pick.key = space_key(s, &s->nodes[n->up]);
	rc = ckpt_scan_one(&scan, c->store, &pick, &row);
	for (size_t i = 0; rc > 0 && i < row.nwrites && *out != WROTE_IT; i++)
		*out = ckpt_view_eq(row.writes[i].channel, channel) ? WROTE_IT
		                                                    : WROTE_OTHERS;
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

/* Was it made in the very step that made this checkpoint? Its version is the greatest then. */
static bool is_newest(const struct space *s, const struct node *n, const struct pair *p)
{
	for (uint32_t i = 0; i < n->nentries; i++) {
		if (space_cmp(s, &s->pairs[s->entries[n->entry + i].pair], p) > 0)
			return false;
	}
	return true;
}

/* Older releases made the end of a version out of the value, and left it out where there was none. */
static bool says_empty(struct ckpt_view version)
{
	return version.n == 33 && ((const char *)version.p)[32] == '.';
}

/* A version without a value, seen where it is named first: must there be one? Three witnesses:
 * savers that write a row for `no value` as well, the list of updated channels that have one, and
 * the writes of the step. */
static int classify(struct check *c, const struct node *n, const struct entry *e)
{
	struct space *s = &c->space;
	struct pair *p = &s->pairs[e->pair];
	struct channel *ch = &s->channels[p->channel];
	bool own = !delta_is_internal(channel_of(s, p));
	enum wrote wrote;
	int rc;

	if (says_empty(version_of(s, p)))
		return 0;
	if (p->flags & PAIR_NUMBER ||
			(n->flags & NODE_OLD &&
					s->first_empty <=
							version_number(version_of(s, p))))
		p->flags |= PAIR_MUST;
	else if (e->flags & ENTRY_UPDATED && ch->stored)
		p->flags |= PAIR_MUST;
	else if (n->flags & NODE_UPDATES && !(e->flags & ENTRY_UPDATED) &&
			is_newest(s, n, p))
		p->flags |= PAIR_MAY;
	if (p->flags & (PAIR_MUST | PAIR_MAY) || !own) {
		ch->may |= p->flags & PAIR_MAY;
		return 0;
	}
	rc = ask_writes(c, n, channel_of(s, p), &wrote);
	p->flags |= wrote == WROTE_IT       ? PAIR_MUST
	            : wrote == WROTE_OTHERS ? PAIR_MAY
	                                    : PAIR_DUNNO;
	/* an updated channel that is never stored nor written is one that is not tracked */
	ch->may |= wrote == WROTE_OTHERS;
	return rc;
}

static int classify_all(struct check *c)
{
	struct space *s = &c->space;
	int rc = 0;

	for (size_t i = 0; i < s->npairs; i++) {
		if (s->pairs[i].flags & PAIR_INLINE || has_blob(s, &s->pairs[i]))
			s->channels[s->pairs[i].channel].stored = true;
	}
	for (uint32_t i = 0; i < s->nnodes && rc >= 0; i++) {
		const struct node *n = &s->nodes[i];

		for (uint32_t k = 0; k < n->nentries && rc >= 0; k++) {
			const struct entry *e = &s->entries[n->entry + k];
			const struct pair *p = &s->pairs[e->pair];

			if (p->first == i && !has_row(s, p) &&
					!s->channels[p->channel].delta)
				rc = classify(c, n, e);
		}
	}
	return rc;
}

static int tell_missing(struct check *c, const struct node *n, const struct entry *e)
{
	const struct space *s = &c->space;
	const struct pair *p = &s->pairs[e->pair];
	const struct channel *ch = &s->channels[p->channel];
	struct ckpt_key key = space_key(s, n);
	char version[200];

	ckpt_show_name(version, version_of(s, p));
	if (ch->delta && e->flags & ENTRY_MARK && !has_blob(s, p))
		return check_tell(c, LOST_SNAPSHOT, &key, channel_of(s, p),
				"no blob of version %s: LangGraph reads true in its "
				"place",
				version);
	/* JavaScript leaves no mark; but between snapshots it counts */
	if (ch->delta && p->flags & PAIR_NUMBER && !has_row(s, p) &&
			!(e->flags & (ENTRY_VALUE | ENTRY_COUNTED)))
		return check_tell(c, LOST_SNAPSHOT, &key, channel_of(s, p),
				"no blob of version %s, where a snapshot was taken",
				version);
	if (p->flags & PAIR_MUST || (p->flags & PAIR_DUNNO && ch->stored && !ch->may))
		return check_tell(c, MISSING_BLOB, &key, channel_of(s, p),
				"no blob of version %s: the channel loads empty",
				version);
	return 0;
}

static int check_blobs(struct check *c)
{
	const struct space *s = &c->space;
	int rc = classify_all(c);

	for (size_t i = 0; i < s->nnodes && rc >= 0; i++) {
		const struct node *n = &s->nodes[i];

		for (uint32_t k = 0; k < n->nentries && rc >= 0; k++)
			rc = tell_missing(c, n, &s->entries[n->entry + k]);
	}
	return rc;
}

/* ---- delta channels -------------------------------------------------------------------------------- */

struct chains { /* of up to 64 delta channels at once, one bit each */
	struct check *c;
	uint64_t *broken; /* by node: the chain that begins here does not end well */
	uint32_t *path;
	uint8_t *state; /* 0: not seen, 1: on the path, 2: known */
	uint32_t from;  /* the first bit's delta channel */
};

static bool bit_of(const struct chains *ch, const struct pair *p, uint64_t *out)
{
	const struct channel *channel = &ch->c->space.channels[p->channel];

	if (!channel->delta || channel->bit < ch->from || channel->bit >= ch->from + 64)
		return false;
	*out = UINT64_C(1) << (channel->bit - ch->from);
	return true;
}

/* The channels whose chain ends well at the node: they are stored there, or had no value yet. */
static uint64_t ends_at(const struct chains *ch, const struct node *n)
{
	const struct space *s = &ch->c->space;
	uint64_t stored = 0, known = 0, bit;

	for (uint32_t i = 0; i < n->nentries; i++) {
		const struct entry *e = &s->entries[n->entry + i];
		const struct pair *p = &s->pairs[e->pair];

		if (!bit_of(ch, p, &bit))
			continue;
		known |= bit;
		if (e->flags & ENTRY_VALUE || has_blob(s, p))
			stored |= bit;
	}
	return n->nentries ? stored | ~known : 0;
}

/* From a node up to where it is known, and down again. */
static void resolve(struct chains *ch, uint32_t from)
{
	const struct space *s = &ch->c->space;
	uint32_t n = 0, at = from;
	uint64_t broken;

	while (at != NONE && !ch->state[at]) {
		ch->state[at] = 1;
		ch->path[n++] = at;
		at = s->nodes[at].up;
	}
	if (at != NONE)
		broken = ch->state[at] == 2 ? ch->broken[at] : UINT64_MAX;
	else
		broken = n && s->nodes[ch->path[n - 1]].has_parent ? UINT64_MAX : 0;
	while (n) {
		at = ch->path[--n];
		broken &= ~ends_at(ch, &s->nodes[at]);
		ch->broken[at] = broken;
		ch->state[at] = 2;
	}
}

static int tell_chains(struct chains *ch, uint32_t i)
{
	const struct space *s = &ch->c->space;
	const struct node *n = &s->nodes[i];
	struct ckpt_key key = space_key(s, n);
	uint64_t bit;
	int rc = 0;

	for (uint32_t k = 0; k < n->nentries && rc >= 0 && ch->broken[i]; k++) {
		const struct pair *p = &s->pairs[s->entries[n->entry + k].pair];

		if (bit_of(ch, p, &bit) && ch->broken[i] & bit)
			rc = check_tell(ch->c, BROKEN_DELTA, &key, channel_of(s, p),
					"its chain of parents ends before a stored "
					"value: "
					"it loads empty or cut off");
	}
	return rc;
}

static int check_batch(struct chains *ch)
{
	uint32_t n = (uint32_t)ch->c->space.nnodes;
	int rc = 0;

	for (uint32_t i = 0; i < n; i++)
		ch->state[i] = 0;
	for (uint32_t i = 0; i < n; i++)
		resolve(ch, i);
	for (uint32_t i = 0; i < n && rc >= 0; i++)
		rc = tell_chains(ch, i);
	return rc;
}

static int check_chains(struct check *c)
{
	struct space *s = &c->space;
	struct chains ch = { .c = c };
	uint32_t bits = 0;
	int rc = 0;

	for (uint32_t i = 0; i < s->channel_names.n; i++) {
		if (s->channels[i].delta)
			s->channels[i].bit = bits++;
	}
	ch.broken = calloc(s->nnodes, sizeof(*ch.broken));
	ch.path = calloc(s->nnodes, sizeof(*ch.path));
	ch.state = calloc(s->nnodes, 1);
	if (!ch.broken || !ch.path || !ch.state)
		rc = check_no_memory(c);
	for (; rc >= 0 && ch.from < bits; ch.from += 64)
		rc = check_batch(&ch);
	free(ch.broken);
	free(ch.path);
	free(ch.state);
	return rc;
}

int check_values(struct check *c)
{
	int rc = c->apart ? check_blobs(c) : 0;

	return rc < 0 || !c->space.any_delta ? rc : check_chains(c);
}

/* ---- the same version, another value --------------------------------------------------------------- */

static int render(struct check *c, struct ckpt_buf *to, const struct ckpt_value *v)
{
	struct ckpt_render sets = { .mark_sets = true };
	int rc = ckpt_render_value(to, v->type, v->body, &sets);

	return rc == CKPT_ENOMEM ? check_no_memory(c) : rc;
}

/* 1: another value, whatever its bytes; sets have no order. */
static int differ(struct check *c, struct ckpt_view a, struct ckpt_view b)
{
	struct ckpt_compare all = { 0 };
	struct ckpt_change change;
	struct ckpt_diff *diff;
	int rc = ckpt_diff_open(&diff, a, b, &all);

	if (rc == 0)
		rc = ckpt_diff_next(diff, &change);
	ckpt_diff_close(diff);
	return rc == CKPT_ENOMEM ? check_no_memory(c) : rc;
}

static int compare_with_first(
		struct check *c, const struct ckpt_value *v, const struct ckpt_key *key)
{
	struct ckpt_pick pick = { .key = *key, .depth = CKPT_VALUES };
	struct ckpt_buf was = { 0 }, is = { 0 };
	struct ckpt_checkpoint first;
	struct ckpt_scan *scan;
	int rc = ckpt_scan_one(&scan, c->store, &pick, &first);
	size_t i = 0;

	while (rc > 0 && i < first.nvalues &&
			!ckpt_view_eq(first.values[i].channel, v->channel))
		i++;
	if (rc > 0 && i < first.nvalues) {
		rc = render(c, &was, &first.values[i]);
		rc = rc == 0 ? render(c, &is, v) : rc;
		rc = rc == 0 ? differ(c, ckpt_buf_view(&was), ckpt_buf_view(&is)) : rc;
	}
	ckpt_scan_close(scan);
	ckpt_buf_free(&was);
	ckpt_buf_free(&is);
	return rc == CKPT_ECORRUPT ? 0 : rc;
}

int check_same(struct check *c, const struct ckpt_checkpoint *row,
		const struct ckpt_value *v, struct pair *p)
{
	const struct space *s = &c->space;
	const struct node *n = &s->nodes[p->first];
	uint64_t digest;
	struct ckpt_key key;
	char name[200];
	int rc;

	/* JavaScript counts: branches have the same numbers, each with its own value */
	if (p->flags & PAIR_NUMBER || v->lock == CKPT_SHUT || row->broken_why)
		return 0;
	digest = ckpt_hash(v->body);
	if (p->first == s->nnodes - 1) {
		p->digest = digest;
		return 0;
	}
	if (p->digest == digest || !p->digest)
		return 0;
	key = space_key(s, n);
	rc = compare_with_first(c, v, &key);
	p->digest = digest;
	if (rc <= 0)
		return rc;
	return check_tell(c, VERSION_COLLISION, &row->key, v->channel,
			"not the value that %s has under the same version",
			ckpt_show_name(name, key.id));
}
