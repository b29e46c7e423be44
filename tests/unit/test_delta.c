/*
 * test_delta.c - which channels are DeltaChannels, and what their value is made of: writes on the
 * chain of parents up to a snapshot, the root, or a gap.
 */
#include "t.h"
#include "made.h"
#include "token.h"

static struct ckpt_store *store;
static struct ckpt_error err;

/* {"channel_values": {"d": value?}, "channel_versions": {"d": "1", "e": "1", "branch:to:x": "1"}} */
static void body(struct ckpt_buf *to, struct ckpt_view value)
{
	static const char *const names[] = { "d", "e", "branch:to:x" };

	to->n = 0;
	msgpack_map(to, 2);
	msgpack_str(to, CKPT_LIT("channel_values"));
	msgpack_map(to, value.p ? 1 : 0);
	if (value.p) {
		msgpack_str(to, CKPT_LIT("d"));
		ckpt_buf_add(to, value.p, value.n);
	}
	msgpack_str(to, CKPT_LIT("channel_versions"));
	msgpack_map(to, LEN(names));
	for (size_t i = 0; i < LEN(names); i++) {
		msgpack_str(to, ckpt_view_of(names[i]));
		msgpack_str(to, CKPT_LIT("1"));
	}
}

struct row {
	const char *thread, *id, *parent, *meta;
	struct ckpt_view value; /* of channel d, msgpack */
	const char *write;      /* to d, JSON, or NULL */
};

#define SNAPSHOT \
	CKPT_LIT("\xc7\x03\x07\x91\xa1" \
		 "a")
#define COUNTED "{\"counters_since_delta_snapshot\":{\"d\":[1,1]}}"

static const struct row rows[] = {
	{ "s", "1", NULL, "{}", SNAPSHOT, "[\"b\"]" },
	{ "s", "2", "1", COUNTED, { 0 }, "[\"c\"]" },
	{ "s", "3", "2", "{}", { 0 }, "[\"own\"]" },
	{ "root", "1", NULL, COUNTED, { 0 }, "1" },
	{ "root", "2", "1", COUNTED, { 0 }, NULL },
	{ "gap", "5", "4", COUNTED, { 0 }, "7" },
	{ "gap", "6", "5", COUNTED, { 0 }, NULL },
	{ "self", "1", "1", COUNTED, { 0 }, "8" },
	{ "self", "2", "1", COUNTED, { 0 }, NULL },
	{ "ring", "1", "2", COUNTED, { 0 }, "1" },
	{ "ring", "2", "1", COUNTED, { 0 }, "2" },
	{ "ring3", "1", "3", COUNTED, { 0 }, "1" },
	{ "ring3", "2", "1", COUNTED, { 0 }, "2" },
	{ "ring3", "3", "2", COUNTED, { 0 }, "3" },
	{ "ring3", "4", "3", COUNTED, { 0 }, "own" },
	{ "reset", "1", NULL, COUNTED, { 0 }, "{\"__overwrite__\":[9]}" },
	{ "reset", "2", "1", COUNTED, { 0 }, NULL },
	{ "reset", "3", "2", COUNTED, { 0 }, "[10]" },
	{ "reset", "4", "3", COUNTED, { 0 }, NULL },
	{ "emptied", "1", NULL, COUNTED, { 0 },
			"{\"type\":\"__overwrite__\",\"value\":null}" },
	{ "emptied", "2", "1", COUNTED, { 0 }, NULL },
	{ "plain", "1", NULL, "{}", CKPT_LIT("\x05"), NULL },
	{ "plain", "2", "1", "{}", { 0 }, NULL },
	{ "sentinel", "1", NULL, "{}", CKPT_LIT("\xc7\x00\x08"), NULL },
	{ "sentinel", "2", "1", "{}", { 0 }, NULL },
	{ "alone", "1", NULL, "{}", { 0 }, NULL },
	{ "bad", "1", NULL, COUNTED, CKPT_LIT("\xc7\x02\x07\x91\xc1"), "{" },
	{ "bad", "2", "1", COUNTED, { 0 }, NULL },
};

