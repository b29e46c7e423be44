/*
 * replay.c - runs a fuzz target over committed inputs and their mutations, without a
 * fuzzer.
 *
 * Arguments are directories; one line of TAP each. The mutations are the same every
 * time: the seed is printed, and FUZZ_SEED sets another. A fault ends the program: no
 * plan is printed.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUTATIONS 200
#define INPUT_MOST ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t dice(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A copy of the exact size, so that a byte too far is seen. */
static bool run_exact(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		return false;
	if (size)
		memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	return true;
}

/* One to four changes: a byte set, a bit flipped, the end cut off, two bytes swapped. */
static size_t mutate(uint8_t *data, size_t size, uint64_t *state)
{
	size_t changes = 1 + dice(state) % 4;

	for (; changes && size; changes--) {
		size_t at = dice(state) % size, other = dice(state) % size;
		uint8_t byte = (uint8_t)dice(state), old = data[at];

		switch (dice(state) % 8) {
		case 0:
			size = at;
			break;
		case 1:
		case 2:
			data[at] = data[other];
			data[other] = old;
			break;
		case 3:
		case 4:
			data[at] = (uint8_t)(old ^ 1u << byte % 8);
			break;
		default:
			data[at] = byte;
		}
	}
	return size;
}

static bool run_file(const char *path, uint64_t *state)
{
	uint8_t *data = malloc(INPUT_MOST), *work = malloc(INPUT_MOST);
	FILE *file = fopen(path, "rb");
	bool good = data && work && file;
	size_t size = good ? fread(data, 1, INPUT_MOST, file) : 0;
	int i;

	good = good && !ferror(file) && run_exact(data, size);
	for (i = 0; good && i < MUTATIONS; i++) {
		memcpy(work, data, size);
		good = run_exact(work, mutate(work, size, state));
	}
	if (file)
		fclose(file);
	free(data);
	free(work);
	return good;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool run_directory(const char *name, int number, uint64_t seed)
{
	struct dirent **entries;
	int n = scandir(name, &entries, visible, by_name), i;
	uint64_t state = seed;
	bool good = n > 0;

	for (i = 0; i < n; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", name, entries[i]->d_name);
		good = run_file(path, &state) && good;
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	printf("%s %d - %s: %d inputs, %d mutations, seed %" PRIu64 "\n",
			good ? "ok" : "not ok", number, name, n < 0 ? 0 : n,
			n < 0 ? 0 : n * MUTATIONS, seed);
	fflush(stdout);
	return good;
}

int main(int argc, char **argv)
{
	const char *wish = getenv("FUZZ_SEED");
	uint64_t seed = wish ? strtoull(wish, NULL, 10) : 20261121;
	bool good = true;
	int i;

	for (i = 1; i < argc; i++)
		good = run_directory(argv[i], i, seed ? seed : 1) && good;
	printf("1..%d\n", argc - 1);
	return good ? 0 : 1;
}
