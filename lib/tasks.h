/*
 * tasks.h - the border between the files that say where a checkpoint stands: tasks_route.c reads
 * which channels lead to which nodes, tasks_next.c says which tasks come next, tasks_id.c counts
 * their ids, tasks_rows.c what their rows say, tasks_inner.c and tasks_below.c where a question is
 * to be answered, tasks_waits.c what waits, tasks_entry.c who reads the input, tasks.c asks the
 * store and sums up, tasks_safe.c looks for a good ancestor. All but tasks.c, tasks_below.c,
 * tasks_entry.c and tasks_safe.c are pure over one checkpoint. Internal.
 */
#ifndef TASKS_H
#define TASKS_H

#include "base.h"

#define TASKS_NULL "00000000-0000-0000-0000-000000000000" /* rows of a Command */

struct tasks_seen { /* what a node had seen of a channel; channel NULL: of none */
	struct ckpt_view node, channel, version;
};

enum tasks_kind {
	ROUTE_BRANCH, /* branch:to:N, and what it was called before v 3 */
	ROUTE_JOIN,   /* join:A+B:N */
	ROUTE_RAW     /* any other channel that a node subscribes to */
};
struct tasks_route { /* a channel that triggers a node */
	struct ckpt_view node, channel;
	const struct ckpt_value *value; /* NULL: this checkpoint has no such channel */
	enum tasks_kind kind;
};

/* What one checkpoint knows of the graph. Views lie in the arena or in the checkpoint. */
struct tasks_graph {
	struct tasks_seen *seen; /* by node, channel */
	size_t nseen;
	struct tasks_route *routes; /* by node, kind, channel */
	size_t nroutes, cap;
};

struct tasks {
	struct ckpt_tasks base; /* first: what the caller sees */
	struct ckpt_task *tasks;
	size_t cap;
	struct ckpt_interrupt *waits;
	size_t waits_cap;
	struct arena arena;
	struct ckpt_error *err;

	const struct ckpt_checkpoint *c;
	struct tasks_graph graph;
	bool js, head, txn; /* txn: rows of one transaction share seq >> 32 */
	int64_t v, step;    /* step: of the tasks */
	uint8_t id[64];     /* of the checkpoint, as bytes */
	size_t nid;
	size_t *rows;           /* indexes of c->writes, by task, else as they came */
	struct ckpt_view entry; /* the node that reads the input, if rows told */
	bool wants_entry;       /* it was looked for, and is not known */
};

/* ---- tasks_route.c --------------------------------------------------------------------------- */
/* Read channels and versions_seen of `c` into a graph. 0, or < 0 without memory. */
int tasks_graph_read(
		struct tasks_graph *out, struct tasks *, const struct ckpt_checkpoint *c);
/* Add the routes of another checkpoint of the same namespace that this one has not met. */
int tasks_graph_more(struct tasks *, const struct ckpt_checkpoint *newer);
/* The version a node had seen of a channel; *met tells whether the node has an entry at all. */
struct ckpt_view tasks_seen_of(const struct tasks_graph *, struct ckpt_view node,
		struct ckpt_view channel, bool *met);
/* Is a later than b? Texts of Python, numbers of JavaScript; NULL is before all. */
bool tasks_version_after(struct ckpt_view a, struct ckpt_view b);
/* Can the channel trigger: 1 yes, 0 no, -1 it cannot be told. */
int tasks_open(const struct tasks_route *);

/* ---- tasks_next.c ---------------------------------------------------------------------------- */
/* The tasks of the step that follows the checkpoint, in order, with ids. */
int tasks_next(struct tasks *);
/* The node that a row of an input's checkpoint says reads it; NULL view: none says. */
struct ckpt_view tasks_first_node(const struct ckpt_checkpoint *);

/* ---- tasks_id.c ------------------------------------------------------------------------------ */
#define TASK_ID 37
struct tasks_who { /* the name of a task, and of the one that called it, or NULL */
	struct ckpt_view node, caller, caller_id;
};
/* False: the checkpoint's own id is none that others are made of. */
bool tasks_id_push(const struct tasks *, char out[static TASK_ID], struct ckpt_view node,
		size_t index);
