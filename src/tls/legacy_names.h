/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/legacy_names.h -- a table of names for a library context, without those of OpenSSL's past.
 *
 * In OpenSSL 3.0 and 3.1, whoever makes an EVP_PKEY_CTX looks through all names of its context for
 * those of one key type: eight times in a full handshake, four hundred names, a twenty-fifth of the
 * connection's time (github.com/openssl/openssl/issues/21077).  Most of them are of ciphers, and
 * come in before anything else can: a context that is asked for its first algorithm copies the list
 * of EVP_get_cipherbyname(3) and EVP_get_digestbyname(3), which is one for the whole process.
 */
#ifndef GINNEL_TLS_LEGACY_NAMES_H
#define GINNEL_TLS_LEGACY_NAMES_H

#include <openssl/types.h>
#include <stdbool.h>

/*
 * Ask this new context, whose provider is loaded, for an algorithm while that list is empty; it is
 * whole again afterwards.  Nothing else may have been asked of the context before.  The main
 * thread's, while no other one asks OpenSSL for anything by its name.  False: no memory, or no
 * TLS1-PRF.
 */
bool legacy_names_spare(OSSL_LIB_CTX *);

#endif
