/*
 * dump.c - an archive in JSON Lines as a store of checkpoints: opened, described, ended.
 *
 * The file is read in place, as long as it was when it was opened. What can be read only once,
 * standard input or a pipe, first goes to a temporary file without a name.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "codec.h"
#include "dump.h"
#include "files.h"

static void dump_close(struct ckpt_store *store)
{
	struct dump_store *s = dump_of(store);

	if (s->fd >= 0)
		close(s->fd);
	for (size_t i = 0; i < DUMP_ROWS; i++)
		free(s->rows[i].v);
	dump_names_free(&s->names);
	crypt_free(s->base.crypt);
	free(s->faults);
	free(s->base.name);
	free(s);
}

/* ---- what can be read only once ------------------------------------------------------------------ */

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t put = write(fd, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		p += put;
		n -= (size_t)put;
	}
	return 0;
}

static int copy(int to, int from, const struct ckpt_config *config,
		struct ckpt_error *err)
{
	size_t cap = (size_t)1 << 18;
	char *part = malloc(cap);
	ssize_t n = 0;

	if (!part)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	while (!err->code && (n = read(from, part, cap)) != 0) {
		if (config->stop && config->stop(config->arg))
			ckpt_fail(err, CKPT_EINTERRUPTED, "stopped by a signal");
		else if (n < 0 && errno != EINTR)
			ckpt_fail(err, CKPT_EIO, "the archive cannot be read: %s",
					strerror(errno));
		else if (n > 0 && write_all(to, part, (size_t)n) < 0)
			ckpt_fail(err, CKPT_EIO,
					"the archive cannot be kept while it is read: %s",
					strerror(errno));
	}
	free(part);
	if (err->code == CKPT_EIO)
		ckpt_hint(err, "an archive that is not a file needs its room in "
			       "$TMPDIR or /tmp");
	return err->code;
}

static int spool(struct dump_store *s, const struct ckpt_config *config)
{
	int fd = files_nameless();

	if (fd < 0)
		return ckpt_fail(s->base.err, CKPT_EIO, "no temporary file in '%s': %s",
				files_temp(), strerror(errno));
	copy(fd, s->fd, config, s->base.err);
	close(s->fd);
	s->fd = fd;
	return s->base.err->code;
}

/* ---- open ------------------------------------------------------------------------------------------ */

