/*
 * prune_list.c - keys of a plan: the hash that names it, and looking up which of them a checkpoint
 * is that comes by in the order of keys, as when an archive is written.
 */
#include <stdlib.h>
#include <string.h>

#include "prune.h"
#include "row.h"

/* ---- the hash ------------------------------------------------------------------------------------ */

static void add_part(struct ckpt_buf *to, struct ckpt_view v)
{
	const uint64_t n = v.n;

	ckpt_buf_add(to, &n, sizeof(n));
	ckpt_buf_add(to, v.p, v.n);
}

int prune_hash(struct ckpt_prune *p, char tag, const struct ckpt_key *key)
{
	const char head[2] = { tag, (char)key->blob };

	p->key.n = 0;
	ckpt_buf_add(&p->key, &p->hash, sizeof(p->hash));
	ckpt_buf_add(&p->key, head, sizeof(head));
	add_part(&p->key, key->thread);
	add_part(&p->key, key->ns);
	add_part(&p->key, key->id);
	if (p->key.failed)
		return ckpt_fail(p->err, CKPT_ENOMEM, "out of memory");
	p->hash = ckpt_hash(ckpt_buf_view(&p->key));
	return 0;
}

/* ---- looking up ------------------------------------------------------------------------------------ */

struct key_list {
	struct doomed *from;
	struct doomed_item
			item; /* the first that is not before the last key asked for … */
	struct ckpt_key last; /* … this one, in `text` */
	struct ckpt_buf text;
	bool ended;
};

int prune_key_cmp(const struct ckpt_key *a, const struct ckpt_key *b)
{
	const struct ckpt_view x[3] = { a->thread, a->ns, a->id };
	const struct ckpt_view y[3] = { b->thread, b->ns, b->id };

	/* as stores order them: text before bytes */
	for (unsigned i = 0; i < 3; i++) {
		int d = (int)(a->blob >> i & 1) - (int)(b->blob >> i & 1);

		d = d ? d : ckpt_view_cmp(x[i], y[i]);
		if (d)
			return d;
	}
	return 0;
}

static int step(struct key_list *l)
{
	int rc = doomed_next(l->from, &l->item);

	l->ended = rc == 0;
	return rc;
}

static bool remember(struct key_list *l, const struct ckpt_key *key)
{
	struct ckpt_view *part[3] = { &l->last.thread, &l->last.ns, &l->last.id };
	const char *p;

	l->text.n = 0;
	ckpt_buf_add(&l->text, key->thread.p, key->thread.n);
	ckpt_buf_add(&l->text, key->ns.p, key->ns.n);
	ckpt_buf_add(&l->text, key->id.p, key->id.n);
	ckpt_buf_add(&l->text, "", 1);
	if (l->text.failed)
		return false;
	l->last = *key;
	p = l->text.p;
	for (int i = 0; i < 3; i++) {
		part[i]->p = p;
		p += part[i]->n;
	}
	return true;
}

static int list_new(struct key_list **out, struct doomed *from, struct ckpt_error *err)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	(*out)->from = from;
	return 0;
}

typedef int order(const struct ckpt_key *, const struct ckpt_key *);

static int list_has(struct ckpt_prune *p, struct doomed *from, struct key_list **at,
		const struct ckpt_key *key, order *cmp)
{
	struct key_list *l = *at;
	int rc = 1;

	if (!from)
		return 0;
	if (!l && list_new(at, from, p->err) < 0)
		return p->err->code;
	l = *at;
	if (!l->last.thread.p || cmp(key, &l->last) < 0) {
		rc = doomed_rewind(from);
		rc = rc < 0 ? rc : step(l);
	}
	while (rc >= 0 && !l->ended && cmp(&l->item.key, key) < 0)
		rc = step(l);
	if (rc >= 0 && !remember(l, key))
		rc = ckpt_fail(p->err, CKPT_ENOMEM, "out of memory");
	if (rc < 0)
		return rc;
	return !l->ended && cmp(&l->item.key, key) == 0;
}

