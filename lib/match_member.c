/*
 * match_member.c - two checkpoint rows compared: parent, the members of the container without its
 * values, the members of the metadata. What differs becomes one line.
 */
#include "match.h"

/* ---- members of containers and metadata --------------------------------------------------------- */

struct member {
	struct ckpt_view name;
	struct stored value;
	struct digest digest;
	bool undecodable;
};

struct members {
	struct member *m;
	size_t n, cap;
};

struct document { /* one side's container or metadata */
	struct stored whole;
	const char *where; /* its pointer: "/metadata/" */
	struct members members;
};

static struct member *add_member(struct match_work *w, struct members *l)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 16;
		struct member *more = arena_take(&w->arena, cap * sizeof(*more), w->err);

		if (!more)
			return NULL;
		if (l->n)
			memcpy(more, l->m, l->n * sizeof(*more));
		l->m = more;
		l->cap = cap;
	}
	l->m[l->n] = (struct member){ 0 };
	return &l->m[l->n++];
}

/* By name; of twins the last comes first: it is the one that counts. */
static int by_name(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	const char *p = x->value.body.p, *q = y->value.body.p;
	int d = ckpt_view_cmp(x->name, y->name);

	return d ? d : (p < q) - (p > q);
}

static bool has_versions(struct ckpt_view name)
{
	return ckpt_view_eq(name, CKPT_LIT("channel_versions")) ||
	       ckpt_view_eq(name, CKPT_LIT("versions_seen"));
}

static int read_member(struct match_work *w, struct document *d, struct reader *rd,
		struct ckpt_view name)
{
	struct member *m = add_member(w, &d->members);
	int rc;

	if (!m)
		return CKPT_ENOMEM;
	m->name = arena_copy(&w->arena, name, w->err);
	m->value.type = d->whole.type;
	rc = reader_skip(rd, &m->value.body);
	if (rc < 0)
		return rc;
	rc = canon_digest(w->canon, &m->value,
			w->how.migrated && d->where[1] == 'c' && has_versions(m->name),
			&m->digest);
	m->undecodable = rc < 0;
	return rc == CKPT_ENOMEM ? match_no_memory(w) : w->err->code;
}

static int read_map(struct match_work *w, struct document *d, struct reader *rd)
{
	struct token t;
	int rc = reader_next(rd, &t);

	if (rc <= 0 || t.kind != TOKEN_MAP)
		return CKPT_ECORRUPT;
	while ((rc = reader_next(rd, &t)) > 0 && t.kind == TOKEN_STR) {
		rc = read_member(w, d, rd, t.s);
		if (rc < 0)
			return rc;
	}
	return rc < 0 || t.kind != TOKEN_END ? CKPT_ECORRUPT : 0;
}

/* Its members with their digests, by name. CKPT_ECORRUPT: it is not a map that can be read. */
static int read_members(struct match_work *w, struct document *d)
{
	const struct reader_ops *ops = codec_reader(d->whole.type);
	struct reader *rd = malloc(sizeof(*rd));
	int rc;

	if (!rd)
		return match_no_memory(w);
	reader_init(rd, ops ? ops : &json_reader, d->whole.body);
	rc = read_map(w, d, rd);
	reader_done(rd);
	free(rd);
	if (d->members.n)
		qsort(d->members.m, d->members.n, sizeof(*d->members.m), by_name);
	return rc;
}

static const struct member *find_member(const struct members *l, struct ckpt_view name)
{
	for (size_t i = 0; i < l->n; i++)
		if (ckpt_view_eq(l->m[i].name, name))
			return &l->m[i];
	return NULL;
}

