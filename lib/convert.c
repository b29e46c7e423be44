/*
 * convert.c - drives the conversion of a checkpoint, and does what both ways share: names, pending
 * writes, sizes, what is told to a person.
 *
 * The codes of cares, and what they mean:
 *   bad-number a number that the target changes: 1e16 and above, -0.0, beyond 64 bits
 *   nan        NaN or an infinity where JSON has to hold it
 *   nul        U+0000, which PostgreSQL's text cannot hold
 *   utf8       bytes that are no UTF-8 where there has to be text
 *   surrogate  half a surrogate pair, which jsonb refuses
 *   control    a raw control character in JSON
 *   size       larger than the target takes
 *   depth      nested deeper than the target, or the library there, takes
 *   encrypted  under AES and not opened
 *   version    a value whose channel has no version, or one that cannot be told apart
 *   same       another value has the same version
 *   corrupt    the container or a value cannot be read to its end
 *   type       stored in a way that cannot become part of another container (pickle)
 *   language   JSON of which nothing tells who wrote it: each language keeps it otherwise
 *   skeleton   something other than plain data outside of the values
 *   metadata   metadata that is no JSON
 *   key-type   a key that the row holds as BLOB
 *   key-size   names too long for PostgreSQL's index
 *   backslash  a name that LangGraph's own SELECT on PostgreSQL reads as something else
 *   null       a write without type or value
 *   sends      Sends before v 4 that PostgreSQL would find elsewhere, and others
 *   lost       a snapshot of which only the mark is left
 *   record     an `lc` record in JSON that msgpack has no form for
 */
#include <stdarg.h>

#include "convert_impl.h"
#include "row.h"

/* LangGraph's PostgresSaver sends a row as one message, and PostgreSQL keeps it in one piece of
 * memory of less than 1 GiB, its other columns included. */
static const struct convert_limits usual = {
	.inlined = 200u * 1000 * 1000,
	.jsonb = 268435455,
	.field = ((size_t)1 << 30) - (1 << 16),
	.row = 1000u * 1000 * 1000,
	.key = 2600,
};

/* ---- cares -------------------------------------------------------------------------------- */

bool care(struct job *j, enum convert_action action, const char *code,
		struct ckpt_view channel, const char *fmt, ...)
{
	struct convert_out *out = j->out;
	char text[240];
	va_list ap;

