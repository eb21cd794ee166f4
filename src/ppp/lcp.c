/* SPDX-License-Identifier: Apache-2.0 */
/* ppp/lcp.c -- the link's own options (RFC 1661 6, RFC 1570), its keepalive, and loops. */
#include "ppp/lcp.h"

#include "ppp/link.h"

enum {
	OPTION_MRU = 1,
	OPTION_ACCM = 2, /* RFC 1662 7.1: for lines that escape; ours do not */
	OPTION_AUTH = 3,
	OPTION_MAGIC = 5,
	OPTION_PFC = 7, /* compressed protocols and headers: we take them and never send them */
	OPTION_ACFC = 8,
	OPTION_CALLBACK = 13, /* RFC 1570, RFC 1990: never wanted; they tell who asks */
	OPTION_MRRU = 17,
	OPTION_DISCRIMINATOR = 19,

	CODE_PROTOCOL_REJECT = 8,
	CODE_ECHO_REQUEST,
	CODE_ECHO_REPLY,
	CODE_DISCARD,
	CODE_IDENTIFICATION, /* RFC 1570 */
	CODE_TIME_REMAINING,

	AUTH_MAX = 3,	/* bytes of option 3 that we know */
	OWN_ECHOES = 3, /* that come back mean a loop for certain */
};

/* The values of option 3 (RFC 1661 6.2, RFC 1994 3, RFC 2759 2, RFC 3748 6.1). */
static const struct {
	uint8_t value[AUTH_MAX];
	size_t n;
} auths[LOGIN_KINDS] = {
	[LOGIN_PAP] = { { 0xc0, 0x23 }, 2 },
	[LOGIN_CHAP] = { { 0xc2, 0x23, 0x05 }, 3 },
	[LOGIN_MSCHAP] = { { 0xc2, 0x23, 0x81 }, 3 },
	[LOGIN_EAP] = { { 0xc2, 0x27 }, 2 },
};

/* ---- methods ---- */

static enum login_kind
kind_of_option(const struct fsm_option *option)
{
	for (enum login_kind k = LOGIN_NONE + 1; k < LOGIN_KINDS; k++)
		if (option->n == auths[k].n &&
		    memcmp(option->value, auths[k].value, option->n) == 0)
			return k;
	return LOGIN_NONE;
}

/* The first configured kind that is not among `but` (1 << kind). */
static enum login_kind
first_kind(const struct ppp *ppp, unsigned but)
{
	for (size_t i = 0; i < ppp->conf.method_count; i++) {
		enum login_kind kind = login_kind_of(ppp->conf.methods[i]);

		if ((but >> kind & 1) == 0)
			return kind;
	}
	return LOGIN_NONE;
}

static bool
is_configured(const struct ppp *ppp, enum login_kind kind)
{
	for (size_t i = 0; i < ppp->conf.method_count; i++)
		if (login_kind_of(ppp->conf.methods[i]) == kind)
			return kind != LOGIN_NONE;
	return false;
}

/*
 * The client does not want what we offered.  What it proposes, if that is allowed and was not
 * refused before; else the next of ours.  (pppd proposes its own first choice and nothing else.)
 */
static bool
offer_another(struct ppp *ppp, enum login_kind proposed)
{
	struct lcp *lcp = &ppp->lcp;

	if (lcp->offer == LOGIN_NONE)
		return true;
	lcp->refused |= 1u << lcp->offer;
	if (is_configured(ppp, proposed) && (lcp->refused >> proposed & 1) == 0)
		lcp->offer = proposed;
	else
		lcp->offer = first_kind(ppp, lcp->refused);
	return lcp->offer != LOGIN_NONE;
}

/* ---- our options ---- */

static void
put_number(struct wr *w, uint8_t type, uint32_t v, size_t bytes)
{
	wr_u8(w, type);
	wr_u8(w, (uint32_t)bytes + 2);
	wr_uint(w, v, bytes);
}

