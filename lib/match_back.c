/*
 * match_back.c - a checkpoint of one engine as migrate would bring it into the other one, by the
 * very code that does: what an archive of another engine holds can so be compared with the rows it
 * was made of. Comparing is not done here.
 */
#include "convert.h"
#include "match.h"

struct back {
	struct convert *convert;
	struct arena arena; /* of the checkpoint at hand */
	struct ckpt_error *err;
};

int back_open(struct back **out, const struct ckpt_store *from,
		const struct ckpt_store *to, struct ckpt_error *err)
{
	const struct convert_config config = { .from_apart = from->inlines,
		.to_apart = to->inlines,
		.every = true,
		.crypt = to->crypt };
	struct back *b = calloc(1, sizeof(*b));

	*out = NULL;
	if (!b)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	b->err = err;
	if (convert_open(&b->convert, &config, err) < 0) {
		back_close(b);
		return err->code;
	}
	*out = b;
	return 0;
}

void back_close(struct back *b)
{
	if (!b)
		return;
	convert_close(b->convert);
	arena_free(&b->arena);
	free(b);
}

/* Why not; a version that was given another number is not what it was either. */
static struct ckpt_view why_not(const struct convert_out *out)
{
	for (size_t i = 0; i < out->ncares; i++) {
		if (out->cares[i].action != CONVERT_MOVED_TO_BLOB)
			return out->cares[i].detail;
	}
	return (struct ckpt_view){ 0 };
}

int back_turn(struct back *b, struct ckpt_checkpoint *c, struct ckpt_view *lost)
{
	struct convert_out out;
	struct ckpt_value *values;

	arena_reset(&b->arena);
	if (convert_next(b->convert, &out, c, &b->arena) < 0)
		return b->err->code;
	*lost = why_not(&out);
	if (lost->p)
		return 0;
	values = arena_take(&b->arena, (out.nblobs + 1) * sizeof(*values), b->err);
	if (!values)
		return b->err->code;
	for (size_t i = 0; i < out.nblobs; i++)
		values[i] = (struct ckpt_value){ .channel = out.blobs[i].channel,
			.version = out.blobs[i].version,
			.type = out.blobs[i].type,
			.body = out.blobs[i].body,
			.place = CKPT_BLOB };
	c->type = out.type;
	c->body = out.body;
	c->meta = out.meta;
	c->values = values;
	c->nvalues = out.nblobs;
	c->writes = out.writes;
	c->nwrites = out.nwrites;
	return 0;
}
