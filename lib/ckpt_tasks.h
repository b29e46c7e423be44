/*
 * ckpt_tasks.h - the part of ckpt.h, which includes it, that says where a checkpoint stands: what
 * runs next, what waits for whom, what failed. From the database alone: no graph code is run.
 *
 * For the head of a namespace tasks are as LangGraph's get_state without an id gives them, with
 * pending writes counted; for any other checkpoint as get_state with its id: nothing counts as
 * done, and what its tasks once asked is told as a record.
 */
#ifndef CKPT_TASKS_H
#define CKPT_TASKS_H

#include "ckpt.h"

enum ckpt_status {           /* of a checkpoint; the first that holds */
	CKPT_STATUS_UNKNOWN, /* it cannot be told; `why` says for what reason */
	CKPT_INTERRUPTED,    /* a question waits, and no answer to it is staged */
	CKPT_FAILED,         /* a task raised an error; going on runs it again */
	CKPT_ANSWERED,       /* each question has a staged answer; going on takes it */
	CKPT_RUNNABLE,       /* tasks wait; or all are done and the step is not applied */
	CKPT_FINISHED        /* nothing is left to do */
};
/* finished, interrupted, …, as in JSON. */
const char *ckpt_status_name(enum ckpt_status);

enum ckpt_task_status {
	CKPT_TASK_PENDING,
	CKPT_TASK_INTERRUPTED,
	CKPT_TASK_ANSWERED, /* each of its questions has a staged answer */
	CKPT_TASK_FAILED,
	CKPT_TASK_DONE /* its result is among the writes: it does not run again */
};
const char *ckpt_task_status_name(enum ckpt_task_status);

/* A question that was asked by interrupt(). The row of the task that asked is the innermost one:
 * every task around it (nodes that hold a subgraph, callers of a function) repeats the question in
 * a row of its own, but only an answer beside the innermost row is taken. */
struct ckpt_interrupt {
	struct ckpt_view id; /* NULL: stored without one, and it cannot be computed */
	struct ckpt_view json; /* {"id":…,"value":…} and what else it has, as rendered */
	struct ckpt_view value; /* the question: a part of `json` */
	int64_t asked; /* the time of the checkpoint it waits at, or CKPT_UNKNOWN */

	/* The innermost row. Of a record (not the head) these tell of the outer row alone. */
	struct ckpt_key at; /* thread, ns and id of its checkpoint */
	struct ckpt_view
			node; /* name of the task that asked; NULL if it cannot be told */
	struct ckpt_view task; /* id of that task … */
	struct ckpt_view path; /* … and the task_path of its rows, "" if they have none */
	struct ckpt_view given_type,
			given; /* the stored value of that task's __resume__ row;
	                                       NULL: there is none */
	int64_t ngiven;        /* answers in it: 0 without one, 1 if it is no list */
	int64_t k;    /* how many of them earlier questions of the task have used up: an
	                    answer to this question belongs at [k]. -1: cannot be told */
	bool inner;   /* false: a subgraph that keeps no checkpoints asked; no row of a
	                    task can be answered, only a null row at the root */
	bool staged;  /* an answer is there already: given[k], or a null row newer than
	                    every question */
	bool by_null; /* staged by such a null row */
	bool by_handler; /* asked by the error handler of a task: get_state does not tell */
};

struct ckpt_task {
	struct ckpt_view id;   /* NULL if it cannot be told */
	struct ckpt_view node; /* its name */
	struct ckpt_view path; /* task_path of its rows; NULL: it has no rows */
	bool push;             /* made by a Send, not by an edge */
	bool next;             /* in get_state's `next` */
	enum ckpt_task_status status;
	struct ckpt_view error; /* JSON text of what it raised, or NULL */
	/* As get_state gives them: of the head those that wait, else all that were recorded. */
	const struct ckpt_interrupt *interrupts;
	size_t ninterrupts;
};

struct ckpt_tasks {
	bool head; /* of its namespace, so that pending writes count */
	enum ckpt_status status;
	const char *why; /* UNKNOWN: the reason, in words; else NULL */
	/* Sends in their order, then nodes by name (the order of the graph is not stored). */
	const struct ckpt_task *tasks;
	size_t ntasks;
	/* What waits for a person now: every question of the head once, also those that
	 * error handlers ask. Empty for any other checkpoint. */
	const struct ckpt_interrupt *waits;
	size_t nwaits;
};

enum {                       /* what the caller knows already; 0: find out */
	CKPT_TASKS_HEAD = 1, /* it is the newest of its namespace … */
	CKPT_TASKS_PAST = 2, /* … or it is not */
	CKPT_TASKS_BRIEF =
			4, /* only `status` is wanted: reads no other checkpoint but for
	                         the staged answers of subgraphs */
};
/* Where a checkpoint stands (VALUES, with writes). What the result borrows from the checkpoint
 * must stay as long as it: free it first. */
int ckpt_tasks_load(struct ckpt_tasks **out, struct ckpt_store *,
		const struct ckpt_checkpoint *, unsigned how);
void ckpt_tasks_free(struct ckpt_tasks *);

/* The newest good checkpoint on the line of ancestors of `key` (id NULL: of the head), itself
 * included: no tool call of a message dangles, everything can be decoded, nothing that its
 * parent had was lost. 1 and an id added to `id`, 0 if there is none. `why` tells what is wrong
 * with the first (newest) one that is not good, "" if `key` itself is good. */
int ckpt_safe_find(struct ckpt_buf *id, struct ckpt_buf *why, struct ckpt_store *,
		const struct ckpt_key *key);

#endif