static void
put_auth(struct wr *w, enum login_kind kind)
{
	if (kind != LOGIN_NONE)
		fsm_put_option(w, OPTION_AUTH, auths[kind].value, auths[kind].n);
}

/* A number that is not zero, and none that was ours before. */
static void
new_magic(struct ppp *ppp)
{
	struct lcp *lcp = &ppp->lcp;

	lcp->old_magic = lcp->magic;
	do {
		if (!link_random(ppp, &lcp->magic, sizeof(lcp->magic)))
			return;
	} while (lcp->magic == 0 || lcp->magic == lcp->old_magic);
}

#define BIT(type) (UINT32_C(1) << (type))

static bool
is_ours(const struct lcp *lcp, uint32_t magic)
{
	return magic != 0 && !lcp->no_magic && (magic == lcp->magic || magic == lcp->old_magic);
}

static void
ask(struct ppp *ppp, struct wr *w)
{
	struct lcp *lcp = &ppp->lcp;

	if (!lcp->no_mru)
		put_number(w, OPTION_MRU, lcp->mru, 2);
	if (ppp->conf.server)
		put_auth(w, lcp->offer);
	if (!lcp->no_magic)
		put_number(w, OPTION_MAGIC, lcp->magic, 4);
}

static bool
adjust(struct ppp *ppp, const struct fsm_option *option)
{
	struct lcp *lcp = &ppp->lcp;
	struct rd r = rd_of(option->value, option->n);
	uint16_t mru;

	lcp->heard = true;
	switch (option->type) {
	case OPTION_MRU:
		mru = rd_u16(&r);
		/* It may send less than what we take; more would not fit. */
		if (!r.bad && mru >= PPP_MRU_MIN && mru <= ppp->conf.mru)
			lcp->mru = mru;
		return true;
	case OPTION_AUTH:
		return !ppp->conf.server || offer_another(ppp, kind_of_option(option));
	case OPTION_MAGIC:
		new_magic(ppp);
		return ppp->phase != LINK_DEAD;
	default:
		return true; /* of what we did not ask for we want nothing */
	}
}

static bool
forgo(struct ppp *ppp, const struct fsm_option *option)
{
	struct lcp *lcp = &ppp->lcp;

	lcp->heard = true;
	switch (option->type) {
	case OPTION_MRU:
		lcp->no_mru = true;
		return true;
	case OPTION_MAGIC:
		lcp->no_magic = true;
		return true;
	default:
		return false; /* the client does not want to say who it is, in any way */
	}
}

static void
hopeless(struct ppp *ppp)
{
	link_close(ppp, PPP_END_NO_METHOD, "");
}

/* ---- the peer's options ---- */

static void
forget(struct ppp *ppp)
{
	ppp->lcp.peer_mru = PPP_MRU;
	ppp->lcp.peer_auth = LOGIN_NONE;
	ppp->lcp.requests += ppp->lcp.requests < 2;
}

static enum fsm_opinion
judge_mru(struct ppp *ppp, struct rd *r, struct wr *nak)
{
	uint16_t mru = rd_u16(r);

	if (mru < PPP_MRU_MIN) {
		put_number(nak, OPTION_MRU, PPP_MRU, 2);
		return FSM_OTHER;
	}
	ppp->lcp.peer_mru = mru > PPP_MRU_MAX ? PPP_MRU_MAX : mru;
	return FSM_GOOD;
}

static enum fsm_opinion
judge_auth(struct ppp *ppp, const struct fsm_option *option, struct wr *nak)
{
	enum login_kind kind = kind_of_option(option);

	/* A server does not say who it is, and who has no password cannot. */
	if (ppp->conf.server || ppp->conf.method_count == 0)
		return FSM_UNKNOWN;
	if (!is_configured(ppp, kind)) {
		put_auth(nak, first_kind(ppp, 0));
		return FSM_OTHER;
	}
	ppp->lcp.peer_auth = kind;
	return FSM_GOOD;
}

