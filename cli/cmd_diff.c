/*
 * cmd_diff.c - `ckpt diff A [B]`: reads two checkpoints and tells what changed between them.
 *
 * The sides are read by diff_read.c, the text for people is diff_text.c; what a change is, and
 * that there are as few as possible, is the library's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"

/* clang-format off */
static const struct opt opts[] = {
	{ 0, "", OPT_GROUP, 0, NULL, "Which", NULL, 0, false },
	{ 0, "thread", OPT_TEXT, AT(struct diff_opts, thread), "ID",
		"A is this thread, literally; never parsed as an address", NULL,
		COMPLETE_THREAD, false },
	{ 0, "checkpoint", OPT_TEXT, AT(struct diff_opts, checkpoint), "ID",
		"with --thread: this checkpoint; '' is the newest", NULL,
		COMPLETE_CHECKPOINT, false },
	{ 0, "ns", OPT_TEXT, AT(struct diff_opts, ns), "NS",
		"both in this namespace (default: the root)", NULL, COMPLETE_NS, false },
	{ 0, "against", OPT_TEXT, AT(struct diff_opts, against), "STORE",
		"B is in this store; default: what A names, without an A all", NULL,
		COMPLETE_FILE, false },
	{ 0, "", OPT_GROUP, 0, NULL, "What counts", NULL, 0, false },
	{ 0, "channel", OPT_LIST, AT(struct diff_opts, channels), "NAME",
		"only this channel, without metadata; repeatable", NULL, 0, false },
	{ 0, "path", OPT_TEXT, AT(struct diff_opts, path), "POINTER",
		"only below this JSON Pointer (/values/… or /metadata/…)", NULL, 0, false },
	{ 0, "mask", OPT_TEXT, AT(struct diff_opts, mask), "REGEX",
		"leave out what has a pointer that matches (POSIX extended)", NULL, 0, false },
	{ 0, "", OPT_GROUP, 0, NULL, "Form", NULL, 0, false },
	{ 0, "stat", OPT_FLAG, AT(struct diff_opts, stat), NULL,
		"how much changed in each channel, not what", NULL, 0, false },
	{ 0, "name-only", OPT_FLAG, AT(struct diff_opts, name_only), NULL,
		"pointers of what changed: channels and metadata members", NULL, 0, false },
	{ 0, "patch", OPT_FLAG, AT(struct diff_opts, patch), NULL,
		"a JSON Patch (RFC 6902) that makes B out of A", NULL, 0, false },
	{ 0, "exit-code", OPT_FLAG, AT(struct diff_opts, exit_code), NULL,
		"exit 1 if there are differences", NULL, 0, false },
	{ 0, NULL, OPT_END_KIND, 0, NULL, NULL, NULL, 0, false }
};
/* clang-format on */

static const char *const op_names[] = {
	[CKPT_ADD] = "add",
	[CKPT_REMOVE] = "remove",
	[CKPT_REPLACE] = "replace",
};

/* ---- changes, one after the other ------------------------------------------------------------ */

/* The first two tokens of a pointer: "/values/NAME". */
static size_t top_of(struct ckpt_view path)
{
	const char *p = path.p;
	size_t i = 1, slashes = 0;

	for (; i + 1 < path.n; i++) {
		slashes += p[i] == '/';
		if (slashes == 3)
			break;
	}
	return i;
}

int diff_next(struct diff *d, struct ckpt_change *out, bool *first)
{
	static const char values[] = "\"/values/";
	int rc = ckpt_diff_next(d->changes, out);
	struct ckpt_view top;

	if (rc < 0)
		return ckpt_fail(&d->cli->err, rc, "out of memory");
	if (rc == 0)
		return 0;
	d->count[out->op]++;
	top = (struct ckpt_view){ out->path.p, top_of(out->path) };
	*first = !ckpt_view_eq(top, ckpt_buf_view(&d->top));
	d->top.n = 0;
	ckpt_buf_add(&d->top, top.p, top.n);
	if (!*first || top.n < sizeof(values) - 1 ||
			memcmp(top.p, values, sizeof(values) - 1) != 0)
		return 1;
	/* of a's channels those that changed or went are not unchanged */
	if (top.n + 1 < out->path.n || out->op != CKPT_ADD)
		d->unchanged--;
	return 1;
}

