/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/grudge.h -- which targets have failed lately.
 *
 * One for each worker, who learns by itself: nothing is shared, and a reload changes nothing.  A
 * target that failed is left alone for a second, then twice as long with each new failure, up to a
 * minute; when the time is up, one tunnel tries it, and the others leave it alone until that has
 * worked.
 */
#ifndef GINNEL_TUNNEL_GRUDGE_H
#define GINNEL_TUNNEL_GRUDGE_H

#include <stdbool.h>
#include <stdint.h>

struct grudges;

struct grudges *grudges_new(void);   /* NULL without memory */
void grudges_free(struct grudges *); /* NULL is fine */

/* A target is known by its text.  Better be left alone at `now` (ms)?  No: the caller tries it. */
bool grudges_has(struct grudges *, const char *target, int64_t now);
/* It could not be reached.  How many ms it is left alone for; 0: it already was. */
int grudges_add(struct grudges *, const char *target, int64_t now);
/* It was reached.  True: that is news. */
bool grudges_drop(struct grudges *, const char *target);

#endif
