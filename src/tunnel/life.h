/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/life.h -- a session from inside: for its steps, and for nobody else.
 *
 * A session is in one step at a time.  Whatever happens to it queues its task, and the step looks
 * at its streams and timers again; a step says where to go next, and no step cleans up: life_end()
 * is the one way out.
 */
#ifndef GINNEL_TUNNEL_LIFE_H
#define GINNEL_TUNNEL_LIFE_H

#include "proto/proto.h"
#include "tunnel/guard.h"
#include "tunnel/identity.h"
#include "tunnel/kin.h"
#include "tunnel/pick.h"
#include "tunnel/route.h"
#include "tunnel/session.h"
#include "tunnel/talk.h"
#include "tunnel/udp.h"
#include "tunnel/via.h"
#include "tunnel/vpn_call.h"

enum { SESSION_MAGIC = 0x4d02f7b6 };

enum next { MORE, WAIT, END }; /* a step's answer to life_run() */

enum step_id {
	STEP_LAUNCH,
	STEP_HEADER,
	STEP_SEAT,
	STEP_ADMIT,
	STEP_DETECT,
	STEP_RESEAT_FIRST,
	STEP_READMIT_FIRST,
	STEP_EARLY,
	STEP_PEEK,
	STEP_RESEAT,
	STEP_READMIT,
	STEP_SECURE,
	STEP_DETECT_INSIDE,
	STEP_RESEAT_LAST,
	STEP_READMIT_LAST,
	STEP_REQUEST,
	STEP_IDENTIFY,
	STEP_UDP,
	STEP_EXEC,
	STEP_CONNECT,
	STEP_SORRY,
	STEP_INTRODUCE,
	STEP_CLEAR,
	STEP_UPGRADE,
	STEP_LATE,
	STEP_INNER,
	STEP_VPN,
	STEP_STAY,
	STEP_RELAY,
	STEP_LINGER,
};

struct session {
	unsigned magic;
	enum step_id step;
	struct session *prev, *next;
	struct worker *worker;
	struct service *service;   /* its plan is held; STEP_PEEK and STEP_DETECT may change it */
	const enum step_id *order; /* of its steps */
	struct task task;
	struct timer timer; /* until the tunnel stands: the deadline; then: silence */
	struct timer
	    pause; /* until a flow has credit again; before: until the client is to have begun */
	struct stream near, far;
	struct flow up, down;		/* near to far, far to near */
	struct pick *pick;		/* as the dial, if the service has a backend */
	struct standing *load;		/* leastconn: where the tunnel counts */
	struct dial *dial;		/* from STEP_CONNECT until the tunnel stands */
	bool redirected;		/* may not pass: gets service->redirect and nothing else */
	struct talk *talk;		/* the dialogue of `protocol`, until bytes are relayed */
	struct kin *kin;		/* a protocol that invites: what is shared, or NULL */
	struct sibling *sibling;	/* this is a connection beside another; or NULL */
	struct seat seat;		/* in the service; before it, in its queue */
	struct guard *guard;		/* in STEP_ADMIT and STEP_READMIT */
	const struct service *admitted; /* the service that let the client in */
	struct heard *heard;		/* of the PROXY header; NULL: none came */
	char *asked_for;		/* passed on: the name in the ClientHello, or NULL */
	struct udp *udp;		/* in STEP_UDP */
	struct via *via;		/* through which the target is reached; NULL: straight */
	struct route *route;		/* transparent: as the dial */
	struct vpn_call *call;		/* in STEP_VPN */
	struct exec_start *program;	/* in STEP_LAUNCH and STEP_EXEC */
	struct log_ctx log;
	struct addr peer;
	struct peer_id *cert; /* what the client's certificate says, once somebody asked */
	struct identity who;  /* ... and all that is known of it, from then on */
	void (*ended)(void *owner, enum reason); /* NULL: nobody asked to be told */
	void *owner;
	int64_t started, secured, connected, relayed; /* ms; 0: not yet */
	int64_t spin_since;
	uint64_t spin_received;
	unsigned spins;
	int64_t lingers; /* in STEP_LINGER: since, ms */
	size_t dropped;	 /* ... and what has come */
};

/* The first step of the service's order that it wants. */
void life_begin(struct session *);
/* The task of a session: run its step, and the next ones. */
void life_run(void *session);

/* ---- for the steps ---- */

/* On to the next step of the tunnel's order, or to one that is in none: STEP_SORRY, STEP_LINGER. */
enum next life_go_on(struct session *) MUST_CHECK;
enum next life_go(struct session *, enum step_id) MUST_CHECK;
/* Is there something to do in it for this tunnel? */
bool life_wants(const struct session *, enum step_id);
/* What the protocol's script of the present step is for. */
enum proto_point life_point(const struct session *);
/* Is the target reached before TLS with the client begins? */
bool life_connects_first(const struct session *);
/* Give the tunnel to another service of this port. */
void life_hand_to(struct session *, struct service *);

/* Who the client is, as far as it has shown by now: s->who. */
void life_identify(struct session *);

/* How long a tunnel that stands has still to live; INT_MAX: as long as it likes. */
int life_left(const struct session *);

/* `return life_finish(s, R_...)`: the session is gone. */
enum next life_finish(struct session *, enum reason) MUST_CHECK;
void life_end(struct session *, enum reason);
/* Which end a stream's fault is, for the one side and for the other. */
enum reason life_fault(const struct session *, const struct stream *at);

/* In a flood of bad connections new ones are quiet until they stand, or end. */
int life_setup_level(const struct session *);
/* The deadline for everything before the tunnel stands counts from accept. */
void life_deadline(struct session *);
/* Bytes of data that it has passed on. */
struct passed life_passed(const struct session *);
/* A session stands in one of its worker's lists: leave it. */
void life_leave_list(struct session *);
/* The peer as one word of a line. */
const char *life_peer_word(const struct session *, char out[ADDR_TEXT]);
const char *life_step_name(const struct session *);

#endif
