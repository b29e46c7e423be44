/*
 * check.h - what the files of the check share: check.c walks over the store, check_row.c judges
 * single rows, check_space.c collects one namespace, check_links.c and check_value.c say what is
 * wrong with it, check_stray.c looks at rows nobody claims and at encryption, check_team.c lets
 * several threads do so. Internal.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdatomic.h>

#include "backend.h"
#include "crypt.h"
#include "judge.h"

enum check_code { /* in the order of ckpt_finding_codes */
	UNDECODABLE,
	MISSING_BLOB,
	LOST_SNAPSHOT,
	BROKEN_DELTA,
	ID_MISMATCH,
	SELF_PARENT,
	CYCLE,
	DUPLICATE_KEY,
	ORPHAN_WRITE,
	ORPHAN_BLOB,
	ORPHAN_NAMESPACE,
	VERSION_REGRESSION,
	VERSION_COLLISION,
	ID_ORDER,
	FUTURE_ID,
	UNKNOWN_TYPE,
	PLAINTEXT,
	NEAR_LIMIT,
	SCHEMA_DRIFT,
	MISSING_PARENT,
	OPAQUE
};

enum { NONE = UINT32_MAX }; /* no index */

/* ---- one namespace (check_space.c) ----------------------------------------------------------- */

/* Texts that occur many times, by number. */
struct intern {
	struct ckpt_buf text;
	struct intern_item {
		size_t at;
		uint32_t n, hash;
	} * items;
	uint32_t *table; /* open addressing; NONE: free */
	uint32_t n, cap, slots;
};

enum {                   /* of a pair */
	PAIR_BLOB = 1,   /* there is a blob row with a value */
	PAIR_EMPTY = 2,  /* there is one that says: no value */
	PAIR_INLINE = 4, /* a checkpoint holds the value itself */
	PAIR_NUMBER = 8, /* the version is a number */
	PAIR_MUST = 16,  /* a value is missing for certain … */
	PAIR_MAY = 32,   /* … or for certain not … */
	PAIR_DUNNO = 64, /* … or it cannot be told */
	PAIR_TWICE = 128 /* more than one branch has made this version */
};
struct pair { /* a channel at a version */
	uint32_t channel, version;
	uint32_t first; /* the first node that names it */
	uint32_t maker; /* the first that made it: its parent has another; or NONE */
	uint32_t flags;
	uint64_t digest; /* of the stored bytes, where values are inline */
};

enum {                     /* of an entry */
	ENTRY_VALUE = 1,   /* it has a value of its own */
	ENTRY_MARK = 2,    /* PostgreSQL: an inline `true` */
	ENTRY_UPDATED = 4, /* updated_channels names it */
	ENTRY_COUNTED = 8  /* metadata counts what came after its snapshot */
};
struct entry { /* a channel of a checkpoint */
	uint32_t pair, flags;
};

enum {                    /* of a node */
	NODE_UPDATES = 1, /* updated_channels is a list */
	NODE_OLD = 2,     /* written when all values went to blobs */
	NODE_COPY = 4,    /* metadata.source is fork */
	NODE_RING = 8,
	NODE_BLOB_ID = 16
};
struct node {              /* a checkpoint */
	size_t id, parent; /* where they are in the text */
	uint32_t id_n, parent_n;
	uint32_t up; /* the parent's number; NONE: not there, or there is none */
	uint32_t flags;
	size_t entry; /* the first of its entries */
	uint32_t nentries;
	bool has_parent;
};

struct channel {
	bool delta;
	bool may;         /* seen without a value where that is right */
	bool stored;      /* seen with one */
	bool blob, empty; /* the shallow saver has such a row of it */
	uint32_t updated; /* the last node, counted from 1, that updated it */
	uint32_t at, of;  /* scratch: the pair of it at a node, and which node */
	uint32_t bit;     /* scratch: its place among delta channels */
};

struct space {
	struct ckpt_key key; /* thread and ns; they lie in `name` */
	struct ckpt_buf name, text, parents;
	struct node *nodes;
	struct entry *entries;
	struct pair *pairs;
	struct channel *channels; /* as many as there are in channel_names */
	uint32_t *pair_table;
	struct intern channel_names, versions;
	size_t nnodes, capnodes, nentries, capentries, npairs, cappairs, capchannels;
	uint32_t pair_slots;
	bool any_delta, any_number;
	int64_t first_empty; /* the smallest leading number of a version of an empty row */
};

