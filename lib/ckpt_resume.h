/*
 * ckpt_resume.h - the part of ckpt.h, which includes it, that changes a thread's course: a branch
 * from an old checkpoint, an answer to a question that waits. Rows that are there stay as they
 * are, but for answers that are replaced and answers that nobody waits for any more.
 *
 * First a look, which changes nothing and needs the store open for reading; then, with that store
 * closed, the run. Between the two a person may be asked. If the thread went on meanwhile the run
 * is refused.
 */
#ifndef CKPT_RESUME_H
#define CKPT_RESUME_H

#include "ckpt.h"

/* ---- a branch ------------------------------------------------------------------------------- */

struct ckpt_fork_want {
	struct ckpt_key at; /* a checkpoint of the root namespace */
	struct ckpt_view
			to; /* a thread that is not there yet; NULL: a branch in the same one */
};
struct ckpt_fork;
struct ckpt_fork_about {
	bool rerun; /* the step of `at` runs again: nothing it did so far counts */
	/* Some subgraph keeps a state of its own. If the step runs again, a plain invoke() resumes
	   such a one instead of running it; only a config with the new head's id runs it. */
	bool stateful;
	struct ckpt_view head; /* id of the thread's newest checkpoint */
};

/* In the same thread: a sibling of `at`, as LangGraph's own `__copy__` writes it: the same values
 * and parent, no pending writes. In another thread: what `at` needs, with the same ids; if it
 * is where the thread stands, also what its step did so far. CKPT_EREFUSED: it would not load as `at` does. The names outlive the plan. */
int ckpt_fork_plan(struct ckpt_fork **out, struct ckpt_store *,
		const struct ckpt_fork_want *);
void ckpt_fork_about(const struct ckpt_fork *, struct ckpt_fork_about *out);
/* `out` is the new head; it lives as long as the plan. */
int ckpt_fork_run(struct ckpt_fork *, const char *store, const struct ckpt_config *,
		struct ckpt_key *out);
void ckpt_fork_free(struct ckpt_fork *);

/* ---- answers -------------------------------------------------------------------------------- */

struct ckpt_answer_given {
	struct ckpt_view id;   /* of a question that waits; NULL: of the only one */
	struct ckpt_view json; /* the answer */
};
struct ckpt_answer;

/* `at` is the newest checkpoint of a root namespace. CKPT_ENOTFOUND: no such question waits;
 * CKPT_EAMBIGUOUS: several do; CKPT_EUSAGE: no JSON. What is given outlives the plan. */
int ckpt_answer_plan(struct ckpt_answer **out, struct ckpt_store *,
		const struct ckpt_key *at, const struct ckpt_answer_given *, size_t n);
/* Stage them: the application's next invoke(None, config) takes them. */
int ckpt_answer_run(struct ckpt_answer *, const char *store, const struct ckpt_config *);
void ckpt_answer_free(struct ckpt_answer *);

#endif
