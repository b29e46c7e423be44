/*
 * delete_secure.c - bytes of deleted rows are overwritten, as far as an engine can be told to.
 */
#include "delete.h"
#include "vacuum.h"

static void note(const struct ckpt_delete *d, const char *line)
{
	if (d->config->note)
		d->config->note(d->config->arg, line);
}

static int run_sql(struct ckpt_delete *d, const char *sql)
{
	int n = edit_exec(d->edit, sql, NULL, 0);

	return n < 0 ? n : 0;
}

/* What older changes left in free pages and in gaps of others is not known: the file is written
 * anew. The log keeps old pages until all of it is in the file and nobody reads it any more. */
static int sqlite_end(struct ckpt_delete *d)
{
	const struct vacuum_how how = { .full = true };
	struct vacuum_sum sum;

	if (vacuum_run(d->edit, &how, &sum) < 0)
		return d->err->code;
	if (!*sum.why)
		return 0;
	return ckpt_fail(d->err, CKPT_EINCOMPLETE,
			"the rows are gone, but another process reads the store: its log "
			"still holds old pages");
}

static int postgres_end(struct ckpt_delete *d)
{
	static const char *const tables[] = { "VACUUM {checkpoints}", "VACUUM {writes}",
		"VACUUM {blobs}" };
	const struct sql_store *s = d->edit->sql;
	const bool there[] = { true, s->has_writes, s->has_blobs };
	int rc = 0;

	for (size_t i = 0; i < 3 && rc == 0; i++)
		rc = there[i] ? run_sql(d, tables[i]) : 0;
	note(d, "the tables were vacuumed; PostgreSQL cannot be told to overwrite: bytes "
		"stay "
		"in pages until these are used again (VACUUM FULL writes the tables "
		"anew), and "
		"in its log, in replicas and in backups");
	return rc;
}

int delete_secure_start(struct ckpt_delete *d)
{
	/* a journal that is kept holds the pages as they were */
	return d->edit->server ? 0 : run_sql(d, "PRAGMA journal_size_limit=0");
}

int delete_secure_end(struct ckpt_delete *d)
{
	return d->edit->server ? postgres_end(d) : sqlite_end(d);
}

/* The same again would not find what is gone. */
void delete_secure_hint(const struct ckpt_delete *d)
{
	const struct ckpt_receipt *gone = &d->gone->rows;

	if (gone->checkpoints || gone->writes || gone->blobs)
		ckpt_hint(d->err,
				"older copies of what is gone may be left in free room: "
				"ckpt prune --vacuum=full writes it anew");
}
