/*
 * show_delta.c - delta channels in `ckpt show`: which there are, their values, made once and when
 * they are first needed, and what a person has to know about each.
 */
#include <stdlib.h>
#include <string.h>

#include "show.h"

struct show_delta {
	struct ckpt_buf text;
	struct ckpt_delta how;
	bool made;
};

/* Channels of JavaScript without a version go behind the others. */
static int add_unversioned(struct shown *s)
{
	size_t n = 0, had = s->c.nvalues;
	int rc = ckpt_delta_unversioned(&s->names, s->cli->store, &s->c);

	for (size_t i = 0; i < s->names.n; i++)
		n += s->names.p[i] == '\0';
	s->places = calloc(had + n + 1, sizeof(*s->places));
	s->values = calloc(had + n + 1, sizeof(*s->values));
	s->deltas = calloc(had + n + 1, sizeof(*s->deltas));
	if (rc < 0 || !s->places || !s->values || !s->deltas)
		return ckpt_fail(&s->cli->err, CKPT_ENOMEM, "out of memory");
	if (had)
		memcpy(s->values, s->c.values, had * sizeof(*s->values));
	for (const char *p = s->names.p; n > 0; n--, p += strlen(p) + 1)
		s->values[s->c.nvalues++].channel = ckpt_view_of(p);
	s->c.values = s->values;
	return 0;
}

int show_deltas(struct shown *s)
{
	size_t had = s->c.nvalues, kept = had, all;
	int rc = add_unversioned(s);

	if (rc < 0)
		return rc;
	all = s->c.nvalues;
	s->c.nvalues = had;
	rc = ckpt_delta_places(s->cli->store, &s->c, s->places);
	s->c.nvalues = all;
	/* only the chain tells whether there is anything of one without a version */
	for (size_t i = had; rc >= 0 && i < all; i++) {
		s->places[kept] = CKPT_DELTA;
		s->values[kept] = s->values[i];
		rc = show_delta(s, kept, NULL);
		if (s->deltas[kept].how.writes || s->deltas[kept].how.seed.n) {
			kept++;
			continue;
		}
		ckpt_buf_free(&s->deltas[kept].text);
		ckpt_delta_free(&s->deltas[kept].how);
		s->deltas[kept] = (struct show_delta){ 0 };
	}
	s->c.nvalues = kept;
	return rc < 0 ? rc : 0;
}

void show_deltas_free(struct shown *s)
{
	for (size_t i = 0; s->deltas && i < s->c.nvalues; i++) {
		ckpt_buf_free(&s->deltas[i].text);
		ckpt_delta_free(&s->deltas[i].how);
	}
	free(s->deltas);
	free(s->values);
	free(s->places);
	ckpt_buf_free(&s->names);
}

static void warn_chain(struct shown *s, const char *name, const struct ckpt_delta *d)
{
	char id[200];

	if (d->missing.n)
		show_warn(s,
				"channel %s: the parent %s that its writes go back to is "
				"not in the store: LangGraph loads what is left of it",
				name, ckpt_show_name(id, ckpt_buf_view(&d->missing)));
	if (d->ring)
		show_warn(s,
				"channel %s: the parents form a ring: LangGraph loads "
				"the "
				"writes of one round",
				name);
	if (d->lost)
		show_warn(s,
				"channel %s: the snapshot at %s is lost, its blob is not "
				"in "
				"the store: LangGraph reads true in its place",
				name, ckpt_show_name(id, ckpt_buf_view(&d->seed)));
}

/* What other readers, or the run that wrote it, may have had another value of. */
static int warn_doubts(
		struct shown *s, struct ckpt_view channel, const struct ckpt_delta *d)
{
	struct ckpt_buf at = { 0 };
	char name[200], id[200];
	int rc;

	ckpt_show_name(name, channel);
	if (d->moved.n)
		show_warn(s,
				"channel %s: the parallel writes on %s are replayed in "
				"the order of today's LangGraph; releases before "
				"checkpoint-sqlite 3.1.2 and checkpoint-postgres 3.2.0 "
				"replay them in another and can load another value",
				name, ckpt_show_name(id, ckpt_buf_view(&d->moved)));
	rc = ckpt_delta_mixed(&at, s->cli->store, &s->c, channel, d);
	if (rc > 0)
		show_warn(s,
				"channel %s: branches part at %s, and no snapshot "
				"keeps them apart: what LangGraph loads here has writes "
				"of another branch in it",
				name, ckpt_show_name(id, ckpt_buf_view(&at)));
	ckpt_buf_free(&at);
	return rc < 0 ? rc : 0;
}

static void warn(struct shown *s, struct ckpt_view channel, const struct ckpt_delta *d)
{
	const char *plural = d->writes == 1 ? "" : "s";
	char name[200];

	ckpt_show_name(name, channel);
	warn_chain(s, name, d);
	if (d->how == CKPT_DELTA_GUESS)
		show_warn(s,
				"channel %s is a guess from %zu write%s: %s; the reducer "
				"that knows is not in the store",
				name, d->writes, plural, d->rule);
	else if (d->how == CKPT_DELTA_ROWS && d->rule)
		show_warn(s,
				"channel %s is a delta channel without a stored value, "
				"and "
				"there is no guess (%s): its raw rows are shown",
				name, d->rule);
	else if (d->how == CKPT_DELTA_ROWS)
		show_warn(s,
				"channel %s is a delta channel without a stored value: "
				"its "
				"raw rows are shown (--fold shows a guess)",
				name);
}

int show_delta(struct shown *s, size_t i, struct ckpt_buf *to)
{
	struct show_delta *d = &s->deltas[i];
	struct ckpt_render r = show_render(s);
	int rc = 0, doubt = 0;

	if (!d->made) {
		/* a preview shortens by itself; a value cut to its size would be no value */
		r.max_value = s->o->max_value == CKPT_UNKNOWN ? 0 : r.max_value;
		rc = ckpt_delta_value(&d->text, s->cli->store, &s->c,
				s->c.values[i].channel, &r, s->o->fold, &d->how);
		d->made = true;
		s->corrupt |= rc == CKPT_ECORRUPT;
		if (show_wants(s, s->c.values[i].channel)) {
			warn(s, s->c.values[i].channel, &d->how);
			if (rc >= 0 || rc == CKPT_ECORRUPT)
				doubt = warn_doubts(s, s->c.values[i].channel, &d->how);
		}
	}
	if (to)
		ckpt_buf_add(to, d->text.p, d->text.n);
	return rc < 0 && rc != CKPT_ECORRUPT ? rc : doubt;
}

const char *show_delta_note(const struct shown *s, size_t i)
{
	static const char *const notes[] = {
		[CKPT_DELTA_ROWS] = "delta: the last snapshot and the writes since",
		[CKPT_DELTA_CERTAIN] = "delta: as LangGraph loads it",
		[CKPT_DELTA_GUESS] = "delta: a guess",
	};

	return notes[s->deltas[i].how.how];
}
