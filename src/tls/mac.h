/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/mac.h -- HMAC as an algorithm of a provider: for the Finished of TLS 1.3, and for tickets.
 *
 * See tls/hmac.h for why.  What is asked of it beyond a hash, a key and a message is left to the
 * library's own, which takes over what was said so far; in the middle of a message it is refused.
 */
#ifndef GINNEL_TLS_MAC_H
#define GINNEL_TLS_MAC_H

#include <openssl/core.h>
#include <openssl/types.h>
#include <stdbool.h>

/*
 * Stand on the algorithm of this provider, which must stay loaded as long as the process lives.
 * The main thread's, once, before the call below, and after hash_setup().  False: it has none.
 */
bool mac_setup(OSSL_PROVIDER *);

/* What stands in for this algorithm (OSSL_OP_MAC).  NULL: nothing, take the library's. */
const OSSL_DISPATCH *mac_functions(const OSSL_ALGORITHM *);

#endif