int ckpt_prune_has(struct ckpt_prune *p, const struct ckpt_key *key, bool kept)
{
	order *cmp = prune_key_cmp;
	int rc = kept ? list_has(p, p->kept, &p->lists[1], key, cmp)
	              : list_has(p, p->doomed, &p->lists[0], key, cmp);

	rc = rc || kept ? rc : list_has(p, p->stray_writes, &p->lists[2], key, cmp);
	return rc || kept ? rc : list_has(p, p->left_writes, &p->lists[3], key, cmp);
}

/* The first that goes and has no smaller key; NULL: none, or p->err. */
static const struct doomed_item *first_from(
		struct ckpt_prune *p, const struct ckpt_key *key)
{
	int rc = list_has(p, p->doomed, &p->lists[0], key, prune_key_cmp);

	return rc < 0 || p->lists[0]->ended ? NULL : &p->lists[0]->item;
}

int prune_empties(struct ckpt_prune *p, const struct ckpt_key *thread)
{
	const struct ckpt_key first = { .thread = thread->thread,
		.ns = CKPT_LIT(""),
		.id = CKPT_LIT(""),
		.blob = thread->blob & CKPT_BLOB_THREAD };
	const struct doomed_item *at = first_from(p, &first);

	if (!at)
		return p->err->code;
	return ckpt_view_eq(at->key.thread, first.thread) &&
	       (at->key.blob & CKPT_BLOB_THREAD) == first.blob && at->space->whole_thread;
}

int prune_goes(struct ckpt_prune *p, const struct ckpt_key *key)
{
	return list_has(p, p->doomed, &p->lists[0], key, prune_key_cmp);
}

int prune_loses(struct ckpt_prune *p, const struct ckpt_key *ns)
{
	struct ckpt_key first = *ns, found;
	const struct doomed_item *at;

	first.id = CKPT_LIT("");
	first.blob &= ~(unsigned)CKPT_BLOB_ID;
	at = first_from(p, &first);
	if (!at)
		return p->err->code;
	found = at->key;
	found.id = first.id;
	found.blob &= ~(unsigned)CKPT_BLOB_ID;
	return prune_key_cmp(&found, &first) == 0;
}

void prune_blob_id(struct ckpt_buf *to, const struct ckpt_value *v)
{
	struct ckpt_buf room = { 0 };
	const struct ckpt_view version = row_version_text(v->version, &room);
	const uint32_t n = (uint32_t)v->channel.n;

	to->n = 0;
	ckpt_buf_add(to, &n, sizeof(n));
	ckpt_buf_add(to, v->channel.p, v->channel.n);
	ckpt_buf_add(to, version.p, version.n);
	to->failed |= room.failed;
	ckpt_buf_free(&room);
}

/* Ids of blobs as stores order them: by channel, then by version. */
static int blob_cmp(const struct ckpt_key *a, const struct ckpt_key *b)
{
	const struct ckpt_view ids[2] = { a->id, b->id };
	struct ckpt_key x = *a, y = *b;
	struct ckpt_view channel[2], version[2];
	int d;

	x.id = y.id = CKPT_LIT("");
	d = prune_key_cmp(&x, &y);
	for (int i = 0; i < 2 && !d; i++) {
		const char *p = ids[i].p;
		uint32_t n;

		memcpy(&n, p, sizeof(n));
		channel[i] = (struct ckpt_view){ p + sizeof(n), n };
		version[i] = (struct ckpt_view){ p + sizeof(n) + n,
			ids[i].n - sizeof(n) - n };
	}
	d = d ? d : ckpt_view_cmp(channel[0], channel[1]);
	return d ? d : ckpt_view_cmp(version[0], version[1]);
}

int prune_has_blob(struct ckpt_prune *p, const struct ckpt_checkpoint *row)
{
	struct ckpt_key key = row->key;
	struct ckpt_buf id = { 0 };
	int rc;

	prune_blob_id(&id, &row->values[0]);
	key.id = ckpt_buf_view(&id);
	rc = id.failed ? ckpt_fail(p->err, CKPT_ENOMEM, "out of memory")
	               : list_has(p, p->stray_blobs, &p->lists[4], &key, blob_cmp);
	ckpt_buf_free(&id);
	return rc;
}

void prune_list_free(struct key_list *l)
{
	if (l)
		ckpt_buf_free(&l->text);
	free(l);
}
