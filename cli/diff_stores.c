/*
 * diff_stores.c - `ckpt diff --against STORE` without addresses: two stores, whole.
 *
 * The library merges and compares; here its differences become rows, or for people a list
 * grouped by thread. Nothing is kept: both stores are read as the answer is written.
 */
#include <stdio.h>
#include <string.h>

#include "diff.h"

#define IN_STORE 3 /* beside enum ckpt_table: an item of long-term memory */
static const char *const tables[] = { "checkpoints", "writes", "values", "store" };
static const char *const ops[] = { "only-a", "only-b", "differs" };

static const struct col difference_cols[] = {
	{ "op", "", COL_TEXT, 0 },
	{ "table", "", COL_TEXT, 0 },
	{ "thread", "", COL_TEXT, 0 },
	{ "ns", "", COL_TEXT, 0 },
	{ "id", "", COL_TEXT, 0 },
	{ "detail", "", COL_TEXT, 0 },
	{ 0 },
};
static const struct col name_cols[] = {
	{ "thread", "THREAD", COL_TEXT, 0 },
	{ "ns", "NS", COL_TEXT, 0 },
	{ "id", "ID", COL_TEXT, 0 },
	{ 0 },
};
static const struct col stat_cols[] = {
	{ "table", "TABLE", COL_TEXT, 0 },
	{ "same", "SAME", COL_INT, COL_RIGHT },
	{ "differs", "DIFFERS", COL_INT, COL_RIGHT },
	{ "only_a", "ONLY A", COL_INT, COL_RIGHT },
	{ "only_b", "ONLY B", COL_INT, COL_RIGHT },
	{ 0 },
};

struct stores {
	struct diff *d;
	struct ckpt_match *match;
	const struct ckpt_match_counts *counts;
	struct ckpt_buf line, wanted;
	int64_t items[3], same_items; /* of long-term memory, by enum ckpt_side */
	struct ckpt_buf last;         /* thread, ns and id of the difference before */
};

/* ---- what counts ----------------------------------------------------------------------------- */

/* Is this the pointer of one of the channels asked for? */
static bool wanted(struct stores *s, const char *pointer)
{
	const struct opt_list *channels = &s->d->o->channels;
	const char *name = strchr(pointer + 1, '/');

	if (!name || (pointer[1] != 'v' && pointer[1] != 'w'))
		return false;
	for (size_t i = 0; i < channels->n; i++) {
		s->wanted.n = 0;
		ckpt_buf_puts(&s->wanted, "");
		for (const char *p = channels->v[i]; *p; p++)
			ckpt_buf_addf(&s->wanted,
					*p == '~'   ? "~0"
					: *p == '/' ? "~1"
						    : "%c",
					*p);
		if (!s->wanted.failed && strcmp(s->wanted.p, name + 1) == 0)
			return true;
	}
	return false;
}

static bool left_out(void *arg, const char *pointer)
{
	struct stores *s = arg;

	if (s->d->o->channels.n && !wanted(s, pointer))
		return true;
	return s->d->has_mask && diff_masked(&s->d->mask, pointer);
}

/* ---- forms ----------------------------------------------------------------------------------- */

static bool is_text(const struct stores *s)
{
	return out_form_of(s->d->cli) == FORM_TEXT;
}

/* Remember the key; false if the difference before had the same. */
static bool is_new(struct stores *s, const struct ckpt_difference *x, bool with_id)
{
	const struct ckpt_view part[] = { x->key.thread, x->key.ns, x->key.id };
	bool same;

	s->line.n = 0;
	for (size_t i = 0; i < (with_id ? 3u : 2u); i++) {
		ckpt_buf_addf(&s->line, "%zu:", part[i].n);
		ckpt_buf_add(&s->line, part[i].p, part[i].n);
	}
	same = ckpt_view_eq(ckpt_buf_view(&s->line), ckpt_buf_view(&s->last));
	s->last.n = 0;
	ckpt_buf_add(&s->last, s->line.p, s->line.n);
	s->line.n = 0;
	return !same;
}

