/*
 * test_fold.c - guesses at a delta channel's value: from a base and writes, each a plain and a
 * typed text.
 */
#include "t.h"
#include "base.h"
#include "fold.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MOST 6
#define SET(x) "{\"$type\":\"builtins.set\",\"value\":" x "}"
#define SNAPSHOT(x) \
	"{\"$type\":\"langgraph.checkpoint.serde.types._DeltaSnapshot\",\"value\":" x "}"
#define OVER(x) "{\"$type\":\"langgraph.types.Overwrite\",\"value\":{\"value\":" x "}}"
#define REMOVE(id) "{\"type\":\"remove\",\"content\":\"\",\"id\":" id "}"
#define MESSAGE(id, x) "{\"type\":\"ai\",\"content\":" x ",\"id\":" id "}"
#define JS(class, x) \
	"{\"$type\":\"langchain_core.messages." class "\",\"value\":{\"kwargs\":" x "}}"

struct text {
	const char *plain, *typed; /* typed NULL: the same */
};

struct c {
	const char *name;
	struct text seed; /* plain NULL: none */
	struct text writes[MOST];
	const char *want; /* NULL: no guess */
};

static const struct c cases[] = {
	{ "lists are joined", { "[1]", SNAPSHOT("[1]") }, { { "[2,3]", 0 }, { "[]", 0 } },
			"[1,2,3]" },
	{ "what is no list is one item", { "[]", 0 },
			{ { "\"a,]\"", 0 }, { "{\"x\":1}", 0 } }, "[\"a,]\",{\"x\":1}]" },
	{ "lists without a base", { 0 }, { { "[1]", 0 }, { "2", 0 }, { "null", 0 } },
			"[1,2,null]" },
	{ "a base that is null", { "null", 0 }, { { "[1]", 0 } }, "[1]" },
	{ "a tuple is a list", { "[1]", 0 },
			{ { "[2]", "{\"$type\":\"builtins.tuple\",\"value\":[2]}" } },
			"[1,2]" },
	{ "a set written to a list is an item", { "[1]", 0 }, { { "[2]", SET("[2]") } },
			"[1,[2]]" },
	{ "dicts are merged", { "{\"a\":1,\"b\":2}", 0 },
			{ { "{\"b\":{\"x\":3},\"c\":4}", 0 }, { "{\"a\":5}", 0 } },
			"{\"a\":5,\"b\":{\"x\":3},\"c\":4}" },
	{ "null deletes, and what comes back is last", { "{\"a\":1,\"b\":2}", 0 },
			{ { "{\"a\":null,\"z\":null}", 0 }, { "{\"a\":3}", 0 } },
			"{\"b\":2,\"a\":3}" },
	{ "null is a value where the base has one", { "{\"a\":null,\"b\":2}", 0 },
			{ { "{\"b\":null}", 0 } }, "{\"a\":null,\"b\":null}" },
	{ "keys that are no strings", { "{\"$map\":[[1,\"x\"],[\"k\",2]]}", 0 },
			{ { "{\"k\":3}", 0 }, { "{\"$map\":[[1,4]]}", 0 } },
			"{\"$map\":[[1,4],[\"k\",3]]}" },
	{ "dicts without a base", { 0 }, { { "{\"a\":1}", 0 }, { "{\"$$x\":null}", 0 } },
			"{\"a\":1}" },
	{ "all deleted", { "{\"a\":1}", 0 }, { { "{\"a\":null}", 0 } }, "{}" },
	{ "a list does not go into a dict", { "{}", 0 }, { { "[1]", 0 } }, NULL },
	{ "sets are united", { "[\"a\",\"c\"]", SNAPSHOT(SET("[\"c\",\"a\"]")) },
			{ { "[\"b\",\"c\"]", SET("[\"b\",\"c\"]") }, { "[\"a\"]", 0 } },
			"[\"a\",\"b\",\"c\"]" },
	{ "sets without a base", { 0 }, { { "[2]", SET("[2]") }, { "[1]", SET("[1]") } },
			"[1,2]" },
	{ "messages", { "[" MESSAGE("\"1\"", "1") "," MESSAGE("\"2\"", "2") "]", 0 },
			{ { "[" MESSAGE("\"1\"", "3") "," MESSAGE("null", "4") "]", 0 },
					{ MESSAGE("\"5\"", "5"), 0 },
					{ "[" REMOVE("\"2\"") "]", 0 } },
			"[" MESSAGE("\"1\"", "3") "," MESSAGE("null", "4") "," MESSAGE(
					"\"5\"", "5") "]" },
	{ "a message that is not there is removed", { 0 },
			{ { "[" REMOVE("\"9\"") "]", 0 } }, "[]" },
	{ "removed and added again",
			{ "[" MESSAGE("1", "1") "," MESSAGE("2", "2") "]", 0 },
			{ { REMOVE("1"), 0 }, { MESSAGE("1", "3"), 0 } },
			"[" MESSAGE("2", "2") "," MESSAGE("1", "3") "]" },
	{ "all are removed up to there", { "[" MESSAGE("1", "1") "]", 0 },
			{ { "[" MESSAGE("2", "2") "," REMOVE(
					    "\"__remove_all__\"") "," MESSAGE("3",
					    "3") "]",
					0 } },
			"[" MESSAGE("3", "3") "]" },
	{ "one item that is no message: a list", { "[" MESSAGE("1", "1") "]", 0 },
			{ { MESSAGE("1", "2"), 0 }, { "7", 0 } },
			"[" MESSAGE("1", "1") "," MESSAGE("1", "2") ",7]" },
	{ "ids of events are no messages' ids", { "[{\"type\":\"click\",\"id\":1}]", 0 },
			{ { "[{\"type\":\"click\",\"id\":1}]", 0 } },
			"[{\"type\":\"click\",\"id\":1},{\"type\":\"click\",\"id\":1}]" },
	{ "messages by their class", { 0 },
			{ { "[{\"content\":\"a\",\"id\":\"1\"}]",
					  "[" JS("AIMessage", "{}") "]" },
					{ "[{\"content\":\"\",\"id\":\"1\"}]",
							"[" JS("RemoveMessage",
									"{}") "]" } },
			"[]" },
	{ "an Overwrite resets", { "[1]", 0 },
			{ { "[2]", 0 }, { "{\"value\":[9]}", OVER("[9]") },
					{ "[3]", 0 } },
			"[9,3]" },
	{ "the last Overwrite counts", { "[1]", 0 },
			{ { "{\"__overwrite__\":[8]}", 0 },
					{ "{\"type\":\"__overwrite__\",\"value\":[9]}",
							0 },
					{ "[3]", 0 } },
			"[9,3]" },
	{ "an Overwrite by another kind", { "[1]", 0 },
			{ { "{\"__overwrite__\":{\"a\":1}}", 0 }, { "{\"b\":2}", 0 } },
			"{\"a\":1,\"b\":2}" },
	{ "emptied: the seed tells of what kind", { "{\"a\":1}", 0 },
			{ { "{\"value\":null}", OVER("null") } }, "{}" },
	{ "emptied: other writes tell of what kind", { 0 },
			{ { "[1]", 0 }, { "{\"__overwrite__\":null}", 0 } }, "[]" },
	{ "emptied, then written", { "[1]", 0 },
			{ { "{\"__overwrite__\":null}", 0 }, { "[2]", 0 } }, "[2]" },
	{ "two keys are no Overwrite", { "{}", 0 },
			{ { "{\"__overwrite__\":1,\"b\":2}", 0 } },
			"{\"__overwrite__\":1,\"b\":2}" },
	{ "nothing at all", { 0 }, { { 0 } }, NULL },
	{ "only nulls", { 0 }, { { "null", 0 } }, NULL },
	{ "emptied, of no known kind", { 0 }, { { "{\"__overwrite__\":null}", 0 } },
			NULL },
	{ "a number", { "1", 0 }, { { "2", 0 } }, NULL },
	{ "an unknown base", { "{\"$opaque\":\"pickle\",\"size\":1}", 0 },
			{ { "[1]", 0 } }, NULL },
	{ "an unreadable write", { "[1]", 0 }, { { "{\"$corrupt\":\"x\"}", 0 } }, NULL },
	{ "unreadable before an Overwrite", { "{\"$corrupt\":\"x\"}", 0 },
			{ { "{\"__overwrite__\":[1]}", 0 }, { "[2]", 0 } }, "[1,2]" },
	{ "an object of a class is one item", { "[]", 0 },
			{ { "{\"a\":1}", "{\"$type\":\"app.Thing\",\"value\":{\"a\":1}"
					 "}" } },
			"[{\"a\":1}]" },
};

