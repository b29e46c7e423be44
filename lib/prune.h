/*
 * prune.h - the border between the files of pruning: prune.c goes through the threads of a store,
 * prune_read.c reads one, prune_need.c finds out what its kept checkpoints need, prune_list.c
 * looks keys up, prune_run.c deletes. Rules are plan.c's. Internal.
 */
#ifndef PRUNE_H
#define PRUNE_H

#include "backend.h"
#include "doomed.h"
#include "plan.h"

struct hashes { /* of names; sorted and each once after hashes_sort */
	uint64_t *v;
	size_t n, cap;
};
int hashes_add(struct hashes *, uint64_t, struct ckpt_error *);
void hashes_sort(struct hashes *);
bool hashes_have(const struct hashes *, uint64_t); /* of sorted ones */

struct want { /* the chain of a channel goes on through here */
	struct want *next;
	uint64_t channel;
};

struct led { /* does the chain of a channel lead from here to a write for it? */
	struct led *next;
	uint64_t channel;
	bool leads;
};

struct fact { /* beside a plan_fact: what the planner need not know */
	struct ckpt_view id, parent;
	int64_t row; /* of the engine, or -1 */
	int64_t own; /* bytes of its rows: container, metadata, writes */
	size_t space;
	int64_t writes;      /* rows */
	bool blob;           /* the id is kept as BLOB */
	bool sends;          /* its tasks made Sends */
	bool asks, answered; /* as its writes look; counts for heads alone */
	/* known once its payload was read */
	bool read, opaque, js;
	const uint64_t *stored, *bare; /* channels with a value, with a version alone */
	size_t nstored, nbare;
	struct want *wants;
	struct led *led;
	const uint64_t *wrote; /* channels that its pending writes are for */
	size_t nwrote;
};

struct space {                 /* beside a plan_space */
	struct hashes written; /* channels that any pending writes are for */
	struct hashes delta;   /* channels that metadata counts as delta channels */
	bool grown;            /* … since kept checkpoints were last asked about them */
	int evidence;          /* of delta channels in any metadata: -1 unknown */
	struct hashes live;    /* blobs that kept checkpoints name */
	int64_t blobs, blob_bytes; /* rows that nothing kept names */
	bool loses, keeps;         /* some; once the plan is closed */
	bool mixed;                /* ids as TEXT and as BLOB: no order to rely on */
	bool read, chains;         /* a payload was; one that may load from its parents */
};

struct blob_row {      /* of the thread at hand */
	uint64_t name; /* namespace, channel, version */
	int64_t bytes;
	size_t space; /* or more than there are: of one without checkpoints */
	bool empty;
};

struct thread { /* at hand; everything about it is gone at the next one */
	struct arena arena;
	struct ckpt_key key; /* thread alone */
	struct plan plan;
	struct fact *facts;
	struct space *spaces;
	struct ckpt_key *keys; /* of spaces: thread and ns */
	size_t capfacts, capspaces;
	bool selected;         /* a checkpoint of it is */
	bool sends;            /* a task of it made Sends */
	struct blob_row *rows; /* PostgreSQL: its blobs */
	size_t nrows, caprows;
	struct hashes blobs; /* … that hold a value, once they are asked for */
	bool has_blobs;
};

static inline struct ckpt_key fact_key(const struct thread *t, size_t at)
{
	const struct fact *f = &t->facts[at];
	struct ckpt_key key = t->keys[f->space];

	key.id = f->id;
	key.blob |= f->blob ? CKPT_BLOB_ID : 0;
	return key;
}

