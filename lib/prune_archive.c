/*
 * prune_archive.c - what goes is first written elsewhere: a copy as migrate makes it, of what the
 * plan names, and then read back, each row as migrate would bring it back, and compared byte for
 * byte with the store's. A file that is there already must hold all of it, as that of a run that was
 * interrupted while it deleted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failpoint.h"
#include "files.h"
#include "prune.h"
#include "sqlite_open.h"

struct archive {
	struct ckpt_prune *p;
	struct ckpt_store *store;
	const char *file; /* as it was given */
	bool dump;
	const struct ckpt_config *config;
	const struct ckpt_archive_how *how;
	struct ckpt_archive_sum *out;
	struct ckpt_error *err;
	char why[500]; /* the first row that does not fit exactly */
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

/* With a thread that goes whole go its blobs, named or not. */
static bool on_wanted_blob(void *arg, const struct ckpt_checkpoint *c)
{
	struct archive *a = arg;
	int rc = prune_empties(a->p, &c->key);

	if (rc == 0 && a->dump)
		rc = prune_has_blob(a->p, c);
	if (rc < 0)
		a->failed = rc;
	return rc > 0;
}

/* Can there be blobs that nothing names among what goes? Looking for them costs. */
static bool asks_blobs(const struct archive *a)
{
	return a->store->has_blobs &&
	       (a->p->sum.threads_emptied || (a->dump && a->p->sum.stray_blobs));
}

/* The first one is told. */
static void note(struct archive *a, const struct ckpt_key *key, struct ckpt_view detail)
{
	char thread[200], id[200], what[200];

	if (*a->why)
		return;
	snprintf(a->why, sizeof(a->why), "%.140s (thread '%.100s'%s%.100s%s)",
			ckpt_show_name(what, detail), ckpt_show_name(thread, key->thread),
			key->id.p ? ", checkpoint '" : "",
			key->id.p ? ckpt_show_name(id, key->id) : "",
			key->id.p ? "'" : "");
}

static void on_care(void *arg, const struct ckpt_care *c)
{
	struct ckpt_buf what = { 0 };
	char channel[200];

	if (c->channel.p)
		ckpt_buf_addf(&what,
				"channel %.60s: ", ckpt_show_name(channel, c->channel));
	ckpt_buf_add(&what, c->detail.p, c->detail.n);
	note(arg, &c->key, what.failed ? c->detail : ckpt_buf_view(&what));
	ckpt_buf_free(&what);
}

static void on_progress(void *arg, const char *phase, int64_t done, int64_t all)
{
	const struct archive *a = arg;

	if (a->how->progress)
		a->how->progress(a->how->arg, phase, done, all);
}

static int refuse(struct archive *a, const char *why)
{
	ckpt_fail(a->err, CKPT_EREFUSED, "refused: the archive '%s' %s", a->file, why);
	ckpt_hint(a->err, "name a file that is not there yet");
	return a->err->code;
}

/* ---- what is in the file -------------------------------------------------------------------- */

/* Rows that are moved as they lie are not opened: what is under AES is bytes like others. */
static int open_there(struct archive *a, struct ckpt_store **out, struct ckpt_error *err)
{
	struct ckpt_config config = *a->config;
	struct ckpt_fault f;

	if (ckpt_store_open(out, a->file, &config, err) < 0)
		return err->code;
	if ((*out)->inlines == a->store->inlines) {
		store_forget_key(*out);
		store_forget_key(a->store);
	}
	return ckpt_store_fault(*out, 0, &f) ? ckpt_fail(err, CKPT_ECORRUPT, "%s", f.why)
	                                     : 0;
}

/* Does it hold all that goes now, as it is? Else a->why says what not. */
static int compare(struct archive *a, struct ckpt_store *there)
{
	const struct ckpt_match_how how = { .exact = true,
		.wanted_blob = asks_blobs(a) ? on_wanted_blob : NULL,
		.arg = a };
	struct ckpt_difference d;
	struct ckpt_match *match;
	int rc = ckpt_match_open(&match, a->store, there, &how);

	on_progress(a, "compare", 0, 0);
	while (rc >= 0 && !*a->why && (rc = ckpt_match_next(match, &d)) > 0) {
		if (d.key.id.p && !goes(a, &d.key))
			continue;
		note(a, &d.key,
				d.op == CKPT_ONLY_A ? CKPT_LIT("it is not there")
						    : d.detail);
	}
	ckpt_match_close(match);
	return a->failed ? a->failed : rc < 0 ? rc : 0;
}

static int verify(struct archive *a, struct ckpt_error *err)
{
	struct ckpt_store *there = NULL;
	int rc = open_there(a, &there, err);

	if (rc >= 0)
		rc = compare(a, there);
	if (rc >= 0)
		rc = ckpt_store_end(there);
	ckpt_store_close(there);
	return rc;
}

/* A run that was killed while it had the file open left a log and an index of it beside: what there is
 * of it belongs into the file, which may be carried away alone. Both stay where others have it open. */
static void settle(struct archive *a, const char *where)
{
	struct ckpt_error err = { 0 };
	struct conn *c;

	if (sqlite_open_write(&c, where, false, a->config, &err) < 0)
		return;
	if (sqlite_begin(c) == 0)
		sqlite_commit(c);
	sqlite_close(c);
}

/* Whoever wrote it may have been killed before it was on disk, and may have it in a log. A name
 * counts once its folder is on disk, too. */