static void make_js(sqlite3 *db)
{
	static const char js[] = "{\"channel_values\":{\"d\":{\"lc\":2,\"type\":\"delta_"
				 "snapshot\","
				 "\"value\":[1]}},\"channel_versions\":{\"d\":1}}";

	made_put(db, &(struct made_row){ .thread = CKPT_LIT("js"),
				     .id = CKPT_LIT("1"),
				     .type = CKPT_LIT("json"),
				     .body = ckpt_view_of(js),
				     .meta = CKPT_LIT("{}") });
	made_put(db, &(struct made_row){ .thread = CKPT_LIT("js"),
				     .id = CKPT_LIT("2"),
				     .parent = CKPT_LIT("1"),
				     .type = CKPT_LIT("json"),
				     .meta = CKPT_LIT("{}"),
				     .body = CKPT_LIT("{\"channel_versions\":{\"d\":2}"
						      "}") });
	made_put(db, &(struct made_row){ .thread = CKPT_LIT("js"),
				     .id = CKPT_LIT("3"),
				     .parent = CKPT_LIT("2"),
				     .type = CKPT_LIT("json"),
				     .meta = CKPT_LIT(COUNTED),
				     .body = CKPT_LIT("{\"channel_versions\":{\"e\":2}"
						      "}") });
	made_put(db, &(struct made_row){ .thread = CKPT_LIT("js"),
				     .id = CKPT_LIT("4"),
				     .parent = CKPT_LIT("3"),
				     .type = CKPT_LIT("json"),
				     .meta = CKPT_LIT(
						     "{\"delta_writes_versioned\":true}"),
				     .body = CKPT_LIT("{\"channel_versions\":{\"e\":2}"
						      "}") });
	made_write(db, &(struct made_write){ .thread = CKPT_LIT("js"),
				       .id = CKPT_LIT("1"),
				       .task = CKPT_LIT("t"),
				       .channel = CKPT_LIT("d"),
				       .type = CKPT_LIT("json"),
				       .body = CKPT_LIT("2") });
}

static void make(const char *path)
{
	sqlite3 *db = made_store(path);
	struct ckpt_buf b = { 0 };

	for (size_t i = 0; i < LEN(rows); i++) {
		const struct row *r = &rows[i];

		body(&b, r->value);
		made_put(db, &(struct made_row){ .thread = ckpt_view_of(r->thread),
					     .id = ckpt_view_of(r->id),
					     .parent = ckpt_view_of(r->parent),
					     .type = CKPT_LIT("msgpack"),
					     .body = ckpt_buf_view(&b),
					     .meta = ckpt_view_of(r->meta) });
		if (!r->write)
			continue;
		made_write(db, &(struct made_write){ .thread = ckpt_view_of(r->thread),
					       .id = ckpt_view_of(r->id),
					       .task = CKPT_LIT("task"),
					       .channel = CKPT_LIT("d"),
					       .type = CKPT_LIT("json"),
					       .body = ckpt_view_of(r->write) });
		made_write(db, &(struct made_write){ .thread = ckpt_view_of(r->thread),
					       .id = ckpt_view_of(r->id),
					       .task = CKPT_LIT("task"),
					       .idx = 1,
					       .channel = CKPT_LIT("other"),
					       .type = CKPT_LIT("json"),
					       .body = CKPT_LIT("0") });
	}
	make_js(db);
	ckpt_buf_free(&b);
	made_close(db);
}

