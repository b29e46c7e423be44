/*
 * match_row.c - what one key has in two stores, compared: pending writes by task and position,
 * values by channel. Containers and metadata are match_member.c, how values compare is
 * match_value.c.
 */
#include "match.h"

#define DETAIL_MOST 120 /* bytes of a difference's text */
#define SMALL 48        /* bytes of a value that is shown as it is */

/* ---- telling --------------------------------------------------------------------------------- */

int match_no_memory(struct match_work *w)
{
	return ckpt_fail(w->err, CKPT_ENOMEM, "out of memory");
}

/* Cut what was added since `at`, between characters. */
static void cut(struct ckpt_buf *text, size_t at)
{
	size_t n = at + DETAIL_MOST;

	if (text->failed || text->n - at <= DETAIL_MOST)
		return;
	for (n -= 3; n > at && ((unsigned char)text->p[n] & 0xc0) == 0x80; n--)
		;
	text->n = n;
	ckpt_buf_puts(text, "…");
}

/* The text was added to `details` from `at` on. */
int match_tell(struct match_work *w, enum ckpt_table table, enum ckpt_side op, size_t at)
{
	if (w->nfound == w->capfound) {
		size_t cap = w->capfound ? 2 * w->capfound : 16;
		struct found *more = realloc(w->found, cap * sizeof(*more));

		if (!more)
			return match_no_memory(w);
		w->found = more;
		w->capfound = cap;
	}
	cut(&w->details, at);
	if (w->details.failed)
		return match_no_memory(w);
	w->counts.other[table][op]++;
	w->found[w->nfound++] = (struct found){ table, op, at, w->details.n - at };
	return 0;
}

bool match_masked(struct match_work *w, const char *where, struct ckpt_view name)
{
	const char *p = name.p;

	if (!w->how.mask)
		return false;
	w->pointer.n = 0;
	ckpt_buf_puts(&w->pointer, where);
	for (size_t i = 0; i < name.n; i++) {
		if (p[i] == '~' || p[i] == '/')
			ckpt_buf_puts(&w->pointer, p[i] == '~' ? "~0" : "~1");
		else
			ckpt_buf_add(&w->pointer, p + i, 1);
	}
	return !w->pointer.failed && w->how.mask(w->how.arg, w->pointer.p);
}

void match_put_name(struct ckpt_buf *to, struct ckpt_view name)
{
	char text[200];

	ckpt_buf_puts(to, ckpt_show_name(text, name));
}

/* "3 items"; false: it is no container, or none that is plain. */
static bool count_items(struct ckpt_buf *to, const struct stored *s)
{
	const struct reader_ops *ops = codec_reader(s->type);
	struct reader *rd = ops ? malloc(sizeof(*rd)) : NULL;
	struct token t = { 0 };
	uint64_t n = 0;
	bool map, is;

	if (!rd)
		return false;
	reader_init(rd, ops, s->body);
	is = reader_next(rd, &t) > 0 && (t.kind == TOKEN_ARRAY || t.kind == TOKEN_MAP);
	map = t.kind == TOKEN_MAP;
	n = t.n;
	if (is && n == TOKEN_OPEN) {
		for (n = 0; reader_skip(rd, NULL) == 0; n++)
			;
		n /= map ? 2 : 1;
	}
	reader_done(rd);
	free(rd);
	if (is)
		ckpt_buf_addf(to, "%llu %s%s", (unsigned long long)n,
				map ? "member" : "item", n == 1 ? "" : "s");
	return is;
}

void match_describe(struct ckpt_buf *to, const struct stored *s)
{
	struct ckpt_render how = { 0 };
	struct ckpt_buf text = { 0 };
	bool open = s->lock != CKPT_SHUT && !canon_encrypted(s);

	if (open && s->body.n <= SMALL)
		ckpt_render_value(&text, s->type, s->body, &how);
	if (text.n && text.n <= SMALL)
		ckpt_buf_add(to, text.p, text.n);
	else if (!open || !count_items(to, s))
		ckpt_buf_addf(to, "%zu bytes", s->body.n);
	to->failed |= text.failed;
	ckpt_buf_free(&text);
}

