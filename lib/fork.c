/*
 * fork.c - a new branch from an old checkpoint.
 *
 * In the same thread it is a sibling: same parent, same values and versions, a new id, nothing
 * pending - what LangGraph writes for update_state(…, as_node="__copy__"). A sibling, not a child:
 * a child would count writes that hang on the old checkpoint into its delta channels. `v` stays,
 * because what a checkpoint before v 4 was sent is found through its parent, which is the same.
 * In another thread ids stay, and with them tasks, questions and subgraphs; of a checkpoint that the
 * thread went on from, what its step did is left out, so that it runs there as it does in a sibling.
 */
#include <inttypes.h>
#include <sys/random.h>

#include "codec.h"
#include "copy.h"
#include "course.h"
#include "splice.h"

struct ckpt_fork {
	struct ckpt_error *err;
	struct ckpt_fork_want want;
	struct ckpt_fork_about about;
	struct arena arena; /* what was read, and the new id */
	struct copy_set set;
	struct ckpt_view body, meta, type; /* of `at`; type NULL: jsonb */
	bool locked;                       /* kept under AES */
	bool js;
	int64_t step;
};

/* ---- the look -------------------------------------------------------------------------------- */

static int keep(struct ckpt_fork *f, struct ckpt_view *out, struct ckpt_view v)
{
	*out = v.p ? arena_copy(&f->arena, v, f->err) : v;
	return f->err->code;
}

/* Does the thread have a subgraph that keeps a state of its own? */
static int look_for_stateful(struct ckpt_fork *f, struct ckpt_store *s)
{
	struct ckpt_pick pick = { .key.thread = f->want.at.thread, .depth = CKPT_HEADS };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;
	int rc;

	pick.key.blob = f->want.at.blob & CKPT_BLOB_THREAD;
	rc = ckpt_scan_open(&scan, s, &pick);
	while (rc >= 0 && (rc = ckpt_scan_next(scan, &c)) > 0)
		f->about.stateful |= c.key.ns.n && !memchr(c.key.ns.p, ':', c.key.ns.n);
	ckpt_scan_close(scan);
	return rc;
}

static bool has_bad_meta(const struct ckpt_checkpoint *c)
{
	struct ckpt_render plain = { 0 };
	struct ckpt_buf text = { 0 };
	bool bad = c->meta.p &&
	           ckpt_render_value(&text, c->meta_type, c->meta, &plain) < 0;

	ckpt_buf_free(&text);
	return bad;
}

static int refuse_content(struct ckpt_fork *f, const struct ckpt_checkpoint *c,
		struct ckpt_store *s)
{
	if (c->lock == CKPT_SHUT || c->broken_why)
		return ckpt_fail(f->err, CKPT_ECORRUPT,
				"the checkpoint cannot be decoded: %s",
				c->broken_why ? c->broken_why
					      : "wrong key or damaged row");
	if (c->opaque.p) {
		ckpt_fail(f->err, CKPT_EREFUSED,
				"refused: a state of type %.*s cannot be given a new id",
				(int)(c->type.n < 40 ? c->type.n : 40),
				(const char *)c->type.p);
		ckpt_hint(f->err, "an encrypted one needs its key; or fork into another "
				  "thread: --thread-id NEW");
		return f->err->code;
	}
	if (has_bad_meta(c))
		return ckpt_fail(f->err, CKPT_ECORRUPT,
				"the checkpoint's metadata cannot be decoded");
	if (!f->js || !s->has_blobs)
		return 0;
	ckpt_fail(f->err, CKPT_EREFUSED,
			"refused: JavaScript numbers its blobs by counting, so two "
			"branches of a thread would overwrite each other's values");
	ckpt_hint(f->err, "fork into another thread: --thread-id NEW");
	return f->err->code;
}

