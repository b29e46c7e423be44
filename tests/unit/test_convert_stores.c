/*
 * test_convert_stores.c - real stores through convert.c: every checkpoint of a SQLite file taken
 * apart, read as a scan of PostgreSQL would give it, and put together again.
 *
 * Without arguments it checks the fixtures in $FIXTURES. `STORE [KEY]` prints what became of a
 * store's checkpoints as JSON Lines, for tests that compare it with what LangGraph makes of it.
 */
#include "convert.h"
#include "codec.h"
#include "made.h"
#include "row.h"
#include "t.h"

struct kept { /* a blob of PostgreSQL's table, in the namespace that is being read */
	struct ckpt_view channel, version, type, body;
};

struct sent { /* a Send among the writes */
	struct ckpt_view id, type, body;
};

struct trip {
	struct ckpt_store *store;
	struct ckpt_error err;
	struct convert *apart, *back;
	struct crypt *crypt;
	struct arena arena, lasting; /* of a checkpoint; of a namespace */
	struct ckpt_key at;
	struct kept *kept;
	size_t nkept, capkept;
	struct sent *sent;
	size_t nsent, capsent;
	bool print;
	/* what was seen */
	size_t checkpoints, cannot, moved, renumbered, blobs, different, unlike;
};

/* ---- PostgreSQL's side -------------------------------------------------------------------- */

static void turn_to(struct trip *t, const struct ckpt_key *key)
{
	if (t->at.thread.p && ckpt_view_eq(t->at.thread, key->thread) &&
			ckpt_view_eq(t->at.ns, key->ns))
		return;
	arena_reset(&t->lasting);
	t->at.thread = arena_copy(&t->lasting, key->thread, &t->err);
	t->at.ns = arena_copy(&t->lasting, key->ns, &t->err);
	t->nkept = t->nsent = 0;
}

static void keep_blobs(struct trip *t, const struct convert_out *out)
{
	for (size_t i = 0; i < out->nblobs; i++) {
		const struct convert_blob *b = &out->blobs[i];

		if (t->nkept == t->capkept) {
			t->capkept = t->capkept ? 2 * t->capkept : 64;
			t->kept = realloc(t->kept, t->capkept * sizeof(*t->kept));
		}
		t->kept[t->nkept++] = (struct kept){
			arena_copy(&t->lasting, b->channel, &t->err),
			arena_copy(&t->lasting, b->version, &t->err),
			arena_copy(&t->lasting, b->type, &t->err),
			arena_copy(&t->lasting, b->body, &t->err),
		};
	}
}

static void keep_sends(struct trip *t, const struct ckpt_checkpoint *c)
{
	for (size_t i = 0; i < c->nwrites; i++) {
		const struct ckpt_write *w = &c->writes[i];

		if (!ckpt_view_eq(w->channel, CKPT_LIT("__pregel_tasks")))
			continue;
		if (t->nsent == t->capsent) {
			t->capsent = t->capsent ? 2 * t->capsent : 64;
			t->sent = realloc(t->sent, t->capsent * sizeof(*t->sent));
		}
		t->sent[t->nsent++] = (struct sent){
			arena_copy(&t->lasting, c->key.id, &t->err),
			arena_copy(&t->lasting, w->type, &t->err),
			arena_copy(&t->lasting, w->body, &t->err),
		};
	}
}

static void join_sends(struct trip *t, struct ckpt_checkpoint *pg)
{
	const struct row_reader r = { .arena = &t->arena, .err = &t->err };
	struct row_sends s = { .n = 0 };

	if (!row_wants_sends(pg))
		return;
	for (size_t i = 0; i < t->nsent; i++)
		if (ckpt_view_eq(t->sent[i].id, pg->parent))
			row_send(&r, &s, t->sent[i].type, t->sent[i].body);
	row_sends_end(&r, &s, pg);
}

/* A version as jsonb_each_text gives it. */
static struct ckpt_view plain(struct ckpt_view v)
{
	if (v.n > 1 && *(const char *)v.p == '"')
		return (struct ckpt_view){ (const char *)v.p + 1, v.n - 2 };
	return v;
}

