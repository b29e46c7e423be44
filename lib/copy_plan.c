/*
 * copy_plan.c - `ckpt copy` as ckpt.h has it: is there such a thread, may it have that new name,
 * which of it is wanted; then all of it in one transaction. How rows are copied is copy.c's, which
 * of them make up a history copy_set.c's.
 */
#include "copy.h"

#include <stdlib.h>
#include <string.h>

struct ckpt_copy {
	struct ckpt_store *store;
	struct ckpt_error *err;
	struct copy_want want;
	struct copy_set set;
};

static int find_source(struct ckpt_copy *c)
{
	struct sql_store *s = sql_of(c->store);
	char name[200];
	int rc = copy_exists(s, c->want.thread, false);

	if (rc == 0 && s->dialect == &sqlite_dialect) {
		rc = copy_exists(s, c->want.thread, true);
		c->want.blob = rc > 0;
	}
	if (rc == 0) {
		rc = ckpt_fail(c->err, CKPT_ENOTFOUND, "no thread '%s'",
				ckpt_show_name(name, c->want.thread));
		ckpt_hint(c->err, "see which there are: ckpt list");
	}
	return rc;
}

static int other_thread(struct ckpt_error *err, const char *at, struct ckpt_view thread)
{
	char name[200];
	char address[200];

	return ckpt_fail(err, CKPT_EUSAGE, "--at '%s' is not an address in thread '%s'",
			ckpt_show_name(address, ckpt_view_of(at)),
			ckpt_show_name(name, thread));
}

int ckpt_copy_check(const struct ckpt_copy_want *want, struct ckpt_error *err)
{
	if (!want->to.n)
		return ckpt_fail(err, CKPT_EUSAGE, "the new thread's id is empty");
	if (!utf8_valid(want->to))
		return ckpt_fail(err, CKPT_EUSAGE, "the new thread's id is not UTF-8");
	/* an address begins with its thread's name, as it is */
	if (want->at && strncmp(want->at, want->thread.p, want->thread.n) != 0)
		return other_thread(err, want->at, want->thread);
	return 0;
}

static int find_set(struct ckpt_copy *c, const char *at)
{
	const struct ckpt_address address = { .text = at };
	struct ckpt_buf bytes = { 0 };
	struct ckpt_key key;
	int rc = ckpt_address_find(&key, c->store, &address, &bytes);

	if (rc >= 0 && !ckpt_view_eq(key.thread, c->want.thread))
		rc = other_thread(c->err, at, c->want.thread);
	if (rc >= 0) {
		rc = copy_set_at(&c->set, c->store, &key, true);
		c->want.set = &c->set;
	}
	ckpt_buf_free(&bytes);
	return rc;
}

int ckpt_copy_plan(struct ckpt_copy **out, struct ckpt_store *store,
		const struct ckpt_copy_want *want)
{
	struct ckpt_copy *c = calloc(1, sizeof(*c));
	int rc;

	*out = c;
	if (!c)
		return ckpt_fail(store->err, CKPT_ENOMEM, "out of memory");
	c->store = store;
	c->err = store->err;
	c->want = (struct copy_want){ .thread = want->thread, .to = want->to };
	rc = ckpt_copy_check(want, c->err);
	if (rc == 0)
		rc = edit_possible(store);
	if (rc == 0)
		rc = find_source(c);
	if (rc >= 0)
		rc = copy_refuse(sql_of(store), want->to);
	if (rc >= 0 && want->at)
		rc = find_set(c, want->at);
	return rc < 0 ? rc : 0;
}

int ckpt_copy_count(struct ckpt_copy *c, struct ckpt_receipt *out)
{
	return copy_count(sql_of(c->store), &c->want, out);
}

int ckpt_copy_run(struct ckpt_copy *c, const char *store,
		const struct ckpt_config *config, struct ckpt_receipt *out)
{
	const struct edit_want want = { .verb = "copy", .needs = "SELECT, INSERT" };
	struct ckpt_receipt rows;
	struct edit *e;

	*out = (struct ckpt_receipt){ 0 };
	if (edit_open(&e, store, config, &want, c->err) < 0)
		return c->err->code;
	if (edit_begin(e) == 0 && edit_no_limit(e) == 0 &&
			copy_rows(e, &c->want, &rows) >= 0 && edit_commit(e) == 0)
		*out = rows;
	edit_close(e);
	return c->err->code;
}

void ckpt_copy_free(struct ckpt_copy *c)
{
	if (c)
		copy_set_free(&c->set);
	free(c);
}
