/*
 * tree.c - compact JSON text as a tree: one array of nodes, parents before children.
 *
 * Reads what this library has written, checks only that it stays inside the text, and recurses
 * over nothing. A hash is a hint: whoever needs certainty compares texts or children.
 */
#include <string.h>
#include <xxhash.h>

#include "token.h"
#include "tree.h"

struct open { /* a container that has begun */
	uint32_t node, last, id;
	uint64_t sum;
	size_t pointer;   /* bytes of its own pointer */
	uint32_t counted; /* children that are not masked members */
	bool type;        /* it has a member "type" */
};

struct parser {
	struct tree *tree;
	const struct tree_mask *mask;
	const char *p, *start, *end;
	struct open *open;
	size_t depth, cap;
	struct ckpt_buf pointer; /* of the value that is being read; only with a mask */
	struct ckpt_view key;    /* of the member that is being read */
	int rc;
};

static void fail(struct parser *s, int rc)
{
	s->rc = s->rc < 0 ? s->rc : rc;
}

/* ---- text ------------------------------------------------------------------------------------ */

struct ckpt_view tree_text(const struct tree *t, uint32_t node)
{
	return (struct ckpt_view){ (const char *)t->text.p + t->nodes[node].at,
		t->nodes[node].n };
}

struct ckpt_view tree_key(const struct tree *t, uint32_t node)
{
	const struct tree_node *n = &t->nodes[node];

	return (struct ckpt_view){ (const char *)t->text.p + n->at - 1 - n->key_n,
		n->key_n };
}

void tree_copy(struct ckpt_buf *to, const struct tree *t, uint32_t node)
{
	struct ckpt_view v = tree_text(t, node);
	const char *p = v.p, *run = p, *end = p + v.n;
	bool quoted = false;

	if (!t->marks)
		end = p;
	for (; p < end; p++) {
		if (quoted && *p == '\\') {
			p++;
		} else if (*p == '"') {
			quoted = !quoted;
		} else if (*p == ' ' && !quoted) {
			ckpt_buf_add(to, run, (size_t)(p - run));
			run = p + 1;
		}
	}
	ckpt_buf_add(to, run, (size_t)((const char *)v.p + v.n - run));
}

void ckpt_json_text(struct ckpt_buf *to, struct ckpt_view string)
{
	struct reader *rd;
	struct token t;

	if (string.n >= 2 && !memchr(string.p, '\\', string.n)) {
		ckpt_buf_add(to, (const char *)string.p + 1, string.n - 2);
		return;
	}
	rd = malloc(sizeof(*rd));
	if (!rd) {
		to->failed = true;
		return;
	}
	reader_init(rd, &json_reader, string);
	if (reader_next(rd, &t) == 1 && t.kind == TOKEN_STR)
		ckpt_buf_add(to, t.s.p, t.s.n);
	reader_done(rd);
	free(rd);
}

/* ---- pointers -------------------------------------------------------------------------------- */

/* The pointer of the value to be read: that of its container and one more token. */
static void point(struct parser *s, const struct open *in)
{
	const struct tree_node *node = &s->tree->nodes[in->node];
	struct ckpt_buf name = { 0 };

	if (s->pointer.failed)
		return;
	s->pointer.n = in->pointer;
	ckpt_buf_puts(&s->pointer, "/");
	if (node->kind == TREE_SET)
		ckpt_buf_puts(&s->pointer, "-");
	else if (node->kind == TREE_LIST)
		ckpt_buf_addf(&s->pointer, "%u", node->count);
	else
		ckpt_json_text(&name, s->key);
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '~' || name.p[i] == '/')
			ckpt_buf_puts(&s->pointer, name.p[i] == '~' ? "~0" : "~1");
		else
			ckpt_buf_add(&s->pointer, name.p + i, 1);
	}
	s->pointer.failed |= name.failed;
	ckpt_buf_free(&name);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static uint32_t add_node(struct parser *s, enum tree_kind kind)
{
	struct tree *t = s->tree;

	if (t->n == t->cap) {
		uint32_t cap = t->cap ? 2 * t->cap : 256;
		struct tree_node *more;

		if (t->cap > UINT32_MAX / 4 ||
				!(more = realloc(t->nodes, cap * sizeof(*more)))) {
			fail(s, CKPT_ENOMEM);
			return TREE_NONE;
		}
		t->nodes = more;
		t->cap = cap;
	}
	t->nodes[t->n] = (struct tree_node){ .at = (size_t)(s->p - s->start),
		.kind = (uint8_t)kind };
	return t->n++;
}

static bool key_is(struct ckpt_view key, const char *quoted)
{
	return key.n == strlen(quoted) && memcmp(key.p, quoted, key.n) == 0;
}

