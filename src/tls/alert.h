/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/alert.h -- tell a peer whose handshake has ended that it is refused after all.
 *
 * OpenSSL sends alerts of its own accord only.  There are two honest ways to one of our choice: see
 * alert.c.
 */
#ifndef GINNEL_TLS_ALERT_H
#define GINNEL_TLS_ALERT_H

#include "net/stream.h"

#include <openssl/ssl.h>

/* For a server's context, once.  False: no memory. */
bool alert_install(SSL_CTX *) MUST_CHECK;

/*
 * Put the fatal alert `description` (SSL_AD_*) into stream->out; the SSL is broken after it.  In
 * TLS 1.2 and below all of our flight with ChangeCipherSpec must still be in stream->out.  A
 * TLS 1.3 client has no way: it gets to know nothing.
 */
void alert_send(struct stream *, SSL *, int description);

#endif
