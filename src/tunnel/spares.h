/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/spares.h -- connections to TLS targets that are ready before a client comes.
 *
 * Each worker keeps its own.  Who takes one has neither to connect nor to shake hands; another is
 * made in its place.
 */
#ifndef GINNEL_TUNNEL_SPARES_H
#define GINNEL_TUNNEL_SPARES_H

#include "net/stream.h"
#include "tunnel/backend.h"
#include "tunnel/homes.h"

struct plan;
struct service;
struct service_conf;
struct spares; /* of one service */
struct worker;

/* What a spare connection could not be used for. */
void spares_conf_check(const struct service_conf *, struct sink *);
/* Descriptors that the spares of a plan need, over all workers. */
unsigned spares_count(const struct plan *, unsigned workers);

/* Begin to keep some for `service`, whose plan the worker holds. */
void spares_start(struct spares **, struct worker *, struct service *);
void spares_stop(struct spares **); /* all; none is left */

/*
 * A ready connection for a tunnel of `service`: an open stream with TLS, where it leads, and what
 * it owes to leastconn.  False: there is none, and *to is as it was.
 */
bool spares_take(struct spares *, const struct service *, struct stream *to, const struct log_ctx *,
    struct task *, struct home *, struct standing **load) MUST_CHECK;

#endif
