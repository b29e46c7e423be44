/*
 * stand.h - where a checkpoint stands, as every command prints it: the same keys in JSON, the
 * same words for people. What it is comes from the library (ckpt_tasks.h).
 */
#ifndef STAND_H
#define STAND_H

#include "cmd.h"

/* ,"status":…,"next":[…],"tasks":[…] in this order, after a member. */
void stand_json(struct ckpt_buf *to, const struct ckpt_tasks *);
/* Each array alone: names of what is to run; tasks; questions with their innermost rows. */
void stand_next(struct ckpt_buf *to, const struct ckpt_tasks *);
void stand_tasks(struct ckpt_buf *to, const struct ckpt_tasks *);
void stand_waits(struct ckpt_buf *to, const struct ckpt_tasks *);
/* What it waits for, or what failed: ask_human: "Approve the refund?". Not made harmless. */
void stand_words(struct ckpt_buf *to, const struct ckpt_tasks *);
/* Lines for people below a title of their own; nothing if there is nothing to say. */
void stand_text(struct cli *, struct ckpt_buf *to, const struct ckpt_tasks *);

#endif
