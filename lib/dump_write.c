/*
 * dump_write.c - rows as lines of a dump (`ckpt help dump`). Where the lines go is the caller's
 * business; reading them again is dump_line.c's.
 */
#include "ckpt_migrate.h"
#include "dump.h"

static void add_name(struct ckpt_buf *to, const char *name)
{
	char last = to->n && !to->failed ? to->p[to->n - 1] : '{';

	ckpt_buf_addf(to, "%s\"%s\":", last == '{' ? "" : ",", name);
}

/* A payload; `text`: kept as TEXT, which savers do not. */
static void add_base64(
		struct ckpt_buf *to, const char *name, struct ckpt_view v, bool text)
{
	add_name(to, name);
	if (!v.p) {
		ckpt_buf_puts(to, "null");
		return;
	}
	ckpt_buf_puts(to, text ? "{\"$text\":\"" : "\"");
	ckpt_base64(to, v);
	ckpt_buf_puts(to, text ? "\"}" : "\"");
}

/* A text; its bytes in base64 where they are not UTF-8, or are kept as BLOB. */
void dump_text(struct ckpt_buf *to, const char *name, struct ckpt_view v, bool blob)
{
	add_name(to, name);
	if (!v.p) {
		ckpt_buf_puts(to, "null");
	} else if (blob || !utf8_valid(v)) {
		ckpt_buf_addf(to, "{\"%s\":\"", blob ? "$bytes" : "$str");
		ckpt_base64(to, v);
		ckpt_buf_puts(to, "\"}");
	} else {
		ckpt_json_string(to, v);
	}
}

static void add_key(struct ckpt_buf *to, const char *kind, const struct ckpt_key *k)
{
	ckpt_buf_addf(to, "{\"%s\":{", kind);
	dump_text(to, "thread", k->thread, k->blob & CKPT_BLOB_THREAD);
	dump_text(to, "ns", k->ns, k->blob & CKPT_BLOB_NS);
	if (k->id.p)
		dump_text(to, "id", k->id, k->blob & CKPT_BLOB_ID);
}

static void end_row(struct ckpt_buf *to, const struct ckpt_care *why)
{
	if (why) {
		dump_text(to, "code", ckpt_view_of(why->code), false);
		dump_text(to, "detail", why->detail, false);
	}
	ckpt_buf_puts(to, "}}\n");
}

void ckpt_dump_head(struct ckpt_buf *to, const struct ckpt_store *s)
{
	ckpt_buf_addf(to,
			"{\"ckpt\":\"dump\",\"version\":1,\"engine\":\"%s\",\"layout\":"
			"\"%s\"}\n",
			s->inlines ? "postgresql" : "sqlite", "langgraph");
}

void dump_checkpoint(struct ckpt_buf *to, const struct ckpt_checkpoint *c,
		const struct ckpt_care *why)
{
	add_key(to, "checkpoint", &c->key);
	dump_text(to, "parent", c->parent, c->form & CKPT_BLOB_PARENT);
	dump_text(to, "type", c->type, c->form & CKPT_BLOB_TYPE);
	add_base64(to, "body", c->body, c->form & CKPT_TEXT_BODY);
	if (c->form & CKPT_TEXT_META)
		add_base64(to, "metadata", c->meta, true);
	else
		dump_text(to, "metadata", c->meta, false);
	end_row(to, why);
}

void dump_write(struct ckpt_buf *to, const struct ckpt_key *key,
		const struct ckpt_write *w, const struct ckpt_care *why)
{
	add_key(to, "write", key);
	dump_text(to, "task", w->task, w->form & CKPT_BLOB_TASK);
	dump_text(to, "path", w->path, w->form & CKPT_BLOB_PATH);
	ckpt_buf_addf(to, ",\"idx\":%lld", (long long)w->idx);
	dump_text(to, "channel", w->channel, w->form & CKPT_BLOB_CHANNEL);
	dump_text(to, "type", w->type, w->form & CKPT_BLOB_TYPE);
	add_base64(to, "value", w->body, w->form & CKPT_TEXT_BODY);
	end_row(to, why);
}

void dump_blob(struct ckpt_buf *to, const struct ckpt_key *key,
		const struct ckpt_value *v, const struct ckpt_care *why)
{
	const struct ckpt_key of = { key->thread, key->ns, { 0 }, key->blob };

	add_key(to, "blob", &of);
	dump_text(to, "channel", v->channel, false);
	dump_text(to, "version", v->version, false);
	dump_text(to, "type", v->type, false);
	add_base64(to, "value", v->body, false);
	end_row(to, why);
}

void ckpt_dump_lines(struct ckpt_buf *to, const struct ckpt_checkpoint *c,
		const struct ckpt_care *why)
{
	struct ckpt_buf room = { 0 };

	for (size_t i = 0; i < c->nvalues; i++) {
		struct ckpt_value row;

		if (!row_stored(&row, &c->values[i]))
			continue;
		row.version = row_version_text(row.version, &room);
		dump_blob(to, &c->key, &row, why);
	}
	to->failed |= room.failed;
	ckpt_buf_free(&room);
	dump_checkpoint(to, c, why);
	for (size_t i = 0; i < c->nwrites; i++)
		dump_write(to, &c->key, &c->writes[i], why);
}
