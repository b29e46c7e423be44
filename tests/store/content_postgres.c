/*
 * content_postgres.c - the content as LangGraph's PostgreSQL savers keep it, written by psql: each
 * kind has a database of its own, which a role that may only read opens.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "content.h"
#include "made.h"

/* ---- psql ----------------------------------------------------------------------------------- */

static bool psql(const char *database, const char *options, const char *text,
		struct ckpt_buf *out)
{
	static const char *path;
	char command[700], part[4096];
	FILE *f;
	size_t n;

	if (!path)
		path = made_path("psql.sql");
	f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		return false;
	snprintf(command, sizeof(command),
			"psql -qXAt -v ON_ERROR_STOP=1 -d '%s' %s -f '%s'", database,
			options, path);
	f = popen(command, "r");
	if (!f)
		return false;
	while ((n = fread(part, 1, sizeof(part), f)) > 0) {
		if (out)
			ckpt_buf_add(out, part, n);
	}
	return pclose(f) == 0;
}

bool postgres_ask(
		const struct kind *k, bool pooled, const char *sql, struct ckpt_buf *out)
{
	return psql(k->database,
			pooled ? "-U ckpt_reader -h \"$PGBOUNCER_HOST\" -p "
				 "\"$PGBOUNCER_PORT\""
			       : "",
			sql, out);
}

static void must(const char *database, const char *text)
{
	if (!psql(database, "", text, NULL)) {
		printf("Bail out! psql failed in %s\n", database);
		exit(2);
	}
}

/* ---- literals --------------------------------------------------------------------------------- */

static void put_bytes(struct ckpt_buf *b, struct ckpt_view v)
{
	const uint8_t *p = v.p;

	ckpt_buf_puts(b, "'\\x");
	for (size_t i = 0; i < v.n; i++) {
		const char two[] = { (char)hex_digit(p[i] >> 4),
			(char)hex_digit(p[i] & 15) };

		ckpt_buf_add(b, two, 2);
	}
	ckpt_buf_puts(b, "'::bytea");
}

static void put_text(struct ckpt_buf *b, struct ckpt_view v)
{
	if (!v.p) {
		ckpt_buf_puts(b, "NULL");
		return;
	}
	ckpt_buf_puts(b, "convert_from(");
	put_bytes(b, v);
	ckpt_buf_puts(b, ", 'UTF8')");
}

static void put_key(struct ckpt_buf *b, const struct content *c)
{
	put_text(b, c->thread);
	ckpt_buf_puts(b, ", ");
	put_text(b, c->ns);
	ckpt_buf_puts(b, ", ");
}

static void put_json(struct ckpt_buf *b, struct ckpt_view v)
{
	const char *p = v.p;

	ckpt_buf_puts(b, "\"");
	for (size_t i = 0; i < v.n; i++) {
		if (p[i] == '"' || p[i] == '\\')
			ckpt_buf_puts(b, "\\");
		ckpt_buf_add(b, p + i, 1);
	}
	ckpt_buf_puts(b, "\"");
}

/* ---- rows -------------------------------------------------------------------------------------- */

static void put_version(struct ckpt_buf *b, const struct kind *k, unsigned version)
{
	ckpt_buf_addf(b, k->js ? "%u" : "%032u.0.5", version);
}

void postgres_container(struct ckpt_buf *b, const struct kind *k, const struct content *c)
{
	bool any = false;

	ckpt_buf_addf(b, "{\"v\":%u,\"ts\":\"2026-01-01T00:00:00%s\",\"id\":",
			k->no_migrations ? 1U : 4U, k->js ? ".000Z" : "+00:00");
	put_json(b, c->id);
	if (!k->no_inline) {
		ckpt_buf_puts(b, ",\"channel_values\":{");
		for (size_t i = 0; i < c->nvalues; i++) {
			if (!c->values[i].json.p)
				continue;
			ckpt_buf_puts(b, any ? "," : "");
			put_json(b, c->values[i].channel);
			ckpt_buf_puts(b, ":");
			ckpt_buf_add(b, c->values[i].json.p, c->values[i].json.n);
			any = true;
		}
		ckpt_buf_puts(b, "}");
	}
	ckpt_buf_puts(b, ",\"channel_versions\":{");
	for (size_t i = 0; i < c->nvalues; i++) {
		ckpt_buf_puts(b, i ? "," : "");
		put_json(b, c->values[i].channel);
		ckpt_buf_puts(b, k->js ? ":" : ":\"");
		put_version(b, k, c->values[i].version);
		ckpt_buf_puts(b, k->js ? "" : "\"");
	}
	ckpt_buf_puts(b, "},\"versions_seen\":{}}");
}

