/*
 * diff_read.c - the two sides of `ckpt diff`: which checkpoints they are, and their documents.
 *
 * A side is the text {"values":{…},"metadata":{…}}, with the values as `ckpt show` gives them,
 * and what a heading says about it. Everything is copied: no scan stays open.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"
#include "show.h"

static int no_memory(struct diff *d)
{
	return ckpt_fail(&d->cli->err, CKPT_ENOMEM, "out of memory");
}

/* ---- what is asked for ----------------------------------------------------------------------- */

/* Does --path lead into this channel, or to none in particular? `quoted`: its name as JSON. */
static bool on_path(const struct diff *d, struct ckpt_view quoted)
{
	static const char values[] = "/values/";
	struct ckpt_buf name = { 0 }, want = { 0 };
	const char *p = d->o->path;
	bool yes;

	if (!p || strncmp(p, values, sizeof(values) - 1) != 0)
		return !p || strncmp(p, "/metadata", 9) != 0;
	ckpt_buf_puts(&name, "");
	for (p += sizeof(values) - 1; *p && *p != '/'; p++) {
		if (p[0] == '~' && (p[1] == '0' || p[1] == '1'))
			ckpt_buf_puts(&name, *++p == '0' ? "~" : "/");
		else
			ckpt_buf_add(&name, p, 1);
	}
	ckpt_json_string(&want, ckpt_buf_view(&name));
	yes = !want.failed && ckpt_view_eq(ckpt_buf_view(&want), quoted);
	ckpt_buf_free(&name);
	ckpt_buf_free(&want);
	return yes;
}

static bool wanted(struct diff *d, struct ckpt_view channel)
{
	bool yes = d->o->channels.n == 0;

	for (size_t i = 0; i < d->o->channels.n; i++) {
		if (!ckpt_view_eq(channel, ckpt_view_of(d->o->channels.v[i])))
			continue;
		d->found[i] = true;
		yes = true;
	}
	return yes;
}

/* ---- the document ---------------------------------------------------------------------------- */

static void note_lock(struct diff *d, struct shown *s, const struct ckpt_value *v)
{
	char name[200];

	if (v->lock != CKPT_SHUT)
		return;
	s->corrupt = true;
	cli_note(d->cli, "channel %s cannot be decrypted: wrong key or damaged row",
			ckpt_show_name(name, v->channel));
}

/* Nothing is made of them here: a value and the rows another one is made from always differ. */
static void note_rows(
		struct diff *d, const struct shown *s, size_t i, struct ckpt_view json)
{
	static const char rows[] = "{\"$delta\":";
	char name[200], id[200];

	if (s->places[i] != CKPT_DELTA || json.n < sizeof(rows) - 1 ||
			memcmp(json.p, rows, sizeof(rows) - 1) != 0)
		return;
	cli_note(d->cli,
			"channel %s is a delta channel without a stored value at %s: its "
			"raw "
			"rows are compared",
			ckpt_show_name(name, s->c.values[i].channel),
			ckpt_show_name(id, s->c.key.id));
}

static struct diff_channel *add_channel(struct side *s)
{
	if (s->nchannels == s->capchannels) {
		size_t cap = s->capchannels ? 2 * s->capchannels : 32;
		struct diff_channel *more = realloc(s->channels, cap * sizeof(*more));

		if (!more) {
			s->doc.failed = true;
			return NULL;
		}
		s->channels = more;
		s->capchannels = cap;
	}
	return &s->channels[s->nchannels];
}

