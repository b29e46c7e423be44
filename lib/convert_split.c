/*
 * convert_split.c - a container of SQLite as PostgreSQL's savers would have stored it: plain values
 * in the jsonb, all others as blobs of their channel's version.
 *
 * Python keeps None, booleans, numbers and strings inline; what jsonb would change of them is a
 * blob as well, which outranks the jsonb for every reader. JavaScript keeps every value as a blob
 * and takes nothing from the jsonb; there we keep values without a version, defaults that no
 * reader misses, so that nothing is lost.
 */
#include <math.h>

#include "convert_impl.h"

static const struct ckpt_view none = { NULL, 0 };

/* ---- one value ---------------------------------------------------------------------------- */

static void set_blob(struct placed *p, struct ckpt_view type, struct ckpt_view body)
{
	p->home = HOME_BLOB;
	p->type = type;
	p->body = body;
}

/* A plain value that has to be a blob, for the reason of `code`. */
static void move_plain(struct job *j, struct placed *p, const char *code)
{
	set_blob(p, p->v->type, p->v->body);
	care(j, p->version.p ? CONVERT_MOVED_TO_BLOB : CONVERT_CANNOT, code,
			p->v->channel, "%s",
			p->version.p ? "jsonb would refuse or change this plain value: "
				       "it becomes a blob"
				     : "jsonb would refuse or change this plain value, "
				       "and its channel has no version for a blob");
}

/* A member of channel_values; `text` is the value. */
static void put_inline(struct job *j, struct placed *p, struct ckpt_view text)
{
	struct ckpt_buf *to = &j->k->inlined;

	if (text.n > j->k->limits.inlined || to->n > j->k->limits.inlined - text.n) {
		move_plain(j, p, "size");
		return;
	}
	p->home = HOME_INLINE;
	ckpt_buf_puts(to, to->n ? "," : "");
	ckpt_json_string(to, p->v->channel);
	ckpt_buf_puts(to, ":");
	ckpt_buf_add(to, text.p, text.n);
}

static void place_number(struct job *j, struct placed *p, const struct token *t)
{
	struct ckpt_buf *tmp = &j->k->tmp;

	tmp->n = 0;
	if (t->kind == TOKEN_INT)
		json_int(tmp, t->i);
	else if (t->kind == TOKEN_UINT)
		json_uint(tmp, t->u);
	else if (!isfinite(t->f)) {
		move_plain(j, p, "nan");
		return;
	} else {
		json_python_float(tmp, t->f);
	}
	if (json_number_carried(ckpt_buf_view(tmp), false))
		put_inline(j, p, ckpt_buf_view(tmp));
	else
		move_plain(j, p, "bad-number");
}

static void place_string(struct job *j, struct placed *p, struct ckpt_view s)
{
	struct ckpt_buf *tmp = &j->k->tmp;

	tmp->n = 0;
	if (s.n > j->k->limits.inlined)
		move_plain(j, p, "size");
	else if (s.n && memchr(s.p, 0, s.n))
		move_plain(j, p, "nul");
	else if (!ckpt_json_string(tmp, s))
		move_plain(j, p, "utf8");
	else
		put_inline(j, p, ckpt_buf_view(tmp));
}

/* What an encrypted row has plain is to stay under the key. */
static bool seals_plain(const struct job *j, const struct placed *p)
{
	return j->k->cfg.encrypt_all && j->c->lock == CKPT_OPENED && p->version.p;
}

