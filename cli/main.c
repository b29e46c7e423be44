/*
 * main.c - the commands, and the life of one run: parse, open, run, end, tell what went wrong.
 *
 * The one place that prints errors and picks the exit code.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"

#define TRIES 3

const struct cmd *const commands[] = { &cmd_list, &cmd_show, &cmd_diff, &cmd_check,
	&cmd_migrate, &cmd_du, &cmd_prune, &cmd_resume, &cmd_enforce_size, &cmd_copy,
	&cmd_delete, &cmd_help, &cmd_completion, &cmd_doc, &cmd_complete, NULL };

const struct cmd *cmd_find(const char *name)
{
	for (size_t i = 0; commands[i]; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

/* ---- errors -------------------------------------------------------------------------------- */

static const struct {
	int code, exit;
	const char *name;
} errors[] = { { CKPT_EUSAGE, 2, "usage" }, { CKPT_EMISSING, 4, "store_missing" },
	{ CKPT_EUNSUPPORTED, 7, "store_unsupported" }, { CKPT_EBUSY, 6, "store_locked" },
	{ CKPT_ECONNECT, 5, "connect_failed" }, { CKPT_ENOTFOUND, 4, "not_found" },
	{ CKPT_EAMBIGUOUS, 4, "ambiguous" }, { CKPT_EREFUSED, 7, "refused" },
	{ CKPT_ECORRUPT, 8, "integrity" }, { CKPT_EINCOMPLETE, 3, "incomplete" },
	{ CKPT_EIO, 9, "io" }, { CKPT_ENOMEM, 9, "no_memory" },
	{ CKPT_EINTERRUPTED, 128, "interrupted" }, { CKPT_EINTERNAL, 70, "internal" } };
#define NERRORS (sizeof(errors) / sizeof(*errors))

int cli_exit_code(int code)
{
	for (size_t i = 0; i < NERRORS; i++)
		if (errors[i].code == code)
			return errors[i].exit == 128
			                       ? 128 + (sink_signal() ? sink_signal()
								      : SIGINT)
			                       : errors[i].exit;
	return code == CKPT_OK ? 0 : 70;
}

const char *cli_error_name(int code)
{
	for (size_t i = 0; i < NERRORS; i++)
		if (errors[i].code == code)
			return errors[i].name;
	return "internal";
}

/* Of two exit codes the one that says more: 9 > 6 > 5 > 8 > 3 > 1, and the rest above these. */
static int graver(int a, int b)
{
	static const int order[] = { 0, 1, 3, 8, 5, 6, 9 };
	int ra = 99, rb = 99;

	for (int i = 0; i < 7; i++) {
		ra = order[i] == a ? i : ra;
		rb = order[i] == b ? i : rb;
	}
	return ra >= rb ? a : b;
}

/* Without memory for the line `instead` says that, or nothing does. */
static void put_stderr(struct ckpt_buf *b, const char *instead)
{
	if (b->failed)
		out_write_all(STDERR_FILENO, instead, strlen(instead));
	else
		out_write_all(STDERR_FILENO, b->p,
				b->n); /* there is nowhere to tell it */
	ckpt_buf_free(b);
}

/* One message: "ckpt: …", each hint on its own line; at once, so that nothing mixes in. */
static void put_error(const struct ckpt_error *err)
{
	struct ckpt_buf b = { 0 };

	ckpt_buf_puts(&b, "ckpt: ");
	text_safe(&b, ckpt_view_of(err->text), 0);
	ckpt_buf_puts(&b, "\n");
	for (const char *p = err->hint; *p;) {
		size_t n = strcspn(p, "\n");

		ckpt_buf_puts(&b, "hint: ");
		text_safe(&b, (struct ckpt_view){ p, n }, 0);
		ckpt_buf_puts(&b, "\n");
		p += n + (p[n] == '\n');
	}
	put_stderr(&b, "ckpt: out of memory\n");
}

