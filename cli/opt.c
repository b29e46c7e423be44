/*
 * opt.c - from argv to structs, driven by the option tables.
 *
 * Here: the common options and the parser. Not here: texts made from the tables (usage.c, doc.c),
 * what an option means (the command).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

/* clang-format off */
const struct opt common_options[] = {
	{ 0, "", OPT_GROUP, 0, NULL, "Store", NULL, 0, false },
	{ 's', "store", OPT_TEXT, AT(struct globals, store), "STORE",
		"the store to read: file, URI or DSN (default: $CKPT_STORE)", NULL,
		COMPLETE_FILE, false },
	{ 0, "schema", OPT_TEXT, AT(struct globals, schema), "NAME",
		"PostgreSQL schema (default: the first that holds a known layout)",
		NULL, 0, false },
	{ 0, "layout", OPT_TEXT, AT(struct globals, layout), "NAME",
		"take the store for this layout where detection is ambiguous",
		NULL, 0, false },
	{ 0, "aes-key-file", OPT_TEXT, AT(struct globals, aes_key_file), "FILE",
		"key of encrypted values (default: $LANGGRAPH_AES_KEY)",
		NULL, COMPLETE_FILE, false },
	{ 0, "lock-wait", OPT_DURATION, AT(struct globals, lock_wait), "DURATION",
		"how long to wait for a locked store (default: 5s)", NULL, 0, false },
	{ 0, "", OPT_GROUP, 0, NULL, "Output", NULL, 0, false },
	{ 0, "json", OPT_FLAG, AT(struct globals, json), NULL,
		"one JSON document", NULL, 0, false },
	{ 0, "ndjson", OPT_FLAG, AT(struct globals, ndjson), NULL,
		"one JSON object a line, written as found", NULL, 0, false },
	{ 0, "porcelain", OPT_MAYBE, AT(struct globals, porcelain), "v1",
		"tab-separated lines, as a pipe gets them", NULL, 0, false },
	{ 'q', "quiet", OPT_FLAG, AT(struct globals, quiet), NULL,
		"no notes or warnings on stderr", NULL, 0, false },
	{ 'v', "verbose", OPT_COUNT, AT(struct globals, verbose), NULL,
		"say more; twice: print every SQL statement", NULL, 0, false },
	{ 0, "color", OPT_ENUM, AT(struct globals, color), "WHEN",
		"colour: auto, always or never", "auto|always|never",
		COMPLETE_CHOICES, false },
	{ 0, "time", OPT_ENUM, AT(struct globals, time), "FORM",
		"times for people: relative or iso", "relative|iso",
		COMPLETE_CHOICES, false },
	{ 0, "no-pager", OPT_FLAG, AT(struct globals, no_pager), NULL,
		"do not start a pager", NULL, 0, false },
	{ 'h', "help", OPT_FLAG, AT(struct globals, help), NULL,
		"print a short help and exit", NULL, 0, false },
	{ 'V', "version", OPT_FLAG, AT(struct globals, version), NULL,
		"print the version and exit", NULL, 0, false },
	{ 0, NULL, OPT_END_KIND, 0, NULL, NULL, NULL, 0, false }
};
/* clang-format on */

int cli_usage(struct cli *cli, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return ckpt_fail(&cli->err, CKPT_EUSAGE, "%s", text);
}

/* ---- the parser ---------------------------------------------------------------------------- */

struct parser {
	struct cli *cli;
	int argc, at; /* argv[at] is the next word */
	char **argv;
};

struct found {
	const struct opt *opt;
	char *base;     /* the struct it is filled into */
	char shown[64]; /* as the user wrote it: "--store", "-s" */
};

static bool is_option(const struct opt *o)
{
	return o->kind != OPT_GROUP;
}

static const struct opt *table_find(
		const struct opt *table, const char *name, size_t n, char letter)
{
	for (const struct opt *o = table; o && o->name; o++) {
		if (!is_option(o))
			continue;
		if (letter ? o->letter == letter
			   : n && strlen(o->name) == n && !memcmp(o->name, name, n))
			return o;
	}
	return NULL;
}

