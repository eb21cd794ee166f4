/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/seats.h -- how many clients a service has, in all, of one source and of one identity, and
 * who waits.
 *
 * One `struct seats` lives as long as a service of its name does, over reloads, and is shared by
 * all workers: a mutex around a few counters.  A service without such limits has none.
 */
#ifndef GINNEL_TUNNEL_SEATS_H
#define GINNEL_TUNNEL_SEATS_H

#include "base/check.h"
#include "base/reasons.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "net/addr.h"
#include "tunnel/identity.h"
#include "tunnel/limit_conf.h"

struct seats;

struct seats *seats_new(void); /* one reference; NULL without memory */
struct seats *seats_hold(struct seats *);
void seats_release(struct seats *); /* NULL is fine */

/* What one client has of them; zeroed: nothing.  It can be copied while nobody waits for it. */
struct seat {
	struct seats *seats;	 /* held by the plan of the service */
	struct holder *source;	 /* whose share it is of */
	struct holder *identity; /* ... once the client has shown who it is */
	struct waiter *waiter;	 /* not yet a seat, but a place in the queue */
};

/*
 * Take one, or a place in the queue: then seat_waits().  R_NONE, or why there is none.  `mailbox`:
 * of the calling worker, who alone may use the seat while it waits.
 */
enum reason seat_take(struct seat *, struct seats *, const struct limit_conf *,
    const struct addr *peer, struct mailbox *) MUST_CHECK;
/*
 * The client of a seat has shown who it is.  R_NONE, or why it may not stay; seat_leave() is then
 * still to come.
 */
enum reason seat_identify(
    struct seat *, const struct limit_conf *, const struct identity *) MUST_CHECK;
/* Who waits: still?  `task` will run on `loop` when it is over; false: that was said before. */
bool seat_waits(const struct seat *);
bool seat_wake(struct seat *, struct loop *, struct task *);
/* The client has gone, waiting or not; a zeroed one is fine. */
void seat_leave(struct seat *);

#endif
