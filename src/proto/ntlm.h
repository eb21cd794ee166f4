/* SPDX-License-Identifier: Apache-2.0 */
/* proto/ntlm.h -- the three messages of NTLM version 1 (MS-NLMP 2.2.1), as a client says them. */
#ifndef GINNEL_PROTO_NTLM_H
#define GINNEL_PROTO_NTLM_H

#include "base/nt_auth.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NTLM_NEGOTIATE_SIZE = 32,
	NTLM_NAME_MAX = 255, /* of user and domain each */
	NTLM_AUTHENTICATE_MAX = 64 + 2 * NTLM_NAME_MAX + NT_AUTH_RESPONSE,
};

void ntlm_negotiate(uint8_t out[NTLM_NEGOTIATE_SIZE]);

/* The challenge in the server's answer; false: it is no such message. */
bool ntlm_challenge(const void *bytes, size_t n, uint8_t challenge[NT_AUTH_CHALLENGE]);

/* The length of the answer to that; a domain of NULL is an empty one. */
size_t ntlm_authenticate(const uint8_t challenge[NT_AUTH_CHALLENGE], const char *domain,
    const char *user, const char *password, uint8_t out[NTLM_AUTHENTICATE_MAX]);

#endif
