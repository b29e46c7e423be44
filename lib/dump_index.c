/*
 * dump_index.c - one pass over a dump: which rows there are, sorted by key, and where each lies.
 *
 * Nothing of a row is kept but its key. Lines that hold no row do not hide the others: they are
 * faults, told in a note and kept for whoever asks. A line of a kind that is not known ends it:
 * a later format may say with it that the others mean something else.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dump_index.h"

#define CHUNK ((size_t)1 << 20)
#define FAULTS_MOST 10000

struct pass {
	struct dump_store *store;
	const struct ckpt_config *config;
	struct ckpt_error *err;
	struct reader json;
	uint8_t *buf;
	size_t n, cap;
	int64_t base;            /* of buf, in the file */
	int64_t line;            /* number of the current one, from 1 */
	int64_t seen[DUMP_ROWS]; /* since the last header */
	int64_t nbad, first_bad;
	bool open;              /* a header or rows came after the last end */
	bool apart, shallow;    /* as the last header says */
	const char *incomplete; /* NULL, or why */
	char extra[200];        /* a member that was passed over, or "" */
	size_t twins;
};

static int no_memory(struct pass *p)
{
	return ckpt_fail(p->err, CKPT_ENOMEM, "out of memory");
}

static int fault(struct pass *p, int64_t line, const char *why, const char *member)
{
	struct dump_store *s = p->store;

	if (s->nfaults == s->capfaults) {
		size_t cap = s->capfaults ? s->capfaults * 2 : 16;
		struct dump_fault *more = realloc(s->faults, cap * sizeof(*more));

		if (!more)
			return no_memory(p);
		s->faults = more;
		s->capfaults = cap;
	}
	s->faults[s->nfaults++] = (struct dump_fault){ line, why, member };
	return 0;
}

static int bad_line(struct pass *p, const struct dump_line *l, bool torn)
{
	if (!p->nbad++)
		p->first_bad = p->line;
	if (p->nbad > FAULTS_MOST)
		return p->nbad > FAULTS_MOST + 1
		                       ? 0
		                       : fault(p, p->line, "and more such lines follow",
							 NULL);
	return fault(p, p->line, torn ? "the line is cut off" : l->why,
			torn ? NULL : l->member);
}

/* ---- headers and ends -------------------------------------------------------------------------- */

static bool is(const struct dump_field *f, const char *text)
{
	return f->form == DUMP_PLAIN &&
	       ckpt_view_eq((struct ckpt_view){ f->p, f->n }, ckpt_view_of(text));
}

static int end_section(struct pass *p, const char *why)
{
	if (!p->open)
		return 0;
	p->open = false;
	p->incomplete = why;
	return fault(p, 0, why, NULL);
}

static int take_header(struct pass *p, const struct dump_line *l)
{
	const struct dump_field *f = l->f;
	bool sqlite = is(&f[DUMP_ENGINE], "sqlite"),
	     shallow = is(&f[DUMP_LAYOUT], "langgraph-shallow");

	if (!is(&f[DUMP_WHAT], "dump") || f[DUMP_FORMAT].form != DUMP_NUMBER)
		return ckpt_fail(p->err, CKPT_EUNSUPPORTED,
				"line %lld: the header is of no dump that is known",
				(long long)p->line);
	if (f[DUMP_FORMAT].i != 1)
		return ckpt_fail(p->err, CKPT_EUNSUPPORTED,
				"line %lld: a dump of version %lld; this program reads "
				"version 1",
				(long long)p->line, (long long)f[DUMP_FORMAT].i);
	if ((!sqlite && !is(&f[DUMP_ENGINE], "postgresql")) ||
			(!is(&f[DUMP_LAYOUT], "langgraph") && (sqlite || !shallow)))
		return ckpt_fail(p->err, CKPT_EUNSUPPORTED,
				"line %lld: a dump of an engine or layout that is not "
				"known",
				(long long)p->line);
	p->apart = !sqlite;
	p->store->base.inlines |= p->apart;
	p->store->base.has_blobs |= p->apart;
	p->shallow = shallow;
	p->store->base.shallow |= shallow;
	if (end_section(p, "a part of it has no end line, rows may be missing") < 0)
		return p->err->code;
	p->open = true;
	memset(p->seen, 0, sizeof(p->seen));
	return 0;
}

static int take_end(struct pass *p, const struct dump_line *l)
{
	static const enum dump_slot slots[DUMP_ROWS] = { DUMP_CHECKPOINTS, DUMP_WRITES,
		DUMP_BLOBS };

	p->open = false;
	for (size_t i = 0; i < DUMP_ROWS; i++) {
		if (l->f[slots[i]].i != p->seen[i]) {
			p->incomplete = "an end line counts other rows than are there";
			return fault(p, p->line, p->incomplete, NULL);
		}
	}
	memset(p->seen, 0, sizeof(p->seen));
	return 0;
}

/* ---- rows -------------------------------------------------------------------------------------- */

