/*
 * sql_layout.c - which layout a database holds, in which schema, and the layout's texts made
 * ready for it: {checkpoints} {writes} {blobs} become tables, {name|default} a column or its
 * stand-in.
 */
#include <stdlib.h>
#include <string.h>

#include "sql_catalog.h"

struct detect {
	struct sql_store *s;
	const struct ckpt_config *config;
	struct relation *catalog; /* in search order */
	struct columns checkpoints, writes, blobs;
};

/* Columns nobody told us about: read around them, and say so. */
static void note_unknown(const struct columns *c, const struct layout_table *t,
		const struct ckpt_config *config)
{
	struct columns known = { 0 };
	const char *at = c->names.p, *word;
	size_t n;

	ckpt_buf_addf(&known.names, " %s %s ", t->required,
			t->optional ? t->optional : "");
	while (config->note && at && next_word(&at, &word, &n)) {
		struct ckpt_buf line = { 0 };
		char name[200];

		if (known.names.failed || columns_have(&known, word, n))
			continue;
		ckpt_buf_addf(&line, "table %s has a column that is not LangGraph's: %s",
				t->name,
				ckpt_show_name(name, (struct ckpt_view){ word, n }));
		if (!line.failed)
			config->note(config->arg, line.p);
		ckpt_buf_free(&line);
	}
	ckpt_buf_free(&known.names);
}

/* A saver newer than this program may have been here. */
static int note_newer(struct detect *d, const struct layout *l)
{
	struct sql_store *s = d->s;
	struct columns table = { 0 };
	struct ckpt_buf sql = { 0 }, line = { 0 };
	struct cursor *cur;
	struct cell v;
	int rc = columns_of(d->s, d->catalog, l->migrations, &table);

	if (rc >= 0 && table.is_table && columns_have(&table, "v", 1) &&
			d->config->note) {
		ckpt_buf_addf(&sql, "SELECT max(v)::int8 FROM %s.%s", s->schema,
				l->migrations);
		rc = sql_query(&cur, s, sql.p, NULL, 0);
		if (rc >= 0 && sql_next(cur, &v, 1) > 0 && v.kind == CELL_INT &&
				v.i > l->newest) {
			ckpt_buf_addf(&line,
					"the store was made by a newer LangGraph "
					"(migration %lld, %lld is known): it is read as "
					"far as it is understood",
					(long long)v.i, (long long)l->newest);
			d->config->note(d->config->arg, line.p);
		}
		if (rc >= 0)
			sql_done(cur);
	}
	ckpt_buf_free(&table.names);
	ckpt_buf_free(&sql);
	ckpt_buf_free(&line);
	return s->base.err->code;
}

/* ---- texts ------------------------------------------------------------------------------------------ */

static const char *table_text(struct sql_store *s, const char *name)
{
	struct ckpt_buf b = { 0 };
	const char *out;

	if (s->schema)
		ckpt_buf_addf(&b, "%s.", s->schema);
	ckpt_buf_puts(&b, name ? name : "");
	out = b.failed ? NULL : arena_copy(&s->arena, ckpt_buf_view(&b), s->base.err).p;
	ckpt_buf_free(&b);
	return out;
}

static void put_placeholder(
		struct detect *d, struct ckpt_buf *to, const char *at, size_t n)
{
	const struct {
		const char *name, *text;
	} tables[] = { { "checkpoints", d->s->checkpoints }, { "writes", d->s->writes },
		{ "blobs", d->s->blobs } };
	const char *bar = memchr(at, '|', n);

	for (size_t i = 0; !bar && i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (strlen(tables[i].name) == n && memcmp(at, tables[i].name, n) == 0)
			ckpt_buf_puts(to, tables[i].text);
	}
	if (bar && columns_have(&d->writes, at, (size_t)(bar - at)))
		ckpt_buf_add(to, at, (size_t)(bar - at));
	else if (bar)
		ckpt_buf_add(to, bar + 1, n - (size_t)(bar - at) - 1);
}

static const char *expand(struct detect *d, const char *text)
{
	struct ckpt_buf b = { 0 };
	const char *p, *end, *out;

	if (!text)
		return NULL;
	/* '{}' is SQL's own: an empty JSON object */
	for (p = text; *p; p++) {
		end = *p == '{' ? strchr(p, '}') : NULL;
		if (!end || end == p + 1) {
			ckpt_buf_add(&b, p, 1);
			continue;
		}
		put_placeholder(d, &b, p + 1, (size_t)(end - p) - 1);
		p = end;
	}
	out = arena_copy(&d->s->arena, ckpt_buf_view(&b), d->s->base.err).p;
	if (b.failed)
		ckpt_fail(d->s->base.err, CKPT_ENOMEM, "out of memory");
	ckpt_buf_free(&b);
	return out;
}