static void put_blobs(struct ckpt_buf *b, const struct kind *k, const struct content *c)
{
	for (size_t i = 0; i < c->nvalues; i++) {
		const struct content_value *v = &c->values[i];

		/* releases that kept all values apart say so where there is none */
		if (!k->no_inline && (v->json.p || !v->msgpack.p))
			continue;
		ckpt_buf_puts(b, "INSERT INTO checkpoint_blobs VALUES (");
		put_key(b, c);
		put_text(b, v->channel);
		if (!k->shallow) {
			ckpt_buf_puts(b, ", '");
			put_version(b, k, v->version);
			ckpt_buf_puts(b, "'");
		}
		ckpt_buf_addf(b, ", '%s', ",
				!v->msgpack.p ? "empty"
				: k->js       ? "bytes"
					      : "msgpack");
		if (v->msgpack.p)
			put_bytes(b, v->msgpack);
		else
			ckpt_buf_puts(b, "NULL");
		ckpt_buf_puts(b, ") ON CONFLICT DO NOTHING;\n");
	}
}

static void put_writes(struct ckpt_buf *b, const struct kind *k, const struct content *c,
		size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct content_write *w = &content_writes[i];

		ckpt_buf_addf(b,
				"INSERT INTO checkpoint_writes (thread_id, "
				"checkpoint_ns, "
				"checkpoint_id, task_id, idx, channel, type, blob%s) "
				"VALUES (",
				k->no_task_path ? "" : ", task_path");
		put_key(b, c);
		put_text(b, c->id);
		ckpt_buf_puts(b, ", ");
		put_text(b, w->task);
		ckpt_buf_addf(b, ", %d, ", (int)w->idx);
		put_text(b, w->channel);
		ckpt_buf_puts(b, ", 'msgpack', ");
		put_bytes(b, w->body);
		if (!k->no_task_path) {
			ckpt_buf_puts(b, ", ");
			put_text(b, w->path);
		}
		ckpt_buf_puts(b, ");\n");
	}
}

static void put_row(struct ckpt_buf *b, const struct kind *k, const struct content *c)
{
	struct ckpt_buf json = { 0 };

	postgres_container(&json, k, c);
	ckpt_buf_puts(b, "INSERT INTO checkpoints VALUES (");
	put_key(b, c);
	if (!k->shallow) {
		put_text(b, c->id);
		ckpt_buf_puts(b, ", ");
		put_text(b, c->parent);
		ckpt_buf_puts(b, ", ");
	}
	ckpt_buf_puts(b, "NULL, ");
	put_text(b, ckpt_buf_view(&json));
	ckpt_buf_puts(b, "::jsonb, ");
	put_text(b, c->meta);
	ckpt_buf_puts(b, "::jsonb);\n");
	ckpt_buf_free(&json);
	put_blobs(b, k, c);
	put_writes(b, k, c, c->writes ? ncontent_writes : 0);
}

static void put_strays(struct ckpt_buf *b, const struct kind *k)
{
	for (size_t i = 0; i < ncontent_strays; i++) {
		const struct ckpt_key *key = &content_strays[i];
		const struct content c = { .thread = key->thread,
			.ns = key->ns,
			.id = key->id,
			.nvalues = 1,
			.values = { { STRAY_CHANNEL, 9, STRAY_BODY, { 0 } } } };

		put_writes(b, k, &c, STRAY_WRITES);
		put_blobs(b, k, &c);
	}
}

/* ---- databases ---------------------------------------------------------------------------------- */

#define KEY_COLUMNS "thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '', "

