/*
 * judge.c - a walk over one stored value that only asks whether it can be decoded.
 *
 * msgpack has a walk of its own, because this is what a check of a whole store spends its time
 * on; JSON goes through the common reader. Payloads of ext values are walked as well: what is
 * broken in one is lost, as LangGraph makes null of it, but the value around it can be read.
 */
#include <string.h>

#include "codec.h"
#include "judge.h"

enum { MAP = 1, KEY = 2, EXT = 4 }; /* flags of a level; KEY: in the key of a map */

static void fail(struct judge *j, const char *why, const uint8_t *at)
{
	if (j->why)
		return;
	j->why = why;
	j->at = (size_t)(at - j->base);
}

static const char lost[] =
		"the payload of an ext value is broken: LangGraph loads null for it";

static void object(struct judge *j, const char *why, const uint8_t *at)
{
	if (j->strict)
		return;
	j->strict = why;
	j->strict_at = (size_t)(at - j->base);
}

/* ---- text ------------------------------------------------------------------------------------ */

static bool is_ascii(const uint8_t *p, size_t n)
{
	const uint64_t high = UINT64_C(0x8080808080808080);
	uint64_t w[4], all = 0;
	uint32_t half[2];

	if (n >= 8 && n < 32) { /* the last eight may be partly the first ones */
		for (size_t i = 0; i < n - 8; i += 8) {
			memcpy(w, p + i, 8);
			all |= w[0];
		}
		memcpy(w, p + n - 8, 8);
		return !((all | w[0]) & high);
	}
	if (n >= 4 && n < 8) {
		memcpy(half, p, 4);
		memcpy(half + 1, p + n - 4, 4);
		return !((half[0] | half[1]) & (uint32_t)high);
	}

	for (; n >= 32; p += 32, n -= 32) {
		memcpy(w, p, 32);
		all |= w[0] | w[1] | w[2] | w[3];
	}
	for (; n >= 8; p += 8, n -= 8) {
		memcpy(w, p, 8);
		all |= w[0];
	}
	for (; n; n--)
		all |= *p++;
	return !(all & high);
}

/* Where JSON is text: Python's reader lets lone surrogates pass, and nothing else. */
static bool is_text(const uint8_t *p, size_t n, bool surrogates)
{
	const uint8_t *end = p + n;

	if (is_ascii(p, n))
		return true;
	while (p < end) {
		uint32_t cp;
		size_t len = utf8_len(p, (size_t)(end - p), &cp);

		if (!len && surrogates && end - p >= 3 && p[0] == 0xed && p[1] >= 0xa0 &&
				p[1] <= 0xbf && (p[2] & 0xc0) == 0x80)
			len = 3;
		if (!len)
			return false;
		p += len;
	}
	return true;
}

/* ---- msgpack --------------------------------------------------------------------------------- */

/* What follows a head 0xc0 to 0xdf: the kind of value and the width of its number. */
enum { FIX, NUMBER, BIN, STR, EXTN, ARRAY, BAD };
static const struct {
	uint8_t kind, width;
} heads[32] = {
	{ FIX, 0 }, { BAD, 0 }, { FIX, 0 }, { FIX, 0 }, /* nil, -, bool */
	{ BIN, 1 }, { BIN, 2 }, { BIN, 4 }, { EXTN, 1 }, { EXTN, 2 }, { EXTN, 4 },
	{ NUMBER, 4 }, { NUMBER, 8 },                               /* float */
	{ NUMBER, 1 }, { NUMBER, 2 }, { NUMBER, 4 }, { NUMBER, 8 }, /* unsigned */
	{ NUMBER, 1 }, { NUMBER, 2 }, { NUMBER, 4 }, { NUMBER, 8 }, { EXTN, 0 },
	{ EXTN, 0 }, { EXTN, 0 }, { EXTN, 0 }, { EXTN, 0 }, /* fixext */
	{ STR, 1 }, { STR, 2 }, { STR, 4 }, { ARRAY, 2 }, { ARRAY, 4 }, { ARRAY | 8, 2 },
	{ ARRAY | 8, 4 } /* | 8: a map */
};

struct walk {
	const uint8_t *p, *end;
	uint64_t left;
	unsigned depth, flags;
	unsigned exts; /* how many this is inside of */
};

/* Go into an array, a map or the payload of an ext. False: too deep. */
static bool enter(struct judge *j, struct walk *w, uint64_t left, unsigned flags,
		const uint8_t *end)
{
	if (w->depth == READER_DEPTH)
		return false;
	j->levels[w->depth++] = (struct judge_level){
		.left = w->left, .end = w->end, .flags = w->flags, .resume = end
	};
	w->left = left;
	w->flags = flags;
	w->end = end;
	return true;
}

