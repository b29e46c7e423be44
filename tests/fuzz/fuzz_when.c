/*
 * fuzz_when.c - any bytes as a time, an id, a duration, a size; what parses must print
 * and parse again.
 */
#include <stdlib.h>
#include <string.h>

#include "../../lib/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_print(int64_t t)
{
	char text[40];
	int64_t back;

	ckpt_time_print(text, t);
	if (t != CKPT_UNKNOWN &&
			(!ckpt_time_parse(&back, ckpt_view_of(text), 0) || back != t))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ckpt_view view = { data, size };
	int64_t t = 0;
	char *text;

	if (size >= sizeof(t)) {
		memcpy(&t, data, sizeof(t));
		check_print(t);
	}
	check_print(ckpt_time_of_id(view));
	if (ckpt_time_parse(&t, view, INT64_C(1763683200000000000)))
		check_print(t);
	text = malloc(size + 1);
	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	if (ckpt_duration_parse(&t, text) && t < 0)
		abort();
	if (ckpt_size_parse(&t, text) && t < 0)
		abort();
	free(text);
	return 0;
}
