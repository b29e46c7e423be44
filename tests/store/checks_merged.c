/*
 * checks_merged.c - what is made of several tables: writes merged with the checkpoints of a scan,
 * values whose blobs are left alone, the room all of it takes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "checks.h"
#include "made.h"

/* ---- merged writes -------------------------------------------------------------------------------- */

static bool good_newest(struct ckpt_store *s)
{
	struct ckpt_pick p = { .depth = CKPT_VALUES, .writes = true, .newest = true };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	size_t n = 0;
	bool good = ckpt_scan_open(&scan, s, &p) == 0;

	while (good && ckpt_scan_next(scan, &c) == 1) {
		const struct content *w = NULL;

		for (size_t i = 0; i < now.nwant && !w; i++) {
			if (same_view(c.key.thread, now.want[i]->thread) &&
					same_view(c.key.ns, now.want[i]->ns) &&
					same_view(c.key.id, now.want[i]->id))
				w = now.want[i];
		}
		good = w && good_writes(&p, &c, w);
		n++;
	}
	ckpt_scan_close(scan);
	return good && n == now.nwant;
}

/* Each checkpoint names its only write as its parent. */
static bool typed_scan(struct ckpt_store *s, const struct ckpt_pick *p)
{
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	size_t n = 0;
	bool good = ckpt_scan_open(&scan, s, p) == 0;

	while (good && ckpt_scan_next(scan, &c) == 1) {
		good = c.parent.p ? c.nwrites == 1 && same_view(c.writes[0].task,
								      c.parent)
		                  : c.nwrites == 0;
		if (!good)
			complain("typed key", &c, NULL);
		n++;
	}
	good = good && ckpt_scan_next(scan, &c) == 0;
	ckpt_scan_close(scan);
	return good && n == 8;
}

/* A key kept as BLOB is another than the same as TEXT and sorts behind every TEXT; and a file may
 * compare its texts by something else than UTF-8. */
static bool typed_keys(const char *file, const char *encoding)
{
	static const char rows[] =
			"WITH ids(i, w) AS (VALUES ('a', 'n1'), (char(65533), 'n2'), "
			"(char(65536), 'n3'), ('c', NULL), (char(233), 'n4'), "
			"(CAST('a' AS BLOB), 'n5'), (CAST('b' AS BLOB), NULL), "
			"(CAST('c' AS BLOB), 'n6')) INSERT INTO checkpoints "
			"SELECT 't', '', i, w, 'json', '{}', '{}' FROM ids;"
			"INSERT INTO writes SELECT thread_id, checkpoint_ns, "
			"checkpoint_id, parent_checkpoint_id, '', 0, 'c', 'json', '1' "
			"FROM checkpoints WHERE parent_checkpoint_id IS NOT NULL;"
			"INSERT INTO writes SELECT thread_id, checkpoint_ns, i, 'x', '', "
			"0, "
			"'c', 'json', '1' FROM checkpoints, (SELECT 'aa' AS i UNION "
			"SELECT "
			"CAST('bb' AS BLOB) UNION SELECT '' UNION SELECT char(65537)) "
			"WHERE parent_checkpoint_id = 'n1'";
	const char *path = made_path(file);
	sqlite3 *db = made_empty(path);
	struct ckpt_error err = { 0 };
	struct ckpt_store *s;
	bool good = true;

	made_sql(db, encoding);
	made_sql(db, "CREATE TABLE x (a); DROP TABLE x");
	made_close(db);
	db = made_store(path);
	made_sql(db, rows);
	made_close(db);
	s = made_open(path, &err);
	for (unsigned i = 0; s && i < 8 && good; i++) {
		const struct ckpt_pick p = {
			.key = { .thread = ckpt_view_of(i & 1 ? "t" : NULL) },
			.depth = i & 2 ? CKPT_VALUES : CKPT_LINKS,
			.descending = i & 4,
			.writes = true
		};

		good = typed_scan(s, &p);
	}
	ckpt_store_close(s);
	remove(path);
	return s && good && !err.code;
}

