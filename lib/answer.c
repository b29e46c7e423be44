/*
 * answer.c - answers to questions that wait, staged so that the application's next plain
 * invoke(None, config) takes exactly these.
 *
 * An answer stands where the task that asked keeps its answers: in the list of its __resume__ row
 * at the innermost namespace, behind those that its earlier questions used up. Rows of tasks
 * around it are ignored by the library. An answer to whoever asks (a row of the null task) that was
 * left over would answer the next question too: it goes.
 */
#include "codec.h"
#include "course.h"
#include "pack.h"
#include "put.h"
#include "tasks.h"

#define RESUME_IDX (-4) /* where LangGraph puts answers among the writes of a task */

struct item { /* a question, and its answer as the row will hold it */
	struct ckpt_key at;
	struct ckpt_view id, task, path, given_type, given;
	struct ckpt_view type, row; /* type: of the row, before it is sealed */
	int64_t ngiven, k;
	bool inner;
};

struct ckpt_answer {
	struct ckpt_error *err;
	struct ckpt_key at;
	const struct ckpt_answer_given *given;
	struct item *items; /* of given[i] */
	size_t n;
	bool js, locked, keep_null;
	struct arena arena;
	struct ckpt_buf tmp;
};

static int no_memory(struct ckpt_answer *a)
{
	return ckpt_fail(a->err, CKPT_ENOMEM, "out of memory");
}

static struct ckpt_view keep(struct ckpt_answer *a, struct ckpt_view v)
{
	return v.p ? arena_copy(&a->arena, v, a->err) : v;
}

/* ---- which question -------------------------------------------------------------------------- */

static int refuse_choice(struct ckpt_answer *a, const struct ckpt_tasks *t)
{
	char name[200];

	if (t->nwaits == 0)
		return ckpt_fail(a->err, CKPT_ENOTFOUND,
				"no question waits there: the thread is %s",
				ckpt_status_name(t->status));
	ckpt_fail(a->err, CKPT_EAMBIGUOUS, "%zu questions wait: say which is answered",
			t->nwaits);
	for (size_t i = 0; i < t->nwaits && i < 4; i++)
		ckpt_hint(a->err, "--answer %s=…",
				t->waits[i].id.p ? ckpt_show_name(name, t->waits[i].id)
						 : "ID");
	return a->err->code;
}

static const struct ckpt_interrupt *find(struct ckpt_answer *a,
		const struct ckpt_tasks *t, const struct ckpt_answer_given *given)
{
	char name[200];

	if (!given->id.p && t->nwaits == 1)
		return &t->waits[0];
	for (size_t i = 0; given->id.p && i < t->nwaits; i++) {
		if (ckpt_view_eq(t->waits[i].id, given->id))
			return &t->waits[i];
	}
	if (!given->id.p)
		refuse_choice(a, t);
	else
		ckpt_fail(a->err, CKPT_ENOTFOUND, "no question '%s' waits there",
				ckpt_show_name(name, given->id));
	return NULL;
}

static int take(struct ckpt_answer *a, struct item *to, const struct ckpt_interrupt *q,
		const struct ckpt_tasks *t)
{
	if (!q->inner && t->nwaits > 1)
		return ckpt_fail(a->err, CKPT_EREFUSED,
				"refused: the question is that of a subgraph that keeps "
				"no checkpoints, and others wait too: any of them could "
				"take the answer");
	if (q->inner && q->k < 0 && q->ngiven > 0)
		return ckpt_fail(a->err, CKPT_EREFUSED,
				"refused: it cannot be told which of %lld answers is "
				"this question's",
				(long long)q->ngiven);
	*to = (struct item){ .id = keep(a, q->id),
		.task = keep(a, q->task),
		.path = keep(a, q->path),
		.given_type = keep(a, q->given_type),
		.given = keep(a, q->given),
		.ngiven = q->ngiven,
		.k = q->k < 0 ? 0 : q->k,
		.inner = q->inner };
	to->at = q->at;
	to->at.thread = keep(a, q->at.thread);
	to->at.ns = keep(a, q->at.ns);
	to->at.id = keep(a, q->at.id);
	return a->err->code;
}

static int take_all(struct ckpt_answer *a, const struct ckpt_tasks *t)
{
	if (t->status == CKPT_STATUS_UNKNOWN)
		return ckpt_fail(a->err, CKPT_EREFUSED,
				"refused: it cannot be told what waits: %s", t->why);
	for (size_t i = 0; i < a->n; i++) {
		const struct ckpt_interrupt *q = find(a, t, &a->given[i]);

		if (!q || take(a, &a->items[i], q, t) < 0)
			return a->err->code;
		for (size_t j = 0; j < i; j++) {
			if (a->items[j].inner == q->inner &&
					ckpt_view_eq(a->items[j].id, q->id))
				return ckpt_fail(a->err, CKPT_EUSAGE,
						"a question is answered twice");
		}
	}
	/* an answer to whoever asks, which another question is about to take */
	for (size_t i = 0; i < t->nwaits; i++) {
		bool ours = false;

		for (size_t j = 0; j < a->n; j++)
			ours |= ckpt_view_eq(a->items[j].id, t->waits[i].id);
		a->keep_null |= t->waits[i].by_null && !ours;
	}
	return 0;
}

