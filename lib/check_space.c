/*
 * check_space.c - one namespace in memory while its checkpoints pass by: who is whose parent, and
 * which channel has which version where. Numbers for texts that come again and again; no payload.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "delta.h"
#include "row.h"

/* ---- texts by number --------------------------------------------------------------------------- */

struct ckpt_view intern_text(const struct intern *t, uint32_t i)
{
	return (struct ckpt_view){ t->text.p + t->items[i].at, t->items[i].n };
}

/* The slot of the table where the text is, or would be. */
static uint32_t *slot_of(const struct intern *t, struct ckpt_view v, uint32_t hash)
{
	uint32_t i = hash & (t->slots - 1);

	while (t->table[i] != NONE &&
			(t->items[t->table[i]].hash != hash ||
					!ckpt_view_eq(intern_text(t, t->table[i]), v)))
		i = (i + 1) & (t->slots - 1);
	return &t->table[i];
}

/* Twice the room, and everybody in a new place. */
static bool table_grow(uint32_t **table, uint32_t *slots)
{
	uint32_t n = *slots ? *slots * 2 : 64;
	uint32_t *more = malloc(n * sizeof(*more));

	if (!more)
		return false;
	free(*table);
	*table = more;
	*slots = n;
	memset(more, 0xff, n * sizeof(*more));
	return true;
}

static bool intern_grow(struct intern *t)
{
	if (t->n == t->cap) {
		uint32_t cap = t->cap ? t->cap * 2 : 32;
		struct intern_item *more = realloc(t->items, cap * sizeof(*more));

		if (!more)
			return false;
		t->items = more;
		t->cap = cap;
	}
	if (t->n * 2 < t->slots)
		return true;
	if (!table_grow(&t->table, &t->slots))
		return false;
	for (uint32_t i = 0; i < t->n; i++)
		*slot_of(t, intern_text(t, i), t->items[i].hash) = i;
	return true;
}

uint32_t intern_find(const struct intern *t, struct ckpt_view v)
{
	return t->n ? *slot_of(t, v, (uint32_t)ckpt_hash(v)) : NONE;
}

/* The number of a text, a new one where need be; NONE: no memory. */
static uint32_t intern_add(struct intern *t, struct ckpt_view v)
{
	uint32_t hash = (uint32_t)ckpt_hash(v), *slot;

	if (v.n > UINT32_MAX || !intern_grow(t))
		return NONE;
	slot = slot_of(t, v, hash);
	if (*slot == NONE) {
		t->items[t->n] = (struct intern_item){ t->text.n, (uint32_t)v.n, hash };
		ckpt_buf_add(&t->text, v.p, v.n);
		if (t->text.failed)
			return NONE;
		*slot = t->n++;
	}
	return *slot;
}

static void intern_clear(struct intern *t)
{
	if (t->slots)
		memset(t->table, 0xff, t->slots * sizeof(*t->table));
	t->n = 0;
	t->text.n = 0;
}

static void intern_free(struct intern *t)
{
	ckpt_buf_free(&t->text);
	free(t->items);
	free(t->table);
}

/* ---- versions ---------------------------------------------------------------------------------- */

int64_t version_number(struct ckpt_view v)
{
	const char *p = v.p, *end = p + v.n;
	int64_t n = -1;

	for (p += v.n && *p == '"'; p < end && *p >= '0' && *p <= '9'; p++) {
		if (n > INT64_MAX / 10 - 1)
			return -1;
		n = (n < 0 ? 0 : n * 10) + (*p - '0');
	}
	return n;
}

static double number_of(struct ckpt_view v)
{
	char digits[64] = "";

	memcpy(digits, v.p, v.n < sizeof(digits) ? v.n : sizeof(digits) - 1);
	return strtod(digits, NULL);
}

int space_cmp(const struct space *s, const struct pair *a, const struct pair *b)
{
	struct ckpt_view x = intern_text(&s->versions, a->version);
	struct ckpt_view y = intern_text(&s->versions, b->version);
	double m, n;
	int d;

	if ((a->flags & PAIR_NUMBER) != (b->flags & PAIR_NUMBER))
		return 2;
	if (a->flags & PAIR_NUMBER) {
		m = number_of(x);
		n = number_of(y);
		return (m > n) - (m < n);
	}
	d = ckpt_view_cmp(x, y);
	/* 000…7.RANDOM: what follows the number only tells branches apart */
	if (d < 0 && version_number(x) >= 0 && version_number(x) == version_number(y))
		return 0;
	return (d > 0) - (d < 0);
}

/* ---- pairs ------------------------------------------------------------------------------------- */

