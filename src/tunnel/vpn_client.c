/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_client.c -- a client's end of a call: its network device. */
#include "proto/icmp6.h"
#include "tunnel/vpn_call.h"
#include "tunnel/vpn_link.h"
#include "tunnel/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

enum {
	ASK_MS = 100, /* before a router is asked for the first time */
	ASK_AGAIN_MS = 1000,
	ASK_TRIES = 3, /* RFC 4861 10: MAX_RTR_SOLICITATIONS */
	LIMIT_MS = 3000,
};

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
	network->family[PPP_IPV4] = true; /* the server chooses the address */
	network->family[PPP_IPV6] = c->env.vpn->conf->mtu >= VPN_MTU_MIN6;
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

/* ---- IPv6: the first half of the address comes from a router, the second is agreed on ---- */

static bool
has_address6(const struct vpn_call *c)
{
	return !IN6_IS_ADDR_UNSPECIFIED(&c->router.address);
}

static void
now_open(struct vpn_call *c, enum ppp_family family)
{
	if (family == PPP_IPV6 && !has_address6(c))
		c->router.due = c->now + ASK_MS; /* most servers tell unasked */
}

static void
ask_router(struct vpn_call *c)
{
	uint8_t packet[ICMP6_MAX];

	vpn_call_send(c, PPP_IPV6, packet, icmp6_solicit(packet, c->network.local_id));
	c->router.due = ++c->router.tries < ASK_TRIES ? c->now + ASK_AGAIN_MS : INT64_MAX;
}

static void
take_advertisement(struct vpn_call *c, const struct icmp6_router *router)
{
	if (!router->has_prefix || has_address6(c))
		return;
	c->router.due = INT64_MAX;
	if (c->link != NULL) {
		log_info(c->env.log, "VPN: an IPv6 address came too late to be used");
		return;
	}
	memcpy(c->router.address.s6_addr, router->prefix, ICMP6_PREFIX);
	memcpy(c->router.address.s6_addr + ICMP6_PREFIX, c->network.local_id, ICMP6_ID);
	c->router.dns_count = router->dns_count;
	memcpy(c->router.dns, router->dns, sizeof(router->dns));
	(void)inet_ntop(AF_INET6, &c->router.address, c->address6, sizeof(c->address6));
}

/* ---- the device ---- */

static void
begin_link(struct vpn_call *c)
{
	struct vpn_link_facts facts = { .conf = c->env.vpn->conf,
		.service = c->env.vpn->service,
		.user = c->env.vpn->conf->username,
		.local6 = c->router.address,
		.outside = c->env.peer };

	if (c->guest.open[PPP_IPV4]) {
		facts.local = c->network.local;
		memcpy(facts.dns, c->network.dns, sizeof(facts.dns));
		if (is_fit(c->network.peer))
			facts.peer = c->network.peer;
	}
	memcpy(facts.dns6, c->router.dns, c->router.dns_count * sizeof(facts.dns6[0]));
	c->link = vpn_link_begin(&facts, c->env.worker, c->env.log, c->env.task);
	c->lost = c->link == NULL;
}

/* All addresses that there will be are there, or the time for the rest of them is over. */
static void
try_to_begin(struct vpn_call *c)
{
	bool late = c->now >= c->router.limit;
	bool waits4 = ppp_awaits(c->ppp, PPP_IPV4), waits6 = ppp_awaits(c->ppp, PPP_IPV6);
	char text[INET_ADDRSTRLEN];

	waits6 |= c->guest.open[PPP_IPV6] && !has_address6(c);
	if (!c->entered || c->link != NULL || c->lost || (!late && (waits4 || waits6)))
		return;
	if (!c->guest.open[PPP_IPV4] && !c->guest.open[PPP_IPV6]) {
		/* PPP takes its leave, or begins anew, and has its time again. */
		c->router.limit = c->now + LIMIT_MS;
		return;
	}
	c->router.limit = INT64_MAX;
	if (!c->guest.open[PPP_IPV4] && !has_address6(c)) {
		log_err(c->env.log, "VPN: the server gives no address");
		c->lost = true;
		return;
	}
	if (c->guest.open[PPP_IPV4] && !is_fit(c->network.local)) {
		log_err(c->env.log,
		    "VPN: the server gives the address %s, which is none for a host",
		    inet_ntop(AF_INET, &c->network.local, text, sizeof(text)));
		c->lost = true;
		return;
	}
	begin_link(c);
}

static void
enter(struct vpn_call *c)
{
	c->router.limit = c->now + LIMIT_MS;
}

static bool
stays_on_link(const struct vpn_ip *ip)
{
	return ip->family == PPP_IPV6 && (vpn_ip_is_of_link(ip->from) || vpn_ip_is_of_link(ip->to));
}

/*
 * All packets of the device are the server's, but what the kernel says of neighbours and routers to
 * a link of its own: ours is another one.
 */
static struct vpn_guest *
find_guest(void *call, const struct vpn_ip *ip, uint8_t *packet, size_t n)
{
	struct vpn_call *c = call;

	(void)packet;
	(void)n;
	return stays_on_link(ip) ? NULL : &c->guest;
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
	bool v4 = c->guest.open[PPP_IPV4];

	if (c->now >= c->router.due)
		ask_router(c);
	try_to_begin(c);
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
	if (v4)
		(void)inet_ntop(AF_INET, &c->network.local, address, sizeof(address));
	log_notice(c->env.log, "VPN: %s%s%s on %s, by %s", address,
	    v4 && has_address6(c) ? "," : "", c->address6, vpn_link_device(c->link),
	    auth_method_name(c->method));
}

static void
leave(struct vpn_call *c)
{
	if (c->port.watch.task != NULL)
		vpn_port_close(&c->port);
	c->port.watch.task = NULL;
	c->router.due = c->router.limit = INT64_MAX;
	vpn_link_end(c->link);
	c->link = NULL;
}

static void
write_packet(struct vpn_call *c, uint8_t *packet, size_t n)
{
	struct icmp6_router router;
	struct vpn_ip ip;

	if (!vpn_ip_read(packet, n, &ip)) {
		c->counts.malformed++;
		return;
	}
	if (stays_on_link(&ip)) {
		if (icmp6_read_advertisement(packet, n, &router))
			take_advertisement(c, &router);
		return; /* the kernel would set up addresses and routes of its own */
	}
	if (c->port.watch.task == NULL) { /* the device is still being made */
		c->guest.dropped++;
		return;
	}
	vpn_ip_clamp(packet, n, (unsigned)c->env.vpn->conf->mtu);
	vpn_port_write(&c->port, packet, n);
}

const struct vpn_end vpn_client_end = {
	.meet = meet,
	.plan = plan,
	.enter = enter,
	.open = now_open,
	.run = run,
	.leave = leave,
	.write = write_packet,
};
