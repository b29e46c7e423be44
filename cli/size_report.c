/*
 * size_report.c - what `ckpt enforce-size` says: rows of what is too large and of what goes, the
 * limit that it is about, the sums.
 */
#include <stdlib.h>
#include <string.h>

#include "size.h"

#define CHANNELS 3 /* how many are named to be to blame */

/* clang-format off */
static const struct col cols[] = {
	{ "action", "ACTION", COL_TEXT, 0 },
	{ "thread", "THREAD", COL_TEXT, 0 },
	{ "ns", "NS", COL_TEXT, 0 },
	{ "id", "CHECKPOINT", COL_TEXT, COL_TAIL },
	{ "bytes", "SIZE", COL_SIZE, COL_RIGHT },
	{ "why", "WHY", COL_TEXT, 0 },
	{ NULL, NULL, COL_TEXT, 0 }
};
/* clang-format on */

static bool is_json(const struct size_report *r)
{
	return r->form == FORM_JSON || r->form == FORM_NDJSON;
}

static int out_of_memory(struct size_report *r)
{
	return ckpt_fail(&r->cli->err, CKPT_ENOMEM, "out of memory");
}

int size_report_start(struct size_report *r)
{
	int rc;

	r->form = out_form_of(r->cli);
	rc = out_begin(r->cli, "enforce-size", "action", is_json(r) ? NULL : cols, false);
	if (rc >= 0 && r->form == FORM_JSON)
		out_put(r->cli, CKPT_LIT("{\"actions\":["));
	return rc;
}

/* ---- rows --------------------------------------------------------------------------------- */

struct action {
	const char *action, *why;
	struct ckpt_view thread, ns, id; /* ns, id: NULL if it is not about one */
	int64_t bytes;
	struct ckpt_view more; /* members for documents, or NULL */
	struct ckpt_view text; /* instead of `why` for all others */
};

static int put_action(struct size_report *r, const struct action *a)
{
	const struct field row[] = { { .v = ckpt_view_of(a->action) }, { .v = a->thread },
		{ .v = a->ns }, { .v = a->id }, { .i = a->bytes }, { .v = a->text } };

	if (r->text.failed)
		return out_of_memory(r);
	if (!is_json(r))
		return out_row(r->cli, row);
	r->buf.n = 0;
	ckpt_buf_puts(&r->buf, r->form == FORM_NDJSON ? "{\"type\":\"action\","
			       : r->rows              ? ",\n{"
						      : "\n{");
	r->rows = true;
	text_json_member(&r->buf, "thread", a->thread);
	ckpt_buf_puts(&r->buf, ",");
	text_json_member(&r->buf, "ns", a->ns);
	if (a->id.p) {
		ckpt_buf_puts(&r->buf, ",");
		text_json_member(&r->buf, "id", a->id);
	}
	ckpt_buf_addf(&r->buf, ",\"action\":\"%s\",\"bytes\":%lld,\"why\":\"%s\"",
			a->action, (long long)a->bytes, a->why);
	ckpt_buf_add(&r->buf, a->more.p, a->more.n);
	ckpt_buf_puts(&r->buf, r->form == FORM_NDJSON ? "}\n" : "}");
	if (r->buf.failed)
		return out_of_memory(r);
	out_put(r->cli, ckpt_buf_view(&r->buf));
	return r->cli->err.code;
}

/* The largest, largest first; 0 bytes where there are no more. */
static void find_large(const struct ckpt_value *out[static CHANNELS],
		const struct ckpt_checkpoint *c)
{
	for (size_t i = 0; i < CHANNELS; i++)
		out[i] = NULL;
	for (size_t i = 0; i < c->nvalues; i++) {
		const struct ckpt_value *v = &c->values[i];

		for (size_t k = 0; k < CHANNELS && v; k++) {
			const struct ckpt_value *was = out[k];

			if (was && was->body.n >= v->body.n)
				continue;
			out[k] = v;
			v = was;
		}
	}
}

