/*
 * content.c - checkpoints whose keys sort differently by bytes and by any language's rules, and
 * values of every place and size. Nothing here knows a database.
 */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "content.h"
#include "made.h"

#define BIG 300000

struct content content[300];
size_t ncontent;

static struct arena arena;
static struct ckpt_error err;

static const char *const threads[] = { "a", "A", "b", "B", "a-b", "a_b", "ab", "a b",
	"\xc3\xa1", "\xc3\xa9", "e", "z", "Z", "10", "9", "\xf0\x9f\x98\x80",
	"it's $1; -- \\ \"", "x~1", "" };
static const char *const spaces[] = { "", "sub", "Sub", "sub:1|x\xc3\xbc", "_" };
/* the first three are every namespace's */
static const char *const ids[] = { "10", "a", "B", "9", "A", "b", "\xc3\xa1", "_", "-x",
	"~", "z", "Z", "\xc3\xa9", "a b", "a-b", "ab",
	"1f0e6a4c-0000-6000-8001-000000000001", "1f0e6a4c-0000-6001-8001-000000000002",
	"1F0E6A4C-0000-6002-8001-000000000003" };

const struct content_write content_writes[] = {
	{ CKPT_LIT("t2"), CKPT_LIT("~p2"), CKPT_LIT("n"), CKPT_LIT("\x01"), 0 },
	{ CKPT_LIT("t1"), CKPT_LIT("~p3"), CKPT_LIT("empty"), CKPT_LIT("\xa0"), 10 },
	{ CKPT_LIT("t1"), CKPT_LIT("~p3"), CKPT_LIT("n"), CKPT_LIT("\xc4\x02\0x"), 9 },
	{ CKPT_LIT("T3"), CKPT_LIT("~p2"), CKPT_LIT("\xc3\xa9"), CKPT_LIT("\xc0"), 0 },
	{ CKPT_LIT("t4"), CKPT_LIT("~P9"), CKPT_LIT("__interrupt__"), CKPT_LIT("\x90"),
			-3 },
	{ CKPT_LIT("-5"), CKPT_LIT(""), CKPT_LIT("__resume__"), CKPT_LIT("\xc3"), -4 },
};
const size_t ncontent_writes = LEN(content_writes);

const struct ckpt_key content_strays[] = {
	{ CKPT_LIT(""), CKPT_LIT(""), CKPT_LIT("!"), 0 },
	{ CKPT_LIT("a"), CKPT_LIT(""), CKPT_LIT("a-gone"), 0 },
	{ CKPT_LIT("a"), CKPT_LIT("gone"), CKPT_LIT("1"), 0 },
	{ CKPT_LIT("a"), CKPT_LIT("sub"), CKPT_LIT("~~"), 0 },
	{ CKPT_LIT("gone"), CKPT_LIT(""), CKPT_LIT("1"), 0 },
	{ CKPT_LIT("\xf0\x9f\x98\x81"), CKPT_LIT(""), CKPT_LIT("a"), 0 },
};
const size_t ncontent_strays = LEN(content_strays);

static struct ckpt_view keep(struct ckpt_buf *b)
{
	struct ckpt_view v = arena_copy(&arena, ckpt_buf_view(b), &err);

	if (b->failed || err.code)
		exit(2);
	ckpt_buf_free(b);
	return v;
}

static void add(struct content *c, const char *channel, unsigned version,
		struct ckpt_view msgpack, struct ckpt_view json)
{
	c->values[c->nvalues++] = (struct content_value){ ckpt_view_of(channel), version,
		msgpack, json };
}

/* Bytes of its own for each namespace: a blob of a neighbour would show. */
static struct ckpt_view shared_of(const struct content *c)
{
	struct ckpt_buf b = { 0 };
	const char head[] = { (char)0xc4, (char)(c->thread.n + c->ns.n + 1) };

	ckpt_buf_add(&b, head, sizeof(head));
	ckpt_buf_add(&b, c->thread.p, c->thread.n);
	ckpt_buf_add(&b, "", 1);
	ckpt_buf_add(&b, c->ns.p, c->ns.n);
	return keep(&b);
}

