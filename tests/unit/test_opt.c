/*
 * test_opt.c - the option parser: words in, a struct or a message out.
 */
#include "../../cli/nearest.c"
#include "../../cli/opt.c"
#include "t.h"

struct sample {
	bool flag, zero;
	int count, choice;
	const char *text, *maybe;
	struct opt_list list;
	int64_t number, size, wait, since;
};

/* clang-format off */
static const struct opt table[] = {
	{ 0, "", OPT_GROUP, 0, NULL, "Group", NULL, 0, false },
	{ 'f', "flag", OPT_FLAG, AT(struct sample, flag), NULL, "a flag", NULL, 0, false },
	{ 'c', "count", OPT_COUNT, AT(struct sample, count), NULL, "a count", NULL, 0, false },
	{ 't', "text", OPT_TEXT, AT(struct sample, text), "TEXT", "a text", NULL, 0, false },
	{ 0, "maybe", OPT_MAYBE, AT(struct sample, maybe), "X", "perhaps", NULL, 0, false },
	{ 'i', "item", OPT_LIST, AT(struct sample, list), "ITEM", "items", NULL, 0, false },
	{ 'n', "number", OPT_INT, AT(struct sample, number), "N", "a number", NULL, 0, false },
	{ '0', "", OPT_FLAG, AT(struct sample, zero), NULL, "a letter only", NULL, 0, false },
	{ 0, "size", OPT_SIZE, AT(struct sample, size), "SIZE", "a size", NULL, 0, false },
	{ 0, "wait", OPT_DURATION, AT(struct sample, wait), "D", "a duration", NULL, 0, false },
	{ 0, "since", OPT_TIME, AT(struct sample, since), "T", "a time", NULL, 0, false },
	{ 0, "choice", OPT_ENUM, AT(struct sample, choice), "W", "one of", "one|two|three",
		COMPLETE_CHOICES, false },
	{ 0, NULL, OPT_END_KIND, 0, NULL, NULL, NULL, 0, false }
};

/* clang-format on */
static const struct cmd sample = { .name = "sample",
	.args = "[A [B]]",
	.max_args = 2,
	.summary = "for tests",
	.opts = table,
	.size = sizeof(struct sample) };
static const struct cmd needy = {
	.name = "needy", .args = "A", .min_args = 1, .max_args = 1, .summary = "for tests"
};
static const struct cmd hidden = {
	.name = "hidden", .hidden = true, .summary = "for tests"
};
const struct cmd *const commands[] = { &sample, &needy, &hidden, NULL };

#define MOST 12

/* What came of a line, as text: every field that is set, then the arguments. */
static void describe(struct ckpt_buf *to, const struct cli *cli)
{
	const struct sample *s = cli->opts;

	ckpt_buf_puts(to, cli->cmd ? cli->cmd->name : "-");
	if (cli->g.store)
		ckpt_buf_addf(to, " store=%s", cli->g.store);
	if (cli->g.json)
		ckpt_buf_puts(to, " json");
	if (cli->g.porcelain)
		ckpt_buf_addf(to, " porcelain=%s", cli->g.porcelain);
	if (cli->g.verbose)
		ckpt_buf_addf(to, " verbose=%d", cli->g.verbose);
	if (cli->g.help)
		ckpt_buf_puts(to, " help");
	if (cli->cmd == &sample) {
		if (s->flag)
			ckpt_buf_puts(to, " flag");
		if (s->zero)
			ckpt_buf_puts(to, " zero");
		if (s->count)
			ckpt_buf_addf(to, " count=%d", s->count);
		if (s->text)
			ckpt_buf_addf(to, " text=%s", s->text);
		if (s->maybe)
			ckpt_buf_addf(to, " maybe=%s", s->maybe);
		for (size_t i = 0; i < s->list.n; i++)
			ckpt_buf_addf(to, " item=%s", s->list.v[i]);
		if (s->number != CKPT_UNKNOWN)
			ckpt_buf_addf(to, " number=%lld", (long long)s->number);
		if (s->size != CKPT_UNKNOWN)
			ckpt_buf_addf(to, " size=%lld", (long long)s->size);
		if (s->wait != CKPT_UNKNOWN)
			ckpt_buf_addf(to, " wait=%lld",
					(long long)(s->wait / 1000000000));
		if (s->since != CKPT_UNKNOWN)
			ckpt_buf_addf(to, " since=%lld",
					(long long)(s->since / 1000000000));
		if (s->choice >= 0)
			ckpt_buf_addf(to, " choice=%d", s->choice);
	}
	if (cli->no_options)
		ckpt_buf_puts(to, " literal");
	for (size_t i = 0; i < cli->nargs; i++)
		ckpt_buf_addf(to, " [%s]", cli->args[i]);
}

