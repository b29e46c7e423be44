/*
 * edit_file.c - the lock of a SQLite store: byte ranges of an empty-handed file beside it,
 * NAME-ckpt, held by an open file description. The database file itself is SQLite's alone: to
 * close it here would drop SQLite's own locks.
 *
 * Why beside the store: whoever can write to it can write into its folder, as SQLite makes its
 * own side files there; so users, root and containers that share the store share the lock, which
 * a runtime folder of each user could not give, and those who cannot write to the store cannot
 * take its lock either. The file gets the store's owner and mode, as SQLite's side files do. It
 * goes with its last holder; one that a killed process left is empty of locks and is used again.
 *
 * Record k is bytes k*SLOT to (k+1)*SLOT: 0 stands for the whole store, k for shard k. A job on
 * the whole store locks everything; a shard shares record 0 and has its own for itself. In its
 * record a holder says who it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edit_lock.h"

#define SLOT 256
#define TRIES 100

struct file_lock {
	struct edit_lock base;
	char *path, *store; /* store: as it is shown */
	int fd;
	int64_t shard;
	struct ckpt_error *err;
};

static void file_free(struct edit_lock *lock)
{
	struct file_lock *l = (struct file_lock *)(void *)lock;
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	/* gone with the last one: another shard may still be at work. Whoever has it open already
	   sees that the name leads elsewhere */
	if (l->fd >= 0 && fcntl(l->fd, F_OFD_SETLK, &all) == 0)
		unlink(l->path);
	if (l->fd >= 0)
		close(l->fd);
	free(l->path);
	free(l->store);
	free(l);
}

static int cannot(struct file_lock *l, const char *why)
{
	return ckpt_fail(l->err, CKPT_EIO, "cannot make the lock '%s': %s", l->path, why);
}

/* It will be written to and removed: not if it is something else. Whose it is does not matter, as
 * whoever can put a file there could as well put one in the store's place. */
static bool acceptable(const struct file_lock *l, const struct stat *st)
{
	char head[SLOT] = { 0 };
	size_t zeros = 0;

	if (!S_ISREG(st->st_mode) || st->st_nlink > 1 ||
			st->st_size > (EDIT_SHARDS_MAX + 1) * SLOT ||
			pread(l->fd, head, sizeof(head), 0) < 0)
		return false;
	while (zeros < sizeof(head) && !head[zeros])
		zeros++;
	return zeros == sizeof(head) || memcmp(head, "ckpt ", 5) == 0;
}

