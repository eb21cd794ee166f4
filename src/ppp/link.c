/* SPDX-License-Identifier: Apache-2.0 */
/* ppp/link.c -- packets on their way out, and the phases of a link. */
#include "ppp/link.h"

#include "base/digest.h"
#include "base/text.h"

#include <stdio.h>

enum { ANSWERS_A_SECOND = 20 };

/* ---- packets ---- */

/* Always with FF 03 and both bytes of the protocol, whatever was agreed: there are clients that
 * take nothing else, and it is always legal (RFC 1661 6.5, 6.6). */
void
link_begin(const struct ppp *ppp, struct packet *p, uint16_t protocol, uint8_t code, uint8_t id)
{
	size_t most = ppp->lcp.peer_mru < PPP_MRU ? ppp->lcp.peer_mru : PPP_MRU;

	p->w = wr_of(p->room + PPP_HEADROOM, PPP_HEADER + most);
	wr_u16(&p->w, 0xff03);
	wr_u16(&p->w, protocol);
	wr_u8(&p->w, code);
	wr_u8(&p->w, id);
	wr_u16(&p->w, 0);
}

void
link_send(struct ppp *ppp, struct packet *p)
{
	wr_patch_u16(&p->w, PPP_HEADER + 2, wr_size(&p->w) - PPP_HEADER);
	if (p->w.bad) {
		log_info(ppp->log, "PPP: a packet of %02x%02x is larger than what the peer takes",
		    p->w.start[2], p->w.start[3]);
		return;
	}
	log_debug(ppp->log, "PPP: sending %02x%02x code %u id %u", p->w.start[2], p->w.start[3],
	    p->w.start[4], p->w.start[5]);
	ppp->events->send(ppp->owner, p->w.start, wr_size(&p->w));
}

void
link_send_bytes(struct ppp *ppp, uint16_t protocol, const void *bytes, size_t n)
{
	const uint8_t *b = bytes;
	struct packet p;

	MUST(n >= 4);
	link_begin(ppp, &p, protocol, b[0], b[1]);
	wr_bytes(&p.w, b + 4, n - 4);
	link_send(ppp, &p);
}

void
link_fill(struct packet *p, const void *bytes, size_t n)
{
	wr_bytes(&p->w, bytes, n < wr_room(&p->w) ? n : wr_room(&p->w));
}

/* ---- helpers ---- */

bool
link_may_answer(struct ppp *ppp)
{
	if (ppp->now / 1000 != ppp->answers_second) {
		ppp->answers_second = ppp->now / 1000;
		ppp->answers = 0;
	}
	return ppp->answers++ < ANSWERS_A_SECOND;
}

void
link_drop(struct ppp *ppp, const char *why)
{
	ppp->counts.dropped++;
	log_debug(ppp->log, "PPP: dropped: %s", why);
}

bool
link_random(struct ppp *ppp, void *out, size_t n)
{
	bool ok = ppp->events->random != NULL ? ppp->events->random(ppp->owner, out, n)
					      : digest_random(out, n);

	if (!ok)
		link_finish(ppp, PPP_END_FAULT, "no random numbers");
	return ok;
}

const char *
link_words(const uint8_t *bytes, size_t n, char *out, size_t size)
{
	return text_safe(bytes, n, out, size);
}

/* ---- the end ---- */

void
link_finish(struct ppp *ppp, enum ppp_end why, const char *detail)
{
	char words[PPP_TEXT_MAX];

	if (ppp->phase == LINK_DEAD)
		return;
	ppp->phase = LINK_DEAD;
	ppp->limit = LINK_NEVER;
	for (size_t i = 0; i < FSM_LAYERS; i++)
		ppp->fsm[i].due = LINK_NEVER;
	login_end(ppp);
	(void)snprintf(words, sizeof(words), "%s", detail);
	log_debug(ppp->log, "PPP: %s", ppp_end_words(why));
	ppp->events->down(ppp->owner, why, words);
}

void
link_close(struct ppp *ppp, enum ppp_end why, const char *detail)
{
	if (ppp->phase == LINK_CLOSING || ppp->phase == LINK_DEAD)
		return;
	ppp->why = why;
	(void)snprintf(ppp->detail, sizeof(ppp->detail), "%s", detail);
	if (ppp->phase == LINK_NEW) {
		link_finish(ppp, why, ppp->detail);
		return;
	}
	ppp->phase = LINK_CLOSING;
	ppp->limit = ppp->now + ppp->conf.close_limit;
	fsm_close(ppp, &ppp->fsm[FSM_LCP]);
}

/* ---- phases ---- */

static void
begin_phase(struct ppp *ppp, enum link_phase phase, int64_t limit)
{
	ppp->phase = phase;
	ppp->limit = limit;
}

/* What LCP has agreed on: the server asks for what it offered, the client shows what it took. */
void
link_established(struct ppp *ppp)
{
	enum login_kind kind = ppp->conf.server ? ppp->lcp.offer : ppp->lcp.peer_auth;

	if (ppp->phase != LINK_ESTABLISH)
		return;
	begin_phase(ppp, LINK_AUTHENTICATE, ppp->now + ppp->conf.agree_limit);
	login_begin(ppp, kind);
}

/* Everything above LCP begins again, and nobody is who he was. */
void
link_lost(struct ppp *ppp)
{
	fsm_down(ppp, &ppp->fsm[FSM_IPCP]);
	fsm_down(ppp, &ppp->fsm[FSM_IPV6CP]);
	fsm_init(&ppp->fsm[FSM_IPCP], &ipcp_layer);
	fsm_init(&ppp->fsm[FSM_IPV6CP], &ipv6cp_layer);
	login_end(ppp);
	ppp->opened = false;
	memset(ppp->early, 0, sizeof(ppp->early));
	if (ppp->phase == LINK_AUTHENTICATE || ppp->phase == LINK_NETWORK)
		begin_phase(ppp, LINK_ESTABLISH, ppp->now + ppp->conf.agree_limit);
}

void
link_authenticated(struct ppp *ppp)
{
	const struct ppp_login login = { ppp->login.method, ppp->login.user, ppp->login.key };

	begin_phase(ppp, LINK_NETWORK, LINK_NEVER);
	ppp->events->authenticated(ppp->owner, &login);
	explicit_bzero(ppp->login.key, sizeof(ppp->login.key));
}

void
link_network_up(struct ppp *ppp, enum ppp_family family)
{
	ppp->up[family] = true;
	ppp->events->up(ppp->owner, family, &ppp->net);
}

void
link_network_down(struct ppp *ppp, enum ppp_family family)
{
	if (!ppp->up[family])
		return;
	ppp->up[family] = false;
	ppp->events->network_lost(ppp->owner, family);
}

/* A link without any family has no purpose. */
void
link_network_failed(struct ppp *ppp, enum ppp_family family)
{
	ppp->net.family[family] = false;
	log_info(ppp->log, "PPP: no %s", family == PPP_IPV4 ? "IPv4" : "IPv6");
	if (ppp->phase == LINK_NETWORK && !ppp->net.family[PPP_IPV4] && !ppp->net.family[PPP_IPV6])
		link_close(ppp, PPP_END_NO_NETWORK, "");
}

/* The layer stops without a word: its Terminate-Request would end the call of some clients. */
void
link_network_refused(struct ppp *ppp, enum ppp_family family)
{
	fsm_down(ppp, &ppp->fsm[family == PPP_IPV4 ? FSM_IPCP : FSM_IPV6CP]);
	link_network_failed(ppp, family);
}
