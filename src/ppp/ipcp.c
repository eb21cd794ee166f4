/* SPDX-License-Identifier: Apache-2.0 */
/* ppp/ipcp.c -- IPv4's addresses and name servers (RFC 1332 3.3, RFC 1877 1). */
#include "ppp/ipcp.h"

#include "ppp/link.h"

enum { ADDRESS = 4 }; /* bytes of each value */

/*
 * The options that we know, each an address in struct ppp_network: at a server what a client gets
 * that asks for it; at a client what it asks for, zeros for "any", and then what it got.
 */
static const struct known {
	size_t server, client; /* places in struct ppp_network */
	uint8_t type;
	bool asked; /* by a client of ours */
} known[] = {
	{ offsetof(struct ppp_network, peer), offsetof(struct ppp_network, local), 3, true },
	{ offsetof(struct ppp_network, dns[0]), offsetof(struct ppp_network, dns[0]), 129, true },
	{ offsetof(struct ppp_network, nbns[0]), offsetof(struct ppp_network, nbns[0]), 130,
	    false },
	{ offsetof(struct ppp_network, dns[1]), offsetof(struct ppp_network, dns[1]), 131, true },
	{ offsetof(struct ppp_network, nbns[1]), offsetof(struct ppp_network, nbns[1]), 132,
	    false },
};
#define OWN_ADDRESS (&known[0])

static const struct known *
find(uint8_t type)
{
	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (known[i].type == type)
			return &known[i];
	return NULL;
}

static struct in_addr *
place(struct ppp *ppp, const struct known *k)
{
	return (struct in_addr *)((char *)&ppp->net + (ppp->conf.server ? k->server : k->client));
}

static bool
is_none(const struct in_addr *a)
{
	return a->s_addr == htonl(INADDR_ANY);
}

/* ---- ours ---- */

static void
ask(struct ppp *ppp, struct wr *w)
{
	if (ppp->conf.server) {
		/* Some clients make an address up for us if we tell none. */
		if (ppp->ipcp.forgone == 0 && !is_none(&ppp->net.local))
			fsm_put_option(w, OWN_ADDRESS->type, &ppp->net.local, ADDRESS);
		return;
	}
	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (known[i].asked && (ppp->ipcp.forgone >> i & 1) == 0)
			fsm_put_option(w, known[i].type, place(ppp, &known[i]), ADDRESS);
}

/* A server's address is what it is; a client takes what it is given for what it asked. */
static bool
adjust(struct ppp *ppp, const struct fsm_option *option)
{
	const struct known *k = find(option->type);

	if (!ppp->conf.server && k != NULL && k->asked && option->n == ADDRESS)
		memcpy(place(ppp, k), option->value, ADDRESS);
	return true;
}

static bool
forgo(struct ppp *ppp, const struct fsm_option *option)
{
	const struct known *k = find(option->type);
	static const struct in_addr none;

	ppp->ipcp.forgone |= 1u << (k - known);
	if (ppp->conf.server)
		return true;
	memcpy(place(ppp, k), &none, ADDRESS);
	return k != OWN_ADDRESS; /* without an address of its own a client has nothing */
}

/* ---- the peer's ---- */

static void
forget(struct ppp *ppp)
{
	ppp->ipcp.said = false;
	if (!ppp->conf.server)
		ppp->net.peer.s_addr = htonl(INADDR_ANY);
}

static enum fsm_opinion
judge_client(struct ppp *ppp, const struct fsm_option *option, struct wr *nak)
{
	const struct known *k = find(option->type);
	const struct in_addr *given;

	if (k == NULL || option->n != ADDRESS)
		return FSM_UNKNOWN;
	given = place(ppp, k);
	if (is_none(given))
		return FSM_UNKNOWN; /* there is none of these */
	if (k == OWN_ADDRESS)
		ppp->ipcp.said = true;
	if (memcmp(option->value, given, ADDRESS) == 0)
		return FSM_GOOD;
	fsm_put_option(nak, k->type, given, ADDRESS);
	return FSM_OTHER;
}

/* A server tells its own address; it has nothing else to ask of us. */
static enum fsm_opinion
judge_server(struct ppp *ppp, const struct fsm_option *option, struct wr *nak)
{
	struct in_addr address;

	(void)nak;
	if (option->type != OWN_ADDRESS->type || option->n != ADDRESS)
		return FSM_UNKNOWN;
	memcpy(&address, option->value, ADDRESS);
	if (is_none(&address))
		return FSM_UNKNOWN;
	ppp->net.peer = address;
	return FSM_GOOD;
}

static enum fsm_opinion
judge(struct ppp *ppp, const struct fsm_option *option, struct wr *nak)
{
	return ppp->conf.server ? judge_client(ppp, option, nak) : judge_server(ppp, option, nak);
}

/* A client that does not ask for its address is told it once; it may know it already. */
static void
wish(struct ppp *ppp, struct wr *nak)
{
	if (!ppp->conf.server || ppp->ipcp.said || ppp->ipcp.wished)
		return;
	ppp->ipcp.wished = true;
	fsm_put_option(nak, OWN_ADDRESS->type, &ppp->net.peer, ADDRESS);
}

/* ---- up and down ---- */

/* May a client be called that?  Not loopback, "this network", multicast or reserved (RFC 6890). */
static bool
is_usable(const struct in_addr *a)
{
	uint32_t top = ntohl(a->s_addr) >> 24;

	return top != 0 && top != 127 && top < 224;
}

static void
failed(struct ppp *ppp)
{
	link_network_failed(ppp, PPP_IPV4);
}

static void
refused(struct ppp *ppp)
{
	link_network_refused(ppp, PPP_IPV4);
}

static void
up(struct ppp *ppp)
{
	if (is_usable(ppp->conf.server ? &ppp->net.peer : &ppp->net.local))
		link_network_up(ppp, PPP_IPV4);
	else
		refused(ppp);
}

static void
down(struct ppp *ppp)
{
	ppp->ipcp.wished = false;
	link_network_down(ppp, PPP_IPV4);
}

const struct fsm_layer ipcp_layer = {
	.protocol = LINK_IPCP,
	.name = "IPCP",
	.ask = ask,
	.forget = forget,
	.judge = judge,
	.wish = wish,
	.adjust = adjust,
	.forgo = forgo,
	.hopeless = refused,
	.up = up,
	.down = down,
	.finished = failed,
};
