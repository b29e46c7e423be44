/*
 * content_dump.c - the content as a dump, of what SQLite or PostgreSQL would keep: lines in no
 * order of their own, backwards here, so that nothing sorts itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "content.h"
#include "made.h"

struct archive {
	FILE *file;
	long counts[3];
};

static void put(struct archive *a, struct ckpt_buf *b)
{
	if (b->failed || fwrite(b->p, 1, b->n, a->file) != b->n)
		exit(2);
	ckpt_buf_free(b);
}

static void put_name(struct ckpt_buf *b, const char *name, struct ckpt_view v)
{
	ckpt_buf_addf(b, "\"%s\":", name);
	if (v.p)
		ckpt_json_string(b, v);
	else
		ckpt_buf_puts(b, "null");
	ckpt_buf_puts(b, ",");
}

static void put_key(struct ckpt_buf *b, const char *kind, const struct content *c)
{
	ckpt_buf_addf(b, "{\"%s\":{", kind);
	put_name(b, "thread", c->thread);
	put_name(b, "ns", c->ns);
}

static void put_bytes(struct ckpt_buf *b, const char *name, struct ckpt_view v)
{
	ckpt_buf_addf(b, "\"%s\":", name);
	if (v.p) {
		ckpt_buf_puts(b, "\"");
		ckpt_base64(b, v);
		ckpt_buf_puts(b, "\"");
	} else {
		ckpt_buf_puts(b, "null");
	}
	ckpt_buf_puts(b, "}}\n");
}

static void put_blobs(struct archive *a, const struct kind *k, const struct content *c)
{
	for (size_t i = 0; i < c->nvalues; i++) {
		const struct content_value *v = &c->values[i];
		struct ckpt_buf b = { 0 }, version = { 0 };

		/* releases that kept all values apart say so where there is none */
		if (!k->no_inline && (v->json.p || !v->msgpack.p))
			continue;
		put_key(&b, "blob", c);
		put_name(&b, "channel", v->channel);
		ckpt_buf_addf(&version, "%032u.0.5", v->version);
		put_name(&b, "version",
				k->shallow ? (struct ckpt_view){ 0 }
					   : ckpt_buf_view(&version));
		put_name(&b, "type",
				v->msgpack.p ? CKPT_LIT("msgpack") : CKPT_LIT("empty"));
		put_bytes(&b, "value", v->msgpack);
		put(a, &b);
		a->counts[2]++;
		ckpt_buf_free(&version);
	}
}

static void put_writes(struct archive *a, const struct content *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct content_write *w = &content_writes[i];
		struct ckpt_buf b = { 0 };

		put_key(&b, "write", c);
		put_name(&b, "id", c->id);
		put_name(&b, "task", w->task);
		put_name(&b, "path", w->path);
		ckpt_buf_addf(&b, "\"idx\":%d,", (int)w->idx);
		put_name(&b, "channel", w->channel);
		put_name(&b, "type", CKPT_LIT("msgpack"));
		put_bytes(&b, "value", w->body);
		put(a, &b);
		a->counts[1]++;
	}
}

static void put_checkpoint(struct archive *a, const struct kind *k, struct content *c)
{
	struct ckpt_buf b = { 0 }, body = { 0 };
	bool json = k->dumped_postgres;

	if (json)
		postgres_container(&body, k, c);
	else
		sqlite_container(&body, c);
	c->size = (int64_t)body.n;
	put_key(&b, "checkpoint", c);
	put_name(&b, "id", c->id);
	put_name(&b, "parent", k->shallow ? (struct ckpt_view){ 0 } : c->parent);
	put_name(&b, "type", json ? (struct ckpt_view){ 0 } : CKPT_LIT("msgpack"));
	put_name(&b, "metadata", c->meta);
	put_bytes(&b, "body", ckpt_buf_view(&body));
	put(a, &b);
	a->counts[0]++;
	ckpt_buf_free(&body);
	if (json)
		put_blobs(a, k, c);
}

static struct archive begin(const struct kind *k, const char *mode)
{
	struct archive a = { .file = fopen(made_path(k->database), mode) };

	if (!a.file)
		exit(2);
	fprintf(a.file,
			"{\"ckpt\":\"dump\",\"version\":1,\"engine\":\"%s\",\"layout\":"
			"\"%s"
			"\"}\n",
			k->dumped_postgres ? "postgresql" : "sqlite",
			k->shallow ? "langgraph-shallow" : "langgraph");
	return a;
}

static void end(struct archive *a)
{
	fprintf(a->file, "{\"end\":{\"checkpoints\":%ld,\"writes\":%ld,\"blobs\":%ld}}\n",
			a->counts[0], a->counts[1], a->counts[2]);
	if (fclose(a->file) != 0)
		exit(2);
}

static void put_strays(struct archive *a, const struct kind *k)
{
	for (size_t i = 0; i < ncontent_strays; i++) {
		const struct ckpt_key *key = &content_strays[i];
		const struct content c = { .thread = key->thread,
			.ns = key->ns,
			.id = key->id,
			.nvalues = 1,
			.values = { { STRAY_CHANNEL, 9, STRAY_BODY, { 0 } } } };

		put_writes(a, &c, STRAY_WRITES);
		if (k->dumped_postgres)
			put_blobs(a, k, &c);
	}
}

const char *dump_make(const struct kind *k)
{
	struct archive a = begin(k, "w");

	for (size_t i = ncontent; i-- > 0;) {
		if (!kind_holds(k, &content[i]))
			continue;
		put_writes(&a, &content[i], content[i].writes ? ncontent_writes : 0);
		put_checkpoint(&a, k, &content[i]);
	}
	if (k->strays)
		put_strays(&a, k);
	end(&a);
	return made_path(k->database);
}

static void add_one(const struct kind *k, struct ckpt_view thread, struct ckpt_view value)
{
	struct content c = { .thread = thread,
		.ns = CKPT_LIT(""),
		.id = CKPT_LIT("1"),
		.meta = CKPT_LIT("{}"),
		.nvalues = 1,
		.values = { { CKPT_LIT("huge"), 1, value, { 0 } } } };
	struct archive a =
			begin(k, "a"); /* as if another archive had been joined to it */

	put_checkpoint(&a, k, &c);
	end(&a);
}

void dump_add_huge(const struct kind *k)
{
	static const uint8_t head[] = { 0xc6, CONTENT_HUGE >> 24,
		CONTENT_HUGE >> 16 & 255, CONTENT_HUGE >> 8 & 255, CONTENT_HUGE & 255 };
	size_t n = sizeof(head) + CONTENT_HUGE;
	char *p = malloc(n);

	if (!p)
		exit(2);
	memset(p, 'x', n);
	memcpy(p, head, sizeof(head));
	add_one(k, CKPT_LIT("huge"), (struct ckpt_view){ p, n });
	free(p);
}

void dump_add_late(const struct kind *k)
{
	add_one(k, CKPT_LIT("late"), CKPT_LIT("\xc3"));
}
