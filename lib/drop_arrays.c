/*
 * drop_arrays.c - the list of what goes, thread by thread, and batches of it as arrays. Nothing
 * here knows statements or transactions.
 */
#include <inttypes.h>

#include "drop_arrays.h"

#define BATCH_THREADS 100

static int no_memory(struct drop_arrays *a)
{
	return ckpt_fail(a->err, CKPT_ENOMEM, "out of memory");
}

/* ---- a thread of the list ------------------------------------------------------------------------ */

static size_t name_add(struct ckpt_buf *b, struct ckpt_view v)
{
	size_t at = b->n;

	ckpt_buf_add(b, v.p, v.n);
	ckpt_buf_add(b, "", 1);
	return at;
}

static struct drop_space *add_space(struct drop_thread *t, const struct doomed_space *s)
{
	struct drop_space *space;

	if (t->nspaces == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 16;
		struct drop_space *more = realloc(t->spaces, cap * sizeof(*more));

		if (!more)
			return NULL;
		t->spaces = more;
		t->cap = cap;
	}
	space = &t->spaces[t->nspaces++];
	*space = (struct drop_space){ .ids = t->ids.n,
		.least = t->ids.n,
		.count = s->count,
		.whole = s->whole || s->whole_thread,
		.chains = s->chains };
	space->ns = name_add(&t->names, s->key.ns);
	space->newest = name_add(&t->names, s->newest);
	space->root = s->root_newest.p ? name_add(&t->names, s->root_newest) : 0;
	return space;
}

static bool is_name(const struct drop_thread *t, size_t at, struct ckpt_view v)
{
	return !t->names.failed && ckpt_view_eq(ckpt_view_of(t->names.p + at), v);
}

/* All of the next thread: what is cut is taken from its end. 1, 0 at the end, < 0. */
static int load_thread(struct drop_arrays *a)
{
	struct drop_thread *t = &a->thread;
	struct drop_space *space = NULL;
	int rc = 0;

	t->names.n = t->ids.n = t->nspaces = 0;
	for (;; a->has_item = false) {
		const struct doomed_space *s;

		if (!a->has_item && (rc = doomed_next(a->list, &a->item)) <= 0)
			break;
		a->has_item = true;
		s = a->item.space;
		if (t->nspaces == 0) {
			name_add(&t->names, s->key.thread);
			t->whole = s->whole_thread;
			t->strays = s->strays;
		} else if (!is_name(t, 0, s->key.thread)) {
			break;
		}
		if (!space || !is_name(t, space->ns, s->key.ns))
			space = add_space(t, s);
		if (!space)
			return no_memory(a);
		space->writes += a->item.writes;
		if (!t->whole) {
			ckpt_buf_addf(&t->ids, "%" PRId64 " ", a->item.writes);
			name_add(&t->ids, a->item.key.id);
		}
		space->left++;
		t->left++;
	}
	if (t->names.failed || t->ids.failed)
		return no_memory(a);
	return rc < 0 ? rc : t->left > 0;
}

/* ---- a batch ------------------------------------------------------------------------------------- */

/* One more element of an array, as the server reads it. */
static void array_add(struct ckpt_buf *b, const char *p, size_t n)
{
	size_t from = 0;

	ckpt_buf_puts(b, b->n ? ",\"" : "{\"");
	for (size_t i = 0; i < n; i++) {
		if (p[i] != '"' && p[i] != '\\')
			continue;
		ckpt_buf_add(b, p + from, i - from);
		ckpt_buf_puts(b, "\\");
		from = i;
	}
	ckpt_buf_add(b, p + from, n - from);
	ckpt_buf_puts(b, "\"");
}

static void column_add(struct drop_arrays *a, enum drop_column c, const char *text)
{
	if (text)
		array_add(&a->columns[c], text, strlen(text));
	else
		ckpt_buf_puts(&a->columns[c], a->columns[c].n ? ",NULL" : "{NULL");
}

static struct ckpt_view least_id(struct drop_thread *t, struct drop_space *s)
{
	struct ckpt_view id = ckpt_view_of(t->ids.p + s->least);

	s->least += id.n + 1;
	return id;
}

static struct ckpt_view greatest_id(struct drop_thread *t)
{
	const char *end = t->ids.p + t->ids.n - 1;
	const char *before = memrchr(t->ids.p, '\0', t->ids.n - 1);
	const char *id = before ? before + 1 : t->ids.p;