/* A value is complete: its parent takes note of it. */
static void adopt(struct parser *s, struct open *in, uint32_t at)
{
	struct tree_node *node = &s->tree->nodes[at], *parent = &s->tree->nodes[in->node];
	const char *text = s->start + node->at;

	if (parent->count++)
		s->tree->nodes[in->last].next = at;
	in->last = at;
	if (parent->kind != TREE_MAP) {
		uint64_t two[2] = { in->sum, node->hash };

		in->sum = XXH3_64bits(two, sizeof(two));
		in->counted++;
		return;
	}
	in->counted += !node->masked;
	if (!node->masked)
		in->sum += XXH3_64bits_withSeed(
				text - 1 - node->key_n, node->key_n, node->hash);
	if (node->key_n == 6 && memcmp(text - 7, "\"type\"", 6) == 0)
		in->type = node->kind == TREE_STRING;
	if (node->key_n == 4 && memcmp(text - 5, "\"id\"", 4) == 0)
		in->id = node->kind != TREE_NULL && !node->masked ? at : 0;
}

/* {"$bytes":…}, {"$opaque":…,"size":…,"sha256":…}: what has no parts for a reader. */
static bool is_whole(const struct parser *s, uint32_t at)
{
	static const struct {
		const char *key;
		uint32_t members;
	} forms[] = { { "\"$bytes\"", 1 }, { "\"$str\"", 1 }, { "\"$float\"", 1 },
		{ "\"$timedelta\"", 1 }, { "\"$numpy\"", 1 }, { "\"$opaque\"", 3 },
		{ "\"$corrupt\"", 3 } };
	const struct tree_node *node = &s->tree->nodes[at];

	if (node->kind != TREE_MAP || node->count == 0 || node->count > 3)
		return false;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (forms[i].members == node->count &&
				key_is(tree_key(s->tree, at + 1), forms[i].key))
			return true;
	}
	return false;
}

/* Length, hash and mask of a node whose text ends here. */
static void finish(struct parser *s, uint32_t at, const struct open *was)
{
	struct tree_node *node = &s->tree->nodes[at];
	const char *text = s->start + node->at;

	node->n = (size_t)(s->p - text);
	if (was) {
		uint64_t three[3] = { was->sum, was->counted, node->kind };

		node->hash = XXH3_64bits(three, sizeof(three));
		node->id = was->type ? was->id : 0;
		if (is_whole(s, at))
			node->kind = TREE_WHOLE;
	} else {
		node->hash = XXH3_64bits(text, node->n);
	}
	if (s->mask && s->depth && !s->pointer.failed &&
			s->mask->hides(s->mask->arg, s->pointer.p))
		node->masked = true;
	if (node->masked) {
		node->hash = 1;
		node->id = 0;
	}
}

/* ---- the parser ------------------------------------------------------------------------------ */

static bool read_string(struct parser *s)
{
	const char *q = s->p;

	if (s->p >= s->end || *s->p != '"')
		return false;
	while ((q = memchr(q + 1, '"', (size_t)(s->end - q - 1)))) {
		const char *b = q;

		while (b[-1] == '\\')
			b--;
		if ((q - b) % 2 == 0) {
			s->p = q + 1;
			return true;
		}
	}
	return false;
}

static bool read_word(struct parser *s)
{
	const char *from = s->p;

	while (s->p < s->end && *s->p != ',' && *s->p != ']' && *s->p != '}' &&
			*s->p != ':' && *s->p != '"' && *s->p != '[' && *s->p != '{' &&
			*s->p != ' ')
		s->p++;
	return s->p > from;
}

static bool begin(struct parser *s, uint32_t node)
{
	if (s->depth == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 32;
		struct open *more = realloc(s->open, cap * sizeof(*more));

		if (!more) {
			fail(s, CKPT_ENOMEM);
			return false;
		}
		s->open = more;
		s->cap = cap;
	}
	s->open[s->depth++] = (struct open){ .node = node, .pointer = s->pointer.n };
	s->p++;
	if (s->tree->nodes[node].kind == TREE_SET)
		s->p++;
	return true;
}

/* The quoted key and its colon, before a member of a map. */
static bool read_key(struct parser *s)
{
	const char *from = s->p;

	if (!read_string(s) || s->p >= s->end || *s->p != ':')
		return false;
	s->key = (struct ckpt_view){ from, (size_t)(s->p - from) };
	s->p++;
	return s->p < s->end && s->key.n < UINT32_MAX;
}

static enum tree_kind kind_at(const struct parser *s)
{
	switch (*s->p) {
	case '{':
		return TREE_MAP;
	case '[':
		return s->p + 1 < s->end && s->p[1] == ' ' ? TREE_SET : TREE_LIST;
	case '"':
		return TREE_STRING;
	case 't':
	case 'f':
		return TREE_BOOL;
	case 'n':
		return TREE_NULL;
	default:
		return TREE_NUMBER;
	}
}

