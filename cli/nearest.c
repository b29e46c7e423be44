/*
 * nearest.c - did you mean: the nearest of some names to a word that is none of them.
 */
#include <string.h>

#include "cmd.h"

#define LONGEST_WORD 40

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap of neighbours) from a to b; both short. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);
	size_t d[LONGEST_WORD + 1][LONGEST_WORD + 1];

	if (na > LONGEST_WORD || nb > LONGEST_WORD)
		return LONGEST_WORD;
	for (size_t i = 0; i <= na; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= nb; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= na; i++)
		for (size_t j = 1; j <= nb; j++) {
			size_t cost = a[i - 1] != b[j - 1];
			size_t best = least(d[i - 1][j] + 1, d[i][j - 1] + 1);

			best = least(best, d[i - 1][j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
					a[i - 2] == b[j - 1])
				best = least(best, d[i - 2][j - 2] + 1);
			d[i][j] = best;
		}
	return d[na][nb];
}

const char *opt_nearest(const char *word, const char *const *names)
{
	const char *best = NULL;
	size_t n = strlen(word), limit = 1 + n / 4, least_seen = SIZE_MAX;

	for (size_t i = 0; names[i]; i++) {
		size_t d = edit_distance(word, names[i]);

		/* abbreviations are not taken, but what was meant is plain */
		if (n >= 2 && strncmp(word, names[i], n) == 0)
			d = 1;
		if (d <= limit && d < least_seen) {
			best = names[i];
			least_seen = d;
		}
	}
	return best;
}
