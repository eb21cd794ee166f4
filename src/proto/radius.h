/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/radius.h -- asking a RADIUS server who somebody is (RFC 2865, RFC 3579, RFC 2548), and
 * telling it what became of him (RFC 2866): packets as functions of bytes.
 *
 * Every request has a Message-Authenticator, first of all attributes, and an answer without a good
 * one is none: else whoever is between could forge an Access-Accept (CVE-2024-3596).
 */
#ifndef GINNEL_PROTO_RADIUS_H
#define GINNEL_PROTO_RADIUS_H

#include "net/netset.h"
#include "ppp/ppp.h"

enum {
	RADIUS_MAX = 4096, /* bytes of a packet */
	RADIUS_AUTHENTICATOR = 16,
	RADIUS_STRING = 253, /* bytes of an attribute's value */
	RADIUS_PASSWORD_MAX = 128,
	RADIUS_PREFIX6 = 8,
};

/* Who asks about whom; texts may be NULL, and are cut to RADIUS_STRING bytes. */
struct radius_facts {
	const char
	    *nas_name; /* NAS-Identifier: without it and without .nas_address none knows us */
	struct in_addr nas_address;
	uint32_t port;		/* NAS-Port: a number of the call */
	const char *client;	/* Calling-Station-Id: its address */
	const char *called;	/* Called-Station-Id: ours */
	const char *session;	/* Acct-Session-Id */
	const char *connection; /* Connect-Info: "TLSv1.3 SSTP" */
};

/* What came with an answer and has to come back with the next request, as it is. */
struct radius_blob {
	uint8_t bytes[RADIUS_STRING];
	size_t n; /* 0: none */
};

/* A request: kept until its answer is there, and sent again as it is. */
struct radius_request {
	uint8_t bytes[RADIUS_MAX];
	size_t n;
};

struct radius_answer {
	struct ppp_verdict verdict; /* .eap points into this struct */
	bool no_keys; /* granted by the server, and refused here: MS-CHAPv2 needs its keys */
	struct radius_blob state, class;
	struct in_addr address; /* 0.0.0.0: ours to choose */
	struct network prefix6; /* .family 0: the same */
	struct in_addr dns[PPP_DNS], nbns[PPP_DNS];
	uint8_t interface_id[8];			 /* zero: none */
	uint32_t session_timeout, idle_timeout, interim; /* seconds; 0: none */
	uint32_t mtu;
	uint8_t eap[PPP_MRU]; /* the server's packet */
	size_t eap_size;
};

/*
 * An Access-Request.  `random`: the request's authenticator, which nobody can guess and which never
 * comes twice.  False: it cannot be asked (a password of more than 128 bytes, no digest).
 */
bool radius_ask(struct radius_request *, uint8_t id, const uint8_t random[RADIUS_AUTHENTICATOR],
    const char *secret, const struct ppp_question *, const struct radius_facts *,
    const struct radius_blob *state) MUST_CHECK;

/*
 * Is this the answer to it?  RADIUS_NONE: it is another one's, malformed, or not of who knows the
 * secret; whoever waits goes on waiting.  RADIUS_UNSIGNED: it has no Message-Authenticator, as
 * FreeRADIUS before 3.2.5 sends none unless it is told to (in post-auth, also for rejects: `update
 * reply { &Message-Authenticator := 0x00 }`).  It says nothing that may be believed.
 */
enum radius_got { RADIUS_NONE, RADIUS_UNSIGNED, RADIUS_ANSWER };
enum radius_got radius_read(struct radius_answer *, const uint8_t *, size_t n,
    const struct radius_request *, const char *secret, const struct ppp_question *) MUST_CHECK;

/* ---- accounting ---- */

enum radius_event { RADIUS_START = 1, RADIUS_STOP, RADIUS_INTERIM }; /* Acct-Status-Type */

/* Acct-Terminate-Cause (RFC 2866 5.10), those that a VPN knows. */
enum radius_cause {
	RADIUS_USER_REQUEST = 1,
	RADIUS_LOST_CARRIER = 2,
	RADIUS_IDLE = 4,
	RADIUS_SESSION_TIMEOUT = 5,
	RADIUS_ADMIN_RESET = 6,
	RADIUS_ADMIN_REBOOT = 7,
	RADIUS_NAS_ERROR = 9,
	RADIUS_NAS_REQUEST = 10,
	RADIUS_PORT_PREEMPTED = 13,
};

struct radius_usage {
	enum radius_event event;
	enum radius_cause cause; /* RADIUS_STOP */
	const char *user;
	struct in_addr address;
	const uint8_t *prefix6; /* RADIUS_PREFIX6 bytes, of a /64; NULL: none */
	uint64_t in_bytes, out_bytes, in_packets, out_packets; /* in: from the user */
	uint32_t seconds;
	uint32_t delay; /* seconds since the event */
	uint32_t when;	/* of the event: seconds since 1970; 0: not told */
	const struct radius_blob *class;
};

bool radius_account(struct radius_request *, uint8_t id, const char *secret,
    const struct radius_usage *, const struct radius_facts *) MUST_CHECK;
/*
 * RADIUS_ANSWER: the Accounting-Response to it.  RADIUS_UNSIGNED: one, but not of who knows the
 * secret.
 */
enum radius_got radius_read_account(
    const uint8_t *, size_t n, const struct radius_request *, const char *secret) MUST_CHECK;

#endif
