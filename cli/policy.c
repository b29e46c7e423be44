/*
 * policy.c - options about what stays, what is looked at and what is guarded, in the library's
 * words; see policy.h. What a command refuses to do with a policy is its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "list.h"
#include "policy.h"

#define SECOND INT64_C(1000000000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

/* ---- rules ---------------------------------------------------------------------------------------- */

struct rule {
	const char *name, *option, *text;
	const int64_t *value;
	bool duration;
};
#define RULES 7

static void list_rules(struct rule out[static RULES], const struct rule_opts *o)
{
	const struct rule all[RULES] = {
		{ "keep_last", "--keep-last", "last %s per thread and namespace",
				&o->last, false },
		{ "keep_within", "--keep-within", "younger than %s", &o->within, true },
		{ "older_than", "--older-than", "younger than %s", &o->older, true },
		{ "keep_hourly", "--keep-hourly", "%s hourly", &o->hourly, false },
		{ "keep_daily", "--keep-daily", "%s daily", &o->daily, false },
		{ "keep_weekly", "--keep-weekly", "%s weekly", &o->weekly, false },
		{ "keep_monthly", "--keep-monthly", "%s monthly", &o->monthly, false },
	};

	memcpy(out, all, sizeof(all));
}

bool policy_rules(const struct rule_opts *o)
{
	struct rule rules[RULES];

	list_rules(rules, o);
	for (size_t i = 0; i < RULES; i++) {
		if (*rules[i].value != CKPT_UNKNOWN)
			return true;
	}
	return o->where.n || o->threads.n;
}

bool policy_keeps(const struct rule_opts *o)
{
	struct rule rules[RULES];

	list_rules(rules, o);
	for (size_t i = 0; i < RULES; i++) {
		if (*rules[i].value > 0)
			return true;
	}
	return o->where.n || o->threads.n;
}

static int64_t given(int64_t v)
{
	return v == CKPT_UNKNOWN ? 0 : v;
}

void policy_fill(struct ckpt_policy *out, const struct rule_opts *o,
		const struct guard_opts *g)
{
	int64_t within = given(o->within), older = given(o->older);

	out->last = given(o->last);
	out->within = within > older ? within : older;
	out->hourly = given(o->hourly);
	out->daily = given(o->daily);
	out->weekly = given(o->weekly);
	out->monthly = given(o->monthly);
	out->thin = policy_rules(o);
	out->min_age = g->min_age == CKPT_UNKNOWN ? HOUR : g->min_age;
	out->active_within = g->active_within == CKPT_UNKNOWN ? 15 * 60 * SECOND
	                                                      : g->active_within;
	out->lose_interrupted = g->lose_interrupted;
	out->lose_heads = g->lose_heads;
}

static int parse_shard(struct cli *cli, const char *text, struct ckpt_prune_scope *scope)
{
	char *end;
	long long i, n = 0;

	if (!text)
		return 0;
	errno = 0;
	i = strtoll(text, &end, 10);
	if (*end == '/' && end[1] >= '0' && end[1] <= '9')
		n = strtoll(end + 1, &end, 10);
	if (errno || *end || i < 1 || i > n || n > 1000000 || text[0] < '0' ||
			text[0] > '9')
		return cli_usage(cli, "--shard '%s': I/N is wanted, I from 1 to N", text);
	scope->shard = i;
	scope->shards = n;
	return 0;
}

int policy_check(struct cli *cli, const struct rule_opts *r, const struct select_opts *s,
		const struct guard_opts *g)
{
	struct ckpt_prune_scope scope = { 0 };
	struct rule rules[RULES];

	list_rules(rules, r);
	for (size_t i = 0; i < RULES; i++) {
		if (*rules[i].value != CKPT_UNKNOWN && *rules[i].value < 0)
			return cli_usage(cli, "%s: a rule cannot keep fewer than none",
					rules[i].option);
	}
	if ((g->min_age != CKPT_UNKNOWN && g->min_age < 0) ||
			(g->active_within != CKPT_UNKNOWN && g->active_within < 0))
		return cli_usage(cli, "an age cannot be below 0");
	if (s->nul && !s->from)
		return cli_usage(cli, "-0 says how --threads-from is read: name a file");
	if (parse_shard(cli, s->shard, &scope) < 0)
		return CKPT_EUSAGE;
	if (cli_check_where(cli, "--keep-where", &r->where) < 0)
		return CKPT_EUSAGE;
	return cli_check_where(cli, "--where", &s->where);
}

