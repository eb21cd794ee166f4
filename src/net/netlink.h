/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/netlink.h -- network devices, their addresses and routes, as rtnetlink(7) sets them.
 *
 * Each call is one question to the kernel and its answer; false with errno.  Most need
 * CAP_NET_ADMIN.
 */
#ifndef GINNEL_NET_NETLINK_H
#define GINNEL_NET_NETLINK_H

#include "net/netset.h"

/* Set the MTU of a device, and bring it up. */
bool netlink_up(unsigned device, unsigned mtu) MUST_CHECK;

/* Give a device the address `local` (of ->prefix bits).  `peer`: the other end, or NULL. */
bool netlink_add_address(
    unsigned device, const struct network *local, const struct network *peer) MUST_CHECK;

/* The way to somewhere. */
struct netlink_hop {
	unsigned device;
	bool has_gateway;
	uint8_t gateway[16]; /* of the route's family */
};
bool netlink_find(const struct addr *to, struct netlink_hop *) MUST_CHECK;

bool netlink_add_route(const struct network *to, const struct netlink_hop *) MUST_CHECK;
bool netlink_remove_route(const struct network *to, const struct netlink_hop *) MUST_CHECK;

#endif
