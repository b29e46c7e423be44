/*
 * check_row.c - single rows, each judged by itself: can it be decoded, is it of a known type, is
 * its id its own, is it too large. How rows hang together is not seen here.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "row.h"

/* Clocks of two machines may differ by that much, and nothing is wrong. */
#define CLOCK_SKEW (INT64_C(60) * 1000000000)

static const struct ckpt_view nothing = { NULL, 0 };

struct part { /* something of a row that is judged */
	const struct ckpt_key *key;
	struct ckpt_view channel, type, body;
	const char *what; /* how the detail begins: "metadata: " */
	enum ckpt_lock lock;
};

static int tell_broken(struct check *c, const struct part *p, const char *why, size_t at)
{
	if (!p->body.p)
		return check_tell(
				c, UNDECODABLE, p->key, p->channel, "%s%s", p->what, why);
	return check_tell(c, UNDECODABLE, p->key, p->channel, "%s%s, at byte %zu of %zu",
			p->what, why, at, p->body.n);
}

/* ---- types ------------------------------------------------------------------------------------- */

static bool is_known(struct ckpt_view type)
{
	static const char *const known[] = { "msgpack", "json", "null", "bytes",
		"bytearray", "empty", "pickle", "metadata" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (ckpt_view_eq(type, ckpt_view_of(known[i])))
			return true;
	}
	return false;
}

/* 1: known, go on; 0: told, or closed. */
static int judge_type(struct check *c, const struct part *p)
{
	struct ckpt_view inner = p->type;
	bool aes = p->type.p && crypt_inner_type(p->type, &inner);
	char name[200];
	int rc;

	if (!p->type.p || !is_known(inner)) {
		rc = check_tell(c, UNKNOWN_TYPE, p->key, p->channel, "%s%s%s", p->what,
				p->type.p ? "stored as type " : "stored without a type",
				p->type.p ? ckpt_show_name(name, p->type) : "");
		return rc < 0 ? rc : 0;
	}
	if (p->lock != CKPT_OPEN)
		c->locked = c->has_key = true;
	if (aes)
		c->locked = true;
	if (ckpt_view_eq(inner, CKPT_LIT("pickle")))
		c->pickled = true;
	return !aes || p->lock == CKPT_SHUT;
}

/* ---- values ------------------------------------------------------------------------------------ */

static bool may_be_null(struct ckpt_view type)
{
	return ckpt_view_eq(type, CKPT_LIT("null")) ||
	       ckpt_view_eq(type, CKPT_LIT("bytes")) ||
	       ckpt_view_eq(type, CKPT_LIT("empty"));
}

static int judge_body(struct check *c, const struct part *p)
{
	struct judge *j = c->judge;
	int rc;

	if (p->lock == CKPT_SHUT)
		return check_tell(c, UNDECODABLE, p->key, p->channel,
				"%sit cannot be decrypted: wrong key or damaged row",
				p->what);
	if (!p->body.p && !may_be_null(p->type))
		return check_tell(c, UNDECODABLE, p->key, p->channel,
				"%sthe value is NULL", p->what);
	if (judge_value(j, p->type, p->body) < 0)
		return check_no_memory(c);
	rc = j->why      ? tell_broken(c, p, j->why, j->at)
	     : j->strict ? tell_broken(c, p, j->strict, j->strict_at)
	                 : 0;
	if (rc >= 0 && j->ext)
		rc = check_tell(c, UNKNOWN_TYPE, p->key, p->channel,
				"%sa msgpack ext value of code %d", p->what, j->ext);
	return rc;
}

static int judge_part(struct check *c, const struct part *p)
{
	int rc = judge_type(c, p);

	return rc > 0 ? judge_body(c, p) : rc;
}

int check_near(struct check *c, const struct ckpt_key *key, struct ckpt_view channel,
		size_t row, size_t json)
{
	bool is_json = json >= c->limits.json;

	if (!is_json && row < c->limits.row)
		return 0;
	return check_tell(c, NEAR_LIMIT, key, channel, "%s of %zu bytes; the limit is %s",
			is_json ? "JSON" : "a row", is_json ? json : row,
			is_json    ? "256 MB"
			: c->apart ? "1 GB"
				   : "1,000,000,000 bytes");
}

/* ---- checkpoints ------------------------------------------------------------------------------- */

/* The channel in whose value the container breaks off. */
static struct ckpt_view broken_channel(const struct ckpt_checkpoint *row)
{
	for (size_t i = 0; i < row->nvalues; i++) {
		const struct ckpt_value *v = &row->values[i];
		const char *from = v->body.p;
		const char *at = (const char *)row->body.p + row->broken_at;

		if (v->place == CKPT_INLINE && from <= at && at <= from + v->body.n)
			return v->channel;
	}
	return nothing;
}

