/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/gate.h -- where a worker lets clients in: accept, limits, and who shall serve them. */
#ifndef GINNEL_TUNNEL_GATE_H
#define GINNEL_TUNNEL_GATE_H

#include "tunnel/worker.h"

struct gate;

/* One for each door of `plan`; those whose listener is already watched are taken over from the old ones. */
bool gates_adopt(struct worker *, struct plan *plan) MUST_CHECK;
/* Accept what is waiting, then no more. */
void gates_close(struct worker *);

#endif
