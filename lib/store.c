/*
 * store.c - the public store and scan: names → backends, and dispatch. Forms of a store's name
 * are a table of prefixes; what a backend does with the rest is its own business.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "crypt.h"
#include "postgres.h"

struct name_form {
	const char *prefix;
	const struct backend *backend; /* NULL: known, but not read by this program */
	/* What the backend opens, from what follows the prefix; NULL: as it is. */
	char *(*rest)(const char *name, const char *rest, struct ckpt_error *);
};

/* ---- SQLite names ------------------------------------------------------------------------------- */

static char *duplicate(const char *s, size_t n, struct ckpt_error *err)
{
	char *copy = strndup(s, n);

	if (!copy)
		ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	return copy;
}

/* SQLAlchemy: sqlite:///rel, sqlite:////abs, options after '?' are the driver's. */
static char *from_sqlalchemy(const char *name, const char *rest, struct ckpt_error *err)
{
	if (strncmp(rest, "//", 2) != 0) {
		ckpt_fail(err, CKPT_EUSAGE,
				"store '%s': a SQLite URI is sqlite:///relative.db or "
				"sqlite:////absolute.db",
				name);
		return NULL;
	}
	rest += 2;
	if (*rest == '/')
		rest++;
	return duplicate(*rest ? rest : ":memory:", *rest ? strcspn(rest, "?") : 8, err);
}

static const char *query_of(const char *uri)
{
	const char *end = uri + strcspn(uri, "?#");

	return *end == '?' ? end + 1 : "";
}

/* Also of a name whose other options are the driver's. */
static bool asks_read_only(const char *query)
{
	static const char ro[] = "mode=ro";

	while (*query) {
		size_t n = strcspn(query, "&");

		if (n == sizeof(ro) - 1 && memcmp(query, ro, n) == 0)
			return true;
		query += n + (query[n] == '&');
	}
	return false;
}

/* file:PATH?mode=ro - the path with its %XX; of modes only those that create nothing. */
static char *from_file_uri(const char *name, const char *rest, struct ckpt_error *err)
{
	struct ckpt_buf b = { 0 };
	size_t n = strcspn(rest, "?#");
	const char *query = query_of(rest);

	if (*query && strcmp(query, "mode=ro") != 0 && strcmp(query, "mode=rw") != 0) {
		ckpt_fail(err, CKPT_EUSAGE,
				"store '%s': of the URI's options only mode is known",
				name);
		return NULL;
	}
	if (strncmp(rest, "///", 3) == 0 || strncmp(rest, "//localhost/", 12) == 0) {
		size_t host = rest[2] == '/' ? 2 : 11;

		rest += host;
		n -= host;
	}
	for (size_t i = 0; i < n; i++) {
		char c = rest[i];

		if (c == '%' && i + 2 < n &&
				strspn(rest + i + 1, "0123456789abcdefABCDEF") >= 2) {
			const char hex[3] = { rest[i + 1], rest[i + 2], 0 };

			c = (char)strtol(hex, NULL, 16);
			i += 2;
		}
		ckpt_buf_add(&b, &c, 1);
	}
	if (b.failed)
		ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	else if (b.n == 0)
		ckpt_fail(err, CKPT_EMISSING, "store '%s': the path is empty", name);
	else if (memchr(b.p, '\0', b.n))
		ckpt_fail(err, CKPT_EUSAGE, "store '%s': a path has no %%00", name);
	if (err->code)
		ckpt_buf_free(&b);
	return b.p;
}

/* All of a libpq name counts, also what the form was told by. */
static char *from_conninfo(const char *name, const char *whole, struct ckpt_error *err)
{
	(void)name;
	return postgres_conninfo(whole, err);
}

/* dump:PATH, dump:- */
static char *from_dump(const char *name, const char *rest, struct ckpt_error *err)
{
	if (!*rest)
		ckpt_fail(err, CKPT_EMISSING, "store '%s': the path is empty", name);
	return *rest ? duplicate(rest, strlen(rest), err) : NULL;
}

