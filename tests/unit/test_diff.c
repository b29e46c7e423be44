/*
 * test_diff.c - differences: tables of small cases, and for random pairs that the patch, applied
 * by an applier of JSON Patch over cJSON, makes one out of the other.
 */
#include <cjson/cJSON.h>
#include <time.h>

#include "t.h"
#include "base.h"

#define PAIRS 20000

/* ---- tables ---------------------------------------------------------------------------------- */

/* "replace /a 1 2;" for each change; quotes of the path left out. */
static void list(struct ckpt_buf *to, const char *a, const char *b,
		const struct ckpt_compare *how)
{
	static const char *const ops[] = { "add", "remove", "replace" };
	struct ckpt_diff *d;
	struct ckpt_change c;
	int rc = ckpt_diff_open(&d, ckpt_view_of(a), ckpt_view_of(b), how);

	ckpt_buf_puts(to, "");
	while (rc >= 0 && (rc = ckpt_diff_next(d, &c)) > 0) {
		ckpt_buf_addf(to, "%s%s ", to->n ? "; " : "", ops[c.op]);
		ckpt_buf_add(to, (const char *)c.path.p + 1, c.path.n - 2);
		if (c.old.p)
			ckpt_buf_addf(to, " %.*s", (int)c.old.n, (const char *)c.old.p);
		if (c.now.p)
			ckpt_buf_addf(to, " %.*s", (int)c.now.n, (const char *)c.now.p);
	}
	if (rc < 0)
		ckpt_buf_addf(to, "%d", rc);
	ckpt_diff_close(d);
}

static const struct {
	const char *a, *b, *want, *patch; /* patch NULL: the same */
} cases[] = {
	{ "{}", "{}", "", NULL },
	{ "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", "", NULL },
	{ "{\"a\":1}", "{\"a\":2}", "replace /a 1 2", NULL },
	{ "{\"a\":1}", "{\"b\":1}", "remove /a 1; add /b 1", NULL },
	{ "{\"a\":{\"b\":{\"c\":1}}}", "{\"a\":{\"b\":{\"c\":2}}}", "replace /a/b/c 1 2",
			NULL },
	{ "{\"a/b\":1,\"c~\":2}", "{\"c~\":3}", "remove /a~1b 1; replace /c~0 2 3",
			NULL },
	{ "{\"a\":[1]}", "{\"a\":{\"b\":1}}", "replace /a [1] {\"b\":1}", NULL },
	{ "{\"a\":[1]}", "{\"a\":[ 1]}", "replace /a [1] [1]", NULL },
	{ "{\"a\":1}", "{\"a\":1.0}", "replace /a 1 1.0", NULL },
	{ "[1,2]", "[1,2,3]", "add /2 3", NULL },
	{ "[1,2,3]", "[2,3]", "remove /0 1", NULL },
	{ "[1,2,3,4]", "[1,4]", "remove /1 2; remove /2 3", "remove /2 3; remove /1 2" },
	{ "[1,2,3]", "[1,9,3]", "replace /1 2 9", NULL },
	{ "[1,2,3]", "[0,1,2,9,3]", "add /0 0; add /3 9", NULL },
	{ "[1,2,3]", "[2,3,4]", "remove /0 1; add /2 4", NULL },
	{ "[9,1,1,1]", "[1,1,1,9]", "remove /0 9; add /3 9", NULL },
	{ "[{\"a\":1,\"b\":2}]", "[{\"a\":1,\"b\":3}]", "replace /0/b 2 3", NULL },
	{ "[[1],[2]]", "[[0],[1],[2,3]]", "add /0 [0]; add /2/1 3",
			"add /1/1 3; add /0 [0]" },
	{ "[ 1,2]", "[ 2,3]", "remove /- 1; add /- 3", "remove /0 1; add /1 3" },
	{ "[ [ 1],[ 2]]", "[ [ 2]]", "remove /- [1]", "remove /0 [1]" },
	{ "{\"$bytes\":\"AA==\"}", "{\"$bytes\":\"AQ==\"}",
			"replace  {\"$bytes\":\"AA==\"} {\"$bytes\":\"AQ==\"}", NULL },
	{ "[{\"type\":\"ai\",\"id\":\"1\",\"x\":1}]",
			"[{\"type\":\"ai\",\"id\":\"1\",\"x\":2}]", "replace /0/x 1 2",
			NULL },
	{ "[{\"type\":\"a\",\"id\":1}]", "[{\"type\":\"a\",\"id\":2}]",
			"remove /0 {\"type\":\"a\",\"id\":1}; add /0 "
			"{\"type\":\"a\",\"id\":2}",
			NULL },
	{ "[{\"type\":\"a\",\"id\":1,\"x\":1},{\"type\":\"a\",\"id\":2,\"x\":2}]",
			"[{\"type\":\"a\",\"id\":2,\"x\":5}]",
			"remove /0 {\"type\":\"a\",\"id\":1,\"x\":1}; replace /1/x 2 5",
			"replace /1/x 2 5; remove /0 {\"type\":\"a\",\"id\":1,\"x\":1}" },
	{ "[{\"type\":\"a\",\"id\":1,\"x\":1},{\"type\":\"a\",\"id\":1,\"x\":2}]",
			"[{\"type\":\"a\",\"id\":1,\"x\":2}]",
			"remove /0 {\"type\":\"a\",\"id\":1,\"x\":1}", NULL },
};

