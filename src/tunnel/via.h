/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/via.h -- the way through proxyVia.
 *
 * A hop is a tunnel of its own, with a service that config/hops.c has made: its near side is a
 * socket to the tunnel that wants to go through, its far side is the proxy.  So TLS with a proxy,
 * inside which there is TLS with another one, is nothing new to anybody.
 */
#ifndef GINNEL_TUNNEL_VIA_H
#define GINNEL_TUNNEL_VIA_H

#include "tunnel/session.h"

struct via;

/*
 * Begin the hop, and open *far on it.  It logs under the name of the tunnel.  `task` runs when it
 * ends.  NULL without memory or descriptors.
 */
struct via *via_new(struct worker *, struct service *hop, const struct log_ctx *,
    struct stream *far, struct task *task);
/* The address of the first proxy, where all bytes go; false: it is not known (any more). */
bool via_outside(const struct via *, struct addr *);
/* Why the hop has ended, unless it was an end that it could pass on; else R_NONE. */
enum reason via_fault(const struct via *);
/* The tunnel has ended; `reset`: what it sent must not look complete.  NULL is fine. */
void via_free(struct via *, bool reset);

#endif
