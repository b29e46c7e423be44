/*
 * address.c - finds the checkpoint somebody named: THREAD, THREAD~N, THREAD@{…}, or literal parts.
 *
 * A thread's id may hold anything, so only a trailing ~N or @{…} is syntax, and where a thread has
 * exactly that name as well nothing is guessed.
 */
#include <string.h>

#include "backend.h"

#define UP_MAX 1000000000u

struct parsed {
	struct ckpt_view thread, select; /* select.p == NULL: the head */
	uint64_t up;                     /* parents to go up */
	bool syntax;                     /* there was a ~N or @{…} */
};

struct finder {
	struct ckpt_store *store;
	struct ckpt_error *err;
	struct ckpt_lineage *lineage;
	struct ckpt_key key;        /* thread and namespace */
	char name[200], other[200]; /* for messages */
};

/* ---- reading the text ------------------------------------------------------------------------- */

static bool take_up(struct ckpt_view *rest, uint64_t *up)
{
	const char *p = rest->p;
	size_t at = rest->n;
	uint64_t n = 0;

	while (at && p[at - 1] >= '0' && p[at - 1] <= '9')
		at--;
	if (at == rest->n || at < 1 || p[at - 1] != '~')
		return false;
	for (size_t i = at; i < rest->n; i++)
		n = n > UP_MAX ? n : n * 10 + (uint64_t)(p[i] - '0');
	*up = n;
	rest->n = at - 1;
	return true;
}

static bool take_braces(struct ckpt_view *rest, struct ckpt_view *inside)
{
	const char *p = rest->p;

	if (rest->n < 4 || p[rest->n - 1] != '}')
		return false;
	for (size_t i = rest->n - 2; i > 0; i--) {
		if (p[i] != '{' || p[i - 1] != '@')
			continue;
		*inside = (struct ckpt_view){ p + i + 1, rest->n - i - 2 };
		rest->n = i - 1;
		return true;
	}
	return false;
}

static struct parsed parse(struct ckpt_view text)
{
	struct parsed out = { .thread = text };
	bool up = take_up(&out.thread, &out.up);
	bool braces = take_braces(&out.thread, &out.select);

	out.syntax = up || braces;
	return out;
}

static bool has_prefix(struct ckpt_view v, const char *prefix, struct ckpt_view *rest)
{
	size_t n = strlen(prefix);

	if (v.n < n || memcmp(v.p, prefix, n) != 0)
		return false;
	*rest = (struct ckpt_view){ (const char *)v.p + n, v.n - n };
	return true;
}

static bool number(struct ckpt_view v, int64_t *out)
{
	const char *p = v.p;
	bool minus = v.n > 1 && p[0] == '-';
	int64_t n = 0;

	for (size_t i = minus; i < v.n; i++) {
		if (p[i] < '0' || p[i] > '9' || n > UP_MAX)
			return false;
		n = n * 10 + (p[i] - '0');
	}
	*out = minus ? -n : n;
	return v.n > 0;
}

/* YYYY-MM-DD: a date wins over an id that begins so. */
static bool is_date(struct ckpt_view v)
{
	const char *p = v.p;

	if (v.n != 10)
		return false;
	for (size_t i = 0; i < 10; i++) {
		if ((i == 4 || i == 7) ? p[i] != '-' : p[i] < '0' || p[i] > '9')
			return false;
	}
	return true;
}

/* ---- selecting in a lineage ---------------------------------------------------------------------- */

static int missing(struct finder *f, struct ckpt_view what, const char *of)
{
	return ckpt_fail(f->err, CKPT_ENOTFOUND, "no %s '%s' in thread '%s'%s", of,
			ckpt_show_name(f->other, what),
			ckpt_show_name(f->name, f->key.thread),
			f->key.ns.n ? " in that namespace" : "");
}

static bool same_letters(struct ckpt_view id, struct ckpt_view prefix)
{
	return id.n >= prefix.n && strncasecmp(id.p, prefix.p, prefix.n) == 0;
}

