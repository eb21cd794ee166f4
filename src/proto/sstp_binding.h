/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/sstp_binding.h -- SSTP's crypto binding (MS-SSTP 3.2.5.2): proof that whoever logged in by
 * PPP is at the other end of this very TLS connection.
 *
 * The key comes from the login, so somebody in the middle who only passes the login on cannot make
 * the MAC over the certificate that the client has seen.
 */
#ifndef GINNEL_PROTO_SSTP_BINDING_H
#define GINNEL_PROTO_SSTP_BINDING_H

#include "proto/sstp_packet.h"

enum { SSTP_HLAK = 32 }; /* the key that the login gave; zeros after PAP, CHAP-MD5 or none */

/* The certificate that the server has shown, hashed both ways. */
struct sstp_cert {
	uint8_t sha1[SSTP_HASH], sha256[SSTP_HASH]; /* the former with zeros behind it */
};
/* Of the certificate in DER.  False: libcrypto refuses. */
bool sstp_binding_hash_cert(const void *der, size_t n, struct sstp_cert *) MUST_CHECK;

/* The better one of those hashes; 0: none that we know. */
uint8_t sstp_binding_choose(uint8_t hashes);

/* Of the CALL_CONNECTED `packet`, taken with zeros where its MAC belongs.  False: libcrypto
 * refuses.
 */
bool sstp_binding_mac(uint8_t hash, const uint8_t hlak[SSTP_HLAK],
    const uint8_t packet[SSTP_CONNECTED_SIZE], uint8_t mac[SSTP_HASH]) MUST_CHECK;

enum sstp_proof {
	SSTP_PROVED,
	SSTP_WRONG_HASH,  /* not one single hash that was offered */
	SSTP_WRONG_NONCE, /* of another call */
	SSTP_WRONG_CERT,  /* the client has seen another certificate */
	SSTP_WRONG_MAC,	  /* made with another key */
};

/* Is this CALL_CONNECTED of this call?  `offered`: the hashes of the CALL_CONNECT_ACK. */
enum sstp_proof sstp_binding_verify(const struct sstp_binding_proof *,
    const uint8_t packet[SSTP_CONNECTED_SIZE], uint8_t offered, const uint8_t nonce[SSTP_NONCE],
    const struct sstp_cert *, const uint8_t hlak[SSTP_HLAK]) MUST_CHECK;

const char *sstp_binding_words(enum sstp_proof); /* for a log */

#endif
