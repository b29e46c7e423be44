/*
 * sql.c - opens a database as a store of checkpoints: finds its layout, resolves the columns
 * that may be missing, tells who wrote it. Reading rows is sql_scan.c.
 */
#include <stdlib.h>
#include <string.h>

#include "sql.h"

/* ---- which layout ---------------------------------------------------------------------------- */

struct columns { /* the column names of one table, space-separated, framed */
	struct ckpt_buf names;
	bool is_table, is_view;
};

static bool has_name(const struct columns *c, const char *name, size_t n)
{
	const char *p = c->names.p;

	while (p && (p = strchr(p, ' '))) {
		p++;
		if (strncmp(p, name, n) == 0 && p[n] == ' ')
			return true;
	}
	return false;
}

/* Walk a space-separated list; `*at` moves on. */
static bool next_word(const char **at, const char **word, size_t *n)
{
	while (**at == ' ')
		(*at)++;
	*word = *at;
	*n = strcspn(*at, " ");
	*at += *n;
	return *n > 0;
}

static int probe_columns(struct sql_store *s, const char *table, struct columns *out)
{
	struct cell arg = { .kind = CELL_TEXT, .v = ckpt_view_of(table) }, cell[2];
	struct ckpt_buf pragma = {
		0
	}; /* takes no parameter; names are the layout's own */
	struct cursor *cur = NULL;
	int rc = 0;

	*out = (struct columns){ 0 };
	if (sql_query(&cur, s,
			    "SELECT type, rootpage FROM sqlite_master WHERE name = $1 "
			    "AND type IN ('table', 'view')",
			    &arg, 1) < 0)
		return s->base.err->code;
	if (sql_next(cur, cell, 2) > 0) {
		/* a virtual table has no pages of its own: somebody's code would answer */
		out->is_table = ckpt_view_eq(cell[0].v, CKPT_LIT("table")) &&
		                cell[1].i > 0;
		out->is_view = !out->is_table;
	}
	sql_done(cur);
	if (!out->is_table)
		return s->base.err->code;
	ckpt_buf_addf(&pragma, "PRAGMA table_info(%s)", table);
	if (!pragma.failed)
		rc = sql_query(&cur, s, pragma.p, NULL, 0);
	ckpt_buf_puts(&out->names, " ");
	while (rc >= 0 && (rc = sql_next(cur, cell, 2)) > 0) {
		size_t at = out->names.n;

		ckpt_buf_add(&out->names, cell[1].v.p, cell[1].v.n);
		for (; !out->names.failed && at < out->names.n; at++) {
			if (out->names.p[at] == ' ') /* one name, not two */
				out->names.p[at] = '\t';
		}
		ckpt_buf_puts(&out->names, " ");
	}
	sql_done(cur);
	out->names.failed |= pragma.failed;
	ckpt_buf_free(&pragma);
	if (out->names.failed)
		return ckpt_fail(s->base.err, CKPT_ENOMEM, "out of memory");
	return rc;
}

static bool has_all(const struct columns *c, const char *required)
{
	const char *at = required, *word;
	size_t n;

	while (next_word(&at, &word, &n)) {
		if (!has_name(c, word, n))
			return false;
	}
	return c->is_table;
}

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

		if (known.names.failed || has_name(&known, word, n))
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

static int list_tables(struct sql_store *s, struct ckpt_buf *to)
{
	struct cursor *cur;
	struct cell cell;
	char name[200];
	int rc, n = 0;

	if (sql_query(&cur, s,
			    "SELECT name FROM sqlite_master WHERE type IN ('table', "
	                    "'view') "
			    "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
			    NULL, 0) < 0)
		return s->base.err->code;
	while ((rc = sql_next(cur, &cell, 1)) > 0 && to->n < 200)
		ckpt_buf_addf(to, "%s%s", n++ ? ", " : "", ckpt_show_name(name, cell.v));
	sql_done(cur);
	if (to->n == 0)
		ckpt_buf_puts(to, "no tables at all");
	return rc;
}

static int unknown_layout(struct sql_store *s, const struct columns *checkpoints)
{
	struct ckpt_error *err = s->base.err;
	struct ckpt_buf seen = { 0 };

	if (list_tables(s, &seen) < 0 || seen.failed) {
		ckpt_buf_free(&seen);
		return err->code ? err->code
		                 : ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	}
	if (has_name(checkpoints, "thread_ts", 9)) {
		ckpt_fail(err, CKPT_EUNSUPPORTED,
				"'%s' has the layout LangGraph used before August 2024 "
				"(column thread_ts)",
				s->base.name);
		ckpt_hint(err, "open it once with a LangGraph of that time and copy its "
		               "states over");
	} else if (checkpoints->is_view) {
		ckpt_fail(err, CKPT_EUNSUPPORTED,
				"'checkpoints' in '%s' is not a table of its own: "
				"a view or virtual table is not read",
				s->base.name);
	} else {
		ckpt_fail(err, CKPT_EUNSUPPORTED,
				"'%s' is a database of no known layout: found %s",
				s->base.name, seen.p);
		ckpt_hint(err, "the layouts that are known: ckpt help layouts");
	}
	ckpt_buf_free(&seen);
	return err->code;
}

/* {name|default} → name or default. */
static const char *resolve(struct sql_store *s, const char *col, const struct columns *c)
{
	const char *bar, *end;
	struct ckpt_view v;

	if (!col || col[0] != '{')
		return col;
	bar = strchr(col, '|');
	end = strchr(col, '}');
	if (!bar || !end || has_name(c, col + 1, (size_t)(bar - col) - 1))
		v = (struct ckpt_view){ col + 1,
			(size_t)((bar ? bar : col + 1) - col) - 1 };
	else
		v = (struct ckpt_view){ bar + 1, (size_t)(end - bar) - 1 };
	return arena_copy(&s->arena, v, s->base.err).p;
}