/* On after the level: back where it was opened, or behind the ext it is in. */
static void leave(struct judge *j, struct walk *w)
{
	const struct judge_level *level = &j->levels[--w->depth];

	if (w->flags & EXT) {
		w->p = level->resume;
		w->exts--;
	}
	w->left = level->left;
	w->end = level->end;
	w->flags = level->flags;
}

/* Something is wrong here. In an ext it ends with the ext: true, go on behind it. */
static bool give_up(struct judge *j, struct walk *w, const char *why, const uint8_t *at)
{
	unsigned depth = w->depth;

	while (depth && !(w->flags & EXT)) {
		leave(j, w);
		depth--;
	}
	if (!(w->flags & EXT)) {
		fail(j, why, at);
		return false;
	}
	object(j, lost, at);
	leave(j, w);
	return true;
}

static bool open_array(
		struct judge *j, struct walk *w, uint64_t n, bool map, const uint8_t *at)
{
	unsigned flags = (w->flags & KEY) | (map ? MAP : 0);

	if ((map ? 2 * n : n) > (uint64_t)(w->end - w->p))
		return give_up(j, w, "length beyond the end", at);
	if (w->flags & MAP && w->left % 2 == 1)
		flags |= KEY;
	if (map && flags & KEY)
		object(j, w->exts ? lost : "a map is the key of a map", at);
	if (enter(j, w, map ? 2 * n : n, flags, w->end))
		return true;
	/* The renderer counts the levels of ext values in another way: it is asked then. */
	j->deep = give_up(j, w, "nested too deep", at);
	return j->deep;
}

static bool open_ext(struct judge *j, struct walk *w, uint64_t n, const uint8_t *at)
{
	unsigned key = w->flags & KEY || (w->flags & MAP && w->left % 2 == 1);
	const uint8_t *payload;
	int code;

	if (w->p == w->end)
		return give_up(j, w, "ends early", at);
	if (n > (uint64_t)(w->end - w->p) - 1)
		return give_up(j, w, "length beyond the end", at);
	code = (int8_t)*w->p;
	payload = w->p + 1;
	w->p = payload + n;
	if (key)
		object(j, w->exts ? lost : "an ext value is the key of a map", at);
	if (code < 0 || code > 8) {
		j->ext = j->ext ? j->ext : code;
		return true;
	}
	if (code == 8)
		return true;
	if (!enter(j, w, 1, EXT, payload + n)) {
		j->deep = true;
		return true;
	}
	w->p = payload;
	w->exts++;
	return true;
}

static bool pass(
		struct judge *j, struct walk *w, uint64_t n, bool text, const uint8_t *at)
{
	if (n > (uint64_t)(w->end - w->p))
		return give_up(j, w, "length beyond the end", at);
	if (text && !is_text(w->p, (size_t)n, false))
		object(j, w->exts ? lost : "text is not UTF-8", at);
	w->p += n;
	return true;
}

/* A head of 0xc0 to 0xdf, which stands at `at`. */
static bool long_head(struct judge *j, struct walk *w, uint8_t c, const uint8_t *at)
{
	unsigned kind = heads[c - 0xc0].kind, width = heads[c - 0xc0].width;
	uint64_t n = 0;

	if (kind == BAD)
		return give_up(j, w, "bad byte", at);
	if ((size_t)(w->end - w->p) < width)
		return give_up(j, w, "ends early", at);
	if (kind == NUMBER || kind == FIX) {
		w->p += width;
		return true;
	}
	for (unsigned i = 0; i < width; i++)
		n = n << 8 | *w->p++;
	if (kind == STR || kind == BIN)
		return pass(j, w, n, kind == STR, at);
	if (kind == EXTN)
		return open_ext(j, w, width ? n : UINT64_C(1) << (c - 0xd4), at);
	return open_array(j, w, n, kind != ARRAY, at);
}

/* Up to 31 bytes that are ASCII, with as many behind them: nearly all names. */
static inline bool short_text(struct walk *w, size_t n)
{
	/* the high bits of as many bytes as are wanted, from the right place on */
	static const uint8_t bits[16] = { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
		0x80 };
	const uint64_t high = UINT64_C(0x8080808080808080);
	uint64_t v[4], last, all = 0;
	size_t i;

	if (w->end - w->p < 32)
		return false;
	memcpy(v, w->p, 32);
	for (i = 0; i < n / 8; i++)
		all |= v[i];
	memcpy(&last, bits + 8 - n % 8, 8);
	if ((all & high) | (v[i] & last))
		return false;
	w->p += n;
	return true;
}

