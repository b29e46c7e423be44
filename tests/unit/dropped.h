/*
 * dropped.h - a store from which all but the newest checkpoints of each namespace are dropped,
 * and whether it is what it should be, in the end or in the middle of that.
 */
#ifndef DROPPED_H
#define DROPPED_H

#include "made.h"
#include "vacuum.h"

/* `threads` threads of `each` checkpoints with two writes each, whose rows lie in any order;
 * journal_mode=WAL; another table and index. */
void dropped_make(const char *path, int threads, int each, uint64_t seed);
enum { DROPPED_ROWS = 1, DROPPED_CHAINS = 2 }; /* what the list tells */
/* A list of all but the newest `keep` of each namespace; freed by doomed_free. */
struct doomed *dropped_plan(
		const char *path, int keep, unsigned how, struct ckpt_error *);
/* A digest of the newest `keep` checkpoints of each namespace, their writes, other tables. */
uint64_t dropped_digest(const char *path, int keep);
/* What is wrong with a store from which dropping went on for a while, or NULL: a row of a
 * checkpoint without its others, one that went out of turn, damage. */
enum dropped_order { DROPPED_LEAST_FIRST, DROPPED_GREATEST_FIRST, DROPPED_AT_ONCE };
const char *dropped_fault(const char *path, int each, int keep, enum dropped_order);
int64_t dropped_number(const char *path, const char *sql);
struct edit *dropped_edit(const char *path, struct ckpt_error *);

#endif
