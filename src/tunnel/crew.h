/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/crew.h -- all workers together, as the main thread sees them.
 *
 * The main thread talks to the workers by mailbox only, and they answer to its own.
 */
#ifndef GINNEL_TUNNEL_CREW_H
#define GINNEL_TUNNEL_CREW_H

#include "tunnel/report.h"
#include "tunnel/worker.h"

/* What the crew tells the main thread; each runs in the main thread. */
struct crew_events {
	void (*adopted)(void *owner);  /* every worker acts on the newest plan */
	void (*drained)(void *owner);  /* after crew_drain(): no session is left */
	void (*beaten)(void *owner);   /* after crew_beat(): every worker has taken its turn */
	void (*reported)(void *owner); /* after crew_report(): it is complete */
	void *owner;
};

/* Workers and their loops, no threads yet; `main`: the main thread's loop.  NULL: logged. */
struct crew *crew_new(
    unsigned workers, const struct limits *, struct loop *main, const struct crew_events *);
/* Takes over the reference.  False: logged. */
bool crew_start(struct crew *, struct plan *) MUST_CHECK;
/*
 * A reload; takes over the reference, unless there is no memory (false: nothing has changed).  One
 * at a time: wait for ->adopted.
 */
bool crew_adopt(struct crew *, struct plan *) MUST_CHECK;
/*
 * Serve the client on `fd`, which is the crew's from now on, by the first service of the plan.
 * False: no memory, and `fd` is still the caller's.
 */
bool crew_serve(struct crew *, int fd, const struct addr *peer) MUST_CHECK;
/* After ->drained: did any tunnel end by a failure? */
bool crew_has_failed(const struct crew *);
/* Do all workers still turn?  Without an answer to the last question this does nothing. */
void crew_beat(struct crew *);
void crew_list(struct crew *); /* SIGUSR2: every session, one line each */
/*
 * Every worker adds to a report that was begun, which must stay until ->reported.  One at a time;
 * there is no answer once the crew is being freed.
 */
void crew_report(struct crew *, struct report *);
void crew_drain(struct crew *); /* accept no more, let the rest end */
void crew_free(struct crew *);	/* end every session, join the threads; NULL is fine */

const struct plan *crew_plan(const struct crew *); /* the newest */

#endif
