/*
 * doomed.c - the list of what a plan drops: compact records, written once, read in order as often
 * as needed.
 *
 * A record is a byte of flags, then lengths and bytes: a namespace (a second byte of flags, its
 * thread, ns, the ids it is told with, and two counts), or an id with its row, which belongs to the
 * namespace before it; how many writes it had stands in what the byte has left, if they are few.
 * 40 bytes for most, so that the list of a large store is kept in a file from the moment it does not
 * fit into memory any more. That file has no name. Nothing here knows engines or transactions.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "doomed.h"
#include "files.h"

#define IN_MEMORY ((size_t)16 << 20)
#define WINDOW ((size_t)256 << 10) /* … of the file, read or written at a time */
#define VARINT_MAX 10

enum { /* flags of a record */
	SPACE = 1,
	BLOB = 2, /* the id; of a namespace: the newest id */
	WHOLE = 4,
	WHOLE_THREAD = 8,
	BLOB_THREAD = 16,
	BLOB_NS = 32
};
#define WRITES_SHIFT 2  /* of an id: bits from here on; … */
#define WRITES_MANY 63u /* … or the number stands behind its row */
enum {                  /* … of a namespace alone: the second byte */
	CHAINS = 1,
	BLOB_CALLER = 2,
	BLOB_ROOT = 4,
	ENDS = 8
};
#define SPACE_VIEWS 5

struct doomed {
	struct ckpt_error *err;
	int fd;              /* -1: all of it is in `buf` */
	int64_t written;     /* bytes in the file */
	struct ckpt_buf buf; /* what is not in the file yet; when reading, a window of it */
	size_t limit;        /* bytes of `buf` before they go to the file */
	size_t count;
	bool reading;
	int64_t window; /* where `buf` begins, when reading from a file */
	int64_t at;     /* the next record */
	int64_t space_at;
	struct doomed_space space;
	struct ckpt_buf names; /* what `space` borrows */
};

int doomed_new(struct doomed **out, struct ckpt_error *err)
{
	struct doomed *d = calloc(1, sizeof(*d));

	*out = d;
	if (!d)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	d->err = err;
	d->fd = -1;
	d->limit = IN_MEMORY;
	d->space_at = -1;
	return 0;
}

size_t doomed_count(const struct doomed *d)
{
	return d->count;
}

void doomed_free(struct doomed *d)
{
	if (!d)
		return;
	if (d->fd >= 0)
		close(d->fd);
	ckpt_buf_free(&d->buf);
	ckpt_buf_free(&d->names);
	free(d);
}

/* ---- writing ------------------------------------------------------------------------------- */

static int file_failed(struct doomed *d, const char *doing)
{
	ckpt_fail(d->err, CKPT_EIO, "cannot %s a temporary file in '%s': %s", doing,
			files_temp(), strerror(errno));
	if (errno == ENOSPC || errno == EACCES || errno == ENOENT || errno == EFBIG)
		ckpt_hint(d->err, "TMPDIR names a folder with more room");
	return d->err->code;
}

static int make_file(struct doomed *d)
{
	d->fd = files_nameless();
	return d->fd >= 0 ? 0 : file_failed(d, "make");
}

static int spill(struct doomed *d)
{
	if (d->fd < 0 && make_file(d) < 0)
		return d->err->code;
	for (size_t done = 0; done < d->buf.n;) {
		ssize_t n = pwrite(d->fd, d->buf.p + done, d->buf.n - done, d->written);

		if (n < 0 && errno != EINTR)
			return file_failed(d, "write to");
		done += n > 0 ? (size_t)n : 0;
		d->written += n > 0 ? n : 0;
	}
	d->buf.n = 0;
	if (d->limit != WINDOW)
		ckpt_buf_free(&d->buf);
	d->limit = WINDOW;
	return 0;
}

static void put_number(struct ckpt_buf *to, uint64_t v)
{
	uint8_t bytes[VARINT_MAX];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (uint8_t)(v | 0x80);
	bytes[n++] = (uint8_t)v;
	ckpt_buf_add(to, bytes, n);
}

/* Its length plus one; NULL is 0. */
static void put_view(struct ckpt_buf *to, struct ckpt_view v)
{
	put_number(to, v.p ? v.n + 1 : 0);
	ckpt_buf_add(to, v.p, v.n);
}

