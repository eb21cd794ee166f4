/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/gcm.h -- AES-GCM that knows how long a nonce of TLS is.
 *
 * For each record of TLS 1.3, OpenSSL 3.0 asks the cipher for the length of its nonce
 * (EVP_CipherInit_ex(3), by EVP_CIPHER_CTX_get_iv_length(3)), and the default provider looks for
 * each parameter that it has in the question, one after the other: with the answer 700 of the
 * 14,700 instructions of a small request and its answer.  In TLS it is always 12 bytes (RFC 5288 3;
 * RFC 8446 5.3 with RFC 5116 5.1).
 */
#ifndef GINNEL_TLS_GCM_H
#define GINNEL_TLS_GCM_H

#include <openssl/core.h>
#include <openssl/types.h>
#include <stdbool.h>

/*
 * Before all else, by the main thread; `from` stays loaded.  False: the provider has no such
 * ciphers, or not as they are known here.
 */
bool gcm_setup(OSSL_PROVIDER *from);

/*
 * For that cipher: the library's own functions, but that the nonce has 12 bytes and cannot be set
 * to another length.  NULL: it is neither AES-128-GCM nor AES-256-GCM.
 */
const OSSL_DISPATCH *gcm_functions(const OSSL_ALGORITHM *);

#endif
