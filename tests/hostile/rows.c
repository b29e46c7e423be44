/*
 * rows.c - payloads out of the fixtures, and stores full of changed ones. The payloads come
 * through SQLite itself, and values through the library, which only this way are what the blobs
 * of PostgreSQL hold.
 */
#include <ftw.h>

#include "hostile.h"

#define LARGEST 40000 /* bytes of a donor: twenty thousand of them are read in a minute */
#define THREAD 20     /* checkpoints of a thread */

static struct pool *filling; /* ftw has no argument for its callback */
static bool full;

static void add(struct donor **list, size_t *n, struct ckpt_view type,
		struct ckpt_view body)
{
	struct donor *more, *d;
	char *copy;

	if (!body.p || body.n > LARGEST || type.n >= sizeof(d->type))
		return;
	more = realloc(*list, (*n + 1) * sizeof(**list));
	copy = malloc(body.n + 1);
	full |= !more || !copy;
	if (more)
		*list = more;
	if (!more || !copy) {
		free(copy);
		return;
	}
	memcpy(copy, body.n ? body.p : "", body.n);
	d = &more[(*n)++];
	*d = (struct donor){ .body = { copy, body.n } };
	memcpy(d->type, type.n ? type.p : "", type.n);
}

static void take(const struct ckpt_checkpoint *c)
{
	struct pool *p = filling;

	add(&p->bodies, &p->nbodies, c->type, c->body);
	add(&p->metas, &p->nmetas, c->type, c->meta);
	for (size_t i = 0; i < c->nvalues; i++)
		add(&p->values, &p->nvalues, c->values[i].type, c->values[i].body);
	for (size_t i = 0; i < c->nwrites; i++)
		add(&p->values, &p->nvalues, c->writes[i].type, c->writes[i].body);
}

static int look(const char *path, const struct stat *st, int flag, struct FTW *where)
{
	const struct ckpt_pick pick = { .depth = CKPT_VALUES, .writes = true };
	const char *name = path + where->base;
	struct ckpt_error err;
	struct ckpt_store *s;
	struct ckpt_scan *scan = NULL;
	struct ckpt_checkpoint c;

	if (flag != FTW_F || strcmp(name, "store.db") != 0 || st->st_size > 2000000)
		return 0;
	s = made_open(path, &err);
	if (!s)
		return 0;
	if (ckpt_scan_open(&scan, s, &pick) == 0) {
		while (ckpt_scan_next(scan, &c) > 0)
			take(&c);
	}
	ckpt_scan_close(scan);
	ckpt_store_end(s);
	ckpt_store_close(s);
	return 0;
}

static int by_bytes(const void *a, const void *b)
{
	const struct donor *x = a, *y = b;
	int order = ckpt_view_cmp(x->body, y->body);

	return order ? order : strcmp(x->type, y->type);
}

/* Sorted and each once: a seed means the same in whatever order folders are read. */
static void order(struct donor *list, size_t *n)
{
	size_t kept = 0;

	qsort(list, *n, sizeof(*list), by_bytes);
	for (size_t i = 0; i < *n; i++) {
		if (kept && by_bytes(&list[kept - 1], &list[i]) == 0)
			free((void *)(uintptr_t)list[i].body.p);
		else
			list[kept++] = list[i];
	}
	*n = kept;
}

bool pool_load(struct pool *p, const char *folder)
{
	*p = (struct pool){ 0 };
	filling = p;
	full = false;
	nftw(folder, look, 16, FTW_PHYS);
	if (full || !p->nbodies || !p->nmetas || !p->nvalues)
		return false;
	order(p->bodies, &p->nbodies);
	order(p->metas, &p->nmetas);
	order(p->values, &p->nvalues);
	return true;
}

static void drop(struct donor *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free((void *)(uintptr_t)list[i].body.p);
	free(list);
}

void pool_free(struct pool *p)
{
	drop(p->bodies, p->nbodies);
	drop(p->metas, p->nmetas);
	drop(p->values, p->nvalues);
}

/* ---- stores ---------------------------------------------------------------------------------- */

