/*
 * convert_join.c - what PostgreSQL keeps of a checkpoint in one container, as SQLite's savers
 * store it: msgpack for Python, JSON for JavaScript and for the Python of old that wrote JSON.
 *
 * Blobs are spliced as they are, after a look at whether each is one whole value: half a value
 * would take the others along. The order in which members were written is gone in jsonb; those
 * of the container stand as the savers write them, channels as jsonb has them.
 */
#include "convert_impl.h"

static const struct ckpt_view none = { NULL, 0 };
static const struct ckpt_view tasks = { "__pregel_tasks", 14 };

struct member {
	struct ckpt_view key, value; /* the key decoded, the value as JSON text */
};

struct join {
	struct job *j;
	struct member *members; /* of the container */
	size_t n;
	bool text;                      /* the container becomes JSON */
	const struct ckpt_value *sends; /* that become `pending_sends`, or NULL */
};

static bool is(struct ckpt_view v, const char *text)
{
	return v.p && ckpt_view_eq(v, ckpt_view_of(text));
}

/* ---- what there is ------------------------------------------------------------------------ */

/* The members of the skeleton in the order of the savers, the unknown ones behind. */
static bool read_members(struct join *o)
{
	struct reader *r = &o->j->k->rd;
	size_t cap = 0;
	struct token t;

	reader_init(r, &json_reader, o->j->c->skeleton);
	if (reader_next(r, &t) != 1 || t.kind != TOKEN_MAP)
		return false;
	while (reader_next(r, &t) == 1 && t.kind == TOKEN_STR) {
		struct member m = { .key = arena_copy(o->j->arena, t.s, o->j->k->err) };

		if (reader_skip(r, &m.value) < 0 || !m.key.p)
			break;
		if (o->n == cap) {
			struct member *more = arena_take(o->j->arena,
					(2 * cap + 8) * sizeof(*more), o->j->k->err);

			if (!more)
				break;
			if (cap)
				memcpy(more, o->members, cap * sizeof(*more));
			o->members = more;
			cap = 2 * cap + 8;
		}
		o->members[o->n++] = m;
	}
	if (r->scratch.failed)
		nomem(o->j);
	reader_done(r);
	return !r->why && !o->j->k->err->code;
}

static void order_members(struct join *o)
{
	static const char *const python[] = { "v", "ts", "id", "channel_versions",
		"versions_seen", "pending_sends", "updated_channels" };
	static const char *const js[] = { "v", "id", "ts", "channel_versions",
		"versions_seen" };
	const char *const *names = o->j->js ? js : python;
	size_t n = o->j->js ? sizeof(js) / sizeof(*js) : sizeof(python) / sizeof(*python);
	size_t done = 0;

	for (size_t i = 0; i < n; i++) {
		for (size_t at = done; at < o->n; at++) {
			struct member m = o->members[at];

			if (!is(m.key, names[i]))
				continue;
			memmove(&o->members[done + 1], &o->members[done],
					(at - done) * sizeof(m));
			o->members[done++] = m;
			break;
		}
	}
}

/* False, and told: this value cannot become part of a container. */
static bool check_value(struct job *j, const struct ckpt_value *v)
{
	struct ckpt_view inner;
	char shown[200];

	if (v->place == CKPT_LOST)
		return care(j, CONVERT_CANNOT, "lost", v->channel,
				"of its snapshot only the mark is left");
	if (v->lock == CKPT_SHUT || (v->type.p && crypt_inner_type(v->type, &inner)))
		return care(j, CONVERT_CANNOT, "encrypted", v->channel,
				"it is encrypted, and %s",
				v->lock == CKPT_SHUT ? "the key does not open it"
						     : "no key was given");
	if (is(v->type, "msgpack") || is(v->type, "json") || is(v->type, "null") ||
			is(v->type, "bytes") || is(v->type, "bytearray"))
		return true;
	return care(j, CONVERT_CANNOT, "type", v->channel,
			"a value of type '%s' cannot become part of a container",
			ckpt_show_name(shown, v->type));
}

static bool has_value(const struct ckpt_value *v)
{
	return v->body.p || v->place == CKPT_LOST;
}

/* Look at all values: whether they can be joined, and as what. */
static bool survey(struct join *o)
{
	const struct ckpt_checkpoint *c = o->j->c;
	bool json = false, other = false, good = true;

	for (size_t i = 0; i < c->nvalues; i++) {
		const struct ckpt_value *v = &c->values[i];

		if (!has_value(v))
			continue;
		good = check_value(o->j, v) && good;
		if (o->j->before_v4 && v->place == CKPT_BLOB &&
				ckpt_view_eq(v->channel, tasks))
			o->sends = v;
		if (v->place == CKPT_BLOB && is(v->type, "json"))
			json = true;
		else if (v->place == CKPT_BLOB && !is(v->type, "null"))
			other = true;
	}
	o->text = o->j->js || (json && !other);
	return good;
}

