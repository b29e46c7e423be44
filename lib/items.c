/*
 * items.c - LangGraph's long-term memory on its way into another database, beside migrate.c's
 * checkpoints: is there anything against it, copy in batches, compare by value. Each phase goes
 * over the source's rows in the same way; tables, rows and statements are the other items_*.c's.
 */
#include <stdarg.h>

#include "dump.h"
#include "failpoint.h"
#include "items.h"
#include "target_sql.h"

#define BATCH_BYTES ((size_t)1 << 20)

/* ---- what is said ------------------------------------------------------------------------------ */

void items_note(struct items *w, const char *fmt, ...)
{
	const struct ckpt_config *config = &w->m->config;
	char line[300];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (config->note)
		config->note(config->arg, line);
}

void items_tell(struct items *w, const char *code, const struct item *it,
		const struct ckpt_view *field, const char *what)
{
	const struct ckpt_migrate_how *how = w->m->how;
	struct ckpt_care care = { .code = code,
		.action = strncmp(code, "store_", 6) == 0 && how->reject_item
		                          ? CKPT_CARE_QUARANTINE
		                          : CKPT_CARE_REFUSE };
	struct ckpt_buf text = { 0 };
	char name[200];

	if (w->phase == ITEMS_COMPARE) {
		care.key.thread = it->c[ITEM_PREFIX].v;
		care.key.ns = ckpt_view_of("");
		care.key.id = it->c[ITEM_KEY].v;
	}
	if (w->phase != ITEMS_COMPARE) {
		ckpt_buf_addf(&text, "item %s ",
				ckpt_show_name(name, it->c[ITEM_PREFIX].v));
		ckpt_buf_addf(&text, "%s%s", ckpt_show_name(name, it->c[ITEM_KEY].v),
				field ? ", " : ": ");
	}
	if (field)
		ckpt_buf_addf(&text,
				"embedding of %.60s: ", ckpt_show_name(name, *field));
	ckpt_buf_puts(&text, what);
	care.detail = ckpt_buf_view(&text);
	if (w->m->how->care && !text.failed)
		w->m->how->care(w->m->how->arg, &care);
	ckpt_buf_free(&text);
}

static bool writes(const struct items *w)
{
	return w->phase == ITEMS_COPY ||
	       w->phase == ITEMS_VERIFY; /* is on that connection */
}

int items_told(struct items *w, int rc)
{
	if (writes(w))
		return target_told(sql_target_main(w->m->target), rc);
	if (w->err.code && !w->m->err->code)
		*w->m->err = w->err;
	return w->m->err->code ? w->m->err->code : rc;
}

/* ---- transactions ------------------------------------------------------------------------------ */

int items_begin(struct items *w)
{
	struct conn *conn = w->to.sql ? w->to.sql->conn : NULL;

	return writes(w) ? items_told(w, conn->driver->begin(conn)) : 0;
}

int items_end(struct items *w)
{
	struct sql_target *t;
	struct cell args[2];
	int rc = 1;

	if (!writes(w))
		return 0;
	t = sql_target_main(w->m->target);
	args[0] = text_cell(t->source);
	args[1] = text_cell(t->run);
	if (w->phase == ITEMS_COPY)
		rc = target_progress(t,
				"UPDATE @ SET batches = batches + 1 WHERE source = $1 "
				"AND run = $2",
				args, 2);
	t->taken = rc == 0;
	if (rc == 0)
		ckpt_fail(&t->own, CKPT_EBUSY,
				"another ckpt took over this migration; it goes on "
				"there");
	FAILPOINT("migrate.items.before");
	if (rc > 0)
		rc = t->sql->conn->driver->commit(t->sql->conn);
	FAILPOINT("migrate.items.after");
	return items_told(w, rc);
}

/* ---- the batches ------------------------------------------------------------------------------- */