static uint32_t *pair_slot(const struct space *s, uint32_t channel, uint32_t version)
{
	uint32_t i = (channel * 2654435761u ^ version * 2246822519u) &
	             (s->pair_slots - 1);

	while (s->pair_table[i] != NONE &&
			(s->pairs[s->pair_table[i]].channel != channel ||
					s->pairs[s->pair_table[i]].version != version))
		i = (i + 1) & (s->pair_slots - 1);
	return &s->pair_table[i];
}

uint32_t space_pair(const struct space *s, uint32_t channel, uint32_t version)
{
	return s->npairs ? *pair_slot(s, channel, version) : NONE;
}

/* Room for one more in an array of `size`-byte things. */
static bool room(void **list, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 64;
	void *p;

	if (n < *cap)
		return true;
	p = realloc(*list, more * size);
	if (!p)
		return false;
	*list = p;
	*cap = more;
	return true;
}

static uint32_t pair_add(struct space *s, uint32_t channel, uint32_t version)
{
	uint32_t *slot;

	if (s->npairs == NONE || !room((void **)&s->pairs, s->npairs, &s->cappairs,
						 sizeof(*s->pairs)))
		return NONE;
	if (s->npairs * 2 >= s->pair_slots) {
		if (!table_grow(&s->pair_table, &s->pair_slots))
			return NONE;
		for (uint32_t i = 0; i < s->npairs; i++)
			*pair_slot(s, s->pairs[i].channel, s->pairs[i].version) = i;
	}
	slot = pair_slot(s, channel, version);
	if (*slot == NONE) {
		s->pairs[s->npairs] = (struct pair){ .channel = channel,
			.version = version,
			.first = (uint32_t)s->nnodes - 1,
			.maker = NONE };
		*slot = (uint32_t)s->npairs++;
	}
	return *slot;
}

uint32_t space_channel(struct space *s, struct ckpt_view name)
{
	uint32_t before = s->channel_names.n, i = intern_add(&s->channel_names, name);

	if (i == NONE || i < before)
		return i;
	if (!room((void **)&s->channels, i, &s->capchannels, sizeof(*s->channels)))
		return NONE;
	s->channels[i] = (struct channel){ .of = NONE };
	return i;
}

/* ---- checkpoints --------------------------------------------------------------------------------- */

int space_begin(struct check *c, const struct ckpt_key *key)
{
	struct space *s = &c->space;

	s->nnodes = s->nentries = s->npairs = 0;
	s->text.n = s->parents.n = s->name.n = 0;
	intern_clear(&s->channel_names);
	intern_clear(&s->versions);
	if (s->pair_slots)
		memset(s->pair_table, 0xff, s->pair_slots * sizeof(*s->pair_table));
	s->any_delta = s->any_number = false;
	s->first_empty = INT64_MAX;
	ckpt_buf_add(&s->name, key->thread.p, key->thread.n);
	ckpt_buf_add(&s->name, key->ns.p, key->ns.n);
	ckpt_buf_add(&s->name, "", 1);
	if (s->name.failed)
		return check_no_memory(c);
	s->key = (struct ckpt_key){ { s->name.p, key->thread.n },
		{ s->name.p + key->thread.n, key->ns.n }, { NULL, 0 },
		key->blob & (CKPT_BLOB_THREAD | CKPT_BLOB_NS) };
	return 0;
}

void space_free(struct space *s)
{
	ckpt_buf_free(&s->name);
	ckpt_buf_free(&s->text);
	ckpt_buf_free(&s->parents);
	intern_free(&s->channel_names);
	intern_free(&s->versions);
	free(s->nodes);
	free(s->entries);
	free(s->pairs);
	free(s->channels);
	free(s->pair_table);
}

struct ckpt_view space_id(const struct space *s, const struct node *n)
{
	return (struct ckpt_view){ s->text.p + n->id, n->id_n };
}

struct ckpt_view space_parent(const struct space *s, const struct node *n)
{
	return (struct ckpt_view){ n->has_parent ? s->text.p + n->parent : NULL,
		n->parent_n };
}

struct ckpt_key space_key(const struct space *s, const struct node *n)
{
	struct ckpt_key key = s->key;

	key.id = space_id(s, n);
	key.blob |= n->flags & NODE_BLOB_ID ? CKPT_BLOB_ID : 0;
	return key;
}