static struct fold_piece piece_of(const struct text *t)
{
	return (struct fold_piece){ ckpt_view_of(t->plain),
		ckpt_view_of(t->typed ? t->typed : t->plain) };
}

static void check(const struct c *c)
{
	struct fold_piece seed = piece_of(&c->seed), writes[MOST];
	struct ckpt_buf to = { 0 };
	const char *rule = NULL;
	size_t n = 0;
	int rc;

	for (; n < MOST && c->writes[n].plain; n++)
		writes[n] = piece_of(&c->writes[n]);
	rc = fold_pieces(&to, c->seed.plain ? &seed : NULL, writes, n, &rule);
	ok(rc == (c->want != NULL) && rule, "%s: %s", c->name, rule ? rule : "no reason");
	same(to.p, to.n, c->want ? c->want : "", c->name);
	ckpt_buf_free(&to);
}

/* Many keys, most of them equal to others: the result is right, and soon there. */
static void check_many(void)
{
	enum { N = 200000, KEYS = 1000 };
	struct ckpt_buf text = { 0 }, want = { 0 }, to = { 0 };
	struct fold_piece write;
	const char *rule;

	for (int i = 0; i < N; i++)
		ckpt_buf_addf(&text, "%s{\"type\":\"ai\",\"id\":%d,\"content\":%d}",
				i ? "," : "[", i % KEYS, i);
	ckpt_buf_puts(&text, "]");
	for (int i = 0; i < KEYS; i++)
		ckpt_buf_addf(&want, "%s{\"type\":\"ai\",\"id\":%d,\"content\":%d}",
				i ? "," : "[", i, N - KEYS + i);
	ckpt_buf_puts(&want, "]");
	write = (struct fold_piece){ ckpt_buf_view(&text), ckpt_buf_view(&text) };
	ok(fold_pieces(&to, NULL, &write, 1, &rule) == 1 && !to.failed &&
					ckpt_view_eq(ckpt_buf_view(&to),
							ckpt_buf_view(&want)),
			"many messages with few ids");
	ckpt_buf_free(&text);
	ckpt_buf_free(&want);
	ckpt_buf_free(&to);
}

int main(void)
{
	for (size_t i = 0; i < LEN(cases); i++)
		check(&cases[i]);
	check_many();
	return done();
}