static void put_channels(struct diff *d, struct side *to, struct shown *s)
{
	struct ckpt_buf *doc = &to->doc;

	for (size_t i = 0; i < s->c.nvalues && !doc->failed; i++) {
		struct diff_channel *ch = add_channel(to);
		size_t before = doc->n;
		struct ckpt_view quoted;

		if (!ch || !wanted(d, s->c.values[i].channel))
			continue;
		ckpt_buf_puts(doc, to->nchannels ? "," : "");
		ch->name = doc->n;
		ckpt_json_string(doc, s->c.values[i].channel);
		if (doc->failed)
			return;
		ch->name_n = doc->n - ch->name;
		quoted = (struct ckpt_view){ doc->p + ch->name, ch->name_n };
		if (!on_path(d, quoted)) {
			doc->n = before;
			continue;
		}
		note_lock(d, s, &s->c.values[i]);
		ckpt_buf_puts(doc, ":");
		ch->at = doc->n;
		if (show_channel(s, doc, i)) {
			ch->n = doc->n - ch->at;
			to->nchannels++;
			if (!doc->failed)
				note_rows(d, s, i,
						(struct ckpt_view){
								doc->p + ch->at, ch->n });
		} else {
			doc->n = before; /* no value: no key, as in the library */
		}
	}
}

static void put_document(struct diff *d, struct side *to, struct shown *s)
{
	const struct ckpt_checkpoint *c = &s->c;

	ckpt_buf_puts(&to->doc, "{\"values\":");
	if (c->opaque.p) {
		for (size_t i = 0; i < d->o->channels.n; i++)
			d->found[i] = true; /* they may all be in there */
		show_value(s, &to->doc, c->type, c->opaque);
	} else if (c->broken_why && !c->nvalues) {
		ckpt_buf_puts(&to->doc, "{\"$corrupt\":");
		ckpt_json_string(&to->doc, ckpt_view_of(c->broken_why));
		ckpt_buf_addf(&to->doc, ",\"offset\":%zu,\"size\":%lld}", c->broken_at,
				(long long)c->size);
	} else {
		ckpt_buf_puts(&to->doc, "{");
		put_channels(d, to, s);
		ckpt_buf_puts(&to->doc, "}");
	}
	if (!d->o->channels.n) {
		ckpt_buf_puts(&to->doc, ",\"metadata\":");
		if (c->meta.p)
			show_value(s, &to->doc, c->meta_type, c->meta);
		else
			ckpt_buf_puts(&to->doc, "null");
	}
	ckpt_buf_puts(&to->doc, "}");
}

/* ---- one side -------------------------------------------------------------------------------- */

/* The short id, for a heading. */
static int put_short_id(struct side *s, struct ckpt_store *store)
{
	struct ckpt_lineage *l = NULL;
	int rc = ckpt_lineage_load(&l, store, &s->key);
	size_t at = rc < 0 ? SIZE_MAX : ckpt_lineage_find(l, s->key.id);
	struct ckpt_view id = at == SIZE_MAX ? s->key.id : ckpt_short_id(l, at);

	if (id.n < s->key.id.n)
		ckpt_buf_puts(&s->short_id, "…");
	ckpt_buf_add(&s->short_id, id.p, id.n);
	ckpt_lineage_free(l);
	return rc < 0 ? rc : 0;
}

static int put_side(struct diff *d, struct side *to, struct shown *s)
{
	const struct ckpt_checkpoint *c = &s->c;
	int rc;

	to->time = c->time;
	if (!ckpt_meta_int(&to->step, c->meta, "step"))
		to->step = CKPT_UNKNOWN;
	to->has_parent = c->parent.p != NULL;
	if (to->has_parent)
		ckpt_buf_add(&to->parent, c->parent.p, c->parent.n);
	if (c->broken_why)
		s->corrupt = true;
	rc = show_deltas(s);
	if (rc >= 0)
		put_document(d, to, s);
	if (rc >= 0 && d->cli->err.code)
		rc = d->cli->err.code;
	if (rc >= 0 && out_form_of(d->cli) == FORM_TEXT)
		rc = put_short_id(to, d->cli->store);
	if (rc >= 0 && (to->doc.failed || to->parent.failed || to->short_id.failed))
		return no_memory(d);
	d->corrupt |= s->corrupt;
	return rc < 0 ? rc : 0;
}