static int open_file(struct dump_store *s, const char *where)
{
	struct ckpt_error *err = s->base.err;

	s->fd = strcmp(where, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
	                                : open(where, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return ckpt_fail(err, CKPT_EMISSING,
				"no store '%s' (nothing was created)", s->base.name);
	if (s->fd < 0)
		return ckpt_fail(err, CKPT_EIO, "cannot open store '%s': %s",
				s->base.name, strerror(errno));
	if (isatty(s->fd)) {
		ckpt_fail(err, CKPT_EMISSING, "'%s' is a terminal, not an archive",
				s->base.name);
		ckpt_hint(err, "give the archive on standard input: ckpt list dump:- "
			       "<FILE.jsonl");
	}
	return err->code;
}

static int take_size(struct dump_store *s)
{
	struct stat st;

	if (fstat(s->fd, &st) < 0)
		return ckpt_fail(s->base.err, CKPT_EIO, "'%s' cannot be read: %s",
				s->base.name, strerror(errno));
	s->size = st.st_size;
	s->changed = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	return 0;
}

/* A file is read where it lies, from its beginning; all else is copied first. */
static int make_readable(struct dump_store *s, const struct ckpt_config *config)
{
	struct stat st;

	if (fstat(s->fd, &st) < 0)
		return ckpt_fail(s->base.err, CKPT_EIO, "'%s' cannot be read: %s",
				s->base.name, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return ckpt_fail(s->base.err, CKPT_EMISSING,
				"'%s' is a folder, not a store", s->base.name);
	if (!S_ISREG(st.st_mode) || lseek(s->fd, 0, SEEK_CUR) != 0)
		spool(s, config);
	return s->base.err->code ? s->base.err->code : take_size(s);
}

static int refuse_compressed(struct dump_store *s)
{
	static const char *const magic[] = { "\x1f\x8b", "\x28\xb5\x2f\xfd" };
	char head[4];
	ssize_t n = pread(s->fd, head, sizeof(head), 0);

	for (size_t i = 0; i < sizeof(magic) / sizeof(magic[0]); i++) {
		size_t len = strlen(magic[i]);

		if (n < (ssize_t)len || memcmp(head, magic[i], len) != 0)
			continue;
		ckpt_fail(s->base.err, CKPT_EUNSUPPORTED, "'%s' is compressed",
				s->base.name);
		ckpt_hint(s->base.err, "unpack it on the way: %s FILE | ckpt list dump:-",
				i ? "zstdcat" : "zcat");
	}
	return s->base.err->code;
}

/* The pass knows lines and not the file's name. */
static int index_it(struct dump_store *s, const struct ckpt_config *config)
{
	struct ckpt_error why = { 0 }, *err = s->base.err;

	s->base.err = &why;
	dump_index(s, config);
	s->base.err = err;
	if (!why.code)
		return 0;
	ckpt_fail(err, why.code,
			why.code == CKPT_EUNSUPPORTED ? "'%s' is not a dump that can be "
							"read: %s"
						      : "'%s': %s",
			s->base.name, why.text);
	if (why.code == CKPT_EUNSUPPORTED)
		ckpt_hint(err, "what a dump is: ckpt help dump");
	return err->code;
}

static int dump_open(struct ckpt_store **out, const char *where, const char *shown,
		const struct ckpt_config *config, struct ckpt_error *err)
{
	struct dump_store *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (!s)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	s->fd = -1;
	s->base.err = err;
	s->base.backend = &dump_backend;
	s->base.name = strdup(shown);
	if (!s->base.name)
		ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	else if (row_key(&s->base.crypt, config, err) == 0 && open_file(s, where) == 0 &&
			make_readable(s, config) == 0 && refuse_compressed(s) == 0)
		index_it(s, config);
	if (err->code) {
		dump_close(&s->base);
		return err->code;
	}
	*out = &s->base;
	return 0;
}

/* ---- the store as a whole ------------------------------------------------------------------------------ */

/* Who wrote it: a few rows, evenly spread. */
static int dump_about(struct ckpt_store *store, struct ckpt_about *out)
{
	enum { SAMPLES = 7 };
	const struct dump_rows *rows = &dump_of(store)->rows[DUMP_CHECKPOINT];
	struct dump_step step = { .store = dump_of(store) };
	struct ckpt_checkpoint c = { 0 };

	*out = (struct ckpt_about){
		.uri = store->name, .engine = "dump", .layout = "dump"
	};
	step.json = malloc(sizeof(*step.json));
	if (!step.json)
		return ckpt_fail(store->err, CKPT_ENOMEM, "out of memory");
	for (size_t i = 0; i < SAMPLES && rows->n && !store->err->code; i++) {
		const struct dump_row *row = &rows->v[(rows->n - 1) / (SAMPLES - 1) * i +
						      (rows->n - 1) % (SAMPLES - 1) * i /
								      (SAMPLES - 1)];
		struct dump_line line;

		if (dump_row_read(&step, row, false, &line) == 0 &&
				dump_fill_links(&step, &line, &c) == 0)
			out->writers |= codec_writer(c.type,
					dump_bytes(&line.f[DUMP_BODY], step.json));
	}
	arena_free(&step.arena);
	free(step.json);
	free(step.line);
	return store->err->code;
}

static int dump_space(struct ckpt_store *store, struct ckpt_space *out)
{
	*out = (struct ckpt_space){ .file = dump_of(store)->size };
	return 0;
}

static bool dump_fault(struct ckpt_store *store, size_t at, struct ckpt_fault *out)
{
	const struct dump_store *s = dump_of(store);
	const struct dump_fault *f;

	if (at >= s->nfaults)
		return false;
	f = &s->faults[at];
	*out = (struct ckpt_fault){ f->line, f->why, f->member };
	return true;
}

/* Lines that were added meanwhile do no harm, as they are not looked at. */
static int dump_end(struct ckpt_store *store)
{
	struct dump_store *s = dump_of(store);
	int64_t size = s->size, changed = s->changed;

	if (store->err->code || take_size(s) < 0)
		return store->err->code;
	if (s->size < size || (s->size == size && s->changed != changed))
		return ckpt_fail(store->err, CKPT_EBUSY, "'%s' changed while it was read",
				store->name);
	return 0;
}

const struct backend dump_backend = {
	.name = "dump",
	.open = dump_open,
	.about = dump_about,
	.scan = dump_scan,
	.next = dump_scan_next,
	.done = dump_scan_done,
	.end = dump_end,
	.split = dump_split,
	.close = dump_close,
	.space = dump_space,
	.fault = dump_fault,
};