static struct ckpt_view big_of(void)
{
	struct ckpt_buf b = { 0 };
	static const char head[] = { (char)0xc6, 0, (char)(BIG >> 16),
		(char)(BIG >> 8 & 255), (char)(BIG & 255) };

	ckpt_buf_add(&b, head, sizeof(head));
	for (unsigned i = 0; i < BIG; i++) {
		const char byte = (char)(i * 7 + (i >> 8));

		ckpt_buf_add(&b, &byte, 1);
	}
	return keep(&b);
}

static void fill(struct content *c, unsigned at, struct ckpt_view big)
{
	struct ckpt_buf number = { 0 }, meta = { 0 };
	const char byte = (char)at;
	struct ckpt_buf one = { 0 };

	ckpt_buf_add(&one, &byte, 1);
	ckpt_buf_addf(&number, "%u", at);
	add(c, "n", at + 1, keep(&one), keep(&number));
	add(c, "empty", at + 1, CKPT_LIT("\xa0"), CKPT_LIT("\"\""));
	add(c, "shared", 1, shared_of(c), (struct ckpt_view){ 0 });
	add(c, "q\"\\ \xc3\xa9\xf0\x9f\x98\x80", at + 1, CKPT_LIT("\xc3"),
			(struct ckpt_view){ 0 });
	add(c, "gone", at + 1, (struct ckpt_view){ 0 }, (struct ckpt_view){ 0 });
	if (c->thread.n == 1 && *(const char *)c->thread.p == 'z')
		add(c, "big", 1 + at / 2, big, (struct ckpt_view){ 0 });
	ckpt_buf_addf(&meta, "{\"step\": %u, \"source\": \"loop\"}", at);
	c->meta = keep(&meta);
	c->writes = at % 3 == 0;
}

static int by_key(const void *a, const void *b)
{
	const struct content *x = a, *y = b;
	int d = ckpt_view_cmp(x->thread, y->thread);

	d = d ? d : ckpt_view_cmp(x->ns, y->ns);
	return d ? d : ckpt_view_cmp(x->id, y->id);
}

static void add_space(struct ckpt_view thread, struct ckpt_view ns, size_t nids)
{
	for (size_t i = 0; i < nids; i++)
		content[ncontent++] = (struct content){
			.thread = thread, .ns = ns, .id = ckpt_view_of(ids[i])
		};
}

void content_make(void)
{
	struct ckpt_view big = big_of();
	unsigned at = 0;

	for (size_t i = 0; i < LEN(threads); i++)
		add_space(ckpt_view_of(threads[i]), CKPT_LIT(""), i ? 3 : LEN(ids));
	for (size_t i = 1; i < LEN(spaces); i++)
		add_space(CKPT_LIT("a"), ckpt_view_of(spaces[i]), LEN(ids));
	add_space(CKPT_LIT("a\0b"), CKPT_LIT("sub"), 3);
	add_space(CKPT_LIT("a\0c"), CKPT_LIT("\0"), 3);
	qsort(content, ncontent, sizeof(content[0]), by_key);
	for (size_t i = 0; i < ncontent; i++) {
		const struct content *prev = i ? &content[i - 1] : NULL;
		bool first = !prev || !ckpt_view_eq(prev->thread, content[i].thread) ||
		             !ckpt_view_eq(prev->ns, content[i].ns);

		at = first ? 0 : at + 1;
		if (first && i)
			content[i - 1].last = true;
		if (!first)
			content[i].parent = prev->id;
		fill(&content[i], at, big);
	}
	content[ncontent - 1].last = true;
}

bool kind_is_postgres(const struct kind *k)
{
	return strcmp(k->engine, "postgresql") == 0;
}

bool kind_has_blobs(const struct kind *k)
{
	return kind_is_postgres(k) || k->dumped_postgres;
}

bool kind_holds(const struct kind *k, const struct content *c)
{
	if (kind_is_postgres(k) &&
			((c->thread.n && memchr(c->thread.p, 0, c->thread.n)) ||
					(c->ns.n && memchr(c->ns.p, 0, c->ns.n))))
		return false;
	return !k->shallow || c->last;
}