void diff_pointer(struct ckpt_buf *to, const struct ckpt_change *c)
{
	ckpt_json_text(to, c->path);
}

/* ---- forms ----------------------------------------------------------------------------------- */

static void put_change(struct ckpt_buf *to, const struct ckpt_change *c, bool values)
{
	ckpt_buf_puts(to, "{\"path\":");
	ckpt_buf_add(to, c->path.p, c->path.n);
	ckpt_buf_addf(to, ",\"op\":\"%s\"", op_names[c->op]);
	if (values && c->old.p) {
		ckpt_buf_puts(to, ",\"old\":");
		ckpt_buf_add(to, c->old.p, c->old.n);
	}
	if (values && c->now.p) {
		ckpt_buf_puts(to, ",\"new\":");
		ckpt_buf_add(to, c->now.p, c->now.n);
	}
	ckpt_buf_puts(to, "}");
}

static void put_key(struct ckpt_buf *to, const struct side *s)
{
	ckpt_buf_puts(to, "{");
	text_json_member(to, "thread", s->key.thread);
	ckpt_buf_puts(to, ",");
	text_json_member(to, "ns", s->key.ns);
	ckpt_buf_puts(to, ",");
	text_json_member(to, "id", s->key.id);
	ckpt_buf_puts(to, "}");
}

static int summary(struct diff *d)
{
	char text[200];

	snprintf(text, sizeof(text),
			"\"added\":%lld,\"removed\":%lld,\"replaced\":%lld,\"unchanged\":"
			"%lld",
			(long long)d->count[CKPT_ADD], (long long)d->count[CKPT_REMOVE],
			(long long)d->count[CKPT_REPLACE], (long long)d->unchanged);
	return out_summary(d->cli, text, NULL);
}

static int put_json(struct diff *d, struct ckpt_buf *to)
{
	bool values = !d->o->stat && !d->o->name_only, first;
	struct ckpt_change c;
	const char *sep = "";
	int rc;

	ckpt_buf_puts(to, "{\"a\":");
	put_key(to, &d->a);
	ckpt_buf_puts(to, ",\"b\":");
	put_key(to, &d->b);
	ckpt_buf_puts(to, ",\"changes\":[");
	while ((rc = diff_next(d, &c, &first)) > 0) {
		ckpt_buf_puts(to, sep);
		put_change(to, &c, values);
		sep = ",\n";
	}
	ckpt_buf_addf(to, "],\"unchanged\":%lld}", (long long)d->unchanged);
	return rc;
}

static int print_json(struct diff *d)
{
	struct ckpt_buf doc = { 0 };
	int rc = put_json(d, &doc);

	if (rc >= 0 && doc.failed)
		rc = ckpt_fail(&d->cli->err, CKPT_ENOMEM, "out of memory");
	rc = rc < 0 ? rc : out_begin(d->cli, "diff", "change", NULL, false);
	rc = rc < 0 ? rc : out_data(d->cli, "change", ckpt_buf_view(&doc));
	ckpt_buf_free(&doc);
	return rc < 0 ? rc : summary(d);
}

