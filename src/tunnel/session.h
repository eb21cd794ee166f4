/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/session.h -- the life of one tunnel, from accept to its one way out. */
#ifndef GINNEL_TUNNEL_SESSION_H
#define GINNEL_TUNNEL_SESSION_H

#include "tunnel/plan.h"
#include "tunnel/relay.h"
#include "tunnel/worker.h"

struct sibling;

/* Whoever was let in. */
struct client {
	struct service *service;
	int fd;
	struct addr peer;
	uint64_t seq;
	struct seat seat;
	struct sibling *sibling; /* a connection beside a tunnel; NULL: it came by itself */
};

/*
 * Begin a tunnel for a client, whose socket, seat and so on are the session's from now on, also on
 * failure.  It keeps the service's plan.
 */
void session_start(struct worker *, const struct client *);

/*
 * Begin a tunnel whose near side is the program of service->exec.  `log`: the name of the tunnel.
 * `ended` is called when it is over.  NULL: there is no memory for it to begin.
 */
struct session *session_start_program(struct worker *, struct service *, const struct log_ctx *log,
    void (*ended)(void *owner, enum reason), void *owner) MUST_CHECK;

/*
 * Begin a tunnel whose near side is `fd`, which is its own then; `ended` as above.  NULL: no
 * memory, and `fd` is still the caller's.
 */
struct session *session_start_hop(struct worker *, struct service *, const struct log_ctx *log,
    int fd, void (*ended)(void *owner, enum reason), void *owner) MUST_CHECK;
/* Nobody wants to be told of its end any more, */
void session_forget(struct session *);
/* ... or somebody else does. */
void session_hand_over(struct session *, void *owner);

bool session_is_call(const struct session *); /* of a VPN, which may not stand yet */
/* No new ones come: a call of a VPN, which would not end by itself, hangs up.  Others go on. */
void session_ask_to_end(struct session *);
/* End it from outside (shutdown). */
void session_abort(struct session *, enum reason);

/* A tunnel that lives, in a line: "Service [x], 12 byte(s) sent to TLS, ...".  Returns out. */
enum { SESSION_LINE = 1024 };
const char *session_line(const struct session *, char out[SESSION_LINE]);
struct passed session_passed(const struct session *);
struct service *session_service(const struct session *);

const struct addr *session_peer(const struct session *);
/* Where its far side's bytes go on the network: its target, or the first proxy on the way. */
bool session_outside(const struct session *, struct addr *);

/* The neighbour in the worker's list; NULL at the end. */
struct session *session_next(const struct session *);

#endif
