/*
 * target_stage.c - a SQLite file that is not there yet: it grows under another name beside its own,
 * and takes its name once all rows are in it. So the source need not be read twice: where something
 * turns out not to be carried, what was written so far was never a store.
 *
 * A run that was killed leaves the file, and the next one goes on with it. Whoever writes there has
 * it locked, also while it gets its name: nobody can take it for his own in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failpoint.h"
#include "files.h"
#include "target.h"

int target_stage(struct target_stage *out, const char *name, struct ckpt_error *err)
{
	struct ckpt_buf part = { 0 };
	struct store_name n;
	struct stat st;

	*out = (struct target_stage){ 0 };
	if (store_resolve(&n, name, err) == 0 && n.backend == &sqlite_backend &&
			lstat(n.where, &st) < 0 && errno == ENOENT) {
		/* a path, whatever it looks like */
		ckpt_buf_addf(&part, "%s%s.part", n.where[0] == '/' ? "" : "./", n.where);
		out->path = strdup(n.where);
		out->part = part.p;
		if (!out->path || part.failed)
			ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	}
	store_name_free(&n);
	if (err->code)
		target_stage_free(out);
	return err->code;
}

void target_stage_free(struct target_stage *s)
{
	free(s->part);
	free(s->path);
	*s = (struct target_stage){ 0 };
}

void target_stage_drop(const struct target_stage *s)
{
	struct ckpt_buf journal = { 0 };

	ckpt_buf_addf(&journal, "%s-journal", s->part);
	if (!journal.failed)
		unlink(journal.p);
	unlink(s->part);
	ckpt_buf_free(&journal);
}

int target_stage_make(struct target_stage *s, struct ckpt_error *err)
{
	int fd = open(s->part, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		ckpt_fail(err, CKPT_EIO, "cannot make '%s': %s", s->part,
				strerror(errno));
	else
		s->ino = st.st_ino;
	if (fd >= 0)
		close(fd);
	return err->code;
}

bool target_stage_ours(const struct target_stage *s)
{
	struct stat st;

	return stat(s->part, &st) == 0 && st.st_ino == s->ino;
}

/* Never over a file that came in the meantime; file systems that cannot promise that can link. */
static int give_name(const struct target_stage *s)
{
	int rc = renameat2(AT_FDCWD, s->part, AT_FDCWD, s->path, RENAME_NOREPLACE);

	if (rc < 0 && (errno == EINVAL || errno == ENOSYS)) {
		rc = link(s->part, s->path);
		if (rc == 0)
			rc = unlink(s->part);
	}
	return rc;
}

int target_stage_keep(const struct target_stage *s, struct ckpt_error *err)
{
	FAILPOINT("migrate.rename.before");
	if (give_name(s) < 0) {
		if (errno == EEXIST)
			ckpt_fail(err, CKPT_EBUSY, "'%s' came to be while it was written",
					s->path);
		else
			ckpt_fail(err, CKPT_EIO, "cannot rename '%s': %s", s->part,
					strerror(errno));
		return err->code;
	}
	FAILPOINT("migrate.rename.after");
	if (files_sync_folder(s->path) < 0)
		ckpt_fail(err, CKPT_EIO, "cannot write the folder of '%s': %s", s->path,
				strerror(errno));
	return err->code;
}
