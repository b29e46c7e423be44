/*
 * test_postgres_name.c - names of PostgreSQL stores: what libpq gets of them, what is shown.
 */
#include "t.h"
#include "postgres.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static const char *const conninfos[][2] = {
	{ "postgresql://u@h/d", "postgresql://u@h/d" },
	{ "postgres://u@h/d", "postgresql://u@h/d" },
	{ "postgresql+psycopg://u@h/d", "postgresql://u@h/d" },
	{ "postgresql+psycopg2://u@h/d", "postgresql://u@h/d" },
	{ "postgresql+asyncpg:///d?host=/tmp", "postgresql:///d?host=/tmp" },
	{ "postgres+psycopg://", "postgresql://" },
	{ "postgresql+:/x", "postgresql+:/x" },
	{ "postgresqlx://h", "postgresqlx://h" },
	{ "host=h dbname='a b' password=p", "host=h dbname='a b' password=p" },
	{ "service=agents", "service=agents" },
	{ "", "" },
};

static const char *const masks[][2] = {
	{ "postgresql://h/d", "postgresql://h/d" },
	{ "postgresql://u@h:5432/d", "postgresql://u@h:5432/d" },
	{ "postgresql://u:s3@h:5432/d", "postgresql://u:***@h:5432/d" },
	{ "postgresql://u:s3@s3:s3@h/d", "postgresql://u:***@h/d" },
	{ "postgresql://u:s3/s3?s3@h/d", "postgresql://u:***@h/d" },
	{ "postgresql://:s3@h", "postgresql://:***@h" },
	{ "postgresql://u@h/d?password=s3&sslmode=require",
			"postgresql://u@h/d?password=***&sslmode=require" },
	{ "postgresql://h:1/d?password=s3@s3 's3&user=u", "postgresql://h:***&user=u" },
	{ "postgresql://u:s3@h/d?sslpassword=s3",
			"postgresql://u:***@h/d?sslpassword=***" },
	{ "host=h password=s3 user=u", "host=h password=*** user=u" },
	{ "host=h password = s3\tuser=u", "host=h password = ***\tuser=u" },
	{ "password='s3 s3\\' s3' user=u", "password=*** user=u" },
	{ "password=s3\\ s3 user=u", "password=*** user=u" },
	{ "password='s3 s3", "password=***" },
	{ "password=s3&s3 user=u", "password=*** user=u" },
	{ "password=http://s3:s3@s3 user=u", "password=*** user=u" },
	{ "application_name='passw=' password='s3'", "application_name='passw=***" },
	{ "postgresql://h/d?p%61ssword=s3&user=u",
			"postgresql://h/d?p%61ssword=***&user=u" },
	{ "postgresql://u:xpassword@h/d", "postgresql://u:***@h/d" },
	{ "passfile=/x/password user=u", "passfile=/x/password user=u" },
	{ "password=", "password=***" },
	{ "agent.db", "agent.db" },
	{ "", "" },
};

int main(void)
{
	struct ckpt_error err = { 0 };

	for (size_t i = 0; i < LEN(conninfos); i++) {
		char *got = postgres_conninfo(conninfos[i][0], &err);

		same(got, got ? strlen(got) : 0, conninfos[i][1], conninfos[i][0]);
		free(got);
	}
	for (size_t i = 0; i < LEN(masks); i++) {
		char *got = postgres_masked(masks[i][0]);

		same(got, got ? strlen(got) : 0, masks[i][1], masks[i][1]);
		free(got);
	}
	ok(err.code == 0, "no name is refused");
	return done();
}
