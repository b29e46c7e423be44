/*
 * items.h - the border between the files that copy LangGraph's long-term memory, its tables store
 * and store_vectors, from one database into another: items.c takes them through migrate's phases,
 * items_side.c finds and reads the tables of one side, items_row.c says what a row becomes in the
 * other one, items_write.c makes tables and writes rows, items_vectors.c does the embeddings.
 */
#ifndef ITEMS_H
#define ITEMS_H

#include "match.h"
#include "migrate.h"
#include "sql.h"

struct items_side { /* the tables of one database */
	struct sql_store *sql;
	const char *store, *vectors; /* ready for SQL */
	const char *columns; /* of store, in the order of enum item_col, to select */
	bool server, js;     /* PostgreSQL; columns and separator of JavaScript's */
	bool there, has_expires, has_ttl, has_vectors;
};

enum item_col {
	ITEM_PREFIX,
	ITEM_KEY,
	ITEM_VALUE,
	ITEM_CREATED,
	ITEM_UPDATED,
	ITEM_EXPIRES,
	ITEM_TTL,
	ITEM_COLS
};

enum item_found { ITEM_MISSING, ITEM_SAME, ITEM_OTHER };
struct item {
	struct cell c[ITEM_COLS];
	enum item_found found; /* in the target, before it is written there */
};

enum items_phase {
	ITEMS_LOOK,
	ITEMS_COPY,
	ITEMS_VERIFY,
	ITEMS_COMPARE /* two stores that are only read */
};

#define ITEMS_BATCH 500
struct items { /* a phase at work */
	struct migrate *m;
	enum items_phase phase;
	struct items_side from, to;
	struct arena arena; /* of the batch */
	struct canon *canon;
	struct item rows[ITEMS_BATCH];
	size_t n, bytes;
	int64_t refused, different, rounded, same;
	bool vectors;          /* are carried */
	struct ckpt_error err; /* of a target that is only looked at */
};

/* ---- items.c: what migrate.c calls, each once its phase has come ------------------------------ */

/* Is there anything against copying them? Without --with-store: say that they stay behind. */
int items_look(struct migrate *);
int items_copy(struct migrate *);
int items_verify(struct migrate *);

/* ---- items.c: for the files beside it ---------------------------------------------------------- */

void items_note(struct items *, const char *fmt, ...)
		__attribute__((format(printf, 2, 3)));
/* Something of the item (field NULL: the item itself) is not carried as it should be. */
void items_tell(struct items *, const char *code, const struct item *,
		const struct ckpt_view *field, const char *what);
/* What went wrong with the target's connection becomes the run's failure; else `rc`. */
int items_told(struct items *, int rc);
/* A transaction of the target, unless it is only looked at. It ends only if this run is still the
 * one whose rows these are. */
int items_begin(struct items *);
int items_end(struct items *);

/* ---- items_side.c ------------------------------------------------------------------------------ */

static inline const char *items_prefix(const struct items_side *side)
{
	return side->js ? "namespace_path" : "prefix";
}

int items_side_look(struct items_side *out, struct sql_store *);
/* A name beside the checkpoints' tables, ready for SQL; lives as long as the store. NULL: memory. */
const char *items_table(struct sql_store *, const char *name);
/* The columns of a table, framed by spaces; "" if there is none. NULL: a failure. */
const char *items_columns(struct sql_store *, const char *table);
/* The first cell of the first row, a number, into `out`; it stays 0 where there is none. */
int items_number(struct sql_store *, const char *sql, int64_t *out);
int items_keep(struct cell *out, const struct cell *, struct arena *,
		struct ckpt_error *);
/* A time as SQL that gives RFC 3339, on a server. */
void items_time(struct ckpt_buf *, const char *column);
/* What the target has of each row of the batch, into `found`. */
int items_find(struct items *);

/* ---- items_row.c ------------------------------------------------------------------------------- */

/* Make of a row of the source what it is in the target; `*why` NULL, or a code of what keeps it
 * from being carried and `*what` in words. < 0 without memory. */
int item_turn(struct items *, struct item *, const char **why, const char **what);
int item_turn_time(struct items *, struct cell *);
/* 1 equal, 0 not, < 0 without memory. `there`: columns from ITEM_VALUE on count. */
int item_same(struct items *, const struct item *, const struct cell *there);
bool item_time_same(const struct cell *, const struct cell *);
/* The batch as a JSON array of arrays; only rows found so, or (-1) all; keys alone. */
int items_json(struct items *, struct ckpt_buf *to, int found, bool keys);

/* ---- items_write.c ----------------------------------------------------------------------------- */

int items_make(struct items *);
/* Rows that are missing; those that differ, too, if `over`. How many, or < 0. */
int items_put(struct items *, bool over);

/* ---- items_vectors.c --------------------------------------------------------------------------- */

/* Can the target hold the embeddings, if there are any? Then they are carried with their items, and
 * COPY makes the tables. Else it is said. */
int items_vectors_start(struct items *);
/* Those of an item that is in the target: written (COPY) or compared (VERIFY). */
int items_vectors(struct items *, const struct item *);

#endif
