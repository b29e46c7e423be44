/*
 * convert.h - a checkpoint as the tables of another dialect hold it. Pure: no store, no clock.
 *
 * A dialect is an engine's way of keeping values (inline in the container: SQLite; apart: blobs
 * beside a jsonb container: PostgreSQL) in one of LangGraph's languages. A source of the same way
 * is moved byte for byte. Otherwise only the container is taken apart and put together again:
 * values are spliced as the raw bytes they are. What cannot be carried exactly is told as a
 * `care`; what has a lossless home elsewhere gets it and is told too.
 *
 * Rows under AES: where the way stays the same the source is scanned without a key, so that
 * stored bytes move. Across ways it is scanned with the key, and what the scan opened is sealed
 * again, each value with a nonce of its own.
 */
#ifndef CONVERT_H
#define CONVERT_H

#include "base.h"
#include "crypt.h"

struct convert_blob {
	struct ckpt_view channel, version, type,
			body; /* version: plain text, no quotes */
};

enum convert_action {
	CONVERT_MOVED_TO_BLOB, /* a plain value that jsonb would change: kept exactly, as a blob */
	CONVERT_RENUMBERED, /* its version got a suffix: another value has the same version */
	CONVERT_CANNOT      /* has no exact home in the target: refuse, or quarantine */
};
struct convert_care {
	const char *code; /* of the table in convert.c: "nul", "nan", "number", … */
	enum convert_action action;
	struct ckpt_view
			channel; /* NULL: the checkpoint itself, its metadata or a write */
	struct ckpt_view detail; /* one line for a person */
};

/* What the target's tables will hold. Lives until the next call, and as long as the arena and
 * the checkpoint. */
struct convert_out {
	struct ckpt_view type, body,
			meta; /* type NULL on PostgreSQL; body, meta: jsonb texts there */
	const struct convert_blob
			*blobs; /* each (channel, version) once for a namespace */
	size_t nblobs;
	const struct ckpt_write
			*writes; /* in the order in which they are to be inserted */
	size_t nwrites;
	const struct convert_care *cares;
	size_t ncares;
	bool cannot; /* one of the cares is CONVERT_CANNOT: the rest is not to be used, and is
	                not remembered as given */
};

struct convert; /* what has to be remembered along a namespace: which version has which value */

struct convert_config {
	bool from_apart, to_apart; /* how source and target keep values */
	bool encrypt_all; /* plain values of encrypted rows become encrypted blobs */
	bool every; /* give a blob with each checkpoint that names it, not with the first alone */
	struct crypt *crypt; /* NULL: no key was given */
};
int convert_open(
		struct convert **out, const struct convert_config *, struct ckpt_error *);
/* A checkpoint (VALUES, with writes). Those of a namespace come together, in the order of their
 * ids; a run that goes on in the middle of one gives the earlier ones too. From apart: the caller
 * has marked delta values that are lost (ckpt_delta_places), and `empty` rows are not given. */
int convert_next(struct convert *, struct convert_out *out,
		const struct ckpt_checkpoint *, struct arena *);
void convert_close(struct convert *);

#endif