static bool matches(struct ckpt_view id, struct ckpt_view prefix)
{
	const char *dash = id.n ? memrchr(id.p, '-', id.n) : NULL;

	if (same_letters(id, prefix))
		return true;
	return dash &&
	       same_letters((struct ckpt_view){ dash + 1,
					    id.n - (size_t)(dash + 1 -
								   (const char *)id.p) },
			       prefix);
}

static int select_id(struct finder *f, struct ckpt_view prefix, size_t *at)
{
	const struct ckpt_lineage *l = f->lineage;
	struct ckpt_buf list = { 0 };
	size_t n = 0;

	*at = ckpt_lineage_find(l, prefix); /* a whole id, though it begins others */
	if (*at != SIZE_MAX)
		return 0;
	for (size_t i = l->count; i-- > 0;) {
		if (!matches(l->links[i].id, prefix))
			continue;
		*at = i;
		if (n++ < 5)
			ckpt_buf_addf(&list, "%s%s", n > 1 ? ", " : "",
					ckpt_show_name(f->other, l->links[i].id));
	}
	if (n == 0) {
		missing(f, prefix, "checkpoint");
	} else if (n > 1) {
		ckpt_fail(f->err, CKPT_EAMBIGUOUS, "'%s' matches %zu checkpoints of '%s'",
				ckpt_show_name(f->other, prefix), n,
				ckpt_show_name(f->name, f->key.thread));
		ckpt_hint(f->err, "%s%s", list.failed ? "" : list.p, n > 5 ? ", …" : "");
		ckpt_hint(f->err, "give one more character, or use @{step:N}");
	}
	ckpt_buf_free(&list);
	return f->err->code;
}

static int select_head(struct finder *f, struct ckpt_view which, size_t *at)
{
	const struct ckpt_lineage *l = f->lineage;
	int64_t nth, heads = 0;

	if (!number(which, &nth) || nth < 1)
		return ckpt_fail(f->err, CKPT_EUSAGE,
				"@{head:%s}: a number from 1 on is wanted",
				ckpt_show_name(f->other, which));
	for (size_t i = l->count; i-- > 0;) {
		if (l->links[i].children == 0 && ++heads == nth) {
			*at = i;
			return 0;
		}
	}
	return ckpt_fail(f->err, CKPT_ENOTFOUND,
			"thread '%s' has %lld branch head%s, not %lld",
			ckpt_show_name(f->name, f->key.thread), (long long)heads,
			heads == 1 ? "" : "s", (long long)nth);
}

static int select_time(struct finder *f, struct ckpt_view text, size_t *at)
{
	const struct ckpt_lineage *l = f->lineage;
	int64_t t, best = CKPT_UNKNOWN;

	if (!ckpt_time_parse(&t, text, ckpt_now()))
		return ckpt_fail(f->err, CKPT_EUSAGE, "@{…}: '%s' is not a time",
				ckpt_show_name(f->other, text));
	for (size_t i = 0; i < l->count; i++) {
		int64_t when = l->links[i].time;

		if (when != CKPT_UNKNOWN && when <= t && when >= best) {
			best = when;
			*at = i;
		}
	}
	return best == CKPT_UNKNOWN ? missing(f, text, "checkpoint at or before") : 0;
}

/* The step on the line of ancestors of the head: metadata, one checkpoint after the other. */
static int select_step(struct finder *f, struct ckpt_view text, size_t *at)
{
	const struct ckpt_lineage *l = f->lineage;
	int64_t want, step;
	size_t i = l->head;

	if (!number(text, &want))
		return ckpt_fail(f->err, CKPT_EUSAGE, "@{step:%s}: a number is wanted",
				ckpt_show_name(f->other, text));
	for (size_t left = l->count; i != SIZE_MAX && left;
			left--, i = l->links[i].parent_at) {
		struct ckpt_pick pick = { .key = f->key, .depth = CKPT_META };
		struct ckpt_checkpoint c;
		struct ckpt_scan *scan;
		bool found;
		int rc;

		pick.key.id = l->links[i].id;
		rc = ckpt_scan_one(&scan, f->store, &pick, &c);
		found = rc > 0 && ckpt_meta_int(&step, c.meta, "step") && step == want;
		ckpt_scan_close(scan);
		if (rc < 0)
			return rc;
		if (found) {
			*at = i;
			return 0;
		}
	}
	return missing(f, text, "ancestor of the head at step");
}

