/*
 * resume.h - what the files of `ckpt resume` share: cmd_resume.c reads and goes on,
 * resume_course.c changes a thread's course, resume_answer.c says where it stands.
 */
#ifndef RESUME_H
#define RESUME_H

#include "cmd.h"
#include "stand.h"

struct resume_opts {
	const char *thread, *checkpoint, *ns, *new_thread;
	struct opt_list answers;
	bool fork, rollback, dry_run, yes;
};

struct resume {
	struct cli *cli;
	const struct resume_opts *o;
	struct ckpt_key key;
	struct ckpt_buf key_bytes;
	struct ckpt_scan *scan;
	struct ckpt_checkpoint c;
	struct ckpt_tasks *tasks;
	struct ckpt_buf config, safe, safe_why;
	bool has_safe;
	size_t heads;  /* where branches of its namespace end */
	bool created;  /* by --fork or --rollback: `key` is the new head */
	bool stateful; /* subgraphs would be resumed, not run, without the new head's id */
};

/* Read where it stands; `key` is set. And forget it: what belongs to the store goes before it. */
int resume_look(struct resume *);
void resume_forget(struct resume *);

/* --fork, --rollback, --answer; then where it stands now. */
int resume_change(struct resume *);

/* The document, or the words for people, or the config alone. */
int resume_answer(struct resume *);

#endif