/* A name as wide as a line would hide what it is the heading of. */
static void put_thread(struct stores *s, const struct ckpt_difference *x)
{
	struct cli *cli = s->d->cli;
	size_t half = ((size_t)out_width(cli) - sizeof("thread  ns ") + 1) / 2;

	ckpt_buf_addf(&s->line, "%sthread ", out_style(cli, "\033[1m"));
	text_safe(&s->line, x->key.thread, half);
	if (x->key.ns.n) {
		ckpt_buf_puts(&s->line, " ns ");
		text_safe(&s->line, x->key.ns, half);
	}
	ckpt_buf_addf(&s->line, "%s\n", out_style(cli, "\033[0m"));
}

static int put_text(struct stores *s, const struct ckpt_difference *x)
{
	static const char marks[] = { '-', '+', '~' };
	static const char *const colours[] = { "\033[31m", "\033[32m", "\033[33m" };
	struct cli *cli = s->d->cli;
	size_t width = (size_t)out_width(cli), used;

	if (is_new(s, x, false))
		put_thread(s, x);
	used = s->line.n;
	ckpt_buf_addf(&s->line, "%s%c ", out_style(cli, colours[x->op]), marks[x->op]);
	text_safe(&s->line, x->key.id, 0);
	/* a checkpoint, one of its values, one of its writes */
	ckpt_buf_addf(&s->line, "%s%s  ", x->key.id.p ? "  " : "",
			x->table == CKPT_IN_CHECKPOINTS ? "checkpoint"
			: x->table == CKPT_IN_WRITES    ? "write"
			: x->table == CKPT_IN_VALUES    ? "value"
							: "item");
	used = s->line.n - used;
	text_safe(&s->line, x->detail, width > used + 30 ? width - used : 30);
	ckpt_buf_addf(&s->line, "%s\n", out_style(cli, "\033[0m"));
	if (!s->line.failed)
		out_put(cli, ckpt_buf_view(&s->line));
	s->line.n = 0;
	return 0;
}

static int put_row(struct stores *s, const struct ckpt_difference *x)
{
	struct field key[] = { { .v = x->key.thread }, { .v = x->key.ns },
		{ .v = x->key.id } };
	struct field row[] = { { .v = ckpt_view_of(ops[x->op]) },
		{ .v = ckpt_view_of(tables[x->table]) }, key[0], key[1], key[2],
		{ .v = x->detail } };

	if (s->d->o->stat)
		return 0;
	if (s->d->o->name_only)
		return is_new(s, x, true) ? out_row(s->d->cli, key) : 0;
	return is_text(s) ? put_text(s, x) : out_row(s->d->cli, row);
}

static void put_item(void *arg, const struct ckpt_care *c)
{
	struct stores *s = arg;
	enum ckpt_side op =
			strcmp(c->code, "different") == 0 ? CKPT_DIFFERS : CKPT_ONLY_A;
	const struct ckpt_difference x = { .key = c->key,
		.table = (enum ckpt_table)IN_STORE,
		.op = op,
		.detail = c->detail };

	s->items[op]++;
	put_row(s, &x);
}

static int put_items(struct stores *s)
{
	const struct ckpt_migrate_how how = {
		.with_store = true, .care = put_item, .arg = s
	};
	struct cli *cli = s->d->cli;

	return ckpt_items_compare(cli->store, cli->other, &how, &s->same_items);
}

static int put_stat(struct stores *s)
{
	const struct ckpt_match_counts *n = s->counts;
	int rc = 0;

	for (size_t i = 0; i < 3 && rc >= 0; i++) {
		struct field row[] = { { .v = ckpt_view_of(tables[i]) },
			{ .i = n->same[i] }, { .i = n->other[i][CKPT_DIFFERS] },
			{ .i = n->other[i][CKPT_ONLY_A] },
			{ .i = n->other[i][CKPT_ONLY_B] } };

		rc = out_row(s->d->cli, row);
	}
	return rc;
}

/* ---- the end --------------------------------------------------------------------------------- */

static int64_t total(const struct stores *s, enum ckpt_side op)
{
	const struct ckpt_match_counts *n = s->counts;

	return s->items[op] + n->other[0][op] + n->other[1][op] + n->other[2][op];
}