static int room_for(struct doomed *d, size_t n)
{
	if (d->err->code)
		return d->err->code;
	if (d->reading)
		return ckpt_fail(d->err, CKPT_EINTERNAL,
				"a list that is read cannot grow");
	return d->buf.n && d->buf.n + n >= d->limit ? spill(d) : 0;
}

static int written(struct doomed *d)
{
	return d->buf.failed ? ckpt_fail(d->err, CKPT_ENOMEM, "out of memory") : 0;
}

int doomed_space(struct doomed *d, const struct doomed_space *s)
{
	int flags = SPACE | (s->newest_blob ? BLOB : 0) | (s->whole ? WHOLE : 0) |
	            (s->whole_thread ? WHOLE_THREAD : 0) |
	            (s->key.blob & CKPT_BLOB_THREAD ? BLOB_THREAD : 0) |
	            (s->key.blob & CKPT_BLOB_NS ? BLOB_NS : 0);
	int more = (s->chains ? CHAINS : 0) | (s->caller_blob ? BLOB_CALLER : 0) |
	           (s->root_newest_blob ? BLOB_ROOT : 0) | (s->ends_thread ? ENDS : 0);
	const uint8_t bytes[2] = { (uint8_t)flags, (uint8_t)more };
	const struct ckpt_view v[SPACE_VIEWS] = { s->key.thread, s->key.ns, s->newest,
		s->caller, s->root_newest };
	size_t n = sizeof(bytes) + 2 * VARINT_MAX;

	for (size_t i = 0; i < SPACE_VIEWS; i++)
		n += VARINT_MAX + v[i].n;
	if (room_for(d, n) < 0)
		return d->err->code;
	ckpt_buf_add(&d->buf, bytes, sizeof(bytes));
	for (size_t i = 0; i < SPACE_VIEWS; i++)
		put_view(&d->buf, v[i]);
	put_number(&d->buf, (uint64_t)s->count);
	put_number(&d->buf, (uint64_t)s->strays);
	d->space_at = 0;
	return written(d);
}

int doomed_add(struct doomed *d, struct ckpt_view id, bool blob, int64_t row,
		int64_t writes)
{
	unsigned few = (uint64_t)writes < WRITES_MANY ? (unsigned)writes : WRITES_MANY;
	uint8_t byte = (uint8_t)(few << WRITES_SHIFT | (blob ? BLOB : 0));

	if (room_for(d, 1 + 3 * VARINT_MAX + id.n) < 0)
		return d->err->code;
	if (d->space_at < 0)
		return ckpt_fail(d->err, CKPT_EINTERNAL, "an id without its namespace");
	ckpt_buf_add(&d->buf, &byte, 1);
	put_view(&d->buf, id);
	put_number(&d->buf, (uint64_t)row); /* -1 is rare, and ten bytes */
	if (few == WRITES_MANY)
		put_number(&d->buf, (uint64_t)writes);
	d->count++;
	return written(d);
}

/* ---- reading ------------------------------------------------------------------------------- */

int doomed_rewind(struct doomed *d)
{
	return doomed_seek(d, (struct doomed_mark){ 0, -1 });
}

static int64_t end_of(const struct doomed *d)
{
	return d->fd < 0 ? (int64_t)d->buf.n : d->written;
}

/* At least `n` bytes from `at` on are in the buffer, or all that there are. */
static int load(struct doomed *d, size_t n)
{
	int64_t end = d->window + (int64_t)d->buf.n, want = (int64_t)n, from;

	if (d->fd < 0 || (d->at >= d->window &&
					 (end - d->at >= want || end == d->written)))
		return 0;
	want = n > WINDOW ? want : (int64_t)WINDOW;
	d->buf.n = 0;
	d->window = from = d->at;
	while (from - d->window < want && from < d->written) {
		char bytes[16384];
		ssize_t got = pread(d->fd, bytes, sizeof(bytes), from);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? file_failed(d, "read")
			               : ckpt_fail(d->err, CKPT_EIO,
							 "a temporary file was cut");
		ckpt_buf_add(&d->buf, bytes, (size_t)got);
		from += got;
	}
	return written(d);
}

static int byte_at(struct doomed *d, uint8_t *out)
{
	if (load(d, 1) < 0)
		return d->err->code;
	*out = (uint8_t)d->buf.p[d->at++ - d->window];
	return 0;
}