/* ---- for people and documents --------------------------------------------------------------------------- */

static void put_duration(struct ckpt_buf *to, int64_t ns)
{
	static const struct {
		int64_t ns;
		const char *unit;
	} units[] = { { 7 * DAY, "w" }, { DAY, "d" }, { HOUR, "h" },
		{ 60 * SECOND, "min" }, { SECOND, "s" } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (ns % units[i].ns == 0) {
			ckpt_buf_addf(to, "%lld%s", (long long)(ns / units[i].ns),
					units[i].unit);
			return;
		}
	}
	ckpt_buf_addf(to, "%.3fs", (double)ns / (double)SECOND);
}

static void put_rule(struct ckpt_buf *to, const struct rule *r)
{
	struct ckpt_buf value = { 0 };

	if (r->duration)
		put_duration(&value, *r->value);
	else
		ckpt_buf_addf(&value, "%lld", (long long)*r->value);
	for (const char *p = r->text; *p && !value.failed; p++) {
		if (p[0] == '%' && p[1] == 's') {
			ckpt_buf_add(to, value.p, value.n);
			p++;
		} else {
			ckpt_buf_add(to, p, 1);
		}
	}
	to->failed |= value.failed;
	ckpt_buf_free(&value);
}

static void put_guard(struct ckpt_buf *to, const char *name, int64_t ns)
{
	if (!ns)
		return;
	ckpt_buf_addf(to, "%s ", name);
	put_duration(to, ns);
	ckpt_buf_puts(to, ", ");
}

void policy_text(struct ckpt_buf *to, const struct ckpt_policy *p,
		const struct rule_opts *o)
{
	struct rule rules[RULES];
	const char *word = "keep ";

	list_rules(rules, o);
	if (p->whole) {
		ckpt_buf_puts(to, p->idle ? "whole threads, idle for " : "whole threads");
		if (p->idle)
			put_duration(to, p->idle);
		word = NULL;
	}
	for (size_t i = 0; i < RULES && word; i++) {
		if (*rules[i].value == CKPT_UNKNOWN)
			continue;
		ckpt_buf_puts(to, word);
		put_rule(to, &rules[i]);
		word = ", or ";
	}
	for (size_t i = 0; i < o->where.n && word; i++) {
		ckpt_buf_puts(to, word);
		text_safe(to, ckpt_view_of(o->where.v[i]), 60);
		word = ", or ";
	}
	if (o->threads.n && word) {
		ckpt_buf_addf(to, "%s%zu named thread%s", word, o->threads.n,
				o->threads.n == 1 ? "" : "s");
		word = ", or ";
	}
	if (p->orphans)
		ckpt_buf_puts(to, p->thin || p->whole ? "; debris, too" : "debris");
	ckpt_buf_puts(to, "; guards: ");
	put_guard(to, "min-age", p->min_age);
	put_guard(to, "active within", p->active_within);
	ckpt_buf_puts(to, p->lose_heads ? "" : "heads, ");
	ckpt_buf_puts(to, p->lose_interrupted ? "" : "interrupts, ");
	ckpt_buf_puts(to, "delta chains");
}

static void put_seconds(struct ckpt_buf *to, const char *name, int64_t ns)
{
	ckpt_buf_addf(to, "%s\"%s\":", to->n && to->p[to->n - 1] != '{' ? "," : "", name);
	if (ns % SECOND)
		ckpt_buf_addf(to, "%.9f", (double)ns / (double)SECOND);
	else
		ckpt_buf_addf(to, "%lld", (long long)(ns / SECOND));
}

static void put_list(struct ckpt_buf *to, const char *name, const struct opt_list *l)
{
	ckpt_buf_addf(to, ",\"%s\":[", name);
	for (size_t i = 0; i < l->n; i++) {
		ckpt_buf_puts(to, i ? "," : "");
		ckpt_json_string(to, ckpt_view_of(l->v[i]));
	}
	ckpt_buf_puts(to, "]");
}

