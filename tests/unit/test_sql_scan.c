/*
 * test_sql_scan.c - what a scan fills at each depth, in which order, and what that costs: order
 * and bounds over hostile keys, the skip scan against the index, a row of 80 MB.
 */
#include <unistd.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "t.h"
#include "made.h"

#define JSON(ts) \
	CKPT_LIT("{\"v\":1,\"ts\":\"" ts "\",\"channel_values\":{\"a\":1,\"b\":\"x\"}," \
		 "\"channel_versions\":{\"a\":1,\"c\":2}}")
#define META CKPT_LIT("{\"step\":1}")

static bool is(struct ckpt_view v, const char *s)
{
	return ckpt_view_eq(v, ckpt_view_of(s));
}

static const char *small_store(char id[3][37])
{
	const char *path = made_path("small.db");
	sqlite3 *db = made_store(path);
	struct made_row row = { .thread = CKPT_LIT("t"),
		.type = CKPT_LIT("json"),
		.body = JSON("2026-05-05T05:05:05.5Z"),
		.meta = META };

	for (unsigned i = 0; i < 3; i++) {
		row.id = made_id(id[i], i, i);
		row.parent = i ? ckpt_view_of(id[i - 1]) : (struct ckpt_view){ 0 };
		made_put(db, &row);
	}
	row.parent = (struct ckpt_view){ 0 };
	row.thread = CKPT_LIT("u");
	row.ns = CKPT_LIT("sub");
	row.id = CKPT_LIT("not a uuid");
	made_put(db, &row);
	row = (struct made_row){ .thread = CKPT_LIT("v"), .id = CKPT_LIT("nulls") };
	made_put(db, &row);
	made_close(db);
	return path;
}

static void depths(struct ckpt_store *s, char id[3][37])
{
	static const char *const names[] = { "HEADS", "SPANS", "KEYS", "LINKS", "META",
		"VALUES" };

	for (unsigned d = CKPT_HEADS; d <= CKPT_VALUES; d++) {
		struct ckpt_pick pick = { .depth = (enum ckpt_depth)d,
			.descending = true,
			.key.thread = CKPT_LIT("t") };
		struct ckpt_checkpoint c;
		struct ckpt_scan *scan;

		ok(ckpt_scan_one(&scan, s, &pick, &c) == 1 && is(c.key.thread, "t") &&
						is(c.key.ns, "") && is(c.key.id, id[2]) &&
						!c.key.blob,
				"%s: the key", names[d]);
		ok(c.time == ckpt_time_of_id(c.key.id) && c.time > 0, "its time");
		ok(d == CKPT_SPANS ? is(c.first, id[0]) && c.count == 3
				   : !c.first.p && !c.count,
				"its span");
		ok(d >= CKPT_LINKS ? is(c.parent, id[1]) && is(c.type, "json") &&
								c.size == 103 &&
								c.meta_size == 10
				   : !c.parent.p && !c.type.p && !c.size && !c.meta_size,
				"its links (%lld)", (long long)c.size);
		ok(d >= CKPT_META ? is(c.meta, "{\"step\":1}") && is(c.meta_type, "metada"
										  "ta")
				  : !c.meta.p,
				"its metadata");
		ok(d >= CKPT_VALUES ? c.skeleton.p && c.nvalues == 3 && !c.opaque.p &&
								!c.broken_why &&
								is(c.values[0].channel,
										"a") &&
								is(c.values[0].body,
										"1") &&
								is(c.values[0].version,
										"1") &&
								c.values[2].place ==
										CKPT_EMPTY
				    : !c.skeleton.p && !c.values && !c.nvalues,
				"its values");
		ok(!c.writes && !c.nwrites && !c.writes_size, "no writes unless asked");
		ckpt_scan_close(scan);
	}
}

