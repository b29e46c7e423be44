/*
 * target_dump.c - an archive that rows are copied into. It grows under another name beside the
 * file, and takes its name when it is whole and on disk: a file of that name is always complete.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dump.h"
#include "ckpt_migrate.h"
#include "failpoint.h"
#include "files.h"
#include "target.h"

#define PIECE ((size_t)1 << 20)

struct dump_target {
	struct target base;
	char *name, *part;
	int fd;
	bool fresh; /* there is no archive of this name yet */
	struct ckpt_buf lines;
	struct target_tally all;
};

static struct dump_target *of(struct target *t)
{
	return (struct dump_target *)(void *)t;
}

static int fault(struct dump_target *t, const char *what)
{
	int why = errno;

	ckpt_fail(t->base.err, CKPT_EIO, "cannot write '%s': %s: %s", t->part, what,
			strerror(why));
	if (why == ENOSPC || why == EDQUOT)
		ckpt_hint(t->base.err, CKPT_NO_ROOM);
	return t->base.err->code;
}

static int write_out(struct dump_target *t, size_t least)
{
	size_t at = 0;

	if (t->lines.failed)
		return ckpt_fail(t->base.err, CKPT_ENOMEM, "out of memory");
	if (t->lines.n < least)
		return 0;
	while (at < t->lines.n) {
		ssize_t n = write(t->fd, t->lines.p + at, t->lines.n - at);

		if (n < 0 && errno != EINTR)
			return fault(t, "write");
		at += n > 0 ? (size_t)n : 0;
	}
	t->lines.n = 0;
	return 0;
}

static int dump_begin(struct target *base)
{
	return base->err->code;
}

static int dump_put_checkpoint(struct target *base, const struct ckpt_checkpoint *c,
		const struct convert_out *row, bool careful)
{
	struct dump_target *t = of(base);

	(void)row, (void)careful; /* rows stay as they are; what is there already was left out */
	dump_checkpoint(&t->lines, c, NULL);
	t->all.checkpoints++;
	t->all.bytes += (int64_t)(c->body.n + c->meta.n);
	return write_out(t, PIECE);
}

static int dump_put_write(struct target *base, const struct ckpt_key *key,
		const struct ckpt_write *w, bool careful)
{
	struct dump_target *t = of(base);

	(void)careful;
	dump_write(&t->lines, key, w, NULL);
	t->all.writes++;
	t->all.bytes += (int64_t)w->body.n;
	return write_out(t, PIECE);
}

static int dump_put_blob(struct target *base, const struct ckpt_key *key,
		const struct convert_blob *b, enum put_mode mode)
{
	struct dump_target *t = of(base);
	const struct ckpt_value v = { .channel = b->channel,
		.version = b->version,
		.type = b->type,
		.body = b->body };

	(void)mode;
	dump_blob(&t->lines, key, &v, NULL);
	t->all.blobs++;
	t->all.bytes += (int64_t)b->body.n;
	return write_out(t, PIECE);
}

static int dump_drop(struct target *base, const struct ckpt_checkpoint *c)
{
	(void)c;
	ckpt_fail(base->err, CKPT_EREFUSED, "rows of an archive are not overwritten");
	ckpt_hint(base->err, "copy into a new file");
	return base->err->code;
}

static bool dump_full(const struct target *base)
{
	(void)base;
	return false; /* there is nothing to wait for */
}

static int dump_commit(struct target *base)
{
	base->done = of(base)->all;
	return base->err->code;
}

