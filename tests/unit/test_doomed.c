/*
 * test_doomed.c - the list of what goes: what was added comes back, from memory and from a file,
 * as often as wanted and from any place in it; and memory stays small.
 */
#include <sys/resource.h>
#include <sys/stat.h>
#include <dirent.h>
#include <unistd.h>

#include "t.h"
#include "made.h"
#include "doomed.h"

#ifdef CKPT_ASAN_ARENA /* what is freed is kept for a while */
#define PEAK (48 * 1024)
#else
#define PEAK (20 * 1024)
#endif

/* Item i of the list, made from its number alone. */
static struct ckpt_view id_of(char to[static 64], size_t i)
{
	int n = snprintf(to, 64, "%08zx-%s", i,
			i % 7 ? "" : "0123456789012345678901234567");

	return (struct ckpt_view){ to, (size_t)n };
}

static int64_t row_of(size_t i)
{
	return i % 11 ? (int64_t)(i * 3) : i % 2 ? -1 : INT64_MAX - (int64_t)i;
}

/* Few for most, around what fits beside the flags, and the most. */
static int64_t writes_of(size_t i)
{
	return i % 13 ? (int64_t)(i % 5) : i % 3 ? (int64_t)(i % 7) + 60 : INT64_MAX - 1;
}

/* None, an empty one, one of some bytes. */
static struct ckpt_view caller_of(size_t space)
{
	static const char bytes[] = "caller\0of a call";

	return space % 3 ? (struct ckpt_view){ bytes, space % 3 == 1 ? 0 : sizeof(bytes) }
	                 : (struct ckpt_view){ 0 };
}

static struct ckpt_view root_of(size_t space)
{
	return space % 2 ? CKPT_LIT("the root's newest") : (struct ckpt_view){ 0 };
}

static bool view_is(struct ckpt_view a, struct ckpt_view b)
{
	return !a.p == !b.p && ckpt_view_eq(a, b);
}

static void fill(struct doomed *d, size_t items, size_t each)
{
	char id[64], thread[64];

	for (size_t i = 0; i < items; i++) {
		if (i % each == 0) {
			int n = snprintf(thread, sizeof(thread), "t%zu", i / each);

			doomed_space(d, &(struct doomed_space){
							.key = { .thread = { thread,
										 (size_t)n },
									.ns = CKPT_LIT(""),
									.blob = i / each % 3 == 1
			                                                                        ? CKPT_BLOB_THREAD
			                                                                        : 0 },
							.newest = id_of(id, i + each),
							.newest_blob = i / each % 2,
							.whole = i / each % 5 == 2,
							.whole_thread = i / each % 5 == 3,
							.count = row_of(i / each),
							.strays = writes_of(i / each),
							.chains = i / each % 3 == 2,
							.caller = caller_of(i / each),
							.caller_blob = i / each % 4 == 3,
							.root_newest = root_of(i / each),
							.root_newest_blob =
									i / each % 6 ==
									2 });
		}
		doomed_add(d, id_of(id, i), i % 4 == 1, row_of(i), writes_of(i));
	}
}

static bool item_is(const struct doomed_item *item, size_t i, size_t each)
{
	char id[64], newest[64], thread[64];
	size_t at = i / each;
	int n = snprintf(thread, sizeof(thread), "t%zu", at);
	const struct doomed_space *s = item->space;
	unsigned blob = (at % 3 == 1 ? CKPT_BLOB_THREAD : 0u) |
	                (i % 4 == 1 ? CKPT_BLOB_ID : 0u);

	return ckpt_view_eq(item->key.id, id_of(id, i)) && item->row == row_of(i) &&
	       item->key.blob == blob && s->key.blob == (blob & CKPT_BLOB_THREAD) &&
	       ckpt_view_eq(item->key.thread, (struct ckpt_view){ thread, (size_t)n }) &&
	       item->key.ns.p && item->key.ns.n == 0 &&
	       ckpt_view_eq(s->newest, id_of(newest, (at + 1) * each)) &&
	       s->newest_blob == at % 2 && s->whole == (at % 5 == 2) &&
	       s->whole_thread == (at % 5 == 3) && s->chains == (at % 3 == 2) &&
	       s->count == row_of(at) && s->strays == writes_of(at) &&
	       item->writes == writes_of(i) && view_is(s->caller, caller_of(at)) &&
	       s->caller_blob == (at % 4 == 3) && view_is(s->root_newest, root_of(at)) &&
	       s->root_newest_blob == (at % 6 == 2);
}

