/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/session.h -- the life of one tunnel, from accept to its one way out. */
#ifndef GINNEL_TUNNEL_SESSION_H
#define GINNEL_TUNNEL_SESSION_H

#include "tunnel/plan.h"
#include "tunnel/relay.h"
#include "tunnel/worker.h"

/*
 * Begin a tunnel on the accepted socket `fd`, which is the session's from now on, also on failure.
 * It keeps the service's plan.
 */
void session_start(
    struct worker *, struct service *, int fd, const struct addr *peer, uint64_t seq);

/* End it from outside (shutdown). */
void session_abort(struct session *, enum reason);

/* The line of SIGUSR2's list, number `n`. */
void session_list_line(const struct session *, unsigned n);

const struct addr *session_peer(const struct session *);

/* The neighbour in the worker's list; NULL at the end. */
struct session *session_next(const struct session *);

#endif