/* Something in the container is wrong: in which parts? */
static int judge_parts(struct check *c, const struct ckpt_checkpoint *row,
		struct ckpt_view broken)
{
	struct part part = { .key = &row->key,
		.what = "checkpoint: ",
		.type = row->type,
		.body = row->skeleton };
	int64_t before = c->opt->count[CKPT_ERROR] + c->opt->count[CKPT_WARNING];
	const char *why = c->judge->why ? c->judge->why : c->judge->strict;
	size_t at = c->judge->why ? c->judge->at : c->judge->strict_at;
	int rc = 0;

	if (!row->type.p)
		part.type = CKPT_LIT("json");
	if (row->skeleton.p)
		rc = judge_body(c, &part);
	part.what = "";
	for (size_t i = 0; i < row->nvalues && rc >= 0; i++) {
		const struct ckpt_value *v = &row->values[i];

		part.channel = v->channel;
		part.type = v->type;
		part.body = v->body;
		if (v->place == CKPT_INLINE && !ckpt_view_eq(v->channel, broken))
			rc = judge_body(c, &part);
	}
	/* no part of it alone: names, bytes behind, levels of nesting */
	part = (struct part){ &row->key, nothing, row->type, row->body,
		"checkpoint: ", CKPT_OPEN };
	if (rc >= 0 && !row->broken_why && why &&
			before == c->opt->count[CKPT_ERROR] + c->opt->count[CKPT_WARNING])
		rc = tell_broken(c, &part, why, at);
	return rc;
}

static int judge_container(struct check *c, const struct ckpt_checkpoint *row)
{
	struct part part = { &row->key, nothing, row->type, row->body,
		"checkpoint: ", row->lock };
	struct ckpt_view broken = nothing;
	int rc = 1;

	if (c->apart)
		part.type = CKPT_LIT("json");
	rc = judge_type(c, &part);
	if (row->lock == CKPT_SHUT)
		return rc < 0 ? rc : judge_body(c, &part);
	if (row->broken_why) {
		part.channel = broken = broken_channel(row);
		rc = rc < 0 ? rc : tell_broken(c, &part, row->broken_why, row->broken_at);
	}
	if (rc <= 0 || !row->body.p)
		return rc;
	if (judge_value(c->judge, part.type, row->body) < 0)
		return check_no_memory(c);
	if (c->judge->why || c->judge->strict || c->judge->ext)
		return judge_parts(c, row, broken);
	return 0;
}

/* Loading looks for values by their versions: without any the state is empty, and no step can
 * follow. */
static int judge_versions(struct check *c, const struct ckpt_checkpoint *row)
{
	struct ckpt_view type = row->type.p ? row->type : CKPT_LIT("json"), versions;

	for (size_t i = 0; i < row->nvalues; i++) {
		if (row->values[i].version.p)
			return 0;
	}
	if (!row->skeleton.p || row->broken_why || row->opaque.p ||
			ckpt_value_member(&versions, type, row->skeleton,
					"channel_versions"))
		return 0;
	return check_tell(c, UNDECODABLE, &row->key, nothing,
			"checkpoint: there is no channel_versions in it");
}

/* What nearly all are: msgpack of v, ts and id, in this order, the id a UUID. */
static bool is_first_id(const struct ckpt_checkpoint *row)
{
	static const uint8_t head[] = { 0xa2, 'i', 'd', 0xd9, 36 };
	const uint8_t *p = row->skeleton.p, *end = p + row->skeleton.n;

	if (row->key.id.n != 36 || row->skeleton.n < 120 || p[0] <= 0x80 ||
			p[0] >= 0x90 || memcmp(p + 1, "\xa1v", 2) != 0 || p[3] >= 0x80 ||
			memcmp(p + 4, "\xa2ts", 3) != 0)
		return false;
	p += 7;
	if (p[0] >= 0xa0 && p[0] < 0xc0)
		p += 1 + (p[0] & 0x1f);
	else if (p[0] == 0xd9 && p[1] < 60)
		p += 2 + p[1];
	return p + sizeof(head) + 36 <= end && memcmp(p, head, sizeof(head)) == 0 &&
	       memcmp(p + sizeof(head), row->key.id.p, 36) == 0;
}

