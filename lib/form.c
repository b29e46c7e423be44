/*
 * form.c - how the values of known classes are shown, from what their constructor was given.
 *
 * Works on finished text, so that msgpack ext values and `lc` records share every form. A form
 * that does not fit its parts says so, and the payload is shown as it is stored. Which class
 * has which form is in ext.c.
 */
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "render.h"

/* What today's library gives an interrupt that was stored without any id. */
static const char no_id[] = "\"placeholder-id\"";

static void put_view(struct ckpt_buf *buf, struct ckpt_view text)
{
	ckpt_buf_add(buf, text.p, text.n);
}

/* Up to `max` items of an array of text; -1 if it is none, or longer. */
static int items(struct ckpt_view text, struct ckpt_view *out, int max)
{
	struct ckpt_view none;
	struct ckpt_walk w;
	int n = 0;

	if (!ckpt_walk_open(&w, text) || w.map)
		return -1;
	for (;;) {
		struct ckpt_view item;

		if (!ckpt_walk_next(&w, &none, &item))
			return n;
		if (n == max)
			return -1;
		out[n++] = item;
	}
}

static struct ckpt_view member(struct ckpt_view text, const char *quoted)
{
	struct ckpt_view key, value;
	struct ckpt_walk w;

	if (ckpt_walk_open(&w, text) && w.map) {
		while (ckpt_walk_next(&w, &key, &value)) {
			if (text_is(key, quoted))
				return value;
		}
	}
	return (struct ckpt_view){ NULL, 0 };
}

/* ---- texts ----------------------------------------------------------------------------------- */

static bool write_uuid(struct ckpt_buf *out, struct ckpt_view arg)
{
	struct ckpt_view hex;
	const char *p;
	size_t i;

	if (!text_string(arg, &hex) || hex.n != 32)
		return false;
	p = hex.p;
	for (i = 0; i < 32; i++) {
		if (hex_value((unsigned char)p[i]) < 0)
			return false;
	}
	ckpt_buf_addf(out, "\"%.8s-%.4s-%.4s-%.4s-%.12s\"", p, p + 8, p + 12, p + 16,
			p + 20);
	return true;
}

/* Parts stay escaped as they are: what is joined is text between quotes. */
static bool write_path(struct ckpt_buf *out, struct ckpt_view args, bool windows)
{
	struct ckpt_view none, item, part;
	struct ckpt_walk w;
	bool first = true, glue = false;

	if (!ckpt_walk_open(&w, args) || w.map)
		return false;
	ckpt_buf_puts(out, "\"");
	while (ckpt_walk_next(&w, &none, &item)) {
		const char *p;

		if (!text_string(item, &part))
			return false;
		p = part.p;
		if (glue)
			ckpt_buf_puts(out, windows ? "\\\\" : "/");
		put_view(out, part);
		/* The root, or a drive, is joined without a separator. */
		glue = part.n &&
		       !(first && (p[part.n - 1] == '/' ||
						  (windows && strchr("\\:", p[part.n - 1]))));
		first = false;
	}
	ckpt_buf_puts(out, first ? ".\"" : "\"");
	return true;
}

static bool write_pattern(struct ckpt_buf *out, struct ckpt_view args)
{
	struct ckpt_view part[2];
	int n = items(args, part, 2);

	if (n < 1)
		return false;
	ckpt_buf_puts(out, "{\"pattern\":");
	put_view(out, part[0]);
	ckpt_buf_puts(out, ",\"flags\":");
	put_view(out, n == 2 ? part[1] : CKPT_LIT("0"));
	ckpt_buf_puts(out, "}");
	return true;
}