	t->ids.n = (size_t)(id - t->ids.p);
	return (struct ckpt_view){ id, (size_t)(end - id) };
}

/* How many writes they have. */
static int64_t take_ids(struct drop_arrays *a, struct drop_space *s, int64_t n)
{
	struct drop_thread *t = &a->thread;
	int64_t writes = 0;

	a->ids.n = 0;
	for (int64_t i = 0; i < n; i++) {
		struct ckpt_view entry = s->chains ? greatest_id(t) : least_id(t, s), id;
		char *end;

		writes += strtoll(entry.p, &end, 10);
		id.p = end + 1;
		id.n = entry.n - (size_t)(end + 1 - (const char *)entry.p);
		array_add(&a->ids, id.p, id.n);
		s->headless = s->headless || is_name(t, s->newest, id);
	}
	ckpt_buf_puts(&a->ids, a->ids.n ? "}" : "{}");
	if (!a->ids.failed)
		array_add(&a->columns[DROP_IDS], a->ids.p, a->ids.n);
	return writes;
}

/* So many of its ids are done with. */
static void leave(struct drop_thread *t, struct drop_space *s, int64_t n)
{
	s->left -= n;
	t->left -= n;
	if (s->left > 0)
		return;
	t->ids.n = s->ids;
	t->nspaces--;
}

/* What fits of the thread. */
static void take(struct drop_arrays *a, int64_t most)
{
	struct drop_thread *t = &a->thread;
	char number[24];

	a->by_threads = t->whole;
	a->threads++;
	while (t->left > 0 && most > 0) {
		struct drop_space *s = &t->spaces[t->nspaces - 1];
		int64_t n = s->left < most ? s->left : most, writes;

		snprintf(number, sizeof(number), "%" PRId64, s->whole ? s->left : 0);
		column_add(a, DROP_THREAD, t->names.p);
		column_add(a, DROP_NS, t->names.p + s->ns);
		column_add(a, DROP_NEWEST, t->names.p + s->newest);
		column_add(a, DROP_WHOLE, number);
		column_add(a, DROP_HEADLESS, s->headless ? "t" : "f");
		column_add(a, DROP_ROOT, s->root ? t->names.p + s->root : NULL);
		writes = take_ids(a, s, t->whole ? 0 : n);
		if (t->whole)
			writes = s->writes + t->strays;
		t->strays = 0;
		snprintf(number, sizeof(number), "%" PRId64, writes);
		column_add(a, DROP_WRITES, number);
		a->items += n;
		a->rows += s->count;
		s->count -= n;
		most -= n;
		leave(t, s, n);
	}
}

int drop_arrays_fill(struct drop_arrays *a, int64_t limit)
{
	bool failed = a->ids.failed;
	int rc = 0;

	for (size_t i = 0; i < DROP_COLUMNS; i++)
		a->columns[i].n = 0;
	a->items = a->threads = a->rows = 0;
	while (a->threads < BATCH_THREADS) {
		struct drop_thread *t = &a->thread;

		if (t->left == 0 && (rc = load_thread(a)) <= 0)
			break;
		if (a->items && (a->by_threads != t->whole || a->items + t->left > limit))
			break;
		take(a, t->whole ? t->left : limit);
	}
	for (size_t i = 0; i < DROP_COLUMNS; i++) {
		ckpt_buf_puts(&a->columns[i], "}");
		failed = failed || a->columns[i].failed;
	}
	if (failed || a->ids.failed)
		return no_memory(a);
	return rc < 0 ? rc : a->items > 0;
}

int64_t drop_arrays_skip(struct drop_arrays *a, const struct ckpt_key *key)
{
	struct drop_thread *t = &a->thread;
	struct drop_space *s = t->left ? &t->spaces[t->nspaces - 1] : NULL;
	int64_t n = s ? s->left : 0;

	if (!s || !is_name(t, 0, key->thread) || !is_name(t, s->ns, key->ns))
		return 0;
	leave(t, s, n);
	return n;
}

void drop_arrays_free(struct drop_arrays *a)
{
	ckpt_buf_free(&a->thread.names);
	ckpt_buf_free(&a->thread.ids);
	free(a->thread.spaces);
	ckpt_buf_free(&a->ids);
	for (size_t i = 0; i < DROP_COLUMNS; i++)
		ckpt_buf_free(&a->columns[i]);
}
