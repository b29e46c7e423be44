/*
 * test_dump.c - archives in JSON Lines: what one line holds, what makes a line bad, and what a
 * store says of an archive that is not quite right. Whole stores are the conformance suite's.
 */
#include <unistd.h>
#include <sys/resource.h>

#include "t.h"
#include "dump.h"
#include "made.h"

/* ---- lines -------------------------------------------------------------------------------- */

#define ROW(more) "{\"checkpoint\":{\"thread\":\"t\",\"ns\":\"\",\"id\":\"1\"" more "}}"
#define HEAD \
	"{\"ckpt\":\"dump\",\"version\":1,\"engine\":\"sqlite\",\"layout\":" \
	"\"langgraph\"}\n"

static struct reader json;

static const struct {
	struct ckpt_view text;
	enum dump_kind kind;
	const char *why; /* of BAD */
} lines[] = {
	{ CKPT_LIT(ROW("")), DUMP_CHECKPOINT, NULL },
	{ CKPT_LIT(" \t" ROW("") " \r"), DUMP_CHECKPOINT, NULL },
	{ CKPT_LIT("{ \"checkpoint\" : { \"ns\":\"\" , \"id\" :\"1\",\"thread\":\"t\" } "
		   "}"),
			DUMP_CHECKPOINT, NULL },
	{ CKPT_LIT(ROW(",\"body\":null,\"metadata\":null,\"type\":null")),
			DUMP_CHECKPOINT, NULL },
	{ CKPT_LIT(ROW(",\"body\":\"\"")), DUMP_CHECKPOINT, NULL },
	{ CKPT_LIT(ROW(",\"body\":\"QUI=\",\"new\":[{\"a\":[1,2.5e3,null]},\"}\"]")),
			DUMP_CHECKPOINT, NULL },
	{ CKPT_LIT("{\"end\":{\"checkpoints\":1,\"writes\":0,\"blobs\":0}}"), DUMP_END,
			NULL },
	{ CKPT_LIT("{\"ckpt\":\"dump\"}"), DUMP_HEADER, NULL },
	{ CKPT_LIT(""), DUMP_BLANK, NULL },
	{ CKPT_LIT(" \r"), DUMP_BLANK, NULL },
	{ CKPT_LIT("{}"), DUMP_OTHER, NULL },
	{ CKPT_LIT("{\"rows\":[1,2]}"), DUMP_OTHER, NULL },
	/* not JSON */
	{ CKPT_LIT("x"), DUMP_BAD, "this is not a JSON object" },
	{ CKPT_LIT("[1]"), DUMP_BAD, "this is not a JSON object" },
	{ CKPT_LIT("\xef\xbb\xbf" ROW("")), DUMP_BAD, "this is not a JSON object" },
	{ CKPT_LIT("\0" ROW("")), DUMP_BAD, "this is not a JSON object" },
	{ CKPT_LIT("{"), DUMP_BAD, "this is not JSON" },
	{ CKPT_LIT("{\"checkpoint\""), DUMP_BAD, "this is not JSON" },
	{ CKPT_LIT("{\"checkpoint\":"), DUMP_BAD, "this is not a JSON object" },
	{ CKPT_LIT("{\"checkpoint\":{\"thread\":\"t\",\"ns"), DUMP_BAD,
			"a string has no end" },
	{ CKPT_LIT("{\"checkpoint\":{\"thread\":\"t"), DUMP_BAD, "a string has no end" },
	{ CKPT_LIT("{\"checkpoint\":{\"thread\":\"t\\"), DUMP_BAD,
			"a wrong escape in a string" },
	{ CKPT_LIT("{\"checkpoint\":{\"thread\":\"t\","), DUMP_BAD, "this is not JSON" },
	{ CKPT_LIT(ROW(",\"body\":\"QUI")), DUMP_BAD, "this is not base64" },
	{ CKPT_LIT("{\"checkpoint\":{\"body\":\"QUIA"), DUMP_BAD, "a string has no end" },
	{ CKPT_LIT(ROW(",\"new\":[")), DUMP_BAD, "this is not JSON" },
	{ CKPT_LIT(ROW(",\"new\":tru")), DUMP_BAD, "this is not JSON" },
	{ CKPT_LIT(ROW("") "{}"), DUMP_BAD, "something follows the row" },
	{ CKPT_LIT(ROW(",")), DUMP_BAD, "this is not JSON" },
	{ CKPT_LIT("{\"checkpoint\":{\"thread\":\"a\tb\",\"ns\":\"\",\"id\":\"1\"}}"),
			DUMP_BAD, "a control character in a string" },
	{ CKPT_LIT("{\"checkpoint\":{\"thread\":\"a\0b\",\"ns\":\"\",\"id\":\"1\"}}"),
			DUMP_BAD, "a control character in a string" },
	{ CKPT_LIT(ROW(",\"type\":\"\xff\"")), DUMP_BAD, "a string is not UTF-8" },
	{ CKPT_LIT(ROW(",\"type\":\"\\x41\"")), DUMP_BAD, "a wrong escape in a string" },
	{ CKPT_LIT(ROW(",\"type\":\"\\u12g4\"")), DUMP_BAD,
			"a wrong escape in a string" },
	/* base64 */
	{ CKPT_LIT(ROW(",\"body\":\"QUI\"")), DUMP_BAD, "this is not base64" },
	{ CKPT_LIT(ROW(",\"body\":\"Q===\"")), DUMP_BAD, "this is not base64" },
	{ CKPT_LIT(ROW(",\"body\":\"QU=I\"")), DUMP_BAD, "this is not base64" },
	{ CKPT_LIT(ROW(",\"body\":\"====\"")), DUMP_BAD, "this is not base64" },
	{ CKPT_LIT(ROW(",\"body\":\"QU I\"")), DUMP_BAD, "this is not base64" },
	{ CKPT_LIT(ROW(",\"body\":\"QU-_\"")), DUMP_BAD, "this is not base64" },
	{ CKPT_LIT(ROW(",\"body\":\"QU\\/I\"")), DUMP_BAD, "this is not base64" },
	{ CKPT_LIT(ROW(",\"body\":5")), DUMP_BAD, "base64 was expected" },
	{ CKPT_LIT(ROW(",\"body\":{\"$str\":\"QUI=\"}")), DUMP_BAD,
			"base64 was expected" },
	/* the wrong types, too many, too few */
	{ CKPT_LIT(ROW(",\"type\":5")), DUMP_BAD, "a text was expected" },
	{ CKPT_LIT(ROW(",\"type\":{}")), DUMP_BAD, "a text was expected" },
	{ CKPT_LIT(ROW(",\"type\":{\"$str\":\"QUI=\",\"a\":1}")), DUMP_BAD,
			"a text was expected" },
	{ CKPT_LIT(ROW(",\"type\":\"a\",\"type\":\"a\"")), DUMP_BAD,
			"a member stands there twice" },
	{ CKPT_LIT(ROW(",\"type\":null,\"type\":\"a\"")), DUMP_BAD,
			"a member stands there twice" },
	{ CKPT_LIT("{\"checkpoint\":{\"thread\":\"t\",\"ns\":\"\"}}"), DUMP_BAD,
			"a member is missing" },
	{ CKPT_LIT("{\"checkpoint\":{\"thread\":\"t\",\"ns\":\"\",\"id\":null}}"),
			DUMP_BAD, "a member is missing" },
	{ CKPT_LIT("{\"checkpoint\":5}"), DUMP_BAD, "this is not a JSON object" },
	{ CKPT_LIT("{\"checkpoint\":{\"thread\":\"t\",\"ns\":\"\",\"id\":\"1\"},\"end\":{"
		   "}}"),
			DUMP_BAD, "more than one row in a line" },
	{ CKPT_LIT("{\"end\":{\"checkpoints\":1}}"), DUMP_BAD, "a member is missing" },
	{ CKPT_LIT("{\"end\":{\"checkpoints\":1.5,\"writes\":0,\"blobs\":0}}"), DUMP_BAD,
			"a whole number was expected" },
	{ CKPT_LIT("{\"end\":{\"checkpoints\":\"1\",\"writes\":0,\"blobs\":0}}"),
			DUMP_BAD, "a whole number was expected" },
	{ CKPT_LIT("{\"end\":{\"checkpoints\":01,\"writes\":0,\"blobs\":0}}"), DUMP_BAD,
			"a whole number was expected" },
	{ CKPT_LIT("{\"end\":{\"checkpoints\":9223372036854775808,\"writes\":0}}"),
			DUMP_BAD, "a number is too large" },
	{ CKPT_LIT("{\"end\":{\"checkpoints\":99999999999999999999999,\"writes\":0}}"),
			DUMP_BAD, "a number is too large" },
};

