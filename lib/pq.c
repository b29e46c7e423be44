/*
 * pq.c - libpq: loading it, connecting, and telling what went wrong. A connection is made in our
 * own loop: only so do notices of the server not go to stderr, and errors carry their SQLSTATE.
 * What is sent over the connection is decided in postgres.c.
 */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "pq.h"

#define CONNECT_SECONDS 10
#define PARAMS_MAX 128
#define HOSTS_MAX 16

/* ---- the library --------------------------------------------------------------------------- */

int pq_load(struct pq *out, struct ckpt_error *err)
{
	static const struct {
		const char *name;
		size_t at;
	} functions[] = {
#define PQ_ENTRY(f) { #f, offsetof(struct pq, f) },
		PQ_FUNCTIONS(PQ_ENTRY)
#undef PQ_ENTRY
	};
	/* never closed: it and OpenSSL leave handlers that run at exit */
	void *lib = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);

	if (!lib) {
		ckpt_fail(err, CKPT_EUNSUPPORTED,
				"PostgreSQL needs libpq.so.5, which is not here");
		ckpt_hint(err, "on Debian or Ubuntu: apt-get install libpq5");
		return err->code;
	}
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *f = dlsym(lib, functions[i].name);

		if (!f)
			return ckpt_fail(err, CKPT_EUNSUPPORTED,
					"this libpq.so.5 is too old: it has "
					"no %s; version 14 or later is needed",
					functions[i].name);
		memcpy((char *)out + functions[i].at, &f, sizeof(f));
	}
	return 0;
}

/* ---- errors -------------------------------------------------------------------------------- */

/* What an SQLSTATE, or the class in its first two characters, means; the first that fits. */
static const struct meaning {
	const char *state;
	int code;
	const char *hint;
} meanings[] = {
	{ "40001", CKPT_EBUSY, "try again" },
	{ "40P01", CKPT_EBUSY, "try again" },
	{ "55P03", CKPT_EBUSY,
			"another session holds the lock; try again, or raise "
			"--lock-wait" },
	{ "23505", CKPT_EBUSY,
			"another session wrote the same at the same time; run it again" },
	{ "42P07", CKPT_EBUSY,
			"another session made the same at the same time; run it again" },
	{ "57014", CKPT_EINTERRUPTED, NULL },
	{ "57P04", CKPT_ECONNECT, NULL },
	{ "57", CKPT_EBUSY, "the server is going down or coming up; try again" },
	{ "25P", CKPT_EBUSY, "a time limit of the server ended the transaction" },
	{ "53200", CKPT_ENOMEM, NULL },
	{ "53100", CKPT_EIO, NULL },
	{ "53", CKPT_EBUSY, "try again when fewer are connected" },
	{ "08", CKPT_EBUSY, "try again" },
	{ "58", CKPT_EIO, NULL },
	{ "XX001", CKPT_ECORRUPT, NULL },
	{ "XX002", CKPT_ECORRUPT, NULL },
	{ "54", CKPT_EUNSUPPORTED, NULL },
	{ "0A", CKPT_EUNSUPPORTED, NULL },
	{ "22021", CKPT_ECORRUPT, NULL },
	{ "22P05", CKPT_EUNSUPPORTED, NULL },
	{ "42501", CKPT_EREFUSED, NULL },
	{ "28P01", CKPT_ECONNECT, "put the right password in ~/.pgpass or PGPASSWORD" },
	{ "28", CKPT_ECONNECT,
			"the server's pg_hba.conf and its roles decide who may connect" },
	{ "3D000", CKPT_ECONNECT, "psql -l lists the databases that are there" },
	{ "", CKPT_EINTERNAL, NULL },
};

static const struct meaning *meaning_of(const char *state)
{
	const struct meaning *m = meanings;

	while (strncmp(state, m->state, strlen(m->state)) != 0)
		m++;
	return m;
}

/* The first line of a message, without the password should somebody have repeated it. */
static char *readable(const struct pg_conn *c, const char *message)
{
	const char *secret = c->db ? c->pq.PQpass(c->db) : NULL;
	size_t n = strcspn(message, "\r\n"), nsecret = secret ? strlen(secret) : 0;
	struct ckpt_buf b = { 0 };

	for (size_t i = 0; i < n;) {
		if (nsecret && strncmp(message + i, secret, nsecret) == 0) {
			ckpt_buf_puts(&b, "***");
			i += nsecret;
		} else {
			ckpt_buf_add(&b, message + i++, 1);
		}
	}
	return b.p;
}