static bool find(struct found *out, struct cli *cli, const char *name, size_t n,
		char letter)
{
	out->base = cli->opts;
	out->opt = cli->cmd ? table_find(cli->cmd->opts, name, n, letter) : NULL;
	if (!out->opt) {
		out->opt = table_find(common_options, name, n, letter);
		out->base = (char *)&cli->g;
	}
	if (letter)
		snprintf(out->shown, sizeof(out->shown), "-%c", letter);
	else
		snprintf(out->shown, sizeof(out->shown), "--%.*s", (int)(n < 50 ? n : 50),
				name);
	return out->opt != NULL;
}

static size_t collect_names(const char **to, size_t room, const struct opt *table)
{
	size_t n = 0;

	for (const struct opt *o = table; o && o->name && n < room; o++)
		if (is_option(o) && *o->name)
			to[n++] = o->name;
	return n;
}

static int unknown_option(struct cli *cli, const struct found *f, bool is_long)
{
	const char *names[128], *near = NULL;
	size_t n;

	if (is_long) {
		n = collect_names(names, 60, cli->cmd ? cli->cmd->opts : NULL);
		n += collect_names(names + n, 60, common_options);
		names[n] = NULL;
		near = opt_nearest(f->shown + 2, names);
	}
	if (near)
		return cli_usage(cli, "no option '%s'; did you mean '--%s'?", f->shown,
				near);
	cli_usage(cli, "no option '%s'", f->shown);
	if (cli->cmd)
		ckpt_hint(&cli->err, "options: ckpt %s -h", cli->cmd->name);
	else
		ckpt_hint(&cli->err,
				"options of a command go after its name; see ckpt -h");
	return CKPT_EUSAGE;
}

static int list_add(struct opt_list *list, const char *value, struct cli *cli)
{
	const char **grown = realloc(list->v, (list->n + 1) * sizeof(*grown));

	if (!grown)
		return ckpt_fail(&cli->err, CKPT_ENOMEM, "out of memory");
	list->v = grown;
	list->v[list->n++] = value;
	return 0;
}

static int bad_value(struct cli *cli, const struct found *f, const char *value,
		const char *what)
{
	return cli_usage(cli, "%s: '%s' is not %s", f->shown, value, what);
}

static int set_int(struct cli *cli, const struct found *f, const char *value, int64_t *to)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(value, &end, 10);
	if (errno || end == value || *end ||
			strspn(value, "-0123456789") != strlen(value))
		return bad_value(cli, f, value, "a number");
	*to = n;
	return 0;
}

static int set_duration(
		struct cli *cli, const struct found *f, const char *value, int64_t *to)
{
	size_t n = strlen(value);

	if (ckpt_duration_parse(to, value))
		return 0;
	bad_value(cli, f, value, "a duration");
	if (n > 1 && value[n - 1] == 'm' && strspn(value, "0123456789") == n - 1)
		ckpt_hint(&cli->err, "m is ambiguous: write min");
	else
		ckpt_hint(&cli->err, "write 90s, 15min, 36h, 7d or 2w");
	return CKPT_EUSAGE;
}

static int set_size(
		struct cli *cli, const struct found *f, const char *value, int64_t *to)
{
	if (ckpt_size_parse(to, value))
		return 0;
	bad_value(cli, f, value, "a size");
	ckpt_hint(&cli->err,
			"a size has a unit: 10MB is 10000000 bytes, 10MiB is 10485760");
	return CKPT_EUSAGE;
}

static int set_time(
		struct cli *cli, const struct found *f, const char *value, int64_t *to)
{
	if (ckpt_time_parse(to, ckpt_view_of(value), cli->now))
		return 0;
	bad_value(cli, f, value, "a time");
	ckpt_hint(&cli->err, "write 2026-11-20, 2026-11-20T10:00:00Z or now-7d");
	return CKPT_EUSAGE;
}