/* In memory of exactly its size: one byte too many is seen by the sanitizer. */
static uint8_t *copy_of(struct ckpt_view v)
{
	uint8_t *p = malloc(v.n ? v.n : 1);

	if (!p)
		exit(2);
	memcpy(p, v.p, v.n);
	return p;
}

static void test_lines(void)
{
	for (size_t i = 0; i < LEN(lines); i++) {
		uint8_t *p = copy_of(lines[i].text);
		struct dump_line l;
		bool good = dump_line_read(&l, p, lines[i].text.n, &json) ==
		            lines[i].kind;

		good = good && !l.why == !lines[i].why &&
		       (!l.why || strcmp(l.why, lines[i].why) == 0);
		if (!ok(good, "line %zu", i))
			printf("# %.80s: kind %d, %s\n", (const char *)lines[i].text.p,
					l.kind, l.why ? l.why : "");
		free(p);
	}
}

/* Cut anywhere, a row is bad and never half a row. */
static void test_cut(void)
{
	static const char text[] =
			"{\"write\":{\"thread\":{\"$bytes\":\"AAE=\"},\"ns\":\"\\u0000\","
			"\"id\":"
			"\"1\",\"task\":\"t\",\"path\":\"~\",\"idx\":-3,\"channel\":"
			"\"c\\n\","
			"\"type\":\"msgpack\",\"value\":\"gQ==\",\"extra\":{\"a\":[1]}}}";
	bool good = true;

	for (size_t n = 1; n < sizeof(text) - 1; n++) {
		uint8_t *p = copy_of((struct ckpt_view){ text, n });
		struct dump_line l;

		good &= dump_line_read(&l, p, n, &json) == DUMP_BAD && l.why;
		free(p);
	}
	ok(good, "a row cut off anywhere");
}