static void check(const char *thread, const char *id, enum ckpt_place place, int code,
		const char *want)
{
	struct ckpt_pick pick = { .depth = CKPT_VALUES,
		.key = { .thread = ckpt_view_of(thread),
				.ns = CKPT_LIT(""),
				.id = ckpt_view_of(id) } };
	enum ckpt_place places[8] = { 0 };
	struct ckpt_render opt = { 0 };
	struct ckpt_delta how;
	struct ckpt_buf to = { 0 };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	bool others = true;
	int rc;

	if (!ok(ckpt_scan_one(&scan, store, &pick, &c) == 1 && c.nvalues <= LEN(places),
			    "%s %s", thread, id))
		return;
	ok(ckpt_delta_places(store, &c, places) == 0 && places[0] == place,
			"place of d: %d", places[0]);
	for (size_t i = 1; i < c.nvalues; i++)
		others &= places[i] == CKPT_EMPTY;
	ok(others, "the other channels are empty");
	rc = ckpt_delta_value(&to, store, &c, CKPT_LIT("d"), &opt, false, &how);
	ok(rc == code && !err.code, "builds it: %d %s", rc, err.text);
	ok(how.how == (want && !strncmp(want, "{\"$delta", 8) ? CKPT_DELTA_ROWS
							      : CKPT_DELTA_CERTAIN) ||
					!want,
			"how sure it is: %d", how.how);
	if (want)
		same(to.p, to.n, want, "what d is made of");
	ok(how.ring == (!strncmp(thread, "ring", 4) || !strcmp(thread, "self")),
			"a ring is seen");
	same(how.missing.p, how.missing.n, strcmp(thread, "gap") ? "" : "4",
			"a gap is seen");
	ckpt_delta_free(&how);
	ckpt_buf_free(&to);
	ckpt_scan_close(scan);
}

static void check_names(const char *thread, const char *id, const char *want)
{
	struct ckpt_pick pick = { .depth = CKPT_VALUES,
		.key = { .thread = ckpt_view_of(thread),
				.ns = CKPT_LIT(""),
				.id = ckpt_view_of(id) } };
	struct ckpt_buf names = { 0 };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;

	ok(ckpt_scan_one(&scan, store, &pick, &c) == 1 &&
					ckpt_delta_unversioned(&names, store, &c) == 0,
			"%s %s", thread, id);
	same(names.p, names.n ? names.n - 1 : 0, want, "channels without a version");
	ckpt_buf_free(&names);
	ckpt_scan_close(scan);
}

#define DELTA(snapshot, id, writes) \
	"{\"$delta\":{\"snapshot\":" snapshot ",\"snapshot_id\":" id \
	",\"writes\":[" writes "]}}"

int main(void)
{
	const char *path = made_path("d.db");

	make(path);
	store = made_open(path, &err);
	if (!ok(store != NULL, "opens: %s", err.text))
		return done();
	check("s", "3", CKPT_DELTA, 0, DELTA("[\"a\"]", "\"1\"", "[\"b\"],[\"c\"]"));
	check("s", "2", CKPT_DELTA, 0, DELTA("[\"a\"]", "\"1\"", "[\"b\"]"));
	check("s", "1", CKPT_INLINE, 0, DELTA("null", "null", ""));
	check("root", "2", CKPT_DELTA, 0, DELTA("null", "null", "1"));
	check("root", "1", CKPT_DELTA, 0, DELTA("null", "null", ""));
	check("gap", "6", CKPT_DELTA, 0, DELTA("null", "null", "7"));
	check("self", "2", CKPT_DELTA, 0, DELTA("null", "null", "8"));
	check("ring", "2", CKPT_DELTA, 0, DELTA("null", "null", "1"));
	check("ring3", "4", CKPT_DELTA, 0, DELTA("null", "null", "1,2,3"));
	check("plain", "2", CKPT_EMPTY, 0, "5");
	check("reset", "2", CKPT_DELTA, 0, "[9]");
	check("reset", "3", CKPT_DELTA, 0, "[9]");
	check("reset", "4", CKPT_DELTA, 0,
			DELTA("null", "null", "{\"__overwrite__\":[9]},[10]"));
	check("emptied", "2", CKPT_DELTA, 0,
			DELTA("null", "null",
					"{\"type\":\"__overwrite__\",\"value\":null}"));
	check("sentinel", "2", CKPT_DELTA, 0, "null");
	check("alone", "1", CKPT_EMPTY, 0, DELTA("null", "null", ""));
	check("js", "2", CKPT_DELTA, 0, DELTA("[1]", "\"1\"", "2"));
	check("bad", "2", CKPT_DELTA, CKPT_ECORRUPT, NULL);
	check_names("js", "1", "");
	check_names("js", "3", "d");
	check_names("js", "4", "");
	check_names("s", "3", "");
	ckpt_store_close(store);
	return done();
}