uint64_t seed_of(uint64_t seed, uint64_t number)
{
	uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15) +
	             number * UINT64_C(0xbf58476d1ce4e5b9);

	x = (x ^ x >> 31) * UINT64_C(0x94d049bb133111eb);
	return (x ^ x >> 29) | 1;
}

struct row {
	const struct pool *pool;
	struct donor body, meta, value, other;
	struct ckpt_buf changed;
	uint64_t *seed;
};

static struct donor any(const struct donor *list, size_t n, uint64_t *seed)
{
	return list[below(seed, n)];
}

static void change(struct row *r, struct donor *d)
{
	r->changed.n = 0;
	ckpt_buf_add(&r->changed, d->body.p, d->body.n);
	mutate_payload(&r->changed, r->other.body, r->seed);
	d->body = ckpt_buf_view(&r->changed);
	if (!d->body.p)
		d->body = CKPT_LIT("");
}

/* A whole container around a changed value: the value is reached whatever it is. */
static void envelop(struct row *r)
{
	static const char head[] = "\x85\xa1v\x04\xa2id\xa1x\xb0"
				   "channel_versions\x81\xa1m\x01\xad"
				   "versions_seen\x80\xae"
				   "channel_values\x81\xa1m";
	struct ckpt_buf whole = { 0 };
	struct donor value = r->value;

	change(r, &value);
	ckpt_buf_add(&whole, head, sizeof(head) - 1);
	ckpt_buf_add(&whole, value.body.p, value.body.n);
	ckpt_buf_free(&r->changed);
	r->changed = whole;
	r->body = (struct donor){ .type = "msgpack", .body = ckpt_buf_view(&whole) };
}

static void retype(struct row *r)
{
	static const char *const types[] = { "msgpack", "json", "bytes", "bytearray",
		"null", "pickle", "msgpack+aes", "json+aes", "+", "", "x\x1b[2J",
		"msgpack+" };
	struct donor *d = below(r->seed, 2) ? &r->body : &r->value;

	snprintf(d->type, sizeof(d->type), "%s", types[below(r->seed, LEN(types))]);
	if (below(r->seed, 2))
		change(r, d);
}

static void put(sqlite3 *db, struct row *r, size_t number)
{
	char thread[24], id[37], parent[37];
	struct made_row row = { 0 };
	struct made_write w = { 0 };

	snprintf(thread, sizeof(thread), "t%04zu", number / THREAD);
	row.thread = ckpt_view_of(thread);
	row.id = made_id(id, (unsigned)number, number);
	if (number % THREAD)
		row.parent = made_id(parent, (unsigned)number - 1, number - 1);
	row.type = ckpt_view_of(r->body.type);
	row.body = r->body.body;
	row.meta = r->meta.body;
	made_put(db, &row);
	w = (struct made_write){ .thread = row.thread,
		.id = row.id,
		.task = CKPT_LIT("6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
		.channel = CKPT_LIT("messages"),
		.type = ckpt_view_of(r->value.type),
		.body = r->value.body };
	made_write(db, &w);
}

void make_rows(const char *path, const struct pool *pool, size_t rows, uint64_t seed)
{
	sqlite3 *db = made_store(path);

	made_sql(db, "BEGIN");
	for (size_t i = 0; i < rows; i++) {
		uint64_t own = seed_of(seed, i);
		struct row r = { .pool = pool, .seed = &own };

		r.body = any(pool->bodies, pool->nbodies, &own);
		r.meta = any(pool->metas, pool->nmetas, &own);
		r.value = any(pool->values, pool->nvalues, &own);
		r.other = any(pool->values, pool->nvalues, &own);
		switch (below(&own, 8)) {
		case 0:
			change(&r, &r.meta);
			break;
		case 1:
		case 2:
			change(&r, &r.value);
			break;
		case 3:
			retype(&r);
			break;
		case 4:
		case 5:
			envelop(&r);
			break;
		default:
			change(&r, &r.body);
		}
		put(db, &r, i);
		ckpt_buf_free(&r.changed);
	}
	made_sql(db, "COMMIT");
	made_close(db);
}
