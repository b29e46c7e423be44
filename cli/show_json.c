/*
 * show_json.c - the document of `ckpt show`: its keys in the order the manual gives them; and the
 * porcelain lines, which are its channels.
 */
#include <stdio.h>
#include <string.h>

#include "show.h"

static void key(struct ckpt_buf *to, const char *name)
{
	ckpt_buf_addf(to, ",\"%s\":", name);
}

static void text_or_null(struct ckpt_buf *to, const char *name, struct ckpt_view v)
{
	ckpt_buf_puts(to, ",");
	text_json_member(to, name, v);
}

/* ---- metadata ------------------------------------------------------------------------------------- */

static void put_step_and_source(struct shown *s, struct ckpt_buf *to)
{
	struct ckpt_buf source = { 0 };
	int64_t step;

	key(to, "step");
	if (ckpt_meta_int(&step, s->c.meta, "step"))
		ckpt_buf_addf(to, "%lld", (long long)step);
	else
		ckpt_buf_puts(to, "null");
	if (ckpt_meta_text(&source, s->c.meta, "source"))
		text_or_null(to, "source", ckpt_buf_view(&source));
	else
		text_or_null(to, "source", (struct ckpt_view){ 0 });
	key(to, "metadata");
	if (s->c.meta.p)
		show_value(s, to, s->c.meta_type, s->c.meta);
	else
		ckpt_buf_puts(to, "null");
	ckpt_buf_free(&source);
}

/* ---- values and channels ----------------------------------------------------------------------------- */

void show_values(struct shown *s, struct ckpt_buf *to)
{
	const char *sep = "{";

	if (s->c.opaque.p) {
		show_value(s, to, s->c.type, s->c.opaque);
		return;
	}
	if (s->c.broken_why && !s->c.nvalues) {
		ckpt_buf_puts(to, "{\"$corrupt\":");
		ckpt_json_string(to, ckpt_view_of(s->c.broken_why));
		ckpt_buf_addf(to, ",\"offset\":%zu,\"size\":%lld}", s->c.broken_at,
				(long long)s->c.size);
		return;
	}
	for (size_t i = 0; i < s->c.nvalues; i++) {
		size_t before = to->n;

		if (!show_wants(s, s->c.values[i].channel))
			continue;
		ckpt_buf_puts(to, sep);
		ckpt_json_string(to, s->c.values[i].channel);
		ckpt_buf_puts(to, ":");
		if (show_channel(s, to, i))
			sep = ",";
		else
			to->n = before; /* no value: no key, as in the library */
	}
	ckpt_buf_puts(to, *sep == '{' ? "{}" : "}");
}

static void put_channels(struct shown *s, struct ckpt_buf *to)
{
	const char *sep = "";

	key(to, "channels");
	ckpt_buf_puts(to, "[");
	for (size_t i = 0; i < s->c.nvalues; i++) {
		const struct ckpt_value *v = &s->c.values[i];

		if (!show_wants(s, v->channel))
			continue;
		ckpt_buf_addf(to, "%s{", sep);
		text_json_member(to, "name", v->channel);
		key(to, "version");
		ckpt_buf_add(to, v->version.p ? v->version.p : "null",
				v->version.p ? v->version.n : 4);
		ckpt_buf_puts(to, ",");
		show_type(to, v->type, v->place == CKPT_INLINE ? s->c.lock : v->lock);
		if (v->type.p)
			ckpt_buf_addf(to, ",\"bytes\":%zu", v->body.n);
		else
			ckpt_buf_puts(to, ",\"bytes\":null");
		ckpt_buf_addf(to, ",\"stored\":\"%s\"}", show_place(s->places[i]));
		sep = ",";
	}
	ckpt_buf_puts(to, "]");
}

static void put_writes(struct shown *s, struct ckpt_buf *to)
{
	const char *sep = "";

	key(to, "writes");
	ckpt_buf_puts(to, "[");
	for (size_t i = 0; i < s->c.nwrites; i++) {
		const struct ckpt_write *w = &s->c.writes[i];
		struct ckpt_view node = show_node_of(w->path);

		if (!show_wants(s, w->channel))
			continue;
		ckpt_buf_addf(to, "%s{", sep);
		text_json_member(to, "task", w->task);
		text_or_null(to, "path", w->path);
		ckpt_buf_addf(to, ",\"idx\":%lld", (long long)w->idx);
		text_or_null(to, "channel", w->channel);
		ckpt_buf_puts(to, ",");
		show_type(to, w->type, w->lock);
		if (node.p)
			text_or_null(to, "node", node);
		key(to, "value");
		show_value(s, to, w->type, w->body);
		ckpt_buf_puts(to, "}");
		sep = ",";
	}
	ckpt_buf_puts(to, "]");
}

