/*
 * convert_json.c - JSON for PostgreSQL: what jsonb would refuse or change, and the container
 * without its values, from msgpack or JSON, as JSON text.
 *
 * jsonb keeps numbers as decimals: 1e16 comes back as an integer, -0.0 without its sign. Such a
 * number has no home there. Order of keys is nobody's business in jsonb.
 */
#include <math.h>

#include "convert_impl.h"
#include "pack.h"

enum {
	SCALE_MOST = 16383,  /* digits behind the point that jsonb keeps */
	WHOLE_MOST = 100000, /* digits before it, fewer than jsonb takes */
	DEPTH_MOST = 1000    /* about what Python reads */
};

/* ---- numbers ------------------------------------------------------------------------------ */

struct number {
	bool minus, zero, fraction; /* fraction: has a point or an exponent */
	int64_t whole, scale;       /* digits before the point, behind it */
};

static struct number number_of(struct ckpt_view text)
{
	struct number n = { .zero = true };
	const char *p = text.p, *end = p + text.n;
	int64_t power = 0;
	bool minus = false;

	if (p < end && *p == '-') {
		n.minus = true;
		p++;
	}
	for (bool point = false; p < end && *p != 'e' && *p != 'E'; p++) {
		if (*p == '.') {
			point = n.fraction = true;
			continue;
		}
		n.zero = n.zero && *p == '0';
		n.scale += point;
		n.whole += !point;
	}
	if (p < end) {
		n.fraction = true;
		for (p++; p < end; p++) {
			if (*p == '-')
				minus = true;
			else if (*p != '+' && power < INT32_MAX / 10)
				power = 10 * power + (*p - '0');
		}
	}
	power = minus ? -power : power;
	n.scale = n.scale > power ? n.scale - power : 0;
	n.whole += power;
	return n;
}

bool json_number_carried(struct ckpt_view text, bool js)
{
	struct number n = number_of(text);

	if (n.scale > SCALE_MOST || n.whole > WHOLE_MOST)
		return false;
	if (!n.fraction)
		return true;
	/* what is left without a point reads as an integer */
	return !(n.minus && n.zero) && (js || n.scale > 0);
}

/* The first of a growing number of digits that reads back equal: %g would turn to an exponent
 * before 16 digits, where Python does, so the digits are placed here. */
