/*
 * dump_rows.c - a row of a dump read again, and what belongs to it: its values, from its own
 * container or from blobs, and its pending writes.
 *
 * A line is read with pread and decoded where it stands: a file that is cut while it is read is
 * an error then, not the end of the process. What the pass found in the line must still be there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codec.h"
#include "dump.h"

static int changed(struct dump_step *s)
{
	return ckpt_fail(s->store->base.err, CKPT_EBUSY, "'%s' changed while it was read",
			s->store->base.name);
}

static uint8_t *room(struct dump_step *s, size_t n, bool arena)
{
	uint8_t *more;

	if (arena)
		return arena_take(&s->arena, n, s->store->base.err);
	if (n <= s->cap)
		return s->line;
	free(s->line); /* nothing of it is wanted any more: it need not be copied */
	s->line = more = malloc(n);
	s->cap = more ? n : 0;
	if (!more)
		ckpt_fail(s->store->base.err, CKPT_ENOMEM, "out of memory");
	return more;
}

int dump_row_read(struct dump_step *s, const struct dump_row *row, bool arena,
		struct dump_line *out)
{
	uint8_t *p = room(s, row->n, arena);
	size_t have = 0;

	if (!p)
		return s->store->base.err->code;
	while (have < row->n) {
		ssize_t got = pread(s->store->fd, p + have, row->n - have,
				row->at + (int64_t)have);

		if (got < 0 && errno != EINTR)
			return ckpt_fail(s->store->base.err, CKPT_EIO,
					"'%s' cannot be read: %s", s->store->base.name,
					strerror(errno));
		if (got == 0)
			return changed(s);
		have += got > 0 ? (size_t)got : 0;
	}
	if (dump_line_read(out, p, row->n, s->json) >= DUMP_ROWS ||
			dump_size(&out->f[DUMP_BODY]) != row->size)
		return changed(s);
	return 0;
}

static struct ckpt_view bytes(struct dump_step *s, struct dump_field *f)
{
	struct ckpt_view v = dump_bytes(f, s->json);

	if (f->form == DUMP_ESCAPED)
		ckpt_fail(s->store->base.err, CKPT_ENOMEM, "out of memory");
	return v;
}

static unsigned form_of(const struct dump_line *line)
{
	static const struct {
		enum dump_slot slot;
		unsigned blob, text;
	} forms[] = { { DUMP_PARENT, CKPT_BLOB_PARENT, 0 },
		{ DUMP_TYPE, CKPT_BLOB_TYPE, 0 }, { DUMP_TASK, CKPT_BLOB_TASK, 0 },
		{ DUMP_PATH, CKPT_BLOB_PATH, 0 }, { DUMP_CHANNEL, CKPT_BLOB_CHANNEL, 0 },
		{ DUMP_BODY, 0, CKPT_TEXT_BODY }, { DUMP_META, 0, CKPT_TEXT_META } };
	unsigned form = 0;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		const struct dump_field *f = &line->f[forms[i].slot];

		form |= (f->blob ? forms[i].blob : 0) | (f->text ? forms[i].text : 0);
	}
	return form;
}

int dump_fill_links(
		struct dump_step *s, struct dump_line *line, struct ckpt_checkpoint *out)
{
	struct ckpt_view meta = bytes(s, &line->f[DUMP_META]);

	out->form = form_of(line);
	out->parent = bytes(s, &line->f[DUMP_PARENT]);
	out->type = bytes(s, &line->f[DUMP_TYPE]);
	out->size = dump_size(&line->f[DUMP_BODY]);
	out->meta_size = (int64_t)meta.n;
	out->meta = meta;
	out->meta_type = CKPT_META_TYPE;
	return s->store->base.err->code;
}

static struct row_reader reader_of(struct dump_step *s)
{
	return (struct row_reader){ s->store->base.crypt, &s->arena, s->store->base.err };
}

/* ---- blobs -------------------------------------------------------------------------------------- */

static int compare(const struct dump_row *a, const struct dump_row *key, int parts)
{
	const uint32_t have[] = { a->thread, a->ns, a->id, a->major, a->minor };
	const uint32_t want[] = { key->thread, key->ns, key->id, key->major, key->minor };

	for (int i = 0; i < parts; i++) {
		if (have[i] != want[i])
			return have[i] < want[i] ? -1 : 1;
	}
	return 0;
}

