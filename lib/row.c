/*
 * row.c - what a stored row means, whatever keeps it.
 */
#include "row.h"
#include "token.h"

int row_key(struct crypt **out, const struct ckpt_config *config, struct ckpt_error *err)
{
	struct ckpt_error unfit = { 0 };
	struct ckpt_buf key = { 0 };

	*out = NULL;
	if (config->aes_key_file) {
		if (crypt_key_from_file(&key, config->aes_key_file, err) == 0)
			crypt_new(out, ckpt_buf_view(&key), err);
		if (key.p)
			explicit_bzero(key.p, key.cap);
		ckpt_buf_free(&key);
	} else if (config->aes_key && *config->aes_key) {
		crypt_new(out, ckpt_view_of(config->aes_key), &unfit);
		if (unfit.code && config->note)
			config->note(config->arg, unfit.text);
	}
	return err->code;
}

int row_open(const struct row_reader *r, struct ckpt_view *type, enum ckpt_lock *lock,
		struct ckpt_view *body)
{
	struct ckpt_view inner, plain;
	int rc;

	if (!r->crypt || !type->p || !body->p || !crypt_inner_type(*type, &inner))
		return 0;
	rc = crypt_open_row(r->crypt, *body, r->arena, &plain, r->err);
	if (rc < 0)
		return rc;
	*lock = rc ? CKPT_OPENED : CKPT_SHUT;
	if (rc) {
		*type = inner;
		*body = plain;
	}
	return 0;
}

int row_give(const struct row_reader *r, struct ckpt_value *v, struct ckpt_view type,
		struct ckpt_view body)
{
	if (!body.p && ckpt_view_eq(type, CKPT_LIT("empty"))) {
		v->type = v->body = (struct ckpt_view){ 0 };
		v->place = CKPT_EMPTY;
		v->null = true;
		return 0;
	}
	v->type = type;
	v->body = body.p ? body : CKPT_LIT("");
	v->null = !body.p;
	v->place = CKPT_BLOB;
	return row_open(r, &v->type, &v->lock, &v->body);
}

bool row_stored(struct ckpt_value *out, const struct ckpt_value *v)
{
	if (v->place != CKPT_BLOB && !v->null)
		return false;
	*out = *v;
	if (v->place == CKPT_EMPTY)
		out->type = CKPT_LIT("empty");
	if (v->null)
		out->body = (struct ckpt_view){ 0 };
	return true;
}

struct ckpt_view row_version(struct ckpt_view json)
{
	const char *p = json.p;

	if (json.n >= 2 && p[0] == '"')
		return (struct ckpt_view){ p + 1, json.n - 2 };
	return json;
}

struct ckpt_view row_version_text(struct ckpt_view json, struct ckpt_buf *room)
{
	if (json.n < 2 || *(const char *)json.p != '"' || !memchr(json.p, '\\', json.n))
		return row_version(json);
	room->n = 0;
	ckpt_json_text(room, json);
	return ckpt_buf_view(room);
}

/* ---- Sends before v 4 ---------------------------------------------------------------------------------- */

bool row_wants_sends(const struct ckpt_checkpoint *c)
{
	struct ckpt_view v;

	return c->parent.p && c->skeleton.p &&
	       ckpt_value_member(&v, CKPT_LIT("json"), c->skeleton, "v") && v.n == 1 &&
	       *(const char *)v.p >= '1' && *(const char *)v.p <= '3';
}

int row_send(const struct row_reader *r, struct row_sends *s, struct ckpt_view type,
		struct ckpt_view body)
{
	enum ckpt_lock lock = CKPT_OPEN;

	if (row_open(r, &type, &lock, &body) < 0)
		return r->err->code;
	if (s->n++ == 0)
		ckpt_buf_add(&s->type, type.p, type.n);
	else if (ckpt_view_eq(ckpt_buf_view(&s->type), CKPT_LIT("json")))
		ckpt_buf_puts(&s->items, ",");
	ckpt_buf_add(&s->items, body.p, body.n);
	return 0;
}

/* One more channel: an array of the Sends, in the encoding of the first. */
static int add_channel(const struct row_reader *r, struct ckpt_checkpoint *out,
		struct ckpt_view type, struct ckpt_view body)
{
	struct ckpt_value *all =
			arena_take(r->arena, (out->nvalues + 1) * sizeof(*all), r->err);
	struct ckpt_value sends = { .channel = CKPT_LIT("__pregel_tasks"),
		.place = CKPT_BLOB };
	size_t n = 0;

	if (!all)
		return r->err->code;
	for (size_t i = 0; i < out->nvalues; i++) {
		const struct ckpt_value *v = &out->values[i];

		if (ckpt_view_cmp(v->version, sends.version) > 0)
			sends.version = v->version;
		if (!ckpt_view_eq(v->channel, sends.channel))
			all[n++] = *v;
	}
	sends.type = arena_copy(r->arena, type, r->err);
	sends.body = arena_copy(r->arena, body, r->err);
	all[n++] = sends;
	out->values = all;
	out->nvalues = n;
	return r->err->code;
}

int row_sends_end(const struct row_reader *r, struct row_sends *s,
		struct ckpt_checkpoint *out)
{
	struct ckpt_buf body = { 0 };
	bool json = ckpt_view_eq(ckpt_buf_view(&s->type), CKPT_LIT("json"));

	if (json)
		ckpt_buf_puts(&body, "[");
	else
		msgpack_array(&body, s->n);
	ckpt_buf_add(&body, s->items.p, s->items.n);
	if (json)
		ckpt_buf_puts(&body, "]");
	if (s->items.failed || s->type.failed || body.failed)
		ckpt_fail(r->err, CKPT_ENOMEM, "out of memory");
	if (s->n && !r->err->code)
		add_channel(r, out, ckpt_buf_view(&s->type), ckpt_buf_view(&body));
	ckpt_buf_free(&s->items);
	ckpt_buf_free(&s->type);
	ckpt_buf_free(&body);
	return r->err->code;
}
