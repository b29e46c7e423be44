/*
 * fuzz_dump.c - any bytes as a dump: a line that is taken for a row is JSON and decodes as it was
 * measured, and whatever the archive holds is read or refused.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "../../lib/dump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct reader json;
static volatile uint64_t looked;

/* What the line reader takes, the JSON reader takes too, as one value. */
static void check_json(const uint8_t *p, size_t n)
{
	static struct reader r;
	struct ckpt_view body = { p, n };

	reader_init(&r, &json_reader, body);
	if (reader_skip(&r, NULL) < 0)
		abort();
	while (r.at < r.end && memchr(" \t\r", *r.at, 3))
		r.at++;
	if (r.at != r.end)
		abort();
	reader_done(&r);
}

static void check_line(const uint8_t *data, size_t n)
{
	uint8_t *p = malloc(n + !n); /* a byte too many is seen */
	enum dump_kind kind;
	struct dump_line l;

	if (!p)
		return;
	memcpy(p, data, n);
	kind = dump_line_read(&l, p, n, &json);
	if ((kind == DUMP_BAD) != (l.why != NULL))
		abort();
	if (kind < DUMP_BLANK || kind == DUMP_OTHER)
		check_json(data, n);
	for (size_t i = 0; i < DUMP_SLOTS && kind < DUMP_HEADER; i++) {
		struct dump_field *f = &l.f[i];
		bool bytes = f->form == DUMP_BASE64;
		int64_t measured = dump_size(f);
		struct ckpt_view v = dump_bytes(f, &json);

		if ((f->form == DUMP_PLAIN) != (v.p != NULL) ||
				(bytes && measured != (int64_t)v.n))
			abort();
	}
	free(p);
}

static void visit(struct ckpt_store *s, struct ckpt_pick pick)
{
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	uint64_t seen = 0; /* every byte is looked at */

	if (ckpt_scan_open(&scan, s, &pick) < 0)
		return;
	while (ckpt_scan_next(scan, &c) > 0) {
		for (size_t i = 0; i < c.nvalues; i++)
			seen ^= ckpt_hash(c.values[i].body);
		for (size_t i = 0; i < c.nwrites; i++)
			seen ^= ckpt_hash(c.writes[i].body);
		seen ^= ckpt_hash(c.meta) ^ ckpt_hash(c.parent);
	}
	ckpt_scan_close(scan);
	if (s->err->code && s->err->code != CKPT_ECORRUPT)
		abort();
	looked ^= seen;
}

static void check_archive(const uint8_t *data, size_t size)
{
	const struct ckpt_config quietly = { 0 };
	struct ckpt_error err = { 0 };
	struct ckpt_store *s;
	char name[60];
	int fd = memfd_create("dump", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(name, sizeof(name), "dump:/proc/self/fd/%d", fd);
	if (ckpt_store_open(&s, name, &quietly, &err) == 0) {
		for (unsigned d = CKPT_HEADS; d <= CKPT_VALUES; d++)
			visit(s, (struct ckpt_pick){ .depth = (enum ckpt_depth)d,
						 .writes = true,
						 .sizes = true,
						 .descending = d % 2 });
		for (unsigned r = CKPT_STORED; r <= CKPT_STRAY_BLOBS; r++)
			visit(s, (struct ckpt_pick){ .depth = CKPT_VALUES,
						 .rows = (enum ckpt_rows)r });
		if (ckpt_store_end(s) != 0)
			abort();
		ckpt_store_close(s);
	}
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t from = 0;

	for (size_t i = 0; i <= size; i++) {
		if (i < size && data[i] != '\n')
			continue;
		check_line(data + from, i - from);
		from = i + 1;
	}
	check_archive(data, size);
	return 0;
}
