/*
 * checks_values.c - what a scan fills at each depth: nothing that was not asked for, and what was
 * asked for byte for byte.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "made.h"

static bool is_uuid(const struct content *c)
{
	return c->id.n == 36;
}

/* What a depth does not promise is as if nobody had looked. */
static bool no_more(const struct ckpt_pick *p, const struct ckpt_checkpoint *c)
{
	enum ckpt_depth d = p->depth;

	return (d == CKPT_SPANS || (!c->first.p && !c->count)) &&
	       (d >= CKPT_LINKS ||
			       (!c->parent.p && !c->type.p && !c->size && !c->meta_size &&
					       !c->blobs_new && !c->blobs_all)) &&
	       (p->sizes || (!c->blobs_new && !c->blobs_all)) &&
	       (d >= CKPT_META || (!c->meta.p && !c->meta_type.p)) &&
	       (d >= CKPT_VALUES || (!c->skeleton.p && !c->values && !c->nvalues)) &&
	       (p->writes || (!c->writes && !c->nwrites && !c->writes_size)) &&
	       !c->opaque.p && !c->broken_why && c->lock == CKPT_OPEN;
}

static bool good_depth(const struct ckpt_pick *p, const struct ckpt_checkpoint *c,
		const struct content *w)
{
	static const struct ckpt_view none = { 0 };
	bool container = !kind_has_blobs(now.kind);
	bool time = p->depth >= CKPT_LINKS || is_uuid(w);
	struct ckpt_view v;

	if (!no_more(p, c) || (c->time == CKPT_UNKNOWN) == time)
		return false;
	if (p->depth >= CKPT_LINKS &&
			(!same_view(c->parent, now.kind->shallow ? none : w->parent) ||
					!same_view(c->type,
							container ? CKPT_LIT("msgpack")
								  : none)))
		return false;
	if (p->depth >= CKPT_META &&
			(!ckpt_view_eq(c->meta_type, CKPT_META_TYPE) ||
					!ckpt_meta_where(c->meta, CKPT_LIT("source"),
							CKPT_LIT("loop"))))
		return false;
	/* the container without its values, but with the rest */
	return p->depth < CKPT_VALUES ||
	       (ckpt_value_member(&v, container ? c->type : CKPT_LIT("json"), c->skeleton,
				"channel_versions") &&
			       !ckpt_value_member(&v,
					       container ? c->type : CKPT_LIT("json"),
					       c->skeleton, "channel_values"));
}

bool check_depths(struct ckpt_store *s)
{
	bool good = true;

	for (unsigned d = CKPT_KEYS; d <= CKPT_VALUES && good; d++) {
		struct ckpt_pick p = { .depth = (enum ckpt_depth)d };

		good = gives(s, &p, good_depth);
	}
	for (unsigned d = CKPT_HEADS; d <= CKPT_SPANS && good; d++) {
		struct ckpt_pick p = { .depth = (enum ckpt_depth)d };
		struct ckpt_checkpoint c;
		struct ckpt_scan *scan;

		good = ckpt_scan_open(&scan, s, &p) == 0;
		while (good && ckpt_scan_next(scan, &c) == 1) {
			good = no_more(&p, &c) && (d == CKPT_HEADS || c.first.p);
			if (!good)
				complain("more than its depth", &c, NULL);
		}
		ckpt_scan_close(scan);
	}
	return good;
}

/* ---- values --------------------------------------------------------------------------------------- */

static bool same_value(const struct ckpt_value *got, const struct content_value *v)
{
	const struct kind *k = now.kind;
	bool plain = kind_has_blobs(k) && v->json.p && !k->no_inline;
	struct ckpt_view body = plain ? v->json : v->msgpack;
	const char *type = !v->msgpack.p ? NULL
	                   : plain       ? "json"
	                   : k->js       ? "bytes"
	                                 : "msgpack";
	enum ckpt_place place = !v->msgpack.p                 ? CKPT_EMPTY
	                        : plain || !kind_has_blobs(k) ? CKPT_INLINE
	                                                      : CKPT_BLOB;
	char version[80];

	snprintf(version, sizeof(version), k->js ? "%u" : "\"%032u.0.5\"", v->version);
	return got->place == place && got->lock == CKPT_OPEN &&
	       same_view(got->body, body) && same_view(got->type, ckpt_view_of(type)) &&
	       same_view(got->version, ckpt_view_of(version));
}

