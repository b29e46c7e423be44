/*
 * prune_report.c - what `ckpt prune` says: rows of namespaces and checkpoints as they are planned,
 * the plan's name, the command that carries it out, the sums.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prune.h"

/* clang-format off */
static const struct col space_cols[] = {
	{ "thread", "THREAD", COL_TEXT, 0 },
	{ "ns", "NS", COL_TEXT, 0 },
	{ "keep", "KEEP", COL_INT, COL_RIGHT },
	{ "drop", "DROP", COL_INT, COL_RIGHT },
	{ "bytes", "SIZE", COL_SIZE, COL_RIGHT },
	{ "why", "WHY KEPT", COL_TEXT, COL_WRAP },
	{ NULL, NULL, COL_TEXT, 0 }
};
static const struct col item_cols[] = {
	{ "action", "ACTION", COL_TEXT, 0 },
	{ "thread", "THREAD", COL_TEXT, 0 },
	{ "ns", "NS", COL_TEXT, 0 },
	{ "id", "CHECKPOINT", COL_TEXT, COL_TAIL },
	{ "bytes", "SIZE", COL_SIZE, COL_RIGHT },
	{ "why", "WHY KEPT", COL_TEXT, COL_WRAP },
	{ NULL, NULL, COL_TEXT, 0 }
};
/* clang-format on */

static bool is_json(const struct report *r)
{
	return r->form == FORM_JSON || r->form == FORM_NDJSON;
}

static int out_of_memory(struct report *r)
{
	return ckpt_fail(&r->cli->err, CKPT_ENOMEM, "out of memory");
}

/* ---- the beginning ---------------------------------------------------------------------------- */

static void put_head(struct report *r)
{
	struct ckpt_about about;

	if (r->cli->g.quiet || ckpt_store_about(r->cli->store, &about) < 0)
		return;
	r->buf.n = 0;
	text_safe(&r->buf, ckpt_view_of(about.uri), 0);
	r->text.n = 0;
	policy_text(&r->text, r->policy, &r->o->rules);
	if (r->buf.failed || r->text.failed)
		return;
	out_text(r->cli, "store %.*s (%s, layout %s)\n", (int)r->buf.n, r->buf.p,
			about.engine, about.layout);
	out_text(r->cli, "policy: %.*s\n", (int)r->text.n, r->text.p);
}

int report_start(struct report *r)
{
	int rc;

	r->form = out_form_of(r->cli);
	if (is_json(r))
		rc = out_begin(r->cli, "prune", "plan-thread", NULL, false);
	else
		rc = out_begin(r->cli, "prune", "plan-thread",
				r->o->list ? item_cols : space_cols, false);
	if (rc < 0 || r->form == FORM_PORCELAIN || r->form == FORM_NDJSON)
		return rc;
	if (r->form == FORM_TEXT) {
		put_head(r);
		return 0;
	}
	if (r->o->list) {
		r->later = tmpfile();
		if (!r->later)
			return ckpt_fail(&r->cli->err, CKPT_EIO,
					"cannot create a temporary file");
	}
	r->buf.n = 0;
	ckpt_buf_addf(&r->buf,
			"{\"dry_run\":%s,\"policy\":", r->o->dry_run ? "true" : "false");
	policy_json(&r->buf, r->policy, &r->o->rules);
	ckpt_buf_puts(&r->buf, ",\"threads\":[");
	if (r->buf.failed)
		return out_of_memory(r);
	out_put(r->cli, ckpt_buf_view(&r->buf));
	return r->cli->err.code;
}

/* ---- rows ---------------------------------------------------------------------------------------- */

/* For people "last: 20, head: 2"; for programs last=20,head=2; as JSON an object. */
static void put_whys(struct report *r, const struct ckpt_prune_space *s)
{
	size_t n = 0;

	r->text.n = 0;
	for (size_t i = 0; i < CKPT_WHYS; i++) {
		if (!s->why[i])
			continue;
		if (is_json(r))
			ckpt_buf_addf(&r->text, "%s\"%s\":%lld", n++ ? "," : "{",
					ckpt_why_names[i], (long long)s->why[i]);
		else if (r->form == FORM_TEXT)
			ckpt_buf_addf(&r->text, "%s%s: %lld", n++ ? ", " : "",
					ckpt_why_names[i], (long long)s->why[i]);
		else
			ckpt_buf_addf(&r->text, "%s%s=%lld", n++ ? "," : "",
					ckpt_why_names[i], (long long)s->why[i]);
	}
	if (is_json(r))
		ckpt_buf_puts(&r->text, n ? "}" : "{}");
}

