/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/pick.h -- one tunnel's choice among the targets of its service: the plan for its dial.
 *
 * The order is the backend's, with the hosts of SRV records in place of their line; who failed
 * lately comes after the others, and who is down by its health check, last.
 */
#ifndef GINNEL_TUNNEL_PICK_H
#define GINNEL_TUNNEL_PICK_H

#include "net/dial.h"
#include "net/srv.h"
#include "tunnel/backend.h"
#include "tunnel/grudge.h"

struct pick;

/* Who asks, and what all of the worker's tunnels have. */
struct picker {
	struct loop *loop;
	struct srv_finder *srv;
	struct grudges *grudges;
	const struct log_ctx *log;
	struct task *task; /* runs when an answer is there */
};

/* `base`: all of a dial plan but the targets.  NULL without memory. */
struct pick *pick_new(struct backend *, const struct picker *, const struct dial_plan *base,
    const struct addr *source);
/* For a health check: one member alone, whatever is known of it. */
struct pick *pick_new_for(
    struct backend *, const struct picker *, const struct dial_plan *base, unsigned member);
/* IO_OK: the plan is there; IO_AGAIN; IO_FAILED: no memory, or no target. */
enum io pick_step(struct pick *) MUST_CHECK;
/* After that: the target of this backend_hash() is to be the first.  False: it is not there, or it
 * is known to fail. */
bool pick_favour(struct pick *, uint64_t target) MUST_CHECK;
enum reason pick_reason(const struct pick *);		/* after IO_FAILED */
const struct dial_plan *pick_plan(const struct pick *); /* start at its first target */

/* The dial has given up all targets before number `n`. */
void pick_failed(struct pick *, unsigned n);
/* ... and this one it has reached. */
void pick_reached(struct pick *, unsigned n);

/*
 * The dial is over.  What a tunnel that stands owes to leastconn until it ends, for pick_leave();
 * NULL: nothing.
 */
struct standing *pick_settle(struct pick *) MUST_CHECK;
void pick_leave(struct standing *); /* NULL is fine */
void pick_free(struct pick *);	    /* NULL is fine */

#endif
