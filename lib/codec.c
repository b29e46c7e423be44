/*
 * codec.c - splits a checkpoint container into its channels without looking into their values.
 *
 * A container is one map. Its members `channel_values` and `channel_versions` become the list of
 * channels; the rest, in its order, is the skeleton. A fault inside leaves what came before it.
 */
#include <stdlib.h>
#include <string.h>

#include "codec.h"

const struct reader_ops *codec_reader(struct ckpt_view type)
{
	/* JavaScript reads a row without a type as json */
	if (!type.p || ckpt_view_eq(type, CKPT_LIT("json")))
		return &json_reader;
	if (ckpt_view_eq(type, CKPT_LIT("msgpack")))
		return &msgpack_reader;
	return NULL;
}

struct list { /* channels as met: from values, then from versions */
	struct ckpt_value *v;
	size_t n, cap;
};

struct split {
	struct reader r;
	struct arena *arena;
	struct ckpt_error *err;
	struct ckpt_view type;
	struct list values, versions;
	uint8_t *skeleton, *to;     /* members as they come; NULL: not wanted */
	uint64_t members;           /* of the skeleton */
	struct ckpt_view raw, text; /* the version before, as stored and as JSON */
	bool json, bare;
};

static struct ckpt_value *list_add(struct split *s, struct list *l)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 16;
		struct ckpt_value *v = arena_take(s->arena, cap * sizeof(*v), s->err);

		if (!v)
			return NULL;
		if (l->n)
			memcpy(v, l->v, l->n * sizeof(*v));
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n] = (struct ckpt_value){ 0 };
	return &l->v[l->n++];
}

/* Names that begin alike are common, that are as long and end alike are not. */
static inline bool same_name(struct ckpt_view a, struct ckpt_view b)
{
	const char *p = a.p, *q = b.p;

	return a.n == b.n &&
	       (!a.n || (p[a.n - 1] == q[a.n - 1] && memcmp(p, q, a.n) == 0));
}

/* JSON strings with escapes live in the reader's scratch only: keep them. */
static struct ckpt_view keep(struct split *s, struct ckpt_view v)
{
	const uint8_t *p = v.p;

	if (p >= s->r.base && p < s->r.end)
		return v;
	return arena_copy(s->arena, v, s->err);
}