static bool good_values(const struct ckpt_pick *p, const struct ckpt_checkpoint *c,
		const struct content *w)
{
	(void)p;
	for (size_t i = 0; i < w->nvalues; i++) {
		const struct content_value *v = &w->values[i];
		size_t at = 0, times = 0;

		for (size_t j = 0; j < c->nvalues; j++) {
			if (!ckpt_view_eq(c->values[j].channel, v->channel))
				continue;
			at = j;
			times++;
		}
		if (times != 1 || !same_value(&c->values[at], v)) {
			const struct ckpt_value *g = &c->values[at];
			char name[200], type[200], version[200];

			printf("# channel %s, %zu times: place %d, type %s, version %s, "
			       "%zu bytes\n",
					ckpt_show_name(name, v->channel), times, g->place,
					ckpt_show_name(type, g->type),
					ckpt_show_name(version, g->version), g->body.n);
			return false;
		}
	}
	return c->nvalues == w->nvalues;
}

bool check_values(struct ckpt_store *s)
{
	struct ckpt_pick p = { .depth = CKPT_VALUES };
	bool good = gives(s, &p, good_values);

	p.descending = true;
	p.writes = true;
	p.sizes = true;
	good = good && gives(s, &p, good_values);
	/* and one by one, each with nothing fetched before it */
	for (size_t i = 0; i < now.nwant && good; i += 7) {
		struct ckpt_pick one = { .depth = CKPT_VALUES,
			.key = { now.want[i]->thread, now.want[i]->ns, now.want[i]->id,
					0 } };

		good = gives(s, &one, good_values);
	}
	return good;
}

/* ---- writes --------------------------------------------------------------------------------------- */

static struct ckpt_view path_of(const struct content_write *w)
{
	return now.kind->no_task_path ? CKPT_LIT("") : w->path;
}

static int in_order(const void *a, const void *b)
{
	const struct content_write *x = *(const struct content_write *const *)a;
	const struct content_write *y = *(const struct content_write *const *)b;
	int d = ckpt_view_cmp(path_of(x), path_of(y));

	d = d ? d : ckpt_view_cmp(x->task, y->task);
	return d ? d : (x->idx > y->idx) - (x->idx < y->idx);
}

bool good_writes(const struct ckpt_pick *p, const struct ckpt_checkpoint *c,
		const struct content *w)
{
	const struct content_write *order[16];
	int64_t size = 0;

	if (!w->writes)
		return !c->nwrites && !c->writes_size;
	for (size_t i = 0; i < ncontent_writes; i++)
		order[i] = &content_writes[i];
	qsort(order, ncontent_writes, sizeof(order[0]), in_order);
	for (size_t i = 0; i < ncontent_writes && c->nwrites == ncontent_writes; i++) {
		const struct ckpt_write *g = &c->writes[i];
		const struct content_write *o = order[i];
		struct ckpt_view body = p->depth == CKPT_VALUES ? o->body
		                                                : (struct ckpt_view){ 0 };

		if (!same_view(g->task, o->task) || !same_view(g->path, path_of(o)) ||
				!same_view(g->channel, o->channel) || g->idx != o->idx ||
				!same_view(g->type, CKPT_LIT("msgpack")) ||
				!same_view(g->body, body) ||
				g->size != (int64_t)o->body.n || g->lock != CKPT_OPEN) {
			printf("# write %zu of %zu\n", i, c->nwrites);
			return false;
		}
		size += g->size;
	}
	return c->nwrites == ncontent_writes && c->writes_size == size;
}

