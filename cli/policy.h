/*
 * policy.h - what prune, enforce-size and migrate share: options that say which checkpoints stay,
 * which are looked at, and what is never touched; as rows for a command's table, and their meaning
 * to the library. A command has the structs below in its own, under any name.
 */
#ifndef POLICY_H
#define POLICY_H

#include "cmd.h"

struct rule_opts { /* CKPT_UNKNOWN: not given */
	int64_t last, within, older, hourly, daily, weekly, monthly;
	struct opt_list where, threads;
};
struct select_opts {
	struct opt_list threads, where;
	const char *glob, *from, *ns, *run_id, *shard;
	bool nul;
	bool taken; /* standard input was read */
};
struct guard_opts {
	int64_t min_age, active_within;
	bool lose_interrupted, lose_heads;
};

/* clang-format off */
#define POLICY_RULES(type, m) \
	{ 0, "keep-last", OPT_INT, AT(type, m.last), "N", \
		"keep the newest N checkpoints of each thread and namespace", NULL, 0, false }, \
	{ 0, "keep-within", OPT_DURATION, AT(type, m.within), "DURATION", \
		"keep what is younger: 36h, 7d, 2w", NULL, 0, false }, \
	{ 0, "older-than", OPT_DURATION, AT(type, m.older), "DURATION", \
		"drop only what is older; the same as --keep-within", NULL, 0, false }, \
	{ 0, "keep-hourly", OPT_INT, AT(type, m.hourly), "N", \
		"keep the newest of each of the last N hours that have any", NULL, 0, true }, \
	{ 0, "keep-daily", OPT_INT, AT(type, m.daily), "N", \
		"keep the newest of each of the last N days that have any", NULL, 0, false }, \
	{ 0, "keep-weekly", OPT_INT, AT(type, m.weekly), "N", \
		"keep the newest of each of the last N weeks that have any", NULL, 0, true }, \
	{ 0, "keep-monthly", OPT_INT, AT(type, m.monthly), "N", \
		"keep the newest of each of the last N months that have any", NULL, 0, true }, \
	{ 0, "keep-where", OPT_LIST, AT(type, m.where), "KEY=VALUE", \
		"keep checkpoints whose metadata has it; repeatable", NULL, 0, false }, \
	{ 0, "keep-thread", OPT_LIST, AT(type, m.threads), "ID", \
		"keep all of this thread; repeatable", NULL, COMPLETE_THREAD, false }

#define POLICY_SELECT(type, m) \
	{ 0, "thread", OPT_LIST, AT(type, m.threads), "ID", \
		"only this thread; repeatable", NULL, COMPLETE_THREAD, false }, \
	{ 0, "thread-glob", OPT_TEXT, AT(type, m.glob), "GLOB", \
		"only threads whose id fits", NULL, 0, false }, \
	{ 0, "threads-from", OPT_TEXT, AT(type, m.from), "FILE", \
		"only threads that FILE names, one a line; '-' is standard input", NULL, \
		COMPLETE_FILE, false }, \
	{ '0', "", OPT_FLAG, AT(type, m.nul), NULL, \
		"names in FILE end in a NUL, not in a newline", NULL, 0, true }, \
	{ 0, "ns", OPT_TEXT, AT(type, m.ns), "NS", \
		"only this namespace; '' is the root, '*' all (default: all)", NULL, COMPLETE_NS, false }, \
	{ 0, "where", OPT_LIST, AT(type, m.where), "KEY=VALUE", \
		"only checkpoints whose metadata has it; repeatable", NULL, 0, false }, \
	{ 0, "run-id", OPT_TEXT, AT(type, m.run_id), "ID", \
		"only checkpoints of this run", NULL, 0, false }, \
	{ 0, "shard", OPT_TEXT, AT(type, m.shard), "I/N", \
		"only the I-th of N parts of the threads, by hash", NULL, 0, true }

#define POLICY_AGES(type, m) \
	{ 0, "min-age", OPT_DURATION, AT(type, m.min_age), "DURATION", \
		"touch nothing younger (default: 1h; 0: off)", NULL, 0, false }, \
	{ 0, "active-within", OPT_DURATION, AT(type, m.active_within), "DURATION", \
		"leave threads alone that were written to so lately (default: 15min; 0: off)", \
		NULL, 0, false }

#define POLICY_GUARDS(type, m) \
	POLICY_AGES(type, m), \
	{ 0, "no-keep-interrupted", OPT_FLAG, AT(type, m.lose_interrupted), NULL, \
		"drop also what waits for an answer", NULL, 0, true }, \
	{ 0, "no-keep-heads", OPT_FLAG, AT(type, m.lose_heads), NULL, \
		"drop also heads of branches; the newest checkpoint stays", NULL, 0, true }
/* clang-format on */

/* What the options say, to the library's words. */
struct selection {
	struct cli *cli;
	struct select_opts *o;
	const struct rule_opts *rules;
	struct ckpt_view *threads; /* literal ones, sorted, each once */
	size_t nthreads;
	struct ckpt_buf text;
	bool literal; /* threads were named, be it in a file */
	int64_t ran;  /* checkpoints of --run-id */
};
/* Are the words right? The hard refusals of empty policies are the command's. */
int policy_check(struct cli *, const struct rule_opts *, const struct select_opts *,
		const struct guard_opts *);
bool policy_rules(const struct rule_opts *); /* is any given? */
bool policy_keeps(const struct rule_opts *); /* does any of them keep something? */
bool policy_meets(struct ckpt_view meta, const struct opt_list *where); /* all of it */
void policy_fill(struct ckpt_policy *, const struct rule_opts *,
		const struct guard_opts *);
/* Fills `scope`; `s` must outlive the plan. */
int selection_open(struct selection *, struct ckpt_prune_scope *scope);
/* After planning: was every literal name there? */
int selection_check(struct selection *);
void selection_close(struct selection *);
/* The policy for people, and as the members of a JSON object. */
void policy_text(struct ckpt_buf *to, const struct ckpt_policy *,
		const struct rule_opts *);
void policy_json(struct ckpt_buf *to, const struct ckpt_policy *,
		const struct rule_opts *);

#endif