static void odd_rows(struct ckpt_store *s)
{
	static const enum ckpt_depth deep[] = { CKPT_LINKS, CKPT_META, CKPT_VALUES };
	struct ckpt_pick pick = { .key.thread = CKPT_LIT("u"), .depth = CKPT_KEYS };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int64_t want = 0;

	ckpt_time_parse(&want, CKPT_LIT("2026-05-05T05:05:05.5Z"), 0);
	ok(ckpt_scan_one(&scan, s, &pick, &c) == 1 && c.time == CKPT_UNKNOWN,
			"no UUID, no time");
	ckpt_scan_close(scan);
	for (size_t i = 0; i < LEN(deep); i++) {
		pick.key.thread = CKPT_LIT("u");
		pick.depth = deep[i];
		ok(ckpt_scan_one(&scan, s, &pick, &c) == 1 && c.time == want &&
						!c.parent.p && is(c.key.ns, "sub"),
				"but one from ts, depth %d", (int)deep[i]);
		ckpt_scan_close(scan);
		pick.key.thread = CKPT_LIT("v");
		ok(ckpt_scan_one(&scan, s, &pick, &c) == 1 && c.time == CKPT_UNKNOWN &&
						!c.parent.p && !c.type.p && !c.meta.p &&
						!c.size && !c.skeleton.p && !c.nvalues,
				"a row of NULLs");
		ok(deep[i] < CKPT_VALUES || c.broken_why, "which is broken");
		ckpt_scan_close(scan);
	}
}

static size_t ids(struct ckpt_store *s, struct ckpt_pick pick, struct ckpt_buf *to)
{
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	size_t n = 0;

	to->n = 0;
	ckpt_buf_puts(to, "");
	ckpt_scan_open(&scan, s, &pick);
	while (ckpt_scan_next(scan, &c) > 0 && ++n)
		ckpt_buf_addf(to, "%.*s/%.*s/%.1s%.*s ", (int)c.key.thread.n,
				(const char *)c.key.thread.p, (int)c.key.ns.n,
				(const char *)c.key.ns.p, c.key.blob ? "x" : "",
				(int)c.key.id.n, (const char *)c.key.id.p);
	ckpt_scan_close(scan);
	return n;
}

static void orders(void)
{
	static const struct {
		const char *what, *want;
		struct ckpt_pick pick;
	} cases[] = {
		{ "all", "A//1 a//1 a//2 a/n/1 a/n/9 b/m/1 ", { .depth = CKPT_KEYS } },
		{ "all, last first", "b/m/1 a/n/9 a/n/1 a//2 a//1 A//1 ",
				{ .depth = CKPT_LINKS, .descending = true } },
		{ "two", "A//1 a//1 ", { .depth = CKPT_META, .limit = 2 } },
		{ "a thread", "a//1 a//2 a/n/1 a/n/9 ",
				{ .key.thread = CKPT_LIT("a"), .depth = CKPT_KEYS } },
		{ "its root", "a//1 a//2 ",
				{ .key = { .thread = CKPT_LIT("a"), .ns = CKPT_LIT("") },
						.depth = CKPT_VALUES } },
		{ "the root of all", "A//1 a//1 a//2 ",
				{ .key.ns = CKPT_LIT(""), .depth = CKPT_KEYS } },
		{ "spans", "A//1 a//2 a/n/9 b/m/1 ", { .depth = CKPT_SPANS } },
		{ "spans, last first", "b/m/1 a/n/9 a//2 A//1 ",
				{ .depth = CKPT_SPANS, .descending = true } },
		{ "heads", "b/m/1 a/n/9 a//2 A//1 ",
				{ .depth = CKPT_HEADS, .descending = true } },
		{ "two heads", "b/m/1 a/n/9 ",
				{ .depth = CKPT_HEADS, .descending = true, .limit = 2 } },
		{ "heads of a thread", "a/n/9 a//2 ",
				{ .key.thread = CKPT_LIT("a"),
						.depth = CKPT_HEADS,
						.descending = true } },
		{ "the head of a namespace", "a//2 ",
				{ .key = { .thread = CKPT_LIT("a"), .ns = CKPT_LIT("") },
						.depth = CKPT_HEADS,
						.descending = true } },
		{ "the root's heads", "a//2 A//1 ",
				{ .key.ns = CKPT_LIT(""),
						.depth = CKPT_HEADS,
						.descending = true } },
		{ "nobody", "", { .key.thread = CKPT_LIT("z"), .depth = CKPT_HEADS } },
	};
	static const char *const rows[][3] = { { "a", "", "2" }, { "b", "m", "1" },
		{ "a", "n", "9" }, { "A", "", "1" }, { "a", "", "1" },
		{ "a", "n", "1" } };
	const char *path = made_path("order.db");
	sqlite3 *db = made_store(path);
	struct ckpt_buf got = { 0 };
	struct ckpt_store *s;
	struct ckpt_error err;

	for (size_t i = 0; i < LEN(rows); i++)
		made_put(db, &(struct made_row){ .thread = ckpt_view_of(rows[i][0]),
					     .ns = ckpt_view_of(rows[i][1]),
					     .id = ckpt_view_of(rows[i][2]) });
	made_close(db);
	s = made_open(path, &err);
	for (size_t i = 0; s && i < LEN(cases); i++) {
		ids(s, cases[i].pick, &got);
		same(got.p, got.n, cases[i].want, cases[i].what);
	}
	ckpt_store_close(s);
	ckpt_buf_free(&got);
}