static int fail(struct pg_conn *c, int code, const char *doing, const char *message)
{
	char *text = readable(c, message);

	ckpt_fail(c->base.err, code, "%s '%s': %s", doing, c->shown,
			text ? text : "no reason given");
	free(text);
	return c->base.err->code;
}

/* Which grant is missing. Messages may be in the server's language; then the words are general. */
static void hint_grant(struct pg_conn *c, const PGresult *res, const char *message)
{
	static const struct {
		const char *text, *grant;
	} missing[] = {
		{ "permission denied for table ", "SELECT ON TABLE" },
		{ "permission denied for view ", "SELECT ON TABLE" },
		{ "permission denied for schema ", "USAGE ON SCHEMA" },
	};
	const char *at = res ? c->pq.PQresultErrorField(res, PG_DIAG_SOURCE_FUNCTION)
	                     : NULL;
	struct ckpt_error *err = c->base.err;
	const char *user = c->pq.PQuser(c->db);

	if (at && strcmp(at, "check_enable_rls") == 0) {
		ckpt_hint(err, "row security hides rows from this role; read as the "
			       "tables' owner, or "
			       "as a role with BYPASSRLS");
		return;
	}
	for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
		size_t n = strlen(missing[i].text);

		if (strncmp(message, missing[i].text, n) == 0) {
			ckpt_hint(err, "the owner can allow it: GRANT %s %s TO %s",
					missing[i].grant, message + n, user);
			return;
		}
	}
	ckpt_hint(err, "the owner can allow it: GRANT SELECT ON TABLE … TO %s", user);
}

/* `… FATAL:  28P01: what the server said` → that, and the state; false if it said nothing. */
static bool server_said(const char **said, char state[static 6], const char *message)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	for (const char *p = message; (p = strstr(p, ":  ")); p++) {
		if (strspn(p + 3, digits) == 5 && strncmp(p + 8, ": ", 2) == 0) {
			memcpy(state, p + 3, 5);
			state[5] = '\0';
			*said = p + 10;
			return true;
		}
	}
	return false;
}

static const char *doing(const struct pg_conn *c)
{
	return c->writing ? "cannot write to store" : "cannot read store";
}

/* What libpq itself found: mostly that nobody is there any more. Where it could not send, it comes to
 * know that only when it reads next. */
static int own_fault(struct pg_conn *c, const char *message)
{
	bool lost = c->pq.PQstatus(c->db) == CONNECTION_BAD ||
	            strstr(message, "server closed the connection") ||
	            !c->pq.PQconsumeInput(c->db) ||
	            c->pq.PQstatus(c->db) == CONNECTION_BAD;
	int code = lost ? CKPT_EBUSY : CKPT_EINTERNAL;

	if (strstr(message, "out of memory"))
		code = CKPT_ENOMEM;
	fail(c, code, lost ? "lost the connection to" : doing(c), message);
	if (code == CKPT_EBUSY)
		ckpt_hint(c->base.err, "try again");
	return code;
}

int pq_fault(struct pg_conn *c, const PGresult *res)
{
	const char *state = res ? c->pq.PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
	const char *message = res ? c->pq.PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY)
	                          : NULL;
	const struct meaning *m;
	char said[6];
	int code;

	if (!state || !message) {
		message = res ? c->pq.PQresultErrorMessage(res)
		              : c->pq.PQerrorMessage(c->db);
		/* the server's last words may come when nothing was asked */
		if (!server_said(&message, said, message))
			return own_fault(c, message);
		state = said;
	}
	m = meaning_of(state);
	code = m->code;
	if (code == CKPT_EINTERRUPTED && c->cancelled)
		return ckpt_fail(c->base.err, code, "stopped by a signal%s",
				c->writing ? "; what was not committed is undone" : "");
	if (code == CKPT_EINTERRUPTED && strstr(message, "timeout"))
		code = CKPT_EBUSY;
	if (c->writing && strcmp(state, "25006") == 0) {
		fail(c, CKPT_EREFUSED, doing(c), message);
		ckpt_hint(c->base.err, "this server is a standby, or reads only");
		return c->base.err->code;
	}
	fail(c, code, doing(c), message);
	if (m->hint)
		ckpt_hint(c->base.err, "%s", m->hint);
	if (code == CKPT_EREFUSED)
		hint_grant(c, res, message);
	return c->base.err->code;
}

