/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/keeper_net.h -- what the privileged helper does for VPNs: network devices, and routes.
 *
 * Only devices that it has made itself, under names of vpnDevice, are set up; only what vpnRoutes
 * names leads into them.  A route beside them leads to one address, where its packets go anyway,
 * and is removed with the helper at the latest.
 */
#ifndef GINNEL_APP_KEEPER_NET_H
#define GINNEL_APP_KEEPER_NET_H

#include "config/grants.h"
#include "net/netlink.h"

struct keeper_device;
struct keeper_route;

/* All zero: it has done nothing. */
struct keeper_net {
	struct keeper_device *devices;
	struct keeper_route *routes;
};

/* The configuration in force and the one before, whose calls may still be set up; NULL: none. */
struct keeper_rights {
	const struct grants *now, *before;
};

/* Is each field one that the functions of netlink.h can make? */
bool keeper_net_is_sound(const struct netlink_order *);

/* A queue of the device of that name, or pattern; its name in full.  -1 with errno. */
int keeper_net_device(struct keeper_net *, const struct keeper_rights *, const char *name,
    bool several, char full[IFNAMSIZ]) MUST_CHECK;
/* False with errno: EPERM if it may not be done. */
bool keeper_net_order(
    struct keeper_net *, const struct keeper_rights *, const struct netlink_order *) MUST_CHECK;
/* As netlink_forward(), where a VPN has vpnSetup = yes. */
char keeper_net_forward(const struct keeper_rights *, int family, char to) MUST_CHECK;
/* At the end: routes that nobody has removed. */
void keeper_net_undo(struct keeper_net *);

#endif
