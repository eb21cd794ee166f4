/* SPDX-License-Identifier: Apache-2.0 */
/* ppp/pap.h -- a user and a password in clear (RFC 1334, section 2). */
#ifndef GINNEL_PPP_PAP_H
#define GINNEL_PPP_PAP_H

#include <stdint.h>

struct pap {
	uint8_t id;	/* of the request */
	uint8_t answer; /* server: the code that was sent; 0: none yet */
};

struct login_protocol;
extern const struct login_protocol pap_server, pap_client;

#endif