/* Rows of the target that are there and differ, or (VERIFY) are not as they should be. */
static void judge(struct items *w)
{
	bool skip = w->m->how->on_conflict == CKPT_CONFLICT_SKIP;
	bool over = w->m->how->on_conflict == CKPT_CONFLICT_OVERWRITE;

	for (size_t i = 0; i < w->n; i++) {
		const struct item *it = &w->rows[i];
		bool wrong = it->found == ITEM_OTHER && !skip;

		w->same += it->found == ITEM_SAME;
		if (w->phase >= ITEMS_VERIFY)
			wrong |= it->found == ITEM_MISSING;
		else if (over)
			wrong = false;
		if (!wrong)
			continue;
		w->different++;
		if (it->found == ITEM_MISSING)
			items_tell(w, "missing", it, NULL, "not in the target");
		else
			items_tell(w, "different", it, NULL, "the target's differs");
	}
}

static int end_batch(struct items *w)
{
	bool over = w->m->how->on_conflict == CKPT_CONFLICT_OVERWRITE;
	const struct ckpt_config *config = &w->m->config;
	int n = 0, rc = w->n ? items_begin(w) : 0;

	if (rc >= 0)
		rc = items_find(w);
	if (rc >= 0)
		judge(w);
	if (rc >= 0 && w->phase == ITEMS_COPY && !w->different)
		n = rc = items_put(w, over);
	for (size_t i = 0; i < w->n && rc >= 0 && w->vectors && !w->different; i++) {
		if (over || w->rows[i].found != ITEM_OTHER)
			rc = items_vectors(w, &w->rows[i]);
	}
	if (rc >= 0 && w->n)
		rc = items_end(w);
	if (rc >= 0)
		w->m->sum->store_items += n;
	w->n = w->bytes = 0;
	arena_reset(&w->arena);
	if (rc >= 0 && config->stop && config->stop(config->arg))
		rc = ckpt_fail(w->m->err, CKPT_EINTERRUPTED, "stopped by a signal");
	return rc;
}

/* The row as it was, and why: a line of a quarantine file. */
static int reject(struct items *w, const struct cell *row, const char *code,
		const char *why)
{
	static const char *const names[ITEM_COLS] = { "prefix", "key", "value",
		"created_at", "updated_at", "expires_at", "ttl_minutes" };
	const struct ckpt_migrate_how *how = w->m->how;
	struct ckpt_buf line = { 0 };
	int rc;

	ckpt_buf_puts(&line, "{\"item\":{");
	for (size_t i = 0; i < ITEM_COLS; i++)
		dump_text(&line, names[i], row[i].v, row[i].kind == CELL_BLOB);
	dump_text(&line, "code", ckpt_view_of(code), false);
	dump_text(&line, "detail", ckpt_view_of(why), false);
	ckpt_buf_puts(&line, "}}\n");
	rc = line.failed ? ckpt_fail(w->m->err, CKPT_ENOMEM, "out of memory")
	                 : how->reject_item(how->arg, ckpt_buf_view(&line));
	ckpt_buf_free(&line);
	return rc;
}

/* One that cannot be carried: told when it is first seen, put away when the others are copied. */
static int refuse(struct items *w, const struct cell *row, const char *code,
		const char *why)
{
	struct item it = { .found = ITEM_MISSING };
	bool away = w->m->how->reject_item;

	it.c[ITEM_PREFIX] = row[ITEM_PREFIX];
	it.c[ITEM_KEY] = row[ITEM_KEY];
	if (w->phase == ITEMS_COPY && away)
		return reject(w, row, code, why);
	if (w->phase != ITEMS_VERIFY)
		items_tell(w, code, &it, NULL, why);
	if (!away)
		w->refused++;
	else if (w->phase == ITEMS_LOOK)
		w->m->sum->quarantined++;
	return 0;
}

static int add(struct items *w, const struct cell *row)
{
	struct item *it = &w->rows[w->n];
	const char *code, *why = NULL;
	int rc = 0;

	it->found = ITEM_MISSING;
	for (size_t i = 0; i < ITEM_COLS && rc >= 0; i++) {
		rc = items_keep(&it->c[i], &row[i], &w->arena, w->m->err);
		w->bytes += row[i].v.n;
	}
	if (rc >= 0)
		rc = item_turn(w, it, &code, &why);
	if (rc < 0)
		return rc;
	if (why)
		return refuse(w, row, code, why);
	w->n++;
	return w->n == ITEMS_BATCH || w->bytes >= BATCH_BYTES ? end_batch(w) : 0;
}

