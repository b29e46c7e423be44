/*
 * test_store.c - the forms of a store's name: which file each means, what is refused, and that no
 * password is ever shown.
 */
#include <unistd.h>

#include "t.h"
#include "made.h"

static const struct ckpt_config config = { 0 };

static int try_name(const char *name, struct ckpt_error *err, char uri[static 300])
{
	struct ckpt_store *s = NULL;
	struct ckpt_about about = { 0 };

	*err = (struct ckpt_error){ 0 };
	uri[0] = '\0';
	if (ckpt_store_open(&s, name, &config, err) == 0) {
		ckpt_store_about(s, &about);
		snprintf(uri, 300, "%s", about.uri);
	} else if (s) {
		ok(false, "a store in spite of a failure");
	}
	ckpt_store_close(s);
	return err->code;
}

static const struct {
	const char *name; /* %s is the absolute folder */
	int code;
} form_cases[] = {
	{ "a.db", 0 },
	{ "./a.db", 0 },
	{ "%s/a.db", 0 },
	{ "sqlite:///a.db", 0 },
	{ "sqlite:///%s/a.db", 0 },
	{ "sqlite+aiosqlite:///a.db", 0 },
	{ "sqlite+pysqlite:///%s/a.db", 0 },
	{ "sqlite:///a.db?timeout=5", 0 },
	{ "file:a.db", 0 },
	{ "file:a.db?mode=ro", 0 },
	{ "file:a.db?mode=rw", 0 },
	{ "file:%s/a.db", 0 },
	{ "file://%s/a.db?mode=ro", 0 },
	{ "file:%%61%%2edb", 0 },
	{ "file:%%61%%2Edb#part", 0 },
	{ "b%%20?#.db", 0 },
	{ "file:b%%2520%%3f%%23.db", 0 },
	{ "file:a%%2", CKPT_EMISSING },
	{ "file:a.db%%zz", CKPT_EMISSING },
	{ "file:a.db?mode=rwc", CKPT_EUSAGE },
	{ "file:a.db?immutable=1", CKPT_EUSAGE },
	{ "file:a.db%%00.db", CKPT_EUSAGE },
	{ "file:a.db?mode=memory", CKPT_EUSAGE },
	{ "sqlite:a.db", CKPT_EUSAGE },
	{ "sqlite:", CKPT_EUSAGE },
	{ "file:", CKPT_EMISSING },
	{ "file:?mode=ro", CKPT_EMISSING },
	{ "", CKPT_EMISSING },
	{ "nothing.db", CKPT_EMISSING },
	{ ".", CKPT_EMISSING },
	{ "%s", CKPT_EMISSING },
	{ "%s/", CKPT_EMISSING },
	{ "/dev/null", CKPT_EMISSING },
	{ ":memory:", CKPT_EMISSING },
	{ "sqlite:///:memory:", CKPT_EMISSING },
	{ "sqlite://", CKPT_EMISSING },
	{ "file::memory:", CKPT_EMISSING },
	/* PostgreSQL's, all to a socket that is not there */
	{ "postgresql:///db?host=/nonexistent", CKPT_ECONNECT },
	{ "postgres:///?host=/nonexistent", CKPT_ECONNECT },
	{ "postgresql+asyncpg:///d?host=/nonexistent", CKPT_ECONNECT },
	{ "host=/nonexistent dbname=d", CKPT_ECONNECT },
	{ "dbname=d host=/nonexistent", CKPT_ECONNECT },
	{ "user=u host=/nonexistent", CKPT_ECONNECT },
	{ "port=1 host=/nonexistent", CKPT_ECONNECT },
	{ "dump:x", CKPT_EMISSING },
	{ "dump:-", CKPT_EUNSUPPORTED },
	{ "skymarshal:dir", CKPT_EUNSUPPORTED },
	{ "mysql://h/d", CKPT_EMISSING },
	{ "text.txt", CKPT_ECORRUPT },
};

