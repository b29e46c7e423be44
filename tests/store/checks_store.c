/*
 * checks_store.c - the store as a whole: what it says of itself, scans inside scans, what is left
 * behind, what others do meanwhile, how much memory one large row takes.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "checks.h"
#include "made.h"

bool check_about(struct ckpt_store *s)
{
	struct ckpt_about a;
	const char *schema = !kind_is_postgres(now.kind) ? NULL
	                     : now.kind->schema          ? now.kind->schema
	                                                 : "public";

	return ckpt_store_about(s, &a) == 0 && strcmp(a.engine, now.kind->engine) == 0 &&
	       strcmp(a.layout, now.kind->layout) == 0 && !a.schema == !schema &&
	       (!schema || strcmp(a.schema, schema) == 0) &&
	       a.writers == (now.kind->js ? CKPT_JS : CKPT_PYTHON) &&
	       !ckpt_store_tentative(s);
}

/* ---- scans ----------------------------------------------------------------------------------------- */

static bool good_rows(struct ckpt_store *s, const struct ckpt_key *key, size_t *at)
{
	struct ckpt_pick p = { .depth = CKPT_KEYS,
		.key = { key->thread, key->ns, { 0 }, 0 } };
	struct ckpt_checkpoint c, deep;
	struct ckpt_scan *scan, *inner;
	bool good = ckpt_scan_open(&scan, s, &p) == 0;

	while (good && ckpt_scan_next(scan, &c) == 1) {
		struct ckpt_pick one = {
			.depth = CKPT_VALUES, .writes = true, .key = c.key
		};

		good = *at < now.nwant && same_view(c.key.id, now.want[*at]->id) &&
		       ckpt_scan_one(&inner, s, &one, &deep) == 1;
		if (!good)
			break;
		good = same_view(deep.key.id, c.key.id) &&
		       deep.nvalues == now.want[(*at)++]->nvalues;
		ckpt_scan_close(inner);
	}
	ckpt_scan_close(scan);
	return good;
}

bool check_nested(struct ckpt_store *s)
{
	struct ckpt_pick p = { .depth = CKPT_SPANS };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	size_t at = 0;
	bool good = ckpt_scan_open(&scan, s, &p) == 0;

	while (good && ckpt_scan_next(scan, &c) == 1)
		good = good_rows(s, &c.key, &at);
	ckpt_scan_close(scan);
	return good && at == now.nwant;
}

bool check_half(struct ckpt_store *s)
{
	for (unsigned d = CKPT_HEADS; d <= CKPT_VALUES; d++) {
		struct ckpt_pick p = { .depth = (enum ckpt_depth)d, .writes = true };
		struct ckpt_checkpoint c;

		for (size_t rows = 0; rows < 60; rows += 19) {
			struct ckpt_scan *scan;
			bool good = ckpt_scan_open(&scan, s, &p) == 0;

			for (size_t i = 0; i < rows && good; i++)
				good = ckpt_scan_next(scan, &c) >= 0;
			ckpt_scan_close(scan);
			if (!good)
				return false;
		}
	}
	return gives(s, &(struct ckpt_pick){ .depth = CKPT_KEYS }, NULL);
}

/* ---- traces ---------------------------------------------------------------------------------------- */

/* Files: names, sizes, times. A server: transactions that wrote, which have numbers; and what a
 * pooler's session keeps of the reader before. */
static void put_traces(struct ckpt_buf *to)
{
	const char *slash = strrchr(now.where, '/');
	char path[600];
	struct dirent *e;
	struct stat st;
	DIR *dir;

	if (kind_is_postgres(now.kind)) {
		postgres_ask(now.kind, false,
				"SELECT pg_snapshot_xmax(pg_current_snapshot()), "
				"(SELECT count(*) FROM pg_class WHERE "
				"relpersistence = 't')",
				to);
		return;
	}
	snprintf(path, sizeof(path), "%.*s", (int)(slash - now.where), now.where);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - now.where),
				now.where, e->d_name);
		if (e->d_name[0] != '.' && stat(path, &st) == 0)
			ckpt_buf_addf(to, "%s %lld %lld.%09ld\n", e->d_name,
					(long long)st.st_size,
					(long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	}
	if (dir)
		closedir(dir);
}

