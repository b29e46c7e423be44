/*
 * fold.c - the best guess at a value: a base, and the writes that came after it, put together as
 * reducers of their kind commonly do. Nothing here reads a store, and nothing here is certain.
 *
 * Lists are joined; messages added, replaced and removed by id; dicts merged; sets united. All
 * but the first is one operation: of the items with an equal key the first keeps its place and
 * the last its text. It is done by sorting, so that no choice of keys makes it slow.
 */
#include <stdlib.h>
#include <string.h>

#include "fold.h"
#include "render.h"

enum shape {
	SHAPE_NULL, /* null, or nothing at all */
	SHAPE_LIST,
	SHAPE_SET,
	SHAPE_MAP,
	SHAPE_ONE, /* a number, a text, an object of a class */
	SHAPE_SHUT /* undecodable, encrypted, of no known type */
};

struct item {
	uint64_t hash;
	struct ckpt_view key; /* NULL: like no other */
	struct ckpt_view text;
	size_t seq;
	bool remove, keep;
};

struct items {
	struct item *v;
	size_t n, cap;
	bool failed;
	bool messages; /* all of them, so far */
	bool nulls;    /* of a map: does the base itself hold one? */
};

/* ---- pieces ---------------------------------------------------------------------------------- */

static bool begins(struct ckpt_view text, const char *with)
{
	size_t n = strlen(with);

	return text.p && text.n >= n && memcmp(text.p, with, n) == 0;
}

static bool ends(struct ckpt_view text, const char *with)
{
	size_t n = strlen(with);

	return text.p && text.n >= n &&
	       memcmp((const char *)text.p + text.n - n, with, n) == 0;
}

static bool member(struct ckpt_view *out, struct ckpt_view text, const char *quoted)
{
	struct ckpt_view key, value;
	struct ckpt_walk w;

	if (!begins(text, "{") || !ckpt_walk_open(&w, text))
		return false;
	while (ckpt_walk_next(&w, &key, &value)) {
		if (!text_is(key, quoted))
			continue;
		*out = value;
		return true;
	}
	return false;
}

/* The class of a typed text, and what it was made of; a NULL view if it has none. */
static struct ckpt_view class_of(struct ckpt_view typed, struct ckpt_view *payload)
{
	struct ckpt_view name = { 0 }, inner = { 0 };

	*payload = typed;
	if (!begins(typed, "{\"$type\":") || !member(&name, typed, "\"$type\"") ||
			!member(payload, typed, "\"value\""))
		return inner;
	text_string(name, &inner);
	return inner;
}

bool fold_overwrite(struct fold_piece *inner, const struct fold_piece *piece)
{
	struct ckpt_view payload, class = class_of(piece->typed, &payload), type, key;
	struct ckpt_walk w;

	*inner = *piece;
	if (text_is(class, "langgraph.types.Overwrite"))
		return member(&inner->text, piece->text, "\"value\"") &&
		       member(&inner->typed, payload, "\"value\"");
	if (class.p || !begins(piece->typed, "{") || !ckpt_walk_open(&w, piece->typed) ||
			!ckpt_walk_next(&w, &key, &type))
		return false;
	if (text_is(key, "\"__overwrite__\"") && w.p >= w.end)
		return member(&inner->text, piece->text, "\"__overwrite__\"") &&
		       member(&inner->typed, piece->typed, "\"__overwrite__\"");
	return member(&type, piece->typed, "\"type\"") &&
	       text_is(type, "\"__overwrite__\"") &&
	       member(&inner->text, piece->text, "\"value\"") &&
	       member(&inner->typed, piece->typed, "\"value\"");
}

/* What a value is; `payload` becomes the typed text without the class around it. */
static enum shape shape_of(struct ckpt_view typed, struct ckpt_view *payload)
{
	struct ckpt_view class = class_of(typed, payload);

