/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/gate.h -- where a worker lets clients in: accept, limits, and who shall serve them. */
#ifndef GINNEL_TUNNEL_GATE_H
#define GINNEL_TUNNEL_GATE_H

#include "tunnel/worker.h"

/*
 * A gate for each door of `plan`, not yet open.  Any thread, so that a reload without memory fails
 * before a worker hears of it.  NULL without memory.
 */
struct gate **gates_new(const struct plan *);
void gates_free(struct gate **); /* that no worker has adopted; NULL is fine */

/*
 * Open them in the worker's thread, and close what it had.  A gate that is open already at the same
 * listener stays open, and now leads to the new plan's service.
 */
void gates_adopt(struct worker *, struct plan *, struct gate **);
void gates_close(struct worker *);
/* May the client on `fd` come in?  False: it was refused, and `fd` is closed. */
bool gate_admits(struct worker *, struct service *, int fd, const struct addr *peer) MUST_CHECK;
/* Accept what is waiting, and then close. */
void gates_drain(struct worker *);

#endif
