/*
 * walk.c - what a check is measured against: read every row of a LangGraph SQLite store through
 * libsqlite3 and walk the msgpack in it, payloads of ext values included. No answers but a count.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint64_t values;

/* One value; NULL if it is cut off. */
static const uint8_t *walk(const uint8_t *p, const uint8_t *end)
{
	static const uint8_t width[32] = { 0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 4, 8, 1, 2, 4, 8,
		1, 2, 4, 8, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4 };
	uint64_t n = 0, items = 0;
	uint8_t c;

	if (!p || p >= end)
		return NULL;
	values++;
	c = *p++;
	if (c < 0x80 || c >= 0xe0)
		return p;
	if (c >= 0xa0 && c < 0xc0)
		return (size_t)(end - p) >= (c & 31u) ? p + (c & 31) : NULL;
	if (c < 0xa0) {
		items = c < 0x90 ? 2u * (c & 15) : c & 15u;
	} else {
		if ((size_t)(end - p) < width[c - 0xc0])
			return NULL;
		for (unsigned i = 0; i < width[c - 0xc0]; i++)
			n = n << 8 | *p++;
		if (c >= 0xdc && c <= 0xdf)
			items = c < 0xde ? n : 2 * n;
		else if ((c >= 0xc4 && c <= 0xc9) || c >= 0xd4) {
			uint64_t ext = (c >= 0xc7 && c <= 0xc9) || c < 0xd9;

			n = c >= 0xd4 && c < 0xd9 ? UINT64_C(1) << (c - 0xd4) : n;
			if (c < 0xc7 || c > 0xd8)
				ext = 0;
			if ((uint64_t)(end - p) < n + ext)
				return NULL;
			if (ext && *p <= 7)
				walk(p + 1, p + 1 + n);
			return p + n + ext;
		}
	}
	while (items-- && p)
		p = walk(p, end);
	return p;
}

int main(int argc, char **argv)
{
	static const char *const sql[] = { "SELECT * FROM checkpoints",
		"SELECT * FROM writes" };
	sqlite3_stmt *st;
	sqlite3 *db;

	if (argc < 2 || sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READONLY, NULL))
		return 1;
	for (int i = 0; i < 2; i++) {
		if (sqlite3_prepare_v2(db, sql[i], -1, &st, NULL))
			return 1;
		while (sqlite3_step(st) == SQLITE_ROW) {
			int at = i ? sqlite3_column_count(st) - 1 : 5;
			const uint8_t *p = sqlite3_column_blob(st, at);

			walk(p, p + sqlite3_column_bytes(st, at));
		}
		sqlite3_finalize(st);
	}
	printf("%llu values\n", (unsigned long long)values);
	return sqlite3_close(db);
}
