/*
 * checks_keys.c - which checkpoints a scan gives, and in which order: bytes, bounds, spans, heads.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "made.h"

struct now now;

struct ckpt_store *open_store(void)
{
	const struct ckpt_config config = { .schema = now.kind->schema };
	struct ckpt_store *s = NULL;

	now.err = (struct ckpt_error){ 0 };
	if (ckpt_store_open(&s, now.where, &config, &now.err) < 0)
		printf("# %s\n", now.err.text);
	return s;
}

bool same_view(struct ckpt_view got, struct ckpt_view wanted)
{
	return got.n == wanted.n && !got.p == !wanted.p &&
	       (got.n == 0 || memcmp(got.p, wanted.p, got.n) == 0);
}

static bool same_key(const struct ckpt_key *k, const struct content *c)
{
	return same_view(k->thread, c->thread) && same_view(k->ns, c->ns) &&
	       same_view(k->id, c->id) && !k->blob;
}

void complain(const char *what, const struct ckpt_checkpoint *got,
		const struct content *c)
{
	char a[200], b[200], d[200];

	if (c)
		printf("# %s: wanted '%s' '%s' '%s'\n", what,
				ckpt_show_name(a, c->thread), ckpt_show_name(b, c->ns),
				ckpt_show_name(d, c->id));
	if (got)
		printf("# %s: got '%s' '%s' '%s'\n", what,
				ckpt_show_name(a, got->key.thread),
				ckpt_show_name(b, got->key.ns),
				ckpt_show_name(d, got->key.id));
	if (now.err.code)
		printf("# %s: %d %s\n", what, now.err.code, now.err.text);
}

/* ---- order and bounds --------------------------------------------------------------------------- */

static bool picks(const struct ckpt_pick *p, const struct content *c)
{
	return (!p->key.thread.p || ckpt_view_eq(p->key.thread, c->thread)) &&
	       (!p->key.ns.p || ckpt_view_eq(p->key.ns, c->ns)) &&
	       (!p->key.id.p || ckpt_view_eq(p->key.id, c->id)) &&
	       (!p->from.p || ckpt_view_cmp(c->id, p->from) >= 0) &&
	       (!p->upto.p || ckpt_view_cmp(c->id, p->upto) <= 0);
}

bool gives(struct ckpt_store *s, const struct ckpt_pick *p,
		bool (*look)(const struct ckpt_pick *, const struct ckpt_checkpoint *,
				const struct content *))
{
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int64_t given = 0;
	bool good = ckpt_scan_open(&scan, s, p) == 0;

	for (size_t i = 0; i < now.nwant && good; i++) {
		const struct content *w = now.want[p->descending ? now.nwant - 1 - i : i];

		if (!picks(p, w) || (p->limit && given == p->limit))
			continue;
		given++;
		good = ckpt_scan_next(scan, &c) == 1 && same_key(&c.key, w) &&
		       (!look || look(p, &c, w));
		if (!good)
			complain("scan", now.err.code ? NULL : &c, w);
	}
	if (good && ckpt_scan_next(scan, &c) != 0) {
		complain("more than wanted", &c, NULL);
		good = false;
	}
	good = good && ckpt_scan_next(scan, &c) == 0;
	ckpt_scan_close(scan);
	return good && !now.err.code;
}

bool check_order(struct ckpt_store *s)
{
	bool good = true;

	for (unsigned d = CKPT_KEYS; d <= CKPT_VALUES && good; d++) {
		struct ckpt_pick p = { .depth = (enum ckpt_depth)d };

		good = gives(s, &p, NULL);
		p.descending = true;
		good = good && gives(s, &p, NULL);
	}
	return good;
}

#define A CKPT_LIT("a")
#define ROOT CKPT_LIT("")

