/*
 * test_sql.c - what makes a database a store: which tables and columns there must be, what is
 * read around, what is refused and how it is named, and who wrote it.
 */
#include "t.h"
#include "made.h"

#define KEY \
	"thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL, checkpoint_id TEXT NOT " \
	"NULL, "
#define ROW "parent_checkpoint_id TEXT, type TEXT, checkpoint BLOB, metadata BLOB"
#define CHECKPOINTS "CREATE TABLE checkpoints (" KEY ROW ");"
#define WRITE "task_id TEXT, idx INTEGER, channel TEXT, type TEXT, value BLOB"
#define WRITES "CREATE TABLE writes (" KEY WRITE ");"

static void note(void *arg, const char *line)
{
	struct ckpt_buf *b = arg;

	ckpt_buf_puts(b, line);
	ckpt_buf_puts(b, "; ");
}

static const char *database(const char *sql)
{
	static unsigned n;
	char name[20];
	const char *path;
	sqlite3 *db;

	snprintf(name, sizeof(name), "s%u.db", n++);
	path = made_path(name);
	db = made_empty(path);
	made_sql(db, sql);
	made_close(db);
	return path;
}

static struct ckpt_store *look(
		const char *sql, struct ckpt_buf *notes, struct ckpt_error *err)
{
	const struct ckpt_config config = { .note = note, .arg = notes };
	struct ckpt_store *store = NULL;

	notes->n = 0;
	ckpt_buf_puts(notes, "");
	*err = (struct ckpt_error){ 0 };
	ckpt_store_open(&store, database(sql), &config, err);
	return store;
}

static void accepted(void)
{
	static const struct {
		const char *what, *sql, *notes;
	} cases[] = {
		{ "JavaScript's tables", CHECKPOINTS WRITES, "" },
		{ "Python's tables",
				CHECKPOINTS "CREATE TABLE writes (" KEY
					    "task_path TEXT NOT NULL DEFAULT '', " WRITE
					    ");",
				"" },
		{ "without writes", CHECKPOINTS,
				"the store has no table of pending writes; " },
		{ "a column more",
				"CREATE TABLE checkpoints (" KEY ROW
				", colour TEXT);" WRITES,
				"table checkpoints has a column that is not LangGraph's: "
				"colour; " },
		{ "a column more of writes",
				CHECKPOINTS "CREATE TABLE writes (" KEY WRITE
					    ", shade TEXT);",
				"table writes has a column that is not LangGraph's: "
				"shade; " },
		{ "columns in another order",
				"CREATE TABLE checkpoints (" ROW
				", checkpoint_id TEXT, thread_id TEXT, checkpoint_ns "
				"TEXT);" WRITES,
				"" },
		{ "other tables beside",
				CHECKPOINTS WRITES "CREATE TABLE store (a);"
						   "CREATE VIEW v AS SELECT 1;",
				"" },
	};
	struct ckpt_buf notes = { 0 };

	for (size_t i = 0; i < LEN(cases); i++) {
		struct ckpt_pick pick = { .depth = CKPT_VALUES, .writes = true };
		struct ckpt_checkpoint c;
		struct ckpt_scan *scan;
		struct ckpt_error err;
		struct ckpt_store *s = look(cases[i].sql, &notes, &err);

		if (!ok(s != NULL, "%s: %s", cases[i].what, err.text))
			continue;
		same(notes.p, notes.n, cases[i].notes, "and what is said about it");
		ok(ckpt_scan_one(&scan, s, &pick, &c) == 0, "and is read");
		ckpt_scan_close(scan);
		ckpt_store_close(s);
	}
	ckpt_buf_free(&notes);
}

static void refused(void)
{
	static const struct {
		const char *what, *sql, *text;
	} cases[] = {
		{ "no tables", "", "no tables at all" },
		{ "somebody else's tables",
				"CREATE TABLE users (id); CREATE TABLE \"a\x1b[1m\" (b)",
				"\\u{1b}" },
		{ "no metadata",
				"CREATE TABLE checkpoints (" KEY
				"parent_checkpoint_id TEXT, type TEXT, checkpoint "
				"BLOB);" WRITES,
				"checkpoints" },
		{ "the old layout",
				"CREATE TABLE checkpoints (thread_id TEXT, thread_ts "
				"TEXT, "
				"parent_ts TEXT, checkpoint BLOB, metadata BLOB);",
				"thread_ts" },
		{ "a view",
				"CREATE TABLE t (" KEY ROW
				"); CREATE VIEW checkpoints AS SELECT * FROM t;" WRITES,
				"view" },
		{ "a virtual table",
				"CREATE VIRTUAL TABLE checkpoints USING fts5(thread_id, "
				"checkpoint_ns, checkpoint_id, parent_checkpoint_id, "
				"type, checkpoint, metadata);",
				"virtual" },
		{ "writes that are a view",
				CHECKPOINTS
				"CREATE VIEW writes AS SELECT * FROM checkpoints;",
				"" },
		{ "writes of something else", CHECKPOINTS "CREATE TABLE writes (a, b);",
				"writes" },
		{ "a column that only looks like two",
				"CREATE TABLE checkpoints (" KEY
				"parent_checkpoint_id TEXT, type TEXT, checkpoint BLOB, "
				"\"x metadata y\" BLOB);" WRITES,
				"checkpoints" },
	};
	struct ckpt_buf notes = { 0 };

	for (size_t i = 0; i < LEN(cases); i++) {
		struct ckpt_error err;
		struct ckpt_store *s = look(cases[i].sql, &notes, &err);

		ok(!s && err.code == CKPT_EUNSUPPORTED &&
						strstr(err.text, cases[i].text) &&
						!strchr(err.text, 0x1b),
				"refused: %s: %d %s", cases[i].what, err.code, err.text);
		ckpt_store_close(s);
	}
	ckpt_buf_free(&notes);
}

