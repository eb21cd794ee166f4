/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/relay.h -- one direction of a tunnel; there are two, and they know nothing of each other.
 */
#ifndef GINNEL_TUNNEL_RELAY_H
#define GINNEL_TUNNEL_RELAY_H

#include "net/conduit.h"
#include "tunnel/pace.h"

/* Zero-initialised is a flow that has not begun. */
struct flow {
	struct buf buf;		   /* bytes that were read and not yet taken */
	struct conduits *conduits; /* plain on both sides: where to borrow ->conduit; else NULL */
	struct conduit *conduit;   /* takes the place of buf while much is moved */
	struct pace pace;	   /* rateLimit */
	unsigned full;		   /* so many reads in a row were full ones */
	uint64_t bytes;		   /* of data, taken by the receiver's stream */
	size_t moved;		   /* of these, in the last flow_run() */
	int pause;   /* ms: the last one stopped for its pace: run again then; 0: it did not */
	bool more;   /* the last flow_run() stopped for the sake of others: run again soon */
	bool strict; /* strictClose = yes: a cut is a failure, and is not passed on */
	bool eof;    /* the sender will send no more */
	bool cut;    /* ... but did not say so in TLS: bytes may be missing */
	bool done;   /* and the receiver has been told; or it takes no more */
	bool broken; /* done because the receiver takes no more */
};

/*
 * Move what can be moved.  Back-pressure: nothing is read while the receiver has something to take,
 * so a slow reader stops its writer, not our memory.  `last`: the other direction is done, so that
 * the end of this one is the end of the tunnel.
 *
 * IO_OK: done; IO_AGAIN: waiting for an event, or ->more, or ->pause; IO_FAILED: the sender's
 * stream failed (or was cut and ->strict), or the receiver's did other than by going away.
 */
enum io flow_run(struct flow *, struct stream *from, struct stream *to, bool last);

/* Bytes that were read and not yet taken. */
static inline size_t
flow_held(const struct flow *f)
{
	return buf_len(&f->buf) + (f->conduit != NULL ? f->conduit->held : 0);
}

void flow_clear(struct flow *, struct pool *);

#endif