/* JSON text of the id, as the row has it: compared without decoding what is inside. */
static int judge_id(struct check *c, const struct ckpt_checkpoint *row)
{
	struct ckpt_view type = row->type.p ? row->type : CKPT_LIT("json"), id;
	struct ckpt_render plain = { 0 };
	struct ckpt_buf *have = &c->detail;
	struct ckpt_buf want = { 0 };
	char name[200];
	bool same;

	if (!row->skeleton.p || row->broken_why || row->opaque.p)
		return 0;
	if (is_first_id(row))
		return 0;
	if (!ckpt_value_member(&id, type, row->skeleton, "id"))
		return check_tell(c, ID_MISMATCH, &row->key, nothing,
				"there is no id in the checkpoint");
	have->n = 0;
	ckpt_render_value(have, type, id, &plain);
	ckpt_json_string(&want, row->key.id);
	if (have->failed || want.failed) {
		ckpt_buf_free(&want);
		return check_no_memory(c);
	}
	same = ckpt_view_eq(ckpt_buf_view(have), ckpt_buf_view(&want));
	ckpt_buf_free(&want);
	return same ? 0
	            : check_tell(c, ID_MISMATCH, &row->key, nothing,
				      "the checkpoint calls itself %s",
				      ckpt_show_name(name, ckpt_buf_view(have)));
}

static int judge_time(struct check *c, const struct ckpt_checkpoint *row)
{
	int64_t time = row->time;
	char text[40];

	if (time <= c->now + CLOCK_SKEW)
		return 0;
	time = ckpt_time_of_id(row->key.id);
	if (time == CKPT_UNKNOWN || time <= c->now + CLOCK_SKEW)
		return 0;
	ckpt_time_print(text, time);
	return check_tell(c, FUTURE_ID, &row->key, nothing,
			"the id says %s: what is written before then stays behind it",
			text);
}

/* SQLite tells bytes from text in keys: such a row is another one that looks the same. */
static int judge_key(struct check *c, const struct ckpt_checkpoint *row)
{
	struct ckpt_pick pick = { .key = row->key, .depth = CKPT_KEYS };
	struct ckpt_checkpoint twin;
	int rc = 0;

	for (unsigned blob = 0; blob < row->key.blob && rc == 0; blob++) {
		struct ckpt_scan *scan;

		pick.key.blob = blob;
		rc = ckpt_scan_one(&scan, c->store, &pick, &twin);
		ckpt_scan_close(scan);
	}
	return rc <= 0 ? rc
	               : check_tell(c, DUPLICATE_KEY, &row->key, nothing,
					 "another row has the same key as text: here "
					 "part of it is kept as bytes");
}

int check_checkpoint(struct check *c, const struct ckpt_checkpoint *row)
{
	struct part meta = { &row->key, nothing, row->meta_type, row->meta,
		"metadata: ", CKPT_OPEN };
	int rc = row->key.blob ? judge_key(c, row) : 0;

	rc = rc < 0 ? rc : judge_container(c, row);
	rc = rc < 0 ? rc : judge_versions(c, row);
	rc = rc < 0 ? rc : judge_id(c, row);
	if (rc >= 0 && row->meta.p)
		rc = judge_body(c, &meta);
	rc = rc < 0 ? rc : judge_time(c, row);
	return rc < 0 ? rc
	              : check_near(c, &row->key, nothing, row->body.n + row->meta.n,
					c->apart ? row->body.n : 0);
}

/* ---- writes and blobs ---------------------------------------------------------------------------- */

int check_write(struct check *c, const struct ckpt_checkpoint *row)
{
	const struct ckpt_write *w = row->writes;
	struct part part = { &row->key, w->channel, w->type, w->body, NULL, w->lock };
	char what[300], name[200];
	int rc;

	/* the text is only made where it is wanted */
	if (w->lock == CKPT_OPEN && w->type.p && w->body.p && is_known(w->type)) {
		if (judge_value(c->judge, w->type, w->body) < 0)
			return check_no_memory(c);
		c->pickled |= ckpt_view_eq(w->type, CKPT_LIT("pickle"));
		if (!c->judge->why && !c->judge->strict && !c->judge->ext)
			return check_near(c, &row->key, w->channel, w->body.n, 0);
	}
	snprintf(what, sizeof(what), "write %" PRId64 " of task %s: ", w->idx,
			ckpt_show_name(name, w->task));
	part.what = what;
	rc = judge_part(c, &part);
	return rc < 0 ? rc : check_near(c, &row->key, w->channel, w->body.n, 0);
}

int check_blob(struct check *c, const struct ckpt_checkpoint *row)
{
	const struct ckpt_value *v = row->values;
	struct part part = { &row->key, v->channel, v->type, v->body, NULL, v->lock };
	char what[300], name[200];
	int rc;

	if (v->place == CKPT_EMPTY)
		return 0;
	snprintf(what, sizeof(what), "blob of version %s: ",
			ckpt_show_name(name, row_version(v->version)));
	part.what = what;
	part.key = &(struct ckpt_key){ row->key.thread, row->key.ns, nothing, 0 };
	rc = judge_part(c, &part);
	return rc < 0 ? rc : check_near(c, part.key, v->channel, v->body.n, 0);
}
