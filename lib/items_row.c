/*
 * items_row.c - one item of long-term memory: what it becomes in another database, whether two
 * are the same, items as JSON for a server. No statements.
 *
 * SQLite keeps the value as bytes of JSON, times as text in UTC and the time to live as a real
 * number; PostgreSQL as jsonb, timestamptz and whole minutes.
 */
#include "items.h"

#define TTL_MOST 2147483647
#define NUMBER_MOST 400 /* digits; a double has no more */

/* ---- what it becomes --------------------------------------------------------------------------- */

static bool plain_text(const struct cell *c)
{
	return c->kind == CELL_TEXT && utf8_valid(c->v) &&
	       (!c->v.n || !memchr(c->v.p, '\0', c->v.n));
}

/* What jsonb does not take, in words; NULL: it takes it. */
static const char *json_fault(struct ckpt_view v)
{
	struct reader rd;
	struct token t;
	const char *why = NULL;
	int rc;

	reader_init(&rd, &json_reader, v);
	while ((rc = reader_next(&rd, &t)) > 0 && !why) {
		if (t.kind == TOKEN_STR && t.s.n && memchr(t.s.p, '\0', t.s.n))
			why = "its value holds U+0000, which jsonb refuses";
		else if (t.kind == TOKEN_STR && t.b)
			why = "its value holds half a character, which jsonb refuses";
		else if (t.kind == TOKEN_NUM && t.s.n &&
				memchr("NI", *(const char *)t.s.p, 2))
			why = "its value holds a number that JSON has no word for";
		else if (t.kind == TOKEN_NUM && t.s.n > 1 && memcmp(t.s.p, "-I", 2) == 0)
			why = "its value holds a number that JSON has no word for";
	}
	if (rc < 0 && !why)
		why = "its value is not JSON";
	reader_done(&rd);
	return why;
}

/* Namespaces are one text, their parts joined by `.` in Python and by `:` in JavaScript. */
static int turn_prefix(struct items *w, struct cell *c, const char **why)
{
	char from = w->from.js ? ':' : '.', to = w->to.js ? ':' : '.';
	struct ckpt_view v;
	char *p;

	if (from == to || !c->v.n)
		return 0;
	if (memchr(c->v.p, to, c->v.n)) {
		*why = w->to.js ? "a part of its namespace holds ':', JavaScript's "
		                  "separator"
		                : "a part of its namespace holds '.', Python's separator";
		return 0;
	}
	v = arena_copy(&w->arena, c->v, w->m->err);
	if (!v.p)
		return w->m->err->code;
	p = (char *)(uintptr_t)v.p;
	while ((p = memchr(p, from, v.n - (size_t)(p - (const char *)v.p))))
		*p++ = to;
	c->v = v;
	return 0;
}

static bool time_of(const struct cell *c, int64_t *out)
{
	return c->kind == CELL_TEXT && c->v.n && *(const char *)c->v.p != 'n' &&
	       ckpt_time_parse(out, c->v, 0);
}

/* As the savers write it in the target. Without a time that can be read: 0 and NULL. */
int item_turn_time(struct items *w, struct cell *c)
{
	char text[40], out[48];
	const char *dot;
	int64_t t;

	if (c->kind == CELL_NULL || w->from.server == w->to.server)
		return 1;
	if (!time_of(c, &t))
		return 0;
	ckpt_time_print(text, t);
	dot = strchr(text, '.');
	if (w->to.server)
		snprintf(out, sizeof(out), "%s", text);
	else if (dot)
		snprintf(out, sizeof(out), "%.10s %.8s.%.*s%.*s+00:00", text, text + 11,
				(int)strcspn(dot + 1, "Z"), dot + 1,
				6 - (int)strcspn(dot + 1, "Z"), "000000");
	else
		snprintf(out, sizeof(out), "%.10s %.8s", text, text + 11);
	*c = (struct cell){ .kind = CELL_TEXT };
	c->v = arena_copy(&w->arena, ckpt_view_of(out), w->m->err);
	return c->v.p ? 1 : w->m->err->code;
}

static double number_of(const struct cell *c)
{
	return c->kind == CELL_INT ? (double)c->i : c->v.p ? strtod(c->v.p, NULL) : 0;
}

/* Whole minutes: half ones become even, as PostgreSQL's own cast makes them. */
static int64_t whole(double ttl)
{
	int64_t n = (int64_t)ttl;
	double rest = ttl - (double)n;

	if (rest > 0.5 || (rest >= 0.5 && n % 2))
		n++;
	else if (rest < -0.5 || (rest <= -0.5 && n % 2))
		n--;
	return n;
}

