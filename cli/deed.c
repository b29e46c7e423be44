/*
 * deed.c - a plan carried out, and its receipt; see deed.h.
 */
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ask.h"
#include "deed.h"

/* ---- the run ------------------------------------------------------------------------------ */

static int confirm(struct deed *d)
{
	const struct ckpt_prune_sum *s = &d->out->plan;
	struct ckpt_buf doing = { 0 }, question = { 0 }, name = { 0 };
	int64_t all = s->all_checkpoints ? s->all_checkpoints : 1;
	struct ask a = { .most = s->checkpoints * 2 > s->all_checkpoints,
		.yes = d->yes,
		.stdin_taken = d->stdin_taken,
		.hint = d->hint };
	int rc;

	ask_name(&name, d->cli);
	ckpt_buf_addf(&doing, "deleting %lld checkpoint%s", (long long)s->checkpoints,
			s->checkpoints == 1 ? "" : "s");
	ckpt_buf_addf(&question, "Delete %lld checkpoint%s (%lld %%) from %s?",
			(long long)s->checkpoints, s->checkpoints == 1 ? "" : "s",
			(long long)(s->checkpoints * 100 / all), name.n ? name.p : "");
	a.doing = doing.p;
	a.question = question.p;
	rc = doing.failed || question.failed || name.failed
	                     ? ckpt_fail(&d->cli->err, CKPT_ENOMEM, "out of memory")
	                     : ask(d->cli, &a);
	ckpt_buf_free(&doing);
	ckpt_buf_free(&question);
	ckpt_buf_free(&name);
	return rc;
}

static void on_progress(void *arg, int64_t done, int64_t all)
{
	struct deed *d = arg;

	progress_show(d->progress, d->doing, done, all);
}

static int by_name(const void *a, const void *b)
{
	return ckpt_view_cmp(*(const struct ckpt_view *)a, *(const struct ckpt_view *)b);
}

/* A view and, behind it, its bytes; NULL: no memory. */
static struct ckpt_view *keep_name(struct ckpt_view name)
{
	struct ckpt_view *v = malloc(sizeof(*v) + name.n + 1);

	if (v) {
		memcpy(v + 1, name.p, name.n);
		*v = (struct ckpt_view){ (const char *)(v + 1), name.n };
	}
	return v;
}

/* Told of each namespace, those of a thread in any order; out of memory, it is told twice. */
static void on_moved(void *arg, const struct ckpt_key *key)
{
	struct deed *d = arg;
	struct ckpt_view *kept = keep_name(key->thread), **at;
	char name[200];

	at = kept ? tsearch(kept, &d->moved, by_name) : NULL;
	if (!at || *at != kept)
		free(kept);
	if (at && *at != kept)
		return;
	d->nmoved++;
	cli_note(d->cli, "thread '%s' was written to in the meantime: left alone",
			ckpt_show_name(name, key->thread));
}

/* A file that others read is cut off later: the store itself only knows of what is in use. */
static void keep_tail(struct outcome *o)
{
	struct ckpt_space *s = &o->after;

	if (s->file == CKPT_UNKNOWN || s->reclaimable == CKPT_UNKNOWN ||
			o->done.file <= s->file)
		return;
	s->reclaimable += o->done.file - s->file;
	s->file = o->done.file;
}

/* How large the store is now; that this cannot be told is no failure. */
static void measure(struct deed *d, const char *name)
{
	struct ckpt_config config;
	struct ckpt_error err = { 0 };
	struct ckpt_store *store;

	d->out->after = (struct ckpt_space){ CKPT_UNKNOWN, CKPT_UNKNOWN, CKPT_UNKNOWN };
	cli_config(d->cli, &config);
	config.note = NULL;
	if (ckpt_store_open(&store, name, &config, &err) < 0)
		return;
	ckpt_store_space(store, &d->out->after);
	keep_tail(d->out);
	ckpt_store_end(store);
	ckpt_store_close(store);
}

/* The same words do not always lead to the rest. */
static void tell_interrupted(const struct deed *d)
{
	const struct ckpt_prune_done *done = &d->out->done;
	char again[100] = "run the same command again to finish";

	if ((d->named || d->expected) && d->o && d->o->vacuum && outcome_whole(d->out))
		snprintf(again, sizeof(again),
				"only room is left to give back: ckpt prune --vacuum%s%s",
				*d->o->vacuum ? "=" : "", d->o->vacuum);
	else if (d->named && done->threads)
		snprintf(again, sizeof(again),
				"%lld of the threads %s gone: name the others to finish",
				(long long)done->threads,
				done->threads == 1 ? "is" : "are");
	else if (d->expected)
		snprintf(again, sizeof(again),
				"the same without --expect-plan finishes it");
	cli_note(d->cli, "deleted %lld of %lld checkpoints; the store is consistent; %s",
			(long long)done->checkpoints, (long long)d->out->plan.checkpoints,
			again);
}

