/*
 * diff.h - what the files of `ckpt diff` share: two sides, read; and how changes are told.
 */
#ifndef DIFF_H
#define DIFF_H

#include <regex.h>

#include "cmd.h"

struct diff_opts {
	const char *thread, *checkpoint, *ns, *against, *path, *mask;
	struct opt_list channels;
	bool stat, name_only, patch, exit_code;
};

struct diff_channel { /* places in the side's document */
	size_t name, name_n, at, n;
};

struct side {
	struct ckpt_buf doc; /* {"values":{…},"metadata":{…}} */
	struct diff_channel *channels;
	size_t nchannels, capchannels;
	struct ckpt_key key; /* id is NULL for the state before the first */
	struct ckpt_buf key_bytes, parent, short_id;
	int64_t time, step; /* CKPT_UNKNOWN */
	bool has_parent;
};

struct diff {
	struct cli *cli;
	const struct diff_opts *o;
	struct side a, b;
	bool *found;                     /* of o->channels: is it in one of the sides? */
	bool corrupt, two_stores, whole; /* whole: stores, not checkpoints */
	bool with_store;                 /* long-term memory too: what B lacks of A's */
	bool migrated;                   /* what migrate has to change is the same */
	/* stores: of the first only these keys, as ckpt_match_how says; or NULL */
	bool (*wanted)(void *arg, const struct ckpt_checkpoint *);
	void *wanted_arg;
	regex_t mask;
	bool has_mask;
	struct ckpt_diff *changes;
	int64_t count[3]; /* by enum ckpt_op */
	int64_t unchanged;
	struct ckpt_buf top; /* of the change before: "/values/NAME", escaped as in JSON */
};

/* Read both sides, whatever they are named by. */
int diff_read(struct diff *);
/* The next change, counted. `*first`: it is the first one in its channel or metadata. */
int diff_next(struct diff *, struct ckpt_change *out, bool *first);
/* Does a pointer match the regular expression `arg`? */
bool diff_masked(void *arg, const char *pointer);
/* The pointer of a change, decoded. */
void diff_pointer(struct ckpt_buf *to, const struct ckpt_change *);

int diff_text(struct diff *); /* for people */
/* --against without addresses. Exit code, or < 0. */
int diff_stores(struct diff *);
int diff_stat(struct diff *); /* --stat and --name-only */

#endif