static void test_fields(void)
{
	static const struct ckpt_view text = CKPT_LIT(
			"{\"write\":{\"thread\":{\"$bytes\":\"AAH/"
			"\"},\"ns\":\"a\\u0000b\","
			"\"id\":\"\\ud83d\\ude00\\u00e9\",\"task\":{\"$str\":\"/w==\"},"
			"\"idx\":-9223372036854775808,\"channel\":\"q\\\"\\\\\\/\","
			"\"type\":null,\"value\":\"AAEC/"
			"w==\",\"code\":\"x\"},\"detail\":\"y\"}");
	uint8_t *p = copy_of(text);
	struct dump_line l;
	struct dump_field *f = l.f;

	ok(dump_line_read(&l, p, text.n, &json) == DUMP_WRITE && !l.extra.p,
			"a write, with code and detail");
	ok(f[DUMP_THREAD].blob && !f[DUMP_TASK].blob, "kept as BLOB");
	ok(dump_size(&f[DUMP_BODY]) == 4 && dump_size(&f[DUMP_TYPE]) == 0,
			"sizes undecoded");
	ok(f[DUMP_IDX].i == INT64_MIN, "the least idx");
	ok(ckpt_view_eq(dump_bytes(&f[DUMP_THREAD], &json), CKPT_LIT("\0\1\xff")),
			"bytes");
	ok(ckpt_view_eq(dump_bytes(&f[DUMP_NS], &json), CKPT_LIT("a\0b")),
			"NUL in a text");
	ok(ckpt_view_eq(dump_bytes(&f[DUMP_ID], &json),
			   CKPT_LIT("\xf0\x9f\x98\x80\xc3\xa9")),
			"escapes");
	ok(ckpt_view_eq(dump_bytes(&f[DUMP_TASK], &json), CKPT_LIT("\xff")), "not UTF-8");
	ok(ckpt_view_eq(dump_bytes(&f[DUMP_CHANNEL], &json), CKPT_LIT("q\"\\/")),
			"quotes");
	ok(ckpt_view_eq(dump_bytes(&f[DUMP_BODY], &json), CKPT_LIT("\0\1\2\xff")),
			"a value");
	ok(ckpt_view_eq(dump_bytes(&f[DUMP_BODY], &json), CKPT_LIT("\0\1\2\xff")),
			"… once more");
	ok(!dump_bytes(&f[DUMP_TYPE], &json).p && !dump_bytes(&f[DUMP_PATH], &json).p,
			"null and not there");
	free(p);
}