/* "2 checkpoints and 1 write only in A, " */
static void put_total(struct stores *s, enum ckpt_side op, const char *after)
{
	static const char *const words[] = { "checkpoint", "write", "value",
		"store item" };
	struct ckpt_buf *to = &s->line;
	const char *sep = "";

	for (size_t i = 0; i <= IN_STORE; i++) {
		long long k = i == IN_STORE ? s->items[op] : s->counts->other[i][op];

		if (!k)
			continue;
		ckpt_buf_addf(to, "%s%lld %s%s", sep, k, words[i], k == 1 ? "" : "s");
		sep = " and ";
	}
	if (*sep)
		ckpt_buf_addf(to, " %s, ", after);
}

static int put_summary(struct stores *s)
{
	const struct ckpt_match_counts *n = s->counts;
	int64_t same = n->same[0] + n->same[1] + n->same[2] + s->same_items;
	char members[160];

	s->line.n = 0;
	put_total(s, CKPT_ONLY_A, "only in A");
	put_total(s, CKPT_ONLY_B, "only in B");
	put_total(s, CKPT_DIFFERS, total(s, CKPT_DIFFERS) == 1 ? "differs" : "differ");
	ckpt_buf_addf(&s->line, "%s%lld row%s the same",
			s->line.n ? "" : "no differences, ", (long long)same,
			same == 1 ? "" : "s");
	snprintf(members, sizeof(members),
			"\"same\":%lld,\"differs\":%lld,\"only_a\":%lld,\"only_b\":%lld",
			(long long)same, (long long)total(s, CKPT_DIFFERS),
			(long long)total(s, CKPT_ONLY_A),
			(long long)total(s, CKPT_ONLY_B));
	return out_summary(s->d->cli, members,
			s->d->o->name_only || s->line.failed ? NULL : s->line.p);
}

static int answer(struct stores *s)
{
	const struct diff_opts *o = s->d->o;
	const struct col *cols = o->stat        ? stat_cols
	                         : o->name_only ? name_cols
	                         : is_text(s)   ? NULL
	                                        : difference_cols;
	int rc = out_begin(s->d->cli, s->d->cli->cmd->name, "difference", cols, false);
	struct ckpt_difference x;
	int summed;

	while (rc >= 0 && (rc = ckpt_match_next(s->match, &x)) > 0)
		rc = put_row(s, &x);
	if (rc >= 0 && s->d->with_store)
		rc = put_items(s);
	if (rc >= 0 && o->stat)
		rc = put_stat(s);
	if (rc >= 0 && (s->line.failed || s->last.failed || s->wanted.failed))
		rc = ckpt_fail(&s->d->cli->err, CKPT_ENOMEM, "out of memory");
	/* also where it ended early: what was compared until then */
	summed = put_summary(s);
	return rc < 0 ? rc : summed;
}

static bool is_wanted(void *arg, const struct ckpt_checkpoint *c)
{
	const struct stores *s = arg;

	return s->d->wanted(s->d->wanted_arg, c);
}

int diff_stores(struct diff *d)
{
	struct stores s = { .d = d };
	struct cli *cli = d->cli;
	bool some = d->o->channels.n || d->has_mask;
	struct ckpt_match_how how = {
		.mask = some ? left_out : NULL,
		.wanted = d->wanted ? is_wanted : NULL,
		.arg = &s,
		.migrated = d->migrated,
	};
	struct ckpt_fault fault; /* what an archive lost may be a difference */
	int rc = cli_store_open(&cli->other, cli, d->o->against);

	rc = rc < 0 ? rc : ckpt_match_open(&s.match, cli->store, cli->other, &how);
	if (rc >= 0) {
		s.counts = ckpt_match_counts(s.match);
		rc = answer(&s);
		for (int i = 0; i < 3; i++)
			d->count[i] = total(&s, (enum ckpt_side)i);
		d->corrupt = s.counts->corrupt ||
		             ckpt_store_fault(cli->store, 0, &fault) ||
		             ckpt_store_fault(cli->other, 0, &fault);
		ckpt_match_close(s.match);
	}
	ckpt_buf_free(&s.line);
	ckpt_buf_free(&s.wanted);
	ckpt_buf_free(&s.last);
	return rc;
}