static int take(struct detect *d, const struct layout *l)
{
	struct sql_store *s = d->s;

	s->layout = l;
	s->checkpoints = table_text(s, l->checkpoints.name);
	s->writes = table_text(s, l->writes.name);
	s->blobs = table_text(s, l->blobs.name);
	s->migrations = l->migrations ? table_text(s, l->migrations) : NULL;
	if (s->base.err->code || !s->checkpoints || !s->writes || !s->blobs)
		return ckpt_fail(s->base.err, CKPT_ENOMEM, "out of memory");
	for (size_t i = 0; i < CHECKPOINT_COLS; i++)
		s->cols[i] = expand(d, l->cols[i]);
	for (size_t i = 0; i < WRITE_COLS; i++)
		s->write_cols[i] = expand(d, l->write_cols[i]);
	for (size_t i = 0; i < BLOB_COLS; i++)
		s->blob_cols[i] = expand(d, l->blob_cols[i]);
	s->stray_writes = expand(d, l->stray_writes);
	s->stray_blobs = expand(d, l->stray_blobs);
	s->samples = expand(d, l->samples);
	s->spread = l->blobs.name && !s->has_blobs ? NULL : expand(d, l->spread);
	s->heads = expand(d, l->heads);
	s->blob_rows = s->has_blobs ? expand(d, l->blob_rows) : NULL;
	s->blob_stream = s->has_blobs ? expand(d, l->blob_stream) : NULL;
	s->blob_sets = s->has_blobs ? expand(d, l->blob_sets) : NULL;
	s->blob_most = s->has_blobs ? expand(d, l->blob_most) : NULL;
	s->blob_sizes = s->has_blobs ? expand(d, l->blob_sizes) : NULL;
	s->sends = s->has_writes ? expand(d, l->sends) : NULL;
	note_unknown(&d->checkpoints, &l->checkpoints, d->config);
	if (s->has_writes)
		note_unknown(&d->writes, &l->writes, d->config);
	else if (d->config->note)
		d->config->note(d->config->arg,
				"the store has no table of pending writes");
	if (s->has_blobs)
		note_unknown(&d->blobs, &l->blobs, d->config);
	else if (l->blobs.name && d->config->note)
		d->config->note(d->config->arg,
				"the store has no table of blobs: values are missing");
	return s->base.err->code ? s->base.err->code
	       : l->migrations   ? note_newer(d, l)
	                         : 0;
}

/* ---- choosing --------------------------------------------------------------------------------------- */

static bool lacks(const struct columns *c)
{
	return !c->is_table && !c->is_view;
}

/* 1 if the layout fits what is in the current schema. */
static int try_layout(struct detect *d, const struct layout *l)
{
	const char *without = l->checkpoints.without;
	struct sql_store *s = d->s;

	if (columns_of(s, d->catalog, l->checkpoints.name, &d->checkpoints) < 0 ||
			columns_of(s, d->catalog, l->writes.name, &d->writes) < 0 ||
			columns_of(s, d->catalog, l->blobs.name, &d->blobs) < 0)
		return s->base.err->code;
	s->has_writes = columns_have_all(&d->writes, l->writes.required);
	s->has_blobs = l->blobs.name && columns_have_all(&d->blobs, l->blobs.required);
	if (!columns_have_all(&d->checkpoints, l->checkpoints.required) ||
			(without && columns_have(&d->checkpoints, without,
						    strlen(without))) ||
			!(s->has_writes || (l->writes.may_lack && lacks(&d->writes))) ||
			!(s->has_blobs || lacks(&d->blobs)))
		return 0;
	/* what is put in front of names is quoted once, here */
	if (s->base.schema) {
		struct ckpt_buf quoted = { 0 };

		ckpt_buf_puts(&quoted, "\"");
		for (const char *p = s->base.schema; *p; p++)
			ckpt_buf_add(&quoted, *p == '"' ? "\"\"" : p, *p == '"' ? 2 : 1);
		ckpt_buf_puts(&quoted, "\"");
		s->schema = arena_copy(&s->arena, ckpt_buf_view(&quoted), s->base.err).p;
		ckpt_buf_free(&quoted);
	}
	return s->base.err->code ? s->base.err->code
	       : take(d, l) < 0  ? s->base.err->code
	                         : 1;
}

static int try_all(struct detect *d)
{
	int rc = 0;

	for (size_t i = 0; layouts[i] && rc == 0; i++) {
		if (strcmp(layouts[i]->engine, d->s->dialect->engine) == 0 &&
				(!d->config->layout ||
						strcmp(d->config->layout,
								layouts[i]->name) == 0))
			rc = try_layout(d, layouts[i]);
	}
	return rc;
}

