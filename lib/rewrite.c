/*
 * rewrite.c - finished containers rewritten from their pieces: duplicate and odd keys, sets.
 *
 * A piece is a segment of the text already written; new text is made in `tmp` and put in place
 * of the old. Work is n log n in the pieces, whatever the keys are. Also the walk over finished
 * text, which is valid and compact because this library has just written it.
 */
#include <stdlib.h>
#include <string.h>

#include "render.h"

enum { FEW = 16 }; /* keys that are compared pair by pair */

struct pair {
	uint64_t hash;
	struct ckpt_view key;
	size_t at, last; /* its place; the place its value comes from, SIZE_MAX: left out */
};

void render_replace(struct render *r, size_t at)
{
	if (r->tmp.failed)
		return;
	r->out->n = at;
	ckpt_buf_add(r->out, r->tmp.p, r->tmp.n);
}

/* ---- maps ------------------------------------------------------------------------------------ */

static struct ckpt_view key_text(const struct render *r, size_t seg)
{
	const struct seg *s = &r->segs[seg];

	return (struct ckpt_view){ r->out->p + s->at, s->to - 1 - s->at };
}

/* The value of a segment ends where the comma before the next key, or the brace, stands. */
static struct ckpt_view value_text(const struct render *r, size_t seg)
{
	size_t from = r->segs[seg].to;
	size_t to = (seg + 1 < r->nsegs ? r->segs[seg + 1].at : r->out->n) - 1;

	return (struct ckpt_view){ r->out->p + from, to - from };
}

static bool few_and_distinct(const struct render *r, size_t seg)
{
	size_t i, j;

	if (r->nsegs - seg > FEW)
		return false;
	for (i = seg; i < r->nsegs; i++) {
		for (j = seg; j < i; j++) {
			if (ckpt_view_eq(key_text(r, i), key_text(r, j)))
				return false;
		}
	}
	return true;
}

static int by_key(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int cmp;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	cmp = ckpt_view_cmp(x->key, y->key);
	return cmp ? cmp : (x->at > y->at) - (x->at < y->at);
}