/* The lengths of options that we know; 0: of any length, or not known. */
static const uint8_t lengths[] = {
	[OPTION_MRU] = 2,
	[OPTION_ACCM] = 4,
	[OPTION_MAGIC] = 4,
};

static enum fsm_opinion
judge(struct ppp *ppp, const struct fsm_option *option, struct wr *nak)
{
	struct rd r = rd_of(option->value, option->n);

	if (ppp->lcp.requests == 1 && option->type < 32)
		ppp->lcp.first_ask |= BIT(option->type);
	if (option->type < COUNT_OF(lengths) && lengths[option->type] != 0 &&
	    option->n != lengths[option->type])
		return FSM_UNKNOWN;
	switch (option->type) {
	case OPTION_MRU:
		return judge_mru(ppp, &r, nak);
	case OPTION_AUTH:
		return judge_auth(ppp, option, nak);
	case OPTION_MAGIC:
		return rd_uint(&r, 4) != 0 ? FSM_GOOD : FSM_UNKNOWN;
	case OPTION_ACCM:
		return FSM_GOOD;
	case OPTION_PFC:
	case OPTION_ACFC:
		return option->n == 0 ? FSM_GOOD : FSM_UNKNOWN;
	default:
		return FSM_UNKNOWN;
	}
}

/* ---- who is it? ---- */

/* What each kind of client asks for in its first request, and what it may ask for beside. */
static const struct {
	const char *name;
	uint32_t must, may;
} kinds[] = {
	{ "windows",
	    BIT(OPTION_MRU) | BIT(OPTION_MAGIC) | BIT(OPTION_PFC) | BIT(OPTION_ACFC) |
		BIT(OPTION_CALLBACK),
	    BIT(OPTION_MRRU) | BIT(OPTION_DISCRIMINATOR) },
	{ "pppd", BIT(OPTION_ACCM) | BIT(OPTION_MAGIC) | BIT(OPTION_PFC) | BIT(OPTION_ACFC),
	    BIT(OPTION_MRU) },
	/* These two cannot be told apart. */
	{ "routeros/ginnel", BIT(OPTION_MRU) | BIT(OPTION_MAGIC), BIT(OPTION_MRRU) },
	{ "open-sstp-client", BIT(OPTION_MRU), 0 },
};

const char *
lcp_kind(const struct lcp *lcp)
{
	if (lcp->requests == 0)
		return "-";
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if ((lcp->first_ask & kinds[i].must) == kinds[i].must &&
		    (lcp->first_ask & ~(kinds[i].must | kinds[i].may)) == 0)
			return kinds[i].name;
	return "other";
}

/* ---- loops ---- */

/* The magic number in a request, 0: none. */
static uint32_t
magic_of(struct rd options)
{
	struct fsm_option option;

	while (fsm_next_option(&options, &option))
		if (option.type == OPTION_MAGIC && option.n == 4) {
			struct rd r = rd_of(option.value, option.n);

			return rd_uint(&r, 4);
		}
	return 0;
}

/*
 * Our own request: some clients put a terminal between SSTP and their PPP that echoes until it is
 * set up.  No answer, or we would agree with ourselves.  Should it be a peer that took the same
 * number, the next request has another one.
 */
static bool
is_echo(struct ppp *ppp, const struct rd *options)
{
	struct lcp *lcp = &ppp->lcp;
	uint32_t magic = magic_of(*options);

	if (!is_ours(lcp, magic))
		return false;
	ppp->counts.looped++;
	lcp->looped = true;
	if (magic == lcp->magic)
		new_magic(ppp);
	return true;
}

/* The peer's first request behind echoes of ours: what it missed is sent at once, for its timer is
 * not ours to wait for. */
static void
heard_request(struct ppp *ppp)
{
	struct lcp *lcp = &ppp->lcp;

	lcp->heard = true;
	if (!lcp->looped)
		return;
	lcp->looped = false;
	fsm_ask_again(ppp, &ppp->fsm[FSM_LCP]);
}

/* ---- codes ---- */