/* Nesting costs no stack, and what is not read costs no memory beyond the line. */
static void test_large(void)
{
	size_t deep = 2000000, wide = 100000000;
	static const char head[] =
			"{\"checkpoint\":{\"thread\":\"t\",\"ns\":\"\",\"id\":\"1\","
			"\"body\":\"";
	struct rusage before, after;
	struct dump_line l;
	uint8_t *p = malloc(wide + 200);

	if (!p)
		exit(2);
	memcpy(p, "{\"a\":", 5);
	memset(p + 5, '[', deep);
	ok(dump_line_read(&l, p, deep + 5, &json) == DUMP_BAD, "two million brackets");
	memset(p + 5 + deep, ']', deep);
	p[5 + 2 * deep] = '}';
	ok(dump_line_read(&l, p, 2 * deep + 6, &json) != DUMP_CHECKPOINT, "… and closed");
	memset(p, 'A', wide + 200);
	memcpy(p, head, sizeof(head) - 1);
	memcpy(p + sizeof(head) - 1 + wide, "\"}}", 3);
	getrusage(RUSAGE_SELF, &before);
	ok(dump_line_read(&l, p, sizeof(head) + 2 + wide, &json) == DUMP_CHECKPOINT &&
					dump_size(&l.f[DUMP_BODY]) ==
							(int64_t)wide / 4 * 3 &&
					dump_bytes(&l.f[DUMP_BODY], &json).n ==
							wide / 4 * 3,
			"a line of 100 MB");
	getrusage(RUSAGE_SELF, &after);
	ok(after.ru_maxrss - before.ru_maxrss < 1024, "… without memory beyond it");
	free(p);
}

/* ---- archives --------------------------------------------------------------------------------- */

#define CP(thread, id, more) \
	"{\"checkpoint\":{\"thread\":\"" thread "\",\"ns\":\"\",\"id\":\"" id "\"" more \
	"}}\n"
#define END(n) "{\"end\":{\"checkpoints\":" n ",\"writes\":0,\"blobs\":0}}\n"

static char notes[2000];

static void take_note(void *arg, const char *line)
{
	size_t n = strlen(notes);

	(void)arg;
	snprintf(notes + n, sizeof(notes) - n, "%s\n", line);
}

static struct ckpt_store *open_text(struct ckpt_view text, struct ckpt_error *err)
{
	const struct ckpt_config config = { .note = take_note };
	const char *path = made_path("a.jsonl");
	struct ckpt_store *store;
	FILE *f = fopen(path, "w");

	if (!f || fwrite(text.p, 1, text.n, f) != text.n || fclose(f) != 0)
		exit(2);
	notes[0] = '\0';
	*err = (struct ckpt_error){ 0 };
	return ckpt_store_open(&store, path, &config, err) < 0 ? NULL : store;
}