static void put_error_json(const struct ckpt_error *err)
{
	struct ckpt_buf b = { 0 };

	ckpt_buf_addf(&b, "{\"type\":\"error\",\"code\":\"%s\",\"exit\":%d,\"message\":",
			cli_error_name(err->code), cli_exit_code(err->code));
	ckpt_json_string(&b, ckpt_view_of(err->text));
	ckpt_buf_puts(&b, ",\"hint\":");
	if (*err->hint)
		ckpt_json_string(&b, ckpt_view_of(err->hint));
	else
		ckpt_buf_puts(&b, "null");
	ckpt_buf_addf(&b, ",\"retryable\":%s}\n",
			cli_exit_code(err->code) == 6 ? "true" : "false");
	put_stderr(&b, "{\"type\":\"error\",\"code\":\"no_memory\",\"exit\":9,"
		       "\"message\":"
		       "\"out of memory\",\"hint\":null,\"retryable\":false}\n");
}

static void say(const char *what, const char *line)
{
	struct ckpt_buf b = { 0 };

	ckpt_buf_puts(&b, what);
	text_safe(&b, ckpt_view_of(line), 0);
	ckpt_buf_puts(&b, "\n");
	put_stderr(&b, "");
}

void cli_note(struct cli *cli, const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	if (cli->g.quiet)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say("ckpt: ", text);
}

static void on_note(void *arg, const char *line)
{
	cli_note(arg, "%s", line);
}

static void on_trace(void *arg, const char *line)
{
	(void)arg;
	say("sql: ", line);
}

/* The words in memory of our own; a password among them leaves the command line, where every
 * process can see it. */
static char **take_words(struct cli *cli, int argc, char **argv)
{
	char **words = calloc((size_t)argc + 1, sizeof(*words));
	bool hidden = false, failed = !words;

	for (int i = 0; words && i < argc; i++) {
		struct ckpt_buf shown = { 0 };
		size_t n = strlen(argv[i]);

		words[i] = strdup(argv[i]);
		if (words[i] && ckpt_store_shown(&shown, words[i]) && !shown.failed) {
			memset(argv[i], 0, n);
			memcpy(argv[i], shown.p, shown.n < n ? shown.n : n);
			hidden = true;
		}
		ckpt_buf_free(&shown);
		failed = failed || !words[i];
	}
	if (failed)
		ckpt_fail(&cli->err, CKPT_ENOMEM, "out of memory");
	cli->had_password = hidden;
	return words;
}

static void free_words(char **words, int argc)
{
	for (int i = 0; words && i < argc; i++)
		free(words[i]);
	free(words);
}

/* ---- one run ------------------------------------------------------------------------------- */

static bool on_stop(void *arg)
{
	(void)arg;
	return sink_signal() != 0;
}

int cli_check_where(struct cli *cli, const char *option, const struct opt_list *where)
{
	for (size_t i = 0; i < where->n; i++) {
		const char *eq = strchr(where->v[i], '=');

		if (!eq || eq == where->v[i])
			return cli_usage(cli, "%s '%s': KEY=VALUE is wanted", option,
					where->v[i]);
	}
	return 0;
}

void cli_config(struct cli *cli, struct ckpt_config *out)
{
	*out = (struct ckpt_config){ .schema = cli->g.schema,
		.layout = cli->g.layout,
		.aes_key_file = cli->g.aes_key_file,
		.aes_key = getenv("LANGGRAPH_AES_KEY"),
		.lock_wait = cli->g.lock_wait,
		.recover = cli->cmd->alters && cli->cmd->alters(cli->opts),
		.note = on_note,
		.stop = on_stop,
		.arg = cli,
		.trace = cli->g.verbose >= 2 ? on_trace : NULL };
}

int cli_store_open(struct ckpt_store **out, struct cli *cli, const char *name)
{
	struct ckpt_config config;
	struct ckpt_about about;
	int rc;

	cli_config(cli, &config);
	rc = ckpt_store_open(out, name, &config, &cli->err);
	if (rc < 0 || cli->g.verbose < 1 || ckpt_store_about(*out, &about) < 0)
		return rc;
	cli_note(cli, "store %s (%s, layout %s%s%s)", about.uri, about.engine,
			about.layout, about.schema ? ", schema " : "",
			about.schema ? about.schema : "");
	return 0;
}

