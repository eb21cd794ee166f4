/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ppp/mschap.h -- MS-CHAPv2 (RFC 2759) and the keys that come of it (RFC 3079), as functions of
 * bytes.
 *
 * Each gives false if a digest is not to be had.  A user's domain ("DOMAIN\user") is no part of
 * what is hashed (RFC 2759 4) and is taken off here.
 */
#ifndef GINNEL_PPP_MSCHAP_H
#define GINNEL_PPP_MSCHAP_H

#include "base/check.h"
#include "base/nt_auth.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	MSCHAP_CHALLENGE = 16, /* of either side */
	MSCHAP_RESPONSE = 49,  /* the value of a Response */
	MSCHAP_PROOF = 42,     /* "S=" and 40 hexadecimal digits */
	MSCHAP_KEY = 16,       /* one direction's session key of 128 bits */
};

/* The value of a Response, as it is sent (RFC 2759 5): 49 bytes. */
struct mschap_response {
	uint8_t peer_challenge[MSCHAP_CHALLENGE];
	uint8_t reserved[8];
	uint8_t nt_response[NT_AUTH_RESPONSE];
	uint8_t flags;
};

/* GenerateNTResponse (8.1) with the hash of the password. */
bool mschap_answer(const uint8_t challenge[MSCHAP_CHALLENGE],
    const uint8_t peer_challenge[MSCHAP_CHALLENGE], const char *user,
    const uint8_t hash[NT_AUTH_HASH], uint8_t out[NT_AUTH_RESPONSE]) MUST_CHECK;

/* GenerateAuthenticatorResponse (8.7): how a server proves that it knows the hash, too. */
bool mschap_prove(const uint8_t challenge[MSCHAP_CHALLENGE], const struct mschap_response *,
    const char *user, const uint8_t hash[NT_AUTH_HASH], char out[MSCHAP_PROOF + 1]) MUST_CHECK;

/*
 * RFC 3079 3.3: the client's MasterSendKey and its MasterReceiveKey, one behind the other; to the
 * server they are the receiving and the sending one.
 */
bool mschap_keys(const uint8_t hash[NT_AUTH_HASH], const uint8_t nt_response[NT_AUTH_RESPONSE],
    uint8_t out[2 * MSCHAP_KEY]) MUST_CHECK;

#endif
