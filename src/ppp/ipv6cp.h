/* SPDX-License-Identifier: Apache-2.0 */
/* ppp/ipv6cp.h -- IPv6's interface identifiers (RFC 5072). */
#ifndef GINNEL_PPP_IPV6CP_H
#define GINNEL_PPP_IPV6CP_H

#include "ppp/fsm.h"

struct ipv6cp {
	bool forgone;	   /* the peer has rejected our identifier */
	uint8_t wanted[8]; /* the peer's identifier if it has no good one; zero: any random one */
};

extern const struct fsm_layer ipv6cp_layer;

#endif
