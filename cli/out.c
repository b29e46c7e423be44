/*
 * out.c - rows and documents in four forms from one column table.
 *
 * Here: the shape of documents (begin, row, data, summary, end). The bytes go on through sink.c,
 * tables through table.c, single cells through text.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"

static bool is_json(const struct out *out)
{
	return out->form == FORM_JSON || out->form == FORM_NDJSON;
}

static int stopped(struct cli *cli)
{
	if (!sink_signal())
		return 0;
	return ckpt_fail(&cli->err, CKPT_EINTERRUPTED, "stopped by a signal");
}

static void put_string_or_null(struct ckpt_buf *to, const char *s)
{
	if (s)
		ckpt_json_string(to, ckpt_view_of(s));
	else
		ckpt_buf_puts(to, "null");
}

static int put_store(struct cli *cli)
{
	struct ckpt_buf *to = &cli->out->pending;
	struct ckpt_about about = { 0 };
	int rc;

	if (!cli->store) {
		ckpt_buf_puts(to, "null");
		return 0;
	}
	rc = ckpt_store_about(cli->store, &about);
	if (rc < 0)
		return rc;
	ckpt_buf_puts(to, "{\"uri\":");
	put_string_or_null(to, about.uri);
	ckpt_buf_puts(to, ",\"engine\":");
	put_string_or_null(to, about.engine);
	ckpt_buf_puts(to, ",\"layout\":");
	put_string_or_null(to, about.layout);
	if (about.schema) {
		ckpt_buf_puts(to, ",\"schema\":");
		put_string_or_null(to, about.schema);
	}
	ckpt_buf_addf(to, ",\"writers\":[%s%s%s]}",
			about.writers & CKPT_PYTHON ? "\"python\"" : "",
			about.writers == (CKPT_PYTHON | CKPT_JS) ? "," : "",
			about.writers & CKPT_JS ? "\"js\"" : "");
	return 0;
}

/* A copy: a command may have made its columns up for this one answer. */
static const struct col *keep_cols(struct out *out, const struct col *cols)
{
	size_t n = 0;

	for (; cols && cols[n].key && n < TABLE_COLS; n++)
		out->own_cols[n] = cols[n];
	out->own_cols[n] = (struct col){ 0 };
	return cols ? out->own_cols : NULL;
}

int out_begin(struct cli *cli, const char *format, const char *type,
		const struct col *cols, bool with_long)
{
	struct out *out = cli->out;
	size_t start = out->pending.n;
	int rc;

	out->format = format;
	out->type = type;
	out->cols = keep_cols(out, cols);
	out->with_long = with_long;
	if (out->form == FORM_JSON) {
		ckpt_buf_addf(&out->pending,
				"{\"format\":\"ckpt.%s/1\",\"store\":", format);
		rc = put_store(cli);
		if (rc < 0) {
			if (!out->pending.failed)
				out->pending.n = start;
			return rc;
		}
		ckpt_buf_puts(&out->pending, cols ? ",\"data\":[" : ",\"data\":");
	}
	out->begun = true;
	return sink_flush(cli, false);
}

/* ---- rows ---------------------------------------------------------------------------------- */

static bool in_json(const struct out *out, const struct col *c)
{
	return !(c->flags & COL_NO_JSON) && (out->with_long || !(c->flags & COL_LONG));
}

/* What -l adds comes after the columns that are always there, in the order of the table. */
static bool in_porcelain(const struct out *out, const struct col *c, bool added)
{
	if (c->flags & COL_NO_JSON)
		return false;
	if (added)
		return out->with_long && c->flags & COL_LONG;
	return !(c->flags & (COL_LONG | COL_NO_PORCELAIN));
}

static void json_cell(struct ckpt_buf *to, const struct col *c, const struct field *f)
{
	char time[40];

	if (c->kind == COL_TEXT) {
		text_json_member(to, c->key, f->v);
		return;
	}
	ckpt_buf_addf(to, "\"%s\":", c->key);
	if (c->kind == COL_BOOL) {
		ckpt_buf_puts(to, f->b ? "true" : "false");
	} else if (c->kind == COL_JSON) {
		if (f->v.p && f->v.n)
			ckpt_buf_add(to, f->v.p, f->v.n);
		else
			ckpt_buf_puts(to, "null");
	} else if (f->i == CKPT_UNKNOWN) {
		ckpt_buf_puts(to, "null");
	} else if (c->kind == COL_TIME) {
		ckpt_time_print(time, f->i);
		ckpt_buf_addf(to, "\"%s\"", time);
	} else {
		ckpt_buf_addf(to, "%lld", (long long)f->i);
	}
}

static void json_row(struct out *out, const struct field *fields)
{
	struct ckpt_buf *to = &out->pending;
	bool first = true;

	if (out->form == FORM_NDJSON) {
		ckpt_buf_addf(to, "{\"type\":\"%s\"", out->type);
		first = false;
	} else {
		ckpt_buf_puts(to, out->rows ? ",\n{" : "\n{");
	}
	for (size_t i = 0; out->cols[i].key; i++) {
		if (!in_json(out, &out->cols[i]))
			continue;
		if (!first)
			ckpt_buf_puts(to, ",");
		first = false;
		json_cell(to, &out->cols[i], &fields[i]);
	}
	ckpt_buf_puts(to, out->form == FORM_NDJSON ? "}\n" : "}");
}

static void porcelain_cell(
		struct ckpt_buf *to, const struct col *c, const struct field *f)
{
	char time[40];

