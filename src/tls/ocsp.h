/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/ocsp.h -- has the peer's certificate been revoked?  Asked over OCSP, without ever blocking.
 *
 * Whom is asked, for the peer's own certificate: the answer that it stapled to its handshake, then
 * the responder of `OCSP`, then with `OCSPaia` those that the certificate names; for the other
 * certificates of the chain but the root only the last kind.  The first answer that says good or
 * revoked counts.  Needs verifyChain: who is asked is the word of a CA that is trusted.
 */
#ifndef GINNEL_TLS_OCSP_H
#define GINNEL_TLS_OCSP_H

#include "tls/context.h"
#include "tls/ocsp_fetch.h"

/* The answers that a context keeps until they expire; any thread. */
struct ocsp_kept;

/* Check what is configured, and set tc->ocsp up if it is needed.  False: told to the sink. */
bool ocsp_install(struct tls_context *tc, struct sink *) MUST_CHECK;
void ocsp_kept_free(struct ocsp_kept *); /* NULL is fine */

/*
 * May a session of the peer with this certificate be taken up?  Only while an answer that it is
 * good is kept: a session does not have the chain that a question needs.
 */
bool ocsp_may_resume(const struct tls_context *, X509 *);

/* One peer, one full handshake. */
struct ocsp_check;

/*
 * Before a client's handshake, or after a server's; only if tc->ocsp.  NULL: no memory.  In a TLS
 * 1.3 client the handshake itself waits for the answer (SSL_ERROR_WANT_RETRY_VERIFY).
 */
struct ocsp_check *ocsp_check_new(const struct tls_context *tc, const struct ocsp_env *, SSL *);
/* IO_OK: the peer passes; IO_AGAIN: env->task will run; IO_FAILED: it does not, and that is logged.
 */
enum io ocsp_check_step(struct ocsp_check *) MUST_CHECK;
int ocsp_check_alert(const struct ocsp_check *); /* after IO_FAILED: SSL_AD_* for the peer */
void ocsp_check_free(struct ocsp_check *);	 /* NULL is fine */

#endif
