/*
 * drop_keys.c - drops what standard input names, for tests: fields that end in NUL bytes, `s`
 * thread ns newest whole whole_thread chains count root_newest (empty: none) strays, then `i` id
 * writes for each. Prints what went and, on the first line of standard error, what failed; the exit status is the
 * library's code, positive.
 *
 *	drop_keys STORE [SHARD SHARDS [HOLD_MS [PATIENCE_MS [plain|full]]]] <KEYS
 *
 * With the last word VACUUM comes afterwards, and a line: way, bytes before, after, why.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vacuum.h"

static char *field(void)
{
	char *text = NULL;
	size_t cap = 0;

	if (getdelim(&text, &cap, '\0', stdin) > 0)
		return text;
	free(text);
	return NULL;
}

#define WORDS 9

static int add_space(struct doomed *list)
{
	char *words[WORDS];
	struct doomed_space s = { 0 };
	int rc;

	for (size_t i = 0; i < WORDS; i++) {
		words[i] = field();
		if (!words[i])
			abort();
	}
	s.key.thread = ckpt_view_of(words[0]);
	s.key.ns = ckpt_view_of(words[1]);
	s.newest = ckpt_view_of(words[2]);
	s.whole = words[3][0] == '1';
	s.whole_thread = words[4][0] == '1';
	s.chains = words[5][0] == '1';
	s.count = strtoll(words[6], NULL, 10);
	if (*words[7])
		s.root_newest = ckpt_view_of(words[7]);
	s.strays = strtoll(words[8], NULL, 10);
	rc = doomed_space(list, &s);
	for (size_t i = 0; i < WORDS; i++)
		free(words[i]);
	return rc;
}

static int read_keys(struct doomed *list)
{
	char *kind;
	int rc = 0;

	while (rc == 0 && (kind = field())) {
		if (*kind == 's') {
			rc = add_space(list);
		} else {
			char *id = field(), *writes = field();

			rc = doomed_add(list, ckpt_view_of(id), false, -1,
					writes ? strtoll(writes, NULL, 10) : -1);
			free(writes);
			free(id);
		}
		free(kind);
	}
	return rc;
}

static void tell(void *arg, const struct ckpt_key *key)
{
	(void)arg;
	printf("moved %.*s %.*s\n", (int)key->thread.n, (const char *)key->thread.p,
			(int)key->ns.n, (const char *)key->ns.p);
}

static int64_t number(char **argv, int argc, int at)
{
	return argc > at ? strtoll(argv[at], NULL, 10) : 0;
}

static void vacuum(struct edit *edit, const char *way)
{
	struct vacuum_how how = { .full = strcmp(way, "full") == 0 };
	struct vacuum_sum sum;

	if (vacuum_run_postgres(edit, &how, &sum) == 0)
		printf("vacuum %d %" PRId64 " %" PRId64 " %s\n", (int)sum.way, sum.before,
				sum.after, sum.why);
}

int main(int argc, char **argv)
{
	struct ckpt_error err = { 0 };
	struct ckpt_config config = { .lock_wait = 5000000000 };
	struct edit_want want = { .verb = "prune",
		.shard = number(argv, argc, 2),
		.shards = number(argv, argc, 3) };
	struct drop_how how = { .hold = number(argv, argc, 4) * 1000000,
		.patience = number(argv, argc, 5) * 1000000,
		.moved = tell };
	struct drop_sum sum = { 0 };
	struct doomed *list = NULL;
	struct edit *edit = NULL;

	if (argc > 1 && doomed_new(&list, &err) == 0 && read_keys(list) == 0 &&
			edit_open(&edit, argv[1], &config, &want, &err) == 0)
		drop_run(edit, list, &how, &sum);
	if (edit && argc > 6 && !err.code)
		vacuum(edit, argv[6]);
	printf("%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", sum.checkpoints,
			sum.writes, sum.blobs, sum.moved);
	if (err.code)
		fprintf(stderr, "%s\n", err.text);
	edit_close(edit);
	if (list)
		doomed_free(list);
	return -err.code;
}