static int turn_ttl(struct items *w, struct cell *c, const char **why)
{
	double ttl = number_of(c);
	char text[32];

	if (c->kind == CELL_NULL || w->from.server || !w->to.server)
		return 0;
	if (!(ttl <= TTL_MOST && ttl >= -TTL_MOST)) {
		*why = "its time to live is not a number of minutes";
		return 0;
	}
	w->rounded += ttl < (double)whole(ttl) || ttl > (double)whole(ttl);
	snprintf(text, sizeof(text), "%lld", (long long)whole(ttl));
	*c = (struct cell){ .kind = CELL_TEXT };
	c->v = arena_copy(&w->arena, ckpt_view_of(text), w->m->err);
	return c->v.p ? 0 : w->m->err->code;
}

static int turn_times(struct items *w, struct item *it, const char **why)
{
	int rc = 1;

	for (size_t i = ITEM_CREATED; i <= ITEM_EXPIRES && rc > 0; i++)
		rc = item_turn_time(w, &it->c[i]);
	if (rc == 0)
		*why = "one of its times cannot be read";
	return rc < 0 ? rc : 0;
}

int item_turn(struct items *w, struct item *it, const char **code, const char **why)
{
	const struct items_side *to = &w->to;
	int rc;

	*why = NULL;
	*code = "store_key";
	for (size_t i = 0; i < ITEM_COLS; i++) {
		if (it->c[i].kind == CELL_REAL)
			it->c[i].kind = CELL_TEXT; /* the column makes it a number again */
	}
	if (to->server && (!plain_text(&it->c[ITEM_PREFIX]) ||
					  !plain_text(&it->c[ITEM_KEY])))
		*why = "its name is no text that PostgreSQL can hold";
	rc = *why ? 0 : turn_prefix(w, &it->c[ITEM_PREFIX], why);
	if (rc < 0 || *why)
		return rc;
	*code = "store_value";
	if (to->server && !w->from.server)
		*why = json_fault(it->c[ITEM_VALUE].v);
	else if (w->from.server && !to->server)
		it->c[ITEM_VALUE].kind = CELL_BLOB; /* as Python's saver binds it */
	if (*why)
		return 0;
	*code = "store_time";
	rc = turn_times(w, it, why);
	if (rc < 0 || *why)
		return rc;
	*code = "store_ttl";
	if (it->c[ITEM_TTL].kind != CELL_NULL && !to->has_ttl)
		*why = "the target's table has no column ttl_minutes";
	else if (it->c[ITEM_EXPIRES].kind != CELL_NULL && !to->has_expires)
		*why = "the target's table has no column expires_at";
	return *why ? 0 : turn_ttl(w, &it->c[ITEM_TTL], why);
}

/* ---- are two the same -------------------------------------------------------------------------- */

static bool cell_same(const struct cell *a, const struct cell *b)
{
	if (a->kind == CELL_INT && b->kind == CELL_INT)
		return a->i == b->i;
	return ckpt_view_eq(a->v, b->v);
}

bool item_time_same(const struct cell *a, const struct cell *b)
{
	int64_t x, y;

	if (time_of(a, &x) && time_of(b, &y))
		return x == y;
	return (a->kind == CELL_NULL) == (b->kind == CELL_NULL) && cell_same(a, b);
}

/* A number as numeric writes it: without an exponent, zero without a sign. */
static void put_numeric(struct ckpt_buf *to, struct ckpt_view v)
{
	char digits[NUMBER_MOST];
	size_t n = 0, whole = 0, first = 0, i = 0;
	bool minus = v.n && *(const char *)v.p == '-', dot = false, zero = true;
	const char *p = v.p;
	long point;

	for (i = minus; i < v.n && n < NUMBER_MOST && (p[i] | 32) != 'e'; i++) {
		if (p[i] == '.') {
			dot = true;
			continue;
		}
		zero &= p[i] == '0';
		whole += !dot;
		digits[n++] = p[i];
	}
	point = (long)whole + (i < v.n ? strtol(p + i + 1, NULL, 10) : 0);
	if (n == NUMBER_MOST || point > NUMBER_MOST || point < -NUMBER_MOST ||
			(i == v.n && !zero)) {
		ckpt_buf_add(to, v.p, v.n);
		return;
	}
	for (; first + 1 < n && point > 1 && digits[first] == '0'; point--)
		first++;
	if (zero && point > 1)
		point = 1;
	ckpt_buf_puts(to, minus && !zero ? "-" : "");
	ckpt_buf_puts(to, point > 0 ? "" : "0");
	for (long k = point < 0 ? point : 0; k < (long)(n - first) || k < point; k++) {
		bool given = k >= 0 && k < (long)(n - first);

		ckpt_buf_puts(to, k == point ? "." : "");
		ckpt_buf_add(to, given ? &digits[first + (size_t)k] : "0", 1);
	}
}

