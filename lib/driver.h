/*
 * driver.h - a database engine in a few functions. SQL text uses $1 $2 … on every engine.
 *
 * A connection keeps the caller's error; the first failure stays. Cursors may be nested and must
 * be done before close. One opened for reading runs nothing outside the snapshot that open
 * begins; one opened for writing nothing outside begin … commit, and closing it undoes what was
 * not committed.
 */
#ifndef DRIVER_H
#define DRIVER_H

#include "base.h"

enum cell_kind { CELL_NULL, CELL_INT, CELL_REAL, CELL_TEXT, CELL_BLOB };

struct cell {
	struct ckpt_view v; /* the bytes (numbers as text too); until the next step */
	int64_t i;          /* CELL_INT */
	enum cell_kind kind;
};

struct conn { /* every driver's connection begins with this */
	const struct driver *driver;
	struct ckpt_error *err;
	bool tentative; /* what is read counts only after `settle` */
};

struct cursor { /* likewise */
	struct conn *conn;
};

struct driver {
	const char *name; /* the engine's name in documents */
	/* Open for reading and begin a snapshot. `where` is a path or connection string. */
	int (*open)(struct conn **out, const char *where, const struct ckpt_config *,
			struct ckpt_error *);
	int (*query)(struct cursor **out, struct conn *, const char *sql,
			const struct cell *args, size_t nargs);
	int (*next)(struct cursor *, struct cell *cells, size_t ncells); /* 1, 0, < 0 */
	void (*done)(struct cursor *); /* NULL is fine */
	/* A second connection, for another thread, that sees what the first one sees; it must be
	   closed first and is not settled. 0 and NULL where that cannot be shown. NULL: never. */
	int (*twin)(struct conn **out, struct conn *, struct ckpt_error *);
	/* End the snapshot: CKPT_EBUSY if the store changed while it was read without locks. */
	int (*settle)(struct conn *);
	void (*close)(struct conn *);

	/* Open for writing; `create`: make the database file if there is none. */
	int (*open_write)(struct conn **out, const char *where, bool create,
			const struct ckpt_config *, struct ckpt_error *);
	int (*begin)(struct conn *);
	/* One statement whose rows are of no interest: how many it gave or changed, or < 0. */
	int (*exec)(struct conn *, const char *sql, const struct cell *args,
			size_t nargs);
	/* Many rows at once, as `COPY … FORMAT binary` takes them; NULL: the engine has none. */
	int (*copy)(struct conn *, const char *sql, struct ckpt_view rows);
	int (*commit)(struct conn *);
};

extern const struct driver sqlite_driver, postgres_driver;
/* Wrap a connection so that each statement goes to config->trace; owns `inner`. */
int trace_wrap(struct conn **out, struct conn *inner, const struct ckpt_config *);

#endif
