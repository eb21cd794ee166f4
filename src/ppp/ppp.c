/* SPDX-License-Identifier: Apache-2.0 */
/* ppp/ppp.c -- one link: what its owner calls, and where a frame goes. */
#include "ppp/ppp.h"

#include "ppp/link.h"

#define PPP_MAGIC 0x5d0b7e93

/* What a zero in struct ppp_conf means. */
enum {
	RESTART = 3000,
	AGREE_LIMIT = 30000,
	CLOSE_LIMIT = 2000,
	ECHO_AFTER = 20000,
	ECHO_MISSES = 4,
	MAX_CONFIGURE = 10,
	MAX_FAILURE = 5,
};

static const char *const end_words[PPP_ENDS] = {
	[PPP_END_CLOSED] = "closed by this side",
	[PPP_END_PEER] = "the peer hung up",
	[PPP_END_NO_ANSWER] = "the peer does not answer",
	[PPP_END_NO_AGREEMENT] = "the two sides could not agree on their options",
	[PPP_END_LOOP] = "our own frames came back",
	[PPP_END_NO_METHOD] = "no method of authentication suits both sides",
	[PPP_END_REFUSED] = "authentication failed",
	[PPP_END_IMPOSTOR] = "the server does not know the password",
	[PPP_END_REJECTED] = "the peer rejects a protocol that cannot be done without",
	[PPP_END_NO_NETWORK] = "no addresses could be agreed on",
	[PPP_END_NO_ECHO] = "the peer has gone silent",
	[PPP_END_TLS] = "TLS in EAP failed",
	[PPP_END_FAULT] = "out of memory, random numbers or digests",
};

const char *
ppp_end_words(enum ppp_end end)
{
	return end_words[end];
}

void
ppp_put_header(uint8_t *at, enum ppp_family family)
{
	at[0] = 0xff;
	at[1] = 0x03;
	at[2] = 0x00;
	at[3] = family == PPP_IPV4 ? 0x21 : 0x57;
}

/* ---- a frame's head ---- */

enum { IPV4_HEADER = 20, IPV6_HEADER = 40 };

/*
 * The protocol, and the frame without its head: FF 03 may be left out, and a protocol below 256 may
 * have one byte, which is odd (RFC 1661 2, 6.5, 6.6).  False: it has no head.
 */
static bool
take_head(struct rd *r, uint16_t *protocol)
{
	if (rd_left(r) >= 2 && r->p[0] == 0xff && r->p[1] == 0x03)
		(void)rd_u16(r);
	if (rd_left(r) > 0 && (r->p[0] & 1) != 0)
		*protocol = rd_u8(r);
	else
		*protocol = rd_u16(r);
	return !r->bad && (*protocol & 1) != 0;
}

bool
ppp_is_control(const uint8_t *frame, size_t n)
{
	struct rd r = rd_of(frame, n);
	uint16_t protocol;

	return take_head(&r, &protocol) && protocol >= 0x8000;
}

/* ---- what comes ---- */

static void
take_data(struct ppp *ppp, enum ppp_family family, const struct rd *r)
{
	size_t n = rd_left(r);
	bool whole = family == PPP_IPV4 ? n >= IPV4_HEADER && r->p[0] >> 4 == 4
					: n >= IPV6_HEADER && r->p[0] >> 4 == 6;

	if (!ppp_is_up(ppp, family) || !whole)
		link_drop(ppp, "a packet that may not pass");
	else
		ppp->events->data(ppp->owner, family, (uint8_t *)(uintptr_t)r->p, n);
}

/* A network's protocol; before somebody has logged in it does not exist (RFC 1661 3.5). */
static void
take_network(struct ppp *ppp, enum ppp_family family, uint16_t protocol, const struct rd *r)
{
	struct fsm *f = &ppp->fsm[family == PPP_IPV4 ? FSM_IPCP : FSM_IPV6CP];

	if (ppp->phase == LINK_NETWORK && !ppp->opened && rd_left(r) <= LINK_EARLY) {
		ppp->early[family].n = rd_left(r);
		memcpy(ppp->early[family].bytes, r->p, rd_left(r));
	} else if (ppp->phase != LINK_NETWORK || !ppp->opened)
		link_drop(ppp, "a network before its time");
	else if (f->state == FSM_INITIAL)
		lcp_reject_protocol(ppp, protocol, r->p, rd_left(r));
	else
		fsm_receive(ppp, f, r->p, rd_left(r));
}

