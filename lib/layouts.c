/*
 * layouts.c - every layout there is. A new system is one more file of names and one row here.
 */
#include "layout.h"

const struct layout *const layouts[] = {
	&layout_langgraph_sqlite,
	&layout_langgraph_postgres,
	&layout_shallow,
	NULL,
};
