/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/conduit.h -- from socket to socket without passing through our memory: splice(2).
 *
 * A conduit is a pipe.  A flow borrows one from its worker's store while it moves much, and gives
 * it back empty; so idle tunnels own none, and two descriptors are enough for many.
 */
#ifndef GINNEL_NET_CONDUIT_H
#define GINNEL_NET_CONDUIT_H

#include "net/stream.h"

struct conduits; /* a worker's store; one thread */

struct conduit {
	int in, out;
	size_t held; /* bytes between the two */
	struct conduit *next;
};

struct conduits *conduits_new(void); /* NULL: no memory */
void conduits_free(struct conduits *);

/* NULL: as many as may be are lent, or the system has none: copy, then. */
struct conduit *conduit_take(struct conduits *);
/* NULL is fine.  What it holds is lost. */
void conduit_give(struct conduits *, struct conduit *);

/*
 * Both sides must be plain, with nothing in their buffers.  Fill an empty one with at most `max`
 * bytes: IO_OK: something came.  Drain: IO_OK: it is empty.  Answers are those of stream_read() and
 * stream_write();
 * `*possible` becomes false if one of the sockets cannot be spliced.
 */
enum io conduit_fill(struct conduit *, struct stream *from, size_t max, bool *possible) MUST_CHECK;
enum io conduit_drain(struct conduit *, struct stream *to) MUST_CHECK;

#endif