static int cannot_connect(struct pg_conn *c)
{
	static const struct {
		const char *text, *hint;
	} hints[] = {
		{ "Connection refused", "is the server running there?" },
		{ "No such file or directory", "is the server running there?" },
		{ "could not translate host name", "is the host's name right?" },
		{ "no password supplied", "put the password in ~/.pgpass or PGPASSWORD" },
	};
	const char *message = c->db ? c->pq.PQerrorMessage(c->db) : "out of memory";
	const struct meaning *m = NULL;
	int code = c->db ? CKPT_ECONNECT : CKPT_ENOMEM;
	char state[6];

	if (server_said(&message, state, message)) {
		m = meaning_of(state);
		/* a pooler says "no such database" with the class of lost connections */
		if (m->code == CKPT_EBUSY && strncmp(state, "08", 2) != 0)
			code = m->code;
		else if (m->code != CKPT_ECONNECT)
			m = NULL;
	}
	fail(c, code, "cannot connect to", message);
	if (m && m->hint)
		ckpt_hint(c->base.err, "%s", m->hint);
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]) && !m; i++) {
		if (strstr(message, hints[i].text)) {
			ckpt_hint(c->base.err, "%s", hints[i].hint);
			break;
		}
	}
	return code;
}

/* ---- connecting ---------------------------------------------------------------------------- */

static const char *option(const PQconninfoOption *all, const char *keyword)
{
	for (; all && all->keyword; all++) {
		if (strcmp(all->keyword, keyword) == 0)
			return all->val && *all->val ? all->val : NULL;
	}
	return NULL;
}

/* libpq did not understand the name. What it says may quote a piece of a password, so it is asked
 * about the name without one; if it likes that, the password was the trouble. */
static int not_understood(struct pg_conn *c)
{
	char *message = NULL;
	PQconninfoOption *options = c->pq.PQconninfoParse(c->shown, &message);

	if (message) {
		fail(c, CKPT_EUSAGE, "store", message);
	} else {
		fail(c, CKPT_EUSAGE, "store",
				"its password is not written as it has to be");
		ckpt_hint(c->base.err,
				"in a URI %% @ / : ? # of a password become %%25 %%40 "
				"%%2F %%3A "
				"%%3F %%23; better put it in ~/.pgpass or PGPASSWORD");
	}
	c->pq.PQfreemem(message);
	c->pq.PQconninfoFree(options);
	return c->base.err->code;
}

/* Where the name holds a password that libpq did not find, it took a part of it for something
 * else, and would tell. */
static bool password_went_astray(const struct pg_conn *c, const PQconninfoOption *options)
{
	const char *scheme = strstr(c->shown, "://");

	return scheme && strstr(scheme, ":***") && !option(options, "password");
}

/* Ours go before the user's, who has the last word; but text is UTF-8 here whatever a terminal
 * may want. No `options`: poolers refuse them. */
static PGconn *start(struct pg_conn *c, const PQconninfoOption *options)
{
	static const char *const ours[][2] = {
		{ "fallback_application_name", "ckpt" },
		{ "keepalives_idle", "30" },
		{ "keepalives_interval", "10" },
		{ "tcp_user_timeout", "30000" },
	};
	const char *keywords[PARAMS_MAX], *values[PARAMS_MAX];
	bool service = option(options, "service") || getenv("PGSERVICE");
	size_t n = 0;

	/* a service's file comes after all that is given here: leave room for what it says */
	for (size_t i = 0; i < (service ? 1 : sizeof(ours) / sizeof(ours[0])); i++, n++) {
		keywords[n] = ours[i][0];
		values[n] = ours[i][1];
	}
	for (; options->keyword && n < PARAMS_MAX - 2; options++) {
		if (!options->val)
			continue;
		keywords[n] = options->keyword;
		values[n++] = options->val;
	}
	keywords[n] = "client_encoding";
	values[n++] = "UTF8";
	keywords[n] = values[n] = NULL;
	return c->pq.PQconnectStartParams(keywords, values, 0);
}

