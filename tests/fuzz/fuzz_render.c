/*
 * fuzz_render.c - any bytes as any type of value: what is written must be JSON.
 *
 * The first byte picks the type and the form. A JSON Pointer and metadata conditions are read
 * from what comes out, so that they meet odd texts too.
 */
#include <stdlib.h>

#include "base.h"
#include "token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count_class(void *arg, struct ckpt_view module, struct ckpt_view name)
{
	*(size_t *)arg += module.n + name.n + ckpt_type_safe(module, name);
}

static bool is_json(struct ckpt_view text)
{
	static struct reader rd;
	struct ckpt_view whole = { NULL, 0 };
	bool good;

	reader_init(&rd, &json_reader, text);
	good = reader_skip(&rd, &whole) == 0 && whole.n == text.n;
	reader_done(&rd);
	return good && utf8_valid(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const types[] = { "msgpack", "json", NULL, "bytes" };
	size_t classes = 0;
	struct ckpt_render opt = { .seen = count_class, .arg = &classes };
	struct ckpt_buf out = { 0 };
	struct ckpt_view body, found;
	int rc;

	if (size == 0)
		return 0;
	opt.typed = data[0] & 4;
	opt.reveal_secrets = data[0] & 8;
	body = (struct ckpt_view){ data + 1, size - 1 };
	rc = ckpt_render_value(&out, ckpt_view_of(types[data[0] & 3]), body, &opt);
	if (rc != 0 && rc != CKPT_ECORRUPT && rc != CKPT_ENOMEM)
		abort();
	if (rc != CKPT_ENOMEM && !is_json(ckpt_buf_view(&out)))
		abort();
	if (ckpt_pointer_find(&found, ckpt_buf_view(&out), CKPT_LIT("/a/0")) &&
			!is_json(found))
		abort();
	ckpt_pointer_find(&found, CKPT_LIT("{\"a\":[[],{\"\":1}]}"), body);
	ckpt_meta_where(body, CKPT_LIT("a.b"), CKPT_LIT("1.5"));
	ckpt_meta_where(CKPT_LIT("{\"a\":1.5e1}"), CKPT_LIT("a"), body);
	ckpt_value_member(&found, CKPT_LIT("msgpack"), body, "a");
	ckpt_buf_free(&out);
	return 0;
}
