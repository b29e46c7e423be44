/*
 * prune_blobs.c - the rows of blobs of the thread at hand: one scan goes along with the one of the
 * checkpoints, in the same order. A statement for each thread is what planning would wait for.
 */
#include <stdlib.h>

#include "prune.h"
#include "row.h"

uint64_t prune_blob_name(size_t space, struct ckpt_view channel, struct ckpt_view version)
{
	const uint64_t pair[3] = { ckpt_hash(channel), ckpt_hash(version), space };

	return ckpt_hash((struct ckpt_view){ pair, sizeof(pair) });
}

static size_t space_of(const struct thread *t, const struct ckpt_key *key)
{
	size_t i = 0;

	while (i < t->plan.nspaces && !ckpt_view_eq(t->keys[i].ns, key->ns))
		i++;
	return i;
}

static int next(struct ckpt_prune *p)
{
	int rc = ckpt_scan_next(p->blobs, &p->blob);

	if (rc <= 0)
		p->blob = (struct ckpt_checkpoint){ 0 };
	return rc < 0 ? rc : 0;
}

int prune_blobs_open(struct ckpt_prune *p, const struct ckpt_key *thread)
{
	struct ckpt_pick pick = {
		.depth = CKPT_LINKS, .rows = CKPT_BLOB_ROWS, .sizes = true, .terse = true
	};

	if (!p->store->has_blobs)
		return 0;
	if (thread)
		pick.key = *thread;
	if (ckpt_scan_open(&p->blobs, p->store, &pick) < 0)
		return p->err->code;
	return next(p);
}

void prune_blobs_close(struct ckpt_prune *p)
{
	ckpt_scan_close(p->blobs);
	p->blobs = NULL;
	p->blob = (struct ckpt_checkpoint){ 0 };
}

static int add(struct ckpt_prune *p)
{
	const struct ckpt_value *v = &p->blob.values[0];
	struct thread *t = &p->t;
	size_t space = t->nrows ? t->rows[t->nrows - 1].space : 0;

	if (t->nrows == t->caprows) {
		size_t cap = t->caprows ? t->caprows * 2 : 64;
		struct blob_row *more = realloc(t->rows, cap * sizeof(*more));

		if (!more)
			return ckpt_fail(p->err, CKPT_ENOMEM, "out of memory");
		t->rows = more;
		t->caprows = cap;
	}
	if (space >= t->plan.nspaces || !ckpt_view_eq(t->keys[space].ns, p->blob.key.ns))
		space = space_of(t, &p->blob.key);
	t->rows[t->nrows++] = (struct blob_row){
		.name = prune_blob_name(space, v->channel, row_version(v->version)),
		.bytes = p->blob.blobs_all,
		.space = space,
		.empty = ckpt_view_eq(v->type, CKPT_LIT("empty")),
	};
	return 0;
}

int prune_blobs_take(struct ckpt_prune *p)
{
	int rc = 0;

	while (rc == 0 && p->blob.key.thread.p) {
		int d = ckpt_view_cmp(p->blob.key.thread, p->t.key.thread);

		if (d > 0)
			break;
		rc = d < 0 ? 0 : add(p);
		rc = rc < 0 ? rc : next(p);
	}
	return rc;
}

int prune_blobs_know(struct thread *t, struct ckpt_error *err)
{
	int rc = 0;

	t->has_blobs = true;
	for (size_t i = 0; i < t->nrows && rc == 0; i++) {
		if (!t->rows[i].empty)
			rc = hashes_add(&t->blobs, t->rows[i].name, err);
	}
	hashes_sort(&t->blobs);
	return rc;
}
