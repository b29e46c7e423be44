/*
 * list_stand.c - how threads and checkpoints of a list stand: asked of the library, and for
 * threads of their newest checkpoint alone.
 */
#include <string.h>

#include "list.h"
#include "out.h"
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

/* Since when, for whom, for what: of the question that waits longest. */
static void say(struct cli *cli, const struct ckpt_tasks *tasks, struct ckpt_buf *words)
{
	int64_t since = CKPT_UNKNOWN;

	for (size_t i = 0; i < tasks->nwaits; i++) {
		const struct ckpt_interrupt *q = &tasks->waits[i];

		if (!q->staged && q->asked != CKPT_UNKNOWN &&
				(since == CKPT_UNKNOWN || q->asked < since))
			since = q->asked;
	}
	if (since != CKPT_UNKNOWN) {
		text_time(words, since, cli->now, cli->g.time == 1);
		ckpt_buf_puts(words, "  ");
	}
	stand_words(words, tasks);
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
	say(cli, tasks, words);
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

int list_mark(struct cli *cli, const struct ckpt_checkpoint *head, struct ckpt_buf *to)
{
	struct ckpt_buf words = { 0 };
	struct list_stand stand;
	int rc = list_stand(cli, head, &stand, &words);
	int64_t n = rc < 0 ? 0 : stand.interrupts;

	if (n > 0)
		ckpt_buf_addf(to, "  \u23f8 %lld interrupt%s waiting", (long long)n,
				n == 1 ? "" : "s");
	to->failed |= words.failed;
	ckpt_buf_free(&words);
	return rc;
}

bool list_stands_so(const struct list *o, enum ckpt_status status)
{
	/* In the order of --status's choices. */
	static const enum ckpt_status choices[] = { CKPT_FINISHED, CKPT_INTERRUPTED,
		CKPT_ANSWERED, CKPT_FAILED, CKPT_RUNNABLE, CKPT_STATUS_UNKNOWN };

	return o->status < 0 || choices[o->status] == status;
}
