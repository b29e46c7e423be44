/*
 * sql.c - a database as a store of checkpoints: opened, described, ended. Finding the tables is
 * sql_layout.c, reading rows sql_scan.c.
 */
#include <stdlib.h>
#include <string.h>

#include "postgres.h"
#include "sql.h"

struct sql_engine { /* what makes SQL stores differ */
	const struct backend *backend;
	const struct driver *driver;
	const struct sql_dialect *dialect;
};

static void sql_close(struct ckpt_store *store)
{
	struct sql_store *s = sql_of(store);

	if (s->conn)
		s->conn->driver->close(s->conn);
	arena_free(&s->arena);
	crypt_free(s->base.crypt);
	free(s->base.name);
	free(s);
}

int sql_open_row(struct sql_store *s, struct ckpt_view *type, enum ckpt_lock *lock,
		struct ckpt_view *body, struct arena *arena)
{
	const struct row_reader r = { s->base.crypt, arena, s->base.err };

	return row_open(&r, type, lock, body);
}

static int sql_open(struct ckpt_store **out, const struct sql_engine *engine,
		const char *where, const char *shown, const struct ckpt_config *config,
		struct ckpt_error *err)
{
	struct sql_store *s = calloc(1, sizeof(*s));
	struct conn *traced;

	*out = NULL;
	if (!s)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	s->base.err = err;
	s->base.backend = engine->backend;
	s->base.name = strdup(shown);
	s->dialect = engine->dialect;
	if (!s->base.name)
		ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	else if (row_key(&s->base.crypt, config, err) == 0)
		engine->driver->open(&s->conn, where, config, err);
	if (!err->code && sql_detect(s, config) == 0 && config->trace) {
		/* from here on: how the layout was found is of no interest */
		if (trace_wrap(&traced, s->conn, config) == 0)
			s->conn = traced;
	}
	if (err->code) {
		sql_close(&s->base);
		return err->code;
	}
	s->base.tentative = s->conn->tentative;
	s->base.inlines = engine->backend == &postgres_backend;
	s->base.has_blobs = s->has_blobs;
	s->base.shallow = s->layout == &layout_shallow;
	*out = &s->base;
	return 0;
}

/* What was found out about the tables is shared; a key's cipher has a state, and statements are
 * traced in order: then one thread has to do. */
static int sql_twin(
		struct ckpt_store **out, struct ckpt_store *store, struct ckpt_error *err)
{
	const struct sql_store *s = sql_of(store);
	struct sql_store *twin;

	*out = NULL;
	if (store->crypt || !s->conn->driver->twin)
		return 0;
	twin = malloc(sizeof(*twin));
	if (!twin)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	*twin = *s;
	twin->arena = (struct arena){ 0 };
	twin->base.err = err;
	twin->base.stop = NULL;
	twin->base.name = strdup(store->name);
	s->conn->driver->twin(&twin->conn, s->conn, err);
	if (twin->base.name && twin->conn)
		*out = &twin->base;
	else
		sql_close(&twin->base);
	return err->code;
}

static int sqlite_open(struct ckpt_store **out, const char *where, const char *shown,
		const struct ckpt_config *config, struct ckpt_error *err)
{
	static const struct sql_engine sqlite = { &sqlite_backend, &sqlite_driver,
		&sqlite_dialect };

	return sql_open(out, &sqlite, where, shown, config, err);
}

static int postgres_open(struct ckpt_store **out, const char *where, const char *shown,
		const struct ckpt_config *config, struct ckpt_error *err)
{
	static const struct sql_engine postgres = { &postgres_backend, &postgres_driver,
		&postgres_dialect };

	return sql_open(out, &postgres, where, shown, config, err);
}

static int sql_about(struct ckpt_store *store, struct ckpt_about *out)
{
	struct sql_store *s = sql_of(store);
	struct cursor *cur;
	struct cell cell[2];

	*out = (struct ckpt_about){
		.uri = s->base.name,
		.engine = s->layout->engine,
		.layout = s->layout->name,
		.schema = s->base.schema,
	};
	if (sql_query(&cur, s, s->samples, NULL, 0) < 0)
		return s->base.err->code;
	while (sql_next(cur, cell, 2) > 0)
		out->writers |= codec_writer(cell[0].v, cell[1].v);
	sql_done(cur);
	/* a damaged page under a sample: what is asked for may be whole. On PostgreSQL the
	   transaction is over with the first failure */
	if (s->base.err->code == CKPT_ECORRUPT && s->dialect == &sqlite_dialect)
		*s->base.err = (struct ckpt_error){ 0 };
	return s->base.err->code;
}

static int sql_end(struct ckpt_store *store)
{
	struct sql_store *s = sql_of(store);

	return s->conn->driver->settle(s->conn);
}

const struct backend sqlite_backend = {
	.name = "sqlite",
	.open = sqlite_open,
	.twin = sql_twin,
	.about = sql_about,
	.space = sql_space,
	.scan = sql_scan,
	.next = sql_scan_next,
	.done = sql_scan_done,
	.end = sql_end,
	.split = sql_split,
	.drift = sql_drift,
	.close = sql_close,
};

const struct backend postgres_backend = {
	.name = "postgresql",
	.open = postgres_open,
	.twin = sql_twin,
	.about = sql_about,
	.space = sql_space,
	.scan = sql_scan,
	.next = sql_scan_next,
	.done = sql_scan_done,
	.end = sql_end,
	.split = sql_split,
	.drift = sql_drift,
	.close = sql_close,
};
