/*
 * crypt.c - AES rows in EAX, which is what LangGraph writes, and in GCM, the one other
 * mode that it reads back.
 *
 * Nothing in a row tells the two modes apart, and both are as long: the tag decides. Both
 * have an empty header and a nonce of 16 bytes. No key and no plaintext ever stands in an
 * error text, and memory that held one is wiped.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <nettle/aes.h>
#include <nettle/eax.h>
#include <nettle/gcm.h>
#include <nettle/memops.h>
#include <nettle/nettle-meta.h>

#include "crypt.h"

#define NONCE_SIZE ((size_t)16)
#define TAG_SIZE ((size_t)16)
#define HEAD_SIZE (NONCE_SIZE + TAG_SIZE)
#define KEY_FILE_MOST ((size_t)4096)

struct crypt {
	const struct nettle_cipher *aes;
	union {
		struct aes128_ctx aes128;
		struct aes192_ctx aes192;
		struct aes256_ctx aes256;
	} cipher;
	struct eax_key eax;
	struct gcm_key gcm;
};

/* ---- keys ------------------------------------------------------------------------- */

static const struct nettle_cipher *cipher_for(size_t key_size)
{
	switch (key_size) {
	case AES128_KEY_SIZE:
		return &nettle_aes128;
	case AES192_KEY_SIZE:
		return &nettle_aes192;
	case AES256_KEY_SIZE:
		return &nettle_aes256;
	default:
		return NULL;
	}
}

int crypt_new(struct crypt **out, struct ckpt_view key, struct ckpt_error *err)
{
	const struct nettle_cipher *aes = cipher_for(key.p ? key.n : 0);
	struct crypt *c;

	*out = NULL;
	if (!aes)
		return ckpt_fail(err, CKPT_EUSAGE,
				"an AES key has 16, 24 or 32 bytes, this one %zu",
				key.p ? key.n : 0);
	c = calloc(1, sizeof(*c));
	if (!c)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory (%zu bytes wanted)",
				sizeof(*c));
	c->aes = aes;
	/* Both modes use the block cipher in its encrypting direction alone. */
	aes->set_encrypt_key(&c->cipher, key.p);
	eax_set_key(&c->eax, &c->cipher, aes->encrypt);
	gcm_set_key(&c->gcm, &c->cipher, aes->encrypt);
	*out = c;
	return 0;
}

void crypt_free(struct crypt *c)
{
	if (!c)
		return;
	explicit_bzero(c, sizeof(*c));
	free(c);
}

/* Up to `most` bytes, fewer only at the end of the file; < 0: errno says why. A pipe
 * gives its bytes in pieces. */
static ssize_t read_upto(int fd, char *to, size_t most)
{
	size_t have = 0;

	while (have < most) {
		ssize_t got = read(fd, to + have, most - have);

		if (got == 0)
			break;
		if (got > 0)
			have += (size_t)got;
		else if (errno != EINTR)
			return -1;
	}
	return (ssize_t)have;
}

static int add_key(
		struct ckpt_buf *out, const char *key, size_t n, struct ckpt_error *err)
{
	if (n && key[n - 1] == '\n')
		n -= n > 1 && key[n - 2] == '\r' ? 2 : 1;
	ckpt_buf_add(out, key, n);
	if (out->failed)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory (%zu bytes wanted)", n);
	return 0;
}

