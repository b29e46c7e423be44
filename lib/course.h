/*
 * course.h - the border between the files that change a thread's course: fork.c makes branches,
 * answer.c answers questions. Internal.
 */
#ifndef COURSE_H
#define COURSE_H

#include "edit.h"

/* The id that the saver would load of this thread and namespace; 1, or 0 if there is none. */
int course_newest(struct ckpt_view *out, struct ckpt_store *, const struct ckpt_key *,
		struct arena *);
/* Whoever decided, decided about the thread as it was: CKPT_EREFUSED if it went on. */
int course_unchanged(struct edit *, const struct ckpt_key *, struct ckpt_view head);

#endif