static int read_it(struct ckpt_fork *f, struct ckpt_store *s)
{
	struct ckpt_pick pick = { .key = f->want.at, .depth = CKPT_VALUES };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan = NULL;
	int rc;

	pick.apart = true;
	rc = ckpt_scan_one(&scan, s, &pick, &c);
	if (rc == 0)
		rc = ckpt_fail(f->err, CKPT_ENOTFOUND, "the checkpoint is gone");
	if (rc > 0) {
		f->js = ckpt_writer(&c) == CKPT_JS;
		f->locked = c.lock == CKPT_OPENED;
		if (!ckpt_meta_int(&f->step, c.meta, "step"))
			f->step = 0;
		rc = refuse_content(f, &c, s);
		keep(f, &f->body, c.body);
		keep(f, &f->meta, c.meta);
		keep(f, &f->type, c.type);
	}
	ckpt_scan_close(scan);
	return rc < 0 ? rc : f->err->code;
}

int ckpt_fork_plan(struct ckpt_fork **out, struct ckpt_store *s,
		const struct ckpt_fork_want *want)
{
	struct ckpt_fork *f = calloc(1, sizeof(*f));
	int rc;

	*out = f;
	if (!f)
		return ckpt_fail(s->err, CKPT_ENOMEM, "out of memory");
	f->err = s->err;
	f->want = *want;
	rc = edit_possible(s);
	if (rc == 0 && want->at.ns.n)
		rc = ckpt_fail(f->err, CKPT_EREFUSED,
				"refused: a subgraph's branch would not be called by any "
				"step; fork the root namespace");
	if (rc == 0)
		rc = course_newest(&f->about.head, s, &want->at, &f->arena);
	if (rc >= 0 && want->to.p) {
		/* what the thread went on from runs again, where it stands now stays */
		bool head = ckpt_view_eq(want->at.id, f->about.head);

		f->about.rerun = !head;
		rc = copy_refuse(sql_of(s), want->to);
		rc = rc < 0 ? rc : copy_set_at(&f->set, s, &want->at, head);
	} else if (rc >= 0) {
		f->about.rerun = true;
		rc = read_it(f, s);
	}
	return rc < 0 ? rc : look_for_stateful(f, s);
}

void ckpt_fork_about(const struct ckpt_fork *f, struct ckpt_fork_about *out)
{
	*out = f->about;
}

void ckpt_fork_free(struct ckpt_fork *f)
{
	if (!f)
		return;
	copy_set_free(&f->set);
	arena_free(&f->arena);
	free(f);
}

/* ---- the new row ----------------------------------------------------------------------------- */

#define ID_SIZE 37
#define TICKS_1970 0x01b21dd213814000 /* 100 ns since 1582 */

/* An id that sorts behind all others without being ahead of time, as LangGraph makes them: time,
 * the step in place of a clock sequence, random digits. */
static int make_id(struct ckpt_fork *f, char out[static ID_SIZE], int64_t now)
{
	int64_t head = ckpt_time_of_id(f->about.head);
	uint64_t ticks = (uint64_t)(now / 100) + TICKS_1970, random;
	struct ckpt_view id = { out, ID_SIZE - 1 };
	unsigned step = (unsigned)(f->step + 1) & 0x3fff;

	if (head != CKPT_UNKNOWN && head >= now)
		ticks = (uint64_t)(head / 100) + TICKS_1970 + 1;
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return ckpt_fail(f->err, CKPT_EIO, "no random bytes");
	snprintf(out, ID_SIZE,
			"%08" PRIx64 "-%04" PRIx64 "-6%03" PRIx64 "-%04x-%012" PRIx64,
			ticks >> 28 & 0xffffffff, ticks >> 12 & 0xffff, ticks & 0xfff,
			0x8000 | step, random & 0xffffffffffff);
	if (ckpt_view_cmp(id, f->about.head) > 0)
		return 0;
	ckpt_fail(f->err, CKPT_EREFUSED,
			"refused: no new id sorts behind the newest one, '%.60s'",
			(const char *)f->about.head.p);
	ckpt_hint(f->err, "fork into another thread: --thread-id NEW");
	return f->err->code;
}