/* For documents ,"channels":[…]; for people "messages 41 MB"; for programs messages=41203. */
static void put_channel(struct size_report *r, const struct ckpt_value *v, bool first)
{
	if (is_json(r)) {
		ckpt_buf_puts(&r->text, first ? "{" : ",{");
		text_json_member(&r->text, "channel", v->channel);
		ckpt_buf_addf(&r->text, ",\"bytes\":%zu}", v->body.n);
		return;
	}
	ckpt_buf_puts(&r->text, r->form == FORM_TEXT ? first ? "" : ", " : ",");
	ckpt_buf_add(&r->text, v->channel.p, v->channel.n);
	if (r->form == FORM_TEXT) {
		ckpt_buf_puts(&r->text, " ");
		text_size(&r->text, (int64_t)v->body.n);
	} else {
		ckpt_buf_addf(&r->text, "=%zu", v->body.n);
	}
}

static int put_channels(struct size_report *r, const struct ckpt_checkpoint *at,
		int64_t state_bytes)
{
	const struct ckpt_pick pick = { .key = at->key, .depth = CKPT_VALUES };
	const struct ckpt_value *large[CHANNELS];
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	bool any = false;
	int rc = ckpt_scan_one(&scan, r->cli->store, &pick, &c);

	r->text.n = 0;
	ckpt_buf_puts(&r->text, is_json(r)                  ? ",\"channels\":["
				: r->form == FORM_PORCELAIN ? "max-checkpoint"
							    : "");
	if (rc > 0)
		find_large(large, &c);
	/* only what is worth to be called large */
	for (size_t i = 0; rc > 0 && i < CHANNELS && large[i] &&
			   (int64_t)large[i]->body.n > state_bytes / 20;
			i++) {
		put_channel(r, large[i], !any);
		any = true;
	}
	if (is_json(r))
		ckpt_buf_puts(&r->text, "]");
	else if (r->form == FORM_TEXT && !any)
		ckpt_buf_puts(&r->text, "max-checkpoint");
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

int size_report_checkpoint(void *to, const struct ckpt_checkpoint *c, int64_t state_bytes)
{
	struct size_report *r = to;
	struct action a = { .action = "report",
		.why = "max-checkpoint",
		.thread = c->key.thread,
		.ns = c->key.ns,
		.id = c->key.id,
		.bytes = state_bytes };
	int rc = put_channels(r, c, state_bytes);

	a.more = a.text = ckpt_buf_view(&r->text);
	return rc < 0 ? rc : put_action(r, &a);
}

int size_report_thread(void *to, const struct ckpt_key *key, int64_t bytes)
{
	const struct action a = { .action = "report",
		.why = "max-thread",
		.thread = key->thread,
		.bytes = bytes,
		.text = CKPT_LIT("max-thread") };

	return put_action(to, &a);
}

int size_report_space(void *to, const struct ckpt_prune_space *s)
{
	struct size_report *r = to;
	struct action a = { .action = "drop",
		.thread = s->key.thread,
		.ns = s->key.ns,
		.bytes = s->bytes };

	if (!s->drop)
		return 0;
	a.why = ckpt_size_own_limit(r->size, &s->key) ? "max-thread" : "max-size";
	r->text.n = 0;
	if (is_json(r))
		ckpt_buf_addf(&r->text, ",\"keep\":%lld,\"drop\":%lld",
				(long long)s->keep, (long long)s->drop);
	else if (r->form == FORM_TEXT)
		ckpt_buf_addf(&r->text, "%s: keep %lld of %lld", a.why,
				(long long)s->keep, (long long)(s->keep + s->drop));
	else
		ckpt_buf_puts(&r->text, a.why);
	a.more = a.text = ckpt_buf_view(&r->text);
	return put_action(r, &a);
}

/* ---- the limit and the sums --------------------------------------------------------------- */

struct verdict { /* one limit: the first that was given */
	const char *what;
	int64_t limit, measured;
};

static struct verdict judge(const struct size_report *r, const struct ckpt_size_sum *s)
{
	const struct ckpt_size_limits *l = r->limits;

	if (l->max_size != CKPT_UNKNOWN)
		return (struct verdict){ l->file ? "file" : "live", l->max_size,
			s->measured };
	if (l->max_thread != CKPT_UNKNOWN)
		return (struct verdict){ "largest thread", l->max_thread,
			s->largest_thread };
	return (struct verdict){ "largest checkpoint", l->max_checkpoint,
		s->largest_checkpoint };
}

static int64_t over(const struct verdict *v)
{
	return v->measured > v->limit ? v->measured - v->limit : 0;
}

static void put_verdict(struct ckpt_buf *to, const struct verdict *v)
{
	ckpt_buf_addf(to, "\"limit\":%lld,\"measured\":%lld,\"over\":%lld",
			(long long)v->limit, (long long)v->measured, (long long)over(v));
}

int size_report_sum(struct size_report *r, const struct ckpt_size_sum *s)
{
	const struct verdict v = judge(r, s);

	if (r->form != FORM_JSON)
		return 0;
	r->buf.n = 0;
	ckpt_buf_puts(&r->buf, "\n],");
	put_verdict(&r->buf, &v);
	ckpt_buf_puts(&r->buf, "}");
	if (r->buf.failed)
		return out_of_memory(r);
	return out_data(r->cli, "action", ckpt_buf_view(&r->buf));
}

static void put_count(struct ckpt_buf *to, int64_t n, const char *what)
{
	ckpt_buf_addf(to, "%lld %s%s", (long long)n, what, n == 1 ? "" : "s");
}

/* A line for people: on stdout, or beside what programs read. */
static int put_text(struct size_report *r)
{
	if (r->text.failed)
		return out_of_memory(r);
	if (r->form == FORM_TEXT)
		out_text(r->cli, "%.*s\n", (int)r->text.n, r->text.p);
	else if (r->form == FORM_PORCELAIN)
		cli_note(r->cli, "%.*s", (int)r->text.n, r->text.p);
	return r->cli->err.code;
}

static int tell_limit(struct size_report *r, const struct ckpt_size_sum *s)
{
	const struct verdict v = judge(r, s);

	r->text.n = 0;
	ckpt_buf_addf(&r->text, "%s ", v.what);
	text_size(&r->text, v.measured);
	ckpt_buf_puts(&r->text, ", limit ");
	text_size(&r->text, v.limit);
	if (over(&v)) {
		ckpt_buf_puts(&r->text, ", over by ");
		text_size(&r->text, over(&v));
	}
	if (s->large_threads) {
		ckpt_buf_puts(&r->text, "; ");
		put_count(&r->text, s->large_threads, "thread");
		ckpt_buf_puts(&r->text, " too large");
	}
	if (s->large_checkpoints) {
		ckpt_buf_puts(&r->text, "; ");
		put_count(&r->text, s->large_checkpoints, "checkpoint");
		ckpt_buf_puts(&r->text, " too large");
	}
	return put_text(r);
}

static int tell_outcome(struct size_report *r, const struct ckpt_size_sum *s,
		const struct outcome *o)
{
	r->text.n = 0;
	outcome_line(&r->text, o);
	if (outcome_whole(o)) {
		ckpt_buf_puts(&r->text, "; ");
		text_size(&r->text, s->left);
		ckpt_buf_puts(&r->text, " live");
	}
	return put_text(r);
}

int size_report_summary(struct size_report *r, const struct ckpt_size_sum *s,
		const struct outcome *o)
{
	const struct outcome none = {
		.before = { CKPT_UNKNOWN, CKPT_UNKNOWN, CKPT_UNKNOWN },
		.after = { CKPT_UNKNOWN, CKPT_UNKNOWN, CKPT_UNKNOWN },
	};
	const struct verdict v = judge(r, s);
	struct ckpt_buf members = { 0 };
	int rc;

	outcome_members(&members, o ? o : &none);
	ckpt_buf_addf(&members, ",\"large_threads\":%lld,\"large_checkpoints\":%lld",
			(long long)s->large_threads, (long long)s->large_checkpoints);
	text_int_member(&members, "live_bytes",
			!o || outcome_whole(o) ? s->left : CKPT_UNKNOWN);
	if (r->form == FORM_NDJSON) {
		ckpt_buf_puts(&members, ",");
		put_verdict(&members, &v);
	}
	rc = members.failed ? out_of_memory(r) : out_summary(r->cli, members.p, NULL);
	ckpt_buf_free(&members);
	rc = rc < 0 ? rc : tell_limit(r, s);
	return rc < 0 || !o ? rc : tell_outcome(r, s, o);
}

void size_report_free(struct size_report *r)
{
	ckpt_buf_free(&r->buf);
	ckpt_buf_free(&r->text);
}
