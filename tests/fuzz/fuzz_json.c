/*
 * fuzz_json.c - any bytes as JSON: next and skip agree, and strings survive being
 * written.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../lib/base.h"
#include "../../lib/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A decoded string, written and read again, is the same, unless it was not UTF-8. */
static void check_string(struct ckpt_view s)
{
	static struct reader r;
	struct ckpt_buf text = { 0 };
	bool good = json_string(&text, s, true);
	struct token t;

	if (!utf8_valid(ckpt_buf_view(&text)))
		abort();
	reader_init(&r, &json_reader, ckpt_buf_view(&text));
	if (reader_next(&r, &t) != 1 || t.kind != TOKEN_STR || r.at != r.end)
		abort();
	/* Halves of a pair that stood apart as raw bytes come back as one character. */
	if (good && utf8_valid(s) && !ckpt_view_eq(s, t.s))
		abort();
	reader_done(&r);
	ckpt_buf_free(&text);
}

/* The first bytes as a double: what is written reads back equal. */
static void check_float(const uint8_t *data, size_t size)
{
	struct ckpt_buf text = { 0 };
	double f, back;

	if (size < sizeof(f))
		return;
	memcpy(&f, data, sizeof(f));
	if (isnan(f) || isinf(f))
		return;
	json_float(&text, f);
	back = strtod(text.p, NULL);
	if (memcmp(&f, &back, sizeof(f)) != 0)
		abort();
	ckpt_buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reader r;
	struct ckpt_view body = { data, size }, span;
	struct token t;
	int skipped, rc;
	size_t end;

	check_float(data, size);
	reader_init(&r, &json_reader, body);
	skipped = reader_skip(&r, &span);
	end = (size_t)(r.at - r.base);
	if (skipped == 0 && (const uint8_t *)span.p + span.n != data + end)
		abort();
	reader_done(&r);

	reader_init(&r, &json_reader, body);
	while ((rc = reader_next(&r, &t)) == 1) {
		if (t.at > size)
			abort();
		if (t.kind == TOKEN_STR)
			check_string(t.s);
	}
	/* Only depth may part them. */
	if (rc == 0 && (skipped != 0 || (size_t)(r.at - r.base) != end))
		abort();
	if (rc < 0 && (!r.why || r.why_at > size ||
				      (skipped == 0 && r.depth != READER_DEPTH)))
		abort();
	reader_done(&r);
	return 0;
}