static void join_blob(struct trip *t, struct ckpt_value *v)
{
	struct ckpt_view inner;

	for (size_t i = 0; v->version.p && i < t->nkept; i++) {
		const struct kept *k = &t->kept[i];

		if (!ckpt_view_eq(k->channel, v->channel) ||
				!ckpt_view_eq(k->version, plain(v->version)))
			continue;
		v->type = k->type;
		v->body = k->body;
		v->place = CKPT_BLOB;
		if (t->crypt && crypt_inner_type(k->type, &inner) &&
				crypt_open_row(t->crypt, k->body, &t->arena, &v->body,
						&t->err) == 1) {
			v->type = inner;
			v->lock = CKPT_OPENED;
		}
	}
}

/* The checkpoint as PostgreSQL's tables would give it. */
static struct ckpt_checkpoint stored(struct trip *t, const struct ckpt_checkpoint *c,
		const struct convert_out *out)
{
	struct ckpt_checkpoint pg = *c;

	keep_blobs(t, out);
	pg.type = (struct ckpt_view){ NULL, 0 };
	pg.lock = CKPT_OPEN;
	pg.meta = out->meta;
	pg.body = arena_copy(&t->arena, out->body, &t->err);
	codec_split(&pg, pg.body, &t->arena, &t->err);
	for (size_t i = 0; i < pg.nvalues; i++)
		join_blob(t, (struct ckpt_value *)(void *)&pg.values[i]);
	keep_sends(t, c);
	join_sends(t, &pg);
	return pg;
}

/* ---- comparing ---------------------------------------------------------------------------- */

static const struct ckpt_value *find(
		const struct ckpt_checkpoint *c, struct ckpt_view channel)
{
	for (size_t i = 0; i < c->nvalues; i++)
		if (ckpt_view_eq(c->values[i].channel, channel))
			return &c->values[i];
	return NULL;
}

/* Compared as they are rendered: JSON may have blanks elsewhere. */
static bool same_member(const struct ckpt_checkpoint *a, const struct ckpt_checkpoint *b,
		const char *name)
{
	struct ckpt_view type_a = a->type.p ? a->type : CKPT_LIT("json");
	struct ckpt_view type_b = b->type.p ? b->type : CKPT_LIT("json"), x, y;
	bool in_a = ckpt_value_member(&x, type_a, a->skeleton, name);
	bool in_b = ckpt_value_member(&y, type_b, b->skeleton, name);
	struct ckpt_render plain = { 0 };
	struct ckpt_buf s = { 0 }, t = { 0 };
	bool same = in_a == in_b;

	if (in_a && in_b) {
		ckpt_render_value(&s, type_a, x, &plain);
		ckpt_render_value(&t, type_b, y, &plain);
		same = ckpt_view_eq(ckpt_buf_view(&s), ckpt_buf_view(&t));
	}
	ckpt_buf_free(&s);
	ckpt_buf_free(&t);
	return same;
}

/* The same bytes; or, where plain values of old JSON became msgpack, the same value. */
static bool same_body(const struct ckpt_value *x, const struct ckpt_value *y)
{
	struct ckpt_render typed = { .typed = true };
	struct ckpt_buf s = { 0 }, t = { 0 };
	bool same = ckpt_view_eq(x->body, y->body);

	if (!same && !ckpt_view_eq(x->type, y->type)) {
		ckpt_render_value(&s, x->type, x->body, &typed);
		ckpt_render_value(&t, y->type, y->body, &typed);
		same = ckpt_view_eq(ckpt_buf_view(&s), ckpt_buf_view(&t));
	}
	ckpt_buf_free(&s);
	ckpt_buf_free(&t);
	return same;
}

