/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/derive.h -- the key derivations of TLS 1.2 and 1.3, as algorithms of a provider.
 *
 * A TLS 1.3 handshake derives some twenty secrets.  OpenSSL 3.0 looks the hash up, and copies
 * parameters and states, for each: a twentieth of a connection.  What is here computes the same
 * from the library's SHA-256 and SHA-384, and leaves all else, TLS 1.0 for one, to the library.
 * Of one derivation nothing is kept for the next: parameters come with each.
 */
#ifndef GINNEL_TLS_DERIVE_H
#define GINNEL_TLS_DERIVE_H

#include <openssl/core.h>
#include <openssl/types.h>
#include <stdbool.h>

/*
 * Stand on the algorithms of this provider, which must stay loaded as long as the process lives.
 * The main thread's, once, before the call below, and after hash_setup().  False: it has not all of
 * them.
 */
bool derive_setup(OSSL_PROVIDER *);

/* What stands in for this algorithm (OSSL_OP_KDF).  NULL: nothing, take the library's. */
const OSSL_DISPATCH *derive_functions(const OSSL_ALGORITHM *);

#endif