/* ---- relatives ------------------------------------------------------------------------------------------ */

/* Where children can begin: at the checkpoint itself, for a child's id is greater; a little
 * before it in case a clock ran backwards; at the start where ids are not times. */
static int first_child(struct shown *s, struct ckpt_buf *from)
{
	struct ckpt_pick pick = { .key = s->c.key,
		.upto = s->c.key.id,
		.depth = CKPT_KEYS,
		.descending = true,
		.limit = 64 };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc;

	ckpt_buf_puts(from, "");
	if (ckpt_time_of_id(s->c.key.id) == CKPT_UNKNOWN)
		return 0;
	pick.key.id = (struct ckpt_view){ 0 };
	rc = ckpt_scan_open(&scan, s->cli->store, &pick);
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0) {
		from->n = 0;
		ckpt_buf_add(from, c.key.id.p, c.key.id.n);
	}
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

static int put_children(struct shown *s, struct ckpt_buf *to)
{
	struct ckpt_pick pick = { .key = s->c.key, .depth = CKPT_LINKS };
	struct ckpt_buf from = { 0 };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan = NULL;
	const char *sep = "";
	int rc = first_child(s, &from);

	key(to, "children");
	ckpt_buf_puts(to, "[");
	pick.key.id = (struct ckpt_view){ 0 };
	pick.from = ckpt_buf_view(&from);
	rc = rc < 0 ? rc : ckpt_scan_open(&scan, s->cli->store, &pick);
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0) {
		if (!ckpt_view_eq(c.parent, s->c.key.id))
			continue;
		ckpt_buf_puts(to, sep);
		ckpt_json_string(to, c.key.id);
		sep = ",";
	}
	ckpt_buf_puts(to, "]");
	ckpt_scan_close(scan);
	ckpt_buf_free(&from);
	return rc < 0 ? rc : 0;
}

/* Does metadata.parents name this checkpoint for its namespace? */
static bool names_us(const struct shown *s, struct ckpt_view meta)
{
	struct ckpt_buf pointer = { 0 }, want = { 0 };
	struct ckpt_view found;
	const char *ns = s->c.key.ns.p;
	bool yes;

	ckpt_buf_puts(&pointer, "/parents/");
	for (size_t i = 0; i < s->c.key.ns.n; i++) {
		if (ns[i] == '~' || ns[i] == '/')
			ckpt_buf_puts(&pointer, ns[i] == '~' ? "~0" : "~1");
		else
			ckpt_buf_add(&pointer, &ns[i], 1);
	}
	ckpt_json_string(&want, s->c.key.id);
	yes = ckpt_pointer_find(&found, meta, ckpt_buf_view(&pointer)) &&
	      ckpt_view_eq(found, ckpt_buf_view(&want));
	ckpt_buf_free(&pointer);
	ckpt_buf_free(&want);
	return yes;
}

static bool below(const struct shown *s, struct ckpt_view ns)
{
	struct ckpt_view us = s->c.key.ns;

	if (us.n == 0)
		return ns.n > 0;
	return ns.n > us.n && memcmp(ns.p, us.p, us.n) == 0 &&
	       ((const char *)ns.p)[us.n] == '|';
}

/* The newest checkpoint of a namespace that was made while this checkpoint's step ran. A
 * namespace with a ':' belongs to one task of one checkpoint: its newest row tells. */
static int newest_of(struct shown *s, const struct ckpt_key *ns, struct ckpt_buf *to,
		const char **sep)
{
	struct ckpt_pick pick = { .key = *ns, .depth = CKPT_META, .descending = true };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc;

	pick.key.id = (struct ckpt_view){ 0 };
	pick.limit = memchr(ns->ns.p, ':', ns->ns.n) ? 1 : 0;
	rc = ckpt_scan_open(&scan, s->cli->store, &pick);
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0) {
		if (!names_us(s, c.meta))
			continue;
		ckpt_buf_addf(to, "%s{", *sep);
		text_json_member(to, "ns", c.key.ns);
		text_or_null(to, "id", c.key.id);
		ckpt_buf_puts(to, "}");
		*sep = ",";
		break;
	}
	ckpt_scan_close(scan);
	return rc < 0 ? rc : 0;
}

static int put_subgraphs(struct shown *s, struct ckpt_buf *to)
{
	struct ckpt_pick pick = { .key = s->c.key, .depth = CKPT_SPANS };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	const char *sep = "";
	int rc;

	key(to, "subgraphs");
	ckpt_buf_puts(to, "[");
	pick.key.ns = pick.key.id = (struct ckpt_view){ 0 };
	rc = ckpt_scan_open(&scan, s->cli->store, &pick);
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0) {
		if (below(s, c.key.ns))
			rc = newest_of(s, &c.key, to, &sep);
	}
	ckpt_scan_close(scan);
	ckpt_buf_puts(to, "]");
	return rc < 0 ? rc : 0;
}