/* As Python's isoformat() or JavaScript's toISOString() has it. */
static void put_time(struct ckpt_buf *to, int64_t now, bool js)
{
	int64_t second = now - now % 1000000000, rest = now % 1000000000;
	char text[40];

	ckpt_time_print(text, second);
	ckpt_buf_add(to, text, strcspn(text, "Z"));
	if (js)
		ckpt_buf_addf(to, ".%03" PRId64 "Z", rest / 1000000);
	else
		ckpt_buf_addf(to, ".%06" PRId64 "+00:00", rest / 1000);
}

static void put_text(struct ckpt_buf *to, bool json, struct ckpt_view text)
{
	if (json)
		ckpt_json_string(to, text);
	else
		msgpack_str(to, text);
}

/* The container with its new id and time; a list of updated channels would say what may run. */
static int make_body(
		struct ckpt_fork *f, struct ckpt_buf *to, const char *id, int64_t now)
{
	const struct reader_ops *ops = f->type.p ? codec_reader(f->type) : &json_reader;
	bool json = ops == &json_reader;
	struct ckpt_buf time = { 0 }, text[3] = { { 0 }, { 0 }, { 0 } };
	struct splice edits[3];
	int rc;

	put_time(&time, now, f->js);
	put_text(&text[0], json, ckpt_view_of(id));
	put_text(&text[1], json, ckpt_buf_view(&time));
	if (json)
		ckpt_buf_puts(&text[2], "null");
	else
		msgpack_nil(&text[2]);
	edits[0] = (struct splice){ "id", ckpt_buf_view(&text[0]) };
	edits[1] = (struct splice){ "ts", ckpt_buf_view(&text[1]) };
	edits[2] = (struct splice){ "updated_channels", ckpt_buf_view(&text[2]) };
	rc = time.failed || text[0].failed || text[1].failed || text[2].failed
	                     ? CKPT_ENOMEM
	                     : splice_map(to, ops, f->body, edits, 3);
	ckpt_buf_free(&time);
	for (size_t i = 0; i < 3; i++)
		ckpt_buf_free(&text[i]);
	return rc < 0 ? ckpt_fail(f->err, rc, "%s",
					rc == CKPT_ENOMEM ? "out of memory"
							  : "the checkpoint cannot be "
							    "decoded")
	              : 0;
}

/* What `__copy__` keeps of the metadata: what the branch needs, no tags of the run. */
static int make_meta(struct ckpt_fork *f, struct ckpt_buf *to)
{
	static const char *const kept[] = { "parents", "counters_since_delta_snapshot",
		"delta_writes_versioned" };
	const char *colon = f->js ? ":" : ": ", *comma = f->js ? "," : ", ";
	struct ckpt_view v;

	ckpt_buf_addf(to, "{\"source\"%s\"fork\"%s\"step\"%s%" PRId64, colon, comma,
			colon, f->step + 1);
	for (size_t i = 0; i < 3; i++) {
		if (!ckpt_value_member(&v, CKPT_LIT("json"), f->meta, kept[i]))
			continue;
		ckpt_buf_addf(to, "%s\"%s\"%s", comma, kept[i], colon);
		ckpt_buf_add(to, v.p, v.n);
	}
	ckpt_buf_puts(to, "}");
	return to->failed ? ckpt_fail(f->err, CKPT_ENOMEM, "out of memory") : 0;
}

/* ---- the run --------------------------------------------------------------------------------- */

