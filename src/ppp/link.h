/* SPDX-License-Identifier: Apache-2.0 */
/* ppp/link.h -- the inside of a link, for the files of this folder alone. */
#ifndef GINNEL_PPP_LINK_H
#define GINNEL_PPP_LINK_H

#include "base/rd.h"
#include "base/wr.h"
#include "ppp/fsm.h"
#include "ppp/ipcp.h"
#include "ppp/ipv6cp.h"
#include "ppp/lcp.h"
#include "ppp/login.h"
#include "ppp/ppp.h"

#define LINK_NEVER INT64_MAX

/* RFC 1661 3.2, less the phases that a link without a modem has not. */
enum link_phase {
	LINK_NEW,
	LINK_ESTABLISH,
	LINK_AUTHENTICATE,
	LINK_NETWORK,
	LINK_CLOSING, /* Terminate-Request is out */
	LINK_DEAD,
};

enum { LINK_EARLY = 64 }; /* bytes: enough for the first request of all known clients */

enum {
	LINK_LCP = 0xc021,
	LINK_PAP = 0xc023,
	LINK_CHAP = 0xc223,
	LINK_EAP = 0xc227,
	LINK_IPCP = 0x8021,
	LINK_IPV6CP = 0x8057,
	LINK_IPV4 = 0x0021,
	LINK_IPV6 = 0x0057,
};

struct ppp {
	unsigned magic;
	struct ppp_conf conf; /* with defaults in the place of zeros */
	const struct ppp_events *events;
	void *owner;
	const struct log_ctx *log;
	int64_t now;   /* of the call that we are in */
	int64_t limit; /* the phase must be over by then */
	enum link_phase phase;
	unsigned depth;	  /* calls that we are in: ppp_free() must not be one of them */
	enum ppp_end why; /* from LINK_CLOSING on */
	char detail[PPP_TEXT_MAX];
	struct ppp_counts counts;
	int64_t
	    answers_second; /* what a peer can make us say without end is counted by the second */
	unsigned answers;
	uint8_t serial; /* the last identifier of what is not a request of the automaton */

	struct fsm fsm[FSM_LAYERS];
	struct lcp lcp;
	struct login login;
	struct ppp_network net; /* what is wanted and, once up, what is agreed */
	bool opened;		/* by ppp_open_network() */
	struct {		/* a family's last packet before that */
		uint8_t bytes[LINK_EARLY];
		size_t n; /* 0: none */
	} early[PPP_FAMILIES];
	bool up[PPP_FAMILIES];
	struct ipcp ipcp;
	struct ipv6cp ipv6cp;
};

/* ---- packets ---- */

/*
 * One on its way out: code, identifier, a length that is set at the end, and what the caller writes
 * to `w`, at most what the peer's MRU allows.
 */
struct packet {
	struct wr w;
	uint8_t room[PPP_HEADROOM + PPP_FRAME_MAX];
};

void link_begin(const struct ppp *, struct packet *, uint16_t protocol, uint8_t code, uint8_t id);
/* What did not fit is not sent. */
void link_send(struct ppp *, struct packet *);
/* A whole packet, code and all, as it is. */
void link_send_bytes(struct ppp *, uint16_t protocol, const void *, size_t n);
/* As much of `n` bytes as there is room for. */
void link_fill(struct packet *, const void *, size_t n);

/* ---- the link as a whole ---- */

/* May one more answer be given that has no other limit? */
bool link_may_answer(struct ppp *);
void link_drop(struct ppp *, const char *why); /* what came is dropped, counted, and logged */
/* Random bytes; false: the link is closed. */
bool link_random(struct ppp *, void *out, size_t n) MUST_CHECK;

/* Terminate-Request, and the end behind its answer. */
void link_close(struct ppp *, enum ppp_end, const char *detail);
/* The end, now. */
void link_finish(struct ppp *, enum ppp_end, const char *detail);
/* The peer's words, made printable and cut to `size`. */
const char *link_words(const uint8_t *, size_t n, char *out, size_t size);

/* What the layers tell. */
void link_established(struct ppp *); /* LCP is open */
void link_lost(struct ppp *);	     /* ... and no more */
void link_authenticated(struct ppp *);
void link_network_up(struct ppp *, enum ppp_family);
void link_network_down(struct ppp *, enum ppp_family);
void link_network_failed(struct ppp *, enum ppp_family);  /* it cannot be had */
void link_network_refused(struct ppp *, enum ppp_family); /* ... and not on our side */

#endif
