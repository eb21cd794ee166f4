/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/plan.h -- what workers act on: a configuration, loaded and checked.
 *
 * Immutable once published (only reference counts change).  A session keeps the plan that it began
 * with; a reload makes a new one beside it.
 */
#ifndef GINNEL_TUNNEL_PLAN_H
#define GINNEL_TUNNEL_PLAN_H

#include "base/files.h"
#include "net/dial.h"
#include "tls/context.h"
#include "tunnel/hosts.h"
#include "tunnel/listener.h"
#include "tunnel/seats.h"
#include "tunnel/service.h"
#include "tunnel/starter.h"
#include "tunnel/tally.h"
#include "tunnel/users.h"
#include "tunnel/vpn.h"

#include <stdatomic.h>

struct service {
	const struct service_conf *conf;
	struct plan *plan;
	struct tls_context *near, *far; /* NULL: that side is plain */
	const struct proto_role *role;	/* what is said around TLS; NULL: nothing */
	struct users *users;		/* who may log in; NULL: nobody */
	struct seats *seats;		/* NULL: no limits of its own */
	struct tally *tally;		/* shared by those of the same name */
	struct dial_plan dial;
	struct dial_plan redirect; /* in its place, for clients that may not pass */
	char **environment;	 /* for exec, as it was when the plan was made; NULL without exec */
	struct hosts *hosts;	 /* who else serves clients of this port, by name; or NULL */
	struct detect *detect;	 /* ... by what they begin with; or NULL */
	struct service *via;	 /* through which the target is reached; NULL: straight */
	struct starter starter;	 /* no client comes in: how it starts itself */
	struct vpn *vpn;	 /* protocol = sstp */
	struct backend *backend; /* NULL: `dial` is all there is to know */
	_Atomic unsigned turn;	 /* failover = rr: whose turn it is */
};

/* A way in: a listening socket and the service behind it. */
struct door {
	struct listener *listener;
	struct service *service;
};

struct plan {
	unsigned magic;
	_Atomic unsigned refs;
	struct service *services;
	unsigned service_count;
	struct door *doors;
	unsigned door_count;
	unsigned workers; /* that will serve it; set before its doors are opened */
	bool inetd;	  /* no door: the one client is on standard input */
	/* The configuration that it was made from, freed with it. */
	void *source;
	void (*source_free)(void *source);
};

/* An empty plan for `services` services; one reference, the caller's.  NULL without memory. */
struct plan *plan_new(unsigned services);
/* Make plan->services[i].  Faults go to the sink.  `previous`: the plan in force, or NULL. */
bool plan_add_service(struct plan *, unsigned i, const struct service_conf *,
    const struct plan *previous, struct files *, struct sink *) MUST_CHECK;
/* When all are made: find the services that others go through. */
void plan_join_hops(struct plan *);
/*
 * Give clients of plan->services[primary] that ask for a name of `pattern` to services[i].  False:
 * no memory.
 */
bool plan_add_host(struct plan *, unsigned primary, const char *pattern, unsigned i) MUST_CHECK;
/* ... only if they also offer one of `names` by ALPN; to be called before. */
bool plan_narrow_host(
    struct plan *, unsigned primary, const struct alpn *names, unsigned i) MUST_CHECK;
/*
 * Give clients of plan->services[primary] that begin so to services[i].  False: no memory.  `other`
 * is set if another one has a kind of them already.
 */
bool plan_add_detect(struct plan *, unsigned primary, enum detect_layer, unsigned kinds, unsigned i,
    const struct service **other) MUST_CHECK;
/*
 * Open the listening sockets and network devices of all services, taking over those of `previous`
 * that are the same.
 * False: some service could not be bound; the cause is logged, and nothing that was opened here
 * stays open.
 */
bool plan_open_doors(struct plan *, const struct plan *previous) MUST_CHECK;
/* Close the listening sockets of `old` that `now` (NULL: none) does not have. */
void plan_close_doors(struct plan *old, const struct plan *now);

struct plan *plan_hold(struct plan *); /* a session, as it begins */
void plan_release(struct plan *);      /* ... and as it ends; NULL is fine */

/* Does connecting to `addr` lead back to `service`, directly or over other services' numeric
 * targets? */
bool plan_leads_back(const struct service *service, const struct addr *addr);

#endif
