/*
 * cmd_du.c - `ckpt du`: what takes the room. Options and output; the sums are du_fold.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "du.h"

#define BAR 20

struct options {
	int by;
};

/* clang-format off */
static const struct opt opts[] = {
	{ 0, "by", OPT_ENUM, AT(struct options, by), "WHAT",
		"one row for each (default: thread)", "thread|ns|channel|type|checkpoint",
		COMPLETE_CHOICES, false },
	{ 0, NULL, OPT_END_KIND, 0, NULL, NULL, NULL, 0, false }
};

static const struct {
	const char *one, *many;
	struct { const char *key, *head; unsigned flags; } part[DU_PARTS + 1];
} forms[] = {
	[BY_THREAD] = { "thread", "threads", { { "thread", "THREAD", 0 } } },
	[BY_NS] = { "namespace", "namespaces", { { "thread", "THREAD", 0 }, { "ns", "NS", 0 } } },
	[BY_CHANNEL] = { "channel", "channels", { { "channel", "CHANNEL", 0 } } },
	[BY_TYPE] = { "type", "types", { { "type", "TYPE", 0 } } },
	[BY_CHECKPOINT] = { "checkpoint", "checkpoints",
		{ { "thread", "THREAD", 0 }, { "ns", "NS", 0 }, { "id", "CHECKPOINT", COL_TAIL } } },
};
/* clang-format on */

enum { F_BYTES, F_COUNT, F_SHARE, F_DUPLICATE, F_KEY, F_BAR = F_KEY + DU_PARTS, FIELDS };

/* ---- columns -------------------------------------------------------------------------------- */

/* Each form has the columns it needs in its own order; `from[i]` is the field of column i. */
struct view {
	struct col cols[FIELDS + 1];
	size_t from[FIELDS], n;
};

static void add_col(struct view *v, const struct col *col, size_t from)
{
	v->cols[v->n] = *col;
	v->from[v->n++] = from;
}

static void add_parts(struct view *v, const struct du *d)
{
	for (size_t i = 0; i < d->sums.parts; i++)
		add_col(v,
				&(struct col){ forms[d->by].part[i].key,
						forms[d->by].part[i].head, COL_TEXT,
						forms[d->by].part[i].flags },
				F_KEY + i);
}

