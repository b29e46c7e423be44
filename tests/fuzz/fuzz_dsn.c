/*
 * fuzz_dsn.c - any text as a store's name: what libpq takes for a password is never shown. The
 * oracle is libpq's own parser: a mark that it finds in a password alone must be masked.
 */
#include <dlfcn.h>
#include <libpq-fe.h>

#include "postgres.h"

#define MARK "Zq7x"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static PQconninfoOption *(*parse)(const char *, char **);
static void (*release)(PQconninfoOption *);

static void load(void)
{
	void *lib = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);

	if (!lib)
		abort();
	/* POSIX: a function comes as an object pointer */
	*(void **)(void *)&parse = dlsym(lib, "PQconninfoParse");
	*(void **)(void *)&release = dlsym(lib, "PQconninfoFree");
	if (!parse || !release)
		abort();
}

static bool marked(const char *text)
{
	return text && strstr(text, MARK);
}

/* Does libpq find the mark in a password, and nowhere else? */
static bool is_secret(const char *name)
{
	struct ckpt_error err = { 0 };
	char *conninfo = postgres_conninfo(name, &err), *why = NULL;
	PQconninfoOption *all = conninfo ? parse(conninfo, &why) : NULL;
	bool secret = false, open = false;

	for (const PQconninfoOption *o = all; o && o->keyword; o++) {
		if (!marked(o->val))
			continue;
		if (strcmp(o->keyword, "password") == 0 ||
				strcmp(o->keyword, "sslpassword") == 0)
			secret = true;
		else
			open = true;
	}
	release(all);
	free(why);
	free(conninfo);
	return secret && !open;
}

static void check(const char *name, bool secret)
{
	struct ckpt_buf shown = { 0 };
	char *again;

	ckpt_store_shown(&shown, name);
	if (shown.failed)
		abort();
	if (secret && marked(shown.p)) {
		fprintf(stderr, "'%s' is shown as '%s'\n", name, shown.p);
		abort();
	}
	again = postgres_masked(shown.p); /* what is masked stays so */
	if (!again || (secret && marked(again)))
		abort();
	free(again);
	ckpt_buf_free(&shown);
	postgres_is_conninfo(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ckpt_buf name = { 0 };
	const char *first;

	if (!parse)
		load();
	ckpt_buf_add(&name, data, size);
	ckpt_buf_puts(&name, "");
	if (name.failed)
		return 0;
	first = strstr(name.p, MARK);
	check(name.p, first && !strstr(first + 1, MARK) && is_secret(name.p));

	/* the same bytes as a password: of a URI up to the last @, of a string in quotes */
	name.n = 0;
	ckpt_buf_puts(&name, "postgresql+psycopg://u:" MARK);
	ckpt_buf_add(&name, data, size);
	ckpt_buf_puts(&name, MARK "@h/d");
	check(name.p, strlen(name.p) == name.n);
	name.n = 0;
	ckpt_buf_puts(&name, "dbname=d password='" MARK);
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\'' || data[i] == '\\')
			ckpt_buf_puts(&name, "\\");
		ckpt_buf_add(&name, data + i, 1);
	}
	ckpt_buf_puts(&name, MARK "' user=u");
	check(name.p, strlen(name.p) == name.n);
	ckpt_buf_free(&name);
	return 0;
}
