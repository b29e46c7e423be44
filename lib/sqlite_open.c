/*
 * sqlite_open.c - reading a SQLite file leaves no trace: no file, no lock byte, no new mtime.
 *
 * A read-only open of an idle WAL file would leave -wal and -shm behind, and in another user's
 * folder they would belong to us and stop the application. So:
 *   rollback journal, or a WAL whose side files a live process holds   mode=ro, ordinary locks
 *   WAL with nothing in it, the file and its folder are ours           mode=rw, query_only: a
 *                         real snapshot; the last to close removes the side files again
 *   everything else (somebody else's file, a WAL left by a crash)      no locks at all; the WAL
 *                         index is kept in memory; the answer counts only if nothing moved
 * In WAL mode the file's change counter stands still: size and times are the only witness.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "postgres.h"
#include "sqlite_open.h"

#define WAL_FORMAT 2 /* header bytes 18 and 19 */
#define SHM_DMS 128  /* the byte of -shm on which every connection holds a shared lock */

static char *with_suffix(const char *path, const char *suffix)
{
	struct ckpt_buf b = { 0 };

	ckpt_buf_puts(&b, path);
	ckpt_buf_puts(&b, suffix);
	if (b.failed)
		ckpt_buf_free(&b);
	return b.p;
}

/* Asks for no memory: that there is none must not look as if there were no log. */
static struct sqlite_witness look(const char *path, const char *suffix)
{
	struct sqlite_witness w = { 0 };
	char full[PATH_MAX + sizeof("-journal")]; /* `path` is what realpath gave */
	int n = snprintf(full, sizeof(full), "%s%s", path, suffix);

	w.there = n > 0 && (size_t)n < sizeof(full) && stat(full, &w.st) == 0;
	return w;
}

static bool same_witness(const struct sqlite_witness *a, const struct sqlite_witness *b)
{
	if (a->there != b->there)
		return false;
	return !a->there ||
	       (a->st.st_ino == b->st.st_ino && a->st.st_dev == b->st.st_dev &&
			       a->st.st_size == b->st.st_size &&
			       a->st.st_mtim.tv_sec == b->st.st_mtim.tv_sec &&
			       a->st.st_mtim.tv_nsec == b->st.st_mtim.tv_nsec);
}

static struct sqlite_file witnesses(const char *path)
{
	return (struct sqlite_file){ .looked = ckpt_now(),
		.db = look(path, ""),
		.wal = look(path, "-wal"),
		.journal = look(path, "-journal") };
}

bool sqlite_file_litter(const struct sqlite_file *f)
{
	struct sqlite_witness wal = look(f->path, "-wal");

	return wal.there && wal.st.st_size == 0;
}

bool sqlite_file_unchanged(const struct sqlite_file *f)
{
	struct sqlite_file now = witnesses(f->path);

	return same_witness(&f->db, &now.db) && same_witness(&f->wal, &now.wal) &&
	       same_witness(&f->journal, &now.journal);
}

/* Times of files are only as fine as the kernel's tick: what was written shortly before the look
 * may have been written again after it. */
static bool is_old(const struct sqlite_file *f, const struct sqlite_witness *w)
{
	const int64_t ticks = 50000000;

	return (int64_t)w->st.st_mtim.tv_sec * 1000000000 + w->st.st_mtim.tv_nsec <
	       f->looked - ticks;
}

static bool is_empty(const struct sqlite_witness *w)
{
	return !w->there || w->st.st_size == 0;
}

/* Beside a journal the lock of a reader keeps writers out. Beside a log a commit adds to it, or
 * begins it anew after its pages went into the file. */
bool sqlite_file_newest(const struct sqlite_file *f)
{
	struct sqlite_file now = witnesses(f->path);

	if (f->how == SQLITE_QUIET)
		return sqlite_file_unchanged(f);
	if (!f->wal_format)
		return true;
	if (!same_witness(&f->db, &now.db) || !is_old(f, &f->db))
		return false;
	return (is_empty(&f->wal) && is_empty(&now.wal)) ||
	       (same_witness(&f->wal, &now.wal) && is_old(f, &f->wal));
}

/* As SQLite sees it: a journal that is done with is empty, or begins with a zero. */
bool sqlite_hot_journal(const struct sqlite_file *f)
{
	char *journal = f->journal.there ? with_suffix(f->path, "-journal") : NULL;
	int fd = journal ? open(journal, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
	char first = 0;
	bool hot = fd >= 0 ? read(fd, &first, 1) == 1 && first != 0
	                   : f->journal.there && f->journal.st.st_size > 0;

	if (fd >= 0)
		close(fd);
	free(journal);
	return hot;
}

void sqlite_hint_journal(const struct sqlite_file *f, struct ckpt_error *err)
{
	ckpt_hint(err,
			"an interrupted write is still in '%s-journal'; opening the "
			"store "
			"once with its application rolls it back",
			f->path);
}

/* Does a living process hold the store open? Every connection keeps a lock on -shm. */
static bool held(const char *path)
{
	char *shm = with_suffix(path, "-shm");
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SHM_DMS, .l_len = 1
	};
	int fd = shm ? open(shm, O_RDONLY | O_CLOEXEC) : -1;
	bool yes = false;

	if (fd >= 0) {
		yes = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
		close(fd);
	}
	free(shm);
	return yes;
}

