/*
 * tasks_waits.c - all that waits for a person at a head: each question once, the answers that are
 * staged, and what that makes of the tasks.
 */
#include "tasks.h"

static int add_wait(struct tasks *t, const struct ckpt_interrupt *q)
{
	t->waits = tasks_grow(
			t, t->waits, t->base.nwaits, &t->waits_cap, sizeof(*t->waits));
	if (!t->waits)
		return tasks_no_memory(t);
	t->waits[t->base.nwaits++] = *q;
	return 0;
}

static int wait_of_task(struct tasks *t, struct ckpt_store *store, struct ckpt_task *task)
{
	int rc = 0;

	for (size_t i = 0; i < task->ninterrupts && rc >= 0; i++) {
		struct ckpt_interrupt q = task->interrupts[i];

		if (!tasks_find_here(t, &q))
			rc = tasks_find_below(t, store, &q);
		if (rc >= 0)
			rc = add_wait(t, &q);
	}
	return rc;
}

/* Has the task a result? */
static bool is_done(const struct tasks *t, struct ckpt_view task)
{
	size_t from, to;

	tasks_rows_of(t, task, &from, &to);
	for (; from < to; from++) {
		if (!tasks_is_control(t->c->writes[t->rows[from]].channel))
			return true;
	}
	return false;
}

/* The handler of a failed task: what it asks is in rows of its own. */
static int wait_of_handler(
		struct tasks *t, const struct ckpt_task *task, struct ckpt_view name)
{
	struct tasks_who who = {
		.node = name, .caller = task->node, .caller_id = task->id
	};
	struct ckpt_interrupt *asked = NULL;
	const struct ckpt_write *w = NULL;
	char id[TASK_ID];
	size_t n = 0;
	int rc = 0;

	if (tasks_id_handler(t, id, &who))
		w = tasks_row(t, ckpt_view_of(id), "__interrupt__");
	if (w && !is_done(t, w->task))
		rc = tasks_question(t, w, &asked, &n);
	for (size_t i = 0; i < n && rc >= 0; i++) {
		tasks_ask_at(t, &asked[i], w->task, &who);
		asked[i].node = arena_copy(&t->arena, name, t->err);
		asked[i].by_handler = true;
		rc = t->err->code ? t->err->code : add_wait(t, &asked[i]);
	}
	return rc;
}

static int waits_of_handlers(struct tasks *t, const struct ckpt_task *task)
{
	struct ckpt_buf name = { 0 };
	int rc = 0;

	if (!task->id.p || !tasks_row(t, task->id, "__error_source_node__"))
		return 0;
	ckpt_buf_puts(&name, "__error_handler__");
	ckpt_buf_add(&name, task->node.p, task->node.n);
	rc = name.failed ? tasks_no_memory(t)
	                 : wait_of_handler(t, task, ckpt_buf_view(&name));
	if (rc >= 0)
		rc = wait_of_handler(t, task, CKPT_LIT("__default_error_handler__"));
	ckpt_buf_free(&name);
	return rc;
}

/* A null row answers one question in Python, all of them in JavaScript. */
static void count_null(struct tasks *t)
{
	size_t open = 0;

	for (size_t i = 0; i < t->base.nwaits; i++)
		open += !t->waits[i].staged;
	if (open == 0 || (open > 1 && !t->js) || !tasks_null_staged(t))
		return;
	for (size_t i = 0; i < t->base.nwaits; i++) {
		t->waits[i].by_null = t->waits[i].by_null || !t->waits[i].staged;
		t->waits[i].staged = true;
	}
}

/* Which waits are whose: those of task i lie at first[i] … first[i + 1] - 1. */
static void mark(struct tasks *t, const size_t *first)
{
	for (size_t i = 0; i < t->base.ntasks; i++) {
		bool open = false;

		for (size_t k = first[i]; k < first[i + 1]; k++)
			open = open || !t->waits[k].staged;
		if (first[i] < first[i + 1])
			t->tasks[i].status =
					open ? CKPT_TASK_INTERRUPTED : CKPT_TASK_ANSWERED;
		if (t->tasks[i].ninterrupts && first[i] < first[i + 1])
			t->tasks[i].interrupts = &t->waits[first[i]];
	}
}

int tasks_waits(struct tasks *t, struct ckpt_store *store)
{
	size_t *first = calloc(t->base.ntasks + 1, sizeof(*first));
	int rc = 0;

	if (!first)
		return tasks_no_memory(t);
	for (size_t i = 0; i < t->base.ntasks && rc >= 0; i++) {
		first[i] = t->base.nwaits;
		if (t->tasks[i].status == CKPT_TASK_INTERRUPTED)
			rc = wait_of_task(t, store, &t->tasks[i]);
		else if (t->tasks[i].status == CKPT_TASK_FAILED)
			rc = waits_of_handlers(t, &t->tasks[i]);
	}
	first[t->base.ntasks] = t->base.nwaits;
	if (rc >= 0) {
		count_null(t);
		mark(t, first);
	}
	free(first);
	return rc;
}
