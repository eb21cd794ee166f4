/* SPDX-License-Identifier: Apache-2.0 */
/* base/hash.h -- SipHash-2-4: a hash that nobody can steer who does not know its key. */
#ifndef GINNEL_BASE_HASH_H
#define GINNEL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k0, k1;
};

/* A key that is this process' secret. */
struct hash_key hash_random_key(void);

uint64_t hash_bytes(const struct hash_key *, const void *, size_t);

#endif