/* Everything about the thread as it is now. */
static int look(struct ckpt_answer *a, struct ckpt_store *s)
{
	struct ckpt_pick pick = { .key = a->at, .depth = CKPT_VALUES, .writes = true };
	struct ckpt_tasks *tasks = NULL;
	struct ckpt_scan *scan = NULL;
	struct ckpt_checkpoint c;
	int rc = ckpt_scan_one(&scan, s, &pick, &c);

	if (rc == 0)
		rc = ckpt_fail(a->err, CKPT_ENOTFOUND, "the checkpoint is gone");
	if (rc > 0) {
		a->js = ckpt_writer(&c) == CKPT_JS;
		a->locked = c.lock == CKPT_OPENED;
		for (size_t i = 0; i < c.nwrites; i++)
			a->locked |= c.writes[i].lock == CKPT_OPENED;
		rc = ckpt_tasks_load(&tasks, s, &c, 0);
	}
	if (rc >= 0 && !tasks->head) {
		rc = ckpt_fail(a->err, CKPT_EREFUSED,
				"refused: answers are taken at the newest checkpoint "
				"only");
		ckpt_hint(a->err, "make it the newest first: --fork");
	}
	rc = rc < 0 ? rc : take_all(a, tasks);
	ckpt_tasks_free(tasks);
	ckpt_scan_close(scan);
	return rc < 0 ? rc : a->err->code;
}

/* ---- the row --------------------------------------------------------------------------------- */

/* The answer in the thread's language. */
static int encode(struct ckpt_answer *a, struct ckpt_buf *to, struct ckpt_view json)
{
	struct ckpt_buf counts = { 0 }, packed = { 0 };
	struct reader *r = malloc(sizeof(*r));
	struct pack pack = { .reader = r, .counts = &counts };
	bool good = r && pack_json(&pack, &packed, json, false);

	if (!good && (!r || !pack.why))
		no_memory(a);
	else if (!good)
		ckpt_fail(a->err, CKPT_EUSAGE, "the answer %s",
				strcmp(pack.why, "corrupt") == 0
						? "is not JSON (a text needs its quotes: "
						  "'\"yes\"')"
						: "cannot be stored: a number, or text, "
						  "that the library would not read back");
	else if (a->js)
		ckpt_buf_add(to, json.p, json.n);
	else
		ckpt_buf_add(to, packed.p, packed.n);
	ckpt_buf_free(&packed);
	ckpt_buf_free(&counts);
	free(r);
	return to->failed ? no_memory(a) : a->err->code;
}

/* The items of the list that is there; one that is no list counts as one. */
static int old_items(struct ckpt_answer *a, const struct item *q, struct ckpt_view *items)
{
	const struct reader_ops *ops = codec_reader(q->given_type);
	struct reader *r = malloc(sizeof(*r));
	struct token t;
	int64_t n = 0;
	int rc;

	if (!r)
		return no_memory(a);
	if (ops != (a->js ? &json_reader : &msgpack_reader)) {
		free(r);
		return ckpt_fail(a->err, CKPT_EREFUSED,
				"refused: answers that are there cannot be read");
	}
	reader_init(r, ops, q->given);
	rc = reader_next(r, &t);
	if (rc > 0 && t.kind == TOKEN_ARRAY) {
		for (; rc >= 0 && n < q->ngiven; n++)
			rc = reader_skip(r, &items[n]);
	} else if (rc > 0 && q->ngiven == 1) {
		items[n++] = q->given;
	}
	reader_done(r);
	free(r);
	return rc >= 0 && n == q->ngiven
	                       ? 0
	                       : ckpt_fail(a->err, CKPT_ECORRUPT,
						 "answers that are there cannot be "
						 "decoded");
}

static void put_list(struct ckpt_answer *a, const struct ckpt_view *items, size_t n)
{
	struct ckpt_buf *to = &a->tmp;

	to->n = 0;
	if (a->js)
		ckpt_buf_puts(to, "[");
	else
		msgpack_array(to, n);
	for (size_t i = 0; i < n; i++) {
		if (a->js && i)
			ckpt_buf_puts(to, ",");
		ckpt_buf_add(to, items[i].p, items[i].n);
	}
	if (a->js)
		ckpt_buf_puts(to, "]");
}

