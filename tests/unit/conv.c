/*
 * conv.c - see conv.h.
 */
#include "conv.h"

struct arena conv_arena;
struct ckpt_error conv_err;
struct convert_out conv_out;

static struct ckpt_view kept(struct ckpt_buf *b)
{
	struct ckpt_view v = arena_copy(&conv_arena, ckpt_buf_view(b), &conv_err);

	ckpt_buf_free(b);
	return v;
}

static struct ckpt_checkpoint keyed(const char *id)
{
	return (struct ckpt_checkpoint){ .key = { .thread = CKPT_LIT("t"),
							 .ns = CKPT_LIT(""),
							 .id = ckpt_view_of(id) },
		.meta = CKPT_LIT("{}"),
		.time = CKPT_UNKNOWN };
}

static void put_text(struct ckpt_buf *to, const char *key, const char *value)
{
	msgpack_str(to, ckpt_view_of(key));
	msgpack_str(to, ckpt_view_of(value));
}

/* "…" as a string, digits as a number. */
static void put_version(struct ckpt_buf *to, const char *json)
{
	struct ckpt_view v = ckpt_view_of(json);

	if (*json == '"')
		msgpack_str(to, (struct ckpt_view){ json + 1, v.n - 2 });
	else
		msgpack_int(to, strtol(json, NULL, 10));
}

struct ckpt_checkpoint conv_msgpack(
		const char *id, const struct conv_value *values, size_t n)
{
	struct ckpt_checkpoint c = keyed(id);
	struct ckpt_buf b = { 0 };
	uint64_t nvalues = 0, nversions = 0;

	for (size_t i = 0; i < n; i++) {
		nvalues += values[i].body.p != NULL;
		nversions += values[i].version != NULL;
	}
	msgpack_map(&b, 6);
	msgpack_str(&b, CKPT_LIT("v"));
	msgpack_int(&b, 4);
	put_text(&b, "ts", "2026-01-01T00:00:00+00:00");
	put_text(&b, "id", id);
	msgpack_str(&b, CKPT_LIT("channel_values"));
	msgpack_map(&b, nvalues);
	for (size_t i = 0; i < n; i++) {
		if (!values[i].body.p)
			continue;
		msgpack_str(&b, ckpt_view_of(values[i].channel));
		ckpt_buf_add(&b, values[i].body.p, values[i].body.n);
	}
	msgpack_str(&b, CKPT_LIT("channel_versions"));
	msgpack_map(&b, nversions);
	for (size_t i = 0; i < n; i++) {
		if (!values[i].version)
			continue;
		msgpack_str(&b, ckpt_view_of(values[i].channel));
		put_version(&b, values[i].version);
	}
	/* a node has seen every one of them */
	msgpack_str(&b, CKPT_LIT("versions_seen"));
	msgpack_map(&b, 1);
	msgpack_str(&b, CKPT_LIT("node"));
	msgpack_map(&b, nversions);
	for (size_t i = 0; i < n; i++) {
		if (!values[i].version)
			continue;
		msgpack_str(&b, ckpt_view_of(values[i].channel));
		put_version(&b, values[i].version);
	}
	c.type = CKPT_LIT("msgpack");
	c.body = kept(&b);
	codec_split(&c, c.body, &conv_arena, &conv_err);
	return c;
}

struct ckpt_checkpoint conv_json(const char *type, const char *text,
		const struct conv_value *blobs, size_t n)
{
	struct ckpt_checkpoint c = keyed("id");

	c.type = ckpt_view_of(type);
	c.body = ckpt_view_of(text);
	codec_split(&c, c.body, &conv_arena, &conv_err);
	for (size_t i = 0; i < c.nvalues; i++) {
		struct ckpt_value *v = (struct ckpt_value *)(void *)&c.values[i];

		for (size_t k = 0; k < n; k++) {
			if (!ckpt_view_eq(v->channel, ckpt_view_of(blobs[k].channel)))
				continue;
			v->type = ckpt_view_of(blobs[k].type);
			v->body = blobs[k].body;
			v->place = CKPT_BLOB;
		}
	}
	return c;
}

/* ---- telling ------------------------------------------------------------------------------ */

static void put_bytes(struct ckpt_buf *to, struct ckpt_view v)
{
	const uint8_t *p = v.p;
	bool printable = true;

	if (!p)
		ckpt_buf_puts(to, "NULL");
	for (size_t i = 0; i < v.n; i++)
		printable &= p[i] >= 0x20 && p[i] < 0x7f;
	if (printable) {
		ckpt_buf_add(to, v.p, v.n);
		return;
	}
	ckpt_buf_puts(to, "x");
	for (size_t i = 0; i < v.n; i++)
		ckpt_buf_addf(to, "%02x", p[i]);
}

static void put_blobs(struct ckpt_buf *to, const struct convert_out *out)
{
	for (size_t i = 0; i < out->nblobs; i++) {
		const struct convert_blob *b = &out->blobs[i];

		ckpt_buf_puts(to, " ");
		put_bytes(to, b->channel);
		ckpt_buf_puts(to, "@");
		put_bytes(to, b->version);
		ckpt_buf_puts(to, " ");
		put_bytes(to, b->type);
		ckpt_buf_puts(to, "=");
		put_bytes(to, b->body);
	}
}

static void put_cares(struct ckpt_buf *to, const struct convert_out *out)
{
	static const char *const actions[] = { "blob", "renumber", "cannot" };

	for (size_t i = 0; i < out->ncares; i++) {
		ckpt_buf_addf(to, " %s:%s:", out->cares[i].code,
				actions[out->cares[i].action]);
		put_bytes(to, out->cares[i].channel.p ? out->cares[i].channel
						      : CKPT_LIT("-"));
	}
}

const char *conv_tell(struct convert *k, const struct ckpt_checkpoint *c)
{
	struct ckpt_view type, values;
	struct ckpt_buf to = { 0 };

	if (convert_next(k, &conv_out, c, &conv_arena) < 0)
		return conv_err.text;
	type = conv_out.type.p ? conv_out.type : CKPT_LIT("json");
	if (!conv_out.cannot &&
			ckpt_value_member(&values, type, conv_out.body, "channel_values"))
		put_bytes(&to, values);
	ckpt_buf_puts(&to, " |");
	if (!conv_out.cannot)
		put_blobs(&to, &conv_out);
	ckpt_buf_puts(&to, " |");
	put_cares(&to, &conv_out);
	return kept(&to).p;
}

const char *conv_once(const struct convert_config *cfg, const struct ckpt_checkpoint *c)
{
	struct convert *k;
	const char *text;

	if (convert_open(&k, cfg, &conv_err) < 0)
		return conv_err.text;
	text = conv_tell(k, c);
	/* bodies live in it */
	conv_out.body = arena_copy(&conv_arena, conv_out.body, &conv_err);
	convert_close(k);
	return text;
}
