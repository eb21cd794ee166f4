/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/failures.h -- sources that tried to log in and failed: who guesses waits, and is then not
 * heard. */
#ifndef GINNEL_TUNNEL_FAILURES_H
#define GINNEL_TUNNEL_FAILURES_H

#include "base/check.h"
#include "net/addr.h"

#include <stdbool.h>
#include <stdint.h>

/* For all threads.  Of a fixed size: sources may share a place, and nobody can tell which do. */
struct failures;

struct failures *failures_new(void) MUST_CHECK; /* NULL: no memory, or no randomness */
void failures_free(struct failures *);		/* NULL is fine */

/* Has it failed so often in the last minute that it is not listened to?  `now` is loop_now(). */
bool failures_refuse(struct failures *, const struct addr *source, int64_t now);
/* It has failed again.  So many ms shall its answer wait. */
int failures_delay(struct failures *, const struct addr *source, int64_t now);

#endif