struct ckpt_prune {
	struct ckpt_store *store;
	struct ckpt_error *err;
	struct ckpt_policy policy;
	const struct ckpt_prune_scope *scope; /* while planning */
	struct thread t;
	struct ckpt_prune_sum sum;
	struct ckpt_scan *blobs; /* goes along with the threads, one ahead; or NULL */
	struct ckpt_checkpoint
			blob;    /* … what comes next; its thread is NULL at the end */
	struct ckpt_scan *heads; /* likewise: the newest of each namespace, … */
	struct ckpt_checkpoint head; /* … with its payload; or NULL */
	struct doomed *doomed, *kept;
	/* policy.orphans: keys of no checkpoint; an id of a blob is the channel, its length as 4
	   bytes in front, and the version */
	struct doomed *stray_writes, *stray_blobs;
	struct doomed *left_writes; /* likewise, of threads that go whole: they go with them */
	struct doomed *left; /* how many writes of no checkpoint such a thread has, as `writes` */
	struct key_list *lists[5]; /* where looking up keys stands */
	bool future;               /* what is newer than the clock is named so */
	uint64_t hash;
	struct ckpt_buf key;
};

/* prune_read.c: the next checkpoint of the thread at hand; and all are there. */
int prune_thread_start(struct ckpt_prune *, const struct ckpt_key *);
int prune_thread_add(struct ckpt_prune *, const struct ckpt_checkpoint *);
int prune_thread_ready(struct ckpt_prune *);
void prune_thread_free(struct thread *);
/* The fact of an id in a namespace, or SIZE_MAX. */
size_t prune_find(const struct thread *, size_t space, struct ckpt_view id);

/* prune_blobs.c: rows of blobs, read once and beside the threads: of all, or of one. */
int prune_blobs_open(struct ckpt_prune *, const struct ckpt_key *thread);
int prune_blobs_take(struct ckpt_prune *); /* all of the thread at hand is there */
void prune_blobs_close(struct ckpt_prune *);
int prune_blobs_know(struct thread *, struct ckpt_error *); /* fills `blobs` */
uint64_t prune_blob_name(
		size_t space, struct ckpt_view channel, struct ckpt_view version);

/* prune_heads.c: the payloads that nearly every plan wants, read in one go beside the threads. */
int prune_heads_open(struct ckpt_prune *);
int prune_heads_take(struct ckpt_prune *); /* after plan_rank: those that are kept */
void prune_heads_close(struct ckpt_prune *);

/* prune_need.c: after plan_rank, until the plan is closed. */
int prune_close(struct ckpt_prune *);
/* A kept checkpoint, with VALUES: what it needs stays. */
int prune_read_fact(struct ckpt_prune *, size_t at, const struct ckpt_checkpoint *);
/* Then: which blobs go with what goes. */
void prune_count_blobs(struct ckpt_prune *);
/* And: may what goes of this namespace load from its parents? */
bool prune_chains(const struct ckpt_prune *, size_t space);

/* Does the thread at hand go with all it has, once its plan is closed? */
bool prune_goes_whole(const struct ckpt_prune *);

/* prune_list.c */
int prune_hash(struct ckpt_prune *, char tag, const struct ckpt_key *);
int prune_key_cmp(
		const struct ckpt_key *, const struct ckpt_key *); /* the stores' order */
/* Does this thread go with all it has? Once all are planned. */
int prune_empties(struct ckpt_prune *, const struct ckpt_key *);
/* … or this checkpoint, or any of this namespace? */
int prune_goes(struct ckpt_prune *, const struct ckpt_key *);
int prune_loses(struct ckpt_prune *, const struct ckpt_key *);
/* Does this blob, which nothing names, go for that? Those of threads that go whole go anyway. */
int prune_has_blob(struct ckpt_prune *, const struct ckpt_checkpoint *row);
/* Its channel and version as the id of a key: see `stray_blobs`. */
void prune_blob_id(struct ckpt_buf *to, const struct ckpt_value *);
void prune_list_free(struct key_list *);

/* Is this thread in the scope? */
bool prune_covers(const struct ckpt_prune *, struct ckpt_view thread);

/* prune.c: the threads of the scope that were named, in the order in which a scan would give them;
 * the caller frees them. */
int prune_named(struct ckpt_key **out, struct ckpt_prune *);

/* prune_stray.c: what belongs to no checkpoint: counted into the plan. */
int prune_strays(struct ckpt_prune *);
struct edit;
int prune_drop_strays(struct ckpt_prune *, struct edit *, bool archived,
		struct ckpt_prune_done *);

#endif