	if (ends(class, "._DeltaSnapshot"))
		class = class_of(*payload, payload);
	if (text_is(class, "builtins.set") || text_is(class, "builtins.frozenset") ||
			text_is(class, "Set"))
		return SHAPE_SET;
	if (text_is(class, "Map"))
		return SHAPE_MAP;
	if (class.p && !text_is(class, "builtins.tuple") &&
			!text_is(class, "collections.deque"))
		return SHAPE_ONE;
	if (text_is(*payload, "null"))
		return SHAPE_NULL;
	if (begins(*payload, "["))
		return SHAPE_LIST;
	if (begins(*payload, "{\"$opaque\"") || begins(*payload, "{\"$corrupt\""))
		return SHAPE_SHUT;
	if (!begins(*payload, "{"))
		return SHAPE_ONE;
	/* a dict's own keys that begin with $ have one more */
	return begins(*payload, "{\"$") && !begins(*payload, "{\"$$") &&
	                                       !begins(*payload, "{\"$map\"")
	                       ? SHAPE_ONE
	                       : SHAPE_MAP;
}

/* ---- items ----------------------------------------------------------------------------------- */

static void add(struct items *all, struct ckpt_view key, struct ckpt_view text,
		bool remove)
{
	if (all->n == all->cap) {
		size_t cap = all->cap ? all->cap * 2 : 64;
		struct item *more = realloc(all->v, cap * sizeof(*more));

		if (!more) {
			all->failed = true;
			return;
		}
		all->v = more;
		all->cap = cap;
	}
	all->v[all->n] = (struct item){ .hash = key.p ? ckpt_hash(key) : 0,
		.key = key,
		.text = text,
		.seq = all->n,
		.remove = remove };
	all->n++;
}

static int by_key(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int cmp;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	cmp = ckpt_view_cmp(x->key, y->key);
	return cmp ? cmp : (x->seq > y->seq) - (x->seq < y->seq);
}

static int by_seq(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

static int by_text(const void *a, const void *b)
{
	return ckpt_view_cmp(
			((const struct item *)a)->text, ((const struct item *)b)->text);
}

/* Of equal keys the first that was not removed keeps its place, the last its text. */
static void settle(struct items *all)
{
	struct item *place = NULL;

	if (!all->n)
		return;
	qsort(all->v, all->n, sizeof(*all->v), by_key);
	for (size_t i = 0; i < all->n; i++) {
		struct item *it = &all->v[i];

		if (!i || !it->key.p || !ckpt_view_eq(it->key, all->v[i - 1].key))
			place = NULL;
		if (it->remove) {
			if (place)
				place->keep = false;
			place = NULL;
		} else if (place) {
			place->text = it->text;
		} else {
			it->keep = true;
			place = it;
		}
	}
	qsort(all->v, all->n, sizeof(*all->v), by_seq);
}

/* ---- lists and messages ---------------------------------------------------------------------- */

static bool is_message(struct ckpt_view class, struct ckpt_view text)
{
	static const char *const types[] = { "human", "ai", "tool", "system", "function",
		"remove", "user", "assistant" };
	struct ckpt_view type, other;

	if (class.p)
		return memmem(class.p, class.n, "messages", 8) &&
		       (ends(class, "Message") || ends(class, "MessageChunk"));
	if (!begins(text, "{") ||
			!(member(&type, text, "\"type\"") ||
					member(&type, text, "\"role\"")) ||
			!(member(&other, text, "\"content\"") ||
					member(&other, text, "\"id\"")) ||
			!text_string(type, &other))
		return false;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (text_is(other, types[i]))
			return true;
	}
	return false;
}

/* One more item of a list. That all are messages may turn out wrong later. */
static void add_item(struct items *all, struct ckpt_view text, struct ckpt_view typed)
{
	struct ckpt_view payload, class = class_of(typed, &payload), id = { 0 }, type;
	bool remove = false;

	all->messages = all->messages && is_message(class, text);
	if (all->messages) {
		remove = ends(class, "RemoveMessage") ||
		         (member(&type, text, "\"type\"") && text_is(type, "\"remove\""));
		if (!member(&id, text, "\"id\"") || text_is(id, "null"))
			id = (struct ckpt_view){ 0 };
	}
	if (remove && text_is(id, "\"__remove_all__\"")) {
		all->n = 0;
		return;
	}
	add(all, id, text, remove);
}