static void test_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_compare how = { 0 };
		struct ckpt_buf out = { 0 };
		char what[200];

		snprintf(what, sizeof(what), "%s to %s", cases[i].a, cases[i].b);
		list(&out, cases[i].a, cases[i].b, &how);
		same(out.p, out.n, cases[i].want, what);
		how.patch = true;
		out.n = 0;
		list(&out, cases[i].a, cases[i].b, &how);
		same(out.p, out.n, cases[i].patch ? cases[i].patch : cases[i].want,
				"patch");
		ckpt_buf_free(&out);
	}
}

static bool hides(void *arg, const char *pointer)
{
	return strstr(pointer, arg) != NULL;
}

static const struct {
	const char *a, *b;
	const char *path, *mask;
	const char *want;
} asked[] = {
	{ "{\"a\":{\"b\":1},\"c\":2}", "{\"a\":{\"b\":2},\"c\":3}", "/a", NULL,
			"replace /a/b 1 2" },
	{ "{\"a\":{\"b\":1}}", "{\"a\":{}}", "/a/b", NULL, "remove /a/b 1" },
	{ "{\"a\":{}}", "{\"a\":{\"b\":1}}", "/a/b", NULL, "add /a/b 1" },
	{ "{\"a~\":1}", "{\"a~\":2}", "/a~0", NULL, "replace /a~0 1 2" },
	{ "{\"a\":1}", "{\"a\":2}", "/x", NULL, "-6" },
	{ "{", "{}", NULL, NULL, "-9" },
	{ "{\"a\":[{\"id\":1,\"x\":1}]}", "{\"a\":[{\"id\":2,\"x\":1}]}", NULL, "/id",
			"" },
	{ "{\"id\":1}", "{}", NULL, "/id", "" },
	{ "{}", "{\"id\":1}", NULL, "/id", "" },
	{ "{\"a\":[1,2]}", "{\"a\":[]}", NULL, "/a/", "" },
	{ "[{\"type\":\"a\",\"id\":1},{\"type\":\"a\",\"id\":2}]",
			"[{\"type\":\"a\",\"id\":3},{\"type\":\"b\",\"id\":4}]", NULL,
			"/id", "replace /1/type \"a\" \"b\"" },
};

static void test_asked(void)
{
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		char mask[20] = "";
		struct ckpt_compare how = { .path = ckpt_view_of(asked[i].path),
			.mask = asked[i].mask ? hides : NULL,
			.arg = mask };
		struct ckpt_buf out = { 0 };

		if (asked[i].mask)
			snprintf(mask, sizeof(mask), "%s", asked[i].mask);
		list(&out, asked[i].a, asked[i].b, &how);
		same(out.p, out.n, asked[i].want, asked[i].a);
		ckpt_buf_free(&out);
	}
}

/* ---- random pairs ---------------------------------------------------------------------------- */

static uint64_t seed = 20261121;

static unsigned dice(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % n);
}

static void grow(struct ckpt_buf *to, unsigned depth);

/* Members in order and without repetition, as the renderer writes sets. */
static void grow_set(struct ckpt_buf *to)
{
	const char *sep = "[ ";

	for (unsigned i = 1; i < 9; i++) {
		if (dice(2))
			continue;
		ckpt_buf_addf(to, "%s%u", sep, i);
		sep = ",";
	}
	ckpt_buf_puts(to, *sep == '[' ? "[ ]" : "]");
}

