/*
 * du.h - sums of bytes by key, shared by the files of `ckpt du`: du_sum.c keeps them, du_fold.c
 * reads the rows, cmd_du.c prints. Nothing of a store is kept but keys and digests of values.
 */
#ifndef DU_H
#define DU_H

#include "cmd.h"

#define DU_PARTS 3
#define DU_GUESSES 256

struct du_part { /* of a key; bytes that came as BLOB are another key than as TEXT */
	struct ckpt_view v;
	bool blob;
};

struct du_row {
	size_t key, key_n; /* in `keys` */
	uint64_t hash;     /* of the first part */
	int64_t bytes, checkpoints, duplicates;
};

struct du_sums {
	struct du_row *rows;
	size_t n, cap, parts;
	size_t *slots, nslots; /* open addressing: 1 + index of a row */
	struct ckpt_buf keys, scratch;
	size_t guesses[DU_GUESSES]; /* likewise, of keys of one part met before */
};
/* The row of a key, made if it is new; NULL without memory. Lives until the next call. */
struct du_row *du_row(struct du_sums *, const struct du_part *key);
struct ckpt_view du_key(const struct du_sums *, const struct du_row *, size_t part);
void du_sort(struct du_sums *); /* largest first; the index is gone */
void du_sums_free(struct du_sums *);

struct du_seen { /* digests of the values met */
	uint64_t (*slots)[2];
	size_t n, nslots;
};
/* 1 if the channel, by its hash, had a value of the same bytes before, 0 if not, < 0 without
 * memory. */
int du_seen(struct du_seen *, uint64_t channel, struct ckpt_view bytes);

enum du_by { BY_THREAD, BY_NS, BY_CHANNEL, BY_TYPE, BY_CHECKPOINT };
struct du {
	struct cli *cli;
	enum du_by by;
	struct ckpt_key key; /* all, or one thread */
	const char *engine;
	struct du_sums sums;
	struct du_seen seen;
	int64_t checkpoints;
	size_t unsplit; /* containers whose channels cannot be told apart */
};
int du_fold(struct du *);

#endif