static void make_view(struct view *v, const struct du *d, enum out_form form)
{
	static const struct col bytes = { "bytes", "SIZE", COL_SIZE, COL_RIGHT },
				count = { "checkpoints", "CKPTS", COL_INT, COL_RIGHT },
				share = { "share", "SHARE", COL_JSON, COL_RIGHT },
				twice = { "duplicate_bytes", "AGAIN", COL_SIZE,
					COL_RIGHT },
				key = { "key", "KEY", COL_JSON, 0 },
				bar = { "bar", "", COL_TEXT, 0 };
	bool person = form == FORM_TEXT, values = d->by == BY_CHANNEL || d->by == BY_TYPE;

	*v = (struct view){ 0 };
	if (person)
		add_parts(v, d);
	else if (form != FORM_PORCELAIN)
		add_col(v, &key, F_KEY);
	add_col(v, &bytes, F_BYTES);
	add_col(v, &count, F_COUNT);
	add_col(v, &share, F_SHARE);
	if (!person || values)
		add_col(v, &twice, F_DUPLICATE);
	if (person)
		add_col(v, &bar, F_BAR);
	else if (form == FORM_PORCELAIN)
		add_parts(v, d);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static void put_key(struct ckpt_buf *to, const struct du *d, const struct du_row *row)
{
	to->n = 0;
	for (size_t i = 0; i < d->sums.parts; i++) {
		ckpt_buf_puts(to, i ? "," : "{");
		text_json_member(to, forms[d->by].part[i].key, du_key(&d->sums, row, i));
	}
	ckpt_buf_puts(to, "}");
}

static void put_share(struct ckpt_buf *to, double share, bool person)
{
	to->n = 0;
	ckpt_buf_addf(to, person ? "%.1f %%" : "%.4f", person ? 100 * share : share);
}

static void put_bar(struct ckpt_buf *to, double share)
{
	to->n = 0;
	for (int i = 0; i < BAR && i < (int)(share * BAR + 0.5); i++)
		ckpt_buf_puts(to, "#");
}

static int print_rows(struct du *d, int64_t live)
{
	enum out_form form = out_form_of(d->cli);
	struct ckpt_buf key = { 0 }, share = { 0 }, bar = { 0 };
	bool values = d->by == BY_CHANNEL || d->by == BY_TYPE;
	struct view v;
	int rc;

	make_view(&v, d, form);
	rc = out_begin(d->cli, "du", "usage", v.cols, false);
	for (size_t i = 0; i < d->sums.n && rc >= 0; i++) {
		const struct du_row *row = &d->sums.rows[i];
		double part = live ? (double)row->bytes / (double)live : 0;
		struct field all[FIELDS] = { 0 }, fields[FIELDS] = { 0 };

		put_key(&key, d, row);
		put_share(&share, part, form == FORM_TEXT);
		put_bar(&bar, part);
		if (key.failed || share.failed || bar.failed) {
			rc = ckpt_fail(&d->cli->err, CKPT_ENOMEM, "out of memory");
			break;
		}
		all[F_BYTES].i = row->bytes;
		all[F_COUNT].i = row->checkpoints;
		all[F_SHARE].v = ckpt_buf_view(&share);
		all[F_DUPLICATE].i = values ? row->duplicates : CKPT_UNKNOWN;
		for (size_t k = 0; k < d->sums.parts; k++)
			all[F_KEY + k].v = du_key(&d->sums, row, k);
		for (size_t k = 0; form == FORM_TEXT && k < d->sums.parts; k++)
			if (!all[F_KEY + k].v.p)
				all[F_KEY + k].v = CKPT_LIT("(none)");
		if (form == FORM_JSON || form == FORM_NDJSON)
			all[F_KEY].v = ckpt_buf_view(&key);
		all[F_BAR].v = ckpt_buf_view(&bar);
		for (size_t k = 0; k < v.n; k++)
			fields[k] = all[v.from[k]];
		rc = out_row(d->cli, fields);
	}
	ckpt_buf_free(&key);
	ckpt_buf_free(&share);
	ckpt_buf_free(&bar);
	return rc;
}

/* ---- summary -------------------------------------------------------------------------------- */

static void put_line(struct ckpt_buf *to, const struct du *d, int64_t live,
		const struct ckpt_space *room)
{
	size_t n = d->sums.n;

	ckpt_buf_addf(to, "%zu %s", n, n == 1 ? forms[d->by].one : forms[d->by].many);
	if (d->by != BY_CHECKPOINT)
		ckpt_buf_addf(to, ", %lld checkpoint%s", (long long)d->checkpoints,
				d->checkpoints == 1 ? "" : "s");
	ckpt_buf_puts(to, ", ");
	text_size(to, live);
	ckpt_buf_puts(to, " live");
	if (room->file == CKPT_UNKNOWN)
		return;
	ckpt_buf_puts(to, " (file ");
	text_size(to, room->file);
	if (room->reclaimable != CKPT_UNKNOWN) {
		ckpt_buf_puts(to, ": ");
		text_size(to, room->reclaimable);
		ckpt_buf_puts(to, " reclaimable");
	}
	if (room->wal != CKPT_UNKNOWN && room->wal) {
		ckpt_buf_puts(to, "; log ");
		text_size(to, room->wal);
	}
	ckpt_buf_puts(to, ")");
}

static int summarize(struct du *d, int64_t live)
{
	struct ckpt_buf members = { 0 }, line = { 0 };
	struct ckpt_space room;
	int rc = ckpt_store_space(d->cli->store, &room);

	if (rc < 0)
		return rc;
	text_int_member(&members, "live_bytes", live);
	text_int_member(&members, "file_bytes", room.file);
	text_int_member(&members, "wal_bytes", room.wal);
	text_int_member(&members, "reclaimable_bytes", room.reclaimable);
	put_line(&line, d, live, &room);
	rc = members.failed || line.failed
	                     ? ckpt_fail(&d->cli->err, CKPT_ENOMEM, "out of memory")
	                     : out_summary(d->cli, members.p, line.p);
	ckpt_buf_free(&members);
	ckpt_buf_free(&line);
	return rc;
}

static int measure(struct du *d)
{
	int64_t live = 0;
	int rc = du_fold(d);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < d->sums.n; i++)
		live += d->sums.rows[i].bytes;
	du_sort(&d->sums);
	if (d->unsplit)
		cli_note(d->cli,
				"%zu checkpoint%s cannot be looked into (encrypted, "
				"damaged "
				"or of unknown type): counted to no channel",
				d->unsplit, d->unsplit == 1 ? "" : "s");
	rc = print_rows(d, live);
	return rc < 0 ? rc : summarize(d, live);
}

static int run(struct cli *cli)
{
	const struct options *o = cli->opts;
	struct du d = { .cli = cli, .by = o->by < 0 ? BY_THREAD : (enum du_by)o->by };
	struct ckpt_about about;
	int rc = ckpt_store_about(cli->store, &about);

	d.engine = about.engine;
	while (d.sums.parts < DU_PARTS && forms[d.by].part[d.sums.parts].key)
		d.sums.parts++;
	if (rc >= 0 && cli->nargs)
		rc = ckpt_thread_find(&d.key, cli->store, ckpt_view_of(cli->args[0]));
	if (rc >= 0)
		rc = measure(&d);
	du_sums_free(&d.sums);
	free(d.seen.slots);
	return rc;
}

const struct cmd cmd_du = {
	.name = "du",
	.args = "[THREAD]",
	.max_args = 1,
	.summary = "what takes the room: bytes by thread, channel or type",
	.opts = opts,
	.size = sizeof(struct options),
	.complete = COMPLETE_THREAD,
	.needs_store = true,
	.pages = true,
	.examples = "  ckpt du                          the largest threads first\n"
		    "  ckpt du chat-1 --by checkpoint   of one thread\n"
		    "  ckpt du --by channel             what is stored again and again\n"
		    "  ckpt du --by type --json         with the room of the file\n",
	.run = run,
};
