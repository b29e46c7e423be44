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

/* "password", "sslpassword", "PASSWD": behind it, or NULL. */
static const char *behind_password(const char *p)
{
	p = strcasestr(p, "passw");
	return p ? p + 5 +
	                                       strspn(p + 5, "abcdefghijklmnopqrstuvwxyzA"
							     "BCDEFGHIJKLMNOPQRSTUVWXYZ_")
	         : NULL;
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

char *postgres_masked(const char *name)
{
	struct ckpt_buf b = { 0 };
	const char *start = authority(name), *at = name;
	bool uri = start != NULL;
	const char *host = uri ? strrchr(start, '@') : NULL;
	const char *colon = uri ? strchr(start, ':') : NULL;
	const char *word = behind_password(name);

	/* up to the last @: whoever forgot to encode one in the password gets it hidden all the
	   same. Behind a parameter called password the @ may be part of that. */
	if (host && colon && colon < host) {
		ckpt_buf_add(&b, name, (size_t)(colon - name) + 1);
		ckpt_buf_puts(&b, "***");
		at = word && word < host ? value_end(host, uri) : host;
	}
	for (const char *p; (p = behind_password(at));) {
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