static void add_list(struct items *all, const struct fold_piece *piece, bool single)
{
	struct ckpt_view key, text, typed, payload;
	enum shape shape = shape_of(piece->typed, &payload);
	struct ckpt_walk w, t;
	bool has = ckpt_walk_open(&t, payload);

	if (shape == SHAPE_NULL && !single)
		return;
	if ((shape != SHAPE_LIST && (single || shape != SHAPE_SET)) ||
			!ckpt_walk_open(&w, piece->text)) {
		add_item(all, piece->text, piece->typed);
		return;
	}
	while (ckpt_walk_next(&w, &key, &text)) {
		has = has && ckpt_walk_next(&t, &key, &typed);
		add_item(all, text, has ? typed : text);
	}
}

static const char *fold_list(struct items *all, const struct fold_piece *base,
		const struct fold_piece *writes, size_t n)
{
	all->messages = true;
	if (base)
		add_list(all, base, false);
	for (size_t i = 0; i < n; i++)
		add_list(all, &writes[i], true);
	if (all->messages && all->n) {
		settle(all);
		return "messages are added, replaced and removed by their id";
	}
	if (all->messages) /* all removed */
		return "messages are added, replaced and removed by their id";
	/* ids met before it turned out that these are no messages mean nothing: start over */
	all->n = 0;
	if (base)
		add_list(all, base, false);
	for (size_t i = 0; i < n; i++)
		add_list(all, &writes[i], true);
	for (size_t i = 0; i < all->n; i++)
		all->v[i].keep = true;
	return "lists are joined";
}

/* ---- maps and sets --------------------------------------------------------------------------- */

static void add_map(struct items *all, struct ckpt_view text, bool base)
{
	struct ckpt_view key, value, pairs;
	bool odd = begins(text, "{\"$map\":[");
	struct ckpt_walk w, pair;

	if (odd && member(&pairs, text, "\"$map\""))
		text = pairs;
	if (!ckpt_walk_open(&w, text))
		return;
	while (ckpt_walk_next(&w, &key, &value)) {
		if (odd) {
			struct ckpt_view none;

			if (!ckpt_walk_open(&pair, value) ||
					!ckpt_walk_next(&pair, &none, &key) ||
					!ckpt_walk_next(&pair, &none, &value))
				continue;
		}
		if (base)
			all->nulls |= text_is(value, "null");
		add(all, key, value, !base && !all->nulls && text_is(value, "null"));
	}
}

static const char *fold_map(struct items *all, const struct fold_piece *base,
		const struct fold_piece *writes, size_t n)
{
	if (base)
		add_map(all, base->text, true);
	for (size_t i = 0; i < n; i++)
		add_map(all, writes[i].text, false);
	settle(all);
	return all->nulls ? "dicts are merged, a null is a value"
	                  : "dicts are merged, a null deletes its key";
}

static const char *fold_set(struct items *all, const struct fold_piece *base,
		const struct fold_piece *writes, size_t n)
{
	for (size_t i = 0; i < n + (base != NULL); i++) {
		const struct fold_piece *p =
				base ? i ? &writes[i - 1] : base : &writes[i];
		struct ckpt_view key, value;
		struct ckpt_walk w;

		if (!ckpt_walk_open(&w, p->text))
			continue;
		while (ckpt_walk_next(&w, &key, &value))
			add(all, value, value, false);
	}
	settle(all);
	if (all->n)
		qsort(all->v, all->n, sizeof(*all->v), by_text);
	return "sets are united";
}

/* ---- choosing -------------------------------------------------------------------------------- */

/* By what there is of each shape; SHAPE_SHUT: nothing can be said. */
static enum shape vote(const struct fold_piece *writes, size_t n)
{
	size_t seen[SHAPE_SHUT + 1] = { 0 };

	for (size_t i = 0; i < n; i++) {
		struct ckpt_view payload;
		enum shape shape = shape_of(writes[i].typed, &payload);

		if (shape == SHAPE_MAP &&
				is_message((struct ckpt_view){ 0 }, writes[i].text))
			shape = SHAPE_ONE;
		seen[shape]++;
	}
	if (seen[SHAPE_SHUT] || seen[SHAPE_NULL] == n)
		return SHAPE_SHUT;
	if (seen[SHAPE_SET] && seen[SHAPE_SET] + seen[SHAPE_LIST] + seen[SHAPE_NULL] == n)
		return SHAPE_SET;
	return seen[SHAPE_MAP] + seen[SHAPE_NULL] == n ? SHAPE_MAP : SHAPE_LIST;
}

