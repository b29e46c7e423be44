/*
 * resume_course.c - `ckpt resume --fork, --rollback, --answer`: what is to be done is worked out,
 * asked, done; then the thread is looked at again, as it stands now.
 */
#include <string.h>

#include "ask.h"
#include "receipt.h"
#include "resume.h"

/* ---- asking, doing, looking again ------------------------------------------------------------- */

static int confirm(struct resume *r, const char *doing, const char *what)
{
	struct ckpt_buf question = { 0 };
	struct ask a = { .doing = doing, .yes = r->o->yes };
	int rc;

	ckpt_buf_puts(&question, what);
	ckpt_buf_puts(&question, " thread ");
	text_safe(&question, r->key.thread, 60);
	ckpt_buf_puts(&question, " in ");
	ask_name(&question, r->cli);
	ckpt_buf_puts(&question, "?");
	a.question = question.p;
	rc = question.failed ? ckpt_fail(&r->cli->err, CKPT_ENOMEM, "out of memory")
	                     : ask(r->cli, &a);
	ckpt_buf_free(&question);
	return rc;
}

/* The store is closed, and the person has said yes. */
static int agree(struct resume *r, const char *doing, const char *what)
{
	int rc;

	resume_forget(r);
	rc = cli_store_close(r->cli);
	return rc < 0 ? rc : confirm(r, doing, what);
}

/* Where it stands after the change. */
static int look_again(struct resume *r)
{
	int rc = cli_store_open(&r->cli->store, r->cli, receipt_store(r->cli));

	return rc < 0 ? rc : resume_look(r);
}

/* ---- branches -------------------------------------------------------------------------------- */

/* The key outlives the plan that made it. */
static int own_key(struct resume *r)
{
	struct ckpt_buf b = { 0 };
	const char *p;

	ckpt_buf_add(&b, r->key.thread.p, r->key.thread.n);
	ckpt_buf_add(&b, r->key.ns.p, r->key.ns.n);
	ckpt_buf_add(&b, r->key.id.p, r->key.id.n);
	if (b.failed)
		return ckpt_fail(&r->cli->err, CKPT_ENOMEM, "out of memory");
	p = b.p;
	r->key.thread.p = p;
	r->key.ns.p = p + r->key.thread.n;
	r->key.id.p = p + r->key.thread.n + r->key.ns.n;
	ckpt_buf_free(&r->key_bytes);
	r->key_bytes = b;
	return 0;
}

static int make_branch(struct resume *r, struct ckpt_fork *fork)
{
	struct ckpt_config config;
	struct ckpt_key made;
	int rc;

	rc = agree(r, "beginning a branch", "Begin a branch of");
	if (rc < 0)
		return rc;
	cli_config(r->cli, &config);
	rc = ckpt_fork_run(fork, receipt_store(r->cli), &config, &made);
	if (rc < 0)
		return rc;
	r->key = made;
	r->created = true;
	rc = own_key(r);
	return rc < 0 ? rc : look_again(r);
}

static int branch(struct resume *r, const struct ckpt_key *at)
{
	const struct ckpt_fork_want want = { *at, ckpt_view_of(r->o->new_thread) };
	struct ckpt_fork_about about;
	struct ckpt_fork *fork = NULL;
	char name[200];
	int rc = ckpt_fork_plan(&fork, r->cli->store, &want);

	if (rc >= 0 && r->o->dry_run) {
		cli_note(r->cli, "would begin a branch at %s",
				ckpt_show_name(name, at->id));
	} else if (rc >= 0) {
		ckpt_fork_about(fork, &about);
		r->stateful = about.stateful && about.rerun;
		rc = make_branch(r, fork);
	}
	ckpt_fork_free(fork);
	return rc;
}

static int roll_back(struct resume *r)
{
	struct ckpt_buf id = { 0 };
	struct ckpt_key at = r->key;
	int rc = 0;

	if (!r->has_safe) {
		rc = ckpt_fail(&r->cli->err, CKPT_EREFUSED,
				"refused: there is no good checkpoint to go back to");
	} else if (r->tasks->head && !r->safe_why.n) {
		cli_note(r->cli, "the newest checkpoint is good: nothing to roll back");
	} else {
		/* looking again overwrites where it stood */
		ckpt_buf_add(&id, r->safe.p, r->safe.n);
		at.id = ckpt_buf_view(&id);
		rc = id.failed ? ckpt_fail(&r->cli->err, CKPT_ENOMEM, "out of memory")
		               : branch(r, &at);
	}
	ckpt_buf_free(&id);
	return rc;
}

/* ---- answers --------------------------------------------------------------------------------- */

#define ANSWERS_MOST 64

/* ID=JSON, or JSON alone: no JSON text begins with a word and '='. */
static struct ckpt_answer_given parse(const char *text)
{
	struct ckpt_answer_given out = { .json = ckpt_view_of(text) };
	size_t n = strspn(text, "0123456789-_abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	if (n && text[n] == '=') {
		out.id = (struct ckpt_view){ text, n };
		out.json = ckpt_view_of(text + n + 1);
	}
	return out;
}

static int stage(struct resume *r, struct ckpt_answer *answer)
{
	struct ckpt_config config;
	int rc;

	rc = agree(r, "answering", "Stage the answer for");
	if (rc < 0)
		return rc;
	cli_config(r->cli, &config);
	rc = ckpt_answer_run(answer, receipt_store(r->cli), &config);
	return rc < 0 ? rc : look_again(r);
}

static int give_answers(struct resume *r)
{
	struct ckpt_answer_given given[ANSWERS_MOST];
	struct ckpt_answer *answer = NULL;
	size_t n = r->o->answers.n;
	int rc;

	if (n > ANSWERS_MOST)
		return cli_usage(r->cli, "more than %d answers at once", ANSWERS_MOST);
	for (size_t i = 0; i < n; i++)
		given[i] = parse(r->o->answers.v[i]);
	rc = ckpt_answer_plan(&answer, r->cli->store, &r->key, given, n);
	if (rc >= 0 && r->o->dry_run)
		cli_note(r->cli, "would stage %zu answer%s", n, n == 1 ? "" : "s");
	else if (rc >= 0)
		rc = stage(r, answer);
	ckpt_answer_free(answer);
	return rc;
}

int resume_change(struct resume *r)
{
	if (r->o->answers.n)
		return give_answers(r);
	if (r->o->rollback)
		return roll_back(r);
	return branch(r, &r->key);
}
