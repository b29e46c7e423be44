/*
 * ckpt_edit.h - the part of ckpt.h, which includes it, that deletes or copies what is named.
 *
 * First a look, which changes nothing and needs the store open for reading; then, with that store
 * closed, the run. Between the two a person may be asked.
 */
#ifndef CKPT_EDIT_H
#define CKPT_EDIT_H

#include "ckpt.h"

struct ckpt_receipt { /* rows of each table */
	int64_t checkpoints, writes, blobs;
};

/* ---- delete --------------------------------------------------------------------------------- */

struct ckpt_delete_want {                       /* either … or */
	const struct ckpt_view *threads, *runs; /* runs: metadata.run_id */
	size_t nthreads, nruns;
};
struct ckpt_delete_sum {
	struct ckpt_receipt rows; /* that go */
	int64_t threads;          /* that go whole */
	int64_t kept; /* checkpoints of the runs that stay: others need them to load */
	int64_t all;  /* checkpoints in the store */
};
struct ckpt_delete_how {
	bool secure; /* overwrite what was freed, as far as the engine can */
	void (*progress)(void *arg, int64_t done, int64_t all); /* or NULL */
	void *arg;
};
struct ckpt_deleted {
	struct ckpt_receipt rows;
	int64_t threads; /* of which nothing is left */
};
struct ckpt_delete;

/* CKPT_ENOTFOUND: one of the names is not there. The names outlive the plan. */
int ckpt_delete_plan(struct ckpt_delete **out, struct ckpt_store *,
		const struct ckpt_delete_want *);
void ckpt_delete_about(const struct ckpt_delete *, struct ckpt_delete_sum *out);
/* No guards. `out` counts what is gone, also after a failure; the same again finishes it. */
int ckpt_delete_run(struct ckpt_delete *, const char *store, const struct ckpt_config *,
		const struct ckpt_delete_how *, struct ckpt_deleted *out);
void ckpt_delete_free(struct ckpt_delete *);

/* ---- copy ------------------------------------------------------------------------------------ */

struct ckpt_copy_want {
	struct ckpt_view thread, to;
	const char *at; /* an address in `thread`: its history up to there; NULL: all of it */
};
struct ckpt_copy;

/* CKPT_EUSAGE: no store could do that. */
int ckpt_copy_check(const struct ckpt_copy_want *, struct ckpt_error *);
/* CKPT_EREFUSED: `to` is there already, in any table. The names outlive the plan. */
int ckpt_copy_plan(struct ckpt_copy **out, struct ckpt_store *,
		const struct ckpt_copy_want *);
/* What would be copied, counted in the store that the plan was made with. */
int ckpt_copy_count(struct ckpt_copy *, struct ckpt_receipt *out);
/* All in one transaction: half a thread would look like a whole one. */
int ckpt_copy_run(struct ckpt_copy *, const char *store, const struct ckpt_config *,
		struct ckpt_receipt *out);
void ckpt_copy_free(struct ckpt_copy *);

#endif
