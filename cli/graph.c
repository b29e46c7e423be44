/*
 * graph.c - the branches of one namespace as lanes, newest checkpoint first, as in
 *
 *   * d81b0330  step 9
 *   | * e2c253b2  step 8
 *   |/
 *   * ad27ddf7  step 7
 *
 * A lane waits for the parent of what was drawn in it; lanes that wait for the same one meet.
 */
#include <stdlib.h>

#include "list.h"

#define NO_LANE SIZE_MAX

struct graph {
	const struct ckpt_lineage *l;
	size_t *lanes; /* index of the checkpoint a lane waits for, or NO_LANE */
	size_t n, cap;
	size_t mine; /* of the checkpoint drawn last */
	bool failed;
};

struct graph *graph_new(const struct ckpt_lineage *l)
{
	struct graph *g = calloc(1, sizeof(*g));

	if (g)
		g->l = l;
	return g;
}

void graph_free(struct graph *g)
{
	if (g)
		free(g->lanes);
	free(g);
}

static size_t take_lane(struct graph *g)
{
	for (size_t i = 0; i < g->n; i++) {
		if (g->lanes[i] == NO_LANE)
			return i;
	}
	if (g->n == g->cap) {
		size_t cap = g->cap ? g->cap * 2 : 8,
		       *more = realloc(g->lanes, cap * sizeof(*more));

		if (!more) {
			g->failed = true;
			return 0;
		}
		g->lanes = more;
		g->cap = cap;
	}
	g->lanes[g->n] = NO_LANE;
	return g->n++;
}

static void trim(struct graph *g)
{
	while (g->n && g->lanes[g->n - 1] == NO_LANE)
		g->n--;
}

/* Lanes left of and at `mine` as bars, then the mark. */
static void bars(const struct graph *g, size_t from, size_t to, struct ckpt_buf *out)
{
	for (size_t i = from; i < to; i++)
		ckpt_buf_puts(out, g->lanes[i] == NO_LANE ? "  " : "| ");
}

/* Every other lane that waits for the same checkpoint bends into `mine`. */
static void join_lanes(struct graph *g, size_t mine, size_t at, struct ckpt_buf *to)
{
	for (size_t i = g->n; i-- > mine + 1;) {
		if (g->lanes[i] != at)
			continue;
		bars(g, 0, mine, to);
		ckpt_buf_puts(to, "|");
		for (size_t k = mine + 1; k < i; k++)
			ckpt_buf_puts(to, g->lanes[k] == NO_LANE || g->lanes[k] == at
							  ? "__"
							  : "_|");
		ckpt_buf_puts(to, "/");
		g->lanes[i] = NO_LANE;
		if (i + 1 < g->n) {
			ckpt_buf_puts(to, " ");
			bars(g, i + 1, g->n, to);
		}
		ckpt_buf_puts(to, "\n");
	}
	trim(g);
}

void graph_step(struct graph *g, size_t at, struct ckpt_buf *to)
{
	const struct ckpt_link *link = &g->l->links[at];
	size_t mine = NO_LANE;

	for (size_t i = 0; i < g->n && mine == NO_LANE; i++)
		mine = g->lanes[i] == at ? i : NO_LANE;
	if (mine != NO_LANE)
		join_lanes(g, mine, at, to);
	else
		mine = take_lane(g);
	if (g->failed) {
		to->failed = true;
		return;
	}
	g->mine = mine;
	g->lanes[mine] = at;
	bars(g, 0, mine, to);
	ckpt_buf_puts(to, "* ");
	bars(g, mine + 1, g->n, to);
	/* what is below: the parent, if it is older than this one (a circle ends here) */
	g->lanes[mine] = link->parent_at < at ? link->parent_at : NO_LANE;
	trim(g);
}

/* Below a checkpoint whose parent is named but gone: its lane ends in a "~". */
void graph_end(const struct graph *g, size_t at, struct ckpt_buf *to)
{
	if (!g->l->links[at].parent.p || g->l->links[at].parent_at != SIZE_MAX)
		return;
	bars(g, 0, g->mine < g->n ? g->mine : g->n, to);
	ckpt_buf_puts(to, "~ (its parent is not in the store)\n");
}
