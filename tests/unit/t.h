/*
 * t.h - the whole unit test frame: each test_<name>.c is a program that prints TAP.
 *
 * One `ok`/`not ok` line per case; a table of cases is a loop around ok(). Ends with done().
 */
#ifndef T_H
#define T_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int t_count, t_failed;

__attribute__((format(printf, 2, 3))) static inline bool ok(
		bool good, const char *fmt, ...)
{
	va_list ap;

	t_count++;
	if (!good)
		t_failed++;
	printf("%s %d - ", good ? "ok" : "not ok", t_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	return good;
}

/* Bytes are equal; on failure both are printed. */
static inline bool same(const void *got, size_t ngot, const char *want, const char *what)
{
	size_t nwant = strlen(want);
	bool good = ngot == nwant && memcmp(ngot ? got : "", want, nwant) == 0;

	ok(good, "%s", what);
	if (!good)
		printf("# got  %.*s\n# want %s\n", (int)ngot,
				ngot ? (const char *)got : "", want);
	return good;
}

static inline int done(void)
{
	printf("1..%d\n", t_count);
	return t_failed ? 1 : 0;
}

#endif
