/*
 * ckpt.h - the public face of libckpt: every type, function and ownership rule.
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
/* clang-format off: set by hand, to be read */
#ifndef CKPT_H
#define CKPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- bytes -------------------------------------------------------------------------------- */

struct ckpt_view {
	const void *p; /* NULL means SQL NULL or "not there"; "" with n == 0 is empty */
	size_t n;      /* bytes; they may hold NUL */
};

#define CKPT_LIT(s) ((struct ckpt_view){ "" s, sizeof(s) - 1 })
struct ckpt_view ckpt_view_of(const char *s); /* of a C string; NULL gives a NULL view */
int ckpt_view_cmp(struct ckpt_view a,
		struct ckpt_view b); /* byte order; NULL sorts first */
bool ckpt_view_eq(struct ckpt_view a, struct ckpt_view b);

/* A growing byte string the caller owns. Zero-initialise; ckpt_buf_free at the end. A failed
 * allocation sets `failed`, after which every addition is ignored: check once, at the end. */
struct ckpt_buf {
	char *p;
	size_t n, cap;
	bool failed;
};
void ckpt_buf_add(struct ckpt_buf *, const void *p, size_t n);
void ckpt_buf_puts(struct ckpt_buf *, const char *s);
void ckpt_buf_addf(struct ckpt_buf *, const char *fmt, ...)
		__attribute__((format(printf, 2, 3)));
void ckpt_buf_free(struct ckpt_buf *);
struct ckpt_view ckpt_buf_view(const struct ckpt_buf *);

/* ---- errors ------------------------------------------------------------------------------- */

enum ckpt_code {
	CKPT_OK = 0,
	CKPT_EUSAGE = -1,       /* wrong words; nothing was opened */
	CKPT_EMISSING = -2,     /* no such store */
	CKPT_EUNSUPPORTED = -3, /* a store, but of no layout that is known */
	CKPT_EBUSY = -4,        /* locked, timed out, changed under a reader: try again */
	CKPT_ECONNECT = -5,     /* refused or unauthenticated */
	CKPT_ENOTFOUND = -6,    /* a literal name is not there */
	CKPT_EAMBIGUOUS = -7,   /* a name that fits more than one thing */
	CKPT_EREFUSED = -8,     /* a safety rule says no */
	CKPT_ECORRUPT = -9,     /* undecodable or damaged */
	CKPT_EINCOMPLETE = -10, /* finished, but something was left out */
	CKPT_EIO = -11,         /* reading or writing failed, disk full, output lost */
	CKPT_ENOMEM = -12,
	CKPT_EINTERRUPTED = -13, /* stopped by a signal */
	CKPT_EINTERNAL = -14     /* a bug in this library */
};

struct ckpt_error {
	int code;       /* CKPT_OK or the first failure */
	char text[500]; /* one line, lower case, no full stop; store text is escaped */
	char hint[400]; /* what to do about it, lines separated by \n; may be empty */
};

/* Record a failure unless one is already there; returns `code`. The text is made harmless:
 * control and bidi characters are escaped. */
int ckpt_fail(struct ckpt_error *, int code, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));
/* Add a hint line to a failure just recorded. */
void ckpt_hint(struct ckpt_error *, const char *fmt, ...)
		__attribute__((format(printf, 2, 3)));
/* A view as printable text for messages, cut after `max` bytes; lives in `to`. */
const char *ckpt_show_name(char to[static 200], struct ckpt_view name);

/* ---- records ------------------------------------------------------------------------------ */

#define CKPT_UNKNOWN INT64_MIN /* a time, size or step that is not known */

enum { CKPT_BLOB_THREAD = 1, CKPT_BLOB_NS = 2, CKPT_BLOB_ID = 4 };
struct ckpt_key {
	struct ckpt_view thread, ns, id;
	unsigned blob; /* parts a SQLite row holds as BLOB instead of TEXT: a key
	                                   of its own, though the bytes be the same */
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
};

struct ckpt_write {
	struct ckpt_view task, path; /* path is "" where the store has no task_path */
	struct ckpt_view channel, type, body;
	enum ckpt_lock lock;
	int64_t idx, size; /* position in the task's list; bytes of the stored value */
	int64_t seq;       /* order in which rows were written (rowid) */
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
	int64_t count;          /* SPANS: checkpoints in this thread and namespace */

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

