/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/library_memory.h -- what OpenSSL allocates: counted, measured, and refused. */
#ifndef GINNEL_TESTS_LIBRARY_MEMORY_H
#define GINNEL_TESTS_LIBRARY_MEMORY_H

#include "narrow_kit.h"

#include <openssl/crypto.h>
#include <stddef.h>
#include <stdlib.h>

/* Each thread's own: a count in common would order the threads for ThreadSanitizer. */
static _Thread_local struct {
	long left;	/* allocations; -1: as many as one likes */
	long count;	/* that were made */
	size_t largest; /* of them, in bytes */
} memory = { -1, 0, 0 };

static void *
take_memory(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	if (memory.left == 0)
		return NULL;
	if (memory.left > 0)
		memory.left--;
	memory.count++;
	if (n > memory.largest)
		memory.largest = n;
	return malloc(n);
}

static void *
grow_memory(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return realloc(p, n);
}

static void
give_memory(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

/* As need_narrow_context(), and the first of all in main(): OpenSSL has allocated nothing yet. */
static int
need_watched_narrow_context(void)
{
	return CRYPTO_set_mem_functions(take_memory, grow_memory, give_memory) == 1
		   ? need_narrow_context()
		   : 1;
}

#endif