/* A value as jsonb gives it back, as far as numbers go. */
static int as_jsonb(struct ckpt_buf *to, struct ckpt_view v)
{
	const char *p = v.p;
	struct reader rd;
	struct token t;
	size_t at = 0;
	int rc;

	reader_init(&rd, &json_reader, v);
	while ((rc = reader_next(&rd, &t)) > 0) {
		if (t.kind != TOKEN_NUM)
			continue;
		ckpt_buf_add(to, p + at, t.at - at);
		put_numeric(to, t.s);
		at = t.at + t.s.n;
	}
	reader_done(&rd);
	ckpt_buf_add(to, p + at, v.n - at);
	return to->failed ? CKPT_ENOMEM : rc;
}

static int digests_same(struct items *w, struct ckpt_view a, struct ckpt_view b)
{
	const struct stored x = { CKPT_META_TYPE, a, CKPT_OPEN };
	const struct stored y = { CKPT_META_TYPE, b, CKPT_OPEN };
	struct digest p, q;
	int rc = canon_digest(w->canon, &x, false, &p);
	int other = rc <= 0 ? rc : canon_digest(w->canon, &y, false, &q);

	if (rc == CKPT_ENOMEM || other == CKPT_ENOMEM)
		return ckpt_fail(w->m->err, CKPT_ENOMEM, "out of memory");
	return rc > 0 && other > 0 && digest_eq(p, q);
}

/* jsonb keeps the number and not how it is written: 1e2 is 100, also for the application's own. */
static int value_same(struct items *w, const struct cell *a, const struct cell *b)
{
	struct ckpt_buf x = { 0 }, y = { 0 };
	int rc = ckpt_view_eq(a->v, b->v) ? 1 : digests_same(w, a->v, b->v);

	if (rc == 0 && (w->from.server || w->to.server)) {
		int left = as_jsonb(&x, a->v), right = as_jsonb(&y, b->v);

		if (left == CKPT_ENOMEM || right == CKPT_ENOMEM)
			rc = ckpt_fail(w->m->err, CKPT_ENOMEM, "out of memory");
		else if (left >= 0 && right >= 0)
			rc = digests_same(w, ckpt_buf_view(&x), ckpt_buf_view(&y));
	}
	ckpt_buf_free(&x);
	ckpt_buf_free(&y);
	return rc;
}

int item_same(struct items *w, const struct item *it, const struct cell *there)
{
	const struct cell *ttl = &it->c[ITEM_TTL], *other = &there[ITEM_TTL];

	for (size_t i = ITEM_CREATED; i <= ITEM_EXPIRES; i++) {
		if (!item_time_same(&it->c[i], &there[i]))
			return 0;
	}
	if ((ttl->kind == CELL_NULL) != (other->kind == CELL_NULL))
		return 0;
	if (number_of(ttl) < number_of(other) || number_of(ttl) > number_of(other))
		return 0;
	return value_same(w, &it->c[ITEM_VALUE], &there[ITEM_VALUE]);
}

/* ---- for a server ------------------------------------------------------------------------------ */

int items_json(struct items *w, struct ckpt_buf *to, int found, bool keys)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct item *it = &w->rows[i];

		if (found >= 0 && (int)it->found != found)
			continue;
		ckpt_buf_puts(to, to->n ? ",[" : "[[");
		for (size_t k = 0; k < (keys ? ITEM_VALUE : ITEM_COLS); k++) {
			ckpt_buf_puts(to, k ? "," : "");
			if (it->c[k].kind == CELL_NULL)
				ckpt_buf_puts(to, "null");
			else if (k == ITEM_VALUE)
				ckpt_buf_add(to, it->c[k].v.p, it->c[k].v.n);
			else
				json_string(to, it->c[k].v, false);
		}
		ckpt_buf_puts(to, "]");
	}
	ckpt_buf_puts(to, to->n ? "]" : "[]");
	return to->failed ? ckpt_fail(w->m->err, CKPT_ENOMEM, "out of memory") : 0;
}