/* The library takes an answer to whoever asks only if it is not null. */
static bool is_null(struct ckpt_view json)
{
	const char *p = json.p, *end = p + json.n;

	while (p < end && strchr(" \t\r\n", *p) && *p)
		p++;
	return end - p >= 4 && memcmp(p, "null", 4) == 0;
}

static int make_row(struct ckpt_answer *a, struct item *q, struct ckpt_view json)
{
	size_t n = (size_t)(q->k < q->ngiven ? q->ngiven : q->k + 1);
	struct ckpt_view *items = calloc(n, sizeof(*items));
	struct ckpt_buf value = { 0 };
	int rc = items ? encode(a, &value, json) : no_memory(a);

	if (rc == 0 && !q->inner && is_null(json))
		rc = ckpt_fail(a->err, CKPT_EREFUSED,
				"refused: a subgraph that keeps no checkpoints takes no "
				"null for an answer");
	if (rc == 0 && q->inner && q->ngiven)
		rc = old_items(a, q, items);
	q->type = a->js ? CKPT_LIT("json") : CKPT_LIT("msgpack");
	if (rc == 0 && q->inner) {
		items[q->k] = ckpt_buf_view(&value);
		put_list(a, items, n);
		q->row = a->tmp.failed ? (struct ckpt_view){ 0 }
		                       : keep(a, ckpt_buf_view(&a->tmp));
	} else if (rc == 0) {
		q->row = keep(a, ckpt_buf_view(&value));
	}
	free(items);
	ckpt_buf_free(&value);
	return rc < 0 ? rc : q->row.p ? a->err->code : no_memory(a);
}

/* ---- the look -------------------------------------------------------------------------------- */

int ckpt_answer_plan(struct ckpt_answer **out, struct ckpt_store *s,
		const struct ckpt_key *at, const struct ckpt_answer_given *given,
		size_t n)
{
	struct ckpt_answer *a = calloc(1, sizeof(*a));
	int rc;

	*out = a;
	if (!a)
		return ckpt_fail(s->err, CKPT_ENOMEM, "out of memory");
	a->err = s->err;
	a->at = *at;
	a->given = given;
	a->n = n;
	a->items = calloc(n, sizeof(*a->items));
	rc = a->items ? edit_possible(s) : no_memory(a);
	if (rc == 0 && at->ns.n)
		rc = ckpt_fail(a->err, CKPT_EREFUSED,
				"refused: answers are given to the thread; its question "
				"is found in whatever subgraph it waits");
	rc = rc < 0 ? rc : look(a, s);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = make_row(a, &a->items[i], given[i].json);
	return rc;
}

void ckpt_answer_free(struct ckpt_answer *a)
{
	if (!a)
		return;
	arena_free(&a->arena);
	ckpt_buf_free(&a->tmp);
	free(a->items);
	free(a);
}

/* ---- the run --------------------------------------------------------------------------------- */

static int remove_row(struct edit *e, const struct ckpt_key *at, struct ckpt_view task)
{
	struct cell args[4];
	int n;

	sql_key_cells(args, at);
	args[3] = sql_key_cell(task, false);
	n = edit_exec(e,
			"DELETE FROM {writes} WHERE thread_id = $1 AND checkpoint_ns = "
			"$2 AND checkpoint_id = $3 AND task_id = $4 AND channel = "
			"'__resume__'",
			args, 4);
	return n < 0 ? n : 0;
}

static int add_row(struct ckpt_answer *a, struct edit *e, const struct item *q)
{
	bool paths = put_has_path(e->sql);
	struct ckpt_view row = q->row, type = q->type,
			 task = q->inner ? q->task : CKPT_LIT(TASKS_NULL);
	struct ckpt_buf sql = { 0 };
	struct cell args[8];
	int n;

	if (a->locked) {
		if (crypt_seal_row(e->sql->base.crypt, q->row, &a->arena, &row, a->err) <
				0)
			return a->err->code;
		type = a->js ? CKPT_LIT("json+aes") : CKPT_LIT("msgpack+aes");
	}
	sql_key_cells(args, q->inner ? &q->at : &a->at);
	args[3] = sql_key_cell(task, false);
	args[4] = (struct cell){ .kind = CELL_INT, .i = RESUME_IDX };
	args[5] = sql_key_cell(type, false);
	args[6] = (struct cell){ .kind = CELL_BLOB, .v = row };
	args[7] = sql_key_cell(q->path.p ? q->path : CKPT_LIT(""), false);
	/* A row right behind its question's reads as written in one call with it: as used up. */
	ckpt_buf_addf(&sql,
			"INSERT INTO {writes} (%sthread_id, checkpoint_ns, "
			"checkpoint_id, "
			"task_id, idx, channel, type, %s%s) VALUES (%s$1, $2, $3, $4, "
			"$5, "
			"'__resume__', $6, $7%s)",
			e->server ? "" : "rowid, ", e->server ? "blob" : "value",
			paths ? ", task_path" : "",
			e->server ? ""
				  : "(SELECT coalesce(max(rowid), 0) + 2 FROM "
				    "{writes}), ",
			paths ? ", $8" : "");
	n = sql.failed ? no_memory(a) : edit_exec(e, sql.p, args, paths ? 8 : 7);
	ckpt_buf_free(&sql);
	return n < 0 ? n : 0;
}

