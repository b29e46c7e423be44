/*
 * splice.c - members of a stored map replaced; every other byte is moved as it lies.
 */
#include "splice.h"

static const struct splice *find(const struct splice *v, size_t n, struct ckpt_view name)
{
	for (size_t i = 0; i < n; i++) {
		if (ckpt_view_eq(ckpt_view_of(v[i].name), name))
			return &v[i];
	}
	return NULL;
}

static int walk(struct reader *r, struct ckpt_buf *to, const struct splice *v, size_t n)
{
	const uint8_t *copied = r->base;
	struct ckpt_view value;
	struct token t;
	int rc = reader_next(r, &t);

	if (rc <= 0 || t.kind != TOKEN_MAP)
		return CKPT_ECORRUPT;
	while ((rc = reader_next(r, &t)) > 0 && t.kind != TOKEN_END) {
		const struct splice *s = t.kind == TOKEN_STR ? find(v, n, t.s) : NULL;

		if (reader_skip(r, &value) < 0)
			return CKPT_ECORRUPT;
		if (!s)
			continue;
		ckpt_buf_add(to, copied, (size_t)((const uint8_t *)value.p - copied));
		ckpt_buf_add(to, s->value.p, s->value.n);
		copied = (const uint8_t *)value.p + value.n;
	}
	ckpt_buf_add(to, copied, (size_t)(r->end - copied));
	return rc < 0 ? CKPT_ECORRUPT : 0;
}

int splice_map(struct ckpt_buf *to, const struct reader_ops *ops, struct ckpt_view body,
		const struct splice *v, size_t n)
{
	struct reader *r = ops ? malloc(sizeof(*r)) : NULL;
	int rc;

	if (!r)
		return ops ? CKPT_ENOMEM : CKPT_ECORRUPT;
	reader_init(r, ops, body);
	rc = walk(r, to, v, n);
	reader_done(r);
	free(r);
	return to->failed ? CKPT_ENOMEM : rc;
}
