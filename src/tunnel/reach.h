/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/reach.h -- choose a target and dial it, until one of them answers. */
#ifndef GINNEL_TUNNEL_REACH_H
#define GINNEL_TUNNEL_REACH_H

#include "tunnel/life.h"

/* IO_OK: the far stream stands; IO_FAILED: *why. */
enum io reach_step(struct session *, enum reason *why) MUST_CHECK;
/* Has it been called? */
bool reach_has_begun(const struct session *);
/* The target is reached, or the tunnel ends; `late`: the time for all of it is up. */
void reach_leave(struct session *, bool late);

#endif
