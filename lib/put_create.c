/*
 * put_create.c - the tables of LangGraph's savers, made as their newest releases make them: the
 * application's own setup finds nothing left to do. Columns, order, defaults, indexes and rows of
 * checkpoint_migrations are those of checkpoint-sqlite 3.1.2, checkpoint-postgres 3.2.0 and of
 * JavaScript's checkpoint-sqlite 1.0.4 and checkpoint-postgres 1.0.5.
 */
#include "put.h"

/* clang-format off: SQL reads best as it is broken here */

#define KEY "thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '', "

#define SQLITE_TABLES(task_path) \
	"CREATE TABLE checkpoints (" KEY "checkpoint_id TEXT NOT NULL, " \
	"parent_checkpoint_id TEXT, type TEXT, checkpoint BLOB, metadata BLOB, " \
	"PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id))", \
			"CREATE TABLE writes (" KEY \
			"checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL, " task_path \
			"idx INTEGER NOT NULL, channel TEXT NOT NULL, type TEXT, value " \
			"BLOB, " \
			"PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, " \
			"task_id, idx))"

static const char *const sqlite_python[] = {
	SQLITE_TABLES("task_path TEXT NOT NULL DEFAULT '', "), NULL
};
static const char *const sqlite_js[] = { SQLITE_TABLES(""), NULL };

/* @ stands for the schema and its dot, where one was asked for */
#define POSTGRES_TABLES \
	"CREATE TABLE @checkpoint_migrations (v INTEGER PRIMARY KEY)", \
			"CREATE TABLE @checkpoints (" KEY \
			"checkpoint_id TEXT NOT NULL, " \
			"parent_checkpoint_id TEXT, type TEXT, checkpoint JSONB NOT " \
			"NULL, " \
			"metadata JSONB NOT NULL DEFAULT '{}', " \
			"PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id))", \
			"CREATE TABLE @checkpoint_blobs (" KEY \
			"channel TEXT NOT NULL, version TEXT NOT NULL, " \
			"type TEXT NOT NULL, blob BYTEA, " \
			"PRIMARY KEY (thread_id, checkpoint_ns, channel, version))", \
			"CREATE TABLE @checkpoint_writes (" KEY \
			"checkpoint_id TEXT NOT NULL, " \
			"task_id TEXT NOT NULL, idx INTEGER NOT NULL, channel TEXT NOT " \
			"NULL, type TEXT, " \
			"blob BYTEA NOT NULL, PRIMARY KEY (thread_id, checkpoint_ns, " \
			"checkpoint_id, task_id, idx))"

static const char *const postgres_python[] = { POSTGRES_TABLES,
	"CREATE INDEX checkpoints_thread_id_idx ON @checkpoints (thread_id)",
	"CREATE INDEX checkpoint_blobs_thread_id_idx ON @checkpoint_blobs (thread_id)",
	"CREATE INDEX checkpoint_writes_thread_id_idx ON @checkpoint_writes (thread_id)",
	"ALTER TABLE @checkpoint_writes ADD COLUMN task_path TEXT NOT NULL DEFAULT ''",
	"INSERT INTO @checkpoint_migrations (v) SELECT generate_series(0, 9)", NULL };
static const char *const postgres_js[] = { POSTGRES_TABLES,
	"INSERT INTO @checkpoint_migrations (v) SELECT generate_series(0, 4)", NULL };
/* clang-format on */

void put_quoted(struct ckpt_buf *b, const char *name)
{
	ckpt_buf_puts(b, "\"");
	for (; *name; name++)
		ckpt_buf_add(b, *name == '"' ? "\"\"" : name, *name == '"' ? 2 : 1);
	ckpt_buf_puts(b, "\"");
}

int put_statement(struct conn *conn, const char *text, const char *schema)
{
	struct ckpt_buf b = { 0 };
	int rc;

	for (const char *p = text; *p; p++) {
		if (*p != '@') {
			ckpt_buf_add(&b, p, 1);
		} else if (schema) {
			put_quoted(&b, schema);
			ckpt_buf_puts(&b, ".");
		}
	}
	if (b.failed)
		return ckpt_fail(conn->err, CKPT_ENOMEM, "out of memory");
	rc = conn->driver->exec(conn, b.p, NULL, 0);
	ckpt_buf_free(&b);
	return rc < 0 ? rc : 0;
}

int put_create(struct conn *conn, const struct sql_dialect *dialect, const char *schema,
		bool js)
{
	bool postgres = dialect == &postgres_dialect;
	const char *const *text = postgres ? (js ? postgres_js : postgres_python)
	                                   : (js ? sqlite_js : sqlite_python);

	for (; *text; text++) {
		int rc = put_statement(conn, *text, schema);

		if (rc < 0)
			return rc;
	}
	return 0;
}
