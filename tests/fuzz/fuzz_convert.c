/*
 * fuzz_convert.c - any bytes as a checkpoint of either way. What is taken apart is text that jsonb
 * takes, and gives the same values when it is put together; what is put together can be split.
 *
 * Byte 0: bit 0 from apart, bit 1 JSON. Up to the first 0xfe the container, then metadata or,
 * from apart, the body of a blob for every channel with a version.
 */
#include <stdlib.h>
#include <string.h>

#include "../../lib/convert_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct arena arena;
static struct ckpt_error err;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static struct ckpt_checkpoint split(struct ckpt_view type, struct ckpt_view body)
{
	struct ckpt_checkpoint c = { .key = { .thread = CKPT_LIT("t"),
						     .ns = CKPT_LIT(""),
						     .id = CKPT_LIT("i") },
		.type = type,
		.body = body,
		.meta = CKPT_LIT("{}"),
		.time = CKPT_UNKNOWN };

	codec_split(&c, body, &arena, &err);
	return c;
}

static const struct ckpt_value *find(
		const struct ckpt_checkpoint *c, struct ckpt_view channel)
{
	for (size_t i = 0; i < c->nvalues; i++)
		if (ckpt_view_eq(c->values[i].channel, channel))
			return &c->values[i];
	return NULL;
}

static void give_blobs(struct ckpt_checkpoint *c, const struct convert_out *out)
{
	for (size_t i = 0; i < out->nblobs; i++) {
		const struct convert_blob *b = &out->blobs[i];
		struct ckpt_value *v = (struct ckpt_value *)(void *)find(c, b->channel);

		must(v && v->version.p);
		v->type = b->type;
		v->body = b->body;
		v->place = CKPT_BLOB;
	}
}

/* Values come back: msgpack as the same bytes where they were blobs. */
static void check_back(const struct ckpt_checkpoint *c, const struct convert_out *out)
{
	const struct convert_config cfg = { .from_apart = true };
	struct ckpt_checkpoint pg, again;
	struct convert_out back;
	struct convert *k;

	pg = split((struct ckpt_view){ NULL, 0 }, arena_copy(&arena, out->body, &err));
	must(!pg.broken_why && !pg.trailing);
	give_blobs(&pg, out);
	must(convert_open(&k, &cfg, &err) == 0 &&
			convert_next(k, &back, &pg, &arena) == 0);
	if (!back.cannot) {
		again = split(back.type, back.body);
		must(!again.broken_why && !again.trailing);
		for (size_t i = 0; i < c->nvalues; i++)
			must(!c->values[i].body.p ||
					find(&again, c->values[i].channel)->body.p);
		for (size_t i = 0; i < out->nblobs; i++)
			if (ckpt_view_eq(out->blobs[i].type, CKPT_LIT("msgpack")))
				must(ckpt_view_eq(
						find(&again, out->blobs[i].channel)->body,
						out->blobs[i].body));
	}
	convert_close(k);
}

static void apart(struct ckpt_view type, struct ckpt_view body, struct ckpt_view meta)
{
	const struct convert_config cfg = { .to_apart = true };
	struct ckpt_checkpoint c = split(type, body);
	struct convert_out out;
	struct convert *k;

	c.meta = meta;
	must(convert_open(&k, &cfg, &err) == 0);
	must(convert_next(k, &out, &c, &arena) == 0);
	if (!out.cannot) {
		/* JavaScript's numbers are looser, and so is this */
		must(!json_carried(out.body, true) && !json_carried(out.meta, true));
		check_back(&c, &out);
		must(convert_next(k, &out, &c, &arena) == 0);
		must(!out.cannot && out.nblobs == 0 && out.ncares == 0);
	}
	convert_close(k);
}

static void join(bool json, struct ckpt_view body, struct ckpt_view blob)
{
	const struct convert_config cfg = { .from_apart = true };
	struct ckpt_checkpoint c = split((struct ckpt_view){ NULL, 0 }, body), again;
	struct convert_out out;
	struct convert *k;

	for (size_t i = 0; i < c.nvalues; i++) {
		struct ckpt_value *v = (struct ckpt_value *)(void *)&c.values[i];

		if (!v->version.p)
			continue;
		v->type = json ? CKPT_LIT("json") : CKPT_LIT("msgpack");
		v->body = blob;
		v->place = CKPT_BLOB;
	}
	must(convert_open(&k, &cfg, &err) == 0);
	must(convert_next(k, &out, &c, &arena) == 0);
	if (!out.cannot) {
		again = split(out.type, out.body);
		must(!again.broken_why && !again.trailing);
	}
	convert_close(k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end;
	struct ckpt_view body, rest = { "", 0 }, type;

	if (!size)
		return 0;
	end = memchr(data + 1, 0xfe, size - 1);
	body = (struct ckpt_view){ data + 1, (end ? (size_t)(end - data) : size) - 1 };
	if (end)
		rest = (struct ckpt_view){ end + 1, size - body.n - 2 };
	type = data[0] & 2 ? CKPT_LIT("json") : CKPT_LIT("msgpack");
	err = (struct ckpt_error){ 0 };
	if (data[0] & 1)
		join(data[0] & 2, body, rest);
	else
		apart(type, body, end ? rest : (struct ckpt_view){ NULL, 0 });
	arena_reset(&arena);
	return 0;
}
