/*
 * content.h - the same checkpoints for every backend and layout: what they are (content.c), how
 * they get into SQLite (content_sqlite.c), PostgreSQL (content_postgres.c) and a dump of either
 * (content_dump.c), written without the library. What must hold of reading them is test_conformance.c's.
 */
#ifndef CONTENT_H
#define CONTENT_H

#include "base.h"

struct content_value {
	struct ckpt_view channel;
	unsigned version;
	struct ckpt_view msgpack; /* NULL: a version without a value */
	struct ckpt_view json;    /* of a plain value; NULL: never inline in PostgreSQL */
};

struct content {
	struct ckpt_view thread, ns, id, parent, meta;
	struct content_value values[8];
	size_t nvalues;
	bool writes;  /* content_writes are its pending ones */
	bool last;    /* greatest id by bytes, all that a shallow store keeps */
	int64_t size; /* of the container, where its maker knows */
};

struct content_write {
	struct ckpt_view task, path, channel, body;
	int64_t idx;
};

extern struct content content[]; /* in byte order */
extern size_t ncontent;
extern const struct content_write content_writes[];
extern const size_t ncontent_writes;
/* Where kinds have `strays`: keys without a checkpoint, in byte order, that hold the first two of
 * the writes; and blobs that no checkpoint names. */
extern const struct ckpt_key content_strays[];
extern const size_t ncontent_strays;
#define STRAY_WRITES 2
#define STRAY_CHANNEL CKPT_LIT("stray")
#define STRAY_BODY CKPT_LIT("\xa5stray")
void content_make(void);

/* One backend and layout. */
struct kind {
	const char *name, *engine, *layout;
	const char *database, *schema; /* PostgreSQL; schema NULL: public, and not said */
	const char *(*make)(const struct kind *); /* → the store's name */
	void (*add_huge)(const struct kind *);    /* a row of 80 MB, thread "huge" */
	void (*add_late)(const struct kind *);    /* as another writer, thread "late" */
	bool pooled, no_task_path, shallow, js, no_inline, no_migrations, strays;
	bool dumped_postgres; /* a dump, of what PostgreSQL keeps */
};
bool kind_holds(const struct kind *, const struct content *);
bool kind_is_postgres(const struct kind *);
/* The container is JSON, and values lie in blobs. */
bool kind_has_blobs(const struct kind *);

#define CONTENT_HUGE 80000000

const char *sqlite_make(const struct kind *);
void sqlite_add_huge(const struct kind *);
void sqlite_add_late(const struct kind *);
/* The container of a checkpoint, with the values that stand in it. */
void sqlite_container(struct ckpt_buf *, const struct content *);
void postgres_container(struct ckpt_buf *, const struct kind *, const struct content *);

const char *dump_make(const struct kind *);
void dump_add_huge(const struct kind *);
void dump_add_late(const struct kind *);
const char *postgres_make(const struct kind *);
void postgres_add_huge(const struct kind *);
void postgres_add_late(const struct kind *);

/* What psql prints for a statement in the kind's database (unaligned, tuples only); with `pooled`
 * in the session of the pooler that the reader had. false: it failed. */
bool postgres_ask(
		const struct kind *, bool pooled, const char *sql, struct ckpt_buf *out);

#endif
