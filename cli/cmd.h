/*
 * cmd.h - what a command is made of: a table of options, a table of columns, a fold.
 *
 * A new command is one file (cmd_<name>.c) and one row in commands[] (main.c). A new option is
 * one row of its table; parser, -h, manual page and completions come from it.
 */
#ifndef CMD_H
#define CMD_H

#include "../lib/ckpt.h"
#include "out.h"

/* ---- options --------------------------------------------------------------------------------- */

enum opt_kind {
	OPT_END_KIND,
	OPT_GROUP,    /* a heading in -h and the manual; `help` is its text */
	OPT_FLAG,     /* bool */
	OPT_COUNT,    /* int, +1 each time */
	OPT_TEXT,     /* const char * */
	OPT_LIST,     /* struct opt_list, repeatable */
	OPT_INT,      /* int64_t; CKPT_UNKNOWN if not given */
	OPT_SIZE,     /* int64_t bytes; CKPT_UNKNOWN if not given */
	OPT_DURATION, /* int64_t ns; CKPT_UNKNOWN if not given */
	OPT_TIME,     /* int64_t ns since 1970; CKPT_UNKNOWN if not given */
	OPT_ENUM, /* int: index into `choices` ("auto|always|never"); -1 if not given */
	OPT_MAYBE /* const char *; value only after '=': NULL not given, "" without value */
};

enum opt_complete {
	COMPLETE_NOTHING,
	COMPLETE_FILE,
	COMPLETE_THREAD,
	COMPLETE_CHECKPOINT,
	COMPLETE_NS,
	COMPLETE_CHOICES
};

struct opt {
	char letter;      /* 0: none */
	const char *name; /* long name, "": a flag of one letter only; NULL ends the table */
	enum opt_kind kind;
	size_t at;           /* offset in the command's struct */
	const char *value;   /* name of the value in help: "N", "GLOB" */
	const char *help;    /* one line, lower case, no full stop */
	const char *choices; /* OPT_ENUM: "a|b|c" */
	enum opt_complete complete;
	bool hidden; /* in the manual, not in -h */
};

struct opt_list {
	const char **v;
	size_t n;
};

#define AT(type, member) offsetof(type, member)

/* ---- the command line as parsed ----------------------------------------------------------------- */

struct globals { /* the options every command has (cli.md §3) */
	const char *store, *schema, *layout, *aes_key_file;
	bool json, ndjson, quiet, no_pager, help, version;
	const char *porcelain;
	int verbose, color,
			time; /* color: auto always never; time: relative iso; -1 not given */
	int64_t lock_wait;
};

struct cmd;
struct cli {
	const struct cmd *cmd;
	struct globals g;
	void *opts;        /* the command's own struct, filled from its table */
	const char **args; /* positional arguments */
	size_t nargs;
	struct out *out; /* rows and documents; see out.h */
	struct ckpt_error err;
	struct ckpt_store *store;
	struct ckpt_store *other; /* a second one, opened by a command that streams over
	                             both: ended and closed with the first */
	bool had_password;        /* on the command line */
	struct ckpt_error
			verdict; /* of an answer that was given, but is not good: exit 8 */
	int64_t now;             /* ns, taken once */
	bool no_options;         /* "--" was given before the first argument */
	char *const *words;      /* the whole command line, passwords and all */
	int nwords;
	const char *const
			*command; /* the words behind "--", of a command that runs them */
	uint64_t core_limit;      /* the soft limit of core files we were started with */
};

struct cmd {
	const char *name;
	const char *args; /* usage of positionals: "[THREAD]" */
	size_t min_args, max_args;
	const char *summary;        /* one line for `ckpt -h` and the manual's NAME */
	const struct opt *opts;     /* its own options; the common ones are added */
	size_t size;                /* of its option struct */
	enum opt_complete complete; /* what a positional is */
	bool needs_store;           /* open cli->store before run, close it after */
	/* Will this run write to the store? Then what a killed run left is rolled back; or NULL */
	bool (*alters)(const void *opts);
	bool first_is_store; /* which the first argument names */
	bool runs;           /* words behind "--" are another program's */
	bool hidden;
	bool pages;           /* long text goes to the pager on a terminal */
	const char *examples; /* lines "  ckpt list   what it does"; run by the tests */
	/* Are the words right, as far as they tell alone? Before anything is opened; or NULL. */
	int (*check)(struct cli *);
	/* Output through cli->out. Returns 0, a positive exit code (1, 8, …) or < 0 CKPT_E… with
	 * cli->err set. May be run again from the start if the store changed under it. */
	int (*run)(struct cli *);
};

extern const struct cmd *const commands[]; /* main.c; NULL-terminated, in help order */
extern const struct opt common_options[];  /* opt.c; offsets into struct globals */

/* Parse argv; on failure cli->err is set (CKPT_EUSAGE, with a did-you-mean hint). */
int opt_parse(struct cli *, int argc, char **argv);
void opt_release(struct cli *);
/* Nearest name by edit distance, or NULL. */
const char *opt_nearest(const char *word, const char *const *names);
int opt_help(const struct cmd *, struct ckpt_buf *to); /* -h; cmd NULL: the program */

/* Helpers shared by commands. */
int cli_usage(struct cli *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Is each that `option` gives KEY=VALUE? */
int cli_check_where(struct cli *, const char *option, const struct opt_list *);
/* How stores are opened, from the common options. */
void cli_config(struct cli *, struct ckpt_config *out);
/* Open a store besides cli->store, with the same options; the caller ends and closes it. */
int cli_store_open(struct ckpt_store **out, struct cli *, const char *name);
/* The look at cli->store is over, and what it was told counts: close it, which a command that
 * alters the store has to do before it does so. CKPT_EBUSY: it changed meanwhile. */
int cli_store_close(struct cli *);
/* Exit code of a CKPT_E… code, and its name in error JSON. */
int cli_exit_code(int code);
const char *cli_error_name(int code);
/* A warning or a note on stderr, made harmless; silent with -q. */
void cli_note(struct cli *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
