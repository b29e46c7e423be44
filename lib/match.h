/*
 * match.h - the border between the files that compare two stores: match.c merges, match_row.c
 * compares what one key has on both sides, match_value.c makes values comparable, match_exact.c
 * compares byte for byte, match_back.c turns rows into what they would be in the other store again.
 * Internal.
 */
#ifndef MATCH_H
#define MATCH_H

#include "backend.h"
#include "codec.h"

/* ---- match_value.c --------------------------------------------------------------------------- */

/* What a value means, in 128 bits: equal values have equal digests whatever they are kept in. */
struct digest {
	uint64_t lo, hi;
};

struct stored { /* a value as it lies in a row */
	struct ckpt_view type, body;
	enum ckpt_lock lock;
};

struct canon; /* room to work in, used again and again */
struct canon *canon_new(void);
void canon_free(struct canon *);
/* 1 and a digest; 0: no language that can be looked into (pickle, encrypted, …); CKPT_ECORRUPT;
 * CKPT_ENOMEM. `versions`: of a version only what stands before its suffix counts. */
int canon_digest(
		struct canon *, const struct stored *, bool versions, struct digest *out);
/* 1 equal, 0 not, and `*why` says what kept it from being looked into, or is NULL; CKPT_ECORRUPT:
 * not equal, and one of them cannot be decoded; CKPT_ENOMEM. */
int canon_same(struct canon *, const struct stored *a, const struct stored *b,
		const char **why);
/* Does jsonb make the same of both texts? Likewise; what cannot be read is not the same. */
int canon_same_jsonb(struct canon *, struct ckpt_view a, struct ckpt_view b);
/* Is it encrypted, and no key was given? */
bool canon_encrypted(const struct stored *);

static inline bool digest_eq(struct digest a, struct digest b)
{
	return a.lo == b.lo && a.hi == b.hi;
}

/* ---- what the comparing files share ---------------------------------------------------------- */

struct found { /* a difference at the key at hand; its text is in `details` */
	enum ckpt_table table;
	enum ckpt_side op;
	size_t at, n;
};

struct rows {                            /* what one side has at a key */
	const struct ckpt_checkpoint *c; /* NULL: no such checkpoint, only writes */
	const struct ckpt_write *writes;
	size_t nwrites;
	struct ckpt_view
			lost; /* why they cannot become what they were (match_back.c); or NULL */
};

struct match_work {
	struct ckpt_match_how how;
	bool back; /* exact, and of two engines */
	struct ckpt_match_counts counts;
	struct canon *canon;
	struct arena arena; /* of the key at hand */
	struct ckpt_error *err;
	struct found *found;
	size_t nfound, capfound;
	struct ckpt_buf details, pointer;
};

#define MATCH_SENDS CKPT_LIT("__pregel_tasks")

struct sends { /* of checkpoints before v 4: in the container, or among the values */
	bool here, none; /* they are compared apart from container and values; none at all */
	struct stored a, b;
};

static inline struct stored stored_value(const struct ckpt_value *v)
{
	return (struct stored){ v->type, v->body, v->lock };
}

static inline struct stored stored_write(const struct ckpt_write *v)
{
	return (struct stored){ v->type, v->body, v->lock };
}

int match_no_memory(struct match_work *);
/* One more difference, whose text was added to `details` from `at` on. */
int match_tell(struct match_work *, enum ckpt_table, enum ckpt_side op, size_t at);
bool match_masked(struct match_work *, const char *where, struct ckpt_view name);
/* 1 equal, 0 not and perhaps `*why`; < 0 without memory. What cannot be decoded is counted. */
int match_same(struct match_work *, const struct stored *a, const struct stored *b,
		const char **why);
void match_put_name(struct ckpt_buf *, struct ckpt_view name);
/* A few words for a value: itself if it is small, else how large it is. */
void match_describe(struct ckpt_buf *to, const struct stored *);
/* ": 4 → 5", ": 4", or what there is to say about values too large for that. */
void match_put_change(struct ckpt_buf *, const struct stored *a, const struct stored *b,
		const char *why);

/* ---- match_member.c -------------------------------------------------------------------------- */

/* Are the values told apart, so that they can be compared one by one? */
bool match_is_split(const struct ckpt_checkpoint *);
/* Parents, containers without their values, metadata: at most one difference. */
int match_containers(struct match_work *, const struct ckpt_checkpoint *a,
		const struct ckpt_checkpoint *b, struct sends *);

/* ---- match_row.c ----------------------------------------------------------------------------- */

/* The writes by task and position. NULL: no memory. */
const struct ckpt_write **match_writes(struct match_work *, const struct rows *);
int match_by_task(const void *, const void *); /* of that list's items */
/* Compare what the two sides have; differences are added to `found`. */
int match_rows(struct match_work *, const struct rows *a, const struct rows *b);
/* A stray blob of one side (the other is NULL), or of both. */
int match_blob(struct match_work *, const struct ckpt_value *a,
		const struct ckpt_value *b);

/* ---- match_exact.c --------------------------------------------------------------------------- */

/* The same of rows that have to be the same bytes; `b` may have come by match_back.c. */
int match_exact_rows(struct match_work *, const struct rows *a, const struct rows *b);
int match_exact_blob(struct match_work *, const struct ckpt_value *a,
		const struct ckpt_value *b);

/* ---- match_back.c ---------------------------------------------------------------------------- */

struct back; /* from a store that keeps values in one way to one that keeps them in the other */
int back_open(struct back **out, const struct ckpt_store *from,
		const struct ckpt_store *to, struct ckpt_error *);
/* Make of a checkpoint, as they come by key, what migrate would write; `lost` why it would not. */
int back_turn(struct back *, struct ckpt_checkpoint *, struct ckpt_view *lost);
void back_close(struct back *);

#endif
