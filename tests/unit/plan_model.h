/*
 * plan_model.h - what a plan should say, told a second time: a statement for each reason, tried
 * on every checkpoint until nothing changes any more. Slow, and shares no code with lib/plan*.c.
 */
#ifndef PLAN_MODEL_H
#define PLAN_MODEL_H

#include "plan.h"

struct need {
	size_t of, what; /* facts */
	enum ckpt_why why;
};
struct needs {
	struct need *list;
	size_t n;
};

#define BIT(why) (UINT32_C(1) << (why))

/* Of a plan whose facts, spaces and policy are set: the reasons of each fact. */
void plan_model(const struct plan *, const struct needs *, uint32_t *why);
/* The space that a fact is in. */
size_t plan_model_space(const struct plan *, size_t fact);

#endif
