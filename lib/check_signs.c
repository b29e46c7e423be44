/*
 * check_signs.c - what skeleton and metadata of a checkpoint say about its channels: which are delta
 * channels, which were updated, which savers wrote it, who called the subgraph.
 */
#include "check.h"
#include "delta.h"

static bool holds(struct ckpt_view text, const char *word)
{
	return text.p && memmem(text.p, text.n, word, strlen(word));
}

static void mark_counted(struct space *s, uint32_t channel)
{
	const struct node *n = &s->nodes[s->nnodes - 1];

	s->any_delta = s->channels[channel].delta = true;
	for (uint32_t i = 0; i < n->nentries; i++) {
		struct entry *e = &s->entries[n->entry + i];

		if (s->pairs[e->pair].channel == channel)
			e->flags |= ENTRY_COUNTED;
	}
}

/* The channels of metadata.counters_since_delta_snapshot are delta channels. */
static int add_counted(struct check *c, struct ckpt_view meta)
{
	struct reader *r = &c->judge->reader;
	struct space *s = &c->space;
	struct ckpt_view counters;
	struct token t;
	int rc = 0;

	if (!ckpt_value_member(&counters, CKPT_LIT("json"), meta,
			    "counters_since_delta_snapshot"))
		return 0;
	reader_init(r, &json_reader, counters);
	if (reader_next(r, &t) > 0 && t.kind == TOKEN_MAP) {
		while (rc == 0 && reader_next(r, &t) > 0 && t.kind == TOKEN_STR) {
			uint32_t at = delta_is_internal(t.s) ? 0 : space_channel(s, t.s);

			if (at == NONE)
				rc = check_no_memory(c);
			else if (!delta_is_internal(t.s))
				mark_counted(s, at);
			if (reader_skip(r, NULL) < 0)
				break;
		}
	}
	reader_done(r);
	return rc;
}

/* Names in updated_channels had a value when the step was over. */
static void add_updated(struct check *c, const struct ckpt_checkpoint *row)
{
	struct reader *r = &c->judge->reader;
	struct space *s = &c->space;
	struct node *n = &s->nodes[s->nnodes - 1];
	struct ckpt_view list;
	struct token t;

	if (!ckpt_value_member(
			    &list, CKPT_LIT("json"), row->skeleton, "updated_channels"))
		return;
	reader_init(r, &json_reader, list);
	if (reader_next(r, &t) > 0 && t.kind == TOKEN_ARRAY) {
		n->flags |= NODE_UPDATES;
		while (reader_next(r, &t) > 0 && t.kind == TOKEN_STR) {
			uint32_t at = intern_find(&s->channel_names, t.s);

			if (at != NONE)
				s->channels[at].updated = (uint32_t)s->nnodes;
		}
	}
	reader_done(r);
	for (uint32_t i = 0; i < n->nentries; i++) {
		struct entry *e = &s->entries[n->entry + i];

		if (s->channels[s->pairs[e->pair].channel].updated == s->nnodes)
			e->flags |= ENTRY_UPDATED;
	}
}

/* Only what values apart ask for. */
static void add_signs(struct check *c, const struct ckpt_checkpoint *row)
{
	struct node *n = &c->space.nodes[c->space.nnodes - 1];
	struct ckpt_buf source = { 0 };
	struct ckpt_view values;

	add_updated(c, row);
	if (row->body.p && !ckpt_value_member(&values, CKPT_LIT("json"), row->body,
					   "channel_values"))
		n->flags |= NODE_OLD;
	if (holds(row->meta, "\"fork\"") &&
			ckpt_meta_text(&source, row->meta, "source") &&
			ckpt_view_eq(ckpt_buf_view(&source), CKPT_LIT("fork")))
		n->flags |= NODE_COPY;
	ckpt_buf_free(&source);
}

/* Who called this subgraph, as its newest checkpoint has it. */
static int keep_parents(struct check *c, const struct ckpt_checkpoint *row)
{
	struct space *s = &c->space;
	struct ckpt_view parents;

	if (!memchr(row->key.ns.p, ':', row->key.ns.n) ||
			!ckpt_value_member(
					&parents, CKPT_LIT("json"), row->meta, "parents"))
		return 0;
	s->parents.n = 0;
	ckpt_buf_add(&s->parents, parents.p, parents.n);
	return s->parents.failed ? check_no_memory(c) : 0;
}

int space_signs(struct check *c, const struct ckpt_checkpoint *row)
{
	int rc = holds(row->meta, "counters_since_delta_snapshot")
	                         ? add_counted(c, row->meta)
	                         : 0;

	if (rc >= 0 && c->apart)
		add_signs(c, row);
	return rc < 0 ? rc : keep_parents(c, row);
}
