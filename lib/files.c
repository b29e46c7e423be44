/*
 * files.c - what is asked of the file system beside stores: temporary files, names made durable.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base.h"
#include "files.h"

const char *files_temp(void)
{
	const char *dir = getenv("TMPDIR");

	return dir && *dir ? dir : "/tmp";
}

int files_nameless(void)
{
	struct ckpt_buf name = { 0 };
	int fd = open(files_temp(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), why;

	if (fd >= 0)
		return fd;
	/* not every file system knows files without a name */
	ckpt_buf_addf(&name, "%s/ckpt-XXXXXX", files_temp());
	errno = ENOMEM;
	if (!name.failed)
		fd = mkostemp(name.p, O_CLOEXEC);
	why = errno;
	if (fd >= 0)
		unlink(name.p);
	ckpt_buf_free(&name);
	errno = why;
	return fd;
}

int files_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int rc = fd >= 0 ? fsync(fd) : -1;

	if (fd >= 0)
		close(fd);
	return rc < 0 ? rc : files_sync_folder(path);
}

int files_sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int rc = fd >= 0 ? fsync(fd) : -1;

	free(dir);
	if (fd >= 0)
		close(fd);
	return rc;
}