/* The first row whose leading parts compare above `least`. */
static size_t bound(const struct dump_rows *rows, const struct dump_row *key, int parts,
		int least)
{
	size_t lo = 0, hi = rows->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (compare(&rows->v[mid], key, parts) <= least)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

size_t dump_first(const struct dump_rows *rows, const struct dump_row *key, int parts)
{
	return bound(rows, key, parts, -1);
}

size_t dump_last(const struct dump_rows *rows, const struct dump_row *key, int parts)
{
	return bound(rows, key, parts, 0);
}

/* The blob of a channel at its version; a shallow store keeps one whatever the version. */
static const struct dump_row *blob_of(const struct dump_store *s,
		const struct dump_row *row, const struct ckpt_value *v)
{
	const struct dump_rows *blobs = &s->rows[DUMP_BLOB];
	struct dump_row key = { .thread = row->thread, .ns = row->ns, .id = DUMP_NONE };

	if (!v->version.p)
		return NULL;
	key.major = dump_name_find(&s->names, v->channel, false);
	key.minor = dump_name_find(&s->names, row_version(v->version), false);
	for (int i = 0; i < 2 && key.major != DUMP_NONE; i++) {
		size_t at = dump_first(blobs, &key, 5);

		if (at < blobs->n && compare(&blobs->v[at], &key, 5) == 0)
			return &blobs->v[at];
		key.minor = DUMP_NONE;
	}
	return NULL;
}

static int fill_blobs(struct dump_step *s, const struct dump_row *row,
		struct ckpt_checkpoint *out)
{
	struct ckpt_value *values = (struct ckpt_value *)(void *)out->values;
	const struct row_reader r = reader_of(s);

	for (size_t i = 0; i < out->nvalues; i++) {
		const struct dump_row *blob = blob_of(s->store, row, &values[i]);
		struct dump_line line;

		if (!blob)
			continue;
		if (dump_row_read(s, blob, true, &line) < 0 ||
				row_give(&r, &values[i], bytes(s, &line.f[DUMP_TYPE]),
						bytes(s, &line.f[DUMP_BODY])) < 0)
			break;
	}
	return s->store->base.err->code;
}

int dump_fill_blob(struct dump_step *s, const struct dump_row *row, bool body,
		struct ckpt_value *out)
{
	const struct row_reader r = reader_of(s);
	struct dump_line line;
	struct ckpt_buf version = { 0 };
	bool empty;

	if (dump_row_read(s, row, false, &line) < 0)
		return s->store->base.err->code;
	*out = (struct ckpt_value){ .channel = dump_name(&s->store->names, row->major),
		.type = bytes(s, &line.f[DUMP_TYPE]) };
	empty = line.f[DUMP_BODY].form != DUMP_BASE64 &&
	        ckpt_view_eq(out->type, CKPT_LIT("empty"));
	out->place = empty ? CKPT_EMPTY : CKPT_BLOB;
	if (row->minor != DUMP_NONE) {
		ckpt_json_string(&version, dump_name(&s->store->names, row->minor));
		out->version = arena_copy(
				&s->arena, ckpt_buf_view(&version), s->store->base.err);
		ckpt_buf_free(&version);
	}
	if (body)
		out->body = bytes(s, &line.f[DUMP_BODY]);
	return body ? row_open(&r, &out->type, &out->lock, &out->body)
	            : s->store->base.err->code;
}

int dump_each_blob(struct dump_step *s, const struct dump_row *row,
		void (*named)(void *arg, size_t blob), void *arg)
{
	struct ckpt_checkpoint c = { 0 };
	struct dump_line line;

	if (dump_row_read(s, row, false, &line) < 0)
		return s->store->base.err->code;
	c.type = bytes(s, &line.f[DUMP_TYPE]);
	codec_split(&c, bytes(s, &line.f[DUMP_BODY]), &s->arena, s->store->base.err);
	for (size_t i = 0; i < c.nvalues && !s->store->base.err->code; i++) {
		const struct dump_row *blob = blob_of(s->store, row, &c.values[i]);

		if (blob)
			named(arg, (size_t)(blob - s->store->rows[DUMP_BLOB].v));
	}
	return s->store->base.err->code;
}

/* ---- Sends ---------------------------------------------------------------------------------------- */

static int by_path(const void *a, const void *b)
{
	const struct dump_row *const *x = a, *const *y = b;
	struct dump_row one = **x, two = **y;

	one.ns = two.ns = 0; /* all namespaces of the thread together */
	return dump_row_cmp(&one, &two);
}

/* The writes to __pregel_tasks of a checkpoint's parent, in any namespace of its thread. */
static int fill_sends(struct dump_step *s, const struct dump_row *row,
		struct ckpt_checkpoint *out)
{
	const struct dump_rows *writes = &s->store->rows[DUMP_WRITE];
	uint32_t parent = dump_name_find(&s->store->names, out->parent, false);
	size_t first = dump_first(writes, row, 1), last = dump_last(writes, row, 1),
	       n = 0;
	const struct row_reader r = reader_of(s);
	struct row_sends sends = { 0 };
	const struct dump_row **of;
	struct dump_line line;

	of = arena_take(&s->arena, (last - first + 1) * sizeof(*of), s->store->base.err);
	for (size_t i = first; of && i < last && parent != DUMP_NONE; i++) {
		if (writes->v[i].send && writes->v[i].id == parent)
			of[n++] = &writes->v[i];
	}
	if (n > 1)
		qsort(of, n, sizeof(*of), by_path);
	for (size_t i = 0; i < n && !s->store->base.err->code; i++) {
		if (dump_row_read(s, of[i], true, &line) == 0)
			row_send(&r, &sends, bytes(s, &line.f[DUMP_TYPE]),
					bytes(s, &line.f[DUMP_BODY]));
	}
	return row_sends_end(&r, &sends, out);
}

/* ---- values and writes ------------------------------------------------------------------------------- */

int dump_fill_values(struct dump_step *s, struct dump_line *line,
		const struct dump_row *row, bool apart, struct ckpt_checkpoint *out)
{
	const struct row_reader r = reader_of(s);
	struct ckpt_view body = bytes(s, &line->f[DUMP_BODY]);

	if (row_open(&r, &out->type, &out->lock, &body) < 0 ||
			codec_split(out, body, &s->arena, s->store->base.err) < 0)
		return s->store->base.err->code;
	out->body = body;
	if (out->lock == CKPT_SHUT)
		out->broken_why = "it cannot be decrypted: wrong key or damaged row";
	if (apart || !row->apart || fill_blobs(s, row, out) < 0)
		return s->store->base.err->code;
	return !row->shallow && !s->raw && row_wants_sends(out) ? fill_sends(s, row, out)
	                                                        : 0;
}

int dump_fill_write(struct dump_step *s, const struct dump_row *row, bool bodies,
		struct ckpt_write *out)
{
	const struct row_reader r = reader_of(s);
	struct ckpt_error *err = s->store->base.err;
	struct dump_line line;

	if (dump_row_read(s, row, true, &line) < 0)
		return err->code;
	*out = (struct ckpt_write){
		.task = dump_name(&s->store->names, row->minor),
		.path = dump_name(&s->store->names, row->major),
		.channel = bytes(s, &line.f[DUMP_CHANNEL]),
		.type = bytes(s, &line.f[DUMP_TYPE]),
		.idx = row->idx,
		.size = row->size,
		.seq = row->line,
		.form = form_of(&line),
	};
	if (bodies)
		out->body = bytes(s, &line.f[DUMP_BODY]);
	return bodies ? row_open(&r, &out->type, &out->lock, &out->body) : err->code;
}

int dump_fill_writes(struct dump_step *s, const struct dump_row *row, bool bodies,
		struct ckpt_checkpoint *out)
{
	const struct dump_rows *writes = &s->store->rows[DUMP_WRITE];
	size_t first = dump_first(writes, row, 3), n = dump_last(writes, row, 3) - first;
	struct ckpt_write *list;

	if (!n || s->store->base.err->code)
		return s->store->base.err->code;
	list = arena_take(&s->arena, n * sizeof(*list), s->store->base.err);
	for (size_t i = 0; list && i < n; i++) {
		if (dump_fill_write(s, &writes->v[first + i], bodies, &list[i]) < 0)
			return s->store->base.err->code;
		out->writes_size += list[i].size;
	}
	out->writes = list;
	out->nwrites = list ? n : 0;
	return s->store->base.err->code;
}
