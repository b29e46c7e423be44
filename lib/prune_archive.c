/*
 * prune_archive.c - what goes is first written elsewhere, whole and compared value by value: a copy
 * as migrate makes it, of what the plan names. A file that is there already must hold all of it, as
 * that of a run that was interrupted while it deleted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "prune.h"

struct archive {
	struct ckpt_prune *p;
	struct ckpt_store *store;
	const struct ckpt_archive_how *how;
	struct ckpt_archive_sum *out;
	struct ckpt_error *err;
	char why[300]; /* the first row that does not fit exactly */
	int failed;    /* looking up keys */
};

static bool goes(struct archive *a, const struct ckpt_key *key)
{
	int rc = ckpt_prune_has(a->p, key, false);

	if (rc < 0)
		a->failed = rc;
	return rc > 0;
}

static bool on_wanted(void *arg, const struct ckpt_checkpoint *c)
{
	return goes(arg, &c->key);
}

static void on_care(void *arg, const struct ckpt_care *c)
{
	struct archive *a = arg;
	char thread[200], detail[200];

	if (!*a->why)
		snprintf(a->why, sizeof(a->why), "%s in thread '%.100s': %.120s", c->code,
				ckpt_show_name(thread, c->key.thread),
				ckpt_show_name(detail, c->detail));
}

static void on_progress(void *arg, const char *phase, int64_t done, int64_t all)
{
	const struct archive *a = arg;

	if (a->how->progress)
		a->how->progress(a->how->arg, phase, done, all);
}

/* ---- a file that is there ------------------------------------------------------------------------- */

static int refuse(struct archive *a, const char *file, const char *why)
{
	ckpt_fail(a->err, CKPT_EREFUSED, "refused: the archive '%s' %s", file, why);
	ckpt_hint(a->err, "name a file that is not there yet");
	return a->err->code;
}

/* Does it hold all that goes now, as it is? */
static int compare(struct archive *a, struct ckpt_store *there, const char *file)
{
	const struct ckpt_match_how how = { .migrated = a->store->inlines !=
		                                        there->inlines };
	struct ckpt_difference d;
	struct ckpt_match *match;
	bool lacks = false;
	int rc = ckpt_match_open(&match, a->store, there, &how);

	while (rc >= 0 && !lacks && (rc = ckpt_match_next(match, &d)) > 0)
		lacks = d.op != CKPT_ONLY_B && d.key.id.p && goes(a, &d.key);
	ckpt_match_close(match);
	rc = a->failed ? a->failed : rc;
	if (rc >= 0 && lacks)
		rc = refuse(a, file, "is there already, and does not hold what goes");
	return rc < 0 ? rc : 0;
}

/* The store by another name holds all that goes, and would not for long. */
static bool is_store(const struct archive *a, const struct stat *st)
{
	struct ckpt_error err = { 0 };
	struct store_name n;
	struct stat own;
	bool same = store_resolve(&n, a->store->name, &err) == 0 &&
	            stat(n.where, &own) == 0 && own.st_dev == st->st_dev &&
	            own.st_ino == st->st_ino;

	store_name_free(&n);
	return same;
}

/* SQLite takes a file of such a name for its own: it would be read as rows, or thrown away. */
static bool is_side_file(const struct archive *a, const char *where)
{
	static const char *const ends[] = { "-wal", "-shm", "-journal", "-ckpt" };
	size_t all = strlen(where);
	bool side = false;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]) && !side; i++) {
		size_t n = strlen(ends[i]);
		char *base = NULL;
		struct stat st;

		if (all <= n || strcmp(where + all - n, ends[i]) != 0)
			continue;
		base = strndup(where, all - n);
		side = !base || (stat(base, &st) == 0 && is_store(a, &st));
		free(base);
	}
	return side;
}

/* Whoever wrote it may have been killed before it was on disk, and may have it in a log. */
static int sync_old(struct archive *a, const char *file, const char *where)
{
	struct ckpt_buf wal = { 0 };
	int rc = files_sync(where);

	ckpt_buf_addf(&wal, "%s-wal", where);
	if (wal.failed)
		rc = ckpt_fail(a->err, CKPT_ENOMEM, "out of memory");
	else if (rc < 0 || (access(wal.p, F_OK) == 0 && files_sync(wal.p) < 0))
		rc = ckpt_fail(a->err, CKPT_EIO, "cannot write the archive '%s': %s",
				file, strerror(errno));
	ckpt_buf_free(&wal);
	return rc;
}

