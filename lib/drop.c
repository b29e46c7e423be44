/*
 * drop.c - which engine's way of dropping is taken.
 */
#include "drop.h"

int drop_run(struct edit *e, struct doomed *list, const struct drop_how *how,
		struct drop_sum *out)
{
	return e->server ? drop_run_postgres(e, list, how, out)
	                 : drop_run_sqlite(e, list, how, out);
}