/* As SQLite's side files: who may write to the store may take the lock. */
static int make(struct file_lock *l, const struct stat *store)
{
	int fd = open(l->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return fd;
	if (geteuid() == 0 && fchown(fd, store->st_uid, store->st_gid) < 0)
		errno = 0; /* then only root may */
	if (fchmod(fd, store->st_mode & 0666) < 0)
		errno = 0;
	return fd;
}

/* Open the file that the name leads to; 1, or 0 to try again. */
static int open_file(struct file_lock *l, const struct stat *store)
{
	struct stat st;

	l->fd = open(l->path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (l->fd < 0 && errno == ENOENT)
		l->fd = make(l, store);
	if (l->fd < 0 && (errno == ENOENT || errno == EEXIST))
		return 0;
	if (l->fd < 0 && errno != ELOOP)
		return cannot(l, strerror(errno));
	if (l->fd >= 0 && fstat(l->fd, &st) == 0 && st.st_nlink == 0) {
		close(l->fd);
		l->fd = -1;
		return 0;
	}
	if (l->fd >= 0 && acceptable(l, &st))
		return 1;
	ckpt_fail(l->err, CKPT_EREFUSED, "'%s' is not a lock that ckpt made", l->path);
	ckpt_hint(l->err, "find out what it is, and take it away");
	return l->err->code;
}

/* Is the file still the one that the name leads to? Its last holder may just have left. */
static bool still_there(const struct file_lock *l)
{
	struct stat ours, named;

	return fstat(l->fd, &ours) == 0 && lstat(l->path, &named) == 0 &&
	       ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

static bool lock_range(const struct file_lock *l, short type, int64_t slot, int64_t n)
{
	struct flock f = { .l_type = type,
		.l_whence = SEEK_SET,
		.l_start = slot * SLOT,
		.l_len = n * SLOT };

	return fcntl(l->fd, F_OFD_SETLK, &f) == 0;
}

static int taken(struct file_lock *l)
{
	/* who is in the way: the first lock that ours would meet, and if that is record 0 shared
	   by shards, one of their own */
	struct flock f = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct flock next = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SLOT };
	char text[SLOT];
	ssize_t n;

	if (l->shard) {
		next.l_start = l->shard * SLOT;
		next.l_len = SLOT;
	}
	if (fcntl(l->fd, F_OFD_GETLK, &f) < 0 || f.l_type == F_RDLCK) {
		f = next;
		if (fcntl(l->fd, F_OFD_GETLK, &f) < 0)
			f.l_start = 0;
	}
	n = pread(l->fd, text, sizeof(text), f.l_start / SLOT * SLOT);
	return edit_lock_taken(l->err, l->store,
			(struct ckpt_view){ text, n > 0 ? strnlen(text, (size_t)n) : 0 });
}

static void sign(struct file_lock *l, const char *verb)
{
	char text[SLOT] = { 0 }, host[65] = { 0 }, since[40];

	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	ckpt_time_print(since, ckpt_now() / 1000000000 * 1000000000);
	snprintf(text, sizeof(text), "ckpt %s, process %ld on %s, since %s", verb,
			(long)getpid(), host, since);
	/* only for others to read: without it they say less */
	if (pwrite(l->fd, text, sizeof(text), l->shard * SLOT) < 0)
		errno = 0;
}

static int take(struct file_lock *l, const struct stat *store)
{
	for (int i = 0; i < TRIES; i++) {
		int rc = open_file(l, store);
		bool ours;

		if (rc < 0)
			return rc;
		if (rc == 0)
			continue;
		/* length 0: to the end of all files */
		ours = l->shard ? lock_range(l, F_RDLCK, 0, 1) &&
		                                       lock_range(l, F_WRLCK, l->shard, 1)
		                : lock_range(l, F_WRLCK, 0, 0);
		if (!ours && errno != EAGAIN && errno != EACCES)
			return cannot(l, strerror(errno));
		if (still_there(l))
			return ours ? 0 : taken(l);
		close(l->fd);
		l->fd = -1;
	}
	return ckpt_fail(l->err, CKPT_EBUSY, "the lock '%s' comes and goes", l->path);
}

int edit_lock_file(struct edit_lock **out, const struct store_name *name,
		const struct edit_want *want, struct ckpt_error *err)
{
	struct file_lock *l = calloc(1, sizeof(*l));
	char *real = realpath(name->where, NULL);
	struct ckpt_buf path = { 0 };
	struct stat st;

	*out = NULL;
	ckpt_buf_addf(&path, "%s-ckpt", real ? real : name->where);
	if (!l || path.failed) {
		ckpt_fail(err, CKPT_ENOMEM, "out of memory");
		ckpt_buf_free(&path);
		free(l);
	} else {
		*l = (struct file_lock){ .base.free = file_free,
			.path = path.p,
			.store = strdup(name->shown),
			.fd = -1,
			.shard = want->shards ? want->shard : 0,
			.err = err };
		if (!l->store)
			ckpt_fail(err, CKPT_ENOMEM, "out of memory");
		else if (!real || stat(real, &st) < 0)
			ckpt_fail(err, CKPT_EIO, "cannot open store '%s': %s",
					name->shown, strerror(errno));
		else if (take(l, &st) == 0)
			sign(l, want->verb);
		if (!err->code) {
			*out = &l->base;
		} else {
			/* not ours: it is not ours to take away */
			if (l->fd >= 0)
				close(l->fd);
			l->fd = -1;
			file_free(&l->base);
		}
	}
	free(real);
	return err->code;
}
