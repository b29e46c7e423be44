/*
 * ckpt_prune.h - the part of ckpt.h, which includes it, that deletes: what a policy keeps, and the
 * run that drops the rest.
 */
#ifndef CKPT_PRUNE_H
#define CKPT_PRUNE_H

#include "ckpt.h"

enum ckpt_why { /* reasons to keep, bit numbers */
	CKPT_WHY_LAST,
	CKPT_WHY_WITHIN,
	CKPT_WHY_HOURLY,
	CKPT_WHY_DAILY,
	CKPT_WHY_WEEKLY,
	CKPT_WHY_MONTHLY,
	CKPT_WHY_WHERE,
	CKPT_WHY_THREAD,
	CKPT_WHY_HEAD,
	CKPT_WHY_INTERRUPT,
	CKPT_WHY_ANSWER,
	CKPT_WHY_DELTA,
	CKPT_WHY_SENDS,
	CKPT_WHY_SUBGRAPH,
	CKPT_WHY_STATEFUL,
	CKPT_WHY_MIN_AGE,
	CKPT_WHY_ACTIVE,
	CKPT_WHY_FUTURE,
	CKPT_WHY_UNDECODABLE,
	CKPT_WHY_NEWER,
	CKPT_WHYS,
	CKPT_WHY_OTHER = CKPT_WHYS /* not selected: stays, and is not counted */
};
extern const char *const ckpt_why_names[CKPT_WHYS]; /* as documents spell them */

/* Times and ages in ns; rules 0 are not given. They rank, each namespace for itself, the root's
 * checkpoints, those of stateful subgraphs (no ':'), and of calls whose caller is not known.
 * Of a policy in which none of thin, whole, orphans is set everything stays. */
struct ckpt_policy {
	bool thin; /* what no rule keeps is dropped; needed also where --keep-where is the only one */
	/* With thin: what is not selected is dropped, too, but for what the kept need; and `all`:
	   what is selected stays, each for itself: neither callers nor calls follow. */
	bool only, all;
	int64_t last, within, hourly, daily, weekly, monthly;
	bool whole; /* threads go whole, or stay whole */
	int64_t idle; /* … those whose newest checkpoint is older than this; 0: all selected */
	bool orphans; /* namespaces, writes and blobs that nothing leads to any more, too */
	/* guards */
	int64_t min_age, active_within; /* 0: off */
	bool lose_interrupted, lose_heads;
	bool lose_newest; /* also what the saver would load: not a policy, but a deletion */
	int64_t now;
	/* checkpoints newer than this stay, and do not count: CKPT_UNKNOWN: all count */
	int64_t upto;
};

/* ---- a plan ---------------------------------------------------------------------------------- */

enum { CKPT_LOOK_SELECTED = 1, CKPT_LOOK_KEEP = 2 }; /* what `look` answers */

struct ckpt_prune_space { /* what becomes of a namespace: of those that the scope covers */
	struct ckpt_key key;       /* thread and ns */
	int64_t keep, drop, bytes; /* bytes: of what is dropped */
	int64_t why[CKPT_WHYS]; /* how many are kept for that reason; one may have more */
};
struct ckpt_prune_item {
	struct ckpt_key key;
	int64_t time;
	bool drop;
	uint32_t why;  /* bits; 0 if it is dropped */
	int64_t bytes; /* what goes when it goes, or CKPT_UNKNOWN */
};

/* What a plan covers. Nothing said: everything. */
struct ckpt_prune_scope {
	const struct ckpt_view *threads; /* only these, sorted as bytes, each once */
	size_t nthreads; /* CKPT_ENOTFOUND: one of them is not in the store */
	bool nothing;    /* not even these: a list of names was empty */
	bool (*thread)(void *arg, struct ckpt_view thread); /* or NULL: all */
	bool (*keep_thread)(void *arg, struct ckpt_view thread);
	int64_t shard, shards; /* 1-based, threads by hash; 0: all */
	/* CKPT_LOOK_… of a checkpoint (META if `meta`, else LINKS); NULL: all are selected. Where
	   threads go whole, one that has a selected checkpoint is selected. */
	unsigned (*look)(void *arg, const struct ckpt_checkpoint *);
	bool meta;
	/* Bytes of jsonb are those of its text, for which PostgreSQL has to unpack all of it, and
	   which takes longer than all else of a plan; else as the server keeps it. */
	bool unpacked;
	bool keeps;  /* what stays of the selection is noted, too: ckpt_prune_kept */
	bool totals; /* count what the store has outside of `threads`, too */
	/* Told thread by thread, in the order of keys; < 0 ends the planning. Or NULL. */
	int (*space)(void *to, const struct ckpt_prune_space *);
	int (*item)(void *to, const struct ckpt_prune_item *);
	void (*progress)(void *to, int64_t done); /* checkpoints; or NULL */
	void *to;
	void *arg;
};

