/*
 * course.c - is a thread still where it was when somebody decided about it?
 */
#include "course.h"

int course_newest(struct ckpt_view *out, struct ckpt_store *s, const struct ckpt_key *of,
		struct arena *arena)
{
	struct ckpt_pick pick = { .key = *of,
		.depth = CKPT_KEYS,
		.newest = true,
		.descending = true,
		.limit = 1 };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc;

	*out = (struct ckpt_view){ 0 };
	pick.key.id = (struct ckpt_view){ 0 };
	rc = ckpt_scan_open(&scan, s, &pick);
	if (rc < 0)
		return rc;
	rc = ckpt_scan_next(scan, &c);
	if (rc > 0) {
		*out = arena_copy(arena, c.key.id, s->err);
		rc = s->err->code ? s->err->code : 1;
	}
	ckpt_scan_close(scan);
	return rc;
}

int course_unchanged(struct edit *e, const struct ckpt_key *thread, struct ckpt_view head)
{
	struct arena arena = { 0 };
	struct ckpt_view now;
	char name[200];
	int rc = course_newest(&now, &e->sql->base, thread, &arena);

	if (rc >= 0 && !ckpt_view_eq(now, head)) {
		rc = ckpt_fail(e->err, CKPT_EREFUSED,
				"refused: thread '%s' went on meanwhile",
				ckpt_show_name(name, thread->thread));
		ckpt_hint(e->err, "look again, then run it again");
	}
	arena_free(&arena);
	return rc < 0 ? rc : 0;
}
