/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/vpn_net.h -- a server's VPN: one network device, its addresses, and who has which.
 *
 * It outlives reloads, as a listening socket does: a plan that asks for the same takes it over.
 * Each worker that has calls in it has a port, with a queue of the device; a packet that comes up
 * at another worker than its guest's is passed on by mailbox.  While a worker has no call, its
 * queue is laid aside, and the port is at rest; so, when the last plan lets go, nobody is left in
 * it.
 */
#ifndef GINNEL_TUNNEL_VPN_NET_H
#define GINNEL_TUNNEL_VPN_NET_H

#include "tunnel/vpn_conf.h"
#include "tunnel/vpn_pool.h"
#include "tunnel/vpn_port.h"

struct vpn_net;
struct worker;

const char *vpn_net_device(const struct vpn_net *); /* its name */

/*
 * Make the device and set it up, with a queue for each worker.  NULL: logged.  `service` names it
 * in the log.
 */
struct vpn_net *vpn_net_open(
    const char *service, const struct vpn_conf *, unsigned workers) MUST_CHECK;
/* Can it go on for this service? */
bool vpn_net_serves(const struct vpn_net *, const char *service, const struct vpn_conf *);
struct vpn_net *vpn_net_hold(struct vpn_net *);
void vpn_net_release(struct vpn_net *); /* the last one removes the device; NULL is fine */

struct vpn_pool *vpn_net_pool(const struct vpn_net *);
struct vpn_roll *vpn_net_roll(const struct vpn_net *); /* who is in it */
/* The number of an address; 0: it is not of this network. */
uint32_t vpn_net_number(const struct vpn_net *, struct in_addr);
uint32_t vpn_net_number6(const struct vpn_net *, const struct network *); /* ... of a /64 */
struct in_addr vpn_net_address(const struct vpn_net *, uint32_t number);
/* The /64 of a number.  False: there is no IPv6 here. */
bool vpn_net_prefix6(const struct vpn_net *, uint32_t number, uint8_t out[8]);

/* In the worker's thread: packets for that number go to this guest.  False: logged. */
bool vpn_net_join(
    struct vpn_net *, struct worker *, uint32_t number, struct vpn_guest *) MUST_CHECK;
void vpn_net_leave(struct vpn_net *, struct worker *, uint32_t number);

/* Why a packet of a guest was not let into the network. */
enum vpn_pass {
	VPN_PASSED,
	VPN_MALFORMED,
	VPN_FOREIGN, /* it bears somebody else's address */
	VPN_TO_PEER,
	VPN_OF_LINK, /* of IPv6, from or for an address of the link: the guest's and ours alone */
};

/* From the guest of that number, who has joined. */
enum vpn_pass vpn_net_write(
    struct vpn_net *, struct worker *, uint32_t number, uint8_t *packet, size_t n);

#endif
