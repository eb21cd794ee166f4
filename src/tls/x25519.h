/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/x25519.h -- key pairs of X25519, with the multiplication that an exchange uses.
 *
 * The public key is X25519(a, 9) (RFC 7748 6.1): an exchange with the base point.  OpenSSL computes
 * it in another way, in portable C on the Edwards form of the curve, where for exchanges it has
 * Montgomery's ladder in assembler: a public key costs more than a shared secret, 42 us and 34.
 * What is here asks the library for the exchange, and leaves all arithmetic to it.  The private key
 * lies in ordinary memory, cleansed when it is freed, as the library's own does in a program that
 * has no secure heap (CRYPTO_secure_malloc_init(3)).
 */
#ifndef GINNEL_TLS_X25519_H
#define GINNEL_TLS_X25519_H

#include <openssl/core.h>
#include <openssl/types.h>
#include <stdbool.h>

/*
 * Stand on the algorithms of this provider, which must stay loaded as long as the process lives.
 * The main thread's, once, before the call below.  False: it has not what is needed, or no memory.
 */
bool x25519_setup(OSSL_PROVIDER *);

/* What stands in for this algorithm (OSSL_OP_KEYMGMT).  NULL: nothing, take the library's. */
const OSSL_DISPATCH *x25519_functions(const OSSL_ALGORITHM *);

#endif
