/*
 * ckpt_value.h - the part of ckpt.h, which includes it, that turns stored values into JSON and
 * compares them.
 */
#ifndef CKPT_VALUE_H
#define CKPT_VALUE_H

#include "ckpt.h"

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
	struct ckpt_buf moved; /* where parallel writes had another order in older readers */
	struct ckpt_buf bases; /* for ckpt_delta_mixed: checkpoints with writes, as text */
};
/* The value of a channel without one, from its chain of parents: appended as JSON. With `fold`
 * as a guess where nothing is certain. CKPT_ECORRUPT: something of it cannot be decoded, or is
 * lost. */
int ckpt_delta_value(struct ckpt_buf *to, struct ckpt_store *,
		const struct ckpt_checkpoint *, struct ckpt_view channel,
		struct ckpt_render *, bool fold, struct ckpt_delta *out);
void ckpt_delta_free(struct ckpt_delta *);
/* Are there writes among those just read that belong to another branch, as where a fork was made
 * before LangGraph sealed forks with a snapshot? 1: `at` becomes the checkpoint they lie on. */
int ckpt_delta_mixed(struct ckpt_buf *at, struct ckpt_store *,
		const struct ckpt_checkpoint *, struct ckpt_view channel,
		const struct ckpt_delta *);
/* Delta channels of JavaScript that have no version here, and may hold something all the same:
 * names are added, each with a NUL behind it. */
int ckpt_delta_unversioned(struct ckpt_buf *names, struct ckpt_store *,
		const struct ckpt_checkpoint *);
uint64_t ckpt_hash(struct ckpt_view); /* XXH3, for comparing in memory */
/* XXH3 of 128 bits, for telling values apart among very many: those of one channel, as its hash
 * goes into it. */
void ckpt_digest(uint64_t out[static 2], uint64_t channel, struct ckpt_view bytes);
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

/* ---- finished JSON text, as this library writes it --------------------------------------------- */

struct ckpt_walk { /* over the items of an array or object, sets marked or not */
	const char *p, *end;
	bool map;
};
bool ckpt_walk_open(
		struct ckpt_walk *, struct ckpt_view json); /* false: neither of both */
/* The next item, or the next key (with its quotes) and value; false at the end. */
bool ckpt_walk_next(struct ckpt_walk *, struct ckpt_view *key, struct ckpt_view *value);
/* The text of a JSON string, decoded. */
void ckpt_json_text(struct ckpt_buf *to, struct ckpt_view string);

#endif