static void
take_frame(struct ppp *ppp, uint16_t protocol, const struct rd *r)
{
	switch (protocol) {
	case LINK_IPV4:
		take_data(ppp, PPP_IPV4, r);
		break;
	case LINK_IPV6:
		take_data(ppp, PPP_IPV6, r);
		break;
	case LINK_LCP:
		fsm_receive(ppp, &ppp->fsm[FSM_LCP], r->p, rd_left(r));
		break;
	case LINK_PAP:
	case LINK_CHAP:
	case LINK_EAP:
		login_receive(ppp, protocol, r->p, rd_left(r));
		break;
	case LINK_IPCP:
		take_network(ppp, PPP_IPV4, protocol, r);
		break;
	case LINK_IPV6CP:
		take_network(ppp, PPP_IPV6, protocol, r);
		break;
	default:
		/* CCP, ECP, CBCP, multilink, compressed data: TLS does what they would. */
		if (ppp->phase == LINK_NETWORK)
			lcp_reject_protocol(ppp, protocol, r->p, rd_left(r));
		else
			link_drop(ppp, "a protocol that is not known, or not yet");
	}
}

/* What came before the owner knew what the network shall be: without it the peer would lose 3 s. */
static void
take_early(struct ppp *ppp)
{
	static const uint16_t protocols[PPP_FAMILIES] = { LINK_IPCP, LINK_IPV6CP };

	for (enum ppp_family i = 0; i < PPP_FAMILIES; i++) {
		struct rd r = rd_of(ppp->early[i].bytes, ppp->early[i].n);

		if (ppp->early[i].n == 0 || ppp->phase != LINK_NETWORK || !ppp->opened)
			continue;
		ppp->early[i].n = 0;
		take_network(ppp, i, protocols[i], &r);
	}
}

/* ---- calls of the owner ---- */

static bool
enter(struct ppp *ppp, int64_t now_ms)
{
	CHECK_OBJ(ppp, PPP_MAGIC);
	ppp->now = now_ms;
	ppp->depth++;
	return ppp->phase != LINK_DEAD;
}

static void
leave(struct ppp *ppp)
{
	ppp->depth--;
}

#define DEFAULT(field, value) ((field) == 0 ? (field) = (value) : (field))

static void
set_defaults(struct ppp_conf *conf)
{
	if (conf->name == NULL)
		conf->name = "ginnel";
	if (conf->password == NULL)
		conf->password = "";
	DEFAULT(conf->mru, PPP_MRU);
	if (conf->mru < PPP_MRU_MIN || conf->mru > PPP_MRU_MAX)
		conf->mru = conf->mru < PPP_MRU_MIN ? PPP_MRU_MIN : PPP_MRU_MAX;
	DEFAULT(conf->restart, RESTART);
	DEFAULT(conf->agree_limit, AGREE_LIMIT);
	DEFAULT(conf->close_limit, CLOSE_LIMIT);
	DEFAULT(conf->echo, ECHO_AFTER);
	DEFAULT(conf->echo_misses, ECHO_MISSES);
	DEFAULT(conf->max_configure, MAX_CONFIGURE);
	DEFAULT(conf->max_failure, MAX_FAILURE);
}

struct ppp *
ppp_new(const struct ppp_conf *conf, const struct ppp_events *events, void *owner,
    const struct log_ctx *log)
{
	struct ppp *ppp;

	if (OBJ_NEW(ppp, PPP_MAGIC) == NULL)
		return NULL;
	ppp->conf = *conf;
	set_defaults(&ppp->conf);
	MUST(strlen(ppp->conf.name) <= PPP_NAME_MAX && conf->method_count <= PPP_METHODS);
	ppp->events = events;
	ppp->owner = owner;
	ppp->log = log;
	ppp->limit = LINK_NEVER;
	ppp->lcp.peer_mru = PPP_MRU;
	ppp->login.due = LINK_NEVER;
	fsm_init(&ppp->fsm[FSM_LCP], &lcp_layer);
	fsm_init(&ppp->fsm[FSM_IPCP], &ipcp_layer);
	fsm_init(&ppp->fsm[FSM_IPV6CP], &ipv6cp_layer);
	return ppp;
}

void
ppp_free(struct ppp *ppp)
{
	if (ppp == NULL)
		return;
	CHECK_OBJ(ppp, PPP_MAGIC);
	MUST(ppp->depth == 0);
	login_end(ppp);
	explicit_bzero(&ppp->login, sizeof(ppp->login));
	OBJ_FREE(ppp);
}

void
ppp_start(struct ppp *ppp, int64_t now_ms)
{
	if (enter(ppp, now_ms) && ppp->phase == LINK_NEW) {
		ppp->phase = LINK_ESTABLISH;
		ppp->limit = now_ms + ppp->conf.agree_limit;
		lcp_start(ppp);
	}
	leave(ppp);
}

