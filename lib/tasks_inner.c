/*
 * tasks_inner.c - which row asked a question, and whether its answer is there already.
 *
 * A question is repeated in the rows of all tasks around the one that asked. The ids tell: a
 * question's is made of the namespace of the task that asked and of how many answers it had. Rows
 * of functions called in a task lie at the same checkpoint, those of a subgraph at the newest
 * checkpoint of a namespace of its own.
 */
#include "tasks.h"

#define KEY_PARTS_MAX \
	4096 /* answers of one task that are tried as its question's number */

/* ---- rows ------------------------------------------------------------------------------------ */

const struct ckpt_write *tasks_row(
		const struct tasks *t, struct ckpt_view task, const char *channel)
{
	size_t from, to;

	tasks_rows_of(t, task, &from, &to);
	for (; from < to; from++) {
		const struct ckpt_write *w = &t->c->writes[t->rows[from]];

		if (ckpt_view_eq(w->channel, ckpt_view_of(channel)))
			return w;
	}
	return NULL;
}

static int64_t count_answers(const struct ckpt_write *w)
{
	struct ckpt_render plain = { 0 };
	struct ckpt_buf text = { 0 };
	struct ckpt_view key, item;
	struct ckpt_walk walk;
	int64_t n = 1;

	ckpt_render_value(&text, w->type, w->body, &plain);
	if (!text.failed && ckpt_walk_open(&walk, ckpt_buf_view(&text)) && !walk.map) {
		for (n = 0; ckpt_walk_next(&walk, &key, &item); n++)
			continue;
	}
	ckpt_buf_free(&text);
	return n;
}

/* The engine writes a question and the answers used up before it in one call; an answer that came
 * from outside is written by itself. */
static bool in_one_call(const struct tasks *t, const struct ckpt_write *question,
		const struct ckpt_write *answers)
{
	return t->txn ? question->seq >> 32 == answers->seq >> 32
	              : answers->seq == question->seq + 1;
}

/* Releases that number questions tell a schema with each. */
static bool numbers(const struct tasks *t, const struct ckpt_write *question)
{
	return !t->js && question->body.p &&
	       memmem(question->body.p, question->body.n, "response_schema", 15);
}

/* ---- one row --------------------------------------------------------------------------------- */

static int64_t k_of_id(const struct tasks *t, const struct ckpt_interrupt *q,
		const struct tasks_who *who)
{
	char id[33];

	for (int64_t k = 0; k <= q->ngiven && k < KEY_PARTS_MAX && q->id.p; k++) {
		tasks_id_question(t, id, who, q->task, k);
		if (ckpt_view_eq(q->id, ckpt_view_of(id)))
			return k;
	}
	return -1;
}

/* The row of task q->task is the one that asked: what answers are beside it? `who` may name
 * nobody, where the name of a function is not known. */
static void settle(const struct tasks *t, struct ckpt_interrupt *q, int64_t k)
{
	const struct ckpt_write *question = tasks_row(t, q->task, "__interrupt__"),
				*answers = tasks_row(t, q->task, "__resume__");

	q->inner = true;
	q->k = k;
	if (!answers) {
		q->k = 0;
		return;
	}
	q->given_type = answers->type;
	q->given = answers->body;
	if (k > 0 || (k == 0 && question && numbers(t, question))) {
		q->staged = q->ngiven > k;
	} else {
		q->staged = q->ngiven > 0 &&
		            !(question && in_one_call(t, question, answers));
		q->k = q->staged ? q->ngiven - 1 : q->ngiven;
	}
}

static void move_to(
		const struct tasks *t, struct ckpt_interrupt *q, struct ckpt_view task)
{
	const struct ckpt_write *answers = tasks_row(t, task, "__resume__"),
				*question = tasks_row(t, task, "__interrupt__");

	q->at = t->c->key;
	q->asked = t->c->time;
	q->task = task;
	q->path = question ? question->path : q->path;
	q->ngiven = answers ? count_answers(answers) : 0;
}

void tasks_ask_at(const struct tasks *t, struct ckpt_interrupt *q, struct ckpt_view task,
		const struct tasks_who *who)
{
	move_to(t, q, task);
	settle(t, q, k_of_id(t, q, who));
}

/* ---- functions called by the task -------------------------------------------------------------- */

static bool asks(struct tasks *t, const struct ckpt_write *w, struct ckpt_view id)
{
	struct ckpt_interrupt *found = NULL;
	size_t n = 0;

	if (tasks_question(t, w, &found, &n) < 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (id.p && ckpt_view_eq(found[i].id, id))
			return true;
	}
	return false;
}

/* Of the rows with this question the one deepest in calls. */
static const struct ckpt_write *deepest(
		struct tasks *t, struct ckpt_view id, struct ckpt_view task)
{
	const struct ckpt_write *best = NULL;

	for (size_t i = 0; i < t->c->nwrites; i++) {
		const struct ckpt_write *w = &t->c->writes[i];

		if (ckpt_view_eq(w->channel, CKPT_LIT("__interrupt__")) &&
				!ckpt_view_eq(w->task, task) &&
				(!best || w->path.n > best->path.n) && asks(t, w, id))
			best = w;
	}
	return best;
}

/* Functions are named by versions_seen alone, and only once they ran. */
static int64_t k_of_function(
		const struct tasks *t, struct ckpt_interrupt *q, struct tasks_who who)
{
	struct ckpt_view before = { 0 };

	for (size_t i = 0; i < t->graph.nseen; i++) {
		int64_t k;

		who.node = t->graph.seen[i].node;
		if (ckpt_view_eq(who.node, before))
			continue;
		before = who.node;
		k = k_of_id(t, q, &who);
		if (k >= 0) {
			q->node = who.node;
			return k;
		}
	}
	q->node = (struct ckpt_view){ 0 };
	return -1;
}

/* Find the question among the rows of this checkpoint; false: a subgraph asked. */
bool tasks_find_here(struct tasks *t, struct ckpt_interrupt *q)
{
	struct tasks_who who = { .node = q->node };
	struct ckpt_view caller = q->node, caller_id = q->task;
	const struct ckpt_write *w;
	int64_t k;

	move_to(t, q, q->task);
	k = k_of_id(t, q, &who);
	if (k >= 0 || !q->id.p) {
		settle(t, q, k);
		return true;
	}
	w = deepest(t, q->id, q->task);
	if (!w)
		return false;
	move_to(t, q, w->task);
	who = (struct tasks_who){ .caller = caller, .caller_id = caller_id };
	settle(t, q, k_of_function(t, q, who));
	return true;
}

/* ---- a null row ------------------------------------------------------------------------------ */

static bool is_none(const struct tasks *t, const struct ckpt_write *w)
{
	return !t->js && (ckpt_view_eq(w->type, CKPT_LIT("null")) ||
					 ckpt_view_eq(w->body, CKPT_LIT("\xc0")));
}

/* An answer to whoever asks, newer than every question here? */
bool tasks_null_staged(const struct tasks *t)
{
	const struct ckpt_write *null = tasks_row(t, CKPT_LIT(TASKS_NULL), "__resume__");

	if (!null || is_none(t, null))
		return false;
	for (size_t i = 0; i < t->c->nwrites; i++) {
		const struct ckpt_write *w = &t->c->writes[i];

		if (ckpt_view_eq(w->channel, CKPT_LIT("__interrupt__")) &&
				w->seq >= null->seq)
			return false;
	}
	return true;
}
