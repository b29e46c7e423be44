/*
 * base.c - the whole databases that file.c breaks, and reading and writing a store's four files.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "hostile.h"

#define BASES 40

/* An empty buffer means that there is no such file. */
static bool read_whole(struct ckpt_buf *b, const char *path)
{
	char piece[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	b->n = 0;
	if (fd < 0)
		return errno == ENOENT;
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		ckpt_buf_add(b, piece, (size_t)n);
	close(fd);
	return n == 0 && !b->failed;
}

static bool write_whole(const char *path, const struct ckpt_buf *b, bool empty)
{
	int fd;
	bool good;

	if (!b->n && !empty)
		return unlink(path) == 0 || errno == ENOENT;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	good = fd >= 0 && write(fd, b->n ? b->p : "", b->n) == (ssize_t)b->n;
	if (fd >= 0)
		close(fd);
	return good;
}

static const char *const suffixes[] = { "", "-wal", "-journal", "-shm" };

bool base_read(struct base *b, const char *path)
{
	struct ckpt_buf *const files[] = { &b->db, &b->wal, &b->journal, &b->shm };
	bool good = true;

	for (size_t i = 0; i < LEN(files); i++) {
		char name[512];

		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		good = read_whole(files[i], name) && good;
	}
	return good;
}

bool base_write(const struct base *b, const char *path)
{
	const struct ckpt_buf *const files[] = { &b->db, &b->wal, &b->journal, &b->shm };
	bool good = true;

	for (size_t i = 0; i < LEN(files); i++) {
		char name[512];

		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		good = write_whole(name, files[i], i == 0) && good;
	}
	return good;
}

/* ---- made here --------------------------------------------------------------------------------- */

static void fill(sqlite3 *db, unsigned from, unsigned upto)
{
	for (unsigned i = from; i < upto; i++) {
		char id[37], parent[37], big[700] = { 0 };
		struct made_row row = { .thread = CKPT_LIT("t"),
			.id = made_id(id, i, i),
			.type = CKPT_LIT("msgpack"),
			.body = { big, i % 3 ? 12 : sizeof(big) },
			.meta = CKPT_LIT("{\"step\":1}") };

		if (i)
			row.parent = made_id(parent, i - 1, i - 1);
		snprintf(big, sizeof(big), "\x82\xa1v\x04\xa1p\xc5\x02\xb4");
		made_put(db, &row);
	}
}

/* The files as a crash would leave them: copied while the writer lives. */
static bool crash(
		struct base *out, const char *name, const char *before, const char *after)
{
	const char *path = made_path(name);
	sqlite3 *db = made_store(path);
	bool good;

	made_sql(db, "PRAGMA page_size=512; VACUUM; PRAGMA cache_size=2");
	made_sql(db, before);
	fill(db, 0, 12);
	made_sql(db, after);
	fill(db, 12, 30);
	good = base_read(out, path);
	out->shm.n = 0;
	made_close(db);
	return good;
}

/* ---- all ----------------------------------------------------------------------------------------- */

static bool load_corpus(struct base *list, size_t *n, const char *folder)
{
	struct dirent **entries;
	int found = scandir(folder, &entries, NULL, alphasort);
	bool good = found > 2;

	for (int i = 0; i < found; i++) {
		char path[512];

		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.' && *n < BASES)
			good = base_read(&list[(*n)++], path) && good;
		free(entries[i]);
	}
	if (found >= 0)
		free(entries);
	return good;
}

size_t bases_load(struct base **out, const char *fixtures, const char *corpus)
{
	static const char *const names[] = { "smartspec", "broken/cycle",
		"broken/delta-dangling", "broken/extra-column", "broken/flipped-page",
		"broken/text-columns", "py-meta", "js-basic/wal" };
	struct base *list = calloc(BASES, sizeof(*list));
	size_t n = 0;
	bool good = list && load_corpus(list, &n, corpus);

	*out = list;
	for (size_t i = 0; good && i < LEN(names) && n < BASES; i++) {
		char path[512];

		snprintf(path, sizeof(path), "%s/%s/store.db", fixtures, names[i]);
		good = base_read(&list[n++], path);
	}
	good = good && n + 2 <= BASES &&
	       crash(&list[n++], "wal", "PRAGMA journal_mode=WAL",
			       "PRAGMA wal_autocheckpoint=0") &&
	       crash(&list[n++], "journal", "PRAGMA journal_mode=DELETE", "BEGIN");
	for (size_t i = 0; i < n; i++)
		good = good && list[i].db.n;
	return good ? n : 0;
}

void base_free(struct base *b)
{
	ckpt_buf_free(&b->db);
	ckpt_buf_free(&b->wal);
	ckpt_buf_free(&b->journal);
	ckpt_buf_free(&b->shm);
}

void bases_free(struct base *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		base_free(&list[i]);
	free(list);
}