/* Is it a short text of which every byte stands for itself in JSON? Nearly all versions are. */
static bool plain_text(struct ckpt_view raw, struct ckpt_view *text)
{
	const uint8_t *p = raw.p, *end = p + raw.n;

	if (raw.n >= 2 && p[0] == 0xd9)
		p += 2;
	else if (raw.n && p[0] >= 0xa0 && p[0] < 0xc0)
		p++;
	else
		return false;
	*text = (struct ckpt_view){ p, (size_t)(end - p) };
	while (p < end && *p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\')
		p++;
	return p == end;
}

static struct ckpt_view quoted(struct split *s, struct ckpt_view text)
{
	char *p = arena_take(s->arena, text.n + 3, s->err);

	if (!p)
		return (struct ckpt_view){ 0 };
	p[0] = p[text.n + 1] = '"';
	memcpy(p + 1, text.p, text.n);
	p[text.n + 2] = '\0';
	return (struct ckpt_view){ p, text.n + 2 };
}

/* A version as JSON text: strings in quotes, numbers with their digits. */
static struct ckpt_view version_text(struct split *s, struct ckpt_view raw)
{
	struct ckpt_buf b = { 0 };
	struct ckpt_render plain = { 0 };
	struct ckpt_view out;

	if (s->json)
		return raw;
	/* what changes in one step has one version */
	if (s->raw.p && ckpt_view_eq(raw, s->raw))
		return s->text;
	if (plain_text(raw, &out)) {
		s->raw = raw;
		s->text = quoted(s, out);
		return s->text;
	}
	ckpt_render_value(&b, s->type, raw, &plain);
	out = b.failed ? (struct ckpt_view){ 0 }
	               : arena_copy(s->arena, ckpt_buf_view(&b), s->err);
	ckpt_buf_free(&b);
	return out;
}

/* The entries of channel_values or channel_versions; the reader stands at the map. */
static int read_entries(struct split *s, struct list *to, bool versions)
{
	struct token key;
	int rc = reader_next(&s->r, &key);

	if (rc < 0)
		return rc;
	if (key.kind == TOKEN_NIL)
		return 0;
	if (key.kind != TOKEN_MAP)
		return reader_fail(&s->r, "channels are not a map", key.at);
	while ((rc = reader_next(&s->r, &key)) > 0 && key.kind != TOKEN_END) {
		struct ckpt_value *v;
		struct ckpt_view raw;
		const uint8_t *start;

		if (key.kind != TOKEN_STR)
			return reader_fail(&s->r, "a channel's name is not a string",
					key.at);
		v = list_add(s, to);
		if (!v)
			return s->err->code;
		v->channel = keep(s, key.s);
		start = s->r.at;
		rc = reader_skip(&s->r, versions ? &raw : &v->body);
		v->place = versions ? CKPT_EMPTY : CKPT_INLINE;
		if (!versions)
			v->type = s->type;
		else if (rc >= 0 && !s->bare)
			v->version = version_text(s, raw);
		if (rc < 0 && !versions) /* its rest: shown as corrupt, with its offset */
			v->body = (struct ckpt_view){ start, (size_t)(s->r.end - start) };
		if (rc < 0)
			return rc;
	}
	return rc < 0 ? rc : 0;
}

static void add_member(struct split *s, const uint8_t *start)
{
	if (s->json && s->members)
		*s->to++ = ',';
	s->members++;
	memcpy(s->to, start, (size_t)(s->r.at - start));
	s->to += s->r.at - start;
}

static void read_time(
		struct split *s, struct ckpt_view value, struct ckpt_checkpoint *out)
{
	struct ckpt_buf text = { 0 };
	struct ckpt_render plain = { 0 };

	ckpt_render_value(&text, s->type, value, &plain);
	if (!text.failed && text.n > 2 && text.p[0] == '"')
		ckpt_time_parse(&out->time, (struct ckpt_view){ text.p + 1, text.n - 2 },
				0);
	ckpt_buf_free(&text);
}

static int read_member(
		struct split *s, const struct token *key, struct ckpt_checkpoint *out)
{
	const uint8_t *start = s->r.base + key->at;
	struct ckpt_view value;

	if (same_name(key->s, CKPT_LIT("channel_values")))
		return read_entries(s, &s->values, false);
	if (same_name(key->s, CKPT_LIT("channel_versions"))) {
		/* the versions stay in the skeleton as well: it is the container but for values */
		int rc = read_entries(s, &s->versions, true);

		if (rc < 0)
			return rc;
		value = (struct ckpt_view){ s->r.at, 0 };
	} else if (reader_skip(&s->r, &value) < 0) {
		return CKPT_ECORRUPT;
	}
	if (s->bare) {
		s->members++;
		return 0;
	}
	if (out->time == CKPT_UNKNOWN && key->s.n == 2 && memcmp(key->s.p, "ts", 2) == 0)
		read_time(s, value, out);
	add_member(s, start);
	return 0;
}

static int read_container(struct split *s, struct ckpt_checkpoint *out)
{
	struct token t;
	int rc = reader_next(&s->r, &t);

	if (rc < 0)
		return rc;
	if (t.kind != TOKEN_MAP)
		return reader_fail(&s->r, "a checkpoint is a map, this is not", t.at);
	while ((rc = reader_next(&s->r, &t)) > 0 && t.kind != TOKEN_END) {
		if (t.kind != TOKEN_STR)
			return reader_fail(
					&s->r, "a member's name is not a string", t.at);
		rc = read_member(s, &t, out);
		if (rc < 0)
			return rc;
	}
	return rc < 0 ? rc : 0;
}

static int by_channel(const void *a, const void *b)
{
	const struct ckpt_value *const *x = a, *const *y = b;
	int d = ckpt_view_cmp((*x)->channel, (*y)->channel);

	return d ? d : (*x > *y) - (*x < *y);
}

enum { FEW = 16 }; /* names that are not worth sorting */

static struct ckpt_value *find(
		struct ckpt_value **list, size_t n, struct ckpt_view channel)
{
	size_t lo = 0, hi = n;

	if (n <= FEW) {
		while (n && !same_name(list[n - 1]->channel, channel))
			n--;
		return n ? list[n - 1] : NULL;
	}

	while (lo < hi) { /* the last of equal names: that is what a map keeps */
		size_t mid = lo + (hi - lo) / 2;

		if (ckpt_view_cmp(list[mid]->channel, channel) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && ckpt_view_eq(list[lo - 1]->channel, channel) ? list[lo - 1] : NULL;
}

static struct ckpt_value **sorted(struct split *s, const struct list *l)
{
	struct ckpt_value **out = arena_take(s->arena, (l->n + 1) * sizeof(*out), s->err);

	for (size_t i = 0; out && i < l->n; i++)
		out[i] = &l->v[i];
	if (out && l->n > FEW)
		qsort(out, l->n, sizeof(*out), by_channel);
	return out;
}

/* One list: values with their versions, then versions without a value; of twins the last. */
static int merge(struct split *s, struct ckpt_checkpoint *out)
{
	size_t n = s->values.n, nversions = s->versions.n;
	struct ckpt_value **values = sorted(s, &s->values),
			  **versions = sorted(s, &s->versions);
	struct ckpt_value *to =
			arena_take(s->arena, (n + nversions + 1) * sizeof(*to), s->err);

	if (!values || !versions || !to)
		return s->err->code;
	out->values = to;
	for (size_t i = 0; i < n + nversions; i++) {
		struct ckpt_value *v = i < n ? &s->values.v[i] : &s->versions.v[i - n];
		struct ckpt_value *value = find(values, n, v->channel);
		struct ckpt_value *version = NULL;

		if (i < n ? value != v : value != NULL)
			continue;
		if (i >= n || !s->bare)
			version = find(versions, nversions, v->channel);
		if (i >= n && version != v)
			continue;
		*to = *v;
		if (version)
			to->version = version->version;
		to++;
	}
	out->nvalues = (size_t)(to - out->values);
	return 0;
}

/* Room for the head in front, and for what a container that is cut lacks. */
enum { HEAD_MOST = 5, FOOT = 2 };

static int begin_skeleton(struct split *s, size_t n)
{
	s->skeleton = n < SIZE_MAX - HEAD_MOST - FOOT
	                              ? arena_take(s->arena, HEAD_MOST + n + FOOT, s->err)
	                              : NULL;
	if (!s->skeleton)
		return ckpt_fail(s->err, CKPT_ENOMEM, "out of memory");
	s->to = s->skeleton + HEAD_MOST;
	return 0;
}

static int finish_skeleton(struct split *s, struct ckpt_checkpoint *out)
{
	struct ckpt_buf head = { 0 };
	uint8_t *start;

	if (s->json)
		ckpt_buf_puts(&head, "{");
	else
		msgpack_map(&head, s->members);
	if (s->json)
		*s->to++ = '}';
	if (head.failed)
		return ckpt_fail(s->err, CKPT_ENOMEM, "out of memory");
	start = s->skeleton + HEAD_MOST - head.n;
	memcpy(start, head.p, head.n);
	*s->to = '\0';
	out->skeleton = (struct ckpt_view){ start, (size_t)(s->to - start) };
	ckpt_buf_free(&head);
	return 0;
}

static int split(struct ckpt_checkpoint *out, struct ckpt_view body, struct arena *arena,
		struct ckpt_error *err, bool bare)
{
	const struct reader_ops *ops = codec_reader(out->type);
	struct split *s;

	out->skeleton = out->opaque = (struct ckpt_view){ 0 };
	out->values = NULL;
	out->nvalues = 0;
	out->broken_why = NULL;
	if (!ops || !body.p) {
		out->opaque = body;
		if (!body.p)
			out->broken_why = "the checkpoint is NULL";
		return 0;
	}
	s = arena_take(arena, sizeof(*s), err);
	if (!s)
		return err->code;
	s->arena = arena;
	s->err = err;
	s->type = ops == &json_reader ? CKPT_LIT("json") : out->type;
	s->values = s->versions = (struct list){ 0 };
	s->bare = bare;
	s->members = 0;
	s->raw = s->text = (struct ckpt_view){ 0 };
	s->json = ops == &json_reader;
	if (!bare && begin_skeleton(s, body.n) < 0)
		return err->code;
	reader_init(&s->r, ops, body);
	if (read_container(s, out) < 0 && !err->code) {
		out->broken_why = s->r.why;
		out->broken_at = s->r.why_at;
		if (!s->members && !s->values.n)
			out->opaque = body;
	}
	/* white space may follow JSON, nothing may follow msgpack */
	while (s->json && !out->broken_why && s->r.at < s->r.end &&
			memchr(" \t\r\n", *s->r.at, 4))
		s->r.at++;
	out->trailing = !out->broken_why && s->r.at < s->r.end;
	reader_done(&s->r);
	if (!bare && finish_skeleton(s, out) < 0)
		return err->code;
	return merge(s, out);
}

int codec_split(struct ckpt_checkpoint *out, struct ckpt_view body, struct arena *arena,
		struct ckpt_error *err)
{
	return split(out, body, arena, err, false);
}

int codec_values(struct ckpt_checkpoint *out, struct ckpt_view body, struct arena *arena,
		struct ckpt_error *err)
{
	return split(out, body, arena, err, true);
}

/* The kind of the first version in a JSON map of versions; TOKEN_END if there is none. */
static enum token_kind first_version(struct ckpt_view versions)
{
	struct reader *r = malloc(sizeof(*r));
	enum token_kind kind = TOKEN_END;
	struct token t;

	if (!r)
		return kind;
	reader_init(r, &json_reader, versions);
	if (reader_next(r, &t) > 0 && t.kind == TOKEN_MAP && reader_next(r, &t) > 0 &&
			t.kind == TOKEN_STR && reader_next(r, &t) > 0)
		kind = t.kind;
	reader_done(r);
	free(r);
	return kind;
}

unsigned codec_writer(struct ckpt_view type, struct ckpt_view body)
{
	struct ckpt_view found;
	enum token_kind kind;
	const char *p;

	if (type.n >= 7 && memcmp(type.p, "msgpack", 7) == 0)
		return CKPT_PYTHON;
	if (codec_reader(type) != &json_reader)
		return 0;
	/* the clock's text: …Z is JavaScript, …+00:00 Python */
	if (ckpt_value_member(&found, CKPT_LIT("json"), body, "ts") && found.n > 8) {
		p = found.p;
		if (p[found.n - 2] == 'Z')
			return CKPT_JS;
		if (memcmp(p + found.n - 7, "+00:00", 6) == 0)
			return CKPT_PYTHON;
	}
	/* versions: numbers in JavaScript, strings in Python */
	if (!ckpt_value_member(&found, CKPT_LIT("json"), body, "channel_versions"))
		return 0;
	kind = first_version(found);
	return kind == TOKEN_STR ? CKPT_PYTHON : kind == TOKEN_NUM ? CKPT_JS : 0;
}