static int open_store(struct cli *cli)
{
	const char *name = cli->cmd->first_is_store ? cli->args[0]
	                   : cli->g.store           ? cli->g.store
	                                            : getenv("CKPT_STORE");
	struct ckpt_about about;
	int rc;

	if (!name || !*name) {
		cli_usage(cli, "no store given");
		ckpt_hint(&cli->err, "-s STORE or CKPT_STORE");
		return CKPT_EUSAGE;
	}
	rc = cli_store_open(&cli->store, cli, name);
	/* of two stores the other one may be meant */
	if (rc >= 0 && cli->g.schema && !cli->cmd->first_is_store &&
			ckpt_store_about(cli->store, &about) >= 0 && !about.schema)
		cli_note(cli, "--schema is about PostgreSQL: this store has none");
	return rc;
}

static void close_store(struct cli *cli)
{
	if (cli->store)
		ckpt_store_close(cli->store);
	if (cli->other)
		ckpt_store_close(cli->other);
	cli->store = cli->other = NULL;
}

/* End the snapshots. CKPT_EBUSY of a tentative one outranks what else went wrong. */
static int end_stores(struct cli *cli, bool *tentative)
{
	int rc = ckpt_store_end(cli->store), other;

	if (!cli->other)
		return rc;
	*tentative |= ckpt_store_tentative(cli->other);
	other = ckpt_store_end(cli->other);
	return rc == CKPT_EBUSY || other >= 0 ? rc : other;
}

int cli_store_close(struct cli *cli)
{
	bool tentative = false;
	int rc = end_stores(cli, &tentative);

	close_store(cli);
	return rc < 0 || cli->out->spool < 0 ? rc : sink_release(cli);
}

/* The exit code of a command's result; a failure is in cli->err. */
static int settle(struct cli *cli, int rc)
{
	if (rc >= 0)
		return rc;
	if (cli->err.code == CKPT_OK)
		ckpt_fail(&cli->err, rc, "unexplained failure %d", rc);
	return cli_exit_code(cli->err.code);
}

/* Open, run, end the snapshot; true if the answer is void and has to be worked out again. */
static bool attempt(struct cli *cli, int *exit_code)
{
	bool tentative;
	int rc = open_store(cli), ended;

	if (rc < 0) {
		*exit_code = settle(cli, rc);
		return false;
	}
	tentative = ckpt_store_tentative(cli->store);
	rc = cli->cmd->run(cli);
	*exit_code = settle(cli, rc);
	out_end(cli, rc < 0);
	ended = cli->store ? end_stores(cli, &tentative) : 0;
	if (ended == CKPT_EBUSY && tentative && !cli->out->lost)
		return true;
	if (ended < 0)
		*exit_code = graver(*exit_code, settle(cli, ended));
	if (sink_release(cli) < 0)
		*exit_code = graver(*exit_code, 9);
	return false;
}

static int run_on_store(struct cli *cli)
{
	int exit_code = 0;

	for (int i = 0; i < TRIES && !sink_signal(); i++) {
		struct timespec pause = { 0, 50 * 1000000L };

		if (i) {
			/* the store's failure was about what it read; a new look starts clean */
			memset(&cli->err, 0, sizeof(cli->err));
			memset(&cli->verdict, 0, sizeof(cli->verdict));
			nanosleep(&pause, NULL);
		}
		if (!attempt(cli, &exit_code)) {
			close_store(cli);
			return exit_code;
		}
		out_discard(cli);
		close_store(cli);
	}
	memset(&cli->err, 0, sizeof(cli->err));
	if (sink_signal())
		return settle(cli, ckpt_fail(&cli->err, CKPT_EINTERRUPTED,
						   "stopped by a signal"));
	ckpt_fail(&cli->err, CKPT_EBUSY, "the store keeps changing while it is read");
	ckpt_hint(&cli->err, "run it again when the application rests, or as the store's "
			     "owner");
	return settle(cli, CKPT_EBUSY);
}

