/*
 * list.h - the options of `ckpt list`, shared by its two folds and the graph.
 */
#ifndef LIST_H
#define LIST_H

#include "cmd.h"

enum { SORT_LAST, SORT_FIRST, SORT_CHECKPOINTS, SORT_BYTES, SORT_THREAD };

struct list {
	int64_t since, until, idle, step, limit;
	struct opt_list where;
	const char *run_id, *source, *thread_glob, *changed, *ns, *thread;
	int status, sort;
	bool all, head, reverse, ids, detail, graph;
};

/* How deep the filters of one checkpoint have to read. */
enum ckpt_depth list_filter_depth(const struct list *);
/* Are there filters that look at single checkpoints? (--status is of threads, too.) */
bool list_filters(const struct list *);
/* Does the checkpoint pass every filter but --head, --changed and --status? */
bool list_passes(const struct list *, const struct ckpt_checkpoint *);
/* `*`, `?`, `[a-z]`, `[!x]` over bytes. */
bool list_glob(struct ckpt_view text, const char *pattern);
/* Does the namespace pass --ns? Without it: the root, or all if `any`. */
bool list_ns(const struct list *, struct ckpt_view ns, bool any);

/* The folds; both write their rows and summary. */
int list_threads(struct cli *, const struct list *);
int list_checkpoints(struct cli *, const struct list *, const struct ckpt_view *thread);

/* Does any checkpoint of the thread pass all filters, --head and --changed included? */
int list_any(struct cli *, const struct list *, const struct ckpt_key *thread, bool *yes);

/* list_stand.c: how threads and checkpoints stand. */
struct list_stand {
	bool known;
	enum ckpt_status status;
	int64_t interrupts; /* questions that nobody has answered yet */
};
/* The newest checkpoint of a thread's root; *scan owns it. 1, 0 if there is none, < 0. */
int list_newest(struct cli *, const struct ckpt_key *thread, struct ckpt_scan **,
		struct ckpt_checkpoint *out);
int list_stand(struct cli *, const struct ckpt_checkpoint *head, struct list_stand *out,
		struct ckpt_buf *words);
int list_status(struct cli *, const struct ckpt_checkpoint *, bool head,
		enum ckpt_status *out);
/* What a drawing says beside the head of a branch: how many questions wait there. */
int list_mark(struct cli *, const struct ckpt_checkpoint *head, struct ckpt_buf *to);
bool list_stands_so(const struct list *, enum ckpt_status); /* passes --status */

/* graph.c: branches drawn from the newest down; one call a checkpoint, in descending order. */
struct graph;
struct graph *graph_new(const struct ckpt_lineage *);
/* Lines that lead to links[at], ending in its own "* " without newline. */
void graph_step(struct graph *, size_t at, struct ckpt_buf *to);
/* Lines that follow the checkpoint's own. */
void graph_end(const struct graph *, size_t at, struct ckpt_buf *to);
void graph_free(struct graph *);

#endif
