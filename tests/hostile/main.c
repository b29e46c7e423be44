/*
 * main.c - hostile stores, made from a seed and read through the whole public API: nothing of them
 * may crash, hang, take memory or change a file. One line of TAP for each store of payloads, or
 * for each batch of files.
 *
 *   hostile payloads [SEED [FIRST COUNT]]     stores FIRST… of ROWS changed payloads each (0 40)
 *   hostile files [SEED [FIRST COUNT]]        batches FIRST… of FILES changed files each (0 20)
 *   hostile make-payloads SEED N PATH         write one of them, to look at it
 *   hostile make-file SEED N PATH             the Nth file of all
 *
 * FIXTURES and CORPUS name the folders of fixtures and of the fuzzers' stores. Everything is read
 * in a child, so that a fault names the row or the file. Built with ASan and UBSan it sees
 * faults; built plainly, memory.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "../fuzz/visit.h"
#include "hostile.h"

#define ROWS 500
#define STORES 40
#define FILES 100
#define BATCHES 20

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#define MEMORY_MOST ((size_t)512 << 20) /* freed memory stays in quarantine */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "max_allocation_size_mb=64:quarantine_size_mb=64";
}
#else
#define MEMORY_MOST ((size_t)64 << 20)
#define __lsan_do_recoverable_leak_check() 0
#endif

struct report { /* shared with the child */
	char where[300], fault[300];
	size_t checkpoints, values, corrupt, refused, largest;
	size_t files;
	bool done;
};

struct work {
	const char *path;
	uint64_t seed;
	struct report *report;
	struct pool pool;
	struct base *bases;
	size_t nbases;
};

/* ---- the child --------------------------------------------------------------------------------- */

/* One second of computing, or a hundred of waiting, for whatever comes next. */
static void wind_clock(void)
{
	const struct itimerval second = { .it_value = { .tv_sec = 1 } };

	setitimer(ITIMER_PROF, &second, NULL);
	alarm(100);
}

static void at_row(void *arg, const struct ckpt_key *key)
{
	struct report *r = arg;

	snprintf(r->where, sizeof(r->where), "%.100s of thread %.40s",
			key->id.n ? (const char *)key->id.p : "?",
			key->thread.n ? (const char *)key->thread.p : "?");
	wind_clock();
}

static void add_up(struct report *r, const struct visit *v)
{
	r->checkpoints += v->checkpoints;
	r->values += v->values;
	r->corrupt += v->corrupt;
	r->refused += v->code < 0;
	r->largest = v->largest > r->largest ? v->largest : r->largest;
	if (v->fault[0] && !r->fault[0])
		snprintf(r->fault, sizeof(r->fault), "%s", v->fault);
}

static void read_payloads(struct work *w, size_t number)
{
	struct visit v = { .row = at_row, .arg = w->report };

	(void)number;
	visit_store(&v, w->path);
	if (v.checkpoints != ROWS && !v.fault[0])
		snprintf(v.fault, sizeof(v.fault), "%zu of %d checkpoints were read",
				v.checkpoints, ROWS);
	add_up(w->report, &v);
}

static void make_file(struct work *w, size_t number, struct base *copy)
{
	uint64_t own = seed_of(w->seed, number);

	mutate_file(copy, &w->bases[below(&own, w->nbases)], &own);
}

static void same_bytes(struct report *r, const char *what, const struct ckpt_buf *was,
		const struct ckpt_buf *now)
{
	if (!r->fault[0] &&
			(was->n != now->n || (was->n && memcmp(was->p, now->p, was->n))))
		snprintf(r->fault, sizeof(r->fault),
				"reading changed the %s: %zu bytes, now %zu", what,
				was->n, now->n);
}

static void read_files(struct work *w, size_t batch)
{
	struct report *r = w->report;
	struct base copy = { 0 }, now = { 0 };

	for (size_t i = batch * FILES; i < (batch + 1) * FILES && !r->fault[0]; i++) {
		struct visit v = { 0 };

		snprintf(r->where, sizeof(r->where), "file %zu", i);
		make_file(w, i, &copy);
		if (!base_write(&copy, w->path))
			snprintf(r->fault, sizeof(r->fault), "cannot write: %s",
					strerror(errno));
		wind_clock();
		visit_store(&v, w->path);
		add_up(r, &v);
		r->files++;
		if (!base_read(&now, w->path))
			snprintf(r->fault, sizeof(r->fault), "cannot read it again");
		same_bytes(r, "database", &copy.db, &now.db);
		same_bytes(r, "WAL", &copy.wal, &now.wal);
		same_bytes(r, "journal", &copy.journal, &now.journal);
	}
	base_free(&copy);
	base_free(&now);
}

