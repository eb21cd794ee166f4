/* SPDX-License-Identifier: Apache-2.0 */
/* ppp/ipcp.h -- IPv4's addresses and name servers (RFC 1332, RFC 1877). */
#ifndef GINNEL_PPP_IPCP_H
#define GINNEL_PPP_IPCP_H

#include "ppp/fsm.h"

struct ipcp {
	unsigned forgone; /* options of ours that the peer has rejected, one bit each */
	bool said;	  /* server: the client's request has its address */
	bool wished;	  /* ... it was told once that it should */
};

extern const struct fsm_layer ipcp_layer;

#endif
