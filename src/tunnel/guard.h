/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/guard.h -- who may come in: allowFrom and denyFrom, libwrap and ident. */
#ifndef GINNEL_TUNNEL_GUARD_H
#define GINNEL_TUNNEL_GUARD_H

#include "tunnel/plan.h"
#include "tunnel/worker.h"

struct guard;

/* Does the service ask for anything at all?  `again`: its client has been let in by another one. */
bool guard_is_wanted(const struct service_conf *, bool again);
/* Can all that the plan asks be asked?  False: logged. */
bool guard_is_possible(const struct plan *) MUST_CHECK;
/* The first plan: start whom it will ask.  False: logged. */
bool guard_start(const struct plan *) MUST_CHECK;
/* About the client `peer` that was accepted on `fd`.  NULL without memory. */
struct guard *guard_new(struct worker *, const struct service *, bool again, int fd,
    const struct addr *peer, const struct log_ctx *, struct task *);
/* IO_OK: it may come in; IO_AGAIN; IO_FAILED: it may not, logged. */
enum io guard_step(struct guard *) MUST_CHECK;
enum reason guard_reason(const struct guard *); /* after IO_FAILED */
void guard_free(struct guard *);		/* NULL is fine */

#endif