static void grow_message(struct ckpt_buf *to)
{
	ckpt_buf_addf(to, "{\"type\":\"%c\",\"id\":%u,\"x\":%u}", 'a' + (int)dice(2),
			dice(12), dice(3));
}

static void grow_map(struct ckpt_buf *to, unsigned depth)
{
	static const char *const keys[] = { "a", "b/c", "~", "\\n", "", "id", "type" };
	unsigned first = dice(7), step = 1 + dice(6), n = dice(6);

	ckpt_buf_puts(to, "{");
	for (unsigned i = 0; i < n; i++) {
		ckpt_buf_addf(to, "%s\"%s\":", i ? "," : "",
				keys[(first + i * step) % 7]);
		grow(to, depth - 1);
	}
	ckpt_buf_puts(to, "}");
}

static void grow(struct ckpt_buf *to, unsigned depth)
{
	unsigned kind = dice(depth ? 8 : 3), n = dice(9);

	if (kind < 2) {
		ckpt_buf_addf(to, "%u", dice(4));
	} else if (kind == 2) {
		ckpt_buf_puts(to, dice(2) ? "\"s\"" : "null");
	} else if (kind == 3) {
		grow_set(to);
	} else if (kind == 4) {
		grow_map(to, depth);
	} else {
		ckpt_buf_puts(to, "[");
		for (unsigned i = 0; i < n; i++) {
			ckpt_buf_puts(to, i ? "," : "");
			if (kind == 5)
				grow_message(to);
			else
				grow(to, depth - 1);
		}
		ckpt_buf_puts(to, "]");
	}
}

/* The container and last token of a pointer, which is cut up; NULL: the root itself. */
static cJSON *walk(cJSON *at, char *pointer, char **last)
{
	*last = NULL;
	for (char *p = *pointer ? pointer + 1 : NULL, *next; p; p = next) {
		char *w = p;

		next = strchr(p, '/');
		if (next)
			*next++ = '\0';
		if (*last && cJSON_IsArray(at))
			at = cJSON_GetArrayItem(at, (int)strtol(*last, NULL, 10));
		else if (*last)
			at = cJSON_GetObjectItemCaseSensitive(at, *last);
		*last = p;
		for (char *r = p; *r; r++)
			*w++ = (char)(*r != '~' ? *r : *++r == '0' ? '~' : '/');
		*w = '\0';
	}
	return at;
}

/* Not cJSON_InsertItemInArray: it loses the item where the last one was removed before. */
static void insert(cJSON *array, int at, cJSON *value)
{
	int n = cJSON_GetArraySize(array) + 1;
	cJSON *item;

	for (int i = 0; i < n; i++) {
		item = i == at ? value : cJSON_DetachItemFromArray(array, 0);
		cJSON_AddItemToArray(array, item);
	}
}

static bool apply(cJSON **root, const struct ckpt_change *c)
{
	cJSON *path = cJSON_ParseWithLength(c->path.p, c->path.n), *in, *value = NULL;
	char *last;
	long i;
	bool good = true;

	if (c->now.p)
		value = cJSON_ParseWithLength(c->now.p, c->now.n);
	in = walk(*root, path->valuestring, &last);
	i = last && cJSON_IsArray(in) ? strtol(last, NULL, 10) : 0;
	if (!last) {
		cJSON_Delete(*root);
		*root = value;
	} else if (cJSON_IsArray(in)) {
		good = i >= 0 && i < cJSON_GetArraySize(in) + (c->op == CKPT_ADD);
		if (good && c->op == CKPT_ADD)
			insert(in, (int)i, value);
		else if (good && c->op == CKPT_REMOVE)
			cJSON_DeleteItemFromArray(in, (int)i);
		else if (good)
			cJSON_ReplaceItemInArray(in, (int)i, value);
	} else {
		good = cJSON_HasObjectItem(in, last) == (c->op != CKPT_ADD);
		if (c->op == CKPT_ADD)
			cJSON_AddItemToObject(in, last, value);
		else if (c->op == CKPT_REMOVE)
			cJSON_DeleteItemFromObjectCaseSensitive(in, last);
		else
			cJSON_ReplaceItemInObjectCaseSensitive(in, last, value);
	}
	cJSON_Delete(path);
	return good;
}

