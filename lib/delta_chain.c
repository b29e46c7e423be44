/*
 * delta_chain.c - what a delta channel holds at a checkpoint where nothing is stored of it: the
 * chain of parents down to the stored value, the writes on it in the order they are replayed,
 * and what is certain about the outcome.
 *
 * The reducer is not in the database. Without it two things are sure: no writes leave the stored
 * value as it is, and an Overwrite that comes last is the value. The rest is guessed in fold.c,
 * and only when that is asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "delta.h"
#include "fold.h"

struct piece { /* as stored */
	struct ckpt_view type, body;
};

struct link { /* one checkpoint of the chain */
	struct ckpt_view id;
	size_t end; /* pieces up to here are its own or of links nearer to the start */
};

struct chain {
	struct ckpt_store *store;
	struct ckpt_view channel;
	struct ckpt_render *opt;
	struct ckpt_delta *out;
	struct arena arena;
	struct link *links; /* the first is where the walk starts, and has no pieces */
	size_t nlinks, caplinks;
	struct piece *pieces; /* newest first */
	size_t npieces, cappieces;
	struct piece seed;
	bool seeded, reset, corrupt; /* reset: the last write is an Overwrite */
};

void ckpt_delta_free(struct ckpt_delta *d)
{
	ckpt_buf_free(&d->seed);
	ckpt_buf_free(&d->missing);
	ckpt_buf_free(&d->moved);
	ckpt_buf_free(&d->bases);
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static int out_of_memory(struct chain *ch)
{
	return ckpt_fail(ch->store->err, CKPT_ENOMEM, "out of memory");
}

static int keep(struct chain *ch, struct piece *to, struct ckpt_view type,
		struct ckpt_view body)
{
	*to = (struct piece){ { NULL, 0 }, { NULL, 0 } };
	if (type.p)
		to->type = arena_copy(&ch->arena, type, ch->store->err);
	if (body.p)
		to->body = arena_copy(&ch->arena, body, ch->store->err);
	return ch->store->err->code;
}

static int add_piece(struct chain *ch, const struct ckpt_write *w)
{
	if (ch->npieces == ch->cappieces) {
		size_t cap = ch->cappieces ? ch->cappieces * 2 : 32;
		struct piece *more = realloc(ch->pieces, cap * sizeof(*more));

		if (!more)
			return out_of_memory(ch);
		ch->pieces = more;
		ch->cappieces = cap;
	}
	return keep(ch, &ch->pieces[ch->npieces++], w->type, w->body);
}

static int add_link(struct chain *ch, struct ckpt_view id)
{
	if (ch->nlinks == ch->caplinks) {
		size_t cap = ch->caplinks ? ch->caplinks * 2 : 32;
		struct link *more = realloc(ch->links, cap * sizeof(*more));

		if (!more)
			return out_of_memory(ch);
		ch->links = more;
		ch->caplinks = cap;
	}
	ch->links[ch->nlinks++] =
			(struct link){ arena_copy(&ch->arena, id, ch->store->err),
				ch->npieces };
	return ch->store->err->code;
}

static void render(struct chain *ch, struct ckpt_buf *to, const struct piece *p,
		bool typed, size_t max)
{
	struct ckpt_render r = *ch->opt;

	r.typed = typed;
	r.max_value = max;
	ch->corrupt |= ckpt_render_value(to, p->type, p->body, &r) == CKPT_ECORRUPT;
	ch->opt->trailing |= r.trailing;
}

/* Both forms of one piece, in a buffer of its own: "text\0typed". */
static bool both(struct chain *ch, struct ckpt_buf *at, struct fold_piece *out,
		const struct piece *p)
{
	size_t middle;

	render(ch, at, p, false, 0);
	middle = at->n;
	ckpt_buf_add(at, "", 1);
	render(ch, at, p, true, 0);
	if (at->failed)
		return false;
	*out = (struct fold_piece){ { at->p, middle },
		{ at->p + middle + 1, at->n - middle - 1 } };
	return true;
}

/* ---- the walk -------------------------------------------------------------------------------- */

/* In PostgreSQL a null in the checkpoint is no value; one in a blob is. */
static bool is_stored(const struct chain *ch, const struct ckpt_value *v)
{
	return v->type.p && !(v->place == CKPT_INLINE && delta_inlines(ch->store) &&
					    ckpt_view_eq(v->body, CKPT_LIT("null")));
}

/* 1: the value is stored here. */
static int take_seed(struct chain *ch, const struct ckpt_checkpoint *c)
{
	for (size_t i = 0; i < c->nvalues; i++) {
		const struct ckpt_value *v = &c->values[i];

		if (!ckpt_view_eq(v->channel, ch->channel) || !is_stored(ch, v))
			continue;
		ch->seeded = true;
		ch->out->lost = delta_mark(ch->store, v);
		ckpt_buf_add(&ch->out->seed, c->key.id.p, c->key.id.n);
		return keep(ch, &ch->seed, v->type, v->body) < 0 ? ch->store->err->code
		                                                 : 1;
	}
	return 0;
}

static int by_task(const void *a, const void *b)
{
	const struct ckpt_write *x = *(const struct ckpt_write *const *)a;
	const struct ckpt_write *y = *(const struct ckpt_write *const *)b;
	int d = ckpt_view_cmp(x->task, y->task);

	return d ? d : (x->idx > y->idx) - (x->idx < y->idx);
}

/* Before checkpoint-sqlite 3.1.2 and checkpoint-postgres 3.2.0 the path of a task did not count
 * in the order. Where that makes another sequence of values, note the checkpoint. */
static int note_moved(struct chain *ch, const struct ckpt_checkpoint *c)
{
	const struct ckpt_write **now, **before;
	size_t n = 0;
	bool sorted = true, moved = false;

	if (ch->out->moved.n || c->nwrites < 2)
		return 0;
	now = calloc(c->nwrites * 2, sizeof(*now));
	if (!now)
		return out_of_memory(ch);
	before = now + c->nwrites;
	for (size_t i = 0; i < c->nwrites; i++) {
		if (!ckpt_view_eq(c->writes[i].channel, ch->channel))
			continue;
		now[n] = before[n] = &c->writes[i];
		sorted = sorted && (n == 0 || by_task(&now[n - 1], &now[n]) <= 0);
		n++;
	}
	if (!sorted)
		qsort(before, n, sizeof(const struct ckpt_write *), by_task);
	for (size_t i = 0; i < n && !sorted && !moved; i++)
		moved = !ckpt_view_eq(now[i]->type, before[i]->type) ||
		        !ckpt_view_eq(now[i]->body, before[i]->body);
	if (moved)
		ckpt_buf_add(&ch->out->moved, c->key.id.p, c->key.id.n);
	free(now);
	return 0;
}

static void add_base(struct ckpt_buf *to, struct ckpt_view v)
{
	ckpt_buf_add(to, v.p, v.n);
	ckpt_buf_add(to, "", 1);
}

/* A checkpoint with writes: itself, whose parent it is on the way here, the channel's version. */
static void note_base(struct chain *ch, const struct ckpt_checkpoint *c)
{
	struct ckpt_view child = ch->links[ch->nlinks - 2].id, version = { NULL, 0 };

	for (size_t i = 0; i < c->nvalues; i++) {
		if (ckpt_view_eq(c->values[i].channel, ch->channel))
			version = c->values[i].version;
	}
	/* names with a NUL are nobody's branch */
	if ((c->key.id.n && memchr(c->key.id.p, '\0', c->key.id.n)) ||
			(child.n && memchr(child.p, '\0', child.n)) ||
			(version.n && memchr(version.p, '\0', version.n)))
		return;
	add_base(&ch->out->bases, c->key.id);
	add_base(&ch->out->bases, child);
	add_base(&ch->out->bases, version);
}

/* The writes of one link, last first; what the last of all is decides early. */
static int take_writes(struct chain *ch, const struct ckpt_checkpoint *c)
{
	size_t before = ch->npieces;
	bool first = before == 0;
	struct fold_piece last, inner;
	struct ckpt_buf text = { 0 };

	for (size_t i = c->nwrites; i-- > 0;) {
		if (ckpt_view_eq(c->writes[i].channel, ch->channel) &&
				add_piece(ch, &c->writes[i]) < 0)
			return ch->store->err->code;
	}
	if (ch->npieces > before)
		note_base(ch, c);
	if (ch->npieces > before + 1 && note_moved(ch, c) < 0)
		return ch->store->err->code;
	if (first && ch->npieces && both(ch, &text, &last, &ch->pieces[0]))
		ch->reset = fold_overwrite(&inner, &last) &&
		            !ckpt_view_eq(inner.text, CKPT_LIT("null"));
	ckpt_buf_free(&text);
	return 0;
}

/* One checkpoint of the chain. 1: on to `parent`; 0: the chain ends here. */
static int visit(struct chain *ch, struct ckpt_pick *pick, struct ckpt_buf *parent)
{
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc = ckpt_scan_one(&scan, ch->store, pick, &c);

	if (rc == 0)
		ckpt_buf_add(&ch->out->missing, pick->key.id.p, pick->key.id.n);
	if (rc > 0) {
		rc = take_writes(ch, &c);
		rc = rc < 0 ? rc : take_seed(ch, &c);
		ch->links[ch->nlinks - 1].end = ch->npieces;
		rc = rc < 0 ? rc : rc == 0 && !ch->reset && c.parent.p;
		parent->n = 0;
		ckpt_buf_add(parent, c.parent.p, c.parent.n);
	}
	ckpt_scan_close(scan);
	return rc;
}

/* The parents form a ring: the library stops where it would come a second time. The link at
 * `mark` comes again after `period` steps. */
static void cut_ring(struct chain *ch, size_t period)
{
	size_t last = ch->nlinks;

	for (size_t i = 0; i + period < ch->nlinks; i++) {
		if (!ckpt_view_eq(ch->links[i].id, ch->links[i + period].id))
			continue;
		last = i + period;
		break;
	}
	ch->out->ring = true;
	ch->nlinks = last;
	ch->npieces = ch->links[last - 1].end;
}

/* From parent to parent, by Brent's way of noticing a ring. */
static int walk(struct chain *ch, const struct ckpt_checkpoint *from)
{
	struct ckpt_pick pick = {
		.key = from->key, .depth = CKPT_VALUES, .writes = true
	};
	struct ckpt_buf parent = { 0 };
	size_t mark = 0, power = 1, period = 0;
	int rc = add_link(ch, from->key.id);

	if (rc == 0 && from->parent.p) {
		ckpt_buf_add(&parent, from->parent.p, from->parent.n);
		rc = 1;
	}
	while (rc > 0 && !parent.failed) {
		period++;
		if (ckpt_view_eq(ckpt_buf_view(&parent), ch->links[mark].id)) {
			cut_ring(ch, period);
			break;
		}
		pick.key.id = ckpt_buf_view(&parent);
		rc = add_link(ch, pick.key.id);
		if (rc < 0)
			break;
		pick.key.id = ch->links[ch->nlinks - 1].id;
		rc = visit(ch, &pick, &parent);
		if (period == power) {
			mark = ch->nlinks - 1;
			power *= 2;
			period = 0;
		}
	}
	if (parent.failed)
		rc = out_of_memory(ch);
	ckpt_buf_free(&parent);
	return rc < 0 ? rc : 0;
}

/* ---- the outcome ----------------------------------------------------------------------------- */

static void put_rows(struct chain *ch, struct ckpt_buf *to)
{
	bool typed = ch->opt->typed;
	size_t max = ch->opt->max_value;

	ckpt_buf_puts(to, "{\"$delta\":{\"snapshot\":");
	if (ch->seeded)
		render(ch, to, &ch->seed, typed, max);
	else
		ckpt_buf_puts(to, "null");
	ckpt_buf_puts(to, ",\"snapshot_id\":");
	if (ch->seeded)
		ckpt_json_string(to, ckpt_buf_view(&ch->out->seed));
	else
		ckpt_buf_puts(to, "null");
	ckpt_buf_puts(to, ",\"writes\":[");
	for (size_t i = ch->npieces; i-- > 0;) {
		render(ch, to, &ch->pieces[i], typed, max);
		ckpt_buf_puts(to, i ? "," : "");
	}
	ckpt_buf_puts(to, "]}}");
}

static bool put_certain(struct chain *ch, struct ckpt_buf *to)
{
	struct fold_piece last, inner;
	struct ckpt_buf text = { 0 };
	size_t max = ch->opt->max_value;
	bool sure = false;

	if (ch->npieces == 0 && ch->seeded && !ch->out->lost) {
		render(ch, to, &ch->seed, ch->opt->typed, max);
		return true;
	}
	if (ch->reset && both(ch, &text, &last, &ch->pieces[0]) &&
			fold_overwrite(&inner, &last)) {
		struct ckpt_view v = ch->opt->typed ? inner.typed : inner.text;

		sure = !max || v.n <= max;
		if (sure)
			ckpt_buf_add(to, v.p, v.n);
	}
	ckpt_buf_free(&text);
	return sure;
}

/* 1: a guess was appended. */
static int put_guess(struct chain *ch, struct ckpt_buf *to)
{
	size_t n = ch->npieces, before = to->n;
	struct ckpt_buf *texts = calloc(n + 1, sizeof(*texts));
	struct fold_piece *pieces = calloc(n + 1, sizeof(*pieces));
	bool good = texts && pieces;
	int rc = CKPT_ENOMEM;

	for (size_t i = 0; i < n && good; i++) /* oldest first */
		good = both(ch, &texts[i], &pieces[i], &ch->pieces[n - 1 - i]);
	if (good && ch->seeded)
		good = both(ch, &texts[n], &pieces[n], &ch->seed);
	if (good)
		rc = fold_pieces(to, ch->seeded ? &pieces[n] : NULL, pieces, n,
				&ch->out->rule);
	if (rc > 0 && ch->opt->max_value && to->n - before > ch->opt->max_value) {
		to->n = before;
		ch->out->rule = "it is larger than what is to be shown";
		rc = 0;
	}
	for (size_t i = 0; texts && i <= n; i++)
		ckpt_buf_free(&texts[i]);
	free(texts);
	free(pieces);
	return rc < 0 ? out_of_memory(ch) : rc;
}

static int put_value(struct chain *ch, struct ckpt_buf *to, bool fold)
{
	int rc = 0;

	ch->out->how = CKPT_DELTA_ROWS;
	if (put_certain(ch, to)) {
		ch->out->how = CKPT_DELTA_CERTAIN;
		return 0;
	}
	if (fold && ch->out->lost)
		ch->out->rule = "its snapshot is lost";
	else if (fold)
		rc = put_guess(ch, to);
	if (rc > 0)
		ch->out->how = CKPT_DELTA_GUESS;
	else if (rc == 0)
		put_rows(ch, to);
	return rc < 0 ? rc : 0;
}

int ckpt_delta_value(struct ckpt_buf *to, struct ckpt_store *store,
		const struct ckpt_checkpoint *c, struct ckpt_view channel,
		struct ckpt_render *opt, bool fold, struct ckpt_delta *out)
{
	struct chain ch = { .store = store, .channel = channel, .opt = opt, .out = out };
	int rc;

	*out = (struct ckpt_delta){ 0 };
	opt->trailing = false;
	rc = walk(&ch, c);
	out->writes = ch.npieces;
	rc = rc < 0 ? rc : put_value(&ch, to, fold);
	if (rc == 0 && (to->failed || out->seed.failed || out->missing.failed ||
				       out->moved.failed || out->bases.failed))
		rc = out_of_memory(&ch);
	free(ch.links);
	free(ch.pieces);
	arena_free(&ch.arena);
	if (rc < 0)
		return rc;
	return ch.corrupt || (out->lost && delta_has_blobs(store)) ? CKPT_ECORRUPT : 0;
}
