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

/* One character; in a URI it may be written %41. */
static const char *character(const char *p, bool uri, int *out)
{
	int high = uri && *p == '%' ? hex_value(p[1]) : -1;
	int low = high < 0 ? -1 : hex_value(p[2]);

	*out = low < 0 ? (unsigned char)*p : high * 16 + low;
	return p + (low < 0 ? 1 : 3);
}

/* "password", "sslpassword", "PASSWD" begins here: behind it and its '=', or NULL. */
static const char *behind_password(const char *p, bool uri)
{
	static const char word[] = "passw";
	const char *next = p;
	size_t i = 0;
	int c;

	for (; *p; p = next, i++) {
		next = character(p, uri, &c);
		if (i < sizeof(word) - 1 ? (c | 0x20) != word[i]
					 : c != '_' && ((c | 0x20) < 'a' ||
								       (c | 0x20) > 'z'))
			break;
	}
	p += strspn(p, BLANKS);
	return i >= sizeof(word) - 1 && *p == '=' ? p + 1 + strspn(p + 1, BLANKS) : NULL;
}

/* Where the authority of anything like a URI begins, whatever its scheme; NULL: no URI. */
static const char *authority(const char *name)
{
	const char *p = name + strspn(name, BLANKS);
	size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456"
			     "789+.-");

	if (!n || strncmp(p + n, ":/", 2) != 0)
		return NULL;
	p += n + 1;
	return p + strspn(p, "/");
}

/* Up to the last @: whoever forgot to encode one in the password gets it hidden all the same. */
static void hide_userinfo(char *hidden, const char *name)
{
	const char *start = authority(name);
	const char *host = start ? strrchr(start, '@') : NULL;
	const char *colon = start ? strchr(start, ':') : NULL;

	if (host && colon && colon + 1 < host)
		memset(hidden + (colon + 1 - name), 1, (size_t)(host - colon) - 1);
}

char *postgres_masked(const char *name)
{
	char *hidden = calloc(1, strlen(name) + 2);
	bool uri = authority(name) != NULL;
	struct ckpt_buf b = { 0 };

	if (!hidden)
		return NULL;
	hide_userinfo(hidden, name);
	/* Every such word, also one in another's value: whose quotes count is not certain in a
	   name with a slip in it. */
	for (const char *p = name; *p; p++) {
		const char *value = behind_password(p, uri);

		if (value)
			memset(hidden + (value - name), 1,
					(size_t)(value_end(value, uri) - value) +
							!*value);
	}
	ckpt_buf_puts(&b, "");
	for (size_t i = 0; name[i] || hidden[i]; i++) {
		if (!hidden[i])
			ckpt_buf_add(&b, name + i, 1);
		else if (i == 0 || !hidden[i - 1])
			ckpt_buf_puts(&b, "***");
		if (!name[i])
			break;
	}
	free(hidden);
	if (b.failed)
		ckpt_buf_free(&b);
	return b.p;
}

bool postgres_is_conninfo(const char *name)
{
	static const char *const words[] = { "host", "hostaddr", "port", "dbname", "user",
		"password", "passfile", "service", "sslmode", "sslcert", "sslkey",
		"sslpassword", "sslrootcert", "sslcrl", "sslsni", "channel_binding",
		"require_auth", "gssencmode", "krbsrvname", "options", "application_name",
		"fallback_application_name", "connect_timeout", "client_encoding",
		"keepalives", "keepalives_idle", "keepalives_interval",
		"keepalives_count", "tcp_user_timeout", "target_session_attrs",
		"load_balance_hosts" };
	const char *p = name + strspn(name, BLANKS), *equals;
	size_t n = strcspn(p, "=" BLANKS);

	equals = p + n + strspn(p + n, BLANKS);
	for (size_t i = 0; *equals == '=' && i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i]) == n && strncmp(p, words[i], n) == 0)
			return true;
	}
	return false;
}
