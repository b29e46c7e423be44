/*
 * migrate.h - the border between the files of migrate: migrate.c runs the phases, migrate_copy.c
 * writes, migrate_plan.c
 * finds out what the target has already, migrate_verify.c compares in the end. Internal.
 */
#ifndef MIGRATE_H
#define MIGRATE_H

#include "backend.h"
#include "ckpt_match.h"
#include "ckpt_migrate.h"
#include "convert.h"
#include "target.h"

struct planned { /* a thread that the target has something of */
	struct ckpt_key thread;
	size_t first, n; /* of its keys that are to be copied all the same */
};

struct plan { /* by key, as the source gives them */
	struct arena arena;
	struct planned *threads;
	size_t nthreads, capthreads;
	struct ckpt_key *keys;
	bool *replace; /* of a key: what is there goes first */
	size_t nkeys, capkeys;
	struct ckpt_key *rejected; /* checkpoints that cannot be carried */
	size_t nrejected, caprejected;
};

#define MARKS_MOST 64
struct marks { /* channels of a namespace: is a lone `true` what is left of a snapshot? */
	struct arena arena;
	struct ckpt_view thread, ns, channel[MARKS_MOST];
	bool lost[MARKS_MOST];
	size_t n;
};

struct migrate {
	struct ckpt_store *source;
	const char *name; /* of the target */
	const char *at;   /* what it is called while rows go in */
	struct target_stage stage;
	struct ckpt_config config; /* of the target */
	const struct ckpt_migrate_how *how;
	struct ckpt_migrate_sum *sum;
	struct ckpt_error *err;
	struct plan plan;
	struct marks marks;
	struct target *target;
	struct convert *convert;
	struct arena arena; /* of the checkpoint at hand */
	int64_t all, done;  /* checkpoints, for progress */
	struct ckpt_about about;
	struct crypt *crypt;
	bool from_apart, to_apart; /* where source and target keep values */
	bool blob_rows;            /* blobs are copied as rows, not by what names them */
	bool paths;                /* the target's writes have a task_path */
	bool lost;                 /* the target did not answer: it may do later */
	bool damaged;              /* the source is an archive that lost rows */
	bool refused; /* something cannot be carried: the rest is only looked at */
};

/* What the target, open for reading, has of each of the source's threads. CKPT_ECORRUPT: a row
 * differs, and nothing says what to do then. */
int plan_make(struct migrate *, struct ckpt_store *target);
void migrate_plan_free(struct plan *);
void plan_forget(struct plan *); /* what the target has; not what cannot be carried */
/* NULL: the target has nothing of this thread. */
const struct planned *plan_thread(const struct plan *, const struct ckpt_key *);
/* Is this key to be copied into a thread that is there? `replace`: over what is there. */
bool plan_key(const struct plan *, const struct planned *, const struct ckpt_key *,
		bool *replace);

/* Checkpoints that cannot be carried, as they come by key. */
int plan_reject(struct migrate *, const struct ckpt_key *);
bool plan_rejected(const struct migrate *, const struct ckpt_key *);
int64_t plan_rejects(
		const struct migrate *, const struct ckpt_key *ns); /* of a namespace */

/* Tell what needs care, and take note of what cannot be carried. */
int migrate_note(struct migrate *, const struct ckpt_checkpoint *,
		const struct convert_out *);
/* A column that the target lacks, of which the conversion does not know. */
int migrate_check_paths(struct migrate *, const struct ckpt_checkpoint *);
/* What would be copied of it, into the sums. */
void migrate_count(struct migrate *, const struct ckpt_checkpoint *,
		const struct convert_out *);
/* Copy a checkpoint; all blobs as rows; all writes without a checkpoint. */
int migrate_copy_one(struct migrate *, const struct ckpt_checkpoint *);
int migrate_copy_blobs(struct migrate *);
int migrate_copy_strays(struct migrate *);
/* Blobs that nothing names, as far as they did not go as rows. */
int migrate_copy_stray_blobs(struct migrate *);

/* Compare both as they are now; CKPT_ECORRUPT: not all of it is in the target as it should be. */
int migrate_verify(struct migrate *);
void migrate_progress(struct migrate *, const char *phase);

#endif