static bool nothing_in_session(void)
{
	static const char *const questions[] = {
		"SELECT count(*) FROM pg_prepared_statements",
		/* this question's own, where there is one, has no name */
		"SELECT count(*) FROM pg_cursors WHERE name <> ''",
		/* the pooler keeps these for each of its clients */
		"SELECT count(*) FROM pg_settings WHERE source = 'session' AND "
		"lower(name) NOT "
		"IN ('client_encoding', 'datestyle', 'timezone', 'application_name', "
		"'standard_conforming_strings')",
		"SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype "
		"= "
		"'advisory'",
		"SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in "
		"transaction%' "
		"AND usename = 'ckpt_reader' AND datname = current_database()",
	};
	bool good = true;

	for (size_t i = 0; i < LEN(questions) && good; i++) {
		struct ckpt_buf out = { 0 };

		good = postgres_ask(now.kind, now.kind->pooled, questions[i], &out) &&
		       out.n == 2 && out.p[0] == '0';
		if (!good)
			printf("# %.60s…: %s\n", questions[i], out.p ? out.p : "");
		ckpt_buf_free(&out);
	}
	return good;
}

/* All that was done to this store so far, once more with it closed before and after. */
bool check_untouched(struct ckpt_store *s)
{
	struct ckpt_buf before = { 0 }, after = { 0 };
	bool good = true;

	ckpt_store_end(s);
	for (unsigned way = 0; way < 4 && good; way++) {
		struct ckpt_pick p = { .depth = CKPT_VALUES, .writes = true };
		struct ckpt_checkpoint c;
		struct ckpt_store *mine;
		struct ckpt_scan *scan;

		before.n = after.n = 0;
		put_traces(&before);
		mine = open_store();
		good = mine && gives(mine, &p, NULL);
		/* ended and closed; closed alone; closed with a scan half done */
		if (good && way >= 2) {
			good = ckpt_scan_one(&scan, mine, &p, &c) == 1;
			ckpt_scan_close(scan);
		}
		if (good && way % 2 == 0)
			good = ckpt_store_end(mine) == 0;
		ckpt_store_close(mine);
		put_traces(&after);
		good = good &&
		       ckpt_view_eq(ckpt_buf_view(&before), ckpt_buf_view(&after)) &&
		       (!kind_is_postgres(now.kind) || nothing_in_session());
		if (!good)
			printf("# way %u\n", way);
	}
	ckpt_buf_free(&before);
	ckpt_buf_free(&after);
	return good;
}

/* ---- others ---------------------------------------------------------------------------------------- */

static bool has_thread(struct ckpt_store *s, struct ckpt_view thread)
{
	struct ckpt_pick p = { .depth = CKPT_KEYS, .key = { .thread = thread } };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	bool found = ckpt_scan_one(&scan, s, &p, &c) == 1;

	ckpt_scan_close(scan);
	return found;
}

/* A reader keeps its view from the moment of opening, before its first row. */
bool check_snapshot(struct ckpt_store *s)
{
	struct ckpt_store *later;
	bool good, new_one;

	now.kind->add_late(now.kind);
	good = !has_thread(s, CKPT_LIT("late")) &&
	       gives(s, &(struct ckpt_pick){ .depth = CKPT_KEYS }, NULL) &&
	       ckpt_store_end(s) == 0;
	later = open_store();
	new_one = later && has_thread(later, CKPT_LIT("late"));
	ckpt_store_close(later);
	/* without a write-ahead log the writer has to wait */
	return good &&
	       (new_one || (!kind_is_postgres(now.kind) && now.kind->no_task_path));
}

/* ---- memory ---------------------------------------------------------------------------------------- */

static bool read_huge(void)
{
	struct ckpt_pick p = { .depth = CKPT_VALUES,
		.key = { .thread = CKPT_LIT("huge"), .ns = CKPT_LIT("") } };
	struct ckpt_store *mine = open_store();
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	struct rusage use;
	const char *body;
	bool good = mine && ckpt_scan_one(&scan, mine, &p, &c) == 1;

	if (!good)
		return false;
	body = c.nvalues == 1 ? c.values[0].body.p : NULL;
	good = body && c.values[0].body.n == CONTENT_HUGE + 5 && body[5] == 'x' &&
	       memcmp(body + 5, body + 6, CONTENT_HUGE - 1) == 0;
	ckpt_scan_close(scan);
	ckpt_store_close(mine);
	getrusage(RUSAGE_SELF, &use);
	printf("# %s: %ld MiB for %d\n", now.kind->name, use.ru_maxrss / 1024,
			CONTENT_HUGE >> 20);
	fflush(stdout);
#ifndef __SANITIZE_ADDRESS__
	good = good && use.ru_maxrss < 3L * CONTENT_HUGE / 1024 + 64 * 1024;
#endif
	return good;
}

bool check_huge(struct ckpt_store *s)
{
	int status = 1;
	pid_t pid;

	ckpt_store_end(s);
	now.kind->add_huge(now.kind);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(read_huge() ? 0 : 1);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}
