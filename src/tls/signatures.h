/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/signatures.h -- signatures on certificates that were found good are not computed again.
 *
 * That one certificate's key has signed another certificate is a fact that no time changes, so
 * each thread remembers some.  All else about a chain is asked each time, and by OpenSSL: how it is
 * built, trust, dates, key usage, names, revocation, strength.
 */
#ifndef GINNEL_TLS_SIGNATURES_H
#define GINNEL_TLS_SIGNATURES_H

#include <openssl/types.h>
#include <stdbool.h>

/* For all chains that are verified with this store.  The main thread's call. */
bool signatures_install(X509_STORE *);

#endif
