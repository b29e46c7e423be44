/*
 * match_exact.c - rows of two stores compared byte for byte: payloads, names, what is NULL, and
 * whether SQLite keeps a column as TEXT or as BLOB. Of jsonb the text that the server makes of it
 * counts. What values mean is no matter here; that is match_row.c's.
 */
#include "match.h"
#include "row.h"

static bool same(struct ckpt_view a, struct ckpt_view b)
{
	return !a.p == !b.p && ckpt_view_eq(a, b);
}

/* The text of a difference was added to `details` from `at` on. */
static int tell(struct match_work *w, enum ckpt_table table, size_t at, const char *why)
{
	ckpt_buf_puts(&w->details, why);
	return match_tell(w, table, CKPT_DIFFERS, at);
}

/* ---- containers ------------------------------------------------------------------------------ */

/* Of the same engine they have to be the same bytes, of two the same jsonb. */
static int same_document(struct match_work *w, struct ckpt_view a, struct ckpt_view b)
{
	int rc;

	if (!w->back || !a.p || !b.p)
		return same(a, b);
	rc = canon_same_jsonb(w->canon, a, b);
	return rc < 0 ? match_no_memory(w) : rc;
}

static int compare_rows(struct match_work *w, const struct ckpt_checkpoint *a,
		const struct ckpt_checkpoint *b)
{
	const char *why = NULL;
	int rc = 1;

	if (a->form & CKPT_NO_FORM)
		why = "it holds a number where text or bytes belong";
	else if (a->form != b->form)
		why = "TEXT and BLOB would not be where they are";
	else if (!same(a->parent, b->parent))
		why = "its parent would be another";
	else if (!same(a->type, b->type))
		why = "its type would be another";
	if (!why && (rc = same_document(w, a->body, b->body)) == 0)
		why = "its container would be another";
	if (!why && rc > 0 && (rc = same_document(w, a->meta, b->meta)) == 0)
		why = "its metadata would be others";
	if (rc < 0 || !why)
		return rc;
	rc = tell(w, CKPT_IN_CHECKPOINTS, w->details.n, why);
	return rc < 0 ? rc : 0;
}

/* ---- blobs ----------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct ckpt_value *x = a, *y = b;
	int d = ckpt_view_cmp(x->channel, y->channel);

	return d ? d : ckpt_view_cmp(row_version(x->version), row_version(y->version));
}

/* The rows that a checkpoint names, by channel. */
static struct ckpt_value *rows_of(
		struct match_work *w, const struct ckpt_checkpoint *c, size_t *n)
{
	struct ckpt_value *list =
			arena_take(&w->arena, (c->nvalues + 1) * sizeof(*list), w->err);

	*n = 0;
	for (size_t i = 0; list && i < c->nvalues; i++)
		*n += row_stored(&list[*n], &c->values[i]);
	if (list)
		qsort(list, *n, sizeof(*list), by_name);
	return list;
}

static int tell_blob(struct match_work *w, const struct ckpt_value *v)
{
	size_t at = w->details.n;

	ckpt_buf_puts(&w->details, "the blob of channel ");
	match_put_name(&w->details, v->channel);
	return tell(w, CKPT_IN_VALUES, at, " would be another, or none");
}

/* A server finds the blobs that a checkpoint names in its own way. Where ours might not find the
 * same ones, what goes with it is not known. */
static bool names_all(const struct ckpt_checkpoint *c)
{
	const char *p = c->body.p;

	if (c->broken_why && c->body.n && *p == '{')
		return false;
	for (size_t i = 0; i < c->nvalues; i++) {
		struct ckpt_view v = c->values[i].version;

		if (v.p && memchr(v.p, '\\', v.n))
			return false;
	}
	return true;
}

static int compare_blobs(struct match_work *w, const struct ckpt_checkpoint *a,
		const struct ckpt_checkpoint *b)
{
	size_t n, m;
	struct ckpt_value *x, *y;

	if (!names_all(a))
		return tell(w, CKPT_IN_VALUES, w->details.n,
				"which blobs it names cannot be told for sure");
	x = rows_of(w, a, &n);
	y = rows_of(w, b, &m);
	if (!x || !y)
		return w->err->code;
	for (size_t i = 0; i < n || i < m; i++) {
		int d = i == n ? 1 : i == m ? -1 : by_name(&x[i], &y[i]);

		if (d || !same(x[i].type, y[i].type) || !same(x[i].body, y[i].body))
			return tell_blob(w, d > 0 ? &y[i] : &x[i]);
	}
	return 0;
}

int match_exact_blob(struct match_work *w, const struct ckpt_value *a,
		const struct ckpt_value *b)
{
	w->details.n = w->nfound = 0;
	if (!a)
		return 0;
	if (b && same(a->type, b->type) && same(a->body, b->body))
		return 0;
	return tell_blob(w, a);
}

/* ---- writes ---------------------------------------------------------------------------------- */

static bool same_write(const struct ckpt_write *a, const struct ckpt_write *b)
{
	return a->form == b->form && !(a->form & CKPT_NO_FORM) &&
	       same(a->path, b->path) && same(a->channel, b->channel) &&
	       same(a->type, b->type) && same(a->body, b->body);
}

static int compare_writes(
		struct match_work *w, const struct rows *a, const struct rows *b)
{
	const struct ckpt_write **x = match_writes(w, a), **y = match_writes(w, b);

	if (!x || !y)
		return w->err->code;
	for (size_t i = 0; i < a->nwrites || i < b->nwrites; i++) {
		int d = i == a->nwrites   ? 1
		        : i == b->nwrites ? -1
		                          : match_by_task(&x[i], &y[i]);
		size_t at = w->details.n;

		if (!d && same_write(x[i], y[i]))
			continue;
		ckpt_buf_puts(&w->details, "a write to channel ");
		match_put_name(&w->details, d > 0 ? y[i]->channel : x[i]->channel);
		return tell(w, CKPT_IN_WRITES, at,
				!d && x[i]->form & CKPT_NO_FORM
						? " has a number where text or bytes "
						  "belong"
						: " would be another, or none");
	}
	return 0;
}

/* ---- one key --------------------------------------------------------------------------------- */

int match_exact_rows(struct match_work *w, const struct rows *a, const struct rows *b)
{
	int rc = 1;

	arena_reset(&w->arena);
	w->details.n = w->nfound = 0;
	if (!a->c && !a->nwrites) /* what only `b` has is no matter */
		return 0;
	if (b->lost.p) {
		match_put_name(&w->details, b->lost);
		return tell(w, CKPT_IN_CHECKPOINTS, 0, "");
	}
	if (!a->c != !b->c)
		return match_tell(w, CKPT_IN_CHECKPOINTS, CKPT_ONLY_A, 0);
	if (a->c)
		rc = compare_rows(w, a->c, b->c);
	if (rc > 0 && a->c)
		rc = compare_blobs(w, a->c, b->c);
	if (rc >= 0 && !w->nfound)
		rc = compare_writes(w, a, b);
	return rc;
}