static int select_one(struct finder *f, struct ckpt_view sel, size_t *at)
{
	static const struct {
		const char *prefix;
		int (*select)(struct finder *, struct ckpt_view, size_t *at);
	} kinds[] = {
		{ "id:", select_id },
		{ "step:", select_step },
		{ "time:", select_time },
		{ "head:", select_head },
	};
	struct ckpt_view rest;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (has_prefix(sel, kinds[i].prefix, &rest))
			return kinds[i].select(f, rest, at);
	}
	return is_date(sel) ? select_time(f, sel, at) : select_id(f, sel, at);
}

static int go_up(struct finder *f, uint64_t up, size_t *at)
{
	const struct ckpt_link *links = f->lineage->links;

	for (uint64_t i = 0; i < up; i++) {
		const struct ckpt_link *link = &links[*at];

		if (!link->parent.p)
			return ckpt_fail(f->err, CKPT_ENOTFOUND,
					"checkpoint '%s' is a root: %llu parent%s up, "
					"not %llu",
					ckpt_show_name(f->other, link->id),
					(unsigned long long)i, i == 1 ? "" : "s",
					(unsigned long long)up);
		if (link->parent_at == SIZE_MAX)
			return missing(f, link->parent, "parent");
		*at = link->parent_at;
		if (i > f->lineage->count)
			return ckpt_fail(f->err, CKPT_ENOTFOUND,
					"the parents of '%s' go round in a circle",
					ckpt_show_name(f->other, link->id));
	}
	return 0;
}

/* ---- the whole --------------------------------------------------------------------------------------- */

/* 1 and the newest (or the given) checkpoint's key at `c`, as long as `*scan` is open. */
static int newest(struct finder *f, const struct ckpt_key *key, struct ckpt_scan **scan,
		struct ckpt_checkpoint *c)
{
	struct ckpt_pick pick = {
		.key = *key, .depth = CKPT_KEYS, .newest = true, .limit = 1
	};

	return ckpt_scan_one(scan, f->store, &pick, c);
}

/* Is there a thread of that name? As TEXT, else as BLOB: a key of its own in SQLite. */
static int exists(struct finder *f, struct ckpt_view thread, unsigned *blob)
{
	static const unsigned kinds[] = { 0, CKPT_BLOB_THREAD };
	int rc = 0;

	for (size_t i = 0; i < 2 && rc == 0; i++) {
		struct ckpt_key key = { .thread = thread, .blob = kinds[i] };
		struct ckpt_checkpoint c;
		struct ckpt_scan *scan;

		rc = newest(f, &key, &scan, &c);
		ckpt_scan_close(scan);
		*blob = kinds[i];
	}
	return rc;
}

static int choose_thread(struct finder *f, struct ckpt_view text, struct parsed *p)
{
	unsigned whole_blob = 0, part_blob = 0;
	int whole, part = 0;

	*p = parse(text);
	whole = exists(f, text, &whole_blob);
	if (whole >= 0 && p->syntax)
		part = exists(f, p->thread, &part_blob);
	if (whole < 0 || part < 0)
		return f->err->code;
	if (whole && part) {
		ckpt_fail(f->err, CKPT_EAMBIGUOUS,
				"'%s' is a thread, and an address in thread '%s'",
				ckpt_show_name(f->name, text),
				ckpt_show_name(f->other, p->thread));
		ckpt_hint(f->err, "name the thread literally: --thread ID [--checkpoint "
				  "ID]");
		return f->err->code;
	}
	if (!whole && !part) {
		ckpt_fail(f->err, CKPT_ENOTFOUND, "no thread '%s'",
				ckpt_show_name(f->name, p->thread.n ? p->thread : text));
		ckpt_hint(f->err, "see which there are: ckpt list");
		return f->err->code;
	}
	if (whole)
		*p = (struct parsed){ .thread = text };
	f->key.thread = p->thread;
	f->key.blob = whole ? whole_blob : part_blob;
	return 0;
}