/* ": 4 → 5", or what there is to say about values too large for that. */
void match_put_change(struct ckpt_buf *to, const struct stored *a, const struct stored *b,
		const char *why)
{
	struct ckpt_buf old = { 0 }, now = { 0 };

	if (a)
		match_describe(&old, a);
	if (b)
		match_describe(&now, b);
	if (a && b && ckpt_view_eq(ckpt_buf_view(&old), ckpt_buf_view(&now)))
		ckpt_buf_addf(to, ": %s, not the same", old.p);
	else
		ckpt_buf_addf(to, ": %s%s%s", old.n ? old.p : "", a && b ? " → " : "",
				now.n ? now.p : "");
	if (why)
		ckpt_buf_addf(to, " (%s)", why);
	to->failed |= old.failed || now.failed;
	ckpt_buf_free(&old);
	ckpt_buf_free(&now);
}

/* Compare two values: 1 equal, 0 not. */
int match_same(struct match_work *w, const struct stored *a, const struct stored *b,
		const char **why)
{
	int rc = canon_same(w->canon, a, b, why);

	if (rc == CKPT_ENOMEM)
		return match_no_memory(w);
	w->counts.corrupt |= rc == CKPT_ECORRUPT;
	return rc > 0;
}

/* ---- values -------------------------------------------------------------------------------------- */

static int compare_value(struct match_work *w, struct ckpt_view channel,
		const struct stored *a, const struct stored *b)
{
	size_t at = w->details.n;
	const char *why = NULL;
	int rc = a && b ? match_same(w, a, b, &why) : 0;

	if (rc < 0)
		return rc;
	if (rc > 0) {
		w->counts.same[CKPT_IN_VALUES]++;
		return 0;
	}
	if (match_masked(w, "/values/", channel))
		return 0;
	ckpt_buf_puts(&w->details, "channel ");
	match_put_name(&w->details, channel);
	match_put_change(&w->details, a, b, why);
	return match_tell(w, CKPT_IN_VALUES,
			a && b ? CKPT_DIFFERS
			: a    ? CKPT_ONLY_A
			       : CKPT_ONLY_B,
			at);
}

static int by_channel(const void *a, const void *b)
{
	const struct ckpt_value *const *x = a, *const *y = b;

	return ckpt_view_cmp((*x)->channel, (*y)->channel);
}

/* Those that are there, by channel. */
static const struct ckpt_value **values_of(struct match_work *w,
		const struct ckpt_checkpoint *c, bool sends, size_t *n)
{
	const struct ckpt_value **list =
			arena_take(&w->arena, (c->nvalues + 1) * sizeof(*list), w->err);

	*n = 0;
	for (size_t i = 0; list && i < c->nvalues; i++) {
		const struct ckpt_value *v = &c->values[i];

		if (v->place != CKPT_EMPTY &&
				!(sends && ckpt_view_eq(v->channel, MATCH_SENDS)))
			list[(*n)++] = v;
	}
	if (list)
		qsort(list, *n, sizeof(*list), by_channel);
	return list;
}

static int compare_values(struct match_work *w, const struct ckpt_checkpoint *a,
		const struct ckpt_checkpoint *b, bool sends)
{
	size_t n, m, i = 0, k = 0;
	const struct ckpt_value **x = values_of(w, a, sends, &n);
	const struct ckpt_value **y = values_of(w, b, sends, &m);
	int rc = x && y ? 0 : w->err->code;

	while (rc >= 0 && (i < n || k < m)) {
		int d = i == n ? 1 : k == m ? -1 : by_channel(&x[i], &y[k]);
		const struct ckpt_value *v = d <= 0 ? x[i++] : NULL;
		const struct ckpt_value *u = d >= 0 ? y[k++] : NULL;
		struct stored s = { 0 }, t = { 0 };

		if (v)
			s = stored_value(v);
		if (u)
			t = stored_value(u);
		if (w->how.migrated && !u && !v->version.p && ckpt_writer(a) == CKPT_JS)
			continue;
		rc = compare_value(w, v ? v->channel : u->channel, v ? &s : NULL,
				u ? &t : NULL);
	}
	return rc;
}

