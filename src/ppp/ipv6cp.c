/* SPDX-License-Identifier: Apache-2.0 */
/* ppp/ipv6cp.c -- IPv6's interface identifiers (RFC 5072, 4). */
#include "ppp/ipv6cp.h"

#include "ppp/link.h"

enum { OPTION_ID = 1, ID = 8 };

static const uint8_t none[ID];

static bool
same(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, ID) == 0;
}

/* One that nobody has: the bit that would make it a real card's is not set (4.1). */
static bool
make_id(struct ppp *ppp, uint8_t out[ID])
{
	uint8_t id[ID];

	do {
		if (!link_random(ppp, id, ID))
			return false;
		id[0] &= (uint8_t)~0x02;
	} while (same(id, none) || same(id, ppp->net.local_id));
	memcpy(out, id, ID);
	return true;
}

static void
ask(struct ppp *ppp, struct wr *w)
{
	if (same(ppp->net.local_id, none) && !make_id(ppp, ppp->net.local_id))
		return;
	if (!ppp->ipv6cp.forgone)
		fsm_put_option(w, OPTION_ID, ppp->net.local_id, ID);
}

static bool
adjust(struct ppp *ppp, const struct fsm_option *option)
{
	if (option->type != OPTION_ID || option->n != ID)
		return true;
	if (same(option->value, none))
		return make_id(ppp, ppp->net.local_id);
	memcpy(ppp->net.local_id, option->value, ID);
	return true;
}

static bool
forgo(struct ppp *ppp, const struct fsm_option *option)
{
	(void)option;
	ppp->ipv6cp.forgone = true;
	return true;
}

static void
forget(struct ppp *ppp)
{
	memset(ppp->net.peer_id, 0, ID);
}

/* Zero, ours, or another one than it is to have: it is told a better one (4.1). */
static enum fsm_opinion
judge(struct ppp *ppp, const struct fsm_option *option, struct wr *nak)
{
	const uint8_t *wanted = ppp->ipv6cp.wanted;
	uint8_t id[ID];

	if (option->type != OPTION_ID || option->n != ID)
		return FSM_UNKNOWN;
	if (same(wanted, none)
		? !same(option->value, none) && !same(option->value, ppp->net.local_id)
		: same(option->value, wanted)) {
		memcpy(ppp->net.peer_id, option->value, ID);
		return FSM_GOOD;
	}
	memcpy(id, wanted, ID);
	if (same(id, none) && !make_id(ppp, id))
		return FSM_UNKNOWN;
	fsm_put_option(nak, OPTION_ID, id, ID);
	return FSM_OTHER;
}

static void
failed(struct ppp *ppp)
{
	link_network_failed(ppp, PPP_IPV6);
}

static void
refused(struct ppp *ppp)
{
	link_network_refused(ppp, PPP_IPV6);
}

/* Without an identifier the peer has no address that could be checked. */
static void
up(struct ppp *ppp)
{
	if (!same(ppp->net.peer_id, none))
		link_network_up(ppp, PPP_IPV6);
	else
		refused(ppp);
}

static void
down(struct ppp *ppp)
{
	link_network_down(ppp, PPP_IPV6);
}

const struct fsm_layer ipv6cp_layer = {
	.protocol = LINK_IPV6CP,
	.name = "IPV6CP",
	.ask = ask,
	.forget = forget,
	.judge = judge,
	.adjust = adjust,
	.forgo = forgo,
	.hopeless = refused,
	.up = up,
	.down = down,
	.finished = failed,
};
