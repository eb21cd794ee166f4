/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/starter.h -- services without a client: exec and connect, or a VPN's client.
 *
 * Their program is started as soon as a plan is in force, and with `retry` again whenever it has
 * ended.  The first worker does it.  A VPN's call outlives the plan that it began with: where the
 * next one has a service of that name it is that one's, and the call after it goes by the new
 * configuration; else it hangs up.
 */
#ifndef GINNEL_TUNNEL_STARTER_H
#define GINNEL_TUNNEL_STARTER_H

#include "base/log.h"
#include "loop/loop.h"

#include <stdbool.h>

struct plan;
struct service;
struct session;
struct worker;

/* Embedded in each service; the first worker's alone. */
struct starter {
	struct service *service;
	struct worker *worker; /* NULL: not begun */
	struct task task;
	struct timer timer;  /* until the next run */
	struct session *run; /* the current one; NULL: none */
	uint64_t seq;	     /* one number for all runs */
	unsigned runs;
	struct log_ctx log; /* of the current run, */
	int64_t begun;	    /* and when it began */
	int redial_ms;	    /* VPN: how long the last rest was */
	bool stopped;
};

/* In the first worker's thread, or before it runs: `plan` is in force in place of `old` (NULL:
 * none).
 */
void starter_adopt(struct worker *, struct plan *, struct plan *old);
/* What runs goes on to its end, and nothing is started any more.  NULL is fine. */
void starter_stop_all(struct plan *);

#endif
