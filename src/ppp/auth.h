/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ppp/auth.h -- who is it?  The question that a server's PPP asks its owner, and the answer.
 *
 * The owner answers when it can: from a file at once (auth_check()), from RADIUS later.  Nothing
 * here waits, and nothing keeps a pointer.
 */
#ifndef GINNEL_PPP_AUTH_H
#define GINNEL_PPP_AUTH_H

#include "base/check.h"
#include "ppp/mschap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ppp_method {
	PPP_NO_AUTH, /* nobody asked; never in a list of methods */
	PPP_PAP,
	PPP_CHAP_MD5,
	PPP_MSCHAPV2,
	PPP_EAP_MSCHAPV2,
	PPP_EAP_TLS,
	PPP_EAP_RELAY, /* server: EAP is between the client and the owner (RADIUS) */
	PPP_METHODS,
};

/* As vpnAuth writes it: "pap", "chap", "mschapv2", "eap-mschapv2", "eap-tls", "eap"; "none". */
const char *auth_method_name(enum ppp_method);
/* PPP_NO_AUTH: there is no method of that name.  Without case. */
enum ppp_method auth_method_find(const char *name);

enum {
	PPP_NAME_MAX = 255,   /* of a user; longer ones are refused */
	PPP_SECRET_MAX = 255, /* of a password in clear */
	PPP_KEY = 32,	      /* HLAK of MS-SSTP 3.2.5.2 */
	PPP_TEXT_MAX = 128,   /* of a message to the user */
	PPP_CHALLENGE = 16,
};

/* Valid during the call that brings it; what is kept must be copied, and wiped. */
struct ppp_question {
	unsigned number; /* of the question, for ppp_auth_verdict() */
	enum ppp_method method;
	const char *user; /* as the client says it: 1 to 255 bytes, none of them NUL */
	uint8_t id;	  /* CHAP: the Identifier, which is part of what was hashed */

	/* PAP: the password; no NUL behind it.  CHAP-MD5: Response-Value, 16 bytes.  PPP_EAP_RELAY:
	   the client's whole EAP packet.  Else NULL. */
	const uint8_t *secret;
	size_t secret_size;

	uint8_t challenge[PPP_CHALLENGE]; /* CHAP-MD5, MS-CHAPv2: ours */
	struct mschap_response response;  /* MS-CHAPv2, plain and in EAP */
};

enum ppp_answer {
	PPP_REFUSED,
	PPP_GRANTED,
	PPP_GO_ON, /* PPP_EAP_RELAY: send .eap, which is a Request, and ask again */
};

/* Copied by ppp_auth_verdict(); nobody keeps the pointer. */
struct ppp_verdict {
	enum ppp_answer answer;
	/* Granted: what both sides know by the method; zero where it gives none (PAP, CHAP-MD5).
	   EAP-TLS brings its own. */
	uint8_t key[PPP_KEY];
	/* MS-CHAPv2, granted: "S=" and 40 hexadecimal digits; RADIUS gives it as MS-CHAP2-Success.
	 */
	char proof[MSCHAP_PROOF + 1];
	/* MS-CHAPv2, refused: E= (RFC 2759 6); 0 is 691, authentication failed. */
	unsigned error;
	/* To the user; "": words of ours. */
	char text[PPP_TEXT_MAX];
	/* PPP_GO_ON: the Request for the client.  Success and Failure are made here. */
	const uint8_t *eap;
	size_t eap_size;
};

/* What a file knows of a user. */
struct ppp_secret {
	const char
	    *clear; /* the password in UTF-8, at most PPP_SECRET_MAX bytes; NULL: only the hash */
	const uint8_t *hash; /* NtPasswordHash, 16 bytes; NULL: only the password */
};

/* Can this method be answered with that?  A hash will not do for CHAP-MD5. */
bool auth_can(enum ppp_method, const struct ppp_secret *);

/*
 * Answer a question: PAP, CHAP-MD5, MS-CHAPv2, and EAP's MS-CHAPv2.  With EAP-TLS the certificate
 * has been verified already, so that the user need only be known.  `secret` NULL: there is no such
 * user, which is refused with the same words as a wrong password, after the same work.  A method
 * that cannot be answered is refused.
 */
void auth_check(const struct ppp_question *, const struct ppp_secret *, struct ppp_verdict *);

#endif