/* clang-format off */
static const struct {
	const char *line;       /* words, separated by single blanks; _ stands for an empty word */
	const char *want;       /* the description, or "! " and the message */
	const char *hint;
} cases[] = {
	{ "", "-", NULL },
	{ "sample", "sample", NULL },
	{ "sample a b", "sample [a] [b]", NULL },
	{ "sample -f", "sample flag", NULL },
	{ "sample a -f b", "sample flag [a] [b]", NULL },
	{ "sample -fcc", "sample flag count=2", NULL },
	{ "sample -f0", "sample flag zero", NULL },
	{ "sample -ftx", "sample flag text=x", NULL },
	{ "sample -ft x", "sample flag text=x", NULL },
	{ "sample -t=x", "sample text==x", NULL },
	{ "sample --text=x", "sample text=x", NULL },
	{ "sample --text=", "sample text=", NULL },
	{ "sample --text x", "sample text=x", NULL },
	{ "sample --text _", "sample text=", NULL },
	{ "sample --text -1", "sample text=-1", NULL },
	{ "sample --text a=b", "sample text=a=b", NULL },
	{ "sample --text=--flag", "sample text=--flag", NULL },
	{ "sample --text a --text b", "sample text=b", NULL },
	{ "sample --maybe", "sample maybe=", NULL },
	{ "sample --maybe x", "sample maybe= [x]", NULL },
	{ "sample --maybe=x", "sample maybe=x", NULL },
	{ "sample -i a --item=b --item c", "sample item=a item=b item=c", NULL },
	{ "sample -n 12", "sample number=12", NULL },
	{ "sample -n-1", "sample number=-1", NULL },
	{ "sample --size 10MB", "sample size=10000000", NULL },
	{ "sample --size 10MiB", "sample size=10485760", NULL },
	{ "sample --wait 15min", "sample wait=900", NULL },
	{ "sample --since 1970-01-02", "sample since=86400", NULL },
	{ "sample --choice two", "sample choice=1", NULL },
	{ "sample --choice=three", "sample choice=2", NULL },
	{ "-s x sample", "sample store=x", NULL },
	{ "--store=x sample", "sample store=x", NULL },
	{ "sample -sx", "sample store=x", NULL },
	{ "--json sample", "sample json", NULL },
	{ "sample --json", "sample json", NULL },
	{ "sample --porcelain", "sample porcelain=", NULL },
	{ "sample --porcelain=v1", "sample porcelain=v1", NULL },
	{ "-v sample -fv", "sample verbose=2 flag", NULL },
	{ "sample -- -f", "sample literal [-f]", NULL },
	{ "sample a -- -f", "sample [a] [-f]", NULL },
	{ "-- sample -f", "sample literal [-f]", NULL },
	{ "sample -- --", "sample literal [--]", NULL },
	{ "sample -", "sample [-]", NULL },
	{ "sample _", "sample []", NULL },
	{ "needy -h", "needy help", NULL },
	{ "-h", "- help", NULL },
	{ "hidden", "hidden", NULL },

	{ "sampel", "! no command 'sampel'; did you mean 'sample'?", NULL },
	{ "samp", "! no command 'samp'; did you mean 'sample'?", NULL },
	{ "hiden", "! no command 'hiden'", NULL },
	{ "xyz", "! no command 'xyz'", NULL },
	{ "_", "! no command ''", NULL },
	{ "sample --flga", "! no option '--flga'; did you mean '--flag'?", NULL },
	{ "sample --jsn", "! no option '--jsn'; did you mean '--json'?", NULL },
	{ "sample --porc", "! no option '--porc'; did you mean '--porcelain'?", NULL },
	{ "sample --zzz", "! no option '--zzz'", "options: ckpt sample -h" },
	{ "sample --=x", "! no option '--'", "options: ckpt sample -h" },
	{ "sample --0", "! no option '--0'", "options: ckpt sample -h" },
	{ "sample -z", "! no option '-z'", NULL },
	{ "sample -fz", "! no option '-z'", NULL },
	{ "-f sample", "! no option '-f'", NULL },
	{ "sample --text", "! --text needs a value: TEXT", NULL },
	{ "sample -t", "! -t needs a value: TEXT", NULL },
	{ "sample --text --flag", "sample text=--flag", NULL },
	{ "sample -t --", "sample text=--", NULL },
	{ "sample --flag=x", "! --flag takes no value", NULL },
	{ "sample -n x", "! -n: 'x' is not a number", NULL },
	{ "sample -n _", "! -n: '' is not a number", NULL },
	{ "sample --number=1x", "! --number: '1x' is not a number", NULL },
	{ "sample -n 99999999999999999999", "! -n: '99999999999999999999' is not a number", NULL },
	{ "sample --size 10", "! --size: '10' is not a size",
		"a size has a unit: 10MB is 10000000 bytes, 10MiB is 10485760" },
	{ "sample --wait 15m", "! --wait: '15m' is not a duration",
		"m is ambiguous: write min" },
	{ "sample --wait m", "! --wait: 'm' is not a duration",
		"write 90s, 15min, 36h, 7d or 2w" },
	{ "sample --since soon", "! --since: 'soon' is not a time",
		"write 2026-11-20, 2026-11-20T10:00:00Z or now-7d" },
	{ "sample --choice four", "! --choice: 'four' is not one of its values",
		"values: one|two|three" },
	{ "sample --choice t", "! --choice: 't' is not one of its values", NULL },
	{ "needy", "! needy needs an argument: A", "usage: ckpt needy A" },
	{ "needy a b", "! needy: 'b' is one argument too many", "usage: ckpt needy A" },
	{ "sample --json --ndjson", "! --json, --ndjson and --porcelain exclude each other", NULL },
	{ "sample --json --porcelain", "! --json, --ndjson and --porcelain exclude each other",
		NULL },
	{ "sample --porcelain=v2", "! --porcelain: no version 'v2', there is v1", NULL },
	{ "\033[31m", "! no command '\\u{1b}[31m'", NULL }
};