static int pass(struct items *w)
{
	struct ckpt_buf sql = { 0 };
	struct cell row[ITEM_COLS];
	struct cursor *cur = NULL;
	int rc;

	ckpt_buf_addf(&sql, "SELECT %s FROM %s s%s", w->from.columns, w->from.store,
			w->from.sql->dialect->as_stored);
	if (sql.failed)
		rc = ckpt_fail(w->m->err, CKPT_ENOMEM, "out of memory");
	else
		rc = sql_query(&cur, w->from.sql, sql.p, NULL, 0);
	while (rc >= 0 && (rc = sql_next(cur, row, ITEM_COLS)) > 0)
		rc = add(w, row);
	sql_done(cur);
	ckpt_buf_free(&sql);
	if (rc >= 0)
		rc = end_batch(w);
	return rc;
}

/* ---- both sides -------------------------------------------------------------------------------- */

static bool is_sql(const struct ckpt_store *s)
{
	return s->backend == &sqlite_backend || s->backend == &postgres_backend;
}

/* Tables that are not there will be made in the source's language where the engine has it. */
static void assume(struct items *w)
{
	if (w->to.there)
		return;
	w->to.js = w->to.server && w->from.js;
	w->to.has_expires = true;
	w->to.has_ttl = !w->to.js;
}

/* The target as it is, which may be nothing yet. */
static int open_target(struct items *w, struct ckpt_store **out)
{
	struct ckpt_config quiet = w->m->config;
	struct store_name n;
	int rc = store_resolve(&n, w->m->at, w->m->err);

	if (rc >= 0 && n.backend != &sqlite_backend && n.backend != &postgres_backend) {
		rc = ckpt_fail(w->m->err, CKPT_EREFUSED,
				"an archive has no place for long-term memory");
		ckpt_hint(w->m->err, "without --with-store the checkpoints are copied");
	}
	w->to.server = n.backend == &postgres_backend;
	store_name_free(&n);
	if (rc < 0)
		return rc;
	quiet.note = NULL; /* said before */
	if (ckpt_store_open(out, w->m->at, &quiet, &w->err) == 0)
		items_side_look(&w->to, sql_of(*out));
	else
		w->err = (struct ckpt_error){ 0 };
	assume(w);
	return items_told(w, 0);
}

static int start(struct items **out, struct migrate *m, enum items_phase phase)
{
	struct items *w = calloc(1, sizeof(*w));

	*out = w;
	if (w)
		w->canon = canon_new();
	if (!w || !w->canon)
		return ckpt_fail(m->err, CKPT_ENOMEM, "out of memory");
	w->m = m;
	w->phase = phase;
	return items_side_look(&w->from, sql_of(m->source));
}

static void finish(struct items *w)
{
	if (!w)
		return;
	canon_free(w->canon);
	arena_free(&w->arena);
	free(w);
}

/* ---- the phases -------------------------------------------------------------------------------- */

static int left_behind(struct items *w)
{
	struct ckpt_buf sql = { 0 };
	int64_t n = 0;
	int rc;

	ckpt_buf_addf(&sql, "SELECT count(*) FROM %s", w->from.store);
	rc = sql.failed ? ckpt_fail(w->m->err, CKPT_ENOMEM, "out of memory")
	                : items_number(w->from.sql, sql.p, &n);
	ckpt_buf_free(&sql);
	if (rc >= 0 && n)
		items_note(w,
				"%lld items of long-term memory stay behind; "
				"--with-store "
				"copies them",
				(long long)n);
	return rc;
}