/* From item `from` on, all the rest. */
static bool rest_is(struct doomed *d, size_t from, size_t items, size_t each)
{
	struct doomed_item item;

	for (; from < items; from++)
		if (doomed_next(d, &item) != 1 || !item_is(&item, from, each))
			return false;
	return doomed_next(d, &item) == 0 && doomed_next(d, &item) == 0;
}

static void round_trip(const char *what, size_t items, size_t each)
{
	struct ckpt_error err = { 0 };
	struct doomed_mark third = { 0 };
	struct doomed_item item;
	struct doomed *d;

	doomed_new(&d, &err);
	fill(d, items, each);
	ok(doomed_count(d) == items && !err.code, "%s: counted", what);
	ok(doomed_rewind(d) == 0 && rest_is(d, 0, items, each), "%s: all of it", what);
	doomed_rewind(d);
	for (size_t i = 0; i < items / 3; i++)
		doomed_next(d, &item);
	third = doomed_here(d);
	ok(rest_is(d, items / 3, items, each) && doomed_seek(d, third) == 0 &&
					rest_is(d, items / 3, items, each),
			"%s: from a third on, again", what);
	ok(doomed_rewind(d) == 0 && rest_is(d, 0, items, each), "%s: and from the start",
			what);
	doomed_free(d);
}

static void odd_names(void)
{
	struct ckpt_error err = { 0 };
	struct doomed_space s = { .key = { .thread = CKPT_LIT("a\0b"), .ns = { 0 } } };
	struct doomed_item item;
	struct doomed *d;
	char *big = malloc(1 << 20);

	memset(big, 'x', 1 << 20);
	doomed_new(&d, &err);
	doomed_space(d, &s);
	doomed_add(d, (struct ckpt_view){ 0 }, false, 1, 0);
	doomed_add(d, CKPT_LIT(""), true, 2, 0);
	for (int i = 0; i < 40; i++)
		doomed_add(d, (struct ckpt_view){ big, (size_t)1 << 20 }, false, i,
				i + 50);
	doomed_rewind(d);
	ok(doomed_next(d, &item) == 1 && !item.key.id.p && !item.key.ns.p &&
					ckpt_view_eq(item.key.thread, CKPT_LIT("a\0b")),
			"NULL is not empty, NUL is a byte");
	ok(doomed_next(d, &item) == 1 && item.key.id.p && item.key.id.n == 0, "empty id");
	for (int i = 0; i < 40; i++)
		if (doomed_next(d, &item) != 1 || item.row != i ||
				item.writes != i + 50 ||
				item.key.id.n != (size_t)1 << 20 ||
				memcmp(item.key.id.p, big, (size_t)1 << 20) != 0)
			ok(false, "long id %d", i);
	ok(doomed_next(d, &item) == 0 && !err.code, "ids of a MiB, from a file");
	doomed_free(d);
	doomed_new(&d, &err);
	ok(doomed_rewind(d) == 0 && doomed_next(d, &item) == 0, "nothing in it");
	doomed_free(d);
	free(big);
}

static size_t files_in(const char *dir)
{
	DIR *f = opendir(dir);
	size_t n = 0;

	while (f && readdir(f))
		n++;
	if (f)
		closedir(f);
	return n;
}

/* One and a half million keys take 50 MB: they may take 16 MiB. */
static void memory(void)
{
	const char *dir = made_path("tmp");
	struct ckpt_error err = { 0 };
	struct rusage before, after;
	struct doomed_item item;
	struct doomed *d;

	mkdir(dir, 0700);
	setenv("TMPDIR", dir, 1);
	getrusage(RUSAGE_SELF, &before);
	doomed_new(&d, &err);
	fill(d, 1500000, 1000);
	ok(files_in(dir) == 2, "the file has no name");
	doomed_rewind(d);
	ok(rest_is(d, 0, 1500000, 1000), "many");
	getrusage(RUSAGE_SELF, &after);
	ok(after.ru_maxrss - before.ru_maxrss < PEAK, "in %ld KiB",
			after.ru_maxrss - before.ru_maxrss);
	doomed_free(d);

	setenv("TMPDIR", "/nonexistent", 1);
	doomed_new(&d, &err);
	fill(d, 500000, 10);
	fill(d, 500000, 10);
	ok(err.code == CKPT_EIO && strstr(err.text, "/nonexistent"), "said: %s",
			err.text);
	ok(doomed_rewind(d) < 0 && doomed_next(d, &item) < 0, "and it stays failed");
	doomed_free(d);
}

int main(void)
{
	memory(); /* first: the peak of memory counts */
	setenv("TMPDIR", "/tmp", 1);
	round_trip("few", 5, 2);
	round_trip("in memory", 1000, 100);
	round_trip("in a file", 900000, 100);
	round_trip("one namespace", 900000, 900000);
	odd_names();
	return done();
}
