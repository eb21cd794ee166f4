/* SPDX-License-Identifier: Apache-2.0 */
/* tests/kit/starve.h -- malloc(3) and calloc(3) that fail when told to; link with --wrap of both.
 */
#ifndef GINNEL_TESTS_KIT_STARVE_H
#define GINNEL_TESTS_KIT_STARVE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

/* Each call counts it down; the one that meets 0 fails, and no later one.  Negative: none. */
static long fail_at = -1;

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);

static bool
fails_now(void)
{
	if (fail_at < 0 || fail_at-- > 0)
		return false;
	errno = ENOMEM;
	return true;
}

void *
__wrap_malloc(size_t n)
{
	return fails_now() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : __real_calloc(n, size);
}

#endif
