/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ppp/fsm.h -- the automaton that negotiates options (RFC 1661, section 4), the same for LCP, IPCP
 * and IPV6CP.
 *
 * It is a table of states and events.  A layer is what differs: a struct of functions that know its
 * options.
 */
#ifndef GINNEL_PPP_FSM_H
#define GINNEL_PPP_FSM_H

#include "base/rd.h"
#include "base/wr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ppp;

enum fsm_state {
	FSM_INITIAL,
	FSM_STARTING,
	FSM_CLOSED,
	FSM_STOPPED,
	FSM_CLOSING,
	FSM_STOPPING,
	FSM_REQ_SENT,
	FSM_ACK_RCVD,
	FSM_ACK_SENT,
	FSM_OPENED,
	FSM_STATES,
};

enum fsm_event {
	FSM_UP,
	FSM_DOWN,
	FSM_OPEN,
	FSM_CLOSE,
	FSM_TIMEOUT,	  /* TO+: the counter has not run out */
	FSM_TIMEOUT_LAST, /* TO- */
	FSM_GOOD_REQUEST, /* RCR+ */
	FSM_BAD_REQUEST,  /* RCR- */
	FSM_ACK,
	FSM_NAK, /* or Reject */
	FSM_TERMINATE,
	FSM_TERMINATED, /* Terminate-Ack */
	FSM_UNKNOWN_CODE,
	FSM_REJECTED_BEARABLE, /* RXJ+ */
	FSM_REJECTED_FATAL,    /* RXJ- */
	FSM_ECHO,
	FSM_EVENTS,
};

/* What is to be done, in the order in which it is done. */
enum fsm_action {
	FSM_TLD = 1 << 0, /* this layer is down */
	FSM_IRC = 1 << 1, /* the restart counter begins anew */
	FSM_ZRC = 1 << 2, /* ... is zero */
	FSM_SCR = 1 << 3, /* send Configure-Request */
	FSM_STR = 1 << 4, /* Terminate-Request */
	FSM_SAY = 1 << 5, /* sca, scn, sta, scj, ser: the answer to what came */
	FSM_TLU = 1 << 6, /* this layer is up */
	FSM_TLF = 1 << 7, /* ... finished */
};

struct fsm_cell {
	uint8_t actions;
	uint8_t next; /* FSM_STATES: cannot happen */
};

const struct fsm_cell *fsm_cell(enum fsm_state, enum fsm_event);
const char *fsm_state_name(enum fsm_state);

enum fsm_code {
	FSM_CONFIGURE_REQUEST = 1,
	FSM_CONFIGURE_ACK,
	FSM_CONFIGURE_NAK,
	FSM_CONFIGURE_REJECT,
	FSM_TERMINATE_REQUEST,
	FSM_TERMINATE_ACK,
	FSM_CODE_REJECT,
};

/* ---- layers ---- */

enum fsm_layer_id { FSM_LCP, FSM_IPCP, FSM_IPV6CP, FSM_LAYERS };

/* One option, inside of the packet. */
struct fsm_option {
	uint8_t type;
	const uint8_t *value;
	size_t n; /* of the value */
};

enum fsm_opinion { FSM_GOOD, FSM_OTHER, FSM_UNKNOWN }; /* ... → Ack, Nak, Reject */

struct fsm_layer {
	uint16_t protocol;
	const char *name;
	/* The options of our Configure-Request, as they stand now: at most FSM_ASKED bytes. */
	void (*ask)(struct ppp *, struct wr *);
	/* Is that request one of ours that came back?  Then it gets no answer.  NULL: none does. */
	bool (*is_echo)(struct ppp *, const struct rd *);
	/* A request of the peer's is read from the start: what it said before is void. */
	void (*forget)(struct ppp *);
	/* What we think of one of its options; FSM_OTHER: what we want is written to `nak`. */
	enum fsm_opinion (*judge)(struct ppp *, const struct fsm_option *, struct wr *nak);
	/* Options that it did not name and that we want from it; NULL: none. */
	void (*wish)(struct ppp *, struct wr *nak);
	/* It has been answered; NULL: nothing to do. */
	void (*heard)(struct ppp *);
	/* One of ours is to be another, or is not wanted.  false: then there is no use in going on.
	 */
	bool (*adjust)(struct ppp *, const struct fsm_option *);
	bool (*forgo)(struct ppp *, const struct fsm_option *);
	void (*hopeless)(struct ppp *);
	/* What a Terminate-Request says; NULL: nothing. */
	void (*farewell)(struct ppp *, struct wr *);
	/* The peer has terminated the layer, with these words; NULL: nothing to do. */
	void (*hung_up)(struct ppp *, struct rd *);
	void (*up)(struct ppp *);
	void (*down)(struct ppp *);
	void (*finished)(struct ppp *);
	/* The peer does not know a code; NULL: as the table says. */
	void (*code_rejected)(struct ppp *, uint8_t code);
	/* A code above 7, and data behind the header; false: unknown.  NULL: all are. */
	bool (*extra)(struct ppp *, uint8_t code, uint8_t id, struct rd *);
};

enum {
	FSM_ASKED = 64,	       /* bytes of our options */
	FSM_WIDTH = 128,       /* of what is written into a Nak: each known option once */
	FSM_UPS = 10,	       /* times that a layer may come up ... */
	FSM_UPS_WINDOW = 60000 /* ... within so many milliseconds */
};

struct fsm {
	const struct fsm_layer *layer;
	enum fsm_state state;
	unsigned restarts; /* left */
	unsigned requests; /* sent since the layer was down */
	unsigned naks;	   /* sent since then */
	int64_t due;	   /* of the restart timer; INT64_MAX: stopped */
	uint8_t id;	   /* of our last request */
	bool answered;	   /* our last request was: a second answer is a copy */
	uint8_t asked[FSM_ASKED];
	size_t asked_size;
	unsigned ups;
	int64_t ups_since;
};

void fsm_init(struct fsm *, const struct fsm_layer *);
void fsm_open(struct ppp *, struct fsm *);
void fsm_close(struct ppp *, struct fsm *);
void fsm_up(struct ppp *, struct fsm *);   /* the layer below is */
void fsm_down(struct ppp *, struct fsm *); /* ... is no more */
/* The peer rejected this layer's protocol. */
void fsm_rejected(struct ppp *, struct fsm *);
void fsm_tick(struct ppp *, struct fsm *); /* if it is due */
/* Send our Configure-Request once more, if an answer is waited for. */
void fsm_ask_again(struct ppp *, struct fsm *);
/* Code, identifier, length and all; padding behind the length is no part of it. */
void fsm_receive(struct ppp *, struct fsm *, const uint8_t *, size_t n);
/* A packet's answer by the event: `code` and `n` bytes, with the identifier that it came with. */
void fsm_answer(
    struct ppp *, struct fsm *, enum fsm_event, uint8_t code, uint8_t id, const void *, size_t n);

/* The next option; false: there is none, or (r->bad) it is malformed. */
bool fsm_next_option(struct rd *, struct fsm_option *);
void fsm_put_option(struct wr *, uint8_t type, const void *value, size_t n);

#endif
