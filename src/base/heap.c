/* SPDX-License-Identifier: Apache-2.0 */
/* base/heap.c -- how malloc(3) deals with what was freed. */
#include "base/heap.h"

#include <malloc.h>

enum { KEEP_MAX = 32 * 1024 * 1024 };

void
heap_keep(void)
{
#ifdef __GLIBC__
	(void)mallopt(M_TRIM_THRESHOLD, KEEP_MAX);
#endif
}

void
heap_give_back(void)
{
#ifdef __GLIBC__
	(void)malloc_trim(0);
#endif
}
