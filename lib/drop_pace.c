/*
 * drop_pace.c - deleting beside live writers of a SQLite file. They wait by asking again after
 * 1, 2, 5, 10, 15, 20, 25, 25, 25, 50 ms …, nobody queues them, and nobody can see them wait. So a
 * transaction is short, and where others write, what follows it is longer than the time between
 * two of their questions. The log is moved into the file in that time, which needs no lock.
 */
#include "drop_pace.h"

#define MS INT64_C(1000000)
#define GAP (26 * MS)         /* one of the first seven questions falls into it */
#define WIDE (52 * MS)        /* … of the later ones, too */
#define LOOK (3 * MS)         /* time between two looks whether others came */
#define TOGETHER (200 * MS)   /* that a transaction may last for what should go in one */
#define RECENT (2000 * MS)    /* they write if they did so within this time */
#define AT_FIRST (500 * MS)   /* until it is known whether anybody does */
#define UNSEEN (400 * MS)     /* without any sign, there is one gap in this time */
#define LOG INT64_C(12000000) /* bytes of the log that are let grow */

static int number(struct edit *e, const char *sql, int64_t *out)
{
	struct cell cell[1];
	struct cursor *cur;

	if (sql_query(&cur, e->sql, sql, NULL, 0) < 0)
		return e->err->code;
	*out = sql_next(cur, cell, 1) > 0 ? cell[0].i : 0;
	sql_done(cur);
	return e->err->code;
}

static int run(struct edit *e, const char *sql)
{
	int rc = e->sql->conn->driver->exec(e->sql->conn, sql, NULL, 0);

	return rc < 0 ? rc : 0;
}

static int wal_or_not(bool *out, struct edit *e)
{
	struct cell mode[1] = { 0 };
	struct cursor *cur;

	if (sql_query(&cur, e->sql, "PRAGMA journal_mode", NULL, 0) < 0)
		return e->err->code;
	sql_next(cur, mode, 1);
	*out = mode[0].v.p && ckpt_view_eq(mode[0].v, CKPT_LIT("wal"));
	sql_done(cur);
	return e->err->code;
}

int pace_start(struct drop_pace *p, struct edit *e, const struct drop_how *how)
{
	int64_t page = 0;

	*p = (struct drop_pace){ .hold = how->hold ? how->hold : 50 * MS,
		.others = ckpt_monotonic() - RECENT + AT_FIRST,
		.several = INT64_MIN / 2,
		.wide = ckpt_monotonic() };
	p->budget = p->hold / 2;
	/* what distributions set as default costs seven times as much with large rows */
	run(e, how->secure ? "PRAGMA secure_delete=ON" : "PRAGMA secure_delete=FAST");
	wal_or_not(&p->wal, e);
	/* a power cut may bring deleted rows back, never half of a transaction: what was told as
	   done is synced with the log's last part */
	if (p->wal && !e->err->code)
		run(e, "PRAGMA synchronous=NORMAL");
	if (p->wal && !e->err->code)
		run(e, "PRAGMA wal_autocheckpoint=0");
	if (number(e, "PRAGMA page_size", &page) < 0 ||
			number(e, "PRAGMA busy_timeout", &p->wait) < 0)
		return e->err->code;
	p->log_pages = LOG / (page > 0 ? page : 4096);
	return number(e, "PRAGMA data_version", &p->version);
}

static int see_others(struct drop_pace *p, struct edit *e)
{
	int64_t version;

	if (number(e, "PRAGMA data_version", &version) < 0)
		return e->err->code;
	if (version != p->version)
		p->others = ckpt_monotonic();
	p->version = version;
	return 0;
}

int pace_begin(struct drop_pace *p, struct edit *e)
{
	if (edit_begin(e) < 0)
		return e->err->code;
	p->began = ckpt_monotonic();
	return see_others(p, e);
}

bool pace_goes_on(struct drop_pace *p)
{
	p->until = ckpt_monotonic();
	return p->until - p->began < p->budget;
}

bool pace_may_stretch(const struct drop_pace *p)
{
	return p->until - p->began < TOGETHER;
}

/* The log into the file, as far as others let it. Frames in the log; -1: another one is at it. */
static int move_log(struct drop_pace *p, struct edit *e, const char *how)
{
	struct cell frames[3] = { 0 };
	struct cursor *cur;

	if (sql_query(&cur, e->sql, how, NULL, 0) < 0)
		return e->err->code;
	sql_next(cur, frames, 3);
	sql_done(cur);
	if (frames[1].i > 0) {
		p->log = frames[1].i;
		p->every = p->log_pages * p->batches / p->log;
		p->batches = 0;
	}
	return e->err->code;
}

/* The log begins anew only if all of it was in the file at one moment. Where others go on adding
 * to it, the last of it is moved under the lock, right before ours; nobody is waited for. */
static int end_log(struct drop_pace *p, struct edit *e)
{
	char wait[64];

	snprintf(wait, sizeof(wait), "PRAGMA busy_timeout=%lld", (long long)p->wait);
	if (run(e, "PRAGMA busy_timeout=0") < 0 ||
			move_log(p, e, "PRAGMA wal_checkpoint(FULL)") < 0)
		return e->err->code;
	return run(e, wait);
}

static void sleep_for(int64_t ns)
{
	if (ns > 0)
		nanosleep(&(struct timespec){ .tv_nsec = ns }, NULL);
}

/* Others get in; how many times they did. */
static int let_in(struct drop_pace *p, struct edit *e, int64_t until)
{
	int64_t version = p->version, now;
	int times = 0;

	while ((now = ckpt_monotonic()) < until) {
		sleep_for(until - now < LOOK ? until - now : LOOK);
		if (see_others(p, e) < 0)
			return e->err->code;
		times += version != p->version;
		version = p->version;
	}
	if (times > 1)
		p->several = now;
	return 0;
}

/* What the next one may work, so that it holds the lock as long as wanted: the commit is a part
 * of that, and grows with the work. */
static int64_t next_budget(
		const struct drop_pace *p, int64_t held, bool others, bool several)
{
	double want = (double)p->hold * (several ? 0.6 : others ? 0.92 : 1.0);
	double work = (double)(p->until - p->began) / (double)(held > 0 ? held : 1);

	return (p->budget + (int64_t)(want * work)) / 2;
}

int pace_between(struct drop_pace *p, struct edit *e)
{
	int64_t now = ckpt_monotonic();
	bool others = now - p->others < RECENT, several = now - p->several < RECENT;

	p->budget = next_budget(p, now - p->began, others, several);
	p->batches++;
	if (p->wal && (others || p->batches >= p->every) &&
			move_log(p, e, "PRAGMA wal_checkpoint(PASSIVE)") < 0)
		return e->err->code;
	if (!others && now - p->wide < UNSEEN)
		return see_others(p, e);
	p->wide = now;
	if (let_in(p, e, now + (several ? WIDE : GAP)) < 0)
		return e->err->code;
	return p->wal && p->log >= p->log_pages ? end_log(p, e) : 0;
}

int pace_end(struct drop_pace *p, struct edit *e)
{
	return p->wal ? run(e, "PRAGMA wal_checkpoint(PASSIVE)") : 0;
}
