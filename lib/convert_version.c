/*
 * convert_version.c - which value a (channel, version) has in a namespace, and new versions for
 * values that come second.
 *
 * PostgreSQL keeps one value of a version, the container of SQLite one of each checkpoint. They
 * differ after values were changed in place, and where branches count alike (JavaScript). What is
 * remembered is two digests a version, made with a random secret, so that no stored value can be
 * made to pass for another one. New versions are made of the value alone: a second run makes the
 * same ones, and so does a later checkpoint that holds the value still.
 */
#include <errno.h>
#include <sys/random.h>
#include <xxhash.h>

#include "convert_impl.h"

enum { MINT_TRIES = 64 };

/* ---- digests ------------------------------------------------------------------------------ */

int version_map_init(struct version_map *m, struct ckpt_error *err)
{
	while (getrandom(m->secret, sizeof(m->secret), 0) != (ssize_t)sizeof(m->secret))
		if (errno != EINTR)
			return ckpt_fail(err, CKPT_EIO, "cannot get random bytes: %s",
					strerror(errno));
	return 0;
}

void version_map_clear(struct version_map *m)
{
	if (m->n)
		memset(m->slots, 0, m->cap * sizeof(*m->slots));
	m->n = 0;
}

void version_map_free(struct version_map *m)
{
	free(m->slots);
	m->slots = NULL;
	m->n = m->cap = 0;
}

struct digest version_digest(const struct version_map *m, struct ckpt_view v)
{
	XXH128_hash_t h = XXH3_128bits_withSecret(
			v.p ? v.p : "", v.n, m->secret, sizeof(m->secret));

	return (struct digest){ h.low64, h.high64 };
}

static struct digest key_of(
		struct job *j, const struct placed *p, struct ckpt_view version)
{
	struct ckpt_buf *tmp = &j->k->tmp;

	tmp->n = 0;
	ckpt_buf_add(tmp, &p->v->channel.n, sizeof(p->v->channel.n));
	ckpt_buf_add(tmp, p->v->channel.p, p->v->channel.n);
	ckpt_buf_add(tmp, version.p, version.n);
	return version_digest(&j->k->versions, ckpt_buf_view(tmp));
}

/* ---- the map ------------------------------------------------------------------------------ */

/* The slot of a key, or the free one where it would stand. The map is not full. */
static struct version *slot_of(struct version_map *m, struct digest key)
{
	size_t i = (size_t)key.lo & (m->cap - 1);

	while (m->slots[i].seen && !digest_eq(m->slots[i].key, key))
		i = (i + 1) & (m->cap - 1);
	return &m->slots[i];
}

static int make_room(struct version_map *m, struct ckpt_error *err)
{
	struct version_map more = *m;

	if (2 * m->n < m->cap)
		return 0;
	more.cap = m->cap ? 2 * m->cap : 256;
	more.slots = calloc(more.cap, sizeof(*more.slots));
	if (!more.slots)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	for (size_t i = 0; i < m->cap; i++)
		if (m->slots[i].seen)
			*slot_of(&more, m->slots[i].key) = m->slots[i];
	free(m->slots);
	m->slots = more.slots;
	m->cap = more.cap;
	return 0;
}

static unsigned seen_as(const struct placed *p)
{
	switch (p->home) {
	case HOME_INLINE:
		return SEEN_INLINE;
	case HOME_BLOB:
		return SEEN_BLOB;
	case HOME_MARK:
		return SEEN_BLOB | SEEN_DELTA;
	default:
		return SEEN_ABSENT;
	}
}

static bool has_set(struct ckpt_view body)
{
	static const char set[] = "\xa8"
				  "builtins\xa3"
				  "set";
	static const char frozen[] = "\xa8"
				     "builtins\xa9"
				     "frozenset";

	return memmem(body.p, body.n, set, sizeof(set) - 1) ||
	       memmem(body.p, body.n, frozen, sizeof(frozen) - 1);
}

/* What a value with sets means, whatever order they lie in: it differs from run to run of
 * Python. Left 0 for others: of them bytes decide. */
static void find_meaning(struct job *j, struct placed *p)
{
	const struct stored s = { p->type, p->body, CKPT_OPEN };

	if (!ckpt_view_eq(p->type, CKPT_LIT("msgpack")) || !has_set(p->body) ||
			canon_digest(j->k->canon, &s, false, &p->meaning) != 1)
		p->meaning = (struct digest){ 0, 0 };
}

