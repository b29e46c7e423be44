/*
 * cmd_show.c - `ckpt show ADDRESS`: finds the checkpoint, reads it once, and answers in the form
 * that was asked for. The document is show_json.c, the text for people show_text.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "show.h"

/* clang-format off */
static const struct opt opts[] = {
	{ 0, "", OPT_GROUP, 0, NULL, "Select", NULL, 0, false },
	{ 0, "thread", OPT_TEXT, AT(struct show_opts, thread), "ID",
		"the thread, literally; never parsed as an address", NULL, COMPLETE_THREAD, false },
	{ 0, "checkpoint", OPT_TEXT, AT(struct show_opts, checkpoint), "ID",
		"with --thread: this checkpoint; '' is the newest", NULL, COMPLETE_CHECKPOINT, false },
	{ 0, "ns", OPT_TEXT, AT(struct show_opts, ns), "NS",
		"in this namespace (default: the root)", NULL, COMPLETE_NS, false },
	{ 0, "channel", OPT_LIST, AT(struct show_opts, channels), "NAME",
		"only this channel; repeatable", NULL, 0, false },
	{ 0, "path", OPT_TEXT, AT(struct show_opts, path), "POINTER",
		"only what this JSON Pointer (/values/… or /metadata/…) finds", NULL, 0, false },
	{ 0, "", OPT_GROUP, 0, NULL, "Form", NULL, 0, false },
	{ 0, "fold", OPT_FLAG, AT(struct show_opts, fold), NULL,
		"delta channels as the best guess at their value", NULL, 0, false },
	{ 0, "raw", OPT_FLAG, AT(struct show_opts, raw), NULL,
		"the stored bytes of one --channel; not to a terminal", NULL, 0, false },
	{ 0, "typed", OPT_FLAG, AT(struct show_opts, typed), NULL,
		"keep the class of every value as {\"$type\",\"value\"}", NULL, 0, false },
	{ 0, "reveal-secrets", OPT_FLAG, AT(struct show_opts, reveal), NULL,
		"print secret strings instead of asterisks", NULL, 0, false },
	{ 0, "max-value", OPT_SIZE, AT(struct show_opts, max_value), "SIZE",
		"values above SIZE are named, not shown (4KiB on a terminal)", NULL, 0, false },
	{ 0, "types", OPT_FLAG, AT(struct show_opts, types), NULL,
		"list the classes named in the payload", NULL, 0, false },
	{ 0, NULL, OPT_END_KIND, 0, NULL, NULL, NULL, 0, false }
};
/* clang-format on */

/* ---- reading ------------------------------------------------------------------------------------------ */

static int find(struct shown *s)
{
	struct cli *cli = s->cli;
	struct ckpt_address a = {
		.text = cli->nargs ? cli->args[0] : NULL,
		.thread = ckpt_view_of(s->o->thread),
		.ns = ckpt_view_of(s->o->ns),
		.id = ckpt_view_of(s->o->checkpoint),
	};

	return ckpt_address_find(&s->key, cli->store, &a, &s->key_bytes);
}

static int read_it(struct shown *s)
{
	struct ckpt_pick pick = { .key = s->key, .depth = CKPT_VALUES, .writes = true };
	int rc = ckpt_scan_one(&s->scan, s->cli->store, &pick, &s->c);

	if (rc <= 0)
		return rc < 0 ? rc
		              : ckpt_fail(&s->cli->err, CKPT_ENOTFOUND,
						"the checkpoint is gone");
	return show_deltas(s);
}

static int check_channels(struct shown *s)
{
	for (size_t k = 0; k < s->o->channels.n; k++) {
		struct ckpt_view name = ckpt_view_of(s->o->channels.v[k]);
		bool found = s->c.opaque.p != NULL;
		char shown[200];

		for (size_t i = 0; i < s->c.nvalues && !found; i++)
			found = ckpt_view_eq(s->c.values[i].channel, name);
		for (size_t i = 0; i < s->c.nwrites && !found; i++)
			found = ckpt_view_eq(s->c.writes[i].channel, name);
		if (!found)
			return ckpt_fail(&s->cli->err, CKPT_ENOTFOUND,
					"no channel '%s' in this checkpoint",
					ckpt_show_name(shown, name));
	}
	return 0;
}

/* ---- the other answers: --raw, --path ------------------------------------------------------- */

