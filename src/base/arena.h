/* SPDX-License-Identifier: Apache-2.0 */
/* base/arena.h -- memory that lives and dies with one configuration. */
#ifndef GINNEL_BASE_ARENA_H
#define GINNEL_BASE_ARENA_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>

struct arena; /* one thread at a time */

struct arena *arena_new(void);	 /* NULL without memory */
void arena_free(struct arena *); /* gives back all of it; NULL is fine; secrets are wiped */

/* Zeroed, aligned for any type.  NULL without memory. */
void *arena_alloc(struct arena *, size_t) MUST_CHECK;
char *arena_strdup(struct arena *, const char *) MUST_CHECK;
char *arena_strndup(struct arena *, const char *, size_t) MUST_CHECK;
char *arena_printf(struct arena *, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;

/* A list of strings in an arena.  Appending makes a new array, so a copied list never changes. */
struct strv {
	const char *const *v;
	unsigned n;
};
bool strv_append(struct arena *, struct strv *, const char *) MUST_CHECK;

#endif
