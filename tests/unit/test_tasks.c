/*
 * test_tasks.c - ids of tasks and questions against recorded ones; how a small checkpoint stands
 * as rows come to it; the newest good checkpoint of a line. Against the library itself, on graphs
 * of all shapes: tests/interop/test_tasks.py.
 */
#include "t.h"
#include "made.h"
#include "tasks.h"

/* ---- ids ----------------------------------------------------------------------------------------- */

static struct ckpt_checkpoint at;

static struct tasks tasks_at(const char *hex, int64_t v, int64_t step, const char *ns)
{
	struct tasks t = { .v = v, .step = step, .c = &at };

	at.key.ns = ckpt_view_of(ns);
	for (; *hex; hex++) {
		if (*hex == '-')
			continue;
		t.id[t.nid++] = (uint8_t)(hex_value(hex[0]) << 4 | hex_value(hex[1]));
		hex++;
	}
	return t;
}

static void is_id(const char *got, const char *want, const char *what)
{
	same(got, strlen(got), want, what);
}

static void ids(void)
{
	static const char c[] = "1ef4f797-8335-6428-8001-8a1503f9b875",
			  agent_id[] = "b3f45e03-cbcf-0d73-9215-fd26868f94d9";
	struct ckpt_view branch = CKPT_LIT("branch:to:agent"), agent = CKPT_LIT("agent"),
			 two[] = { CKPT_LIT("branch:to:j"), CKPT_LIT("join:b1+b3:j") };
	struct tasks t = tasks_at(c, 4, 2, "");
	struct tasks_who who = { .node = agent };
	char id[TASK_ID], question[33];

	ok(tasks_id_pull(&t, id, agent, &branch, 1), "a node's id can be made");
	is_id(id, agent_id, "id of a node");
	tasks_id_push(&t, id, CKPT_LIT("w"), 0);
	is_id(id, "8947fee8-e6b2-7480-4125-eb0ca97dbb49", "id of a Send");
	tasks_id_pull(&t, id, CKPT_LIT("j"), two, 2);
	is_id(id, "1aa78861-c206-ebce-da37-b4d524cf5a6e", "id of a node behind a join");
	tasks_id_question(&t, question, &who, ckpt_view_of(agent_id), 0);
	is_id(question, "e0594c950bbb5fc585028a6257116705", "the first question");
	tasks_id_question(&t, question, &who, ckpt_view_of(agent_id), 2);
	is_id(question, "a49346eb361345a68d784b4ef52f7c38", "the third one");
	who = (struct tasks_who){ CKPT_LIT("__error_handler__agent"), agent,
		ckpt_view_of(agent_id) };
	tasks_id_handler(&t, id, &who);
	is_id(id, "e75d542f-bae5-6037-c95f-9adc334b82fd", "an error handler");
	t.v = 1;
	tasks_id_pull(&t, id, agent, &branch, 1);
	is_id(id, "e81a0b87-5001-6cc1-ce7f-262d9e1a924f", "v 1: SHA-1");
	t = tasks_at(c, 4, 1, "node:b3f45e03-cbcf-0d73-9215-fd26868f94d9");
	branch = CKPT_LIT("branch:to:inner");
	tasks_id_pull(&t, id, CKPT_LIT("inner"), &branch, 1);
	is_id(id, "568455fb-06e5-2fc1-6656-f7625fdb7956", "in a subgraph");
	t = tasks_at("1f1e53a6-3682-66f0-8001-bf4374d25f56", 4, 2, "");
	t.js = true;
	branch = CKPT_LIT("branch:to:ask");
	tasks_id_pull(&t, id, CKPT_LIT("ask"), &branch, 1);
	is_id(id, "595cf30d-0562-534e-b3a9-e63b6e7a315a", "JavaScript");
	t.nid = 7;
	ok(!tasks_id_pull(&t, id, CKPT_LIT("ask"), &branch, 1),
			"no id where the checkpoint's is none");
}

/* ---- a line of checkpoints ----------------------------------------------------------------------- */

static char id[3][37];
static const char *const messages[] = { "{\"type\":\"human\",\"content\":\"pay\"}",
	"{\"type\":\"human\",\"content\":\"pay\"},"
	"{\"type\":\"ai\",\"content\":\"\",\"tool_calls\":[{\"name\":\"charge\",\"args\":"
	"{},"
	"\"id\":\"call_A\"}]}" };

