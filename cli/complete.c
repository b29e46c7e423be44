/*
 * complete.c - `ckpt __complete KIND WORD`: live words for a shell, one a line, a tab, a remark.
 *
 * Someone is typing: read-only, silent on every failure, over within 300 ms. Ids with control
 * characters are left out, because a shell could not type them.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "frame.h"

#define SCAN_NS INT64_C(200000000)
#define WHOLE_NS INT64_C(280000000)
#define LOCK_WAIT_NS INT64_C(100000000)
#define MOST_WORDS 1000

struct complete {
	const char *thread; /* --thread: ids of this one */
};

struct live {
	struct cli *cli;
	struct ckpt_store *store;
	struct ckpt_view word;
	int64_t until;
	size_t words;
};

static bool begins(struct ckpt_view v, struct ckpt_view with)
{
	return v.n >= with.n && (with.n == 0 || strncasecmp(v.p, with.p, with.n) == 0);
}

static bool time_over(const struct live *l)
{
	return ckpt_now() > l->until || l->words >= MOST_WORDS;
}

/* Could it be typed: does it look the same when made harmless? */
static bool typeable(struct ckpt_view v)
{
	struct ckpt_buf safe = { 0 };
	bool same;

	text_safe(&safe, v, 0);
	same = v.n && !safe.failed && ckpt_view_eq(ckpt_buf_view(&safe), v);
	ckpt_buf_free(&safe);
	return same;
}

/* `count` < 0: not known. */
static void put_word(struct live *l, struct ckpt_view v, int64_t count, int64_t time)
{
	struct ckpt_buf line = { 0 };

	if (!typeable(v))
		return;
	ckpt_buf_add(&line, v.p, v.n);
	ckpt_buf_puts(&line, "\t");
	if (count >= 0)
		ckpt_buf_addf(&line, "%lld checkpoint%s", (long long)count,
				count == 1 ? "" : "s");
	if (count >= 0 && time != CKPT_UNKNOWN)
		ckpt_buf_puts(&line, ", ");
	text_time(&line, time, l->cli->now, false);
	ckpt_buf_puts(&line, "\n");
	if (!line.failed)
		out_put(l->cli, ckpt_buf_view(&line));
	ckpt_buf_free(&line);
	l->words++;
}

/* All namespaces of a thread come one after the other: sum them up. */
static void threads(struct live *l)
{
	struct ckpt_pick pick = { .depth = CKPT_SPANS };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan = NULL;
	struct ckpt_buf name = { 0 };
	int64_t count = -1, newest = CKPT_UNKNOWN;

	if (ckpt_scan_open(&scan, l->store, &pick) < 0)
		return;
	while (!time_over(l) && ckpt_scan_next(scan, &c) > 0) {
		int64_t t = ckpt_time_of_id(c.key.id);

		if (!begins(c.key.thread, l->word))
			continue;
		if (count >= 0 && !ckpt_view_eq(c.key.thread, ckpt_buf_view(&name))) {
			put_word(l, ckpt_buf_view(&name), count, newest);
			count = -1;
		}
		if (count < 0) {
			count = 0;
			newest = CKPT_UNKNOWN;
			name.n = 0;
			ckpt_buf_add(&name, c.key.thread.p, c.key.thread.n);
		}
		count += c.count;
		newest = t > newest ? t : newest;
	}
	if (count >= 0)
		put_word(l, ckpt_buf_view(&name), count, newest);
	ckpt_buf_free(&name);
	ckpt_scan_close(scan);
}

/* `word` is THREAD@{…: the short ids that fit, newest first; full ids if no short one does. */
static void short_ids(struct live *l, size_t at)
{
	const char *p = l->word.p;
	struct ckpt_view part = { p + at + 2, l->word.n - at - 2 };
	struct ckpt_key key = { .thread = { p, at }, .ns = CKPT_LIT("") };
	struct ckpt_lineage *line = NULL;

	if (ckpt_lineage_load(&line, l->store, &key) < 0)
		return;
	for (size_t i = line->count; i-- && !time_over(l);) {
		struct ckpt_view id = ckpt_short_id(line, i);
		struct ckpt_buf word = { 0 };

		if (!begins(id, part))
			id = line->links[i].id;
		if (begins(id, part)) {
			ckpt_buf_add(&word, p, at + 2);
			ckpt_buf_add(&word, id.p, id.n);
			ckpt_buf_puts(&word, "}");
			put_word(l, ckpt_buf_view(&word), -1, line->links[i].time);
		}
		ckpt_buf_free(&word);
	}
	ckpt_lineage_free(line);
}