bool check_merged(struct ckpt_store *s)
{
	bool good = good_newest(s);

	for (unsigned i = 0; i < 48 && good; i++) {
		static const struct ckpt_key bounds[] = { { .thread = { 0 } },
			{ .thread = CKPT_LIT("a") },
			{ .thread = CKPT_LIT("a"), .ns = CKPT_LIT("sub") } };
		struct ckpt_pick p = { .key = bounds[i % 3],
			.depth = i / 3 % 2 ? CKPT_VALUES : CKPT_KEYS,
			.descending = i / 6 % 2,
			.limit = i / 12 % 2 ? 1000 : 0,
			.writes = true };

		if (i >= 24 && i % 3 == 2) {
			p.from = CKPT_LIT("A");
			p.upto = CKPT_LIT("b");
		}
		good = gives(s, &p, good_writes);
	}
	return good && typed_keys("typed.db", "PRAGMA encoding='UTF-8'") &&
	       typed_keys("wide.db", "PRAGMA encoding='UTF-16le'");
}

/* ---- values without their blobs ------------------------------------------------------------------- */

static bool good_apart(const struct ckpt_pick *p, const struct ckpt_checkpoint *c,
		const struct content *w)
{
	size_t inline_values = 0, bare = 0, want_inline = 0, want_bare = 0;
	bool postgres = kind_has_blobs(now.kind);

	(void)p;
	for (size_t i = 0; i < w->nvalues; i++) {
		const struct content_value *v = &w->values[i];
		bool in = v->msgpack.p &&
		          (!postgres || (v->json.p && !now.kind->no_inline));

		want_inline += in;
		want_bare += !in;
	}
	for (size_t i = 0; i < c->nvalues; i++) {
		const struct ckpt_value *v = &c->values[i];

		inline_values += v->version.p && v->type.p && v->body.p &&
		                 v->place == CKPT_INLINE;
		bare += v->version.p && !v->type.p && !v->body.p;
	}
	return inline_values == want_inline && bare == want_bare;
}

bool check_apart(struct ckpt_store *s)
{
	struct ckpt_pick p = { .depth = CKPT_VALUES, .apart = true };

	return gives(s, &p, good_apart);
}

/* ---- room ------------------------------------------------------------------------------------------- */

static int64_t asked(const char *sql)
{
	struct ckpt_buf out = { 0 };
	int64_t n = -1;

	if (postgres_ask(now.kind, false, sql, &out)) {
		ckpt_buf_add(&out, "", 1);
		n = out.failed ? -1 : strtoll(out.p, NULL, 10);
	}
	ckpt_buf_free(&out);
	return n;
}

static int64_t pragma(const char *sql)
{
	sqlite3 *db = made_empty(now.where);
	sqlite3_stmt *st = NULL;
	int64_t n = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
			sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	made_close(db);
	return n;
}

bool check_space(struct ckpt_store *s)
{
	struct ckpt_space room;
	struct ckpt_buf sql = { 0 };
	struct stat st;
	bool good = ckpt_store_space(s, &room) == 0;

	ckpt_store_end(s);
	if (good && kind_is_postgres(now.kind)) {
		ckpt_buf_addf(&sql,
				"SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
				"WHERE relname IN ('checkpoints', 'checkpoint_blobs', "
				"'checkpoint_writes', 'checkpoint_migrations') AND "
				"relnamespace = '\"%s\"'::regnamespace",
				now.kind->schema ? now.kind->schema : "public");
		good = room.wal == CKPT_UNKNOWN && room.file == asked(sql.p) &&
		       room.reclaimable >= 0 && room.reclaimable <= room.file;
		ckpt_buf_free(&sql);
	} else if (good && strcmp(now.kind->engine, "sqlite") == 0) {
		good = stat(now.where, &st) == 0 && room.file == st.st_size &&
		       room.wal == 0 &&
		       room.reclaimable == pragma("PRAGMA freelist_count") *
		                                           pragma("PRAGMA page_size");
	}
	if (!good)
		printf("# file %lld wal %lld reclaimable %lld\n", (long long)room.file,
				(long long)room.wal, (long long)room.reclaimable);
	return good;
}