/* Values that are not the same bytes after the way there and back. */
static void compare(struct trip *t, const struct ckpt_checkpoint *a,
		const struct ckpt_checkpoint *b)
{
	for (size_t i = 0; i < a->nvalues; i++) {
		const struct ckpt_value *x = &a->values[i], *y = find(b, x->channel);

		/* a snapshot stands for the checkpoints behind it, too */
		if (x->body.p && (!y || !same_body(x, y)))
			t->different++;
		if (!x->body.p && y && y->body.p &&
				(y->body.n < 7 ||
						(!memchr(y->body.p, 7, 6) &&
								*(const char *)y->body.p !=
										'{')))
			t->different++;
	}
	t->unlike += a->nvalues != b->nvalues;
	t->unlike += !same_member(a, b, "pending_sends") || !same_member(a, b, "id") ||
	             !same_member(a, b, "ts") || !same_member(a, b, "updated_channels");
}

/* ---- printing ----------------------------------------------------------------------------- */

static void put(struct ckpt_buf *to, const char *name, struct ckpt_view v)
{
	ckpt_buf_addf(to, "%s\"%s\":\"", to->n > 1 ? "," : "", name);
	ckpt_base64(to, v);
	ckpt_buf_puts(to, "\"");
}

static void print(const struct ckpt_checkpoint *c, const struct convert_out *out,
		const struct convert_out *back)
{
	struct ckpt_buf to = { 0 };

	ckpt_buf_puts(&to, "{");
	put(&to, "thread", c->key.thread);
	put(&to, "ns", c->key.ns);
	put(&to, "id", c->key.id);
	put(&to, "body", out->body);
	put(&to, "meta", out->meta);
	put(&to, "back_type", back->type);
	put(&to, "back", back->body);
	put(&to, "back_meta", back->meta);
	ckpt_buf_puts(&to, ",\"blobs\":[");
	for (size_t i = 0; i < out->nblobs; i++) {
		struct ckpt_buf blob = { 0 };

		ckpt_buf_puts(&blob, "{");
		put(&blob, "channel", out->blobs[i].channel);
		put(&blob, "version", out->blobs[i].version);
		put(&blob, "type", out->blobs[i].type);
		put(&blob, "body", out->blobs[i].body);
		ckpt_buf_addf(&to, "%s%s}", i ? "," : "", blob.p);
		ckpt_buf_free(&blob);
	}
	ckpt_buf_puts(&to, "],\"cares\":[");
	for (size_t i = 0; i < out->ncares; i++)
		ckpt_buf_addf(&to, "%s[\"%s\",%d,\"%.*s\"]", i ? "," : "",
				out->cares[i].code, (int)out->cares[i].action,
				(int)out->cares[i].channel.n,
				(const char *)out->cares[i].channel.p);
	printf("%s]}\n", to.p);
	ckpt_buf_free(&to);
}

/* ---- the way ------------------------------------------------------------------------------ */

static void travel(struct trip *t, const struct ckpt_checkpoint *c)
{
	struct convert_out out, back = { 0 };
	struct ckpt_checkpoint pg, again = *c;
	struct ckpt_view body;

	turn_to(t, &c->key);
	t->checkpoints++;
	if (convert_next(t->apart, &out, c, &t->arena) < 0)
		return;
	for (size_t i = 0; i < out.ncares; i++) {
		t->moved += out.cares[i].action == CONVERT_MOVED_TO_BLOB;
		t->renumbered += out.cares[i].action == CONVERT_RENUMBERED;
	}
	t->cannot += out.cannot;
	t->blobs += out.nblobs;
	if (!out.cannot) {
		pg = stored(t, c, &out);
		if (convert_next(t->back, &back, &pg, &t->arena) < 0)
			return;
		t->cannot += back.cannot;
		body = back.body;
		again.type = back.type;
		if (t->crypt && crypt_inner_type(back.type, &again.type))
			crypt_open_row(t->crypt, back.body, &t->arena, &body, &t->err);
		codec_split(&again, body, &t->arena, &t->err);
		compare(t, c, &again);
	}
	if (t->print)
		print(c, &out, &back);
}

