/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/sessiond.h -- an external cache of TLS sessions, asked over UDP by a server.
 *
 * The handshake waits at the ClientHello for the answer, or for ANSWER_MS; the worker does not.
 * Nothing in the protocol proves who answers, so it is never used where a peer is verified.
 */
#ifndef GINNEL_TLS_SESSIOND_H
#define GINNEL_TLS_SESSIOND_H

#include "base/log.h"
#include "loop/loop.h"
#include "tls/context.h"

/* Reach conf->sessiond and install the callbacks; after resume_install().  False: said why. */
bool sessiond_install(struct tls_context *, struct sink *) MUST_CHECK;
void sessiond_free(struct tls_context *); /* before the SSL_CTX; nothing to do is fine */

/* Let this handshake ask.  `task` runs when the answer may be there.  False: no memory. */
bool sessiond_attach(SSL *, const struct tls_context *, struct loop *, struct task *,
    const struct log_ctx *) MUST_CHECK;

/* In the callback of the ClientHello: must the handshake stop here and be tried again? */
bool sessiond_must_wait(SSL *);

#endif