static int compare_checkpoints(struct match_work *w, const struct ckpt_checkpoint *a,
		const struct ckpt_checkpoint *b)
{
	struct sends sends = { .here = false };
	int rc = match_containers(w, a, b, &sends);

	if (rc >= 0 && sends.here && !sends.none)
		rc = compare_value(w, MATCH_SENDS, &sends.a, &sends.b);
	if (rc >= 0 && (match_is_split(a) == match_is_split(b)) &&
			(match_is_split(a) || ckpt_view_eq(a->body, b->body)))
		rc = compare_values(w, a, b, sends.here);
	return rc;
}

/* ---- pending writes -------------------------------------------------------------------------- */

/* A task that is kept as BLOB is another one than the text of the same bytes. */
int match_by_task(const void *a, const void *b)
{
	const struct ckpt_write *const *x = a, *const *y = b;
	unsigned p = (*x)->form & CKPT_BLOB_TASK, q = (*y)->form & CKPT_BLOB_TASK;
	int d = (p > q) - (p < q);

	d = d ? d : ckpt_view_cmp((*x)->task, (*y)->task);
	return d ? d : ((*x)->idx > (*y)->idx) - ((*x)->idx < (*y)->idx);
}

const struct ckpt_write **match_writes(struct match_work *w, const struct rows *r)
{
	const struct ckpt_write **list =
			arena_take(&w->arena, (r->nwrites + 1) * sizeof(*list), w->err);

	for (size_t i = 0; list && i < r->nwrites; i++)
		list[i] = &r->writes[i];
	if (list)
		qsort(list, r->nwrites, sizeof(*list), match_by_task);
	return list;
}

/* Migration gives the Sends of old checkpoints paths, so that their order survives. */
static bool same_path(const struct match_work *w, const struct ckpt_write *a,
		const struct ckpt_write *b)
{
	return ckpt_view_eq(a->path, b->path) ||
	       (w->how.migrated && !a->path.n && b->path.n == 10 &&
			       ckpt_view_eq(a->channel, MATCH_SENDS));
}

static void put_write(struct ckpt_buf *to, const struct ckpt_write *write)
{
	ckpt_buf_puts(to, "task ");
	match_put_name(to, write->task);
	ckpt_buf_addf(to, " idx %lld channel ", (long long)write->idx);
	match_put_name(to, write->channel);
}

/* Both are there: what is different? 1 nothing. */
static int compare_both(struct match_work *w, const struct ckpt_write *a,
		const struct ckpt_write *b)
{
	struct stored x = stored_write(a), y = stored_write(b);
	bool channel = ckpt_view_eq(a->channel, b->channel), path = same_path(w, a, b);
	const char *why;
	int rc = match_same(w, &x, &y, &why);

	if (rc < 0 || (rc && channel && path))
		return rc;
	put_write(&w->details, a);
	if (!channel) {
		ckpt_buf_puts(&w->details, " → ");
		match_put_name(&w->details, b->channel);
	}
	if (!path) {
		ckpt_buf_puts(&w->details, ", task_path '");
		match_put_name(&w->details, a->path);
		ckpt_buf_puts(&w->details, "' → '");
		match_put_name(&w->details, b->path);
		ckpt_buf_puts(&w->details, "'");
	}
	if (!rc)
		match_put_change(&w->details, &x, &y, why);
	return 0;
}

