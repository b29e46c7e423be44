/*
 * sql_write.c - what everyone who writes to a database does first: open it, and refuse it unless
 * all is known about its tables.
 */
#include "sql_write.h"

int sql_open_bare(struct sql_store **out, const struct store_name *name,
		const struct ckpt_config *config, enum sql_mode mode,
		struct ckpt_error *err)
{
	bool sqlite = name->backend == &sqlite_backend;
	const struct driver *driver = sqlite ? &sqlite_driver : &postgres_driver;
	struct sql_store *s = calloc(1, sizeof(*s));
	struct conn *traced;
	int rc;

	*out = s;
	if (!s)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	s->base.err = err;
	s->base.backend = name->backend;
	s->dialect = sqlite ? &sqlite_dialect : &postgres_dialect;
	s->base.name = strdup(name->shown);
	if (!s->base.name)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	rc = mode == SQL_READ ? driver->open(&s->conn, name->where, config, err)
	                      : driver->open_write(&s->conn, name->where,
						mode == SQL_CREATE, config, err);
	if (rc == 0 && config->trace && trace_wrap(&traced, s->conn, config) == 0)
		s->conn = traced;
	return err->code;
}

/* What reading would only be told about keeps from writing. */
struct doubts {
	char first[300];
};

static void doubt(void *arg, const char *line)
{
	struct doubts *d = arg;

	if (!d->first[0])
		snprintf(d->first, sizeof(d->first), "%s", line);
}

/* Triggers would change what is written, row security would hide what is there. */
static int refuse_guarded(struct sql_store *s, const char *what)
{
	static const char sqlite[] =
			"SELECT tbl_name FROM sqlite_master WHERE type = 'trigger' "
			"AND lower(tbl_name) IN ('checkpoints', 'writes')";
	static const char postgres[] =
			"SELECT c.relname FROM pg_catalog.pg_class c WHERE c.oid IN "
			"(to_regclass($1), to_regclass($2), to_regclass($3)) AND "
			"(c.relrowsecurity OR EXISTS (SELECT 1 FROM "
			"pg_catalog.pg_trigger g "
			"WHERE g.tgrelid = c.oid AND NOT g.tgisinternal))";
	bool pg = s->dialect == &postgres_dialect;
	const char *names[] = { s->checkpoints, s->writes, s->blobs ? s->blobs : "" };
	struct cell args[3], row[1];
	struct cursor *cur;
	char name[200];

	for (size_t i = 0; i < 3; i++)
		args[i] = sql_key_cell(ckpt_view_of(names[i]), false);
	if (sql_query(&cur, s, pg ? postgres : sqlite, args, 3) < 0)
		return s->base.err->code;
	if (sql_next(cur, row, 1) > 0) {
		ckpt_fail(s->base.err, CKPT_EREFUSED,
				"table '%s' of %s has triggers or row security: what "
				"is written would not be what is sent",
				ckpt_show_name(name, row[0].v), what);
		ckpt_hint(s->base.err, "take them away, or use the application's own "
				       "means");
	}
	sql_done(cur);
	return s->base.err->code;
}

int sql_look(struct sql_store *s, const struct ckpt_config *config, const char *what)
{
	struct doubts doubts = { { 0 } };
	struct ckpt_config strict = *config;
	struct ckpt_error *err = s->base.err;

	strict.note = doubt;
	strict.arg = &doubts;
	if (sql_detect(s, &strict) < 0)
		return err->code;
	if (strcmp(s->layout->name, "langgraph") != 0)
		return ckpt_fail(err, CKPT_EREFUSED,
				"%s is of layout %s, which keeps no history: it is "
				"read, never written to",
				what, s->layout->name);
	if (doubts.first[0]) {
		ckpt_fail(err, CKPT_EREFUSED, "%s is not as it is known: %s", what,
				doubts.first);
		ckpt_hint(err, "a store of a newer release, or changed by hand, is read "
			       "but never written to");
		return err->code;
	}
	return refuse_guarded(s, what);
}
