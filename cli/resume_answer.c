/*
 * resume_answer.c - where a thread stands and how to go on, in each form of output.
 */
#include <stdio.h>
#include <string.h>

#include "resume.h"

/* {"thread":…,"ns":…,"id":… without the closing brace. */
static void put_key(struct ckpt_buf *to, const struct ckpt_key *key)
{
	ckpt_buf_puts(to, "{");
	text_json_member(to, "thread", key->thread);
	ckpt_buf_puts(to, ",");
	text_json_member(to, "ns", key->ns);
	ckpt_buf_puts(to, ",");
	text_json_member(to, "id", key->id);
}

static void put_safe(const struct resume *r, struct ckpt_buf *to)
{
	if (!r->has_safe) {
		ckpt_buf_puts(to, "null");
		return;
	}
	ckpt_buf_puts(to, "{");
	text_json_member(to, "id", ckpt_buf_view(&r->safe));
	ckpt_buf_puts(to, ",\"why\":");
	if (r->safe_why.n)
		ckpt_json_string(to, ckpt_buf_view(&r->safe_why));
	else
		ckpt_buf_puts(to, "null");
	ckpt_buf_puts(to, "}");
}

/* Did the address leave open which of several branches is meant? */
static bool choice_of_heads(const struct resume *r)
{
	return r->heads > 1 && r->tasks->head && !r->created;
}

static void put_warnings(const struct resume *r, struct ckpt_buf *to)
{
	const char *const warnings[] = { r->tasks->head ? NULL : "time-travel",
		r->stateful ? "stateful-subgraph" : NULL,
		choice_of_heads(r) ? "several-heads" : NULL, r->tasks->why };
	const char *sep = "";

	ckpt_buf_puts(to, ",\"warnings\":[");
	for (size_t i = 0; i < 4; i++) {
		if (!warnings[i])
			continue;
		ckpt_buf_puts(to, sep);
		ckpt_json_string(to, ckpt_view_of(warnings[i]));
		sep = ",";
	}
	ckpt_buf_puts(to, "]");
}

static int put_json(struct resume *r)
{
	struct ckpt_buf b = { 0 };
	int rc;

	put_key(&b, &r->key);
	stand_json(&b, r->tasks);
	if (r->tasks->nwaits) {
		ckpt_buf_puts(&b, ",\"waits\":");
		stand_waits(&b, r->tasks);
	}
	ckpt_buf_puts(&b, ",\"config\":");
	ckpt_buf_add(&b, r->config.p, r->config.n);
	ckpt_buf_puts(&b, ",\"safe\":");
	put_safe(r, &b);
	if (r->created) {
		ckpt_buf_puts(&b, ",\"created\":");
		put_key(&b, &r->key);
		ckpt_buf_puts(&b, "}");
	}
	put_warnings(r, &b);
	ckpt_buf_puts(&b, "}");
	rc = b.failed ? ckpt_fail(&r->cli->err, CKPT_ENOMEM, "out of memory")
	              : out_data(r->cli, "resume", ckpt_buf_view(&b));
	ckpt_buf_free(&b);
	return rc < 0 ? rc
	              : out_summary(r->cli,
					r->o->dry_run ? "\"checkpoints\":1,\"dry_run\":"
							"true"
						      : "\"checkpoints\":1",
					NULL);
}

static void tell_safe(struct resume *r, struct ckpt_buf *b)
{
	if (r->has_safe && !r->safe_why.n)
		return;
	ckpt_buf_puts(b, "wedged ");
	text_safe(b, ckpt_buf_view(&r->safe_why), 0);
	ckpt_buf_puts(b, r->has_safe ? "\nsafe   " : "\nno good checkpoint before it");
	text_safe(b, ckpt_buf_view(&r->safe), 0);
	ckpt_buf_puts(b, "\n");
}

static int put_text(struct resume *r)
{
	struct ckpt_buf b = { 0 };

	ckpt_buf_puts(&b, "thread ");
	text_safe(&b, r->key.thread, 0);
	ckpt_buf_puts(&b, r->key.ns.n ? "\nns     " : "");
	text_safe(&b, r->key.ns, 0);
	ckpt_buf_puts(&b, "\nat     ");
	text_safe(&b, r->key.id, 0);
	ckpt_buf_puts(&b, r->created       ? "  (new)\n"
			  : r->tasks->head ? "  (newest)\n"
					   : "\n");
	if (r->heads > 1)
		ckpt_buf_addf(&b,
				"heads  %zu branches end in this thread, see 'ckpt "
				"list "
				"--graph'\n",
				r->heads);
	stand_text(r->cli, &b, r->tasks);
	tell_safe(r, &b);
	ckpt_buf_puts(&b, "config ");
	text_safe(&b, ckpt_buf_view(&r->config), 0);
	ckpt_buf_puts(&b, "\n");
	if (!b.failed)
		out_put(r->cli, ckpt_buf_view(&b));
	ckpt_buf_free(&b);
	return 0;
}

int resume_answer(struct resume *r)
{
	int rc = out_begin(r->cli, "resume", "resume", NULL, false);

	if (rc < 0)
		return rc;
	switch (out_form_of(r->cli)) {
	case FORM_JSON:
	case FORM_NDJSON:
		return put_json(r);
	case FORM_PORCELAIN:
		ckpt_buf_puts(&r->config, "\n");
		out_put(r->cli, ckpt_buf_view(&r->config));
		break;
	default:
		rc = put_text(r);
	}
	if (r->stateful)
		cli_note(r->cli, "a subgraph keeps a state of its own: only this config, "
				 "with the new checkpoint's id, runs the step as it was");
	if (!r->tasks->head)
		cli_note(r->cli, "this is not the newest checkpoint: LangGraph goes back "
				 "in time, runs its tasks again and starts a branch");
	return rc;
}
