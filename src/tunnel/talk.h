/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/talk.h -- what a protocol says in one tunnel: its script between two streams.
 *
 * Made when there is something to say and freed when bytes are relayed, so a service without a
 * protocol, and a tunnel that relays, pay nothing for it.
 */
#ifndef GINNEL_TUNNEL_TALK_H
#define GINNEL_TUNNEL_TALK_H

#include "net/dial.h"
#include "net/stream.h"
#include "proto/proto.h"
#include "tunnel/identity.h"
#include "tunnel/worker.h"

struct talk;

/* One side: its stream, and where its bytes wait (the stream's own `in`, or behind TLS a flow's).
 */
struct talk_side {
	struct stream *stream;
	struct buf *in;
};

/* `client` was accepted at `since` (loop_now()).  NULL without memory. */
struct talk *talk_new(struct worker *, const struct service *, const struct log_ctx *,
    struct task *, const struct addr *client, int64_t since);

/* The client had connected to this address, and not to that of its stream. */
void talk_set_accepted(struct talk *, const struct addr *);

/*
 * What is to be said at `point`; at PROTO_STAY it is over, with a reason that is clean, when one
 * side ends.  `upgraded`: the stream on which TLS begins behind it (NULL:
 * none); bytes in clear that it has by then end the tunnel.  IO_OK: said; IO_AGAIN; IO_FAILED: see
 * talk_reason().
 */
enum io talk_run(struct talk *, enum proto_point, const struct talk_side sides[2],
    struct stream *upgraded) MUST_CHECK;

/* At PROTO_STAY: how its client is invited to more connections. */
void talk_set_beside(struct talk *, const struct proto_beside *);

/* What was said to a side at PROTO_STAY, and taken. */
uint64_t talk_said(const struct talk *, enum proto_side);

/* After IO_FAILED: why; R_NONE: one of the streams has failed. */
enum reason talk_reason(const struct talk *);

/*
 * No target was connected; PROTO_SORRY will say so, and the tunnel ends with that reason.  `dial`
 * knows what was found if the target was only to be looked up (R_LOOKED_UP); else it may be NULL.
 */
void talk_regret(struct talk *, enum reason, const struct dial *dial);

/* Was the client told of the end?  A reset could overtake that.  NULL: no. */
bool talk_took_leave(const struct talk *);

/* The name that the client has asked for; NULL: an address, or nothing. */
const char *talk_host(const struct talk *);

/* As whom the client has logged in; NULL: it has not. */
const char *talk_user(const struct talk *);

/*
 * May `who` go where the client has asked for?  A reason to refuse, or R_NONE: at least some
 * address of that host may be reached.  `who` outlives the talk.
 */
enum reason talk_judge(struct talk *, const struct identity *who);

/* Has the client asked for datagrams, in place of a target? */
bool talk_wants_datagrams(const struct talk *);
/* ... which are awaited there. */
void talk_found(struct talk *, const struct addr *);
/* May one go to this address of what it is for?  NULL: to any. */
enum reason talk_judge_datagram(
    struct talk *, const struct identity *who, const struct proto_target *, const struct addr *);

/* Where to connect: `plan`, or the target that the client has asked for, as far as rules allow. */
const struct dial_plan *talk_dial_plan(struct talk *, const struct dial_plan *plan);

void talk_free(struct talk *); /* NULL is fine */

#endif