static int check_old(struct archive *a, const char *file, const struct store_name *name,
		const struct stat *st, const struct ckpt_config *config)
{
	struct ckpt_error err = { 0 };
	struct ckpt_store *there;
	int rc;

	if (!S_ISREG(st->st_mode))
		return refuse(a, file, "is there, and no regular file");
	if (is_store(a, st))
		return refuse(a, file, "is the store itself");
	if (ckpt_store_open(&there, file, config, &err) < 0)
		return refuse(a, file, "is there already, and no archive");
	rc = compare(a, there, file);
	if (rc >= 0 && err.code)
		rc = refuse(a, file, "is there already, and cannot be read");
	if (rc >= 0)
		rc = ckpt_store_end(there);
	ckpt_store_close(there);
	/* closed: SQLite's locks on a file go with any descriptor of it */
	rc = rc < 0 ? rc : sync_old(a, file, name->where);
	a->out->resumed = rc >= 0;
	return rc;
}

/* ---- a new file ----------------------------------------------------------------------------------- */

/* Named with its reason; the way out is the form that takes everything. */
static int not_exact(struct archive *a, const char *file)
{
	*a->err = (struct ckpt_error){ 0 };
	ckpt_fail(a->err, CKPT_EREFUSED,
			"refused: '%s' cannot hold all of what goes exactly: %s", file,
			a->why);
	ckpt_hint(a->err, "an archive in JSON Lines can: --archive FILE.jsonl");
	return a->err->code;
}

/* One that is named and was not found is gone since, or was overlooked: better nothing goes. */
static int is_all(struct archive *a, const char *file, int64_t checkpoints)
{
	long long want = (long long)doomed_count(a->p->doomed);

	if (checkpoints == want)
		return 0;
	ckpt_fail(a->err, CKPT_EBUSY,
			"the store changed: of %lld checkpoints to delete '%s' has %lld",
			want, file, (long long)checkpoints);
	ckpt_hint(a->err, "nothing was deleted; look again, and name another file");
	return a->err->code;
}

static int copy(struct archive *a, const char *file, const struct ckpt_config *config,
		bool exact)
{
	struct ckpt_migrate_how how = { .dry_run = !exact,
		.wanted = on_wanted,
		.care = on_care,
		.progress = on_progress,
		.arg = a };
	struct ckpt_migrate_sum sum;
	int rc;

	/* another engine's rows are looked at first: they may not fit as they are */
	if (!exact) {
		rc = ckpt_migrate(a->store, file, config, &how, &sum);
		if (*a->why)
			return not_exact(a, file);
		if (rc < 0)
			return rc;
		how.dry_run = false;
	}
	rc = ckpt_migrate(a->store, file, config, &how, &sum);
	if (*a->why)
		return not_exact(a, file);
	if (a->failed)
		return a->failed;
	a->out->rows = sum.checkpoints + sum.writes + sum.blobs;
	a->out->bytes = sum.bytes;
	/* a run that ended early left a part of them in the file that is now whole */
	return rc < 0 ? rc : is_all(a, file, sum.checkpoints + sum.skipped);
}

int ckpt_prune_archive(struct ckpt_prune *p, struct ckpt_store *store, const char *file,
		const struct ckpt_config *config, const struct ckpt_archive_how *how,
		struct ckpt_archive_sum *out)
{
	struct archive a = {
		.p = p, .store = store, .how = how, .out = out, .err = store->err
	};
	struct store_name n;
	struct stat st;
	bool dump;
	int rc;

	*out = (struct ckpt_archive_sum){ 0 };
	rc = store_resolve(&n, file, a.err);
	dump = n.backend == &dump_backend;
	if (rc >= 0 && !dump && n.backend != &sqlite_backend)
		rc = ckpt_fail(a.err, CKPT_EUSAGE,
				"an archive is a file: .jsonl, or a SQLite store");
	else if (rc >= 0 && is_side_file(&a, n.where))
		rc = refuse(&a, file, "has the name of a file of the store's own");
	else if (rc >= 0 && lstat(n.where, &st) == 0)
		rc = check_old(&a, file, &n, &st, config);
	else if (rc >= 0 && errno != ENOENT)
		rc = ckpt_fail(a.err, CKPT_EIO, "cannot make '%s': %s", n.shown,
				strerror(errno));
	else if (rc >= 0)
		rc = copy(&a, file, config, dump || !store->inlines);
	store_name_free(&n);
	return rc < 0 ? rc : 0;
}
