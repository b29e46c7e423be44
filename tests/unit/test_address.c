/*
 * test_address.c - every form of an address on one store: a thread with a fork, a lost parent, a
 * namespace, threads whose names look like addresses.
 */
#include "t.h"
#include "made.h"

static struct ckpt_store *store;
static struct ckpt_error err;
static char id[8][37];

/* 0-1-2-3 is a line, 4 forks from 1, 5 follows 4; "gap" holds 7 whose parent 6 is gone. */
static void make(const char *path)
{
	static const int parent[] = { -1, 0, 1, 2, 1, 4 };
	static const char *const plain[] = { "a", "a~1", "b@{x}", "c d/e:f", "nest~1~1",
		"nest~1" };
	struct made_row row = {
		.thread = CKPT_LIT("t"), .type = CKPT_LIT("json"), .body = CKPT_LIT("{}")
	};
	sqlite3 *db = made_store(path);

	for (unsigned i = 0; i < LEN(id); i++)
		made_id(id[i], i * 1440, 0xabc000000000 + (i << 4));
	for (unsigned i = 0; i < LEN(parent); i++) {
		char meta[40];
		int n = snprintf(meta, sizeof(meta), "{\"step\":%u}",
				i < 4 ? i - 1 : i - 3);

		row.meta = (struct ckpt_view){ meta, (size_t)n };
		row.id = ckpt_view_of(id[i]);
		row.parent = parent[i] < 0 ? (struct ckpt_view){ 0 }
		                           : ckpt_view_of(id[parent[i]]);
		if (i == 0)
			row.meta = CKPT_LIT("{\"step\":-1}");
		made_put(db, &row);
	}
	row = (struct made_row){ .thread = CKPT_LIT("gap"),
		.id = ckpt_view_of(id[7]),
		.parent = ckpt_view_of(id[6]) };
	made_put(db, &row);
	row = (struct made_row){
		.thread = CKPT_LIT("t"), .ns = CKPT_LIT("sub"), .id = ckpt_view_of(id[6])
	};
	made_put(db, &row);
	row = (struct made_row){ .thread = CKPT_LIT("only"),
		.ns = CKPT_LIT("sub"),
		.id = ckpt_view_of(id[6]) };
	made_put(db, &row);
	for (size_t i = 0; i < LEN(plain); i++)
		made_put(db, &(struct made_row){ .thread = ckpt_view_of(plain[i]),
					     .id = CKPT_LIT("x") });
	made_put(db, &(struct made_row){ .thread = CKPT_LIT("ring"),
				     .id = CKPT_LIT("x"),
				     .parent = CKPT_LIT("y") });
	made_put(db, &(struct made_row){ .thread = CKPT_LIT("ring"),
				     .id = CKPT_LIT("y"),
				     .parent = CKPT_LIT("x") });
	made_put(db, &(struct made_row){ .thread = CKPT_LIT("bin"),
				     .id = CKPT_LIT("x"),
				     .blob = CKPT_BLOB_THREAD });
	made_close(db);
}

static int find(const struct ckpt_address *a, struct ckpt_key *key, struct ckpt_buf *to)
{
	err = (struct ckpt_error){ 0 };
	to->n = 0;
	return ckpt_address_find(key, store, a, to);
}

static const struct {
	const char *text, *ns;
	int want;         /* number of the id; or a code */
	const char *said; /* in text or hint */
} text_cases[] = {
	{ "t", NULL, 5, "" },
	{ "t~0", NULL, 5, "" },
	{ "t~1", NULL, 4, "" },
	{ "t~2", NULL, 1, "" },
	{ "t~3", NULL, 0, "" },
	{ "t~4", NULL, CKPT_ENOTFOUND, "3 parents up, not 4" },
	{ "t~99999999999999999999", NULL, CKPT_ENOTFOUND, "root" },
	{ "t@{head:1}", NULL, 5, "" },
	{ "t@{head:2}", NULL, 3, "" },
	{ "t@{head:2}~1", NULL, 2, "" },
	{ "t@{head:3}", NULL, CKPT_ENOTFOUND, "2 branch heads" },
	{ "t@{head:0}", NULL, CKPT_EUSAGE, "from 1" },
	{ "t@{head:x}", NULL, CKPT_EUSAGE, "" },
	{ "t@{step:2}", NULL, 5, "" },
	{ "t@{step:0}", NULL, 1, "" },
	{ "t@{step:-1}", NULL, 0, "" },
	{ "t@{step:1}~1", NULL, 1, "" },
	{ "t@{step:9}", NULL, CKPT_ENOTFOUND, "step" },
	{ "t@{step:}", NULL, CKPT_EUSAGE, "" },
	{ "t@{2026-01-03}", NULL, 2, "" },
	{ "t@{time:2026-01-02T12:00Z}", NULL, 1, "" },
	{ "t@{time:2026-01-02T00:00:00Z}", NULL, 1, "" },
	{ "t@{2030-01-01}", NULL, 5, "" },
	{ "t@{2025-12-31}", NULL, CKPT_ENOTFOUND, "at or before" },
	{ "t@{time:soon}", NULL, CKPT_EUSAGE, "not a time" },
	{ "t@{abc000000020}", NULL, 2, "" },
	{ "t@{ABC000000020}", NULL, 2, "" },
	{ "t@{id:abc000000030}~1", NULL, 2, "" },
	{ "t@{abc0}", NULL, CKPT_EAMBIGUOUS, "6 checkpoints" },
	{ "t@{abc0}", NULL, CKPT_EAMBIGUOUS, "one more character" },
	{ "t@{fff}", NULL, CKPT_ENOTFOUND, "no checkpoint 'fff' in thread 't'" },
	{ "t", "sub", 6, "" },
	{ "t~1", "sub", CKPT_ENOTFOUND, "root" },
	{ "t", "nope", CKPT_ENOTFOUND, "namespace 'nope'" },
	{ "only", NULL, CKPT_ENOTFOUND, "namespace ''" },
	{ "gap", NULL, 7, "" },
	{ "gap~1", NULL, CKPT_ENOTFOUND, "no parent" },
	{ "ring~1", NULL, -100, "" },
	{ "ring~7", NULL, CKPT_ENOTFOUND, "circle" },
	{ "nobody", NULL, CKPT_ENOTFOUND, "no thread 'nobody'" },
	{ "nobody", NULL, CKPT_ENOTFOUND, "ckpt list" },
	{ "nobody~2", NULL, CKPT_ENOTFOUND, "no thread 'nobody'" },
	{ "", NULL, CKPT_ENOTFOUND, "no thread ''" },
	{ "~1", NULL, CKPT_ENOTFOUND, "'~1'" },
	{ "@{1}", NULL, CKPT_ENOTFOUND, "'@{1}'" },
	{ "t~", NULL, CKPT_ENOTFOUND, "'t~'" },
	{ "t@{}", NULL, CKPT_EAMBIGUOUS, "" },
	{ "t~-1", NULL, CKPT_ENOTFOUND, "" },
	{ "a~1", NULL, CKPT_EAMBIGUOUS, "thread 'a'" },
	{ "a~1", NULL, CKPT_EAMBIGUOUS, "--thread" },
	{ "nest~1~1", NULL, CKPT_EAMBIGUOUS, "'nest~1'" },
	{ "a~0", NULL, -100, "" },
	{ "a~1~0", NULL, -100, "" },
	{ "b@{x}", NULL, -100, "" },
	{ "c d/e:f", NULL, -100, "" },
	{ "c d/e:f@{x}", NULL, -100, "" },
	{ "bin", NULL, -100, "" },
};

