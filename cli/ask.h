/*
 * ask.h - what deletes or alters asks the person first. Where there is nobody to ask, --yes has to
 * say it.
 */
#ifndef ASK_H
#define ASK_H

#include "cmd.h"

struct ask {
	const char *doing;    /* "deleting 1480 checkpoints", for a refusal */
	const char *question; /* "Delete 1420 checkpoints (92 %) from agent.db?" */
	bool most;        /* more than half of the store goes: its name has to be typed */
	bool yes;         /* --yes was given */
	bool stdin_taken; /* stdin is data; the terminal itself may be asked */
	const char *hint; /* what unattended runs do; NULL: add --yes */
};
/* 0: go on. CKPT_EREFUSED: the answer is no, or nobody is there. Asks before anything is locked:
 * close the store first (cli_store_close), so that what is spooled is shown. */
int ask(struct cli *, const struct ask *);
/* The name by which people call a store: that of its file, or of its database. */
void ask_name(struct ckpt_buf *to, const struct cli *);

#endif