static bool same_value(struct job *j, const struct version *have, struct placed *p)
{
	const struct digest none = { 0, 0 };

	if (digest_eq(have->value, p->value))
		return true;
	if (digest_eq(have->meaning, none))
		return false;
	find_meaning(j, p);
	return digest_eq(have->meaning, p->meaning);
}

enum fit { FIT_NEW, FIT_KNOWN, FIT_CLASH };

/* May the value stand under this version? A reader joins blobs by version alone: it would find
 * one for a value that is plain, or not there, too. But a snapshot stands for the checkpoints
 * behind it that have its version, with the writes since: that is how they are loaded. */
static enum fit fit_of(struct job *j, struct placed *p, struct ckpt_view version)
{
	struct version_map *m = &j->k->versions;
	const struct version *have;
	unsigned as = seen_as(p);

	if (!m->cap)
		return FIT_NEW;
	have = slot_of(m, key_of(j, p, version));
	if (!have->seen)
		return FIT_NEW;
	if (as & SEEN_BLOB) {
		if (!(have->seen & SEEN_BLOB))
			return FIT_CLASH;
		return same_value(j, have, p) ? FIT_KNOWN : FIT_CLASH;
	}
	if (!(have->seen & SEEN_BLOB))
		return FIT_NEW;
	return as == SEEN_ABSENT && have->seen & SEEN_DELTA ? FIT_KNOWN : FIT_CLASH;
}

int version_commit(struct job *j)
{
	struct version_map *m = &j->k->versions;

	for (size_t i = 0; i < j->nplaced; i++) {
		struct placed *p = &j->placed[i];
		struct digest key;
		struct version *to;

		if (!p->version.p)
			continue;
		if (make_room(m, j->k->err) < 0)
			return j->k->err->code;
		key = key_of(j, p, p->renamed.p ? p->renamed : p->version);
		if (j->k->tmp.failed)
			return nomem(j);
		to = slot_of(m, key);
		m->n += !to->seen;
		to->key = key;
		if (seen_as(p) & ~to->seen & SEEN_BLOB) {
			find_meaning(j, p);
			to->value = p->value;
			to->meaning = p->meaning;
		}
		to->seen |= seen_as(p);
	}
	return 0;
}

/* Sends stand in the same map under keys that no channel has. */
static struct digest sends_key(struct job *j, struct ckpt_view id)
{
	struct digest key = version_digest(&j->k->versions, id);

	key.hi = ~key.hi;
	return key;
}

bool version_sends(struct job *j, struct ckpt_view id, struct digest *list)
{
	struct version_map *m = &j->k->versions;
	const struct version *have = m->cap ? slot_of(m, sends_key(j, id)) : NULL;

	if (!have || !have->seen)
		return false;
	*list = have->value;
	return true;
}

int version_keep_sends(struct job *j, struct digest list)
{
	struct version_map *m = &j->k->versions;
	struct version *to;

	if (make_room(m, j->k->err) < 0)
		return j->k->err->code;
	to = slot_of(m, sends_key(j, j->c->key.id));
	m->n += !to->seen;
	to->key = sends_key(j, j->c->key.id);
	to->value = list;
	to->seen = SEEN_SENDS;
	return 0;
}

/* ---- versions ----------------------------------------------------------------------------- */

/* Digits, and a point with digits: what jsonb gives back as it stands. */
static bool is_plain_number(struct ckpt_view v)
{
	const char *p = v.p;
	bool point = false, digit = false;

	for (size_t i = 0; i < v.n; i++) {
		if (p[i] == '.' && digit && !point)
			point = true;
		else if (p[i] >= '0' && p[i] <= '9')
			digit = true;
		else
			return false;
	}
	return digit && p[v.n - 1] != '.';
}

bool version_plain(struct job *j, struct placed *p)
{
	struct ckpt_view v = p->v->version;
	struct ckpt_buf text = { 0 };
	bool good;

	if (v.n >= 2 && *(const char *)v.p == '"') {
		p->quoted = true;
		p->version = (struct ckpt_view){ (const char *)v.p + 1, v.n - 2 };
		if (!memchr(v.p, '\\', v.n))
			return true;
		ckpt_json_text(&text, v);
		good = !text.failed;
		p->version = arena_copy(j->arena, ckpt_buf_view(&text), j->k->err);
		ckpt_buf_free(&text);
		return good ? p->version.p != NULL : (nomem(j), false);
	}
	if (is_plain_number(v))
		p->version = v;
	return true;
}