static int show_raw(struct shown *s)
{
	struct ckpt_view name = ckpt_view_of(s->o->channels.v[0]);
	struct ckpt_error *err = &s->cli->err;
	char shown[200];

	if (s->c.opaque.p)
		return ckpt_fail(err, show_is_whole(s) ? CKPT_ENOTFOUND : CKPT_ECORRUPT,
				"the state is one piece of type %s: its channels cannot "
				"be told apart",
				ckpt_show_name(shown, s->c.type));
	for (size_t i = 0; i < s->c.nvalues; i++) {
		const struct ckpt_value *v = &s->c.values[i];

		if (!ckpt_view_eq(v->channel, name))
			continue;
		if (!v->type.p)
			return ckpt_fail(err, CKPT_ENOTFOUND,
					"channel '%s' has no stored value here%s",
					ckpt_show_name(shown, name),
					s->places[i] == CKPT_DELTA
							? ": it is a delta channel"
							: "");
		if (v->lock == CKPT_SHUT)
			return ckpt_fail(err, CKPT_ECORRUPT,
					"channel '%s' cannot be decrypted: wrong key or "
					"damaged row",
					ckpt_show_name(shown, name));
		if (out_begin(s->cli, "show", "checkpoint", NULL, false) < 0)
			return err->code;
		out_put(s->cli, v->body);
		return 0;
	}
	return ckpt_fail(err, CKPT_ENOTFOUND,
			"channel '%s' has no stored value, only writes",
			ckpt_show_name(shown, name));
}

/* Does a pointer lead into this channel? */
static bool path_leads(struct ckpt_view pointer, struct ckpt_view channel)
{
	const char *at = pointer.p, *end = at + pointer.n,
		   *p = at + sizeof("/values/") - 1;
	struct ckpt_buf doc = { 0 };
	struct ckpt_view found;
	bool yes;

	/* "/values" alone is all channels: no single one's business */
	if (p >= end)
		return false;
	while (p < end && *p != '/')
		p++;
	ckpt_buf_puts(&doc, "{\"values\":{");
	ckpt_json_string(&doc, channel);
	ckpt_buf_puts(&doc, ":0}}");
	yes = !doc.failed && ckpt_pointer_find(&found, ckpt_buf_view(&doc),
					     (struct ckpt_view){ at, (size_t)(p - at) });
	ckpt_buf_free(&doc);
	return yes;
}

/* A path that begins at a delta channel looks into what is shown of it. */
static bool path_in_delta(struct shown *s, struct ckpt_buf *to, struct ckpt_view pointer)
{
	for (size_t i = 0; i < s->c.nvalues; i++) {
		struct ckpt_buf doc = { 0 };
		struct ckpt_view found;
		bool yes;

		if (s->places[i] != CKPT_DELTA ||
				!path_leads(pointer, s->c.values[i].channel))
			continue;
		ckpt_buf_puts(&doc, "{\"values\":{");
		ckpt_json_string(&doc, s->c.values[i].channel);
		ckpt_buf_puts(&doc, ":");
		show_channel(s, &doc, i);
		ckpt_buf_puts(&doc, "}}");
		yes = !doc.failed &&
		      ckpt_pointer_find(&found, ckpt_buf_view(&doc), pointer);
		if (yes)
			ckpt_buf_add(to, found.p, found.n);
		ckpt_buf_free(&doc);
		if (yes)
			return true;
	}
	return false;
}

static size_t count_segments(struct ckpt_view pointer)
{
	const char *p = pointer.p;
	size_t n = 0;

	for (size_t i = 0; i < pointer.n; i++)
		n += p[i] == '/';
	return n;
}

/* 1 found, 0 not there. All values together are what the document has under that key. */
static int find_path(struct shown *s, struct ckpt_buf *to, struct ckpt_view pointer,
		struct ckpt_render *r)
{
	int rc;

	if (ckpt_view_eq(pointer, CKPT_LIT("/values"))) {
		show_values(s, to);
		return 1;
	}
	rc = ckpt_checkpoint_path(to, &s->c, pointer, r);
	s->corrupt |= rc == CKPT_ECORRUPT;
	return rc ? rc : path_in_delta(s, to, pointer);
}

static int show_path(struct shown *s)
{
	struct ckpt_view pointer = ckpt_view_of(s->o->path);
	struct ckpt_render r = show_render(s);
	struct ckpt_buf value = { 0 }, doc = { 0 };
	char name[200];
	int rc;

	/* a limit is for the value that is found, not for the one it lies in */
	r.max_value = s->o->max_value == CKPT_UNKNOWN || count_segments(pointer) != 2
	                              ? 0
	                              : r.max_value;
	rc = find_path(s, &value, pointer, &r);
	if (rc == 0) {
		/* what cannot be read cannot be said not to be there */
		ckpt_fail(&s->cli->err, show_is_whole(s) ? CKPT_ENOTFOUND : CKPT_ECORRUPT,
				"nothing at '%s' in %s", ckpt_show_name(name, pointer),
				show_is_whole(s) ? "this checkpoint"
						 : "what can be read of this "
						   "checkpoint");
		rc = s->cli->err.code;
	} else if (out_form_of(s->cli) == FORM_JSON ||
			out_form_of(s->cli) == FORM_NDJSON) {
		show_put_key(s, &doc);
		ckpt_buf_puts(&doc, ",");
		text_json_member(&doc, "path", pointer);
		ckpt_buf_puts(&doc, ",\"value\":");
		ckpt_buf_add(&doc, value.p, value.n);
		ckpt_buf_puts(&doc, "}");
		rc = out_begin(s->cli, "show", "checkpoint", NULL, false);
		rc = rc < 0 ? rc : out_data(s->cli, "checkpoint", ckpt_buf_view(&doc));
		rc = rc < 0 ? rc : out_summary(s->cli, "\"checkpoints\":1", NULL);
	} else {
		rc = out_begin(s->cli, "show", "checkpoint", NULL, false);
		ckpt_buf_puts(&value, "\n");
		out_put(s->cli, ckpt_buf_view(&value));
	}
	show_notes(s);
	ckpt_buf_free(&value);
	ckpt_buf_free(&doc);
	return rc;
}

