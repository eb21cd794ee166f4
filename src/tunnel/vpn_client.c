/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_client.c -- a client's end of a call: its network device. */
#include "tunnel/vpn_call.h"
#include "tunnel/vpn_link.h"
#include "tunnel/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* A server that asks for no password has not shown that it knows it. */
static bool
meet(struct vpn_call *c)
{
	if (c->method != PPP_NO_AUTH)
		return true;
	log_err(c->env.log, "VPN: the server asks for no login");
	vpn_call_end(c, R_VPN_METHOD, "no login");
	return false;
}

static bool
plan(struct vpn_call *c, struct ppp_network *network)
{
	(void)c;
	network->family[PPP_IPV4] = true; /* the server chooses the address */
	return true;
}

/* An address that the server may give: one of a host, and none that this machine has its own use
 * for. */
static bool
is_fit(struct in_addr a)
{
	uint32_t v = ntohl(a.s_addr);

	return v >> 24 != 0 && v >> 24 != 127 && v >> 28 < 14;
}

static void
enter(struct vpn_call *c)
{
	struct vpn_link_facts facts = { .conf = c->env.vpn->conf,
		.service = c->env.vpn->service,
		.user = c->env.vpn->conf->username,
		.local = c->network.local,
		.peer = is_fit(c->network.peer) ? c->network.peer : (struct in_addr){ 0 },
		.outside = c->env.peer };
	char text[INET_ADDRSTRLEN];

	memcpy(facts.dns, c->network.dns, sizeof(facts.dns));
	if (!is_fit(c->network.local)) {
		log_err(c->env.log,
		    "VPN: the server gives the address %s, which is none for a host",
		    inet_ntop(AF_INET, &c->network.local, text, sizeof(text)));
		c->lost = true;
		return;
	}
	c->link = vpn_link_begin(&facts, c->env.worker, c->env.log, c->env.task);
	c->lost = c->link == NULL;
}

/* All packets of the device are the server's. */
static struct vpn_guest *
find_guest(void *call, const struct vpn_ip *ip, uint8_t *packet, size_t n)
{
	struct vpn_call *c = call;

	(void)ip;
	(void)packet;
	(void)n;
	return &c->guest;
}

static void
lose_port(void *call, int error)
{
	struct vpn_call *c = call;

	log_err(c->env.log, "VPN: the network device %s has gone: %s (%d)",
	    vpn_link_device(c->link), strerror(error), error);
	c->guest.lost(&c->guest);
}

static const struct vpn_port_events port_events = { find_guest, NULL, lose_port };

/* The device stands, or cannot. */
static void
run(struct vpn_call *c)
{
	char address[INET_ADDRSTRLEN] = "";

	if (c->link == NULL || c->port.watch.task != NULL)
		return;
	switch (vpn_link_step(c->link)) {
	case IO_AGAIN:
		return;
	case IO_OK:
		break;
	default:
		c->lost = true;
		return;
	}
	if (!vpn_port_open(&c->port, c->env.worker->loop, c->env.worker->pool,
		vpn_link_queue(c->link), (unsigned)c->env.vpn->conf->mtu, &port_events, c)) {
		c->lost = true;
		return;
	}
	(void)inet_ntop(AF_INET, &c->network.local, address, sizeof(address));
	log_notice(c->env.log, "VPN: %s on %s, by %s", address, vpn_link_device(c->link),
	    auth_method_name(c->method));
}

static void
leave(struct vpn_call *c)
{
	if (c->port.watch.task != NULL)
		vpn_port_close(&c->port);
	c->port.watch.task = NULL;
	vpn_link_end(c->link);
	c->link = NULL;
}

static void
write_packet(struct vpn_call *c, uint8_t *packet, size_t n)
{
	struct vpn_ip ip;

	if (c->port.watch.task == NULL) { /* the device is still being made */
		c->guest.dropped++;
		return;
	}
	if (!vpn_ip_read(packet, n, &ip)) {
		c->counts.malformed++;
		return;
	}
	vpn_ip_clamp(packet, n, (unsigned)c->env.vpn->conf->mtu);
	vpn_port_write(&c->port, packet, n);
}

const struct vpn_end vpn_client_end = {
	.meet = meet,
	.plan = plan,
	.enter = enter,
	.run = run,
	.leave = leave,
	.write = write_packet,
};
