/*
 * convert_sends.c - Sends of checkpoints before v 4: Python's SQLite keeps them in the container,
 * PostgreSQL's readers take them from the writes of the parent, in the order of path, task and
 * index. Where the two are not the same list, other tasks would run there.
 */
#include "convert_impl.h"

static const struct ckpt_view tasks = { "__pregel_tasks", 14 };

/* The last member of this name. Not being found for want of memory is an error here: what
 * follows from it would be wrong. */
static bool member(struct job *j, struct ckpt_view map, struct ckpt_view name,
		struct ckpt_view *out)
{
	struct reader *r = &j->k->rd;
	struct token t;
	bool found = false;
	int rc;

	reader_init(r, j->json ? &json_reader : &msgpack_reader, map);
	rc = reader_next(r, &t);
	if (rc == 1 && t.kind == TOKEN_MAP) {
		while ((rc = reader_next(r, &t)) == 1 && t.kind == TOKEN_STR) {
			bool hit = ckpt_view_eq(t.s, name);
			struct ckpt_view value;

			rc = reader_skip(r, &value);
			if (rc < 0)
				break;
			if (hit)
				*out = value;
			found |= hit;
		}
	}
	reader_done(r);
	if (rc == CKPT_ENOMEM)
		nomem(j);
	return found && rc >= 0;
}

void sends_version(struct job *j)
{
	struct ckpt_view v;
	const uint8_t *p;

	j->before_v4 = false;
	if (!j->c->skeleton.p || !member(j, j->c->skeleton, CKPT_LIT("v"), &v) ||
			v.n != 1)
		return;
	p = v.p;
	j->before_v4 = j->json ? *p >= '1' && *p <= '3' : *p >= 1 && *p <= 3;
}

/* The items of a list one behind the other; of JSON without the space between them. */
static void add_item(struct ckpt_buf *to, struct ckpt_view type, struct ckpt_view body)
{
	if (!ckpt_view_eq(type, CKPT_LIT("json"))) {
		ckpt_buf_add(to, body.p, body.n);
		return;
	}
	ckpt_buf_puts(to, to->n ? "," : "");
	json_compact(to, body);
}

int sends_keep(struct job *j)
{
	struct ckpt_buf *tmp = &j->k->tmp;

	tmp->n = 0;
	for (size_t i = 0; i < j->c->nwrites; i++) {
		const struct ckpt_write *w = &j->c->writes[i];

		if (ckpt_view_eq(w->channel, tasks))
			add_item(tmp, w->type, w->body);
	}
	if (tmp->failed)
		return nomem(j);
	if (!tmp->n)
		return 0;
	return version_keep_sends(j, version_digest(&j->k->versions, ckpt_buf_view(tmp)));
}

/* The items between the head and the end of an array. */
static struct ckpt_view list_items(struct job *j, struct ckpt_view list)
{
	struct ckpt_view none = { "", 0 };
	struct reader *r = &j->k->rd;
	struct token t;
	size_t at = 1;

	reader_init(r, j->json ? &json_reader : &msgpack_reader, list);
	if (reader_next(r, &t) != 1 || t.kind != TOKEN_ARRAY)
		list = none;
	else
		at = (size_t)(r->at - r->base);
	reader_done(r);
	if (list.n < at)
		return none;
	return (struct ckpt_view){ (const char *)list.p + at,
		list.n - at - (j->json ? 1 : 0) };
}

int sends_check(struct job *j)
{
	struct ckpt_view type = j->json ? CKPT_LIT("json") : CKPT_LIT("msgpack"), list;
	struct ckpt_view here = { "", 0 };
	struct convert *k = j->k;
	struct digest want, got = version_digest(&k->versions, here);

	if (member(j, j->c->skeleton, CKPT_LIT("pending_sends"), &list))
		here = list_items(j, list);
	k->tmp.n = 0;
	add_item(&k->tmp, type, here);
	if (k->tmp.failed)
		return nomem(j);
	want = version_digest(&k->versions, ckpt_buf_view(&k->tmp));
	if (j->c->parent.p)
		version_sends(j, j->c->parent, &got);
	if (!digest_eq(want, got))
		care(j, CONVERT_CANNOT, "sends", tasks,
				"the Sends it holds are not the ones, or not in the "
				"order, that its parent's writes would give there");
	return 0;
}

bool sends_added(struct job *j, const struct ckpt_value *v)
{
	struct ckpt_view versions, own;

	return j->before_v4 && ckpt_view_eq(v->channel, tasks) &&
	       !(member(j, j->c->skeleton, CKPT_LIT("channel_versions"), &versions) &&
			       member(j, versions, tasks, &own));
}