static bool patch_fits(struct ckpt_view a, struct ckpt_view b)
{
	struct ckpt_compare how = { .patch = true };
	cJSON *got = cJSON_ParseWithLength(a.p, a.n);
	cJSON *want = cJSON_ParseWithLength(b.p, b.n);
	struct ckpt_diff *d;
	struct ckpt_change c;
	int rc = ckpt_diff_open(&d, a, b, &how);
	bool good = rc == 0;

	while (good && (rc = ckpt_diff_next(d, &c)) > 0)
		good = apply(&got, &c);
	good = good && rc == 0 && cJSON_Compare(got, want, true);
	ckpt_diff_close(d);
	cJSON_Delete(got);
	cJSON_Delete(want);
	return good;
}

static void test_random(void)
{
	unsigned bad = 0;

	for (unsigned i = 0; i < PAIRS; i++) {
		struct ckpt_buf a = { 0 }, b = { 0 };

		grow_map(&a, 5);
		grow_map(&b, 5);
		if (!patch_fits(ckpt_buf_view(&a), ckpt_buf_view(&b)) && ++bad < 5)
			printf("# %s\n# %s\n", a.p, b.p);
		ckpt_buf_free(&a);
		ckpt_buf_free(&b);
	}
	ok(bad == 0, "%d random pairs: the patch makes b of a (%u do not)", PAIRS, bad);
}

/* ---- size ------------------------------------------------------------------------------------ */

enum shape { SAME, REVERSED, OTHER, EVERY_TENTH, ONE_VALUE };

static void big_list(struct ckpt_buf *to, unsigned n, enum shape shape)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned v = shape == REVERSED ? n - i : shape == OTHER ? n + 5 * i : i;

		if (shape == EVERY_TENTH && i % 10 == 0)
			v += n;
		if (shape == ONE_VALUE)
			v = i % 3 == 0;
		ckpt_buf_addf(to, "%c{\"x\":%u}", i ? ',' : '[', v);
	}
	ckpt_buf_puts(to, "]");
}

static long count(struct ckpt_view a, struct ckpt_view b, double *seconds)
{
	struct ckpt_compare how = { 0 };
	clock_t begin = clock();
	struct ckpt_diff *d;
	struct ckpt_change c;
	int rc = ckpt_diff_open(&d, a, b, &how);
	long n = 0;

	while (rc >= 0 && (rc = ckpt_diff_next(d, &c)) > 0)
		n++;
	ckpt_diff_close(d);
	*seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
	return rc < 0 ? rc : n;
}

static void test_lists(void)
{
	static const struct {
		enum shape a, b;
		const char *what;
	} rows[] = { { SAME, SAME, "equal" }, { SAME, REVERSED, "reversed" },
		{ SAME, OTHER, "other" }, { SAME, EVERY_TENTH, "every tenth" },
		{ ONE_VALUE, EVERY_TENTH, "few values" },
		{ SAME, ONE_VALUE, "few values, the other way" } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ckpt_buf a = { 0 }, b = { 0 };
		double seconds;
		long n;

		big_list(&a, 100000, rows[i].a);
		big_list(&b, 100000, rows[i].b);
		n = count(ckpt_buf_view(&a), ckpt_buf_view(&b), &seconds);
		ok(n >= 0 && n <= 200000 && seconds < 5,
				"100000 items, %s: %ld changes, %.2f s", rows[i].what, n,
				seconds);
		ckpt_buf_free(&a);
		ckpt_buf_free(&b);
	}
}

static void test_map(void)
{
	enum { KEYS = 1000000 };
	struct ckpt_buf a = { 0 }, b = { 0 };
	double seconds;
	long n;

	for (unsigned i = 0; i < KEYS; i++) {
		ckpt_buf_addf(&a, "%c\"k%u\":%u", i ? ',' : '{', i, i);
		ckpt_buf_addf(&b, "%c\"k%u\":%u", i ? ',' : '{', KEYS - i, KEYS - i);
	}
	ckpt_buf_puts(&a, "}");
	ckpt_buf_puts(&b, "}");
	n = count(ckpt_buf_view(&a), ckpt_buf_view(&b), &seconds);
	ok(n == 2 && seconds < 20, "a million keys in another order: %ld changes, %.2f s",
			n, seconds);
	ckpt_buf_free(&a);
	ckpt_buf_free(&b);
}

int main(void)
{
	test_cases();
	test_asked();
	test_random();
	test_lists();
	test_map();
	return done();
}
