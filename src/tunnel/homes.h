/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/homes.h -- the targets of clients that may come back: who resumes a session is led to the
 * target of its last visit.
 *
 * One for all workers and all services, in memory only: a ticket holds nothing but the visitor's
 * number, so it leads nowhere by itself.  It locks for itself; reloads do not touch it.
 */
#ifndef GINNEL_TUNNEL_HOMES_H
#define GINNEL_TUNNEL_HOMES_H

#include "net/addr.h"

struct homes;

struct home {
	uint64_t target;  /* backend_hash() of its text */
	struct addr addr; /* which one of it */
};

struct homes *homes_new(void);	 /* NULL without memory */
void homes_free(struct homes *); /* NULL is fine */

/* Where did this one (see tls_stream_visitor()) go last?  False: nobody knows. */
bool homes_find(struct homes *, uint64_t visitor, struct home *out);
/* It goes there now.  The one who was noted longest ago makes room; without memory it is lost. */
void homes_note(struct homes *, uint64_t visitor, const struct home *);

#endif
