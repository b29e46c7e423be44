/*
 * test_layouts.c - every layout is complete: what a scan selects is there, names are distinct,
 * and each column it selects is one that the table must have or that has a default.
 */
#include "t.h"
#include "layout.h"

static bool listed(const char *list, const char *name, size_t n)
{
	for (const char *p = list; p && *p; p += strcspn(p, " "), p += strspn(p, " ")) {
		if (strcspn(p, " :") == n && memcmp(p, name, n) == 0)
			return true;
	}
	return false;
}

/* A plain name must be required; {name|default} must be optional; expressions pass. */
static bool known(const struct layout_table *t, const char *col)
{
	size_t n = col ? strcspn(col, "|}") : 0;

	if (!col || !*col)
		return false;
	if (*col == '{')
		return listed(t->optional, col + 1, n - 1) && strchr(col, '|') &&
		       strchr(col, '}');
	return strpbrk(col, " (:") || strcmp(col, "rowid") == 0 ||
	       listed(t->required, col, n);
}

static void check(const struct layout *l)
{
	bool good = true;

	for (size_t i = 0; i < CHECKPOINT_COLS; i++)
		good &= known(&l->checkpoints, l->cols[i]);
	ok(good, "%s: columns of checkpoints", l->name);
	good = true;
	for (size_t i = 0; i < WRITE_COLS; i++)
		good &= known(&l->writes, l->write_cols[i]);
	ok(good, "%s: columns of writes", l->name);
	good = true;
	for (size_t i = 0; i < 3; i++)
		good &= l->key[i] && known(&l->writes, l->write_key[i]) &&
		        strstr(l->key[i], l->cols[COL_THREAD + i]) != NULL;
	ok(good, "%s: the key", l->name);
	ok(l->samples && strstr(l->samples, "{checkpoints}"), "%s: samples", l->name);
	ok(!l->blobs.name == !l->blob_rows && !l->blobs.name == !l->blob_sizes,
			"%s: blobs have their rows", l->name);
	for (size_t i = 0; layouts[i]; i++)
		ok(layouts[i] == l || strcmp(layouts[i]->name, l->name) != 0 ||
						strcmp(layouts[i]->engine, l->engine) !=
								0,
				"%s: the only one of its name", l->name);
}

int main(void)
{
	size_t n = 0;

	for (; layouts[n]; n++)
		check(layouts[n]);
	ok(n > 0 && layouts[0] == &layout_langgraph_sqlite,
			"LangGraph's own comes first");
	ok(strcmp(layouts[0]->cols[COL_BODY], "checkpoint") == 0, "the container");
	ok(layouts[0]->writes.may_lack, "a store without writes is a store");
	return done();
}