static const struct {
	struct ckpt_view text;
	int code; /* of opening */
	size_t checkpoints;
	size_t faults;
	const char *note; /* part of the notes; "" none at all */
} archives[] = {
	{ CKPT_LIT(HEAD END("0")), 0, 0, 0, "" },
	{ CKPT_LIT(HEAD CP("a", "1", "") END("1")), 0, 1, 0, "" },
	{ CKPT_LIT("\xef\xbb\xbf" HEAD CP("a", "1", "") "\r\n\n" END("1")), 0, 1, 0, "" },
	{ CKPT_LIT(HEAD CP("a", "1",
			  "") "{\"end\":{\"checkpoints\":1,\"writes\":0,\"blobs\":0}}"),
			0, 1, 0, "" },
	/* incomplete */
	{ CKPT_LIT(HEAD), 0, 0, 1, "incomplete: it has no end line" },
	{ CKPT_LIT(HEAD CP("a", "1", "")), 0, 1, 1, "incomplete: it has no end line" },
	{ CKPT_LIT(HEAD CP("a", "1", "") END("2")), 0, 1, 1,
			"incomplete: an end line counts" },
	{ CKPT_LIT(HEAD CP("a", "1", "") END("1") CP("b", "1", "")), 0, 2, 1,
			"no end line" },
	{ CKPT_LIT(HEAD CP("a", "1", "") HEAD CP("b", "1", "") END("1")), 0, 2, 1,
			"a part of it has no end line" },
	{ CKPT_LIT(HEAD CP("a", "1", "") END("1") HEAD CP("b", "1", "") END("1")), 0, 2,
			0, "" },
	/* lines without a row */
	{ CKPT_LIT(HEAD "x\n" CP("a", "1", "") "[]\n" END("1")), 0, 1, 2,
			"2 lines of the archive hold no row: line 2 the first: this is "
			"not a JSON" },
	{ CKPT_LIT(HEAD CP("a", "1", "") "{\"checkpoint\":{\"thread\":\"b"), 0, 1, 2,
			"1 line of the archive holds no row: line 3: the line is cut "
			"off" },
	{ CKPT_LIT(HEAD CP("a", "1", ",\"body\":7") CP("a", "2", "") END("1")), 0, 1, 1,
			"line 2: base64 was expected (member 'body')" },
	/* others */
	{ CKPT_LIT(HEAD CP("a", "1", ",\"new\":1") END("1")), 0, 1, 0, "member 'new'" },
	{ CKPT_LIT(HEAD CP("a", "1", "") CP("a", "1", "") END("2")), 0, 1, 0,
			"1 row of the archive stands there more than once" },
	/* refused */
	{ CKPT_LIT(""), CKPT_EUNSUPPORTED, 0, 0, "" },
	{ CKPT_LIT("\n"), CKPT_EUNSUPPORTED, 0, 0, "" },
	{ CKPT_LIT(CP("a", "1", "")), CKPT_EUNSUPPORTED, 0, 0, "" },
	{ CKPT_LIT("{\"a\":1}\n"), CKPT_EUNSUPPORTED, 0, 0, "" },
	{ CKPT_LIT("SQLite format 3\0"), CKPT_EUNSUPPORTED, 0, 0, "" },
	{ CKPT_LIT("\x1f\x8b\x08"), CKPT_EUNSUPPORTED, 0, 0, "" },
	{ CKPT_LIT(HEAD "{\"future\":{}}\n"), CKPT_EUNSUPPORTED, 0, 0, "" },
	{ CKPT_LIT("{\"ckpt\":\"dump\",\"version\":2,\"engine\":\"sqlite\",\"layout\":"
		   "\"langgraph\"}\n"),
			CKPT_EUNSUPPORTED, 0, 0, "" },
	{ CKPT_LIT("{\"ckpt\":\"dump\",\"version\":1,\"engine\":\"mysql\",\"layout\":"
		   "\"langgraph\"}\n"),
			CKPT_EUNSUPPORTED, 0, 0, "" },
	{ CKPT_LIT("{\"ckpt\":\"dump\",\"version\":1,\"engine\":\"sqlite\",\"layout\":"
		   "\"langgraph-shallow\"}\n"),
			CKPT_EUNSUPPORTED, 0, 0, "" },
	{ CKPT_LIT("{\"ckpt\":\"store\",\"version\":1}\n"), CKPT_EUNSUPPORTED, 0, 0, "" },
};

static size_t count(struct ckpt_store *s)
{
	struct ckpt_pick pick = { .depth = CKPT_VALUES, .writes = true, .sizes = true };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	size_t n = 0;

	if (ckpt_scan_open(&scan, s, &pick) < 0)
		return SIZE_MAX;
	while (ckpt_scan_next(scan, &c) > 0)
		n++;
	ckpt_scan_close(scan);
	return n;
}

