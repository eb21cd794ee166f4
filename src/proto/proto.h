/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/proto.h -- what is said before TLS begins, or right after: protocol = NAME.
 *
 * A protocol is one file and one line in proto.tbl.  It sees the bytes of both sides and a few
 * facts, never a socket, an SSL or a timer: tunnel/talk.c moves the bytes.  It says at which points
 * of a tunnel's life it has something to say, and for each one gives a script: rows of data, and
 * functions where data will not do.
 *
 *     server, TLS first      early, TLS near, request, connect, clear, (TLS far), late, stay, relay
 *     server, connect first  early, connect, (TLS far), clear, TLS near, late, stay, relay
 *     client                 (TLS near), request, connect, clear, TLS far, late, stay, relay
 */
#ifndef GINNEL_PROTO_PROTO_H
#define GINNEL_PROTO_PROTO_H

#include "base/buf.h"
#include "base/log.h"
#include "base/option.h"
#include "base/reasons.h"
#include "net/addr.h"

#include <stdbool.h>

struct proto;

/* What the configuration says about it; filled through proto_options[]. */
struct proto_conf {
	const struct proto *proto;	  /* NULL: none */
	const char *host;		  /* as written: HOST or HOST:PORT */
	const char *host_name;		  /* without the port; NULL: an address, or none */
	const struct target *host_target; /* NULL: it has no port */
	const char *username, *password, *domain, *authentication;
	struct strv headers;
	const char *users; /* file: who may log in here; NULL: nobody */
	bool xclient;	   /* smtp as a server: tell the target who the client is */
	bool datagrams;	   /* server: clients may ask to send them */
	bool inside;	   /* client: it asks for host in the far side's TLS, if that has any */
	bool aimed;	   /* connect is set: where a server's clients go is known */
	uint16_t first_port, last_port; /* of connections beside the tunnel; 0: any */
};
extern const struct option proto_options[];

enum proto_point {
	PROTO_EARLY,   /* near, before anything else */
	PROTO_REQUEST, /* near, before the target is connected; may name it */
	PROTO_CLEAR,   /* near and far, before the TLS that this dialogue is about */
	PROTO_LATE,    /* near and far, when both stand */
	PROTO_SORRY,   /* near, when no target could be reached: the tunnel ends behind it */
	PROTO_STAY,    /* near and far, in place of relaying: for as long as the tunnel stands */
	PROTO_POINTS,
};

enum proto_side { PROTO_NEAR, PROTO_FAR };

/*
 * What a row or a function answers.  MORE: call again when bytes have come from a side that it
 * asked for by proto_line() or proto_bytes(); AGAIN: when what it said has left.
 */
enum proto_verdict { PROTO_MORE, PROTO_AGAIN, PROTO_DONE, PROTO_END };

/* RFC 5321 4.5.3.1.5 allows 512 octets, RFC 7162 4 clients of IMAP 8,192; no STARTTLS has longer
 * ones. */
enum { PROTO_LINE_MAX = 8192 };

/* Facts about the tunnel; a role with .wants_facts gets them, others find NULL. */
struct proto_facts {
	struct addr client;   /* who was accepted */
	struct addr accepted; /* our own address there */
	struct addr wanted;   /* where it was going before it was redirected; .len 0: unknown */
	struct addr server;   /* the target, once connected; .len 0 before */
	const struct target *target; /* the first that the configuration names; NULL: none */
	const char *sni;	     /* that the client asked for; NULL: none */
	const char *tls;	     /* version on the accepted side; NULL: plain */
	bool alpn;		     /* the client there has asked for the role's .alpn by name */
};

/* A target that a request names: a host of at most 255 bytes, or an address. */
struct proto_target {
	char host[256]; /* "": see addr */
	uint16_t port;
	struct addr addr; /* .len 0: see host */
	bool look_up; /* do not connect: PROTO_SORRY finds R_LOOKED_UP, and the answer in ->found */
	bool datagrams; /* no target: UDP ASSOCIATE; PROTO_LATE finds in ->found where */
	int family;	/* ... which is of this family; AF_UNSPEC: any */
};