static void run(struct trip *t, const char *path, const char *key)
{
	struct ckpt_config cfg = { .aes_key = key };
	struct ckpt_pick pick = { .depth = CKPT_VALUES, .writes = true };
	struct convert_config to = { .to_apart = true }, from = { .from_apart = true };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan = NULL;

	if (key && crypt_new(&t->crypt, ckpt_view_of(key), &t->err) < 0)
		return;
	to.crypt = from.crypt = t->crypt;
	if (ckpt_store_open(&t->store, path, &cfg, &t->err) < 0 ||
			convert_open(&t->apart, &to, &t->err) < 0 ||
			convert_open(&t->back, &from, &t->err) < 0 ||
			ckpt_scan_open(&scan, t->store, &pick) < 0)
		return;
	while (ckpt_scan_next(scan, &c) > 0 && !t->err.code) {
		travel(t, &c);
		arena_reset(&t->arena);
	}
	ckpt_scan_close(scan);
}

static void end(struct trip *t)
{
	convert_close(t->apart);
	convert_close(t->back);
	ckpt_store_close(t->store);
	crypt_free(t->crypt);
	arena_free(&t->arena);
	arena_free(&t->lasting);
	free(t->kept);
	free(t->sent);
}

static const struct {
	const char *name, *key;
	size_t checkpoints, cannot, moved, renumbered;
} fixtures[] = {
	{ "py-basic", NULL, 75, 0, 12, 2 },
	{ "py-aes", "0123456789abcdef0123456789abcdef", 39, 0, 0, 0 },
	{ "py-delta", NULL, 242, 0, 0, 2 }, /* a channel that became one */
	{ "py-hitl", NULL, 170, 0, 0, 0 },
	{ "py-ids", NULL, 182, 22, 0, 0 }, /* NUL in ids, backslashes in tasks */
	{ "py-meta", NULL, 100, 0, 0, 0 },
	{ "py-old-json", NULL, 67, 1, 0, 0 }, /* NUL in metadata, as in the next ones */
	{ "py-old-v1", NULL, 66, 1, 0, 0 }, { "py-old-v2", NULL, 66, 1, 0, 0 },
	{ "py-old-v3", NULL, 66, 1, 0, 0 }, { "py-old-v4", NULL, 66, 0, 0, 0 },
	{ "py-subgraph", NULL, 175, 0, 0, 0 }, { "py-upgraded", NULL, 87, 1, 0, 0 },
	{ "js-basic", NULL, 123, 0, 0, 25 }, /* branches that count alike */
};

int main(int argc, char **argv)
{
	const char *folder = getenv("FIXTURES");
	char path[4096];

	if (argc > 1) {
		struct trip t = { .print = true };

		run(&t, argv[1], argc > 2 ? argv[2] : NULL);
		if (t.err.code)
			fprintf(stderr, "%s\n", t.err.text);
		fprintf(stderr,
				"%zu checkpoints, %zu cannot, %zu moved, %zu renumbered, "
				"%zu blobs, %zu different, %zu unlike\n",
				t.checkpoints, t.cannot, t.moved, t.renumbered, t.blobs,
				t.different, t.unlike);
		end(&t);
		return t.err.code != 0;
	}
	for (size_t i = 0; i < LEN(fixtures); i++) {
		struct trip t = { .print = false };

		snprintf(path, sizeof(path), "%s/%s/store.db",
				folder ? folder : "build/fixtures", fixtures[i].name);
		run(&t, path, fixtures[i].key);
		ok(!t.err.code, "%s: read to its end: %s", fixtures[i].name, t.err.text);
		ok(t.checkpoints == fixtures[i].checkpoints &&
						t.cannot == fixtures[i].cannot &&
						t.moved == fixtures[i].moved &&
						t.renumbered == fixtures[i].renumbered,
				"%s: %zu checkpoints, %zu not, %zu moved, %zu renumbered",
				fixtures[i].name, t.checkpoints, t.cannot, t.moved,
				t.renumbered);
		ok(!t.different && !t.unlike, "%s: the same bytes after the way back",
				fixtures[i].name);
		end(&t);
	}
	return done();
}
