/*
 * tasks_rows.c - what the rows of a task say: it is done, it raised an error, it asked questions.
 */
#include "tasks.h"

static int row_cmp(const void *pa, const void *pb, void *arg)
{
	const struct ckpt_write *writes = arg;
	size_t a = *(const size_t *)pa, b = *(const size_t *)pb;
	int d = ckpt_view_cmp(writes[a].task, writes[b].task);

	return d ? d : (a > b) - (a < b);
}

int tasks_rows_sort(struct tasks *t)
{
	size_t n = t->c->nwrites;

	t->rows = arena_take(&t->arena, (n + 1) * sizeof(*t->rows), t->err);
	if (!t->rows)
		return t->err->code;
	for (size_t i = 0; i < n; i++)
		t->rows[i] = i;
	if (n)
		qsort_r(t->rows, n, sizeof(*t->rows), row_cmp, (void *)t->c->writes);
	return 0;
}

/* The first row whose task is not before (or, `behind`, is after) this one. */
static size_t bound(const struct tasks *t, struct ckpt_view task, bool behind)
{
	size_t lo = 0, hi = t->c->nwrites;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = ckpt_view_cmp(t->c->writes[t->rows[mid]].task, task);

		if (d < 0 || (behind && d == 0))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool tasks_rows_of(const struct tasks *t, struct ckpt_view task, size_t *from, size_t *to)
{
	*from = bound(t, task, false);
	*to = bound(t, task, true);
	return *from < *to;
}

bool tasks_is_control(struct ckpt_view channel)
{
	return ckpt_view_eq(channel, CKPT_LIT("__error__")) ||
	       ckpt_view_eq(channel, CKPT_LIT("__error_source_node__")) ||
	       ckpt_view_eq(channel, CKPT_LIT("__interrupt__")) ||
	       ckpt_view_eq(channel, CKPT_LIT("__resume__"));
}

bool tasks_is_handler(struct ckpt_view path)
{
	static const char end[] = ", node_error_handler, 0000000000";
	const size_t n = sizeof(end) - 1;

	return path.n > n && memcmp((const char *)path.p + path.n - n, end, n) == 0;
}

/* ---- questions ------------------------------------------------------------------------------- */

static int add_question(struct tasks *t, struct ckpt_interrupt **out, size_t *n,
		size_t *cap, struct ckpt_view json)
{
	struct ckpt_interrupt *q;
	struct ckpt_view id, value;

	*out = tasks_grow(t, *out, *n, cap, sizeof(**out));
	if (!*out)
		return tasks_no_memory(t);
	q = &(*out)[(*n)++];
	*q = (struct ckpt_interrupt){ .json = json, .value = json, .k = -1 };
	if (ckpt_pointer_find(&id, json, CKPT_LIT("/id")) && id.n &&
			*(const char *)id.p == '"') {
		q->id = tasks_text(t, id);
		if (!q->id.p)
			return tasks_no_memory(t);
	}
	if (ckpt_pointer_find(&value, json, CKPT_LIT("/value")))
		q->value = value;
	return 0;
}

/* Python writes a list of them, JavaScript one. */
int tasks_question(struct tasks *t, const struct ckpt_write *w,
		struct ckpt_interrupt **out, size_t *n)
{
	struct ckpt_render plain = { 0 };
	struct ckpt_view json, key, item;
	struct ckpt_buf text = { 0 };
	struct ckpt_walk walk;
	size_t cap = *n; /* what is there already is full: grow copies it */
	int rc = 0;

	ckpt_render_value(&text, w->type, w->body, &plain);
	json = tasks_keep(t, &text);
	ckpt_buf_free(&text);
	if (!json.p)
		return tasks_no_memory(t);
	if (!ckpt_walk_open(&walk, json) || walk.map)
		return add_question(t, out, n, &cap, json);
	while (rc >= 0 && ckpt_walk_next(&walk, &key, &item))
		rc = add_question(t, out, n, &cap, item);
	return rc;
}

/* ---- one task -------------------------------------------------------------------------------- */

struct found {            /* among the rows of a task */
	bool done, in_js; /* in_js: has what JavaScript's get_state takes for a result */
	const struct ckpt_write *error;
	struct ckpt_interrupt *questions;
	size_t nquestions;
};

static int look(struct tasks *t, const struct ckpt_write *w, struct found *f)
{
	if (!tasks_is_control(w->channel))
		f->done = true;
	if (!ckpt_view_eq(w->channel, CKPT_LIT("__error__")) &&
			!ckpt_view_eq(w->channel, CKPT_LIT("__interrupt__")) &&
			!ckpt_view_eq(w->channel, CKPT_LIT("__scheduled__")))
		f->in_js = true;
	if (ckpt_view_eq(w->channel, CKPT_LIT("__error__")) && !f->error)
		f->error = w;
	if (ckpt_view_eq(w->channel, CKPT_LIT("__interrupt__")))
		return tasks_question(t, w, &f->questions, &f->nquestions);
	return 0;
}

static int read_error(struct tasks *t, struct ckpt_task *task, const struct ckpt_write *w)
{
	struct ckpt_render plain = { 0 };
	struct ckpt_buf text = { 0 };

	ckpt_render_value(&text, w->type, w->body, &plain);
	task->error = tasks_keep(t, &text);
	ckpt_buf_free(&text);
	return task->error.p ? 0 : tasks_no_memory(t);
}

static void judge(const struct tasks *t, struct ckpt_task *task, const struct found *f)
{
	bool told = t->js || !t->head || !f->done; /* Python: of a head those that wait */

	task->interrupts = f->questions;
	task->ninterrupts = told ? f->nquestions : 0;
	if (!t->head) {
		task->status = CKPT_TASK_PENDING;
		return;
	}
	task->next = t->js ? !f->in_js : !f->done;
	if (f->done)
		task->status = CKPT_TASK_DONE;
	else if (f->nquestions)
		task->status = CKPT_TASK_INTERRUPTED;
	else if (f->error)
		task->status = CKPT_TASK_FAILED;
}

static int read_task(struct tasks *t, struct ckpt_task *task)
{
	struct found f = { 0 };
	size_t from, to;
	int rc = 0;

	if (!task->id.p || !tasks_rows_of(t, task->id, &from, &to))
		return 0;
	task->path = t->c->writes[t->rows[from]].path;
	for (size_t i = from; i < to && rc >= 0; i++)
		rc = look(t, &t->c->writes[t->rows[i]], &f);
	if (rc >= 0 && f.error)
		rc = read_error(t, task, f.error);
	for (size_t i = 0; i < f.nquestions && rc >= 0; i++) {
		f.questions[i].at = t->c->key;
		f.questions[i].node = task->node;
		f.questions[i].task = task->id;
		f.questions[i].path = task->path;
		f.questions[i].asked = t->c->time;
	}
	if (rc >= 0)
		judge(t, task, &f);
	return rc;
}

int tasks_rows_read(struct tasks *t)
{
	int rc = 0;

	for (size_t i = 0; i < t->base.ntasks && rc >= 0; i++)
		rc = read_task(t, &t->tasks[i]);
	return rc;
}