/* In most namespaces a checkpoint has the channels of the one before, in the same order. */
static uint32_t find_pair(struct space *s, const struct node *before, size_t i,
		const struct ckpt_value *v)
{
	struct ckpt_view version = row_version(v->version);
	uint32_t channel = NONE, number;

	if (before && i < before->nentries) {
		uint32_t at = s->entries[before->entry + i].pair;
		const struct pair *p = &s->pairs[at];

		if (ckpt_view_eq(intern_text(&s->channel_names, p->channel), v->channel))
			channel = p->channel;
		if (channel != NONE && ckpt_view_eq(intern_text(&s->versions, p->version),
						       version))
			return at;
	}
	if (channel == NONE)
		channel = space_channel(s, v->channel);
	/* what changes in a step gets the same version */
	number = s->versions.n ? s->versions.n - 1 : NONE;
	if (number == NONE || !ckpt_view_eq(intern_text(&s->versions, number), version))
		number = intern_add(&s->versions, version);
	if (channel == NONE || number == NONE)
		return NONE;
	return pair_add(s, channel, number);
}

static int add_entry(struct check *c, const struct ckpt_checkpoint *row,
		const struct node *before, size_t i)
{
	struct space *s = &c->space;
	const struct ckpt_value *v = &row->values[i];
	bool null = c->apart && ckpt_view_eq(v->body, CKPT_LIT("null"));
	uint32_t at = find_pair(s, before, s->nodes[s->nnodes - 1].nentries, v);
	struct entry e = { .pair = at };

	if (at == NONE || !room((void **)&s->entries, s->nentries, &s->capentries,
					  sizeof(*s->entries)))
		return check_no_memory(c);
	if (v->place == CKPT_INLINE || v->place == CKPT_BLOB) {
		e.flags |= null ? 0 : ENTRY_VALUE;
		e.flags |= delta_mark(c->store, v) ? ENTRY_MARK : 0;
		s->pairs[at].flags |= PAIR_INLINE;
	}
	if (v->version.n && *(const char *)v->version.p != '"')
		s->pairs[at].flags |= PAIR_NUMBER;
	s->any_number |= s->pairs[at].flags & PAIR_NUMBER;
	if (v->place == CKPT_INLINE && judge_is_snapshot(v->type, v->body))
		s->any_delta = s->channels[s->pairs[at].channel].delta = true;
	s->entries[s->nentries++] = e;
	s->nodes[s->nnodes - 1].nentries++;
	return c->apart || v->place != CKPT_INLINE ? 0
	                                           : check_same(c, row, v, &s->pairs[at]);
}

/* ---- nodes -------------------------------------------------------------------------------------- */

/* Checkpoints come by id: the parent is the one before, or it is looked for later. */
static int add_node(struct check *c, const struct ckpt_checkpoint *row)
{
	struct space *s = &c->space;
	struct node n = { .id = s->text.n,
		.id_n = (uint32_t)row->key.id.n,
		.parent_n = (uint32_t)row->parent.n,
		.up = NONE,
		.entry = s->nentries,
		.has_parent = row->parent.p != NULL };

	if (row->key.id.n >= NONE || row->parent.n >= NONE || s->nnodes >= NONE ||
			!room((void **)&s->nodes, s->nnodes, &s->capnodes,
					sizeof(*s->nodes)))
		return check_no_memory(c);
	if (row->key.blob & CKPT_BLOB_ID)
		n.flags |= NODE_BLOB_ID;
	ckpt_buf_add(&s->text, row->key.id.p, row->key.id.n);
	if (s->nnodes && ckpt_view_eq(row->parent,
					 space_id(s, &s->nodes[s->nnodes - 1]))) {
		n.parent = s->nodes[s->nnodes - 1].id;
		n.up = (uint32_t)s->nnodes - 1;
	} else if (row->parent.p) {
		n.parent = s->text.n;
		ckpt_buf_add(&s->text, row->parent.p, row->parent.n);
	}
	if (s->text.failed)
		return check_no_memory(c);
	s->nodes[s->nnodes++] = n;
	return 0;
}

static int same_key(struct check *c, const struct ckpt_checkpoint *row)
{
	const struct space *s = &c->space;
	const struct node *last = s->nnodes ? &s->nodes[s->nnodes - 1] : NULL;

	if (!last || !ckpt_view_eq(space_id(s, last), row->key.id) ||
			!(last->flags & NODE_BLOB_ID) != !(row->key.blob & CKPT_BLOB_ID))
		return 0;
	return check_tell(c, DUPLICATE_KEY, &row->key, (struct ckpt_view){ 0 },
			"another row has the same key");
}

int space_add(struct check *c, const struct ckpt_checkpoint *row)
{
	struct space *s = &c->space;
	struct node before = { 0 };
	int rc = same_key(c, row);

	if (s->nnodes)
		before = s->nodes[s->nnodes - 1];
	rc = rc < 0 ? rc : add_node(c, row);
	for (size_t i = 0; i < row->nvalues && rc >= 0; i++) {
		if (row->values[i].version.p)
			rc = add_entry(c, row, s->nnodes > 1 ? &before : NULL, i);
	}
	return rc < 0 ? rc : space_signs(c, row);
}
