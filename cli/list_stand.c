/*
 * list_stand.c - how threads and checkpoints of a list stand: asked of the library, and for
 * threads of their newest checkpoint alone.
 */
#include <string.h>

#include "list.h"
#include "stand.h"

int list_newest(struct cli *cli, const struct ckpt_key *thread, struct ckpt_scan **scan,
		struct ckpt_checkpoint *out)
{
	struct ckpt_pick pick = { .key = *thread,
		.depth = CKPT_VALUES,
		.writes = true,
		.newest = true,
		.limit = 1 };

	pick.key.ns = CKPT_LIT("");
	return ckpt_scan_one(scan, cli->store, &pick, out);
}

int list_stand(struct cli *cli, const struct ckpt_checkpoint *head,
		struct list_stand *out, struct ckpt_buf *words)
{
	struct ckpt_tasks *tasks;
	int rc = ckpt_tasks_load(&tasks, cli->store, head, CKPT_TASKS_HEAD);

	if (rc < 0)
		return rc;
	*out = (struct list_stand){ .known = true, .status = tasks->status };
	for (size_t i = 0; i < tasks->nwaits; i++)
		out->interrupts += !tasks->waits[i].staged;
	if (tasks->status == CKPT_STATUS_UNKNOWN)
		out->interrupts = CKPT_UNKNOWN;
	stand_words(words, tasks);
	ckpt_tasks_free(tasks);
	return 0;
}

/* Past checkpoints are judged by themselves where that is enough. */
int list_status(struct cli *cli, const struct ckpt_checkpoint *c, bool head,
		enum ckpt_status *out)
{
	struct ckpt_tasks *tasks;
	int rc = ckpt_tasks_load(&tasks, cli->store, c,
			CKPT_TASKS_BRIEF | (head ? CKPT_TASKS_HEAD : CKPT_TASKS_PAST));

	if (rc < 0)
		return rc;
	*out = tasks->status;
	ckpt_tasks_free(tasks);
	return 0;
}

bool list_stands_so(const struct list *o, enum ckpt_status status)
{
	/* In the order of --status's choices. */
	static const enum ckpt_status choices[] = { CKPT_FINISHED, CKPT_INTERRUPTED,
		CKPT_ANSWERED, CKPT_FAILED, CKPT_RUNNABLE, CKPT_STATUS_UNKNOWN };

	return o->status < 0 || choices[o->status] == status;
}
