/*
 * postgres_name.c - names of PostgreSQL stores as text: what libpq gets of them, and how they are
 * shown. No connection is made here and libpq is not needed.
 */
#include <stdlib.h>
#include <string.h>

#include "postgres.h"

#define BLANKS " \t\n\r\f\v"

/* postgresql+psycopg://… and postgres://… → postgresql://…; the suffix names a Python driver. */
char *postgres_conninfo(const char *name, struct ckpt_error *err)
{
	static const char *const schemes[] = { "postgresql", "postgres" };
	struct ckpt_buf b = { 0 };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t n = strlen(schemes[i]);

		if (strncmp(name, schemes[i], n) != 0)
			continue;
		if (name[n] == '+')
			n += 1 + strspn(name + n + 1,
						 "abcdefghijklmnopqrstuvwxyz0123456789_");
		if (strncmp(name + n, "://", 3) == 0) {
			ckpt_buf_puts(&b, schemes[0]);
			name += n;
			break;
		}
	}
	ckpt_buf_puts(&b, name);
	if (b.failed) {
		ckpt_buf_free(&b);
		ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	}
	return b.p;
}

/* Where a connection string's value ends: in quotes or at a blank, \ takes the next as it is. */
static const char *value_end(const char *p, bool uri)
{
	bool quoted = !uri && *p == '\'';

	for (p += quoted; *p; p++) {
		if (quoted ? *p == '\'' : uri ? *p == '&' : strchr(BLANKS, *p) != NULL)
			break;
		if (!uri && *p == '\\' && p[1])
			p++;
	}
	return quoted && *p ? p + 1 : p;
}

char *postgres_masked(const char *name)
{
	struct ckpt_buf b = { 0 };
	const char *scheme = strstr(name, "://"), *at = name;
	bool uri = scheme && strcspn(name, "= '") > (size_t)(scheme - name);
	const char *host = uri ? strrchr(scheme + 3, '@') : NULL;
	const char *colon = uri ? strchr(scheme + 3, ':') : NULL;
	const char *word = strstr(name, "password");

	/* up to the last @: whoever forgot to encode one in the password gets it hidden all the
	   same. Behind a parameter called password the @ may be part of that. */
	if (host && colon && colon < host) {
		ckpt_buf_add(&b, name, (size_t)(colon - name) + 1);
		ckpt_buf_puts(&b, "***");
		at = word && word < host ? value_end(host, uri) : host;
	}
	for (const char *p; (p = strstr(at, "password"));) {
		p += 8;
		p += strspn(p, BLANKS);
		if (*p == '=') {
			p += 1 + strspn(p + 1, BLANKS);
			ckpt_buf_add(&b, at, (size_t)(p - at));
			ckpt_buf_puts(&b, "***");
			at = value_end(p, uri);
		} else {
			ckpt_buf_add(&b, at, (size_t)(p - at));
			at = p;
		}
	}
	ckpt_buf_puts(&b, at);
	if (b.failed)
		ckpt_buf_free(&b);
	return b.p;
}