static int emit(struct report *r, bool item)
{
	if (r->buf.failed)
		return out_of_memory(r);
	if (item && r->later) {
		if (fwrite(r->buf.p, 1, r->buf.n, r->later) != r->buf.n)
			return ckpt_fail(&r->cli->err, CKPT_EIO,
					"cannot write a temporary file");
		return 0;
	}
	out_put(r->cli, ckpt_buf_view(&r->buf));
	return r->cli->err.code;
}

int report_space(void *to, const struct ckpt_prune_space *s)
{
	struct report *r = to;
	struct field row[] = { { .v = s->key.thread }, { .v = s->key.ns },
		{ .i = s->keep }, { .i = s->drop }, { .i = s->bytes },
		{ .v = { NULL, 0 } } };

	if (!is_json(r) && r->o->list)
		return 0;
	put_whys(r, s);
	if (r->text.failed)
		return out_of_memory(r);
	row[5].v = ckpt_buf_view(&r->text);
	if (!row[5].v.p)
		row[5].v = CKPT_LIT("");
	if (!is_json(r))
		return out_row(r->cli, row);
	r->buf.n = 0;
	ckpt_buf_puts(&r->buf, r->form == FORM_NDJSON ? "{\"type\":\"plan-thread\","
			       : r->rows              ? ",\n{"
						      : "\n{");
	text_json_member(&r->buf, "thread", s->key.thread);
	ckpt_buf_puts(&r->buf, ",");
	text_json_member(&r->buf, "ns", s->key.ns);
	ckpt_buf_addf(&r->buf, ",\"keep\":%lld,\"drop\":%lld,\"bytes\":%lld,\"why\":",
			(long long)s->keep, (long long)s->drop, (long long)s->bytes);
	ckpt_buf_add(&r->buf, r->text.p, r->text.n);
	ckpt_buf_puts(&r->buf, r->form == FORM_NDJSON ? "}\n" : "}");
	r->rows = true;
	return emit(r, false);
}

static void put_why(struct report *r, uint32_t why)
{
	size_t n = 0;

	r->text.n = 0;
	ckpt_buf_puts(&r->text, is_json(r) ? "[" : "");
	for (size_t i = 0; i < CKPT_WHYS; i++) {
		if (!(why >> i & 1))
			continue;
		ckpt_buf_addf(&r->text, is_json(r) ? "%s\"%s\"" : "%s%s", n++ ? "," : "",
				ckpt_why_names[i]);
	}
	ckpt_buf_puts(&r->text, is_json(r) ? "]" : "");
}

int report_item(void *to, const struct ckpt_prune_item *item)
{
	struct report *r = to;
	const char *action = item->drop ? "drop" : "keep";
	struct field row[] = { { .v = ckpt_view_of(action) }, { .v = item->key.thread },
		{ .v = item->key.ns }, { .v = item->key.id }, { .i = item->bytes },
		{ .v = { NULL, 0 } } };

	put_why(r, item->why);
	if (r->text.failed)
		return out_of_memory(r);
	row[5].v = ckpt_buf_view(&r->text);
	if (!row[5].v.p)
		row[5].v = CKPT_LIT("");
	if (!is_json(r))
		return out_row(r->cli, row);
	r->buf.n = 0;
	ckpt_buf_puts(&r->buf, r->form == FORM_NDJSON ? "{\"type\":\"plan-checkpoint\","
			       : ftell(r->later) > 0  ? ",\n{"
						      : "\n{");
	text_json_member(&r->buf, "thread", item->key.thread);
	ckpt_buf_puts(&r->buf, ",");
	text_json_member(&r->buf, "ns", item->key.ns);
	ckpt_buf_puts(&r->buf, ",");
	text_json_member(&r->buf, "id", item->key.id);
	ckpt_buf_addf(&r->buf, ",\"action\":\"%s\",\"why\":", action);
	ckpt_buf_add(&r->buf, r->text.p, r->text.n);
	ckpt_buf_addf(&r->buf, ",\"bytes\":%lld}%s", (long long)item->bytes,
			r->form == FORM_NDJSON ? "\n" : "");
	return emit(r, true);
}

/* ---- the plan ------------------------------------------------------------------------------------- */

/* What was kept for later; the document is closed whatever happened before. */
static void put_later(struct report *r)
{
	char block[8192];
	size_t n;

	out_put(r->cli, CKPT_LIT(",\"checkpoints\":["));
	rewind(r->later);
	while ((n = fread(block, 1, sizeof(block), r->later)) > 0)
		out_put(r->cli, (struct ckpt_view){ block, n });
	if (ferror(r->later))
		ckpt_fail(&r->cli->err, CKPT_EIO, "cannot read a temporary file");
	out_put(r->cli, CKPT_LIT("\n]"));
}