static int verdict(struct items *w)
{
	struct ckpt_error *err = w->m->err;

	if (w->rounded)
		items_note(w,
				"ttl_minutes of %lld items is rounded: PostgreSQL keeps "
				"whole minutes",
				(long long)w->rounded);
	if (w->refused) {
		ckpt_fail(err, CKPT_EREFUSED,
				"%lld items of long-term memory cannot be carried; "
				"nothing was written",
				(long long)w->refused);
		ckpt_hint(err, "without --with-store the checkpoints are copied");
	} else if (w->different) {
		ckpt_fail(err, CKPT_ECORRUPT,
				"%lld items of long-term memory are in the target with "
				"other contents",
				(long long)w->different);
		ckpt_hint(err, "--on-conflict skip|overwrite says which of the two to "
			       "keep");
	}
	return err->code;
}

int items_look(struct migrate *m)
{
	struct ckpt_store *target = NULL;
	struct items *w = NULL;
	int rc = 0;

	if (!is_sql(m->source)) {
		if (m->how->with_store)
			rc = ckpt_fail(m->err, CKPT_EREFUSED,
					"an archive holds no long-term memory");
		return rc;
	}
	rc = start(&w, m, ITEMS_LOOK);
	if (rc >= 0 && m->how->with_store)
		rc = open_target(w, &target);
	if (rc >= 0 && w->from.there)
		rc = !m->how->with_store          ? left_behind(w)
		     : items_vectors_start(w) < 0 ? m->err->code
		                                  : pass(w);
	if (rc >= 0)
		rc = verdict(w);
	ckpt_store_close(target);
	finish(w);
	return rc < 0 ? rc : 0;
}

static int look_at_tables(struct items *w)
{
	int rc = items_told(w, items_side_look(&w->to, w->to.sql));

	assume(w);
	if (rc < 0 || w->to.there || w->phase != ITEMS_COPY)
		return rc;
	rc = items_make(w);
	return rc < 0 ? rc : items_told(w, items_side_look(&w->to, w->to.sql));
}

/* COPY and VERIFY: on the connection that writes. */
static int go(struct migrate *m, enum items_phase phase)
{
	struct items *w = NULL;
	int rc;

	if (!m->how->with_store)
		return 0;
	rc = start(&w, m, phase);
	if (rc < 0 || !w->from.there) {
		finish(w);
		return rc;
	}
	w->to.sql = sql_target_main(m->target)->sql;
	rc = items_begin(w);
	if (rc >= 0)
		rc = look_at_tables(w);
	if (rc >= 0)
		rc = items_vectors_start(w);
	if (rc >= 0)
		rc = items_end(w);
	if (rc >= 0)
		rc = pass(w);
	if (rc >= 0 && phase == ITEMS_COPY && w->different)
		rc = verdict(w);
	m->sum->different += phase == ITEMS_VERIFY ? w->different : 0;
	finish(w);
	return rc < 0 ? rc : 0;
}

int items_copy(struct migrate *m)
{
	return go(m, ITEMS_COPY);
}

int items_verify(struct migrate *m)
{
	return go(m, ITEMS_VERIFY);
}

int ckpt_items_compare(struct ckpt_store *a, struct ckpt_store *b,
		const struct ckpt_migrate_how *how, int64_t *same)
{
	struct ckpt_migrate_sum sum = { 0 };
	struct migrate m = { .source = a, .how = how, .sum = &sum, .err = a->err };
	struct items *w = NULL;
	int rc;

	if (!is_sql(a) || !is_sql(b))
		return ckpt_fail(a->err, CKPT_EREFUSED,
				"an archive has no place for long-term memory");
	rc = start(&w, &m, ITEMS_COMPARE);
	if (rc >= 0 && w->from.there) {
		w->to.sql = sql_of(b);
		w->to.server = b->backend == &postgres_backend;
		rc = items_side_look(&w->to, w->to.sql);
		assume(w);
		if (rc >= 0)
			rc = items_vectors_start(w);
		if (rc >= 0)
			rc = pass(w);
		*same += w->same;
	}
	finish(w);
	return rc < 0 ? rc : 0;
}