static void walk_msgpack(struct judge *j, struct ckpt_view body)
{
	struct walk w = { .p = body.p, .left = 1 };
	bool good = true;

	w.end = w.p + body.n;
	while (good) {
		const uint8_t *at = w.p;
		uint8_t c;

		if (w.left == 0) {
			if (w.depth == 0)
				return;
			leave(j, &w);
			continue;
		}
		w.left--;
		if (w.p == w.end) {
			good = give_up(j, &w, "ends early", at);
			continue;
		}
		c = *w.p++;
		if (c < 0x80 || c >= 0xe0)
			continue;
		if (c >= 0xa0 && c < 0xc0 && short_text(&w, c & 0x1f))
			continue;
		if (c >= 0xc0)
			good = long_head(j, &w, c, at);
		else if (c >= 0xa0)
			good = pass(j, &w, c & 0x1f, true, at);
		else
			good = open_array(j, &w, c & 0x0f, c < 0x90, at);
	}
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static int walk_json(struct judge *j, struct ckpt_view body)
{
	struct reader *r = &j->reader;
	struct token t;
	const uint8_t *p, *end;
	int rc;

	reader_init(r, &json_reader, body);
	end = r->base + body.n;
	while ((rc = reader_next(r, &t)) > 0) {
		if (t.kind != TOKEN_STR)
			continue;
		for (p = r->base + t.at + 1; p < r->at && *p >= 0x20;)
			p++;
		if (p < r->at)
			object(j, "a control character in a text", p);
	}
	if (rc < 0) {
		j->why = r->why ? r->why : "internal error";
		j->at = r->why_at;
	}
	for (p = r->at; rc == 0 && p < end && memchr(" \t\r\n", *p, 4);)
		p++;
	if (rc == 0 && p < end)
		object(j, "bytes follow the value", p);
	if (!is_text(r->base, body.n, true))
		object(j, "text is not UTF-8", r->base);
	reader_done(r);
	return rc == CKPT_ENOMEM ? rc : 0;
}

/* ---- values ---------------------------------------------------------------------------------- */

/* Ext values in one another, more than a reader goes into: asked where it counts. */
static int ask_render(struct judge *j, struct ckpt_view type, struct ckpt_view body)
{
	struct ckpt_render plain = { 0 };
	struct ckpt_buf waste = { 0 };
	int rc = ckpt_render_value(&waste, type, body, &plain);

	ckpt_buf_free(&waste);
	if (rc == CKPT_ECORRUPT)
		fail(j, "nested too deep", j->base);
	return rc == CKPT_ENOMEM ? rc : 0;
}

int judge_value(struct judge *j, struct ckpt_view type, struct ckpt_view body)
{
	const struct reader_ops *ops;

	j->why = j->strict = NULL;
	j->at = j->strict_at = 0;
	j->ext = 0;
	j->deep = j->opaque = false;
	j->base = body.p;
	if (!body.p || ckpt_view_eq(type, CKPT_LIT("null")) ||
			ckpt_view_eq(type, CKPT_LIT("bytes")))
		return 0;
	if (ckpt_view_eq(type, CKPT_META_TYPE))
		return walk_json(j, body);
	ops = type.p ? codec_reader(type) : NULL;
	if (ops == &msgpack_reader) {
		walk_msgpack(j, body);
		return j->deep && !j->why ? ask_render(j, type, body) : 0;
	}
	if (ops)
		return walk_json(j, body);
	j->opaque = !ckpt_view_eq(type, CKPT_LIT("empty")) &&
	            !ckpt_view_eq(type, CKPT_LIT("bytearray"));
	return 0;
}

bool judge_is_snapshot(struct ckpt_view type, struct ckpt_view body)
{
	static const char json[] = "{\"lc\":2,\"type\":\"delta_snapshot\"";
	const uint8_t *p = body.p;
	size_t at;

	if (!p || body.n < 2 || !type.p)
		return false;
	if (codec_reader(type) == &json_reader)
		return body.n >= sizeof(json) && memcmp(p, json, sizeof(json) - 1) == 0;
	if (codec_reader(type) != &msgpack_reader)
		return false;
	if (p[0] >= 0xd4 && p[0] <= 0xd8)
		at = 1;
	else if (p[0] >= 0xc7 && p[0] <= 0xc9)
		at = 1 + ((size_t)1 << (p[0] - 0xc7));
	else
		return false;
	return at < body.n && (p[at] == 7 || p[at] == 8);
}
