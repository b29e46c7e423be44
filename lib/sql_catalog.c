/*
 * sql_catalog.c - what tables and columns a database has: looked up in one answer of the engine
 * about all of them where each question is a way over the network, else asked table by table.
 * What they mean is decided in sql_layout.c.
 */
#include <string.h>

#include "sql_catalog.h"

/* ---- words ------------------------------------------------------------------------------------ */

bool columns_have(const struct columns *c, const char *name, size_t n)
{
	const char *p = c->names.p;

	while (p && (p = strchr(p, ' '))) {
		p++;
		if (strncmp(p, name, n) == 0 && (p[n] == ' ' || p[n] == ':'))
			return true;
	}
	return false;
}

bool next_word(const char **at, const char **word, size_t *n)
{
	while (**at == ' ')
		(*at)++;
	*word = *at;
	*n = strcspn(*at, " ");
	*at += *n;
	return *n > 0;
}

bool columns_have_all(const struct columns *c, const char *required)
{
	const char *at = required, *word;
	size_t n;

	while (next_word(&at, &word, &n)) {
		if (!columns_have(c, word, n))
			return false;
	}
	return c->is_table;
}

/* ---- what is there -------------------------------------------------------------------------------- */

static void add_name(struct ckpt_buf *to, struct ckpt_view name)
{
	size_t at = to->n;

	ckpt_buf_add(to, name.p, name.n);
	for (; !to->failed && at < to->n; at++) {
		if (to->p[at] == ' ') /* one name, not two */
			to->p[at] = '\t';
	}
	ckpt_buf_puts(to, " ");
}

/* The tables any layout of this engine has. */
static void add_tables(struct ckpt_buf *to, const struct sql_store *s)
{
	for (size_t i = 0; layouts[i]; i++) {
		const struct layout *l = layouts[i];
		const char *names[] = { l->checkpoints.name, l->writes.name,
			l->blobs.name, l->migrations };

		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
			if (names[k] && strcmp(l->engine, s->dialect->engine) == 0)
				ckpt_buf_addf(to, "%s%s", to->n ? " " : "", names[k]);
		}
	}
}

static struct relation *relation_new(struct sql_store *s, const struct cell row[static 4])
{
	struct ckpt_error *err = s->base.err;
	struct relation *r = arena_take(&s->arena, sizeof(*r), err);
	struct ckpt_buf columns = { 0 };

	ckpt_buf_puts(&columns, " ");
	ckpt_buf_add(&columns, row[3].v.p, row[3].v.n);
	ckpt_buf_puts(&columns, " ");
	if (columns.failed)
		ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	else if (r)
		*r = (struct relation){ .schema = arena_copy(&s->arena, row[0].v, err).p,
			.name = arena_copy(&s->arena, row[1].v, err).p,
			.columns = arena_copy(&s->arena, ckpt_buf_view(&columns), err).p,
			.is_table = row[2].i != 0 };
	ckpt_buf_free(&columns);
	return r;
}

int catalog_read(struct relation **out, struct sql_store *s, const char *schema)
{
	struct relation **end = out;
	struct ckpt_buf names = { 0 };
	struct cell args[2], row[4];
	struct cursor *cur = NULL;

	*out = NULL;
	add_tables(&names, s);
	args[0] = (struct cell){ .kind = CELL_TEXT, .v = ckpt_buf_view(&names) };
	args[1] = sql_key_cell(ckpt_view_of(schema), false);
	if (names.failed)
		ckpt_fail(s->base.err, CKPT_ENOMEM, "out of memory");
	else
		sql_query(&cur, s, s->dialect->catalog, args, 2);
	while (cur && sql_next(cur, row, 4) > 0) {
		*end = relation_new(s, row);
		if (s->base.err->code)
			break;
		end = &(*end)->next;
	}
	sql_done(cur);
	ckpt_buf_free(&names);
	return s->base.err->code;
}

static void look_up(const struct relation *r, const char *schema, const char *table,
		struct columns *out)
{
	for (; r; r = r->next) {
		if (strcmp(r->schema, schema) != 0 || strcmp(r->name, table) != 0)
			continue;
		out->is_table = r->is_table;
		out->is_view = !r->is_table;
		if (r->is_table)
			ckpt_buf_puts(&out->names, r->columns);
	}
}

static int ask(struct sql_store *s, const char *table, struct columns *out)
{
	struct cell arg = { .kind = CELL_TEXT, .v = ckpt_view_of(table) };
	struct ckpt_buf sql = { 0 };
	struct cursor *cur = NULL;
	struct cell cell[2];
	int rc;

	if (sql_query(&cur, s, s->dialect->relation, &arg, 1) < 0)
		return s->base.err->code;
	if (sql_next(cur, cell, 1) > 0) {
		out->is_table = ckpt_view_eq(cell[0].v, CKPT_LIT("table"));
		out->is_view = !out->is_table;
	}
	sql_done(cur);
	if (!out->is_table || s->base.err->code)
		return s->base.err->code;
	/* the names are the layout's own, never a store's */
	ckpt_buf_addf(&sql, s->dialect->columns, table);
	ckpt_buf_puts(&out->names, " ");
	rc = sql.failed ? ckpt_fail(s->base.err, CKPT_ENOMEM, "out of memory")
	                : sql_query(&cur, s, sql.p, NULL, 0);
	while (rc >= 0 && (rc = sql_next(cur, cell, s->dialect->column_at + 1)) > 0)
		add_name(&out->names, cell[s->dialect->column_at].v);
	if (rc == 0)
		sql_done(cur);
	ckpt_buf_free(&sql);
	return rc;
}

int columns_of(struct sql_store *s, const struct relation *catalog, const char *table,
		struct columns *out)
{
	int rc = 0;

	ckpt_buf_free(&out->names);
	*out = (struct columns){ 0 };
	if (table && s->dialect->catalog)
		look_up(catalog, s->base.schema, table, out);
	else if (table)
		rc = ask(s, table, out);
	if (rc >= 0 && out->names.failed)
		rc = ckpt_fail(s->base.err, CKPT_ENOMEM, "out of memory");
	return rc;
}
