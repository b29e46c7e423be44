/*
 * pq.h - libpq as it is used here: loaded when a PostgreSQL store is first opened, so that no
 * other command pays for it. pq.c loads, connects and knows what an error of the server means,
 * pq_wait.c waits for answers, postgres.c reads, postgres_write.c writes, postgres_cell.c knows what values look like.
 */
#ifndef PQ_H
#define PQ_H

#include <libpq-fe.h>

#include "postgres.h"

/* Every function of the library that may be called, the only list of them. */
#define PQ_FUNCTIONS(X) \
	X(PQcancel) \
	X(PQclear) \
	X(PQcmdTuples) \
	X(PQconninfo) \
	X(PQconninfoFree) \
	X(PQconninfoParse) \
	X(PQconnectPoll) \
	X(PQconnectStartParams) \
	X(PQenterPipelineMode) \
	X(PQerrorMessage) \
	X(PQexec) \
	X(PQexitPipelineMode) \
	X(PQfinish) \
	X(PQflush) \
	X(PQfreeCancel) \
	X(PQfreemem) \
	X(PQfname) \
	X(PQftype) \
	X(PQgetCancel) \
	X(PQgetResult) \
	X(PQgetisnull) \
	X(PQgetlength) \
	X(PQgetvalue) \
	X(PQgssEncInUse) \
	X(PQhost) \
	X(PQhostaddr) \
	X(PQnfields) \
	X(PQntuples) \
	X(PQpass) \
	X(PQpipelineSync) \
	X(PQputCopyData) \
	X(PQputCopyEnd) \
	X(PQresultErrorField) \
	X(PQresultErrorMessage) \
	X(PQresultMemorySize) \
	X(PQresultStatus) \
	X(PQsendQuery) \
	X(PQsendQueryParams) \
	X(PQsetErrorVerbosity) \
	X(PQsetNoticeReceiver) \
	X(PQsetnonblocking) \
	X(PQsocket) \
	X(PQconsumeInput) \
	X(PQisBusy) \
	X(PQsslInUse) \
	X(PQstatus) \
	X(PQtransactionStatus) \
	X(PQuser)

struct pq {
#define PQ_POINTER(f) __typeof__(f) *f;
	PQ_FUNCTIONS(PQ_POINTER)
#undef PQ_POINTER
};

/* pg_type.h's; they never change */
enum {
	PG_BOOL = 16,
	PG_BYTEA = 17,
	PG_CHAR = 18,
	PG_NAME = 19,
	PG_INT8 = 20,
	PG_INT2 = 21,
	PG_INT4 = 23,
	PG_TEXT = 25,
	PG_OID = 26,
	PG_JSON = 114,
	PG_FLOAT4 = 700,
	PG_FLOAT8 = 701,
	PG_UNKNOWN = 705,
	PG_BPCHAR = 1042,
	PG_VARCHAR = 1043,
	PG_UUID = 2950,
	PG_JSONB = 3802
};

#define PG_CLOSING_MAX 16
#define PG_NUMBER_BYTES 40 /* of a number or UUID as text */

struct pg_cursor;
struct pg_conn {
	struct conn base;
	struct pq pq;
	PGconn *db;
	struct pg_cursor *ahead;          /* whose next rows are on their way, unasked */
	char *shown;                      /* the store's name without its password */
	uint64_t cursors;                 /* how many were ever opened: their names */
	uint64_t closing[PG_CLOSING_MAX]; /* done with; closed along with the next query */
	size_t nclosing;
	bool (*stop)(void *arg); /* asked while the server is waited for; may be NULL */
	void *stop_arg;
	bool cancelled; /* … and it said yes: a statement was called off */
	bool writing;
	int lock_ms; /* written to: how long to wait for a lock … */
	bool has_lz4; /* … and whether new values may be compressed by the faster method */
};

static inline struct pg_conn *pg_conn_of(struct conn *c)
{
	return (struct pg_conn *)(void *)c;
}

#define PG_ARGS_MAX 16
struct pg_params {
	Oid types[PG_ARGS_MAX];
	const char *values[PG_ARGS_MAX];
	int lengths[PG_ARGS_MAX], formats[PG_ARGS_MAX];
	unsigned char ints[PG_ARGS_MAX][8];
};
/* false: no row of the server can hold one of these values. They must outlive the parameters. */
bool pg_set_params(struct pg_params *, const char *sql, const struct cell *args,
		size_t nargs);
/* Connect; no transaction is begun. */
int pg_connect(struct pg_conn **out, const char *where, const struct ckpt_config *,
		struct ckpt_error *);
void pg_close(struct conn *);
/* Take what is on its way, before anything else is sent. */
void pg_land(struct pg_conn *);
/* A command without parameters and rows. */
int pg_run(struct pg_conn *, const char *sql);

/* ---- postgres_write.c ---- */
int pg_open_write(struct conn **out, const char *where, bool create,
		const struct ckpt_config *, struct ckpt_error *);
int pg_begin(struct conn *);
int pg_exec(struct conn *, const char *sql, const struct cell *args, size_t nargs);
int pg_copy(struct conn *, const char *sql, struct ckpt_view rows);
int pg_commit(struct conn *);

/* ---- pq_wait.c ---- */
/* As PQexec, PQexecParams (all in binary, `p` may be NULL) and PQgetResult; but a statement is
 * cancelled when this process is to stop. */
PGresult *pq_exec(struct pg_conn *, const char *sql);
PGresult *pq_exec_params(
		struct pg_conn *, const char *sql, const struct pg_params *p, int nargs);
PGresult *pq_result(struct pg_conn *);
/* Send what is still here, on a connection that does not block; false: it is broken. */
bool pq_flush(struct pg_conn *);

/* ---- pq.c ---- */
int pq_load(struct pq *out, struct ckpt_error *);
/* Connect c->db to `where`; on failure the error says why. */
int pq_connect(struct pg_conn *c, const char *where, const struct ckpt_config *);
/* Record what a statement's result, or NULL: the connection itself, says went wrong. */
int pq_fault(struct pg_conn *c, const PGresult *);

struct pg_place {
	const PGresult *res;
	int row, col;
};
/* `number` has PG_NUMBER_BYTES, for values that are no text yet. */
int pg_cell(struct cell *out, struct pg_conn *, const struct pg_place *at, char *number);

#endif
