/*
 * test_convert_version.c - one version, two values: new versions that are the same in every run,
 * stand at the right place in the order, and are put wherever the old one stood. Sends before v 4.
 */
#include "conv.h"
#include "made.h"
#include "t.h"

#define V1 "00000000000000000000000000000001.0.5"
#define BODY(s) \
	{ \
		s, sizeof(s) - 1 \
	}

static struct ckpt_checkpoint one(
		const char *id, const char *version, struct ckpt_view body)
{
	struct conv_value v = { "c", version, body, NULL };

	return conv_msgpack(id, &v, 1);
}

/* The version of a channel in what was made last, without quotes, and in what a node has seen. */
static struct ckpt_view version(const char *member, const char *channel)
{
	struct ckpt_view json = CKPT_LIT("json"), map = { 0 }, v = { 0 };
	bool found = ckpt_value_member(&map, json, conv_out.body, member);

	if (found && strcmp(member, "versions_seen") == 0)
		found = ckpt_value_member(&map, json, map, "node");
	if (!found || !ckpt_value_member(&v, json, map, channel))
		return v;
	if (v.n > 1 && *(const char *)v.p == '"')
		return (struct ckpt_view){ (const char *)v.p + 1, v.n - 2 };
	return v;
}

static const struct {
	const char *what;
	struct ckpt_view first, second;
	bool renumbered, blob;
} pairs[] = {
	{ "the same list", BODY("\x91\x01"), BODY("\x91\x01"), false, false },
	{ "another list", BODY("\x91\x01"), BODY("\x91\x02"), true, true },
	{ "plain values", BODY("\x01"), BODY("\x02"), false, false },
	{ "a list, then plain", BODY("\x91\x01"), BODY("\x02"), true, false },
	{ "plain, then a list", BODY("\x01"), BODY("\x91\x01"), true, true },
	{ "a list, then nothing", BODY("\x91\x01"), { NULL, 0 }, true, false },
	{ "nothing, then a list", { NULL, 0 }, BODY("\x91\x01"), true, true },
	{ "nothing twice", { NULL, 0 }, { NULL, 0 }, false, false },
	{ "a snapshot, then nothing", BODY("\xd4\x07\x90"), { NULL, 0 }, false, false },
	{ "nothing, then a snapshot", { NULL, 0 }, BODY("\xd4\x07\x90"), true, true },
	{ "a set in another order",
			BODY("\xc7\x13\0\x93\xa8"
			     "builtins\xa3"
			     "set\x92\xa1"
			     "a\xa1"
			     "b"),
			BODY("\xc7\x13\0\x93\xa8"
			     "builtins\xa3"
			     "set\x92\xa1"
			     "b\xa1"
			     "a"),
			false, false },
	{ "a set of others",
			BODY("\xc7\x13\0\x93\xa8"
			     "builtins\xa3"
			     "set\x92\xa1"
			     "a\xa1"
			     "b"),
			BODY("\xc7\x13\0\x93\xa8"
			     "builtins\xa3"
			     "set\x92\xa1"
			     "c\xa1"
			     "a"),
			true, true },
	{ "the same bytes of another type", BODY("\xc4\x01\x90"), BODY("\x90"), true,
			true },
};

static void check_pairs(void)
{
	for (size_t i = 0; i < LEN(pairs); i++) {
		struct ckpt_checkpoint a = one("1", "\"" V1 "\"", pairs[i].first);
		struct ckpt_checkpoint b = one("2", "\"" V1 "\"", pairs[i].second);
		struct ckpt_view now;
		struct convert *k;
		bool good;

		convert_open(&k, &CONV_APART, &conv_err);
		conv_tell(k, &a);
		conv_tell(k, &b);
		now = version("channel_versions", "c");
		good = conv_out.ncares == pairs[i].renumbered &&
		       conv_out.nblobs == pairs[i].blob;
		if (pairs[i].renumbered)
			good = good && !conv_out.cannot && now.n == strlen(V1) + 8 &&
			       memcmp(now.p, V1, strlen(V1)) == 0;
		else
			good = good && ckpt_view_eq(now, CKPT_LIT(V1));
		good = good && ckpt_view_eq(now, version("versions_seen", "c"));
		ok(good, "%s", pairs[i].what);
		convert_close(k);
	}
}