static void texts(void)
{
	struct ckpt_buf to = { 0 };

	for (size_t i = 0; i < LEN(text_cases); i++) {
		const struct ckpt_address a = { .text = text_cases[i].text,
			.ns = ckpt_view_of(text_cases[i].ns) };
		struct ckpt_key key = { 0 };
		int rc = find(&a, &key, &to), want = text_cases[i].want;

		if (want >= 0)
			ok(rc == 0 && ckpt_view_eq(key.id, ckpt_view_of(id[want])),
					"%s: %d %s", a.text, rc, err.text);
		else if (want == -100)
			ok(rc == 0 && key.id.n == 1, "%s: %d %s", a.text, rc, err.text);
		else
			ok(rc == want && err.code == want &&
							(strstr(err.text,
									 text_cases[i].said) ||
									strstr(err.hint,
											text_cases[i].said)),
					"%s: %d %s", a.text, rc, err.text);
	}
	ckpt_buf_free(&to);
}

static void literals(void)
{
	struct ckpt_address a = { .thread = CKPT_LIT("a~1") };
	struct ckpt_buf to = { 0 };
	struct ckpt_key key = { 0 };

	ok(find(&a, &key, &to) == 0 && ckpt_view_eq(key.thread, CKPT_LIT("a~1")),
			"literally a~1");
	a.thread = CKPT_LIT("t");
	ok(find(&a, &key, &to) == 0 && ckpt_view_eq(key.id, ckpt_view_of(id[5])),
			"the newest");
	a.id = CKPT_LIT("");
	ok(find(&a, &key, &to) == 0 && ckpt_view_eq(key.id, ckpt_view_of(id[5])),
			"'' is the newest");
	a.id = ckpt_view_of(id[2]);
	ok(find(&a, &key, &to) == 0 && ckpt_view_eq(key.id, ckpt_view_of(id[2])) &&
					key.ns.n == 0 &&
					ckpt_view_eq(key.thread, CKPT_LIT("t")),
			"the one of that id");
	a.id = CKPT_LIT("abc000000020");
	ok(find(&a, &key, &to) == CKPT_ENOTFOUND, "no prefixes here");
	a = (struct ckpt_address){ .thread = CKPT_LIT("t~1") };
	ok(find(&a, &key, &to) == CKPT_ENOTFOUND, "no syntax either");
	a = (struct ckpt_address){ .thread = CKPT_LIT("bin") };
	ok(find(&a, &key, &to) == 0 && key.blob == CKPT_BLOB_THREAD,
			"a thread kept as BLOB");
	a = (struct ckpt_address){ .thread = CKPT_LIT("t"), .ns = CKPT_LIT("sub") };
	ok(find(&a, &key, &to) == 0 && ckpt_view_eq(key.ns, CKPT_LIT("sub")),
			"a namespace");
	err = (struct ckpt_error){ 0 };
	ok(ckpt_thread_find(&key, store, CKPT_LIT("t")) == 0 && !key.ns.p && !key.id.p &&
					!key.blob,
			"a thread's bounds");
	ok(ckpt_thread_find(&key, store, CKPT_LIT("bin")) == 0 &&
					key.blob == CKPT_BLOB_THREAD,
			"of one kept as BLOB");
	ok(ckpt_thread_find(&key, store, CKPT_LIT("t\0")) == CKPT_ENOTFOUND &&
					err.hint[0],
			"of none");
	ckpt_buf_free(&to);
}

int main(void)
{
	const char *path = made_path("a.db");

	make(path);
	store = made_open(path, &err);
	if (!ok(store != NULL, "opens: %s", err.text))
		return done();
	texts();
	literals();
	err = (struct ckpt_error){ 0 };
	ok(ckpt_store_end(store) == 0, "ends");
	ckpt_store_close(store);
	return done();
}
