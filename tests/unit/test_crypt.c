/*
 * test_crypt.c - AES rows: vectors made by pycryptodome, damage, wrong keys, key files.
 *
 * What a store does with a row that cannot be opened is tested with the store.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t.h"
#include "crypt.h"

#define KEY16 "1234567890123456"
#define KEY24 "kkkkkkkkkkkkkkkkkkkkkkkk"
#define KEY32 "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
#define NONCE "000102030405060708090a0b0c0d0e0f"
#define MIB ((size_t)1 << 20)

struct vector {
	const char *what, *key, *plain, *row; /* plain and row in hex */
};

static const struct vector vectors[] = {
	{ "EAX, 16 bytes of key", KEY16, "81a16101",
			NONCE "ecb9169d3c58e42afec78fe064b3c5f7616ae093" },
	{ "EAX, 16, empty", KEY16, "", NONCE "d778b6c3f4f31cd1c5c45c380d270276" },
	{ "EAX, 24", KEY24, "68656c6c6f",
			NONCE "58b808b726eb4a42eb48888b41e9c1ad4b5a3bae6d" },
	{ "EAX, 24, empty", KEY24, "", NONCE "5c7b4ce5d4afa1875219b3af0a1e0bf0" },
	{ "EAX, 32", KEY32, "68656c6c6f",
			NONCE "9ab63a68754da49004e7ee68e73a12d3120dd4c6ca" },
	{ "EAX, 32, empty", KEY32, "", NONCE "2fdf0778bed8e8f896fa88e9017b7ce1" },
	{ "EAX, whole blocks", KEY16,
			"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
			"202122232425262728292a2b2c2d2e2f",
			NONCE
			"5c1faee170f1304a1f4b10487896baa3"
			"e0ca839151cf3f5aba127e23fdd303acfec0944bc4aa01c3137671faec5c24c5"
			"8df6b47741790e1539e58fdf5de085f3" },
	{ "EAX, a block cut short", KEY32,
			"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
			"202122232425262728292a2b2c2d2e",
			NONCE
			"79c81ea68f6cb93afe523f7f6069db40"
			"7a69baa9a187f788936b914dd6b39b84fdbd85e580960f2427bcb672feeaed7d"
			"10329fd2cb7beb686f4eb1befd769e" },
	/* The first counter block is 626cb7eb4011ced30a9e60842c1effff. */
	{ "EAX, the counter carries", KEY16,
			"00000000000000000000000000000000"
			"0000000000000000000000000000000000",
			"00000000000000000000000000033f212dfea60e12f57fb5707d3b2d19dec166"
			"6e935bffa0507a3abb99094662b1cc56"
			"02de08271659e5ab805d331a43e2fb3df2" },
	{ "GCM, 16", KEY16, "81a16101",
			NONCE "91de37bcf7df69f75dafa8eb10e9a7510e8e2f34" },
	{ "GCM, 16, empty", KEY16, "", NONCE "41050f773e86252649668aaae3316e29" },
	{ "GCM, 24", KEY24, "68656c6c6f",
			NONCE "b5d4c83fbb8be70baa25ae509a597e3b1b42440474" },
	{ "GCM, 24, empty", KEY24, "", NONCE "bd2de532a099eac15924f4ead22d2ca5" },
	{ "GCM, 32", KEY32, "68656c6c6f",
			NONCE "a931c587fe6d9ffdf73bad0b88e076263d790b20b9" },
	{ "GCM, 32, empty", KEY32, "", NONCE "e44faa5fb09e7115acb77190c0885fef" },
	{ "GCM, a block cut short", KEY32,
			"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
			"202122232425262728292a2b2c2d2e",
			NONCE
			"8c2de8c3139df17208740c0951818c1f"
			"551d654fd25521735a9268215e04cc1df0984fed5659e413d820e1d2fb09f809"
			"673b63d445b48c97d8b881eaec3599" },
};

static const char *const keys[] = { KEY16, KEY24, KEY32 };

static size_t unhex(uint8_t *to, const char *hex)
{
	size_t n = strlen(hex) / 2, i;

	for (i = 0; i < n; i++)
		to[i] = (uint8_t)(hex_value(hex[2 * i]) << 4 | hex_value(hex[2 * i + 1]));
	return n;
}

