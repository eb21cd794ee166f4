/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/dhcp.h -- DHCPINFORM (RFC 2131 4.4.3): who has an address already asks what else there is
 * to know.  Windows asks so inside of a VPN, and learns routes by no other way.
 */
#ifndef GINNEL_PROTO_DHCP_H
#define GINNEL_PROTO_DHCP_H

#include "net/netset.h"

#include <netinet/in.h>

enum { DHCP_MAX = 1024 }; /* bytes of an answer */

struct dhcp_facts {
	struct in_addr client, server;
	const struct in_addr *dns;
	unsigned dns_count;
	const struct netset *routes; /* of IPv4, through the server */
};

/*
 * The answer to a whole IPv4 packet, as such a packet.  Returns its length; 0: the packet is no
 * DHCPINFORM of that client.
 */
size_t dhcp_answer(
    uint8_t out[DHCP_MAX], const uint8_t *packet, size_t n, const struct dhcp_facts *) MUST_CHECK;

#endif