	if (c->kind == COL_TEXT || c->kind == COL_JSON) {
		text_porcelain(to, f->v);
	} else if (c->kind == COL_BOOL) {
		ckpt_buf_puts(to, f->b ? "true" : "false");
	} else if (f->i == CKPT_UNKNOWN) {
		return;
	} else if (c->kind == COL_TIME) {
		ckpt_time_print(time, f->i);
		ckpt_buf_puts(to, time);
	} else {
		ckpt_buf_addf(to, "%lld", (long long)f->i);
	}
}

static void porcelain_row(struct out *out, const struct field *fields)
{
	bool first = true;

	for (int added = 0; added < 2; added++)
		for (size_t i = 0; out->cols[i].key; i++) {
			if (!in_porcelain(out, &out->cols[i], added))
				continue;
			if (!first)
				ckpt_buf_puts(&out->pending, "\t");
			first = false;
			porcelain_cell(&out->pending, &out->cols[i], &fields[i]);
		}
	ckpt_buf_puts(&out->pending, "\n");
}

int out_row(struct cli *cli, const struct field *fields)
{
	struct out *out = cli->out;

	if (stopped(cli) < 0)
		return CKPT_EINTERRUPTED;
	if (is_json(out))
		json_row(out, fields);
	else if (out->form == FORM_PORCELAIN)
		porcelain_row(out, fields);
	else
		table_add(cli, fields);
	out->rows++;
	return sink_flush(cli, out->form == FORM_NDJSON);
}

/* ---- documents that are not rows ------------------------------------------------------------- */

int out_data(struct cli *cli, const char *type, struct ckpt_view json)
{
	struct out *out = cli->out;
	struct ckpt_buf *to = &out->pending;
	const char *p = json.p;

	if (!is_json(out))
		return 0;
	if (out->form == FORM_JSON) {
		ckpt_buf_add(to, p, json.n);
	} else if (json.n > 2 && p[0] == '{') {
		/* the object itself, with its type in front */
		ckpt_buf_addf(to, "{\"type\":\"%s\",", type);
		ckpt_buf_add(to, p + 1, json.n - 1);
		ckpt_buf_puts(to, "\n");
	} else {
		ckpt_buf_addf(to, "{\"type\":\"%s\",\"value\":", type);
		ckpt_buf_add(to, p, json.n);
		ckpt_buf_puts(to, "}\n");
	}
	out->has_data = true;
	return sink_flush(cli, out->form == FORM_NDJSON);
}

void out_put(struct cli *cli, struct ckpt_view bytes)
{
	table_flush(cli);
	ckpt_buf_add(&cli->out->pending, bytes.p, bytes.n);
	sink_flush(cli, false);
}

void out_text(struct cli *cli, const char *fmt, ...)
{
	char small[512];
	va_list ap, again;
	char *big;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(small)) {
		out_put(cli, (struct ckpt_view){ small, (size_t)n });
	} else if (n >= 0) {
		big = malloc((size_t)n + 1);
		if (big) {
			vsnprintf(big, (size_t)n + 1, fmt, again);
			out_put(cli, (struct ckpt_view){ big, (size_t)n });
		} else {
			cli->out->pending.failed = true;
		}
		free(big);
	}
	va_end(again);
}

void out_porcelain(struct cli *cli, const struct ckpt_view *cells, size_t n)
{
	struct ckpt_buf *to = &cli->out->pending;

	for (size_t i = 0; i < n; i++) {
		if (i)
			ckpt_buf_puts(to, "\t");
		text_porcelain(to, cells[i]);
	}
	ckpt_buf_puts(to, "\n");
	sink_flush(cli, false);
}

/* ---- the end --------------------------------------------------------------------------------- */

int out_summary(struct cli *cli, const char *members, const char *text)
{
	struct out *out = cli->out;

	out->members.n = out->line.n = 0;
	ckpt_buf_puts(&out->members, members ? members : "");
	ckpt_buf_puts(&out->line, text ? text : "");
	if (out->members.failed || out->line.failed)
		return ckpt_fail(&cli->err, CKPT_ENOMEM, "out of memory");
	return 0;
}

static void put_members(struct out *out, bool comma, bool failed)
{
	struct ckpt_buf *to = &out->pending;

	if (out->members.n) {
		ckpt_buf_puts(to, comma ? "," : "");
		ckpt_buf_add(to, out->members.p, out->members.n);
	}
	if (failed)
		ckpt_buf_puts(to, comma || out->members.n ? ",\"complete\":false"
							  : "\"complete\":false");
}

static void close_document(struct out *out, bool failed)
{
	struct ckpt_buf *to = &out->pending;

	if (out->form == FORM_NDJSON) {
		ckpt_buf_puts(to, "{\"type\":\"summary\"");
		put_members(out, true, failed);
		ckpt_buf_puts(to, "}\n");
		return;
	}
	if (out->cols)
		ckpt_buf_puts(to, out->rows ? "\n]" : "]");
	else if (!out->has_data)
		ckpt_buf_puts(to, "null");
	ckpt_buf_puts(to, ",\"summary\":{");
	put_members(out, false, failed);
	ckpt_buf_puts(to, "}}\n");
}

int out_end(struct cli *cli, int failed)
{
	struct out *out = cli->out;

	if (out->ended)
		return 0;
	out->ended = true;
	if (out->begun && is_json(out)) {
		close_document(out, failed != 0);
	} else if (out->form == FORM_TEXT) {
		table_flush(cli);
		if (!failed && out->line.n && !cli->g.quiet) {
			ckpt_buf_add(&out->pending, out->line.p, out->line.n);
			ckpt_buf_puts(&out->pending, "\n");
		}
	}
	return sink_flush(cli, true);
}

void out_discard(struct cli *cli)
{
	struct out *out = cli->out;

	sink_forget(cli);
	table_free(&out->table);
	out->members.n = out->line.n = out->rows = 0;
	out->begun = out->ended = out->has_data = false;
}
