/* SPDX-License-Identifier: Apache-2.0 */
/* base/check.h -- checks that stay on, and objects that know what they are. */
#ifndef GINNEL_BASE_CHECK_H
#define GINNEL_BASE_CHECK_H

#include <stddef.h>
#include <stdlib.h>

/*
 * MUST() is for what cannot happen.  What a peer, a file or the system can bring about is an error
 * and is handled, never a MUST().
 */
#define MUST(e) ((e) ? (void)0 : must_failed(#e, __FILE__, __LINE__, __func__))
_Noreturn void must_failed(const char *what, const char *file, int line, const char *func);

/*
 * Each object begins with `unsigned magic`, random and unique in the tree (tools/check-magic).  It
 * is checked wherever a `void *` becomes an object again, and cleared at the end, so that a late
 * use is caught.
 */
#define CHECK_OBJ(p, m) MUST((p) != NULL && (p)->magic == (m))

/* A zeroed object with its magic set; NULL without memory. */
#define OBJ_NEW(p, m) (((p) = calloc(1, sizeof(*(p)))) != NULL ? ((p)->magic = (m), (p)) : NULL)
#define OBJ_FREE(p) \
	do { \
		(p)->magic = 0; \
		free(p); \
	} while (0)

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* The result says whether it worked: looking away is a defect. */
#define MUST_CHECK __attribute__((warn_unused_result))

#endif
