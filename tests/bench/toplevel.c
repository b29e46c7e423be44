/*
 * toplevel.c - the least that telling channels apart can cost: every container and every write of
 * a SQLite store is read, and the top level of the containers walked. Prints the bytes of the
 * values of channel_values, and all bytes.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint64_t number(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

/* Bytes behind the head, and values that follow; the head's own length is returned. */
static unsigned head(const uint8_t *p, uint64_t *bytes, uint64_t *values)
{
	/* from 0xc0: bytes of a length field (+16: of values, +32: with an ext's type), or fixed */
	static const uint8_t length[32] = { 0, 0, 0, 0, 1, 2, 4, 33, 34, 36, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 18, 20, 18, 20 };
	static const uint8_t fixed[32] = {
		[10] = 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17
	};
	uint8_t c = *p, n;

	*bytes = *values = 0;
	if (c < 0x80 || c >= 0xe0)
		return 1;
	if (c < 0x90)
		*values = 2 * (c & 15U);
	else if (c < 0xa0)
		*values = c & 15U;
	else if (c < 0xc0)
		*bytes = c & 31U;
	if (c < 0xc0)
		return 1;
	n = length[c - 0xc0];
	if (n & 16)
		*values = number(p + 1, n & 7) * (c >= 0xde ? 2 : 1);
	else if (n)
		*bytes = number(p + 1, n & 7) + (n & 32 ? 1 : 0);
	else
		*bytes = fixed[c - 0xc0];
	return 1U + (n & 7);
}

static const uint8_t *skip(const uint8_t *p, const uint8_t *end)
{
	for (uint64_t left = 1; left && p && p < end; left--) {
		uint64_t bytes, values;

		p += head(p, &bytes, &values);
		p += bytes;
		left += values;
	}
	return p;
}

/* Bytes of the values of the member channel_values. */
static uint64_t walk(const uint8_t *p, const uint8_t *end)
{
	uint64_t bytes, members, values, sum = 0;

	p += head(p, &bytes, &members);
	for (; members && p < end; members -= 2) {
		unsigned n = head(p, &bytes, &values);
		int here = bytes == 14 && memcmp(p + n, "channel_values", 14) == 0;

		p += n + bytes;
		if (!here) {
			p = skip(p, end);
			continue;
		}
		for (p += head(p, &bytes, &values); values && p < end; values -= 2) {
			const uint8_t *value = skip(p, end);

			p = skip(value, end);
			sum += (uint64_t)(p - value);
		}
	}
	return sum;
}

int main(int argc, char **argv)
{
	static const char *const sql[2] = {
		"SELECT checkpoint, metadata FROM checkpoints "
		"NOT INDEXED",
		"SELECT value, channel FROM writes NOT INDEXED"
	};
	uint64_t values = 0, all = 0;
	sqlite3_stmt *st;
	sqlite3 *db;

	if (argc != 2 || sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READONLY, NULL))
		return 1;
	for (int i = 0; i < 2; i++) {
		if (sqlite3_prepare_v2(db, sql[i], -1, &st, NULL))
			return 1;
		while (sqlite3_step(st) == SQLITE_ROW) {
			const uint8_t *p = sqlite3_column_blob(st, 0);
			size_t n = (size_t)sqlite3_column_bytes(st, 0);

			all += n + (size_t)sqlite3_column_bytes(st, 1);
			if (i == 0 && n)
				values += walk(p, p + n);
		}
		sqlite3_finalize(st);
	}
	printf("%llu %llu\n", (unsigned long long)values, (unsigned long long)all);
	return sqlite3_close(db);
}
