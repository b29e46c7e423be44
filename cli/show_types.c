/*
 * show_types.c - `ckpt show --types`: every class the payload names, and whether LangGraph's safe
 * list has it. Nothing is built from a name: they are only listed.
 */
#include <stdlib.h>

#include "show.h"

struct class
{
	struct ckpt_buf name;
	bool safe;
	int64_t count;
};
struct classes {
	struct class *v;
	size_t n, cap;
	bool failed;
};

/* One more occurrence; equal names are put together at the end. */
static void see_class(void *arg, struct ckpt_view module, struct ckpt_view name)
{
	struct classes *all = arg;
	struct ckpt_buf full = { 0 };

	if (all->n == all->cap) {
		size_t cap = all->cap ? all->cap * 2 : 16;
		struct class *more = realloc(all->v, cap * sizeof(*more));

		if (!more) {
			all->failed = true;
			return;
		}
		all->v = more;
		all->cap = cap;
	}
	ckpt_buf_add(&full, module.p, module.n);
	if (module.n)
		ckpt_buf_puts(&full, ".");
	ckpt_buf_add(&full, name.p, name.n);
	all->failed |= full.failed;
	all->v[all->n++] = (struct class){ full, ckpt_type_safe(module, name), 1 };
}

static void collect(struct shown *s, struct classes *all)
{
	struct ckpt_render r = { .typed = true, .seen = see_class, .arg = all };
	struct ckpt_buf waste = { 0 };

	for (size_t i = 0; i < s->c.nvalues; i++) {
		waste.n = 0;
		if (s->c.values[i].type.p && show_wants(s, s->c.values[i].channel))
			s->corrupt |= ckpt_render_value(&waste, s->c.values[i].type,
						      s->c.values[i].body,
						      &r) == CKPT_ECORRUPT;
	}
	for (size_t i = 0; i < s->c.nwrites; i++) {
		waste.n = 0;
		if (show_wants(s, s->c.writes[i].channel))
			s->corrupt |= ckpt_render_value(&waste, s->c.writes[i].type,
						      s->c.writes[i].body,
						      &r) == CKPT_ECORRUPT;
	}
	ckpt_buf_free(&waste);
}

static int by_name(const void *a, const void *b)
{
	const struct class *x = a, *y = b;

	return ckpt_view_cmp(ckpt_buf_view(&x->name), ckpt_buf_view(&y->name));
}

static void unite(struct classes *all)
{
	size_t kept = 0;

	if (all->n)
		qsort(all->v, all->n, sizeof(*all->v), by_name);
	for (size_t i = 0; i < all->n; i++) {
		if (kept && by_name(&all->v[kept - 1], &all->v[i]) == 0) {
			all->v[kept - 1].count++;
			ckpt_buf_free(&all->v[i].name);
		} else {
			all->v[kept++] = all->v[i];
		}
	}
	all->n = kept;
}

static int put_json(struct shown *s, const struct classes *all)
{
	struct ckpt_buf doc = { 0 };
	int rc = out_begin(s->cli, "show", "checkpoint", NULL, false);

	show_put_key(s, &doc);
	ckpt_buf_puts(&doc, ",\"types\":[");
	for (size_t i = 0; i < all->n; i++) {
		ckpt_buf_puts(&doc, i ? ",{" : "{");
		text_json_member(&doc, "type", ckpt_buf_view(&all->v[i].name));
		ckpt_buf_addf(&doc, ",\"safe\":%s,\"count\":%lld}",
				all->v[i].safe ? "true" : "false",
				(long long)all->v[i].count);
	}
	ckpt_buf_puts(&doc, "]}");
	if (doc.failed)
		rc = ckpt_fail(&s->cli->err, CKPT_ENOMEM, "out of memory");
	rc = rc < 0 ? rc : out_data(s->cli, "checkpoint", ckpt_buf_view(&doc));
	ckpt_buf_free(&doc);
	return rc;
}

static int put_rows(struct shown *s, const struct classes *all)
{
	static const struct col cols[] = { { "type", "CLASS", COL_TEXT, 0 },
		{ "safe", "SAFE", COL_BOOL, 0 }, { "count", "TIMES", COL_INT, COL_RIGHT },
		{ NULL, NULL, COL_TEXT, 0 } };
	int rc = out_begin(s->cli, "show", "checkpoint", cols, false);

	for (size_t i = 0; i < all->n && rc >= 0; i++)
		rc = out_row(s->cli,
				(struct field[]){ { .v = ckpt_buf_view(&all->v[i].name) },
						{ .b = all->v[i].safe },
						{ .i = all->v[i].count } });
	return rc;
}

int show_types(struct shown *s)
{
	struct classes all = { 0 };
	bool json = out_form_of(s->cli) == FORM_JSON ||
	            out_form_of(s->cli) == FORM_NDJSON;
	int rc;

	collect(s, &all);
	unite(&all);
	if (all.failed)
		rc = ckpt_fail(&s->cli->err, CKPT_ENOMEM, "out of memory");
	else
		rc = json ? put_json(s, &all) : put_rows(s, &all);
	rc = rc < 0 ? rc : out_summary(s->cli, "\"checkpoints\":1", NULL);
	for (size_t i = 0; i < all.n; i++)
		ckpt_buf_free(&all.v[i].name);
	free(all.v);
	return rc;
}