static int number_at(struct doomed *d, uint64_t *out)
{
	uint8_t byte = 0x80;

	*out = 0;
	for (unsigned shift = 0; byte & 0x80 && shift < 64; shift += 7) {
		if (byte_at(d, &byte) < 0)
			return d->err->code;
		*out |= (uint64_t)(byte & 0x7f) << shift;
	}
	return 0;
}

/* Borrowed from the buffer; two numbers may be read before it is used. */
static int view_at(struct doomed *d, struct ckpt_view *out)
{
	uint64_t n;

	*out = (struct ckpt_view){ 0 };
	if (number_at(d, &n) < 0)
		return d->err->code;
	if (!n)
		return 0;
	if (load(d, (size_t)n - 1 + 2 * VARINT_MAX) < 0)
		return d->err->code;
	*out = (struct ckpt_view){ d->buf.p + (d->at - d->window), (size_t)n - 1 };
	d->at += (int64_t)n - 1;
	return 0;
}

static int read_space(struct doomed *d, uint8_t flags)
{
	struct ckpt_view v[SPACE_VIEWS];
	size_t at[SPACE_VIEWS];
	uint64_t count, strays;
	uint8_t more = 0;

	d->space_at = d->at - 1;
	d->names.n = 0;
	if (byte_at(d, &more) < 0)
		return d->err->code;
	for (size_t i = 0; i < SPACE_VIEWS; i++) {
		if (view_at(d, &v[i]) < 0)
			return d->err->code;
		at[i] = d->names.n;
		ckpt_buf_add(&d->names, v[i].p ? v[i].p : "", v[i].n);
	}
	if (number_at(d, &count) < 0 || number_at(d, &strays) < 0)
		return d->err->code;
	if (d->names.failed)
		return ckpt_fail(d->err, CKPT_ENOMEM, "out of memory");
	for (size_t i = 0; i < SPACE_VIEWS; i++)
		v[i].p = v[i].p ? d->names.p + at[i] : NULL;
	d->space = (struct doomed_space){
		.key = { .thread = v[0],
				.ns = v[1],
				.blob = (flags & BLOB_THREAD ? CKPT_BLOB_THREAD : 0u) |
		                        (flags & BLOB_NS ? CKPT_BLOB_NS : 0u) },
		.newest = v[2],
		.newest_blob = flags & BLOB,
		.whole = flags & WHOLE,
		.ends_thread = more & ENDS,
		.whole_thread = flags & WHOLE_THREAD,
		.count = (int64_t)count,
		.strays = (int64_t)strays,
		.chains = more & CHAINS,
		.caller = v[3],
		.caller_blob = more & BLOB_CALLER,
		.root_newest = v[4],
		.root_newest_blob = more & BLOB_ROOT,
	};
	return 0;
}

struct doomed_mark doomed_here(const struct doomed *d)
{
	return (struct doomed_mark){ d->at, d->space_at };
}

int doomed_seek(struct doomed *d, struct doomed_mark mark)
{
	uint8_t flags = 0;

	if (d->err->code)
		return d->err->code;
	if (!d->reading && d->fd >= 0 && spill(d) < 0)
		return d->err->code;
	d->reading = true;
	d->space_at = mark.space;
	if (mark.space >= 0) {
		d->at = mark.space;
		if (byte_at(d, &flags) < 0 || read_space(d, flags) < 0)
			return d->err->code;
	}
	d->at = mark.at;
	return 0;
}

int doomed_next(struct doomed *d, struct doomed_item *out)
{
	uint64_t row, writes;
	uint8_t flags = 0;

	*out = (struct doomed_item){ 0 };
	for (;;) {
		if (d->err->code)
			return d->err->code;
		if (d->at >= end_of(d))
			return 0;
		if (byte_at(d, &flags) < 0)
			return d->err->code;
		if (!(flags & SPACE))
			break;
		if (read_space(d, flags) < 0)
			return d->err->code;
	}
	out->space = &d->space;
	out->key = d->space.key;
	if (view_at(d, &out->key.id) < 0 || number_at(d, &row) < 0)
		return d->err->code;
	out->key.blob |= flags & BLOB ? CKPT_BLOB_ID : 0u;
	out->row = (int64_t)row;
	writes = flags >> WRITES_SHIFT;
	if (writes == WRITES_MANY && number_at(d, &writes) < 0)
		return d->err->code;
	out->writes = (int64_t)writes;
	return 1;
}