/* ---- run ---------------------------------------------------------------------------------------------- */

static int check(struct cli *cli)
{
	const struct show_opts *o = cli->opts;

	if (!cli->nargs == !o->thread)
		return cli_usage(cli, "one address, or --thread ID, is wanted");
	if (o->checkpoint && !o->thread)
		return cli_usage(cli, "--checkpoint goes with --thread");
	if (o->raw && o->channels.n != 1)
		return cli_usage(cli, "--raw gives the bytes of one channel: name it "
				      "with --channel");
	if (o->fold && (o->raw || o->types || o->typed))
		return cli_usage(cli, "--fold goes with none of --raw, --types and "
				      "--typed");
	if (o->raw + o->types + (o->path != NULL) > 1)
		return cli_usage(cli, "--raw, --path and --types exclude each other");
	if (o->raw && (cli->g.json || cli->g.ndjson || cli->g.porcelain))
		return cli_usage(cli, "--raw gives bytes: it goes with no other form");
	if (o->path && strncmp(o->path, "/values", 7) != 0 &&
			strncmp(o->path, "/metadata", 9) != 0)
		return cli_usage(cli,
				"--path '%s': a pointer begins /values/ or /metadata/",
				o->path);
	if (o->raw && out_is_terminal(cli)) {
		ckpt_fail(&cli->err, CKPT_EREFUSED,
				"refused: --raw would send stored bytes to a "
				"terminal");
		ckpt_hint(&cli->err, "redirect it: ckpt show … --raw > file");
		return cli->err.code;
	}
	return 0;
}

/* Where it stands; why that cannot be told is a warning. */
static int show_stand(struct shown *s)
{
	int rc = ckpt_tasks_load(&s->tasks, s->cli->store, &s->c, 0);

	if (rc >= 0 && s->tasks->why)
		show_warn(s, "the status is unknown: %s", s->tasks->why);
	return rc;
}

static int answer(struct shown *s)
{
	int rc = check_channels(s);

	if (rc < 0)
		return rc;
	if (s->o->raw)
		return show_raw(s);
	rc = show_judge(s);
	if (rc < 0)
		return rc;
	if (s->o->path)
		return show_path(s);
	if (s->o->types)
		return show_types(s);
	if (out_form_of(s->cli) != FORM_PORCELAIN)
		rc = show_stand(s);
	if (rc < 0)
		return rc;
	switch (out_form_of(s->cli)) {
	case FORM_JSON:
	case FORM_NDJSON:
		return show_json(s);
	case FORM_PORCELAIN:
		return show_porcelain(s);
	default:
		return show_text(s);
	}
}

static int run(struct cli *cli)
{
	struct shown s = { .cli = cli, .o = cli->opts };
	int rc = find(&s);

	rc = rc < 0 ? rc : read_it(&s);
	rc = rc < 0 ? rc : answer(&s);
	show_verdict(&s);
	ckpt_tasks_free(s.tasks);
	ckpt_scan_close(s.scan);
	show_deltas_free(&s);
	ckpt_buf_free(&s.key_bytes);
	ckpt_buf_free(&s.warnings);
	return rc < 0 ? rc : s.corrupt ? cli_exit_code(CKPT_ECORRUPT) : rc;
}

const struct cmd cmd_show = {
	.name = "show",
	.args = "[ADDRESS]",
	.max_args = 1,
	.summary = "show one checkpoint: its values, channels and pending writes",
	.opts = opts,
	.size = sizeof(struct show_opts),
	.complete = COMPLETE_CHECKPOINT,
	.needs_store = true,
	.pages = true,
	.examples = "  ckpt show chat-1                             the newest "
		    "checkpoint\n"
		    "  ckpt show chat-1~2 --channel messages        two parents up, one "
		    "channel\n"
		    "  ckpt show chat-1 --path /values/messages/0   one value as JSON\n"
		    "  ckpt show chat-1@{step:3} --json             everything, for jq\n"
		    "  ckpt show chat-1 --types                     classes named in the "
		    "payload\n",
	.check = check,
	.run = run,
};