static void test_archives(void)
{
	for (size_t i = 0; i < LEN(archives); i++) {
		struct ckpt_fault fault;
		struct ckpt_error err;
		struct ckpt_store *s = open_text(archives[i].text, &err);
		size_t faults = 0, n = s ? count(s) : 0;
		bool good = err.code == archives[i].code && n == archives[i].checkpoints;

		while (s && ckpt_store_fault(s, faults, &fault) && fault.why[0])
			faults++;
		good = good && faults == archives[i].faults &&
		       (archives[i].note[0] ? strstr(notes, archives[i].note) != NULL
					    : !notes[0]);
		if (!ok(good, "archive %zu", i))
			printf("# code %d %s, %zu rows, %zu faults, notes: %s\n",
					err.code, err.text, n, faults, notes);
		ckpt_store_close(s);
	}
}

/* TEXT and BLOB of the same bytes are two names, TEXT first; the last of twins counts. */
static void test_keys(void)
{
	static const char text[] =
			HEAD "{\"checkpoint\":{\"thread\":{\"$bytes\":\"YQ==\"},\"ns\":"
			     "\"\",\"id\":\"1\"}}\n" CP("b", "1", "") CP(
					     "a", "1", ",\"type\":\"old\"") CP("a", "1",
					     ",\"type\":\"new\"") "{\"checkpoint\":{"
								  "\"thread\":{\"$str\":"
								  "\"YQ==\"},\"ns\":\"\","
								  "\"id\":\"2\"}}\n";
	static const struct {
		const char *thread, *id;
		unsigned blob;
	} want[] = { { "a", "1", 0 }, { "a", "2", 0 }, { "b", "1", 0 },
		{ "a", "1", CKPT_BLOB_THREAD } };
	struct ckpt_pick pick = { .depth = CKPT_LINKS };
	struct ckpt_checkpoint c;
	struct ckpt_error err;
	struct ckpt_store *s = open_text(ckpt_view_of(text), &err);
	struct ckpt_scan *scan;
	size_t n = 0;
	bool good = s && ckpt_scan_open(&scan, s, &pick) == 0;

	while (good && ckpt_scan_next(scan, &c) > 0) {
		good = n < LEN(want) && c.key.blob == want[n].blob &&
		       ckpt_view_eq(c.key.thread, ckpt_view_of(want[n].thread)) &&
		       ckpt_view_eq(c.key.id, ckpt_view_of(want[n].id));
		if (n++ == 0)
			good = good && ckpt_view_eq(c.type, CKPT_LIT("new"));
	}
	ckpt_scan_close(scan);
	ok(good && n == LEN(want), "TEXT before BLOB, the last of twins");
	pick.key = (struct ckpt_key){ .thread = CKPT_LIT("a"), .blob = CKPT_BLOB_THREAD };
	ok(ckpt_scan_one(&scan, s, &pick, &c) == 1 && c.key.blob == CKPT_BLOB_THREAD &&
					ckpt_scan_next(scan, &c) == 0,
			"asked for as BLOB");
	ckpt_scan_close(scan);
	ckpt_store_close(s);
}

/* A file that is cut, or written anew, while it is read ends in an error. */
static void test_changed(void)
{
	static const char text[] = HEAD CP("a", "1", ",\"body\":\"gA==\"") END("1");
	const char *path = made_path("a.jsonl");
	struct ckpt_error err;
	struct ckpt_store *s = open_text(ckpt_view_of(text), &err);
	FILE *f;

	ok(s && truncate(path, 90) == 0 && count(s) == 0 && err.code == CKPT_EBUSY,
			"cut under the reader");
	ckpt_store_close(s);
	s = open_text(ckpt_view_of(text), &err);
	f = fopen(path, "r+");
	ok(s && f && fprintf(f, "%*s", (int)sizeof(text) - 1, "") > 0 && fclose(f) == 0 &&
					count(s) == 0 && err.code == CKPT_EBUSY,
			"another text in its place");
	ckpt_store_close(s);
	s = open_text(ckpt_view_of(text), &err);
	ok(s && count(s) == 1 && truncate(path, 90) == 0 &&
					ckpt_store_end(s) == CKPT_EBUSY,
			"told at the end at the latest");
	ckpt_store_close(s);
}

int main(void)
{
	test_lines();
	test_cut();
	test_fields();
	test_large();
	test_archives();
	test_keys();
	test_changed();
	return done();
}