/* A version behind the old one and before all that may follow it: of Python more digits, so that
 * it sorts right behind; of JavaScript a fraction that a double holds exactly. */
static bool mint(
		struct job *j, const struct placed *p, uint64_t seed, struct ckpt_buf *to)
{
	const char *v = p->version.p;
	size_t n = p->version.n, digits = 0;
	double number;

	to->n = 0;
	if (p->quoted) {
		while (digits < n && v[digits] >= '0' && v[digits] <= '9')
			digits++;
		if (digits != 32 || n < 33 || v[32] != '.')
			return false;
		ckpt_buf_add(to, v, n);
		ckpt_buf_addf(to, "%08u", (unsigned)(seed % 100000000));
		return true;
	}
	if (!j->js || n > 12 || memchr(v, '.', n))
		return false;
	ckpt_buf_add(to, v, n);
	number = to->failed ? 0 : strtod(to->p, NULL);
	to->n = 0;
	json_python_float(to, number + (double)(1 + seed % 1023) / 1024);
	return true;
}

static int rename_version(struct job *j, struct placed *p)
{
	uint64_t seed;
	struct ckpt_buf to = { 0 };
	enum fit fit = FIT_CLASH;
	char shown[200];

	/* of values with sets what they mean: their bytes differ from checkpoint to checkpoint */
	find_meaning(j, p);
	seed = p->meaning.lo;
	if (!seed)
		seed = XXH3_64bits(p->body.n ? p->body.p : "", p->body.n);
	for (unsigned i = 0; i < MINT_TRIES && fit == FIT_CLASH; i++) {
		if (!mint(j, p, seed + i, &to))
			break;
		if (!to.failed)
			fit = fit_of(j, p, ckpt_buf_view(&to));
	}
	if (to.failed || j->k->tmp.failed) {
		ckpt_buf_free(&to);
		return nomem(j);
	}
	if (fit == FIT_CLASH) {
		care(j, CONVERT_CANNOT, "same", p->v->channel,
				"version %s has another value already, and is not of a "
				"form "
				"that a new one could be made of",
				ckpt_show_name(shown, p->version));
	} else {
		p->renamed = arena_copy(j->arena, ckpt_buf_view(&to), j->k->err);
		p->given = fit == FIT_KNOWN;
		care(j, CONVERT_RENUMBERED, "same", p->v->channel,
				"version %s has another value already: it becomes %s",
				ckpt_show_name(shown, p->version), to.p);
	}
	ckpt_buf_free(&to);
	return j->k->err->code;
}

static int by_channel(const void *a, const void *b)
{
	const struct placed *const *x = a, *const *y = b;

	return ckpt_view_cmp((*x)->v->channel, (*y)->v->channel);
}

static int of_channel(const void *channel, const void *placed)
{
	const struct placed *const *p = placed;

	return ckpt_view_cmp(*(const struct ckpt_view *)channel, (*p)->v->channel);
}

const struct placed *version_renamed(struct job *j, struct ckpt_view channel)
{
	struct placed **at =
			j->nrenamed && channel.p
					? bsearch(&channel, j->renamed, j->nrenamed,
							  sizeof(*j->renamed), of_channel)
					: NULL;

	return at ? *at : NULL;
}

int version_settle(struct job *j)
{
	j->renamed = arena_take(
			j->arena, (j->nplaced + 1) * sizeof(*j->renamed), j->k->err);
	if (!j->renamed)
		return j->k->err->code;
	for (size_t i = 0; i < j->nplaced; i++) {
		struct placed *p = &j->placed[i];
		enum fit fit;

		if (!p->version.p)
			continue;
		fit = fit_of(j, p, p->version);
		if (j->k->tmp.failed)
			return nomem(j);
		p->given = fit == FIT_KNOWN;
		if (fit == FIT_CLASH && rename_version(j, p) < 0)
			return j->k->err->code;
		if (p->renamed.p)
			j->renamed[j->nrenamed++] = p;
	}
	qsort(j->renamed, j->nrenamed, sizeof(*j->renamed), by_channel);
	return 0;
}