static int dump_settle(struct target *base)
{
	struct dump_target *t = of(base);

	/* what is there already is left as it is; closing takes the other file away */
	if (!t->fresh && !t->all.checkpoints && !t->all.writes && !t->all.blobs)
		return base->err->code;
	ckpt_buf_addf(&t->lines,
			"{\"end\":{\"checkpoints\":%lld,\"writes\":%lld,\"blobs\":%lld}}"
			"\n",
			(long long)t->all.checkpoints, (long long)t->all.writes,
			(long long)t->all.blobs);
	if (write_out(t, 0) < 0)
		return base->err->code;
	FAILPOINT("migrate.archive.before");
	if (fsync(t->fd) < 0)
		return fault(t, "fsync");
	FAILPOINT("migrate.archive.synced");
	if (rename(t->part, t->name) < 0 || files_sync_folder(t->name) < 0)
		return fault(t, "rename");
	FAILPOINT("migrate.archive.after");
	t->part[0] = '\0';
	return 0;
}

static int dump_finish(struct target *base)
{
	return base->err->code;
}

static void dump_close(struct target *base)
{
	struct dump_target *t = of(base);

	if (t->fd >= 0)
		close(t->fd);
	if (t->fd >= 0 && t->part && t->part[0])
		unlink(t->part);
	ckpt_buf_free(&t->lines);
	free(t->name);
	free(t->part);
	free(t);
}

/* Lines that are there come first; those of this run begin with a header of their own. */
static int copy_old(struct dump_target *t)
{
	int fd = open(t->name, O_RDONLY | O_CLOEXEC);
	char last = '\n';
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? 0 : fault(t, t->name);
	do {
		static const size_t piece = 65536;
		char *room = malloc(piece);

		n = room ? read(fd, room, piece) : -1;
		if (n > 0) {
			ckpt_buf_add(&t->lines, room, (size_t)n);
			last = room[n - 1];
		}
		free(room);
	} while (n > 0 && write_out(t, PIECE) == 0);
	close(fd);
	if (n < 0)
		return fault(t, t->name);
	if (last != '\n')
		ckpt_buf_puts(&t->lines, "\n");
	return t->base.err->code;
}

static const struct target_ops dump_ops = {
	.begin = dump_begin,
	.checkpoint = dump_put_checkpoint,
	.write = dump_put_write,
	.blob = dump_put_blob,
	.drop = dump_drop,
	.full = dump_full,
	.commit = dump_commit,
	.barrier = dump_begin,
	.settle = dump_settle,
	.keep = dump_finish,
	.finish = dump_finish,
	.close = dump_close,
};

/* Is there nothing of this name, or what a run of ours that did not come to its end left? */
static bool may_replace(const char *path)
{
	static const char head[] = "{\"ckpt\":\"dump\"";
	char text[sizeof(head) - 1];
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT;
	n = read(fd, text, sizeof(text));
	close(fd);
	return n >= 0 && memcmp(text, head, (size_t)n) == 0;
}

int dump_target_open(struct target **out, const struct store_name *name,
		const struct target_config *config, struct ckpt_error *err)
{
	struct dump_target *t = calloc(1, sizeof(*t));
	struct ckpt_buf part = { 0 };

	*out = NULL;
	if (!t)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	t->base.ops = &dump_ops;
	t->base.err = err;
	t->fresh = access(name->where, F_OK) != 0;
	t->name = strdup(name->where);
	ckpt_buf_addf(&part, "%s.part", name->where);
	t->part = part.p;
	t->fd = -1;
	if (!t->name || part.failed) {
		ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	} else if (strcmp(t->name, "-") == 0) {
		ckpt_fail(err, CKPT_EUSAGE,
				"an archive is written to a file, not to a pipe");
	} else if (!may_replace(t->part)) {
		ckpt_fail(err, CKPT_EREFUSED,
				"'%s', where the archive would grow, is there and is no "
				"archive",
				t->part);
		t->part[0] = '\0'; /* not ours to take away */
	} else {
		unlink(t->part);
		t->fd = open(t->part,
				O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				0600);
		if (t->fd < 0)
			fault(t, "open");
		else if (copy_old(t) == 0)
			ckpt_dump_head(&t->lines, config->from);
	}
	if (err->code) {
		dump_close(&t->base);
		return err->code;
	}
	*out = &t->base;
	return 0;
}
