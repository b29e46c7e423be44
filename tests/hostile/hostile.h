/*
 * hostile.h - what makes hostile stores: donors taken from the fixtures, and changes to payloads
 * and to files, all from one seed. How they are read is main.c's.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "../unit/made.h"

struct donor {
	char type[24];
	struct ckpt_view body;
};
struct pool { /* payloads as LangGraph wrote them */
	struct donor *bodies, *metas, *values;
	size_t nbodies, nmetas, nvalues;
};
/* From every SQLite fixture below `folder`; false if there are none. */
bool pool_load(struct pool *, const char *folder);
void pool_free(struct pool *);

/* One to eight changes to a payload; pieces of `other` are spliced in. */
void mutate_payload(struct ckpt_buf *, struct ckpt_view other, uint64_t *seed);

struct base { /* a database, and what lies beside it */
	struct ckpt_buf db, wal, journal, shm;
};
/* One to eight changes to the copy of a database, its WAL, or what lies beside it. */
void mutate_file(struct base *copy, const struct base *, uint64_t *seed);
/* Small databases of every kind: from the fixtures, the fuzzers' corpus and made here, with a WAL
 * that was left and with a hot journal. Returns how many; 0: something is missing. */
size_t bases_load(struct base **out, const char *fixtures, const char *corpus);
void base_free(struct base *);
void bases_free(struct base *, size_t n);

/* A random number below n. */
static inline size_t below(uint64_t *seed, size_t n)
{
	return n ? (size_t)(made_random(seed) % n) : 0;
}
/* The seed of one of many things, well apart from its neighbours'. */
uint64_t seed_of(uint64_t seed, uint64_t number);

/* A store of `rows` checkpoints, in each of which one payload was changed: its container, a value
 * in it, its metadata, a write or its type. The last group of an id is the row's number. */
void make_rows(const char *path, const struct pool *, size_t rows, uint64_t seed);

/* The four files of a store by the database's path. */
bool base_read(struct base *, const char *path);
bool base_write(const struct base *, const char *path);

#endif