bool tasks_id_pull(const struct tasks *, char out[static TASK_ID], struct ckpt_view node,
		const struct ckpt_view *triggers, size_t n);
bool tasks_id_handler(
		const struct tasks *, char out[static TASK_ID], const struct tasks_who *);
/* The id of the question that a task asks after k others. */
void tasks_id_question(const struct tasks *, char out[static 33],
		const struct tasks_who *, struct ckpt_view task, int64_t k);
/* Before v 2, and in some releases of v 2, SHA-1 took the place of XXH3. */
bool tasks_id_old(const struct tasks *, char out[static TASK_ID], struct ckpt_view node,
		const struct ckpt_view *triggers, size_t n);

/* ---- tasks_rows.c ---------------------------------------------------------------------------- */
/* Index the writes of the checkpoint by task. */
int tasks_rows_sort(struct tasks *);
/* The rows of a task: indexes rows[*from] … rows[*to - 1]. */
bool tasks_rows_of(const struct tasks *, struct ckpt_view task, size_t *from, size_t *to);
/* Fill path, status, error and interrupts of each task from its rows. */
int tasks_rows_read(struct tasks *);
/* A question from the value of an __interrupt__ row; rendered, in the arena. */
int tasks_question(struct tasks *, const struct ckpt_write *, struct ckpt_interrupt **out,
		size_t *n);
/* Is this channel about the task, and no result of it? */
bool tasks_is_control(struct ckpt_view channel);
bool tasks_is_handler(struct ckpt_view path); /* task_path of an error handler's rows */

/* ---- tasks_inner.c --------------------------------------------------------------------------- */
/* The first row of a task for a channel, or NULL. */
const struct ckpt_write *tasks_row(
		const struct tasks *, struct ckpt_view task, const char *channel);
/* A question of task q->task: find the row of this checkpoint that asked it, and the answers
 * beside it. False: a subgraph asked. */
bool tasks_find_here(struct tasks *, struct ckpt_interrupt *q);
/* The same where the row is known to be that of `task`, whose names are `who`. */
void tasks_ask_at(const struct tasks *, struct ckpt_interrupt *q, struct ckpt_view task,
		const struct tasks_who *who);
/* Is there an answer to whoever asks, newer than every question of this checkpoint? */
bool tasks_null_staged(const struct tasks *);

/* ---- tasks_below.c --------------------------------------------------------------------------- */
/* The same as tasks_find_here, among the subgraphs below the task. 0, or < 0. */
int tasks_find_below(struct tasks *, struct ckpt_store *, struct ckpt_interrupt *q);

/* ---- tasks_entry.c --------------------------------------------------------------------------- */
/* The name of the node that reads the input here, added to `out` if it can be told. 0, or < 0. */
int tasks_entry_find(struct tasks *, struct ckpt_store *, struct ckpt_buf *out);

/* ---- tasks_waits.c --------------------------------------------------------------------------- */
/* Collect what waits, and what is staged. */
int tasks_waits(struct tasks *, struct ckpt_store *);

/* ---- tasks.c --------------------------------------------------------------------------------- */
/* What other checkpoints of the namespace told. */
struct tasks_known {
	const struct ckpt_checkpoint *newer; /* or NULL */
	struct ckpt_view entry;
};
/* The tasks of one checkpoint; no other is read. Freed by ckpt_tasks_free. */
int tasks_of(struct tasks **out, struct ckpt_store *, const struct ckpt_checkpoint *,
		bool head, const struct tasks_known *);
/* Why no answer about this checkpoint would be more than a guess; NULL: it can be read. */
const char *tasks_unreadable(const struct ckpt_checkpoint *);
int tasks_unknown(struct tasks *, const char *why); /* 0 */
int tasks_no_memory(struct tasks *);
/* A growing array in the arena: room for one more, the old items copied. */
void *tasks_grow(struct tasks *, void *items, size_t n, size_t *cap, size_t size);
/* Text that was rendered to a buffer, kept in the arena. */
struct ckpt_view tasks_keep(struct tasks *, const struct ckpt_buf *);
/* A JSON string decoded, in the arena. */
struct ckpt_view tasks_text(struct tasks *, struct ckpt_view json);

#endif