/* Is it a channel of the container? JavaScript reads Sends among the writes in either store. */
static bool joins(const struct join *o, const struct ckpt_value *v)
{
	return has_value(v) && v != o->sends;
}

/* ---- values ------------------------------------------------------------------------------- */

static bool whole(struct job *j, const struct reader_ops *ops, struct ckpt_view body)
{
	struct reader *r = &j->k->rd;
	bool good;
	int rc;

	reader_init(r, ops, body);
	rc = reader_skip(r, NULL);
	if (rc == CKPT_ENOMEM)
		nomem(j);
	good = rc == 0;
	while (good && ops == &json_reader && r->at < r->end &&
			memchr(" \t\r\n", *r->at, 4))
		r->at++;
	good = good && r->at == r->end;
	reader_done(r);
	return good;
}

/* A bytearray has no form of its own in msgpack: as the object that older savers made of it. */
static void pack_bytearray(struct ckpt_buf *to, struct ckpt_buf *tmp, struct ckpt_view v)
{
	tmp->n = 0;
	msgpack_array(tmp, 3);
	msgpack_str(tmp, CKPT_LIT("builtins"));
	msgpack_str(tmp, CKPT_LIT("bytearray"));
	msgpack_bin(tmp, v);
	msgpack_ext(to, 0, ckpt_buf_view(tmp));
	to->failed |= tmp->failed;
}

static bool pack_value(struct job *j, const struct ckpt_value *v)
{
	struct ckpt_buf *to = &j->k->body;

	if (is(v->type, "null"))
		msgpack_nil(to);
	else if (is(v->type, "bytes"))
		msgpack_bin(to, v->body);
	else if (is(v->type, "bytearray"))
		pack_bytearray(to, &j->k->tmp, v->body);
	else if (is(v->type, "json"))
		return json_pack(j, to, v->body, v->place == CKPT_BLOB);
	else if (whole(j, &msgpack_reader, v->body))
		ckpt_buf_add(to, v->body.p, v->body.n);
	else
		j->why = "corrupt";
	return !j->why;
}

/* Bytes as JavaScript's serializer writes them inside of other values. */
static void write_bytes(struct ckpt_buf *to, struct ckpt_view v)
{
	const uint8_t *p = v.p;

	ckpt_buf_puts(to, "{\"lc\":2,\"type\":\"constructor\",\"id\":[\"Uint8Array\"],"
			  "\"method\":\"from\",\"args\":[[");
	for (size_t i = 0; i < v.n; i++)
		ckpt_buf_addf(to, i ? ",%u" : "%u", p[i]);
	ckpt_buf_puts(to, "]],\"kwargs\":{}}");
}

static bool write_value(struct job *j, const struct ckpt_value *v)
{
	struct ckpt_buf *to = &j->k->body;

	if (is(v->type, "null"))
		ckpt_buf_puts(to, "null");
	else if (is(v->type, "bytes") && j->js)
		write_bytes(to, v->body);
	else if (!is(v->type, "json"))
		j->why = "type";
	else if (!whole(j, &json_reader, v->body))
		j->why = "corrupt";
	else if (!utf8_valid(v->body))
		j->why = "utf8";
	else if (v->place == CKPT_BLOB || !j->js)
		ckpt_buf_add(to, v->body.p, v->body.n);
	else
		json_compact(to, v->body);
	return !j->why;
}

static bool put_value(struct join *o, const struct ckpt_value *v)
{
	struct job *j = o->j;

	if (o->text ? write_value(j, v) : pack_value(j, v))
		return true;
	if (!j->why) /* no memory */
		return false;
	care(j, CONVERT_CANNOT, j->why, v->channel,
			"its value has no exact form in a container of %s",
			o->text ? "JSON" : "msgpack");
	j->why = NULL;
	return false;
}

/* ---- containers --------------------------------------------------------------------------- */

static void put_key(struct join *o, struct ckpt_view key, bool first)
{
	struct ckpt_buf *to = &o->j->k->body;

	if (!o->text) {
		msgpack_str(to, key);
		return;
	}
	/* as Python's json writes it, and jsonb; JavaScript leaves no blanks */
	ckpt_buf_puts(to, first ? "" : o->j->js ? "," : ", ");
	ckpt_json_string(to, key);
	ckpt_buf_puts(to, o->j->js ? ":" : ": ");
}

static void put_values(struct join *o)
{
	const struct ckpt_checkpoint *c = o->j->c;
	struct ckpt_buf *to = &o->j->k->body;
	uint64_t n = 0;

	for (size_t i = 0; i < c->nvalues; i++)
		n += joins(o, &c->values[i]);
	if (o->text)
		ckpt_buf_puts(to, "{");
	else
		msgpack_map(to, n);
	n = 0;
	for (size_t i = 0; i < c->nvalues; i++) {
		if (!joins(o, &c->values[i]))
			continue;
		put_key(o, c->values[i].channel, n++ == 0);
		put_value(o, &c->values[i]);
	}
	ckpt_buf_puts(to, o->text ? "}" : "");
}