/* What a client has shown to be let in; see proto_login(). */
struct proto_login {
	enum proto_login_state { LOGIN_NONE, LOGIN_ASKED, LOGIN_GOOD, LOGIN_BAD, LOGIN_BUSY } state;
	char user[256], password[256];
};

/* Connections beside the tunnel; for a role with .invites, at PROTO_STAY. */
struct proto_beside {
	/*
	 * Wait at *at for one connection of this tunnel's client, and lead it to `port` of the
	 * target's host; nobody else is waited for any longer.  `tls`: it has TLS on the side where
	 * the tunnel has.  False: not possible.  NULL: never.
	 */
	bool (*invite)(void *owner, uint16_t port, bool tls, struct addr *at);
	void *owner;
};

/*
 * One tunnel's talk.  Scripts and functions read ->line, and use the functions below for the rest.
 */
struct dialogue {
	const struct proto_conf *conf;
	const struct proto_facts *facts;
	const struct log_ctx *log;
	struct pool *pool;
	struct {
		struct buf *in; /* what has come and was not taken */
		struct buf out;
	} side[2];
	void *state; /* role->state_size bytes, zeroed at first, kept between points */
	struct proto_target target; /* PROTO_EARLY and PROTO_REQUEST may set it */
	struct proto_login login;
	struct proto_beside beside;
	struct addr found;	       /* of a target that was to be looked up; .len 0: nothing */
	int errnum;		       /* at PROTO_SORRY with R_CONNECT: of the last try */
	bool before_tls;	       /* TLS begins behind this script */
	enum reason reason;	       /* of PROTO_END; at PROTO_SORRY: why there is no target */
	unsigned row;		       /* of the script */
	unsigned waits;		       /* 1 << side: whose bytes are waited for */
	bool no_memory;		       /* something could not be said */
	bool tls_began;		       /* set by a script: the client need not wait for an answer,
					  so what it has sent behind is TLS, and no injection */
	size_t len;		       /* of line */
	char line[PROTO_LINE_MAX + 1]; /* the last one, without its end */
};

/* ---- scripts ---- */

typedef enum proto_verdict proto_call(struct dialogue *);

enum proto_act {
	PROTO_STOP,   /* behind the last row */
	PROTO_SAY,    /* send `words` and CRLF; %h is protocolHost, or localhost */
	PROTO_EXPECT, /* a line that begins with `words`, without case */
	PROTO_PASS,   /* ... and is handed on to the other side */
	PROTO_REPLY,  /* lines "NNN-..." and then "NNN ...", as `words` "NNN" (RFC 5321 4.2.1) */
	PROTO_PASS_REPLY,
	PROTO_CALL, /* `call` decides */
};

struct proto_row {
	enum proto_act act;
	enum proto_side side;
	const char *words;
	const char *complaint; /* in the log, if an expected line is another one */
	enum reason reason;    /* and how the tunnel ends then */
	proto_call *call;
};

/* ---- protocols ---- */

/* One direction of a protocol.  All zero: not supported. */
struct proto_role {
	const struct proto_row *script[PROTO_POINTS]; /* NULL: nothing to say there */
	bool connect_first; /* server: the target is reached before TLS with the client */
	bool starts_tls;    /* the side that it upgrades must have TLS in the configuration */
	bool direct_tls;    /* a client that speaks first within 200 ms begins with TLS */
	bool names_target;  /* connect must not be set */
	bool is_all;	    /* ... nor reached: what it says is all there is */
	bool in_clear;	    /* server: its clients speak without TLS unless acceptTLS = yes */
	bool needs_rules;   /* and allow must be: without a rule nothing may be reached */
	bool logs_in;	    /* server: clients may have to say who they are, see proxyUsers */
	bool is_network;    /* the other side is no stream but a network: tunnel/step_vpn.c */
	bool needs_host;    /* protocolHost must be set */
	bool host_is_peer;  /* TLS ends at protocolHost: its name is the one for SNI */
	bool wants_facts;
	bool invites;	  /* its clients make connections beside the tunnel, to where we say */
	const char *alpn; /* server: the name that a client may ask for (RFC 7301); NULL: none */
	const char *const
	    *authentications; /* ends with NULL; NULL: protocolAuthentication is not used */
	size_t state_size;
	/* More to check when the configuration is read; NULL: nothing. */
	void (*check)(const struct proto_conf *, struct sink *);
	/* May this address be reached?  A reason to refuse, or R_NONE.  NULL: all may. */
	enum reason (*refuse)(const struct proto_conf *, const struct addr *);
};

