/*
 * checks.h - what must hold of every backend and layout: each check reads an open store, says
 * on stdout (# …) what was wrong, and is true when all was right. test_conformance.c runs them.
 */
#ifndef CHECKS_H
#define CHECKS_H

#include "content.h"

/* The kind under test, and which of the content it holds, in byte order. */
struct now {
	const struct kind *kind;
	const char *where;
	const struct content *want[300];
	size_t nwant;
	struct ckpt_error err;
};
extern struct now now;

struct ckpt_store *open_store(void); /* its failure stands in now.err */
bool same_view(struct ckpt_view got, struct ckpt_view wanted);
void complain(const char *what, const struct ckpt_checkpoint *got,
		const struct content *);
/* A scan gives what the pick asks for, in its order; each checkpoint is shown to `look`. */
bool gives(struct ckpt_store *, const struct ckpt_pick *,
		bool (*look)(const struct ckpt_pick *, const struct ckpt_checkpoint *,
				const struct content *));

/* checks_keys.c */
bool check_order(struct ckpt_store *);
bool check_bounds(struct ckpt_store *);
bool check_spans(struct ckpt_store *);
bool check_heads(struct ckpt_store *);
/* checks_values.c */
bool check_depths(struct ckpt_store *);
bool check_values(struct ckpt_store *);
bool check_writes(struct ckpt_store *);
/* Has the checkpoint the writes it should have? */
bool good_writes(const struct ckpt_pick *, const struct ckpt_checkpoint *,
		const struct content *);
bool check_sizes(struct ckpt_store *);
bool check_lineage(struct ckpt_store *);
/* checks_rows.c */
bool check_stored(struct ckpt_store *);
bool check_write_rows(struct ckpt_store *);
bool check_blob_rows(struct ckpt_store *);
bool check_strays(struct ckpt_store *);
/* checks_merged.c */
bool check_merged(struct ckpt_store *);
bool check_apart(struct ckpt_store *);
bool check_space(struct ckpt_store *);
/* checks_ranges.c */
bool check_ranges(struct ckpt_store *);
/* checks_store.c */
bool check_about(struct ckpt_store *);
bool check_nested(struct ckpt_store *);
bool check_half(struct ckpt_store *);
bool check_untouched(struct ckpt_store *);
bool check_snapshot(struct ckpt_store *);
bool check_huge(struct ckpt_store *);

#endif