/* Of the checkpoints that were running around this one: {"ns":"id",…} of its metadata. */
static int remove_nulls_around(
		struct ckpt_answer *a, struct edit *e, const struct ckpt_checkpoint *c)
{
	struct ckpt_view parents;
	struct ckpt_key at = c->key;
	struct ckpt_buf ns = { 0 };
	struct reader *r = malloc(sizeof(*r));
	struct token t;
	bool key = true;
	int rc = 0;

	if (!r)
		return no_memory(a);
	if (!c->meta.p || !ckpt_value_member(&parents, CKPT_LIT("json"), c->meta,
					  "parents")) {
		free(r);
		return 0;
	}
	reader_init(r, &json_reader, parents);
	while (rc == 0 && reader_next(r, &t) > 0) {
		if (t.kind != TOKEN_STR)
			continue;
		if (key) {
			ns.n = 0;
			ckpt_buf_add(&ns, t.s.p, t.s.n);
		} else {
			at.ns = ckpt_buf_view(&ns);
			at.id = t.s;
			rc = ns.failed ? no_memory(a)
			               : remove_row(e, &at, CKPT_LIT(TASKS_NULL));
		}
		key = !key;
	}
	reader_done(r);
	free(r);
	ckpt_buf_free(&ns);
	return rc;
}

/* Answers to whoever asks, here and around: the next question would take them. */
static int remove_nulls(struct ckpt_answer *a, struct edit *e, const struct item *q)
{
	struct ckpt_pick pick = { .key = q->at, .depth = CKPT_META };
	struct ckpt_scan *scan = NULL;
	struct ckpt_checkpoint c;
	int rc = remove_row(e, &a->at, CKPT_LIT(TASKS_NULL));

	if (rc < 0 || !q->inner)
		return rc;
	rc = remove_row(e, &q->at, CKPT_LIT(TASKS_NULL));
	rc = rc < 0 ? rc : ckpt_scan_one(&scan, &e->sql->base, &pick, &c);
	if (rc > 0)
		rc = remove_nulls_around(a, e, &c);
	ckpt_scan_close(scan);
	return rc;
}

static bool same_question(const struct item *a, const struct item *b)
{
	return ckpt_view_eq(a->id, b->id) && ckpt_view_eq(a->at.ns, b->at.ns) &&
	       ckpt_view_eq(a->at.id, b->at.id) && ckpt_view_eq(a->task, b->task) &&
	       ckpt_view_eq(a->given, b->given) && a->k == b->k;
}

/* Look again, now that nobody else can write: what was decided must still fit. */
static int look_again(struct ckpt_answer *a, struct edit *e)
{
	struct ckpt_answer now = { .err = a->err,
		.at = a->at,
		.given = a->given,
		.n = a->n,
		.items = calloc(a->n, sizeof(*now.items)) };
	int rc = now.items ? course_unchanged(e, &a->at, a->at.id) : no_memory(a);

	rc = rc < 0 ? rc : look(&now, &e->sql->base);

	for (size_t i = 0; rc == 0 && i < a->n; i++) {
		if (!same_question(&a->items[i], &now.items[i]))
			rc = ckpt_fail(a->err, CKPT_EREFUSED,
					"refused: the thread went on meanwhile");
	}
	a->keep_null = now.keep_null;
	arena_free(&now.arena);
	free(now.items);
	return rc;
}

static int change(struct ckpt_answer *a, struct edit *e)
{
	int rc = look_again(a, e);

	for (size_t i = 0; rc >= 0 && i < a->n; i++) {
		const struct item *q = &a->items[i];

		if (!a->keep_null)
			rc = remove_nulls(a, e, q);
		if (rc >= 0 && q->inner)
			rc = remove_row(e, &q->at, q->task);
		rc = rc < 0 ? rc : add_row(a, e, q);
	}
	/* a server's writers do not wait for us */
	rc = rc < 0 ? rc : course_unchanged(e, &a->at, a->at.id);
	return rc < 0 ? rc : edit_commit(e);
}

int ckpt_answer_run(struct ckpt_answer *a, const char *store,
		const struct ckpt_config *config)
{
	static const struct edit_want want = { "resume", "SELECT, INSERT, DELETE", 0, 0 };
	struct edit *e;

	if (edit_open(&e, store, config, &want, a->err) < 0)
		return a->err->code;
	if (edit_begin(e) == 0)
		change(a, e);
	edit_close(e);
	return a->err->code;
}