static int compare_write(struct match_work *w, const struct ckpt_write *a,
		const struct ckpt_write *b)
{
	const struct ckpt_write *any = a ? a : b;
	size_t at = w->details.n;
	struct stored s = stored_write(any);
	int rc;

	if (match_masked(w, "/writes/", any->channel))
		return 0;
	if (a && b) {
		rc = compare_both(w, a, b);
		if (rc > 0)
			w->counts.same[CKPT_IN_WRITES]++;
		return rc ? (rc < 0 ? rc : 0)
		          : match_tell(w, CKPT_IN_WRITES, CKPT_DIFFERS, at);
	}
	put_write(&w->details, any);
	match_put_change(&w->details, a ? &s : NULL, b ? &s : NULL, NULL);
	return match_tell(w, CKPT_IN_WRITES, a ? CKPT_ONLY_A : CKPT_ONLY_B, at);
}

static int compare_writes(
		struct match_work *w, const struct rows *a, const struct rows *b)
{
	const struct ckpt_write **x = match_writes(w, a), **y = match_writes(w, b);
	size_t i = 0, k = 0;
	int rc = x && y ? 0 : w->err->code;

	while (rc >= 0 && (i < a->nwrites || k < b->nwrites)) {
		int d = i == a->nwrites   ? 1
		        : k == b->nwrites ? -1
		                          : match_by_task(&x[i], &y[k]);
		const struct ckpt_write *v = d <= 0 ? x[i++] : NULL;

		rc = compare_write(w, v, d >= 0 ? y[k++] : NULL);
	}
	return rc;
}

/* ---- one key --------------------------------------------------------------------------------- */

static void begin(struct match_work *w)
{
	arena_reset(&w->arena);
	w->nfound = 0;
	w->details.n = 0;
}

static int tell_alone(struct match_work *w, const struct rows *r, enum ckpt_side op)
{
	size_t n = 0;

	for (size_t i = 0; i < r->c->nvalues; i++)
		n += r->c->values[i].place != CKPT_EMPTY;
	ckpt_buf_addf(&w->details, "%zu value%s, %zu write%s", n, n == 1 ? "" : "s",
			r->nwrites, r->nwrites == 1 ? "" : "s");
	return match_tell(w, CKPT_IN_CHECKPOINTS, op, 0);
}

int match_rows(struct match_work *w, const struct rows *a, const struct rows *b)
{
	int rc = 0;

	begin(w);
	if (a->c && b->c)
		rc = compare_checkpoints(w, a->c, b->c);
	else if (a->c || b->c)
		rc = tell_alone(w, a->c ? a : b, a->c ? CKPT_ONLY_A : CKPT_ONLY_B);
	/* of a checkpoint that one side lacks altogether the writes are not listed as well */
	if (rc < 0 || (a->c && !b->c && !b->nwrites) || (b->c && !a->c && !a->nwrites))
		return rc;
	rc = compare_writes(w, a, b);
	if (rc >= 0 && (w->details.failed || w->pointer.failed))
		rc = match_no_memory(w);
	return rc;
}

int match_blob(struct match_work *w, const struct ckpt_value *a,
		const struct ckpt_value *b)
{
	const struct ckpt_value *any = a ? a : b;
	struct stored x = stored_value(any), y = stored_value(b ? b : a);
	const char *why = NULL;
	int rc;

	begin(w);
	rc = a && b ? match_same(w, &x, &y, &why) : 0;
	if (rc > 0)
		w->counts.same[CKPT_IN_VALUES]++;
	if (rc || match_masked(w, "/values/", any->channel))
		return rc < 0 ? rc : 0;
	ckpt_buf_puts(&w->details, "channel ");
	match_put_name(&w->details, any->channel);
	ckpt_buf_puts(&w->details, " version ");
	match_put_name(&w->details, any->version);
	ckpt_buf_puts(&w->details, ", which no checkpoint names");
	match_put_change(&w->details, a ? &x : NULL, b ? &y : NULL, why);
	return match_tell(w, CKPT_IN_VALUES,
			a && b ? CKPT_DIFFERS
			: a    ? CKPT_ONLY_A
			       : CKPT_ONLY_B,
			0);
}
