/*
 * test_ahead.c - a scan whose rows a second thread reads ahead gives what one that reads them
 * itself gives; it may end at any row, and meets a damaged page as the other does.
 */
#include <fcntl.h>
#include <unistd.h>

#include "t.h"
#include "made.h"

#define THREADS 60
#define EACH 60

/* Large enough that reading ahead is worth it; threads take turns, some names are kept as BLOB, some
 * writes have no checkpoint. */
static const char *large(const char *name)
{
	const char *path = made_path(name);
	sqlite3 *db = made_store(path);

	made_sql(db, "WITH t(t) AS (SELECT 0 UNION ALL SELECT t + 1 FROM t WHERE t < "
		     "59), "
		     "n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 59) "
		     "INSERT INTO checkpoints SELECT CASE t % 7 WHEN 6 THEN CAST('b' || "
		     "t "
		     "AS BLOB) ELSE 'thread ' || t END, CASE t % 3 WHEN 2 THEN 'call:1' "
		     "ELSE '' END, printf('1f1a779a-%04d-6456-8002-cc508af2a129', n), "
		     "CASE n WHEN 0 THEN NULL ELSE "
		     "printf('1f1a779a-%04d-6456-8002-cc508af2a129', n - 1) END, "
		     "'msgpack', zeroblob(2500 + t * n), '{}' FROM n, t");
	made_sql(db, "WITH k(k) AS (VALUES (0), (1), (2)) INSERT INTO writes SELECT "
		     "thread_id, checkpoint_ns, checkpoint_id || (c.rowid % 50 = 0), "
		     "'task' || k, '', k, 'c' || (c.rowid % 5), 'msgpack', "
		     "zeroblob(c.rowid % 300) FROM checkpoints AS c, k "
		     "WHERE (c.rowid + k) % 4 <> 0");
	made_close(db);
	return path;
}

static void put(struct ckpt_buf *to, struct ckpt_view v)
{
	ckpt_buf_puts(to, v.p ? " =" : " -");
	ckpt_buf_add(to, v.p, v.n);
}

static int by_task(const void *pa, const void *pb)
{
	const struct ckpt_write *a = pa, *b = pb;

	return ckpt_view_cmp(a->task, b->task);
}

/* Who is terse tells them in any order. */
static void put_writes(struct ckpt_buf *to, const struct ckpt_checkpoint *c)
{
	struct ckpt_write w[8];

	if (c->nwrites > LEN(w))
		abort();
	for (size_t i = 0; i < c->nwrites; i++)
		w[i] = c->writes[i];
	qsort(w, c->nwrites, sizeof(*w), by_task);
	for (size_t i = 0; i < c->nwrites; i++) {
		put(to, w[i].task);
		put(to, w[i].channel);
		ckpt_buf_addf(to, " %lld", (long long)w[i].size);
	}
}

/* Up to `most` checkpoints as text. */
static int read_links(struct ckpt_buf *to, const char *path, bool terse, long most)
{
	const struct ckpt_pick pick = { .depth = CKPT_LINKS,
		.writes = true,
		.sizes = true,
		.own_sizes = true,
		.terse = terse,
		.locate = true };
	struct ckpt_error err = { 0 };
	struct ckpt_store *s = made_open(path, &err);
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan = NULL;
	int rc = s ? ckpt_scan_open(&scan, s, &pick) : err.code;

	while (rc >= 0 && most-- && (rc = ckpt_scan_next(scan, &c)) > 0) {
		put(to, c.key.thread);
		put(to, c.key.ns);
		put(to, c.key.id);
		put(to, c.parent);
		ckpt_buf_addf(to, " %u %lld %lld %lld %lld %zu", c.key.blob,
				(long long)c.row, (long long)c.size,
				(long long)c.meta_size, (long long)c.writes_size,
				c.nwrites);
		put_writes(to, &c);
		ckpt_buf_puts(to, "\n");
	}
	ckpt_scan_close(scan);
	ckpt_store_close(s);
	return rc < 0 ? rc : 0;
}

static bool alike(const char *path, long most, int want)
{
	struct ckpt_buf ahead = { 0 }, plain = { 0 };
	int a = read_links(&ahead, path, true, most),
	    b = read_links(&plain, path, false, most);
	bool good = a == want && b == want && !ahead.failed && !plain.failed &&
	            (want || ahead.n > 0) &&
	            (want || ckpt_view_eq(ckpt_buf_view(&ahead), ckpt_buf_view(&plain)));

	ckpt_buf_free(&ahead);
	ckpt_buf_free(&plain);
	return good;
}

static void damage(const char *path)
{
	static const char junk[4096] = { 0x7f, 1, 2, 3 };
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	off_t end = lseek(fd, 0, SEEK_END);

	for (off_t at = end / 2; at < end; at += 4096)
		if (pwrite(fd, junk, sizeof(junk), at) != (ssize_t)sizeof(junk))
			abort();
	close(fd);
}

int main(void)
{
	const char *path = large("large.db");

	ok(alike(path, -1, 0), "all of a large store");
	for (long most = 1; most < THREADS * EACH; most *= 8)
		ok(alike(path, most, 0), "ended after %ld", most);
	path = large("damaged.db");
	damage(path);
	ok(alike(path, -1, CKPT_ECORRUPT), "a damaged page");
	return done();
}