/* One value from its first byte. True: it is complete; false: it has begun, or failed. */
static bool read_value(struct parser *s)
{
	struct open *in = s->depth ? &s->open[s->depth - 1] : NULL;
	bool member = in && s->tree->nodes[in->node].kind == TREE_MAP;
	enum tree_kind kind;
	uint32_t at;

	if ((member && !read_key(s)) || s->p >= s->end) {
		fail(s, CKPT_ECORRUPT);
		return false;
	}
	kind = kind_at(s);
	at = add_node(s, kind);
	if (at == TREE_NONE)
		return false;
	if (member)
		s->tree->nodes[at].key_n = (uint32_t)s->key.n;
	if (in && s->mask)
		point(s, in);
	if (kind >= TREE_LIST) {
		s->tree->marks |= kind == TREE_SET;
		begin(s, at);
		return false;
	}
	if (kind == TREE_STRING ? !read_string(s) : !read_word(s)) {
		fail(s, CKPT_ECORRUPT);
		return false;
	}
	finish(s, at, NULL);
	if (in)
		adopt(s, in, at);
	return true;
}

/* The container on top ends if its bracket stands here. */
static bool close_container(struct parser *s)
{
	struct open was = s->open[s->depth - 1];
	bool map = s->tree->nodes[was.node].kind == TREE_MAP;

	if (s->p >= s->end || *s->p != (map ? '}' : ']'))
		return false;
	s->p++;
	s->depth--;
	if (!s->pointer.failed && s->pointer.p) {
		s->pointer.n = was.pointer;
		s->pointer.p[was.pointer] = '\0';
	}
	finish(s, was.node, &was);
	if (s->depth)
		adopt(s, &s->open[s->depth - 1], was.node);
	return true;
}

/* After a value: close what ends here. True: another value follows. */
static bool go_on(struct parser *s)
{
	while (s->depth) {
		if (s->p < s->end && *s->p == ',') {
			s->p++;
			return true;
		}
		if (!close_container(s)) {
			fail(s, CKPT_ECORRUPT);
			return false;
		}
	}
	return false;
}

int tree_read(struct tree *out, struct ckpt_view text, const struct tree_mask *mask)
{
	struct parser s = { .tree = out, .mask = mask, .p = text.p, .start = text.p };
	bool more = true;

	*out = (struct tree){ .text = text };
	if (!text.p)
		return CKPT_ECORRUPT;
	s.end = s.p + text.n;
	ckpt_buf_puts(&s.pointer, "");
	while (more && s.rc == 0) {
		bool complete = read_value(&s);

		if (s.rc == 0 && !complete)
			complete = close_container(&s);
		more = s.rc == 0 && (complete ? go_on(&s) : true);
	}
	if (s.pointer.failed)
		fail(&s, CKPT_ENOMEM);
	else if (s.p != s.end)
		fail(&s, CKPT_ECORRUPT);
	ckpt_buf_free(&s.pointer);
	free(s.open);
	if (s.rc < 0)
		tree_free(out);
	return s.rc;
}

void tree_free(struct tree *t)
{
	free(t->nodes);
	t->nodes = NULL;
	t->n = t->cap = 0;
}

/* ---- finding --------------------------------------------------------------------------------- */

/* The token up to the next slash as the key of a map would be written. */
static bool cut_token(struct ckpt_view *rest, struct ckpt_buf *raw, struct ckpt_buf *key)
{
	const char *p = rest->p;
	size_t i = 1;

	raw->n = key->n = 0;
	ckpt_buf_add(raw, "", 0);
	for (; i < rest->n && p[i] != '/'; i++) {
		if (p[i] == '~' && (i + 1 == rest->n ||
						   (p[i + 1] != '0' && p[i + 1] != '1')))
			return false;
		if (p[i] == '~')
			ckpt_buf_puts(raw, p[++i] == '0' ? "~" : "/");
		else
			ckpt_buf_add(raw, p + i, 1);
	}
	*rest = (struct ckpt_view){ p + i, rest->n - i };
	json_string(key, ckpt_buf_view(raw), true);
	return !raw->failed && !key->failed;
}

static bool index_is(const struct ckpt_buf *raw, uint32_t i)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u", i);

	return raw->n == (size_t)n && memcmp(raw->p, text, raw->n) == 0;
}

static uint32_t find_child(const struct tree *t, uint32_t at, const struct ckpt_buf *raw,
		struct ckpt_view key)
{
	const struct tree_node *node = &t->nodes[at];
	bool map = node->kind == TREE_MAP || node->kind == TREE_WHOLE;
	uint32_t found = TREE_NONE, child = at + 1;

	if (node->kind < TREE_WHOLE)
		return TREE_NONE;
	for (uint32_t i = 0; i < node->count; i++, child = t->nodes[child].next) {
		if (map ? ckpt_view_eq(tree_key(t, child), key) : index_is(raw, i))
			found = child;
	}
	return found;
}

uint32_t tree_find(const struct tree *t, struct ckpt_view pointer)
{
	struct ckpt_buf raw = { 0 }, key = { 0 };
	uint32_t at = t->n ? 0 : TREE_NONE;

	if (pointer.n && *(const char *)pointer.p != '/')
		return TREE_NONE;
	while (at != TREE_NONE && pointer.n) {
		if (!cut_token(&pointer, &raw, &key))
			at = TREE_NONE;
		else
			at = find_child(t, at, &raw, ckpt_buf_view(&key));
	}
	ckpt_buf_free(&raw);
	ckpt_buf_free(&key);
	return at;
}