struct ckpt_prune_sum { /* what would go */
	char id[64];    /* of the plan: 20261120T221900.25Z-9f2c41a75d0e3b68 */
	int64_t checkpoints, writes, blobs, bytes;
	int64_t threads_emptied, threads_skipped; /* skipped: active a moment ago */
	int64_t stray_writes,
			stray_blobs; /* policy.orphans; in writes, blobs and bytes, too */
	int64_t kept;                /* checkpoints that were selected, and stay */
	int64_t only_heads; /* … for no other reason than that nothing kept follows them, and
				are not the newest of their namespace */
	/* what the store has: with `shards` of that shard; with `threads` of these unless `totals` */
	int64_t all_threads, all_checkpoints;
	int64_t all_bytes; /* of what was looked at */
	int64_t now;       /* the plan's clock */
};

struct ckpt_prune;
/* Work out what a policy drops, in the store's snapshot; nothing is changed. policy.now is cut to
 * microseconds, CKPT_UNKNOWN is the store's clock; what is newer stays, and does not count: as `newer` where
 * policy.upto is given, which says that a plan is repeated, else as `future`. */
int ckpt_prune_plan(struct ckpt_prune **out, struct ckpt_store *,
		const struct ckpt_policy *, const struct ckpt_prune_scope *);
void ckpt_prune_about(const struct ckpt_prune *, struct ckpt_prune_sum *out);
/* The clock a plan of that id was made by; false: it is no id of a plan. */
bool ckpt_prune_time(int64_t *out, const char *id);
/* Is this checkpoint among those that go, or (`kept`, scope.keeps) that stay? Cheap for keys that
 * come in the order of keys, any number of times. < 0: a failure. */
int ckpt_prune_has(struct ckpt_prune *, const struct ckpt_key *, bool kept);
void ckpt_prune_free(struct ckpt_prune *);

/* ---- doing it ---------------------------------------------------------------------------------- */

struct ckpt_archive_how {
	void (*progress)(void *arg, const char *phase, int64_t done,
			int64_t all); /* or NULL */
	void *arg;
};
struct ckpt_archive_sum {
	int64_t rows;  /* CKPT_UNKNOWN: a run that ended early had begun it */
	int64_t bytes; /* that this run wrote */
	bool resumed;  /* the file was there, and holds all of it */
	bool no_blobs; /* it has no place for blobs that nothing names: they are to be left */
};
/* Write what goes, with its writes and blobs, into a new file: JSON Lines or a SQLite store, which
 * is whole and on disk in the end, and of which each row was compared byte for byte with what migrate
 * would bring back. `store` is the plan's, open for reading; it forgets its key where rows are moved
 * as they lie. CKPT_EREFUSED: the file is there and does not hold all of it, or cannot hold it
 * exactly; then no file is left that was not there. */
int ckpt_prune_archive(struct ckpt_prune *, struct ckpt_store *, const char *file,
		const struct ckpt_config *, const struct ckpt_archive_how *,
		struct ckpt_archive_sum *out);

enum ckpt_vacuum {
	CKPT_VACUUM_NONE,
	CKPT_VACUUM_STEPS, /* what can be given back beside others */
	CKPT_VACUUM_FULL   /* all, while nobody else can write */
};
struct ckpt_prune_how {
	enum ckpt_vacuum vacuum;
	int64_t shard, shards; /* of the plan: shards work side by side */
	bool secure;           /* overwrite what is freed (SQLite) */
	bool archived;         /* leave blobs that nothing names: the archive has none */
	/* after each batch; config->stop ends the run there. Or NULL */
	void (*progress)(void *arg, int64_t done, int64_t all);
	/* a namespace that was written to since, and was left out; or NULL */
	void (*moved)(void *arg, const struct ckpt_key *);
	void *arg;
};
struct ckpt_prune_done { /* rows that are gone, also after a failure */
	int64_t checkpoints, writes, blobs;
	int64_t threads;      /* of which nothing is left */
	int64_t moved;        /* namespaces left out */
	int64_t file;         /* SQLite: how long it is after a vacuum; else 0 */
	char vacuum_why[200]; /* why room was not given back, or not all; or empty */
	char vacuum_how[300]; /* else in which way it was, and why not faster; or empty */
};
/* Would a run be refused, or find another one at work? Nothing is changed: for what is to be done
 * before it, and would be in vain. */
int ckpt_prune_check(const char *name, const struct ckpt_config *,
		const struct ckpt_prune_how *, struct ckpt_error *);
/* Delete what the plan says, in short transactions; the store must not be open for reading in
 * this process. CKPT_EINTERRUPTED: between two batches; the same again finishes it. */
int ckpt_prune_run(struct ckpt_prune *, const char *name, const struct ckpt_config *,
		const struct ckpt_prune_how *, struct ckpt_prune_done *out,
		struct ckpt_error *);

#endif
