/*
 * memory.c - put before the C library (LD_PRELOAD): there is no memory at the N-th time that a
 * program asks for some, counted from its main.
 *
 *   FAIL_AT=N        the N-th request fails; with FAIL_ON=1 all after it, too
 *   FAIL_LOG=FILE    is told how many requests there were
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

typedef int main_function(int argc, char **argv, char **env);
typedef int start_function(main_function *, int, char **, void (*)(void), void (*)(void),
		void (*)(void), void *);

static main_function *program;
static long asked, at;
static int on;

/* Is there none? */
static int none(void)
{
	long n;

	if (!on)
		return 0;
	n = __atomic_add_fetch(&asked, 1, __ATOMIC_RELAXED);
	if (!at || n < at || (n > at && on < 2))
		return 0;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t n)
{
	return none() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return none() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return none() ? NULL : __libc_realloc(p, n);
}

static void tell(void)
{
	const char *name = getenv("FAIL_LOG");
	FILE *f;

	on = 0;
	f = name ? fopen(name, "w") : NULL;
	if (f) {
		fprintf(f, "%ld\n", asked);
		fclose(f);
	}
}

static int begin(int argc, char **argv, char **env)
{
	const char *text = getenv("FAIL_AT");

	atexit(tell);
	at = text ? strtol(text, NULL, 10) : 0;
	on = getenv("FAIL_ON") ? 2 : 1;
	return program(argc, argv, env);
}

/* What comes before main is the system's: a program cannot answer for it. */
int __libc_start_main(main_function *m, int argc, char **argv, void (*init)(void),
		void (*fini)(void), void (*rtld)(void), void *stack)
{
	start_function *real = (start_function *)dlsym(RTLD_NEXT, "__libc_start_main");

	program = m;
	return real(begin, argc, argv, init, fini, rtld, stack);
}
