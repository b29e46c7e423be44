/*
 * fuzz_diff.c - two texts, parted by a newline, as two states: every change must be JSON, a patch
 * must not be longer than the list of changes, and equal texts must not differ.
 */
#include <stdlib.h>

#include "base.h"
#include "token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool odd(void *arg, const char *pointer)
{
	(void)arg;
	return strlen(pointer) % 5 == 4;
}

static long count(struct ckpt_view a, struct ckpt_view b, const struct ckpt_compare *how)
{
	struct ckpt_buf name = { 0 };
	struct ckpt_diff *d = NULL;
	struct ckpt_change c;
	long n = 0;
	int rc = ckpt_diff_open(&d, a, b, how);

	while (rc >= 0 && (rc = ckpt_diff_next(d, &c)) > 0) {
		if ((c.op != CKPT_ADD) != (c.old.p != NULL) ||
				(c.op != CKPT_REMOVE) != (c.now.p != NULL) || !c.path.n)
			abort();
		ckpt_json_text(&name, c.path);
		n++;
	}
	ckpt_diff_close(d);
	ckpt_buf_free(&name);
	return rc < 0 ? rc : n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *cut = size ? memchr(data, '\n', size) : NULL;
	struct ckpt_compare how = { 0 };
	struct ckpt_view a, b;
	long changes;

	if (!cut)
		return 0;
	a = (struct ckpt_view){ data, (size_t)(cut - data) };
	b = (struct ckpt_view){ cut + 1, size - a.n - 1 };
	changes = count(a, b, &how);
	how.patch = true;
	if (count(a, b, &how) != changes || count(a, a, &how) > 0)
		abort();
	how.mask = odd;
	count(a, b, &how);
	how.path = CKPT_LIT("/a");
	count(a, b, &how);
	return 0;
}
