/*
 * content_sqlite.c - the content as LangGraph's SqliteSaver keeps it: containers in msgpack with
 * all values inside.
 */
#include <stdlib.h>
#include <string.h>

#include "content.h"
#include "made.h"

static void put_count(struct ckpt_buf *b, uint8_t small, uint8_t wide, size_t n)
{
	const uint8_t head[] = { wide, (uint8_t)(n >> 8), (uint8_t)n };
	const uint8_t one = (uint8_t)(small | n);

	if (n < 16)
		ckpt_buf_add(b, &one, 1);
	else
		ckpt_buf_add(b, head, sizeof(head));
}

static void put_text(struct ckpt_buf *b, struct ckpt_view v)
{
	const uint8_t head[] = { 0xd9, (uint8_t)v.n };

	ckpt_buf_add(b, head, sizeof(head));
	ckpt_buf_add(b, v.p, v.n);
}

static void put_values(struct ckpt_buf *b, const struct content *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->nvalues; i++)
		n += c->values[i].msgpack.p != NULL;
	put_text(b, CKPT_LIT("channel_values"));
	put_count(b, 0x80, 0xde, n);
	for (size_t i = 0; i < c->nvalues; i++) {
		const struct content_value *v = &c->values[i];

		if (!v->msgpack.p)
			continue;
		put_text(b, v->channel);
		ckpt_buf_add(b, v->msgpack.p, v->msgpack.n);
	}
	put_text(b, CKPT_LIT("channel_versions"));
	put_count(b, 0x80, 0xde, c->nvalues);
	for (size_t i = 0; i < c->nvalues; i++) {
		struct ckpt_buf version = { 0 };

		put_text(b, c->values[i].channel);
		ckpt_buf_addf(&version, "%032u.0.5", c->values[i].version);
		put_text(b, ckpt_buf_view(&version));
		ckpt_buf_free(&version);
	}
}

void sqlite_container(struct ckpt_buf *b, const struct content *c)
{
	put_count(b, 0x80, 0xde, 5);
	put_text(b, CKPT_LIT("v"));
	ckpt_buf_add(b, "\x04", 1);
	put_text(b, CKPT_LIT("ts"));
	put_text(b, CKPT_LIT("2026-01-01T00:00:00+00:00"));
	put_text(b, CKPT_LIT("id"));
	put_text(b, c->id);
	put_values(b, c);
}

static void put(sqlite3 *db, struct content *c, bool late)
{
	struct ckpt_buf body = { 0 };
	struct made_row row = { c->thread, c->ns, c->id, c->parent, CKPT_LIT("msgpack"),
		{ 0 }, c->meta, 0 };

	sqlite_container(&body, c);
	row.body = ckpt_buf_view(&body);
	c->size = (int64_t)body.n;
	made_put(db, &row);
	ckpt_buf_free(&body);
	for (size_t i = 0; c->writes && !late && i < ncontent_writes; i++) {
		const struct content_write *w = &content_writes[i];

		made_write(db, &(struct made_write){ c->thread, c->ns, c->id, w->task,
					       w->path, w->channel, CKPT_LIT("msgpack"),
					       w->body, w->idx });
	}
}

static const char *path_of(const struct kind *k)
{
	return made_path(k->database);
}

const char *sqlite_make(const struct kind *k)
{
	const char *path = path_of(k);
	sqlite3 *db = made_store(path);

	/* one with a write-ahead log, one without */
	if (!k->no_task_path)
		made_sql(db, "PRAGMA journal_mode=WAL");
	made_sql(db, "BEGIN");
	for (size_t i = 0; i < ncontent; i++)
		put(db, &content[i], false);
	for (size_t i = 0; k->strays && i < ncontent_strays * STRAY_WRITES; i++) {
		const struct ckpt_key *key = &content_strays[i / STRAY_WRITES];
		const struct content_write *w = &content_writes[i % STRAY_WRITES];

		made_write(db, &(struct made_write){ key->thread, key->ns, key->id,
					       w->task, w->path, w->channel,
					       CKPT_LIT("msgpack"), w->body, w->idx });
	}
	made_sql(db, "COMMIT");
	if (k->no_task_path)
		made_sql(db, "ALTER TABLE writes DROP COLUMN task_path");
	made_close(db);
	return path;
}

void sqlite_add_huge(const struct kind *k)
{
	static const uint8_t head[] = { 0xc6, CONTENT_HUGE >> 24,
		CONTENT_HUGE >> 16 & 255, CONTENT_HUGE >> 8 & 255, CONTENT_HUGE & 255 };
	sqlite3 *db = made_empty(path_of(k));
	struct content c = { .thread = CKPT_LIT("huge"),
		.ns = CKPT_LIT(""),
		.id = CKPT_LIT("1"),
		.meta = CKPT_LIT("{}"),
		.nvalues = 1 };
	size_t n = sizeof(head) + CONTENT_HUGE;
	char *p = malloc(n);

	if (!p)
		exit(2);
	memset(p, 'x', n);
	memcpy(p, head, sizeof(head));
	c.values[0] = (struct content_value){ CKPT_LIT("huge"), 1, { p, n }, { 0 } };
	put(db, &c, true);
	free(p);
	made_close(db);
}

/* A store without a write-ahead log is not written while it is read: the writer gives up. */
void sqlite_add_late(const struct kind *k)
{
	sqlite3 *db = NULL;

	if (sqlite3_open(path_of(k), &db) == SQLITE_OK)
		sqlite3_exec(db,
				"INSERT INTO checkpoints SELECT 'late', checkpoint_ns, "
				"checkpoint_id, NULL, type, checkpoint, metadata FROM "
				"checkpoints WHERE thread_id = 'b'",
				NULL, NULL, NULL);
	sqlite3_close(db);
}