static struct ckpt_view random_name(
		char to[4], uint64_t *seed, unsigned *blob, unsigned bit)
{
	static const char letters[] = { 'a', 'b', '\0', '\xff' };
	uint64_t r = made_random(seed);
	size_t n = r % 4;

	for (size_t i = 0; i < n; i++)
		to[i] = letters[(r >> (8 + 2 * i)) & 3];
	if ((r >> 32) % 5 == 0)
		*blob |= bit;
	return (struct ckpt_view){ to, n };
}

static bool same_key(const struct ckpt_key *a, const struct ckpt_key *b)
{
	return ckpt_view_eq(a->thread, b->thread) && ckpt_view_eq(a->ns, b->ns) &&
	       ckpt_view_eq(a->id, b->id) && a->blob == b->blob;
}

/* The skip scan gives what the whole index gives, in the same order. */
static void skip_scan(uint64_t seed, unsigned round)
{
	struct ckpt_pick heads = { .depth = CKPT_HEADS, .descending = true };
	struct ckpt_pick spans = { .depth = CKPT_SPANS, .descending = true };
	struct ckpt_scan *a = NULL, *b = NULL;
	struct ckpt_checkpoint x = { 0 }, y = { 0 };
	struct ckpt_store *s;
	struct ckpt_error err;
	char name[20];
	sqlite3 *db;
	size_t n = 0;
	int ra = 0, rb = 0;

	snprintf(name, sizeof(name), "r%u.db", round);
	db = made_store(made_path(name));
	made_sql(db, "BEGIN");
	for (size_t i = 0; i < 300 * round; i++) {
		char part[3][4];
		struct made_row row = { 0 };

		row.thread = random_name(part[0], &seed, &row.blob, CKPT_BLOB_THREAD);
		row.ns = random_name(part[1], &seed, &row.blob, CKPT_BLOB_NS);
		row.id = random_name(part[2], &seed, &row.blob, CKPT_BLOB_ID);
		made_put(db, &row);
	}
	made_sql(db, "COMMIT");
	made_close(db);
	s = made_open(made_path(name), &err);
	ckpt_scan_open(&a, s, &heads);
	ckpt_scan_open(&b, s, &spans);
	while (a && b && (ra = ckpt_scan_next(a, &x)) == 1 &&
			(rb = ckpt_scan_next(b, &y)) == 1 && same_key(&x.key, &y.key))
		n++;
	ok(n > 0 && ra == 0 && ckpt_scan_next(b, &y) == 0 && rb == 1,
			"the skip scan of round %u: %zu namespaces", round, n);
	ckpt_scan_close(a);
	ckpt_scan_close(b);
	ckpt_store_close(s);
}

