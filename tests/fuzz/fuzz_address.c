/*
 * fuzz_address.c - any text as an address in a small store with forks, a circle, a missing parent
 * and threads whose names look like addresses: found is what is there, all else is told by its
 * code. What each form finds is tests/unit/test_address.c's.
 */
#include "../unit/made.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
	const char *thread, *ns, *id, *parent;
} rows[] = {
	{ "a", "", "1f0e6a1c-0000-6000-8001-000000000001", NULL },
	{ "a", "", "1f0e6a1c-0000-6001-8001-000000000011",
			"1f0e6a1c-0000-6000-8001-000000000001" },
	{ "a", "", "1f0e6a1c-0000-6002-8001-000000000012",
			"1f0e6a1c-0000-6000-8001-000000000001" },
	{ "a", "n:1", "1f0e6a1c-0000-6003-8001-000000000013", "lost" },
	{ "a~1", "", "x1", NULL },
	{ "a@{x}", "", "x2", "x1" },
	{ "b", "", "1", "3" },
	{ "b", "", "2", "1" },
	{ "b", "", "3", "2" },
	{ "", "", "4", NULL },
	{ "~", "", "@{}", NULL },
	{ "\xff\x1b[1m", "", "\xff", NULL },
};

static struct ckpt_store *store;
static struct ckpt_error err;

static struct ckpt_view of(const char *s)
{
	return ckpt_view_of(s);
}

static void make(void)
{
	const char *path = made_path("address.db");
	sqlite3 *db = made_store(path);

	for (size_t i = 0; i < LEN(rows); i++) {
		char meta[40];
		struct made_row row = { .thread = of(rows[i].thread),
			.ns = of(rows[i].ns),
			.id = of(rows[i].id),
			.parent = of(rows[i].parent),
			.type = CKPT_LIT("msgpack"),
			.body = CKPT_LIT("\x80") };

		snprintf(meta, sizeof(meta), "{\"step\":%d}", (int)i % 4 - 1);
		row.meta = of(meta);
		made_put(db, &row);
	}
	made_close(db);
	store = made_open(path, &err);
	if (!store)
		abort();
}

static void check(int rc, const struct ckpt_key *key)
{
	bool there = false;

	for (size_t i = 0; rc >= 0 && i < LEN(rows); i++)
		there |= ckpt_view_eq(key->thread, of(rows[i].thread)) &&
		         ckpt_view_eq(key->ns, of(rows[i].ns)) &&
		         ckpt_view_eq(key->id, of(rows[i].id));
	if (rc >= 0 ? !there
		    : rc != CKPT_EUSAGE && rc != CKPT_ENOTFOUND && rc != CKPT_EAMBIGUOUS)
		abort();
	err = (struct ckpt_error){ 0 };
}

static void find(const struct ckpt_address *a)
{
	struct ckpt_key key = { 0 };
	struct ckpt_buf to = { 0 };

	check(ckpt_address_find(&key, store, a, &to), &key);
	ckpt_buf_free(&to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ckpt_view whole = { data, size };
	struct ckpt_address text = { .ns = CKPT_LIT("") },
			    literal = { .thread = whole, .ns = CKPT_LIT("") },
			    id = { .thread = CKPT_LIT("a"),
				    .ns = CKPT_LIT(""),
				    .id = whole };
	struct ckpt_key key = { 0 };
	char *copy = malloc(size + 2);

	if (!store)
		make();
	if (!copy)
		return 0;
	copy[0] = 'a'; /* the same bytes behind a thread that is there */
	memcpy(copy + 1, size ? data : (const uint8_t *)"", size);
	copy[size + 1] = '\0';
	text.text = copy + 1;
	find(&text);
	text.text = copy;
	find(&text);
	text.ns = CKPT_LIT("n:1");
	find(&text);
	find(&literal);
	find(&id);
	ckpt_thread_find(&key, store, whole);
	err = (struct ckpt_error){ 0 };
	free(copy);
	return 0;
}
