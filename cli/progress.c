/*
 * progress.c - the bar and the lines of long runs. Nothing here touches stdout.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "progress.h"

#define SECOND INT64_C(1000000000)
#define BAR_WIDTH 20

void progress_start(struct progress *p, struct cli *cli, int how)
{
	*p = (struct progress){ .cli = cli, .started = ckpt_monotonic() };
	p->silent = how == PROGRESS_NONE || cli->g.quiet;
	p->bar = how == PROGRESS_AUTO && isatty(STDERR_FILENO);
	p->shown = p->started;
}

static void wipe(struct progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->drawn = false;
}

void progress_show(struct progress *p, const char *phase, int64_t done, int64_t all)
{
	static const char full[] = "####################",
			  none[] = "--------------------";
	int64_t now, rate, left;
	int filled;

	if (p->silent)
		return;
	now = ckpt_monotonic();
	if (p->phase != phase) {
		wipe(p);
		p->phase = phase;
		p->started = p->shown = now;
	}
	if (now - p->shown < (p->bar ? SECOND / 5 : 30 * SECOND))
		return;
	p->shown = now;
	rate = done * 10 / ((now - p->started) / (SECOND / 10) + 1);
	left = rate ? (all - done) / rate : 0;
	filled = all > 0 ? (int)(done * BAR_WIDTH / all) : 0;
	filled = filled > BAR_WIDTH ? BAR_WIDTH : filled;
	if (p->bar)
		fprintf(stderr,
				"\r%-7s %.*s%.*s %3d %%  %" PRId64 " checkpoints/s  ETA "
				"%" PRId64 ":%02d\033[K",
				phase, filled, full, BAR_WIDTH - filled, none,
				all > 0 ? (int)(done * 100 / all) : 0, rate, left / 60,
				(int)(left % 60));
	else
		fprintf(stderr,
				"ckpt: %s: %" PRId64 " of %" PRId64
				" checkpoints, %" PRId64 " a second\n",
				phase, done, all, rate);
	p->drawn = p->bar;
}

void progress_end(struct progress *p)
{
	wipe(p);
}