static int set_enum(struct cli *cli, const struct found *f, const char *value, int *to)
{
	const char *p = f->opt->choices;
	size_t n = strlen(value);

	for (int i = 0; p && *p; i++) {
		size_t len = strcspn(p, "|");

		if (len == n && memcmp(p, value, n) == 0) {
			*to = i;
			return 0;
		}
		p += len + (p[len] == '|');
	}
	bad_value(cli, f, value, "one of its values");
	ckpt_hint(&cli->err, "values: %s", f->opt->choices);
	return CKPT_EUSAGE;
}

static int set_value(struct cli *cli, const struct found *f, const char *value)
{
	void *to = f->base + f->opt->at;

	switch (f->opt->kind) {
	case OPT_FLAG:
		*(bool *)to = true;
		return 0;
	case OPT_COUNT:
		++*(int *)to;
		return 0;
	case OPT_TEXT:
	case OPT_MAYBE:
		*(const char **)to = value;
		return 0;
	case OPT_LIST:
		return list_add(to, value, cli);
	case OPT_INT:
		return set_int(cli, f, value, to);
	case OPT_SIZE:
		return set_size(cli, f, value, to);
	case OPT_DURATION:
		return set_duration(cli, f, value, to);
	case OPT_TIME:
		return set_time(cli, f, value, to);
	case OPT_ENUM:
		return set_enum(cli, f, value, to);
	case OPT_END_KIND:
	case OPT_GROUP:
		break;
	}
	return ckpt_fail(&cli->err, CKPT_EINTERNAL, "option table of '%s' is wrong",
			f->shown);
}

static bool takes_value(const struct opt *o)
{
	return o->kind != OPT_FLAG && o->kind != OPT_COUNT && o->kind != OPT_MAYBE;
}

/* The next word is the value, whatever it looks like: a thread may well be called --help. */
static const char *next_value(struct parser *p, const struct found *f)
{
	if (p->at == p->argc) {
		cli_usage(p->cli, "%s needs a value: %s", f->shown, f->opt->value);
		return NULL;
	}
	return p->argv[p->at++];
}

static int parse_long(struct parser *p, const char *word)
{
	size_t n = strcspn(word, "=");
	const char *value = word[n] ? word + n + 1 : NULL;
	struct found f;

	if (!find(&f, p->cli, word, n, 0))
		return unknown_option(p->cli, &f, true);
	if (takes_value(f.opt)) {
		if (!value)
			value = next_value(p, &f);
		if (!value)
			return CKPT_EUSAGE;
	} else if (f.opt->kind == OPT_MAYBE) {
		if (value && !*value)
			return cli_usage(p->cli, "%s= needs a value: %s", f.shown,
					f.opt->value);
		value = value ? value : "";
	} else if (value) {
		return cli_usage(p->cli, "%s takes no value", f.shown);
	}
	return set_value(p->cli, &f, value);
}

