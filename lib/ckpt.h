/*
 * ckpt.h - the public face of libckpt: every type, function and ownership rule; with its parts
 * ckpt_base.h (bytes, errors, times) and ckpt_value.h (values as JSON, differences). Include this.
 *
 * A store is a sorted stream of checkpoints; every command is a fold over that stream.
 *
 * Results: 0 or a count is success, < 0 is a CKPT_E… code. The text of a failure goes to the
 * `struct ckpt_error` that the caller owns; the first failure stays until the caller clears it.
 * A store keeps the error it was opened with: it must outlive the store.
 * Views are borrowed. What a scan returns lives until the next step of the same scan; what a
 * store or lineage returns lives as long as it. The library never prints, exits or installs
 * signal handlers, and it has no globals.
 */
#ifndef CKPT_H
#define CKPT_H

#include "ckpt_base.h"

/* ---- records ------------------------------------------------------------------------------ */

#define CKPT_UNKNOWN INT64_MIN /* a time, size or step that is not known */

enum { CKPT_BLOB_THREAD = 1, CKPT_BLOB_NS = 2, CKPT_BLOB_ID = 4 };
struct ckpt_key {
	struct ckpt_view thread, ns, id;
	unsigned blob; /* parts a SQLite row holds as BLOB instead of TEXT: a key
	                                   of its own, though the bytes be the same */
};

/* Columns that a SQLite row keeps in another form than the savers give them: TEXT for a payload, BLOB
 * for a name. What such a row holds is the same to a reader; whoever copies it keeps the form. */
enum {
	CKPT_BLOB_PARENT = 1,
	CKPT_BLOB_TYPE = 2,
	CKPT_BLOB_TASK = 4,
	CKPT_BLOB_PATH = 8,
	CKPT_BLOB_CHANNEL = 16,
	CKPT_TEXT_BODY = 32,
	CKPT_TEXT_META = 64,
	CKPT_NO_FORM = 128 /* a number where bytes or a name belong, or the other way round: it is read
	                      as far as that goes, and cannot be copied exactly */
};

enum ckpt_place { /* where the value of a channel is stored */
	CKPT_INLINE,
	CKPT_BLOB,
	CKPT_DELTA,
	CKPT_EMPTY,
	CKPT_LOST
};

enum ckpt_lock {     /* of rows kept under AES */
	CKPT_OPEN,   /* never encrypted, or no key was given: then type has +aes */
	CKPT_OPENED, /* by the key: type and body are what was inside */
	CKPT_SHUT    /* the key does not fit, or the row is damaged */
};

struct ckpt_value {
	struct ckpt_view channel;
	struct ckpt_view
			version; /* a JSON text: "…" for Python, a number for JavaScript; NULL if none */
	struct ckpt_view
			type; /* "msgpack", "json", "bytes", …; NULL if there is no value */
	struct ckpt_view body; /* the stored bytes of this value alone */
	enum ckpt_place place;
	enum ckpt_lock lock;
	bool null; /* BLOB, EMPTY: there is a row of its own, and it holds SQL NULL */
};

struct ckpt_write {
	struct ckpt_view task, path; /* path is "" where the store has no task_path */
	struct ckpt_view channel, type, body;
	enum ckpt_lock lock;
	int64_t idx, size; /* position in the task's list; bytes of the stored value */
	int64_t seq;       /* order in which rows were written (rowid) */
	unsigned form;     /* CKPT_BLOB_…, CKPT_TEXT_… */
};

enum ckpt_depth {   /* how deep a scan reads; each includes those above it */
	CKPT_HEADS, /* newest id of each thread and namespace, descending as the database
	                                   orders; cost ~ their number */
	CKPT_SPANS, /* + count and smallest id; cost ~ the key index */
	CKPT_KEYS,  /* every checkpoint's key; the key index alone */
	CKPT_LINKS, /* + parent, type, sizes; the rows' leaf pages */
	CKPT_META,  /* + metadata; on SQLite this walks over the payload */
	CKPT_VALUES /* + skeleton and channel values */
};