static int sync_file(struct archive *a, const char *where)
{
	struct ckpt_buf wal = { 0 };

	ckpt_buf_addf(&wal, "%s-wal", where);
	if (wal.failed)
		ckpt_fail(a->err, CKPT_ENOMEM, "out of memory");
	else if (files_sync(where) < 0 ||
			(access(wal.p, F_OK) == 0 && files_sync(wal.p) < 0) ||
			files_sync_folder(where) < 0)
		ckpt_fail(a->err, CKPT_EIO, "cannot write the archive '%s': %s", a->file,
				strerror(errno));
	ckpt_buf_free(&wal);
	return a->err->code;
}

/* ---- a file that is there ------------------------------------------------------------------- */

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

static int check_old(struct archive *a, const struct stat *st)
{
	struct ckpt_error err = { 0 };
	int rc;

	if (!S_ISREG(st->st_mode))
		return refuse(a, "is there, and no regular file");
	if (is_store(a, st))
		return refuse(a, "is the store itself");
	rc = verify(a, &err);
	if (a->err->code)
		return a->err->code;
	if (err.code == CKPT_ECORRUPT)
		return refuse(a, "is there already, and is not whole");
	if (rc < 0)
		return refuse(a, "is there already, and no archive that can be read");
	if (*a->why)
		return refuse(a, "is there already, and does not hold what goes");
	a->out->resumed = true;
	return 0;
}

/* ---- a new file ----------------------------------------------------------------------------- */

/* Named with its reason; the way out is the form that takes nearly everything. */
static int not_exact(struct archive *a)
{
	*a->err = (struct ckpt_error){ 0 };
	ckpt_fail(a->err, CKPT_EREFUSED,
			"refused: '%s' cannot hold all of what goes exactly: %s", a->file,
			a->why);
	if (!a->dump)
		ckpt_hint(a->err, "an archive in JSON Lines can: --archive FILE.jsonl");
	return a->err->code;
}

/* One that is named and was not found is gone since, or was overlooked: better nothing goes. */
static int is_all(struct archive *a, int64_t checkpoints)
{
	long long want = (long long)doomed_count(a->p->doomed);

	if (checkpoints == want)
		return 0;
	ckpt_fail(a->err, CKPT_EBUSY,
			"the store changed: of %lld checkpoints to delete '%s' has %lld",
			want, a->file, (long long)checkpoints);
	ckpt_hint(a->err, "nothing was deleted; look again, and name another file");
	return a->err->code;
}

static int copy(struct archive *a)
{
	struct ckpt_migrate_how how = { .verify = CKPT_VERIFY_NONE,
		.wanted = on_wanted,
		.wanted_blob = a->dump && asks_blobs(a) ? on_wanted_blob : NULL,
		.care = on_care,
		.progress = on_progress,
		.arg = a };
	struct ckpt_migrate_sum sum;
	int rc = ckpt_migrate(a->store, a->file, a->config, &how, &sum);

	if (a->failed)
		return a->failed;
	/* of those that were there only the checkpoints are counted */
	a->out->rows = sum.skipped ? CKPT_UNKNOWN
	                           : sum.checkpoints + sum.writes + sum.blobs;
	a->out->bytes = sum.bytes;
	/* a run that ended early left a part of them in the file that is now whole */
	return rc < 0 ? rc : is_all(a, sum.checkpoints + sum.skipped);
}

/* What turns out to be no archive does not stay for one. */
static int make_new(struct archive *a, const char *where)
{
	struct ckpt_error err = { 0 };
	int rc = copy(a);

	if (rc < 0)
		return *a->why ? not_exact(a) : rc;
	rc = verify(a, &err);
	if (err.code && !a->err->code)
		*a->err = err;
	if (rc < 0 || !*a->why)
		return rc;
	unlink(where);
	return not_exact(a);
}

int ckpt_prune_archive(struct ckpt_prune *p, struct ckpt_store *store, const char *file,
		const struct ckpt_config *config, const struct ckpt_archive_how *how,
		struct ckpt_archive_sum *out)
{
	struct archive a = { .p = p,
		.store = store,
		.file = file,
		.config = config,
		.how = how,
		.out = out,
		.err = store->err };
	struct store_name n;
	struct stat st;
	int rc;

	*out = (struct ckpt_archive_sum){ 0 };
	rc = store_resolve(&n, file, a.err);
	a.dump = n.backend == &dump_backend;
	out->no_blobs = !a.dump && p->sum.stray_blobs;
	if (rc >= 0 && !a.dump && n.backend != &sqlite_backend)
		rc = ckpt_fail(a.err, CKPT_EUSAGE,
				"an archive is a file: .jsonl, or a SQLite store");
	else if (rc >= 0 && is_side_file(&a, n.where))
		rc = refuse(&a, "has the name of a file of the store's own");
	else if (rc >= 0 && lstat(n.where, &st) == 0)
		rc = check_old(&a, &st);
	else if (rc >= 0 && errno != ENOENT)
		rc = ckpt_fail(a.err, CKPT_EIO, "cannot make '%s': %s", n.shown,
				strerror(errno));
	else if (rc >= 0)
		rc = make_new(&a, n.where);
	if (rc >= 0 && out->resumed && !a.dump)
		settle(&a, n.where);
	if (rc >= 0)
		rc = sync_file(&a, n.where);
	store_name_free(&n);
	FAILPOINT("prune.archive.after");
	return rc < 0 ? rc : 0;
}