	struct ckpt_view skeleton; /* VALUES; the container without its channel values */
	const struct ckpt_value *values; /* VALUES; in the order of the container */
	size_t nvalues;
	struct ckpt_view
			opaque; /* VALUES; the container where it cannot be split, else NULL */
	const char *broken_why; /* NULL, or why: then `values` holds what came before */
	size_t broken_at;       /* offset of the fault in the container */

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
/* True if what is read only counts after ckpt_store_end says so: hold output back until then. */
bool ckpt_store_tentative(const struct ckpt_store *);
/* End the snapshot. CKPT_EBUSY: the store changed while it was read without locks. */
int ckpt_store_end(struct ckpt_store *);
void ckpt_store_close(struct ckpt_store *);

/* Which checkpoints, how deep. A part of the key with p == NULL means any; ns "" is the root
 * namespace. Order: thread, namespace, id, as bytes; all three descending if `descending`. */
struct ckpt_pick {
	struct ckpt_key key;
	struct ckpt_view from,
			upto; /* only ids in these bounds; they need thread and ns */
	enum ckpt_depth depth;
	bool writes; /* pending writes too; their bodies only with VALUES */
	bool sizes;  /* sizes too; PostgreSQL has to unpack rows for them */
	bool newest; /* "descending" as the saver's own database orders ids */
	bool descending;
	int64_t limit; /* 0: none */
};
int ckpt_scan_open(struct ckpt_scan **out, struct ckpt_store *, const struct ckpt_pick *);
int ckpt_scan_next(struct ckpt_scan *,
		struct ckpt_checkpoint *out); /* 1, 0 at the end, < 0 */
void ckpt_scan_close(struct ckpt_scan *);
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

/* ---- values as JSON ------------------------------------------------------------------------ */

struct ckpt_render {
	bool typed, reveal_secrets;
	bool mark_sets;   /* a blank behind the bracket tells sets from lists: [ 1,2] */
	size_t max_value; /* larger values become {"$opaque":…}; 0: no limit */
	bool trailing;    /* out: bytes followed the value */
	void (*seen)(void *arg, struct ckpt_view module,
			struct ckpt_view name); /* or NULL */
	void *arg;
};
/* Append one stored value as compact JSON. CKPT_ECORRUPT: it was rendered as {"$corrupt":…}. */
int ckpt_render_value(struct ckpt_buf *, struct ckpt_view type, struct ckpt_view body,
		struct ckpt_render *);
/* The member `name` of a stored map ("msgpack" or "json"); false if not there. */
bool ckpt_value_member(struct ckpt_view *out, struct ckpt_view type,
		struct ckpt_view body, const char *name);
/* A string in JSON quotes; control, escape and bidi characters become \uXXXX. Bytes that are not
 * UTF-8 become U+FFFD, and false is returned: the caller adds the "_b64" twin. */
bool ckpt_json_string(struct ckpt_buf *, struct ckpt_view);
void ckpt_base64(struct ckpt_buf *, struct ckpt_view);
/* Follow a JSON Pointer (the part after /values or /metadata, or "") into JSON text. */
bool ckpt_pointer_find(
		struct ckpt_view *out, struct ckpt_view json, struct ckpt_view pointer);
/* What a pointer that begins /values/ or /metadata/ finds in a checkpoint (VALUES), as JSON text
 * added to `to`. 1 found, 0 not there, < 0: CKPT_ECORRUPT was rendered, CKPT_ENOMEM. */
int ckpt_checkpoint_path(struct ckpt_buf *to, const struct ckpt_checkpoint *,
		struct ckpt_view pointer, struct ckpt_render *);
/* JSON array of the nodes whose step made this checkpoint (VALUES): those that saw the newest
 * versions. Empty for input, updates and forks. */
void ckpt_nodes_json(struct ckpt_buf *to, const struct ckpt_checkpoint *);
/* Where the value of each channel is: places[i] for values[i] becomes CKPT_DELTA if there is none
 * and the channel is a DeltaChannel, CKPT_LOST if only the mark of its snapshot is left, else
 * stays. Reads on in the namespace only if it must. */
int ckpt_delta_places(struct ckpt_store *, const struct ckpt_checkpoint *,
		enum ckpt_place *places);

enum ckpt_delta_how {
	CKPT_DELTA_ROWS,    /* {"$delta":{"snapshot","snapshot_id","writes"}} */
	CKPT_DELTA_CERTAIN, /* the value that LangGraph loads, whatever its reducer */
	CKPT_DELTA_GUESS    /* made by `rule` */
};
/* How a delta channel's value came about. Ended by ckpt_delta_free. */
struct ckpt_delta {
	enum ckpt_delta_how how;
	const char *rule;     /* GUESS: how it was made; ROWS: why it was not, or NULL */
	size_t writes;        /* that were read */
	struct ckpt_buf seed; /* the checkpoint where the value is stored; n 0: none */
	struct ckpt_buf missing; /* the parent that is named but not in the store; n 0: none */
	bool ring;               /* the parents come round again */
	bool lost;               /* of the stored value only PostgreSQL's mark is left */
};
/* The value of a channel without one, from its chain of parents: appended as JSON. With `fold`
 * as a guess where nothing is certain. CKPT_ECORRUPT: something of it cannot be decoded, or is
 * lost. */
int ckpt_delta_value(struct ckpt_buf *to, struct ckpt_store *,
		const struct ckpt_checkpoint *, struct ckpt_view channel,
		struct ckpt_render *, bool fold, struct ckpt_delta *out);
void ckpt_delta_free(struct ckpt_delta *);
/* Delta channels of JavaScript that have no version here, and may hold something all the same:
 * names are added, each with a NUL behind it. */
int ckpt_delta_unversioned(struct ckpt_buf *names, struct ckpt_store *,
		const struct ckpt_checkpoint *);
uint64_t ckpt_hash(struct ckpt_view); /* XXH3, for comparing in memory */
/* Which language wrote a container: CKPT_PYTHON, CKPT_JS or 0 (VALUES). */
unsigned ckpt_writer(const struct ckpt_checkpoint *);
/* Is a class on LangGraph's list of types that its strict mode revives? */
bool ckpt_type_safe(struct ckpt_view module, struct ckpt_view name);
/* Metadata condition K=V of `--where` (cli manual): does this metadata fulfil it? */
bool ckpt_meta_where(struct ckpt_view meta, struct ckpt_view key, struct ckpt_view value);
/* A top-level member of JSON metadata: strings decoded into `to`, numbers and the rest as text. */
bool ckpt_meta_text(struct ckpt_buf *to, struct ckpt_view meta, const char *name);
bool ckpt_meta_int(int64_t *out, struct ckpt_view meta, const char *name);

/* ---- differences ----------------------------------------------------------------------------- */

enum ckpt_op { CKPT_ADD, CKPT_REMOVE, CKPT_REPLACE };
struct ckpt_change {
	enum ckpt_op op;
	struct ckpt_view path;     /* JSON Pointer, as a JSON string with its quotes */
	struct ckpt_view old, now; /* JSON text; NULL if there is none */
};
struct ckpt_compare {
	struct ckpt_view path; /* only what this pointer finds; NULL: all */
	bool patch; /* in the order and with the indexes of RFC 6902, sets as arrays; else
	               indexes of a (ADD: of b), and members of a set are at "…/-" */
	bool (*mask)(void *arg, const char *pointer); /* true: leave this out; or NULL */
	void *arg;
};
struct ckpt_diff;
/* What has to change in `a` to get `b`: JSON texts as ckpt_render_value writes them, with marked
 * sets; the caller keeps them. CKPT_ENOTFOUND: neither has the path; CKPT_ECORRUPT: no JSON. */
int ckpt_diff_open(struct ckpt_diff **out, struct ckpt_view a, struct ckpt_view b,
		const struct ckpt_compare *);
/* 1 and a change, 0 at the end; its views live until the next call. */
int ckpt_diff_next(struct ckpt_diff *, struct ckpt_change *out);
void ckpt_diff_close(struct ckpt_diff *);
/* The text of a JSON string, decoded. */
void ckpt_json_text(struct ckpt_buf *to, struct ckpt_view string);

/* ---- times, durations, sizes ----------------------------------------------------------------- */

int64_t ckpt_now(void);                       /* ns since 1970 UTC */
int64_t ckpt_time_of_id(struct ckpt_view id); /* UUIDv6, or CKPT_UNKNOWN */
bool ckpt_time_parse(int64_t *out, struct ckpt_view text,
		int64_t now);                         /* RFC 3339, date, now-7d */
void ckpt_time_print(char out[static 40], int64_t t); /* RFC 3339 UTC, zeros cut, Z */
bool ckpt_duration_parse(
		int64_t *out, const char *text); /* 0 90s 15min 36h 7d 2w; `m` refused */
bool ckpt_size_parse(
		int64_t *out, const char *text); /* 10MB, 10MiB; a unit is required */

const char *ckpt_version(void);

#endif
