/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ppp/login.h -- what the protocols of authentication have in common: a question to the owner, a
 * verdict, a timer, an end.
 */
#ifndef GINNEL_PPP_LOGIN_H
#define GINNEL_PPP_LOGIN_H

#include "base/rd.h"
#include "ppp/auth.h"
#include "ppp/chap.h"
#include "ppp/eap.h"
#include "ppp/pap.h"

struct ppp;

/* As LCP's option 3 tells them apart. */
enum login_kind { LOGIN_NONE, LOGIN_PAP, LOGIN_CHAP, LOGIN_MSCHAP, LOGIN_EAP, LOGIN_KINDS };

enum login_kind login_kind_of(enum ppp_method);

/* One side of one protocol. */
struct login_protocol {
	uint16_t protocol;
	void (*begin)(struct ppp *); /* NULL: it waits */
	/* Data behind the header: padding is cut off. */
	void (*receive)(struct ppp *, uint8_t code, uint8_t id, struct rd *);
	void (*again)(struct ppp *); /* the restart timer */
	void (*verdict)(struct ppp *, const struct ppp_verdict *);
	void (*end)(struct ppp *); /* give back what is held; NULL: nothing */
};

struct login {
	const struct login_protocol *with; /* NULL: nobody is asked */
	enum ppp_method method;
	char user[PPP_NAME_MAX + 1];
	char first_user[PPP_NAME_MAX + 1]; /* of the first login: nobody else may follow */
	unsigned question;		   /* number of the last one */
	bool waiting;			   /* for its verdict */
	bool done;			   /* it has ended well */
	int64_t due;
	unsigned tries;
	uint8_t key[PPP_KEY];
	union {
		struct pap pap;
		struct chap chap;
		struct eap eap;
	};
};

/* LCP is open and has agreed on this. */
void login_begin(struct ppp *, enum login_kind);
void login_end(struct ppp *); /* LCP is no more; wipes */
void login_receive(struct ppp *, uint16_t protocol, const uint8_t *, size_t n);
void login_tick(struct ppp *);

/* ---- for the protocols ---- */

/*
 * Server: ask the owner.  q->number and q->user are set here, from `n` bytes as they came; a name
 * that cannot be one is refused without asking.  The verdict may come before this returns.
 */
void login_ask(struct ppp *, struct ppp_question *q, const uint8_t *user, size_t n);
void login_wait(struct ppp *); /* (re)start the restart timer */
void login_rest(struct ppp *); /* stop it */
/* It ended well; login.key and login.method are set. */
void login_granted(struct ppp *);
void login_refused(struct ppp *, const char *detail);

#endif
