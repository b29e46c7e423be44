/*
 * frame.h - what the files of the frame (main, out, sink, table, pager, term, doc, help) share.
 *
 * Commands do not include this: they speak cmd.h and out.h.
 */
#ifndef FRAME_H
#define FRAME_H

#include "cmd.h"

#define TABLE_HELD 1000 /* rows a text table looks at before it fixes its widths */
#define TABLE_COLS 24

struct cell {
	size_t at, n; /* in the table's text */
};

struct table {
	struct ckpt_buf text; /* cells, already harmless */
	struct cell *cells;
	size_t rows, ncells, room;
	size_t width[TABLE_COLS];
	bool fixed; /* heading printed, widths settled */
	bool below; /* the column that wraps has lines of its own */
};

struct out {
	/* the document */
	enum out_form form;
	bool begun, ended, has_data, with_long;
	const char *format, *type;
	const struct col *cols; /* NULL, or own_cols */
	struct col own_cols[TABLE_COLS + 1];
	size_t rows;
	struct ckpt_buf members, line; /* of the summary */
	struct table table;

	/* the bytes on their way to stdout */
	struct ckpt_buf pending;
	int fd, spool;    /* where they go; the unlinked spool file, or -1 */
	bool released;    /* a tentative store has said that what was read counts */
	bool paged, quit; /* a pager runs; its reader had enough */
	int lost;         /* errno of the first failed write */

	/* what stdout is */
	bool terminal, color;
	int width;
};

/* ---- term.c ---- */
void term_look(struct out *, const struct globals *);

/* ---- sink.c: bytes to stdout, the pager or the spool ---- */
int sink_start(struct cli *);           /* allocates cli->out */
int sink_flush(struct cli *, bool all); /* all: even a few bytes */
int sink_release(struct cli *);         /* what was spooled counts: write it */
void sink_forget(struct cli *);
int sink_close(struct cli *); /* write the rest, wait for the pager */
void sink_free(struct cli *);
int sink_signal(void); /* the signal that asked us to stop, or 0 */
void sink_catch(void); /* catch INT and TERM so that documents close */

/* ---- pager.c ---- */
int pager_open(struct out *,
		const struct globals *); /* a descriptor to write to, or -1 */
void pager_wait(int fd);

/* ---- table.c ---- */
void table_add(struct cli *, const struct field *);
void table_flush(struct cli *);
void table_free(struct table *);

/* ---- the tables in other clothes: usage.c, doc.c, complete.c, help.c ---- */
struct doc_row { /* one option with everything a writer of tables needs */
	const struct opt *opt;
	char names[64]; /* "-s, --store" */
};
void doc_names(char to[static 64], const struct opt *);
int doc_man(struct cli *, const char *command);
int doc_completion(struct ckpt_buf *to, const char *shell);
void doc_bash(struct ckpt_buf *to);
void doc_zsh(struct ckpt_buf *to);
void doc_fish(struct ckpt_buf *to);
const struct cmd *cmd_find(const char *name);
/* man(7) source as text; bold and italic are the terminal's codes, or "". */
struct man_look {
	const char *bold, *italic, *plain;
	size_t width;
};
void man_format(struct ckpt_buf *to, const char *source, const struct man_look *);

extern const struct cmd cmd_list, cmd_show, cmd_diff, cmd_check, cmd_migrate, cmd_du,
		cmd_prune, cmd_resume, cmd_enforce_size, cmd_copy, cmd_delete, cmd_help,
		cmd_completion, cmd_doc, cmd_complete;

#endif