/* ---- the check ------------------------------------------------------------------------------- */

struct check_limits { /* bytes beyond which a row is near what its engine can hold */
	size_t row, json;
};

/* Hashes of the keys of checkpoints and of writes, open addressing: of each its high bits, and
 * whose key it is; 0: free. Threads share it. */
enum { KEY_CHECKPOINT = 1, KEY_WRITE = 2 };
enum { KEY_SLOTS = 1 << 19 };
struct check_keys {
	_Atomic uint64_t slots[KEY_SLOTS];
	_Atomic uint32_t n;
};

struct check {
	struct ckpt_store *store;
	struct ckpt_check *opt;
	struct ckpt_view thread;      /* NULL: all */
	struct ckpt_bound from, upto; /* of threads */
	struct check_limits limits;
	int64_t now;
	bool apart;           /* values have rows of their own */
	bool has_types;       /* checkpoint rows say of which type they are */
	bool locked, has_key; /* rows under AES were met; there is a key for them */
	bool pickled;
	struct judge *judge;
	struct ckpt_buf detail;
	struct space space;
	struct check_keys *keys;
	uint64_t last_key; /* of the write before */
	struct ckpt_buf roots; /* ids of the thread's root namespace, each behind its length */
	struct ckpt_buf roots_of;
	struct ckpt_scan *blobs; /* goes along with the namespaces */
	struct ckpt_checkpoint blob;
	int blob_rc;
};

/* Tell one finding. 0, or < 0. A NULL key: of the store as a whole. */
int check_tell(struct check *, enum check_code, const struct ckpt_key *,
		struct ckpt_view channel, const char *fmt, ...)
		__attribute__((format(printf, 5, 6)));
int check_no_memory(struct check *);

/* The walks over all that `thread` and the bounds mean. */
int check_checkpoints(struct check *);
int check_writes(struct check *);
/* Both by several threads. 1: done; 0: there can be but one, nothing was done. */
int check_team(struct check *);
/* What a walk has taken for itself. */
void check_release(struct check *);

/* ---- check_row.c: one row, judged by itself ---- */
int check_checkpoint(struct check *, const struct ckpt_checkpoint *);
int check_write(struct check *, const struct ckpt_checkpoint *);
int check_blob(struct check *, const struct ckpt_checkpoint *);
/* Would a row of that many bytes be near the limits? Tells it. */
int check_near(struct check *, const struct ckpt_key *, struct ckpt_view channel,
		size_t row, size_t json);

/* ---- check_space.c ---- */
int space_begin(struct check *, const struct ckpt_key *);
int space_add(struct check *, const struct ckpt_checkpoint *);
void space_free(struct space *);
/* What skeleton and metadata say of the checkpoint that was added last. */
int space_signs(struct check *, const struct ckpt_checkpoint *);
uint32_t space_channel(
		struct space *, struct ckpt_view name); /* its number; NONE: no memory */
struct ckpt_view space_id(const struct space *, const struct node *);
struct ckpt_view space_parent(const struct space *, const struct node *);
struct ckpt_view intern_text(const struct intern *, uint32_t);
/* The number of a text; NONE if it is not there. */
uint32_t intern_find(const struct intern *, struct ckpt_view);
uint32_t space_pair(const struct space *, uint32_t channel, uint32_t version);
/* The key of a node: borrowed. */
struct ckpt_key space_key(const struct space *, const struct node *);
/* -1, 0, 1 as the library would compare the versions of two pairs; 2 if it cannot. */
int space_cmp(const struct space *, const struct pair *, const struct pair *);
/* The number a version begins with; -1: none. */
int64_t version_number(struct ckpt_view);

/* ---- check_links.c, check_value.c: what is wrong with a namespace that was collected ---- */
int check_links(struct check *);
int check_versions(struct check *);
int check_values(struct check *);
/* SQLite: does the version stand for another value here than where it was seen first? */
int check_same(struct check *, const struct ckpt_checkpoint *, const struct ckpt_value *,
		struct pair *);

/* ---- check_stray.c ---- */
int check_caller(struct check *);
int check_stray(struct check *, bool writes);
int check_types(struct check *);

#endif
