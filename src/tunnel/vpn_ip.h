/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_ip.h -- what a VPN must know of an IP packet: whose it is, and how large TCP may be.
 */
#ifndef GINNEL_TUNNEL_VPN_IP_H
#define GINNEL_TUNNEL_VPN_IP_H

#include "base/check.h"
#include "ppp/ppp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vpn_ip {
	enum ppp_family family;
	const uint8_t *from, *to; /* 4 or 16 bytes in the packet */
};

/* False: no IP packet, or one that is longer than `n` bytes. */
bool vpn_ip_read(const uint8_t *packet, size_t n, struct vpn_ip *) MUST_CHECK;

/* Is this address of IPv6 of one link alone: link-local, "none yet", or a group of the link? */
bool vpn_ip_is_of_link(const uint8_t address[16]);

/*
 * A TCP connection that begins by this packet shall keep to packets of `mtu` bytes: its MSS is
 * lowered, if need be (RFC 9293 3.7.1), and its checksum mended.  Everything else stays as it is.
 */
void vpn_ip_clamp(uint8_t *packet, size_t n, unsigned mtu);

#endif