/* Ids (newest first) or namespaces, taken literally, of one thread or of all. */
static void keys(struct live *l, const char *thread, bool ids)
{
	struct ckpt_pick pick = { .key.thread = ckpt_view_of(thread),
		.depth = ids ? CKPT_KEYS : CKPT_HEADS,
		.descending = true };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan = NULL;

	if (ids)
		pick.key.ns = CKPT_LIT("");
	if (ckpt_scan_open(&scan, l->store, &pick) < 0)
		return;
	while (!time_over(l) && ckpt_scan_next(scan, &c) > 0) {
		struct ckpt_view v = ids ? c.key.id : c.key.ns;

		if (begins(v, l->word))
			put_word(l, v, -1, ckpt_time_of_id(c.key.id));
	}
	ckpt_scan_close(scan);
}

static void complete_kind(struct live *l, const char *kind, const char *thread)
{
	const char *brace = l->word.n ? memmem(l->word.p, l->word.n, "@{", 2) : NULL;

	if (strcmp(kind, "ns") == 0)
		keys(l, thread, false);
	else if (strcmp(kind, "checkpoint") == 0 && thread)
		keys(l, thread, true);
	else if (strcmp(kind, "checkpoint") == 0 && brace)
		short_ids(l, (size_t)(brace - (const char *)l->word.p));
	else
		threads(l);
}

static void look_up(struct cli *cli)
{
	const struct complete *o = cli->opts;
	const char *name = cli->g.store ? cli->g.store : getenv("CKPT_STORE");
	struct ckpt_config config = { .schema = cli->g.schema,
		.layout = cli->g.layout,
		.lock_wait = LOCK_WAIT_NS };
	struct ckpt_error err = { 0 };
	struct live l = { .cli = cli,
		.until = cli->now + SCAN_NS,
		.word = ckpt_view_of(cli->nargs > 1 ? cli->args[1] : "") };

	if (!name || !*name || ckpt_store_open(&l.store, name, &config, &err) < 0)
		return;
	complete_kind(&l, cli->args[0], o->thread);
	ckpt_store_close(l.store);
}

/* Hand on what the child finds until it ends or the time is over. */
static void relay(struct cli *cli, int from)
{
	struct pollfd wait = { .fd = from, .events = POLLIN };
	char block[8192];
	int64_t left;
	ssize_t n;

	while ((left = cli->now + WHOLE_NS - ckpt_now()) > 0) {
		if (poll(&wait, 1, (int)(left / 1000000) + 1) <= 0)
			continue;
		n = read(from, block, sizeof(block));
		if (n <= 0)
			return;
		out_put(cli, (struct ckpt_view){ block, (size_t)n });
	}
}

/* A child looks, because it may be held up: leaving it alone is in time, and unlike an exit in
 * the middle lets it close the store, so that no file stays beside it. */
static int complete(struct cli *cli)
{
	int ends[2], null;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return 0;
	child = fork();
	if (child == 0) {
		/* nothing of the shell's may stay open once the parent has gone */
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		dup2(null, STDIN_FILENO);
		dup2(ends[1], STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		look_up(cli);
		return 0;
	}
	close(ends[1]);
	if (child > 0)
		relay(cli, ends[0]);
	close(ends[0]);
	return 0;
}

static const struct opt opts[] = { { 0, "thread", OPT_TEXT, AT(struct complete, thread),
						   "ID", "ids of this thread", NULL,
						   COMPLETE_THREAD, false },
	{ 0, NULL, OPT_END_KIND, 0, NULL, NULL, NULL, 0, false } };

const struct cmd cmd_complete = { .name = "__complete",
	.args = "thread|checkpoint|ns [WORD]",
	.min_args = 1,
	.max_args = 2,
	.summary = "print live words for a shell's completion",
	.opts = opts,
	.size = sizeof(struct complete),
	.hidden = true,
	.run = complete };
