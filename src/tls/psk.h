/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/psk.h -- pre-shared keys: PSKsecrets and PSKidentity.
 *
 * In TLS 1.2 a key comes with cipher suites of its own.  In TLS 1.3 it looks to OpenSSL like a
 * session that is taken up, so it is made one that carries the marks of resume.h.
 */
#ifndef GINNEL_TLS_PSK_H
#define GINNEL_TLS_PSK_H

#include "base/files.h"
#include "tls/context.h"

/*
 * Read conf->psk_secrets: "IDENTITY:KEY" lines.  A client uses the key of conf->psk_identity, or
 * the first.  NULL: said why.
 */
struct psk_table *psk_load(const struct tls_conf *, enum tls_role, struct files *, struct sink *);
void psk_free(struct psk_table *); /* NULL is fine; the keys are wiped */

/* SHA-256 over the identities and keys that this side accepts, for the trust hash. */
enum { PSK_DIGEST_SIZE = 32 };
const unsigned char *psk_digest(const struct psk_table *);

/* Install the callbacks for tc->psk into tc->ctx.  False: no memory. */
bool psk_install(struct tls_context *) MUST_CHECK;

/*
 * After the handshake: has the peer shown that it has one of our keys, now or when the session
 * began that it took up?
 */
bool psk_proved(const SSL *, const struct tls_context *);
/* ... and was that now?  For the log. */
bool psk_is_fresh(const SSL *, const struct tls_context *);

#endif