static void put_tables(struct ckpt_buf *b, const struct kind *k)
{
	if (!k->no_migrations)
		ckpt_buf_addf(b,
				"CREATE TABLE checkpoint_migrations (v INTEGER PRIMARY "
				"KEY); "
				"INSERT INTO checkpoint_migrations SELECT "
				"generate_series(0, %d);\n",
				k->js                           ? 4
				: k->shallow || k->no_task_path ? 7
								: 9);
	ckpt_buf_addf(b,
			"CREATE TABLE checkpoints (" KEY_COLUMNS "%s type TEXT, "
			"checkpoint JSONB NOT NULL, metadata JSONB NOT NULL DEFAULT "
			"'{}', "
			"PRIMARY KEY (thread_id, checkpoint_ns%s));\n",
			k->shallow ? ""
				   : "checkpoint_id TEXT NOT NULL, parent_checkpoint_id "
				     "TEXT,",
			k->shallow ? "" : ", checkpoint_id");
	ckpt_buf_addf(b,
			"CREATE TABLE checkpoint_blobs (" KEY_COLUMNS
			"channel TEXT NOT NULL, %s type TEXT NOT NULL, blob BYTEA, "
			"PRIMARY KEY (thread_id, checkpoint_ns, channel%s));\n",
			k->shallow ? "" : "version TEXT NOT NULL,",
			k->shallow ? "" : ", version");
	ckpt_buf_addf(b,
			"CREATE TABLE checkpoint_writes (" KEY_COLUMNS
			"checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL, "
			"idx INTEGER NOT NULL, channel TEXT NOT NULL, type TEXT, "
			"blob BYTEA NOT NULL%s, PRIMARY KEY (thread_id, checkpoint_ns, "
			"checkpoint_id, task_id, idx));\n",
			k->no_task_path ? "" : ", task_path TEXT NOT NULL DEFAULT ''");
	if (!k->js && !k->no_migrations)
		ckpt_buf_puts(b, "CREATE INDEX ON checkpoints (thread_id); "
				 "CREATE INDEX ON checkpoint_blobs (thread_id); "
				 "CREATE INDEX ON checkpoint_writes (thread_id);\n");
}

static void put_path(struct ckpt_buf *b, const struct kind *k)
{
	ckpt_buf_addf(b, "SET search_path = \"%s\";\n", k->schema ? k->schema : "public");
}

static const char *name_of(const struct kind *k)
{
	static struct arena names;
	struct ckpt_error err = { 0 };
	struct ckpt_buf b = { 0 };
	const char *out;

	ckpt_buf_addf(&b, "dbname='%s' user=ckpt_reader", k->database);
	if (k->pooled)
		ckpt_buf_addf(&b, " host='%s' port='%s'", getenv("PGBOUNCER_HOST"),
				getenv("PGBOUNCER_PORT"));
	out = arena_copy(&names, ckpt_buf_view(&b), &err).p;
	ckpt_buf_free(&b);
	return out;
}

const char *postgres_make(const struct kind *k)
{
	const char *schema = k->schema ? k->schema : "public";
	struct ckpt_buf b = { 0 };

	ckpt_buf_addf(&b,
			"SET client_min_messages = error;\n"
			"DROP DATABASE IF EXISTS \"%1$s\";\n"
			"CREATE DATABASE \"%1$s\" TEMPLATE template0;\n"
			"DO $$BEGIN CREATE ROLE ckpt_reader LOGIN; "
			"EXCEPTION WHEN duplicate_object THEN END$$;\n",
			k->database);
	must("postgres", b.p);
	b.n = 0;
	if (k->schema)
		ckpt_buf_addf(&b, "CREATE SCHEMA \"%s\";\n", schema);
	put_path(&b, k);
	ckpt_buf_puts(&b, "BEGIN;\n");
	put_tables(&b, k);
	for (size_t i = 0; i < ncontent; i++) {
		if (kind_holds(k, &content[i]))
			put_row(&b, k, &content[i]);
	}
	if (k->strays)
		put_strays(&b, k);
	ckpt_buf_addf(&b,
			"COMMIT;\nGRANT USAGE ON SCHEMA \"%1$s\" TO ckpt_reader; "
			"GRANT SELECT ON ALL TABLES IN SCHEMA \"%1$s\" TO ckpt_reader;\n",
			schema);
	must(k->database, b.p);
	ckpt_buf_free(&b);
	return name_of(k);
}

static void add_one(const struct kind *k, struct ckpt_view thread, const char *body)
{
	const struct content c = { .thread = thread,
		.ns = CKPT_LIT(""),
		.id = CKPT_LIT("1"),
		.meta = CKPT_LIT("{}"),
		.nvalues = 1,
		.values = { { CKPT_LIT("huge"), 1, CKPT_LIT("\xc3"), { 0 } } } };
	struct ckpt_buf b = { 0 };

	put_path(&b, k);
	put_row(&b, k, &c);
	ckpt_buf_puts(&b, body);
	must(k->database, b.p);
	ckpt_buf_free(&b);
}

void postgres_add_huge(const struct kind *k)
{
	char sql[300];

	snprintf(sql, sizeof(sql),
			"UPDATE checkpoint_blobs SET blob = '\\xc6%08x'::bytea || "
			"convert_to(repeat('x', %d), 'UTF8') WHERE channel = 'huge' "
			"AND thread_id = 'huge';",
			(unsigned)CONTENT_HUGE, CONTENT_HUGE);
	add_one(k, CKPT_LIT("huge"), sql);
}

void postgres_add_late(const struct kind *k)
{
	add_one(k, CKPT_LIT("late"), "");
}
