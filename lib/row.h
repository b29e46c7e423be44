/*
 * row.h - what a stored row means, whatever keeps it: rows under AES, blobs that outrank the
 * container, Sends of checkpoints before v 4. Where rows come from is each backend's business.
 */
#ifndef ROW_H
#define ROW_H

#include "base.h"
#include "crypt.h"

struct row_reader {
	const struct crypt *crypt; /* NULL: no key was given */
	struct arena *arena;       /* for what is opened */
	struct ckpt_error *err;
};

/* The key of encrypted rows: from a file, which must be right, or from the environment, where an
 * unfit one may be meant for something else. NULL where none was given. */
int row_key(struct crypt **out, const struct ckpt_config *, struct ckpt_error *);
/* A row kept under AES: opened where there is a key; type and body become what was inside. */
int row_open(const struct row_reader *, struct ckpt_view *type, enum ckpt_lock *lock,
		struct ckpt_view *body);
/* Give a channel its blob, which outranks what stands in the container; a row of type `empty`
 * says there is no value. */
int row_give(const struct row_reader *, struct ckpt_value *, struct ckpt_view type,
		struct ckpt_view body);
/* The blob that was given as its row holds it; false: none was. */
bool row_stored(struct ckpt_value *out, const struct ckpt_value *);
/* A version's JSON text as blobs are kept under it: a string without its quotes. Versions hold
 * no escapes; one that did would simply match no blob. */
struct ckpt_view row_version(struct ckpt_view json);
/* The same of whatever bytes; `room` for those that have escapes. */
struct ckpt_view row_version_text(struct ckpt_view json, struct ckpt_buf *room);

/* Sends that a checkpoint before v 4 finds among its parent's writes, as one channel. */
struct row_sends {
	struct ckpt_buf type, items;
	uint64_t n;
};
bool row_wants_sends(const struct ckpt_checkpoint *);
int row_send(const struct row_reader *, struct row_sends *, struct ckpt_view type,
		struct ckpt_view body);
/* Make the channel, if there were any, and free what was collected. */
int row_sends_end(const struct row_reader *, struct row_sends *,
		struct ckpt_checkpoint *out);

#endif
