/* SPDX-License-Identifier: Apache-2.0 */
/* ppp/chap.h -- challenge and response: CHAP with MD5 (RFC 1994) and MS-CHAPv2 (RFC 2759). */
#ifndef GINNEL_PPP_CHAP_H
#define GINNEL_PPP_CHAP_H

#include "ppp/auth.h"

#include <stdint.h>

enum {
	CHAP_TEXT = MSCHAP_PROOF + 64 + PPP_TEXT_MAX, /* of a Success or a Failure */
};

struct chap {
	uint8_t id;
	uint8_t challenge[PPP_CHALLENGE];
	struct mschap_response response; /* MS-CHAPv2 */
	uint8_t md5[16];		 /* CHAP-MD5 */
	uint8_t answer;	      /* server: Success or Failure; 0: not yet.  Client: Response */
	char text[CHAP_TEXT]; /* server: of that answer */
};

struct login_protocol;
extern const struct login_protocol chap_server, chap_client;

/* ---- MS-CHAPv2, also inside of EAP ---- */

struct ppp;

/* The text of a Success or, with error != 0, of a Failure (RFC 2759 5 and 6). */
void chap_mschap_text(
    const struct ppp_verdict *, const uint8_t next[PPP_CHALLENGE], char out[CHAP_TEXT]);
/* A Response to `challenge` by the client's password, with a fresh challenge of our own; false: the
 * link is closed. */
bool chap_mschap_respond(
    struct ppp *, const uint8_t challenge[PPP_CHALLENGE], struct mschap_response *out) MUST_CHECK;
/* Does the text of a Success prove that the server knows the password?  Then login.key is set. */
bool chap_mschap_proved(struct ppp *, const uint8_t challenge[PPP_CHALLENGE],
    const struct mschap_response *, const uint8_t *text, size_t n) MUST_CHECK;

#endif