/* Does a write of this shape go with such a base? */
static bool fits(enum shape base, enum shape write)
{
	if (write == SHAPE_SHUT)
		return false;
	if (base == SHAPE_SET)
		return write == SHAPE_SET || write == SHAPE_LIST;
	return base == SHAPE_LIST || (base == SHAPE_MAP && write == SHAPE_MAP);
}

static const char *misfit(enum shape shape, const struct fold_piece *writes, size_t n)
{
	struct ckpt_view payload;

	if (shape == SHAPE_ONE)
		return "its value is no list, dict or set";
	for (size_t i = 0; i < n; i++) {
		if (!fits(shape, shape_of(writes[i].typed, &payload)))
			return "its writes are of different kinds";
	}
	return NULL;
}

static void put(struct ckpt_buf *to, const struct items *all, bool map)
{
	const char *comma = "";
	bool odd = false;

	for (size_t i = 0; map && i < all->n; i++)
		odd |= all->v[i].keep && !begins(all->v[i].key, "\"");
	ckpt_buf_puts(to, odd ? "{\"$map\":[" : map ? "{" : "[");
	for (size_t i = 0; i < all->n; i++) {
		const struct item *it = &all->v[i];

		if (!it->keep)
			continue;
		ckpt_buf_puts(to, comma);
		ckpt_buf_puts(to, odd ? "[" : "");
		if (map)
			ckpt_buf_add(to, it->key.p, it->key.n);
		ckpt_buf_puts(to, odd ? "," : map ? ":" : "");
		ckpt_buf_add(to, it->text.p, it->text.n);
		ckpt_buf_puts(to, odd ? "]" : "");
		comma = ",";
	}
	ckpt_buf_puts(to, odd ? "]}" : map ? "}" : "]");
}

static int make(struct ckpt_buf *to, enum shape shape, const struct fold_piece *base,
		const struct fold_piece *writes, size_t n, const char **rule)
{
	struct items all = { 0 };

	if (shape == SHAPE_MAP)
		*rule = fold_map(&all, base, writes, n);
	else if (shape == SHAPE_SET)
		*rule = fold_set(&all, base, writes, n);
	else
		*rule = fold_list(&all, base, writes, n);
	if (!all.failed)
		put(to, &all, shape == SHAPE_MAP);
	free(all.v);
	return all.failed || to->failed ? CKPT_ENOMEM : 1;
}

int fold_pieces(struct ckpt_buf *to, const struct fold_piece *seed,
		const struct fold_piece *writes, size_t n, const char **rule)
{
	const struct fold_piece *base = seed, *all = writes;
	struct fold_piece inner, over;
	struct ckpt_view payload;
	enum shape shape = SHAPE_NULL;
	size_t total = n;

	for (size_t i = 0; i < total; i++) {
		if (!fold_overwrite(&inner, &all[i]))
			continue;
		over = inner;
		base = &over;
		writes = all + i + 1;
		n = total - i - 1;
	}
	if (base)
		shape = shape_of(base->typed, &payload);
	*rule = NULL;
	if (shape == SHAPE_NULL) {
		/* an empty value of its kind, which only other values of it can tell */
		base = NULL;
		shape = n ? vote(writes, n) : SHAPE_SHUT;
		if (!n && seed)
			shape = shape_of(seed->typed, &payload);
		if (!n && (!seed || shape == SHAPE_NULL) && total > 1)
			shape = vote(all, total - 1);
		if (shape == SHAPE_NULL || (!n && shape == SHAPE_SHUT))
			*rule = "it is empty, but of what kind is not known";
	}
	if (!*rule && shape == SHAPE_SHUT)
		*rule = "not all of it can be read";
	if (!*rule)
		*rule = misfit(shape, writes, n);
	return *rule ? 0 : make(to, shape, base, writes, n, rule);
}