static void put_member(struct join *o, const struct member *m)
{
	struct job *j = o->j;

	if (o->text && j->js)
		json_compact(&j->k->body, m->value);
	else if (o->text)
		ckpt_buf_add(&j->k->body, m->value.p, m->value.n);
	else if (!json_pack(j, &j->k->body, m->value, false) && j->why) {
		care(j, CONVERT_CANNOT, j->why, none,
				"its member '%.*s' has no exact form in msgpack",
				(int)(m->key.n < 60 ? m->key.n : 60),
				(const char *)m->key.p);
		j->why = NULL;
	}
}

/* Values stand behind v, ts and id; where the Sends have no member of their own, last. */
static void put_container(struct join *o)
{
	struct ckpt_buf *to = &o->j->k->body;
	bool values = false, sends = !o->sends || o->j->js;
	size_t fresh = 1;

	for (size_t i = 0; i < o->n; i++)
		sends |= is(o->members[i].key, "pending_sends");
	fresh += !sends;
	to->n = 0;
	if (o->text)
		ckpt_buf_puts(to, "{");
	else
		msgpack_map(to, o->n + fresh);
	for (size_t i = 0; i <= o->n; i++) {
		const struct member *m = i < o->n ? &o->members[i] : NULL;
		bool head = i < o->n &&
		            (is(m->key, "v") || is(m->key, "ts") || is(m->key, "id"));

		if (!values && !head) {
			put_key(o, CKPT_LIT("channel_values"), i == 0);
			put_values(o);
			values = true;
		}
		if (i == o->n)
			break;
		put_key(o, m->key, i == 0 && !values);
		if (o->sends && !o->j->js && is(m->key, "pending_sends"))
			put_value(o, o->sends);
		else
			put_member(o, m);
	}
	if (!sends) {
		put_key(o, CKPT_LIT("pending_sends"), false);
		put_value(o, o->sends);
	}
	ckpt_buf_puts(to, o->text ? "}" : "");
}

/* ---- the row ------------------------------------------------------------------------------ */

static bool any_opened(const struct ckpt_checkpoint *c)
{
	for (size_t i = 0; i < c->nvalues; i++)
		if (c->values[i].lock == CKPT_OPENED)
			return true;
	return false;
}

static int put_row(struct join *o)
{
	struct job *j = o->j;
	struct ckpt_view body = ckpt_buf_view(&j->k->body);
	bool sealed = any_opened(j->c);
	size_t n;

	if (sealed && !j->k->cfg.crypt)
		return ckpt_fail(j->k->err, CKPT_EINTERNAL,
				"an opened row, and no key to seal it with");
	if (sealed && crypt_seal_row(j->k->cfg.crypt, body, j->arena, &body, j->k->err) <
					0)
		return j->k->err->code;
	if (o->text)
		j->out->type = sealed ? CKPT_LIT("json+aes") : CKPT_LIT("json");
	else
		j->out->type = sealed ? CKPT_LIT("msgpack+aes") : CKPT_LIT("msgpack");
	j->out->body = body;
	n = body.n + j->out->meta.n + j->c->key.thread.n + j->c->key.ns.n +
	    j->c->key.id.n + j->c->parent.n + 64;
	if (n > j->k->limits.row)
		care(j, CONVERT_CANNOT, "size", none,
				"with all of its values it takes %zu bytes, SQLite holds "
				"%zu in a row",
				n, j->k->limits.row);
	return 0;
}

/* jsonb writes as Python's json does, with blanks; JavaScript without. */
static int put_meta(struct job *j)
{
	struct ckpt_buf compact = { 0 };

	j->out->meta = j->c->meta;
	if (!j->js || !j->c->meta.p)
		return 0;
	json_compact(&compact, j->c->meta);
	if (compact.failed)
		return nomem(j);
	j->out->meta = arena_copy(j->arena, ckpt_buf_view(&compact), j->k->err);
	ckpt_buf_free(&compact);
	return j->k->err->code;
}

int convert_join(struct job *j)
{
	struct join o = { .j = j };

	if (!read_members(&o)) {
		if (!j->k->err->code)
			care(j, CONVERT_CANNOT, "corrupt", none, "it cannot be read");
		return j->k->err->code;
	}
	order_members(&o);
	if (!survey(&o))
		return 0;
	put_container(&o);
	if (j->k->body.failed || j->k->tmp.failed || j->k->counts.failed)
		nomem(j);
	if (j->k->err->code)
		return j->k->err->code;
	if (put_meta(j) < 0)
		return j->k->err->code;
	return put_row(&o);
}