static void forced(void)
{
	static const struct ckpt_config good = { .layout = "langgraph" },
					bad = { .layout = "langgraph-shallow" },
					none = { .layout = "x" };
	const char *path = database(CHECKPOINTS WRITES);
	struct ckpt_store *s = NULL;
	struct ckpt_error err = { 0 };

	ok(ckpt_store_open(&s, path, &good, &err) == 0, "--layout that fits");
	ckpt_store_close(s);
	s = NULL;
	ok(ckpt_store_open(&s, path, &bad, &err) == CKPT_EUNSUPPORTED && !s,
			"and one that does not");
	err = (struct ckpt_error){ 0 };
	ok(ckpt_store_open(&s, path, &none, &err) == CKPT_EUSAGE && !s,
			"and one there is not");
}

#define PY \
	"(thread_id, checkpoint_ns, checkpoint_id, type, checkpoint) VALUES " \
	"('p', '', '1', 'msgpack', x'80')"
#define JS \
	"(thread_id, checkpoint_ns, checkpoint_id, type, checkpoint) VALUES " \
	"('j', '', '1', 'json', '{\"channel_versions\":{\"a\":1}}')"
#define JSON_PY \
	"(thread_id, checkpoint_ns, checkpoint_id, type, checkpoint) VALUES " \
	"('o', '', '1', 'json', '{\"channel_versions\":{\"a\":\"1\"}}')"

static void writers(void)
{
	static const struct {
		const char *what, *sql;
		unsigned writers;
	} cases[] = {
		{ "nobody", "", 0 },
		{ "Python", "INSERT INTO checkpoints " PY, CKPT_PYTHON },
		{ "JavaScript", "INSERT INTO checkpoints " JS, CKPT_JS },
		{ "Python as JSON", "INSERT INTO checkpoints " JSON_PY, CKPT_PYTHON },
		{ "both", "INSERT INTO checkpoints " PY ";INSERT INTO checkpoints " JS,
				CKPT_PYTHON | CKPT_JS },
		{ "garbage",
				"INSERT INTO checkpoints (thread_id, checkpoint_ns, "
				"checkpoint_id, type, "
				"checkpoint) VALUES ('', '', '', 'json', x'ff'), ('', "
				"'', '', NULL, NULL)",
				0 },
		{ "both, far apart",
				"WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
				"WHERE i < 500) "
				"INSERT INTO checkpoints (thread_id, checkpoint_ns, "
				"checkpoint_id, type, "
				"checkpoint) SELECT 'x', '', i, CASE WHEN i < 250 THEN "
				"'msgpack' ELSE "
				"'json' END, '{\"channel_versions\":{\"a\":1}}' FROM n",
				CKPT_PYTHON | CKPT_JS },
	};
	struct ckpt_buf notes = { 0 };

	for (size_t i = 0; i < LEN(cases); i++) {
		char sql[2000];
		struct ckpt_error err;
		struct ckpt_about about = { 0 };
		struct ckpt_store *s;

		snprintf(sql, sizeof(sql), "%s%s", CHECKPOINTS WRITES, cases[i].sql);
		s = look(sql, &notes, &err);
		ok(s && ckpt_store_about(s, &about) == 0 &&
						about.writers == cases[i].writers,
				"written by %s: %u %s", cases[i].what, about.writers,
				err.text);
		if (i == 0 && s)
			ok(strcmp(about.engine, "sqlite") == 0 && !about.schema &&
							strcmp(about.layout,
									"langgraph") ==
									0 &&
							strstr(about.uri, ".db"),
					"and what it is");
		ckpt_store_close(s);
	}
	ckpt_buf_free(&notes);
}

int main(void)
{
	accepted();
	refused();
	forced();
	writers();
	return done();
}