static void
protocol_rejected(struct ppp *ppp, struct rd *r)
{
	uint16_t protocol = rd_u16(r);

	if (r->bad || ppp->fsm[FSM_LCP].state != FSM_OPENED) {
		link_drop(ppp, "a Protocol-Reject out of place");
		return;
	}
	log_info(ppp->log, "PPP: the peer rejects protocol %04x", protocol);
	if (protocol == LINK_IPCP)
		fsm_rejected(ppp, &ppp->fsm[FSM_IPCP]);
	else if (protocol == LINK_IPV6CP)
		fsm_rejected(ppp, &ppp->fsm[FSM_IPV6CP]);
	else if (protocol == LINK_LCP ||
		 (ppp->login.with != NULL && protocol == ppp->login.with->protocol))
		link_close(ppp, PPP_END_REJECTED, "");
}

static void
code_rejected(struct ppp *ppp, uint8_t code)
{
	if (code <= CODE_PROTOCOL_REJECT)
		link_close(ppp, PPP_END_REJECTED, "");
	else
		ppp->lcp.no_echo = true;
}

/* The reply has our magic number and the request's data (5.8). */
static void
echo(struct ppp *ppp, uint8_t id, struct rd *r)
{
	struct lcp *lcp = &ppp->lcp;
	uint32_t magic = rd_uint(r, 4);
	size_t n = rd_left(r);
	uint8_t room[PPP_MRU];
	struct wr w = wr_of(room, sizeof(room));

	if (r->bad)
		link_drop(ppp, "an Echo-Request without a magic number");
	else if (is_ours(lcp, magic)) {
		ppp->counts.looped++;
		if (++lcp->own_echoes >= OWN_ECHOES)
			link_close(ppp, PPP_END_LOOP, "");
	} else if (link_may_answer(ppp)) {
		wr_u32(&w, lcp->no_magic ? 0 : lcp->magic);
		wr_bytes(&w, r->p, n < wr_room(&w) ? n : wr_room(&w));
		fsm_answer(
		    ppp, &ppp->fsm[FSM_LCP], FSM_ECHO, CODE_ECHO_REPLY, id, w.start, wr_size(&w));
	}
}

static bool
extra(struct ppp *ppp, uint8_t code, uint8_t id, struct rd *r)
{
	char words[PPP_TEXT_MAX];

	switch (code) {
	case CODE_PROTOCOL_REJECT:
		protocol_rejected(ppp, r);
		return true;
	case CODE_ECHO_REQUEST:
		echo(ppp, id, r);
		return true;
	case CODE_ECHO_REPLY: /* whatever it holds, its coming is the answer */
	case CODE_DISCARD:
	case CODE_TIME_REMAINING:
		return true;
	case CODE_IDENTIFICATION:
		(void)rd_uint(r, 4);
		log_info(ppp->log, "PPP: the peer is %s",
		    link_words(r->p, rd_left(r), words, sizeof(words)));
		return true;
	default:
		return false;
	}
}

/* ---- up and down ---- */

static void
up(struct ppp *ppp)
{
	ppp->lcp.looped = false;
	log_debug(ppp->log, "PPP: LCP is open, the peer takes %u bytes", ppp->lcp.peer_mru);
	link_established(ppp);
}

/* Renegotiation: methods are offered from the first one again. */
static void
down(struct ppp *ppp)
{
	ppp->lcp.refused = 0;
	ppp->lcp.offer = ppp->conf.server ? first_kind(ppp, 0) : LOGIN_NONE;
	link_lost(ppp);
}

enum ppp_end
lcp_cause(const struct ppp *ppp)
{
	if (ppp->lcp.heard)
		return PPP_END_NO_AGREEMENT;
	return ppp->counts.looped > 0 ? PPP_END_LOOP : PPP_END_NO_ANSWER;
}

static void
finished(struct ppp *ppp)
{
	if (ppp->phase == LINK_CLOSING)
		link_finish(ppp, ppp->why, ppp->detail);
	else
		link_finish(ppp, lcp_cause(ppp), "");
}

