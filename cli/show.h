/*
 * show.h - what the files of `ckpt show` share: one checkpoint, read and judged.
 */
#ifndef SHOW_H
#define SHOW_H

#include "cmd.h"
#include "stand.h"

struct show_opts {
	const char *thread, *checkpoint, *ns, *path;
	struct opt_list channels;
	bool raw, typed, reveal, types, fold;
	int64_t max_value;
};

struct shown {
	struct cli *cli;
	const struct show_opts *o;
	struct ckpt_key key;
	struct ckpt_scan *scan; /* owns what `c` borrows */
	struct ckpt_checkpoint c;
	enum ckpt_place *places;   /* of c.values[i] */
	struct show_delta *deltas; /* likewise */
	struct ckpt_tasks *tasks;  /* NULL where the answer needs none */
	struct ckpt_value *values; /* what c.values points to, and its channels' names */
	struct ckpt_buf names;
	struct ckpt_buf key_bytes;
	struct ckpt_buf warnings; /* texts, a NUL behind each */
	size_t nwarnings;
	bool corrupt;   /* something could not be decoded: exit 8 */
	bool mark_sets; /* for a reader that tells sets from lists */
};

/* How values are rendered under the command's options. */
struct ckpt_render show_render(const struct shown *);
/* Is a channel among those asked for (all, if none were named)? */
bool show_wants(const struct shown *, struct ckpt_view channel);
void show_warn(struct shown *, const char *fmt, ...)
		__attribute__((format(printf, 2, 3)));
/* One value as JSON, with the command's options; notes what is corrupt. */
void show_value(struct shown *, struct ckpt_buf *to, struct ckpt_view type,
		struct ckpt_view body);
/* The value of channel i: stored, or that of a delta channel; false if it has none. */
bool show_channel(struct shown *, struct ckpt_buf *to, size_t i);
/* A member of the container as JSON, or null. */
void show_member(struct shown *, struct ckpt_buf *to, const char *name);
/* "type":… as it is stored: with the +aes that a key took off. */
void show_type(struct ckpt_buf *to, struct ckpt_view type, enum ckpt_lock);
const char *show_place(enum ckpt_place);
/* The node a task_path names, "~__pregel_pull, NODE"; NULL view if it names none. */
struct ckpt_view show_node_of(struct ckpt_view path);

/* {"thread":…,"ns":…,"id":… without the closing brace. */
void show_put_key(struct shown *, struct ckpt_buf *to);

/* Find the delta channels and all places; and forget them. */
int show_deltas(struct shown *);
void show_deltas_free(struct shown *);
/* The value of delta channel i, added to `to` (or NULL); the first time with its warnings. */
int show_delta(struct shown *, size_t i, struct ckpt_buf *to);
const char *show_delta_note(const struct shown *, size_t i); /* for people */

/* Everything that is wrong with it, as warnings; < 0 if the store failed. */
int show_judge(struct shown *);
/* Could all of the state be read? */
bool show_is_whole(const struct shown *);
void show_verdict(struct shown *); /* for the end of the program, if it is damaged */

int show_types(struct shown *);
/* The object of all values, as in the document. */
void show_values(struct shown *, struct ckpt_buf *to);
int show_json(struct shown *);      /* the document */
int show_porcelain(struct shown *); /* one line a channel */
int show_text(struct shown *);      /* for people */
void show_notes(struct shown *);    /* the warnings, on stderr */

#endif
