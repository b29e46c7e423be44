/*
 * target.h - a store that rows are copied into: opened for writing, its tables made where there
 * are none, rows in batches, each batch one transaction that also says how far the run is.
 */
#ifndef TARGET_H
#define TARGET_H

#include <sys/types.h>

#include "put.h"

struct target_tally {
	int64_t checkpoints, writes, blobs, bytes;
};

struct target {
	const struct target_ops *ops;
	struct ckpt_error *err;
	bool lost; /* the connection failed or was busy: another one may do better */
	struct target_tally
			done; /* rows that were new to it, in batches that ended well */
};

struct target_stage { /* a SQLite file that grows under another name (target_stage.c) */
	char *part;   /* that name; NULL: the target is there, or no SQLite file */
	char *path;   /* the one it gets in the end */
	ino_t ino;
};

struct target_config {
	struct target_stage *stage; /* or NULL */
	const struct ckpt_config *store;
	const struct ckpt_store *from;
	const char *source; /* name of what is copied; a run into the same target goes on */
	unsigned jobs;      /* connections to a server */
	bool asked;         /* somebody wants that many */
	const char *run;    /* another connection of the run of this name; or NULL */
	bool js;            /* new tables: as JavaScript's savers make them */
};

struct target_ops {
	int (*begin)(struct target *);
	/* `careful`: rows that are there already stay as they are. */
	int (*checkpoint)(struct target *, const struct ckpt_checkpoint *,
			const struct convert_out *, bool careful);
	int (*write)(struct target *, const struct ckpt_key *, const struct ckpt_write *,
			bool careful);
	int (*blob)(struct target *, const struct ckpt_key *, const struct convert_blob *,
			enum put_mode);
	/* Take out what is there under this checkpoint's key, but for blobs. */
	int (*drop)(struct target *, const struct ckpt_checkpoint *);
	bool (*full)(const struct target *); /* time to end the batch */
	int (*commit)(struct target *);
	int (*barrier)(struct
			target *);      /* what comes now may need what was sent so far */
	int (*settle)(struct target *); /* after the last batch */
	int (*keep)(struct
			target *); /* all is in: what grew under another name gets its own */
	int (*finish)(struct
			target *); /* the run is over and verified: forget it was one */
	void (*close)(struct target *);
};

/* CKPT_EREFUSED: its name asks for reading alone. */
int target_unsealed(const char *name, struct ckpt_error *);
/* Can there be a target of this name, although opening it for reading failed with what is in
 * `err`? Then that is cleared. `apart`: it would keep values in blobs. */
int target_possible(const char *name, const struct ckpt_config *, bool *apart,
		struct ckpt_error *);
/* What a run that was killed left half written in a file is rolled back, as SQLite does when it writes
 * there next; only reading it would be refused. Faults are told by who opens it then. */
void target_mend(const char *name, const struct ckpt_config *);
/* Is this to be a new SQLite file? */
int target_stage(struct target_stage *out, const char *name, struct ckpt_error *);
void target_stage_free(struct target_stage *);
int target_stage_make(struct target_stage *, struct ckpt_error *); /* or find it */
/* Asked when it is locked: it may have got its name just before. */
bool target_stage_ours(const struct target_stage *);
int target_stage_keep(const struct target_stage *, struct ckpt_error *);
void target_stage_drop(const struct target_stage *); /* nothing was written */
int target_alterable(struct ckpt_store *);           /* CKPT_EREFUSED: see edit.h */
bool target_has_paths(struct ckpt_store *);          /* its writes have a task_path */
int target_open(struct target **out, const char *name, const struct target_config *,
		struct ckpt_error *);
int sql_target_possible(const struct store_name *, const struct ckpt_config *,
		const struct ckpt_error *why, struct ckpt_error *err);
int dump_target_open(struct target **out, const struct store_name *,
		const struct target_config *, struct ckpt_error *);
int fan_target_open(struct target **out, const struct store_name *,
		const struct target_config *, struct ckpt_error *);
int sql_target_open(struct target **out, const struct store_name *,
		const struct target_config *, struct ckpt_error *);

#endif