static void
farewell(struct ppp *ppp, struct wr *w)
{
	const char *words = ppp->detail[0] != '\0' ? ppp->detail : ppp_end_words(ppp->why);

	wr_bytes(w, words, strlen(words));
}

static void
hung_up(struct ppp *ppp, struct rd *r)
{
	char words[PPP_TEXT_MAX];

	if (ppp->phase == LINK_CLOSING)
		link_finish(ppp, ppp->why, ppp->detail);
	else
		link_finish(ppp, PPP_END_PEER, link_words(r->p, rd_left(r), words, sizeof(words)));
}

const struct fsm_layer lcp_layer = {
	.protocol = LINK_LCP,
	.name = "LCP",
	.ask = ask,
	.is_echo = is_echo,
	.forget = forget,
	.judge = judge,
	.heard = heard_request,
	.adjust = adjust,
	.forgo = forgo,
	.hopeless = hopeless,
	.farewell = farewell,
	.hung_up = hung_up,
	.up = up,
	.down = down,
	.finished = finished,
	.code_rejected = code_rejected,
	.extra = extra,
};

void
lcp_start(struct ppp *ppp)
{
	ppp->lcp = (struct lcp){
		.mru = ppp->conf.mru,
		.peer_mru = PPP_MRU,
		.offer = ppp->conf.server ? first_kind(ppp, 0) : LOGIN_NONE,
		.heard_at = ppp->now,
	};
	new_magic(ppp);
	if (ppp->phase == LINK_DEAD)
		return;
	fsm_open(ppp, &ppp->fsm[FSM_LCP]);
	fsm_up(ppp, &ppp->fsm[FSM_LCP]);
}

/* ---- keepalive ---- */

void
lcp_heard(struct ppp *ppp)
{
	ppp->lcp.heard_at = ppp->now;
	ppp->lcp.echoes = 0;
}

int64_t
lcp_deadline(const struct ppp *ppp)
{
	const struct lcp *lcp = &ppp->lcp;

	if (ppp->fsm[FSM_LCP].state != FSM_OPENED || lcp->no_echo)
		return LINK_NEVER;
	return lcp->heard_at + (int64_t)ppp->conf.echo * (lcp->echoes + 1);
}

/* One question for each spell of silence; without answers to enough of them the peer is gone. */
void
lcp_tick(struct ppp *ppp)
{
	struct lcp *lcp = &ppp->lcp;
	struct packet p;

	if (ppp->now < lcp_deadline(ppp))
		return;
	if (lcp->echoes >= ppp->conf.echo_misses) {
		link_finish(ppp, PPP_END_NO_ECHO, "");
		return;
	}
	/* Called late: the next spell begins now, so that no two questions leave at once. */
	lcp->echoes++;
	if (ppp->now >= lcp_deadline(ppp))
		lcp->heard_at = ppp->now - (int64_t)ppp->conf.echo * lcp->echoes;
	link_begin(ppp, &p, LINK_LCP, CODE_ECHO_REQUEST, ++ppp->serial);
	wr_u32(&p.w, lcp->no_magic ? 0 : lcp->magic);
	link_send(ppp, &p);
}

void
lcp_reject_protocol(struct ppp *ppp, uint16_t protocol, const uint8_t *bytes, size_t n)
{
	struct packet p;

	/* Before the link stands, and without end, what is not known is not answered (3.4, 5.7). */
	if (ppp->fsm[FSM_LCP].state != FSM_OPENED || !link_may_answer(ppp)) {
		link_drop(ppp, "a protocol that we do not speak");
		return;
	}
	ppp->counts.dropped++;
	log_debug(ppp->log, "PPP: rejecting protocol %04x", protocol);
	link_begin(ppp, &p, LINK_LCP, CODE_PROTOCOL_REJECT, ++ppp->serial);
	wr_u16(&p.w, protocol);
	link_fill(&p, bytes, n);
	link_send(ppp, &p);
}