static int print_lines(struct diff *d)
{
	bool json = out_form_of(d->cli) == FORM_NDJSON, first;
	int rc = out_begin(d->cli, "diff", "change", NULL, false);
	struct ckpt_buf line = { 0 };
	struct ckpt_change c;

	while (rc >= 0 && (rc = diff_next(d, &c, &first)) > 0) {
		line.n = 0;
		if (json) {
			put_change(&line, &c, !d->o->stat && !d->o->name_only);
		} else {
			diff_pointer(&line, &c);
			ckpt_buf_add(&line, "", 0);
		}
		if (line.failed)
			rc = ckpt_fail(&d->cli->err, CKPT_ENOMEM, "out of memory");
		else if (json)
			rc = out_data(d->cli, "change", ckpt_buf_view(&line));
		else
			out_porcelain(d->cli,
					(struct ckpt_view[]){
							ckpt_view_of(op_names[c.op]),
							ckpt_buf_view(&line), c.old,
							c.now },
					4);
	}
	ckpt_buf_free(&line);
	return rc < 0 ? rc : summary(d);
}

/* The array alone, whatever the form: it is made for other programs. */
static int print_patch(struct diff *d)
{
	struct ckpt_buf text = { 0 };
	struct ckpt_change c;
	const char *sep = "[";
	bool first;
	int rc;

	while ((rc = diff_next(d, &c, &first)) > 0) {
		text.n = 0;
		ckpt_buf_addf(&text, "%s{\"op\":\"%s\",\"path\":", sep, op_names[c.op]);
		ckpt_buf_add(&text, c.path.p, c.path.n);
		if (c.now.p) {
			ckpt_buf_puts(&text, ",\"value\":");
			ckpt_buf_add(&text, c.now.p, c.now.n);
		}
		ckpt_buf_puts(&text, "}");
		if (text.failed) {
			rc = ckpt_fail(&d->cli->err, CKPT_ENOMEM, "out of memory");
			break;
		}
		out_put(d->cli, ckpt_buf_view(&text));
		sep = ",\n";
	}
	if (rc >= 0)
		out_text(d->cli, "%s", *sep == '[' ? "[]\n" : "]\n");
	ckpt_buf_free(&text);
	return rc;
}

bool diff_masked(void *arg, const char *pointer)
{
	return regexec(arg, pointer, 0, NULL, 0) == 0;
}

/* ---- run ------------------------------------------------------------------------------------- */

/* Compiles the mask, which the caller frees. */
static int read_words(struct diff *d)
{
	const struct diff_opts *o = d->o;
	size_t named = d->cli->nargs + (o->thread != NULL);
	char why[200];
	int rc;

	d->whole = !named && o->against;
	if ((named < 1 && !d->whole) || named > 2)
		return cli_usage(d->cli, "one address or two are wanted");
	if (d->whole && (o->patch || o->path || o->ns))
		return cli_usage(d->cli,
				"--patch, --path and --ns go with an address, not with "
				"whole stores");
	if (o->checkpoint && !o->thread)
		return cli_usage(d->cli, "--checkpoint goes with --thread");
	if (o->stat + o->name_only + o->patch > 1)
		return cli_usage(d->cli,
				"--stat, --name-only and --patch exclude each other");
	if (o->path && strncmp(o->path, "/values", 7) != 0 &&
			strncmp(o->path, "/metadata", 9) != 0)
		return cli_usage(d->cli,
				"--path '%s': a pointer begins /values/ or /metadata/",
				o->path);
	rc = o->mask ? regcomp(&d->mask, o->mask, REG_EXTENDED | REG_NOSUB) : 0;
	if (rc) {
		regerror(rc, &d->mask, why, sizeof(why));
		return cli_usage(d->cli, "--mask '%s': %s", o->mask, why);
	}
	d->has_mask = o->mask != NULL;
	return 0;
}

static int check(struct cli *cli)
{
	struct diff d = { .cli = cli, .o = cli->opts };
	int rc = read_words(&d);

	if (d.has_mask)
		regfree(&d.mask);
	return rc;
}

static int check_channels(struct diff *d)
{
	char name[200];

	for (size_t i = 0; i < d->o->channels.n; i++) {
		if (!d->found[i])
			return ckpt_fail(&d->cli->err, CKPT_ENOTFOUND,
					"no channel '%s' in either checkpoint",
					ckpt_show_name(name,
							ckpt_view_of(d->o->channels.v[i])));
	}
	return 0;
}