/* A word of grouped letters: flags, the last of which may take the rest or the next word. */
static int parse_short(struct parser *p, const char *letters)
{
	while (*letters) {
		struct found f;
		const char *value = "";
		int rc;

		if (!find(&f, p->cli, NULL, 0, *letters++))
			return unknown_option(p->cli, &f, false);
		if (takes_value(f.opt)) {
			value = *letters ? letters : next_value(p, &f);
			if (!value)
				return CKPT_EUSAGE;
			letters = "";
		}
		rc = set_value(p->cli, &f, value);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void set_defaults(const struct opt *table, char *base)
{
	for (const struct opt *o = table; o && o->name; o++) {
		if (o->kind == OPT_ENUM)
			*(int *)(void *)(base + o->at) = -1;
		else if (o->kind == OPT_INT || o->kind == OPT_SIZE ||
				o->kind == OPT_DURATION || o->kind == OPT_TIME)
			*(int64_t *)(void *)(base + o->at) = CKPT_UNKNOWN;
	}
}

static int choose_command(struct cli *cli, const char *word)
{
	const char *names[64], *near;
	size_t n = 0;

	for (size_t i = 0; commands[i]; i++) {
		if (strcmp(commands[i]->name, word) == 0) {
			cli->cmd = commands[i];
			cli->opts = calloc(1, cli->cmd->size ? cli->cmd->size : 1);
			if (!cli->opts)
				return ckpt_fail(&cli->err, CKPT_ENOMEM, "out of memory");
			set_defaults(cli->cmd->opts, cli->opts);
			return 0;
		}
		if (!commands[i]->hidden && n < 63)
			names[n++] = commands[i]->name;
	}
	names[n] = NULL;
	near = opt_nearest(word, names);
	if (near)
		return cli_usage(cli, "no command '%s'; did you mean '%s'?", word, near);
	cli_usage(cli, "no command '%s'", word);
	ckpt_hint(&cli->err, "commands: ckpt -h");
	return CKPT_EUSAGE;
}

static int parse_word(struct parser *p)
{
	struct cli *cli = p->cli;
	const char *word = p->argv[p->at++];

	if (!cli->no_options && word[0] == '-' && word[1]) {
		if (word[1] != '-')
			return parse_short(p, word + 1);
		if (word[2])
			return parse_long(p, word + 2);
		/* "--": the command's name may still come after it */
		cli->no_options = true;
		if (cli->cmd && cli->cmd->runs) {
			cli->command = (const char *const *)p->argv + p->at;
			p->at = p->argc;
		}
		return 0;
	}
	if (!cli->cmd)
		return choose_command(cli, word);
	cli->args[cli->nargs++] = word;
	return 0;
}

static int check_args(struct cli *cli)
{
	const struct cmd *cmd = cli->cmd;

	if (cli->nargs < cmd->min_args)
		cli_usage(cli, "%s needs an argument: %s", cmd->name, cmd->args);
	else if (cli->nargs > cmd->max_args)
		cli_usage(cli, "%s: '%s' is one argument too many", cmd->name,
				cli->args[cmd->max_args]);
	else
		return 0;
	ckpt_hint(&cli->err, "usage: ckpt %s%s%s", cmd->name,
			cmd->args && *cmd->args ? " " : "", cmd->args ? cmd->args : "");
	return CKPT_EUSAGE;
}

static int check_common(struct cli *cli)
{
	struct globals *g = &cli->g;

	if (g->json + g->ndjson + (g->porcelain != NULL) > 1)
		return cli_usage(cli,
				"--json, --ndjson and --porcelain exclude each other");
	if (g->porcelain && *g->porcelain && strcmp(g->porcelain, "v1") != 0)
		return cli_usage(cli, "--porcelain: no version '%s', there is v1",
				g->porcelain);
	if (g->lock_wait == CKPT_UNKNOWN)
		g->lock_wait = INT64_C(5000000000);
	return 0;
}

int opt_parse(struct cli *cli, int argc, char **argv)
{
	struct parser p = { cli, argc, 1, argv };
	bool literal;
	int rc;

	set_defaults(common_options, (char *)&cli->g);
	cli->args = calloc((size_t)argc + 1, sizeof(*cli->args));
	if (!cli->args)
		return ckpt_fail(&cli->err, CKPT_ENOMEM, "out of memory");
	literal = false;
	while (p.at < argc) {
		bool before = cli->no_options;

		rc = parse_word(&p);
		if (rc < 0)
			return rc;
		if (!before && cli->no_options)
			literal = cli->nargs == 0;
	}
	cli->no_options = literal;
	rc = check_common(cli);
	if (rc < 0 || !cli->cmd || cli->g.help || cli->g.version)
		return rc;
	return check_args(cli);
}

void opt_release(struct cli *cli)
{
	for (const struct opt *o = cli->cmd ? cli->cmd->opts : NULL; o && o->name; o++)
		if (o->kind == OPT_LIST && cli->opts)
			free(((struct opt_list *)(void *)((char *)cli->opts + o->at))->v);
	free(cli->opts);
	free(cli->args);
	cli->opts = NULL;
	cli->args = NULL;
	cli->nargs = 0;
}