	if (out->ncares == j->capcares) {
		size_t cap = j->capcares ? 2 * j->capcares : 8;
		struct convert_care *more =
				arena_take(j->arena, cap * sizeof(*more), j->k->err);

		if (!more)
			return false;
		if (out->ncares)
			memcpy(more, j->cares, out->ncares * sizeof(*more));
		out->cares = j->cares = more;
		j->capcares = cap;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	j->cares[out->ncares++] = (struct convert_care){ .code = code,
		.action = action,
		.channel = channel,
		.detail = arena_copy(j->arena, ckpt_view_of(text), j->k->err) };
	if (action == CONVERT_CANNOT)
		out->cannot = true;
	return false;
}

int nomem(struct job *j)
{
	return ckpt_fail(j->k->err, CKPT_ENOMEM, "out of memory");
}

bool name_carried(struct job *j, struct ckpt_view name, const char *what, bool cast)
{
	const struct ckpt_view none = { NULL, 0 };
	char shown[200];

	if (!name.n)
		return true;
	if (memchr(name.p, 0, name.n))
		return care(j, CONVERT_CANNOT, "nul", none,
				"%s '%s': text of PostgreSQL holds no NUL", what,
				ckpt_show_name(shown, name));
	if (!utf8_valid(name))
		return care(j, CONVERT_CANNOT, "utf8", none, "%s '%s' is not UTF-8", what,
				ckpt_show_name(shown, name));
	if (cast && memchr(name.p, '\\', name.n))
		return care(j, CONVERT_CANNOT, "backslash", none,
				"%s '%s': LangGraph reads a backslash in PostgreSQL as "
				"the start of an escape",
				what, ckpt_show_name(shown, name));
	return true;
}

/* ---- namespaces --------------------------------------------------------------------------- */

static bool same_name(const struct ckpt_buf *b, struct ckpt_view v)
{
	return ckpt_view_eq(ckpt_buf_view(b), v.p ? v : CKPT_LIT(""));
}

static int turn_to(struct convert *k, const struct ckpt_key *key)
{
	if (k->begun && same_name(&k->thread, key->thread) && same_name(&k->ns, key->ns))
		return 0;
	version_map_clear(&k->versions);
	k->begun = true;
	k->thread.n = k->ns.n = 0;
	ckpt_buf_add(&k->thread, key->thread.p, key->thread.n);
	ckpt_buf_add(&k->ns, key->ns.p, key->ns.n);
	if (k->thread.failed || k->ns.failed)
		return ckpt_fail(k->err, CKPT_ENOMEM, "out of memory");
	return 0;
}

static void check_key(struct job *j)
{
	const struct ckpt_key *key = &j->c->key;
	size_t n = key->thread.n + key->ns.n;

	if (key->blob)
		care(j, CONVERT_CANNOT, "key-type", (struct ckpt_view){ NULL, 0 },
				"its key is stored as BLOB, which PostgreSQL's text "
				"cannot tell from TEXT");
	name_carried(j, key->thread, "the thread", false);
	name_carried(j, key->ns, "the namespace", false);
	name_carried(j, key->id, "the id", false);
	name_carried(j, j->c->parent, "the parent's id", false);
	if (n + key->id.n > j->k->limits.key)
		care(j, CONVERT_CANNOT, "key-size", (struct ckpt_view){ NULL, 0 },
				"thread, namespace and id of %zu bytes do not fit into "
				"an "
				"index of PostgreSQL",
				n + key->id.n);
}

/* ---- writes ------------------------------------------------------------------------------- */

struct place {
	int64_t seq;
	size_t at;
};

static int by_seq(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

int seal(struct job *j, struct ckpt_view *type, struct ckpt_view *body)
{
	struct ckpt_buf b = { 0 };

	if (!j->k->cfg.crypt)
		return ckpt_fail(j->k->err, CKPT_EINTERNAL,
				"an opened row, and no key to seal it with");
	ckpt_buf_add(&b, type->p, type->n);
	ckpt_buf_puts(&b, "+aes");
	if (b.failed)
		return nomem(j);
	*type = arena_copy(j->arena, ckpt_buf_view(&b), j->k->err);
	ckpt_buf_free(&b);
	return crypt_seal_row(j->k->cfg.crypt, *body, j->arena, body, j->k->err);
}

static void check_write(struct job *j, const struct ckpt_write *w)
{
	const struct ckpt_key *key = &j->c->key;
	size_t most = j->k->cfg.to_apart ? j->k->limits.field : j->k->limits.row;
	size_t names = key->thread.n + key->ns.n + key->id.n + w->task.n;

	if (w->body.n + names + w->channel.n + w->path.n > most)
		care(j, CONVERT_CANNOT, "size", w->channel,
				"a write of %zu bytes is too large for the target",
				w->body.n);
	if (!j->k->cfg.to_apart)
		return;
	if (!w->type.p || !w->body.p)
		care(j, CONVERT_CANNOT, "null", w->channel,
				"a write without %s, which PostgreSQL does not take",
				w->type.p ? "a value" : "a type");
	name_carried(j, w->task, "a write's task", true);
	name_carried(j, w->path, "a write's path", false);
	name_carried(j, w->channel, "a write's channel", true);
	name_carried(j, w->type, "a write's type", true);
	if (names > j->k->limits.key)
		care(j, CONVERT_CANNOT, "key-size", w->channel,
				"a write's names of %zu bytes do not fit into an index "
				"of PostgreSQL",
				names);
}

static int put_writes(struct job *j, bool same_way)
{
	const struct ckpt_checkpoint *c = j->c;
	size_t n = c->nwrites;
	struct ckpt_write *to = arena_take(j->arena, (n + 1) * sizeof(*to), j->k->err);
	struct place *order = arena_take(j->arena, (n + 1) * sizeof(*order), j->k->err);

	if (!to || !order)
		return j->k->err->code;
	for (size_t i = 0; i < n; i++)
		order[i] = (struct place){ c->writes[i].seq, i };
	qsort(order, n, sizeof(*order), by_seq);
	for (size_t i = 0; i < n; i++) {
		to[i] = c->writes[order[i].at];
		if (!same_way)
			check_write(j, &to[i]);
		if (to[i].lock == CKPT_OPENED && seal(j, &to[i].type, &to[i].body) < 0)
			return j->k->err->code;
	}
	j->out->writes = to;
	j->out->nwrites = n;
	return 0;
}

/* ---- the same way ------------------------------------------------------------------------- */

static int copy_blobs(struct job *j)
{
	const struct ckpt_checkpoint *c = j->c;
	struct convert_blob *blobs = arena_take(
			j->arena, (c->nvalues + 1) * sizeof(*blobs), j->k->err);
	size_t n = 0;

	j->placed = arena_take(
			j->arena, (c->nvalues + 1) * sizeof(*j->placed), j->k->err);
	if (!blobs || !j->placed)
		return j->k->err->code;
	for (size_t i = 0; i < c->nvalues; i++) {
		struct placed *p = &j->placed[j->nplaced];
		struct ckpt_value row;

		*p = (struct placed){ .v = &c->values[i], .home = HOME_BLOB };
		if (!row_stored(&row, p->v) || sends_added(j, p->v))
			continue;
		if (!version_plain(j, p))
			return j->k->err->code;
		if (!p->version.p)
			continue;
		p->type = row.type;
		p->body = row.body;
		p->value = version_digest(&j->k->versions, p->body);
		j->nplaced++;
	}
	if (version_settle(j) < 0)
		return j->k->err->code;
	for (size_t i = 0; i < j->nplaced; i++) {
		const struct placed *p = &j->placed[i];

		if (!p->given || j->k->cfg.every)
			blobs[n++] = (struct convert_blob){ p->v->channel, p->version,
				p->type, p->body };
	}
	j->out->blobs = blobs;
	j->out->nblobs = n;
	return version_commit(j);
}

static bool any_opened(const struct ckpt_checkpoint *c)
{
	bool opened = c->lock == CKPT_OPENED;

	for (size_t i = 0; i < c->nvalues; i++)
		opened |= c->values[i].lock == CKPT_OPENED;
	for (size_t i = 0; i < c->nwrites; i++)
		opened |= c->writes[i].lock == CKPT_OPENED;
	return opened;
}

static int move(struct job *j)
{
	if (any_opened(j->c))
		return ckpt_fail(j->k->err, CKPT_EINTERNAL,
				"stored bytes are to be moved, and the scan has opened "
				"them");
	j->out->type = j->c->type;
	j->out->body = j->c->body;
	j->out->meta = j->c->meta;
	return j->k->cfg.to_apart ? copy_blobs(j) : 0;
}

/* ---- across ------------------------------------------------------------------------------- */

/* False: the container cannot be taken apart. */
static bool readable(struct job *j)
{
	const struct ckpt_checkpoint *c = j->c;
	const struct ckpt_view none = { NULL, 0 };
	struct ckpt_view inner;
	char shown[200];

	if (c->lock == CKPT_SHUT || (c->type.p && crypt_inner_type(c->type, &inner)))
		return care(j, CONVERT_CANNOT, "encrypted", none,
				"it is encrypted, and %s",
				c->lock == CKPT_SHUT ? "the key does not open it"
						     : "no key was given");
	if (c->opaque.p && !c->broken_why)
		return care(j, CONVERT_CANNOT, "type", none,
				"it is stored as '%s', which cannot be taken apart",
				ckpt_show_name(shown, c->type));
	if (c->broken_why || !c->skeleton.p)
		return care(j, CONVERT_CANNOT, "corrupt", none, "it cannot be read: %s",
				c->broken_why ? c->broken_why : "nothing is there");
	if (c->trailing)
		return care(j, CONVERT_CANNOT, "corrupt", none,
				"bytes follow the checkpoint");
	return true;
}

static int across(struct job *j)
{
	unsigned writer;
	int rc = 0;

	if (j->k->cfg.to_apart)
		check_key(j);
	if (!readable(j))
		return j->k->err->code;
	writer = ckpt_writer(j->c);
	if (!writer)
		care(j, CONVERT_CANNOT, "language", (struct ckpt_view){ NULL, 0 },
				"nothing in it tells whether Python or JavaScript wrote "
				"it");
	j->js = writer == CKPT_JS;
	/* JavaScript reads them among the writes in either store */
	if (j->k->cfg.to_apart && !j->js && j->before_v4)
		rc = sends_check(j);
	if (rc < 0)
		return rc;
	return j->k->cfg.to_apart ? convert_split(j) : convert_join(j);
}

/* ---- the interface ------------------------------------------------------------------------ */

int convert_open(struct convert **out, const struct convert_config *cfg,
		struct ckpt_error *err)
{
	struct convert *k = calloc(1, sizeof(*k));

	*out = NULL;
	if (!k)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	k->cfg = *cfg;
	k->err = err;
	k->limits = usual;
	k->canon = canon_new();
	if (!k->canon)
		ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	if (!k->canon || version_map_init(&k->versions, err) < 0) {
		convert_close(k);
		return err->code;
	}
	*out = k;
	return 0;
}

int convert_next(struct convert *k, struct convert_out *out,
		const struct ckpt_checkpoint *c, struct arena *arena)
{
	bool same_way = k->cfg.from_apart == k->cfg.to_apart;
	struct job j = { .k = k, .c = c, .arena = arena, .out = out };
	int rc = turn_to(k, &c->key);

	*out = (struct convert_out){ 0 };
	j.json = codec_reader(c->type) == &json_reader;
	sends_version(&j);
	if (rc == 0)
		rc = k->err->code;
	if (rc == 0)
		rc = same_way ? move(&j) : across(&j);
	if (rc == 0)
		rc = put_writes(&j, same_way);
	/* not before the writes have been looked at: a checkpoint goes as a whole or not */
	if (rc == 0 && !same_way && k->cfg.to_apart && !out->cannot)
		rc = version_commit(&j);
	if (rc == 0 && !same_way && k->cfg.to_apart && !out->cannot)
		rc = sends_keep(&j);
	return rc < 0 ? rc : k->err->code;
}

void convert_close(struct convert *k)
{
	if (!k)
		return;
	version_map_free(&k->versions);
	canon_free(k->canon);
	ckpt_buf_free(&k->thread);
	ckpt_buf_free(&k->ns);
	ckpt_buf_free(&k->body);
	ckpt_buf_free(&k->inlined);
	ckpt_buf_free(&k->tmp);
	ckpt_buf_free(&k->counts);
	free(k);
}