static int insert(struct ckpt_fork *f, struct edit *e, const char *id,
		struct ckpt_view rows[2])
{
	/* each column in the class it has in the row that is forked */
	static const char sqlite[] =
			"INSERT INTO {checkpoints} (thread_id, checkpoint_ns, "
			"checkpoint_id, parent_checkpoint_id, type, checkpoint, "
			"metadata) SELECT thread_id, checkpoint_ns, $4, "
			"parent_checkpoint_id, type, CASE typeof(checkpoint) WHEN 'text' "
			"THEN CAST($5 AS TEXT) ELSE $5 END, CASE typeof(metadata) WHEN "
			"'text' THEN CAST($6 AS TEXT) ELSE $6 END FROM {checkpoints} "
			"WHERE thread_id = $1 AND checkpoint_ns = $2 AND checkpoint_id = "
			"$3";
	static const char postgres[] =
			"INSERT INTO {checkpoints} (thread_id, checkpoint_ns, "
			"checkpoint_id, parent_checkpoint_id, type, checkpoint, "
			"metadata) SELECT thread_id, checkpoint_ns, $4::text, "
			"parent_checkpoint_id, type, $5::text::jsonb, $6::text::jsonb "
			"FROM {checkpoints} WHERE thread_id = $1 AND checkpoint_ns = $2 "
			"AND checkpoint_id = $3";
	enum cell_kind kind = e->server ? CELL_TEXT : CELL_BLOB;
	struct cell args[6];
	int n;

	sql_key_cells(args, &f->want.at);
	args[3] = sql_key_cell(ckpt_view_of(id), f->want.at.blob & CKPT_BLOB_ID);
	args[4] = (struct cell){ .kind = kind, .v = rows[0] };
	args[5] = (struct cell){ .kind = kind, .v = rows[1] };
	n = edit_exec(e, e->server ? postgres : sqlite, args, 6);
	if (n == 0)
		return ckpt_fail(e->err, CKPT_EREFUSED,
				"refused: the checkpoint is gone meanwhile");
	return n < 0 ? n : 0;
}

static int add_sibling(struct ckpt_fork *f, struct edit *e, char id[static ID_SIZE])
{
	struct ckpt_buf body = { 0 }, meta = { 0 };
	struct ckpt_view rows[2], sealed;
	int64_t now = ckpt_now();

	if (make_id(f, id, now) == 0 && make_body(f, &body, id, now) == 0 &&
			make_meta(f, &meta) == 0) {
		rows[0] = ckpt_buf_view(&body);
		rows[1] = ckpt_buf_view(&meta);
		if (f->locked && crypt_seal_row(e->sql->base.crypt, rows[0], &f->arena,
						 &sealed, f->err) == 0)
			rows[0] = sealed;
		if (f->err->code == 0)
			insert(f, e, id, rows);
	}
	ckpt_buf_free(&body);
	ckpt_buf_free(&meta);
	return f->err->code;
}

static int change(struct ckpt_fork *f, struct edit *e, char id[static ID_SIZE])
{
	const struct copy_want want = { .thread = f->want.at.thread,
		.to = f->want.to,
		.blob = f->want.at.blob & CKPT_BLOB_THREAD,
		.set = &f->set };
	struct ckpt_receipt rows;
	int rc = course_unchanged(e, &f->want.at, f->about.head);

	if (rc == 0)
		rc = f->want.to.p ? copy_rows(e, &want, &rows) : add_sibling(f, e, id);
	/* a server's writers do not wait for us: who came in between is seen by now */
	if (rc >= 0)
		rc = course_unchanged(e, &f->want.at,
				f->want.to.p ? f->about.head : ckpt_view_of(id));
	return rc < 0 ? rc : edit_commit(e);
}

int ckpt_fork_run(struct ckpt_fork *f, const char *store,
		const struct ckpt_config *config, struct ckpt_key *out)
{
	const struct edit_want want = { .verb = "resume", .needs = "SELECT, INSERT" };
	char id[ID_SIZE] = "";
	struct edit *e;

	*out = f->want.at;
	if (edit_open(&e, store, config, &want, f->err) < 0)
		return f->err->code;
	if (edit_begin(e) == 0 && change(f, e, id) == 0) {
		if (f->want.to.p)
			out->thread = f->want.to;
		else
			out->id = arena_copy(&f->arena, ckpt_view_of(id), f->err);
	}
	edit_close(e);
	return f->err->code;
}
