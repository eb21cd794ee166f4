/* SPDX-License-Identifier: Apache-2.0 */
/* ppp/lcp.h -- the link's own options, its keepalive, and rejected protocols (RFC 1661, 5 and 6).
 */
#ifndef GINNEL_PPP_LCP_H
#define GINNEL_PPP_LCP_H

#include "ppp/fsm.h"
#include "ppp/login.h"
#include "ppp/ppp.h"

struct lcp {
	uint16_t mru;		   /* that we ask for */
	uint32_t magic;		   /* ours */
	uint32_t old_magic;	   /* ours before; frames with it are ours, too */
	bool no_mru, no_magic;	   /* the peer has rejected the option */
	bool looped;		   /* our own request came back, and none of the peer's since */
	bool heard;		   /* anything that is not ours has come since the start */
	enum login_kind offer;	   /* server: that we ask for */
	unsigned refused;	   /* server: 1 << kind that the client does not want */
	enum login_kind peer_auth; /* client: that the server asks for */
	uint16_t peer_mru;
	unsigned requests;  /* of the peer; counted up to two */
	uint32_t first_ask; /* 1 << type of each option in its first one, up to type 31 */

	bool no_echo;	     /* the peer does not know Echo-Request */
	int64_t heard_at;    /* when the last frame came */
	unsigned echoes;     /* sent since then */
	unsigned own_echoes; /* that came back */
};

extern const struct fsm_layer lcp_layer;

/* Who the peer may be, as a word; "-" before it has said anything. */
const char *lcp_kind(const struct lcp *);

void lcp_start(struct ppp *);
void lcp_heard(struct ppp *);		    /* a frame came */
enum ppp_end lcp_cause(const struct ppp *); /* why does it not open? */
int64_t lcp_deadline(const struct ppp *);
void lcp_tick(struct ppp *);
/* `n` bytes of a packet of a protocol that we do not speak. */
void lcp_reject_protocol(struct ppp *, uint16_t protocol, const uint8_t *, size_t n);

#endif