/* Metadata is JSON whose objects are just that: no reader revives records in it. */
#define CKPT_META_TYPE CKPT_LIT("metadata")

struct ckpt_checkpoint {
	struct ckpt_key key;    /* HEADS, SPANS: id is the greatest of its namespace */
	struct ckpt_view first; /* SPANS: the smallest id */
	int64_t row;   /* pick.locate: where SQLite finds it (rowid); -1: elsewhere */
	int64_t count; /* SPANS: checkpoints in this thread and namespace */

	struct ckpt_view parent; /* LINKS; NULL for a root */
	struct ckpt_view
			type; /* LINKS; of the container; NULL where the layout has none */
	enum ckpt_lock lock;  /* VALUES; of the container */
	int64_t size, meta_size; /* LINKS, if pick.sizes; bytes of container and metadata */
	int64_t blobs_new,
			blobs_all; /* pick.sizes; of blobs it was first to name, and of all */
	int64_t time; /* ns since 1970 UTC, from a UUIDv6 id, else from `ts` (LINKS) */

	struct ckpt_view meta;      /* META; JSON text, or NULL */
	struct ckpt_view meta_type; /* META; CKPT_META_TYPE */
	unsigned form; /* as deep as it was read; CKPT_BLOB_…, CKPT_TEXT_… */

	struct ckpt_view
			body; /* VALUES; the container whole: stored, or opened by a key */
	struct ckpt_view skeleton; /* VALUES; the container without its channel values */
	const struct ckpt_value *values; /* VALUES; in the order of the container */
	size_t nvalues;
	struct ckpt_view
			opaque; /* VALUES; the container where it cannot be split, else NULL */
	const char *broken_why; /* NULL, or why: then `values` holds what came before */
	size_t broken_at;       /* offset of the fault in the container */
	bool trailing; /* VALUES; bytes follow the container; the library ignores them */

	const struct ckpt_write
			*writes; /* pick.writes; in (path, task, idx) byte order */
	size_t nwrites;
	int64_t writes_size;
};

/* ---- stores ------------------------------------------------------------------------------- */

struct ckpt_store;
struct ckpt_scan;

struct ckpt_config {
	const char *schema, *layout; /* NULL: found out */
	const char *aes_key_file; /* NULL: $LANGGRAPH_AES_KEY, if the caller set `aes_key` */
	const char *aes_key;
	int64_t lock_wait;                          /* ns to wait for a lock */
	void (*trace)(void *arg, const char *line); /* each SQL statement, or NULL */
	void (*note)(void *arg,
			const char *line); /* things a person should know, or NULL */
	/* the store will be written to: an interrupted write in its journal is rolled back first,
	   as its application would do it; else such a store is refused */
	bool recover;
	bool (*stop)(void *arg); /* asked at each row; true: CKPT_EINTERRUPTED; or NULL */
	void *arg;
};

enum { CKPT_PYTHON = 1, CKPT_JS = 2 };

struct ckpt_about {
	const char *uri; /* password masked */
	const char *engine, *layout;
	const char *schema; /* NULL on SQLite */
	unsigned writers;   /* CKPT_PYTHON | CKPT_JS, from a sample of rows */
};

/* Open for reading; nothing is created or changed. Forms of `name`: `ckpt help environment`. */
int ckpt_store_open(struct ckpt_store **out, const char *name, const struct ckpt_config *,
		struct ckpt_error *);
