/*
 * show_judge.c - what is wrong with a checkpoint that is shown: whatever form was asked for, the
 * warnings are the same and so is the exit code.
 */
#include <string.h>

#include "show.h"

static int parent_present(struct shown *s)
{
	struct ckpt_pick pick = { .key = s->c.key, .depth = CKPT_KEYS };
	struct ckpt_checkpoint parent;
	struct ckpt_scan *scan = NULL;
	int rc = 0;

	pick.key.id = s->c.parent;
	if (s->c.parent.p)
		rc = ckpt_scan_one(&scan, s->cli->store, &pick, &parent);
	ckpt_scan_close(scan);
	return rc;
}

/* Rows the key does not open: shown as they are stored, which is not what was asked. */
static void judge_locks(struct shown *s)
{
	char name[200];

	for (size_t i = 0; i < s->c.nvalues; i++) {
		if (s->c.values[i].lock != CKPT_SHUT ||
				!show_wants(s, s->c.values[i].channel))
			continue;
		s->corrupt = true;
		show_warn(s, "channel %s cannot be decrypted: wrong key or damaged row",
				ckpt_show_name(name, s->c.values[i].channel));
	}
	for (size_t i = 0; i < s->c.nwrites; i++) {
		if (s->c.writes[i].lock != CKPT_SHUT ||
				!show_wants(s, s->c.writes[i].channel))
			continue;
		s->corrupt = true;
		show_warn(s,
				"a write of channel %s cannot be decrypted: wrong key or "
				"damaged row",
				ckpt_show_name(name, s->c.writes[i].channel));
	}
}

static bool decodes(struct ckpt_view type, struct ckpt_view body)
{
	struct ckpt_render plain = { 0 };
	struct ckpt_buf waste = { 0 };
	int rc = ckpt_render_value(&waste, type, body, &plain);

	ckpt_buf_free(&waste);
	return rc != CKPT_ECORRUPT;
}

/* Not every form prints metadata and writes, but each tells when they are damaged. */
static void judge_rest(struct shown *s)
{
	char name[200];

	if (s->c.meta.p && !decodes(s->c.meta_type, s->c.meta)) {
		s->corrupt = true;
		show_warn(s, "the metadata cannot be decoded");
	}
	for (size_t i = 0; i < s->c.nwrites; i++) {
		const struct ckpt_write *w = &s->c.writes[i];

		if (!show_wants(s, w->channel) || decodes(w->type, w->body))
			continue;
		s->corrupt = true;
		show_warn(s, "a write of channel %s cannot be decoded",
				ckpt_show_name(name, w->channel));
	}
}

int show_judge(struct shown *s)
{
	struct ckpt_buf id = { 0 }, want = { 0 };
	char name[200];
	int rc;

	if (s->c.broken_why) {
		s->corrupt = true;
		show_warn(s, "the checkpoint cannot be decoded beyond byte %zu: %s",
				s->c.broken_at, s->c.broken_why);
	} else if (s->c.trailing) {
		show_warn(s, "bytes follow the checkpoint; LangGraph ignores them");
	} else if (s->c.opaque.p) {
		show_warn(s, "the state is of type %s: it is not looked into",
				ckpt_show_name(name, s->c.type));
	}
	if (s->c.skeleton.p) {
		show_member(s, &id, "id");
		ckpt_json_string(&want, s->c.key.id);
		if (!s->c.broken_why &&
				!ckpt_view_eq(ckpt_buf_view(&id), ckpt_buf_view(&want)))
			show_warn(s, "the payload names another id: %s",
					ckpt_show_name(name, ckpt_buf_view(&id)));
	}
	judge_locks(s);
	judge_rest(s);
	rc = parent_present(s);
	if (s->c.parent.p && rc == 0)
		show_warn(s, "the parent %s is not in the store",
				ckpt_show_name(name, s->c.parent));
	for (size_t i = 0; i < s->c.nvalues && rc >= 0; i++) {
		if (!show_wants(s, s->c.values[i].channel))
			continue;
		if (s->places[i] == CKPT_DELTA)
			rc = show_delta(s, i, NULL);
		if (s->places[i] != CKPT_LOST)
			continue;
		s->corrupt = true;
		show_warn(s,
				"channel %s: this snapshot is lost, its blob is not in "
				"the store: LangGraph reads true in its place",
				ckpt_show_name(name, s->c.values[i].channel));
	}
	ckpt_buf_free(&id);
	ckpt_buf_free(&want);
	return rc < 0 ? rc : 0;
}

bool show_is_whole(const struct shown *s)
{
	bool whole = !s->c.broken_why;

	for (size_t i = 0; i < s->c.nvalues; i++)
		whole = whole && s->c.values[i].lock != CKPT_SHUT;
	return whole;
}

/* Exit 8 is never silent: the first reason, behind an answer that was given. */
void show_verdict(struct shown *s)
{
	char name[200];

	if (!s->corrupt)
		return;
	ckpt_fail(&s->cli->verdict, CKPT_ECORRUPT, "checkpoint '%s' is damaged: %s",
			ckpt_show_name(name, s->c.key.id),
			s->nwarnings ? s->warnings.p : "some of it cannot be decoded");
	ckpt_hint(&s->cli->verdict, "what can be read was shown");
}