static int put_key(struct ckpt_key *out, const struct ckpt_key *from, struct ckpt_buf *to,
		struct ckpt_error *err)
{
	size_t at = to->n;

	ckpt_buf_add(to, from->thread.p, from->thread.n);
	ckpt_buf_add(to, from->ns.p, from->ns.n);
	ckpt_buf_add(to, from->id.p, from->id.n);
	if (to->failed)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	out->thread = (struct ckpt_view){ to->p + at, from->thread.n };
	out->ns = (struct ckpt_view){ to->p + at + from->thread.n, from->ns.n };
	out->id = (struct ckpt_view){ to->p + at + from->thread.n + from->ns.n,
		from->id.n };
	out->blob = from->blob;
	return 0;
}

/* By its key alone: the newest of the namespace, or one literal id. */
static int find_by_key(struct ckpt_key *out, struct finder *f, struct ckpt_view id,
		struct ckpt_buf *to)
{
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc;

	f->key.id = id.n ? id : (struct ckpt_view){ 0 };
	rc = newest(f, &f->key, &scan, &c);
	if (rc > 0)
		put_key(out, &c.key, to, f->err);
	ckpt_scan_close(scan);
	if (rc == 0 && id.n)
		missing(f, id, "checkpoint");
	else if (rc == 0)
		ckpt_fail(f->err, CKPT_ENOTFOUND,
				"thread '%s' has no checkpoint in namespace '%s'",
				ckpt_show_name(f->name, f->key.thread),
				ckpt_show_name(f->other, f->key.ns));
	return f->err->code;
}

static int find_by_lineage(struct ckpt_key *out, struct finder *f, const struct parsed *p,
		struct ckpt_buf *to)
{
	size_t at;
	int rc = ckpt_lineage_load(&f->lineage, f->store, &f->key);

	if (rc < 0)
		return rc;
	if (f->lineage->count == 0)
		return find_by_key(out, f, (struct ckpt_view){ 0 }, to);
	at = f->lineage->head;
	if (p->select.p)
		rc = select_one(f, p->select, &at);
	if (rc == 0)
		rc = go_up(f, p->up, &at);
	if (rc == 0) {
		f->key.id = f->lineage->links[at].id;
		put_key(out, &f->key, to, f->err);
	}
	return f->err->code;
}

int ckpt_thread_find(
		struct ckpt_key *out, struct ckpt_store *store, struct ckpt_view thread)
{
	struct finder f = { .store = store, .err = store->err };
	int rc;

	*out = (struct ckpt_key){ .thread = thread };
	rc = exists(&f, thread, &out->blob);
	if (rc == 0) {
		ckpt_fail(f.err, CKPT_ENOTFOUND, "no thread '%s'",
				ckpt_show_name(f.name, thread));
		ckpt_hint(f.err, "see which there are: ckpt list");
	}
	return rc < 0 || f.err->code ? f.err->code : 0;
}

int ckpt_address_find(struct ckpt_key *out, struct ckpt_store *store,
		const struct ckpt_address *address, struct ckpt_buf *to)
{
	struct finder f = { .store = store, .err = store->err };
	struct parsed p = { 0 };
	int rc;

	f.key.ns = address->ns.p ? address->ns : CKPT_LIT("");
	if (address->text) {
		rc = choose_thread(&f, ckpt_view_of(address->text), &p);
	} else {
		struct ckpt_view ns = f.key.ns;

		rc = ckpt_thread_find(&f.key, store, address->thread);
		f.key.ns = ns;
	}
	if (rc < 0 || f.err->code)
		return f.err->code;
	if (p.select.p || p.up)
		rc = find_by_lineage(out, &f, &p, to);
	else
		rc = find_by_key(out, &f, address->id, to);
	ckpt_lineage_free(f.lineage);
	return rc;
}