int ckpt_store_about(struct ckpt_store *, struct ckpt_about *out);
/* A store's name as it may be printed; true if a password was masked in it. */
bool ckpt_store_shown(struct ckpt_buf *to, const char *name);
/* The room a store takes, in bytes; CKPT_UNKNOWN where it cannot be told. */
struct ckpt_space {
	int64_t file; /* SQLite: pages of the snapshot, those still in the log included;
	                 PostgreSQL: tables with TOAST and indexes */
	int64_t wal;  /* SQLite: the log beside the file; PostgreSQL's is the server's */
	int64_t reclaimable; /* free pages; PostgreSQL: estimated from dead rows */
};
int ckpt_store_space(struct ckpt_store *, struct ckpt_space *out);
/* A dump is a store as JSON Lines, engine and layout "dump" (in full: `ckpt help dump`):
 *   {"ckpt":"dump","version":1,"engine":"sqlite"|"postgresql","layout":"langgraph"}   first
 *   {"checkpoint":{"thread","ns","id","parent","type","body","metadata"}}   a line for each row
 *   {"write":{"thread","ns","id","task","path","idx","channel","type","value"}}
 *   {"blob":{"thread","ns","channel","version","type","value"}}
 *   {"end":{"checkpoints":n,"writes":n,"blobs":n}}   last: what should be there
 * Texts are strings, {"$str":base64} where they are not UTF-8, {"$bytes":base64} for a name kept as
 * BLOB, {"$text":base64} for a payload kept as TEXT; body and value are base64 of the stored bytes; null is SQL NULL. `newest` goes by
 * bytes there. Lines in any order; one that holds no row is a fault and hides no other. */

/* What is wrong with a dump as a whole, though it can be read: the first of them at 0. False
 * beyond the last, and for every other kind of store. */
struct ckpt_fault {
	int64_t line;       /* 0: no line, the archive */
	const char *why;    /* lives as long as the store */
	const char *member; /* of the line; or NULL */
};
bool ckpt_store_fault(struct ckpt_store *, size_t at, struct ckpt_fault *out);
/* True if what is read only counts after ckpt_store_end says so: hold output back until then. */
bool ckpt_store_tentative(const struct ckpt_store *);
/* End the snapshot. CKPT_EBUSY: the store changed while it was read without locks. */
int ckpt_store_end(struct ckpt_store *);
void ckpt_store_close(struct ckpt_store *);

enum ckpt_rows {    /* what a scan gives */
	CKPT_WHOLE, /* checkpoints, in the order of their keys */
	CKPT_STORED, /* checkpoint rows alone, in the order in which they lie (of one thread:
	                      in any); no blobs_*, no time from the container below VALUES */
	CKPT_WRITE_ROWS, /* writes alone as they lie: the key of each's checkpoint, and
	                      writes[0]; bodies with VALUES, sizes with LINKS */
	CKPT_BLOB_ROWS, /* blobs alone, by thread, ns, channel, version: key without id, and
	                      values[0] with the stored type, also "empty"; blobs_all is the
	                      size (LINKS); none where values are inline. The version is the
	                      row's text in quotes: a container's number 3 is "3" here */
	CKPT_STRAY_WRITES, /* like WRITE_ROWS, of checkpoints that are not there; by key */
	CKPT_STRAY_BLOBS /* like BLOB_ROWS, those that no checkpoint of their namespace names */
};

struct ckpt_bound {         /* a thread */
	struct ckpt_view v; /* NULL: no bound */
	bool blob;          /* kept as BLOB: behind every TEXT */
};

/* Which checkpoints, how deep. A part of the key with p == NULL means any; ns "" is the root
 * namespace. Order: thread, namespace, id, as bytes; all three descending if `descending`. */
