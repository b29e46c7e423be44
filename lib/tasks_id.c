/*
 * tasks_id.c - the ids that LangGraph gives to tasks and to the questions they ask, counted from
 * what is stored.
 *
 * Python: XXH3 (before v 2: SHA-1) of the checkpoint's 16 bytes, the path NS|NODE, the step, the
 * node, a kind and its parts, one behind the other, printed like a UUID. JavaScript: a UUIDv5 in
 * the namespace of the checkpoint's id, of the same parts as a JSON array. A question's id is the
 * XXH3 of the task's namespace, NS|NODE:TASK, with |K behind it after K answers.
 */
#include <nettle/sha1.h>

#include "hash.h"
#include "tasks.h"

#define PUSH "__pregel_push"
#define PULL "__pregel_pull"

static void add(struct ckpt_buf *to, struct ckpt_view v)
{
	ckpt_buf_add(to, v.p, v.n);
}

/* Of a task that another one has called, `who` names that other one as well. */
static void add_path(
		struct ckpt_buf *to, const struct tasks *t, const struct tasks_who *who)
{
	struct ckpt_view ns = t->c->key.ns;

	if (ns.n) {
		add(to, ns);
		ckpt_buf_puts(to, "|");
	}
	if (who->caller.p) {
		add(to, who->caller);
		ckpt_buf_puts(to, ":");
		add(to, who->caller_id);
		ckpt_buf_puts(to, "|");
	}
	add(to, who->node);
}

/* 32 digits as 8-4-4-4-12 */
static void dashed(char out[static TASK_ID], const char *hex)
{
	size_t n = 0;

	for (size_t i = 0; i < 32; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20)
			out[n++] = '-';
		out[n++] = hex[i];
	}
	out[n] = '\0';
}

static void sha1_hex(char out[static 33], struct ckpt_view v, bool uuid5)
{
	uint8_t sum[SHA1_DIGEST_SIZE];
	struct sha1_ctx ctx;

	sha1_init(&ctx);
	sha1_update(&ctx, v.n, v.p);
	sha1_digest(&ctx, sizeof(sum), sum);
	if (uuid5) {
		sum[6] = (uint8_t)((sum[6] & 0x0f) | 0x50);
		sum[8] = (uint8_t)((sum[8] & 0x3f) | 0x80);
	}
	for (size_t i = 0; i < 32; i++)
		out[i] = (char)hex_digit((sum[i / 2] >> (i % 2 ? 0 : 4)) & 15);
	out[32] = '\0';
}

/* ---- as JSON.stringify writes a string ------------------------------------------------------- */

static void js_string(struct ckpt_buf *to, struct ckpt_view v)
{
	static const char from[] = "\b\t\n\f\r\"\\", into[] = "btnfr\"\\";
	const char *p = v.p, *hit;

	ckpt_buf_puts(to, "\"");
	for (size_t i = 0; i < v.n; i++) {
		hit = p[i] ? strchr(from, p[i]) : NULL;
		if (hit)
			ckpt_buf_addf(to, "\\%c", into[hit - from]);
		else if ((unsigned char)p[i] < 0x20)
			ckpt_buf_addf(to, "\\u%04x", (unsigned)p[i]);
		else
			ckpt_buf_add(to, &p[i], 1);
	}
	ckpt_buf_puts(to, "\"");
}

/* ---- the parts ------------------------------------------------------------------------------- */

/* What all ids begin with. The kind and its parts follow. */
static void begin(struct ckpt_buf *to, const struct tasks *t, const struct tasks_who *who,
		const char *kind)
{
	struct ckpt_buf path = { 0 };

	ckpt_buf_add(to, t->id, t->nid);
	add_path(&path, t, who);
	if (t->js) {
		ckpt_buf_puts(to, "[");
		js_string(to, ckpt_buf_view(&path));
		ckpt_buf_addf(to, ",\"%lld\",", (long long)t->step);
		js_string(to, who->node);
		ckpt_buf_addf(to, ",\"%s\",", kind);
	} else {
		add(to, ckpt_buf_view(&path));
		ckpt_buf_addf(to, "%lld", (long long)t->step);
		add(to, who->node);
		ckpt_buf_puts(to, kind);
	}
	to->failed |= path.failed;
	ckpt_buf_free(&path);
}

static bool finish(const struct tasks *t, char out[static TASK_ID], struct ckpt_buf *b,
		bool old)
{
	bool good = !b->failed && t->nid && (!t->js || t->nid == 16);
	char hex[33];

	if (good && (t->js || old))
		sha1_hex(hex, ckpt_buf_view(b), t->js);
	else if (good)
		hash_hex128(hex, ckpt_buf_view(b));
	if (good)
		dashed(out, hex);
	ckpt_buf_free(b);
	return good;
}

bool tasks_id_push(const struct tasks *t, char out[static TASK_ID], struct ckpt_view node,
		size_t index)
{
	struct ckpt_buf b = { 0 };

	begin(&b, t, &(struct tasks_who){ .node = node }, PUSH);
	ckpt_buf_addf(&b, t->js ? "\"%zu\"]" : "%zu", index);
	return finish(t, out, &b, t->v < 2);
}

static void pull(struct ckpt_buf *b, const struct tasks *t, struct ckpt_view node,
		const struct ckpt_view *triggers, size_t n)
{
	begin(b, t, &(struct tasks_who){ .node = node }, PULL);
	if (t->js) {
		ckpt_buf_puts(b, "[");
		js_string(b, n ? triggers[0] : CKPT_LIT(""));
		ckpt_buf_puts(b, "]]");
	}
	for (size_t i = 0; i < n && !t->js; i++)
		add(b, triggers[i]);
}

bool tasks_id_pull(const struct tasks *t, char out[static TASK_ID], struct ckpt_view node,
		const struct ckpt_view *triggers, size_t n)
{
	struct ckpt_buf b = { 0 };

	pull(&b, t, node, triggers, n);
	return finish(t, out, &b, t->v < 2);
}

bool tasks_id_old(const struct tasks *t, char out[static TASK_ID], struct ckpt_view node,
		const struct ckpt_view *triggers, size_t n)
{
	struct ckpt_buf b = { 0 };

	pull(&b, t, node, triggers, n);
	return finish(t, out, &b, true);
}

bool tasks_id_handler(const struct tasks *t, char out[static TASK_ID],
		const struct tasks_who *who)
{
	struct ckpt_buf b = { 0 };

	begin(&b, t, who, PUSH);
	ckpt_buf_puts(&b, "node_error_handler");
	add(&b, who->caller_id);
	return finish(t, out, &b, t->v < 2);
}

void tasks_id_question(const struct tasks *t, char out[static 33],
		const struct tasks_who *who, struct ckpt_view task, int64_t k)
{
	struct ckpt_buf b = { 0 };

	add_path(&b, t, who);
	ckpt_buf_puts(&b, ":");
	add(&b, task);
	if (k > 0)
		ckpt_buf_addf(&b, "|%lld", (long long)k);
	hash_hex128(out, ckpt_buf_view(&b));
	ckpt_buf_free(&b);
}