static struct crypt *key_of(struct ckpt_view key)
{
	struct ckpt_error err = { 0 };
	struct crypt *c;

	if (crypt_new(&c, key, &err) != 0) {
		printf("# %s\nBail out! no key\n", err.text);
		exit(1);
	}
	return c;
}

/* Opening says 0, records nothing and leaves the view alone. */
static bool refused(const struct crypt *c, const void *row, size_t n, struct arena *arena)
{
	struct ckpt_view plain = CKPT_LIT("untouched");
	struct ckpt_error err = { 0 };
	int rc = crypt_open_row(c, (struct ckpt_view){ row, n }, arena, &plain, &err);

	return rc == 0 && err.code == CKPT_OK &&
	       ckpt_view_eq(plain, CKPT_LIT("untouched"));
}

static void test_vectors(struct arena *arena)
{
	size_t i;

	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i];
		struct crypt *c = key_of(ckpt_view_of(v->key));
		struct ckpt_view plain = { 0 };
		struct ckpt_error err = { 0 };
		uint8_t row[128], want[128];
		size_t n = unhex(row, v->row), nwant = unhex(want, v->plain);
		int rc = crypt_open_row(
				c, (struct ckpt_view){ row, n }, arena, &plain, &err);

		ok(rc == 1 && err.code == CKPT_OK && plain.p &&
						ckpt_view_eq(plain,
								(struct ckpt_view){ want,
										nwant }),
				"%s", v->what);
		crypt_free(c);
		arena_reset(arena);
	}
}

