/*
 * convert_impl.h - the border between the files of convert.h: the state of one conversion.
 *
 * convert.c drives and checks names and writes; convert_split.c takes a container apart,
 * convert_join.c puts one together, convert_version.c knows which version has which value.
 * convert_json.c writes and checks JSON; pack.h makes msgpack of it. Internal.
 */
#ifndef CONVERT_IMPL_H
#define CONVERT_IMPL_H

#include "codec.h"
#include "convert.h"
#include "match.h"

struct convert_limits {
	size_t inlined; /* bytes of a checkpoint's plain values, in jsonb */
	size_t jsonb;   /* text of one jsonb value */
	size_t field;   /* one bytea */
	size_t row;     /* a row of SQLite */
	size_t key;     /* the names of one PostgreSQL index entry together */
};

/* What is known of a (channel, version); the bits of `seen`. */
enum {
	SEEN_BLOB = 1, /* a blob was given: `value` is its digest */
	SEEN_INLINE = 2,
	SEEN_ABSENT = 4,
	SEEN_DELTA = 8, /* the blob is a snapshot of a delta channel */
	SEEN_SENDS = 16 /* no version: the Sends among the writes of a checkpoint */
};
struct version {
	struct digest key, value;
	struct digest meaning; /* of values that hold sets, or 0: their order is no matter */
	unsigned seen;         /* 0: a free slot */
};
struct version_map { /* open addressing; of one namespace */
	struct version *slots;
	size_t n, cap; /* cap: a power of two, or 0 */
	uint8_t secret[192];
};

struct convert {
	struct convert_config cfg;
	struct ckpt_error *err;
	struct convert_limits limits;
	struct ckpt_buf thread, ns; /* the namespace that is being read */
	bool begun;
	struct version_map versions;
	struct canon *canon;
	struct ckpt_buf body;    /* the container that is being made */
	struct ckpt_buf inlined; /* members of its channel_values */
	struct ckpt_buf tmp;
	struct ckpt_buf counts; /* uint64_t each: of the containers of a JSON text */
	struct reader rd;
	struct level {
		bool map, value, more; /* a value comes next; a comma is due */
	} levels[READER_DEPTH + 1];
};

enum home {
	HOME_NONE, /* a version without a value */
	HOME_INLINE,
	HOME_BLOB,
	HOME_MARK /* `true` inline for a snapshot that is a blob */
};
struct placed { /* one channel on its way to PostgreSQL */
	const struct ckpt_value *v;
	struct ckpt_view version; /* plain text; NULL: none */
	struct ckpt_view renamed; /* the version it gets instead, or NULL */
	struct ckpt_view type, body;
	struct digest value, meaning;
	enum home home;
	bool quoted; /* the version is a string */
	bool given;  /* the blob has been given with an earlier checkpoint */
};

struct job { /* one checkpoint */
	struct convert *k;
	const struct ckpt_checkpoint *c;
	struct arena *arena;
	struct convert_out *out;
	struct convert_care *cares;
	size_t capcares;
	struct placed *placed;
	size_t nplaced;
	struct placed **renamed; /* those that got a new version, by channel */
	size_t nrenamed;
	const char *why; /* code of what json_write, json_pack met */
	bool js, json;   /* written by JavaScript; the container is JSON */
	bool before_v4;
};

/* ---- convert.c ---- */
/* Note a care; the detail is cut to a line. Always returns false. */
bool care(struct job *, enum convert_action, const char *code, struct ckpt_view channel,
		const char *fmt, ...) __attribute__((format(printf, 5, 6)));
int nomem(struct job *);
/* What a key has opened goes back under it. */
int seal(struct job *, struct ckpt_view *type, struct ckpt_view *body);
/* A name that becomes text of PostgreSQL; `cast`: the savers cast it to bytea when they read. */
bool name_carried(struct job *, struct ckpt_view name, const char *what, bool cast);

/* ---- the two ways ---- */
int convert_split(struct job *);
int convert_join(struct job *);

/* ---- convert_sends.c ---- */
/* Is it before v 4? Sets j->before_v4. */
void sends_version(struct job *);
/* What PostgreSQL's readers would find for children of this checkpoint. */
int sends_keep(struct job *);
/* Are the Sends in the container those that PostgreSQL's readers would find? */
int sends_check(struct job *);
/* A value that a scan added: Sends among the writes of the parent. */
bool sends_added(struct job *, const struct ckpt_value *);

/* ---- convert_version.c ---- */
int version_map_init(struct version_map *, struct ckpt_error *);
void version_map_clear(struct version_map *);
void version_map_free(struct version_map *);
struct digest version_digest(const struct version_map *, struct ckpt_view);
/* The Sends among the writes of a checkpoint, by its id; false: none are known. */
bool version_sends(struct job *, struct ckpt_view id, struct digest *list);
int version_keep_sends(struct job *, struct digest list);
/* The one of j->renamed that is this channel's, or NULL. */
const struct placed *version_renamed(struct job *, struct ckpt_view channel);
/* The version of a channel as jsonb_each_text gives it; false: it is none that can be kept. */
bool version_plain(struct job *, struct placed *);
/* Find out which blobs are known and which versions stand for something else by now. */
int version_settle(struct job *);
/* What this checkpoint gave is known from now on. */
int version_commit(struct job *);

/* ---- convert_json.c ---- */
/* NULL, or the code of what jsonb would refuse or change in a JSON text. To JavaScript a number
 * is a number: 1e21 and 1000000000000000000000 are the same. */
const char *json_carried(struct ckpt_view text, bool js);
bool json_number_carried(struct ckpt_view text, bool js);
/* A double as Python writes it. */
void json_python_float(struct ckpt_buf *, double);
/* Without white space between tokens; valid JSON goes in. */
void json_compact(struct ckpt_buf *, struct ckpt_view text);
/* The container without its channel values as JSON, with renamed versions; false: j->why. */
bool json_write(struct job *, struct ckpt_buf *to);

/* JSON as msgpack, as Python would read it and pack it; false: j->why. `value`: a stored one,
 * in which `lc` records mean objects. */
bool json_pack(struct job *, struct ckpt_buf *to, struct ckpt_view text, bool value);

#endif