static const struct name_form forms[] = {
	{ "sqlite+aiosqlite:", &sqlite_backend, from_sqlalchemy },
	{ "sqlite+pysqlite:", &sqlite_backend, from_sqlalchemy },
	{ "sqlite:", &sqlite_backend, from_sqlalchemy },
	{ "file:", &sqlite_backend, from_file_uri },
	{ "postgresql://", &postgres_backend, from_conninfo },
	{ "postgres://", &postgres_backend, from_conninfo },
	{ "postgresql+", &postgres_backend, from_conninfo },
	{ "dump:", &dump_backend, from_dump },
	{ "skymarshal:", NULL, NULL },
	{ "", &sqlite_backend, NULL },
};

static const struct name_form *form_of(const char *name)
{
	static const struct name_form conninfo = { "", &postgres_backend, from_conninfo };
	static const struct name_form archive = { "", &dump_backend, NULL };
	const struct name_form *f = forms;
	size_t n = strlen(name);

	if (postgres_is_conninfo(name))
		return &conninfo;

	while (strncmp(name, f->prefix, strlen(f->prefix)) != 0)
		f++;
	return !*f->prefix && n > 6 && strcmp(name + n - 6, ".jsonl") == 0 ? &archive : f;
}

/* ---- a name that is not there ----------------------------------------------------------------------- */

static bool looks_like_store(const char *name)
{
	static const char *const endings[] = { ".db", ".sqlite", ".sqlite3", ".db3" };
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < sizeof(endings) / sizeof(endings[0]); i++) {
		if (strcmp(dot, endings[i]) == 0)
			return true;
	}
	return false;
}

static bool is_store(const char *path)
{
	const struct ckpt_config quietly = { 0 };
	struct ckpt_store *store;
	struct ckpt_error err = { 0 };

	if (sqlite_backend.open(&store, path, path, &quietly, &err) < 0)
		return false;
	ckpt_store_end(store);
	ckpt_store_close(store);
	return true;
}

/* The stores that lie where a missing one was looked for: most likely a slip of the fingers. */
static void suggest(struct ckpt_error *err, const char *where)
{
	const char *slash = strrchr(where, '/');
	size_t n = slash ? (size_t)(slash - where) + 1 : 0;
	struct ckpt_buf path = { 0 }, found = { 0 };
	struct dirent *entry;
	int looked = 0;
	DIR *dir;

	ckpt_buf_add(&path, where, n);
	dir = path.failed ? NULL : opendir(n ? path.p : ".");
	while (dir && (entry = readdir(dir)) && looked < 20 && !path.failed) {
		char name[200];

		if (!looks_like_store(entry->d_name))
			continue;
		looked++;
		path.n = n;
		ckpt_buf_puts(&path, entry->d_name);
		if (!path.failed && is_store(path.p))
			ckpt_buf_addf(&found, "%s%s", found.n ? ", " : "",
					ckpt_show_name(name, ckpt_buf_view(&path)));
	}
	if (dir)
		closedir(dir);
	if (found.n && !found.failed)
		ckpt_hint(err, "%s that are LangGraph stores: %s",
				n ? "files there" : "files here", found.p);
	ckpt_buf_free(&path);
	ckpt_buf_free(&found);
}

bool ckpt_store_shown(struct ckpt_buf *to, const char *name)
{
	char *shown = postgres_masked(name);
	bool hidden = shown && strcmp(shown, name) != 0;

	ckpt_buf_puts(to, shown ? shown : "");
	to->failed |= !shown;
	free(shown);
	return hidden;
}

int store_resolve(struct store_name *out, const char *name, struct ckpt_error *err)
{
	const struct name_form *f = form_of(name);

	*out = (struct store_name){ .backend = f->backend };
	out->shown = postgres_masked(name);
	if (!out->shown)
		return ckpt_fail(err, CKPT_ENOMEM, "out of memory");
	if (!f->backend)
		ckpt_fail(err, CKPT_EUNSUPPORTED,
				"'%s': this version reads SQLite and PostgreSQL stores "
				"and dumps, and no other",
				out->shown);
	else if (!*name)
		ckpt_fail(err, CKPT_EMISSING, "the store's name is empty");
	else if (f->rest)
		out->where = f->rest(out->shown,
				f->rest == from_conninfo ? name
							 : name + strlen(f->prefix),
				err);
	else
		out->where = duplicate(name, strlen(name), err);
	out->sealed = f->backend == &sqlite_backend && f->rest &&
	              asks_read_only(query_of(name));
	if (out->where && strcmp(out->where, ":memory:") == 0)
		ckpt_fail(err, CKPT_EMISSING,
				"a store in memory belongs to its own process alone");
	return err->code;
}