/* 1 read, 0 there is no such checkpoint. As `ckpt show` would show it, without a limit. */
static int read_side(struct diff *d, struct side *to, struct ckpt_store *store)
{
	struct ckpt_pick pick = { .key = to->key, .depth = CKPT_VALUES };
	struct show_opts plain = { .max_value = 0 };
	struct shown s = { .cli = d->cli, .o = &plain, .mark_sets = true };
	struct ckpt_store *own = d->cli->store;
	int rc, put = 0;

	d->cli->store = store;
	rc = ckpt_scan_one(&s.scan, store, &pick, &s.c);
	if (rc > 0)
		put = put_side(d, to, &s);
	d->cli->store = own;
	ckpt_scan_close(s.scan);
	show_deltas_free(&s);
	ckpt_buf_free(&s.warnings);
	return put < 0 ? put : rc;
}

static int find_side(struct diff *d, struct side *s, struct ckpt_store *store,
		const char *text)
{
	struct ckpt_address a = { .text = text, .ns = ckpt_view_of(d->o->ns) };
	int rc;

	if (!text) {
		a.thread = ckpt_view_of(d->o->thread);
		a.id = ckpt_view_of(d->o->checkpoint);
	}
	rc = ckpt_address_find(&s->key, store, &a, &s->key_bytes);
	rc = rc < 0 ? rc : read_side(d, s, store);
	return rc == 0 ? ckpt_fail(&d->cli->err, CKPT_ENOTFOUND, "the checkpoint is gone")
	               : rc;
}

static void clear_side(struct side *s)
{
	s->doc.n = s->key_bytes.n = s->parent.n = s->short_id.n = s->nchannels = 0;
}

/* The other store, read whole before anything is printed: it may have to be read again. */
static int read_other(struct diff *d, const char *text)
{
	struct ckpt_error *err = &d->cli->err;
	int rc = CKPT_EBUSY;

	for (int i = 0; i < 3 && rc == CKPT_EBUSY; i++) {
		struct ckpt_store *store = NULL;
		bool tentative = false;

		if (i)
			memset(err, 0, sizeof(*err));
		clear_side(&d->b);
		rc = cli_store_open(&store, d->cli, d->o->against);
		if (rc >= 0) {
			tentative = ckpt_store_tentative(store);
			rc = find_side(d, &d->b, store, text);
		}
		if (rc >= 0 || tentative) {
			int ended = ckpt_store_end(store);

			rc = rc < 0 && ended != CKPT_EBUSY ? rc : ended;
		}
		if (store)
			ckpt_store_close(store);
		if (!tentative)
			break;
	}
	return rc;
}

/* The parent of b; before the first there is nothing. */
static int read_parent(struct diff *d)
{
	struct side *a = &d->a, *b = &d->b;
	char name[200], of[200];
	int rc;

	a->key = b->key;
	a->key.id = (struct ckpt_view){ 0 };
	if (!b->has_parent) {
		a->time = a->step = CKPT_UNKNOWN;
		ckpt_buf_puts(&a->doc, "{\"values\":{},\"metadata\":{}}");
		return a->doc.failed ? no_memory(d) : 0;
	}
	a->key.id = ckpt_buf_view(&b->parent);
	rc = read_side(d, a, d->cli->store);
	if (rc)
		return rc;
	ckpt_fail(&d->cli->err, CKPT_ENOTFOUND,
			"the parent '%s' of checkpoint '%s' is not in the store",
			ckpt_show_name(name, a->key.id), ckpt_show_name(of, b->key.id));
	ckpt_hint(&d->cli->err, "compare it with another one: ckpt diff A B");
	return CKPT_ENOTFOUND;
}

int diff_read(struct diff *d)
{
	struct cli *cli = d->cli;
	const char *first = d->o->thread ? NULL : cli->args[0], *second = first;
	size_t named = cli->nargs + (d->o->thread != NULL);
	int rc;

	if (named == 2)
		second = cli->args[cli->nargs - 1];
	if (named == 1 && !d->o->against) {
		rc = find_side(d, &d->b, cli->store, first);
		return rc < 0 ? rc : read_parent(d);
	}
	rc = find_side(d, &d->a, cli->store, first);
	if (rc < 0)
		return rc;
	return d->o->against ? read_other(d, second)
	                     : find_side(d, &d->b, cli->store, second);
}