static int compare(struct diff *d)
{
	struct ckpt_compare how = {
		.path = ckpt_view_of(d->o->path),
		.patch = d->o->patch,
		.mask = d->has_mask ? diff_masked : NULL,
		.arg = &d->mask,
	};
	int rc = ckpt_diff_open(&d->changes, ckpt_buf_view(&d->a.doc),
			ckpt_buf_view(&d->b.doc), &how);
	char name[200];

	d->unchanged = (int64_t)d->a.nchannels;
	if (rc == CKPT_ENOTFOUND)
		return ckpt_fail(&d->cli->err, rc, "nothing at '%s' in either checkpoint",
				ckpt_show_name(name, how.path));
	if (rc < 0)
		return ckpt_fail(&d->cli->err, rc == CKPT_ENOMEM ? rc : CKPT_EINTERNAL,
				rc == CKPT_ENOMEM ? "out of memory"
						  : "the rendered state is not JSON");
	return 0;
}

static int answer(struct diff *d)
{
	enum out_form form = out_form_of(d->cli);

	if (d->o->patch)
		return print_patch(d);
	if (form == FORM_JSON)
		return print_json(d);
	if (form != FORM_NDJSON && (d->o->stat || d->o->name_only))
		return diff_stat(d);
	return form == FORM_TEXT ? diff_text(d) : print_lines(d);
}

static void free_side(struct side *s)
{
	ckpt_buf_free(&s->doc);
	ckpt_buf_free(&s->key_bytes);
	ckpt_buf_free(&s->parent);
	ckpt_buf_free(&s->short_id);
	free(s->channels);
}

static int diff_checkpoints(struct diff *d)
{
	int rc = diff_read(d);

	rc = rc < 0 ? rc : check_channels(d);
	rc = rc < 0 ? rc : compare(d);
	return rc < 0 ? rc : answer(d);
}

static int run(struct cli *cli)
{
	struct diff d = { .cli = cli, .o = cli->opts };
	int rc = read_words(&d);

	d.found = calloc(d.o->channels.n + 1, sizeof(*d.found));
	d.two_stores = d.o->against != NULL;
	if (rc >= 0 && !d.found)
		rc = ckpt_fail(&cli->err, CKPT_ENOMEM, "out of memory");
	if (rc >= 0)
		rc = d.whole ? diff_stores(&d) : diff_checkpoints(&d);
	if (rc >= 0) {
		rc = d.o->exit_code && d.count[0] + d.count[1] + d.count[2] > 0;
		rc = d.corrupt ? cli_exit_code(CKPT_ECORRUPT) : rc;
	}
	ckpt_diff_close(d.changes);
	if (d.has_mask)
		regfree(&d.mask);
	free_side(&d.a);
	free_side(&d.b);
	ckpt_buf_free(&d.top);
	free(d.found);
	return rc;
}

const struct cmd cmd_diff = {
	.name = "diff",
	.args = "[A] [B]",
	.max_args = 2,
	.summary = "what changed between two checkpoints",
	.opts = opts,
	.size = sizeof(struct diff_opts),
	.complete = COMPLETE_CHECKPOINT,
	.needs_store = true,
	.pages = true,
	.examples = "  ckpt diff chat-1                             what the newest "
		    "step did\n"
		    "  ckpt diff chat-1~3 chat-1                    the last three "
		    "steps together\n"
		    "  ckpt diff chat-1~2 chat-1 --stat             how much, not what\n"
		    "  ckpt diff chat-1 --mask '/id$'               ids do not count\n"
		    "  ckpt diff chat-1 --patch                     as JSON Patch "
		    "(RFC 6902)\n"
		    "  ckpt diff --against backup.db --exit-code    are two stores the "
		    "same?\n",
	.check = check,
	.run = run,
};
