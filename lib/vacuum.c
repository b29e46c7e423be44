/*
 * vacuum.c - which engine's way of giving room back is taken.
 */
#include "vacuum.h"

int vacuum_run(struct edit *e, const struct vacuum_how *how, struct vacuum_sum *out)
{
	return e->server ? vacuum_run_postgres(e, how, out)
	                 : vacuum_run_sqlite(e, how, out);
}