/* false: nothing came before the deadline. */
static bool await(int fd, PostgresPollingStatusType what, int64_t deadline)
{
	struct pollfd p = { .fd = fd,
		.events = what == PGRES_POLLING_READING ? POLLIN : POLLOUT };

	for (;;) {
		int64_t left = deadline - ckpt_monotonic() / 1000000000;
		int rc = poll(&p, 1,
				left > 0 ? (int)(left < 3600 ? left : 3600) * 1000 : 0);

		if (rc > 0 || (rc < 0 && errno != EINTR))
			return true;
		if (rc == 0 && left <= 0)
			return false;
	}
}

/* Seconds for each server of a name: as the name, service or environment says, 0 for no limit. */
static int64_t patience(struct pg_conn *c)
{
	PQconninfoOption *options = c->pq.PQconninfo(c->db);
	const char *given = option(options, "connect_timeout");
	int64_t seconds = given ? strtol(given, NULL, 10) : CONNECT_SECONDS;

	c->pq.PQconninfoFree(options);
	return seconds <= 0 || seconds > INT32_MAX ? INT32_MAX : seconds;
}

static int establish(struct pg_conn *c)
{
	PostgresPollingStatusType what = PGRES_POLLING_WRITING;
	int64_t seconds, deadline;
	int late = 0;

	if (!c->db || c->pq.PQstatus(c->db) == CONNECTION_BAD)
		return cannot_connect(c);
	seconds = patience(c);
	deadline = ckpt_monotonic() / 1000000000 + seconds;
	for (; what != PGRES_POLLING_OK; what = c->pq.PQconnectPoll(c->db)) {
		int fd = c->pq.PQsocket(c->db);
		char text[64];

		if (what != PGRES_POLLING_FAILED && await(fd, what, deadline))
			continue;
		if (what == PGRES_POLLING_FAILED && !late)
			return cannot_connect(c);
		/* a dead host swallows what it is sent; ended, libpq goes on to the next one */
		if (what != PGRES_POLLING_FAILED && late++ < HOSTS_MAX &&
				c->pq.PQstatus(c->db) == CONNECTION_STARTED) {
			shutdown(fd, SHUT_RDWR);
			deadline = ckpt_monotonic() / 1000000000 + seconds;
			continue;
		}
		snprintf(text, sizeof(text), "no answer within %d s", (int)seconds);
		return fail(c, CKPT_ECONNECT, "cannot connect to", text);
	}
	return 0;
}

/* Others may listen on the way to another machine. Whoever chose an sslmode knows. */
static void note_plain(struct pg_conn *c, const PQconninfoOption *given,
		const struct ckpt_config *config)
{
	const char *host = c->pq.PQhost(c->db), *address = c->pq.PQhostaddr(c->db);
	PQconninfoOption *options;
	struct ckpt_buf line = { 0 };
	char name[200];
	bool asked;

	if (!config->note || c->pq.PQsslInUse(c->db) || c->pq.PQgssEncInUse(c->db))
		return;
	if (!host || *host == '/' || *host == '@' || !address || !*address ||
			strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0)
		return;
	options = c->pq.PQconninfo(c->db);
	asked = option(given, "sslmode") || getenv("PGSSLMODE") ||
	        strcmp(option(options, "sslmode") ? option(options, "sslmode") : "prefer",
				"prefer") != 0;
	c->pq.PQconninfoFree(options);
	if (asked)
		return;
	ckpt_buf_addf(&line, "the connection to %s is not encrypted; add sslmode=require",
			ckpt_show_name(name, ckpt_view_of(host)));
	if (!line.failed)
		config->note(config->arg, line.p);
	ckpt_buf_free(&line);
}

static void ignore_notice(void *arg, const PGresult *res)
{
	(void)arg, (void)res;
}

int pq_connect(struct pg_conn *c, const char *where, const struct ckpt_config *config)
{
	char *message = NULL;
	PQconninfoOption *options = c->pq.PQconninfoParse(where, &message);
	int rc;

	c->pq.PQfreemem(message);
	if (!options || password_went_astray(c, options)) {
		c->pq.PQconninfoFree(options);
		return not_understood(c);
	}
	c->db = start(c, options);
	if (c->db) {
		c->pq.PQsetNoticeReceiver(c->db, ignore_notice, NULL);
		c->pq.PQsetErrorVerbosity(c->db, PQERRORS_VERBOSE);
	}
	rc = establish(c);
	if (rc == 0)
		note_plain(c, options, config);
	c->pq.PQconninfoFree(options);
	return rc;
}