static int try_layout(struct sql_store *s, const struct layout *l,
		const struct ckpt_config *config, struct columns *checkpoints)
{
	struct columns writes;
	bool fits;

	if (probe_columns(s, l->checkpoints.name, checkpoints) < 0 ||
			probe_columns(s, l->writes.name, &writes) < 0)
		return s->base.err->code;
	s->has_writes = has_all(&writes, l->writes.required);
	fits = has_all(checkpoints, l->checkpoints.required) &&
	       (s->has_writes || (l->writes.may_lack && !writes.is_table &&
						 !writes.is_view));
	if (fits) {
		s->layout = l;
		for (size_t i = 0; i < CHECKPOINT_COLS; i++)
			s->cols[i] = resolve(s, l->cols[i], checkpoints);
		for (size_t i = 0; i < WRITE_COLS; i++)
			s->write_cols[i] = resolve(s, l->write_cols[i], &writes);
		note_unknown(checkpoints, &l->checkpoints, config);
		if (s->has_writes)
			note_unknown(&writes, &l->writes, config);
		else if (config->note)
			config->note(config->arg,
					"the store has no table of pending writes");
	}
	ckpt_buf_free(&writes.names);
	return s->base.err->code ? s->base.err->code : fits;
}

static int detect(struct sql_store *s, const struct ckpt_config *config)
{
	struct columns checkpoints = { 0 };
	int rc = 0;

	for (size_t i = 0; layouts[i] && rc == 0; i++) {
		if (strcmp(layouts[i]->engine, s->conn->driver->name) != 0 ||
				(config->layout &&
						strcmp(config->layout,
								layouts[i]->name) != 0))
			continue;
		ckpt_buf_free(&checkpoints.names);
		rc = try_layout(s, layouts[i], config, &checkpoints);
	}
	if (rc == 0)
		rc = unknown_layout(s, &checkpoints);
	ckpt_buf_free(&checkpoints.names);
	return rc < 0 ? rc : 0;
}

/* ---- open, describe, end ----------------------------------------------------------------------- */

static void sql_close(struct ckpt_store *store)
{
	struct sql_store *s = sql_of(store);

	if (s->conn)
		s->conn->driver->close(s->conn);
	arena_free(&s->arena);
	free(s->base.name);
	free(s);
}

static int sqlite_store_open(struct ckpt_store **out, const char *where,
		const struct ckpt_config *config, struct ckpt_error *err)
{
	struct sql_store *s = calloc(1, sizeof(*s));
	struct conn *traced;

	*out = NULL;
	if (!s)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	s->base.err = err;
	s->base.backend = &sqlite_backend;
	s->base.name = strdup(where);
	if (!s->base.name)
		ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	else
		sqlite_driver.open(&s->conn, where, config, err);
	if (!err->code && detect(s, config) == 0 && config->trace) {
		/* from here on: how the layout was found is of no interest */
		if (trace_wrap(&traced, s->conn, config) == 0)
			s->conn = traced;
	}
	if (err->code) {
		sql_close(&s->base);
		return err->code;
	}
	s->base.tentative = s->conn->tentative;
	*out = &s->base;
	return 0;
}

/* Who wrote the store: the container of a few rows, evenly spread. */
static int sample_writers(struct sql_store *s, unsigned *writers)
{
	enum { SAMPLES = 6 };
	struct ckpt_buf sql = { 0 };
	struct cell cell[2];
	struct cursor *cur;

	*writers = 0;
	ckpt_buf_addf(&sql,
			"WITH span AS (SELECT min(rowid) AS a, max(rowid) AS z FROM "
	                "%1$s), "
			"step(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM step WHERE i < "
	                "%2$d) "
			"SELECT type, CASE WHEN type = 'json' OR type IS NULL THEN %3$s "
	                "END FROM step, "
			"span JOIN %1$s AS c ON c.rowid = (SELECT rowid FROM %1$s WHERE "
	                "rowid >= "
			"span.a + (span.z - span.a) * step.i / %2$d LIMIT 1)",
			s->layout->checkpoints.name, SAMPLES, s->layout->cols[COL_BODY]);
	if (sql.failed)
		return ckpt_fail(s->base.err, CKPT_ENOMEM, "out of memory");
	if (sql_query(&cur, s, sql.p, NULL, 0) == 0) {
		while (sql_next(cur, cell, 2) > 0)
			*writers |= codec_writer(cell[0].v, cell[1].v);
		sql_done(cur);
	}
	ckpt_buf_free(&sql);
	return s->base.err->code;
}

static int sql_about(struct ckpt_store *store, struct ckpt_about *out)
{
	struct sql_store *s = sql_of(store);

	*out = (struct ckpt_about){
		.uri = s->base.name,
		.engine = s->layout->engine,
		.layout = s->layout->name,
	};
	return sample_writers(s, &out->writers);
}

static int sql_end(struct ckpt_store *store)
{
	struct sql_store *s = sql_of(store);

	return s->conn->driver->settle(s->conn);
}

const struct backend sqlite_backend = {
	.name = "sqlite",
	.open = sqlite_store_open,
	.about = sql_about,
	.scan = sql_scan,
	.next = sql_scan_next,
	.done = sql_scan_done,
	.end = sql_end,
	.close = sql_close,
};
