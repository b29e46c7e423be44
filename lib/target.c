/*
 * target.c - where rows are copied to, by its name. What each kind does is target_*.c's.
 */
#include <unistd.h>

#include "edit.h"
#include "put.h"
#include "target.h"

int target_unsealed(const char *name, struct ckpt_error *err)
{
	struct store_name n;

	if (store_resolve(&n, name, err) == 0)
		store_unsealed(&n, err);
	store_name_free(&n);
	return err->code;
}

int target_possible(const char *name, const struct ckpt_config *config, bool *apart,
		struct ckpt_error *err)
{
	struct ckpt_error why = *err;
	struct store_name n;

	*err = (struct ckpt_error){ 0 };
	if (store_resolve(&n, name, err) == 0) {
		*apart = n.backend == &postgres_backend ||
		         (n.backend == &dump_backend && *apart);
		/* no such file, or a database without our tables */
		if (why.code == CKPT_EMISSING && n.backend == &postgres_backend)
			*err = why;
		else if (why.code == CKPT_EUNSUPPORTED || why.code == CKPT_ENOTFOUND)
			sql_target_possible(&n, config, &why, err);
		else if (why.code != CKPT_EMISSING)
			*err = why;
	}
	store_name_free(&n);
	return err->code;
}

int target_alterable(struct ckpt_store *s)
{
	return s->backend == &postgres_backend ? edit_alterable(sql_of(s)) : 0;
}

bool target_has_paths(struct ckpt_store *s)
{
	bool sql = s->backend == &sqlite_backend || s->backend == &postgres_backend;

	return !sql || put_has_path(sql_of(s));
}

void target_mend(const char *name, const struct ckpt_config *config)
{
	static const char read[] = "SELECT count(*) FROM sqlite_master";
	struct ckpt_error err = { 0 };
	struct ckpt_buf journal = { 0 };
	struct store_name n;
	struct conn *conn;

	if (store_resolve(&n, name, &err) == 0 && n.backend == &sqlite_backend) {
		ckpt_buf_addf(&journal, "%s-journal", n.where);
		if (!journal.failed && access(journal.p, F_OK) == 0 &&
				sqlite_driver.open_write(&conn, n.where, false, config,
						&err) == 0) {
			sqlite_driver.exec(conn, read, NULL, 0);
			sqlite_driver.close(conn);
		}
		ckpt_buf_free(&journal);
	}
	store_name_free(&n);
}

static void note_jobs(const struct target_config *config, bool server)
{
	const struct ckpt_config *c = config->store;

	if (config->asked && config->jobs > 1 && c->note)
		c->note(c->arg, server ? "one job: statements are shown in their order"
				       : "one job: only a server takes rows from "
					 "several");
}

int target_open(struct target **out, const char *name, const struct target_config *config,
		struct ckpt_error *err)
{
	struct store_name n;

	*out = NULL;
	if (store_resolve(&n, name, err) == 0) {
		bool server = n.backend == &postgres_backend;
		/* one thing after the other where somebody watches */
		bool fan = server && config->jobs > 1 && !config->store->trace;

		if (!fan)
			note_jobs(config, server);
		if (fan)
			fan_target_open(out, &n, config, err);
		else if (server || n.backend == &sqlite_backend)
			sql_target_open(out, &n, config, err);
		else
			dump_target_open(out, &n, config, err);
	}
	store_name_free(&n);
	return err->code;
}