int crypt_key_from_file(struct ckpt_buf *out, const char *path, struct ckpt_error *err)
{
	char key[KEY_FILE_MOST + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc, why;
	ssize_t n;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return ckpt_fail(err, CKPT_ENOTFOUND, "no key file '%s'", path);
	if (fd < 0)
		return ckpt_fail(err, CKPT_EIO, "cannot open key file '%s': %s", path,
				strerror(errno));
	n = read_upto(fd, key, sizeof(key));
	why = errno;
	close(fd);
	if (n < 0)
		rc = ckpt_fail(err, CKPT_EIO, "cannot read key file '%s': %s", path,
				strerror(why));
	else if ((size_t)n > KEY_FILE_MOST)
		rc = ckpt_fail(err, CKPT_EUSAGE,
				"key file '%s' holds more than %zu bytes: no key", path,
				KEY_FILE_MOST);
	else
		rc = add_key(out, key, (size_t)n, err);
	explicit_bzero(key, sizeof(key));
	return rc;
}

/* ---- rows ------------------------------------------------------------------------- */

bool crypt_inner_type(struct ckpt_view type, struct ckpt_view *inner)
{
	static const char suffix[] = "+aes";
	const size_t n = sizeof(suffix) - 1;
	const char *p = type.p, *plus;

	if (!p || type.n < n)
		return false;
	plus = memchr(p, '+', type.n);
	if (plus != p + (type.n - n) || memcmp(plus, suffix, n) != 0)
		return false;
	*inner = (struct ckpt_view){ p, type.n - n };
	return true;
}

/* Decrypt n bytes that follow the head of a row; true if its tag fits. */
static bool eax_fits(const struct crypt *c, const uint8_t *row, size_t n, uint8_t *to)
{
	uint8_t tag[TAG_SIZE];
	struct eax_ctx eax;
	bool fits;

	eax_set_nonce(&eax, &c->eax, &c->cipher, c->aes->encrypt, NONCE_SIZE, row);
	eax_decrypt(&eax, &c->eax, &c->cipher, c->aes->encrypt, n, to, row + HEAD_SIZE);
	eax_digest(&eax, &c->eax, &c->cipher, c->aes->encrypt, TAG_SIZE, tag);
	fits = memeql_sec(tag, row + NONCE_SIZE, TAG_SIZE);
	/* The tag that would have fitted makes a forged row a good one. */
	explicit_bzero(tag, sizeof(tag));
	explicit_bzero(&eax, sizeof(eax));
	return fits;
}

/* The nonce is not of the usual 12 bytes: gcm_set_iv hashes it to the first counter. */
static bool gcm_fits(const struct crypt *c, const uint8_t *row, size_t n, uint8_t *to)
{
	uint8_t tag[TAG_SIZE];
	struct gcm_ctx gcm;
	bool fits;

	gcm_set_iv(&gcm, &c->gcm, NONCE_SIZE, row);
	gcm_decrypt(&gcm, &c->gcm, &c->cipher, c->aes->encrypt, n, to, row + HEAD_SIZE);
	gcm_digest(&gcm, &c->gcm, &c->cipher, c->aes->encrypt, TAG_SIZE, tag);
	fits = memeql_sec(tag, row + NONCE_SIZE, TAG_SIZE);
	explicit_bzero(tag, sizeof(tag));
	explicit_bzero(&gcm, sizeof(gcm));
	return fits;
}

int crypt_open_row(const struct crypt *c, struct ckpt_view row, struct arena *arena,
		struct ckpt_view *plain, struct ckpt_error *err)
{
	uint8_t *to;
	size_t n;

	if (!row.p || row.n < HEAD_SIZE)
		return 0;
	n = row.n - HEAD_SIZE;
	/* One more for a NUL behind the end, as arena_copy has it. */
	to = arena_take(arena, n + 1, err);
	if (!to)
		return CKPT_ENOMEM;
	if (!eax_fits(c, row.p, n, to) && !gcm_fits(c, row.p, n, to)) {
		/* The key may be right and the tag wrong: text nobody vouches for. */
		explicit_bzero(to, n);
		return 0;
	}
	to[n] = '\0';
	*plain = (struct ckpt_view){ to, n };
	return 1;
}

static int random_bytes(uint8_t *to, size_t n, struct ckpt_error *err)
{
	/* 256 bytes or fewer come whole; only the wait at boot can be interrupted. */
	while (getrandom(to, n, 0) != (ssize_t)n)
		if (errno != EINTR)
			return ckpt_fail(err, CKPT_EIO, "cannot get random bytes: %s",
					strerror(errno));
	return 0;
}

int crypt_seal_row(const struct crypt *c, struct ckpt_view plain, struct arena *arena,
		struct ckpt_view *row, struct ckpt_error *err)
{
	const void *from = plain.p ? plain.p : "";
	size_t n = plain.p ? plain.n : 0;
	struct eax_ctx eax;
	uint8_t *to;
	int rc;

	if (n > SIZE_MAX - HEAD_SIZE)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory (%zu bytes wanted)", n);
	to = arena_take(arena, n + HEAD_SIZE, err);
	if (!to)
		return CKPT_ENOMEM;
	rc = random_bytes(to, NONCE_SIZE, err);
	if (rc < 0)
		return rc;
	eax_set_nonce(&eax, &c->eax, &c->cipher, c->aes->encrypt, NONCE_SIZE, to);
	eax_encrypt(&eax, &c->eax, &c->cipher, c->aes->encrypt, n, to + HEAD_SIZE, from);
	eax_digest(&eax, &c->eax, &c->cipher, c->aes->encrypt, TAG_SIZE, to + NONCE_SIZE);
	explicit_bzero(&eax, sizeof(eax));
	*row = (struct ckpt_view){ to, n + HEAD_SIZE };
	return 0;
}
