/*
 * test_lineage.c - parents, children, heads of one namespace, also where the links make no sense;
 * and how short an id may be.
 */
#include "t.h"
#include "made.h"

static struct ckpt_store *store;

static void put(sqlite3 *db, const char *thread, const char *ns, const char *id,
		const char *parent)
{
	made_put(db, &(struct made_row){ .thread = ckpt_view_of(thread),
				     .ns = ckpt_view_of(ns),
				     .id = ckpt_view_of(id),
				     .parent = ckpt_view_of(parent),
				     .type = CKPT_LIT("json"),
				     .body = CKPT_LIT("{}"),
				     .meta = CKPT_LIT("{ }") });
}

static struct ckpt_lineage *load(const char *thread, const char *ns)
{
	const struct ckpt_key key = { .thread = ckpt_view_of(thread),
		.ns = ckpt_view_of(ns) };
	struct ckpt_lineage *l = NULL;

	ckpt_lineage_load(&l, store, &key);
	return l;
}

/* "id<parent_at+children " of each */
static void check(const char *thread, const char *ns, const char *want, const char *what)
{
	struct ckpt_lineage *l = load(thread, ns);
	struct ckpt_buf b = { 0 };

	ckpt_buf_puts(&b, "");
	for (size_t i = 0; l && i < l->count; i++) {
		ckpt_buf_add(&b, l->links[i].id.p, l->links[i].id.n);
		if (l->links[i].parent_at != SIZE_MAX)
			ckpt_buf_addf(&b, "<%zu", l->links[i].parent_at);
		else
			ckpt_buf_puts(&b, l->links[i].parent.p ? "<?" : "");
		ckpt_buf_addf(&b, "+%u ", l->links[i].children);
		if (ckpt_lineage_find(l, l->links[i].id) != i)
			ckpt_buf_puts(&b, "! ");
	}
	same(b.p, b.n, want, what);
	ok(l && ckpt_view_eq(l->key.thread, ckpt_view_of(thread)) &&
					ckpt_lineage_find(l, CKPT_LIT("nobody")) ==
							SIZE_MAX &&
					ckpt_lineage_find(l, CKPT_LIT("")) == SIZE_MAX,
			"nobody is found there");
	ckpt_buf_free(&b);
	ckpt_lineage_free(l);
}

static void shapes(void)
{
	check("line", "", "a+1 b<0+1 c<1+0 ", "a line");
	check("line", "sub", "a+0 ", "another namespace");
	check("fork", "", "a+2 b<0+1 c<0+0 d<1+0 ", "a fork");
	check("gap", "", "b<?+1 c<0+0 ", "a parent that is gone");
	check("self", "", "a<0+2 b<0+0 ", "its own parent");
	check("ring", "", "a<1+1 b<0+1 ", "a ring");
	check("late", "", "a<1+0 b+1 ", "a parent that comes later");
	check("empty parent", "", "a<?+0 ", "a parent named nothing");
	check("none", "", "", "no such thread");
}

static void short_ids(char id[6][37])
{
	static const char *const want[] = { "00000000", "111111111", "111111112",
		"22222222", NULL, NULL };
	struct ckpt_lineage *l = load("short", "");

	if (!ok(l && l->count == 7, "seven"))
		return;
	for (size_t i = 0; i < 6; i++) {
		struct ckpt_view got = ckpt_short_id(l, i);

		same(got.p, got.n, want[i] ? want[i] : id[i], "a short id");
		ok((const char *)got.p >= (const char *)l->links[i].id.p &&
						(const char *)got.p + got.n <=
								(const char *)l->links[i].id.p +
										l->links[i].id.n,
				"is a view");
	}
	same(ckpt_short_id(l, 6).p, ckpt_short_id(l, 6).n, "no-uuid-11111111",
			"no UUID: all of it");
	ckpt_lineage_free(l);
}

/* TEXT and BLOB ids of one namespace: two runs, each in its order. */
static void twins(void)
{
	struct ckpt_lineage *l = load("twins", "");
	size_t found = 0;

	for (size_t i = 0; l && i < l->count; i++)
		found += ckpt_lineage_find(l, l->links[i].id) == i;
	ok(l && l->count == 3 && found == 3, "ids kept as BLOB are found as well: %zu",
			found);
	ok(l && l->links[2].parent_at != SIZE_MAX, "and are parents");
	ckpt_lineage_free(l);
}

int main(void)
{
	static const uint64_t nodes[] = { 0x000000000001, 0x111111111111, 0x111111112222,
		0x222222222222, 0x333333333333, 0x333333333333 };
	const char *path = made_path("l.db");
	sqlite3 *db = made_store(path);
	struct ckpt_error err;
	char id[6][37];

	put(db, "line", "", "a", NULL), put(db, "line", "", "b", "a"),
			put(db, "line", "", "c", "b");
	put(db, "line", "sub", "a", NULL);
	put(db, "fork", "", "a", NULL), put(db, "fork", "", "b", "a"),
			put(db, "fork", "", "c", "a");
	put(db, "fork", "", "d", "b");
	put(db, "gap", "", "b", "a"), put(db, "gap", "", "c", "b");
	put(db, "self", "", "a", "a"), put(db, "self", "", "b", "a");
	put(db, "ring", "", "a", "b"), put(db, "ring", "", "b", "a");
	put(db, "late", "", "a", "b"), put(db, "late", "", "b", NULL);
	put(db, "empty parent", "", "a", "");
	for (unsigned i = 0; i < 6; i++) {
		made_id(id[i], i, nodes[i]);
		put(db, "short", "", id[i], NULL);
	}
	put(db, "short", "", "no-uuid-11111111", NULL);
	put(db, "twins", "", "m", NULL);
	made_sql(db, "INSERT INTO checkpoints (thread_id, checkpoint_id, "
		     "parent_checkpoint_id, "
		     "checkpoint, metadata) VALUES ('twins', x'61', 'm', x'7b7d', "
		     "x'7b207d'), "
		     "('twins', x'7a', 'a', x'7b7d', x'7b207d')");
	made_close(db);
	store = made_open(path, &err);
	if (!ok(store != NULL, "opens: %s", err.text))
		return done();
	shapes();
	short_ids(id);
	twins();
	ckpt_lineage_free(NULL);
	ckpt_store_close(store);
	return done();
}