/* "; metadata/step: 3 → 4" */
static void put_member(struct match_work *w, const char *where, const struct member *a,
		const struct member *b)
{
	const struct member *any = a ? a : b;
	const char *why =
			any->undecodable || (b && b->undecodable) ? "undecodable" : NULL;

	w->counts.corrupt |= why != NULL;
	ckpt_buf_puts(&w->details, w->details.n ? "; " : "");
	ckpt_buf_puts(&w->details, where[1] == 'm' ? "metadata/" : "");
	match_put_name(&w->details, any->name);
	match_put_change(&w->details, a ? &a->value : NULL, b ? &b->value : NULL, why);
	if (!a || !b)
		ckpt_buf_puts(&w->details, a ? " (only in A)" : " (only in B)");
}

static bool members_same(const struct member *a, const struct member *b)
{
	if (a->undecodable || b->undecodable)
		return ckpt_view_eq(a->value.body, b->value.body);
	return digest_eq(a->digest, b->digest);
}

/* The next member by name; its twins are passed over. */
static const struct member *next_member(const struct members *l, size_t *at)
{
	const struct member *m = &l->m[*at];

	while (*at < l->n && ckpt_view_eq(l->m[*at].name, m->name))
		++*at;
	return m;
}

static void compare_members(struct match_work *w, const struct document *a,
		const struct document *b, bool sends)
{
	size_t i = 0, k = 0;

	while (i < a->members.n || k < b->members.n) {
		int d = i == a->members.n   ? 1
		        : k == b->members.n ? -1
		                            : ckpt_view_cmp(a->members.m[i].name,
							      b->members.m[k].name);
		const struct member *x = d <= 0 ? next_member(&a->members, &i) : NULL;
		const struct member *y = d >= 0 ? next_member(&b->members, &k) : NULL;
		struct ckpt_view name = x ? x->name : y->name;

		if ((x && y && members_same(x, y)) || match_masked(w, a->where, name) ||
				(sends && ckpt_view_eq(name, CKPT_LIT("pending_sends"))))
			continue;
		put_member(w, a->where, x, y);
	}
}

/* One that cannot be taken apart, or is there on one side only. */
static void compare_whole(
		struct match_work *w, const struct document *a, const struct document *b)
{
	char name[16];
	const char *why;

	snprintf(name, sizeof(name), "%.*s", (int)strlen(a->where) - 1, a->where);
	if (match_same(w, &a->whole, &b->whole, &why) ||
			match_masked(w, name, (struct ckpt_view){ 0 }))
		return;
	ckpt_buf_puts(&w->details, w->details.n ? "; " : "");
	ckpt_buf_puts(&w->details, name + 1);
	match_put_change(&w->details, &a->whole, &b->whole, why);
}

static int compare_meta(struct match_work *w, const struct ckpt_checkpoint *a,
		const struct ckpt_checkpoint *b)
{
	struct document x = { .whole = { a->meta_type, a->meta, CKPT_OPEN },
		.where = "/metadata/" };
	struct document y = { .whole = { b->meta_type, b->meta, CKPT_OPEN },
		.where = "/metadata/" };

	if (ckpt_view_eq(a->meta, b->meta))
		return 0;
	if (a->meta.p && b->meta.p && read_members(w, &x) >= 0 &&
			read_members(w, &y) >= 0)
		compare_members(w, &x, &y, false);
	else if (!w->err->code)
		compare_whole(w, &x, &y);
	return w->err->code;
}

/* ---- Sends before v 4 ---------------------------------------------------------------------------- */

static bool before_v4(const struct members *l)
{
	const struct member *v = find_member(l, CKPT_LIT("v"));
	struct ckpt_buf text = { 0 };
	bool before;

	if (!v)
		return false;
	match_describe(&text, &v->value);
	before = !text.failed && text.n == 1 && *text.p >= '1' && *text.p <= '3';
	ckpt_buf_free(&text);
	return before;
}

static const struct ckpt_value *find_value(
		const struct ckpt_checkpoint *c, struct ckpt_view channel)
{
	for (size_t i = 0; i < c->nvalues; i++)
		if (ckpt_view_eq(c->values[i].channel, channel))
			return &c->values[i];
	return NULL;
}