bool check_writes(struct ckpt_store *s)
{
	bool good = true;

	for (unsigned d = CKPT_KEYS; d <= CKPT_VALUES && good; d++) {
		struct ckpt_pick p = { .depth = (enum ckpt_depth)d, .writes = true };

		good = gives(s, &p, good_writes);
	}
	return good;
}

/* ---- sizes ---------------------------------------------------------------------------------------- */

static bool in_blob(const struct content_value *v)
{
	return kind_has_blobs(now.kind) && v->msgpack.p &&
	       (now.kind->no_inline || !v->json.p);
}

/* Was a value of this version there in a checkpoint before? */
static bool is_new(const struct content *w, const struct content_value *v)
{
	for (size_t i = 0; i < now.nwant && now.want[i] != w; i++) {
		const struct content *c = now.want[i];

		for (size_t j = 0; j < c->nvalues; j++) {
			if (ckpt_view_eq(c->thread, w->thread) &&
					ckpt_view_eq(c->ns, w->ns) &&
					c->values[j].version == v->version &&
					ckpt_view_eq(c->values[j].channel, v->channel))
				return false;
		}
	}
	return true;
}

static int64_t sum;

static bool good_sizes(const struct ckpt_pick *p, const struct ckpt_checkpoint *c,
		const struct content *w)
{
	int64_t all = 0, fresh = 0;

	(void)p;
	for (size_t i = 0; i < w->nvalues; i++) {
		const struct content_value *v = &w->values[i];
		int64_t n = in_blob(v) ? (int64_t)v->msgpack.n : 0;

		all += n;
		fresh += is_new(w, v) ? n : 0;
	}
	sum += c->size + c->meta_size;
	if (c->blobs_all != all || c->blobs_new != fresh) {
		printf("# blobs %lld of %lld, wanted %lld of %lld\n",
				(long long)c->blobs_new, (long long)c->blobs_all,
				(long long)fresh, (long long)all);
		return false;
	}
	return kind_is_postgres(now.kind) ||
	       (c->size == w->size && c->meta_size == (int64_t)w->meta.n);
}

bool check_sizes(struct ckpt_store *s)
{
	struct ckpt_pick p = { .depth = CKPT_LINKS, .sizes = true };
	struct ckpt_buf sql = { 0 }, out = { 0 };
	bool good;

	sum = 0;
	good = gives(s, &p, good_sizes);
	if (!good || !kind_is_postgres(now.kind))
		return good;
	ckpt_buf_addf(&sql,
			"SELECT sum(octet_length(checkpoint::text) + "
			"octet_length(metadata::text)) FROM \"%s\".checkpoints",
			now.kind->schema ? now.kind->schema : "public");
	good = postgres_ask(now.kind, false, sql.p, &out) && out.p &&
	       strtoll(out.p, NULL, 10) == sum;
	ckpt_buf_free(&sql);
	ckpt_buf_free(&out);
	return good;
}

/* ---- lineage --------------------------------------------------------------------------------------- */

bool check_lineage(struct ckpt_store *s)
{
	struct ckpt_lineage *l;
	size_t n = 0;

	for (size_t i = 0; i < now.nwant; i += n) {
		const struct content *w = now.want[i];
		const struct ckpt_key key = { .thread = w->thread, .ns = w->ns };
		bool good;

		for (n = 0; i + n < now.nwant && (n == 0 || !now.want[i + n - 1]->last);
				n++)
			;
		good = ckpt_lineage_load(&l, s, &key) == 0 && l->count == n &&
		       l->head < n;
		for (size_t j = 0; j < n && good; j++) {
			bool root = now.kind->shallow || j == 0;

			good = same_view(l->links[j].id, now.want[i + j]->id) &&
			       l->links[j].parent_at == (root ? SIZE_MAX : j - 1);
		}
		ckpt_lineage_free(l);
		if (!good) {
			complain("lineage", NULL, w);
			return false;
		}
	}
	return true;
}
