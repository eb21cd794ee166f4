/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/sstp.h -- one call of SSTP (MS-SSTP 3), server or client, as a machine.
 *
 * The bytes of the stream and the time go in; control packets, PPP frames and events come out.  It
 * has no socket and no clock, and allocates nothing.  It knows PPP only by what its gate must tell
 * apart: before the call stands, control frames pass and packets do not.
 *
 * The order of a good call: sstp_begin() → .begin, and PPP starts → sstp_authenticated() with the
 * key of the login → .connected → IP passes → .over, once, and the stream is closed.
 */
#ifndef GINNEL_PROTO_SSTP_H
#define GINNEL_PROTO_SSTP_H

#include "base/log.h"
#include "proto/sstp_binding.h"

enum sstp_state {
	SSTP_IDLE,
	SSTP_REQUEST_PENDING,	/* server: the HTTP exchange is done */
	SSTP_CONNECTED_PENDING, /* server: PPP runs, CALL_CONNECTED is to come */
	SSTP_REQUEST_SENT,	/* client */
	SSTP_ACK_RECEIVED,	/* client: PPP runs */
	SSTP_CONNECTED,		/* the call stands */
	SSTP_ABORT_PENDING,	/* we sent ABORT */
	SSTP_ABORT_TIMEOUT_PENDING,
	SSTP_DISCONNECT_ACK_PENDING, /* we sent DISCONNECT */
	SSTP_DISCONNECT_TIMEOUT_PENDING,
	SSTP_OVER,
	SSTP_STATE_COUNT,
};

/* Why a call ended, by whoever had the first cause. */
enum sstp_end {
	SSTP_END_NONE,	     /* it has not, or the stream did */
	SSTP_END_OURS,	     /* sstp_disconnect() */
	SSTP_END_PEER,	     /* DISCONNECT */
	SSTP_END_ABORTED,    /* ABORT */
	SSTP_END_MISBEHAVED, /* what came was malformed, or out of place */
	SSTP_END_BINDING,    /* server: the crypto binding is wrong */
	SSTP_END_UNBOUND,    /* server: it never came */
	SSTP_END_REFUSED,    /* client: the server refused the request, or offers no hash of ours */
	SSTP_END_SLOW,	     /* the negotiation took too long */
	SSTP_END_SILENT,     /* no sign of life */
	SSTP_END_FAULT,	     /* no random numbers, or libcrypto refuses */
};

struct sstp_events {
	void (*send)(void *owner, const uint8_t *packet, size_t n); /* control, ahead of data */
	void (*begin)(void *owner);				    /* PPP shall start */
	void (*frame)(void *owner, uint8_t *frame, size_t n);	    /* may be written over */
	void (*connected)(void *owner); /* the binding is good, or sent */
	/* The call ends, by our will or the peer's; the stream is still needed to say so. */
	void (*ending)(void *owner, enum sstp_end);
	void (*over)(void *owner); /* close the stream; everything behind it is ignored */
};

/* Zero means the default of MS-SSTP 3.1.2, 3.2.2 and 3.3.2.  Milliseconds. */
struct sstp_conf {
	bool server;
	uint8_t hashes;		      /* that are offered, or accepted; both */
	unsigned negotiation;	      /* 60,000 */
	unsigned hello;		      /* 60,000 of silence before a question, and before the end */
	unsigned abort_sent;	      /* 3,000 */
	unsigned abort_received;      /* 1,000 */
	unsigned disconnect_sent;     /* 5,000 */
	unsigned disconnect_received; /* 1,000 */
};

struct sstp_counts {
	uint64_t early;	  /* packets of the network before the call stood: dropped */
	uint64_t unasked; /* frames when none are to come: dropped */
};

/* Embedded in its owner; look, but change it only through the functions. */
struct sstp {
	const struct sstp_conf *conf;
	const struct sstp_events *events;
	void *owner;
	const struct log_ctx *log;
	enum sstp_state state;
	enum sstp_end end;
	int64_t now, due; /* due: of the state's timer */
	int64_t heard;	  /* when anything came last */
	bool asked;	  /* ECHO_REQUEST is sent, and nothing has come since */
	bool has_key;	  /* ->hlak is known */
	bool held;	  /* CALL_CONNECTED came before the key, and waits in ->connected */
	uint8_t hash;	  /* client: chosen */
	unsigned naks;
	size_t budget; /* bytes that may still come before the call stands */
	struct {
		int64_t second;
		unsigned count; /* answered in it */
	} echoes;
	struct sstp_cert cert; /* of this very connection */
	uint8_t nonce[SSTP_NONCE], hlak[SSTP_HLAK];
	uint8_t connected[SSTP_CONNECTED_SIZE];
	struct sstp_counts counts;
};

void sstp_init(struct sstp *, const struct sstp_conf *, const struct sstp_events *, void *owner,
    const struct log_ctx *, const struct sstp_cert *);
void sstp_wipe(struct sstp *); /* keys */

/* The HTTP exchange is done. */
void sstp_begin(struct sstp *, int64_t now);
/*
 * What has come on the stream.  Returns how much was consumed: whole packets.  The rest is to be
 * given again, with more behind it.
 */
size_t sstp_receive(struct sstp *, uint8_t *bytes, size_t n, int64_t now);
/* PPP's login has ended well, with this key; server and client. */
void sstp_authenticated(struct sstp *, const uint8_t hlak[SSTP_HLAK], int64_t now);
/* End the call as one should. */
void sstp_disconnect(struct sstp *, int64_t now);

/* When sstp_tick() is due at the latest; INT64_MAX: never. */
int64_t sstp_deadline(const struct sstp *);
void sstp_tick(struct sstp *, int64_t now);

static inline bool
sstp_stands(const struct sstp *s)
{
	return s->state == SSTP_CONNECTED;
}

/* Has the end begun? */
static inline bool
sstp_is_ending(const struct sstp *s)
{
	return s->state >= SSTP_ABORT_PENDING;
}

const char *sstp_state_name(enum sstp_state);

#endif
