/*
 * delta_fork.c - do writes of another branch come into a delta channel's value? LangGraph seals a
 * fork: its first checkpoint stores the channel, so that nobody goes on to the writes that lie on
 * the checkpoint both branches begin at. Forks of older releases have no seal, and load them.
 *
 * Nothing in a write says whose it is. A branch whose first checkpoint has another version of the
 * channel has written it; where two have, and nothing is stored between, they share their writes.
 */
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "delta.h"

struct base { /* a checkpoint of the chain with writes on it */
	struct ckpt_view id, child, version;
};

static int by_id(const void *a, const void *b)
{
	return ckpt_view_cmp(((const struct base *)a)->id, ((const struct base *)b)->id);
}

static size_t read_bases(struct base *to, const struct ckpt_buf *text)
{
	const char *p = text->p;
	size_t n = 0;

	while (p && p < text->p + text->n) {
		struct base *b = &to[n++];

		b->id = ckpt_view_of(p);
		b->child = ckpt_view_of(b->id.p + b->id.n + 1);
		b->version = ckpt_view_of(b->child.p + b->child.n + 1);
		p = b->version.p + b->version.n + 1;
	}
	return n;
}

/* The first checkpoint of a branch. */
struct head {
	struct ckpt_view id;
	struct ckpt_buf version; /* of the channel; empty if it has none */
	bool stored, copied;     /* copied: `__copy__` made it, which writes nothing */
};

/* 1, or 0 if it is gone. */
static int read_head(struct head *out, struct ckpt_store *store, struct ckpt_key key,
		struct ckpt_view channel)
{
	struct ckpt_pick pick = { .key = key, .depth = CKPT_VALUES };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	struct ckpt_view source;
	int rc = ckpt_scan_one(&scan, store, &pick, &c);

	*out = (struct head){ .id = key.id };
	if (rc > 0)
		out->copied = ckpt_value_member(&source, CKPT_LIT("json"), c.meta,
					      "source") &&
		              ckpt_view_eq(source, CKPT_LIT("\"fork\""));
	for (size_t i = 0; rc > 0 && i < c.nvalues; i++) {
		const struct ckpt_value *v = &c.values[i];

		if (!ckpt_view_eq(v->channel, channel))
			continue;
		ckpt_buf_add(&out->version, v->version.p, v->version.n);
		out->stored = v->type.p != NULL;
	}
	ckpt_scan_close(scan);
	return out->version.failed ? CKPT_ENOMEM : rc;
}

/* Has the other branch written the channel on the base, as far as its head tells? A later one that
 * is sealed has not; a copy has the writes of what it is a copy of. */
static bool has_written(
		const struct base *b, const struct head *mine, const struct head *other)
{
	struct ckpt_view version = ckpt_buf_view(&other->version);

	if (!version.n || ckpt_view_eq(version, b->version) || other->copied)
		return false;
	if (mine->copied && ckpt_view_eq(version, ckpt_buf_view(&mine->version)))
		return false;
	return !other->stored || ckpt_view_cmp(other->id, b->child) < 0;
}

static int ask(struct ckpt_store *store, const struct base *b,
		const struct ckpt_checkpoint *sibling, struct ckpt_view channel)
{
	struct ckpt_key key = sibling->key;
	struct head mine = { .stored = false }, other = { .stored = false };
	int rc = read_head(&other, store, key, channel);

	key.id = b->child;
	if (rc > 0)
		rc = read_head(&mine, store, key, channel);
	if (rc > 0)
		rc = has_written(b, &mine, &other);
	ckpt_buf_free(&mine.version);
	ckpt_buf_free(&other.version);
	return rc == CKPT_ENOMEM ? ckpt_fail(store->err, rc, "out of memory") : rc;
}

static int look(struct ckpt_buf *at, struct ckpt_store *store, struct ckpt_pick *pick,
		const struct base *bases, size_t n, struct ckpt_view channel)
{
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc, yes = 0;

	rc = ckpt_scan_open(&scan, store, pick);
	while (rc >= 0 && !yes && (rc = ckpt_scan_next(scan, &c)) > 0) {
		struct base want = { .id = c.parent };
		const struct base *b = NULL;

		if (c.parent.p)
			b = bsearch(&want, bases, n, sizeof(*bases), by_id);
		if (!b || ckpt_view_eq(c.key.id, b->child))
			continue;
		rc = ask(store, b, &c, channel);
		yes = rc > 0;
		if (yes)
			ckpt_buf_add(at, b->id.p, b->id.n);
	}
	ckpt_scan_close(scan);
	return rc < 0 ? rc : yes;
}

int ckpt_delta_mixed(struct ckpt_buf *at, struct ckpt_store *store,
		const struct ckpt_checkpoint *c, struct ckpt_view channel,
		const struct ckpt_delta *d)
{
	struct ckpt_pick pick = { .key = c->key, .depth = CKPT_LINKS };
	struct base *bases;
	size_t n;
	int rc;

	if (!d->bases.n)
		return 0;
	bases = calloc(d->bases.n / 3 + 1, sizeof(*bases));
	if (!bases)
		return ckpt_fail(store->err, CKPT_ENOMEM, "out of memory");
	n = read_bases(bases, &d->bases);
	qsort(bases, n, sizeof(*bases), by_id);
	pick.key.id = (struct ckpt_view){ 0 };
	rc = look(at, store, &pick, bases, n, channel);
	free(bases);
	return rc;
}
