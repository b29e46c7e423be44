/*
 * crypt.h - LangGraph's encrypted rows: a value whose type ends in "+aes".
 *
 * A row is nonce(16) | tag(16) | ciphertext. Which inner type a plaintext is of, and what
 * to do with a row that cannot be opened, is the business of those who decode values.
 */
#ifndef CRYPT_H
#define CRYPT_H

#include "base.h"

/* One key, ready for use; neither opening nor sealing changes it. */
struct crypt;

/* A key of 16, 24 or 32 bytes; any other length is CKPT_EUSAGE. */
int crypt_new(struct crypt **out, struct ckpt_view key, struct ckpt_error *);
/* Wipes the key; NULL is fine. */
void crypt_free(struct crypt *);

/* A key as it lies in a file, added to `out`: all of its bytes but one newline (\n or
 * \r\n) at the end. CKPT_ENOTFOUND: no such file; CKPT_EIO: it cannot be read;
 * CKPT_EUSAGE: more than 4096 bytes. Whoever owns `out` wipes it. */
int crypt_key_from_file(struct ckpt_buf *out, const char *path, struct ckpt_error *);

/* "msgpack+aes" gives "msgpack". False, and `inner` as it was, for types that are plain
 * or of another cipher: the name of the cipher is all that follows the first '+'. */
bool crypt_inner_type(struct ckpt_view type, struct ckpt_view *inner);

/* The plaintext of a row, in the arena. 1; 0 where the tag does not fit: the key is
 * another one, or the row is damaged or shorter than 32 bytes (no error is recorded,
 * `plain` is as it was); < 0: no memory. */
int crypt_open_row(const struct crypt *, struct ckpt_view row, struct arena *,
		struct ckpt_view *plain, struct ckpt_error *);

/* A row as LangGraph writes it (EAX, a fresh random nonce), in the arena. 0, or < 0: no
 * memory, no random bytes. */
int crypt_seal_row(const struct crypt *, struct ckpt_view plain, struct arena *,
		struct ckpt_view *row, struct ckpt_error *);

#endif