struct proto {
	const char *name;
	struct proto_role server, client;
	struct proto_role inside; /* client in proxyVia; all zero: as any other */
	struct proto_role aimed;  /* server whose section has connect; all zero: as any other */
};

#define PROTO(object) extern const struct proto object;
#include "proto/proto.tbl"
#undef PROTO

const struct proto *proto_find(const char *name); /* without case; NULL: unknown */
/* NULL: there is no protocol, or not in this mode. */
const struct proto_role *proto_role(const struct proto_conf *, bool client);
/* Is all that it needs there?  Complaints go to the sink. */
void proto_check(const struct proto_conf *, bool client, bool upgraded_has_tls, struct sink *);

/* Run a script of `d` on from where it stands. */
enum proto_verdict proto_run(struct dialogue *d, const struct proto_row *script);
/* Rows that a function chooses, from *row on; it keeps that in its state. */
enum proto_verdict proto_rows(struct dialogue *, const struct proto_row *, unsigned *row);

/* ---- for functions of scripts ---- */

/*
 * The next line into d->line.  CRLF or LF ends it; a NUL, a lone CR or more than PROTO_LINE_MAX
 * bytes end the tunnel.  Nothing behind it is touched.
 */
enum proto_verdict proto_line(struct dialogue *, enum proto_side) MUST_CHECK;
/* `n` bytes at *bytes, still to be eaten with proto_eat(); at most 8 KiB. */
enum proto_verdict proto_bytes(
    struct dialogue *, enum proto_side, size_t n, const uint8_t **bytes) MUST_CHECK;
/* All that has come, if that is more than `seen` bytes; else MORE.  To be eaten as above. */
enum proto_verdict proto_some(
    struct dialogue *, enum proto_side, size_t seen, const uint8_t **bytes, size_t *n) MUST_CHECK;
void proto_eat(struct dialogue *, enum proto_side, size_t n);

/* A line, with CRLF added; the log has it at level debug.  No line is longer than PROTO_LINE_MAX.
 */
void proto_say(struct dialogue *, enum proto_side, const char *fmt, ...) PRINTF_LIKE(3, 4);
void proto_say_secret(
    struct dialogue *, enum proto_side, const char *line);		    /* ... not in the log */
void proto_put(struct dialogue *, enum proto_side, const void *, size_t n); /* as it is */

/* Does the line begin with `words`, without case? */
bool proto_begins(const struct dialogue *, const char *words);
/* Is the line the command `word`, alone or with a blank and arguments behind it? */
bool proto_is(const struct dialogue *, const char *word);

/* Log why, and end: `return proto_end(d, R_..., "...");`. */
enum proto_verdict proto_end(struct dialogue *, enum reason, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Base64 of `n` bytes with a NUL behind it; false: `size` is too small (4/3 of n and 5 are not). */
bool proto_base64(const void *bytes, size_t n, char *out, size_t size) MUST_CHECK;
/* ... and back: false if it is none, or longer than `size` bytes. */
bool proto_unbase64(const char *text, size_t n, uint8_t *out, size_t size, size_t *len) MUST_CHECK;

/*
 * Are these a user and its password?  DONE: ->login.state is not LOGIN_ASKED any more.  Call it
 * with the same until then; texts with a NUL, and long ones, are nobody's.
 */
enum proto_verdict proto_login(struct dialogue *, const uint8_t *user, size_t user_len,
    const uint8_t *password, size_t password_len) MUST_CHECK;

/* A host as above into an empty target. */
bool proto_target_set(struct proto_target *, const char *host, size_t n, uint16_t port) MUST_CHECK;
/* The client asks for this host: a name, or an address without brackets.  False: it is neither. */
bool proto_ask_for(struct dialogue *, const char *host, size_t n, uint16_t port) MUST_CHECK;

#endif