bool check_bounds(struct ckpt_store *s)
{
	static const struct ckpt_pick t[] = {
		{ .key = { .thread = A } },
		{ .key = { .thread = CKPT_LIT("") } },
		{ .key = { .thread = CKPT_LIT("\xc3\xa9") } },
		{ .key = { .thread = CKPT_LIT("it's $1; -- \\ \"") } },
		{ .key = { .thread = CKPT_LIT("a\0b") } },
		{ .key = { .thread = CKPT_LIT("a\0c"), .ns = CKPT_LIT("\0") } },
		{ .key = { .thread = CKPT_LIT("\xff\xfe") } },
		{ .key = { .thread = CKPT_LIT("nobody") } },
		{ .key = { .ns = CKPT_LIT("sub") } },
		{ .key = { .ns = ROOT } },
		{ .key = { .id = CKPT_LIT("B") } },
		{ .key = { .ns = CKPT_LIT("Sub"), .id = CKPT_LIT("~") } },
		{ .key = { .thread = A, .ns = ROOT } },
		{ .key = { .thread = A, .ns = ROOT, .id = CKPT_LIT("\xc3\xa9") } },
		{ .key = { .thread = A, .ns = ROOT, .id = CKPT_LIT("none") } },
		{ .key = { .thread = A, .ns = ROOT }, .from = CKPT_LIT("B") },
		{ .key = { .thread = A, .ns = ROOT }, .upto = CKPT_LIT("B") },
		{ .key = { .thread = A, .ns = ROOT },
				.from = CKPT_LIT("A"),
				.upto = CKPT_LIT("_") },
		{ .key = { .thread = A, .ns = ROOT },
				.from = CKPT_LIT("a"),
				.upto = CKPT_LIT("\xc3\xa1") },
		{ .key = { .thread = A, .ns = ROOT },
				.from = CKPT_LIT("c"),
				.upto = CKPT_LIT("b") },
		{ .key = { .thread = A, .ns = ROOT }, .from = CKPT_LIT("") },
	};

	for (size_t i = 0; i < 8 * LEN(t); i++) {
		struct ckpt_pick p = t[i / 8];

		p.depth = i & 4 ? CKPT_LINKS : CKPT_KEYS;
		p.descending = i & 1;
		p.limit = i & 2 ? 2 : 0;
		if (!gives(s, &p, NULL)) {
			printf("# bounds %zu, way %zu\n", i / 8, i % 8);
			return false;
		}
	}
	return true;
}

/* ---- namespaces ---------------------------------------------------------------------------------- */

static size_t count_of(const struct content *c)
{
	size_t n = 0;

	for (size_t i = 0; i < now.nwant; i++)
		n += ckpt_view_eq(now.want[i]->thread, c->thread) &&
		     ckpt_view_eq(now.want[i]->ns, c->ns);
	return n;
}

/* The greatest or smallest id in the database's own order, asked of the database itself. */
static const char *own_extreme(const struct ckpt_checkpoint *c, const char *which)
{
	static char hex[400];
	struct ckpt_buf sql = { 0 }, out = { 0 };

	ckpt_buf_addf(&sql,
			"SELECT encode(convert_to(%s(%s), 'UTF8'), 'hex') FROM \"%s\""
			".checkpoints WHERE thread_id = '%.*s' AND checkpoint_ns = "
			"'%.*s'",
			which,
			now.kind->shallow ? "checkpoint ->> 'id'" : "checkpoint_id",
			now.kind->schema ? now.kind->schema : "public",
			(int)c->key.thread.n, (const char *)c->key.thread.p,
			(int)c->key.ns.n, (const char *)c->key.ns.p);
	postgres_ask(now.kind, false, sql.p, &out);
	snprintf(hex, sizeof(hex), "%.*s", (int)strcspn(out.p ? out.p : "", "\n"),
			out.p ? out.p : "");
	ckpt_buf_free(&sql);
	ckpt_buf_free(&out);
	return hex;
}

static bool is_own_extreme(
		const struct ckpt_checkpoint *c, struct ckpt_view id, const char *which)
{
	const uint8_t *p = id.p;
	char hex[400] = "";

	if (c->key.thread.n != 1) /* a process a question is enough for some */
		return true;
	for (size_t i = 0; i < id.n && i < 150; i++)
		snprintf(hex + 2 * i, 3, "%02x", p[i]);
	return strcmp(hex, own_extreme(c, which)) == 0;
}