/* What a checkpoint before v 4 has as Sends: among its values, or in its container. */
static struct stored sends_of(const struct ckpt_checkpoint *c, const struct members *l)
{
	const struct ckpt_value *v = find_value(c, MATCH_SENDS);
	const struct member *m = find_member(l, CKPT_LIT("pending_sends"));

	if (v && v->place != CKPT_EMPTY)
		return stored_value(v);
	if (m)
		return m->value;
	return (struct stored){ CKPT_LIT("json"), CKPT_LIT("[]"), CKPT_OPEN };
}

static bool no_sends(const struct stored *s)
{
	struct ckpt_buf text = { 0 };
	bool none;

	match_describe(&text, s);
	none = !text.failed && ckpt_view_eq(ckpt_buf_view(&text), CKPT_LIT("[]"));
	ckpt_buf_free(&text);
	return none;
}

/* ---- the container --------------------------------------------------------------------------- */

static void compare_split(struct match_work *w, const struct ckpt_checkpoint *a,
		const struct ckpt_checkpoint *b, struct sends *sends)
{
	struct document x = { .whole = { a->type, a->skeleton, a->lock },
		.where = "/checkpoint/" };
	struct document y = { .whole = { b->type, b->skeleton, b->lock },
		.where = "/checkpoint/" };

	if (ckpt_view_eq(a->skeleton, b->skeleton))
		return;
	if (read_members(w, &x) < 0 || read_members(w, &y) < 0) {
		if (!w->err->code)
			compare_whole(w, &x, &y);
		return;
	}
	sends->here = before_v4(&x.members) && before_v4(&y.members);
	sends->a = sends_of(a, &x.members);
	sends->b = sends_of(b, &y.members);
	sends->none = no_sends(&sends->a) && no_sends(&sends->b);
	compare_members(w, &x, &y, sends->here);
}

/* Containers that are broken or cannot be opened are bytes. */
static void compare_bytes(struct match_work *w, const struct ckpt_checkpoint *a,
		const struct ckpt_checkpoint *b)
{
	struct document x = { .whole = { a->type, a->body, a->lock },
		.where = "/checkpoint/" };
	struct document y = { .whole = { b->type, b->body, b->lock },
		.where = "/checkpoint/" };

	if (ckpt_view_eq(a->body, b->body) && ckpt_view_eq(a->type, b->type))
		return;
	w->counts.corrupt |= a->broken_why || b->broken_why;
	compare_whole(w, &x, &y);
}

bool match_is_split(const struct ckpt_checkpoint *c)
{
	return !c->opaque.p && !c->broken_why;
}

static void compare_parents(struct match_work *w, const struct ckpt_checkpoint *a,
		const struct ckpt_checkpoint *b)
{
	if (ckpt_view_eq(a->parent, b->parent) ||
			match_masked(w, "/checkpoint/", CKPT_LIT("parent")))
		return;
	ckpt_buf_puts(&w->details, "parent: ");
	match_put_name(&w->details, a->parent.p ? a->parent : CKPT_LIT("none"));
	ckpt_buf_puts(&w->details, " → ");
	match_put_name(&w->details, b->parent.p ? b->parent : CKPT_LIT("none"));
}

int match_containers(struct match_work *w, const struct ckpt_checkpoint *a,
		const struct ckpt_checkpoint *b, struct sends *sends)
{
	compare_parents(w, a, b);
	if (match_is_split(a) && match_is_split(b))
		compare_split(w, a, b, sends);
	else
		compare_bytes(w, a, b);
	if (a->trailing != b->trailing && match_is_split(a) && match_is_split(b))
		ckpt_buf_addf(&w->details, "%sbytes follow the container in %s",
				w->details.n ? "; " : "", a->trailing ? "A" : "B");
	compare_meta(w, a, b);
	if (w->err->code)
		return w->err->code;
	if (w->details.n)
		return match_tell(w, CKPT_IN_CHECKPOINTS, CKPT_DIFFERS, 0);
	w->counts.same[CKPT_IN_CHECKPOINTS]++;
	return 0;
}
