/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/netlink.h -- network devices, their addresses and routes, as rtnetlink(7) sets them.
 *
 * Each call is one question to the kernel and its answer; false with errno.  Most need
 * CAP_NET_ADMIN, and are orders that somebody else can carry out for a process that has it not.
 */
#ifndef GINNEL_NET_NETLINK_H
#define GINNEL_NET_NETLINK_H

#include "net/netset.h"

#include <net/if.h>

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

/*
 * Shall the kernel hand packets on between networks?  '0' or '1', the setting of the whole machine;
 * returns what it was, or '\0' with errno.
 */
char netlink_forward(int family, char to) MUST_CHECK;
const char *netlink_forward_file(int family); /* its path, for messages */

/* What one of the functions above is to do, as data. */
struct netlink_order {
	enum netlink_what {
		NETLINK_UP,
		NETLINK_ADD_ADDRESS,
		NETLINK_ADD_ROUTE,
		NETLINK_REMOVE_ROUTE
	} what;
	unsigned device, mtu; /* NETLINK_UP, _ADDRESS */
	struct network to;    /* the address, or where the route leads */
	struct network peer;  /* .family 0: none */
	struct netlink_hop hop;
};
bool netlink_do(const struct netlink_order *) MUST_CHECK;

/* Whoever carries out orders, and opens devices, for a process that may not. */
struct netlink_hand {
	bool (*order)(struct netlink_hand *, const struct netlink_order *);
	int (*tun)(struct netlink_hand *, char name[IFNAMSIZ], bool several); /* as tun_open() */
	char (*forward)(struct netlink_hand *, int family, char to); /* netlink_forward() */
};
/* From now on, in the whole process; before there are threads.  NULL: the process itself. */
void netlink_use(struct netlink_hand *);
struct netlink_hand *netlink_hand(void);

#endif