static void place_msgpack(struct job *j, struct placed *p)
{
	const struct ckpt_value *v = p->v;
	struct reader *r = &j->k->rd;
	struct token t;

	reader_init(r, &msgpack_reader, v->body);
	if (reader_next(r, &t) != 1) {
		care(j, CONVERT_CANNOT, "corrupt", v->channel, "it cannot be read: %s",
				r->why ? r->why : "nothing is there");
		return;
	}
	reader_done(r);
	if (t.kind == TOKEN_BIN)
		set_blob(p, CKPT_LIT("bytes"), t.s);
	else if (t.kind == TOKEN_ARRAY || t.kind == TOKEN_MAP || t.kind == TOKEN_EXT)
		set_blob(p, CKPT_LIT("msgpack"), v->body);
	else if (seals_plain(j, p))
		set_blob(p, t.kind == TOKEN_NIL ? CKPT_LIT("null") : CKPT_LIT("msgpack"),
				t.kind == TOKEN_NIL ? CKPT_LIT("") : v->body);
	else if (t.kind == TOKEN_NIL)
		put_inline(j, p, CKPT_LIT("null"));
	else if (t.kind == TOKEN_BOOL)
		put_inline(j, p, t.b ? CKPT_LIT("true") : CKPT_LIT("false"));
	else if (t.kind == TOKEN_STR)
		place_string(j, p, t.s);
	else
		place_number(j, p, &t);
	if (t.kind == TOKEN_EXT && t.ext == 7 && p->version.p) {
		put_inline(j, p, CKPT_LIT("true"));
		p->home = HOME_MARK;
	}
}

static void place_json(struct job *j, struct placed *p)
{
	static const char snapshot[] = "\"delta_snapshot\"";
	const struct ckpt_value *v = p->v;
	const char first = v->body.n ? *(const char *)v->body.p : '\0';
	bool object = first == '{' || first == '[';
	const char *code = NULL;

	if (j->js ? p->version.p != NULL : object || seals_plain(j, p)) {
		set_blob(p, CKPT_LIT("json"), v->body);
		/* that JSON.stringify puts the mark of a snapshot first is as sure as the
		 * order of its members */
		if (first == '{' && memmem(v->body.p, v->body.n < 64 ? v->body.n : 64,
						    snapshot, sizeof(snapshot) - 1))
			p->home = HOME_MARK;
		return;
	}
	code = json_carried(v->body, j->js);
	if (code)
		move_plain(j, p, code);
	else
		put_inline(j, p, v->body);
}

/* ---- all of them -------------------------------------------------------------------------- */

static void check_blob(struct job *j, const struct placed *p)
{
	const struct ckpt_key *key = &j->c->key;
	size_t names = key->thread.n + key->ns.n + p->v->channel.n + p->version.n;

	if (!p->version.p) {
		/* a plain one has been told */
		if (!j->out->ncares ||
				j->cares[j->out->ncares - 1].channel.p != p->v->channel.p)
			care(j, CONVERT_CANNOT, "version", p->v->channel,
					"its channel has no version, so no blob can be "
					"kept for it");
		return;
	}
	name_carried(j, p->v->channel, "channel", true);
	if (p->body.n + names + p->type.n > j->k->limits.field)
		care(j, CONVERT_CANNOT, "size", p->v->channel,
				"its value of %zu bytes is too large for PostgreSQL",
				p->body.n);
	if (names > j->k->limits.key)
		care(j, CONVERT_CANNOT, "key-size", p->v->channel,
				"names of %zu bytes do not fit into an index of "
				"PostgreSQL",
				names);
}

static struct digest value_digest(struct job *j, const struct placed *p)
{
	struct digest d = version_digest(&j->k->versions, p->body);

	d.lo += version_digest(&j->k->versions, p->type).lo;
	return d;
}

static int place_values(struct job *j)
{
	const struct ckpt_checkpoint *c = j->c;

	j->placed = arena_take(
			j->arena, (c->nvalues + 1) * sizeof(*j->placed), j->k->err);
	if (!j->placed)
		return j->k->err->code;
	for (size_t i = 0; i < c->nvalues; i++) {
		struct placed *p = &j->placed[j->nplaced++];

		*p = (struct placed){ .v = &c->values[i] };
		if (!version_plain(j, p))
			return j->k->err->code;
		if (p->v->body.p && j->json)
			place_json(j, p);
		else if (p->v->body.p)
			place_msgpack(j, p);
		if (p->home == HOME_BLOB || p->home == HOME_MARK) {
			check_blob(j, p);
			p->value = value_digest(j, p);
		} else if (p->home == HOME_INLINE) {
			name_carried(j, p->v->channel, "channel", false);
		}
	}
	return j->k->inlined.failed || j->k->tmp.failed ? nomem(j) : 0;
}