/* ---- the parent ------------------------------------------------------------------------------- */

/* "" if the child came back well, else what happened to it. */
static void judge(struct report *r, int status, const struct rusage *use)
{
	size_t most = MEMORY_MOST + 3 * r->largest, used = (size_t)use->ru_maxrss * 1024;

	if (WIFSIGNALED(status))
		snprintf(r->fault, sizeof(r->fault), "ended by signal %d%s",
				WTERMSIG(status),
				WTERMSIG(status) == SIGPROF || WTERMSIG(status) == SIGALRM
						? ": more than a second"
						: "");
	else if (WEXITSTATUS(status) || !r->done)
		snprintf(r->fault, sizeof(r->fault), "ended with %d",
				WEXITSTATUS(status));
	else if (!r->fault[0] && used > most)
		snprintf(r->fault, sizeof(r->fault), "%zu MiB were used", used >> 20);
}

static bool run(struct work *w, size_t number, void (*read)(struct work *, size_t))
{
	struct report *r = w->report;
	struct rusage use = { 0 };
	int status = 0;
	pid_t child;

	*r = (struct report){ 0 };
	fflush(stdout);
	child = fork();
	if (child == 0) {
		read(w, number);
		r->done = __lsan_do_recoverable_leak_check() == 0;
		_exit(0);
	}
	if (child < 0 || wait4(child, &status, 0, &use) != child)
		snprintf(r->fault, sizeof(r->fault), "cannot fork");
	else
		judge(r, status, &use);
	printf("%s %zu - ", r->fault[0] ? "not ok" : "ok", number + 1);
	return !r->fault[0];
}

static bool payloads(struct work *w, size_t number)
{
	bool good;

	make_rows(w->path, &w->pool, ROWS, seed_of(w->seed, number));
	good = run(w, number, read_payloads);
	printf("store %zu: %zu checkpoints, %zu values, %zu corrupt\n", number,
			w->report->checkpoints, w->report->values, w->report->corrupt);
	unlink(w->path);
	return good;
}

static bool files(struct work *w, size_t number)
{
	bool good = run(w, number, read_files);

	printf("batch %zu: %zu files, %zu refused or damaged, %zu checkpoints\n", number,
			w->report->files, w->report->refused, w->report->checkpoints);
	return good;
}

static bool many(struct work *w, const char *what, size_t first, size_t count)
{
	bool good = true;

	for (size_t i = 0; i < count; i++) {
		bool fine = strcmp(what, "files") == 0 ? files(w, first + i)
		                                       : payloads(w, first + i);

		good = good && fine;
		if (!fine)
			printf("# %s, at %s\n# seed %" PRIu64 "\n", w->report->fault,
					w->report->where, w->seed);
	}
	printf("# seed %" PRIu64 "\n1..%zu\n", w->seed, count);
	return good;
}

static bool make_one(struct work *w, const char *what, size_t number, const char *path)
{
	struct base copy = { 0 };
	bool good = true;

	if (strcmp(what, "make-payloads") == 0) {
		make_rows(path, &w->pool, ROWS, seed_of(w->seed, number));
	} else {
		make_file(w, number, &copy);
		good = base_write(&copy, path);
	}
	base_free(&copy);
	return good;
}

static const char *folder(const char *name, const char *otherwise)
{
	const char *set = getenv(name);

	return set ? set : otherwise;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "",
		   *fixtures = folder("FIXTURES", "build/fixtures");
	struct work w = { .path = made_path("hostile.db"),
		.seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 20261121 };
	size_t first = argc > 3 ? strtoul(argv[3], NULL, 10) : 0,
	       count = argc > 4                     ? strtoul(argv[4], NULL, 10)
	               : strcmp(what, "files") == 0 ? BATCHES
	                                            : STORES;
	bool made = strncmp(what, "make-", 5) == 0, good;

	w.report = mmap(NULL, sizeof(*w.report), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	w.nbases = bases_load(
			&w.bases, fixtures, folder("CORPUS", "tests/fuzz/corpus/store"));
	if (w.report == MAP_FAILED || !w.nbases || !pool_load(&w.pool, fixtures)) {
		printf("Bail out! no fixtures in %s\n", fixtures);
		fflush(stdout);
		return 2;
	}
	good = made ? make_one(&w, what, first, argv[4]) : many(&w, what, first, count);
	pool_free(&w.pool);
	bases_free(w.bases, w.nbases);
	munmap(w.report, sizeof(*w.report));
	return good ? 0 : 1;
}
