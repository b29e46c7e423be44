/*
 * test_check_team.c - a check by several threads tells what one thread tells, in the same order:
 * of a store where much is wrong, in which units have to wait for their turn; and it ends early
 * where one thread would. Stores named as arguments are compared too.
 */
#include <pthread.h>

#include "t.h"
#include "made.h"

struct told {
	struct ckpt_buf text;
	pthread_t by; /* the only thread that may tell */
	bool strange; /* another one did */
	long n, most; /* findings; after so many it is enough, if not 0 */
};

static int found(void *arg, const struct ckpt_finding *f)
{
	const struct ckpt_view part[] = { f->key.thread, f->key.ns, f->key.id, f->channel,
		f->detail };
	struct told *t = arg;

	t->strange |= !pthread_equal(t->by, pthread_self());
	ckpt_buf_addf(&t->text, "%s %u", f->code, f->key.blob);
	for (size_t i = 0; i < LEN(part); i++) {
		ckpt_buf_puts(&t->text, part[i].p ? " =" : " -");
		ckpt_buf_add(&t->text, part[i].p, part[i].n);
	}
	ckpt_buf_puts(&t->text, "\n");
	return ++t->n == t->most ? CKPT_EIO : 0;
}

static int check(struct told *t, const char *path, unsigned jobs, struct ckpt_check *c)
{
	struct ckpt_error err = { 0 };
	struct ckpt_store *s = made_open(path, &err);
	int rc = err.code;

	t->by = pthread_self();
	t->text.n = 0;
	t->n = 0;
	*c = (struct ckpt_check){ .jobs = jobs, .found = found, .arg = t };
	if (s)
		rc = ckpt_check(s, c);
	ckpt_store_close(s);
	return rc;
}

static void as_one_thread(const char *path, long most)
{
	struct told one = { .most = most }, many = { .most = most };
	struct ckpt_check a, b;
	int rc = check(&one, path, 1, &a);

	for (unsigned jobs = 2; jobs <= 4; jobs++) {
		bool good = check(&many, path, jobs, &b) == rc && !many.strange &&
		            !one.text.failed && !many.text.failed &&
		            ckpt_view_eq(ckpt_buf_view(&one.text),
					    ckpt_buf_view(&many.text)) &&
		            (most || a.checked == b.checked) &&
		            memcmp(a.count, b.count, sizeof(a.count)) == 0;

		ok(good, "%s: %u threads as one: %ld findings", strrchr(path, '/') + 1,
				jobs, one.n);
	}
	ckpt_buf_free(&one.text);
	ckpt_buf_free(&many.text);
}

/* Each checkpoint and write of the middle threads is broken, some writes have no checkpoint. */
static const char *much_is_wrong(void)
{
	const char *path = made_path("wrong.db");
	sqlite3 *db = made_store(path);

	made_sql(db, "WITH t(t) AS (SELECT 0 UNION ALL SELECT t + 1 FROM t WHERE t < "
		     "40), "
		     "n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 99) "
		     "INSERT INTO checkpoints SELECT CASE t % 5 WHEN 4 THEN "
		     "CAST('thread ' || t AS BLOB) ELSE 'thread ' || t END, '', "
		     "printf('1f1a779a-%04d-6456-8002-cc508af2a129', n), NULL, "
		     "'msgpack', "
		     "CASE WHEN t BETWEEN 10 AND 30 THEN x'c1' ELSE x'80' END, '{}' "
		     "FROM n, t; INSERT INTO writes SELECT thread_id, '', checkpoint_id "
		     "|| (rowid % 50 = 0), 'task', '', 0, 'c', 'msgpack', checkpoint "
		     "FROM "
		     "checkpoints");
	made_close(db);
	return path;
}

static bool after(void *arg)
{
	long *left = arg;

	return (*left)-- <= 0;
}

static void interrupted(const char *path)
{
	for (unsigned jobs = 1; jobs <= 3; jobs++) {
		long left = 1500;
		struct ckpt_config config = { .stop = after, .arg = &left };
		struct ckpt_error err = { 0 };
		struct told t = { .by = pthread_self() };
		struct ckpt_check c = { .jobs = jobs, .found = found, .arg = &t };
		struct ckpt_store *s;
		int rc = ckpt_store_open(&s, path, &config, &err);

		rc = rc < 0 ? rc : ckpt_check(s, &c);
		ok(rc == CKPT_EINTERRUPTED && err.code == rc && !t.strange,
				"%u threads are stopped: %s", jobs, err.text);
		ckpt_store_close(s);
		ckpt_buf_free(&t.text);
	}
}

int main(int argc, char **argv)
{
	const char *path = much_is_wrong();

	as_one_thread(path, 0);
	as_one_thread(path, 1);
	as_one_thread(path, 1700);
	interrupted(path);
	for (int i = 1; i < argc; i++)
		as_one_thread(argv[i], 0);
	return done();
}