static void put_all(sqlite3 *db)
{
	for (unsigned i = 0; i < 3; i++) {
		struct ckpt_buf body = { 0 }, meta = { 0 };
		struct made_row row = { .thread = CKPT_LIT("t"),
			.type = CKPT_LIT("json") };

		made_id(id[i], i, 0xabc + i);
		ckpt_buf_addf(&body,
				"{\"v\":4,\"id\":\"%s\",\"ts\":\"2026-01-01T00:00:00Z\","
				"\"channel_values\":{\"messages\":[%s]%s},"
				"\"channel_versions\":{\"messages\":%u,\"__start__\":1,"
				"\"branch:to:ask\":%u},"
				"\"versions_seen\":{\"__start__\":{\"__start__\":1},"
				"\"ask\":{\"branch:to:ask\":1}}}",
				id[i], messages[i > 1],
				i ? ",\"branch:to:ask\":null" : "", i + 1, i + 1);
		ckpt_buf_addf(&meta, "{\"source\":\"loop\",\"step\":%u}", i);
		row.id = ckpt_view_of(id[i]);
		row.parent = i ? ckpt_view_of(id[i - 1]) : (struct ckpt_view){ 0 };
		row.body = ckpt_buf_view(&body);
		row.meta = ckpt_buf_view(&meta);
		made_put(db, &row);
		ckpt_buf_free(&body);
		ckpt_buf_free(&meta);
	}
}

static void put_write(const char *path, const char *task, const char *channel,
		const char *value, int64_t idx)
{
	struct made_write w = { .thread = CKPT_LIT("t"),
		.id = ckpt_view_of(id[2]),
		.task = ckpt_view_of(task),
		.channel = ckpt_view_of(channel),
		.type = CKPT_LIT("json"),
		.body = ckpt_view_of(value),
		.idx = idx };
	sqlite3 *db;

	if (sqlite3_open(path, &db) != SQLITE_OK)
		abort();
	made_write(db, &w);
	made_close(db);
}

/* "status next waits" of checkpoint i, and its first task's id in `task`. */
static const char *stands(const char *path, unsigned i, char task[static TASK_ID])
{
	static char text[100];
	struct ckpt_error err = { 0 };
	struct ckpt_store *store = made_open(path, &err);
	struct ckpt_pick pick = { .key = { .thread = CKPT_LIT("t"), .ns = CKPT_LIT("") },
		.depth = CKPT_VALUES,
		.writes = true };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	struct ckpt_tasks *t;
	size_t next = 0;

	pick.key.id = ckpt_view_of(id[i]);
	if (ckpt_scan_one(&scan, store, &pick, &c) != 1 ||
			ckpt_tasks_load(&t, store, &c, 0) < 0)
		abort();
	for (size_t k = 0; k < t->ntasks; k++)
		next += t->tasks[k].next;
	snprintf(text, sizeof(text), "%s %zu %zu", ckpt_status_name(t->status), next,
			t->nwaits);
	task[0] = '\0';
	if (t->ntasks)
		snprintf(task, TASK_ID, "%.*s", (int)t->tasks[0].id.n,
				(const char *)t->tasks[0].id.p);
	ckpt_tasks_free(t);
	ckpt_scan_close(scan);
	ckpt_store_close(store);
	return text;
}

/* "i why" of the newest good checkpoint; "-" if there is none. */
static const char *safe(const char *path)
{
	static char text[200];
	struct ckpt_error err = { 0 };
	struct ckpt_store *store = made_open(path, &err);
	struct ckpt_key key = { .thread = CKPT_LIT("t"), .ns = CKPT_LIT("") };
	struct ckpt_buf found = { 0 }, why = { 0 };
	int rc = ckpt_safe_find(&found, &why, store, &key);
	const char *which = "-";

	for (unsigned i = 0; i < 3 && rc > 0; i++) {
		if (ckpt_view_eq(ckpt_buf_view(&found), ckpt_view_of(id[i])))
			which = i == 0 ? "0" : i == 1 ? "1" : "2";
	}
	snprintf(text, sizeof(text), "%s %s", which, why.p);
	ckpt_buf_free(&found);
	ckpt_buf_free(&why);
	ckpt_store_close(store);
	return text;
}

static void line(void)
{
	const char *path = made_path("line.db");
	sqlite3 *db = made_store(path);
	char task[TASK_ID], none[TASK_ID];

	put_all(db);
	made_close(db);
	is_id(stands(path, 0, none), "finished 0 0", "nothing triggers");
	is_id(stands(path, 1, none), "runnable 1 0", "a past checkpoint");
	is_id(stands(path, 2, task), "runnable 1 0", "the head");
	is_id(safe(path), "1 tool call \"call_A\" has no result", "a call dangles");
	put_write(path, task, "__error__", "\"boom\"", -1);
	is_id(stands(path, 2, none), "failed 1 0", "an error");
	put_write(path, task, "__interrupt__", "{\"id\":\"q\",\"value\":\"May I?\"}", -3);
	is_id(stands(path, 2, none), "interrupted 1 1", "a question");
	is_id(safe(path), "2 ", "a person is asked about the call");
	put_write(path, TASKS_NULL, "__resume__", "\"yes\"", -4);
	is_id(stands(path, 2, none), "answered 1 1", "a newer null row answers it");
	put_write(path, task, "messages", "[]", 0);
	is_id(stands(path, 2, none), "runnable 0 0", "done, and not applied");
	is_id(stands(path, 1, none), "runnable 1 0", "the past is as it was");
}

int main(void)
{
	ids();
	line();
	return done();
}
