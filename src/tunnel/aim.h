/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/aim.h -- where a tunnel goes: the plan for its dial. */
#ifndef GINNEL_TUNNEL_AIM_H
#define GINNEL_TUNNEL_AIM_H

#include "tunnel/life.h"

/* Where the configuration sends it. */
const struct dial_plan *aim_configured(const struct session *);
/* ... and with the client's own addresses, or where it asks to go, or the one that was picked. */
const struct dial_plan *aim_plan(const struct session *);
/* Does it go to the targets of its service, and not where somebody else says? */
bool aim_is_service(const struct session *);

#endif