/* The newest is the database's own greatest; the first the smallest, in either order. */
static bool good_ends(const struct ckpt_checkpoint *c)
{
	bool own = kind_is_postgres(now.kind);
	const struct content *first = NULL, *last = NULL;

	for (size_t i = 0; i < now.nwant; i++) {
		if (!ckpt_view_eq(now.want[i]->thread, c->key.thread) ||
				!ckpt_view_eq(now.want[i]->ns, c->key.ns))
			continue;
		first = first ? first : now.want[i];
		last = now.want[i];
	}
	if (!first)
		return false;
	return (own ? is_own_extreme(c, c->key.id, "max")
		    : same_view(c->key.id, last->id)) &&
	       (same_view(c->first, first->id) ||
			       (own && is_own_extreme(c, c->first, "min")));
}

/* One span: what HEADS, `newest` and the rows themselves say of its namespace. */
static bool good_span(struct ckpt_store *s, const struct ckpt_checkpoint *span)
{
	struct ckpt_pick p = { .depth = CKPT_HEADS,
		.key = { .thread = span->key.thread, .ns = span->key.ns } };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	bool good = ckpt_scan_one(&scan, s, &p, &c) == 1 &&
	            same_view(c.key.id, span->key.id) &&
	            same_view(c.key.ns, span->key.ns) && ckpt_scan_next(scan, &c) == 0;

	ckpt_scan_close(scan);
	p.depth = CKPT_LINKS;
	p.newest = true;
	p.limit = 1;
	good = good && ckpt_scan_one(&scan, s, &p, &c) == 1 &&
	       same_view(c.key.id, span->key.id);
	if (good)
		ckpt_scan_close(scan);
	return good && good_ends(span);
}

/* Where the rows of a span's namespace begin; of its thread, without a namespace. */
static size_t place_of(const struct ckpt_checkpoint *c, bool thread_alone)
{
	size_t i = 0;

	while (i < now.nwant &&
			!(ckpt_view_eq(now.want[i]->thread, c->key.thread) &&
					(thread_alone || ckpt_view_eq(now.want[i]->ns,
									 c->key.ns))))
		i++;
	return i;
}

/* A thread's namespaces stay together, each once, whatever the order of the database. */
bool check_heads(struct ckpt_store *s)
{
	struct ckpt_pick p = { .depth = CKPT_HEADS };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	bool space[LEN(now.want)] = { false }, thread[LEN(now.want)] = { false };
	bool good = ckpt_scan_open(&scan, s, &p) == 0;
	size_t last = SIZE_MAX, spaces = 0, heads = 0;

	for (; good && ckpt_scan_next(scan, &c) == 1; heads++) {
		size_t t = place_of(&c, true), n = place_of(&c, false);

		good = n < now.nwant && !space[n] && (t == last || !thread[t]);
		if (!good)
			complain("head", &c, n < now.nwant ? now.want[n] : NULL);
		else
			space[n] = thread[t] = true;
		last = t;
	}
	ckpt_scan_close(scan);
	for (size_t i = 0; i < now.nwant; i++)
		spaces += now.want[i]->last;
	if (good && heads != spaces)
		printf("# %zu heads, wanted %zu\n", heads, spaces);
	p.key.thread = A;
	p.limit = 2;
	good = good && heads == spaces && ckpt_scan_open(&scan, s, &p) == 0;
	if (!good)
		return false;
	good = ckpt_scan_next(scan, &c) == 1 && ckpt_scan_next(scan, &c) == 1 &&
	       ckpt_scan_next(scan, &c) == 0;
	ckpt_scan_close(scan);
	return good;
}

bool check_spans(struct ckpt_store *s)
{
	struct ckpt_pick p = { .depth = CKPT_SPANS };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	size_t at = 0;
	bool good = ckpt_scan_open(&scan, s, &p) == 0;

	while (good && ckpt_scan_next(scan, &c) == 1) {
		const struct content *w = at < now.nwant ? now.want[at] : NULL;

		good = w && same_view(c.key.thread, w->thread) &&
		       same_view(c.key.ns, w->ns) && c.count == (int64_t)count_of(w) &&
		       good_span(s, &c);
		if (!good)
			complain("span", &c, w);
		at += (size_t)c.count;
	}
	ckpt_scan_close(scan);
	return good && at == now.nwant && !now.err.code;
}