static int put_blobs(struct job *j)
{
	struct convert_blob *blobs = arena_take(
			j->arena, (j->nplaced + 1) * sizeof(*blobs), j->k->err);

	if (!blobs)
		return j->k->err->code;
	j->out->blobs = blobs;
	for (size_t i = 0; i < j->nplaced; i++) {
		const struct placed *p = &j->placed[i];
		struct convert_blob *b = &blobs[j->out->nblobs];

		if ((p->home != HOME_BLOB && p->home != HOME_MARK) ||
				(p->given && !j->k->cfg.every))
			continue;
		*b = (struct convert_blob){ p->v->channel,
			p->renamed.p ? p->renamed : p->version, p->type, p->body };
		if (j->c->lock == CKPT_OPENED && seal(j, &b->type, &b->body) < 0)
			return j->k->err->code;
		j->out->nblobs++;
	}
	return 0;
}

/* ---- the row ------------------------------------------------------------------------------ */

static void put_meta(struct job *j)
{
	struct ckpt_view meta = j->c->meta;
	struct reader *r = &j->k->rd;
	const char *code = NULL, *what;
	bool whole;
	int rc;

	/* readers take no metadata for empty metadata, and the column is NOT NULL */
	j->out->meta = meta.p ? meta : CKPT_LIT("{}");
	if (!meta.p)
		return;
	reader_init(r, &json_reader, meta);
	rc = reader_skip(r, NULL);
	if (rc == CKPT_ENOMEM)
		nomem(j);
	whole = rc == 0;
	while (whole && r->at < r->end && memchr(" \t\r\n", *r->at, 4))
		r->at++;
	whole = whole && r->at == r->end;
	reader_done(r);
	what = whole ? "jsonb would refuse or change it" : "it is no JSON";
	code = whole ? json_carried(meta, j->js) : "metadata";
	if (!code && meta.n > j->k->limits.jsonb) {
		code = "size";
		what = "it is too large for jsonb";
	}
	if (code)
		care(j, CONVERT_CANNOT, code, none, "metadata: %s", what);
}

static int put_body(struct job *j)
{
	struct ckpt_buf *to = &j->k->body, *inlined = &j->k->inlined;

	if (!json_write(j, to)) {
		if (j->k->err->code || to->failed)
			return nomem(j);
		care(j, CONVERT_CANNOT, j->why, none,
				"what it holds besides values is not what jsonb keeps "
				"as it is");
		return 0;
	}
	if (!j->js || inlined->n) {
		to->n -= to->n > 0;
		ckpt_buf_puts(to, to->n > 1 ? ",\"channel_values\":{"
					    : "\"channel_values\":{");
		ckpt_buf_add(to, inlined->p, inlined->n);
		ckpt_buf_puts(to, "}}");
	}
	if (to->failed)
		return nomem(j);
	j->out->body = ckpt_buf_view(to);
	if (to->n > j->k->limits.jsonb)
		care(j, CONVERT_CANNOT, "size", none,
				"the checkpoint without its blobs has %zu bytes, too "
				"many "
				"for jsonb",
				to->n);
	return 0;
}

int convert_split(struct job *j)
{
	j->k->body.n = j->k->inlined.n = 0;
	put_meta(j);
	if (place_values(j) < 0 || version_settle(j) < 0 || put_body(j) < 0)
		return j->k->err->code;
	return j->out->cannot ? 0 : put_blobs(j);
}
