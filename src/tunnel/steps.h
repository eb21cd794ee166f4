/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/steps.h -- what a tunnel lives through, in step_*.c; the table in life.c has their order.
 */
#ifndef GINNEL_TUNNEL_STEPS_H
#define GINNEL_TUNNEL_STEPS_H

#include "tunnel/life.h"

enum next step_seat(struct session *);	   /* wait for a place in the service */
enum next step_identify(struct session *); /* ... and in the share of whoever it is */
enum next step_header(struct session *);   /* the PROXY header of the proxy before us */
enum next step_admit(struct session *);	   /* ask others about the client */
void step_admit_greet(struct session *);   /* the line of a client that is let in */

enum next step_detect(struct session *);      /* what the client begins with */
enum next step_near_peek(struct session *);   /* the ClientHello, and whose name is in it */
enum next step_near_secure(struct session *); /* the handshake with the client */

enum next step_exec(struct session *);	      /* start a program, for either side */
enum next step_far_connect(struct session *); /* reach the target */
/* No target for it: the client is told why where there is a word for it, and the tunnel ends. */
enum next step_far_unreachable(struct session *, enum reason);
/* Is it on the way to its target, and the client waits for a word of ours about that? */
bool step_far_is_owed(const struct session *);
enum next step_introduce(struct session *);	    /* a PROXY header of ours */
enum next step_upgrade(struct session *);	    /* the handshake with it */
enum next step_talk(struct session *);		    /* a dialogue of `protocol` */
bool step_talk_begin(struct session *) MUST_CHECK;  /* ... if there is none; false: no memory */
enum next step_vpn(struct session *);		    /* a network as the other side */
enum next step_udp(struct session *);		    /* datagrams in place of a tunnel */
enum next step_inner(struct session *);		    /* whom TLS in the tunnel asks for */
enum io step_talk_run(struct session *) MUST_CHECK; /* as talk_run() */
enum next step_talk_failed(struct session *);	    /* after IO_FAILED */
enum next step_relay(struct session *);
/* One flow ended because its receiver had left, or the client was answered, and nothing follows. */
enum next step_linger_begin(struct session *);
enum next step_linger(struct session *);
enum next step_stay(struct session *); /* a dialogue that takes the place of relaying */

#endif