int report_plan(struct report *r, const struct ckpt_prune_sum *sum)
{
	if (r->form == FORM_PORCELAIN && *sum->id)
		cli_note(r->cli, "plan %s", sum->id);
	if (r->form != FORM_JSON)
		return 0;
	out_put(r->cli, CKPT_LIT("\n]"));
	if (r->later)
		put_later(r);
	r->buf.n = 0;
	ckpt_buf_puts(&r->buf, ",\"plan\":");
	if (*sum->id)
		ckpt_json_string(&r->buf, ckpt_view_of(sum->id));
	else
		ckpt_buf_puts(&r->buf, "null");
	ckpt_buf_puts(&r->buf, "}");
	if (r->buf.failed)
		return out_of_memory(r);
	return out_data(r->cli, "plan", ckpt_buf_view(&r->buf));
}

/* A word as a shell takes it. */
static void put_word(struct ckpt_buf *to, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789@%+=:,./-_";
	struct ckpt_buf shown = { 0 };

	ckpt_store_shown(&shown, word);
	ckpt_buf_puts(to, " ");
	if (!shown.failed && shown.n && strspn(shown.p, plain) == shown.n) {
		ckpt_buf_add(to, shown.p, shown.n);
	} else {
		ckpt_buf_puts(to, "'");
		for (size_t i = 0; i < shown.n; i++) {
			if (shown.p[i] == '\'')
				ckpt_buf_puts(to, "'\\''");
			else
				ckpt_buf_add(to, &shown.p[i], 1);
		}
		ckpt_buf_puts(to, "'");
	}
	to->failed |= shown.failed;
	ckpt_buf_free(&shown);
}

/* Options that say how this plan was looked at, not what it is: they and their values. */
static int words_to_leave(const char *word)
{
	static const char *const alone[] = { "-n", "--dry-run", "--list", "-q",
		"--quiet" };
	static const char *const two[] = { "--expect-plan", "--as-of", "--color" };

	for (size_t i = 0; i < sizeof(alone) / sizeof(alone[0]); i++) {
		if (strcmp(word, alone[i]) == 0)
			return 1;
	}
	for (size_t i = 0; i < sizeof(two) / sizeof(two[0]); i++) {
		size_t n = strlen(two[i]);

		if (strncmp(word, two[i], n) == 0 && (!word[n] || word[n] == '='))
			return word[n] ? 1 : 2;
	}
	return 0;
}

void report_hint(struct report *r, const struct ckpt_prune_sum *sum)
{
	struct ckpt_buf line = { 0 }, safe = { 0 };

	if (r->form != FORM_TEXT)
		return;
	for (int i = 1; i < r->cli->nwords;) {
		int leave = words_to_leave(r->cli->words[i]);

		if (!leave)
			put_word(&line, r->cli->words[i]);
		i += leave ? leave : 1;
	}
	if (!line.failed)
		text_safe(&safe, ckpt_buf_view(&line), 0);
	if (!safe.failed && sum->checkpoints + sum->stray_writes + sum->stray_blobs)
		out_text(r->cli, "plan %s   run it:  ckpt%.*s --expect-plan %s\n",
				sum->id, (int)safe.n, safe.p, sum->id);
	ckpt_buf_free(&line);
	ckpt_buf_free(&safe);
}

/* ---- the sums --------------------------------------------------------------------------------------- */

int report_summary(struct report *r, const struct outcome *o)
{
	struct ckpt_buf members = { 0 }, line = { 0 };
	int rc;

	outcome_members(&members, o);
	if (r->form == FORM_NDJSON && *o->plan.id)
		ckpt_buf_addf(&members, ",\"plan\":\"%s\",\"dry_run\":%s", o->plan.id,
				r->o->dry_run ? "true" : "false");
	outcome_line(&line, o);
	rc = members.failed || line.failed ? out_of_memory(r)
	                                   : out_summary(r->cli, members.p, NULL);
	/* what was done is told, be it all or not */
	if (rc >= 0 && r->form == FORM_TEXT)
		out_text(r->cli, "%.*s\n", (int)line.n, line.p);
	else if (rc >= 0 && r->form == FORM_PORCELAIN)
		cli_note(r->cli, "%.*s", (int)line.n, line.p);
	ckpt_buf_free(&members);
	ckpt_buf_free(&line);
	return rc;
}

void report_free(struct report *r)
{
	if (r->later)
		fclose(r->later);
	ckpt_buf_free(&r->buf);
	ckpt_buf_free(&r->text);
}