int store_unsealed(const struct store_name *n, struct ckpt_error *err)
{
	if (!n->sealed)
		return 0;
	ckpt_fail(err, CKPT_EREFUSED,
			"'%s' is named with mode=ro: it is read, never altered",
			n->shown);
	ckpt_hint(err, "name the file without mode=ro if it is to be altered");
	return err->code;
}

int store_ordered(const struct ckpt_store *s, struct ckpt_error *err)
{
	if (!s->wide)
		return 0;
	ckpt_fail(err, CKPT_EREFUSED,
			"'%s' keeps its texts as UTF-16, and its keys in another order: "
			"it "
			"is neither copied nor compared",
			s->name);
	ckpt_hint(err, "write it anew as UTF-8: sqlite3 OLD.db .dump | sqlite3 NEW.db");
	return err->code;
}

void store_name_free(struct store_name *n)
{
	free(n->where);
	free(n->shown);
	n->where = n->shown = NULL;
}

int ckpt_store_open(struct ckpt_store **out, const char *name,
		const struct ckpt_config *config, struct ckpt_error *err)
{
	struct store_name n;

	*out = NULL;
	if (store_resolve(&n, name, err) == 0 &&
			n.backend->open(out, n.where, n.shown, config, err) ==
					CKPT_EMISSING)
		suggest(err, n.where);
	store_name_free(&n);
	if (!err->code) {
		(*out)->stop = config->stop;
		(*out)->stop_arg = config->arg;
	}
	return err->code;
}

/* ---- dispatch ------------------------------------------------------------------------------------ */

int ckpt_store_about(struct ckpt_store *s, struct ckpt_about *out)
{
	return s->backend->about(s, out);
}

int ckpt_store_space(struct ckpt_store *s, struct ckpt_space *out)
{
	*out = (struct ckpt_space){ CKPT_UNKNOWN, CKPT_UNKNOWN, CKPT_UNKNOWN };
	return s->err->code        ? s->err->code
	       : s->backend->space ? s->backend->space(s, out)
	                           : 0;
}

bool ckpt_store_fault(struct ckpt_store *s, size_t at, struct ckpt_fault *out)
{
	return s->backend->fault && s->backend->fault(s, at, out);
}

bool ckpt_store_tentative(const struct ckpt_store *s)
{
	return s->tentative;
}

void store_forget_key(struct ckpt_store *s)
{
	crypt_free(s->crypt);
	s->crypt = NULL;
}

int ckpt_store_end(struct ckpt_store *s)
{
	return s->backend->end(s);
}

void ckpt_store_close(struct ckpt_store *s)
{
	if (s)
		s->backend->close(s);
}

int ckpt_scan_open(struct ckpt_scan **out, struct ckpt_store *s,
		const struct ckpt_pick *pick)
{
	*out = NULL;
	return s->err->code ? s->err->code : s->backend->scan(out, s, pick);
}

int ckpt_scan_next(struct ckpt_scan *scan, struct ckpt_checkpoint *out)
{
	struct ckpt_store *s = scan->store;

	if (s->stop && s->stop(s->stop_arg))
		return ckpt_fail(s->err, CKPT_EINTERRUPTED, "stopped by a signal");
	return s->backend->next(scan, out);
}

void ckpt_scan_close(struct ckpt_scan *scan)
{
	if (scan)
		scan->store->backend->done(scan);
}

int ckpt_store_split(struct ckpt_bound *out, struct ckpt_store *s, size_t n)
{
	return s->err->code ? s->err->code : n < 2 ? 0 : s->backend->split(out, s, n);
}

int ckpt_scan_one(struct ckpt_scan **scan, struct ckpt_store *s,
		const struct ckpt_pick *pick, struct ckpt_checkpoint *out)
{
	int rc = ckpt_scan_open(scan, s, pick);

	return rc < 0 ? rc : ckpt_scan_next(*scan, out);
}

const char *ckpt_version(void)
{
	return "0.1.0";
}