static struct ckpt_prune_how how_of(struct deed *d)
{
	const char *vacuum = d->o ? d->o->vacuum : NULL;

	return (struct ckpt_prune_how){ .shard = d->shard,
		.shards = d->shards,
		.archived = d->no_blobs,
		.vacuum = !vacuum   ? CKPT_VACUUM_NONE
		          : *vacuum ? CKPT_VACUUM_FULL
		                    : CKPT_VACUUM_STEPS,
		.progress = on_progress,
		.moved = on_moved,
		.arg = d };
}

static int carry_out(struct deed *d, const char *name)
{
	const struct ckpt_prune_how how = how_of(d);
	struct ckpt_config config;
	int rc;

	cli_config(d->cli, &config);
	rc = ckpt_prune_run(d->plan, name, &config, &how, &d->out->done, &d->cli->err);
	progress_end(d->progress);
	d->out->ran = true;
	d->out->plan.threads_skipped += d->nmoved;
	tdestroy(d->moved, free);
	if (rc == CKPT_EINTERRUPTED)
		tell_interrupted(d);
	if (*d->out->done.vacuum_why)
		cli_note(d->cli, "vacuum: %s", d->out->done.vacuum_why);
	else if (*d->out->done.vacuum_how && d->cli->g.verbose)
		cli_note(d->cli, "vacuum: %s", d->out->done.vacuum_how);
	measure(d, name);
	return rc;
}

/* ---- the archive -------------------------------------------------------------------------- */

static void on_archive(void *arg, const char *phase, int64_t done, int64_t all)
{
	struct deed *d = arg;

	progress_show(d->progress, phase, done, all);
}

/* From a snapshot of its own: nobody waits for a person with the store in hand. */
static int archive(struct deed *d, const char *name)
{
	const struct ckpt_archive_how how = { .progress = on_archive, .arg = d };
	const struct ckpt_prune_how run = how_of(d);
	const char *file = d->o->archive;
	struct ckpt_archive_sum sum;
	struct ckpt_config config;
	struct ckpt_store *store;
	struct ckpt_buf shown = { 0 };
	mode_t mask;
	int rc;

	/* nothing is to be written for a run that will be refused */
	cli_config(d->cli, &config);
	rc = ckpt_prune_check(name, &config, &run, &d->cli->err);
	rc = rc < 0 ? rc : cli_store_open(&store, d->cli, name);
	if (rc < 0)
		return rc;
	/* what states hold is for nobody else to read */
	mask = umask(077);
	rc = ckpt_prune_archive(d->plan, store, file, &config, &how, &sum);
	umask(mask);
	progress_end(d->progress);
	if (rc >= 0)
		rc = ckpt_store_end(store);
	ckpt_store_close(store);
	if (rc < 0)
		return rc;
	if (sum.resumed)
		cli_note(d->cli, "archive %s: of a run before, it holds all that goes",
				file);
	else if (sum.rows == CKPT_UNKNOWN)
		cli_note(d->cli,
				"archive %s: begun by a run before; complete, compared, "
				"synced",
				file);
	else
		cli_note(d->cli, "archive %s: %lld rows, compared, synced", file,
				(long long)sum.rows);
	d->no_blobs = sum.no_blobs;
	if (sum.no_blobs)
		cli_note(d->cli, "a SQLite archive has no place for blobs that nothing "
				 "names: they are left");
	ckpt_store_shown(&shown, name);
	if (!shown.failed)
		cli_note(d->cli, "to bring it back:  ckpt migrate %s %s", file, shown.p);
	ckpt_buf_free(&shown);
	return 0;
}

int deed_check(struct cli *cli, const struct deed_opts *o)
{
	if (o->vacuum && *o->vacuum && strcmp(o->vacuum, "full") != 0)
		return cli_usage(cli, "--vacuum=%s: there is --vacuum and --vacuum=full",
				o->vacuum);
	if (o->archive && !*o->archive)
		return cli_usage(cli, "--archive needs the name of a file");
	return 0;
}

