/*
 * sql_bounds.c - the rows that a pick means: the WHERE of its bounds, their arguments, and the
 * cursor over them. What is selected of a row, and in which order, is for whoever asks.
 */
#include "ahead.h"
#include "sql_scan.h"

/* Where keys are always text, one of bytes is nowhere, and asking for it would be an error. */
void sql_bounds(struct ckpt_buf *b, const struct sql_store *store,
		const char *const cols[3], const struct ckpt_key *key, const char *word)
{
	const struct ckpt_view part[3] = { key->thread, key->ns, key->id };

	for (unsigned i = 0; i < 3; i++) {
		if (!part[i].p)
			continue;
		if (store->dialect->text_keys && key->blob & 1U << i)
			ckpt_buf_addf(b, "%sfalse", word);
		else
			ckpt_buf_addf(b, "%s%s = $%u", word, cols[i], i + 1);
		word = " AND ";
	}
}

/* In the order of the index. */
const char *sql_threads(struct ckpt_buf *b, const char *thread,
		const struct ckpt_pick *pick, const char *word)
{
	if (pick->thread_from.v.p) {
		ckpt_buf_addf(b, "%s%s >= $7", word, thread);
		word = " AND ";
	}
	if (pick->thread_upto.v.p) {
		ckpt_buf_addf(b, "%s%s < $8", word, thread);
		word = " AND ";
	}
	return word;
}

const char *sql_within(struct ckpt_buf *b, const struct sql_store *store,
		const char *const cols[3], const struct ckpt_pick *pick)
{
	const struct ckpt_key *k = &pick->key;
	const char *by = store->dialect->by_bytes;

	sql_bounds(b, store, cols, k, " WHERE ");
	if (pick->from.p)
		ckpt_buf_addf(b, " AND %s%s >= $5", cols[2], by);
	if (pick->upto.p)
		ckpt_buf_addf(b, " AND %s%s <= $6", cols[2], by);
	return sql_threads(b, cols[0], pick,
			k->thread.p || k->ns.p || k->id.p ? " AND " : " WHERE ");
}

void sql_args(struct cell out[static SQL_ARGS], const struct ckpt_pick *p)
{
	bool blob_id = p->key.blob & CKPT_BLOB_ID;

	sql_key_cells(out, &p->key);
	out[3] = (struct cell){ .kind = CELL_INT, .i = p->limit };
	out[4] = sql_key_cell(p->from, blob_id);
	out[5] = sql_key_cell(p->upto, blob_id);
	out[6] = sql_key_cell(p->thread_from.v, p->thread_from.blob);
	out[7] = sql_key_cell(p->thread_upto.v, p->thread_upto.blob);
}

int sql_scan_query(
		struct cursor **out, struct sql_scan *s, const char *sql, size_t ncells)
{
	struct sql_store *store = sql_of(s->base.store);
	const struct ckpt_pick *p = &s->pick;
	struct cell args[SQL_ARGS];
	const struct ahead_want want = {
		.sql = sql, .args = args, .nargs = SQL_ARGS, .ncells = ncells
	};

	sql_args(args, p);
	if (p->depth == CKPT_HEADS && s->started) {
		args[0] = s->at[0];
		args[1] = s->at[1];
	}
	*out = NULL;
	if (p->terse && p->rows == CKPT_WHOLE && sql_lies(p) &&
			ahead_threads(s->base.store, 2) > 1)
		ahead_query(out, store->conn, &want);
	if (!*out && !store->base.err->code)
		sql_query(out, store, sql, args, SQL_ARGS);
	return store->base.err->code;
}
