/*
 * token.c - what all readers share: levels, pushed values, the first failure.
 *
 * Level 0 and every pushed value are levels of kind TOKEN_EXT that hold one value;
 * arrays and maps are levels between them. What bytes mean is in msgpack.c and json.c.
 */
#include "base.h"
#include "token.h"

void reader_init(struct reader *r, const struct reader_ops *ops, struct ckpt_view body)
{
	/* Field by field: the levels are large and need no clearing. */
	r->ops = ops;
	r->base = body.p ? body.p : (const void *)"";
	r->at = r->base;
	r->end = r->base + body.n;
	r->depth = 0;
	r->why = NULL;
	r->why_at = 0;
	r->scratch = (struct ckpt_buf){ 0 };
	r->levels[0] = (struct reader_level){
		.left = 1, .end = r->end, .kind = TOKEN_EXT
	};
}

static int failure(const struct reader *r)
{
	return r->scratch.failed ? CKPT_ENOMEM : CKPT_ECORRUPT;
}

int reader_fail(struct reader *r, const char *why, size_t at)
{
	if (!r->why) {
		r->why = why;
		r->why_at = at;
	}
	return failure(r);
}

int reader_enter(struct reader *r, enum token_kind kind, uint64_t left)
{
	if (r->depth == READER_DEPTH)
		return CKPT_ECORRUPT;
	r->levels[++r->depth] = (struct reader_level){
		.left = left, .end = r->end, .kind = (uint8_t)kind
	};
	return 0;
}

/* Leave pushed values that are complete. False if the first value is complete as well. */
static bool settle(struct reader *r)
{
	for (;;) {
		const struct reader_level *level = &r->levels[r->depth];

		if (level->kind != TOKEN_EXT || level->left)
			return true;
		if (r->depth == 0)
			return false;
		r->at = level->resume;
		r->end = level->end;
		r->depth--;
	}
}

int reader_next(struct reader *r, struct token *out)
{
	*out = (struct token){ 0 };
	if (r->why)
		return failure(r);
	return settle(r) ? r->ops->next(r, out) : 0;
}

int reader_skip(struct reader *r, struct ckpt_view *out)
{
	struct ckpt_view unused;

	if (!out)
		out = &unused;
	*out = (struct ckpt_view){ NULL, 0 };
	if (r->why)
		return failure(r);
	if (!settle(r))
		return reader_fail(r, "ends early", (size_t)(r->at - r->base));
	return r->ops->skip(r, out); /* leaves it alone where it fails */
}

int reader_push(struct reader *r, struct ckpt_view span)
{
	const uint8_t *p = span.p, *resume = r->at;

	if (r->why)
		return failure(r);
	if (!p)
		return reader_fail(r, "ends early", (size_t)(r->at - r->base));
	if (reader_enter(r, TOKEN_EXT, 1))
		return reader_fail(r, "nested too deep", (size_t)(p - r->base));
	r->levels[r->depth].resume = resume;
	r->at = p;
	r->end = p + span.n;
	return 0;
}

void reader_done(struct reader *r)
{
	ckpt_buf_free(&r->scratch);
}