static void writes(void)
{
	static const struct {
		const char *task, *path, *channel;
		int64_t idx;
	} in[] = { { "b", "", "1", 0 }, { "a", "~x", "5", -1 }, { "a", "", "0", 3 },
		{ "b", "", "2", 1 }, { "Z", "~x", "4", 10 }, { "a", "~x", "6", 9 },
		{ "b", "~", "3", 5 } };
	const char *path = made_path("writes.db");
	sqlite3 *db = made_store(path);
	struct ckpt_pick pick = { .writes = true, .depth = CKPT_VALUES };
	struct ckpt_checkpoint c = { 0 };
	struct ckpt_scan *scan;
	struct ckpt_store *s;
	struct ckpt_error err;
	bool good = true;

	made_put(db, &(struct made_row){ .thread = CKPT_LIT("t"), .id = CKPT_LIT("1") });
	for (size_t i = 0; i < LEN(in); i++)
		made_write(db, &(struct made_write){ CKPT_LIT("t"), CKPT_LIT(""),
					       CKPT_LIT("1"), ckpt_view_of(in[i].task),
					       ckpt_view_of(in[i].path),
					       ckpt_view_of(in[i].channel),
					       CKPT_LIT("bytes"), CKPT_LIT("\0\1\2"),
					       in[i].idx });
	made_close(db);
	s = made_open(path, &err);
	ok(ckpt_scan_one(&scan, s, &pick, &c) == 1 && c.nwrites == LEN(in) &&
					c.writes_size == 21,
			"writes and their size");
	for (size_t i = 0; i < c.nwrites; i++) {
		const struct ckpt_write *w = &c.writes[i];

		good &= *(const char *)w->channel.p == (char)('0' + i) && w->size == 3 &&
		        w->body.n == 3 && is(w->type, "bytes") &&
		        strcmp(in[w->seq - 1].task, w->task.p) == 0;
	}
	ok(good, "by path, task and number, as bytes; seq is the order of writing");
	ckpt_scan_close(scan);
	pick.depth = CKPT_KEYS;
	ok(ckpt_scan_one(&scan, s, &pick, &c) == 1 && c.nwrites == LEN(in) &&
					!c.writes[0].body.p && c.writes[0].size == 3,
			"without bodies where values are not asked");
	ckpt_scan_close(scan);
	ckpt_store_close(s);
}

#define BIG (80u << 20)

static int make_big(const char *path)
{
	static const char head[] = "\x81\xae"
				   "channel_values\x81\xa3"
				   "big\xc6\x05\0\0\0";
	sqlite3 *db = made_store(path);
	char *body = calloc(1, sizeof(head) - 1 + BIG);

	if (!body)
		return 1;
	memcpy(body, head, sizeof(head) - 1);
	made_put(db, &(struct made_row){ .thread = CKPT_LIT("t"),
				     .id = CKPT_LIT("1"),
				     .type = CKPT_LIT("msgpack"),
				     .body = { body, sizeof(head) - 1 + BIG },
				     .meta = META });
	free(body);
	made_close(db);
	return 0;
}

static int read_big(const char *path)
{
	struct ckpt_pick pick = { .depth = CKPT_VALUES, .writes = true };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	struct ckpt_error err;
	struct ckpt_store *s = made_open(path, &err);
	struct rusage use = { 0 };

	if (!s || ckpt_scan_one(&scan, s, &pick, &c) != 1)
		return 1;
	if (c.nvalues != 1 || c.values[0].body.n != BIG + 5 || c.broken_why)
		return 2;
	ckpt_scan_close(scan);
	ckpt_store_close(s);
	getrusage(RUSAGE_SELF, &use);
	printf("# %ld KiB for a row of %u KiB\n", use.ru_maxrss, BIG >> 10);
	fflush(stdout);
#ifndef CKPT_ASAN_ARENA /* which keeps what was freed */
	if (use.ru_maxrss > (long)(3 * (BIG >> 10) + (64 << 10)))
		return 3;
#endif
	return 0;
}

static void in_child(int (*run)(const char *), const char *path, const char *what)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(run(path));
	ok(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "%s (%#x)", what,
			status);
}

int main(void)
{
	const char *big = made_path("big.db");
	uint64_t seed = 20261121;
	struct ckpt_store *s;
	struct ckpt_error err;
	char id[3][37];

	in_child(make_big, big, "a row of 80 MB is made");
	in_child(read_big, big, "and read in thrice its size and 64 MiB");
	s = made_open(small_store(id), &err);
	if (!ok(s != NULL, "opens: %s", err.text))
		return done();
	depths(s, id);
	odd_rows(s);
	ok(ckpt_store_end(s) == 0, "ends");
	ckpt_store_close(s);
	orders();
	printf("# seed %llu\n", (unsigned long long)seed);
	for (unsigned round = 1; round <= 5; round++)
		skip_scan(seed + round, round);
	writes();
	return done();
}