void json_python_float(struct ckpt_buf *buf, double f)
{
	char text[40], digits[20];
	int precision = fabs(f) < 2.2250738585072014e-308 ? 0 : 14, exponent, n = 0;

	do {
		snprintf(text, sizeof(text), "%.*e", precision, f);
	} while (strtod(text, NULL) != f && precision++ < 16);
	for (const char *p = text; *p != 'e'; p++)
		if (*p >= '0' && *p <= '9')
			digits[n++] = *p;
	exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
	while (n > 1 && digits[n - 1] == '0')
		n--;
	ckpt_buf_puts(buf, text[0] == '-' ? "-" : "");
	if (exponent < -4 || exponent >= 16) {
		ckpt_buf_add(buf, digits, 1);
		if (n > 1)
			ckpt_buf_puts(buf, ".");
		ckpt_buf_add(buf, digits + 1, (size_t)n - 1);
		ckpt_buf_addf(buf, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
		return;
	}
	if (exponent < 0)
		ckpt_buf_addf(buf, "0.%.*s", -exponent - 1, "000");
	for (int i = 0; i < n || i <= exponent; i++) {
		if (i && i == exponent + 1)
			ckpt_buf_puts(buf, ".");
		ckpt_buf_add(buf, i < n ? digits + i : "0", 1);
	}
	if (n <= exponent + 1)
		ckpt_buf_puts(buf, ".0");
}

/* ---- JSON as it stands -------------------------------------------------------------------- */

static int unit_at(const char *p)
{
	int unit = 0;

	for (unsigned i = 2; i < 6; i++)
		unit = 16 * unit + hex_value((unsigned char)p[i]);
	return unit;
}

/* Passes over a string from behind its quote to its last one; NULL and a code if jsonb does not
 * take it. The text has been read to its end before: escapes are whole. */
static const char *pass_string(const char *p, const char **why)
{
	for (; *p != '"'; p++) {
		int unit;

		if ((unsigned char)*p < 0x20) {
			*why = "control";
			return NULL;
		}
		if (*p != '\\')
			continue;
		if (*++p != 'u')
			continue;
		unit = unit_at(p - 1);
		p += 4;
		if (unit == 0)
			*why = "nul";
		if (unit >= 0xdc00 && unit < 0xe000)
			*why = "surrogate";
		if (unit >= 0xd800 && unit < 0xdc00) {
			int low = p[1] == '\\' && p[2] == 'u' ? unit_at(p + 1) : 0;

			if (low < 0xdc00 || low >= 0xe000)
				*why = "surrogate";
			p += 6;
		}
		if (*why)
			return NULL;
	}
	return p;
}

static bool in_number(char c)
{
	return (c >= '0' && c <= '9') || (c && strchr("+-.eE", c));
}

static const char *check_tokens(const char *p, const char *end, bool js)
{
	const char *why = NULL, *start;
	unsigned depth = 0;

	while (p < end) {
		switch (*p) {
		case '"':
			p = pass_string(p + 1, &why);
			if (!p)
				return why;
			break;
		case '[':
		case '{':
			if (++depth > DEPTH_MOST)
				return "depth";
			break;
		case ']':
		case '}':
			depth--;
			break;
		case 'N':
		case 'I':
			return "nan";
		default:
			break;
		}
		start = p++;
		if (*start != '-' && (*start < '0' || *start > '9'))
			continue;
		while (p < end && in_number(*p))
			p++;
		if (!json_number_carried(
				    (struct ckpt_view){ start, (size_t)(p - start) }, js))
			return p < end && *p == 'I' ? "nan" : "bad-number";
	}
	return NULL;
}

const char *json_carried(struct ckpt_view text, bool js)
{
	const char *p = text.p;

	return utf8_valid(text) ? check_tokens(p, p + text.n, js) : "utf8";
}

void json_compact(struct ckpt_buf *to, struct ckpt_view text)
{
	const char *p = text.p, *end = p + text.n, *run = p;
	bool quoted = false;

	for (; p < end; p++) {
		if (*p == '"') {
			quoted = !quoted;
		} else if (quoted) {
			p += *p == '\\' && p + 1 < end;
		} else if (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r') {
			ckpt_buf_add(to, run, (size_t)(p - run));
			run = p + 1;
		}
	}
	ckpt_buf_add(to, run, (size_t)(end - run));
}

/* ---- the container ------------------------------------------------------------------------ */

struct writing {
	struct job *j;
	struct ckpt_buf *to;
	unsigned depth;           /* containers that are open */
	struct ckpt_view member;  /* of the container: a map of versions, or NULL */
	struct ckpt_view channel; /* whose version comes next, or NULL */
	bool bumps;               /* in a map whose keys are NODE|CH and NODE:CH */
	unsigned versions;        /* maps `channel_versions` there were */
};

static bool fail(struct writing *w, const char *code)
{
	w->j->why = code;
	return false;
}

static bool write_string(struct writing *w, const struct token *t)
{
	if (t->s.n && memchr(t->s.p, 0, t->s.n))
		return fail(w, "nul");
	if (w->j->json && t->b)
		return fail(w, "surrogate");
	return ckpt_json_string(w->to, t->s) || fail(w, "utf8");
}

static bool write_scalar(struct writing *w, const struct token *t)
{
	size_t at = w->to->n;
	struct ckpt_view plain = t->s;
	const struct placed *p;
	bool good = true;

	switch (t->kind) {
	case TOKEN_NIL:
		ckpt_buf_puts(w->to, "null");
		return true;
	case TOKEN_BOOL:
		ckpt_buf_puts(w->to, t->b ? "true" : "false");
		return true;
	case TOKEN_INT:
		json_int(w->to, t->i);
		break;
	case TOKEN_UINT:
		json_uint(w->to, t->u);
		break;
	case TOKEN_FLOAT:
		if (!isfinite(t->f))
			return fail(w, "nan");
		json_python_float(w->to, t->f);
		break;
	case TOKEN_NUM:
		if (memchr(t->s.p, 'N', t->s.n) || memchr(t->s.p, 'I', t->s.n))
			return fail(w, "nan");
		ckpt_buf_add(w->to, t->s.p, t->s.n);
		break;
	case TOKEN_STR:
		good = write_string(w, t);
		break;
	default:
		return fail(w, "skeleton");
	}
	if (!good || w->to->failed)
		return good;
	if (t->kind != TOKEN_STR) {
		plain = (struct ckpt_view){ w->to->p + at, w->to->n - at };
		if (!json_number_carried(plain, w->j->js))
			return fail(w, "bad-number");
	}
	p = version_renamed(w->j, w->channel);
	if (!p || p->quoted != (t->kind == TOKEN_STR) || !ckpt_view_eq(p->version, plain))
		return true;
	w->to->n = at;
	ckpt_buf_puts(w->to, p->quoted ? "\"" : "");
	ckpt_buf_add(w->to, p->renamed.p, p->renamed.n);
	ckpt_buf_puts(w->to, p->quoted ? "\"" : "");
	return true;
}

/* A key says where we are: channel → version, or node → channel → version. */
static bool enter_key(struct writing *w, const struct token *t)
{
	static const struct ckpt_view bumps = { "__snapshot_bumps__", 18 };
	const char *p = t->s.p;
	struct ckpt_view name;
	bool of_versions, of_seen;

	name = arena_copy(w->j->arena, t->s, w->j->k->err);
	if (!name.p)
		return fail(w, NULL);
	if (w->depth == 1) {
		w->member = name;
		if (ckpt_view_eq(name, CKPT_LIT("channel_versions")) && w->versions++)
			return fail(w, "skeleton");
		return true;
	}
	of_versions = ckpt_view_eq(w->member, CKPT_LIT("channel_versions"));
	of_seen = ckpt_view_eq(w->member, CKPT_LIT("versions_seen"));
	w->channel = (struct ckpt_view){ NULL, 0 };
	if (of_seen && w->depth == 2)
		w->bumps = ckpt_view_eq(name, bumps);
	else if (w->depth == (of_versions ? 2 : 3) && (of_versions || of_seen))
		w->channel = name;
	if (!w->channel.p || of_versions || !w->bumps)
		return true;
	for (size_t i = 0; i < name.n; i++) {
		if (p[i] == '|' || p[i] == ':') {
			w->channel.p = (const char *)name.p + i + 1;
			w->channel.n = name.n - i - 1;
			break;
		}
	}
	return true;
}

/* PostgreSQL's readers take the Sends from the writes of the parent. */
static bool skip_sends(struct writing *w)
{
	if (w->depth != 1 || !w->j->before_v4 || w->j->js ||
			!ckpt_view_eq(w->member, CKPT_LIT("pending_sends")))
		return false;
	if (reader_skip(&w->j->k->rd, NULL) < 0)
		return fail(w, "corrupt");
	ckpt_buf_puts(w->to, "[]");
	w->j->k->levels[1].value = false;
	return true;
}

static bool write_key(struct writing *w, const struct token *t, struct level *level)
{
	if (t->kind != TOKEN_STR)
		return fail(w, "skeleton");
	ckpt_buf_puts(w->to, level->more ? "," : "");
	if (!write_string(w, t))
		return false;
	ckpt_buf_puts(w->to, ":");
	level->value = level->more = true;
	if (w->depth > 3)
		return true;
	return enter_key(w, t) && (!skip_sends(w) ? !w->j->why : true);
}

static bool write_token(struct writing *w, const struct token *t)
{
	struct level *level = &w->j->k->levels[w->depth];

	if (t->kind == TOKEN_END) {
		ckpt_buf_puts(w->to, level->map ? "}" : "]");
		w->depth--;
		w->channel = (struct ckpt_view){ NULL, 0 };
		return true;
	}
	if (w->depth && level->map && !level->value)
		return write_key(w, t, level);
	if (w->depth && !level->map)
		ckpt_buf_puts(w->to, level->more ? "," : "");
	level->value = false;
	level->more = true;
	if (t->kind != TOKEN_ARRAY && t->kind != TOKEN_MAP)
		return write_scalar(w, t);
	w->j->k->levels[++w->depth] = (struct level){ .map = t->kind == TOKEN_MAP };
	ckpt_buf_puts(w->to, t->kind == TOKEN_MAP ? "{" : "[");
	if (t->kind != TOKEN_MAP || w->depth > 3)
		w->channel = (struct ckpt_view){ NULL, 0 };
	return w->depth <= DEPTH_MOST || fail(w, "depth");
}

bool json_write(struct job *j, struct ckpt_buf *to)
{
	struct writing w = { .j = j, .to = to };
	struct reader *r = &j->k->rd;
	struct token t;
	bool good = true;
	int rc;

	j->k->levels[0] = (struct level){ 0 };
	reader_init(r, j->json ? &json_reader : &msgpack_reader, j->c->skeleton);
	while (good && (rc = reader_next(r, &t)) > 0)
		good = write_token(&w, &t);
	if (good && rc == CKPT_ENOMEM)
		nomem(j);
	if (good && rc < 0)
		good = fail(&w, "corrupt");
	reader_done(r);
	return good;
}

bool json_pack(struct job *j, struct ckpt_buf *to, struct ckpt_view text, bool value)
{
	struct pack pack = { .reader = &j->k->rd, .counts = &j->k->counts };

	if (pack_json(&pack, to, text, value))
		return true;
	if (!pack.why)
		nomem(j);
	j->why = pack.why ? pack.why : "corrupt";
	return false;
}
