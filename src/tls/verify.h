/* SPDX-License-Identifier: Apache-2.0 */
/* tls/verify.h -- may this peer pass?  verify, verifyChain, verifyPeer, check*, CRLs. */
#ifndef GINNEL_TLS_VERIFY_H
#define GINNEL_TLS_VERIFY_H

#include "tls/context.h"

/* Set the modes, the callback and the store of `tc->ctx`; after the CAs and CRLs are loaded. */
void verify_install(struct tls_context *tc);

enum verdict { VERDICT_PASS, VERDICT_NO_CERT, VERDICT_REJECTED };

/*
 * After the handshake, full or resumed alike: the one place that decides.  It looks at the
 * certificate itself again (presence, dates, pins, names, result, trust hash), and fails closed.
 * Logs the cause.
 */
enum verdict verify_verdict(SSL *, const struct tls_context *);

/* "C=PL, O=Test, CN=srv.test", escaped and cut for a log line.  Returns out. */
const char *verify_subject(X509 *, char *out, size_t size);
const char *verify_name(const X509_NAME *, char *out, size_t size);

#endif