static bool write_error(struct ckpt_buf *out, struct ckpt_view args)
{
	struct ckpt_view part[1], message;
	int n = items(args, part, 1);

	if (n < 0 || (n == 1 && !text_string(part[0], &message)))
		return false;
	ckpt_buf_puts(out, n == 1 && message.n ? "\"Error: " : "\"Error");
	if (n == 1)
		put_view(out, message);
	ckpt_buf_puts(out, "\"");
	return true;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static bool write_hex(struct render *r, struct ckpt_view arg)
{
	struct ckpt_view hex;
	const char *p;
	size_t i;

	if (!text_string(arg, &hex) || hex.n % 2)
		return false;
	p = hex.p;
	r->names.n = 0;
	for (i = 0; i < hex.n; i += 2) {
		int high = hex_value((unsigned char)p[i]);
		int low = hex_value((unsigned char)p[i + 1]);
		uint8_t byte = (uint8_t)(high * 16 + low);

		if (high < 0 || low < 0)
			return false;
		ckpt_buf_add(&r->names, &byte, 1);
	}
	render_bytes(&r->tmp, ckpt_buf_view(&r->names));
	return true;
}

static bool write_octets(struct render *r, struct ckpt_view arg)
{
	struct ckpt_view none, item;
	struct ckpt_walk w;

	if (!ckpt_walk_open(&w, arg) || w.map)
		return false;
	r->names.n = 0;
	while (ckpt_walk_next(&w, &none, &item)) {
		int64_t v;
		uint8_t byte;

		if (!text_int(item, &v) || v < 0 || v > 255)
			return false;
		byte = (uint8_t)v;
		ckpt_buf_add(&r->names, &byte, 1);
	}
	render_bytes(&r->tmp, ckpt_buf_view(&r->names));
	return true;
}

/* ---- dates and times ------------------------------------------------------------------------- */

static bool write_date(struct ckpt_buf *out, struct ckpt_view args)
{
	struct ckpt_view part[3];
	int64_t y, m, d;

	if (items(args, part, 3) != 3 || !text_int(part[0], &y) ||
			!text_int(part[1], &m) || !text_int(part[2], &d))
		return false;
	if (y < 1 || y > 9999 || m < 1 || m > 12 || d < 1 || d > 31)
		return false;
	ckpt_buf_addf(out, "\"%04d-%02d-%02d\"", (int)y, (int)m, (int)d);
	return true;
}

static bool write_time(struct ckpt_buf *out, const struct parts *parts)
{
	static const char *const names[] = { "\"hour\"", "\"minute\"", "\"second\"",
		"\"microsecond\"", "\"tzinfo\"" };
	static const int64_t below[] = { 24, 60, 60, 1000000 };
	struct ckpt_view part[5] = { { NULL, 0 } }, zone;
	int64_t v[4] = { 0 };
	int i;

	if (parts->args.p && items(parts->args, part, 5) < 0)
		return false;
	for (i = 0; i < 5; i++) {
		if (!part[i].p)
			part[i] = member(parts->kwargs, names[i]);
		if (i == 4 || !part[i].p)
			continue;
		if (!text_int(part[i], &v[i]) || v[i] < 0 || v[i] >= below[i])
			return false;
	}
	ckpt_buf_addf(out, "\"%02d:%02d:%02d", (int)v[0], (int)v[1], (int)v[2]);
	if (v[3])
		ckpt_buf_addf(out, ".%06d", (int)v[3]);
	/* A named zone has no offset without a date, and a time does not show it. */
	if (text_string(part[4], &zone) && zone.n && strchr("+-", *(const char *)zone.p))
		put_view(out, zone);
	ckpt_buf_puts(out, "\"");
	return true;
}

static bool write_timedelta(struct ckpt_buf *out, struct ckpt_view args)
{
	struct ckpt_view part[3];
	int64_t v[3] = { 0 }, seconds;
	int i, n = items(args, part, 3);

	if (n < 0)
		return false;
	for (i = 0; i < n; i++) {
		if (!text_int(part[i], &v[i]) || v[i] > 999999999 || v[i] < -999999999)
			return false;
	}
	seconds = v[0] * 86400 + v[1];
	ckpt_buf_puts(out, "{\"$timedelta\":");
	/* Up to 2^53 both numbers are exact and the quotient is the nearest double. */
	if (llabs(seconds) < INT64_C(9000000000))
		json_float(out, (double)(seconds * 1000000 + v[2]) / 1e6);
	else
		json_float(out, (double)((long double)seconds +
						(long double)v[2] / 1e6L));
	ckpt_buf_puts(out, "}");
	return true;
}

static bool write_timezone(struct ckpt_buf *out, struct ckpt_view args)
{
	struct ckpt_view part[2], number;
	char digits[40];
	double seconds;
	int64_t s;

	if (items(args, part, 2) < 1)
		return false;
	number = member(part[0], "\"$timedelta\"");
	if (!number.p || number.n >= sizeof(digits))
		return false;
	memcpy(digits, number.p, number.n);
	digits[number.n] = '\0';
	seconds = strtod(digits, NULL);
	if (!(seconds > -86400 && seconds < 86400))
		return false;
	s = (int64_t)seconds;
	ckpt_buf_puts(out, seconds < 0 ? "\"-" : "\"+");
	s = s < 0 ? -s : s;
	ckpt_buf_addf(out, "%02d:%02d", (int)(s / 3600), (int)(s / 60 % 60));
	if (s % 60)
		ckpt_buf_addf(out, ":%02d", (int)(s % 60));
	ckpt_buf_puts(out, "\"");
	return true;
}

/* ---- LangGraph's own -------------------------------------------------------------------------- */

static void write_member(struct ckpt_buf *out, const char *lead, struct ckpt_view value)
{
	ckpt_buf_puts(out, lead);
	if (value.p)
		put_view(out, value);
	else
		ckpt_buf_puts(out, "null");
}

/* Members that are not null, but those named in `but`. */
static void write_rest(struct ckpt_buf *out, struct ckpt_view map, const char *const *but)
{
	struct ckpt_view key, value;
	struct ckpt_walk w;
	size_t i;

	if (!ckpt_walk_open(&w, map) || !w.map)
		return;
	while (ckpt_walk_next(&w, &key, &value)) {
		for (i = 0; but[i] && !text_is(key, but[i]);)
			i++;
		if (but[i] || text_is(value, "null"))
			continue;
		ckpt_buf_puts(out, ",");
		put_view(out, key);
		write_member(out, ":", value);
	}
}

static bool write_send(struct ckpt_buf *out, const struct parts *parts)
{
	static const char *const but[] = { "\"node\"", "\"arg\"", NULL };
	struct ckpt_view part[3] = { { NULL, 0 } };
	int n = items(parts->args, part, 3);

	if (parts->kwargs.p && n <= 0) {
		part[0] = member(parts->kwargs, but[0]);
		part[1] = member(parts->kwargs, but[1]);
		n = part[0].p && part[1].p ? 2 : -1;
	}
	if (n < 2)
		return false;
	write_member(out, "{\"node\":", part[0]);
	write_member(out, ",\"arg\":", part[1]);
	if (n == 3 && !text_is(part[2], "null"))
		write_member(out, ",\"timeout\":", part[2]);
	write_rest(out, parts->kwargs, but);
	ckpt_buf_puts(out, "}");
	return true;
}

/* The id of an interrupt that only has the namespace it came from: a list of texts. */
static bool write_ns_id(struct render *r, struct ckpt_view ns)
{
	struct ckpt_view none, item;
	char hex[33];
	struct token t;
	struct ckpt_walk w;
	bool good = true;

	if (!ckpt_walk_open(&w, ns) || w.map)
		return false;
	r->names.n = 0;
	while (good && ckpt_walk_next(&w, &none, &item)) {
		if (r->names.n || item.p != (const char *)ns.p + 1)
			ckpt_buf_puts(&r->names, "|");
		reader_init(&r->peek, &json_reader, item);
		good = reader_next(&r->peek, &t) == 1 && t.kind == TOKEN_STR;
		if (good)
			ckpt_buf_add(&r->names, t.s.p, t.s.n);
		reader_done(&r->peek);
	}
	if (!good || r->names.failed)
		return false;
	hash_hex128(hex, ckpt_buf_view(&r->names));
	ckpt_buf_addf(&r->tmp, "\"%s\"", hex);
	return true;
}

static bool write_interrupt(struct render *r, struct ckpt_view fields)
{
	static const char *const but[] = { "\"id\"", "\"value\"", "\"ns\"",
		"\"resumable\"", "\"when\"", "\"interrupt_id\"", NULL };
	struct ckpt_view id = member(fields, but[0]), value = member(fields, but[1]);
	struct ckpt_view ns = member(fields, but[2]);

	if (!value.p)
		return false;
	ckpt_buf_puts(&r->tmp, "{\"id\":");
	if (id.p && !text_is(id, no_id))
		put_view(&r->tmp, id);
	else if (!ns.p || *(const char *)ns.p != '[')
		ckpt_buf_puts(&r->tmp, no_id);
	else if (!write_ns_id(r, ns))
		return false;
	write_member(&r->tmp, ",\"value\":", value);
	write_rest(&r->tmp, fields, but);
	ckpt_buf_puts(&r->tmp, "}");
	return true;
}

/* ---- arrays ---------------------------------------------------------------------------------- */

static bool write_set(struct render *r, struct ckpt_view arg)
{
	size_t seg = r->nsegs, base = (size_t)((const char *)arg.p - r->out->p);
	struct ckpt_view none, item;
	struct ckpt_walk w;

	if (!ckpt_walk_open(&w, arg) || w.map)
		return false;
	while (ckpt_walk_next(&w, &none, &item)) {
		size_t at = base + (size_t)((const char *)item.p - (const char *)arg.p);

		if (!seg_push(r, at, at + item.n))
			return false;
	}
	render_sorted(r, seg);
	r->nsegs = seg;
	return true;
}

static bool write_pairs(struct ckpt_buf *out, struct ckpt_view arg)
{
	struct ckpt_view none, item, pair[2];
	struct ckpt_walk w;

	if (!ckpt_walk_open(&w, arg) || w.map)
		return false;
	while (ckpt_walk_next(&w, &none, &item)) {
		if (items(item, pair, 2) != 2)
			return false;
	}
	write_member(out, "{\"$map\":", arg);
	ckpt_buf_puts(out, "}");
	return true;
}

bool form_write(struct render *r, enum form form, const struct parts *parts)
{
	struct ckpt_view arg = parts->arg;

	r->tmp.n = 0;
	/* A collection may have been made from nothing. */
	if (!arg.p && text_is(parts->args, "[]") &&
			(form == FORM_SET || form == FORM_PAIRS))
		arg = parts->args;
	switch (form) {
	case FORM_NONE:
		return false;
	case FORM_ARG:
		put_view(&r->tmp, arg);
		return arg.p;
	case FORM_SET:
		return arg.p && write_set(r, arg);
	case FORM_UUID:
		return write_uuid(&r->tmp, arg);
	case FORM_PATH:
	case FORM_WINPATH:
		return write_path(&r->tmp, parts->args, form == FORM_WINPATH);
	case FORM_PATTERN:
		return write_pattern(&r->tmp, parts->args);
	case FORM_DATE:
		return write_date(&r->tmp, parts->args);
	case FORM_TIME:
		return write_time(&r->tmp, parts);
	case FORM_TIMEDELTA:
		return write_timedelta(&r->tmp, parts->args);
	case FORM_TIMEZONE:
		return write_timezone(&r->tmp, parts->args);
	case FORM_SECRET:
		if (r->opt->reveal_secrets)
			return false;
		ckpt_buf_puts(&r->tmp, "\"**********\"");
		return true;
	case FORM_SEND:
		return write_send(&r->tmp, parts);
	case FORM_INTERRUPT:
		return write_interrupt(r, parts->kwargs);
	case FORM_HEX:
		return write_hex(r, arg);
	case FORM_OCTETS:
		return write_octets(r, arg);
	case FORM_PAIRS:
		return write_pairs(&r->tmp, arg);
	case FORM_ERROR:
		return write_error(&r->tmp, parts->args);
	}
	return false;
}
