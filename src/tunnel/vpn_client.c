/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_client.c -- a client's end of a call: its network device, and its routes. */
#include "tunnel/vpn_call.h"

static bool
plan(struct vpn_call *c, struct ppp_network *network)
{
	(void)c;
	network->family[PPP_IPV4] = true;
	return true;
}

static void
enter(struct vpn_call *c)
{
	(void)c;
}

static void
leave(struct vpn_call *c)
{
	(void)c;
}

static void
write_packet(struct vpn_call *c, uint8_t *packet, size_t n)
{
	(void)c;
	(void)packet;
	(void)n;
}

const struct vpn_end vpn_client_end = { NULL, plan, enter, leave, write_packet };
