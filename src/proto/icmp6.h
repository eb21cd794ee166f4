/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/icmp6.h -- router solicitations and advertisements (RFC 4861, RFC 8106) as whole IPv6
 * packets: how somebody on a link of PPP learns the first half of its addresses.
 *
 * A link of PPP has two ends with an identifier each, and no neighbours.  A link-local address is
 * fe80::/64 and the identifier.
 */
#ifndef GINNEL_PROTO_ICMP6_H
#define GINNEL_PROTO_ICMP6_H

#include "base/check.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ICMP6_MAX = 160, /* bytes of a packet that is made here */
	ICMP6_ID = 8,
	ICMP6_PREFIX = 8, /* bytes of a /64 */
	ICMP6_DNS = 2,
};

/* What a router says. */
struct icmp6_router {
	uint16_t lifetime; /* seconds as a default router; 0: it is none */
	uint32_t mtu;	   /* 0: not said */
	bool has_prefix;   /* for addresses */
	uint8_t prefix[ICMP6_PREFIX];
	struct in6_addr dns[ICMP6_DNS];
	unsigned dns_count;
};

/* Each writes a packet from the link-local address of that identifier, and returns its length. */
size_t icmp6_solicit(uint8_t out[ICMP6_MAX], const uint8_t from[ICMP6_ID]);
size_t icmp6_advertise(
    uint8_t out[ICMP6_MAX], const uint8_t from[ICMP6_ID], const struct icmp6_router *);

/* Is it one, as RFC 4861 6.1.1 wants it?  Who sent it is the caller's to check. */
bool icmp6_is_solicitation(const uint8_t *packet, size_t n) MUST_CHECK;
/* ... 6.1.2: of all prefixes for addresses the first that still holds. */
bool icmp6_read_advertisement(const uint8_t *packet, size_t n, struct icmp6_router *) MUST_CHECK;

/* fe80::/10 */
bool icmp6_is_link_local(const uint8_t address[16]);

#endif
