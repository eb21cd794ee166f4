/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/nt_auth.h -- Windows' challenge and response of old: NTLM and MS-CHAPv2 have it in common.
 *
 * MD4 and DES are broken, and these protocols want nothing else.  OpenSSL 3 has them in its legacy
 * provider only, which TLS shall not see; so they stand here, for these functions.
 */
#ifndef GINNEL_BASE_NT_AUTH_H
#define GINNEL_BASE_NT_AUTH_H

#include <stddef.h>
#include <stdint.h>

enum { NT_AUTH_HASH = 16, NT_AUTH_CHALLENGE = 8, NT_AUTH_RESPONSE = 24 };

/* MD4 of `n` bytes (RFC 1320). */
void nt_auth_md4(const void *bytes, size_t n, uint8_t out[NT_AUTH_HASH]);

/*
 * NTOWFv1 (MS-NLMP 3.3.1), NtPasswordHash (RFC 2759 8.3): MD4 of the password in UTF-16LE.  Its
 * bytes are taken for Latin-1, and those behind the 256th are ignored.
 */
void nt_auth_hash(const char *password, uint8_t out[NT_AUTH_HASH]);

/*
 * The same of a password in UTF-8, of which as many characters count; if it is none, its bytes are
 * taken for Latin-1.
 */
void nt_auth_hash_utf8(const char *password, uint8_t out[NT_AUTH_HASH]);

/* DESL (MS-NLMP 6), ChallengeResponse (RFC 2759 8.5): the challenge under three keys of the hash.
 */
void nt_auth_response(const uint8_t challenge[NT_AUTH_CHALLENGE], const uint8_t hash[NT_AUTH_HASH],
    uint8_t out[NT_AUTH_RESPONSE]);

#endif
