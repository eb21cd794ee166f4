/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ppp/ppp.h -- the Point-to-Point Protocol (RFC 1661) as a machine of packets.
 *
 * One `struct ppp` is one link.  Frames and the time go in; frames and events come out.  It has no
 * socket, no thread and no clock, and allocates only in ppp_new().  It belongs to one thread.
 *
 * A server asks the client who it is (authenticator), gives it addresses and accepts none but
 * those.  A client asks for nothing and shows who it is.
 *
 * The order of a call: ppp_new() → both sides agree on LCP → the server asks .ask, and the owner
 * answers with ppp_auth_verdict() → .authenticated → the owner calls ppp_open_network() → .up for
 * each family → .data.  Then, one day, .down, once; behind it everything is ignored.  A peer may
 * begin again with LCP at any time: .network_lost tells, and all of that order follows once more.
 */
#ifndef GINNEL_PPP_PPP_H
#define GINNEL_PPP_PPP_H

#include "base/log.h"
#include "ppp/auth.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ppp;

enum {
	PPP_HEADER = 4,	    /* FF 03 and the protocol, before each packet that is sent */
	PPP_HEADROOM = 16,  /* bytes before a frame that .send may write over */
	PPP_MRU = 1500,	    /* of both sides unless they say otherwise (RFC 1661 6.1) */
	PPP_MRU_MIN = 576,  /* less is not accepted */
	PPP_MRU_MAX = 4091, /* what fits into a packet of SSTP, less its header */
	PPP_FRAME_MAX = PPP_HEADER + PPP_MRU, /* of a frame to .send: it carries no data */
	PPP_DNS = 2,
};

enum ppp_family { PPP_IPV4, PPP_IPV6, PPP_FAMILIES };

/* ---- how it ends ---- */

enum ppp_end {
	PPP_END_CLOSED,	      /* ppp_close() */
	PPP_END_PEER,	      /* the peer sent Terminate-Request */
	PPP_END_NO_ANSWER,    /* no answer to LCP, or in the middle of authentication */
	PPP_END_NO_AGREEMENT, /* options that never met, or took too long to */
	PPP_END_LOOP,	      /* our own frames came back */
	PPP_END_NO_METHOD,    /* no method of authentication suits both */
	PPP_END_REFUSED,      /* server: the verdict; client: the server does not want us */
	PPP_END_IMPOSTOR,     /* client: the server does not know the password */
	PPP_END_REJECTED,     /* Protocol-Reject or Code-Reject of what cannot be done without */
	PPP_END_NO_NETWORK,   /* neither IPv4 nor IPv6 could be agreed on */
	PPP_END_NO_ECHO,      /* the peer has gone silent */
	PPP_END_TLS,	      /* EAP-TLS failed; its machine knows why */
	PPP_END_FAULT,	      /* no random numbers, no digest, no memory */
	PPP_ENDS,
};

const char *ppp_end_words(enum ppp_end); /* one phrase for the log */

/* ---- what the owner is told ---- */

struct ppp_login {
	enum ppp_method method;
	const char *user;   /* "" with PPP_NO_AUTH */
	const uint8_t *key; /* PPP_KEY bytes for the crypto binding; wiped behind the call */
};

/* What a side is on the network.  Addresses of 0.0.0.0 and identifiers of zero: none. */
struct ppp_network {
	bool family[PPP_FAMILIES]; /* is it wanted? */
	struct in_addr local, peer;
	struct in_addr dns[PPP_DNS], nbns[PPP_DNS];
	uint8_t local_id[8], peer_id[8]; /* interface identifiers: fe80::/64 and these */
};

/*
 * Each gets the owner given to ppp_new().  All but .send and .random may call back into the same
 * link; ppp_free() none may.  Pointers are valid during the call.
 */
struct ppp_events {
	/*
	 * Send a frame: FF 03, a protocol, at most PPP_MRU bytes.  The PPP_HEADROOM bytes before it
	 * and the frame itself may be written over.  What is not sent counts as lost on the way.
	 */
	void (*send)(void *owner, uint8_t *frame, size_t n);
	/* Server: answer with ppp_auth_verdict(), now or later. */
	void (*ask)(void *owner, const struct ppp_question *);
	/*
	 * Authentication has ended well.  Now is the time for ppp_open_network(); of what the peer
	 * says about the network before that, the last packet of each family is kept.
	 */
	void (*authenticated)(void *owner, const struct ppp_login *);
	/* Packets of this family may pass.  The whole of what is agreed so far is in `network`. */
	void (*up)(void *owner, enum ppp_family, const struct ppp_network *);
	/* Until the next .up.  It need not come before .down. */
	void (*network_lost)(void *owner, enum ppp_family);
	/*
	 * An IP packet inside the frame that ppp_receive() was given: it has the length of a
	 * header, and the version of its family.  Whose address it bears is the owner's to check.
	 */
	void (*data)(void *owner, enum ppp_family, uint8_t *packet, size_t n);
	/* The link is over.  `detail`: what the peer or an authenticator said, made printable; ""
	   if nothing. */
	void (*down)(void *owner, enum ppp_end, const char *detail);
	/* `n` bytes that nobody can guess; NULL: getrandom(2). */
	bool (*random)(void *owner, void *out, size_t n);
};

/* ---- TLS in EAP ---- */