/* Every bit of every vector, and every length below it and one above. */
static void test_damage(struct arena *arena)
{
	size_t i, bit, len;

	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct crypt *c = key_of(ckpt_view_of(vectors[i].key));
		uint8_t row[128] = { 0 };
		size_t n = unhex(row, vectors[i].row), bad = 0;

		for (bit = 0; bit < n * 8; bit++) {
			row[bit / 8] ^= (uint8_t)(1u << bit % 8);
			bad += !refused(c, row, n, arena);
			row[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		ok(bad == 0, "%s: each of %zu flipped bits refused", vectors[i].what,
				n * 8);
		for (bad = 0, len = 0; len <= n + 1; len++)
			bad += len != n && !refused(c, row, len, arena);
		ok(bad == 0, "%s: other lengths refused", vectors[i].what);
		crypt_free(c);
		arena_reset(arena);
	}
}

static void test_odd_rows(struct arena *arena)
{
	struct crypt *c = key_of(CKPT_LIT(KEY16));
	const size_t huge = SIZE_MAX - 8;
	struct ckpt_error err = { 0 };
	struct ckpt_view out = { 0 };
	uint8_t zeros[64] = { 0 };

	ok(refused(c, NULL, 0, arena), "a NULL row");
	ok(refused(c, "", 0, arena), "an empty row");
	ok(refused(c, zeros, 31, arena), "a row shorter than nonce and tag");
	ok(refused(c, zeros, 32, arena) && refused(c, zeros, 64, arena), "zeros");
	ok(crypt_open_row(c, (struct ckpt_view){ zeros, huge }, arena, &out, &err) ==
							CKPT_ENOMEM &&
					err.code == CKPT_ENOMEM && !out.p,
			"no memory to open");
	err = (struct ckpt_error){ 0 };
	ok(crypt_seal_row(c, (struct ckpt_view){ zeros, huge }, arena, &out, &err) ==
							CKPT_ENOMEM &&
					err.code == CKPT_ENOMEM && !out.p,
			"no memory to seal");
	err = (struct ckpt_error){ 0 };
	ok(crypt_seal_row(c, (struct ckpt_view){ zeros, SIZE_MAX / 2 + 1 }, arena, &out,
			   &err) == CKPT_ENOMEM,
			"half of all memory is too much");
	err = (struct ckpt_error){ 0 };
	ok(crypt_seal_row(c, (struct ckpt_view){ 0 }, arena, &out, &err) == 0 &&
					out.n == 32 &&
					crypt_open_row(c, out, arena, &out, &err) == 1 &&
					out.p && out.n == 0,
			"NULL is sealed as nothing");
	crypt_free(c);
	crypt_free(NULL);
	arena_reset(arena);
}

/* Seal and open; with the other keys it stays shut. */
static bool goes_round(size_t k, struct ckpt_view plain, struct arena *arena)
{
	struct ckpt_view row = { 0 }, back = { 0 };
	struct ckpt_error err = { 0 };
	struct crypt *c = key_of(ckpt_view_of(keys[k]));
	bool good = crypt_seal_row(c, plain, arena, &row, &err) == 0 &&
	            row.n == plain.n + 32 &&
	            crypt_open_row(c, row, arena, &back, &err) == 1 &&
	            ckpt_view_eq(back, plain) && ((const char *)back.p)[back.n] == '\0' &&
	            err.code == CKPT_OK;
	size_t other;

	crypt_free(c);
	for (other = 0; other < 3; other++) {
		c = key_of(ckpt_view_of(keys[other]));
		good = good && (other == k || refused(c, row.p, row.n, arena));
		crypt_free(c);
	}
	return good;
}

static void test_round(struct arena *arena)
{
	static const size_t large[] = { 511, 512, 513, 4095, 4096, 4097, 65536, 1000003 };
	uint8_t *data = malloc(8 * MIB);
	size_t k, n, i, bad;

	for (i = 0; data && i < 8 * MIB; i++)
		data[i] = (uint8_t)(i * i >> 7);
	for (k = 0; data && k < 3; k++) {
		for (bad = 0, n = 0; n <= 100; n++)
			bad += !goes_round(k, (struct ckpt_view){ data, n }, arena);
		ok(bad == 0, "0 to 100 bytes there and back, key of %zu",
				strlen(keys[k]));
		arena_reset(arena);
		for (bad = 0, i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
			bad += !goes_round(
					k, (struct ckpt_view){ data, large[i] }, arena);
			arena_reset(arena);
		}
		ok(bad == 0, "larger ones there and back, key of %zu", strlen(keys[k]));
	}
	ok(data && goes_round(2, (struct ckpt_view){ data, 8 * MIB }, arena),
			"8 MiB there and back");
	arena_reset(arena);
	free(data);
}

/* The memory is the same each time: what lay there must not become the nonce. */
static void test_fresh(struct arena *arena)
{
	struct crypt *c = key_of(CKPT_LIT(KEY32));
	struct ckpt_error err = { 0 };
	struct ckpt_view row;
	uint8_t rows[50][40];
	size_t i, j, bad = 0;

	for (i = 0; i < 50 && !bad; i++) {
		bad += crypt_seal_row(c, CKPT_LIT("the same"), arena, &row, &err) != 0;
		if (!bad)
			memcpy(rows[i], row.p, sizeof(rows[i]));
		for (j = 0; j < i && !bad; j++)
			bad += memcmp(rows[i], rows[j], 16) == 0 ||
			       memcmp(rows[i] + 32, rows[j] + 32, 8) == 0;
		arena_reset(arena);
	}
	ok(bad == 0, "no nonce twice");
	crypt_free(c);
}

static void test_near_keys(struct arena *arena)
{
	struct crypt *c = key_of(CKPT_LIT(KEY16));
	struct ckpt_view row = { 0 };
	struct ckpt_error err = { 0 };
	size_t bit, bad = 0;

	if (crypt_seal_row(c, CKPT_LIT("hello"), arena, &row, &err) != 0)
		bad++;
	crypt_free(c);
	for (bit = 0; bit < 128 && !bad; bit++) {
		char key[] = KEY16;

		key[bit / 8] = (char)(key[bit / 8] ^ 1 << bit % 8);
		c = key_of((struct ckpt_view){ key, 16 });
		bad += !refused(c, row.p, row.n, arena);
		crypt_free(c);
	}
	ok(bad == 0, "a key that is off by one bit opens nothing");
	arena_reset(arena);
}

static void test_key_lengths(void)
{
	static const char secret[] = "SECRETSECRETSECRETSECRETSECRETSECRETSECRET";
	struct ckpt_error err = { 0 };
	struct crypt *c;
	size_t n, bad = 0;

	for (n = 0; n < sizeof(secret); n++) {
		bool fits = n == 16 || n == 24 || n == 32;
		int rc = crypt_new(&c, (struct ckpt_view){ secret, n }, &err);

		bad += rc != (fits ? 0 : CKPT_EUSAGE) || (c != NULL) != fits ||
		       strstr(err.text, "SECR") || strstr(err.hint, "SECR");
		crypt_free(c);
		err.code = CKPT_OK;
	}
	ok(bad == 0, "keys of 16, 24 and 32 bytes and no others");
	crypt_new(&c, CKPT_LIT("SECRETSECRETSECRE"), &err);
	same(err.text, strlen(err.text), "an AES key has 16, 24 or 32 bytes, this one 17",
			"text of a wrong length");
	err.code = CKPT_OK;
	ok(crypt_new(&c, (struct ckpt_view){ NULL, 16 }, &err) == CKPT_EUSAGE && !c,
			"NULL");
}

static void test_types(void)
{
	static const struct {
		struct ckpt_view type, inner; /* NULL: not one of ours */
	} cases[] = {
		{ CKPT_LIT("msgpack+aes"), CKPT_LIT("msgpack") },
		{ CKPT_LIT("null+aes"), CKPT_LIT("null") },
		{ CKPT_LIT("bytes+aes"), CKPT_LIT("bytes") },
		{ CKPT_LIT("a\0b+aes"), CKPT_LIT("a\0b") },
		{ CKPT_LIT("+aes"), CKPT_LIT("") },
		{ { NULL, 0 }, { NULL, 0 } },
		{ CKPT_LIT(""), { NULL, 0 } },
		{ CKPT_LIT("aes"), { NULL, 0 } },
		{ CKPT_LIT("msgpack"), { NULL, 0 } },
		{ CKPT_LIT("msgpackaes"), { NULL, 0 } },
		{ CKPT_LIT("msgpack+"), { NULL, 0 } },
		{ CKPT_LIT("msgpack+ae"), { NULL, 0 } },
		{ CKPT_LIT("msgpack+aes2"), { NULL, 0 } },
		{ CKPT_LIT("msgpack+AES"), { NULL, 0 } },
		{ CKPT_LIT("msgpack+aes "), { NULL, 0 } },
		{ CKPT_LIT("msgpack+aes\0"), { NULL, 0 } },
		{ CKPT_LIT("msgpack+fernet"), { NULL, 0 } },
		{ CKPT_LIT("msgpack+x+aes"), { NULL, 0 } },
		{ CKPT_LIT("msgpack+aes+aes"), { NULL, 0 } },
		{ CKPT_LIT("++aes"), { NULL, 0 } },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ckpt_view before = CKPT_LIT("untouched");
		struct ckpt_view type = cases[i].type, want = cases[i].inner;
		struct ckpt_view inner = before;
		bool is = crypt_inner_type(type, &inner);

		ok(is == (want.p != NULL) && ckpt_view_eq(inner, is ? want : before),
				"type \"%.*s\"", (int)type.n,
				type.p ? (const char *)type.p : "");
	}
}

/* ---- key files -------------------------------------------------------------------- */

static bool put_file(const char *path, struct ckpt_view body)
{
	FILE *file = fopen(path, "wb");
	bool good = file && fwrite(body.p, 1, body.n, file) == body.n;

	return file && fclose(file) == 0 && good;
}

static bool file_gives(const char *path, struct ckpt_view want)
{
	struct ckpt_buf key = { 0 };
	struct ckpt_error err = { 0 };
	bool good = crypt_key_from_file(&key, path, &err) == 0 && err.code == CKPT_OK &&
	            ckpt_view_eq(ckpt_buf_view(&key), want);

	ckpt_buf_free(&key);
	return good;
}

static bool file_fails(const char *path, int code, const char *text)
{
	struct ckpt_buf key = { 0 };
	struct ckpt_error err = { 0 };
	bool good = crypt_key_from_file(&key, path, &err) == code && err.code == code &&
	            key.n == 0 && strstr(err.text, text) && !strstr(err.text, "kkk");

	if (!good)
		printf("# %d %s\n", err.code, err.text);
	ckpt_buf_free(&key);
	return good;
}

static void test_file_contents(const char *path)
{
	static const struct {
		const char *what;
		struct ckpt_view body, key;
	} cases[] = {
		{ "as it is", CKPT_LIT(KEY16), CKPT_LIT(KEY16) },
		{ "a newline", CKPT_LIT(KEY16 "\n"), CKPT_LIT(KEY16) },
		{ "a newline of Windows", CKPT_LIT(KEY24 "\r\n"), CKPT_LIT(KEY24) },
		{ "one newline, not two", CKPT_LIT(KEY16 "\n\n"), CKPT_LIT(KEY16 "\n") },
		{ "\\r alone stays", CKPT_LIT(KEY16 "\r"), CKPT_LIT(KEY16 "\r") },
		{ "white space stays", CKPT_LIT(" k\t\n"), CKPT_LIT(" k\t") },
		{ "NUL and high bytes", CKPT_LIT("\0\xff\n\0"), CKPT_LIT("\0\xff\n\0") },
		{ "nothing", CKPT_LIT(""), CKPT_LIT("") },
		{ "a newline alone", CKPT_LIT("\n"), CKPT_LIT("") },
		{ "\\r\\n alone", CKPT_LIT("\r\n"), CKPT_LIT("") },
	};
	char large[4097];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ok(put_file(path, cases[i].body) && file_gives(path, cases[i].key),
				"key file: %s", cases[i].what);
	memset(large, 'k', sizeof(large));
	ok(put_file(path, (struct ckpt_view){ large, 4096 }) &&
					file_gives(path, (struct ckpt_view){ large,
									 4096 }),
			"key file: 4096 bytes");
	ok(put_file(path, (struct ckpt_view){ large, 4097 }) &&
					file_fails(path, CKPT_EUSAGE,
							"more than 4096 bytes"),
			"key file: 4097 bytes");
	ok(file_fails("/dev/zero", CKPT_EUSAGE, "more than 4096 bytes"),
			"key file: no end");
}

/* A file of mode 0; root reads everything, so a child becomes somebody else. */
static bool as_nobody(const char *path)
{
	pid_t child;
	int status = 1;

	if (geteuid() != 0)
		return file_fails(path, CKPT_EIO, "cannot open");
	child = fork();
	if (child == 0)
		_exit(setuid(65534) == 0 && file_fails(path, CKPT_EIO, "cannot open")
						? 0
						: 1);
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void test_key_files(void)
{
	char dir[] = "/tmp/test_crypt.XXXXXX", path[64], name[64];
	int ends[2];

	if (!ok(mkdtemp(dir) != NULL, "a directory for key files"))
		return;
	snprintf(path, sizeof(path), "%s/key", dir);
	ok(file_fails(path, CKPT_ENOTFOUND, path), "key file: missing");
	test_file_contents(path);
	snprintf(name, sizeof(name), "%s/key/below", dir);
	ok(file_fails(name, CKPT_ENOTFOUND, name), "key file: below a file");
	ok(file_fails(dir, CKPT_EIO, "cannot read"), "key file: a directory");
	chmod(path, 0);
	ok(as_nobody(path), "key file: not ours to read");
	if (ok(pipe(ends) == 0, "a pipe")) {
		ok(write(ends[1], KEY32 "\n", 33) == 33, "a key in the pipe");
		close(ends[1]);
		snprintf(name, sizeof(name), "/dev/fd/%d", ends[0]);
		ok(file_gives(name, CKPT_LIT(KEY32)), "key file: a pipe");
		close(ends[0]);
	}
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	struct arena arena = { 0 };

	test_vectors(&arena);
	test_damage(&arena);
	test_odd_rows(&arena);
	test_round(&arena);
	test_fresh(&arena);
	test_near_keys(&arena);
	test_key_lengths();
	test_types();
	test_key_files();
	arena_free(&arena);
	return done();
}
