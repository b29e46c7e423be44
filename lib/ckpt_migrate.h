/*
 * ckpt_migrate.h - the part of ckpt.h, which includes it, that copies a store into another one.
 */
#ifndef CKPT_MIGRATE_H
#define CKPT_MIGRATE_H

#include "ckpt.h"

enum ckpt_care_action {
	CKPT_CARE_BLOB,
	CKPT_CARE_RENUMBER,
	CKPT_CARE_QUARANTINE,
	CKPT_CARE_REFUSE
};
struct ckpt_care { /* something that is not carried as it lies */
	const char *code;
	enum ckpt_care_action action;
	struct ckpt_key key;
	struct ckpt_view channel, detail; /* channel NULL: of none */
};

enum ckpt_verify { CKPT_VERIFY_FULL, CKPT_VERIFY_COUNT, CKPT_VERIFY_NONE };
enum ckpt_conflict { CKPT_CONFLICT_ERROR, CKPT_CONFLICT_SKIP, CKPT_CONFLICT_OVERWRITE };

struct ckpt_migrate_how {
	bool dry_run;     /* only look whether all can be carried */
	bool encrypt_all; /* plain values of encrypted rows are encrypted, too */
	bool with_store;  /* long-term memory, too: the tables store and store_vectors */
	unsigned jobs;    /* connections to a PostgreSQL target; 0: two */
	enum ckpt_verify verify;
	enum ckpt_conflict on_conflict; /* a row of the target that differs */
	/* Is this checkpoint (META; with a key alone: writes whose checkpoint is not there) to
	   be copied? NULL: all are. */
	bool (*wanted)(void *arg, const struct ckpt_checkpoint *);
	/* It looks at keys alone (those of writes whose checkpoint is not there come with `nwrites`):
	   then what is not wanted is not read. */
	bool by_key;
	/* With `wanted`, between two stores that keep values in blobs: which of those that no checkpoint
	   of their namespace names are copied, too. NULL: none. */
	bool (*wanted_blob)(void *arg, const struct ckpt_checkpoint *);
	void (*care)(void *arg, const struct ckpt_care *); /* told once each; or NULL */
	/* Where a checkpoint goes that cannot be carried; NULL: then nothing is copied at all. */
	int (*reject)(void *arg, const struct ckpt_checkpoint *,
			const struct ckpt_care *);
	/* The same for an item of long-term memory: a line for the same file. */
	int (*reject_item)(void *arg, struct ckpt_view line);
	void (*progress)(void *arg, const char *phase, int64_t done,
			int64_t all); /* or NULL */
	void *arg;
};
struct ckpt_migrate_sum { /* rows that were copied, unless it says otherwise */
	int64_t checkpoints, writes, blobs, bytes;
	int64_t skipped;     /* checkpoints that were there already */
	int64_t store_items; /* of long-term memory */
	int64_t quarantined; /* checkpoints and items that could not be carried */
	int64_t verified_checkpoints, verified_writes, different;
};
/* Copy what `source` holds into the store `name`, which is made if it is not there. A run that
 * was interrupted is taken up by the next one; nothing is copied twice. CKPT_EREFUSED: something
 * cannot be carried, or the target is not one to write to, and nothing was written;
 * CKPT_ECORRUPT: the target differs; CKPT_EINCOMPLETE: something went into quarantine. `config`
 * is the target's. Counts are right after a failure, too. */
int ckpt_migrate(struct ckpt_store *source, const char *name,
		const struct ckpt_config *config, const struct ckpt_migrate_how *,
		struct ckpt_migrate_sum *out);

/* Long-term memory alone, of two stores: each item that `b` lacks or has with other contents is told,
 * its namespace as the key's thread, its key as the id; code "missing", "different" or why it cannot be
 * carried. How many are the same is added to `same`. Archives have none. */
int ckpt_items_compare(struct ckpt_store *a, struct ckpt_store *b,
		const struct ckpt_migrate_how *how, int64_t *same);

/* A checkpoint with its blobs and writes (VALUES, writes) as lines of a dump; `why`: each line says
 * why it stands there, or NULL. The first line of a file says which store they are of. */
void ckpt_dump_head(struct ckpt_buf *to, const struct ckpt_store *);
void ckpt_dump_lines(struct ckpt_buf *to, const struct ckpt_checkpoint *,
		const struct ckpt_care *why);

#endif