static uint32_t name(struct pass *p, struct dump_line *l, enum dump_slot slot)
{
	struct dump_field *f = &l->f[slot];
	struct ckpt_view v = dump_bytes(f, &p->json);

	if (!v.p && f->form == DUMP_ESCAPED) {
		no_memory(p);
		return DUMP_NONE;
	}
	if (v.n > UINT32_MAX) {
		ckpt_fail(p->err, CKPT_EUNSUPPORTED, "line %lld: a name of 4 GiB",
				(long long)p->line);
		return DUMP_NONE;
	}
	return dump_name_add(&p->store->names, v.p ? v : CKPT_LIT(""), f->blob, p->err);
}

static int take_row(struct pass *p, struct dump_line *l, int64_t at, size_t n)
{
	struct dump_rows *rows = &p->store->rows[l->kind];
	struct dump_row *r;

	if (rows->n == rows->cap) {
		size_t cap = rows->cap ? rows->cap * 2 : 256;
		struct dump_row *more = realloc(rows->v, cap * sizeof(*more));

		if (!more)
			return no_memory(p);
		rows->v = more;
		rows->cap = cap;
	}
	r = &rows->v[rows->n++];
	*r = (struct dump_row){ .at = at,
		.line = (uint32_t)p->line,
		.n = n,
		.size = dump_size(&l->f[DUMP_BODY]),
		.idx = l->f[DUMP_IDX].i,
		.major = DUMP_NONE,
		.minor = DUMP_NONE,
		.id = DUMP_NONE,
		.apart = p->apart,
		.shallow = p->shallow };
	r->send = l->kind == DUMP_WRITE && is(&l->f[DUMP_CHANNEL], "__pregel_tasks");
	r->thread = name(p, l, DUMP_THREAD);
	r->ns = name(p, l, DUMP_NS);
	if (l->kind != DUMP_BLOB)
		r->id = name(p, l, DUMP_ID);
	if (l->kind != DUMP_CHECKPOINT)
		r->major = name(p, l, l->kind == DUMP_WRITE ? DUMP_PATH : DUMP_CHANNEL);
	if (l->kind == DUMP_WRITE)
		r->minor = name(p, l, DUMP_TASK);
	if (l->kind == DUMP_BLOB && l->f[DUMP_VERSION].form > DUMP_NULL)
		r->minor = name(p, l, DUMP_VERSION);
	p->seen[l->kind]++;
	p->open = true;
	return p->err->code;
}

static int unsupported(struct pass *p, const struct dump_line *l)
{
	char shown[200];

	ckpt_fail(p->err, CKPT_EUNSUPPORTED, "line %lld: a row of unknown kind '%s'",
			(long long)p->line, ckpt_show_name(shown, l->extra));
	ckpt_hint(p->err, "a later version may have written it; the format: ckpt help "
			  "dump");
	return p->err->code;
}

static int take_line(struct pass *p, uint8_t *text, size_t n, bool torn)
{
	int64_t at = p->base + (text - p->buf);
	struct dump_line l;

	p->line++;
	if (p->line == 1 && n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		n -= 3;
		at += 3;
	}
	dump_line_read(&l, text, n, &p->json);
	if (p->line == 1 && l.kind != DUMP_HEADER)
		return ckpt_fail(p->err, CKPT_EUNSUPPORTED, "it has no header");
	if (l.extra.p && !p->extra[0] && l.kind != DUMP_OTHER && l.kind != DUMP_BAD &&
			l.kind != DUMP_ITEM)
		ckpt_show_name(p->extra, l.extra);
	switch (l.kind) {
	case DUMP_BLANK:
	case DUMP_ITEM:
		return 0;
	case DUMP_HEADER:
		return take_header(p, &l);
	case DUMP_END:
		return take_end(p, &l);
	case DUMP_OTHER:
		return unsupported(p, &l);
	case DUMP_BAD:
		return bad_line(p, &l, torn);
	default:
		return take_row(p, &l, at, n);
	}
}

/* ---- the pass ------------------------------------------------------------------------------------ */

/* More of the file behind what is held; a line longer than the buffer makes it grow. */
static int fill(struct pass *p)
{
	int64_t at = p->base + (int64_t)p->n;
	size_t want;
	ssize_t got;

	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : CHUNK;
		uint8_t *more = realloc(p->buf, cap);

		if (!more)
			return no_memory(p);
		p->buf = more;
		p->cap = cap;
	}
	want = p->cap - p->n;
	if ((int64_t)want > p->store->size - at)
		want = (size_t)(p->store->size - at);
	got = pread(p->store->fd, p->buf + p->n, want, at);
	if (got <= 0)
		return ckpt_fail(p->err, got ? CKPT_EIO : CKPT_EBUSY,
				got ? "the archive cannot be read"
				    : "the archive became shorter while it was read");
	p->n += (size_t)got;
	if (p->config->stop && p->config->stop(p->config->arg))
		return ckpt_fail(p->err, CKPT_EINTERRUPTED, "stopped by a signal");
	return 0;
}