static int run(struct cli *cli)
{
	int rc;

	if (sink_start(cli) < 0)
		return settle(cli, CKPT_ENOMEM);
	sink_catch();
	rc = cli->cmd->check ? cli->cmd->check(cli) : 0;
	if (rc < 0) {
		rc = settle(cli, rc);
	} else if (cli->cmd->needs_store) {
		rc = run_on_store(cli);
	} else {
		rc = cli->cmd->run(cli);
		out_end(cli, rc < 0);
		rc = settle(cli, rc);
	}
	if (sink_close(cli) < 0 || cli->out->lost)
		rc = graver(rc, 9);
	if (!cli->out->quit)
		return rc;
	/* the person left the pager; all went well */
	memset(&cli->err, 0, sizeof(cli->err));
	return 0;
}

/* ---- the program ----------------------------------------------------------------------------- */

static int put_text(struct cli *cli, int fd, struct ckpt_buf *text)
{
	if (fd == STDERR_FILENO) {
		put_stderr(text, "ckpt: out of memory\n");
		return 2;
	}
	if (sink_start(cli) == 0)
		out_put(cli, ckpt_buf_view(text));
	ckpt_buf_free(text);
	return cli->out && sink_close(cli) == 0 && !cli->err.code ? 0 : 9;
}

static int put_help(struct cli *cli, int fd)
{
	struct ckpt_buf text = { 0 };

	opt_help(cli->cmd, &text);
	return put_text(cli, fd, &text);
}

static int put_version(struct cli *cli)
{
	struct ckpt_buf text = { 0 };

	ckpt_buf_addf(&text, "ckpt %s\n", ckpt_version());
	return put_text(cli, STDOUT_FILENO, &text);
}

/* No core file: it would hold what the store holds. No database on descriptors 0 to 2. */
static void tidy_process(struct cli *cli)
{
	struct rlimit core;
	int fd;

	if (getrlimit(RLIMIT_CORE, &core) == 0) {
		cli->core_limit = core.rlim_cur;
		core.rlim_cur = 0;
		setrlimit(RLIMIT_CORE, &core);
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a full disk is an error like any other */
	/* read-only, so that writing to a stdout that was closed still fails */
	while ((fd = open("/dev/null", O_RDONLY)) >= 0 && fd <= STDERR_FILENO)
		;
	if (fd > STDERR_FILENO)
		close(fd);
}

/* Was JSON asked for, also where the words after it could not be parsed? */
static bool wants_json(const struct cli *cli, int argc, char **argv)
{
	if (cli->g.json || cli->g.ndjson)
		return true;
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "--ndjson") == 0)
			return true;
	return false;
}

static int start(struct cli *cli, int argc, char **argv)
{
	int rc = opt_parse(cli, argc, argv);

	if (rc < 0)
		return settle(cli, rc);
	if (cli->had_password && cli->cmd && cli->cmd->needs_store)
		cli_note(cli, "a password on the command line can be seen by others; use "
			      "a "
			      "passfile, a service file or CKPT_STORE");
	if (cli->g.version)
		return put_version(cli);
	if (cli->g.help)
		return put_help(cli, STDOUT_FILENO);
	if (!cli->cmd)
		return put_help(cli, STDERR_FILENO);
	rc = run(cli);
	/* with another command to run, its own exit codes have to stay apart from ours */
	return cli->command && rc > 0 && rc < 125 ? 125 : rc;
}

int main(int argc, char **argv)
{
	struct cli cli = { .now = ckpt_now() };
	bool lost_reader;
	char **words;
	int rc;

	tidy_process(&cli);
	words = take_words(&cli, argc, argv);
	cli.words = words;
	cli.nwords = words ? argc : 0;
	rc = cli.err.code ? settle(&cli, CKPT_ENOMEM) : start(&cli, argc, words);
	lost_reader = cli.out && cli.out->lost == EPIPE;
	/* completion must never disturb the line that is being typed */
	if (cli.cmd == &cmd_complete)
		rc = 0;
	else if (!cli.err.code && cli.verdict.code)
		cli.err = cli.verdict;
	if (cli.cmd != &cmd_complete && cli.err.code &&
			!(lost_reader && cli.err.code == CKPT_EIO)) {
		put_error(&cli.err);
		if (wants_json(&cli, argc, argv))
			put_error_json(&cli.err);
	}
	close_store(&cli);
	sink_free(&cli);
	opt_release(&cli);
	free_words(words, argc);
	return rc;
}
