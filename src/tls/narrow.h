/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/narrow.h -- a library context for handshakes, without the detours of OpenSSL 3.0 and 3.1.
 *
 * Until OpenSSL 3.2, reading a public key out of a certificate begins with a list of all decoders
 * of all providers, made anew each time (github.com/openssl/openssl/issues/15199, pull 21426): half
 * of the work of a handshake with a client certificate.  So handshakes get a context of their own,
 * with one provider that hands out what the default provider has, but of its decoders only those
 * for the public keys that certificates have, and of its ciphers, digests and the like only those
 * of TLS and of certificates, for the sake of a short table of names (tls/legacy_names.h).  It
 * derives the keys of TLS, computes HMAC, makes keys of X25519 and tells the length of a nonce in a
 * shorter way (tls/derive.h, tls/mac.h, tls/x25519.h, tls/gcm.h).  Our own keys are read in the
 * default context, which knows every format.
 */
#ifndef GINNEL_TLS_NARROW_H
#define GINNEL_TLS_NARROW_H

#include <openssl/types.h>

/*
 * For SSL_CTX_new_ex(3).  NULL, the default context: if that has more than the default provider
 * (another one, engines, FIPS), which handshakes must then use, or if OpenSSL needs no help.  The
 * main thread's alone; made at the first call or never, so that must come before other threads do;
 * it lives as long as the process.
 */
OSSL_LIB_CTX *narrow_context(void);

#endif