/* Later checkpoints with the second value have its version; another run makes the same. */
static void check_again(void)
{
	struct ckpt_view first = { 0 };

	for (unsigned run = 0; run < 2; run++) {
		struct ckpt_checkpoint a = one("1", "\"" V1 "\"", CKPT_LIT("\x91\x01"));
		struct ckpt_checkpoint b = one("2", "\"" V1 "\"", CKPT_LIT("\x91\x02"));
		struct ckpt_checkpoint c = one("3", "\"" V1 "\"", CKPT_LIT("\x91\x02"));
		struct ckpt_checkpoint d = one("4", "\"" V1 "\"", CKPT_LIT("\x91\x01"));
		struct ckpt_view now;
		struct convert *k;

		convert_open(&k, &CONV_APART, &conv_err);
		conv_tell(k, &a);
		conv_tell(k, &b);
		now = arena_copy(
				&conv_arena, version("channel_versions", "c"), &conv_err);
		if (run)
			ok(ckpt_view_eq(first, now), "a second run: the same version");
		first = now;
		conv_tell(k, &c);
		ok(ckpt_view_eq(version("channel_versions", "c"), now) &&
						!conv_out.nblobs,
				"a later checkpoint: the same version, no second blob");
		conv_tell(k, &d);
		ok(ckpt_view_eq(version("channel_versions", "c"), CKPT_LIT(V1)) &&
						!conv_out.ncares && !conv_out.nblobs,
				"the first value keeps its version");
		a.key.ns = CKPT_LIT("other");
		conv_tell(k, &a);
		ok(conv_out.nblobs == 1 && !conv_out.ncares,
				"another namespace begins anew");
		convert_close(k);
	}
}

/* Only this channel's version, wherever it stands: what nodes have seen, notes on bumps. */
static void check_everywhere(void)
{
	static const char text[] =
			"{\"v\":4,\"ts\":\"x+00:00\",\"channel_values\":{\"a\":[%d],"
			"\"b\":[7]},"
			"\"channel_versions\":{\"a\":\"" V1 "\",\"b\":\"" V1 "\"},"
			"\"versions_seen\":{\"n\":{\"a\":\"" V1 "\",\"b\":\"" V1 "\"},"
			"\"m\":{\"a\":\"0\"},\"__snapshot_bumps__\":{\"n|a\":\"" V1 "\","
			"\"n:a\":\"0\",\"m|b\":\"" V1 "\"},\"" V1 "\":{}},\"note\":\"" V1
			"\"}";
	struct ckpt_view now, rest;
	struct ckpt_checkpoint c;
	struct convert *k;
	char buf[1200];
	size_t n = 0;

	convert_open(&k, &CONV_APART, &conv_err);
	for (int i = 0; i < 2; i++) {
		snprintf(buf, sizeof(buf), text, i);
		c = conv_json("json",
				arena_copy(&conv_arena, ckpt_view_of(buf), &conv_err).p,
				NULL, 0);
		conv_tell(k, &c);
	}
	now = version("channel_versions", "a");
	rest = conv_out.body;
	for (const char *p = memmem(rest.p, rest.n, now.p, now.n); p;
			p = memmem(p + 1, rest.n - (size_t)(p + 1 - (const char *)rest.p),
					now.p, now.n))
		n++;
	ok(now.n > strlen(V1) && n == 3, "the version, a node's and the bump's: %zu", n);
	ok(ckpt_view_eq(version("channel_versions", "b"), CKPT_LIT(V1)),
			"the other channel keeps its own");
	convert_close(k);
}

static const struct {
	const char *what, *version;
	bool good;
} forms[] = {
	{ "an old suffix", "\"00000000000000000000000000000001.c4ca4238\"", true },
	{ "no suffix", "\"00000000000000000000000000000001.\"", true },
	{ "no point", "\"00000000000000000000000000000001\"", false },
	{ "some text", "\"abc\"", false },
	{ "Python's integers", "7", false },
};

static void check_forms(void)
{
	for (size_t i = 0; i < LEN(forms); i++) {
		struct ckpt_checkpoint a =
				one("1", forms[i].version, CKPT_LIT("\x91\x01"));
		struct ckpt_checkpoint b =
				one("2", forms[i].version, CKPT_LIT("\x91\x02"));
		struct convert *k;

		convert_open(&k, &CONV_APART, &conv_err);
		conv_tell(k, &a);
		conv_tell(k, &b);
		ok(conv_out.ncares == 1 && conv_out.cannot != forms[i].good, "%s",
				forms[i].what);
		convert_close(k);
	}
}