/* Durations in seconds; what was not given is not there, guards always are. */
void policy_json(struct ckpt_buf *to, const struct ckpt_policy *p,
		const struct rule_opts *o)
{
	struct rule rules[RULES];

	list_rules(rules, o);
	ckpt_buf_puts(to, "{");
	for (size_t i = 0; i < RULES; i++) {
		if (*rules[i].value == CKPT_UNKNOWN)
			continue;
		if (rules[i].duration)
			put_seconds(to, rules[i].name, *rules[i].value);
		else
			text_int_member(to, rules[i].name, *rules[i].value);
	}
	put_seconds(to, "min_age", p->min_age);
	put_seconds(to, "active_within", p->active_within);
	ckpt_buf_addf(to,
			",\"keep_interrupted\":%s,\"keep_heads\":%s,\"delete_threads\":%"
			"s,"
			"\"orphans\":%s",
			p->lose_interrupted ? "false" : "true",
			p->lose_heads ? "false" : "true", p->whole ? "true" : "false",
			p->orphans ? "true" : "false");
	if (p->idle)
		put_seconds(to, "idle", p->idle);
	if (o->where.n)
		put_list(to, "keep_where", &o->where);
	if (o->threads.n)
		put_list(to, "keep_thread", &o->threads);
	ckpt_buf_puts(to, "}");
}

/* ---- selection ------------------------------------------------------------------------------------------ */

static bool meets(struct ckpt_view meta, const struct opt_list *where, bool all)
{
	bool met = all;

	for (size_t i = 0; i < where->n && met == all; i++) {
		const char *text = where->v[i], *eq = strchr(text, '=');

		met = ckpt_meta_where(meta,
				(struct ckpt_view){ text, (size_t)(eq - text) },
				ckpt_view_of(eq + 1));
	}
	return met;
}

bool policy_meets(struct ckpt_view meta, const struct opt_list *where)
{
	return meets(meta, where, true);
}

static bool of_run(struct ckpt_view meta, const char *run)
{
	struct ckpt_buf text = { 0 };
	bool same = ckpt_meta_text(&text, meta, "run_id") &&
	            ckpt_view_eq(ckpt_buf_view(&text), ckpt_view_of(run));

	ckpt_buf_free(&text);
	return same;
}

/* '*' is all of them, as to list: a name that no namespace has would silently delete nothing. */
static bool every_ns(const struct select_opts *o)
{
	return !o->ns || strcmp(o->ns, "*") == 0;
}

static unsigned on_look(void *arg, const struct ckpt_checkpoint *c)
{
	struct selection *s = arg;
	const struct select_opts *o = s->o;
	unsigned seen = 0;
	bool ran = !o->run_id || of_run(c->meta, o->run_id);

	s->ran += ran;
	if (ran && (every_ns(o) || ckpt_view_eq(c->key.ns, ckpt_view_of(o->ns))) &&
			meets(c->meta, &o->where, true))
		seen |= CKPT_LOOK_SELECTED;
	if (s->rules->where.n && meets(c->meta, &s->rules->where, false))
		seen |= CKPT_LOOK_KEEP;
	return seen;
}

static bool on_thread(void *arg, struct ckpt_view thread)
{
	const struct selection *s = arg;

	return list_glob(thread, s->o->glob);
}

static bool on_keep_thread(void *arg, struct ckpt_view thread)
{
	const struct selection *s = arg;

	for (size_t i = 0; i < s->rules->threads.n; i++) {
		if (ckpt_view_eq(thread, ckpt_view_of(s->rules->threads.v[i])))
			return true;
	}
	return false;
}