static void forms(const char *dir)
{
	struct ckpt_error err;
	char uri[300];

	for (size_t i = 0; i < LEN(form_cases); i++) {
		struct ckpt_buf name = { 0 };
		const char *p = form_cases[i].name;
		int code;

		for (; *p; p++) {
			if (*p == '%' && *++p == 's')
				ckpt_buf_puts(&name, dir);
			else
				ckpt_buf_add(&name, p, 1);
		}
		ckpt_buf_add(&name, "", 1);
		code = try_name(name.p, &err, uri);
		ok(code == form_cases[i].code, "%s: %d %s", name.p, code, err.text);
		if (code == 0)
			ok(strcmp(uri, name.p) == 0, "is called what it was called");
		ckpt_buf_free(&name);
	}
	ok(access("nothing.db", F_OK) < 0 && access(":memory:", F_OK) < 0,
			"nothing was created");
}

static void passwords(void)
{
	static const char *const names[] = {
		"postgresql://user:SECRET@host/db",
		"postgresql://user:SECRET@at@host:5432/db",
		"postgres://u:SECRET:x@h",
		"postgresql://h/db?user=u&password=SECRET&x=1",
		"host=h password=SECRET dbname=d",
		"host=h password='SECRET word' dbname=d",
		"host=h password='SECRET",
		"host=h password = SECRET dbname=d",
		"host=h password='it\\'s SECRET' dbname=d",
		"host=h password='SECRET\\",
		"host=h password=SECRET sslpassword=SECRET",
		"host=h password=",
		"service=s password=a\\ SECRET",
		"postgresql+psycopg://user:SECRET@h/d",
		"no/such password=SECRET",
		"password='SECRET",
	};
	struct ckpt_error err;
	char uri[300];

	for (size_t i = 0; i < LEN(names); i++) {
		/* a copy of its own size: reading behind its end shows */
		char *name = strdup(names[i]);

		try_name(name, &err, uri);
		/* a path is not a connection string, but is masked all the same where it is shown */
		ok(err.code && (i >= 14 || !strstr(err.text, "SECRET")), "%s: %s",
				names[i], err.text);
		free(name);
	}
	try_name("postgresql://user:SECRET@host/db", &err, uri);
	ok(strstr(err.text, "postgresql://user:***@host/db") != NULL,
			"the rest stays: %s", err.text);
	try_name("host=h password='SECRET word' dbname=d", &err, uri);
	ok(strstr(err.text, "host=h password=*** dbname=d") != NULL, "the rest stays: %s",
			err.text);
}

static void dispatch(void)
{
	struct ckpt_error err;
	struct ckpt_store *s = made_open("a.db", &err);
	struct ckpt_pick pick = { .depth = CKPT_KEYS };
	struct ckpt_checkpoint c;
	struct ckpt_scan *scan;

	ok(s && !ckpt_store_tentative(s), "an ordinary store is not tentative");
	ok(ckpt_scan_one(&scan, s, &pick, &c) == 0, "an empty one has no checkpoint");
	ckpt_scan_close(scan);
	err.code = CKPT_EIO;
	ok(ckpt_scan_one(&scan, s, &pick, &c) == CKPT_EIO && !scan,
			"a failed store refuses scans");
	ok(ckpt_store_end(s) == CKPT_EIO, "and says so at the end");
	ckpt_scan_close(NULL);
	ckpt_store_close(s);
	ckpt_store_close(NULL);
	ok(ckpt_version()[0] != '\0', "a version");
}

int main(void)
{
	const char *dir = made_path("");
	char folder[300];
	FILE *f;

	snprintf(folder, sizeof(folder), "%.*s", (int)(strlen(dir) - 1), dir);
	made_close(made_store(made_path("a.db")));
	made_close(made_store(made_path("b% ?#.db")));
	made_close(made_store(made_path("b%20?#.db")));
	f = fopen(made_path("text.txt"), "w");
	if (!f || fputs("this is a text, not a database\n", f) < 0 || fclose(f) != 0 ||
			chdir(folder) < 0)
		return 2;
	forms(folder);
	passwords();
	dispatch();
	return chdir("/") < 0 ? 2 : done();
}