static bool folder_writable(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	bool yes = dir && access(dir, W_OK | X_OK) == 0;

	free(dir);
	return yes;
}

/* "file:" URI of a path: % ? # are the characters SQLite would read as its own. */
static char *uri_of(const char *path, const char *query)
{
	struct ckpt_buf b = { 0 };

	ckpt_buf_puts(&b, "file:");
	if (path[0] == '/')
		ckpt_buf_puts(&b, "//");
	for (const char *p = path; *p; p++) {
		if (*p == '%' || *p == '?' || *p == '#')
			ckpt_buf_addf(&b, "%%%02x", (unsigned)*p);
		else
			ckpt_buf_add(&b, p, 1);
	}
	ckpt_buf_puts(&b, query);
	if (b.failed)
		ckpt_buf_free(&b);
	return b.p;
}

static int read_header(uint8_t header[static 100], size_t *n, const char *path,
		struct ckpt_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t got;

	if (fd < 0)
		return ckpt_fail(err, CKPT_EIO, "cannot open store '%s': %s", path,
				strerror(errno));
	got = read(fd, header, 100);
	close(fd);
	if (got < 0)
		return ckpt_fail(err, CKPT_EIO, "cannot read store '%s': %s", path,
				strerror(errno));
	*n = (size_t)got;
	return 0;
}

/* A WAL file's way; see the head of this file. */
static enum sqlite_how decide_wal(const struct sqlite_file *f)
{
	bool side_files = f->wal.there || look(f->path, "-shm").there;
	bool empty = !f->wal.there || f->wal.st.st_size == 0, live = held(f->path);
	bool ours = f->db.st.st_uid == geteuid() && access(f->path, W_OK) == 0 &&
	            folder_writable(f->path);

	/* readers like ourselves beside us: whoever closes last has to tidy up */
	if (ours && empty && (live || !side_files))
		return SQLITE_OWNER;
	return live ? SQLITE_SHARED : SQLITE_QUIET;
}

/* Follow links to the file itself and take its witnesses. */
static int find_file(struct sqlite_file *out, const char *name, struct ckpt_error *err)
{
	char *shown = postgres_masked(name), *path = realpath(name, NULL);
	int why = errno;

	if (path)
		*out = witnesses(path);
	out->path = path;
	out->shown = shown; /* what was meant as a server's name may hold a password */
	if (!shown)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	if (!path && why != ENOENT && why != ENOTDIR)
		return ckpt_fail(err, why == ENOMEM ? CKPT_ENOMEM : CKPT_EIO,
				"cannot open store '%s': %s", shown, strerror(why));
	if (!out->db.there)
		return ckpt_fail(err, CKPT_EMISSING,
				"no store '%s' (nothing was created)", shown);
	return 0;
}

int sqlite_file_decide(struct sqlite_file *out, const char *path, struct ckpt_error *err)
{
	static const char *const query[] = {
		[SQLITE_SHARED] = "?mode=ro",
		[SQLITE_OWNER] = "?mode=rw",
		[SQLITE_QUIET] =
				"?mode=ro&vfs=unix-none", /* with a WAL: its index in memory */
	};
	static const char no_wal[] = "?mode=ro&immutable=1";
	uint8_t header[100] = { 0 };
	size_t n = 0;

	*out = (struct sqlite_file){ 0 };
	if (find_file(out, path, err) < 0)
		return err->code;
	if (!S_ISREG(out->db.st.st_mode))
		return ckpt_fail(err, CKPT_EMISSING, "'%s' is %s, not a store", path,
				S_ISDIR(out->db.st.st_mode) ? "a folder"
							    : "not a regular file");
	if (read_header(header, &n, path, err) < 0)
		return err->code;
	if (n && (n < 16 || memcmp(header, "SQLite format 3", 16) != 0))
		return ckpt_fail(err, CKPT_ECORRUPT, "'%s' is not a SQLite database",
				path);
	out->how = SQLITE_SHARED;
	out->wal_format = header[18] == WAL_FORMAT || header[19] == WAL_FORMAT;
	if (n == 0) { /* SQLite would take away a WAL that lies beside it */
		out->how = SQLITE_QUIET;
	} else if (out->wal_format && sqlite_hot_journal(out)) {
		ckpt_fail(err, CKPT_EREFUSED, "store '%s' needs to be rolled back",
				out->shown);
		sqlite_hint_journal(out, err);
		return err->code;
	} else if (out->wal_format) {
		out->how = decide_wal(out);
	}
	out->flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
	             (out->how == SQLITE_OWNER ? SQLITE_OPEN_READWRITE
					       : SQLITE_OPEN_READONLY);
	out->uri = uri_of(out->path, out->how == SQLITE_QUIET && (!n || !out->wal.there)
						     ? no_wal
						     : query[out->how]);
	if (!out->uri)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	return 0;
}

void sqlite_file_release(struct sqlite_file *f)
{
	free(f->shown);
	free(f->path);
	free(f->uri);
	f->shown = f->path = f->uri = NULL;
}
