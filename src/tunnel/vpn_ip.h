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

enum { VPN_IP_ERROR_MAX = 1280 };

/*
 * The ICMP message that tells the sender of a packet that only `mtu` bytes can pass (RFC 1191, RFC
 * 8201), into `out`.  Returns its length; 0: there is none to be sent, as the packet may be cut to
 * pieces, or is an error itself.  It bears the address to which the packet was going: ours is the
 * kernel's, who would believe none of its own packets that come from outside.
 */
size_t vpn_ip_too_big(
    const uint8_t *packet, size_t n, unsigned mtu, uint8_t out[VPN_IP_ERROR_MAX]) MUST_CHECK;

/*
 * A TCP connection that begins by this packet shall keep to packets of `mtu` bytes: its MSS is
 * lowered, if need be (RFC 9293 3.7.1), and its checksum mended.  Everything else stays as it is.
 */
void vpn_ip_clamp(uint8_t *packet, size_t n, unsigned mtu);

#endif
