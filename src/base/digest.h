/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/digest.h -- hashes, their MACs and random bytes, for protocols that know nothing of TLS.
 *
 * libcrypto's, by the default provider alone; digest.c is the one file outside of tls/ that knows
 * it.
 */
#ifndef GINNEL_BASE_DIGEST_H
#define GINNEL_BASE_DIGEST_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum digest { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_COUNT };
enum { DIGEST_MD5_SIZE = 16, DIGEST_SHA1_SIZE = 20, DIGEST_SHA256_SIZE = 32, DIGEST_MAX = 32 };

struct digest_part {
	const void *p;
	size_t n;
};

size_t digest_size(enum digest);

/*
 * The hash of `count` parts, one behind the other.  False: libcrypto refuses (no memory, or a
 * policy such as FIPS that has no MD5); `out` is then zeros.
 */
bool digest_of(enum digest, const struct digest_part *, size_t count, uint8_t *out) MUST_CHECK;
/* HMAC (RFC 2104).  False as above. */
bool digest_hmac(enum digest, const void *key, size_t key_size, const void *bytes, size_t n,
    uint8_t *out) MUST_CHECK;

/* Compares in a time that does not depend on where the bytes differ. */
bool digest_equal(const void *, const void *, size_t n);

/* Random bytes for nonces and challenges; false: there are none, and nothing may be begun. */
bool digest_random(void *, size_t n) MUST_CHECK;

#endif
