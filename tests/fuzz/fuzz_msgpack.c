/*
 * fuzz_msgpack.c - any bytes as msgpack: what next and skip say must agree.
 */
#include <stdlib.h>

#include "../../lib/base.h"
#include "../../lib/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Read all tokens and write them again; ext payloads are pushed if `inside`. */
static int read_all(struct reader *r, struct ckpt_view body, bool inside,
		struct ckpt_buf *copy)
{
	struct token t;
	int rc;

	reader_init(r, &msgpack_reader, body);
	while ((rc = reader_next(r, &t)) == 1) {
		if (t.at > body.n)
			abort();
		switch (t.kind) {
		case TOKEN_NIL:
			msgpack_nil(copy);
			break;
		case TOKEN_BOOL:
			msgpack_bool(copy, t.b);
			break;
		case TOKEN_INT:
			msgpack_int(copy, t.i);
			break;
		case TOKEN_UINT:
			msgpack_uint(copy, t.u);
			break;
		case TOKEN_FLOAT:
			msgpack_float(copy, t.f);
			break;
		case TOKEN_STR:
			msgpack_str(copy, t.s);
			break;
		case TOKEN_BIN:
			msgpack_bin(copy, t.s);
			break;
		case TOKEN_ARRAY:
			msgpack_array(copy, t.n);
			break;
		case TOKEN_MAP:
			msgpack_map(copy, t.n);
			break;
		case TOKEN_EXT:
			if (inside)
				reader_push(r, t.s);
			else
				msgpack_ext(copy, t.ext, t.s);
			break;
		default:
			break;
		}
	}
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reader r;
	struct ckpt_view body = { data, size }, span;
	struct ckpt_buf copy = { 0 }, again = { 0 };
	int skipped, rc;
	size_t end;

	reader_init(&r, &msgpack_reader, body);
	skipped = reader_skip(&r, &span);
	end = (size_t)(r.at - r.base);
	if (skipped == 0 && (span.p != data || span.n != end || end > size))
		abort();

	rc = read_all(&r, body, false, &copy);
	/* Only depth may part them. */
	if (rc == 0 && (skipped != 0 || (size_t)(r.at - r.base) != end))
		abort();
	if (rc < 0 && (!r.why || r.why_at > size ||
				      (skipped == 0 && r.depth != READER_DEPTH)))
		abort();
	if (rc == 0 && (read_all(&r, ckpt_buf_view(&copy), false, &again) != 0 ||
				       !ckpt_view_eq(ckpt_buf_view(&copy),
						       ckpt_buf_view(&again))))
		abort();
	rc = read_all(&r, body, true, &again);
	if (rc < 0 && r.why_at > size)
		abort();
	ckpt_buf_free(&copy);
	ckpt_buf_free(&again);
	return 0;
}