/* clang-format on */
static void check(const char *line, const char *want, const char *hint)
{
	char copy[200], empty[1] = "", name[] = "ckpt";
	char *argv[MOST] = { name }, *p = copy;
	struct cli cli = { .now = 0 };
	struct ckpt_buf got = { 0 };
	int argc = 1;

	snprintf(copy, sizeof(copy), "%s", line);
	while (*p && argc < MOST - 1) {
		size_t n = strcspn(p, " ");
		bool more = p[n] == ' ';

		p[n] = '\0';
		argv[argc++] = strcmp(p, "_") ? p : empty;
		p += n + more;
	}
	if (opt_parse(&cli, argc, argv) < 0)
		ckpt_buf_addf(&got, "! %s", cli.err.text);
	else
		describe(&got, &cli);
	same(got.p, got.n, want, line);
	if (hint)
		same(cli.err.hint, strlen(cli.err.hint), hint, "  its hint");
	ckpt_buf_free(&got);
	opt_release(&cli);
}

int main(void)
{
	static const char *const names[] = { "list", "show", "help", "completion", NULL };
	struct {
		const char *word, *want;
	} near[] = { { "lst", "list" }, { "lsit", "list" }, { "shwo", "show" },
		{ "hlep", "help" }, { "comp", "completion" },
		{ "complettion", "completion" }, { "prune", NULL }, { "x", NULL },
		{ "", NULL },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "a",
				NULL } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check(cases[i].line, cases[i].want, cases[i].hint);
	for (size_t i = 0; i < sizeof(near) / sizeof(*near); i++) {
		const char *got = opt_nearest(near[i].word, names);

		ok(got == near[i].want || (got && near[i].want &&
							  !strcmp(got, near[i].want)),
				"nearest to '%s'", near[i].word);
	}
	return done();
}