static int read_names(struct selection *s)
{
	bool standard = strcmp(s->o->from, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(s->o->from, O_RDONLY | O_CLOEXEC);
	char block[4096];
	ssize_t n = 0;

	if (standard && s->o->taken)
		return ckpt_fail(&s->cli->err, CKPT_EBUSY,
				"the store changed while it was read, and so did what "
				"standard input gave");
	s->o->taken |= standard;
	if (fd < 0)
		return ckpt_fail(&s->cli->err,
				errno == ENOENT ? CKPT_ENOTFOUND : CKPT_EIO,
				"cannot read '%s': %s", s->o->from, strerror(errno));
	while ((n = read(fd, block, sizeof(block))) > 0 || (n < 0 && errno == EINTR))
		ckpt_buf_add(&s->text, block, n > 0 ? (size_t)n : 0);
	if (n < 0)
		ckpt_fail(&s->cli->err, CKPT_EIO, "cannot read '%s': %s", s->o->from,
				strerror(errno));
	if (!standard)
		close(fd);
	return s->cli->err.code;
}

static int by_name(const void *a, const void *b)
{
	return ckpt_view_cmp(*(const struct ckpt_view *)a, *(const struct ckpt_view *)b);
}

static int add_thread(struct selection *s, size_t *cap, struct ckpt_view name)
{
	if (s->nthreads == *cap) {
		size_t more = *cap ? *cap * 2 : 16;
		struct ckpt_view *all = realloc(s->threads, more * sizeof(*all));

		if (!all)
			return ckpt_fail(&s->cli->err, CKPT_ENOMEM, "out of memory");
		s->threads = all;
		*cap = more;
	}
	s->threads[s->nthreads++] = name;
	return 0;
}

/* Names end in `end`; the last one may do without, an empty line is none. */
static int split_names(struct selection *s, size_t *cap)
{
	const char *p = s->text.p, *stop = p + s->text.n;
	char end = s->o->nul ? '\0' : '\n';

	while (p && p < stop) {
		const char *e = memchr(p, end, (size_t)(stop - p));
		size_t n = (size_t)((e ? e : stop) - p);

		if ((n || s->o->nul) &&
				add_thread(s, cap, (struct ckpt_view){ p, n }) < 0)
			return s->cli->err.code;
		p = e ? e + 1 : stop;
	}
	return 0;
}

static int list_threads_named(struct selection *s)
{
	size_t cap = 0, n = 0;

	if (s->o->from && (read_names(s) < 0 || split_names(s, &cap) < 0))
		return s->cli->err.code;
	if (s->text.failed)
		return ckpt_fail(&s->cli->err, CKPT_ENOMEM, "out of memory");
	for (size_t i = 0; i < s->o->threads.n; i++) {
		if (add_thread(s, &cap, ckpt_view_of(s->o->threads.v[i])) < 0)
			return s->cli->err.code;
	}
	if (s->nthreads)
		qsort(s->threads, s->nthreads, sizeof(*s->threads), by_name);
	for (size_t i = 0; i < s->nthreads; i++) {
		if (!n || !ckpt_view_eq(s->threads[n - 1], s->threads[i]))
			s->threads[n++] = s->threads[i];
	}
	s->nthreads = n;
	return 0;
}

/* A slip of the fingers would let go what was to be kept. */
static int find_kept(struct selection *s)
{
	const struct opt_list *kept = &s->rules->threads;
	struct ckpt_key key;
	int rc = 0;

	for (size_t i = 0; i < kept->n && rc >= 0; i++)
		rc = ckpt_thread_find(&key, s->cli->store, ckpt_view_of(kept->v[i]));
	return rc;
}

int selection_open(struct selection *s, struct ckpt_prune_scope *scope)
{
	const struct select_opts *o = s->o;

	s->literal = o->threads.n || o->from;
	if (parse_shard(s->cli, o->shard, scope) < 0 || list_threads_named(s) < 0 ||
			find_kept(s) < 0)
		return s->cli->err.code;
	scope->threads = s->threads;
	scope->nthreads = s->nthreads;
	scope->nothing = s->literal && !s->nthreads;
	scope->thread = o->glob ? on_thread : NULL;
	scope->keep_thread = s->rules->threads.n ? on_keep_thread : NULL;
	scope->meta = o->where.n || o->run_id || s->rules->where.n;
	if (scope->meta || !every_ns(o))
		scope->look = on_look;
	scope->arg = s;
	return 0;
}

int selection_check(struct selection *s)
{
	if (!s->o->run_id || s->ran)
		return 0;
	return ckpt_fail(&s->cli->err, CKPT_ENOTFOUND, "no run '%s'", s->o->run_id);
}

void selection_close(struct selection *s)
{
	ckpt_buf_free(&s->text);
	free(s->threads);
	s->threads = NULL;
}