void
ppp_receive(struct ppp *ppp, uint8_t *frame, size_t n, int64_t now_ms)
{
	struct rd r = rd_of(frame, n);
	uint16_t protocol;

	if (enter(ppp, now_ms) && ppp->phase != LINK_NEW) {
		ppp->counts.frames++;
		lcp_heard(ppp);
		if (take_head(&r, &protocol))
			take_frame(ppp, protocol, &r);
		else
			link_drop(ppp, "a frame without a protocol");
	}
	leave(ppp);
}

int64_t
ppp_deadline(const struct ppp *ppp)
{
	int64_t due = ppp->limit, others[] = { ppp->login.due, lcp_deadline(ppp) };

	if (ppp->phase == LINK_DEAD || ppp->phase == LINK_NEW)
		return LINK_NEVER;
	for (size_t i = 0; i < FSM_LAYERS; i++)
		if (ppp->fsm[i].due < due)
			due = ppp->fsm[i].due;
	for (size_t i = 0; i < COUNT_OF(others); i++)
		if (others[i] < due)
			due = others[i];
	return due;
}

/* The phase has taken too long. */
static void
too_late(struct ppp *ppp)
{
	switch (ppp->phase) {
	case LINK_ESTABLISH:
		link_close(ppp, lcp_cause(ppp), "");
		break;
	case LINK_AUTHENTICATE:
		link_close(ppp, PPP_END_NO_ANSWER, "");
		break;
	case LINK_CLOSING:
		link_finish(ppp, ppp->why, ppp->detail);
		break;
	case LINK_NEW:
	case LINK_NETWORK:
	case LINK_DEAD:
		break;
	}
}

void
ppp_tick(struct ppp *ppp, int64_t now_ms)
{
	if (enter(ppp, now_ms) && ppp->phase != LINK_NEW) {
		if (now_ms >= ppp->limit)
			too_late(ppp);
		for (size_t i = 0; i < FSM_LAYERS; i++)
			fsm_tick(ppp, &ppp->fsm[i]);
		login_tick(ppp);
		if (ppp->phase != LINK_DEAD)
			lcp_tick(ppp);
	}
	leave(ppp);
}

bool
ppp_auth_verdict(
    struct ppp *ppp, unsigned number, const struct ppp_verdict *verdict, int64_t now_ms)
{
	bool asked = enter(ppp, now_ms) && ppp->login.waiting && ppp->login.question == number;

	if (asked) {
		ppp->login.waiting = false;
		ppp->login.with->verdict(ppp, verdict);
	}
	leave(ppp);
	return asked;
}

void
ppp_open_network(struct ppp *ppp, const struct ppp_network *net, int64_t now_ms)
{
	if (enter(ppp, now_ms) && ppp->phase == LINK_NETWORK && !ppp->opened) {
		ppp->opened = true;
		ppp->net = *net;
		ppp->ipcp = (struct ipcp){ .forgone = 0 };
		ppp->ipv6cp = (struct ipv6cp){ .forgone = false };
		if (ppp->conf.server)
			memcpy(ppp->ipv6cp.wanted, net->peer_id, sizeof(net->peer_id));
		for (enum ppp_family family = PPP_IPV4; family < PPP_FAMILIES; family++) {
			struct fsm *f = &ppp->fsm[family == PPP_IPV4 ? FSM_IPCP : FSM_IPV6CP];

			if (net->family[family] && ppp->phase == LINK_NETWORK) {
				fsm_open(ppp, f);
				fsm_up(ppp, f);
			}
		}
		if (!net->family[PPP_IPV4] && !net->family[PPP_IPV6])
			link_close(ppp, PPP_END_NO_NETWORK, "");
		take_early(ppp);
	}
	leave(ppp);
}

void
ppp_close(struct ppp *ppp, enum ppp_end why, const char *detail, int64_t now_ms)
{
	if (enter(ppp, now_ms))
		link_close(ppp, why, detail);
	leave(ppp);
}

bool
ppp_is_up(const struct ppp *ppp, enum ppp_family family)
{
	return ppp->phase == LINK_NETWORK && ppp->up[family];
}

bool
ppp_awaits(const struct ppp *ppp, enum ppp_family family)
{
	return ppp->phase == LINK_NETWORK && ppp->net.family[family] && !ppp->up[family];
}

uint16_t
ppp_peer_mru(const struct ppp *ppp)
{
	return ppp->lcp.peer_mru;
}

const char *
ppp_peer_kind(const struct ppp *ppp)
{
	return lcp_kind(&ppp->lcp);
}

const struct ppp_counts *
ppp_counts(const struct ppp *ppp)
{
	return &ppp->counts;
}