struct ckpt_pick {
	struct ckpt_key key;
	struct ckpt_view from,
			upto; /* only ids in these bounds; they need thread and ns */
	/* Only threads from the one, and before the other, as the store's own database compares
	   them: a range of its key index, at every depth and for every kind of rows (which then
	   come in any order where they would come as they lie). Ranges that end where the next
	   begins share no row and miss none; but for a thread that is NULL, which is in no range
	   with an end. Bounds are a store's own: see ckpt_store_split. */
	struct ckpt_bound thread_from, thread_upto;
	enum ckpt_depth depth;
	enum ckpt_rows rows;
	bool apart; /* leave blobs unread: such values have a version, no type and no body;
	               nor are Sends looked for that lie with the parent */
	bool raw;   /* blobs as their rows hold them: no Sends in their place */
	bool bare; /* STORED, WRITE_ROWS and BLOB_ROWS with VALUES: only what takes room is wanted.
	              Keys, parents, times, tasks, skeletons and versions may be left out, but not
	              channels, nor sizes: those of the values as they were stored */
	bool writes; /* pending writes too; their bodies only with VALUES */
	bool sizes;  /* sizes too; PostgreSQL has to unpack rows for them */
	bool stored_sizes; /* … of jsonb as the server keeps it, perhaps compressed, which it has not */
	bool own_sizes; /* … but not of blobs, which have to be looked for in all rows */
	bool terse; /* LINKS: of writes and BLOB_ROWS only what there is and how large. Types, paths,
	               indexes and the order of writes may be left out; blobs of a namespace come in
	               any order */
	/* WHOLE: only so many newest ones of each namespace, where that takes one statement; 0: all */
	int heads;
	bool locate; /* WHOLE, STORED: `row` too */
	bool newest; /* "descending" as the saver's own database orders ids */
	bool descending;
	int64_t limit; /* 0: none */
};
int ckpt_scan_open(struct ckpt_scan **out, struct ckpt_store *, const struct ckpt_pick *);
int ckpt_scan_next(struct ckpt_scan *,
		struct ckpt_checkpoint *out); /* 1, 0 at the end, < 0 */
void ckpt_scan_close(struct ckpt_scan *);
/* Where to cut a store into up to `n` ranges of threads that are about the same work to read, by
 * a sample of its rows: out[0] … ascending, each the first thread of a range but the first one's,
 * which has none. Returns how many, at most n - 1; 0 where it is not worth it or cannot be done:
 * one thread is all there is, or one is NULL. They live as long as the store. */
int ckpt_store_split(struct ckpt_bound *out, struct ckpt_store *, size_t n);
/* The one checkpoint of a key: 1 if it is there. `*scan` owns what `out` borrows; close it. */
int ckpt_scan_one(struct ckpt_scan **scan, struct ckpt_store *, const struct ckpt_pick *,
		struct ckpt_checkpoint *out);

/* ---- lineage: the links of one thread and namespace ---------------------------------------- */

struct ckpt_link {
	struct ckpt_view id, parent;
	int64_t time;
	size_t parent_at;  /* index of the parent, or SIZE_MAX */
	uint32_t children; /* how many name this one as parent */
};
struct ckpt_lineage {
	struct ckpt_key key;           /* thread and namespace */
	const struct ckpt_link *links; /* id order, ascending */
	size_t count, head; /* head: what the saver would load; the last as a rule */
};
int ckpt_lineage_load(
		struct ckpt_lineage **out, struct ckpt_store *, const struct ckpt_key *);
size_t ckpt_lineage_find(
		const struct ckpt_lineage *, struct ckpt_view id); /* SIZE_MAX: none */
void ckpt_lineage_free(struct ckpt_lineage *);

/* ---- addresses: THREAD, THREAD~N, THREAD@{…} (`ckpt help addresses`) ------------------------- */

struct ckpt_address {
	const char *text; /* parsed; or NULL and the literal parts below */
	struct ckpt_view thread, ns;
	struct ckpt_view id; /* NULL or "": the newest */
};
/* Find the checkpoint; the key's bytes are added to `to`, which must outlive it. */
int ckpt_address_find(struct ckpt_key *out, struct ckpt_store *,
		const struct ckpt_address *, struct ckpt_buf *to);
/* The bounds of a literal thread; CKPT_ENOTFOUND if there is none. */
int ckpt_thread_find(struct ckpt_key *out, struct ckpt_store *, struct ckpt_view thread);
/* Digits of the short id of links[at], unique in its namespace; a view of the full id. */
struct ckpt_view ckpt_short_id(struct ckpt_lineage *, size_t at);

const char *ckpt_version(void);

#include "ckpt_value.h"
#include "ckpt_match.h"
#include "ckpt_check.h"
#include "ckpt_tasks.h"
#include "ckpt_migrate.h"
#include "ckpt_prune.h"
#include "ckpt_size.h"
#include "ckpt_edit.h"
#include "ckpt_resume.h"

#endif