int deed_do(struct deed *d)
{
	const char *given = d->cli->g.store ? d->cli->g.store : getenv("CKPT_STORE");
	const struct ckpt_prune_sum *s = &d->out->plan;
	/* then there is only room to give back */
	bool nothing = !s->checkpoints && !s->stray_writes && !s->stray_blobs;
	char *name = strdup(given ? given : "");
	int rc;

	if (!name)
		return ckpt_fail(&d->cli->err, CKPT_ENOMEM, "out of memory");
	rc = cli_store_close(d->cli);
	if (rc >= 0 && !nothing)
		rc = confirm(d);
	if (rc >= 0 && !nothing && d->o && d->o->archive)
		rc = archive(d, name);
	rc = rc < 0 ? rc : carry_out(d, name);
	free(name);
	return rc;
}

/* ---- the sums ----------------------------------------------------------------------------- */

static void put_count(struct ckpt_buf *to, int64_t n, const char *what)
{
	ckpt_buf_addf(to, "%lld %s%s", (long long)n, what, n == 1 ? "" : "s");
}

static void put_room(struct ckpt_buf *to, const struct outcome *o)
{
	int64_t unused = o->ran ? o->after.reclaimable : o->before.reclaimable;

	if (o->before.file == CKPT_UNKNOWN || unused == CKPT_UNKNOWN)
		return;
	if (!o->ran)
		unused += o->plan.bytes;
	if (!unused)
		return;
	ckpt_buf_puts(to, " (file ");
	text_size(to, o->ran ? o->after.file : o->before.file);
	ckpt_buf_puts(to, o->ran ? ": --vacuum=full gives back about "
				 : ": with --vacuum=full it shrinks by about ");
	text_size(to, unused);
	ckpt_buf_puts(to, ")");
}

/* Of a part the bytes are not known. */
bool outcome_whole(const struct outcome *o)
{
	return !o->ran || (o->done.checkpoints == o->plan.checkpoints &&
					  o->done.writes == o->plan.writes &&
					  o->done.blobs == o->plan.blobs);
}

static int64_t bytes_of(const struct outcome *o)
{
	const struct ckpt_prune_done *done = &o->done;

	if (outcome_whole(o))
		return o->plan.bytes;
	return done->checkpoints || done->writes || done->blobs ? CKPT_UNKNOWN : 0;
}

void outcome_line(struct ckpt_buf *to, const struct outcome *o)
{
	int64_t checkpoints = o->ran ? o->done.checkpoints : o->plan.checkpoints;
	int64_t blobs = o->ran ? o->done.blobs : o->plan.blobs;

	ckpt_buf_puts(to, o->ran ? "deleted " : "would delete ");
	put_count(to, checkpoints, "checkpoint");
	ckpt_buf_puts(to, ", ");
	put_count(to, o->ran ? o->done.writes : o->plan.writes, "write");
	if (blobs) {
		ckpt_buf_puts(to, ", ");
		put_count(to, blobs, "blob");
	}
	if (outcome_whole(o)) {
		ckpt_buf_puts(to, ": ");
		text_size(to, o->plan.bytes);
		ckpt_buf_puts(to, " of ");
		text_size(to, o->plan.all_bytes);
	}
	ckpt_buf_puts(to, "; ");
	put_count(to, o->ran ? o->done.threads : o->plan.threads_emptied, "thread");
	ckpt_buf_puts(to, " emptied");
	if (o->plan.threads_skipped) {
		ckpt_buf_puts(to, ", ");
		put_count(to, o->plan.threads_skipped, "active thread");
		ckpt_buf_puts(to, " left alone");
	}
	put_room(to, o);
}

void outcome_members(struct ckpt_buf *to, const struct outcome *o)
{
	text_int_member(to, "checkpoints",
			o->ran ? o->done.checkpoints : o->plan.checkpoints);
	text_int_member(to, "writes", o->ran ? o->done.writes : o->plan.writes);
	text_int_member(to, "blobs", o->ran ? o->done.blobs : o->plan.blobs);
	text_int_member(to, "bytes", bytes_of(o));
	text_int_member(to, "threads_emptied",
			o->ran ? o->done.threads : o->plan.threads_emptied);
	text_int_member(to, "threads_skipped", o->plan.threads_skipped);
	text_int_member(to, "file_bytes_before", o->before.file);
	text_int_member(to, "file_bytes_after", o->after.file);
}