enum ppp_tls_state { PPP_TLS_MORE, PPP_TLS_DONE, PPP_TLS_FAILED };

/*
 * A TLS machine for EAP-TLS (RFC 5216, RFC 9190), made by who knows TLS.  It limits by itself how
 * much it takes: a peer says how long its message will be, and nobody believes it.
 */
struct ppp_tls {
	/* NULL: no memory.  `arg` is ppp_conf.tls_arg. */
	void *(*begin)(void *arg, bool server);
	/* Bytes of the peer's message; false: too many. */
	bool (*put)(void *tls, const uint8_t *, size_t n);
	/*
	 * The message is whole (or the client's first one is due).  DONE also means: verified, and
	 * with TLS 1.3 the server's last byte of application data has been sent or seen.
	 */
	enum ppp_tls_state (*step)(void *tls);
	/* What waits to be sent, and up to `n` bytes of it. */
	size_t (*left)(void *tls);
	size_t (*take)(void *tls, uint8_t *out, size_t n);
	/* Behind DONE: the first PPP_KEY bytes of the MSK, and whom the peer's certificate names.
	 */
	bool (*key)(void *tls, uint8_t out[PPP_KEY]);
	bool (*name)(void *tls, char *out, size_t size);
	void (*end)(void *tls);
};

/* ---- a link ---- */

/* Belongs to the owner, outlives the link and does not change.  Zero means the default. */
struct ppp_conf {
	bool server;
	/* Server: offered in this order; none: nobody is asked.  Client: accepted, the first one
	   preferred. */
	enum ppp_method methods[PPP_METHODS];
	size_t method_count;
	const char *name;	   /* server: what it calls itself to clients; NULL: "ginnel" */
	const char *user;	   /* client */
	const char *password;	   /* client: at most PPP_SECRET_MAX bytes */
	const struct ppp_tls *tls; /* with PPP_EAP_TLS */
	void *tls_arg;
	uint16_t mru; /* that we can receive; PPP_MRU */

	/* Milliseconds. */
	unsigned restart;     /* 3,000 between a request and the next */
	unsigned agree_limit; /* 30,000 for LCP; again for authentication, a verdict included */
	unsigned close_limit; /* 2,000 for the answer to our Terminate-Request */
	unsigned echo;	      /* 20,000 of silence before a question whether the peer lives */

	unsigned echo_misses;	/* 4 unanswered ones are the end */
	unsigned max_configure; /* 10 Configure-Requests of a layer, answered or not */
	unsigned max_failure;	/* 5 Naks, then Rejects */
};

/* NULL: no memory.  Nothing is sent before ppp_start(). */
struct ppp *ppp_new(const struct ppp_conf *, const struct ppp_events *, void *owner,
    const struct log_ctx *) MUST_CHECK;
void ppp_free(struct ppp *); /* NULL is fine; nothing is sent, no event */

/*
 * `now_ms`: any clock that never goes back.  The first Configure-Request leaves at once, on both
 * sides.
 */
void ppp_start(struct ppp *, int64_t now_ms);
/* A frame from the peer, with or without FF 03, its protocol in one byte or two. */
void ppp_receive(struct ppp *, uint8_t *frame, size_t n, int64_t now_ms);
/* When ppp_tick() is due at the latest, in ms of that clock; INT64_MAX: never.  Ask again behind
 * every call. */
int64_t ppp_deadline(const struct ppp *);
void ppp_tick(struct ppp *, int64_t now_ms);

/* Answers the question of that number; false: it was not asked, or has been answered or given up.
 */
bool ppp_auth_verdict(struct ppp *, unsigned number, const struct ppp_verdict *, int64_t now_ms);

/*
 * Begin with the families that are wanted.  Server: local and peer are the addresses (and so are
 * the identifiers, if not zero; else random ones are taken), DNS and NBNS what is told on request.
 * Client: peer means nothing; local and the identifiers are wishes, zero lets the server choose.
 */
void ppp_open_network(struct ppp *, const struct ppp_network *, int64_t now_ms);

/* Say Terminate-Request with a short reason, wait for the answer, .down with `why` and `detail`. */
void ppp_close(struct ppp *, enum ppp_end why, const char *detail, int64_t now_ms);

/* May packets of this family be sent? */
bool ppp_is_up(const struct ppp *, enum ppp_family);
/* Is it wanted, and not agreed on or refused yet? */
bool ppp_awaits(const struct ppp *, enum ppp_family);
/* The largest IP packet that the peer takes: its MRU, 1500 before it has said one. */
uint16_t ppp_peer_mru(const struct ppp *);

/* Which program the peer may be, by its first request: one word, for the log. */
const char *ppp_peer_kind(const struct ppp *);

/* FF 03 and the protocol, into the PPP_HEADER bytes before an IP packet. */
void ppp_put_header(uint8_t *at, enum ppp_family);

/* Does the gate of SSTP let a frame pass before the call stands?  Protocols from 8000 on are
 * control (MS-SSTP 3.3.5.2.3). */
bool ppp_is_control(const uint8_t *frame, size_t n);

struct ppp_counts {
	uint64_t frames;  /* that came */
	uint64_t dropped; /* too short, malformed, of a time or protocol that is not now */
	uint64_t looped;  /* our own ones */
};
const struct ppp_counts *ppp_counts(const struct ppp *);

#endif