static int by_place(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

/* The last of equal keys wins, in the place of the first. True if there were any. */
static bool find_duplicates(struct pair *pairs, size_t n)
{
	bool found = false;
	size_t i, first = 0;

	qsort(pairs, n, sizeof(*pairs), by_key);
	for (i = 1; i < n; i++) {
		if (pairs[i].hash != pairs[first].hash ||
				!ckpt_view_eq(pairs[i].key, pairs[first].key)) {
			first = i;
			continue;
		}
		pairs[first].last = pairs[i].at;
		pairs[i].last = SIZE_MAX;
		found = true;
	}
	return found;
}

static void write_pairs(struct render *r, const struct pair *pairs, size_t n, bool odd)
{
	struct ckpt_buf *tmp = &r->tmp;
	const char *comma = "";
	size_t i;

	tmp->n = 0;
	ckpt_buf_puts(tmp, odd ? "{\"$map\":[" : "{");
	for (i = 0; i < n; i++) {
		struct ckpt_view value;

		if (pairs[i].last == SIZE_MAX)
			continue;
		value = value_text(r, pairs[i].last);
		ckpt_buf_puts(tmp, comma);
		ckpt_buf_puts(tmp, odd ? "[" : "");
		ckpt_buf_add(tmp, pairs[i].key.p, pairs[i].key.n);
		ckpt_buf_puts(tmp, odd ? "," : ":");
		ckpt_buf_add(tmp, value.p, value.n);
		ckpt_buf_puts(tmp, odd ? "]" : "");
		comma = ",";
	}
	ckpt_buf_puts(tmp, odd ? "]}" : "}");
}

bool map_rewrite(struct render *r, const struct frame *f)
{
	size_t i, n = r->nsegs - f->seg;
	struct pair *pairs;
	bool rewrite;

	if (n == 0 || (!f->odd && few_and_distinct(r, f->seg)))
		return false;
	pairs = malloc(n * sizeof(*pairs));
	if (!pairs) {
		r->nomem = true;
		return false;
	}
	for (i = 0; i < n; i++) {
		struct ckpt_view key = key_text(r, f->seg + i);

		pairs[i] = (struct pair){ ckpt_hash(key), key, f->seg + i, f->seg + i };
	}
	rewrite = find_duplicates(pairs, n) || f->odd;
	if (rewrite) {
		qsort(pairs, n, sizeof(*pairs), by_place);
		write_pairs(r, pairs, n, f->odd);
		render_replace(r, f->at);
	}
	free(pairs);
	return rewrite;
}

/* ---- sets ------------------------------------------------------------------------------------ */

static int by_text(const void *a, const void *b)
{
	return ckpt_view_cmp(*(const struct ckpt_view *)a, *(const struct ckpt_view *)b);
}

/* The same order as without marks: sets among the members have a blank behind the bracket. */
static int by_unmarked_text(const void *a, const void *b)
{
	const struct ckpt_view *v[2] = { a, b };
	const char *p = v[0]->p, *q = v[1]->p, *p_end = p + v[0]->n, *q_end = q + v[1]->n;
	bool quoted = false;

	for (; p < p_end && q < q_end; p++, q++) {
		if (*p != *q)
			break;
		if (quoted && *p == '\\') {
			if (++p == p_end || ++q == q_end || *p != *q)
				break;
		} else if (*p == '"') {
			quoted = !quoted;
		} else if (*p == '[' && !quoted) {
			p += p + 1 < p_end && p[1] == ' ';
			q += q + 1 < q_end && q[1] == ' ';
		}
	}
	if (p >= p_end || q >= q_end)
		return (p < p_end) - (q < q_end);
	return (uint8_t)*p < (uint8_t)*q ? -1 : 1;
}

void render_sorted(struct render *r, size_t seg)
{
	size_t i, n = r->nsegs - seg;
	struct ckpt_view *texts = malloc((n + 1) * sizeof(*texts));

	r->tmp.n = 0;
	if (!texts) {
		r->nomem = true;
		return;
	}
	for (i = 0; i < n; i++) {
		const struct seg *s = &r->segs[seg + i];

		texts[i] = (struct ckpt_view){ r->out->p + s->at, s->to - s->at };
	}
	qsort(texts, n, sizeof(*texts), r->opt->mark_sets ? by_unmarked_text : by_text);
	/* not in keys, which are the same if their texts are */
	ckpt_buf_puts(&r->tmp, r->opt->mark_sets && !r->frames[r->nframes - 1].in_key
					       ? "[ "
					       : "[");
	for (i = 0; i < n; i++) {
		ckpt_buf_puts(&r->tmp, i ? "," : "");
		ckpt_buf_add(&r->tmp, texts[i].p, texts[i].n);
	}
	ckpt_buf_puts(&r->tmp, "]");
	free(texts);
}

/* ---- finished text --------------------------------------------------------------------------- */

/* Where the value that starts at p ends. */
static const char *text_end(const char *p, const char *end)
{
	size_t depth = 0;
	bool quoted = false;

	for (; p < end; p++) {
		if (quoted && *p == '\\')
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (quoted)
			continue;
		else if (*p == '[' || *p == '{')
			depth++;
		else if (depth == 0 && (*p == ',' || *p == ':' || *p == ']' || *p == '}'))
			break;
		else if (*p == ']' || *p == '}')
			depth--;
	}
	return p;
}

bool ckpt_walk_open(struct ckpt_walk *w, struct ckpt_view text)
{
	const char *p = text.p;

	if (!p || text.n < 2 || (*p != '[' && *p != '{'))
		return false;
	w->map = *p == '{';
	w->p = p + 1 + (p[1] == ' '); /* the mark of a set */
	w->end = p + text.n - 1;
	return true;
}

static struct ckpt_view walk_piece(struct ckpt_walk *w)
{
	const char *p = w->p;

	w->p = text_end(p, w->end);
	return (struct ckpt_view){ p, (size_t)(w->p - p) };
}

bool ckpt_walk_next(struct ckpt_walk *w, struct ckpt_view *key, struct ckpt_view *value)
{
	if (w->p >= w->end)
		return false;
	if (w->map) {
		*key = walk_piece(w);
		w->p++;
	}
	*value = walk_piece(w);
	w->p++;
	return true;
}

bool text_is(struct ckpt_view text, const char *literal)
{
	return text.p && ckpt_view_eq(text, ckpt_view_of(literal));
}

bool text_string(struct ckpt_view text, struct ckpt_view *inner)
{
	const char *p = text.p;

	if (!p || text.n < 2 || *p != '"')
		return false;
	*inner = (struct ckpt_view){ p + 1, text.n - 2 };
	return true;
}

bool text_int(struct ckpt_view text, int64_t *out)
{
	const char *p = text.p;
	size_t i = 0;
	int64_t v = 0;

	if (!p || text.n == 0 || text.n > 18)
		return false;
	if (p[0] == '-')
		i++;
	if (i == text.n)
		return false;
	for (; i < text.n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		v = 10 * v + (p[i] - '0');
	}
	*out = p[0] == '-' ? -v : v;
	return true;
}
