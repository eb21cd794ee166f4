/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/hmac.h -- HMAC (RFC 2104) over the library's hashes, by their providers' own functions.
 *
 * EVP_MAC(3) looks the hash up, allocates thirteen times and copies the key for each code that it
 * computes: in OpenSSL 3.0 most of the time of a code over the few bytes of a handshake.
 */
#ifndef GINNEL_TLS_HMAC_H
#define GINNEL_TLS_HMAC_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HMAC_SIZE_MAX = 48,   /* of a code: SHA-384's */
	HMAC_BLOCK_MAX = 128, /* SHA-384's (FIPS 180-4, figure 1) */
};

struct hash;

/*
 * Take SHA-256 and SHA-384 from this provider, which must stay loaded as long as the process lives.
 * The main thread's, once, before any other call.  False: it has not both.
 */
bool hash_setup(OSSL_PROVIDER *);

/* By the name that EVP_MD_get0_name(3) tells.  NULL: none of the two.  Any thread. */
const struct hash *hash_find(const char *name);

const char *hash_name(const struct hash *);

/* Of what it computes, and of what it works on at a time; in bytes. */
size_t hash_size(const struct hash *);
size_t hash_block_size(const struct hash *);

/* A part of a message: its owner's. */
struct piece {
	const void *bytes;
	size_t length;
};

/* The hash of the message, hash_size() bytes.  False: no memory. */
bool hash_compute(const struct hash *, struct piece message, uint8_t *out);

struct hmac {
	const struct hash *hash;
	void *state; /* the provider's */
	uint8_t inner[HMAC_BLOCK_MAX], outer[HMAC_BLOCK_MAX];
};

/* For any number of messages under one key.  False: no memory.  Close it in either case. */
bool hmac_open(struct hmac *, const struct hash *, struct piece key);

/* One message after the other.  The code has hash_size() bytes. */
bool hmac_begin(struct hmac *);
bool hmac_add(struct hmac *, struct piece);
bool hmac_end(struct hmac *, uint8_t *out);

/* All three; out may be one of the pieces. */
bool hmac_compute(struct hmac *, const struct piece *, size_t count, uint8_t *out);

/* With as much of a message as was added.  False: no memory.  Close it in either case. */
bool hmac_copy(struct hmac *to, const struct hmac *from);

/* A key of hash_block_size() bytes that gives the same codes; secret as the key itself. */
void hmac_padded_key(const struct hmac *, uint8_t out[HMAC_BLOCK_MAX]);

/* Wipes the key. */
void hmac_close(struct hmac *);

#endif
