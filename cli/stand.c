/*
 * stand.c - where a checkpoint stands, as JSON and in words.
 */
#include <string.h>

#include "out.h"
#include "stand.h"

/* ---- JSON -------------------------------------------------------------------------------------- */

/* Names of tasks that run next: those of Sends in their order, then nodes by name. */
void stand_next(struct ckpt_buf *to, const struct ckpt_tasks *t)
{
	const char *sep = "";

	ckpt_buf_puts(to, "[");
	for (size_t i = 0; i < t->ntasks; i++) {
		if (!t->tasks[i].next)
			continue;
		ckpt_buf_puts(to, sep);
		ckpt_json_string(to, t->tasks[i].node);
		sep = ",";
	}
	ckpt_buf_puts(to, "]");
}

/* The stored members; of the head, where it waits, also whether an answer is there. */
static void put_interrupt(struct ckpt_buf *to, const struct ckpt_interrupt *q, bool head)
{
	const char *p = q->json.p;

	if (q->json.n < 2 || p[0] != '{' || !q->id.p) {
		ckpt_buf_puts(to, "{");
		text_json_member(to, "id", q->id);
		ckpt_buf_puts(to, ",\"value\":");
		ckpt_buf_add(to, q->value.p, q->value.n);
	} else {
		ckpt_buf_add(to, p, q->json.n - 1);
	}
	if (head)
		ckpt_buf_addf(to, ",\"staged\":%s", q->staged ? "true" : "false");
	ckpt_buf_puts(to, "}");
}

static void put_task(struct ckpt_buf *to, const struct ckpt_task *task, bool head)
{
	ckpt_buf_puts(to, "{");
	text_json_member(to, "id", task->id);
	ckpt_buf_puts(to, ",");
	text_json_member(to, "node", task->node);
	ckpt_buf_addf(to, ",\"status\":\"%s\",\"interrupts\":[",
			ckpt_task_status_name(task->status));
	for (size_t i = 0; i < task->ninterrupts; i++) {
		ckpt_buf_puts(to, i ? "," : "");
		put_interrupt(to, &task->interrupts[i],
				head && task->status != CKPT_TASK_DONE);
	}
	ckpt_buf_puts(to, "]");
	if (task->error.p) {
		ckpt_buf_puts(to, ",\"error\":");
		ckpt_buf_add(to, task->error.p, task->error.n);
	}
	ckpt_buf_puts(to, "}");
}

void stand_tasks(struct ckpt_buf *to, const struct ckpt_tasks *t)
{
	ckpt_buf_puts(to, "[");
	for (size_t i = 0; i < t->ntasks; i++) {
		ckpt_buf_puts(to, i ? "," : "");
		put_task(to, &t->tasks[i], t->head);
	}
	ckpt_buf_puts(to, "]");
}

/* Every question that waits, error handlers' included, with the row an answer goes beside. */
static void put_wait(struct ckpt_buf *to, const struct ckpt_interrupt *q)
{
	ckpt_buf_puts(to, "{");
	text_json_member(to, "id", q->id);
	ckpt_buf_puts(to, ",\"value\":");
	ckpt_buf_add(to, q->value.p, q->value.n);
	ckpt_buf_puts(to, ",");
	text_json_member(to, "node", q->node);
	ckpt_buf_puts(to, ",");
	text_json_member(to, "ns", q->at.ns);
	ckpt_buf_puts(to, ",");
	text_json_member(to, "checkpoint", q->at.id);
	ckpt_buf_puts(to, ",");
	text_json_member(to, "task", q->inner ? q->task : (struct ckpt_view){ 0 });
	ckpt_buf_addf(to, ",\"staged\":%s}", q->staged ? "true" : "false");
}

void stand_waits(struct ckpt_buf *to, const struct ckpt_tasks *t)
{
	ckpt_buf_puts(to, "[");
	for (size_t i = 0; i < t->nwaits; i++) {
		ckpt_buf_puts(to, i ? "," : "");
		put_wait(to, &t->waits[i]);
	}
	ckpt_buf_puts(to, "]");
}

void stand_json(struct ckpt_buf *to, const struct ckpt_tasks *t)
{
	ckpt_buf_addf(to, ",\"status\":\"%s\",\"next\":", ckpt_status_name(t->status));
	stand_next(to, t);
	ckpt_buf_puts(to, ",\"tasks\":");
	stand_tasks(to, t);
}

/* ---- words ------------------------------------------------------------------------------------- */

static void put_words(struct ckpt_buf *to, struct ckpt_view node, struct ckpt_view what)
{
	ckpt_buf_add(to, node.p, node.n);
	ckpt_buf_puts(to, node.p ? ": " : "");
	ckpt_buf_add(to, what.p, what.n);
}

void stand_words(struct ckpt_buf *to, const struct ckpt_tasks *t)
{
	const struct ckpt_interrupt *first = NULL;
	size_t open = 0;

	for (size_t i = 0; i < t->nwaits; i++) {
		if (!t->waits[i].staged) {
			first = first ? first : &t->waits[i];
			open++;
		}
	}
	if (open > 1)
		ckpt_buf_addf(to, "%zu questions; ", open);
	if (first) {
		put_words(to, first->node, first->value);
		return;
	}
	for (size_t i = 0; i < t->ntasks; i++) {
		if (t->tasks[i].status == CKPT_TASK_FAILED) {
			put_words(to, t->tasks[i].node, t->tasks[i].error);
			return;
		}
	}
}

static void text_line(struct ckpt_buf *to, const struct ckpt_task *task, size_t width)
{
	ckpt_buf_puts(to, "    ");
	text_safe(to, task->node, 40);
	ckpt_buf_addf(to, "  %s", ckpt_task_status_name(task->status));
	if (task->status == CKPT_TASK_FAILED) {
		ckpt_buf_puts(to, "  ");
		text_safe(to, task->error, width);
	}
	ckpt_buf_puts(to, "\n");
}

void stand_text(struct cli *cli, struct ckpt_buf *to, const struct ckpt_tasks *t)
{
	size_t width = (size_t)out_width(cli);
	struct ckpt_buf question = { 0 };

	width = width > 60 ? width - 40 : 20;
	ckpt_buf_addf(to, "%sstatus%s %s", out_style(cli, "\033[1m"),
			out_style(cli, "\033[0m"), ckpt_status_name(t->status));
	if (t->why)
		ckpt_buf_addf(to, ": %s", t->why);
	else if (t->status == CKPT_RUNNABLE && !t->ntasks)
		ckpt_buf_puts(to, ": a command is to be followed");
	ckpt_buf_puts(to, "\n");
	for (size_t i = 0; i < t->ntasks; i++)
		text_line(to, &t->tasks[i], width);
	for (size_t i = 0; i < t->nwaits; i++) {
		const struct ckpt_interrupt *q = &t->waits[i];

		ckpt_buf_addf(to, "    %s ", q->staged ? "answered" : "waits for");
		question.n = 0;
		put_words(&question, q->node, q->value);
		text_safe(to, ckpt_buf_view(&question), width);
		if (q->id.p) {
			ckpt_buf_puts(to, "  ");
			text_safe(to, q->id, 40);
		}
		ckpt_buf_puts(to, "  ");
		text_time(to, q->asked, cli->now, cli->g.time == 1);
		ckpt_buf_puts(to, "\n");
	}
	to->failed |= question.failed;
	ckpt_buf_free(&question);
}
