/*
 * backend.h - a store seen as checkpoints: what the public functions of ckpt.h call.
 */
#ifndef BACKEND_H
#define BACKEND_H

#include "base.h"

struct crypt;
struct ckpt_store { /* every backend's store begins with this */
	const struct backend *backend;
	struct ckpt_error *err;
	char *name;         /* as given, password masked */
	const char *schema; /* NULL where the engine has none */
	bool tentative;
	/* values that are plain in the checkpoint, others in blobs, and whether there are any */
	bool inlines, has_blobs;
	bool shallow;        /* keeps no history: blobs have no version */
	bool wide;           /* texts are kept as UTF-16: keys come in another order */
	struct crypt *crypt; /* opens rows kept under AES; NULL: no key was given */
	bool (*stop)(void *arg); /* asked at each row; NULL: never */
	void *stop_arg;
};

struct ckpt_scan { /* likewise */
	struct ckpt_store *store;
};

struct backend {
	const char *name;
	/* `where` is for the backend, `shown` for messages: its password is masked */
	int (*open)(struct ckpt_store **out, const char *where, const char *shown,
			const struct ckpt_config *, struct ckpt_error *);
	int (*about)(struct ckpt_store *, struct ckpt_about *out);
	/* The same store for another thread, in the same snapshot; it is closed first, not ended.
	   0 and NULL where there can be none. NULL: never */
	int (*twin)(struct ckpt_store **out, struct ckpt_store *, struct ckpt_error *);
	/* NULL: none of it can be told */
	int (*space)(struct ckpt_store *, struct ckpt_space *out);
	int (*scan)(struct ckpt_scan **out, struct ckpt_store *,
			const struct ckpt_pick *);
	int (*next)(struct ckpt_scan *, struct ckpt_checkpoint *out);
	void (*done)(struct ckpt_scan *);
	int (*end)(struct ckpt_store *);
	int (*split)(struct ckpt_bound *out, struct ckpt_store *, size_t n);
	/* NULL: nothing can be wrong with it as a whole */
	bool (*fault)(struct ckpt_store *, size_t at, struct ckpt_fault *out);
	/* Tell in what its tables are not as their makers have them; NULL: it has none */
	int (*drift)(struct ckpt_store *, int (*tell)(void *arg, const char *what),
			void *arg);
	void (*close)(struct ckpt_store *);
};

extern const struct backend sqlite_backend, postgres_backend, dump_backend;

/* From here on rows under AES are what they lie as. */
void store_forget_key(struct ckpt_store *);

/* What a store's name leads to. Freed by store_name_free, also after a failure. */
struct store_name {
	const struct backend *backend;
	char *where, *shown;
	bool sealed; /* named with mode=ro */
};
int store_resolve(struct store_name *out, const char *name, struct ckpt_error *);
/* CKPT_EREFUSED: who names it wants it read, and no more. */
int store_unsealed(const struct store_name *, struct ckpt_error *);
/* Do its keys come in the order of their bytes, as stores that are merged must have them? */
int store_ordered(const struct ckpt_store *, struct ckpt_error *);
void store_name_free(struct store_name *);

#endif
