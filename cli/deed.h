/*
 * deed.h - what prune and enforce-size share once a plan is made: the question, the run, how large
 * the store is before and after, and the sums for documents and people.
 */
#ifndef DEED_H
#define DEED_H

#include "progress.h"

struct outcome {
	struct ckpt_prune_sum plan;
	struct ckpt_prune_done done;
	struct ckpt_space before, after;
	bool ran; /* `done` and `after` count, not the plan */
};

/* What follows or precedes the deed; rows for the tables of commands. */
struct deed_opts {
	const char *archive, *vacuum;
};

/* clang-format off */
#define DEED_OPTS(type, m) \
	{ 0, "archive", OPT_TEXT, AT(type, m.archive), "FILE", \
		"first write what goes into FILE: .jsonl, or a SQLite store", NULL, \
		COMPLETE_FILE, false }, \
	{ 0, "vacuum", OPT_MAYBE, AT(type, m.vacuum), "full", \
		"give the room back; full: all of it, while nobody else can write", NULL, 0, \
		false }
/* clang-format on */
/* CKPT_EUSAGE where the words are wrong. */
int deed_check(struct cli *, const struct deed_opts *);

struct deed {
	struct cli *cli;
	struct ckpt_prune *plan;
	struct outcome *out; /* plan and before are filled */
	struct progress *progress;
	const char *doing; /* on the bar: "pruning" */
	const char *hint;  /* what unattended runs do, where there is nobody to ask */
	const struct deed_opts *o; /* or NULL */
	bool yes;                  /* --yes was given */
	bool stdin_taken;          /* stdin is data */
	int64_t shard, shards;     /* of the plan */
	bool expected;             /* --expect-plan: the same again is another plan */
	bool named; /* by threads, which are not found once they are gone */
	/* deed.c's own: threads of which something was left alone */
	int64_t nmoved;
	void *moved;   /* … their names, a tree of tsearch() */
	bool no_blobs; /* the archive has none that nothing names */
};
/* Close the store, ask, run. out->ran: something was begun, and `done` tells how much. */
int deed_do(struct deed *);

/* Was all of the plan done, and is so all true that the plan says of it? */
bool outcome_whole(const struct outcome *);
/* Members of a summary, without braces; and the line that people read. */
void outcome_members(struct ckpt_buf *to, const struct outcome *);
void outcome_line(struct ckpt_buf *to, const struct outcome *);

#endif
