/*
 * test_conformance.c - one suite for every backend and layout, through the public API alone: the
 * same checkpoints come out of each in the same order, as deep as asked and no deeper, byte for
 * byte. Without a server (PGHOST) these are the SQLite rows and the dumps. How stores are made is
 * content*.c's, what must hold checks*.c's; what breaks under way is test_faults.c's.
 */
#include "t.h"
#include "checks.h"
#include "made.h"

static const struct kind kinds[] = {
	{ .name = "sqlite",
			.engine = "sqlite",
			.layout = "langgraph",
			.database = "conformance.db",
			.make = sqlite_make,
			.add_huge = sqlite_add_huge,
			.add_late = sqlite_add_late,
			.strays = true },
	{ .name = "sqlite without task_path",
			.engine = "sqlite",
			.layout = "langgraph",
			.database = "old.db",
			.make = sqlite_make,
			.add_huge = sqlite_add_huge,
			.add_late = sqlite_add_late,
			.strays = true,
			.no_task_path = true },
	{ .name = "dump of SQLite",
			.engine = "dump",
			.layout = "dump",
			.database = "sqlite.jsonl",
			.make = dump_make,
			.add_huge = dump_add_huge,
			.add_late = dump_add_late,
			.strays = true },
	{ .name = "dump of PostgreSQL",
			.engine = "dump",
			.layout = "dump",
			.database = "postgres.jsonl",
			.make = dump_make,
			.add_huge = dump_add_huge,
			.add_late = dump_add_late,
			.strays = true,
			.dumped_postgres = true },
	{ .name = "dump of a shallow store",
			.engine = "dump",
			.layout = "dump",
			.database = "shallow.jsonl",
			.make = dump_make,
			.add_huge = dump_add_huge,
			.add_late = dump_add_late,
			.strays = true,
			.dumped_postgres = true,
			.shallow = true,
			.no_inline = true },
	{ .name = "postgresql",
			.engine = "postgresql",
			.layout = "langgraph",
			.database = "conf v9",
			.make = postgres_make,
			.add_huge = postgres_add_huge,
			.add_late = postgres_add_late,
			.strays = true },
	{ .name = "postgresql without task_path",
			.engine = "postgresql",
			.layout = "langgraph",
			.database = "conf_v7",
			.make = postgres_make,
			.add_huge = postgres_add_huge,
			.add_late = postgres_add_late,
			.strays = true,
			.no_task_path = true,
			.no_inline = true },
	{ .name = "postgresql of JavaScript",
			.engine = "postgresql",
			.layout = "langgraph",
			.database = "conf_js",
			.schema = "agent-Data",
			.make = postgres_make,
			.add_huge = postgres_add_huge,
			.add_late = postgres_add_late,
			.strays = true,
			.no_task_path = true,
			.no_inline = true,
			.js = true },
	{ .name = "postgresql 1.0.0",
			.engine = "postgresql",
			.layout = "langgraph",
			.database = "conf_100",
			.make = postgres_make,
			.add_huge = postgres_add_huge,
			.add_late = postgres_add_late,
			.strays = true,
			.no_task_path = true,
			.no_inline = true,
			.no_migrations = true },
	{ .name = "postgresql shallow",
			.engine = "postgresql",
			.layout = "langgraph-shallow",
			.database = "conf_shallow",
			.make = postgres_make,
			.add_huge = postgres_add_huge,
			.add_late = postgres_add_late,
			.strays = true,
			.shallow = true,
			.no_inline = true },
	{ .name = "postgresql pooled",
			.engine = "postgresql",
			.layout = "langgraph",
			.database = "conf_pooled",
			.make = postgres_make,
			.add_huge = postgres_add_huge,
			.add_late = postgres_add_late,
			.strays = true,
			.pooled = true },
};

static const struct {
	const char *what;
	bool (*check)(struct ckpt_store *);
} checks[] = {
	{ "says what it is", check_about },
	{ "order is that of bytes, at every depth, both ways", check_order },
	{ "bounds of thread, namespace, id, from, upto, limit", check_bounds },
	{ "spans: counts, ends, heads, the newest", check_spans },
	{ "heads: one of each namespace", check_heads },
	{ "each depth fills what it promises, and no more", check_depths },
	{ "values byte for byte, where they are stored", check_values },
	{ "writes in the library's order", check_writes },
	{ "sizes", check_sizes },
	{ "lineage", check_lineage },
	{ "checkpoint rows as they lie", check_stored },
	{ "rows of writes", check_write_rows },
	{ "rows of blobs", check_blob_rows },
	{ "writes and blobs that no checkpoint needs", check_strays },
	{ "writes merged with checkpoints, both ways, within bounds", check_merged },
	{ "values without their blobs", check_apart },
	{ "ranges of threads share no row and miss none", check_ranges },
	{ "the room it takes", check_space },
	{ "scans nested three deep", check_nested },
	{ "a scan closed half-way", check_half },
	/* these open the store themselves */
	{ "reading leaves no trace", check_untouched },
	{ "one snapshot: what is committed later is not seen", check_snapshot },
	{ "a row of 80 MB in 3 times its size and 64 MiB", check_huge },
};

static void test(const struct kind *k)
{
	now.kind = k;
	now.nwant = 0;
	now.where = k->make(k);
	for (size_t i = 0; i < ncontent; i++) {
		if (kind_holds(k, &content[i]))
			now.want[now.nwant++] = &content[i];
	}
	for (size_t i = 0; i < LEN(checks); i++) {
		struct ckpt_store *s = open_store();

		ok(s && checks[i].check(s) && !now.err.code, "%s: %s", k->name,
				checks[i].what);
		ckpt_store_close(s);
	}
}

int main(void)
{
	content_make();
	for (size_t i = 0; i < LEN(kinds); i++) {
		const struct kind *k = &kinds[i];

		if ((kind_is_postgres(k) && !getenv("PGHOST")) ||
				(k->pooled && !getenv("PGBOUNCER_HOST")))
			continue;
		test(k);
	}
	return done();
}
