/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/vpn_call.h -- one call of a VPN: SSTP and PPP between a TLS stream and a network.
 *
 * Made when the HTTP exchange is done.  It is run whenever its session's task runs: time, what has
 * come, what is to leave.  What differs between a server and a client is in their ends.
 */
#ifndef GINNEL_TUNNEL_VPN_CALL_H
#define GINNEL_TUNNEL_VPN_CALL_H

#include "base/reasons.h"
#include "net/stream.h"
#include "proto/icmp6.h"
#include "tunnel/vpn.h"
#include "tunnel/vpn_eap.h"
#include "tunnel/vpn_roll.h"

struct vpn_call;
struct worker;

/* What it works with; all of it outlives the call. */
struct vpn_call_env {
	struct vpn *vpn;
	struct worker *worker;
	struct stream *stream;
	struct buf *in; /* where bytes wait that came behind the HTTP head, and all others */
	uint64_t *sent, *received; /* bytes of the network that have passed */
	const struct log_ctx *log;
	struct task *task;
	const struct addr *peer; /* of the server's client, or the client's server */
};

/* NULL: no memory. */
struct vpn_call *vpn_call_new(const struct vpn_call_env *, const struct sstp_cert *) MUST_CHECK;
void vpn_call_free(struct vpn_call *); /* leaves the network; NULL is fine */

/* IO_AGAIN: its task will run again, at vpn_call_deadline() at the latest; IO_FAILED: it is over.
 */
enum io vpn_call_run(struct vpn_call *) MUST_CHECK;
int64_t vpn_call_deadline(const struct vpn_call *);
enum reason vpn_call_reason(
    const struct vpn_call *);		       /* of its end; R_NONE: the stream has failed */
bool vpn_call_stands(const struct vpn_call *); /* has it ever? */
void vpn_call_hang_up(struct vpn_call *);      /* we stop; in its own time */

/*
 * " user=alice address=10.66.0.2 method=mschapv2 kind=windows", and with what was dropped, for the
 * line of the end.  Return out.
 */
enum { VPN_CALL_NOTE = 512 };
const char *vpn_call_who(const struct vpn_call *, char out[VPN_CALL_NOTE]);
const char *vpn_call_note(const struct vpn_call *, char out[VPN_CALL_NOTE]);

/* ---- for its ends ---- */

enum { VPN_CALL_SESSION = 17, VPN_CALL_ADDRESS6 = INET6_ADDRSTRLEN + 4 };

struct vpn_end {
	/* Server: who is it?  NULL for a client. */
	void (*ask)(struct vpn_call *, const struct ppp_question *);
	/* The login has ended well, by ->method: is that enough?  False: the end has begun.  NULL:
	   it is. */
	bool (*meet)(struct vpn_call *);
	/* ... and what shall the network be?  False: the end has begun, or .run will say it. */
	bool (*plan)(struct vpn_call *, struct ppp_network *);
	/* The call stands, and ->network is agreed on: packets of ->guest.open may pass. */
	void (*enter)(struct vpn_call *);
	/* From now on packets of this family may pass, too; behind .enter.  NULL: nothing to do. */
	void (*open)(struct vpn_call *, enum ppp_family);
	void (*run)(struct vpn_call *);	  /* with the call's task */
	void (*leave)(struct vpn_call *); /* also if it was never entered */
	void (*write)(struct vpn_call *, uint8_t *packet, size_t n);
};
extern const struct vpn_end vpn_server_end, vpn_client_end;

struct vpn_call {
	unsigned magic;
	struct vpn_call_env env;
	const struct vpn_end *end;
	struct sstp sstp;
	struct ppp *ppp;
	struct vpn_eap eap; /* what its EAP-TLS works with */
	struct vpn_guest guest;
	struct buf control, data; /* to be sent: control first */
	struct ppp_network network;
	int64_t now;
	enum reason reason;
	bool stood, over, taken_leave, entered, lost;
	bool hung_up; /* by us */
	enum ppp_method method;
	char user[PPP_NAME_MAX + 1];
	struct {
		uint64_t packets, bytes; /* of the peer's that came into the network */
		uint64_t foreign, to_peers, malformed;
	} counts;
	struct { /* a login that failed is told so late */
		bool waits;
		unsigned number;
		int64_t due;
		struct ppp_verdict verdict;
	} refusal;
	struct { /* server, with vpnRadius or vpnAccounting */
		struct vpn_asker *asker;
		struct vpn_account *account;
		char session[VPN_CALL_SESSION];	      /* Acct-Session-Id; "": none yet */
		struct in_addr address, dns[PPP_DNS]; /* 0.0.0.0: not said */
		struct network prefix6;		      /* .family 0: not said */
		struct radius_blob *class;	      /* NULL: not said */
		uint32_t interim;		      /* seconds; 0: not said */
	} radius;
	struct {			/* server: 0: no limit */
		uint32_t session, idle; /* seconds, before the session stands */
		int64_t until;		/* ms: its last */
		int64_t still;		/* ms without a packet */
	} limits;
	int64_t moved;			  /* ms: the last packet, in either direction */
	char address6[VPN_CALL_ADDRESS6]; /* server: the client's /64; client: its address; "": none
					   */
	struct {			  /* what routers and hosts tell one another on this link */
		int64_t due;		  /* ms: our next message; INT64_MAX: none */
		int64_t said;		  /* ... the last one */
		/* client: */
		unsigned tries;			/* how often it has asked */
		int64_t limit;			/* ms: it waits for an answer no longer */
		struct in6_addr address;	/* from the answer; ::, there was none */
		struct in6_addr dns[ICMP6_DNS]; /* ... ->dns_count of them */
		unsigned dns_count;
	} router;
	struct vpn_place place; /* server: among the user's sessions */
	struct {
		int64_t due, limit; /* ms: the next look, the last one; INT64_MAX: none */
	} wait;			    /* server: for an address that another session gives up */
	uint32_t number;	    /* server: of the address; 0: none */
	struct vpn_port port;	    /* client: of its own device; ->watch.task NULL: not open */
	struct vpn_link *link;	    /* what was set up for the call; NULL: nothing */
};

/* To the peer, behind what waits already; what has no room is dropped. */
void vpn_call_send(struct vpn_call *, enum ppp_family, const uint8_t *packet, size_t n);

/* The end begins for this reason: PPP says goodbye, then SSTP does. */
void vpn_call_end(struct vpn_call *, enum reason, const char *detail);

#endif