/* ---- the document ------------------------------------------------------------------------------------------ */

static void put_head(struct shown *s, struct ckpt_buf *to)
{
	unsigned writer = ckpt_writer(&s->c);
	char time[40];

	show_put_key(s, to);
	text_or_null(to, "parent", s->c.parent);
	key(to, "time");
	if (s->c.time == CKPT_UNKNOWN) {
		ckpt_buf_puts(to, "null");
	} else {
		ckpt_time_print(time, s->c.time);
		ckpt_buf_addf(to, "\"%s\"", time);
	}
	key(to, "ts");
	show_member(s, to, "ts");
	key(to, "v");
	show_member(s, to, "v");
	key(to, "writer");
	ckpt_buf_puts(to, writer == CKPT_PYTHON ? "\"python\""
			  : writer == CKPT_JS   ? "\"js\""
						: "null");
}

static int put_document(struct shown *s, struct ckpt_buf *to)
{
	struct ckpt_view sends;
	int rc;

	put_head(s, to);
	put_step_and_source(s, to);
	key(to, "values");
	show_values(s, to);
	put_channels(s, to);
	key(to, "versions_seen");
	show_member(s, to, "versions_seen");
	key(to, "updated_channels");
	show_member(s, to, "updated_channels");
	/* Sends of checkpoints before v 4 are kept in the container, not in a channel */
	if (s->c.type.p && s->c.skeleton.p &&
			ckpt_value_member(&sends, s->c.type, s->c.skeleton,
					"pending_sends")) {
		key(to, "pending_sends");
		show_value(s, to, s->c.type, sends);
	}
	put_writes(s, to);
	stand_json(to, s->tasks);
	rc = put_children(s, to);
	rc = rc < 0 ? rc : put_subgraphs(s, to);
	key(to, "warnings");
	ckpt_buf_puts(to, "[");
	for (size_t at = 0; at < s->warnings.n; at += strlen(s->warnings.p + at) + 1) {
		ckpt_buf_puts(to, at ? "," : "");
		ckpt_json_string(to, ckpt_view_of(s->warnings.p + at));
	}
	ckpt_buf_puts(to, "]");
	if (s->tasks->nwaits) {
		key(to, "waits");
		stand_waits(to, s->tasks);
	}
	ckpt_buf_puts(to, "}");
	return rc;
}

int show_json(struct shown *s)
{
	struct ckpt_buf doc = { 0 };
	int rc = put_document(s, &doc);

	if (rc >= 0 && (doc.failed || s->warnings.failed))
		rc = ckpt_fail(&s->cli->err, CKPT_ENOMEM, "out of memory");
	rc = rc < 0 ? rc : out_begin(s->cli, "show", "checkpoint", NULL, false);
	rc = rc < 0 ? rc : out_data(s->cli, "checkpoint", ckpt_buf_view(&doc));
	rc = rc < 0 ? rc : out_summary(s->cli, "\"checkpoints\":1", NULL);
	ckpt_buf_free(&doc);
	return rc;
}

int show_porcelain(struct shown *s)
{
	int rc = out_begin(s->cli, "show", "checkpoint", NULL, false);
	struct ckpt_buf value = { 0 };
	char bytes[24];

	for (size_t i = 0; i < s->c.nvalues && rc >= 0; i++) {
		const struct ckpt_value *v = &s->c.values[i];

		if (!show_wants(s, v->channel))
			continue;
		value.n = 0;
		show_channel(s, &value, i);
		snprintf(bytes, sizeof(bytes), "%zu", v->body.n);
		out_porcelain(s->cli,
				(struct ckpt_view[]){ v->channel, v->type,
						v->type.p ? ckpt_view_of(bytes)
							  : (struct ckpt_view){ 0 },
						ckpt_buf_view(&value) },
				4);
		if (value.failed)
			rc = ckpt_fail(&s->cli->err, CKPT_ENOMEM, "out of memory");
	}
	if (s->c.opaque.p && rc >= 0) { /* one line for what cannot be split */
		value.n = 0;
		show_value(s, &value, s->c.type, s->c.opaque);
		snprintf(bytes, sizeof(bytes), "%zu", s->c.opaque.n);
		out_porcelain(s->cli,
				(struct ckpt_view[]){ { "", 0 }, s->c.type,
						ckpt_view_of(bytes),
						ckpt_buf_view(&value) },
				4);
	}
	ckpt_buf_free(&value);
	if (s->o->fold) /* a guess is never given without saying so */
		show_notes(s);
	return rc < 0 ? rc : out_summary(s->cli, "\"checkpoints\":1", NULL);
}