static int pass(struct pass *p)
{
	size_t looked = 0; /* no newline before */

	while (p->base + (int64_t)p->n < p->store->size) {
		size_t from = 0;
		uint8_t *end;

		if (fill(p) < 0)
			return p->err->code;
		while ((end = memchr(p->buf + looked, '\n', p->n - looked))) {
			size_t n = (size_t)(end - p->buf) - from;

			if (take_line(p, p->buf + from, n, false) < 0)
				return p->err->code;
			looked = from += n + 1;
		}
		if (from)
			memmove(p->buf, p->buf + from, p->n - from);
		p->n -= from;
		p->base += (int64_t)from;
		looked = p->n;
	}
	if (p->n && take_line(p, p->buf, p->n, true) < 0)
		return p->err->code;
	return p->line ? 0 : ckpt_fail(p->err, CKPT_EUNSUPPORTED, "it is empty");
}

/* ---- order ---------------------------------------------------------------------------------------- */

static int cmp(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

int dump_row_cmp(const struct dump_row *a, const struct dump_row *b)
{
	int d = cmp(a->thread, b->thread);

	d = d ? d : cmp(a->ns, b->ns);
	d = d ? d : cmp(a->id, b->id);
	d = d ? d : cmp(a->major, b->major);
	d = d ? d : cmp(a->minor, b->minor);
	return d ? d : (a->idx > b->idx) - (a->idx < b->idx);
}

static int by_key(const void *a, const void *b)
{
	const struct dump_row *x = a, *y = b;
	int d = dump_row_cmp(x, y);

	return d ? d : (x->at > y->at) - (x->at < y->at);
}

static uint32_t rank_of(const uint32_t *rank, uint32_t at)
{
	return at == DUMP_NONE ? at : rank[at];
}

static void order(struct pass *p, struct dump_rows *rows, const uint32_t *rank)
{
	struct dump_row *less;
	bool sorted = true;
	size_t n = 0;

	for (size_t i = 0; i < rows->n; i++) {
		struct dump_row *r = &rows->v[i];

		r->thread = rank_of(rank, r->thread);
		r->ns = rank_of(rank, r->ns);
		r->id = rank_of(rank, r->id);
		r->major = rank_of(rank, r->major);
		r->minor = rank_of(rank, r->minor);
		sorted &= i == 0 || by_key(r - 1, r) < 0;
	}
	if (!sorted)
		qsort(rows->v, rows->n, sizeof(*rows->v), by_key);
	for (size_t i = 0; i < rows->n; i++) {
		if (i + 1 < rows->n && dump_row_cmp(&rows->v[i], &rows->v[i + 1]) == 0)
			p->twins++;
		else
			rows->v[n++] = rows->v[i];
	}
	rows->n = n;
	less = n ? realloc(rows->v, n * sizeof(*less)) : NULL;
	if (less) {
		rows->v = less;
		rows->cap = n;
	}
}

/* ---- what a person should know --------------------------------------------------------------------- */

static void note_bad(struct pass *p, struct ckpt_buf *text)
{
	const struct dump_fault *f = p->store->faults;

	while (f->line != p->first_bad) /* the first of them is kept for certain */
		f++;
	ckpt_buf_addf(text,
			"%lld line%s of the archive hold%s no row: ", (long long)p->nbad,
			p->nbad == 1 ? "" : "s", p->nbad == 1 ? "s" : "");
	ckpt_buf_addf(text, "line %lld%s: %s", (long long)f->line,
			p->nbad == 1 ? "" : " the first", f->why);
	if (f->member)
		ckpt_buf_addf(text, " (member '%s')", f->member);
}

static void notes(struct pass *p)
{
	struct ckpt_buf text[4] = { { 0 } };

	if (p->nbad)
		note_bad(p, &text[0]);
	if (p->incomplete)
		ckpt_buf_addf(&text[1], "the archive is incomplete: %s", p->incomplete);
	if (p->extra[0])
		ckpt_buf_addf(&text[2], "member '%s' of the archive's rows is not known",
				p->extra);
	if (p->twins)
		ckpt_buf_addf(&text[3],
				"%zu row%s of the archive stand%s there more than once: "
				"the last one counts",
				p->twins, p->twins == 1 ? "" : "s",
				p->twins == 1 ? "s" : "");
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		if (text[i].n && !text[i].failed && p->config->note)
			p->config->note(p->config->arg, text[i].p);
		ckpt_buf_free(&text[i]);
	}
}

int dump_index(struct dump_store *s, const struct ckpt_config *config)
{
	struct pass *p = calloc(1, sizeof(*p));
	uint32_t *rank = NULL;

	if (!p)
		return ckpt_fail(s->base.err, CKPT_ENOMEM, "out of memory");
	p->store = s;
	p->config = config;
	p->err = s->base.err;
	if (pass(p) == 0 &&
			end_section(p, "it has no end line, rows may be missing") == 0 &&
			dump_names_sort(&s->names, &rank, p->err) == 0) {
		for (size_t i = 0; i < DUMP_ROWS; i++)
			order(p, &s->rows[i], rank);
		notes(p);
	}
	free(rank);
	free(p->buf);
	free(p);
	return s->base.err->code;
}