/* The schema asked for, or those of the search path one after the other. */
static int try_schemas(struct detect *d)
{
	int rc = catalog_read(&d->catalog, d->s, d->config->schema);

	for (const struct relation *r = d->catalog; r && rc == 0; r = r->next) {
		if (d->s->base.schema && strcmp(d->s->base.schema, r->schema) == 0)
			continue;
		d->s->base.schema = r->schema;
		rc = try_all(d);
	}
	return rc;
}

/* ---- when nothing fits ---------------------------------------------------------------------------- */

static void list_names(struct sql_store *s, const char *sql, const struct cell *arg,
		struct ckpt_buf *to)
{
	struct cursor *cur;
	struct cell cell;
	char name[200];
	int n = 0;

	if (!sql || sql_query(&cur, s, sql, arg, arg != NULL) < 0)
		return;
	while (sql_next(cur, &cell, 1) > 0 && to->n < 200)
		ckpt_buf_addf(to, "%s%s", n++ ? ", " : "", ckpt_show_name(name, cell.v));
	sql_done(cur);
}

#define ELSEWHERE "schemas with a table 'checkpoints': %s (--schema NAME)"

static int unknown_layout(struct detect *d)
{
	struct sql_store *s = d->s;
	struct ckpt_error *err = s->base.err, why = { 0 };
	struct cell table = { .kind = CELL_TEXT, .v = CKPT_LIT("checkpoints") };
	struct cell schema = { .kind = CELL_TEXT, .v = ckpt_view_of(d->config->schema) };
	struct ckpt_buf seen = { 0 }, other = { 0 }, there = { 0 };

	if (d->config->schema)
		list_names(s, s->dialect->schema, &schema, &there);
	list_names(s, s->dialect->tables, NULL, &seen);
	list_names(s, s->dialect->elsewhere, &table, &other);
	if (err->code)
		goto done;
	if (columns_have(&d->checkpoints, "thread_ts", 9)) {
		ckpt_fail(&why, CKPT_EUNSUPPORTED,
				"'%s' has the layout LangGraph used before August 2024 "
				"(column thread_ts)",
				s->base.name);
		ckpt_hint(&why, "open it once with a LangGraph of that time and copy its "
				"states over");
	} else if (d->checkpoints.is_view) {
		ckpt_fail(&why, CKPT_EUNSUPPORTED,
				"'checkpoints' in '%s' is not a table of its own: a view "
				"or "
				"virtual table is not read",
				s->base.name);
	} else if (d->config->schema && s->dialect->schema && !there.n) {
		ckpt_fail(&why, CKPT_ENOTFOUND, "there is no schema '%s' in '%s'",
				d->config->schema, s->base.name);
		if (other.n)
			ckpt_hint(&why, ELSEWHERE, other.p);
	} else {
		ckpt_fail(&why, CKPT_EUNSUPPORTED,
				"'%s' is a database of no known layout%s%s: "
				"found %s",
				s->base.name, d->config->schema ? " in schema " : "",
				d->config->schema ? d->config->schema : "",
				seen.n ? seen.p : "no tables at all");
		if (other.n)
			ckpt_hint(&why, ELSEWHERE, other.p);
		else
			ckpt_hint(&why, "the layouts that are known: ckpt help layouts");
	}
	*err = why;
done:
	ckpt_buf_free(&seen);
	ckpt_buf_free(&other);
	ckpt_buf_free(&there);
	return err->code;
}

static int check_layout_name(struct detect *d)
{
	for (size_t i = 0; layouts[i]; i++) {
		if (!d->config->layout ||
				strcmp(layouts[i]->name, d->config->layout) == 0)
			return 0;
	}
	ckpt_fail(d->s->base.err, CKPT_EUSAGE, "no layout '%s'", d->config->layout);
	ckpt_hint(d->s->base.err, "the layouts that are known: ckpt help layouts");
	return CKPT_EUSAGE;
}

static int see_encoding(struct sql_store *s)
{
	struct cursor *cur;
	struct cell cell;

	if (!s->dialect->encoding)
		return 0;
	if (sql_query(&cur, s, s->dialect->encoding, NULL, 0) < 0)
		return s->base.err->code;
	s->base.wide = sql_next(cur, &cell, 1) > 0 &&
	               !ckpt_view_eq(cell.v, CKPT_LIT("UTF-8"));
	sql_done(cur);
	return s->base.err->code;
}

int sql_detect(struct sql_store *s, const struct ckpt_config *config)
{
	struct detect d = { .s = s, .config = config };
	int rc = check_layout_name(&d);

	if (rc == 0)
		rc = s->dialect->catalog ? try_schemas(&d) : try_all(&d);
	if (rc == 0)
		rc = unknown_layout(&d);
	if (rc >= 0)
		rc = see_encoding(s);
	ckpt_buf_free(&d.checkpoints.names);
	ckpt_buf_free(&d.writes.names);
	ckpt_buf_free(&d.blobs.names);
	return rc < 0 ? rc : 0;
}