/* JavaScript: between the number and the next. */
static void check_js(void)
{
	static const char text[] =
			"{\"v\":4,\"ts\":\"2026-01-01T00:00:00Z\",\"channel_values\":{"
			"\"c\":%d},\"channel_versions\":{\"c\":6},"
			"\"versions_seen\":{\"node\":{\"c\":6}}}";
	double seen[40];
	bool between = true, apart = true, noted = true;
	struct ckpt_checkpoint c;
	struct convert *k;
	char buf[400];

	convert_open(&k, &CONV_APART, &conv_err);
	for (int i = 0; i < 40; i++) {
		struct ckpt_view now;

		snprintf(buf, sizeof(buf), text, i);
		c = conv_json("json",
				arena_copy(&conv_arena, ckpt_view_of(buf), &conv_err).p,
				NULL, 0);
		conv_tell(k, &c);
		now = version("channel_versions", "c");
		seen[i] = strtod(now.p, NULL);
		between &= i == 0 ? seen[i] == 6 : seen[i] > 6 && seen[i] < 7;
		noted &= ckpt_view_eq(now, version("versions_seen", "c"));
		for (int n = 0; n < i; n++)
			apart &= seen[n] != seen[i];
	}
	ok(between && apart, "forty values of version 6: each its own, below 7");
	ok(noted, "nodes have seen the new versions");
	convert_close(k);
}

/* ---- Sends before v 4 ------------------------------------------------------------------------ */

static struct ckpt_checkpoint v3(const char *id, const char *sends)
{
	struct ckpt_checkpoint c;
	char *text = arena_take(&conv_arena, 300, &conv_err);

	snprintf(text, 300,
			"{\"v\":3,\"ts\":\"x+00:00\",\"channel_values\":{},"
			"\"channel_versions\":{},\"pending_sends\":[%s]}",
			sends);
	c = conv_json("json", text, NULL, 0);
	c.key.id = ckpt_view_of(id);
	return c;
}

static const struct {
	const char *what, *sends, *told;
} sends[] = {
	{ "the parent's writes", "{\"a\": 1}, [2]", "{} | |" },
	{ "in another order", "[2], {\"a\": 1}", " | | sends:cannot:__pregel_tasks" },
	{ "others", "3", " | | sends:cannot:__pregel_tasks" },
	{ "none", "", " | | sends:cannot:__pregel_tasks" },
};

static void check_sends(void)
{
	const struct ckpt_write writes[] = {
		{ .task = CKPT_LIT("a"),
				.channel = CKPT_LIT("__pregel_tasks"),
				.type = CKPT_LIT("json"),
				.body = CKPT_LIT("{\"a\":1}") },
		{ .task = CKPT_LIT("a"),
				.channel = CKPT_LIT("other"),
				.type = CKPT_LIT("json"),
				.body = CKPT_LIT("4") },
		{ .task = CKPT_LIT("b"),
				.channel = CKPT_LIT("__pregel_tasks"),
				.type = CKPT_LIT("json"),
				.body = CKPT_LIT("[2]") },
	};

	for (size_t i = 0; i < LEN(sends); i++) {
		struct ckpt_checkpoint a = v3("1", ""), b = v3("2", sends[i].sends);
		struct convert *k;
		const char *got;

		a.writes = writes;
		a.nwrites = LEN(writes);
		b.parent = CKPT_LIT("1");
		convert_open(&k, &CONV_APART, &conv_err);
		conv_tell(k, &a);
		got = conv_tell(k, &b);
		same(got, strlen(got), sends[i].told, sends[i].what);
		if (i == 0)
			ok(memmem(conv_out.body.p, conv_out.body.n,
					   "\"pending_sends\":[]", 18) != NULL,
					"… they are not kept twice");
		convert_close(k);
	}
}

int main(void)
{
	check_pairs();
	check_again();
	check_everywhere();
	check_forms();
	check_js();
	check_sends();
	arena_free(&conv_arena);
	return done();
}
