/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/route.h -- transparent = source|destination|both: go where the client wanted to go, and
 * come from where it comes.
 */
#ifndef GINNEL_TUNNEL_ROUTE_H
#define GINNEL_TUNNEL_ROUTE_H

#include "tunnel/plan.h"

struct route;

/*
 * The way of one tunnel, whose client is `peer` and was accepted on `fd`, by `plan`: the service's
 * own one, or that of `redirect`, which no wish of the client changes.  NULL: logged, and *why is
 * set.
 */
struct route *route_new(const struct service *, const struct dial_plan *plan, int fd,
    const struct addr *peer, const struct log_ctx *, enum reason *why);
/* The service's own plan with what is different here.  Lives as long as the route. */
const struct dial_plan *route_plan(const struct route *);
void route_free(struct route *); /* NULL is fine */

/* Is the process allowed what the services of the plan ask for?  False: logged. */
bool route_is_allowed(const struct plan *) MUST_CHECK;

#endif
