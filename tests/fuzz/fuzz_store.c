/*
 * fuzz_store.c - any bytes as a database file: whatever is in it, it is read or refused, and not
 * a byte of it changes. tests/hostile has the same for files of real size and their side files.
 */
#include <fcntl.h>
#include <unistd.h>

#include "visit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/ckpt-fuzz-XXXXXX", path[64];

static void remove_files(void)
{
	unlink(path);
	rmdir(folder);
}

static bool write_file(const uint8_t *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool good = fd >= 0 && write(fd, data, size) == (ssize_t)size;

	if (fd >= 0)
		close(fd);
	return good;
}

static bool unchanged(const uint8_t *data, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *now = malloc(size + 1);
	bool same = fd >= 0 && now && read(fd, now, size + 1) == (ssize_t)size &&
	            memcmp(now, data, size) == 0;

	if (fd >= 0)
		close(fd);
	free(now);
	return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct visit v = { 0 };

	if (!path[0]) {
		if (!mkdtemp(folder))
			abort();
		snprintf(path, sizeof(path), "%s/s.db", folder);
		atexit(remove_files);
	}
	if (!size || !write_file(data, size))
		return 0;
	if (!visit_store(&v, path)) {
		fprintf(stderr, "%s\n", v.fault);
		abort();
	}
	if (!unchanged(data, size))
		abort();
	return 0;
}
