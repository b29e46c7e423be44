/*
 * ckpt_match.h - the part of ckpt.h, which includes it, that compares two stores whole: a merge
 * of both by key, value against value, whatever engine, language and encoding they are kept in.
 */
#ifndef CKPT_MATCH_H
#define CKPT_MATCH_H

#include "ckpt.h"

enum ckpt_table { CKPT_IN_CHECKPOINTS, CKPT_IN_WRITES, CKPT_IN_VALUES };
enum ckpt_side { CKPT_ONLY_A, CKPT_ONLY_B, CKPT_DIFFERS };

struct ckpt_difference {
	struct ckpt_key key; /* id NULL: a blob that no checkpoint names */
	enum ckpt_table table;
	enum ckpt_side op;
	struct ckpt_view
			detail; /* one line for a person, UTF-8 without control characters */
};

struct ckpt_match_how {
	struct ckpt_view thread; /* only this one; NULL: all */
	bool blob;               /* … which SQLite keeps as BLOB */
	/* True: leave out /metadata/KEY, /checkpoint/MEMBER, /values/CHANNEL, /writes/CHANNEL; or
	   NULL. "/checkpoint" and "/metadata" stand for those that cannot be looked into. */
	bool (*mask)(void *arg, const char *pointer);
	/* Only these keys of `a` are there (those of writes alone come with `nwrites`), and the rest
	   of it is not read; or NULL */
	bool (*wanted)(void *arg, const struct ckpt_checkpoint *);
	void *arg;
	/* What migrate has to change is the same: versions with another suffix, paths given to
	   Sends that had none, values without a version that JavaScript drops, and blobs that
	   nothing names. */
	bool migrated;
	/* Rows are the same only if they are the same bytes, kept in the same form; of two engines, if
	   migrate would make the rows of `a` of those of `b`. What only `b` has is not told. Of blobs
	   that nothing names those that `wanted_blob` wants are compared (NULL: none). A difference's
	   detail names what is not the same, or why not all is. */
	bool exact;
	bool (*wanted_blob)(void *arg, const struct ckpt_checkpoint *);
};

struct ckpt_match_counts { /* by enum ckpt_table; only_a, only_b, differs by enum ckpt_side */
	int64_t same[3], other[3][3];
	bool corrupt; /* something that differs could not be decoded */
};

struct ckpt_match;
/* Both stores, and what `how` points to, must outlive it. Failures are in the error of `a` or
 * of `b`: let them share one. */
int ckpt_match_open(struct ckpt_match **out, struct ckpt_store *a, struct ckpt_store *b,
		const struct ckpt_match_how *how);
/* 1 and a difference, by key (stray blobs at the end); 0 at the end. Its views live until the
 * next call. A checkpoint of one side only is one difference, with all that belongs to it. */
int ckpt_match_next(struct ckpt_match *, struct ckpt_difference *out);
/* Rows met so far: checkpoints, pending writes, values of channels. */
const struct ckpt_match_counts *ckpt_match_counts(const struct ckpt_match *);
void ckpt_match_close(struct ckpt_match *);

#endif
